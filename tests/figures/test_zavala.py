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


def test_a_line_shows_where_the_backbone_was_unfrozen(history):
    ax = figures.learning_curve(history)
    assert ax.lines[-1].get_xdata()[0] == 3.5  # between the third epoch and the fourth, counted from one
    assert [text.get_text() for text in ax.texts] == ["unfrozen →"]


@pytest.mark.parametrize("change", [{"trainable_backbone": False}, {"trainable_backbone": None}])
def test_no_line_where_nothing_was_unfrozen(history, change):
    assert len(figures.learning_curve(history.assign(**change)).lines) == 2
    assert len(figures.learning_curve(history.drop(columns="trainable_backbone")).lines) == 2


def test_accuracy_and_loss_stand_side_by_side(history):
    both = pd.concat([history, history.assign(run="other")])
    figure = figures.accuracy_and_loss(both, titles={"other": "No dropout"}, baseline=0.18, baseline_name="Chance")
    assert [ax.get_ylabel() for ax in figure.axes] == ["Accuracy (%)", "Loss"] * 2
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "", "Epoch", "Epoch"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["No dropout", "", "seed=0", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Train", "Validation", "Chance"]


def test_a_single_run_needs_no_title(history):
    figure = figures.accuracy_and_loss(history)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["", ""]


def test_other_metrics_and_parts_have_their_names(history):
    scores = history.rename(columns=lambda name: name.replace("accuracy", "top_n_accuracy"))
    figure = figures.accuracy_and_loss(scores, metric="top_n_accuracy", validation_name="Test")
    assert figure.axes[0].get_ylabel() == "Top n accuracy (%)" and len(figure.axes[0].lines) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Train", "Test"]
    assert legend_of(figures.learning_curve(history, validation_name="Test")) == ["Train", "Test"]
    grid = figures.learning_curve_grid(history.assign(ratio=30, learning_rate=1e-4), validation_name="Test")
    assert [text.get_text() for text in grid.legends[0].get_texts()] == ["Train", "Test"]


def test_folds_and_their_mean_stand_above_each_set(folds):
    ax = figures.cross_validation_dots(folds, lines={"Majority class": 17.9})
    line, dots, means = ax.lines
    assert line.get_ydata()[0] == 17.9
    assert sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == [(0, 20), (0, 40), (1, 30)]
    assert dict(zip(means.get_xdata(), means.get_ydata(), strict=True)) == pytest.approx({0: 30, 1: 30})
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    assert legend_of(ax) == ["Majority class", "Held-out fold", "Mean"]


def test_draws_with_and_without_batch_normalization_differ_in_color_and_shape(scores):
    ax = figures.search_scatter(scores, lines={"Majority class": 17.9})
    without, with_norm = (container.lines[0] for container in ax.containers)
    assert list(without.get_xdata()) == [1e-4, 5e-3] and list(with_norm.get_ydata()) == [25]
    assert without.get_color() != with_norm.get_color() and without.get_marker() != with_norm.get_marker()
    assert ax.get_xscale() == "log"
    assert legend_of(ax) == ["Majority class", "Without batch normalization", "With batch normalization"]


def test_only_learning_rates_are_logarithmic(scores):
    ax = figures.search_scatter(scores[~scores["batch_norm"]], hyperparameter="dropout")
    assert (ax.get_xscale(), ax.get_xlabel(), len(ax.containers)) == ("linear", "Dropout", 1)


def test_predictions_are_marked_right_or_wrong(predictions):
    figure = figures.prediction_grid([Image.new("RGB", (6, 8)), None], predictions)
    right, wrong = figure.axes
    assert (right.get_title(), wrong.get_title()) == ("✓ Drama 70%", "✗ Drama 60%")
    assert to_rgba(right.title.get_color()) == to_rgba(style.GREEN)
    assert to_rgba(wrong.title.get_color()) == to_rgba(style.RED)
    assert [text.get_text() for text in right.texts] == ["Drama"]
    assert [text.get_text() for text in wrong.texts] == ["poster\nnot shown", "Horror"]


def test_any_of_several_true_genres_is_right(predictions):
    figure = figures.prediction_grid([None, None], predictions.assign(true_Drama=1, true_Horror=1))
    assert [ax.get_title()[0] for ax in figure.axes] == ["✓", "✓"]
    assert figure.axes[0].texts[-1].get_text() == "Drama, Horror"


def test_as_many_predictions_as_images(predictions):
    with pytest.raises(ValueError, match="1 images, 2 predictions"):
        figures.prediction_grid([None], predictions)
    with pytest.raises(ValueError, match="0 images"):
        figures.prediction_grid([], predictions.iloc[:0])


def test_pictures_stand_in_rows_and_one_that_is_missing_leaves_its_place_empty():
    figure = figures.image_grid([Image.new("RGB", (6, 8)), None, Image.new("RGB", (6, 8))], titles="abc", columns=2)
    assert [len(ax.images) for ax in figure.axes] == [1, 0, 1, 0] and not any(ax.axison for ax in figure.axes)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    with pytest.raises(ValueError, match="Received: 0 images, 0 titles"):
        figures.image_grid([])


def test_lines_to_compare_with_differ_in_style():
    _, ax = plt.subplots()
    style.reference_lines(ax, {"Majority class": 18, "Color histogram": 26, "In the paper": 30})
    assert [(line.get_label(), line.get_ydata()[0]) for line in ax.lines] == [
        ("Majority class", 18),
        ("Color histogram", 26),
        ("In the paper", 30),
    ]
    assert len({line.get_linestyle() for line in ax.lines}) == 3


def test_charts_draw_on_the_axes_given(folds, scores):
    _, axes = plt.subplots(1, 3)
    assert figures.cross_validation_dots(folds, ax=axes[0]) is axes[0]
    assert figures.search_scatter(scores, ax=axes[1]) is axes[1]
    ax = figures.genre_distribution(pd.Series({"Drama": 5}), unit="Rows", ax=axes[2])
    assert ax.get_xlabel() == "Rows"
