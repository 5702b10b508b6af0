"""What is looked at after each epoch: Keras metrics, counted over the whole epoch, by the names of `metrics`."""

import keras
from keras import ops

from poster_cnn.metrics.scores import LOGIT_HALF


def epoch_metrics(config):
    """The metrics that a config's network is compiled with.

    Args:
        config: `TrainingConfig`.

    Returns:
        List of `keras.metrics.Metric`: `accuracy` (`CategoricalAccuracy` or `SparseCategoricalAccuracy` with softmax,
        `BinaryAccuracy` with sigmoid), then those of `overall_f1`, `overall_f1_at_622` and `top_n_accuracy` that the
        config scores.
    """
    if config.classifier_activation == "sigmoid":
        accuracy = keras.metrics.BinaryAccuracy
    elif config.loss.startswith("sparse_"):
        accuracy = keras.metrics.SparseCategoricalAccuracy
    else:
        accuracy = keras.metrics.CategoricalAccuracy
    offered = {
        "overall_f1": lambda name: keras.metrics.F1Score(average="micro", threshold=0.5, name=name),
        "overall_f1_at_622": lambda name: keras.metrics.F1Score(average="micro", threshold=LOGIT_HALF, name=name),
        "top_n_accuracy": lambda name: keras.metrics.MeanMetricWrapper(_top_n_accuracy, name=name),
    }
    wanted = [make(name) for name, make in offered.items() if name in config.metrics and not _one_genre(config)]
    return [accuracy(name="accuracy"), *wanted]


def _one_genre(config):
    return config.loss.startswith("sparse_")  # labels are numbers of genres there


def _top_n_accuracy(y_true, y_pred):
    """As `metrics.top_n_accuracy` for each movie of a batch; a movie without a genre counts as 0."""
    order = ops.argsort(-y_pred, axis=-1)  # of equal probabilities, the first genre in label order goes first
    ranked = ops.take_along_axis(y_true, order, axis=-1)
    num_genres = ops.sum(y_true, axis=-1, keepdims=True)
    among_top_n = ops.cast(ops.arange(ranked.shape[-1], dtype=ranked.dtype) < num_genres, ranked.dtype)
    return ops.sum(ranked * among_top_n, axis=-1) / ops.maximum(num_genres[:, 0], 1)
