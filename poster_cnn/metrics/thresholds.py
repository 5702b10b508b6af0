"""Decision threshold of each genre, chosen by F1."""

import numpy as np
from sklearn.metrics import precision_recall_curve

from poster_cnn.metrics import arguments
from poster_cnn.metrics.resampling import check_groups
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


@arguments.checked(num_folds=arguments.count)
def held_out_predictions(y_true, y_prob, *, groups=None, num_folds=5):
    """Predict the genres of each movie with thresholds chosen on the other movies.

    A score of these predictions may choose between networks, because no movie is judged by a threshold that was chosen
    on it.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, 0..1.
        groups: Array `(num_movies,)`; rows with equal values are in one fold. Defaults to `None`: each row is its own
            group.
        num_folds: Number of folds. Defaults to 5, or the number of groups if there are fewer.

    Returns:
        bool array `(num_movies, num_classes)`. With a single group, nothing is held out.

    Raises:
        ValueError: As in `best_thresholds`.
    """
    y_true, y_prob = check_arrays(y_true, y_prob)
    num_groups, membership = check_groups(groups, y_true)
    if num_groups == 1:
        return y_prob >= best_thresholds(y_true, y_prob)
    folds = np.random.default_rng(0).permutation(num_groups)[membership] % min(num_folds, num_groups)
    predicted = np.zeros(y_true.shape, dtype=bool)
    for fold in np.unique(folds):
        held_out = folds == fold
        predicted[held_out] = y_prob[held_out] >= best_thresholds(y_true[~held_out], y_prob[~held_out])
    return predicted


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
