"""Scores counted for resampled movies: equal to scikit-learn's, which `metrics` reports, and many times quicker.

A bootstrap interval takes a score a thousand times, so that is where the time goes.
"""

import functools

import numpy as np

from poster_cnn.metrics.scores import BY_NAME, LOGIT_HALF, _checked, _overall, check_names


def overall_precision_recall_f1(y_true, y_prob, threshold=0.5):
    """As `metrics.overall_precision_recall_f1`, unchecked: `(precision, recall, f1)`."""
    positive, predicted = y_true > 0, y_prob >= threshold
    hits, num_true, num_predicted = (positive & predicted).sum(), positive.sum(), predicted.sum()
    counts = (num_predicted, num_true, (num_predicted + num_true) / 2)
    return tuple(float(hits / count) if count else 0.0 for count in counts)


def average_precision(y_true, y_prob, average="macro"):
    """As `metrics.average_precision`, unchecked."""
    if average == "micro":
        y_true, y_prob = y_true.reshape(-1, 1), y_prob.reshape(-1, 1)
    elif average == "samples":
        y_true, y_prob = y_true.T, y_prob.T
    has_positive = y_true.any(axis=0)
    return float(np.mean(_average_precisions(y_true[:, has_positive], y_prob[:, has_positive])))


def _average_precisions(y_true, y_prob):
    """Average precision of each column; each has a positive."""
    order = np.argsort(-y_prob, axis=0, kind="stable")
    y_true, y_prob = np.take_along_axis(y_true > 0, order, axis=0), np.take_along_axis(y_prob, order, axis=0)
    rank = np.arange(1, len(y_true) + 1)[:, None]
    precision = np.cumsum(y_true, axis=0) / rank
    # Of equal probabilities, the precision after the last of them counts.
    is_last = np.vstack([y_prob[1:] != y_prob[:-1], np.ones_like(y_true[:1])])
    last = np.minimum.accumulate(np.where(is_last, rank - 1, len(rank))[::-1], axis=0)[::-1]
    return (np.take_along_axis(precision, last, axis=0) * y_true).sum(axis=0) / y_true.sum(axis=0)


# What stands for them where movies are resampled: the same numbers, quicker.
_COUNT = overall_precision_recall_f1
_RESAMPLED = {
    "average_precision": average_precision,
    "average_precision_micro": functools.partial(average_precision, average="micro"),
    "average_precision_samples": functools.partial(average_precision, average="samples"),
    "overall_f1": _overall(2, 0.5, _COUNT),
    "overall_precision": _overall(0, 0.5, _COUNT),
    "overall_recall": _overall(1, 0.5, _COUNT),
    "overall_precision_at_622": _overall(0, LOGIT_HALF, _COUNT),
    "overall_recall_at_622": _overall(1, LOGIT_HALF, _COUNT),
    "overall_f1_at_622": _overall(2, LOGIT_HALF, _COUNT),
}


def bootstrap_interval(metric, y_true, y_prob, *, groups=None, num_resamples=1000, level=0.95, seed=0):
    """Percentile bootstrap interval of a score, resampling movies with replacement.

    Args:
        metric: Function of `(y_true, y_prob)`.
        groups: Array `(num_rows,)`; rows with equal values, such as those of one movie, are drawn together. Defaults to
            `None`: each row by itself.
        num_resamples: Defaults to 1000.
        level: Coverage. Defaults to 0.95.
        seed: Seed of the resampling. Defaults to 0.

    Returns:
        `(low, high)`, floats.

    Raises:
        ValueError: If nothing is positive.

    Example:

    >>> low, high = bootstrap_interval(hit_at_1, y_true, y_prob)
    """
    y_true, y_prob = _checked(y_true, y_prob, needs_positive=True)
    draw = _resampler(np.arange(len(y_true)) if groups is None else groups, np.random.default_rng(seed))
    rows = (draw() for _ in range(num_resamples))
    scores = [metric(y_true[row], y_prob[row]) for row in rows if y_true[row].any()]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampler(groups, rng):
    """Function that draws as many groups as there are, with replacement, and gives the positions of their rows."""
    _, membership, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    in_order = np.argsort(membership, kind="stable")
    first = np.cumsum(sizes) - sizes

    def draw():
        drawn = rng.integers(len(sizes), size=len(sizes))
        ends = np.cumsum(sizes[drawn])
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[drawn], sizes[drawn])
        return in_order[np.repeat(first[drawn], sizes[drawn]) + within]

    return draw


def score(names, y_true, y_prob, *, groups=None, num_resamples=1000, seed=0):
    """Several scores with their 95% bootstrap intervals.

    Args:
        names: Keys of `BY_NAME`.
        groups: As in `bootstrap_interval`.
        num_resamples: Defaults to 1000; 0 leaves the intervals out.

    Returns:
        dict: name -> `{"value": float, "low": float, "high": float}`.
    """
    check_names(names)
    result = {}
    for name in names:
        result[name] = {"value": BY_NAME[name](y_true, y_prob)}
        if num_resamples:
            metric, options = _RESAMPLED.get(name, BY_NAME[name]), {"num_resamples": num_resamples, "seed": seed}
            low, high = bootstrap_interval(metric, y_true, y_prob, groups=groups, **options)
            result[name] |= {"low": low, "high": high}
    return result
