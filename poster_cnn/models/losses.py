"""What a network is trained on, where Keras does not have it."""

import warnings

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="poster_cnn")
def sigmoid_twice_crossentropy(y_true, y_pred):
    """Binary cross-entropy that takes probabilities for logits: a second sigmoid is applied (paper 4's code).

    The network ends in a sigmoid and the loss, PyTorch's `BCEWithLogitsLoss`, has one of its own: a probability of 0
    counts as 0.5, one of 1 as 0.73, and no loss is below 0.31 for a genre the movie has, 0.69 for one it has not. Keras
    cannot be told to do so: where it finds a sigmoid before a loss with `from_logits=True`, it takes the value before
    the sigmoid.

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.

    Returns:
        The mean over the genres, `(batch,)`.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    return ops.mean(ops.softplus(y_pred) - y_true * y_pred, axis=-1)


def positive_weights(labels, class_names=None):
    """Weight of each genre's positive labels: negatives / positives (paper 5, section 4). Give it train labels only.

    A genre that no movie has, or that every movie has, gets weight 1, with a warning.

    Args:
        labels: Zeros and ones `(num_movies, num_classes)`.
        class_names: Genres, in label order, for the warning. Defaults to `None`: their numbers, from 0.

    Returns:
        float32 array `(num_classes,)`.

    Raises:
        ValueError: If `labels` is not a matrix with a row at least.

    Example:

    >>> positive_weights([[1, 1], [0, 1], [0, 0], [0, 1]])
    array([3.        , 0.33333334], dtype=float32)
    """
    labels = np.asarray(labels) > 0
    if labels.ndim != 2 or not len(labels):
        raise ValueError(f"`labels` must be (num_movies, num_classes), not empty. Received: shape {labels.shape}")
    positives = labels.sum(axis=0)
    negatives = len(labels) - positives
    names = range(labels.shape[1]) if class_names is None else class_names
    rows = list(zip(names, positives, negatives, strict=True))
    for what, found in (
        ("no movie has", [str(name) for name, has, _ in rows if not has]),
        ("every movie has", [str(name) for name, _, has_not in rows if not has_not]),
    ):
        if found:
            warnings.warn(f"Genres that {what} get weight 1: {', '.join(found)}.", stacklevel=2)
    usual = (positives > 0) & (negatives > 0)
    return np.divide(negatives, positives, out=np.ones(len(usual)), where=usual).astype("float32")


def weighted_binary_crossentropy(y_true, y_pred, positive_weights):
    """Binary cross-entropy in which the positive labels of genre c weigh p_c (paper 5, section 4).

    Args:
        y_true: Zeros and ones `(batch, num_classes)`.
        y_pred: Probabilities, 0..1, of the same shape.
        positive_weights: p_c for each genre, as from `positive_weights`.

    Returns:
        The mean over the genres, `(batch,)`.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    weights = ops.where(y_true > 0, ops.convert_to_tensor(positive_weights, "float32"), 1.0)
    # Keras's own knows the logits of a sigmoid, where it can: probabilities of 1 would have no gradient.
    return ops.mean(weights * ops.binary_crossentropy(y_true, y_pred), axis=-1)


@keras.saving.register_keras_serializable(package="poster_cnn")
class WeightedBinaryCrossentropy(keras.losses.Loss):
    """`weighted_binary_crossentropy` with its weights, to compile a model with; it is saved with the model.

    Args:
        positive_weights: p_c for each genre, positive, as from `positive_weights`.
        name: Name of the loss. Defaults to "weighted_binary_crossentropy".
        **kwargs: As `keras.losses.Loss` takes them.

    Raises:
        ValueError: If a weight is not a positive number.

    Example:

    >>> model.compile(loss=WeightedBinaryCrossentropy(positive_weights(train_labels)))
    """

    def __init__(self, positive_weights, name="weighted_binary_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        weights = np.asarray(positive_weights, dtype="float64")
        if weights.ndim != 1 or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(f"`positive_weights` must be a positive number a genre. Received: {positive_weights}")
        self.positive_weights = weights.tolist()

    def call(self, y_true, y_pred):
        return weighted_binary_crossentropy(y_true, y_pred, self.positive_weights)

    def get_config(self):
        return super().get_config() | {"positive_weights": self.positive_weights}
