"""What a wrong way of scoring is worth: the same predictions scored in three ways, with the luck in each."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.curves import _metric_label, _one_each
from poster_cnn.figures.style import BLUE, GREY, LIGHT_GREY, ORANGE, PAGE_WIDTH, paper_style, reference_lines
from poster_cnn.metrics.scores import LOGIT_HALF
from poster_cnn.results.errata import LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET
from poster_cnn.results.tables import label, title, title_with

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


@paper_style()
def genre_accuracy_dots(by_genre, *, panels="network"):
    """Draws each genre's accuracy beside that of ranking genres by frequency, the most frequent genre on top.

    Args:
        by_genre: DataFrame from `crop_tables.genre_accuracy`, runs that are scored on the same test images.
        panels: Column of `by_genre` whose values are the panels; one run each. Defaults to "network".

    Returns:
        matplotlib Figure of a page's width.
    """
    names = list(by_genre[panels].unique())
    first = by_genre[by_genre[panels] == names[0]].sort_values("test_images", ascending=False, kind="stable")
    genres, places = list(first["genre"]), range(len(first))
    size = (PAGE_WIDTH, 0.8 + 0.145 * len(genres))
    figure, axes = plt.subplots(
        1, len(names), sharex=True, sharey=True, squeeze=False, figsize=size, layout="constrained"
    )
    for ax, name in zip(axes.flat, names, strict=True):
        scores = by_genre[by_genre[panels] == name].set_index("genre").reindex(genres)
        ax.hlines(places, scores["accuracy"], scores["label_prior"], color=LIGHT_GREY, linewidth=1.6, zorder=0)
        ax.plot(
            scores["label_prior"], places, "s", color=GREY, markersize=3.5, markerfacecolor="white", label="Label prior"
        )
        ax.plot(scores["accuracy"], places, "o", color=BLUE, markersize=3.5, label="Network")
        ax.set(title=name, xlim=(-4, 104), ylim=(len(genres) - 0.4, -0.6))
        ax.set_yticks(places, [f"{genre} ({n:,})" for genre, n in zip(genres, first["test_images"], strict=True)])
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    figure.supxlabel("Among the n most probable genres (% of the genre's test images)", fontsize=7)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@paper_style()
def comparison_dots(cells, *, rows="ratio", columns="learning_rate", baselines=("majority", "color_histogram")):
    """Draws our scores with their 95% intervals beside the paper's and the trivial baselines (Table 2 of Dave).

    Args:
        cells: DataFrame from `beside_published`.
        rows: Column of `cells` whose values are the panels. Defaults to "ratio".
        columns: Column of `cells` whose values are on the x axis. Defaults to "learning_rate".
        baselines: Baselines drawn as lines where `cells` has them, three at most. Defaults to the majority class and
            the color histogram.

    Returns:
        matplotlib Figure of a page's width.
    """
    panels = list(cells[rows].unique())
    ticks = list(cells[columns].unique())
    figure, axes = plt.subplots(
        1, len(panels), sharex=True, sharey=True, squeeze=False, figsize=(PAGE_WIDTH, 2.3), layout="constrained"
    )
    for ax, panel in zip(axes.flat, panels, strict=True):
        cell = cells[cells[rows] == panel].set_index(columns).reindex(ticks)
        x = range(len(ticks))
        known = [name for name in baselines if name in cell and cell[name].notna().any()]
        reference_lines(ax, {title(name): cell[name] for name in known})
        if cell["paper"].notna().any():
            ax.plot(x, cell["paper"], "D", color=ORANGE, markersize=4, markerfacecolor="white", label="Paper")
        reach = [cell["ours"] - cell["low"], cell["high"] - cell["ours"]] if "low" in cell else None
        ax.errorbar(
            x, cell["ours"], reach, fmt="o", color=BLUE, markersize=3.5, elinewidth=1, label="Ours, 95% interval"
        )
        ax.set(title=title_with(rows, panel), xlim=(-0.6, len(ticks) - 0.4))
        ax.set_xticks(x, [title(tick) if columns == "metric" else label(tick) for tick in ticks])
        ax.grid(axis="y")
    figure.supxlabel("" if columns == "metric" else title(columns), fontsize=7)
    figure.supylabel(_metric_label(*cells["metric"].unique()), fontsize=7)
    figure.legend(**_one_each(axes.flat), loc="outside upper center", ncols=4)
    return figure
