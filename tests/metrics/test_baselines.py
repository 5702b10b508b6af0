import itertools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from poster_cnn import metrics
from poster_cnn.metrics import baselines

#              Horror Romance Action
LABELS = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1]], dtype="float32")


def test_majority_class_counts_first_genres():
    # Romance is the most frequent genre, but Horror and Romance tie as first genres: the first wins.
    prediction = baselines.majority_class(LABELS, num_movies=4)
    assert prediction.tolist() == [[1, 0, 0]] * 4
    assert baselines.majority_class(LABELS[1:], num_movies=1).tolist() == [[0, 1, 0]]


def test_majority_class_leaves_out_movies_without_a_genre():
    without = np.zeros((9, 3), dtype="float32")
    assert baselines.majority_class(np.vstack([without, LABELS[1:]]), num_movies=1).tolist() == [[0, 1, 0]]
    with pytest.raises(ValueError, match=r"positive label. Received: zeros of shape \(9, 3\)"):
        baselines.majority_class(without, num_movies=1)


def test_no_constant_prediction_beats_the_majority_class_on_first_label_accuracy():
    labels = (np.random.default_rng(0).random((200, 4)) < [0.3, 0.5, 0.2, 0.4]).astype("float32")
    best = metrics.first_label_accuracy(labels, baselines.majority_class(labels, 200))
    for column in range(4):
        assert metrics.first_label_accuracy(labels, np.tile(np.eye(4)[column], (200, 1))) <= best


def test_label_prior_is_the_share_of_each_genre():
    prediction = baselines.label_prior(LABELS, num_movies=2)
    assert prediction.dtype == "float32"
    assert prediction.tolist() == [pytest.approx([0.4, 0.6, 0.4])] * 2


def test_frequent_genres_by_hand():
    # F1 of the k most frequent genres: 2·3/(5+7), 2·5/(10+7), 2·7/(15+7).
    assert baselines.frequent_genres(LABELS, num_movies=2).tolist() == [[1, 1, 1]] * 2
    rare = np.repeat(LABELS, 3, axis=0) * ([[0, 1, 0]] * 13 + [[1, 1, 1]] * 2)
    assert baselines.frequent_genres(rare, num_movies=1).tolist() == [[0, 1, 0]]
    assert baselines.frequent_genres(rare, num_movies=1).dtype == "float32"


@hypothesis.settings(max_examples=20)
@hypothesis.given(hnp.arrays("int8", st.tuples(st.integers(1, 8), st.integers(2, 4)), elements=st.integers(0, 1)))
def test_no_constant_prediction_beats_the_frequent_genres_on_f1(labels):
    best = metrics.overall_f1(labels, baselines.frequent_genres(labels, len(labels)))
    choices = itertools.product([0, 1], repeat=labels.shape[1])
    assert best == pytest.approx(
        max(metrics.overall_f1(labels, np.tile(choice, (len(labels), 1))) for choice in choices)
    )


def test_chance_is_the_mean_score_of_random_probabilities():
    labels = np.vstack([np.tile(LABELS, (800, 1)), np.zeros((400, 3))])  # some movies without a genre
    names = [name for name in metrics.BY_NAME if not name.startswith("average_precision")]
    expected, rng = baselines.chance(metrics.BY_NAME, labels), np.random.default_rng(0)
    drawn = [list(metrics.values(names, labels, rng.random(labels.shape)).values()) for _ in range(8)]
    assert [expected[name] for name in names] == pytest.approx(np.mean(drawn, axis=0).tolist(), abs=0.01)
    assert list(expected) == names and expected["first_label_accuracy"] == 1 / 3


def test_color_histograms_by_hand():
    image = np.zeros((9, 4, 3), dtype="uint8")  # black with a red top and a half blue bottom
    image[:3, :, 0] = 255
    image[6:, :2, 2] = 130
    histograms = baselines.color_histograms(image[None])
    assert (histograms.shape, histograms.dtype) == ((1, 3 * 3 * 8), "float32")
    top, middle, bottom = histograms.reshape(3, 8, 3)  # band, bin, channel
    assert top[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]  # red is full
    assert middle.tolist() == [[1, 1, 1]] + [[0, 0, 0]] * 7  # all black
    assert bottom[:, 2].tolist() == [0.5, 0, 0, 0, 0.5, 0, 0, 0]  # 130 is in the fifth bin of 32 levels
    assert np.allclose(histograms.reshape(1, 3, 8, 3).sum(axis=2), 1)


def test_color_histogram_classifier_learns_colors_only():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 12, 8, 3)).astype("uint8")
    labels = (rng.random((120, 2)) < 0.5).astype("float32")
    images[labels[:, 0] == 1, :4, :, 0] //= 2  # the first genre has less red at the top; the second has no feature
    histograms = baselines.color_histograms(images)
    classifier = baselines.fit_color_histogram(histograms[:80], labels[:80])
    probabilities = classifier.predict_proba(histograms[80:])
    assert probabilities.shape == (40, 2)
    right = (probabilities > 0.5) == labels[80:]
    assert right[:, 0].mean() > 0.95
    assert right[:, 1].mean() < 0.75


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shares", [(1,), (0,), (1, 0, 0.5)])
def test_color_histogram_of_a_genre_that_all_or_no_movies_have_is_constant(shares):
    histograms = np.random.default_rng(0).random((12, 72)).astype("float32")
    labels = np.stack([np.arange(12) < 12 * share for share in shares], axis=1)
    classifier = baselines.fit_color_histogram(histograms, labels)
    of_weights = baselines.color_histogram(baselines.color_histogram_weights(classifier), histograms)
    for probabilities in (classifier.predict_proba(histograms)[:, -len(shares) :], of_weights):
        assert probabilities.mean(axis=0) == pytest.approx(shares, abs=0.01)
