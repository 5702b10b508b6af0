"""Paper 4's charts: what crops do to the genres, and how well each genre is found."""

import matplotlib.pyplot as plt

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREY, LIGHT_GREY, PAGE_WIDTH, SKY, paper_style


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
