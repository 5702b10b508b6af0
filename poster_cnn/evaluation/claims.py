"""Published scores next to what constant answers and guesses score, and printed numbers checked against each other."""

import dataclasses
import fractions

import numpy as np

from poster_cnn import metrics
from poster_cnn.metrics import arguments, baselines
from poster_cnn.results.errata import f1_range

_NUM_MOVIES = 20_000  # movies drawn from shares, and rows that a guess is averaged over
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
        findings: List of sentences.
    """

    metric: str | None
    claimed: float | None
    about: str
    scores: dict
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

    The labels of the movies are given, or drawn from the shares of the genres: one genre per movie if the shares sum to
    1, else each genre independently of the others, which real genres are not.

    Args:
        metric: One of `METRICS`, keys of `metrics.BY_NAME`. Defaults to `None`: only precision, recall and F1 are
            checked.
        claimed: The published score as it is printed, such as `"72.24%"` or `".7224"`, or a float 0..1.
        labels: Zeros and ones `(num_movies, num_classes)`. Defaults to `None`.
        prevalences: Share of the movies that have each genre, floats or texts such as `"1/6"`. Defaults to `None`.
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
    findings, scores, about, value = [], {}, "", None
    if metric is not None:
        labels, about = _labels(labels, prevalences, seed)
        scores = constant_scores(metric, labels, seed=seed)
        value = None if claimed is None else _printed("claimed", claimed)[0]
        findings += [] if value is None else _standing(str(claimed), value, scores)
        if predicted is not None:
            findings += _bound(metric, labels, value, predicted)
        findings += _least_precision(labels, given)
    elif len(given) < 3:
        arguments.refuse("metric", "given, or `precision`, `recall` and `f1`", None)
    if len(given) == 3:
        findings.append(_agreement(printed, given))
    return ClaimCheck(metric, value, about, scores, findings)


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
    labels = np.asarray(labels)
    if metric == "average_precision_samples" and len(labels) > _NUM_SAMPLES:
        labels = rng.permutation(labels)[:_NUM_SAMPLES]
    least = _NUM_SAMPLES if metric == "average_precision_samples" else _NUM_MOVIES
    rows = np.resize(np.arange(len(labels)), max(len(labels), least))  # guesses are averaged over repeated movies
    many, share, num_classes = labels[rows], labels.mean(axis=0), labels.shape[1]
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
        labels = arguments.numeric("labels", labels)
        about = f"{len(labels):,} movies"
    else:
        shares = np.array([_share(value) for value in prevalences])
        if len(shares) < 2:
            arguments.refuse("prevalences", "shares of two genres or more", list(prevalences))
        rng = np.random.default_rng(seed)
        if abs(shares.sum() - 1) < 0.01:
            of = np.repeat(np.arange(len(shares)), np.round(shares / shares.sum() * _NUM_MOVIES).astype(int))
            labels, about = np.eye(len(shares))[of], "one genre per movie"
        else:
            labels = (rng.random((_NUM_MOVIES, len(shares))) < shares).astype(float)
            about = "genres drawn independently of each other"
    return labels, f"{about}, {labels.shape[1]} genres, {labels.sum() / len(labels):.2f} per movie"


def _share(value):
    try:
        share = float(fractions.Fraction(str(value).strip()))
    except (ValueError, ZeroDivisionError):
        share = -1
    if not 0 <= share <= 1:
        arguments.refuse("prevalences", "shares from 0 to 1, such as 0.25 or '1/6'", value)
    return share


def _printed(name, value):
    """Return a printed score, 0..1, and how much rounding may have changed it."""
    text = str(value).strip()
    number, unit = (text[:-1].strip(), 100) if text.endswith("%") else (text, 1)
    try:
        score = float(number) / unit
    except ValueError:
        score = -1
    if not 0 <= score <= 1:
        arguments.refuse(name, "a score such as '72.24%' or 0.7224", value)
    decimals = len(number.partition(".")[2])
    return score, 0.5 / 10**decimals / unit


def _standing(text, value, scores):
    """Say which answers without a network are better than the claim, or as good."""
    better = {name: score for name, score in scores.items() if score > value + _NEAR}
    near = {name: score for name, score in scores.items() if abs(score - value) <= _NEAR}
    found = [f"{text} is below the score of {name!r}, {100 * score:.1f}%." for name, score in better.items()]
    found += [f"{text} is within half a point of {name!r}, {100 * score:.1f}%." for name, score in near.items()]
    if found:
        return [*found, "An answer that needs no poster scores as much, so the score alone shows no learning."]
    best = max(scores, key=scores.get)
    return [f"{text} is {100 * (value - scores[best]):.1f} points above {best!r}, the best answer without a poster."]


def _bound(metric, labels, value, predicted):
    """Say the highest score of a network that names `predicted` genres for every movie."""
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
    found = f"Naming {predicted} of the genres for every movie scores at most {100 * highest[metric]:.1f}%"
    if value is not None and value > highest[metric] + 5e-4:
        return [f"{found}, so the claim is impossible."]
    return [f"{found}."]


def _least_precision(labels, given):
    """Say whether precision is below what naming every genre as often as possible would have at this recall."""
    if not {"precision", "recall"} <= given.keys():
        return []
    (precision, by), (recall, recall_by) = given["precision"], given["recall"]
    least = (recall - recall_by) * labels.mean()
    if precision + by >= least:
        return []
    return [
        f"With a recall of {100 * recall:.1f}%, precision is at least {100 * least:.1f}%, as no more than all "
        f"{labels.shape[1]} genres can be named. A precision of {100 * precision:.1f}% is impossible."
    ]


def _agreement(printed, given):
    """Say whether F1 is the harmonic mean of precision and recall for any numbers that round to the printed ones."""
    (precision, by), (recall, recall_by), (f1, f1_by) = (given[name] for name in ("precision", "recall", "f1"))
    least, mean, greatest = f1_range(precision, recall, by, recall_by)
    text = f"Precision {printed['precision']} and recall {printed['recall']} give an F1 of {100 * mean:.2f}%"
    if least <= f1 + f1_by and f1 - f1_by <= greatest:
        return f"{text}, as printed."
    return f"{text}, and no numbers that round to them give {printed['f1']}. The three contradict each other."
