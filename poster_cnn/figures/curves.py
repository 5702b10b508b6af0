"""Learning curves: one run, a grid of runs, accuracy with loss, and early stopping."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import (
    AXES,
    BLUE,
    GREY,
    LEGEND_ABOVE,
    ORANGE,
    new_axes,
    panel_axes,
    paper_style,
    reference_lines,
    rows_with,
    unique_legend,
)
from poster_cnn.metrics import arguments
from poster_cnn.results.tables import title, title_with

CURVES = (("", BLUE, "-"), ("val_", ORANGE, (0, (3, 1))))


@arguments.checked(
    history=arguments.table("epoch"),
    metric=arguments.text,
    baseline=arguments.optional(arguments.number),
    baseline_name=arguments.text,
    validation_name=arguments.text,
    ax=AXES,
)
@paper_style()
def learning_curve(
    history,
    *,
    metric="accuracy",
    baseline=None,
    baseline_name="Majority class",
    validation_name="Validation",
    legend=True,
    ax=None,
):
    """Draw a metric over the epochs for train and validation, one pair of lines per run.

    Args:
        history: DataFrame from `collect_history`, or one run's history.csv, with `epoch`, the metric and
            `val_<metric>`. With a column `trainable_backbone`, a vertical line marks the epoch of unfreezing (Fig. 7 of
            Zavala et al.).
        metric: Column to draw. Metrics are fractions drawn in percent, except losses. Defaults to "accuracy".
        baseline: Score of a baseline in the unit of the metric, drawn as a dotted line. Defaults to `None`.
        baseline_name: Legend label of the baseline. Defaults to "Majority class".
        validation_name: Legend label of `val_<metric>`: "Test" for runs without a validation part (papers 2 and 4).
            Defaults to "Validation".
        legend: Whether to add a legend. Defaults to `True`.
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    if metric not in history and f"val_{metric}" not in history:
        arguments.refuse("metric", f"one of the columns {list(history)}", metric)
    ax = new_axes(2.2) if ax is None else ax
    scale = 1 if "loss" in metric else 100
    for _, run in history.groupby("run") if "run" in history else [(None, history)]:
        for (prefix, color, linestyle), name in zip(CURVES, ("Train", validation_name), strict=True):
            if prefix + metric in run:
                look = {"color": color, "linestyle": linestyle, "label": name}
                look |= {"marker": "o", "markersize": 3} if len(run) == 1 else {}  # a line needs two epochs
                ax.plot(run["epoch"] + 1, scale * run[prefix + metric], **look)
    if baseline is not None:
        reference_lines(ax, {baseline_name: scale * baseline})
    marked = _mark_unfreezing(ax, history)
    ax.set(xlabel="Epoch", ylabel=metric_label(metric))
    ax.xaxis.set_major_locator(plt.MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    ax.grid(axis="y")
    if legend:
        above = LEGEND_ABOVE | {"bbox_to_anchor": (0.5, 1.06 if marked else 1)}
        ax.legend(**unique_legend([ax]), **above, ncols=3)
    return ax


@arguments.checked(
    history=arguments.table("epoch", "loss", empty=False), patience=arguments.optional(arguments.natural), ax=AXES
)
@paper_style()
def early_stopping_curve(history, *, patience=None, ax=None):
    """Draw the loss of one run, the epoch of its best weights and the last epoch (Fig. 4 of LeBaron).

    Args:
        history: DataFrame of one run with `epoch`, `loss` and `val_loss`. The best weights are those of the first epoch
            with the lowest `val_loss`, as in `keras.callbacks.EarlyStopping` with `restore_best_weights`.
        patience: Number of epochs without improvement before training stops, to label a run that stopped early.
            Defaults to `None`.
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.

    Raises:
        ValueError: If there are several runs, or no `val_loss`.
    """
    if history["epoch"].duplicated().any() or "val_loss" not in history or not history["val_loss"].notna().any():
        raise ValueError(
            "`history` must be of one run with `val_loss`, as `history[history['run'] == 'seed=0/poster']`. "
            f"Received: columns={list(history.columns)}, {len(history)} rows of {history['epoch'].nunique()} epochs"
        )
    ax = learning_curve(history, metric="loss", legend=False, ax=ax)
    best, last = history.loc[history["val_loss"].idxmin()], history.loc[history["epoch"].idxmax()]
    early = patience is not None and last["epoch"] - best["epoch"] >= patience
    kept = f"Kept: epoch {best['epoch'] + 1:.0f}, loss {best['val_loss']:.3g}"
    ax.axvline(best["epoch"] + 1, color=GREY, linestyle="-.", linewidth=0.9, label=kept)
    ax.plot(best["epoch"] + 1, best["val_loss"], "o", color=ORANGE, markersize=4, markeredgecolor="black", zorder=3)
    if last["epoch"] > best["epoch"]:
        ended = f"{'Stopped early' if early else 'Last'}: epoch {last['epoch'] + 1:.0f}"
        ax.axvline(last["epoch"] + 1, color=GREY, linestyle=":", linewidth=0.9, label=ended)
    ax.legend(**unique_legend([ax]), **LEGEND_ABOVE, ncols=2)
    return ax


@arguments.checked(history=arguments.table("epoch", empty=False), metric=arguments.text)
@paper_style()
def learning_curve_grid(history, *, rows="ratio", columns="learning_rate", metric="accuracy", **options):
    """Draw a grid of learning curves with shared axes (Fig. 5 of Dave, section 4.2).

    Args:
        history: DataFrame from `collect_history`.
        rows: Column of `history` whose values are the grid's rows, or `None` for one row. Defaults to "ratio".
        columns: Column of `history` whose values are the grid's columns, or `None`. Defaults to "learning_rate".
        metric: As in `learning_curve`. Defaults to "accuracy".
        **options: `baseline`, `baseline_name` and `validation_name`, as in `learning_curve`.

    Returns:
        matplotlib Figure of page width. A cell without a run is empty.
    """
    arguments.columns(history, rows=rows, columns=columns)
    row_values = [None] if rows is None else list(history[rows].fillna(np.nan).unique())
    column_values = [None] if columns is None else list(history[columns].fillna(np.nan).unique())
    height = 0.65 + (1.05 if len(row_values) > 2 else 1.6) * len(row_values)
    figure, axes = panel_axes(len(column_values), height, rows=len(row_values))
    for i, row in enumerate(row_values):
        for j, column in enumerate(column_values):
            ax, cell = axes[i, j], history
            if rows is not None:
                cell = rows_with(cell, rows, row)
            if columns is not None:
                cell = rows_with(cell, columns, column)
            learning_curve(cell, metric=metric, **options, legend=False, ax=ax)
            ax.set(xlabel="", ylabel="")
            if columns is not None and i == 0:
                ax.set_title(title_with(columns, column))
            if rows is not None and j == len(column_values) - 1:
                place = {"xycoords": "axes fraction", "rotation": 270, "va": "center"}
                ax.annotate(title_with(rows, row), (1.03, 0.5), **place, fontsize=7)
    figure.supxlabel("Epoch", fontsize=7)
    figure.supylabel(metric_label(metric), fontsize=7)
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=3)
    return figure


@arguments.checked(
    history=arguments.table("run", "epoch", empty=False),
    metric=arguments.text,
    titles=arguments.optional(arguments.instance(dict)),
    baseline=arguments.optional(arguments.number),
    baseline_name=arguments.text,
)
@paper_style()
def accuracy_and_loss(
    history, *, metric="accuracy", titles=None, baseline=None, baseline_name="Majority class", **options
):
    """Draw accuracy and loss of each run side by side, one row per run (Figs. 6, 7, 11 and 12 of Zavala et al.).

    Args:
        history: DataFrame from `collect_history`.
        metric: Column to draw on the left, as in `learning_curve`. Defaults to "accuracy".
        titles: Dictionary from a run's name to the title of its row, which also defines the order. Defaults to the
            names if there are several runs.
        baseline: Score of a baseline, as in `learning_curve`. Defaults to `None`.
        baseline_name: Legend label of the baseline. Defaults to "Majority class".
        **options: `validation_name`, as in `learning_curve`.

    Returns:
        matplotlib Figure of page width.
    """
    runs = list(history["run"].unique())
    runs = [run for run in titles or {} if run in runs] + [run for run in runs if run not in (titles or {})]
    titles = {run: run if len(runs) > 1 else "" for run in runs} | (titles or {})
    figure, axes = panel_axes(2, 0.5 + 1.6 * len(runs), rows=len(runs), sharex="col", sharey=False)
    for ax in axes[1:, 0]:  # losses of different size would flatten each other
        ax.sharey(axes[0, 0])
    for run, (left, right) in zip(runs, axes, strict=True):
        curves = history[history["run"] == run]
        learning_curve(
            curves, metric=metric, baseline=baseline, baseline_name=baseline_name, **options, legend=False, ax=left
        )
        learning_curve(curves, metric="loss", **options, legend=False, ax=right)
        left.set_title(titles[run], loc="left")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=3)
    return figure


def _mark_unfreezing(ax, history):
    """Draw a line between the last frozen and the first unfrozen epoch; return whether there is one."""
    unfrozen = history[history["trainable_backbone"].eq(True)] if "trainable_backbone" in history else []
    if len(unfrozen):
        between = unfrozen["epoch"].min() + 0.5
        ax.axvline(between, color=GREY, linestyle="-.", linewidth=0.9)
        place = {"xycoords": ("data", "axes fraction"), "xytext": (0, 1), "textcoords": "offset points"}
        ax.annotate("unfrozen →", (between, 1), **place, va="bottom", fontsize=6, color=GREY)
    return len(unfrozen) > 0


def metric_label(*metrics):
    """Return the axis label of one or several metrics, in percent unless it is a loss."""
    name = title(metrics[0]) if len(metrics) == 1 else "Score"
    return name if "loss" in name.lower() else f"{name} (%)"
