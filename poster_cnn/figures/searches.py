"""Cross-validated searches: the folds of each set of hyperparameters, and what the accuracy goes with."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, ORANGE, SKY, paper_style, reference_lines
from poster_cnn.results.tables import title

BATCH_NORM = ((False, "Without batch normalization", BLUE, "o"), (True, "With batch normalization", ORANGE, "D"))


@paper_style()
def cross_validation_dots(results, *, lines=None, ax=None):
    """Draws the accuracy on each held-out fold and their mean, a column a set (Figs. 9 and 10 of Zavala et al.).

    Args:
        results: DataFrame from `collect_results`, one row a set and fold.
        lines: Dictionary of up to three accuracies in percent to compare with, such as `{"Majority class": 17.9}`: what
            the legend calls them, and where a horizontal line is drawn. Defaults to none.
        ax: Axes to draw on. Defaults to a new one of a column's width.

    Returns:
        matplotlib Axes.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.2), layout="constrained")
    names = results["set_name"]
    folds = 100 * results["validation_first_label_accuracy"]
    positions = {name: position for position, name in enumerate(sorted(names.unique()))}
    reference_lines(ax, lines or {})
    ax.plot(names.map(positions), folds, "o", color=SKY, markeredgecolor=BLUE, markersize=3.5, label="Held-out fold")
    means = folds.groupby(names).mean()
    ax.plot(means.index.map(positions), means, "_", color=BLUE, markersize=15, markeredgewidth=1.6, label="Mean")
    ax.set_xticks(range(len(positions)), [name.removeprefix("set=") for name in positions])
    ax.set(xlabel="Set", ylabel="Accuracy (%)", xlim=(-0.6, len(positions) - 0.4))
    ax.grid(axis="y")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


@paper_style()
def search_scatter(scores, *, hyperparameter="learning_rate", lines=None, ax=None):
    """Draws the cross-validated accuracy of a search's draws against one hyperparameter (Zavala et al., III.B).

    Args:
        scores: DataFrame from `cross_validation_table`; draws with and without batch normalization differ in color and
            shape. Bars reach one standard deviation over the folds to either side.
        hyperparameter: Column of `scores`; learning rates are drawn on a logarithmic axis. Defaults to "learning_rate".
        lines: As for `cross_validation_dots`. Defaults to none.
        ax: Axes to draw on. Defaults to a new one of a column's width.

    Returns:
        matplotlib Axes.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMN_WIDTH, 2.6), layout="constrained")
    reference_lines(ax, lines or {})
    for normalized, name, color, marker in BATCH_NORM:
        draws = scores[scores["batch_norm"] == normalized]
        if len(draws):
            style = {"fmt": marker, "color": color, "markersize": 4, "elinewidth": 0.8, "label": name}
            ax.errorbar(draws[hyperparameter], draws["accuracy"], draws["std"].fillna(0), **style)
    if hyperparameter == "learning_rate":
        low, high = np.log10([scores[hyperparameter].min(), scores[hyperparameter].max()])
        ax.set(xscale="log", xlim=(0.8 * 10 ** np.floor(low), 1.25 * 10 ** np.ceil(high)))
        ax.xaxis.set_minor_formatter(plt.NullFormatter())
    ax.set(xlabel=title(hyperparameter), ylabel="Accuracy on held-out folds (%)")
    ax.grid(axis="y")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax
