"""Config -> network, compiled, of Keras alone: on TensorFlow, JAX or PyTorch."""

import inspect
import math

import keras
import numpy as np
from keras import ops

from poster_cnn import models
from poster_cnn.metrics.scores import LOGIT_HALF
from poster_cnn.models import losses

# Batches a call of the compiled step: a fifth more posters/s on CPUs. PyTorch's steps are not compiled, and take one.
_STEPS_PER_EXECUTION = 1 if keras.backend.backend() == "torch" else 16


def build_model(config, weights=None):
    """Builds and compiles the network of a config.

    Args:
        config: `TrainingConfig`.
        weights: Dict of pretrained weights that the data folder brings, file name -> path: the file whose name starts
            with `<model>_` stands for "imagenet". Defaults to none: Keras downloads them.

    Returns:
        `keras.Model`, compiled with Adam and `epoch_metrics`.
    """
    return compile_network(build_network(config, config.precision, weights), config, config.learning_rate)


def pretrained_weights(config, weights=None):
    """What a config's network starts from: "imagenet" is replaced by the file that the data folder brings, if any.

    Args:
        config: `TrainingConfig`.
        weights: As in `build_model`.

    Returns:
        "imagenet", the path of a file as str, or `None`: random weights.
    """
    builder = getattr(models, config.model, None)
    default = inspect.signature(builder).parameters.get("weights") if builder else None
    asked = config.model_args.get("weights", default.default if default else None)
    brought = [str(path) for name, path in (weights or {}).items() if name.startswith(f"{config.model}_")]
    return brought[0] if asked == "imagenet" and brought else asked


def build_network(config, precision, weights=None):
    """Builds the network of a config, uncompiled.

    Args:
        config: `TrainingConfig`.
        precision: Keras dtype policy to build it with.
        weights: As in `build_model`.

    Returns:
        `keras.Model`
    """
    builder = getattr(models, config.model, None)
    if builder is None:
        raise ValueError(f"Unknown model. Expected a builder of poster_cnn.models. Received: model={config.model!r}")
    known, arguments = list(inspect.signature(builder).parameters), dict(config.model_args)
    if unknown := [name for name in arguments if name not in known]:
        raise ValueError(
            f"{config.model} does not take {', '.join(unknown)}. Expected some of {', '.join(known)}. "
            f"Received: model_args={config.model_args}"
        )
    if "weights" in known:
        arguments["weights"] = pretrained_weights(config, weights)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return builder(
            (*config.image_size, 3),
            len(config.class_names),
            classifier_activation=config.classifier_activation,
            **arguments,
        )
    finally:
        keras.config.set_dtype_policy(policy)


def compile_network(model, config, learning_rate):
    """Compiles a network with a config's loss, Adam and `epoch_metrics`; returns it.

    Args:
        model: `keras.Model`.
        config: `TrainingConfig`.
        learning_rate: Of Adam.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=getattr(losses, config.loss, config.loss),
        metrics=epoch_metrics(config),
        steps_per_execution=_STEPS_PER_EXECUTION,
    )
    return model


def seed_dropout(model, seed, epoch):
    """Sets the random state of each dropout layer from the run's seed and the epoch's number.

    Args:
        model: `keras.Model`.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.
    """
    for position, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.SeedSequence([seed, epoch, position]).generate_state(2)
            generator.state.assign(state.astype(generator.state.dtype))


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


def require_finite(row, what, learning_rate):
    """Makes sure that the losses of an epoch are finite.

    Args:
        row: dict of one epoch: `epoch`, `loss` and, with validation, `val_loss`. The last step of an epoch may spoil
            the weights, which only the latter shows.
        what: What is trained, such as its run folder, for the message.
        learning_rate: Of the epoch, for the message.

    Raises:
        FloatingPointError: If one is NaN or infinite.
    """
    for name in ("loss", "val_loss"):
        if not math.isfinite(row.get(name, 0)):
            raise FloatingPointError(
                f"The {name} became {row[name]} in epoch {row['epoch']} of {what}. "
                f"Try a smaller learning rate. Received: learning_rate={learning_rate:g}"
            )
