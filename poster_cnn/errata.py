"""Paper 2's errata: what its ways of scoring are worth, and what its printed rows say of themselves."""

import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.metrics import baselines
from poster_cnn.metrics.intervals import bootstrap_interval
from poster_cnn.metrics.scores import LOGIT_HALF, overall_precision_recall_f1

LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET = "last batch", "mean of batches", "whole test set"
SCORES = ["overall_precision", "overall_recall", "overall_f1"]


def scores_by_mistake(
    y_true, y_prob, *, batch_size=64, thresholds=(0.5, LOGIT_HALF), train_labels=None, num_resamples=1000, seed=0
):
    """The same predictions scored in three ways: as paper 2's code does, twice wrong, and as its section V.A says.

    The rows are cut into batches as they come. The last batch alone is the number of the posters left over. In the mean
    of the batches' scores a small last batch counts as much as a whole one, and the mean F1 is not the harmonic mean of
    precision and recall. Where a batch has nothing to divide by, its score is 0.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities of the same shape.
        batch_size: Defaults to 64, the paper's.
        thresholds: Probabilities from which a genre counts as predicted. Defaults to 0.5 and that of the authors' code,
            0.622.
        train_labels: Zeros and ones `(num_train, num_classes)`; with them come rows for what always naming the most
            frequent genres scores, see `frequent_genres`. Defaults to `None`: no such rows.
        num_resamples: Random orders or bootstrap samples of the ranges. Defaults to 1000.
        seed: Seed of the ranges. Defaults to 0.

    Returns:
        DataFrame, one row a threshold and way of scoring: `predictions` ("network", "most frequent genre", "2 most
        frequent genres" ...), `threshold`, `scored` ("last batch", "mean of batches" or "whole test set"), `posters`
        (int, those behind the number); in percent `overall_precision`, `overall_recall`, `overall_f1`, and 95% of the
        luck in `overall_f1` as `low` and `high`: over random orders of the movies for last batch and mean of batches,
        over bootstrap samples of the movies for the whole test set.

    Raises:
        ValueError: If the shapes differ, or nothing is positive.

    Example:

    >>> table = scores_by_mistake(y_true, y_prob)
    >>> table.loc[table["threshold"] == 0.5, ["scored", "posters", "overall_f1", "low", "high"]]
    """
    y_true, y_prob = np.asarray(y_true), np.asarray(y_prob)
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be 1 or more. Received: batch_size={batch_size}")
    luck = {"num_resamples": num_resamples, "seed": seed}
    batches = [slice(start, start + batch_size) for start in range(0, len(y_true), batch_size)]
    constant = [] if train_labels is None else _worth_naming(frequent_genres(train_labels, y_true, **luck))
    rows = []
    for threshold in thresholds:
        whole = _scored_in_batches(y_true, y_prob, [slice(None)], threshold)
        low, high = bootstrap_interval(_f1, y_true, (y_prob >= threshold).astype(float), **luck)
        whole |= {"low": 100 * low, "high": 100 * high}
        last, mean = (_with_range(y_true, y_prob, chosen, threshold, **luck) for chosen in (batches[-1:], batches))
        ways = {LAST_BATCH: last, MEAN_OF_BATCHES: mean, WHOLE_TEST_SET: whole}
        rows += [{"predictions": "network", "threshold": threshold, "scored": way} | ways[way] for way in ways]
        rows += [{"threshold": threshold, "scored": WHOLE_TEST_SET} | row for row in constant]
    return pd.DataFrame(rows, columns=["predictions", "threshold", "scored", "posters", *SCORES, "low", "high"])


def frequent_genres(train_labels, y_true, *, num_resamples=1000, seed=0):
    """What naming the same most frequent genres for every movie scores, over the whole test set.

    Args:
        train_labels: Zeros and ones `(num_train, num_classes)`: they say which genres are frequent, and how many of
            them score best.
        y_true: Zeros and ones `(num_movies, num_classes)` of the test movies.
        num_resamples: Of the bootstrap intervals. Defaults to 1000.
        seed: Seed of the resampling. Defaults to 0.

    Returns:
        DataFrame, one row a number of genres, from 1 to all: `predictions` (what a reader calls it), `genres` (int);
        in percent `overall_precision`, `overall_recall`, `overall_f1`, its 95% interval `low` and `high`; `posters`;
        `best` (bool: the number of genres with the highest OF1 on the training movies).
    """
    train_labels, y_true = np.asarray(train_labels), np.asarray(y_true)
    by_frequency = np.argsort(-train_labels.sum(axis=0), kind="stable")
    rows, best = [], baselines.frequent_genres(train_labels, 1).sum()
    for count in range(1, train_labels.shape[1] + 1):
        named = np.isin(np.arange(train_labels.shape[1]), by_frequency[:count]).astype(float)
        predicted = np.tile(named, (len(y_true), 1))
        low, high = bootstrap_interval(_f1, y_true, predicted, num_resamples=num_resamples, seed=seed)
        name = "most frequent genre" if count == 1 else f"{count} most frequent genres"
        rows.append({"predictions": name, "genres": count} | _scored_in_batches(y_true, predicted, [slice(None)], 0.5))
        rows[-1] |= {"low": 100 * low, "high": 100 * high}
    table = pd.DataFrame(rows)
    return table.assign(best=table["genres"] == best)


def printed_f1(published, *, table="Section V.C", decimals=2):
    """Whether each printed OF1 is the harmonic mean of the OP and OR beside it (Wang et al., sections V.A and V.C).

    The scores of one batch, or of a whole test set, agree. The mean of the batches' F1 is a little below the harmonic
    mean of their mean precision and mean recall: a row that falls short by a tenth of a point fits such a mean, and ten
    points are a misprint.

    Args:
        published: DataFrame from `read_published`.
        table: Table with the metrics `overall_precision`, `overall_recall` and `overall_f1`. Defaults to the results of
            section V.C; "Logs" has what was found in the authors' saved outputs.
        decimals: Decimal places of the printed percentages. Defaults to 2, those of section V.C.

    Returns:
        DataFrame, one row a printed row: `row`; in percent `overall_precision`, `overall_recall`, `printed_f1` and
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
    half = 0.5 / 10**decimals  # what was printed lies within half a unit of its last digit
    least, mean, greatest = (2 / (1 / (precision + by) + 1 / (recall + by)) for by in (-half, 0, half))
    consistent = (least <= printed + half) & (printed - half <= greatest)
    return rows.assign(harmonic_mean=mean, difference=printed - mean, consistent=consistent)


def _worth_naming(constant):
    """Of the rows of `frequent_genres` the first, and the best if it is another."""
    chosen = constant[(constant["genres"] == 1) | constant["best"]]
    return chosen.drop(columns=["genres", "best"]).to_dict("records")


def _with_range(y_true, y_prob, batches, threshold, *, num_resamples, seed):
    """Scores of the batches, and where 95% of their mean F1 lie when the movies are shuffled before they are cut."""
    rng = np.random.default_rng(seed)
    predicted = (y_prob >= threshold).astype(float)
    f1 = []
    for _ in range(num_resamples):
        order = rng.permutation(len(y_true))
        f1.append(np.mean([_f1(y_true[order[batch]], predicted[order[batch]]) for batch in batches]))
    low, high = 100 * np.quantile(f1, [0.025, 0.975])
    return _scored_in_batches(y_true, y_prob, batches, threshold) | {"low": low, "high": high}


def _scored_in_batches(y_true, y_prob, batches, threshold):
    """The means of the batches' scores in percent, and the number of posters in them."""
    scores = [overall_precision_recall_f1(y_true[batch], y_prob[batch], threshold) for batch in batches]
    posters = sum(len(y_true[batch]) for batch in batches)
    return {"posters": posters} | dict(zip(SCORES, 100 * np.mean(scores, axis=0), strict=True))


def _f1(y_true, predicted):
    return metrics.overall_precision_recall_f1(y_true, predicted)[2]
