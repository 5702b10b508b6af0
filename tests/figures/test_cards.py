import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from poster_cnn import figures
from poster_cnn.figures.style import BLUE, SKY

CLASS_NAMES = ["Horror", "Romance", "Action", "Documentary"]
NAN = float("nan")


def texts(artists):
    return [text.get_text() for text in artists]


@pytest.fixture
def movie():
    frame = pd.DataFrame({"genre": ["Action", "Drama", "Horror"], "true": [0, 1, 0], "poster": [0.1, 0.2, 0.9]})
    return frame.assign(
        imdb_id=7, title="Gravity for $5 or $6", metadata=0.4, plot=[0.3, 0.6, 0.1], ensemble=[0.3, 0.8, 0.2]
    )


def test_prediction_card_sorts_genres_and_marks_the_true_one():
    poster = np.zeros((268, 182, 3), "uint8")
    figure = figures.prediction_card(poster, [0.15, 0.49, 0.17, 0.19], CLASS_NAMES, true_genres=["Documentary"])
    picture, bars, truth = figure.axes
    assert texts(bars.get_yticklabels()) == ["Romance", "Documentary", "Action", "Horror"]
    assert texts(bars.texts) == ["49%", "19%", "17%", "15%"]
    assert texts(truth.texts) == ["Correct genre", "✗", "Documentary"]


@pytest.mark.parametrize(
    "true_genres, marks",
    [
        (["Horror"], ["Correct genre", "✓", "Horror"]),
        (["Romance", "Horror"], ["Correct genres", "✓", "Horror", "✓", "Romance"]),
        (["Action", "Horror"], ["Correct genres", "✓", "Horror", "✗", "Action"]),
        (["Drama", "Romance"], ["Correct genres", "✗", "Romance", "–", "Drama"]),
        ("Drama, Romance", ["Correct genres", "✗", "Romance", "–", "Drama"]),
        (np.array(["Horror"]), ["Correct genre", "✓", "Horror"]),
        (None, []),
    ],
)
def test_prediction_card_marks_follow_the_ranking(true_genres, marks):
    figure = figures.prediction_card(np.zeros((4, 4)), [0.6, 0.2, 0.15, 0.05], CLASS_NAMES, true_genres=true_genres)
    assert [text.get_text() for text in figure.axes[2].texts] == marks


@pytest.mark.filterwarnings("error")
def test_font_has_glyphs_for_the_marks(tmp_path):
    for genre in ("Horror", "Romance"):
        card = figures.prediction_card(np.zeros((4, 4)), [0.6, 0.4], ["Horror", "Romance"], true_genres=[genre])
        card.savefig(tmp_path / "card.png")


@pytest.mark.parametrize(
    "image",
    [
        np.full((8, 6, 3), 255.0, "float32"),
        np.full((8, 6), 255, "uint8"),
        np.full((8, 6, 1), 255.0),
        Image.new("L", (6, 8), 255),
        Image.new("CMYK", (6, 8)),
    ],
)
def test_prediction_card_accepts_arrays_and_pil_images(image):
    figure = figures.prediction_card(image, [1.0], ["Horror"])
    shown = figure.axes[0].images[0]
    assert shown.get_array().shape[:2] == (8, 6)
    assert (shown.to_rgba(shown.get_array()) == 1).all()


def test_prediction_card_rejects_other_lengths():
    with pytest.raises(ValueError, match="class_names"):
        figures.prediction_card(np.zeros((4, 4)), [0.5, 0.5], CLASS_NAMES)


def test_prediction_cards_share_a_figure():
    images = [np.zeros((4, 3, 3))] * 3
    figure = figures.prediction_cards(
        images, np.full((3, 4), 0.25), CLASS_NAMES, titles=["A", "B", "C"], true_genres=[["Horror"], None, None], top=2
    )
    assert len(figure.axes) == 3 * 3
    assert len(figure.axes[1].patches) == 2
    assert {"A", "B", "C"} <= set(texts(figure.findobj(plt.Text)))
    with pytest.raises(ValueError, match="same length"):
        figures.prediction_cards(images, np.zeros((2, 4)), CLASS_NAMES)


def test_prediction_card_draws_a_placeholder():
    figure = figures.prediction_card(None, [0.7, 0.3], ["Horror", "Romance"])
    assert any("not shown" in text.get_text() for ax in figure.axes for text in ax.texts)


def test_movie_card_shows_known_details():
    details = {"Director": "A. Tarkovsky", "Language": NAN, "Rating": None}
    plot = "A guide leads two men for $5 and $6. " * 40
    picture, text = figures.movie_card(np.zeros((268, 182, 3)), "Stalker", ["Drama", "Sci-Fi"], details, plot).axes
    lines = texts(text.texts)
    assert lines[:4] == ["Stalker", "Drama, Sci-Fi", "Director", "A. Tarkovsky"] and "Language" not in lines
    assert len(lines) == 4 + 8 and lines[-1].endswith(" …")
    assert not any(line.get_parse_math() for line in text.texts)
    assert picture.images[0].get_array().shape == (268, 182, 3)


def test_movie_card_without_poster_and_plot():
    figure = figures.movie_card(None, "Stalker", [], {}, NAN)
    assert "picture\nnot shown" in texts(figure.axes[0].texts) and "no plot" in texts(figure.axes[1].texts)


def test_movie_card_text_stays_inside():
    figure = figures.movie_card(
        None,
        "The Mammoth Commandments " * 3,
        ["Drama"] * 9,
        {"Actors": "Anna Maria Monroe, " * 5},
        "A guide who loves men. " * 30,
    )
    figure.canvas.draw()
    page = figure.bbox
    for text in figure.axes[1].texts:
        extent = text.get_window_extent()
        assert extent.x1 <= page.x1 and extent.y0 >= page.y0, text.get_text()


def test_corrected_movie_card_is_sorted_by_the_ensemble(movie):
    picture, poster, ensemble = figures.corrected_movie_card(None, movie).axes
    assert texts(poster.get_yticklabels()) == ["✓ Drama", "Action", "Horror"]
    assert [text.get_fontweight() for text in poster.get_yticklabels()] == ["bold", "normal", "normal"]
    for ax, percentages, bold in ((poster, ["20%", "10%", "90%"], 2), (ensemble, ["80%", "30%", "20%"], 0)):
        assert texts(ax.texts) == percentages
        assert [text.get_fontweight() == "bold" for text in ax.texts] == [place == bold for place in range(3)]
        assert [bar.get_facecolor() for bar in ax.patches] == [to_rgba(color) for color in (BLUE, SKY, SKY)]
    assert {line.get_label(): list(line.get_xdata()) for line in ensemble.lines} == {
        "Metadata": [40, 40, 40],
        "Plot": [60, 30, 10],
    }


def test_corrected_movie_card_without_other_branches_has_no_legend(movie):
    figure = figures.corrected_movie_card(None, movie.drop(columns=["metadata", "plot"]))
    assert not figure.legends and not figure.axes[2].lines


def test_corrected_movie_card_rejects_several_movies(movie):
    with pytest.raises(ValueError, match="imdb_id=\\[7, 8\\]"):
        figures.corrected_movie_card(None, pd.concat([movie, movie.assign(imdb_id=8)]))
