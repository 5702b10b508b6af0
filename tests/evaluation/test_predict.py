import numpy as np
import pandas as pd
import pytest
from PIL import Image

from poster_cnn import figures
from poster_cnn.datasets.pixels import read_image
from poster_cnn.evaluation.predict import Prediction, draw_cards, predict
from poster_cnn.training.saved_model import load_model, save_model


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
    predictions, broken = predict(finished_run, [picture(tmp_path, name, mode, size)])
    assert not broken
    assert sum(predictions[0].probabilities) == pytest.approx(1, abs=1e-5)
    assert list(predictions[0].probabilities) == sorted(predictions[0].probabilities, reverse=True)


def test_ranks_the_genre_of_the_color_first(finished_run, tmp_path):
    predictions, _ = predict(finished_run / "model.keras", [picture(tmp_path, "blue.png")])
    assert predictions[0].class_names[0] == "Action"
    assert str(predictions[0]).splitlines()[1].split()[0] == "Action"


def test_read_image_applies_the_exif_rotation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    halves = np.zeros((100, 200, 3), dtype="uint8")
    halves[:, 100:] = 255
    Image.fromarray(halves).save(tmp_path / "rotated.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "rotated.jpg", (20, 10))
    assert image[:8].max() < 50 and image[-8:].min() > 200


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
    predictions, _ = predict(finished_run, [path])
    for name, probability in predictions[0].to_dict()["genres"].items():
        assert probability == pytest.approx(saved[f"probability_{name}"][0], abs=1e-5)


def test_reports_broken_pictures_and_predicts_the_others(finished_run, tmp_path):
    good = picture(tmp_path, "good.png")
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    (tmp_path / "half.jpg").write_bytes(picture(tmp_path, "whole.jpg").read_bytes()[:400])
    paths = [tmp_path / "page.jpg", good, tmp_path / "half.jpg", tmp_path / "absent.jpg"]
    predictions, broken = predict(finished_run, paths)
    assert [prediction.path for prediction in predictions] == [str(good)]
    assert set(broken) == {str(path) for path in paths if path != good}


def test_draws_several_cards(finished_run, tmp_path):
    predictions, _ = predict(finished_run, [picture(tmp_path, f"{n}.png") for n in range(3)])
    draw_cards(predictions, tmp_path / "cards.png")
    assert Image.open(tmp_path / "cards.png").width > 600


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
    ranked = {"path": "a.jpg", "genres": {"Horror": 0.5, "War": 0.3, "Drama": 0.1}}
    assert prediction().to_dict() == ranked
    thresholds = {"Horror": 0.6, "War": 0.2, "Drama": 0.1}
    known = {"predicted": ["War", "Drama"], "thresholds": thresholds}
    assert prediction(tuple(thresholds.values())).to_dict() == ranked | known


def test_uses_the_thresholds_of_the_model(finished_run, tmp_path):
    model, about = load_model(finished_run)
    thresholds = {"Horror": 0.0, "Romance": 1.0, "Action": 0.01, "Documentary": 1.0}
    save_model(model, tmp_path / "model.keras", **about | {"thresholds": thresholds})
    (found,), _ = predict(tmp_path, [picture(tmp_path, "blue.png")])
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
