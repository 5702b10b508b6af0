"""Heat maps over pictures, which show the pixels that speak for a genre."""

import matplotlib.pyplot as plt
import numpy as np

from poster_cnn.figures.cards import CARD_HEIGHT, draw_image, picture, pictures, prediction_card
from poster_cnn.figures.style import AXES, PAGE_WIDTH, new_axes, paper_style
from poster_cnn.metrics import arguments

COLORS = "plasma"  # its lightness rises evenly, so that it can be read without color and in grey


def heat(name, value):
    """Check a map `(rows, columns)` of finite numbers."""
    found = arguments.numeric(name, value)
    if found.ndim != 2 or 0 in found.shape or not np.isfinite(found).all():
        arguments.refuse(name, "a map (rows, columns) of finite numbers, such as one of those from grad_cam", value)
    return found


@arguments.checked(image=picture, map=heat, ax=AXES)
@paper_style()
def heat_map(image, map, ax=None):
    """Draw a picture in grey, and over it a map of what speaks for a genre.

    The map is stretched to the picture, so that it may have the size of the network's input. Where it is 0, the grey
    picture is seen; high values are opaque and bright.

    Args:
        image: Array (height, width, 3) or (height, width), 0 to 255, or a PIL image; `None` draws a placeholder.
        map: Floats (rows, columns), 0..1, from `evaluation.explain`; values beyond are clipped.
        ax: matplotlib Axes to draw on. Defaults to new ones.

    Returns:
        The Axes.
    """
    shape = (268, 182) if image is None else np.shape(image)[:2]
    ax = new_axes(2 * shape[0] / shape[1], 2) if ax is None else ax
    if image is None:
        draw_image(ax, None)
    else:
        pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image).squeeze()
        grey = pixels if pixels.ndim == 2 else pixels[..., :3] @ [0.299, 0.587, 0.114]
        draw_image(ax, 60 + grey * 0.75)  # lighter and with less contrast than the map
    values = np.clip(map, 0, 1)
    corners = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)  # the outer edges of the picture's pixels
    look = {"cmap": COLORS, "vmin": 0, "vmax": 1, "interpolation": "bilinear"}
    ax.imshow(values, extent=corners, alpha=np.minimum(0.75, 1.5 * values), **look)
    ax.set(xlim=corners[:2], ylim=corners[2:])
    ax.axis("off")
    return ax


@arguments.checked(
    images=pictures,
    probabilities=arguments.numeric,
    class_names=arguments.names,
    maps=arguments.sequence,
    titles=arguments.optional(arguments.sequence),
)
@paper_style()
def explanation_cards(images, probabilities, class_names, maps, *, titles=None, top=None, thresholds=None):
    """Draw prediction cards with heat maps of some genres next to them, one card per row.

    Args:
        images, probabilities, class_names, titles, top, thresholds: See `prediction_cards`.
        maps: A dict of genre -> map for each image, as for `heat_map`.

    Returns:
        matplotlib Figure of page width.

    Raises:
        ValueError: If there are no images, or the arguments differ in length.
    """
    titles = [None] * len(images) if titles is None else titles
    lengths = {"images": len(images), "probabilities": len(probabilities), "maps": len(maps), "titles": len(titles)}
    if len(images) == 0 or len(set(lengths.values())) > 1:
        raise ValueError(f"`images` and the other arguments must have the same length, 1 or more. Received: {lengths}")
    figure = plt.figure(figsize=(PAGE_WIDTH, CARD_HEIGHT * len(images)), layout="constrained")
    rows = figure.subfigures(len(images), 1, squeeze=False, hspace=0.04)[:, 0]
    for row, image, scores, explained, title in zip(rows, images, probabilities, maps, titles, strict=True):
        card, side = row.subfigures(1, 2, wspace=0.02)
        prediction_card(image, scores, class_names, title=title, top=top, thresholds=thresholds, figure=card)
        for ax, (genre, map_) in zip(side.subplots(1, max(3, len(explained))), explained.items(), strict=False):
            heat_map(image, map_, ax).set_title(genre, fontsize=7)
        for ax in side.axes:
            ax.axis("off")
    return figure
