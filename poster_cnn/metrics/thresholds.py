"""Decision threshold of each genre, chosen by F1."""

import numpy as np
from sklearn.metrics import precision_recall_curve

from poster_cnn.metrics.scores import check_arrays


def best_thresholds(y_true, y_prob):
    """Return the threshold of each genre with the highest F1 on the given movies.

    Pass movies that the network was neither trained nor tested on, such as the validation movies. All thresholds
    between two neighbouring probabilities give the same F1; the midpoint is returned, with 0 below the lowest
    probability. Ties go to the highest threshold.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, 0..1.

    Returns:
        float64 array `(num_classes,)`, above 0 and at most 1; a genre is predicted if its probability reaches its
        threshold. 0.5 for a genre that has no movie, or whose movies all have a probability of 0.

    Raises:
        ValueError: If the shapes differ, there is no movie, or `y_prob` is outside 0..1.

    Example:

    >>> best_thresholds([[1], [1], [0], [0]], [[0.4], [0.2], [0.1], [0.0]])
    array([0.15])
    """
    y_true, y_prob = check_arrays(y_true, y_prob)
    if not ((y_prob >= 0) & (y_prob <= 1)).all():
        raise ValueError(f"`y_prob` must be probabilities, 0..1. Received: {y_prob.min()} to {y_prob.max()}")
    columns = zip(y_true.T > 0, y_prob.T.astype("float64"), strict=True)
    return np.array([_best_threshold(*column) for column in columns])


def _best_threshold(y_true, y_prob):
    if not y_prob[y_true].any():  # no movie, or none above 0
        return 0.5
    precision, recall, scores = precision_recall_curve(y_true, y_prob)
    precision, recall = precision[:-1], recall[:-1]  # the last point predicts nothing
    sums = precision + recall
    f1 = np.divide(2 * precision * recall, sums, out=np.zeros_like(sums), where=sums > 0)
    f1[scores == 0] = 0
    best = np.flatnonzero(np.round(f1, 12) == np.round(f1.max(), 12))[-1]  # rounded to detect ties
    below = scores[best - 1] if best else 0.0
    middle = (below + scores[best]) / 2
    return middle if middle > below else scores[best]  # neighbouring floats have no midpoint
