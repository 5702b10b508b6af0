"""What a network is trained on, where Keras does not have it."""

import keras
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
