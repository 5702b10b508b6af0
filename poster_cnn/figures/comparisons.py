"""Dot plots that compare scores: with a paper's numbers and the baselines, by genre, and by way of scoring."""

import functools

import numpy as np

from poster_cnn.figures.curves import metric_label
from poster_cnn.figures.style import (
    BLUE,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PAGE_WIDTH,
    category_rows,
    new_axes,
    panel_axes,
    paper_style,
    reference_lines,
    rows_with,
    unique_legend,
)
from poster_cnn.metrics import arguments
from poster_cnn.metrics.scores import LOGIT_HALF
from poster_cnn.results.errata import LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET
from poster_cnn.results.tables import label, title, title_with

WAYS = (LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET)
RANGE = "95% of random orders; whole test set: 95% interval"
PAPER = {"color": ORANGE, "markersize": 4, "markerfacecolor": "white"}


@arguments.checked(
    cells=arguments.table("ours", "paper", "metric", empty=False), baselines=functools.partial(arguments.names, least=0)
)
@paper_style()
def comparison_dots(cells, *, rows="ratio", columns="learning_rate", baselines=("majority", "color_histogram")):
    """Draw our scores and 95% intervals with the paper's scores and the baselines (Table 2 of Dave).

    Args:
        cells: DataFrame from `beside_published`.
        rows: Column of `cells` with one panel per value. Defaults to "ratio".
        columns: Column of `cells` whose values are on the x axis. Defaults to "learning_rate".
        baselines: Baselines drawn as lines if `cells` has them, at most three. Defaults to the majority class and the
            color histogram.

    Returns:
        matplotlib Figure of page width.
    """
    arguments.columns(cells, rows=rows, columns=columns)
    names = cells[rows].unique()
    figure, axes = panel_axes(len(names), 2.3, sharex=False)
    for ax, name in zip(axes.flat, names, strict=True):
        cell = rows_with(cells, rows, name).set_index(columns)
        ticks = [tick for tick in cells[columns].unique() if tick in cell.index]
        cell, x = cell.loc[ticks], range(len(ticks))
        known = [baseline for baseline in baselines if baseline in cell and cell[baseline].notna().any()]
        reference_lines(ax, {title(baseline): cell[baseline] for baseline in known})
        if cell["paper"].notna().any():
            ax.plot(x, cell["paper"], "D", **PAPER, label="Paper")
        reach = [cell["ours"] - cell["low"], cell["high"] - cell["ours"]] if "low" in cell else None
        look = {"fmt": "o", "color": BLUE, "markersize": 3.5, "elinewidth": 1}
        ax.errorbar(x, cell["ours"], reach, **look, label="Ours, 95% interval")
        ax.set(title=title_with(rows, name), xlim=(-0.6, len(ticks) - 0.4))
        ax.set_xticks(x, [title(tick) if columns == "metric" else label(tick) for tick in ticks])
        ax.grid(axis="y")
    figure.supxlabel("" if columns == "metric" else title(columns), fontsize=7)
    figure.supylabel(metric_label(*cells["metric"].unique()), fontsize=7)
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=4)
    return figure


@arguments.checked(by_genre=arguments.table("genre", "test_images", "accuracy", "label_prior", empty=False))
@paper_style()
def genre_accuracy_dots(by_genre, *, panels="network"):
    """Draw the accuracy of each genre with that of the label prior, the most frequent genre on top.

    Args:
        by_genre: DataFrame from `densenet.genre_accuracy`. If the runs have different test images, each panel is
            labelled with its own counts.
        panels: Column of `by_genre` with one panel and one run per value. Defaults to "network".

    Returns:
        matplotlib Figure of page width.
    """
    arguments.columns(by_genre, panels=panels)
    names = by_genre[panels].unique()
    first = by_genre[by_genre[panels] == names[0]].sort_values("test_images", ascending=False, kind="stable")
    genres, places = list(first["genre"]), range(len(first))
    images = by_genre.set_index("genre")["test_images"].groupby(level=0)
    same = (images.nunique() <= 1).all()
    figure, axes = panel_axes(len(names), 0.8 + 0.145 * len(genres), sharey=same)
    for ax, name in zip(axes.flat, names, strict=True):
        scores = by_genre[by_genre[panels] == name].set_index("genre").reindex(genres)
        accuracy, prior = scores["accuracy"], scores["label_prior"]
        ax.hlines(places, accuracy, prior, color=LIGHT_GREY, linewidth=1.6, zorder=0)
        ax.plot(prior, places, "s", color=GREY, markersize=3.5, markerfacecolor="white", label="Label prior")
        ax.plot(accuracy, places, "o", color=BLUE, markersize=3.5, label="Network")
        ax.set(title=label(name), xlim=(-4, 104))
        counts = [f"{genre} ({n:,.0f})" for genre, n in scores["test_images"].fillna(0).items()]
        ax.set_yticks(places, counts)
        category_rows(ax, len(genres))
        ax.grid(axis="x")
    figure.supxlabel("Among the n most probable genres (% of the genre's test images)", fontsize=7)
    figure.supylabel("Genre (test images)", fontsize=7)
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=2)
    return figure


@arguments.checked(
    table=arguments.table("threshold", "predictions", "scored", "overall_f1", "low", "high", "posters", empty=False)
)
@paper_style()
def errata_dots(table, *, printed=None, printed_name="Paper"):
    """Draw OF1 and its range for the three ways of scoring, one panel per threshold (errata of Wang et al.).

    Args:
        table: DataFrame from `errata.scores_by_mistake`; the scores of the most frequent genres become horizontal
            lines, at most three.
        printed: OF1 in percent that the paper prints for a last batch, drawn at its threshold of 0.622. Defaults to
            `None`.
        printed_name: Legend label of `printed`. Defaults to "Paper".

    Returns:
        matplotlib Figure of page width.
    """
    thresholds = table["threshold"].unique()
    figure, axes = panel_axes(len(thresholds), 2.3, sharex=False)
    x = range(len(WAYS))
    for ax, threshold in zip(axes.flat, thresholds, strict=True):
        rows = table[table["threshold"] == threshold]
        network = rows[rows["predictions"] == "network"].set_index("scored").loc[list(WAYS)]
        constant = rows[rows["predictions"] != "network"]
        reference_lines(ax, dict(zip("Always the " + constant["predictions"], constant["overall_f1"], strict=True)))
        # Not error bars: tables of version 0.1.0 have the score of one order, which may lie outside its range.
        ax.vlines(x, network["low"], network["high"], color=BLUE, linewidth=1, label=RANGE)
        ax.plot(x, network["overall_f1"], "o", color=BLUE, markersize=4, label="Our network")
        if printed is not None and np.isclose(threshold, LOGIT_HALF, atol=1e-3):
            ax.plot(WAYS.index(LAST_BATCH) + 0.15, printed, "D", **PAPER, label=printed_name)
        ax.set(title=f"Threshold {threshold:.3g}", xlim=(-0.6, len(WAYS) - 0.4))
        ax.set_xticks(x, [f"{way.capitalize()}\n({posters:,} posters)" for way, posters in network["posters"].items()])
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("Overall F1 (%)")
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=3)
    return figure


@arguments.checked(
    claims=arguments.table("claim", "metric", "prevalences_from", "score", "silence", "constant", "guess", empty=False)
)
@paper_style()
def claims_dots(claims):
    """Draw published scores with those of answers that need no poster, grouped by metric.

    Args:
        claims: DataFrame of published claims, joined with the one from `evaluation.claims.check_claims`. Rows without a
            score are left out.

    Returns:
        matplotlib Axes of page width.
    """
    rows = claims[claims["score"].notna()].sort_values("metric", kind="stable").reset_index(drop=True)
    ax = new_axes(0.9 + 0.15 * len(rows), PAGE_WIDTH)
    best = rows[["silence", "constant", "guess"]].max(axis=1)
    ax.hlines(rows.index, best, rows["score"], color=LIGHT_GREY, linewidth=1.6, zorder=0)
    look = {"linestyle": "none", "markersize": 4, "markerfacecolor": "white"}
    ax.plot(rows["guess"], rows.index, "x", color=GREY, **look, label="Best guess")
    ax.plot(rows["constant"], rows.index, "D", color=ORANGE, **look, label="Always the same genres")
    ax.plot(rows["silence"], rows.index, "s", color=GREY, **look, label="No genre")
    stand_in = rows["prevalences_from"].str.startswith("stand-in")
    filled = {True: BLUE, False: "white"}
    for name, known in (("Claim, prevalences of its source", True), ("Claim, stand-in prevalences", False)):
        chosen = rows[stand_in != known]
        ax.plot(chosen["score"], chosen.index, "o", color=BLUE, **look | {"markerfacecolor": filled[known]}, label=name)
    ax.set_yticks(rows.index, rows["claim"] + ": " + rows["metric"].map(title))
    ax.set(xlim=(-2, 102), xlabel="Score (%)")
    category_rows(ax, len(rows))
    ax.grid(axis="x")
    ax.figure.legend(loc="outside upper center", ncols=3)
    return ax
