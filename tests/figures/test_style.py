import matplotlib.pyplot as plt
import pandas as pd
import pytest

from poster_cnn import figures
from poster_cnn.figures import style


@pytest.fixture
def history():
    frame = pd.DataFrame({"run": "a", "epoch": [0, 1], "loss": 2, "val_loss": [3, 1]})
    return frame.assign(accuracy=0.4, val_accuracy=0.3)


def test_figures_draw_on_the_given_axes(history):
    square = pd.DataFrame([[5, 1], [1, 4]], index=["Drama", "War"], columns=["Drama", "War"])
    images = pd.DataFrame({"genre": ["Drama"], "posters": [2], "images": [4], "crops": [2]})
    folds = pd.DataFrame({"set_name": ["set=1"], "validation_first_label_accuracy": [0.3]})
    draws = pd.DataFrame({"learning_rate": [1e-4], "accuracy": [30.0], "std": [1.0], "batch_norm": [False]})
    layers = pd.DataFrame({"type": ["Dense"], "output_shape": [(4,)], "num_params": [20]})
    for function, data in (
        (figures.genre_distribution, square["Drama"]),
        (figures.genre_cooccurrence_heatmap, square),
        (figures.crop_distribution, images),
        (figures.learning_curve, history),
        (figures.early_stopping_curve, history),
        (figures.network_diagram, layers),
        (figures.cross_validation_dots, folds),
        (figures.search_scatter, draws),
        (figures.fusion_diagram, {"poster": (10, 4)}),
    ):
        _, ax = plt.subplots()
        assert function(data, ax=ax) is ax


def test_paper_style_does_not_change_other_settings(history):
    before = dict(plt.rcParams)
    figures.learning_curve_grid(history, rows=None, columns=None)
    assert dict(plt.rcParams) == before


def test_reference_lines_differ_in_style():
    _, ax = plt.subplots()
    style.reference_lines(ax, {"Majority class": 18, "Color histogram": 26, "In the paper": 30})
    assert [(line.get_label(), line.get_ydata()[0]) for line in ax.lines] == [
        ("Majority class", 18),
        ("Color histogram", 26),
        ("In the paper", 30),
    ]
    assert len({line.get_linestyle() for line in ax.lines}) == 3
