"""Figures of one network's mistakes: precision and recall, reliability, and genres that are taken for others."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from sklearn import metrics as sk

from poster_cnn import metrics
from poster_cnn.figures.style import (
    AXES,
    BLUE,
    COLUMN_WIDTH,
    GREY,
    LEGEND_ABOVE,
    ORANGE,
    PAGE_WIDTH,
    new_axes,
    paper_style,
)
from poster_cnn.metrics import arguments


@arguments.checked(label=arguments.text, ax=AXES)
@paper_style()
def precision_recall_curve(y_true, y_prob, *, threshold=None, label="", ax=None):
    """Draw the precision of one genre at each recall, next to the share of its movies.

    Args:
        y_true: Zeros and ones `(num_movies,)`.
        y_prob: Probabilities `(num_movies,)`.
        threshold: Decision threshold, drawn as a dot. Defaults to `None`: no dot.
        label: Title, such as the genre. Defaults to "".
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    y_true, y_prob = arguments.numeric("y_true", y_true) > 0, arguments.numeric("y_prob", y_prob)
    ax = new_axes(0.75 * COLUMN_WIDTH) if ax is None else ax
    if y_true.any():
        precision, recall, _ = sk.precision_recall_curve(y_true, y_prob)
        found = 100 * sk.average_precision_score(y_true, y_prob)
        ax.step(100 * recall, 100 * precision, where="post", color=BLUE, label=f"Average precision {found:.1f}%")
        if threshold is not None and (predicted := y_prob >= threshold).any():
            hits = (predicted & y_true).sum()
            ax.plot(
                100 * hits / y_true.sum(),
                100 * hits / predicted.sum(),
                "o",
                color=ORANGE,
                clip_on=False,
                label=f"Threshold {100 * threshold:.0f}%",
            )
    share = 100 * y_true.mean()
    ax.axhline(share, color=GREY, linestyle=":", linewidth=0.9, label=f"Share of movies {share:.1f}%")
    ax.set(xlabel="Recall (%)", ylabel="Precision (%)", xlim=(0, 100), ylim=(0, 102), title=label)
    ax.legend(loc="best")
    return ax


@arguments.checked(label=arguments.text, ax=AXES)
@paper_style()
def reliability_diagram(y_true, y_prob, *, activation="sigmoid", num_bins=15, label="Network", ax=None):
    """Draw how often predictions are right against their probabilities; a calibrated network is on the diagonal.

    Called twice with the same Axes, it compares two predictions.

    Args:
        y_true, y_prob, activation, num_bins: As in `metrics.reliability`.
        label: Label in the legend, which has the expected calibration error too. Defaults to "Network".
        ax: Axes to draw on. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.
    """
    options = {"activation": activation, "num_bins": num_bins}
    found = metrics.reliability(y_true, y_prob, **options)
    error = 100 * metrics.expected_calibration_error(y_true, y_prob, **options)
    ax = new_axes(COLUMN_WIDTH) if ax is None else ax
    is_second = bool(ax.lines)
    if not is_second:
        ax.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=0.9)
    style = {"color": ORANGE if is_second else BLUE, "marker": "s" if is_second else "o", "markersize": 3.5}
    filled = found["count"] > 0
    points = (100 * found[name][filled] for name in ("confidence", "frequency"))
    ax.plot(*points, **style, label=f"{label}: calibration error {error:.1f}%")
    ax.set(xlabel="Predicted probability (%)", ylabel="Observed frequency (%)", xlim=(0, 100), ylim=(0, 100))
    ax.legend(**LEGEND_ABOVE)
    return ax


@arguments.checked(class_names=arguments.genres, ax=AXES)
@paper_style()
def genre_confusion_heatmap(y_true, predicted, class_names, *, ax=None):
    """Draw which genres are taken for which others.

    A row holds the movies of its genre. The framed diagonal is the share that the genre was predicted for (its recall).
    Elsewhere stands the share that the column's genre was predicted for wrongly, of those movies that lack it.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        predicted: Zeros and ones of the same shape: genres at or above their thresholds, or the first genre.
        class_names: Genres, in label order.
        ax: Axes to draw on. Defaults to a new figure, up to page width.

    Returns:
        matplotlib Axes.
    """
    y_true, predicted = arguments.numeric("y_true", y_true) > 0, arguments.numeric("predicted", predicted) > 0
    movies = y_true.T.astype(int)
    wrong, lacking = movies @ (predicted & ~y_true), movies @ ~y_true
    same = np.eye(len(class_names), dtype=bool)
    count = np.where(same, movies @ (predicted & y_true), wrong)
    of = np.where(same, movies.sum(axis=1), lacking)
    share = np.divide(100.0 * count, of, out=np.full(of.shape, np.nan), where=of > 0)
    if ax is None:
        width = min(PAGE_WIDTH, 1.8 + 0.3 * len(class_names))
        ax = new_axes(width, width)
    sns.heatmap(
        share,
        annot=True,
        fmt=".0f",
        annot_kws={"fontsize": 6},
        cmap="Blues",
        vmin=0,
        vmax=100,
        linewidths=0.4,
        linecolor="white",
        square=True,
        cbar=False,
        xticklabels=class_names,
        yticklabels=class_names,
        ax=ax,
    )
    frame = {"edgecolor": GREY, "linewidth": 0.9, "clip_on": False}
    for position in range(len(class_names)):
        ax.add_patch(plt.Rectangle((position, position), 1, 1, fill=False, **frame))
    ax.set(xlabel="Predicted (%)", ylabel="Movies of the genre")
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return ax
