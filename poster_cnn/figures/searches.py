"""Cross-validated searches: accuracy of the folds, and accuracy by hyperparameter."""

import re

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import AXES, BLUE, LEGEND_ABOVE, ORANGE, SKY, new_axes, paper_style, reference_lines
from poster_cnn.metrics import arguments

BATCH_NORM = ((False, "Without batch normalization", BLUE, "o"), (True, "With batch normalization", ORANGE, "D"))


@arguments.checked(
    results=arguments.table("set_name", "validation_first_label_accuracy", empty=False),
    lines=arguments.optional(arguments.instance(dict)),
    ax=AXES,
)
@paper_style()
def cross_validation_dots(results, *, lines=None, ax=None):
    """Draw the accuracy on each held-out fold and the mean of each set (Figs. 9 and 10 of Zavala et al.).

    The mean accuracy on the test rows is drawn next to them, if `results` has it.

    Args:
        results: DataFrame from `collect_results`, one row per set and fold.
        lines: Dictionary from legend label to an accuracy on the test rows in percent, such as `{"Majority class
            (test)": 17.9}`, drawn as horizontal lines, at most three. Defaults to none.
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    ax = new_axes(2.2) if ax is None else ax
    names = results["set_name"]
    folds = 100 * results["validation_first_label_accuracy"]
    positions = {name: position for position, name in enumerate(sorted(names.unique(), key=_with_numbers))}
    reference_lines(ax, lines or {})
    ax.plot(names.map(positions), folds, "o", color=SKY, markeredgecolor=BLUE, markersize=3.5, label="Held-out fold")
    means = folds.groupby(names).mean()
    style = {"color": BLUE, "markersize": 15, "markeredgewidth": 1.6, "label": "Mean of folds"}
    ax.plot(means.index.map(positions), means, "_", **style)
    if "first_label_accuracy" in results:
        test = 100 * results["first_label_accuracy"].groupby(names).mean()
        style = {"color": ORANGE, "markersize": 4, "label": "Mean, test rows"}
        ax.plot(test.index.map(positions) + 0.25, test, "D", **style)
    ax.set_xticks(range(len(positions)), [name.removeprefix("set=") for name in positions])
    ax.set(xlabel="Set", ylabel="Accuracy (%)", xlim=(-0.6, len(positions) - 0.4))
    ax.grid(axis="y")
    ax.legend(**LEGEND_ABOVE, ncols=2)
    return ax


@arguments.checked(
    scores=arguments.table("batch_norm", "learning_rate", "accuracy", "std", empty=False),
    part=arguments.choice("held-out folds", "test rows"),
    lines=arguments.optional(arguments.instance(dict)),
    ax=AXES,
)
@paper_style()
def search_scatter(scores, *, part="held-out folds", lines=None, ax=None):
    """Draw the accuracy of a search against the learning rate (Zavala et al., section III.B).

    Args:
        scores: DataFrame from `searches.cross_validation_table`. Draws with and without batch normalization differ in
            color and shape.
        part: "held-out folds", with error bars of one standard deviation over the folds, or "test rows". Defaults to
            "held-out folds".
        lines: Dictionary from legend label to an accuracy on the same part in percent, drawn as horizontal lines, at
            most three. Defaults to none.
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    on_folds = part == "held-out folds"
    scores = scores if on_folds else arguments.table("test")("scores", scores)
    ax = new_axes(2.6) if ax is None else ax
    reference_lines(ax, lines or {})
    for normalized, name, color, marker in BATCH_NORM:
        draws = scores[scores["batch_norm"] == normalized]
        if len(draws):
            style = {"fmt": marker, "color": color, "markersize": 4, "elinewidth": 0.8, "label": name}
            accuracy, error = (draws["accuracy"], draws["std"].fillna(0)) if on_folds else (draws["test"], None)
            ax.errorbar(draws["learning_rate"], accuracy, error, **style)
    low, high = np.log10([scores["learning_rate"].min(), scores["learning_rate"].max()])
    ax.set(xscale="log", xlim=(0.8 * 10 ** np.floor(low), 1.25 * 10 ** np.ceil(high)))
    ax.xaxis.set_minor_formatter(plt.NullFormatter())
    ax.set(xlabel="Learning rate", ylabel=f"Accuracy on {part} (%)" + ",\nmean ± SD of folds" * on_folds)
    ax.grid(axis="y")
    ax.legend(**LEGEND_ABOVE, ncols=2)
    return ax


def _with_numbers(name):
    """Return a key that sorts "set=10" after "set=9"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
