"""A batch of posters with what a network says of each, in rows."""

import numpy as np

from poster_cnn.figures.cards import draw_image
from poster_cnn.figures.images import axes_in_rows
from poster_cnn.figures.style import GREEN, PAGE_WIDTH, RED, paper_style
from poster_cnn.results.collect import genres_of


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
