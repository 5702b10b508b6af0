"""Pictures in rows, each with a line of text."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.cards import draw_image
from poster_cnn.figures.style import GREEN, PAGE_WIDTH, RED, paper_style
from poster_cnn.results.collect import genres_of


@paper_style()
def image_grid(images, *, titles=None, columns=6, width=PAGE_WIDTH):
    """Draws pictures in rows, at one scale.

    Args:
        images: Sequence of arrays (height, width, 3), 0 to 255, or PIL images; `None` leaves a place empty.
        titles: A text for each image. Defaults to none.
        columns: Pictures side by side. Defaults to 6.
        width: Width of the figure in inches. Defaults to a page's.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: If there are no images, or not as many titles.
    """
    titles = [""] * len(images) if titles is None else titles
    if not len(images) or len(titles) != len(images):
        raise ValueError(f"Expected as many titles as images, 1 or more. Received: {len(images)}, {len(titles)} titles")
    arrays = [None if image is None else np.asarray(image).astype("uint8") for image in images]
    largest = max((array.shape[0] / array.shape[1] for array in arrays if array is not None), default=1)
    figure, axes = axes_in_rows(len(images), columns, width, aspect=largest, text=0.25)
    for ax, array, text in zip(axes, arrays, titles, strict=True):
        ax.set_title(text, fontsize=5.5, wrap=True)
        if array is not None:
            ax.imshow(array)
    return figure


def axes_in_rows(count, columns, width, *, aspect, text):
    """A figure with an Axes for each of `count` pictures, in rows, without frames.

    Args:
        count: Number of pictures, 1 or more.
        columns: Pictures side by side; of fewer pictures, all.
        width: Width of the figure in inches.
        aspect: Height of the highest picture over its width.
        text: Height in inches of what is written in each row.

    Returns:
        `(figure, axes)`: matplotlib Figure, array of `count` Axes.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (width, rows * (aspect * width / columns + text))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes.flat[:count]


@paper_style()
def prediction_grid(images, predictions, *, columns=8, width=PAGE_WIDTH):
    """Draws posters in rows, above each the predicted genre with its probability, below it the row's own genre.

    Right predictions are marked ✓, wrong ones ✗, so that the mark says what the color says (Fig. 8 of Zavala et al.,
    section III.A).

    Args:
        images: Sequence of images, as for `prediction_card`; `None` where the picture cannot be shown.
        predictions: DataFrame as `results.read_predictions` gives it, a row an image: `true_<genre>` and
            `probability_<genre>` for each genre. Of several true genres, any is right.
        columns: Posters side by side. Defaults to 8.
        width: Width of the figure in inches. Defaults to a page's.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: If there are no images, or not as many predictions.
    """
    if not len(images) or len(images) != len(predictions):
        raise ValueError(
            "`images` and `predictions` must be of one length, 1 or more. "
            f"Received: {len(images)} images, {len(predictions)} predictions"
        )
    genres = genres_of(predictions)
    probabilities = predictions[[f"probability_{genre}" for genre in genres]].to_numpy(dtype=float)
    truth = predictions[[f"true_{genre}" for genre in genres]].to_numpy(dtype=bool)
    figure, axes = axes_in_rows(len(images), columns, width, aspect=1.36, text=0.24)
    for ax, image, scores, own in zip(axes, images, probabilities, truth, strict=True):
        draw_image(ax, image)
        top = int(np.argmax(scores))
        mark, color = ("✓", GREEN) if own[top] else ("✗", RED)
        ax.set_title(f"{mark} {genres[top]} {100 * scores[top]:.0f}%", fontsize=5.5, color=color, pad=2)
        names = ", ".join(genre for genre, yes in zip(genres, own, strict=True) if yes)
        ax.text(0.5, -0.02, names, transform=ax.transAxes, ha="center", va="top", fontsize=5.5)
    return figure
