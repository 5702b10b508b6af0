"""Prediction cards: a picture and what a network says of it."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREEN, GREY, PAGE_WIDTH, RED, SKY, paper_style

CARD_HEIGHT = 1.75  # inches
LINE = 9  # points


@paper_style()
def prediction_card(
    image, probabilities, class_names, *, true_genres=None, title=None, top=None, thresholds=None, figure=None
):
    """Draws a picture beside its predicted genres, the most probable on top (Figs. 6 to 19 of Dave, section 4.3).

    A correct genre is marked ✓ when it is among the n most probable ones, where n is the number of correct genres,
    and ✗ when it is not; a correct genre that is no class of the network is marked –. With thresholds, each has a line
    across its genre's bar, and the genres that reach theirs are in bold.

    Args:
        image: Array (height, width, 3) or (height, width), 0 to 255, or a PIL image; `None` where the picture cannot
            be shown, such as posters that may not be given away.
        probabilities: Floats (num_classes,) in 0..1.
        class_names: Genres in the order of `probabilities`.
        true_genres: The picture's correct genres. Defaults to None: it has none, as a photo that is no poster.
        title: Text above the card. Defaults to none.
        top: Number of genres to show. Defaults to all.
        thresholds: Probabilities (num_classes,) from which the genres count as predicted, in the order of
            `class_names`. Defaults to none.
        figure: matplotlib Figure or SubFigure to draw on. Defaults to a new one of a column's width.

    Returns:
        The figure.

    Raises:
        ValueError: If `probabilities` or `thresholds` differ from `class_names` in length.
    """
    for name, values in (("probabilities", probabilities), ("thresholds", thresholds)):
        if values is not None and np.shape(values) != (len(class_names),):
            raise ValueError(
                f"`{name}` must have one value for each of `class_names`. "
                f"Received: {name}.shape={np.shape(values)}, {len(class_names)} class_names"
            )
    probabilities = np.asarray(probabilities, dtype=float)
    if figure is None:
        figure = plt.figure(figsize=(COLUMN_WIDTH, CARD_HEIGHT), layout="constrained")
    order = np.argsort(-probabilities, kind="stable")
    ranked = [class_names[i] for i in order]
    lines = 1 + len(true_genres or [""])
    # The room for the correct genres is kept where there are none, so that cards side by side agree.
    height_ratios = (1, lines * LINE / (72 * CARD_HEIGHT - 2 * LINE - lines * LINE))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.3), height_ratios=height_ratios)
    picture, bars, truth = (figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    draw_image(picture, image)
    _draw_bars(bars, ranked[:top], 100 * probabilities[order][:top], true_genres or ())
    if thresholds is not None:
        _mark_thresholds(bars, probabilities[order][:top], np.asarray(thresholds)[order][:top])
    if true_genres is not None:
        _write_truth(truth, true_genres, ranked)
    for ax in (picture, truth):
        ax.axis("off")
    if title:
        width = figure.bbox.width / figure.dpi * 72
        figure.suptitle(textwrap.fill(title, int(width / 5)), fontsize=7.5, fontweight="bold")
    return figure


@paper_style()
def prediction_cards(
    images,
    probabilities,
    class_names,
    *,
    true_genres=None,
    titles=None,
    top=None,
    thresholds=None,
    columns=2,
    width=PAGE_WIDTH,
):
    """Draws several prediction cards on one figure.

    Args:
        images: Sequence of images, as for `prediction_card`.
        probabilities: Floats (num_images, num_classes) in 0..1.
        class_names: Genres in the order of the columns of `probabilities`.
        true_genres: For each image its correct genres, or None where it has none. Defaults to None for all.
        titles: A text for each image. Defaults to none.
        top: Number of genres to show on a card. Defaults to all.
        thresholds: As for `prediction_card`, the same for all images. Defaults to none.
        columns: Cards side by side. Defaults to 2.
        width: Width of the figure in inches. Defaults to a page's.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: If there are no images, or the arguments differ in length.
    """
    count = len(images)
    true_genres = [None] * count if true_genres is None else true_genres
    titles = [None] * count if titles is None else titles
    lengths = {"images": count, "probabilities": len(probabilities)}
    lengths |= {"true_genres": len(true_genres), "titles": len(titles)}
    if count == 0 or len(set(lengths.values())) > 1:
        raise ValueError(f"`images` and what belongs to them must be of one length, 1 or more. Received: {lengths}")
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = plt.figure(figsize=(width, CARD_HEIGHT * rows), layout="constrained")
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.04, hspace=0.04).flat
    for cell, image, scores, truth, text in zip(cells, images, probabilities, true_genres, titles, strict=False):
        options = {"true_genres": truth, "title": text, "top": top, "thresholds": thresholds}
        prediction_card(image, scores, class_names, **options, figure=cell)
    return figure


def draw_image(ax, image):
    """Shows a picture on an Axes, or a grey one that says so where it is `None`."""
    if image is None:
        ax.imshow(np.full((268, 182), 235), cmap="gray", vmin=0, vmax=255)
        ax.text(91, 134, "poster\nnot shown", ha="center", va="center", color=GREY, fontsize=6)
    else:
        ax.imshow(_as_pixels(image), cmap="gray", vmin=0, vmax=255)


def _as_pixels(image):
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    return np.clip(pixels.squeeze(), 0, 255).astype("uint8")


def _draw_bars(ax, genres, percentages, true_genres):
    bars = ax.barh(genres, percentages, color=[BLUE if genre in true_genres else SKY for genre in genres], height=0.6)
    ax.bar_label(bars, fmt="{:.0f}%", padding=2, fontsize=6.5)
    ax.set(xlim=(0, 122), ylim=(len(genres) - 0.4, -0.6))
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _mark_thresholds(ax, probabilities, thresholds):
    places = np.arange(len(thresholds))
    ax.vlines(100 * thresholds, places - 0.42, places + 0.42, color="black", linewidth=0.9)
    for place, percentage in zip(places, ax.texts, strict=True):
        percentage.xy = (100, place)  # in a column, where no line can cross them
    for text, reached in zip(ax.get_yticklabels(), probabilities >= thresholds, strict=True):
        text.set_fontweight("bold" if reached else "normal")


def _write_truth(ax, true_genres, ranked):
    known = [genre for genre in ranked if genre in true_genres]
    best = ranked[: len(known)]
    lines = [("✓", GREEN) if genre in best else ("✗", RED) for genre in known]
    unknown = [genre for genre in true_genres if genre not in ranked]
    marks = list(zip(known, lines, strict=True)) + [(genre, ("–", GREY)) for genre in unknown]
    write_line(ax, 1, "Correct genre" + "s" * (len(marks) > 1))
    for line, (genre, (mark, color)) in enumerate(marks, start=2):
        write_line(ax, line, mark, color=color, fontweight="bold")
        write_line(ax, line, genre, indent=LINE)


def write_line(ax, line, text, indent=0, **style):
    """Writes a line of text on an Axes; `line` counts from 1 at its top, `indent` is in points."""
    # In points from the corner, so that lines keep their distance at every figure size.
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(text, (0, 1), (indent, LINE * (0.35 - line)), fontsize=6.5, parse_math=False, **place, **style)
