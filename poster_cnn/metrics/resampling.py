"""Scores of bootstrap samples, from how often a sample draws each movie.

No sample is made: a metric that is a ratio of sums over movies is a product of two matrices, and for average precision
the predictions are sorted once for all samples.
"""

import numpy as np

from poster_cnn.metrics import arguments
from poster_cnn.metrics.scores import BY_NAME, LOGIT_HALF, check_arrays

_NUMBERS = 1_000_000  # of one array of the scores of several samples, which bounds memory


def check_seeds(y_true, y_prob):
    """Return the checked labels and a list of the checked predictions of each seed, or of the only one."""
    y_prob = arguments.numeric("y_prob", y_prob)
    of_seeds = list(y_prob) if y_prob.ndim == 3 and len(y_prob) else [y_prob]
    checked = [check_arrays(y_true, of_seed, needs_positive=True) for of_seed in of_seeds]
    return checked[0][0], [of_seed for _, of_seed in checked]


def mean_value(name, y_true, of_seeds):
    """Return a metric by its name, the mean of the predictions of several seeds."""
    values = [BY_NAME[name](y_true, y_prob) for y_prob in of_seeds]
    return values[0] if len(values) == 1 else float(np.mean(values))


def check_groups(groups, y_true):
    """Return the number of groups and the number of each row's group; each row is its own group if it is `None`."""
    if groups is None:
        return len(y_true), np.arange(len(y_true))
    if np.shape(groups) != y_true.shape[:1]:
        arguments.refuse("groups", f"an array of {len(y_true)} values, one per row", groups)
    names, membership = np.unique(groups, return_inverse=True)
    return len(names), membership


def draw_counts(num_groups, num_resamples, seed):
    """Draw groups with replacement.

    Returns:
        int64 array `(num_resamples, num_groups)`: how often each sample has each group.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.integers(num_groups, size=num_groups) for _ in range(num_resamples))
    return np.stack([np.bincount(drawn, minlength=num_groups) for drawn in draws])


def sample_scorer(y_true, *, groups=None, num_resamples=1000, seed=0):
    """Draw bootstrap samples of movies, and return a function that scores predictions on them.

    Args:
        y_true, groups, num_resamples, seed: As in `intervals.bootstrap_interval`.

    Returns:
        Function of a key of `BY_NAME` and probabilities of one or several seeds. It returns `(value, samples)`: the
        metric, the mean of the seeds, and float64 `(num_resamples,)`, the same of each sample; NaN for a sample without
        a positive label.
    """
    y_true = arguments.numeric("y_true", y_true)
    num_groups, membership = check_groups(groups, y_true)
    counts = draw_counts(num_groups, num_resamples, seed)
    has_genre = counts @ np.bincount(membership, weights=y_true.any(axis=-1), minlength=num_groups) > 0

    def scores(metric, y_prob):
        labels, of_seeds = check_seeds(y_true, y_prob)
        samples = np.mean([_resampled(metric, labels, one, counts, membership) for one in of_seeds], axis=0)
        return mean_value(metric, labels, of_seeds), np.where(has_genre, samples, np.nan)

    return scores


def _resampled(metric, y_true, y_prob, counts, membership):
    if metric in _PARTS:
        parts = _PARTS[metric](y_true, y_prob)
        sums = [counts @ np.bincount(membership, weights=part, minlength=counts.shape[1]) for part in parts]
        return np.divide(*sums, out=np.zeros(len(counts)), where=sums[1] > 0)
    if metric == "average_precision_micro":
        rows = np.repeat(membership, y_true.shape[1])
        return _average_precision(y_true.ravel(), y_prob.ravel(), counts, rows)
    columns = zip(y_true.T, y_prob.T, strict=True)
    by_genre = np.stack([_average_precision(*column, counts, membership) for column in columns])
    drawn = np.isfinite(by_genre)  # a genre without a movie in a sample does not count
    return np.where(drawn, by_genre, 0).sum(axis=0) / np.maximum(drawn.sum(axis=0), 1)


def _average_precision(y_true, y_prob, counts, membership):
    """Return the average precision of one genre in each sample; NaN where no movie has it."""
    order = np.argsort(-y_prob, kind="stable")
    y_prob, membership = y_prob[order], membership[order]
    positive = np.flatnonzero(y_true[order] > 0)
    if not len(positive):
        return np.full(len(counts), np.nan)
    # Tied probabilities share the precision after the last of them.
    ends = np.flatnonzero(np.append(y_prob[1:] != y_prob[:-1], True))
    end = ends[np.searchsorted(ends, positive)]
    last_hit = np.searchsorted(positive, end, side="right") - 1
    scores, step = [], max(1, _NUMBERS // len(order))
    for start in range(0, len(counts), step):
        some = counts[start : start + step].astype("int32")
        drawn = np.cumsum(some.take(membership, axis=1), axis=1, dtype="int32").take(end, axis=1)
        times = some.take(membership[positive], axis=1)
        hits = np.cumsum(times, axis=1, dtype="int32")
        total, precision = hits[:, -1], hits.take(last_hit, axis=1) / np.maximum(drawn, 1)
        sums = (times * precision).sum(axis=1)
        scores.append(np.divide(sums, total, out=np.full(len(some), np.nan), where=total > 0))
    return np.concatenate(scores)


def _first_label(y_true, y_prob):
    has_genre = y_true.any(axis=1)
    return has_genre & (y_true.argmax(axis=1) == y_prob.argmax(axis=1)), has_genre


def _hit(y_true, y_prob):
    return y_true[np.arange(len(y_true)), y_prob.argmax(axis=1)], y_true.any(axis=1)


def _top_n(y_true, y_prob):
    num_genres = y_true.sum(axis=1)
    ranked = np.take_along_axis(y_true, np.argsort(-y_prob, axis=1, kind="stable"), axis=1)
    found = (ranked * (np.arange(y_true.shape[1]) < num_genres[:, None])).sum(axis=1)
    return found / np.maximum(num_genres, 1), num_genres > 0


def _labels(y_true, y_prob):
    correct = (y_prob >= 0.5) == (y_true > 0)
    return correct.sum(axis=1), np.full(len(y_true), y_true.shape[1])


def _average_precision_of_movies(y_true, y_prob):
    found = np.zeros(len(y_true))
    has_genre = y_true.any(axis=1)
    order = np.argsort(-y_prob[has_genre], axis=1, kind="stable")
    positive = np.take_along_axis(y_true[has_genre] > 0, order, axis=1)
    y_prob = np.take_along_axis(y_prob[has_genre], order, axis=1)
    rank = np.arange(1, y_true.shape[1] + 1)
    # Tied probabilities share the precision after the last of them.
    is_last = np.hstack([y_prob[:, 1:] != y_prob[:, :-1], np.ones_like(positive[:, :1])])
    last = np.minimum.accumulate(np.where(is_last, rank - 1, len(rank))[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(np.cumsum(positive, axis=1) / rank, last, axis=1)
    found[has_genre] = (precision * positive).sum(axis=1) / positive.sum(axis=1)
    return found, has_genre


def _overall(kind, threshold):
    def parts(y_true, y_prob):
        predicted, positive = y_prob >= threshold, y_true > 0
        num_predicted, num_true = predicted.sum(axis=1), positive.sum(axis=1)
        below = {"precision": num_predicted, "recall": num_true, "f1": (num_predicted + num_true) / 2}
        return (predicted & positive).sum(axis=1), below[kind]

    return parts


# Metrics that are a ratio of two sums over movies: functions that return both summands of each movie.
_PARTS = {
    "first_label_accuracy": _first_label,
    "hit_at_1": _hit,
    "top_n_accuracy": _top_n,
    "label_accuracy": _labels,
    "average_precision_samples": _average_precision_of_movies,
    **{f"overall_{kind}": _overall(kind, 0.5) for kind in ("precision", "recall", "f1")},
    **{f"overall_{kind}_at_622": _overall(kind, LOGIT_HALF) for kind in ("precision", "recall", "f1")},
}
