import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures


def legend(owner):
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


@pytest.fixture
def history():
    cells = pd.MultiIndex.from_product([[30, 40], [1e-3, 1e-4, 1e-5]], names=["ratio", "learning_rate"])
    frame = cells.to_frame(index=False).merge(pd.DataFrame({"epoch": range(3), "loss": [1.5, 1.4, 1.3]}), how="cross")
    frame["run"] = frame["ratio"].astype(str) + "_" + frame["learning_rate"].astype(str)
    values = {"accuracy": [0.3, 0.4, 0.5], "val_accuracy": [0.3, 0.35, 0.4], "val_loss": [1.6, 1.5, 1.5]}
    return frame.assign(**{name: column * 6 for name, column in values.items()})


@pytest.fixture
def unfrozen():
    """Three frozen epochs and two unfrozen ones."""
    frame = pd.DataFrame({"run": "seed=0", "epoch": range(5), "trainable_backbone": [False] * 3 + [True] * 2})
    return frame.assign(accuracy=0.4, val_accuracy=0.3, loss=1.5, val_loss=2.5)


def test_learning_curve_is_in_percent_and_counts_epochs_from_one(history):
    ax = figures.learning_curve(history[history["run"] == "30_0.001"], baseline=0.374)
    train, validation, baseline = ax.lines
    assert list(train.get_xdata()) == [1, 2, 3]
    assert list(validation.get_ydata()) == pytest.approx([30, 35, 40])
    assert baseline.get_ydata()[0] == pytest.approx(37.4)
    assert train.get_linestyle() != validation.get_linestyle()
    assert legend(ax) == ["Train", "Validation", "Majority class"]


def test_learning_curve_draws_losses_without_percent(history):
    ax = figures.learning_curve(history[history["run"] == "30_0.001"].drop(columns="run"), metric="loss")
    assert list(ax.lines[0].get_ydata()) == [1.5, 1.4, 1.3]
    assert ax.get_ylabel() == "Loss"


def test_learning_curve_grid_has_a_cell_per_setting(history):
    history = history[history["run"] != "40_1e-05"]
    figure = figures.learning_curve_grid(history)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 2, 2, 2, 0]
    for text in ("Learning rate 1e-4", "Shrink ratio 40%", "Accuracy (%)", "Epoch"):
        assert text in [found.get_text() for found in figure.findobj(plt.Text)]
    assert len(figure.legends[0].get_texts()) == 2


def test_learning_curve_grid_of_one_row(history):
    figure = figures.learning_curve_grid(history, rows=None, columns="ratio", metric="loss")
    assert [len(ax.lines) for ax in figure.axes] == [6, 6]


def test_learning_curve_marks_unfreezing(unfrozen):
    ax = figures.learning_curve(unfrozen)
    assert ax.lines[-1].get_xdata()[0] == 3.5  # between the third and the fourth epoch
    assert [text.get_text() for text in ax.texts] == ["unfrozen →"]


@pytest.mark.parametrize("change", [{"trainable_backbone": False}, {"trainable_backbone": None}])
def test_learning_curve_without_unfreezing_has_no_mark(unfrozen, change):
    assert len(figures.learning_curve(unfrozen.assign(**change)).lines) == 2
    assert len(figures.learning_curve(unfrozen.drop(columns="trainable_backbone")).lines) == 2


def test_accuracy_and_loss_are_side_by_side(unfrozen):
    both = pd.concat([unfrozen, unfrozen.assign(run="other")])
    figure = figures.accuracy_and_loss(both, titles={"other": "No dropout"}, baseline=0.18, baseline_name="Chance")
    assert [ax.get_ylabel() for ax in figure.axes] == ["Accuracy (%)", "Loss"] * 2
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "", "Epoch", "Epoch"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["No dropout", "", "seed=0", ""]
    assert legend(figure) == ["Train", "Validation", "Chance"]
    scores, losses = figure.axes[::2], figure.axes[1::2]
    assert scores[0].get_shared_y_axes().joined(*scores) and not losses[0].get_shared_y_axes().joined(*losses)


def test_accuracy_and_loss_of_one_run_has_no_title(unfrozen):
    figure = figures.accuracy_and_loss(unfrozen)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["", ""]


def test_curves_name_other_metrics_and_parts(unfrozen):
    scores = unfrozen.rename(columns=lambda name: name.replace("accuracy", "top_n_accuracy"))
    figure = figures.accuracy_and_loss(scores, metric="top_n_accuracy", validation_name="Test")
    assert figure.axes[0].get_ylabel() == "Top-n accuracy (%)" and len(figure.axes[0].lines) == 3
    assert legend(figure) == ["Train", "Test"]
    assert legend(figures.learning_curve(unfrozen, validation_name="Test")) == ["Train", "Test"]
    grid = figures.learning_curve_grid(unfrozen.assign(ratio=30, learning_rate=1e-4), validation_name="Test")
    assert legend(grid) == ["Train", "Test"]


@pytest.mark.parametrize(
    "val_loss, patience, expected",
    [
        ([1.0, 0.5, 0.5, 0.7], 2, ["Kept: epoch 2, loss 0.5", "Stopped early: epoch 4"]),
        ([1.0, 0.5, 0.5, 0.7], 3, ["Kept: epoch 2, loss 0.5", "Last: epoch 4"]),
        ([1.0, 0.5, 0.5, 0.7], None, ["Kept: epoch 2, loss 0.5", "Last: epoch 4"]),
        ([1.0, 0.5, 0.4, 0.3], 2, ["Kept: epoch 4, loss 0.3"]),
    ],
)
def test_early_stopping_curve_marks_the_first_best_epoch(val_loss, patience, expected):
    history = pd.DataFrame({"epoch": range(4), "loss": 0.4, "val_loss": val_loss}, index=[3, 5, 7, 9])
    ax = figures.early_stopping_curve(history, patience=patience)
    assert legend(ax) == ["Train", "Validation", *expected]
    for line in ax.lines:
        if line.get_label() in expected:
            assert f"epoch {line.get_xdata()[0]:.0f}" in line.get_label()


@pytest.mark.parametrize("history", [{"epoch": [0, 0], "val_loss": [1, 2]}, {"epoch": [0, 1]}])
def test_early_stopping_curve_rejects_several_runs_and_missing_losses(history):
    with pytest.raises(ValueError, match="of one run with `val_loss`"):
        figures.early_stopping_curve(pd.DataFrame(history).assign(loss=1.0))


def test_grid_of_runs_without_a_ratio(history):
    figure = figures.learning_curve_grid(history.assign(ratio=None))
    assert [len(ax.lines) for ax in figure.axes] == [4, 4, 4]  # two runs in each
    mixed = history.assign(ratio=history["ratio"].where(history["ratio"] != 40, np.nan))
    assert [len(ax.lines) for ax in figures.learning_curve_grid(mixed).axes] == [2] * 6


def test_learning_curve_of_one_epoch_is_visible(history):
    one = history[(history["run"] == "30_0.001") & (history["epoch"] == 0)]
    assert [line.get_marker() for line in figures.learning_curve(one).lines] == ["o", "o"]
