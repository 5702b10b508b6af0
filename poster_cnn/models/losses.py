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


@keras.saving.register_keras_serializable(package="poster_cnn")
def asymmetric_loss(y_true, y_pred, gamma_negative=4.0, gamma_positive=1.0, clip=0.05):
    """Compute the asymmetric loss, in which easy negative labels have little weight (Ridnik et al. 2021).

    Reference: T. Ridnik et al., "Asymmetric Loss For Multi-Label Classification", https://arxiv.org/abs/2009.14119.
    With `gamma_negative=gamma_positive=clip=0` it is binary cross-entropy.

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.
        gamma_negative: Focusing exponent of the negative labels. Defaults to 4.0.
        gamma_positive: Focusing exponent of the positive labels. Defaults to 1.0.
        clip: Negative labels with probabilities up to this margin have no loss. Defaults to 0.05.

    Returns:
        float32 tensor `(batch,)`, the mean over the genres.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    smallest = keras.config.epsilon()
    p = ops.clip(y_pred, smallest, 1 - smallest)  # the gradient of a power at 0, or of log 0, is not finite
    shifted = ops.maximum(p - clip, smallest)
    positive = ops.power(1 - p, gamma_positive) * ops.log(p)
    negative = ops.power(shifted, gamma_negative) * ops.log(1 - shifted)
    return -ops.mean(y_true * positive + (1 - y_true) * negative, axis=-1)


def balanced_weights(labels):
    """Return a weight for each genre so that all genres count equally, as scikit-learn's "balanced".

    Args:
        labels: Zeros and ones of the training set, `(num_movies, num_classes)`.

    Returns:
        float32 array `(num_classes,)`: labels / (genres · labels of the genre), and 1 for a genre that no movie has.

    Example:

    >>> balanced_weights([[1, 0], [1, 0], [1, 0], [0, 1]])
    array([0.6666667, 2.       ], dtype=float32)
    """
    counts = (arguments.numeric("labels", labels) > 0).sum(axis=0)
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 1).astype("float32")


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


def weighted_binary_crossentropy(y_true, y_pred, positive_weights, label_smoothing=0.0):
    """Compute binary cross-entropy in which the positive labels of genre c have weight p_c (paper 5, section 4).

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.
        positive_weights: Weights p_c `(num_classes,)`, as from `positive_weights`.
        label_smoothing: Share of the labels that is moved towards 0.5. Defaults to 0.0.

    Returns:
        float32 tensor `(batch,)`, the mean over the genres.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    weights = ops.where(y_true > 0, ops.convert_to_tensor(positive_weights, "float32"), 1.0)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    # Keras's function falls back on the logits of a sigmoid, because a probability of 1 has no gradient.
    return ops.mean(weights * ops.binary_crossentropy(y_true, y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="poster_cnn")
class WeightedBinaryCrossentropy(keras.losses.Loss):
    """Loss class of `weighted_binary_crossentropy`; a model is saved with its weights.

    Args:
        positive_weights: Positive weights p_c `(num_classes,)`, as from `positive_weights`.
        label_smoothing: As in `weighted_binary_crossentropy`. Defaults to 0.0.
        name: Name of the loss. Defaults to `"weighted_binary_crossentropy"`.
        **kwargs: Arguments of `keras.losses.Loss`.

    Raises:
        ValueError: If a weight is not a positive number.

    Example:

    >>> model.compile(loss=WeightedBinaryCrossentropy(positive_weights(train_labels)))
    """

    def __init__(self, positive_weights, label_smoothing=0.0, name="weighted_binary_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        weights = np.asarray(positive_weights, dtype="float64")
        if weights.ndim != 1 or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"`positive_weights` must be positive numbers, one per genre. Received: {positive_weights}"
            )
        self.positive_weights, self.label_smoothing = weights.tolist(), label_smoothing

    def call(self, y_true, y_pred):
        """Return `weighted_binary_crossentropy` of a batch, a float32 tensor `(batch,)`."""
        return weighted_binary_crossentropy(y_true, y_pred, self.positive_weights, self.label_smoothing)

    def get_config(self):
        own = {"positive_weights": self.positive_weights, "label_smoothing": self.label_smoothing}
        return super().get_config() | own
