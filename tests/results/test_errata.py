import functools
import itertools
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from poster_cnn import metrics
from poster_cnn.results import errata

PAPER = "wang"
Y_TRUE = np.array([[1, 0], [1, 1], [0, 1], [1, 0], [0, 1]])
Y_PROB = np.array([[0.9, 0.8], [0.7, 0.1], [0.2, 0.3], [0.4, 0.9], [0.1, 0.6]])


@pytest.fixture(scope="module")
def by_way():
    """Scores of five movies in batches of two, by threshold and way of scoring."""
    table = errata.scores_by_mistake(Y_TRUE, Y_PROB, batch_size=2)
    return table.set_index(["threshold", "scored"])


def predictions(seed, movies=30):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, (movies, 3))
    y_true[0] = 1
    return y_true, rng.random((movies, 3))


@pytest.mark.parametrize(
    ("threshold", "way", "posters", "expected"),
    [
        (0.5, "whole test set", 5, (3 / 5, 3 / 6, 6 / 11)),
        (metrics.LOGIT_HALF, "last batch", 1, (0, 0, 0)),  # F1 of each movie: 1, 2/3, 0, 0, 0 (denominator 0)
        (metrics.LOGIT_HALF, "whole test set", 5, (2 / 4, 2 / 6, 4 / 10)),
    ],
)
def test_scores_by_hand(by_way, threshold, way, posters, expected):
    row = by_way.loc[threshold, way]
    assert row["posters"] == posters
    assert row[errata.SCORES].tolist() == pytest.approx([100 * score for score in expected])


@pytest.mark.parametrize("threshold", [0.5, metrics.LOGIT_HALF])
@pytest.mark.parametrize(("way", "batches"), [("last batch", 1), ("mean of batches", 3)])
def test_scores_are_those_of_the_median_order(by_way, threshold, way, batches):
    @functools.cache
    def score(part):
        return metrics.overall_precision_recall_f1(Y_TRUE[[*part]], Y_PROB[[*part]], threshold)[2]

    f1 = []
    for order in map(list, itertools.permutations(range(5))):
        parts = [order[:2], order[2:4], order[4:]][-batches:]
        f1.append(100 * np.mean([score(frozenset(part)) for part in parts]))
    row = by_way.loc[threshold, way]
    assert row["overall_f1"] == pytest.approx(np.median(f1)) and row["low"] <= row["overall_f1"] <= row["high"]


def test_last_batch_of_one_movie_has_the_widest_range(by_way):
    assert by_way.loc[0.5, "last batch"][["low", "high"]].tolist() == [0, 100]
    assert by_way.loc[metrics.LOGIT_HALF, "last batch"][["low", "high"]].tolist() == pytest.approx([0, 100 * 2 / 3])


def test_whole_test_set_has_the_bootstrap_interval():
    y_true, y_prob = predictions(0)
    table = errata.scores_by_mistake(y_true, y_prob, batch_size=7, thresholds=[0.5], num_resamples=50).set_index(
        "scored"
    )
    low, high = metrics.bootstrap_interval(metrics.overall_f1, y_true, y_prob, num_resamples=50)
    assert table.loc["whole test set", ["low", "high"]].tolist() == pytest.approx([100 * low, 100 * high])
    reach = table["high"] - table["low"]
    assert reach["last batch"] > reach["whole test set"] > reach["mean of batches"]


@hypothesis.given(seed=st.integers(0, 1000), movies=st.integers(1, 20), threshold=st.floats(0.05, 0.95))
def test_all_ways_agree_on_one_batch(seed, movies, threshold):
    y_true, y_prob = predictions(seed, movies)
    table = errata.scores_by_mistake(y_true, y_prob, batch_size=20, thresholds=[threshold], num_resamples=3)
    expected = metrics.overall_precision_recall_f1(y_true, y_prob, threshold)
    np.testing.assert_allclose(table[errata.SCORES], [[100 * score for score in expected]] * 3)
    ordered = table[table["scored"] != "whole test set"]  # its interval is a bootstrap interval
    np.testing.assert_allclose(ordered[["low", "high"]], 100 * expected[2])


@hypothesis.given(seed=st.integers(0, 1000), batch_size=st.integers(1, 30))
def test_mean_f1_never_exceeds_the_harmonic_mean_of_the_means(seed, batch_size):
    y_true, y_prob = predictions(seed)
    table = errata.scores_by_mistake(y_true, y_prob, batch_size=batch_size, num_resamples=1)
    precision, recall, f1 = table.loc[table["scored"] == "mean of batches", errata.SCORES].to_numpy().T
    assert (f1 <= 2 * precision * recall / np.maximum(precision + recall, 1e-9) + 1e-9).all()


def test_constant_predictions_by_hand():
    train = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0]])  # 2, 3, 1; F1 of the first k: 6/10, 10/14, 12/18
    test = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    table = errata.scores_by_mistake(test, test * 0.9, train_labels=train, num_resamples=10)
    assert table["predictions"].tolist() == (["network"] * 3 + ["most frequent genre", "2 most frequent genres"]) * 2
    constant = table[table["predictions"] != "network"]
    assert constant["overall_precision"].tolist() == pytest.approx([100 * 3 / 3, 100 * 4 / 6] * 2)
    assert constant["overall_recall"].tolist() == pytest.approx([100 * 3 / 5, 100 * 4 / 5] * 2)
    assert constant["overall_f1"].between(constant["low"], constant["high"]).all()
    assert not table.isna().any(axis=None)


def test_printed_f1_is_checked(published):
    table = errata.printed_f1(published).set_index("row")
    assert table["consistent"].to_dict() == {
        "ResNet18": False,
        "ResNet50": False,
        "DenseNet201": True,  # one batch alone
        "Custom CNN": False,
    }
    assert table.loc["ResNet50", ["printed_f1", "harmonic_mean"]].tolist() == pytest.approx([47.96, 57.6])
    assert table["difference"].round(2).tolist() == [-0.12, -9.64, 0, -0.09]
    assert errata.printed_f1(published, table="Logs", decimals=1)["consistent"].tolist() == [True]


def test_rejects_table_without_scores(published):
    with pytest.raises(ValueError, match=r"\['Logs', 'Section V.C'\].*Section IV.A"):
        errata.printed_f1(published, table="Section IV.A")


def test_rejects_empty_batches():
    with pytest.raises(ValueError, match="batch_size=0"):
        errata.scores_by_mistake(Y_TRUE, Y_PROB, batch_size=0)


def test_last_batch_of_the_paper_has_53_posters(published):
    counts = published[published["metric"] == "count"].set_index(["row"])["value"]
    assert counts["sampled"] - counts["failed"] == counts["all"]
    test = math.ceil(0.2 * counts["all"])
    assert test % 64 == counts["DenseNet201"] == 53
    shares = published.loc[published["metric"].str.startswith("overall_"), "value"]
    assert len(shares) == 15 and shares.between(20, 80).all()  # percent
