"""What a wrong way of scoring is worth: the same predictions scored in three ways, with the luck in each."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import BLUE, ORANGE, PAGE_WIDTH, paper_style, reference_lines
from poster_cnn.metrics.scores import LOGIT_HALF
from poster_cnn.results.wang import LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET

WAYS = (LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET)


@paper_style()
def errata_dots(table, *, printed=None, printed_name="Paper"):
    """Draws OF1 of the three ways of scoring with their ranges, a panel a threshold (errata of Wang et al.).

    Args:
        table: DataFrame from `errata.scores_by_mistake`; what always naming the most frequent genres scores is drawn as
            horizontal lines, three at most.
        printed: OF1 in percent that the paper prints for a last batch, drawn beside ours at the threshold of its code,
            0.622. Defaults to none.
        printed_name: What the legend calls it. Defaults to "Paper".

    Returns:
        matplotlib Figure of a page's width.
    """
    thresholds = list(table["threshold"].unique())
    figure, axes = plt.subplots(
        1, len(thresholds), sharey=True, squeeze=False, figsize=(PAGE_WIDTH, 2.3), layout="constrained"
    )
    x = range(len(WAYS))
    for ax, threshold in zip(axes.flat, thresholds, strict=True):
        rows = table[table["threshold"] == threshold]
        network = rows[rows["predictions"] == "network"].set_index("scored").loc[list(WAYS)]
        constant = rows[rows["predictions"] != "network"]
        reference_lines(ax, dict(zip("Always the " + constant["predictions"], constant["overall_f1"], strict=True)))
        # The score of a last batch may lie outside of its 95% range: the bar is drawn by itself.
        ax.vlines(x, network["low"], network["high"], color=BLUE, linewidth=1, label="95% range")
        ax.plot(x, network["overall_f1"], "o", color=BLUE, markersize=4, label="Our network")
        if printed is not None and np.isclose(threshold, LOGIT_HALF, atol=1e-3):
            at = WAYS.index(LAST_BATCH)
            ax.plot(at + 0.15, printed, "D", color=ORANGE, markersize=4, markerfacecolor="white", label=printed_name)
        ax.set(title=f"Predicted from a probability of {threshold:.3g}", xlim=(-0.6, len(WAYS) - 0.4))
        ax.set_xticks(x, [f"{way.capitalize()}\n({posters:,} posters)" for way, posters in network["posters"].items()])
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("Overall F1 (%)")
    named = {name: handle for ax in axes.flat for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside upper center", ncols=5)
    return figure
