"""Building blocks shared by the networks: scaled input, convolutions with pooling, dense layers, classifier."""

import functools
import inspect
import numbers

import numpy as np
from keras import Input, activations, backend, layers, ops

from poster_cnn.metrics import arguments
from poster_cnn.models import shipped


def builder(function):
    """Decorate a function that builds a network, so that its arguments are checked.

    `filters`, `dense_units` and `dropout` are a list or a number, like their default values. With weights="posters",
    the function builds the shipped network, with the arguments that are given.
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}

    def like_default(name, check):
        return arguments.each(check) if isinstance(defaults.get(name), tuple) else check

    return arguments.checked(
        input_shape=_input_shape,
        num_features=arguments.count,
        num_columns=arguments.count,
        num_classes=arguments.count,
        num_branches=arguments.count,
        filters=like_default("filters", arguments.count),
        dense_units=like_default("dense_units", arguments.count),
        dropout=like_default("dropout", arguments.fraction),
        logits_dropout=arguments.fraction,
        batch_norm=arguments.flag,
        trainable=arguments.flag,
        pooling=arguments.choice("max", "avg"),
        weights=arguments.optional(arguments.text),
        pixel_range=arguments.optional(_pixel_range),
        classifier_activation=_activation,
        name=arguments.optional(arguments.text),
    )(_with_shipped_weights(function))


def _with_shipped_weights(function):
    signature = inspect.signature(function)

    @functools.wraps(function)
    def build(*args, **kwargs):
        """Build the network, with the shipped weights if they are asked for."""
        given = signature.bind_partial(*args, **kwargs).arguments
        if given.get("weights") != shipped.POSTERS:
            return function(*args, **kwargs)
        name = shipped.shipped_network(function.__name__)
        if name is None:
            raise ValueError(
                f"`weights` must be another value, as the package has no weights of {function.__name__}. "
                f"Received: weights={shipped.POSTERS!r}"
            )
        options = shipped.read_content(name)["model_args"] | given
        return shipped.assign_weights(function(**options), name)

    return build


def _pixel_range(name, value):
    found = arguments.each(arguments.number)(name, value)
    if len(found) != 2 or not found[0] < found[1]:
        arguments.refuse(name, "(lowest, highest), such as (0, 1), or None", value)
    return found


def _input_shape(name, value):
    expected = "a list of positive integers, such as (268, 182, 3)"
    sides = arguments.sequence(name, value, expected, (numbers.Integral, type(None)))
    return tuple(None if side is None else arguments.count(name, side) for side in sides)


def _activation(name, value):
    try:
        activations.get(value)
    except (TypeError, ValueError):
        arguments.refuse(name, "'softmax', 'sigmoid' or another activation of Keras", value)
    return value


def scaled_input(input_shape, smallest):
    """Return an input for raw 0–255 pixels, and the same scaled to 0–1.

    Raises:
        ValueError: If height or width is below `smallest`.
    """
    if len(input_shape) != 3 or None in input_shape or min(input_shape[:2]) < smallest:
        raise ValueError(
            "`input_shape` must be (height, width, channels), where height and width are at least "
            f"{smallest}, or no pixel is left after the poolings. Received: input_shape={input_shape}"
        )
    inputs = Input(input_shape)
    return inputs, layers.Rescaling(1 / 255, name="scale")(inputs)


def conv_blocks(x, filters, *, batch_norm=False):
    """Apply a 3×3 convolution with ReLU, optional batch normalization and 2×2 max pooling for each of `filters`."""
    for number, width in enumerate(filters, start=1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        if batch_norm:
            x = layers.BatchNormalization(name=f"conv{number}_norm")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return x


def smallest_for_blocks(num_blocks):
    """Return the smallest height and width that `conv_blocks` accepts: 46 for four blocks."""
    return 3 * 2**num_blocks - 2


def dense_blocks(x, dense_units, dropout):
    """Apply a dense layer with ReLU, and dropout unless it is 0, for each of `dense_units`."""
    for number, units in enumerate(dense_units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    return x


def adaptive_average_pooling(x, size, *, name):
    """Average feature maps of any height and width of at least 2 to `size`×`size`, as PyTorch's `AdaptiveAvgPool2d`.

    On JAX this is done with matrix products, because Keras 3.15's own layer returns NaN there.
    """
    if backend.backend() != "jax":
        return layers.AdaptiveAveragePooling2D(size, name=name)(x)
    rows, columns = (_averaging_matrix(length, size) for length in x.shape[1:3])
    return layers.Identity(name=name)(ops.einsum("ih,bhwc,jw->bijc", rows, x, columns))


def _averaging_matrix(length, size):
    # Row i averages the positions from ⌊i · length / size⌋ to ⌈(i + 1) · length / size⌉.
    window, position = np.arange(size)[:, None], np.arange(length)
    inside = (position >= window * length // size) & (position < -(-(window + 1) * length // size))
    return (inside / inside.sum(axis=1, keepdims=True)).astype("float32")


def classifier(x, num_classes, activation, *, logits_dropout=0):
    """Apply the last dense layer, dropout of its outputs unless it is 0, and the activation.

    Probabilities are float32 under a mixed-precision policy as well.
    """
    if not logits_dropout:
        return layers.Dense(num_classes, activation=activation, dtype="float32", name="predictions")(x)
    x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    x = layers.Dropout(logits_dropout, dtype="float32", name="logits_dropout")(x)
    return layers.Activation(activation, dtype="float32", name="predictions")(x)
