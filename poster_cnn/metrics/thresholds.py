"""For each genre the probability from which it counts as predicted, chosen by F1."""

import numpy as np
from sklearn.metrics import precision_recall_curve


def best_thresholds(y_true, y_prob):
    """For each genre the threshold with the greatest F1 on the movies given.

    Take movies that the network was neither trained nor tested on, such as the validation movies. Every threshold
    between two neighbouring probabilities gives the same F1; the middle is chosen, with 0 below the least probability.
    Of several equally good thresholds it is the highest.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, 0..1.

    Returns:
        float64 array `(num_classes,)`, above 0 and up to 1; a genre counts as predicted where its probability is at or
        above its threshold. 0.5 for a genre that has no movie, or that no threshold finds.

    Raises:
        ValueError: If the shapes differ, there is no movie, or `y_prob` are no probabilities.

    Example:

    >>> best_thresholds([[1], [1], [0], [0]], [[0.4], [0.2], [0.1], [0.0]])
    array([0.15])
    """
    y_true, y_prob = np.asarray(y_true) > 0, np.asarray(y_prob, dtype="float64")
    if y_true.ndim != 2 or y_true.shape != y_prob.shape or not len(y_true):
        raise ValueError(
            "`y_true` and `y_prob` must both be (num_movies, num_classes), with a movie at least. "
            f"Received: shapes {y_true.shape} and {y_prob.shape}"
        )
    if not ((y_prob >= 0) & (y_prob <= 1)).all():
        raise ValueError(f"`y_prob` must be probabilities, 0..1. Received: {y_prob.min()} to {y_prob.max()}")
    return np.array([_best_threshold(*genre) for genre in zip(y_true.T, y_prob.T, strict=True)])


def _best_threshold(y_true, y_prob):
    if not y_prob[y_true].any():  # no movie, or none that a threshold above 0 could find
        return 0.5
    precision, recall, scores = precision_recall_curve(y_true, y_prob)
    precision, recall = precision[:-1], recall[:-1]  # the last point predicts nothing
    sums = precision + recall
    f1 = np.divide(2 * precision * recall, sums, out=np.zeros_like(sums), where=sums > 0)
    f1[scores == 0] = 0
    best = np.flatnonzero(np.round(f1, 12) == np.round(f1.max(), 12))[-1]  # rounded, or equal ones would differ
    below = scores[best - 1] if best else 0.0
    middle = (below + scores[best]) / 2
    return middle if middle > below else scores[best]  # nothing may lie between two neighbouring floats
