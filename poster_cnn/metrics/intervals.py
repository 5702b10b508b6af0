"""Bootstrap intervals of metrics and of their differences."""

import numpy as np

from poster_cnn.metrics import arguments
from poster_cnn.metrics.resampling import check_groups, check_seeds, draw_counts, sample_scorer
from poster_cnn.metrics.scores import BY_NAME, NAMES, check_names


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
    y_true, of_seeds = check_seeds(y_true, y_prob)
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
    y_true, of_seeds = check_seeds(y_true, y_prob)
    _, of_others = check_seeds(y_true, other_prob)

    def difference(rows):
        return _mean_score(metric, y_true, of_seeds, rows) - _mean_score(metric, y_true, of_others, rows)

    return _percentiles(difference, y_true, **sampling)


@arguments.checked(names=NAMES, num_resamples=arguments.natural, seed=arguments.seed)
def score(names, y_true, y_prob, *, groups=None, num_resamples=1000, seed=0):
    """Return several metrics with their 95% bootstrap intervals.

    Args:
        names: Keys of `BY_NAME`.
        y_true, y_prob, groups, seed: As in `bootstrap_interval`; several seeds need intervals.
        num_resamples: Number of bootstrap samples; 0 omits the intervals. Defaults to 1000.

    Returns:
        dict: name -> `{"value": float, "low": float, "high": float}`.

    Raises:
        ValueError: If a name is unknown.
    """
    check_names(names)
    if not num_resamples:
        return {name: {"value": BY_NAME[name](y_true, y_prob)} for name in names}
    result, scores = {}, sample_scorer(y_true, groups=groups, num_resamples=num_resamples, seed=seed)
    for name in names:
        value, samples = scores(name, y_prob)
        low, high = np.nanquantile(samples, [0.025, 0.975])
        result[name] = {"value": value, "low": float(low), "high": float(high)}
    return result


def _mean_score(metric, y_true, of_seeds, rows):
    scores = [metric(y_true[rows], y_prob[rows]) for y_prob in of_seeds]
    return scores[0] if len(scores) == 1 else float(np.mean(scores))


def fast_precision_recall_f1(y_true, y_prob, threshold=0.5):
    """Return the same floats as `overall_precision_recall_f1`, without checks."""
    positive, predicted = y_true > 0, y_prob >= threshold
    hits, num_true, num_predicted = (positive & predicted).sum(), positive.sum(), predicted.sum()
    counts = (num_predicted, num_true, (num_predicted + num_true) / 2)
    return tuple(float(hits / count) if count else 0.0 for count in counts)


@arguments.checked(num_resamples=arguments.count, level=arguments.fraction, seed=arguments.seed)
def _percentiles(score_rows, y_true, *, groups=None, num_resamples=1000, level=0.95, seed=0):
    """Quantiles of `score_rows(rows)` over resamples; samples without a positive label are skipped."""
    num_groups, membership = check_groups(groups, y_true)
    counts = draw_counts(num_groups, num_resamples, seed)
    samples = (np.repeat(np.arange(len(y_true)), drawn[membership]) for drawn in counts)
    scores = [score_rows(rows) for rows in samples if y_true[rows].any()]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
