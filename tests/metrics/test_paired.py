"""Paired differences: they agree with the slow interval, and p values are corrected for their number."""

import numpy as np
import pytest

from poster_cnn import metrics
from poster_cnn.metrics.scores import BY_NAME

RNG = np.random.default_rng(0)
LABELS = (RNG.random((80, 4)) < 0.4).astype("float32")
GOOD, COLOR = (np.clip(LABELS * weight + RNG.random((80, 4)), 0, 1) for weight in (0.5, 0.2))


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(40), 2)], ids=["movies", "pairs"])
@pytest.mark.parametrize("name", BY_NAME)
def test_margins_agree_with_the_interval_of_one_metric(name, groups):
    sampling = {"groups": groups, "num_resamples": 15}
    found = metrics.margins([name], LABELS, GOOD, {"color": COLOR}, **sampling)[name]["color"]
    metric = BY_NAME[name]
    low, high = metrics.paired_difference_interval(metric, LABELS, GOOD, COLOR, **sampling)
    assert found["value"] == pytest.approx(metric(LABELS, GOOD) - metric(LABELS, COLOR))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-6)


def test_p_value_is_small_for_a_clear_difference_alone():
    found = metrics.margins(["hit_at_1"], LABELS, GOOD, {"color": COLOR, "same": GOOD})["hit_at_1"]
    assert found["same"] == {"value": 0, "low": 0, "high": 0, "p_value": 1}
    assert found["color"]["low"] < 0 < found["color"]["high"] and found["color"]["p_value"] > 0.05
    clear = metrics.margins(["hit_at_1"], LABELS, LABELS, {"color": COLOR})["hit_at_1"]["color"]
    assert clear["low"] > 0 and clear["p_value"] < 1e-4
    perfect = metrics.margins(["label_accuracy"], LABELS, LABELS, {"none": 1 - LABELS})["label_accuracy"]["none"]
    assert perfect["value"] == perfect["low"] == 1 and perfect["p_value"] == 0


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, np.nan, 0.02], [0.5, np.nan, 0.04]),
        ([0.9, 0.8], [1, 1]),
        ([], []),
    ],
)
def test_holm(p_values, corrected):
    assert metrics.holm(p_values) == pytest.approx(corrected, nan_ok=True)


def test_margins_reject_an_unknown_metric_and_another_shape():
    with pytest.raises(ValueError, match="Unknown metric"):
        metrics.margins(["hit"], LABELS, GOOD, {})
    with pytest.raises(ValueError, match="must both be"):
        metrics.margins(["hit_at_1"], LABELS, GOOD, {"color": COLOR[:5]})
    with pytest.raises(ValueError, match="`others` must be a dict"):
        metrics.margins(["hit_at_1"], LABELS, GOOD, COLOR)
    with pytest.raises(ValueError, match="`y_prob` must be"):
        metrics.bootstrap_interval(metrics.hit_at_1, LABELS, [[0.1], [0.2, 0.3]])


def test_interval_of_the_mean_of_seeds():
    seeds = np.stack([np.clip(GOOD + RNG.normal(0, 0.2, GOOD.shape), 0, 1) for _ in range(3)])
    one = metrics.bootstrap_interval(metrics.hit_at_1, LABELS, seeds[0], num_resamples=50)
    assert metrics.bootstrap_interval(metrics.hit_at_1, LABELS, seeds[:1], num_resamples=50) == one
    repeated = metrics.bootstrap_interval(metrics.hit_at_1, LABELS, [seeds[0]] * 3, num_resamples=50)
    assert repeated == pytest.approx(one)
    alone = [metrics.bootstrap_interval(metrics.hit_at_1, LABELS, seed, num_resamples=200) for seed in seeds]
    low, high = metrics.bootstrap_interval(metrics.hit_at_1, LABELS, seeds, num_resamples=200)
    assert high - low < np.mean([high - low for low, high in alone])  # the mean of intervals is too wide
    same = metrics.paired_difference_interval(metrics.hit_at_1, LABELS, seeds, seeds[::-1], num_resamples=50)
    assert same == pytest.approx((0, 0))


def test_scores_and_margins_of_the_mean_of_seeds():
    seeds = np.stack([np.clip(GOOD + RNG.normal(0, 0.2, GOOD.shape), 0, 1) for _ in range(3)])
    for name in ("average_precision", "hit_at_1"):
        score = metrics.score([name], LABELS, seeds, num_resamples=20)[name]
        assert score["value"] == pytest.approx(np.mean([BY_NAME[name](LABELS, seed) for seed in seeds]))
        expected = metrics.bootstrap_interval(BY_NAME[name], LABELS, seeds, num_resamples=20)
        assert (score["low"], score["high"]) == pytest.approx(expected)
        margin = metrics.margins([name], LABELS, seeds, {"color": COLOR}, num_resamples=20)[name]["color"]
        assert margin["value"] == pytest.approx(score["value"] - BY_NAME[name](LABELS, COLOR))
        expected = metrics.paired_difference_interval(BY_NAME[name], LABELS, seeds, COLOR, num_resamples=20)
        assert (margin["low"], margin["high"]) == pytest.approx(expected)
