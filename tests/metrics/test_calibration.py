"""Temperature scaling: the right temperature and choice, the same decisions, and the calibration error by hand."""

import subprocess
import sys

import numpy as np
import pytest

from poster_cnn.metrics.calibration import (
    Calibration,
    choose_calibration,
    expected_calibration_error,
    reliability,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def sigmoid_outputs(temperatures, num_movies=4000):
    """Return labels drawn from well-calibrated probabilities, and probabilities whose logits are too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 1.5, (num_movies, len(temperatures)))
    labels = (rng.random(logits.shape) < sigmoid(logits)).astype("float32")
    return labels, sigmoid(logits * temperatures).astype("float32")


def softmax_outputs(temperature, num_movies=4000):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (num_movies, 3))
    first = (softmax(logits).cumsum(axis=1) < rng.random((num_movies, 1))).sum(axis=1)
    return np.eye(3)[first.clip(max=2)], softmax(logits * temperature).astype("float32")


@pytest.mark.parametrize(
    ("outputs", "temperatures", "activation", "chosen"),
    [
        (sigmoid_outputs, (1, 1, 1), "sigmoid", 1),
        (sigmoid_outputs, (2, 2), "sigmoid", 1),
        (sigmoid_outputs, (0.5, 0.5), "sigmoid", 1),
        (sigmoid_outputs, (0.5, 3), "sigmoid", 2),
        (sigmoid_outputs, (3,), "sigmoid", 1),
        (softmax_outputs, (2.5,), "softmax", 1),
        (softmax_outputs, (0.4,), "softmax", 1),
    ],
)
def test_finds_the_temperatures_of_the_data(outputs, temperatures, activation, chosen):
    y_true, y_prob = outputs(np.array(temperatures) if activation == "sigmoid" else temperatures[0])
    calibration, losses = choose_calibration(y_true, y_prob, activation=activation)
    assert len(calibration.temperatures) == chosen
    assert calibration.temperatures == pytest.approx(temperatures[:chosen], rel=0.1)
    assert min(losses, key=losses.get) in ({1: ("none", "one"), 2: ("genre",)}[chosen])
    of = {"activation": activation}
    before = expected_calibration_error(y_true, y_prob, **of)
    after = expected_calibration_error(y_true, calibration.probabilities(y_prob), **of)
    assert after < 0.02 and (max(temperatures) == 1 or after < before / 2)


def test_rows_of_a_movie_stay_in_one_fold():
    """Repeated rows would let the temperature of each genre look better than it is."""
    rng = np.random.default_rng(1)
    y_true, y_prob = (rng.random((30, 12)) < 0.3).astype("float32"), rng.random((30, 12)) * 0.6
    repeated = np.repeat(np.arange(30), 20)
    losses = [choose_calibration(y_true[repeated], y_prob[repeated], groups=movies)[1] for movies in (None, repeated)]
    assert losses[1]["genre"] > losses[0]["genre"] + 0.005


@pytest.mark.parametrize("num_movies", [1, 9, 12])
def test_few_movies_and_genres_without_movies(num_movies):
    y_true, y_prob = np.zeros((num_movies, 2)), np.full((num_movies, 2), [0.0, 1.0])
    calibration, losses = choose_calibration(y_true, y_prob)
    assert np.isfinite(calibration.temperatures).all() and np.isfinite(calibration.probabilities(y_prob)).all()
    assert bool(losses) == (num_movies >= 10) and (losses or calibration == Calibration((1.0,)))


@pytest.mark.parametrize("temperatures", [(1,), (0.3,), (4,), (0.2, 1, 7)])
def test_decisions_do_not_change(temperatures):
    rng = np.random.default_rng(0)
    y_prob = np.vstack([rng.random((500, 3)), rng.random((500, 3)) ** 9, [[0, 0, 0], [1, 1, 1]]]).astype("float32")
    thresholds, calibration = np.array([0.4, 0.02, float(y_prob[3, 2])]), Calibration(temperatures)
    decided = calibration.probabilities(y_prob) >= calibration.thresholds(thresholds)
    assert np.array_equal(decided, y_prob >= thresholds)
    of_softmax = y_prob[:900] / y_prob[:900].sum(axis=1, keepdims=True)
    softmax_of_one = Calibration(temperatures[:1], "softmax").probabilities(of_softmax)
    assert np.array_equal(softmax_of_one.argmax(axis=1), of_softmax.argmax(axis=1))
    assert softmax_of_one.sum(axis=1) == pytest.approx(1)
    if temperatures == (1,):
        assert np.array_equal(calibration.probabilities(y_prob), y_prob)


@pytest.mark.parametrize(
    ("y_true", "y_prob", "activation", "expected"),
    [
        ([[1], [0]], [[0.9], [0.9]], "sigmoid", 0.4),
        ([[1, 0], [0, 0]], [[1, 0], [0, 0]], "sigmoid", 0),
        ([[0, 1], [0, 0]], [[1, 0], [0, 0]], "sigmoid", 0.5),  # bin 1: 1 instead of 0; bin 0: 0 instead of 1/3
        ([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.5, 0.5]] * 4, "softmax", 0),
        ([[1, 0], [0, 1]], [[0.8, 0.2], [0.3, 0.7]], "softmax", 0.25),
        ([[1, 1]], [[0.6, 0.4]], "softmax", 0.1),  # each of two genres counts for a half
        ([[0, 0]], [[0.6, 0.4]], "softmax", 0.6),
    ],
)
def test_calibration_error_by_hand(y_true, y_prob, activation, expected):
    assert expected_calibration_error(y_true, y_prob, activation=activation) == pytest.approx(expected)


def test_bins_hold_their_upper_ends():
    found = reliability([[1], [0], [1], [1]], [[0], [0.5], [0.500001], [1]], num_bins=2)
    assert found["count"].tolist() == [2, 2] and found["frequency"].tolist() == [0.5, 1]
    assert np.isnan(reliability([[1]], [[1]], num_bins=2)["confidence"][0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Calibration((0,)), "`temperatures` must be positive numbers"),
        (lambda: Calibration(()), "`temperatures` must be positive numbers"),
        (lambda: Calibration(2.0), "`temperatures` must be positive numbers"),
        (lambda: Calibration((1, 2), "softmax"), "`temperatures` must be one number for a softmax"),
        (lambda: Calibration((1,), "relu"), "`activation` must be 'sigmoid' or 'softmax'. Received: activation='relu'"),
        (lambda: Calibration.from_dict({"t": 1}, 3), "`calibration` must be a dict with `temperatures`"),
        (lambda: Calibration.from_dict({"temperatures": [1, 2]}, 3), "one for each of 3 genres"),
        (lambda: choose_calibration([[1]], [[1.5]]), "`y_prob` must be probabilities"),
        (lambda: expected_calibration_error([[1]], [[0.5]], num_bins=0), "`num_bins` must be 1 or more"),
    ],
)
def test_rejects_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_applying_a_calibration_imports_neither_scikit_learn_nor_scipy():
    script = """
import sys
from poster_cnn.metrics.calibration import Calibration
Calibration.from_dict({"temperatures": [2], "activation": "softmax"}, 2).probabilities([0.5, 0.5])
print({"sklearn", "scipy", "pandas"} & set(sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "set()"
