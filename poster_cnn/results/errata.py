"""Errata of paper 2: the same predictions scored in three ways, and the printed scores checked against each other."""

import numpy as np
import pandas as pd

from poster_cnn.metrics import baselines
from poster_cnn.metrics.intervals import bootstrap_interval, fast_precision_recall_f1
from poster_cnn.metrics.scores import LOGIT_HALF, check_arrays, overall
from poster_cnn.results.collect import prediction_arrays

LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET = "last batch", "mean of batches", "whole test set"
_TINY = 1e-12  # for a precision and a recall of 0, whose F1 is 0
SCORES = ["overall_precision", "overall_recall", "overall_f1"]
_f1 = overall(2, 0.5, fast_precision_recall_f1)


def scores_by_mistake(
    y_true, y_prob, *, batch_size=64, thresholds=(0.5, LOGIT_HALF), train_labels=None, num_resamples=1000, seed=0
):
    """Score predictions in the two wrong ways of paper 2's code and in the way of its section V.A.

    The rows are cut into batches. "last batch" scores the remaining posters alone. "mean of batches" averages the
    batches' scores, so a small last batch counts as much as a full one, and the mean F1 is not the harmonic mean of
    precision and recall. Both depend on the order of the rows, so the scores are those of the random order with the
    median F1. The score of a single order may lie outside the range of 95% of them. A score with denominator 0 is 0.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities of the same shape.
        batch_size: Number of posters per batch. Defaults to 64, as in the paper.
        thresholds: Decision thresholds. Defaults to 0.5 and 0.622, the one in the paper's code.
        train_labels: Zeros and ones `(num_train, num_classes)`, which add rows for predicting the most frequent genre,
            and the best number of frequent genres, for every movie. Defaults to `None`: no such rows.
        num_resamples: Number of random orders or bootstrap samples. Defaults to 1000.
        seed: Seed of the orders and samples. Defaults to 0.

    Returns:
        DataFrame, one row per threshold and way of scoring: `predictions` ("network", "most frequent genre", "2 most
        frequent genres" ...), `threshold`, `scored` ("last batch", "mean of batches" or "whole test set"), `posters`
        (int, number of posters scored); in percent `overall_precision`, `overall_recall`, `overall_f1`; `low` and
        `high`, the 2.5th and 97.5th percentiles of `overall_f1` over random orders of the movies, for the whole test
        set over bootstrap samples.

    Raises:
        ValueError: If the shapes differ, nothing is positive, or `batch_size` is below 1.
    """
    y_true, y_prob = check_arrays(y_true, y_prob, needs_positive=True)
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be 1 or more. Received: batch_size={batch_size}")
    sampling = {"num_resamples": num_resamples, "seed": seed}
    batches = [slice(start, start + batch_size) for start in range(0, len(y_true), batch_size)]
    constant = [] if train_labels is None else _constant_scores(train_labels, y_true, **sampling)
    rows = []
    for threshold in thresholds:
        predicted = (y_prob >= threshold).astype(float)
        ways = {
            LAST_BATCH: _median_order(y_true, predicted, batches[-1:], **sampling),
            MEAN_OF_BATCHES: _median_order(y_true, predicted, batches, **sampling),
            WHOLE_TEST_SET: _with_interval(y_true, predicted, **sampling),
        }
        rows += [{"predictions": "network", "threshold": threshold, "scored": way} | ways[way] for way in ways]
        rows += [{"threshold": threshold} | row for row in constant]
    return pd.DataFrame(rows, columns=["predictions", "threshold", "scored", "posters", *SCORES, "low", "high"])


def run_scores_by_mistake(predictions, split, *, batch_size=64):
    """Return `scores_by_mistake` of the test predictions of a run.

    Args:
        predictions: DataFrame from `read_predictions`.
        split: DataFrame of the run's split.csv, for the frequencies of the genres in the training part.
        batch_size: Number of posters per batch. Defaults to 64.
    """
    genres, y_true, y_prob = prediction_arrays(predictions.sample(frac=1, random_state=0))
    train_labels = split.loc[split["part"] == "train", genres].to_numpy()
    return scores_by_mistake(y_true, y_prob, batch_size=batch_size, train_labels=train_labels)


def printed_f1(published, *, table="Section V.C", decimals=2):
    """Check whether each printed OF1 is the harmonic mean of the printed OP and OR (Wang et al., sections V.A and V.C).

    Scores of one batch or of a whole test set pass. The mean of the batches' F1 is slightly below the harmonic mean of
    their mean precision and recall, so a row that is a tenth of a point short fits such a mean; ten points are a
    misprint.

    Args:
        published: DataFrame from `read_published`.
        table: Table with `overall_precision`, `overall_recall` and `overall_f1`. Defaults to "Section V.C"; "Logs"
            has the scores in the authors' saved outputs.
        decimals: Decimal places of the printed percentages. Defaults to 2, as in section V.C.

    Returns:
        DataFrame, one row per printed row: `row`; in percent `overall_precision`, `overall_recall`, `printed_f1` and
        `harmonic_mean`; `difference` (printed minus harmonic mean, in points) and `consistent` (bool: whether rounding
        explains the difference).

    Raises:
        ValueError: If `published` has no such table.
    """
    cells = published[(published["table"] == table) & published["metric"].isin(SCORES)]
    if cells.empty:
        known = sorted(published.loc[published["metric"].isin(SCORES), "table"].unique())
        raise ValueError(f"`table` must be one of {known}. Received: table={table!r}")
    order = cells["row"].unique()
    rows = cells.pivot(index="row", columns="metric", values="value").loc[order, SCORES].reset_index()
    rows = rows.rename_axis(columns=None).rename(columns={"overall_f1": "printed_f1"})
    precision, recall, printed = (rows[name] for name in ("overall_precision", "overall_recall", "printed_f1"))
    half = 0.5 / 10**decimals  # rounding error of a printed number
    least, mean, greatest = f1_range(precision, recall, half, half)
    consistent = (least <= printed + half) & (printed - half <= greatest)
    return rows.assign(harmonic_mean=mean, difference=printed - mean, consistent=consistent)


def f1_range(precision, recall, precision_by, recall_by):
    """Return the least F1 of numbers that round to a precision and a recall, their F1, and the greatest.

    Args:
        precision, recall: Printed scores, floats or arrays.
        precision_by, recall_by: Largest differences to the numbers before rounding.
    """
    found = []
    for sign in (-1, 0, 1):
        first, second = (np.maximum(x + sign * by, 0) for x, by in ((precision, precision_by), (recall, recall_by)))
        found.append(2 * first * second / np.maximum(first + second, _TINY))
    return tuple(found)


def _constant_scores(train_labels, y_true, **sampling):
    """Scores of predicting the k most frequent genres for every movie, for k = 1 and the best k on the train labels."""
    train_labels = np.asarray(train_labels)
    by_frequency = np.argsort(-train_labels.sum(axis=0), kind="stable")
    best = int(baselines.frequent_genres(train_labels, 1).sum())
    rows = []
    for count in sorted({1, best}):
        constant = np.isin(np.arange(train_labels.shape[1]), by_frequency[:count]).astype(float)
        name = "most frequent genre" if count == 1 else f"{count} most frequent genres"
        scores = _with_interval(y_true, np.tile(constant, (len(y_true), 1)), **sampling)
        rows.append({"predictions": name, "scored": WHOLE_TEST_SET} | scores)
    return rows


def _median_order(y_true, predicted, batches, *, num_resamples, seed):
    """Mean scores of the batches in the random order with the median F1, and the range of F1 over the orders."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(y_true)) for _ in range(num_resamples)]
    f1 = [np.mean([_f1(y_true[order[batch]], predicted[order[batch]]) for batch in batches]) for order in orders]
    low, high = 100 * np.quantile(f1, [0.025, 0.975])
    order = orders[np.argsort(f1, kind="stable")[len(orders) // 2]]
    return _mean_scores(y_true[order], predicted[order], batches) | {"low": low, "high": high}


def _with_interval(y_true, predicted, **sampling):
    low, high = bootstrap_interval(_f1, y_true, predicted, **sampling)
    return _mean_scores(y_true, predicted, [slice(None)]) | {"low": 100 * low, "high": 100 * high}


def _mean_scores(y_true, predicted, batches):
    scores = [fast_precision_recall_f1(y_true[batch], predicted[batch]) for batch in batches]
    posters = sum(len(y_true[batch]) for batch in batches)
    return {"posters": posters} | dict(zip(SCORES, 100 * np.mean(scores, axis=0), strict=True))
