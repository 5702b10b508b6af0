"""Bootstrap intervals, and fast equivalents of the metrics that scikit-learn computes slowly.

An interval needs a thousand evaluations of its metric, so the metric's speed decides.
"""

import functools

import numpy as np

from poster_cnn.metrics import arguments
from poster_cnn.metrics.scores import BY_NAME, LOGIT_HALF, NAMES, check_arrays, check_names, overall


@arguments.checked(metric=arguments.function)
def bootstrap_interval(metric, y_true, y_prob, *, groups=None, num_resamples=1000, level=0.95, seed=0):
    """Return the percentile bootstrap interval of a metric, resampling movies with replacement.

    Args:
        metric: Function of `(y_true, y_prob)` that returns a float.
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`. With a first axis of several seeds, the interval is that of
            the mean of the seeds' scores: all seeds are scored on the same resampled movies.
        groups: Array `(num_movies,)`; rows with equal values, such as those of one movie, are drawn together. Defaults
            to `None`: each row is its own group.
        num_resamples: Number of bootstrap samples. Defaults to 1000.
        level: Coverage. Defaults to 0.95.
        seed: Seed of the resampling. Defaults to 0.

    Returns:
        `(low, high)`, floats.

    Raises:
        ValueError: If `y_true` has no positive label.

    Example:

    >>> low, high = bootstrap_interval(hit_at_1, y_true, y_prob)
    """
    y_true, of_seeds = _seeds(y_true, y_prob)
    sampling = {"groups": groups, "num_resamples": num_resamples, "level": level, "seed": seed}
    return _percentiles(lambda rows: _mean_score(metric, y_true, of_seeds, rows), y_true, **sampling)


@arguments.checked(metric=arguments.function)
def paired_difference_interval(metric, y_true, y_prob, other_prob, **sampling):
    """Return the bootstrap interval of the difference of a metric between two predictions of the same movies.

    Both predictions are scored on the same resampled movies, which gives a narrower interval than two separate ones.

    Args:
        metric: Function of `(y_true, y_prob)` that returns a float.
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, or of several seeds as in `bootstrap_interval`.
        other_prob: Probabilities whose score is subtracted, of one or several seeds.
        **sampling: `groups`, `num_resamples`, `level` and `seed`, as in `bootstrap_interval`.

    Returns:
        `(low, high)`, floats: bounds of `metric(y_true, y_prob) - metric(y_true, other_prob)`.

    Raises:
        ValueError: If the shapes differ, or `y_true` has no positive label.
    """
    y_true, of_seeds = _seeds(y_true, y_prob)
    _, of_others = _seeds(y_true, other_prob)

    def difference(rows):
        return _mean_score(metric, y_true, of_seeds, rows) - _mean_score(metric, y_true, of_others, rows)

    return _percentiles(difference, y_true, **sampling)


@arguments.checked(names=NAMES, num_resamples=arguments.natural, seed=arguments.seed)
def score(names, y_true, y_prob, *, groups=None, num_resamples=1000, seed=0):
    """Return several metrics with their 95% bootstrap intervals.

    Args:
        names: Keys of `BY_NAME`.
        y_true, y_prob, groups, seed: As in `bootstrap_interval`.
        num_resamples: Number of bootstrap samples; 0 omits the intervals. Defaults to 1000.

    Returns:
        dict: name -> `{"value": float, "low": float, "high": float}`.

    Raises:
        ValueError: If a name is unknown.
    """
    check_names(names)
    result = {}
    for name in names:
        result[name] = {"value": BY_NAME[name](y_true, y_prob)}
        if num_resamples:
            metric, sampling = FAST.get(name, BY_NAME[name]), {"num_resamples": num_resamples, "seed": seed}
            low, high = bootstrap_interval(metric, y_true, y_prob, groups=groups, **sampling)
            result[name] |= {"low": low, "high": high}
    return result


def _seeds(y_true, y_prob):
    """Return the labels and a list of the predictions of each seed, all checked."""
    y_prob = arguments.numeric("y_prob", y_prob)
    of_seeds = list(y_prob) if y_prob.ndim == 3 and len(y_prob) else [y_prob]
    checked = [check_arrays(y_true, of_seed, needs_positive=True) for of_seed in of_seeds]
    return checked[0][0], [of_seed for _, of_seed in checked]


def _mean_score(metric, y_true, of_seeds, rows):
    scores = [metric(y_true[rows], y_prob[rows]) for y_prob in of_seeds]
    return scores[0] if len(scores) == 1 else float(np.mean(scores))


def fast_precision_recall_f1(y_true, y_prob, threshold=0.5):
    """Return the same floats as `overall_precision_recall_f1`, without checks."""
    positive, predicted = y_true > 0, y_prob >= threshold
    hits, num_true, num_predicted = (positive & predicted).sum(), positive.sum(), predicted.sum()
    counts = (num_predicted, num_true, (num_predicted + num_true) / 2)
    return tuple(float(hits / count) if count else 0.0 for count in counts)


def fast_average_precision(y_true, y_prob, average="macro"):
    """Return the same float as `average_precision`, without checks."""
    if average == "micro":
        y_true, y_prob = y_true.reshape(-1, 1), y_prob.reshape(-1, 1)
    elif average == "samples":
        y_true, y_prob = y_true.T, y_prob.T
    has_positive = y_true.any(axis=0)
    return float(np.mean(_average_precisions(y_true[:, has_positive], y_prob[:, has_positive])))


def _average_precisions(y_true, y_prob):
    """Average precision of each column; each must have a positive label."""
    order = np.argsort(-y_prob, axis=0, kind="stable")
    y_true, y_prob = np.take_along_axis(y_true > 0, order, axis=0), np.take_along_axis(y_prob, order, axis=0)
    rank = np.arange(1, len(y_true) + 1)[:, None]
    precision = np.cumsum(y_true, axis=0) / rank
    # Tied probabilities share the precision after the last of them.
    is_last = np.vstack([y_prob[1:] != y_prob[:-1], np.ones_like(y_true[:1])])
    last = np.minimum.accumulate(np.where(is_last, rank - 1, len(rank))[::-1], axis=0)[::-1]
    return (np.take_along_axis(precision, last, axis=0) * y_true).sum(axis=0) / y_true.sum(axis=0)


# Fast equivalents for the bootstrap, by the metric's name in `BY_NAME`.
FAST = {
    "average_precision": fast_average_precision,
    "average_precision_micro": functools.partial(fast_average_precision, average="micro"),
    "average_precision_samples": functools.partial(fast_average_precision, average="samples"),
    "overall_precision": overall(0, 0.5, fast_precision_recall_f1),
    "overall_recall": overall(1, 0.5, fast_precision_recall_f1),
    "overall_f1": overall(2, 0.5, fast_precision_recall_f1),
    "overall_precision_at_622": overall(0, LOGIT_HALF, fast_precision_recall_f1),
    "overall_recall_at_622": overall(1, LOGIT_HALF, fast_precision_recall_f1),
    "overall_f1_at_622": overall(2, LOGIT_HALF, fast_precision_recall_f1),
}


@arguments.checked(num_resamples=arguments.count, level=arguments.fraction, seed=arguments.seed)
def _percentiles(score_rows, y_true, *, groups=None, num_resamples=1000, level=0.95, seed=0):
    """Quantiles of `score_rows(rows)` over resamples; samples without a positive label are skipped."""
    draw = _resampler(check_groups(groups, y_true), np.random.default_rng(seed))
    samples = (draw() for _ in range(num_resamples))
    scores = [score_rows(rows) for rows in samples if y_true[rows].any()]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def check_groups(groups, y_true):
    """Return the number of groups and the number of each row's group; each row is its own group if it is `None`."""
    if groups is None:
        return len(y_true), np.arange(len(y_true))
    if np.shape(groups) != y_true.shape[:1]:
        arguments.refuse("groups", f"an array of {len(y_true)} values, one per row", groups)
    names, membership = np.unique(groups, return_inverse=True)
    return len(names), membership


def _resampler(groups, rng):
    """Function that draws groups with replacement and returns the positions of their rows."""
    num_groups, membership = groups
    sizes = np.bincount(membership, minlength=num_groups)
    in_order = np.argsort(membership, kind="stable")
    first = np.cumsum(sizes) - sizes

    def draw():
        drawn = rng.integers(len(sizes), size=len(sizes))
        ends = np.cumsum(sizes[drawn])
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[drawn], sizes[drawn])
        return in_order[np.repeat(first[drawn], sizes[drawn]) + within]

    return draw
