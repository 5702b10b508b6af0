import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from poster_cnn import figures
from poster_cnn.figures import style


@pytest.fixture
def history():
    """Three frozen epochs and two unfrozen ones."""
    frame = pd.DataFrame({"run": "seed=0", "epoch": range(5), "trainable_backbone": [False] * 3 + [True] * 2})
    return frame.assign(accuracy=0.4, val_accuracy=0.3, loss=1.5, val_loss=2.5)


@pytest.fixture
def folds():
    frame = pd.DataFrame({"set_name": ["set=2", "set=1", "set=1"]})
    return frame.assign(validation_first_label_accuracy=[0.3, 0.2, 0.4])


@pytest.fixture
def scores():
    frame = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 5e-3], "accuracy": [30.0, 25.0, 20.0]})
    return frame.assign(std=[1.0, 2.0, np.nan], dropout=0.3, batch_norm=[False, True, False])


@pytest.fixture
def predictions():
    frame = pd.DataFrame({"imdb_id": [1, 2], "true_Drama": [1, 0], "true_Horror": [0, 1]})
    return frame.assign(probability_Drama=[0.7, 0.6], probability_Horror=[0.3, 0.4])


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_learning_curve_marks_unfreezing(history):
    ax = figures.learning_curve(history)
    assert ax.lines[-1].get_xdata()[0] == 3.5  # between the third and the fourth epoch
    assert [text.get_text() for text in ax.texts] == ["unfrozen →"]


@pytest.mark.parametrize("change", [{"trainable_backbone": False}, {"trainable_backbone": None}])
def test_learning_curve_without_unfreezing_has_no_mark(history, change):
    assert len(figures.learning_curve(history.assign(**change)).lines) == 2
    assert len(figures.learning_curve(history.drop(columns="trainable_backbone")).lines) == 2


def test_accuracy_and_loss_are_side_by_side(history):
    both = pd.concat([history, history.assign(run="other")])
    figure = figures.accuracy_and_loss(both, titles={"other": "No dropout"}, baseline=0.18, baseline_name="Chance")
    assert [ax.get_ylabel() for ax in figure.axes] == ["Accuracy (%)", "Loss"] * 2
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "", "Epoch", "Epoch"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["No dropout", "", "seed=0", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Train", "Validation", "Chance"]


def test_accuracy_and_loss_of_one_run_has_no_title(history):
    figure = figures.accuracy_and_loss(history)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["", ""]


def test_curves_name_other_metrics_and_parts(history):
    scores = history.rename(columns=lambda name: name.replace("accuracy", "top_n_accuracy"))
    figure = figures.accuracy_and_loss(scores, metric="top_n_accuracy", validation_name="Test")
    assert figure.axes[0].get_ylabel() == "Top n accuracy (%)" and len(figure.axes[0].lines) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Train", "Test"]
    assert legend_of(figures.learning_curve(history, validation_name="Test")) == ["Train", "Test"]
    grid = figures.learning_curve_grid(history.assign(ratio=30, learning_rate=1e-4), validation_name="Test")
    assert [text.get_text() for text in grid.legends[0].get_texts()] == ["Train", "Test"]


def test_cross_validation_dots_draw_folds_and_means(folds):
    ax = figures.cross_validation_dots(folds, lines={"Majority class": 17.9})
    line, dots, means = ax.lines
    assert line.get_ydata()[0] == 17.9
    assert sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == [(0, 20), (0, 40), (1, 30)]
    assert dict(zip(means.get_xdata(), means.get_ydata(), strict=True)) == pytest.approx({0: 30, 1: 30})
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    assert legend_of(ax) == ["Majority class", "Held-out fold", "Mean"]


def test_search_scatter_distinguishes_batch_normalization(scores):
    ax = figures.search_scatter(scores, lines={"Majority class": 17.9})
    without, with_norm = (container.lines[0] for container in ax.containers)
    assert list(without.get_xdata()) == [1e-4, 5e-3] and list(with_norm.get_ydata()) == [25]
    assert without.get_color() != with_norm.get_color() and without.get_marker() != with_norm.get_marker()
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "Learning rate")
    assert len(figures.search_scatter(scores[~scores["batch_norm"]]).containers) == 1
    assert legend_of(ax) == ["Majority class", "Without batch normalization", "With batch normalization"]


def test_prediction_grid_marks_correct_and_wrong_predictions(predictions):
    figure = figures.prediction_grid([Image.new("RGB", (6, 8)), None], predictions)
    right, wrong = figure.axes
    assert (right.get_title(), wrong.get_title()) == ("✓ Drama 70%", "✗ Drama 60%")
    assert to_rgba(right.title.get_color()) == to_rgba(style.GREEN)
    assert to_rgba(wrong.title.get_color()) == to_rgba(style.RED)
    assert [text.get_text() for text in right.texts] == ["Drama"]
    assert [text.get_text() for text in wrong.texts] == ["poster\nnot shown", "Horror"]


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


def test_reference_lines_differ_in_style():
    _, ax = plt.subplots()
    style.reference_lines(ax, {"Majority class": 18, "Color histogram": 26, "In the paper": 30})
    assert [(line.get_label(), line.get_ydata()[0]) for line in ax.lines] == [
        ("Majority class", 18),
        ("Color histogram", 26),
        ("In the paper", 30),
    ]
    assert len({line.get_linestyle() for line in ax.lines}) == 3
