"""Metrics of the papers, computed over a whole split with NumPy and scikit-learn.

Every metric takes `y_true`, zeros and ones `(num_movies, num_classes)`, and `y_prob`, probabilities of the same shape,
and raises a ValueError if they cannot be scored. Unless stated otherwise, it returns a float in 0..1.
"""

import functools

import numpy as np
from sklearn import metrics as sk

from poster_cnn.metrics import arguments

LOGIT_HALF = 1 / (1 + np.exp(-0.5))  # 0.622: the code of paper 2 predicts a genre when its logit rounds to 1


def first_label_accuracy(y_true, y_prob):
    """Return the share of movies whose top prediction is their *first* true genre in label order.

    This equals Keras's accuracy on multi-hot targets (paper 1, section 4.3). A movie of two genres counts as wrong when
    the top prediction is its second genre; see `hit_at_1`. Movies without a genre are left out. Keras would count them
    as movies of the first genre.
    """
    y_true, y_prob = _with_genre(y_true, y_prob)
    return float(np.mean(y_true.argmax(axis=1) == y_prob.argmax(axis=1)))


def hit_at_1(y_true, y_prob):
    """Return the share of movies whose top prediction is any of their true genres, without movies that have none."""
    y_true, y_prob = _with_genre(y_true, y_prob)
    return float(np.mean(y_true[np.arange(len(y_true)), y_prob.argmax(axis=1)] > 0))


def top_n_accuracy(y_true, y_prob):
    """Return the mean share of a movie's n true genres among its n top predictions (paper 4).

    Movies without a genre are left out.
    """
    y_true, y_prob = _with_genre(y_true, y_prob)
    order = np.argsort(-y_prob, axis=1, kind="stable")
    ranked = np.take_along_axis(y_true, order, axis=1)
    among_top_n = np.arange(y_true.shape[1]) < y_true.sum(axis=1, keepdims=True)
    return float(np.mean((ranked * among_top_n).sum(axis=1) / y_true.sum(axis=1)))


def overall_precision_recall_f1(y_true, y_prob, threshold=0.5):
    """Return micro-averaged precision, recall and F1: OP, OR and OF1 (paper 2).

    Args:
        threshold: Decision threshold: a float, or an array `(num_classes,)` as from `thresholds.best_thresholds`.
            Defaults to 0.5; the code of paper 2 uses 0.622.

    Returns:
        `(precision, recall, f1)`, floats, 0..1; 0 if nothing is predicted.

    Raises:
        ValueError: If `threshold` is neither a number nor an array `(num_classes,)`.
    """
    y_true, y_prob = check_arrays(y_true, y_prob)
    threshold = arguments.numeric("threshold", threshold)
    if np.isnan(threshold).any():
        arguments.refuse("threshold", "a number or an array of numbers", threshold)
    if np.shape(threshold) not in ((), y_true.shape[1:]):
        raise ValueError(
            f"`threshold` must be a number or an array of shape {y_true.shape[1:]}. "
            f"Received: shape {np.shape(threshold)}"
        )
    predicted, average = y_prob >= threshold, "micro"
    if y_true.shape[1] == 1:  # two classes for scikit-learn, whose micro average would count movies without the genre
        y_true, predicted, average = y_true.ravel(), predicted.ravel(), "binary"
    precision, recall, f1, _ = sk.precision_recall_fscore_support(y_true, predicted, average=average, zero_division=0)
    return float(precision), float(recall), float(f1)


@arguments.checked(average=arguments.choice("macro", "micro", "samples"))
def average_precision(y_true, y_prob, average="macro"):
    """Return average precision as scikit-learn defines it (paper 5).

    Args:
        average: `"macro"`, `"micro"` or `"samples"`. Defaults to `"macro"`. Genres (for `"samples"`: movies) without a
            positive label have no average precision and are ignored.
    """
    y_true, y_prob = check_arrays(y_true, y_prob, needs_positive=True)
    if average == "macro":
        y_true, y_prob = y_true[:, y_true.any(axis=0)], y_prob[:, y_true.any(axis=0)]
    elif average == "samples":
        y_true, y_prob = _with_genre(y_true, y_prob)
    return float(sk.average_precision_score(y_true, y_prob, average=average))


def label_accuracy(y_true, y_prob):
    """Return the share of correct (movie, genre) pairs at a threshold of 0.5 (paper 3, section III.C).

    Predicting no genre at all scores high on this metric.
    """
    y_true, y_prob = check_arrays(y_true, y_prob)
    return float(np.mean((y_prob >= 0.5) == (y_true > 0)))


def overall_f1(y_true, y_prob):
    """Return OF1, the micro-averaged F1 at a threshold of 0.5; see `overall_precision_recall_f1`."""
    return overall_precision_recall_f1(y_true, y_prob)[2]


def top_n_accuracy_by_genre(y_true, y_prob):
    """Return for each genre the share of its movies that have it among their n top predictions (paper 4).

    n is the movie's number of true genres, as in `top_n_accuracy`.

    Returns:
        float64 array `(num_classes,)`, 0..1; NaN for a genre without movies.
    """
    y_true, y_prob = check_arrays(y_true, y_prob)
    ranks = np.argsort(np.argsort(-y_prob, axis=1, kind="stable"), axis=1)
    hits = (ranks < y_true.sum(axis=1, keepdims=True)) & (y_true > 0)
    movies = (y_true > 0).sum(axis=0)
    return np.divide(hits.sum(axis=0), movies, out=np.full(len(movies), np.nan), where=movies > 0)


def overall(position, threshold, compute=overall_precision_recall_f1):
    """Return a metric function for one of OP (0), OR (1) and OF1 (2) at a threshold."""
    return lambda y_true, y_prob: compute(y_true, y_prob, threshold)[position]


# Names allowed in a config. Each function takes (y_true, y_prob) and returns a float.
BY_NAME = {
    "first_label_accuracy": first_label_accuracy,
    "hit_at_1": hit_at_1,
    "top_n_accuracy": top_n_accuracy,
    "average_precision": average_precision,
    "average_precision_micro": functools.partial(average_precision, average="micro"),
    "average_precision_samples": functools.partial(average_precision, average="samples"),
    "overall_f1": overall_f1,
    "label_accuracy": label_accuracy,
    "overall_precision": overall(0, 0.5),
    "overall_recall": overall(1, 0.5),
    "overall_precision_at_622": overall(0, LOGIT_HALF),
    "overall_recall_at_622": overall(1, LOGIT_HALF),
    "overall_f1_at_622": overall(2, LOGIT_HALF),
}

# Metrics of general interest, printed by `poster-cnn train --head sigmoid` and `poster-cnn evaluate`.
EVERYDAY = ("first_label_accuracy", "hit_at_1", "top_n_accuracy", "average_precision", "overall_f1", "label_accuracy")
OF_ONE_GENRE = ("average_precision", "overall_f1", "label_accuracy")  # with one genre, nothing is ranked


NAMES = functools.partial(arguments.sequence, expected="a list of names of metrics")


@arguments.checked(names=NAMES)
def check_names(names, argument="names"):
    """Raise a ValueError if a name is not in `BY_NAME`."""
    for name in names:
        if name not in BY_NAME:
            expected = f"Unknown metric. Expected one of {', '.join(BY_NAME)}"
            raise ValueError(f"{expected}. Received: {name!r} in `{argument}`")


@arguments.checked(names=NAMES)
def values(names, y_true, y_prob):
    """Return several metrics without intervals, as a dict from a key of `BY_NAME` to a float."""
    check_names(names)
    return {name: BY_NAME[name](y_true, y_prob) for name in names}


def check_arrays(y_true, y_prob, needs_positive=False):
    """Return both arguments as arrays, or raise a ValueError if they cannot be scored."""
    y_true, y_prob = arguments.numeric("y_true", y_true), arguments.numeric("y_prob", y_prob)
    y_prob = y_prob if y_prob.dtype.kind == "f" else y_prob.astype(float)  # bool and unsigned numbers have no negatives
    if y_true.ndim != 2 or y_true.shape != y_prob.shape or not len(y_true):
        raise ValueError(
            "`y_true` and `y_prob` must both be (num_movies, num_classes), with at least one movie. "
            f"Received: shapes {y_true.shape} and {y_prob.shape}"
        )
    if not ((y_true == 0) | (y_true == 1)).all():
        raise ValueError(f"`y_true` must be zeros and ones. Received: {y_true.min()} to {y_true.max()}")
    if not np.isfinite(y_prob).all():
        raise ValueError("`y_prob` must be finite. Received: NaN or infinity among the probabilities.")
    if needs_positive and not y_true.any():
        raise ValueError("`y_true` must have at least one positive label. Received: an array of zeros.")
    return y_true, y_prob


def _with_genre(y_true, y_prob):
    """Return the checked rows of the movies that have a genre, as the largest of no labels is not the first genre."""
    y_true, y_prob = check_arrays(y_true, y_prob, needs_positive=True)
    has_genre = y_true.any(axis=1)
    return y_true[has_genre], y_prob[has_genre]
