import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn.metrics import f1_score

from poster_cnn import metrics
from poster_cnn.metrics.thresholds import best_thresholds, held_out_predictions


@pytest.mark.parametrize(
    ("y_true", "y_prob", "expected"),
    [
        ([1, 1, 0, 0], [0.4, 0.2, 0.1, 0.0], 0.15),  # midpoint between the last correct and the first wrong one
        ([1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1], 0.3),  # 2 of 3 correct beats 1 of 1
        ([1, 0, 0, 1], [0.9, 0.8, 0.3, 0.2], 0.85),  # ties with predicting all four; the highest wins
        ([1, 1, 1], [0.8, 0.6, 0.4], 0.2),  # midpoint to 0
        ([1, 1, 1], [1, 1, 1], 0.5),
        ([0, 0, 0], [0.9, 0.2, 0.1], 0.5),  # no movie of the genre
        ([1, 0, 1], [0, 0.7, 0], 0.5),  # no threshold above 0 finds one
        ([0, 1], [0, 5e-324], 5e-324),  # neighbouring floats
        ([0, 1], [1 - 2**-53, 1], 1),
        ([1, 0], [0.3, 0.3], 0.15),
    ],
)
@pytest.mark.filterwarnings("error")
def test_thresholds_by_hand(y_true, y_prob, expected):
    thresholds = best_thresholds(np.array([y_true]).T, np.array([y_prob]).T)
    assert thresholds.shape == (1,) and thresholds.dtype == "float64"
    assert thresholds[0] == pytest.approx(expected, rel=1e-12, abs=0)


def test_each_genre_has_its_own_threshold():
    y_true = np.array([[1, 0], [1, 0], [0, 1]])
    y_prob = np.array([[0.1, 0.3], [0.2, 0.5], [0.05, 0.9]])
    assert best_thresholds(y_true, y_prob) == pytest.approx([0.075, 0.7])


PROBABILITIES = st.floats(0, 1, width=32) | st.sampled_from([0, 0.25, 0.5, 1])


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    hnp.arrays("int8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 1)), st.data()
)
def test_no_other_threshold_has_a_higher_f1(y_true, data):
    y_prob = data.draw(hnp.arrays("float32", y_true.shape, elements=PROBABILITIES))
    thresholds = best_thresholds(y_true, y_prob)
    assert ((thresholds > 0) & (thresholds <= 1)).all()
    for truth, scores, threshold in zip(y_true.T, y_prob.T.astype("float64"), thresholds, strict=True):
        chosen = f1_score(truth, scores >= threshold, zero_division=0)
        others = [f1_score(truth, scores >= other, zero_division=0) for other in [*scores[scores > 0], 1]]
        assert chosen >= max(others) - 1e-12


@pytest.mark.parametrize(
    ("y_true", "y_prob", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), r"Received: shapes \(3, 2\) and \(3, 4\)"),
        (np.zeros(3), np.zeros(3), r"Received: shapes \(3,\) and \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least one movie"),
        (np.ones((2, 1)), np.array([[-3.5], [2]]), "must be probabilities, 0..1. Received: -3.5 to 2.0"),
        (np.ones((1, 1)), np.array([[np.nan]]), "must be finite"),
    ],
)
def test_rejects_bad_shapes_and_probabilities(y_true, y_prob, message):
    with pytest.raises(ValueError, match=message):
        best_thresholds(y_true, y_prob)


def test_held_out_predictions_do_not_see_their_own_movie():
    labels = np.random.default_rng(0).random((200, 3)) < 0.3
    noise = np.random.default_rng(1).random((200, 3))  # says nothing of the genres
    chosen_and_judged = metrics.overall_f1(labels, noise >= best_thresholds(labels, noise))
    held_out = metrics.overall_f1(labels, held_out_predictions(labels, noise))
    chance = metrics.overall_f1(labels, np.ones_like(noise))
    assert held_out < chosen_and_judged and chance - 0.05 < held_out < chance + 0.05


def test_held_out_predictions_keep_the_rows_of_a_movie_together():
    labels, scores = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.9], [0.2]])
    twice = [np.repeat(array, 2, axis=0) for array in (labels, scores)]
    together = held_out_predictions(*twice, groups=np.repeat(np.arange(4), 2))
    assert (together[::2] == held_out_predictions(labels, scores)).all()
    assert (held_out_predictions([[1]], [[0.3]]) == [[True]]).all()
    with pytest.raises(ValueError, match="`num_folds` must be"):
        held_out_predictions(labels, scores, num_folds=0)
