"""What is in a dataset: how many posters each genre has, and which genres share posters."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREY, PAGE_WIDTH, SKY, paper_style


@paper_style()
def genre_distribution(counts, *, highlight=(), unit="Posters", ax=None):
    """Draws how many posters each genre has, the most frequent on top (Fig. 3 of Dave, section 4.1).

    Args:
        counts: Series of int, genre to number of posters, as from `genre_counts`.
        highlight: Genres drawn darker than the others, such as those a network is trained on. Defaults to none.
        unit: What is counted, the label of the axis. Defaults to "Posters".
        ax: Axes to draw on. Defaults to a new one of a column's width.

    Returns:
        matplotlib Axes.
    """
    counts = counts.sort_values(ascending=False, kind="stable")
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.6 + 0.135 * len(counts)), layout="constrained")
    colors = [SKY if len(highlight) and genre not in highlight else BLUE for genre in counts.index]
    bars = ax.barh(counts.index, counts.to_numpy(), color=colors, height=0.72)
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=2, fontsize=6)
    ax.invert_yaxis()
    ax.set(xlabel=unit, xlim=(0, counts.max() * 1.14), ylim=(len(counts) - 0.4, -0.6))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_major_locator(plt.MaxNLocator(5, integer=True))
    ax.tick_params(axis="y", length=0)
    if len(highlight):
        handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in (BLUE, SKY)]
        ax.legend(handles, ["Chosen genres", "Other genres"], loc="lower right")
    return ax


@paper_style()
def genre_cooccurrence_heatmap(cooccurrence, *, ax=None):
    """Draws how often two genres stand on one poster (Fig. 4 of Dave, section 4.1).

    The numbers are counts. The color is the share of the row genre's posters that have the column genre too, because
    counts alone would show little more than which genres are frequent. The framed diagonal counts each genre's posters.

    Args:
        cooccurrence: Square DataFrame of int, genre by genre, as from `genre_cooccurrence`.
        ax: Axes to draw on. Defaults to a new one, as wide as a page for many genres.

    Returns:
        matplotlib Axes.
    """
    counts = cooccurrence.to_numpy()
    totals = np.diag(counts)
    same = np.eye(len(counts), dtype=bool)
    share = np.divide(100 * counts, totals[:, None], out=np.zeros(counts.shape), where=totals[:, None] > 0)
    if ax is None:
        width = min(PAGE_WIDTH, 1.6 + 0.25 * len(counts))
        _, ax = plt.subplots(figsize=(width, width * 0.9), layout="constrained")
    texts = np.where(counts == 0, "", counts.astype(str))
    sns.heatmap(
        np.ma.filled(np.ma.masked_array(share, same), 0),
        mask=same,
        annot=texts,
        fmt="",
        annot_kws={"fontsize": 5.2},
        cmap="Blues",
        vmin=0,
        linewidths=0.4,
        linecolor="white",
        square=True,
        xticklabels=cooccurrence.columns,
        yticklabels=cooccurrence.index,
        cbar_kws={"label": "Share of the row's genre (%)", "shrink": 0.7, "pad": 0.015},
        ax=ax,
    )
    for position, total in enumerate(totals):
        ax.add_patch(
            plt.Rectangle((position, position), 1, 1, facecolor="white", edgecolor=GREY, linewidth=0.5, clip_on=False)
        )
        ax.text(position + 0.5, position + 0.5, total, ha="center", va="center", fontsize=4.9, fontweight="bold")
    ax.set(xlabel="Column's genre", ylabel="Row's genre")
    ax.tick_params(length=0)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return ax


@paper_style()
def crop_distribution(counts, *, crops_per_genre=None, ax=None):
    """Draws how many posters and crops each genre has, in the table's order (paper 4, figures of section "Data").

    Args:
        counts: DataFrame from `crop_tables.crop_counts`; without "All", which is no genre.
        crops_per_genre: Images that each genre was to have; a dashed line. Defaults to none.
        ax: Axes to draw on. Defaults to a new one of a column's width.

    Returns:
        matplotlib Axes.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(COLUMN_WIDTH, 0.75 + 0.145 * len(counts)), layout="constrained")
    ax.barh(counts["genre"], counts["posters"], color=BLUE, height=0.72, label="Whole posters")
    bars = ax.barh(counts["genre"], counts["crops"], left=counts["posters"], color=SKY, height=0.72, label="Crops")
    labels = [f"{images:,}" for images in counts["images"]]
    ax.bar_label(bars, labels=labels, padding=2, fontsize=6, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0})
    if crops_per_genre is not None:
        ax.axvline(crops_per_genre, color=GREY, linestyle="--", linewidth=0.9, label=f"{crops_per_genre:,} images")
    ax.set(xlabel="Images", xlim=(0, counts["images"].max() * 1.16), ylim=(len(counts) - 0.4, -0.6))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_major_locator(plt.MaxNLocator(4, integer=True))
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return ax
