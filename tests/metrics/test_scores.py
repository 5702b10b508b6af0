import functools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import keras
import numpy as np
import pytest

from poster_cnn import metrics
from poster_cnn.metrics import intervals

#                 Horror Romance Action
Y_TRUE = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
Y_PROB = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first_label_accuracy", 1 / 4),  # movie 1; the top predictions of 2 and 3 are their second genres
        ("hit_at_1", 3 / 4),
        ("top_n_accuracy", (1 + 1 + 1 + 0) / 4),  # n is the number of the movie's genres
        ("label_accuracy", (3 + 2 + 2 + 1) / 12),  # predicted at 0.5: Horror; Romance; Action; Horror
        ("overall_f1", 2 * (3 / 4) * (3 / 6) / (3 / 4 + 3 / 6)),  # 4 predicted, 3 of them correct, 6 true
        # Two positives per genre, at ranks 1 and 3 (Horror, Romance) and at rank 1 and in a tie of three (Action).
        ("average_precision", ((1 + 2 / 3) / 2 + (1 + 2 / 3) / 2 + (1 + 2 / 4) / 2) / 3),
        ("average_precision_samples", (1 + (1 + 2 / 2) / 2 + (1 + 2 / 2) / 2 + 1 / 3) / 4),
        # Sorted pairs, positives starred: .8* .6* .6* .5 .4 .3* .3* and a tie of five .1 with one positive.
        ("average_precision_micro", (1 + 3 / 3 + 3 / 3 + 5 / 7 + 5 / 7 + 6 / 12) / 6),
    ],
)
def test_scores_by_hand(name, expected):
    assert metrics.BY_NAME[name](Y_TRUE, Y_PROB) == pytest.approx(expected)


def test_overall_precision_and_recall_by_hand():
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB)[:2] == pytest.approx((3 / 4, 3 / 6))
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=0.6)[:2] == pytest.approx((1, 3 / 6))
    assert metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=0.9) == (0, 0, 0)  # nothing predicted


def test_accepts_a_threshold_per_genre():
    thresholds = np.array([0.5, 0.7, 0.1])  # correct: Horror 1 of 2, Romance 0 of 0, Action 2 of 4
    scores = metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=thresholds)
    assert scores == pytest.approx((3 / 6, 3 / 6, 3 / 6))
    assert scores == metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=list(thresholds))


@pytest.mark.parametrize("threshold", [[0.5, 0.5], np.full((4, 1), 0.5), np.full((4, 3), 0.5)])
def test_rejects_thresholds_of_other_shapes(threshold):
    with pytest.raises(ValueError, match=r"a number or an array of shape \(3,\). Received: shape \("):
        metrics.overall_precision_recall_f1(Y_TRUE, Y_PROB, threshold=threshold)


@pytest.mark.parametrize("name", metrics.BY_NAME)
def test_perfect_predictions_score_1(name):
    y_true = np.eye(3)[[0, 1, 2, 1]]
    assert metrics.BY_NAME[name](y_true, y_true * 0.9) == pytest.approx(1)


def test_all_zeros_score_high_on_label_accuracy():
    one_of_six = np.eye(6)[[0, 1, 2, 3, 4, 5, 0, 3]]
    assert metrics.label_accuracy(one_of_six, np.zeros_like(one_of_six)) == pytest.approx(5 / 6)  # "83.3%"
    assert metrics.hit_at_1(one_of_six, np.zeros_like(one_of_six)) == pytest.approx(2 / 8)


@pytest.mark.parametrize(
    ("average", "expected"),
    [
        ("macro", ((1 + 2 / 3) / 2 + 1 / 1) / 2),  # the third genre has no movie
        ("samples", (1 + 1 + 1 / 3) / 3),  # the last movie has no genre
        ("micro", (1 + 2 / 2 + 3 / 7) / 3),  # sorted pairs: .9* .8* .7 .4 .35 .3 .2* ...
    ],
)
def test_average_precision_ignores_rows_and_columns_without_a_positive(average, expected):
    y_true = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]])
    y_prob = np.array([[0.9, 0.1, 0.05], [0.15, 0.8, 0.12], [0.2, 0.3, 0.35], [0.7, 0.4, 0.0]])
    assert metrics.average_precision(y_true, y_prob, average=average) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["first_label_accuracy", "hit_at_1", "top_n_accuracy"])
@pytest.mark.parametrize("top", range(3))
def test_movies_without_a_genre_do_not_count(name, top):
    without = np.zeros((2, 3), dtype=int)
    y_true, y_prob = np.vstack([Y_TRUE, without]), np.vstack([Y_PROB, np.eye(3)[[top, top]]])
    assert metrics.BY_NAME[name](y_true, y_prob) == metrics.BY_NAME[name](Y_TRUE, Y_PROB)
    assert metrics.score([name], y_true, y_prob, num_resamples=5)[name]["value"] == metrics.BY_NAME[name](
        Y_TRUE, Y_PROB
    )


def test_no_genre_is_not_the_first_genre():
    assert metrics.first_label_accuracy([[0, 0], [0, 1]], [[0.9, 0.1], [0.9, 0.1]]) == 0
    assert metrics.first_label_accuracy([[0, 0], [1, 0]], [[0.1, 0.9], [0.9, 0.1]]) == 1


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(20), 2)], ids=["movies", "pairs"])
@pytest.mark.parametrize("digits", [1, 8])
@pytest.mark.parametrize("name", metrics.BY_NAME)
def test_scores_of_bootstrap_samples_equal_those_of_their_rows(name, digits, groups):
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, 2, (40, 5)), rng.random((40, 5)).round(digits)  # one digit gives many ties
    y_true[3], y_true[:, 2], y_true[:, 4] = 0, 0, 0  # a movie without a genre, a genre without a movie, a rare genre
    y_true[7, 4] = 1
    options = {"groups": groups, "num_resamples": 10, "seed": 1}
    expected = metrics.bootstrap_interval(metrics.BY_NAME[name], y_true, y_prob, **options)
    found = metrics.score([name], y_true, y_prob, **options)[name]
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("position", "name"), enumerate(["overall_precision", "overall_recall", "overall_f1"]))
def test_fast_precision_recall_f1_equals_scikit_learn(position, name):
    y_true, y_prob = predictions(30)
    fast = intervals.fast_precision_recall_f1(y_true, y_prob)[position]
    assert fast == pytest.approx(metrics.BY_NAME[name](y_true, y_prob), abs=1e-12)


def test_top_n_accuracy_by_genre_by_hand():
    y_true = np.vstack(
        [np.pad(Y_TRUE, [(0, 0), (0, 1)]), [[0, 0, 0, 0]]]
    )  # a genre without movies, a movie without genres
    y_prob = np.vstack([np.pad(Y_PROB, [(0, 0), (0, 1)], constant_values=0.05), [[0.9, 0, 0, 0]]])
    # Horror and Romance are found in both of their movies, Action in one of two.
    by_genre = metrics.top_n_accuracy_by_genre(y_true, y_prob)
    assert (by_genre.dtype, by_genre.shape) == ("float64", (4,))
    assert by_genre[:3].tolist() == [1, 1, 1 / 2] and np.isnan(by_genre[3])


@pytest.mark.filterwarnings("error")
def test_top_n_accuracy_by_genre_equals_a_loop_over_movies():
    rng = np.random.default_rng(0)
    y_true = (rng.random((50, 6)) < [0.4] * 5 + [0]).astype(int)
    y_prob = rng.random((50, 6)).round(1)  # with ties
    found = [set(np.argsort(-p, kind="stable")[: t.sum()]) for t, p in zip(y_true, y_prob, strict=True)]
    for genre, share in enumerate(metrics.top_n_accuracy_by_genre(y_true, y_prob)[:5]):
        assert share == pytest.approx(np.mean([genre in found[movie] for movie in np.flatnonzero(y_true[:, genre])]))


LABELS = hnp.arrays("int8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 1))


@hypothesis.given(LABELS)
def test_first_label_accuracy_equals_keras_categorical_accuracy(y_true):
    hypothesis.assume(y_true.any(axis=1).all())  # Keras counts a movie without a genre as one of the first
    y_prob = np.random.default_rng(y_true.size).random(y_true.shape)
    in_keras = keras.metrics.CategoricalAccuracy()
    in_keras.update_state(y_true, y_prob)
    assert metrics.first_label_accuracy(y_true, y_prob) == pytest.approx(float(in_keras.result()), abs=1e-6)


@hypothesis.given(LABELS)
def test_first_label_accuracy_never_exceeds_hit_at_1(y_true):
    hypothesis.assume(y_true.any(axis=1).all())
    y_prob = np.random.default_rng(y_true.size).random(y_true.shape)
    assert metrics.first_label_accuracy(y_true, y_prob) <= metrics.hit_at_1(y_true, y_prob)


def predictions(num_movies, seed=0):
    """One of 4 random genres per movie, and predictions that are mostly correct."""
    rng = np.random.default_rng(seed)
    y_true = np.eye(4)[rng.integers(4, size=num_movies)]
    return y_true, (y_true / 2 + rng.random((num_movies, 4))) / 1.5


@pytest.mark.parametrize("name", metrics.BY_NAME)
def test_interval_contains_the_value_and_is_repeatable(name):
    first, again, other = (
        metrics.score([name], *predictions(100), num_resamples=50, seed=seed)[name] for seed in (0, 0, 1)
    )
    assert first["low"] <= first["value"] <= first["high"] and first["low"] < first["high"]
    assert first == again != other


def test_interval_width_depends_on_the_number_of_movies_and_the_level():
    def width(num_movies, level=0.95):
        low, high = metrics.bootstrap_interval(metrics.hit_at_1, *predictions(num_movies), level=level)
        return high - low

    assert width(1600) == pytest.approx(width(100) / 4, rel=0.3)
    assert width(100, level=0.5) < width(100) < width(100, level=0.99)


def test_interval_of_a_share_is_binomial():
    y_true, y_prob = predictions(400)
    value = metrics.hit_at_1(y_true, y_prob)
    low, high = metrics.bootstrap_interval(metrics.hit_at_1, y_true, y_prob)
    assert high - low == pytest.approx(2 * 1.96 * (value * (1 - value) / 400) ** 0.5, rel=0.1)


def test_groups_are_resampled_together():
    y_true, y_prob = predictions(50)
    twice = np.repeat(y_true, 2, axis=0), np.repeat(y_prob, 2, axis=0)
    grouped = metrics.bootstrap_interval(metrics.hit_at_1, *twice, groups=np.repeat(range(50), 2))
    assert grouped == metrics.bootstrap_interval(metrics.hit_at_1, y_true, y_prob)


def test_paired_difference_interval():
    y_true, y_prob = predictions(200)
    other = np.where(np.arange(200)[:, None] < 20, 1 - y_true, y_prob)  # differs for 20 movies
    interval = functools.partial(metrics.paired_difference_interval, metrics.hit_at_1, y_true, num_resamples=200)
    low, high = interval(y_prob, other)
    difference = metrics.hit_at_1(y_true, y_prob) - metrics.hit_at_1(y_true, other)
    assert 0 < low < difference < high < 0.15
    assert interval(other, y_prob) == pytest.approx((-high, -low))
    assert interval(y_prob, y_prob) == (0, 0)
    with pytest.raises(ValueError, match=r"Received: shapes \(200, 4\) and \(100, 4\)"):
        interval(y_prob, other[:100])


def test_score_has_values_with_intervals():
    y_true, y_prob = predictions(50)
    scores = metrics.score(["hit_at_1", "label_accuracy"], y_true, y_prob, num_resamples=50)
    assert list(scores) == ["hit_at_1", "label_accuracy"]
    low, high = metrics.bootstrap_interval(metrics.hit_at_1, y_true, y_prob, num_resamples=50)
    assert scores["hit_at_1"] == {"value": metrics.hit_at_1(y_true, y_prob), "low": low, "high": high}
    assert metrics.score(["hit_at_1"], y_true, y_prob, num_resamples=0)["hit_at_1"].keys() == {"value"}


@pytest.mark.parametrize("name", metrics.BY_NAME)
@pytest.mark.parametrize(
    ("y_true", "y_prob", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), r"Received: shapes \(3, 2\) and \(3, 4\)"),
        (np.zeros(3), np.zeros(3), r"Received: shapes \(3,\) and \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one movie"),
        (np.ones((1, 2)), np.array([[0.5, np.nan]]), "must be finite"),
    ],
)
def test_rejects_arrays_that_cannot_be_scored(name, y_true, y_prob, message):
    with pytest.raises(ValueError, match=message):
        metrics.BY_NAME[name](y_true, y_prob)


@pytest.mark.parametrize(
    "name",
    ["first_label_accuracy", "hit_at_1", "top_n_accuracy", *(name for name in metrics.BY_NAME if "average" in name)],
)
def test_rejects_labels_without_a_positive(name):
    with pytest.raises(ValueError, match="at least one positive label"):
        metrics.BY_NAME[name](np.zeros((3, 2)), np.ones((3, 2)))


def test_interval_rejects_labels_without_a_positive():
    with pytest.raises(ValueError, match="at least one positive label"):
        metrics.bootstrap_interval(metrics.hit_at_1, np.zeros((3, 2)), np.ones((3, 2)))


def test_rejects_unknown_metrics():
    with pytest.raises(ValueError, match="Expected one of first_label_accuracy, hit_at_1.*Received: 'accuracy'"):
        metrics.score(["accuracy"], Y_TRUE, Y_PROB)


def test_overall_f1_of_one_genre_does_not_count_movies_without_it():
    y_true, y_prob = np.array([[1], [1], [0], [0], [0]]), np.array([[0.9], [0.1], [0.1], [0.2], [0.8]])
    assert metrics.overall_precision_recall_f1(y_true, y_prob) == (0.5, 0.5, 0.5)
    assert metrics.overall_precision_recall_f1(y_true, 0 * y_prob) == (0, 0, 0)


@pytest.mark.parametrize("name", metrics.BY_NAME)
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64"])
def test_predictions_of_any_type_of_number_have_the_same_score(name, dtype):
    rng = np.random.default_rng(0)
    y_true, y_prob = rng.integers(0, 2, (2, 40, 3))
    y_true[:, 0] = 1
    expected = metrics.score([name], y_true, y_prob.astype("float64"), num_resamples=20)
    assert metrics.score([name], y_true, y_prob.astype(dtype), num_resamples=20) == expected
