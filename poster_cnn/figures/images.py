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
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    arrays = [None if image is None else np.asarray(image).astype("uint8") for image in images]
    largest = max((array.shape[0] / array.shape[1] for array in arrays if array is not None), default=1)
    size = (width, rows * (largest * width / columns + 0.25))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, array, text in zip(axes.flat, arrays, titles, strict=False):
        ax.set_title(text, fontsize=5.5, wrap=True)
        if array is not None:
            ax.imshow(array)
    return figure
