import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from poster_cnn import figures
from poster_cnn.figures import style


@pytest.fixture
def predictions():
    frame = pd.DataFrame({"imdb_id": [1, 2], "true_Drama": [1, 0], "true_Horror": [0, 1]})
    return frame.assign(probability_Drama=[0.7, 0.6], probability_Horror=[0.3, 0.4])


def test_prediction_grid_marks_correct_and_wrong_predictions(predictions):
    figure = figures.prediction_grid([Image.new("RGB", (6, 8)), None], predictions)
    right, wrong = figure.axes
    assert (right.get_title(), wrong.get_title()) == ("✓ Drama\n70%", "✗ Drama\n60%")
    assert to_rgba(right.title.get_color()) == to_rgba(style.GREEN)
    assert to_rgba(wrong.title.get_color()) == to_rgba(style.RED)
    assert [text.get_text() for text in right.texts] == ["Drama"]
    assert [text.get_text() for text in wrong.texts] == ["picture\nnot shown", "Horror"]


def test_prediction_grid_accepts_any_true_genre(predictions):
    figure = figures.prediction_grid([None, None], predictions.assign(true_Drama=1, true_Horror=1))
    assert [ax.get_title()[0] for ax in figure.axes] == ["✓", "✓"]
    assert figure.axes[0].texts[-1].get_text() == "Drama, Horror"


def test_prediction_grid_rejects_other_lengths(predictions):
    with pytest.raises(ValueError, match="1 images, 2 predictions"):
        figures.prediction_grid([None], predictions)
    with pytest.raises(ValueError, match="0 images"):
        figures.prediction_grid([], predictions.iloc[:0])


def test_image_grid_has_rows_and_empty_places():
    figure = figures.image_grid([Image.new("RGB", (6, 8)), None, Image.new("RGB", (6, 8))], titles="abc", columns=2)
    assert [len(ax.images) for ax in figure.axes] == [1, 0, 1, 0] and not any(ax.axison for ax in figure.axes)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    with pytest.raises(ValueError, match="Received: 0 images, 0 titles"):
        figures.image_grid([])


def test_titles_of_image_grid_do_not_overlap():
    titles = ["Hey There, It's Yogi Bear! (1964)", "The Fast and the Furious: Tokyo Drift (2006)", "Signs"] * 2
    figure = figures.image_grid([Image.new("RGB", (20, 30))] * 6, titles=titles)
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    assert max(box.y1 for box in boxes) <= figure.bbox.y1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "RGBA"])
def test_image_grid_draws_every_mode_in_its_colors(mode):
    image = Image.new("RGB", (6, 8), (90, 90, 90)).convert(mode, palette=Image.Palette.ADAPTIVE)
    (drawn,) = figures.image_grid([image]).axes[0].images
    assert np.abs(np.asarray(drawn.make_image(None, unsampled=True)[0])[..., :3].astype(int) - 90).max() <= 3


def test_true_genres_of_a_prediction_grid_do_not_overlap():
    genres = [f"Long genre {number}" for number in range(5)]
    columns = {f"true_{genre}": [1] * 8 for genre in genres} | {f"probability_{genre}": [0.2] * 8 for genre in genres}
    figure = figures.prediction_grid([None] * 8, pd.DataFrame({"imdb_id": range(8)} | columns))
    figure.draw_without_rendering()
    boxes = [ax.texts[-1].get_window_extent() for ax in figure.axes]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert min(box.y0 for box in boxes) > -1


@pytest.mark.parametrize("image", [np.zeros((40, 30, 3)), np.zeros((40, 30)), Image.new("RGBA", (30, 40)), None])
def test_heat_map_covers_the_picture(image):
    map_ = np.zeros((4, 3))
    map_[3, 0] = 1
    ax = figures.heat_map(image, map_)
    picture, heat = ax.images
    assert heat.get_extent() == list(picture.get_extent()) or heat.get_extent() == picture.get_extent()
    assert np.argmax(heat.get_array()) == np.argmax(heat.get_alpha()) == 9 and heat.get_alpha().min() == 0
    assert figures.heat_map(image, map_, ax) is ax


@pytest.mark.parametrize("map_", [np.zeros(3), np.zeros((2, 2, 3)), [[np.nan]], "hot"])
def test_heat_map_rejects_other_maps(map_):
    with pytest.raises(ValueError, match=r"`map` must be .*Received: map="):
        figures.heat_map(None, map_)
