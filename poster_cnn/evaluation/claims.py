"""Published scores next to what constant answers and guesses score, and printed numbers checked against each other."""

import dataclasses
import fractions
import unicodedata

import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.metrics import arguments, baselines
from poster_cnn.results.errata import f1_range

_NUM_ORDERS, _NUM_STARTS = 100, 200  # their product is the number of movies drawn from shares
_NUM_GUESSES = 20_000  # rows that a guess is averaged over
_NUM_SAMPLES = 500  # rows of the one metric that scikit-learn computes movie by movie
_NEAR = 0.005  # half a point: no more than the spread between two guesses
_THRESHOLDED = ("label_accuracy", "overall_f1", "overall_precision", "overall_recall")
_RANKED = ("first_label_accuracy", "hit_at_1", "top_n_accuracy")
_AVERAGED = ("average_precision", "average_precision_micro", "average_precision_samples")
METRICS = _THRESHOLDED + _RANKED + _AVERAGED


@dataclasses.dataclass(frozen=True)
class ClaimCheck:
    """Findings about a published score.

    Attributes:
        metric: Name of the metric, or `None` if only precision, recall and F1 were checked.
        claimed: The score, 0..1, or `None`.
        about: Text on the movies that the other scores stand for.
        scores: Dict from an answer that needs no network, such as "no genre", to its score, 0..1.
        verdict: The findings in a few words.
        findings: List of sentences.
    """

    metric: str | None
    claimed: float | None
    about: str
    scores: dict
    verdict: str
    findings: list

    def __str__(self):
        rows = dict(self.scores) if self.claimed is None else {"the claim": self.claimed} | self.scores
        ranked = sorted(rows.items(), key=lambda row: -row[1])
        lines = [f"{self.metric}, percent: {self.about}"] if self.metric else []
        lines += [f"  {'>' if name == 'the claim' else ' '} {name:<30}{100 * score:>7.2f}" for name, score in ranked]
        return "\n".join([*lines, *self.findings])

    def to_dict(self):
        """Return a dict for JSON."""
        return dataclasses.asdict(self)


@arguments.checked(
    metric=arguments.optional(arguments.choice(*METRICS)),
    prevalences=arguments.optional(arguments.sequence),
    predicted=arguments.optional(arguments.count),
)
def check_claim(
    metric=None,
    claimed=None,
    *,
    labels=None,
    prevalences=None,
    precision=None,
    recall=None,
    f1=None,
    predicted=None,
    seed=0,
):
    """Place a published score among those of constant answers and guesses, and check printed numbers for consistency.

    The labels of the movies are given, or drawn from the shares of the genres. Drawn movies have as equal numbers of
    genres as the shares allow, so exactly one each if the shares sum to 1, in random combinations. Real movies combine
    genres in other ways, which matters to `top_n_accuracy` and `average_precision_samples` alone.

    Args:
        metric: One of `METRICS`, keys of `metrics.BY_NAME`. Defaults to `None`: only precision, recall and F1 are
            checked.
        claimed: The published score as it is printed, such as `"72.24%"` or `".7224"`, or a float 0..1. The digits of
            a text tell how it may have been rounded; a float is exact.
        labels: Zeros and ones `(num_movies, num_classes)`. Defaults to `None`.
        prevalences: Share of the movies that have each genre, floats or texts such as `"1/6"` or `"25%"`. Defaults to
            `None`.
        precision, recall, f1: Printed scores of the same predictions, micro-averaged or of one genre. Text keeps the
            zeros at the end, and so the rounding. Default to `None`.
        predicted: Number of genres that the network names for every movie, which bounds its scores. Defaults to `None`:
            not known.
        seed: Seed of drawn labels and guesses. Defaults to 0.

    Returns:
        `ClaimCheck`

    Raises:
        ValueError: If a number cannot be read, or neither a metric with labels nor a precision, recall and F1 are
            given.

    Example:

    >>> print(check_claim("label_accuracy", "72.24%", prevalences=["1/6"] * 6))
    """
    printed = {"precision": precision, "recall": recall, "f1": f1}
    given = {name: _printed(name, value) for name, value in printed.items() if value is not None}
    results, scores, about, value = [], {}, "", None
    if metric is not None:
        labels, about = _labels(labels, prevalences, seed)
        scores = constant_scores(metric, labels, seed=seed)
        if claimed is not None:
            value, by = _printed("claimed", claimed)
            by = by if isinstance(claimed, str) else 0
            results += _standing(str(claimed).strip(), value, by, scores)
        if predicted is not None:
            results.append(_bound(metric, labels, None if value is None else value - by, predicted))
        results += _least_precision(labels, given)
    elif len(given) < 3:
        arguments.refuse("metric", "given, or `precision`, `recall` and `f1`", None)
    if len(given) == 3:
        results.append(_agreement(printed, given))
    verdict = "; ".join(short for short, _ in results if short)
    return ClaimCheck(metric, value, about, scores, verdict, [sentence for _, sentence in results])


def check_claims(table, *, seed=0):
    """Check a table of published scores.

    Args:
        table: DataFrame of texts, one row per claim, which may be empty: `metric`, `claimed`, `predicted`, `precision`,
            `recall` and `f1` as for `check_claim`, and `prevalences` as for `shares_of`.
        seed: Seed of drawn labels and guesses. Defaults to 0.

    Returns:
        DataFrame with the same index: in percent `score`, `silence` (naming no genre), `constant` (the best of other
        constant answers) and `guess` (the best guess), NaN where unknown; and `verdict`.
    """
    rows = []
    for row in table.fillna("").to_dict("records"):
        options = {name: row[name] or None for name in ("precision", "recall", "f1")}
        shares = shares_of(row["prevalences"])
        unknown = [name for name in ("metric", "prevalences") if not row[name]]
        if not unknown:
            predicted = int(row["predicted"]) if row["predicted"] else None
            options |= {"prevalences": shares, "predicted": predicted, "seed": seed}
            checked = check_claim(row["metric"], row["claimed"] or None, **options)
        elif None not in options.values():
            checked = check_claim(**options)
        else:
            checked = ClaimCheck(None, None, "", {}, "", [])
        kinds = {name: "guess" if "random" in name or "each genre" in name else "constant" for name in checked.scores}
        best = pd.Series(checked.scores, dtype="float64").groupby(kinds | {"no genre": "silence"}).max()
        best = best.reindex(["silence", "constant", "guess"])
        reason = f"not compared: {' and '.join(unknown)} unknown" if unknown else ""
        verdict = "; ".join(part for part in (checked.verdict, reason) if part)
        score = np.nan if checked.claimed is None else checked.claimed
        rows.append({"score": 100 * score, **(100 * best), "verdict": verdict})
    return pd.DataFrame(rows, index=table.index)


def shares_of(text):
    """Return the shares of genres, a list of texts, in a text such as `"1/6, 25%"`, `"0,5; 0,25"` or `"5, 2 of 10"`."""
    shares, of, movies = text.partition(" of ")
    divided = f"/{movies.replace(',', '')}" if of else ""
    return [share.strip() + divided for share in shares.split(";" if ";" in shares else ",")]


def constant_scores(metric, labels, *, seed=0):
    """Score answers that need no poster.

    Args:
        metric: One of `METRICS`.
        labels: Zeros and ones `(num_movies, num_classes)`.
        seed: Seed of the guesses. Defaults to 0.

    Returns:
        Dict from a description of the answer to its score, 0..1.
    """
    rng = np.random.default_rng(seed)
    labels = _checked(labels)
    count = _NUM_GUESSES
    if metric == "average_precision_samples":
        count, labels = _NUM_SAMPLES, rng.permutation(labels)[:_NUM_SAMPLES]
    many = labels[np.resize(rng.permutation(len(labels)), count)]  # more guesses than movies, or a sample of the movies
    share, num_classes = labels.mean(axis=0), labels.shape[1]
    one = np.eye(num_classes)
    answers = {"genres by frequency": baselines.label_prior(labels, len(labels))}
    guesses = {"a random order of the genres": rng.random(many.shape)}
    if metric in _THRESHOLDED:
        best = baselines.frequent_genres(labels, len(labels))
        count = int(best[0].sum())
        answers = {
            "no genre": baselines.all_zeros(labels, len(labels)),
            "the most frequent genre": np.tile(one[share.argmax()], (len(labels), 1)),
            "every genre": np.ones(labels.shape),
        }
        if 1 < count < num_classes:
            answers[f"the {count} most frequent genres"] = best
        majority = share > 0.5
        if majority.sum() not in (0, 1, count, num_classes):
            answers["the genres of most movies"] = np.tile(majority.astype(float), (len(labels), 1))
        guesses = {
            "one random genre": one[rng.integers(num_classes, size=len(many))],
            "each genre as often as it is": (rng.random(many.shape) < share).astype(float),
        }
    elif metric in _RANKED:
        guesses["one random genre, by its share"] = one[rng.choice(num_classes, len(many), p=share / share.sum())]
    score = metrics.BY_NAME[metric]
    found = {name: score(labels, answer) for name, answer in answers.items()}
    return found | {name: score(many, guess) for name, guess in guesses.items()}


def _labels(labels, prevalences, seed):
    """Return labels and a text about them."""
    if (labels is None) == (prevalences is None):
        raise ValueError("Expected either `labels` or `prevalences`, the shares of the genres. Received: both or none.")
    if labels is not None:
        labels = _checked(labels)
        about = f"{len(labels):,} movies"
    else:
        expected = "shares from 0 to 1, such as 0.25, '25%' or '1/6'"
        shares = np.array([_printed("prevalences", value, expected)[0] for value in prevalences])
        if len(shares) < 2 or not shares.any():
            arguments.refuse("prevalences", "shares of two genres or more, which are not all 0", list(prevalences))
        labels = _draw(shares / shares.sum() if abs(shares.sum() - 1) < 0.01 else shares, np.random.default_rng(seed))
        about = "one genre per movie" if (labels.sum(axis=1) == 1).all() else "genres combined at random"
    return labels, f"{about}, {np.shape(labels)[-1]} genres, {labels.sum() / len(labels):.2f} per movie"


def _checked(labels):
    labels = arguments.numeric("labels", labels)
    if labels.ndim != 2 or not labels.any() or not np.isin(labels, (0, 1)).all():
        arguments.refuse("labels", "zeros and ones `(num_movies, num_classes)` with at least one 1", labels)
    return labels


def _draw(shares, rng):
    """Draw movies with genres of these shares, as equally many genres each as possible, by systematic sampling.

    The genres, in random order, are intervals as long as their shares. A movie gets those that a grid with steps of 1
    hits. No other movies with these shares have a higher `_bound`.
    """
    order = np.repeat(rng.permuted(np.tile(np.arange(len(shares)), (_NUM_ORDERS, 1)), axis=1), _NUM_STARTS, axis=0)
    start = (np.arange(_NUM_STARTS) + rng.random((_NUM_ORDERS, 1))) / _NUM_STARTS
    hits = np.ceil(np.cumsum(shares[order], axis=1) - start.reshape(-1, 1) - 1e-9)
    labels = np.zeros(order.shape)
    np.put_along_axis(labels, order, np.diff(hits, axis=1, prepend=0), axis=1)
    return labels


def _printed(name, value, expected="a score such as '72.24%' or 0.7224"):
    """Return a printed score, 0..1, and how much rounding may have changed it."""
    score, by = _number(value)
    if not 0 <= score <= 1:
        arguments.refuse(name, expected, value)
    return score, by


def _number(value):
    """Return the number in a text such as "72.24 %", "72,24%" or "1/6", else NaN, and half a unit of its last digit."""
    text = unicodedata.normalize("NFKC", str(value)).replace("\N{ARABIC PERCENT SIGN}", "%").replace(" ", "")
    number, unit = (text[:-1], 100) if text.endswith("%") else (text, 1)
    number = number.replace(",", ".", 1) if "." not in number else number
    try:
        exact = float(fractions.Fraction(number) if "/" in number else number)
    except (ValueError, ZeroDivisionError):
        exact = np.nan
    digits, _, power = number.lower().partition("e")
    decimals = len(digits.partition(".")[2]) - int(power or 0) if np.isfinite(exact) and "/" not in number else np.inf
    return exact / unit, 0.5 * 10.0**-decimals / unit


def _standing(text, value, by, scores):
    """Say which answers without a network are better than the claim, or as good."""
    best = max(scores, key=scores.get)
    better = [name for name, score in scores.items() if score > value + by + _NEAR]
    near = [name for name, score in scores.items() if abs(score - value) <= by + _NEAR]
    found = [f"{text} is below the score of {name!r}, {100 * scores[name]:.1f}%." for name in better]
    found += [f"{text} is within half a point of {name!r}, {100 * scores[name]:.1f}%, up to rounding." for name in near]
    if found:
        closing = "An answer that needs no poster scores as much, so the score alone shows no learning."
        short = f"below {best!r}" if better else f"no better than {best!r}"
        return [(short, found[0]), *(("", sentence) for sentence in [*found[1:], closing])]
    above = f"{100 * (value - scores[best]):.1f} points above {best!r}"
    return [(above, f"{text} is {above}, the best answer without a poster.")]


def _bound(metric, labels, least, predicted):
    """Compare the least score that the claim may be rounded from with the highest one of naming `predicted` genres."""
    per_movie = labels.sum(axis=1)
    hits, true = np.minimum(per_movie, predicted).mean(), per_movie.mean()
    highest = {
        "overall_precision": hits / predicted,
        "overall_recall": hits / true,
        "overall_f1": 2 * hits / (predicted + true),
        "label_accuracy": 1 - (predicted + true - 2 * hits) / labels.shape[1],
    }
    if metric not in highest:
        arguments.refuse("metric", f"one of {', '.join(highest)} with `predicted`", metric)
    if predicted > labels.shape[1]:
        arguments.refuse("predicted", f"at most {labels.shape[1]}, the number of genres", predicted)
    found = f"Naming {predicted} of the genres for every movie scores at most {100 * highest[metric]:.1f}%"
    if least is not None and least > highest[metric] + 1e-6:
        return "impossible", f"{found}, so the claim is impossible."
    return "", f"{found}."


def _least_precision(labels, given):
    """Say whether precision is below what naming every genre as often as possible would have at this recall."""
    if not {"precision", "recall"} <= given.keys():
        return []
    (precision, by), (recall, recall_by) = given["precision"], given["recall"]
    least = (recall - recall_by) * labels.mean()
    text = f"With a micro-averaged recall of {100 * recall:.1f}%, precision is at least {100 * least:.1f}%, as no more"
    text += f" than all {labels.shape[1]} genres can be named. A precision of {100 * precision:.1f}% is impossible."
    return [("impossible", text)] if precision + by < least else []


def _agreement(printed, given):
    """Say whether F1 is the harmonic mean of precision and recall for any numbers that round to the printed ones."""
    (precision, by), (recall, recall_by), (f1, f1_by) = (given[name] for name in ("precision", "recall", "f1"))
    least, mean, greatest = f1_range(precision, recall, by, recall_by)
    text = f"Precision {printed['precision']} and recall {printed['recall']} give an F1 of {100 * mean:.2f}%"
    if least <= f1 + f1_by and f1 - f1_by <= greatest:
        how = "as" if abs(mean - f1) <= f1_by else "which agrees within rounding with the value"
        return "", f"{text}, {how} printed."
    text += f", and no numbers that round to them give {printed['f1']}. The three contradict each other"
    # The harmonic mean is concave, so the mean of several F1 is never above that of the mean precision and recall.
    text += "." if f1 > mean else ", unless they are means over genres, movies or batches."
    return f"contradicts itself by {100 * abs(f1 - mean):.1f} points", text
