"""Epoch metrics equal the scores of `metrics` over all batches."""

import keras
import numpy as np
import pytest
from conftest import SIGMOID

from poster_cnn import metrics
from poster_cnn.training.build import epoch_metrics

OFFERED = ("overall_f1", "overall_f1_at_622", "top_n_accuracy")
SOFTMAX = {"classifier_activation": "softmax", "loss": "categorical_crossentropy"}


@pytest.fixture
def config(tiny_config):
    return tiny_config.replace(**SIGMOID, metrics=("average_precision", *OFFERED))


def evaluated(config, y_true, y_prob, batch_size=8):
    """Return the scores of `model.evaluate` over several batches, the last of which is smaller."""
    inputs = keras.Input(y_prob.shape[1:])
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss=config.loss, metrics=epoch_metrics(config))
    return model.evaluate(y_prob, y_true, batch_size=batch_size, verbose=0, return_dict=True)


def random_predictions(num_movies=37):
    rng = np.random.default_rng(0)
    y_true = (rng.random((num_movies, 5)) < 0.4).astype("float32")
    y_true[~y_true.any(axis=1), 0] = 1
    return y_true, (0.4 * y_true + 0.6 * rng.random((num_movies, 5))).astype("float32")


def test_equal_the_scores_over_all_batches(config):
    y_true, y_prob = random_predictions()
    found = evaluated(config, y_true, y_prob)
    assert set(found) == {"loss", "accuracy", *OFFERED}
    assert found["overall_f1"] == pytest.approx(metrics.overall_precision_recall_f1(y_true, y_prob, 0.5)[2], abs=1e-6)
    at_622 = metrics.overall_precision_recall_f1(y_true, y_prob, metrics.LOGIT_HALF)[2]
    assert found["overall_f1_at_622"] == pytest.approx(at_622, abs=1e-6)
    assert found["top_n_accuracy"] == pytest.approx(metrics.top_n_accuracy(y_true, y_prob), abs=1e-6)
    assert found["accuracy"] == pytest.approx(metrics.label_accuracy(y_true, y_prob), abs=1e-6)
    assert len({round(value, 4) for value in found.values()}) == 5  # all differ


def test_ties_are_ranked_in_label_order(config):
    y_true, y_prob = random_predictions()
    ties = (np.zeros_like(y_prob), y_prob.round(), (y_prob * 4).round() / 4)  # as with a learning rate of 0.5
    y_true, y_prob = np.tile(y_true, (3, 1)), np.concatenate(ties)
    found = evaluated(config, y_true, y_prob)["top_n_accuracy"]
    assert found == pytest.approx(metrics.top_n_accuracy(y_true, y_prob), abs=1e-6)


def test_f1_is_zero_without_predictions_and_movies_without_genre_count_as_errors(config):
    y_true, y_prob = random_predictions(8)
    y_true[:2], y_prob = 0, y_prob / 4
    found = evaluated(config, y_true, y_prob)
    assert found["overall_f1"] == 0
    assert found["top_n_accuracy"] == pytest.approx(metrics.top_n_accuracy(y_true, y_prob) * 6 / 8, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "accuracy", "others"),
    [
        ({}, keras.metrics.BinaryAccuracy, list(OFFERED)),
        ({"metrics": ("overall_f1",)}, keras.metrics.BinaryAccuracy, ["overall_f1"]),
        ({"loss": "sigmoid_twice_crossentropy"}, keras.metrics.BinaryAccuracy, list(OFFERED)),
        (SOFTMAX, keras.metrics.CategoricalAccuracy, list(OFFERED)),
        # With integer labels, the other metrics are undefined.
        (SOFTMAX | {"loss": "sparse_categorical_crossentropy"}, keras.metrics.SparseCategoricalAccuracy, []),
    ],
)
def test_accuracy_matches_the_loss(config, changes, accuracy, others):
    first, *rest = epoch_metrics(config.replace(**changes))
    assert type(first) is accuracy and first.name == "accuracy"
    assert [metric.name for metric in rest] == others
    assert all(metric.variables and float(metric.result()) == 0 for metric in rest)  # created before any step


@pytest.mark.parametrize("name", OFFERED)
def test_metrics_are_saved_with_a_model(config, name, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(len(config.class_names), "sigmoid")])
    model.compile(loss=config.loss, metrics=epoch_metrics(config.replace(metrics=(name,))))
    model.save(tmp_path / "model.keras")
    assert len(keras.models.load_model(tmp_path / "model.keras").layers) == 1
