"""Figures of the evidence: the ladder of networks, splits against seeds, learning curves, and lettering."""

import matplotlib.ticker
import numpy as np

from poster_cnn.figures.style import (
    BLUE,
    GREEN,
    GREY,
    LEGEND_ABOVE,
    ORANGE,
    PAGE_WIDTH,
    RED,
    category_rows,
    new_axes,
    panel_axes,
    paper_style,
    unique_legend,
)
from poster_cnn.metrics import arguments
from poster_cnn.results.evidence import METRIC, TITLES

_LOOKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (RED, "^"))
_PLAIN = {"linestyle": "none", "markersize": 4}


def _use_log_scale(ax):
    """Use a logarithmic x axis with 1, 2, 5, 10, … written as plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,g}"))
    ax.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())


@arguments.checked(ladder=arguments.table("network", "over_color", "over_color_low", "over_color_high", "seconds"))
@paper_style()
def ladder_scatter(ladder):
    """Draw what networks add to the color histogram against the time of their predictions.

    Args:
        ladder: DataFrame from `evidence.ladder_table`. Rows without seconds are left out.

    Returns:
        matplotlib Axes of page width.
    """
    rows = ladder[ladder["seconds"].notna()]
    ax = new_axes(2.9, PAGE_WIDTH)
    ax.axhline(0, color=GREY, linewidth=0.9, linestyle=":", label="Color histogram")
    bounds = np.abs(rows[["over_color_low", "over_color_high"]].to_numpy().T - rows["over_color"].to_numpy())
    ax.errorbar(rows["seconds"], rows["over_color"], bounds, fmt="o", color=BLUE, markersize=4, capsize=2)
    for row in rows.to_dict("records"):
        place = {"textcoords": "offset points", "xytext": (6, -8), "fontsize": 6.5}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the line of the color histogram
        ax.annotate(row["network"], (row["seconds"], row["over_color"]), bbox=box, **place)
    _use_log_scale(ax)
    ax.margins(x=0.25)
    ax.legend(loc="upper left")
    ax.set(xlabel="seconds per thousand posters", ylabel="average precision over\nthe color histogram, points")
    return ax


@arguments.checked(runs=arguments.table("set_name", "split_seed", METRIC, f"color_histogram_{METRIC}"))
@paper_style()
def split_strips(runs):
    """Draw the scores of all seeds on each split, one panel per network.

    Args:
        runs: DataFrame from `collect_results`.

    Returns:
        matplotlib Figure of page width.
    """
    names = runs["set_name"].unique()
    figure, axes = panel_axes(len(names), 2.3, sharey=False)
    for ax, name in zip(axes.flat, names, strict=True):
        own = runs[runs["set_name"] == name]
        by_split = own.groupby("split_seed")
        ax.plot(own["split_seed"] + 1, 100 * own[METRIC], "o", color=BLUE, alpha=0.6, **_PLAIN, label="A seed")
        means = 100 * by_split[METRIC].mean()
        ax.plot(means.index + 1, means, "_", color=BLUE, markersize=14, label="Mean of a split")
        color = 100 * by_split[f"color_histogram_{METRIC}"].mean()
        ax.plot(color.index + 1, color, "s", color=GREY, markerfacecolor="white", **_PLAIN, label="Color histogram")
        ax.set(title=TITLES.get(name, name), xlabel="split", xticks=sorted(means.index + 1))
    axes.flat[0].set_ylabel("macro average precision, %")
    figure.legend(**unique_legend(axes.flat), loc="outside upper center", ncols=3)
    return figure


@arguments.checked(
    runs=arguments.table("set_name", "max_train_movies", METRIC, f"color_histogram_{METRIC}"),
    laws=arguments.table("network", "exponent", "scale", "posters"),
)
@paper_style()
def training_size_curves(runs, laws):
    """Draw scores against the number of training posters, with the power laws.

    Args:
        runs: DataFrame from `collect_results`.
        laws: DataFrame from `evidence.power_laws`.

    Returns:
        matplotlib Axes of page width.
    """
    ax = new_axes(2.9, PAGE_WIDTH)
    laws = laws.set_index("network")
    for (color, marker), (name, own) in zip(_LOOKS, runs.groupby("set_name", sort=False), strict=False):
        label, size = TITLES.get(name, name), own["max_train_movies"]
        ax.plot(size, 100 * own[METRIC], marker, color=color, alpha=0.6, **_PLAIN, label=label)
        measured, beyond = np.geomspace(size.min(), size.max()), np.geomspace(size.max(), 10 * size.max())
        for posters, line in ((measured, "-"), (beyond, ":")):
            score = 100 * (1 - laws.loc[label, "scale"] * posters ** -laws.loc[label, "exponent"])
            ax.plot(posters, score, line, color=color)
    color = 100 * runs.groupby("max_train_movies")[f"color_histogram_{METRIC}"].mean()
    ax.plot(
        color.index, color, "-", marker="s", color=GREY, markerfacecolor="white", markersize=4, label="color histogram"
    )
    _use_log_scale(ax)
    ax.set(xlabel="training posters", ylabel="macro average precision, %")
    ax.legend(**LEGEND_ABOVE, ncols=4)
    return ax


@arguments.checked(lettering=arguments.table("network", "genre", "tested_on", "over_elsewhere", "positives"))
@paper_style()
def lettering_dots(lettering):
    """Draw what hiding the lettering costs more than hiding other places of the same size, by genre.

    Args:
        lettering: DataFrame of real posters from `experiments/evidence/lettering.py`, of at most four networks.

    Returns:
        matplotlib Axes of page width.
    """
    rows = lettering[lettering["tested_on"] == "without_lettering"]
    genres = rows[rows["network"] == rows["network"].iloc[0]].sort_values("positives", ascending=False)["genre"]
    places, networks = {genre: place for place, genre in enumerate(genres)}, rows["network"].unique()
    ax = new_axes(0.8 + 0.2 * len(places), PAGE_WIDTH)
    ax.axvline(0, color=GREY, linewidth=0.9, linestyle=":")
    for number, ((color, marker), name) in enumerate(zip(_LOOKS, networks, strict=False)):
        own = rows[rows["network"] == name]
        y = own["genre"].map(places) + 0.22 * (number - (len(networks) - 1) / 2)
        gain, low, high = (100 * own[f"over_elsewhere{suffix}"] for suffix in ("", "_low", "_high"))
        options = {"color": color, "markersize": 3.5, "elinewidth": 0.8, "label": TITLES.get(name, name)}
        ax.errorbar(gain, y, xerr=[gain - low, high - gain], fmt=marker, **options)
    category_rows(ax, len(places))
    ax.set_yticks(list(places.values()), [genre if genre != "all" else "All (macro)" for genre in places])
    ax.set_xlabel("average precision without lettering, minus that with other places hidden, points")
    ax.legend(**LEGEND_ABOVE, ncols=4)
    return ax


@arguments.checked(sentences=arguments.table("network", "encoding", METRIC, f"{METRIC}_low", f"{METRIC}_high"))
@paper_style()
def encoding_dots(sentences):
    """Draw the average precision of networks with several encodings of plots.

    Args:
        sentences: DataFrame from `experiments/evidence/sentences.py`, of at most four networks.

    Returns:
        matplotlib Axes of page width.
    """
    ax = new_axes(0.9 + 0.22 * len(sentences), PAGE_WIDTH)
    rows = sentences.reset_index(drop=True)
    for (color, marker), (network, own) in zip(_LOOKS, rows.groupby("network", sort=False), strict=False):
        score, low, high = (100 * own[f"{METRIC}{suffix}"] for suffix in ("", "_low", "_high"))
        options = {"color": color, "markersize": 4, "capsize": 2, "label": network}
        ax.errorbar(score, own.index, xerr=[score - low, high - score], fmt=marker, **options)
    category_rows(ax, len(rows))
    ax.set_yticks(rows.index, rows["encoding"])
    ax.set_xlabel("macro average precision, %")
    ax.legend(**LEGEND_ABOVE, ncols=4)
    return ax
