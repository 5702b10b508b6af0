"""Losses that Keras lacks."""

import warnings

import keras
import numpy as np
from keras import ops

from poster_cnn.metrics import arguments


@keras.saving.register_keras_serializable(package="poster_cnn")
def sigmoid_twice_crossentropy(y_true, y_pred):
    """Compute binary cross-entropy with a second sigmoid applied to probabilities, as in paper 4's code.

    The paper's network ends in a sigmoid and its loss, PyTorch's `BCEWithLogitsLoss`, applies another one. The loss is
    therefore at least 0.31 for a positive label and 0.69 for a negative one. In Keras, `from_logits=True` after a
    sigmoid layer would undo the sigmoid instead.

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.

    Returns:
        float32 tensor `(batch,)`, the mean over the genres.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    return ops.mean(ops.softplus(y_pred) - y_true * y_pred, axis=-1)


def positive_weights(labels, class_names=None):
    """Return the weight of each genre's positive labels, negatives / positives (paper 5, section 4).

    A genre that no movie has, or that every movie has, gets weight 1 and a warning.

    Args:
        labels: Zeros and ones of the training set, `(num_movies, num_classes)`.
        class_names: Genres in label order, for the warning. Defaults to `None`: their indices.

    Returns:
        float32 array `(num_classes,)`.

    Raises:
        ValueError: If `labels` is empty or not a matrix.

    Example:

    >>> positive_weights([[1, 1], [0, 1], [0, 0], [0, 1]])
    array([3.        , 0.33333334], dtype=float32)
    """
    labels = arguments.numeric("labels", labels) > 0
    if labels.ndim != 2 or not len(labels):
        raise ValueError(f"`labels` must be (num_movies, num_classes), not empty. Received: shape {labels.shape}")
    positives = labels.sum(axis=0)
    negatives = len(labels) - positives
    names = np.array(range(labels.shape[1]) if class_names is None else class_names, dtype=str)
    for what, genres in (("no movie has", names[positives == 0]), ("every movie has", names[negatives == 0])):
        if len(genres):
            warnings.warn(f"Genres that {what} get weight 1: {', '.join(genres)}.", stacklevel=2)
    has_ratio = (positives > 0) & (negatives > 0)
    return np.divide(negatives, positives, out=np.ones(len(names)), where=has_ratio).astype("float32")


def weighted_binary_crossentropy(y_true, y_pred, positive_weights):
    """Compute binary cross-entropy in which the positive labels of genre c have weight p_c (paper 5, section 4).

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.
        positive_weights: Weights p_c `(num_classes,)`, as from `positive_weights`.

    Returns:
        float32 tensor `(batch,)`, the mean over the genres.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    weights = ops.where(y_true > 0, ops.convert_to_tensor(positive_weights, "float32"), 1.0)
    # Keras's function falls back on the logits of a sigmoid, because a probability of 1 has no gradient.
    return ops.mean(weights * ops.binary_crossentropy(y_true, y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="poster_cnn")
class WeightedBinaryCrossentropy(keras.losses.Loss):
    """Loss class of `weighted_binary_crossentropy`; a model is saved with its weights.

    Args:
        positive_weights: Positive weights p_c `(num_classes,)`, as from `positive_weights`.
        name: Name of the loss. Defaults to `"weighted_binary_crossentropy"`.
        **kwargs: Arguments of `keras.losses.Loss`.

    Raises:
        ValueError: If a weight is not a positive number.

    Example:

    >>> model.compile(loss=WeightedBinaryCrossentropy(positive_weights(train_labels)))
    """

    def __init__(self, positive_weights, name="weighted_binary_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        weights = np.asarray(positive_weights, dtype="float64")
        if weights.ndim != 1 or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"`positive_weights` must be positive numbers, one per genre. Received: {positive_weights}"
            )
        self.positive_weights = weights.tolist()

    def call(self, y_true, y_pred):
        return weighted_binary_crossentropy(y_true, y_pred, self.positive_weights)

    def get_config(self):
        return super().get_config() | {"positive_weights": self.positive_weights}
