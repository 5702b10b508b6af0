"""Losses that Keras lacks: the second sigmoid of paper 4's code, and the weighted cross-entropy of paper 5."""

import keras
import numpy as np
import pytest

from poster_cnn.models import blocks, losses
from poster_cnn.models.losses import WeightedBinaryCrossentropy, positive_weights, weighted_binary_crossentropy
from poster_cnn.training.build import compile_network

Y_TRUE = np.array([[1, 0, 0], [1, 1, 0]], dtype="float32")
Y_PROB = np.array([[0.9, 0.2, 0.5], [0.0, 1.0, 1.0]], dtype="float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def crossentropy(y_true, y_prob):
    """Compute binary cross-entropy per movie from its definition."""
    return -(y_true * np.log(y_prob) + (1 - y_true) * np.log(1 - y_prob)).mean(axis=1)


def test_sigmoid_twice_crossentropy_by_hand():
    loss = np.array(losses.sigmoid_twice_crossentropy(Y_TRUE, Y_PROB))
    assert loss.dtype == "float32" and loss == pytest.approx(crossentropy(Y_TRUE, sigmoid(Y_PROB.astype("float64"))))
    assert float(keras.ops.max(losses.sigmoid_twice_crossentropy(Y_TRUE.astype(int), Y_PROB) - loss)) == 0


def test_sigmoid_twice_crossentropy_has_a_lower_bound():
    best = losses.sigmoid_twice_crossentropy(np.eye(2), np.eye(2))
    assert np.array(best) == pytest.approx((0.3133 + 0.6931) / 2, abs=1e-4)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (6, 16, 16, 3)).astype("float32")
    return images, (rng.random((6, 3)) < 0.5).astype("float32")


@pytest.mark.parametrize("logits_dropout", [0, 0.3])
def test_fit_applies_the_sigmoid_twice(data, tiny_config, logits_dropout):
    model = small_network(logits_dropout)
    y_prob = model.predict(data[0], verbose=0)
    config = tiny_config.replace(loss="sigmoid_twice_crossentropy", classifier_activation="sigmoid", learning_rate=1e-9)
    compile_network(model, config, config.learning_rate)
    model.steps_per_execution = 1
    history = model.fit(*data, validation_data=data, batch_size=6, verbose=0).history
    twice, once = crossentropy(data[1], sigmoid(y_prob)).mean(), crossentropy(data[1], y_prob).mean()
    assert history["val_loss"][0] == pytest.approx(twice, abs=1e-5) and abs(twice - once) > 0.01
    if not logits_dropout:
        assert history["loss"][0] == pytest.approx(twice, abs=1e-5)


def test_keras_from_logits_undoes_the_sigmoid(data):
    model = small_network()
    y_prob = model.predict(data[0], verbose=0)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    with pytest.warns(UserWarning, match="from_logits=True"):
        loss = model.evaluate(*data, verbose=0)
    assert loss == pytest.approx(crossentropy(data[1], y_prob).mean(), abs=1e-5)


def small_network(logits_dropout=0):
    """Build a model of one genre per channel, for which one sigmoid and two give different losses."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    outputs = blocks.classifier(x, 3, "sigmoid", logits_dropout=logits_dropout)
    model = keras.Model(inputs, outputs)
    model.layers[3].set_weights([np.diag([1.0, -1, 2]), np.array([1.0, -2, 0])])
    return model


def test_model_is_saved_with_sigmoid_twice_crossentropy(data, tmp_path):
    model = small_network()
    model.compile("sgd", losses.sigmoid_twice_crossentropy)
    before = model.evaluate(*data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(*data, verbose=0) == pytest.approx(before)
    assert loaded.loss is losses.sigmoid_twice_crossentropy
    name = keras.losses.serialize(losses.sigmoid_twice_crossentropy)
    assert keras.losses.deserialize(name) is losses.sigmoid_twice_crossentropy


def test_positive_weights_are_negatives_over_positives():
    weights = positive_weights([[1, 1], [0, 1], [0, 0], [0, 1]])
    assert weights.dtype == "float32" and weights.tolist() == pytest.approx([3, 1 / 3])


@pytest.mark.parametrize(
    ("labels", "names", "weights", "message"),
    [
        ([[1, 0], [0, 0], [0, 0]], ("Horror", "War"), [2, 1], "Genres that no movie has get weight 1: War"),
        ([[1, 0], [0, 0], [0, 0]], None, [2, 1], "get weight 1: 1"),
        ([[1, 1], [0, 1]], ("Horror", "War"), [1, 1], "Genres that every movie has get weight 1: War"),
    ],
)
def test_positive_weights_warns_of_genres_without_a_ratio(labels, names, weights, message):
    with pytest.warns(UserWarning, match=message):
        assert positive_weights(labels, names).tolist() == weights


@pytest.mark.parametrize("labels", [[], [1, 0], np.zeros((0, 2))])
def test_positive_weights_rejects_labels_that_are_not_a_matrix(labels):
    with pytest.raises(ValueError, match=r"\(num_movies, num_classes\), not empty. Received: shape"):
        positive_weights(labels)


def test_weighted_binary_crossentropy_by_hand():
    y_true, y_pred = [[1, 0], [0, 1]], [[0.8, 0.4], [0.5, 0.1]]
    first = -(3 * np.log(0.8) + np.log(0.6)) / 2
    second = -(np.log(0.5) + 0.5 * np.log(0.1)) / 2
    found = keras.ops.convert_to_numpy(weighted_binary_crossentropy(y_true, y_pred, [3, 0.5]))
    np.testing.assert_allclose(found, [first, second], rtol=1e-5)
    mean = WeightedBinaryCrossentropy([3, 0.5])(np.array(y_true), np.array(y_pred))
    assert float(mean) == pytest.approx((first + second) / 2, rel=1e-5)


def test_weights_of_1_give_the_loss_of_keras():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, (6, 4)).astype("float32"), rng.random((6, 4)).astype("float32")
    y_pred[0] = [0, 1, 0, 1]  # certain, and half of them wrong: the loss stays finite
    loss = WeightedBinaryCrossentropy(np.ones(4))(y_true, y_pred)
    assert float(loss) == pytest.approx(float(keras.losses.BinaryCrossentropy()(y_true, y_pred)), rel=1e-5)


def test_weighted_loss_loads_from_its_config():
    loss = WeightedBinaryCrossentropy(np.array([3, 0.5], "float32"), reduction="sum")
    loaded = keras.losses.deserialize(keras.losses.serialize(loss))
    assert loaded.get_config() == loss.get_config()
    assert (loaded.positive_weights, loaded.reduction) == ([3, 0.5], "sum")
    assert loaded.name == "weighted_binary_crossentropy"


def test_model_is_saved_with_its_weighted_loss(tmp_path):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("adam", WeightedBinaryCrossentropy([30, 0.1]))
    x, y = np.eye(3, dtype="float32"), np.array([[1, 0], [0, 1], [1, 1]], "float32")
    model.fit(x, y, verbose=0)  # gives the optimizer a state to save
    before = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(before, rel=1e-6)
    assert loaded.loss.positive_weights == [30, 0.1]


@pytest.mark.parametrize("weights", [[1, 0], [1, -2], [1, np.nan], [[1, 2]], 3])
def test_rejects_weights_that_are_not_positive(weights):
    with pytest.raises(ValueError, match="must be positive numbers, one per genre. Received"):
        WeightedBinaryCrossentropy(weights)


def test_gradient_does_not_vanish_at_a_wrong_probability_of_1():
    # In float32 the probability is exactly 1; the gradient is computed from the logit.
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, activation="sigmoid", bias_initializer="ones")]
    )
    model.set_weights([np.zeros((1, 1)), np.array([40.0])])
    model.compile(keras.optimizers.SGD(1.0), WeightedBinaryCrossentropy([2]))
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=4, verbose=0)
    assert float(model.get_weights()[1][0]) == pytest.approx(39, abs=1e-3)
