"""Grids of images with a line of text above each."""

import collections.abc
import textwrap

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.cards import draw_image, pictures
from poster_cnn.figures.style import GREEN, PAGE_WIDTH, RED, paper_style
from poster_cnn.metrics import arguments
from poster_cnn.results.collect import prediction_arrays


@arguments.checked(
    images=pictures,
    titles=arguments.optional(arguments.instance(collections.abc.Iterable, "a list of texts")),
    columns=arguments.count,
)
@paper_style()
def image_grid(images, *, titles=None, columns=6):
    """Draw images in rows at the same scale.

    Args:
        images: Sequence of arrays (height, width, 3), 0 to 255, or PIL images; `None` leaves a place empty.
        titles: One text per image. Defaults to none.
        columns: Number of images per row. Defaults to 6.

    Returns:
        matplotlib Figure of page width.

    Raises:
        ValueError: If there are no images, or the numbers of images and titles differ.
    """
    titles = [""] * len(images) if titles is None else list(titles)
    if not len(images) or len(titles) != len(images):
        raise ValueError(
            "`images` and `titles` must have the same length, 1 or more. "
            f"Received: {len(images)} images, {len(titles)} titles"
        )
    shapes = [np.shape(image) for image in images if image is not None]
    largest = max((shape[0] / shape[1] for shape in shapes), default=1)
    titles, lines = _wrapped(titles, columns)
    figure, axes = _axes_in_rows(len(images), columns, aspect=largest, text=0.25 + 0.1 * lines)
    for ax, image, text in zip(axes, images, titles, strict=True):
        ax.set_title(text, fontsize=6)
        if image is not None:
            draw_image(ax, image)
    return figure


@arguments.checked(images=pictures, predictions=arguments.table(), columns=arguments.count)
@paper_style()
def prediction_grid(images, predictions, *, columns=8):
    """Draw posters in rows with the predicted genre above and the true genres below (Fig. 8 of Zavala et al.).

    Correct predictions are marked ✓, wrong ones ✗, so the figure can be read without color.

    Args:
        images: Sequence of images, as for `prediction_card`; `None` draws a placeholder.
        predictions: DataFrame from `read_predictions`, one row per image. A prediction is correct if it is any of the
            true genres.
        columns: Number of posters per row. Defaults to 8.

    Returns:
        matplotlib Figure of page width.

    Raises:
        ValueError: If there are no images, or the numbers of images and predictions differ.
    """
    if not len(images) or len(images) != len(predictions):
        raise ValueError(
            "`images` and `predictions` must have the same length, 1 or more. "
            f"Received: {len(images)} images, {len(predictions)} predictions"
        )
    genres, y_true, y_prob = prediction_arrays(predictions)
    below, lines = _wrapped([", ".join(np.array(genres)[truth > 0]) for truth in y_true], columns)
    figure, axes = _axes_in_rows(len(images), columns, aspect=1.36, text=0.36 + 0.1 * lines)
    for ax, image, truth, scores, names in zip(axes, images, y_true, y_prob, below, strict=True):
        draw_image(ax, image)
        top = int(np.argmax(scores))
        mark, color = ("✓", GREEN) if truth[top] else ("✗", RED)
        ax.set_title(f"{mark} {genres[top]}\n{100 * scores[top]:.0f}%", fontsize=6, color=color, pad=2)
        ax.text(0.5, -0.02, names, transform=ax.transAxes, ha="center", va="top", fontsize=6)
    return figure


def _wrapped(texts, columns):
    """Return texts in lines as wide as an image of a row, and the highest number of further lines."""
    width = int(135 / min(columns, len(texts)))  # characters
    wrapped = ["\n".join(textwrap.fill(line, width) for line in str(text).split("\n")) for text in texts]
    return wrapped, max(text.count("\n") for text in wrapped)


def _axes_in_rows(count, columns, *, aspect, text):
    """Figure and frameless Axes for images of this aspect (height / width), with `text` inches more in each row."""
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (PAGE_WIDTH, rows * (aspect * PAGE_WIDTH / columns + text))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes.flat[:count]
