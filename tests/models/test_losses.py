"""The loss that Keras does not have: a second sigmoid, as in the code of paper 4, whatever Keras would make of it."""

import keras
import numpy as np
import pytest

from poster_cnn.models import blocks, losses
from poster_cnn.training.build import compile_network

Y_TRUE = np.array([[1, 0, 0], [1, 1, 0]], dtype="float32")
Y_PROB = np.array([[0.9, 0.2, 0.5], [0.0, 1.0, 1.0]], dtype="float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def crossentropy(y_true, y_prob):
    """Binary cross-entropy from its definition, one number a movie."""
    return -(y_true * np.log(y_prob) + (1 - y_true) * np.log(1 - y_prob)).mean(axis=1)


def test_the_loss_by_hand():
    loss = np.array(losses.sigmoid_twice_crossentropy(Y_TRUE, Y_PROB))
    assert loss.dtype == "float32" and loss == pytest.approx(crossentropy(Y_TRUE, sigmoid(Y_PROB.astype("float64"))))
    assert float(keras.ops.max(losses.sigmoid_twice_crossentropy(Y_TRUE.astype(int), Y_PROB) - loss)) == 0


def test_no_prediction_gets_below_its_floor():
    best = losses.sigmoid_twice_crossentropy(np.eye(2), np.eye(2))
    assert np.array(best) == pytest.approx((0.3133 + 0.6931) / 2, abs=1e-4)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (6, 16, 16, 3)).astype("float32")
    return images, (rng.random((6, 3)) < 0.5).astype("float32")


@pytest.mark.parametrize("logits_dropout", [0, 0.3])
def test_inside_of_fit_the_sigmoid_is_applied_twice(data, tiny_config, logits_dropout):
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


def test_keras_itself_would_undo_the_sigmoid(data):
    model = small_network()
    y_prob = model.predict(data[0], verbose=0)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    with pytest.warns(UserWarning, match="from_logits=True"):
        loss = model.evaluate(*data, verbose=0)
    assert loss == pytest.approx(crossentropy(data[1], y_prob).mean(), abs=1e-5)


def small_network(logits_dropout=0):
    """A genre for each channel, with probabilities far from where one sigmoid and two would give the same loss."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    outputs = blocks.classifier(x, 3, "sigmoid", logits_dropout=logits_dropout)
    model = keras.Model(inputs, outputs)
    model.layers[3].set_weights([np.diag([1.0, -1, 2]), np.array([1.0, -2, 0])])
    return model


def test_a_compiled_model_keeps_the_loss_in_its_file(data, tmp_path):
    model = small_network()
    model.compile("sgd", losses.sigmoid_twice_crossentropy)
    before = model.evaluate(*data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(*data, verbose=0) == pytest.approx(before)
    assert loaded.loss is losses.sigmoid_twice_crossentropy
    name = keras.losses.serialize(losses.sigmoid_twice_crossentropy)
    assert keras.losses.deserialize(name) is losses.sigmoid_twice_crossentropy
