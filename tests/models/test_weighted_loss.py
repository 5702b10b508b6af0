"""Paper 5's loss: positive labels weigh negatives / positives, and the weights are saved with the model."""

import keras
import numpy as np
import pytest

from poster_cnn.models.losses import WeightedBinaryCrossentropy, positive_weights, weighted_binary_crossentropy


def test_weights_are_negatives_over_positives():
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
def test_a_genre_without_a_ratio_weighs_1_and_is_said(labels, names, weights, message):
    with pytest.warns(UserWarning, match=message):
        assert positive_weights(labels, names).tolist() == weights


@pytest.mark.parametrize("labels", [[], [1, 0], np.zeros((0, 2))])
def test_weights_need_a_matrix_of_labels(labels):
    with pytest.raises(ValueError, match=r"\(num_movies, num_classes\), not empty. Received: shape"):
        positive_weights(labels)


def test_the_loss_by_hand():
    y_true, y_pred = [[1, 0], [0, 1]], [[0.8, 0.4], [0.5, 0.1]]
    first = -(3 * np.log(0.8) + np.log(0.6)) / 2
    second = -(np.log(0.5) + 0.5 * np.log(0.1)) / 2
    losses = keras.ops.convert_to_numpy(weighted_binary_crossentropy(y_true, y_pred, [3, 0.5]))
    np.testing.assert_allclose(losses, [first, second], rtol=1e-5)
    mean = WeightedBinaryCrossentropy([3, 0.5])(np.array(y_true), np.array(y_pred))
    assert float(mean) == pytest.approx((first + second) / 2, rel=1e-5)


def test_weights_of_1_give_keras_own_loss():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, (6, 4)).astype("float32"), rng.random((6, 4)).astype("float32")
    y_pred[0] = [0, 1, 0, 1]  # certain, and half of it wrong: finite all the same
    loss = WeightedBinaryCrossentropy(np.ones(4))(y_true, y_pred)
    assert float(loss) == pytest.approx(float(keras.losses.BinaryCrossentropy()(y_true, y_pred)), rel=1e-5)


def test_the_loss_comes_back_from_its_config():
    loss = WeightedBinaryCrossentropy(np.array([3, 0.5], "float32"), reduction="sum")
    loaded = keras.losses.deserialize(keras.losses.serialize(loss))
    assert loaded.get_config() == loss.get_config()
    assert (loaded.positive_weights, loaded.reduction, loaded.name) == (
        [3, 0.5],
        "sum",
        "weighted_binary_crossentropy",
    )


def test_a_model_is_saved_with_its_loss(tmp_path):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("adam", WeightedBinaryCrossentropy([30, 0.1]))
    x, y = np.eye(3, dtype="float32"), np.array([[1, 0], [0, 1], [1, 1]], "float32")
    model.fit(x, y, verbose=0)  # or the optimizer has nothing to save
    before = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(before, rel=1e-6)
    assert loaded.loss.positive_weights == [30, 0.1]


@pytest.mark.parametrize("weights", [[1, 0], [1, -2], [1, np.nan], [[1, 2]], 3])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="must be a positive number a genre. Received"):
        WeightedBinaryCrossentropy(weights)


def test_a_network_that_is_sure_and_wrong_still_learns():
    """In float32 its probability is 1 exactly: the gradient is that of the logit."""
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, activation="sigmoid", bias_initializer="ones")]
    )
    model.set_weights([np.zeros((1, 1)), np.array([40.0])])
    model.compile(keras.optimizers.SGD(1.0), WeightedBinaryCrossentropy([2]))
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=4, verbose=0)
    assert float(model.get_weights()[1][0]) == pytest.approx(39, abs=1e-3)
