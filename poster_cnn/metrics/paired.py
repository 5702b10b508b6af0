"""Paired differences between a network and baselines: bootstrap intervals, p values and their correction."""

import math

import numpy as np

from poster_cnn.metrics import arguments
from poster_cnn.metrics.resampling import sample_scorer
from poster_cnn.metrics.scores import NAMES, check_names

COLOR = "color_histogram"


@arguments.checked(
    names=NAMES,
    others=arguments.instance(dict, "a dict of a name -> probabilities"),
    num_resamples=arguments.count,
    seed=arguments.seed,
)
def margins(names, y_true, y_prob, others, *, groups=None, num_resamples=1000, seed=0):
    """Return the differences of several metrics between one prediction and others of the same movies.

    All predictions are scored on the same resampled movies. This is a fast `paired_difference_interval` for several
    metrics and predictions at once.

    Args:
        names: Keys of `BY_NAME`.
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, or of several seeds as in `bootstrap_interval`.
        others: Dict of name -> probabilities whose scores are subtracted, of one or several seeds.
        groups, num_resamples, seed: As in `bootstrap_interval`.

    Returns:
        dict: metric -> other's name -> `{"value", "low", "high", "p_value"}`. The interval covers 95%. The p value is
        two-sided, from a normal distribution with the standard deviation of the resampled differences, so it is not
        limited by the number of resamples.

    Raises:
        ValueError: If a name is unknown, or the shapes differ.

    Example:

    >>> margins(["hit_at_1"], y_true, y_prob, {"color_histogram": color_prob})["hit_at_1"]["color_histogram"]["low"]
    """
    check_names(names)
    scores, found = sample_scorer(y_true, groups=groups, num_resamples=num_resamples, seed=seed), {}
    for metric in names:
        (value, samples), found[metric] = scores(metric, y_prob), {}
        for name, other in others.items():
            other_value, other_samples = scores(metric, other)
            differences = samples - other_samples
            found[metric][name] = _summary(value - other_value, differences[np.isfinite(differences)])
    return found


def baseline_margins(names, y_true, y_prob, baselines, scores, *, groups=None):
    """Return the margins of a network over a color histogram and over the strongest of the other baselines.

    Args:
        names, y_true, y_prob, groups: As in `margins`.
        baselines: Dict of name -> probabilities.
        scores: Dict of name -> dict of metric -> score of the baseline.

    Returns:
        As `margins`, with at most two baselines per metric.
    """
    found = {}
    for metric in names:
        others = {name: scores[name][metric] for name in baselines if metric in scores[name]}
        constant = {name: score for name, score in others.items() if name != COLOR}
        compared = [*([COLOR] if COLOR in others else []), *([max(constant, key=constant.get)] if constant else [])]
        chosen = {name: baselines[name] for name in compared}
        found |= margins([metric], y_true, y_prob, chosen, groups=groups)
    return found


@arguments.checked(p_values=arguments.numeric)
def holm(p_values):
    """Return p values corrected for their number by Holm's method.

    Args:
        p_values: Array of p values, 0..1. NaN values are no comparisons and stay NaN.

    Returns:
        float64 array of the same shape. A corrected value below 0.05 is a difference that holds among all of them.

    Example:

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype="float64")
    corrected = p_values.copy()
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]  # NaN is sorted to the end
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def _summary(value, samples):
    low, high = np.quantile(samples, [0.025, 0.975])
    spread = samples.std()
    if spread:
        p_value = math.erfc(abs(value) / spread / math.sqrt(2))
    else:
        p_value = float(value == 0)
    return {"value": float(value), "low": float(low), "high": float(high), "p_value": p_value}
