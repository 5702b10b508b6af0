"""Scores worked out by hand, and the laws they keep."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from poster_cnn import metrics
from poster_cnn.metrics import intervals

#                 Horror Romance Action
Y_TRUE = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
Y_PROB = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first_label_accuracy", 1 / 4),  # movie 1 alone: 2 and 3 are found by their second genre, 4 is wrong
        ("hit_at_1", 3 / 4),
        ("top_n_accuracy", (1 + 1 + 1 + 0) / 4),  # n is the number of the movie's genres
        ("label_accuracy", (3 + 2 + 2 + 1) / 12),  # predicted at 0.5: Horror; Romance; Action; Horror
        ("overall_f1", 2 * (3 / 4) * (3 / 6) / (3 / 4 + 3 / 6)),  # 4 predicted, 3 of them right, 6 to be found
        # Two positives a genre. Horror: ranks 1 and 3; Romance: 1 and 3; Action: 1 and among three equal ones.
        ("average_precision", ((1 + 2 / 3) / 2 + (1 + 2 / 3) / 2 + (1 + 2 / 4) / 2) / 3),
        ("average_precision_samples", (1 + (1 + 2 / 2) / 2 + (1 + 2 / 2) / 2 + 1 / 3) / 4),
        # Pairs in order: .8* .6* .6 of Action* .5 .4 .3* and .3* together, five of .1, one of them true.
        ("average_precision_micro", (1 + 3 / 3 + 3 / 3 + 5 / 7 + 5 / 7 + 6 / 12) / 6),
    ],
)
def test_scores_by_hand(name, expected):
    assert metrics.BY_NAME[name](Y_TRUE, Y_PROB) == pytest.approx(expected)


def test_precision_and_recall_by_hand():
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB)[:2] == pytest.approx((3 / 4, 3 / 6))
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=0.6)[:2] == pytest.approx((1, 3 / 6))
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=0.9) == (0, 0, 0)  # nothing predicted


@pytest.mark.parametrize("threshold", [0.1, metrics.LOGIT_HALF, 1.1, (0.1, 0.5, 0.9)])
def test_overall_scores_are_those_of_scikit_learn(threshold):
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, 2, (30, 3)), rng.random((30, 3))
    expected = precision_recall_fscore_support(y_true, y_prob >= threshold, average="micro", zero_division=0)[:3]
    assert metrics.overall_precision_recall_f1(y_true, y_prob, threshold) == pytest.approx(expected)


def test_each_genre_may_have_its_own_threshold():
    thresholds = np.array([0.5, 0.7, 0.1])  # Horror: 1 of 2 right; Romance: none predicted; Action: 2 of 4 right
    scores = metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=thresholds)
    assert scores == pytest.approx((3 / 6, 3 / 6, 3 / 6))
    assert scores == metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=list(thresholds))


@pytest.mark.parametrize("threshold", [[0.5, 0.5], np.full((4, 1), 0.5), np.full((4, 3), 0.5)])
def test_a_threshold_is_one_number_or_one_a_genre(threshold):
    with pytest.raises(ValueError, match=r"one number, or one for each of the 3 genres. Received: shape \("):
        metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=threshold)


@pytest.mark.parametrize("name", metrics.BY_NAME)
def test_a_perfect_prediction_scores_one(name):
    y_true = np.eye(3)[[0, 1, 2, 1]]
    assert metrics.BY_NAME[name](y_true, y_true * 0.9) == pytest.approx(1)


def test_predicting_nothing_scores_high_on_label_accuracy():
    one_of_six = np.eye(6)[[0, 1, 2, 3, 4, 5, 0, 3]]
    assert metrics.label_accuracy(one_of_six, np.zeros_like(one_of_six)) == pytest.approx(5 / 6)  # "83.3%"
    assert metrics.hit_at_1(one_of_six, np.zeros_like(one_of_six)) == pytest.approx(2 / 8)


@pytest.mark.parametrize(
    ("average", "expected"),
    [
        ("macro", ((1 + 2 / 3) / 2 + 1 / 1) / 2),  # the third genre has no movie and is left out
        ("samples", (1 + 1 + 1 / 3) / 3),  # the last movie has no genre and is left out
        ("micro", (1 + 2 / 2 + 3 / 7) / 3),  # pairs in order: .9* .8* .7 .4 .35 .3 .2* ...
    ],
)
def test_average_precision_leaves_out_what_has_no_positive(average, expected):
    y_true = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]])
    y_prob = np.array([[0.9, 0.1, 0.05], [0.15, 0.8, 0.12], [0.2, 0.3, 0.35], [0.7, 0.4, 0.0]])
    assert metrics.average_precision(y_true, y_prob, average=average) == pytest.approx(expected)


@pytest.mark.parametrize("name", intervals._RESAMPLED)
@pytest.mark.parametrize("digits", [1, 8])
def test_what_stands_for_a_score_in_intervals_equals_it(name, digits):
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, 2, (40, 5)), rng.random((40, 5)).round(digits)  # with one digit, many are equal
    y_true[3], y_true[:, 2] = 0, 0  # a movie without a genre, a genre without a movie
    assert intervals._RESAMPLED[name](y_true, y_prob) == pytest.approx(metrics.BY_NAME[name](y_true, y_prob), abs=1e-12)


def test_top_n_accuracy_by_genre_by_hand():
    y_true = np.vstack([np.pad(Y_TRUE, [(0, 0), (0, 1)]), [[0, 0, 0, 0]]])  # a genre without movies, and the reverse
    y_prob = np.vstack([np.pad(Y_PROB, [(0, 0), (0, 1)], constant_values=0.05), [[0.9, 0, 0, 0]]])
    # Horror and Romance are found in both of their movies, Action in one: the other has n = 1, and Action is its third.
    by_genre = metrics.top_n_accuracy_by_genre(y_true, y_prob)
    assert (by_genre.dtype, by_genre.shape) == ("float64", (4,))
    assert by_genre[:3].tolist() == [1, 1, 1 / 2] and np.isnan(by_genre[3])


@pytest.mark.filterwarnings("error")  # no division by zero either
def test_top_n_accuracy_by_genre_movie_by_movie():
    rng = np.random.default_rng(0)
    y_true = (rng.random((50, 6)) < [0.4] * 5 + [0]).astype(int)
    y_prob = rng.random((50, 6)).round(1)  # some are equal
    found = [set(np.argsort(-p, kind="stable")[: t.sum()]) for t, p in zip(y_true, y_prob, strict=True)]
    for genre, share in enumerate(metrics.top_n_accuracy_by_genre(y_true, y_prob)[:5]):
        assert share == pytest.approx(np.mean([genre in found[movie] for movie in np.flatnonzero(y_true[:, genre])]))


LABELS = hnp.arrays("int8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 1))


@hypothesis.given(LABELS)
def test_first_label_accuracy_is_what_keras_calls_accuracy(y_true):
    y_prob = np.random.default_rng(y_true.size).random(y_true.shape)
    in_keras = keras.metrics.CategoricalAccuracy()
    in_keras.update_state(y_true, y_prob)
    assert metrics.first_label_accuracy(y_true, y_prob) == pytest.approx(float(in_keras.result()), abs=1e-6)


@hypothesis.given(LABELS)
def test_first_label_accuracy_never_exceeds_hit_at_1(y_true):
    hypothesis.assume(y_true.any(axis=1).all())
    y_prob = np.random.default_rng(y_true.size).random(y_true.shape)
    assert metrics.first_label_accuracy(y_true, y_prob) <= metrics.hit_at_1(y_true, y_prob)


# --- intervals ---


def predictions(num_movies, seed=0):
    """One of 4 genres at random, with predictions that are right more often than not, above 0.622 or not."""
    rng = np.random.default_rng(seed)
    y_true = np.eye(4)[rng.integers(4, size=num_movies)]
    return y_true, (y_true / 2 + rng.random((num_movies, 4))) / 1.5


@pytest.mark.parametrize("name", metrics.BY_NAME)
def test_the_interval_holds_the_value_and_is_repeatable(name):
    metric, (y_true, y_prob) = metrics.BY_NAME[name], predictions(100)
    low, high = metrics.bootstrap_interval(metric, y_true, y_prob, num_resamples=100)
    assert low <= metric(y_true, y_prob) <= high and low < high
    assert (low, high) == metrics.bootstrap_interval(metric, y_true, y_prob, num_resamples=100)
    assert (low, high) != metrics.bootstrap_interval(metric, y_true, y_prob, num_resamples=100, seed=1)


def test_the_interval_narrows_with_the_root_of_the_movies_and_widens_with_the_level():
    def width(num_movies, level=0.95):
        low, high = metrics.bootstrap_interval(metrics.hit_at_1, *predictions(num_movies), level=level)
        return high - low

    assert width(1600) == pytest.approx(width(100) / 4, rel=0.3)
    assert width(100, level=0.5) < width(100) < width(100, level=0.99)


def test_the_interval_is_that_of_the_binomial():
    y_true, y_prob = predictions(400)
    value = metrics.hit_at_1(y_true, y_prob)
    low, high = metrics.bootstrap_interval(metrics.hit_at_1, y_true, y_prob)
    assert high - low == pytest.approx(2 * 1.96 * (value * (1 - value) / 400) ** 0.5, rel=0.1)


def test_score_gives_values_with_intervals():
    y_true, y_prob = predictions(50)
    scores = metrics.score(["hit_at_1", "label_accuracy"], y_true, y_prob, num_resamples=50)
    assert list(scores) == ["hit_at_1", "label_accuracy"]
    low, high = metrics.bootstrap_interval(metrics.hit_at_1, y_true, y_prob, num_resamples=50)
    assert scores["hit_at_1"] == {"value": metrics.hit_at_1(y_true, y_prob), "low": low, "high": high}
    assert metrics.score(["hit_at_1"], y_true, y_prob, num_resamples=0)["hit_at_1"].keys() == {"value"}


# --- errors ---


@pytest.mark.parametrize("name", metrics.BY_NAME)
@pytest.mark.parametrize(
    ("y_true", "y_prob", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), r"Received: shapes \(3, 2\) and \(3, 4\)"),
        (np.zeros(3), np.zeros(3), r"Received: shapes \(3,\) and \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "with a movie at least"),
        (np.ones((1, 2)), np.array([[0.5, np.nan]]), "must be finite"),
    ],
)
def test_arrays_that_cannot_be_scored(name, y_true, y_prob, message):
    with pytest.raises(ValueError, match=message):
        metrics.BY_NAME[name](y_true, y_prob)


@pytest.mark.parametrize(
    "name", ["average_precision", "average_precision_micro", "average_precision_samples", "top_n_accuracy"]
)
def test_scores_that_need_a_positive(name):
    with pytest.raises(ValueError, match="needs a positive label"):
        metrics.BY_NAME[name](np.zeros((3, 2)), np.ones((3, 2)))


def test_an_interval_needs_a_positive():
    with pytest.raises(ValueError, match="needs a positive label"):
        metrics.bootstrap_interval(metrics.hit_at_1, np.zeros((3, 2)), np.ones((3, 2)))


def test_an_unknown_score():
    with pytest.raises(ValueError, match="Expected one of first_label_accuracy, hit_at_1.*Received: 'accuracy'"):
        metrics.score(["accuracy"], Y_TRUE, Y_PROB)
