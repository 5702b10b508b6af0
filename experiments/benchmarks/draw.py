"""Figure of the ratios of a benchmark."""

import textwrap

import matplotlib.pyplot as plt

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREY, ORANGE, paper_style


@paper_style()
def draw_ratios(rows, caption):
    """Draw the speed of poster_cnn relative to each alternative, with the range over rounds and the goal.

    Args:
        rows: DataFrame of `speed.measure`: `task`, `side`, `ratio`, `ratio_low`, `ratio_high`, `goal`.
        caption: Sentence about the machine, which is drawn below.

    Returns:
        `matplotlib.figure.Figure`
    """
    ours = (rows["ratio"] == 1) | rows["ratio"].isna() | rows["side"].str.endswith("(limit)")
    others = rows[~ours].iloc[::-1]
    figure, ax = plt.subplots(figsize=(1.5 * COLUMN_WIDTH, 0.9 + 0.28 * len(others)))
    place = range(len(others))
    ax.hlines(place, others["ratio_low"], others["ratio_high"], color=BLUE, linewidth=1.5)
    ax.plot(others["ratio"], place, "o", color=BLUE, label="Median of the rounds, minimum to maximum")
    ax.plot(others["goal"], place, "|", color=ORANGE, markersize=12, markeredgewidth=2, label="Goal")
    ax.axvline(1, color=GREY, linewidth=0.8)
    ax.set_xscale("log")
    ticks = [0.5, 1, 1.5, 2, 3, 5, 10, 20, 30]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    names = (others["task"] + ": " + others["side"]).str.replace("lanczos3", "Lanczos").str.replace("mixed_", "")
    ax.set_yticks(place, names)
    ax.set_xlabel("Speed of poster_cnn relative to the alternative")
    ax.set_ylabel("Task: alternative")
    ax.annotate("\n".join(textwrap.wrap(caption, 85)), (0, -38), xycoords="axes points", va="top", fontsize="small")
    ax.set_ylim(-0.6, len(others) - 0.4)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=2, frameon=False)
    return figure
