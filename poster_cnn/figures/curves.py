"""How training went and how the result compares: learning curves, and scores beside the paper's."""

import matplotlib.pyplot as plt

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREY, ORANGE, PAGE_WIDTH, paper_style, reference_lines
from poster_cnn.results.tables import title, title_with

CURVES = (("", BLUE, "-"), ("val_", ORANGE, (0, (3, 1))))


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
    """Draws a metric over the epochs, train and validation; each run in `history` is a line.

    Args:
        history: DataFrame from `collect_history`, or a single run's history.csv: `epoch`, the metric, `val_<metric>`.
            With a column `trainable_backbone`, a vertical line shows where the backbone was unfrozen (Fig. 7 of Zavala
            et al.).
        metric: Column to draw. All but losses are taken as fractions and drawn in percent. Defaults to "accuracy".
        baseline: Score of a trivial baseline, in the unit of the metric; a dotted line. Defaults to none.
        baseline_name: What the legend calls it. Defaults to "Majority class".
        validation_name: What the legend calls `val_<metric>`: "Test" where the split has no validation part, and the
            test part stands for it after each epoch (papers 2 and 4). Defaults to "Validation".
        legend: Whether to add a legend. Defaults to True.
        ax: Axes to draw on. Defaults to a new one of a column's width.

    Returns:
        matplotlib Axes.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.2), layout="constrained")
    scale = 1 if "loss" in metric else 100
    for _, run in history.groupby("run") if "run" in history else [(None, history)]:
        for (prefix, color, linestyle), name in zip(CURVES, ("Train", validation_name), strict=True):
            if prefix + metric in run:
                ax.plot(run["epoch"] + 1, scale * run[prefix + metric], color=color, linestyle=linestyle, label=name)
    if baseline is not None:
        reference_lines(ax, {baseline_name: scale * baseline})
    marked = _mark_unfreezing(ax, history)
    ax.set(xlabel="Epoch", ylabel=_metric_label(metric))
    ax.xaxis.set_major_locator(plt.MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    ax.grid(axis="y")
    if legend:
        ax.legend(**_one_each([ax]), loc="lower center", bbox_to_anchor=(0.5, 1.06 if marked else 1), ncols=3)
    return ax


@paper_style()
def early_stopping_curve(history, *, patience=None, ax=None):
    """Draws the loss of one run, the epoch whose weights are kept and where training stopped (Fig. 4 of LeBaron).

    Args:
        history: DataFrame of one run: `epoch`, `loss`, `val_loss`. The weights kept are those of the first epoch with
            the least `val_loss`, as `keras.callbacks.EarlyStopping` with `restore_best_weights` keeps them.
        patience: Epochs without a lower `val_loss` after which training stops; with it, the legend says whether that
            is why it ended. Defaults to None.
        ax: Axes to draw on. Defaults to a new one of a column's width.

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
    ax.legend(**_one_each([ax]), loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


@paper_style()
def learning_curve_grid(
    history,
    *,
    rows="ratio",
    columns="learning_rate",
    metric="accuracy",
    baseline=None,
    baseline_name="Majority class",
    validation_name="Validation",
):
    """Draws a grid of learning curves with shared axes (Fig. 5 of Dave, section 4.2).

    Args:
        history: DataFrame from `collect_history`.
        rows: Column of `history` whose values are the grid's rows, or None for one row. Defaults to "ratio".
        columns: Column of `history` whose values are the grid's columns, or None. Defaults to "learning_rate".
        metric: As for `learning_curve`. Defaults to "accuracy".
        baseline: As for `learning_curve`. Defaults to none.
        baseline_name: As for `learning_curve`. Defaults to "Majority class".
        validation_name: As for `learning_curve`. Defaults to "Validation".

    Returns:
        matplotlib Figure of a page's width. A cell without a run is left empty.
    """
    options = {"baseline": baseline, "baseline_name": baseline_name, "validation_name": validation_name}
    row_values = [None] if rows is None else list(history[rows].unique())
    column_values = [None] if columns is None else list(history[columns].unique())
    figure, axes = plt.subplots(
        len(row_values),
        len(column_values),
        sharex=True,
        sharey=True,
        squeeze=False,
        figsize=(PAGE_WIDTH, 0.65 + (1.05 if len(row_values) > 2 else 1.6) * len(row_values)),
        layout="constrained",
    )
    for i, row in enumerate(row_values):
        for j, column in enumerate(column_values):
            ax, cell = axes[i, j], history
            if rows is not None:
                cell = cell[cell[rows] == row]
            if columns is not None:
                cell = cell[cell[columns] == column]
            learning_curve(cell, metric=metric, **options, legend=False, ax=ax)
            ax.set(xlabel="", ylabel="")
            if columns is not None and i == 0:
                ax.set_title(title_with(columns, column))
            if rows is not None and j == len(column_values) - 1:
                ax.annotate(
                    title_with(rows, row),
                    (1.03, 0.5),
                    xycoords="axes fraction",
                    rotation=270,
                    va="center",
                    fontsize=7,
                )
    figure.supxlabel("Epoch", fontsize=7)
    figure.supylabel(_metric_label(metric), fontsize=7)
    figure.legend(**_one_each(axes.flat), loc="outside upper center", ncols=3)
    return figure


@paper_style()
def accuracy_and_loss(
    history,
    *,
    metric="accuracy",
    titles=None,
    baseline=None,
    baseline_name="Majority class",
    validation_name="Validation",
):
    """Draws accuracy and loss of each run side by side, a row a run (Figs. 6, 7, 11 and 12 of Zavala et al.).

    Args:
        history: DataFrame from `collect_history`.
        metric: Column to draw on the left; see `learning_curve`. Defaults to "accuracy".
        titles: Dictionary from a run's name to what stands above its row; rows come in its order. Defaults to the
            names, where there are several runs.
        baseline: What a trivial baseline scores, a fraction; see `learning_curve`. Defaults to none.
        baseline_name: As for `learning_curve`. Defaults to "Majority class".
        validation_name: As for `learning_curve`. Defaults to "Validation".

    Returns:
        matplotlib Figure of a page's width.
    """
    runs = list(history["run"].unique())
    runs = [run for run in titles or {} if run in runs] + [run for run in runs if run not in (titles or {})]
    titles = {run: run if len(runs) > 1 else "" for run in runs} | (titles or {})
    size = (PAGE_WIDTH, 0.5 + 1.6 * len(runs))
    shared = {"sharex": "col", "sharey": "col", "squeeze": False}
    figure, axes = plt.subplots(len(runs), 2, **shared, figsize=size, layout="constrained")
    shown = {"validation_name": validation_name, "legend": False}
    for run, pair in zip(runs, axes, strict=True):
        curves = history[history["run"] == run]
        learning_curve(curves, metric=metric, baseline=baseline, baseline_name=baseline_name, **shown, ax=pair[0])
        learning_curve(curves, metric="loss", **shown, ax=pair[1])
        pair[0].set_title(titles[run], loc="left")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    figure.legend(**_one_each(axes.flat), loc="outside upper center", ncols=3)
    return figure


def _mark_unfreezing(ax, history):
    """A vertical line between the last epoch with the frozen backbone and the first with the unfrozen one, if any."""
    unfrozen = history[history["trainable_backbone"].eq(True)] if "trainable_backbone" in history else []
    if len(unfrozen):
        between = unfrozen["epoch"].min() + 0.5
        ax.axvline(between, color=GREY, linestyle="-.", linewidth=0.9)
        ax.annotate(
            "unfrozen →",
            (between, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 1),
            textcoords="offset points",
            va="bottom",
            fontsize=6,
            color=GREY,
        )
    return len(unfrozen) > 0


def _metric_label(*metrics):
    name = title(metrics[0]) if len(metrics) == 1 else "Score"
    return name if "loss" in name.lower() else f"{name} (%)"


def _one_each(axes):
    """The handles and labels of a legend for several axes, each label once."""
    named = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    return {"handles": list(named.values()), "labels": list(named)}
