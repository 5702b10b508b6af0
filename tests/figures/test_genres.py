import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from poster_cnn import figures
from poster_cnn.figures import style


@pytest.fixture
def counts():
    frame = pd.DataFrame({"genre": ["Drama", "Horror"], "posters": [2500, 100], "images": [4000, 3000]})
    return frame.assign(crops=frame["images"] - frame["posters"])


def test_genre_distribution_is_sorted_and_labelled():
    ax = figures.genre_distribution(pd.Series({"War": 5, "Drama": 4178, "Comedy": 70}), unit="Rows")
    assert ax.get_xlabel() == "Rows"
    assert [bar.get_width() for bar in ax.patches] == [4178, 70, 5]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Drama", "Comedy", "War"]
    assert ax.yaxis_inverted() and "4,178" in [text.get_text() for text in ax.texts]


def test_genre_distribution_highlights_genres():
    ax = figures.genre_distribution(pd.Series({"Drama": 9, "Horror": 5}), highlight=["Horror"])
    assert [bar.get_facecolor() for bar in ax.patches[:2]] == [to_rgba(style.SKY), to_rgba(style.BLUE)]
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1  # above the bars


def test_cooccurrence_heatmap_colors_shares_and_prints_counts():
    names = ["Drama", "Horror", "News"]
    counts = pd.DataFrame([[100, 20, 0], [20, 40, 0], [0, 0, 0]], index=names, columns=names)
    ax = figures.genre_cooccurrence_heatmap(counts)
    share = np.asarray(ax.collections[0].get_array().filled(-1)).reshape(3, 3)
    assert (share[0, 1], share[1, 0]) == (20, 50)
    printed = [text.get_text() for text in ax.texts if text.get_text()]
    assert sorted(printed) == ["0", "100", "20", "20", "40"]


def test_crop_distribution_stacks_crops_on_posters(counts):
    ax = figures.crop_distribution(counts, crops_per_genre=3000)
    posters, crops = ([(bar.get_x(), bar.get_width()) for bar in bars] for bars in ax.containers)
    assert posters == [(0, 2500), (0, 100)] and crops == [(2500, 1500), (100, 2900)]
    assert [text.get_text() for text in ax.texts] == ["4,000", "3,000"]
    assert ax.lines[0].get_xdata()[0] == 3000
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["3,000 images", "Crops", "Whole posters"]


def test_crop_distribution_without_a_target_has_no_line(counts):
    assert not figures.crop_distribution(counts).lines
