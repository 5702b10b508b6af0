"""Predictions: any picture in, ranked genres out, and a broken one named without stopping the others."""

import numpy as np
import pytest
from PIL import Image

from poster_cnn import predict


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
def test_every_kind_of_picture_is_predicted(finished_run, tmp_path, name, mode, size):
    predictions, broken = predict.predict(finished_run, [picture(tmp_path, name, mode, size)])
    assert not broken
    assert sum(predictions[0].probabilities) == pytest.approx(1, abs=1e-5)
    assert list(predictions[0].probabilities) == sorted(predictions[0].probabilities, reverse=True)


def test_a_blue_poster_is_an_action_movie(finished_run, tmp_path):
    predictions, _ = predict.predict(finished_run / "model.keras", [picture(tmp_path, "blue.png")])
    assert predictions[0].class_names[0] == "Action"
    assert str(predictions[0]).splitlines()[1].split()[0] == "Action"


def test_a_rotated_photo_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter
    halves = np.zeros((100, 200, 3), dtype="uint8")
    halves[:, 100:] = 255
    Image.fromarray(halves).save(tmp_path / "rotated.jpg", exif=exif, quality=95)
    image = predict.read_image(tmp_path / "rotated.jpg", (20, 10))
    assert image[:8].max() < 50 and image[-8:].min() > 200


def test_predictions_read_a_poster_as_training_does(finished_run, data_folder):
    import pandas as pd

    saved = pd.read_csv(finished_run / "predictions.csv")
    path = data_folder / "posters" / f"{saved['imdb_id'][0]}.jpg"
    predictions, _ = predict.predict(finished_run, [path])
    for name, probability in predictions[0].to_dict()["genres"].items():
        assert probability == pytest.approx(saved[f"probability_{name}"][0], abs=1e-5)


def test_a_broken_picture_is_named_and_the_others_are_predicted(finished_run, tmp_path):
    good = picture(tmp_path, "good.png")
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    (tmp_path / "half.jpg").write_bytes(picture(tmp_path, "whole.jpg").read_bytes()[:400])
    paths = [tmp_path / "page.jpg", good, tmp_path / "half.jpg", tmp_path / "absent.jpg"]
    predictions, broken = predict.predict(finished_run, paths)
    assert [prediction.path for prediction in predictions] == [str(good)]
    assert set(broken) == {str(path) for path in paths if path != good}


def test_cards_are_drawn_for_any_number_of_pictures(finished_run, tmp_path):
    predictions, _ = predict.predict(finished_run, [picture(tmp_path, f"{n}.png") for n in range(3)])
    predict.draw_cards(predictions, tmp_path / "cards.png")
    assert Image.open(tmp_path / "cards.png").width > 600
