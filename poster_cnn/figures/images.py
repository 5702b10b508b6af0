"""Pictures in rows, each with a line of text."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.style import PAGE_WIDTH, paper_style


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
