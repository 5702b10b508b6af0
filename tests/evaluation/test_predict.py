import numpy as np
import pandas as pd
import pytest
from conftest import GENRE_COLORS
from PIL import Image

from poster_cnn import figures
from poster_cnn.datasets.pixels import read_image
from poster_cnn.evaluation.networks import open_network
from poster_cnn.evaluation.pictures import find_pictures
from poster_cnn.evaluation.predict import Prediction, draw_cards, predict, rank_pictures, ranked_prediction
from poster_cnn.training.saved_model import load_model, save_model

pytestmark = pytest.mark.usefixtures("eager")


def picture(folder, name, mode="RGB", size=(182, 268), **save_options):
    path = folder / name
    Image.fromarray(np.full((size[1], size[0], 3), (40, 90, 200), dtype="uint8")).convert(mode).save(
        path, **save_options
    )
    return path


@pytest.mark.parametrize(
    ("name", "mode", "size"),
    [
        ("poster.jpg", "RGB", (182, 268)),
        ("wide.png", "RGB", (500, 100)),
        ("grey.jpg", "L", (182, 268)),
        ("print.jpg", "CMYK", (182, 268)),
        ("palette.png", "P", (64, 64)),
        ("modern.webp", "RGB", (182, 268)),
    ],
)
def test_predicts_pictures_of_any_format_and_size(finished_run, tmp_path, name, mode, size):
    path = picture(tmp_path, name, mode, size)
    (row,) = predict(path, finished_run).to_dict("records")
    assert row["picture"] == str(path) and row["note"] == "" and (mode == "L" or row["predicted"] == "Action")
    assert sum(row[name] for name in GENRE_COLORS) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", [(268, 182), (536, 364), (67, 91)])
def test_read_image_scales_the_center_crop(tmp_path, size):
    height, width = size
    framed = np.zeros((height, width, 3), dtype="uint8")
    framed[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    Image.fromarray(framed).save(tmp_path / "framed.png")
    middle = read_image(tmp_path / "framed.png", (20, 10), crop_size=(130, 88))
    assert middle.shape == (20, 10, 3) and middle.min() > 250
    assert read_image(tmp_path / "framed.png", (20, 10)).min() == 0
    assert read_image(tmp_path / "framed.png", (20, 10), crop_size=(1, 1)).min() > 250  # at least one pixel


def test_predictions_equal_those_of_training(finished_run, data_folder):
    saved = pd.read_csv(finished_run / "predictions.csv")
    path = data_folder / "posters" / f"{saved['imdb_id'][0]}.jpg"
    model, about = load_model(finished_run)
    found = predict([path], (model, about | {"calibration": None}))  # the run folder has it before calibration
    for name in GENRE_COLORS:
        assert found[name][0] == pytest.approx(saved[f"probability_{name}"][0], abs=1e-5)


def test_broken_pictures_are_rows_in_the_given_order(finished_run, tmp_path):
    (tmp_path / "half.jpg").write_bytes(picture(tmp_path, "whole.jpg").read_bytes()[:400])
    blue = np.full((40, 30, 3), (40, 90, 200), "uint8")
    given = [tmp_path / "half.jpg", tmp_path / "whole.jpg", tmp_path / "absent.jpg", blue, None, Image.fromarray(blue)]
    names = [*map(str, given[:3]), "picture 3", "picture 4", "picture 5"]
    found = [predict(given, finished_run, batch_size=size, progress=False) for size in (1, 2, 32)]
    assert list(found[0]) == ["picture", *GENRE_COLORS, "predicted", "note"]
    for table in found:
        assert table["picture"].tolist() == names
        assert table["predicted"].tolist() == ["", "Action", "", "Action", "", "Action"]
        assert table["Action"].isna().tolist() == [bool(note) for note in table["note"]]
        assert "truncated" in table["note"][0] and "No such file" in table["note"][2]
        assert np.allclose(table.iloc[[1, 3, 5], 1:5].astype(float), table.iloc[[1] * 3, 1:5].astype(float), atol=1e-3)
    assert predict([], finished_run).empty and predict(iter([blue]), finished_run)["predicted"].tolist() == ["Action"]


def test_a_line_names_the_predicted_genres_or_the_reason():
    assert prediction((0.6, 0.3, 0.05)).as_line() == "a.jpg  War 30%, Drama 10%"
    assert prediction().as_line() == "a.jpg  Horror 50%"
    assert prediction((1, 1, 1)).as_line() == "a.jpg    (no genre reaches its threshold)"
    assert Prediction("a.jpg", (), (), note="truncated").as_line() == "a.jpg    (truncated)"
    assert str(Prediction("a.jpg", (), (), note="truncated")) == "a.jpg: truncated"


def test_draws_several_cards(finished_run, tmp_path):
    pictures = find_pictures([picture(tmp_path, f"{n}.png") for n in range(3)])
    predictions = rank_pictures(pictures, open_network(finished_run))
    draw_cards(predictions, tmp_path / "cards.png")
    draw_cards(predictions[:1], tmp_path / "card.JPG")
    many, one = Image.open(tmp_path / "cards.png"), Image.open(tmp_path / "card.JPG")
    assert many.width > 600 and one.format == "JPEG" and one.width < 0.6 * many.width


# --- thresholds ---


def prediction(thresholds=None, path="a.jpg"):
    return Prediction(path, ("Horror", "War", "Drama"), (0.5, 0.3, 0.1), thresholds)


@pytest.mark.parametrize(
    ("thresholds", "predicted", "lines"),
    [
        (None, None, ["  Horror   50.0%", "  War      30.0%", "  Drama    10.0%"]),
        (
            (0.6, 0.3, 0.05),  # equal to the threshold counts as predicted
            ("War", "Drama"),
            [
                "    Horror   50.0%  from  60.0%",
                "  ✓ War      30.0%  from  30.0%",
                "  ✓ Drama    10.0%  from   5.0%",
            ],
        ),
        (
            (0.6, 0.4, 1.0),
            (),
            [
                "    Horror   50.0%  from  60.0%",
                "    War      30.0%  from  40.0%",
                "    Drama    10.0%  from 100.0%",
                "    No genre reaches its threshold.",
            ],
        ),
    ],
)
def test_marks_genres_at_or_above_their_threshold(thresholds, predicted, lines):
    assert prediction(thresholds).predicted == predicted
    assert [line.rstrip(" █") for line in str(prediction(thresholds)).splitlines()] == ["a.jpg", *lines]


def test_to_dict_with_and_without_thresholds():
    ranked = {"picture": "a.jpg", "genres": {"Horror": 0.5, "War": 0.3, "Drama": 0.1}}
    assert prediction().to_dict() == ranked
    thresholds = {"Horror": 0.6, "War": 0.2, "Drama": 0.1}
    known = {"predicted": ["War", "Drama"], "thresholds": thresholds}
    assert prediction(tuple(thresholds.values())).to_dict() == ranked | known


def test_uses_the_thresholds_of_the_model(finished_run, tmp_path):
    model, about = load_model(finished_run)
    thresholds = {"Horror": 0.0, "Romance": 1.0, "Action": 0.01, "Documentary": 1.0}
    save_model(model, tmp_path / "model.keras", **about | {"thresholds": thresholds})
    (found,) = rank_pictures(find_pictures(picture(tmp_path, "blue.png")), open_network(tmp_path))
    assert set(found.predicted) == {"Horror", "Action"}
    assert dict(zip(found.class_names, found.thresholds, strict=True)) == thresholds


def test_cards_show_thresholds_and_predicted_genres_in_bold(tmp_path, monkeypatch):
    draw, drawn = figures.prediction_cards, []

    def keep(*args, **options):
        drawn.append(draw(*args, **options))
        return drawn[0]

    monkeypatch.setattr(figures, "prediction_cards", keep)
    draw_cards([prediction((0.6, 0.3, 0.05), picture(tmp_path, "a.png"))], tmp_path / "cards.png")
    bars = drawn[0].axes[1]
    weights = {tick.get_text(): tick.get_fontweight() for tick in bars.get_yticklabels()}
    assert weights == {"Horror": "normal", "War": "bold", "Drama": "bold"}
    assert [line[0][0] for line in bars.collections[0].get_segments()] == pytest.approx([60, 30, 5])


def test_card_rejects_missing_thresholds():
    with pytest.raises(ValueError, match="`thresholds` must have one value for each of `class_names`"):
        figures.prediction_card(None, [0.6, 0.4], ["Horror", "War"], thresholds=[0.5])


@pytest.mark.parametrize("temperature", [0.05, 0.3, 1, 4])
def test_calibration_changes_neither_the_predicted_genres_nor_their_order(temperature):
    y_prob, thresholds = np.float32([0.87, 0.95, 0.99, 0.2]), [0.9, 0.94, 0.999, 0.1]
    about = {"class_names": list("ABCD"), "thresholds": dict(zip("ABCD", thresholds, strict=True))}
    about["calibration"] = {"temperatures": [temperature], "activation": "sigmoid"}
    found = ranked_prediction("poster.jpg", y_prob, about)
    assert found.predicted == ("B", "D") and found.class_names == tuple("CBAD")
    assert max(found.probabilities + found.thresholds) <= 1
