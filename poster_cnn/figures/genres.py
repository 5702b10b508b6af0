"""Genres of a dataset: posters per genre, genres that share posters, and crops per genre."""

import functools

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from poster_cnn.figures.style import (
    AXES,
    BLUE,
    GREY,
    LEGEND_ABOVE,
    PAGE_WIDTH,
    SKY,
    category_rows,
    new_axes,
    paper_style,
)
from poster_cnn.metrics import arguments


@arguments.checked(
    counts=functools.partial(arguments.series, expected="a Series from genre to number, such as from `genre_counts`"),
    highlight=functools.partial(arguments.names, least=0),
    unit=arguments.text,
    ax=AXES,
)
@paper_style()
def genre_distribution(counts, *, highlight=(), unit="Posters", ax=None):
    """Draw the number of posters of each genre, the most frequent on top (Fig. 3 of Dave, section 4.1).

    Args:
        counts: Series of int, from genre to number of posters, as from `genre_counts`.
        highlight: Genres drawn darker, such as those a network is trained on. Defaults to none.
        unit: Label of the axis. Defaults to "Posters".
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    arguments.numeric("counts", counts)
    counts = counts.sort_values(ascending=False, kind="stable")
    ax = new_axes(0.6 + 0.135 * len(counts)) if ax is None else ax
    colors = [SKY if len(highlight) and genre not in highlight else BLUE for genre in counts.index]
    bars = ax.barh(counts.index, counts.to_numpy(), color=colors, height=0.72)
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=2, fontsize=6)
    ax.set(xlabel=unit, xlim=(0, counts.max() * 1.14))
    _count_axis(ax, len(counts), num_ticks=5)
    if len(highlight):
        handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in (BLUE, SKY)]
        above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0, "ncols": 2}  # over no bar
        ax.legend(handles, ["Chosen genres", "Other genres"], **above)
    return ax


@arguments.checked(cooccurrence=arguments.table(empty=False), ax=AXES)
@paper_style()
def genre_cooccurrence_heatmap(cooccurrence, *, ax=None):
    """Draw how often two genres share a poster (Fig. 4 of Dave, section 4.1).

    The numbers are counts; the color is the share of the row genre's posters that have the column genre, because the
    color of a count would mostly show which genres are frequent. The framed diagonal counts each genre's posters.

    Args:
        cooccurrence: Square DataFrame of int, genre by genre, as from `genre_cooccurrence`.
        ax: Axes to draw on. Defaults to a new figure, up to page width.

    Returns:
        matplotlib Axes.
    """
    counts = arguments.numeric("cooccurrence", cooccurrence)
    if counts.shape[0] != counts.shape[1]:
        arguments.refuse("cooccurrence", "a square DataFrame", cooccurrence)
    totals = np.diag(counts)
    same = np.eye(len(counts), dtype=bool)
    share = np.divide(100 * counts, totals[:, None], out=np.zeros(counts.shape), where=totals[:, None] > 0)
    if ax is None:
        width = min(PAGE_WIDTH, 1.6 + 0.25 * len(counts))
        ax = new_axes(width * 1.08, width)
    sns.heatmap(
        np.where(same, 0, share),
        mask=same,
        annot=np.where(counts == 0, "", counts.astype(str)),
        fmt="",
        annot_kws={"fontsize": 6},
        cmap="Blues",
        vmin=0,
        linewidths=0.4,
        linecolor="white",
        square=True,
        xticklabels=cooccurrence.columns,
        yticklabels=cooccurrence.index,
        cbar_kws={
            "label": "Color: share of the row's genre (%); numbers: movies",
            "location": "top",
            "shrink": 0.5,
            "aspect": 40,
            "pad": 0.01,
        },
        ax=ax,
    )
    frame = {"facecolor": "white", "edgecolor": GREY, "linewidth": 0.5, "clip_on": False}
    for position, total in enumerate(totals):
        ax.add_patch(plt.Rectangle((position, position), 1, 1, **frame))
        ax.text(position + 0.5, position + 0.5, total, ha="center", va="center", fontsize=6)
    ax.set(xlabel="Column's genre", ylabel="Row's genre")
    ax.tick_params(length=0)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return ax


@arguments.checked(counts=arguments.table("genre", "posters", "crops", "images", empty=False), ax=AXES)
@paper_style()
def crop_distribution(counts, *, crops_per_genre=None, ax=None):
    """Draw the number of posters and crops of each genre in the table's order (paper 4, section "Data").

    Args:
        counts: DataFrame from `densenet.crop_counts` without the row "All".
        crops_per_genre: Target number of images per genre, drawn as a dashed line. Defaults to `None`.
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    ax = new_axes(0.75 + 0.145 * len(counts)) if ax is None else ax
    ax.barh(counts["genre"], counts["posters"], color=BLUE, height=0.72, label="Whole posters")
    bars = ax.barh(counts["genre"], counts["crops"], left=counts["posters"], color=SKY, height=0.72, label="Crops")
    labels = [f"{images:,}" for images in counts["images"]]
    ax.bar_label(bars, labels=labels, padding=2, fontsize=6, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0})
    if crops_per_genre is not None:
        ax.axvline(crops_per_genre, color=GREY, linestyle="--", linewidth=0.9, label=f"{crops_per_genre:,} images")
    ax.set(xlabel="Images", xlim=(0, counts["images"].max() * 1.16))
    _count_axis(ax, len(counts), num_ticks=4)
    ax.legend(**LEGEND_ABOVE, ncols=3)
    return ax


def _count_axis(ax, num_genres, num_ticks):
    category_rows(ax, num_genres)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_major_locator(plt.MaxNLocator(num_ticks, integer=True))
