"""What all networks on a backbone share: its weights, its pixels, freezing, and cutting it from its head."""

import os

import numpy as np
from keras import Input, Model, applications, layers, ops

from poster_cnn.models.blocks import classifier, dense_blocks

FEATURES = "features"  # name of the pooling layer: what comes before it is the backbone, what comes after the head

# How ImageNet weights expect pixels, by the names of keras.applications: "tf" -1..1; "torch" 0..1, then each channel
# less its mean over its deviation in ImageNet; "caffe" BGR, 0..255 less each channel's mean.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_PREPROCESSING = {
    "tf": (np.full(3, 1 / 127.5), np.full(3, -1.0), "rgb"),
    "torch": (1 / (255 * _DEVIATION), -_MEAN / _DEVIATION, "rgb"),
    "caffe": (np.ones(3), -np.array([103.939, 116.779, 123.68]), "bgr"),
}


def on_backbone(
    build,
    mode,
    pooling,
    *,
    input_shape,
    num_classes,
    weights,
    trainable,
    pixel_range,
    channel_order,
    dropout,
    logits_dropout,
    classifier_activation,
    name,
    dense_units=(),
    **options,
):
    """A backbone, scaled pixels before it, pooled features and dense layers after it; see `transfer.resnet50`.

    Args:
        build: Function that makes the backbone, as those of `keras.applications`.
        mode: How its weights expect pixels, as in `keras.applications`: "caffe", "tf" or "torch".
        pooling: Layer class that pools its maps.
        dense_units: Units of hidden dense layers between features and the last layer. Where there are any, dropout
            comes after each of them instead of after the features. Defaults to none.
        options: Further arguments of `_backbone`.
    """
    backbone = _backbone(build, input_shape, weights, **options)
    backbone.trainable = trainable
    inputs = Input(input_shape)
    x = _scale(inputs, mode, pixel_range, channel_order)
    x = pooling(name=FEATURES)(backbone(x))
    if dense_units:
        x = dense_blocks(x, dense_units, dropout)
    elif dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    outputs = classifier(x, num_classes, classifier_activation, logits_dropout=logits_dropout)
    return Model(inputs, outputs, name=name)


def _scale(x, mode, pixel_range, channel_order):
    scale, offset, expected = _PREPROCESSING[mode]
    if pixel_range is not None:
        low, high = pixel_range
        scale, offset, expected = (high - low) / 255, low, "rgb"
    order = channel_order or expected
    if order not in ("rgb", "bgr"):
        raise ValueError(f"`channel_order` must be 'rgb', 'bgr' or None. Received: channel_order={channel_order!r}")
    if order != expected:
        scale, offset = np.flip(scale), np.flip(offset)  # each channel keeps its own
    if order == "bgr":
        x = ops.flip(x, axis=-1)
    scale, offset = np.asarray(scale).tolist(), np.asarray(offset).tolist()
    return layers.Rescaling(scale, offset=offset, name="scale")(x)


def unfreeze(model):
    """Makes the backbone of a model trainable but for its batch normalization (paper 3, section III.A).

    Batch normalization stays as the backbone came with it: small batches of posters would spoil its statistics. Calling
    the backbone with `training=False`, as guides to Keras have it, does not keep it so inside of `fit` (Keras 3.15).
    Compile the model again afterwards, with a small learning rate.

    Args:
        model: Model from a builder such as `mobilenet_v2`, made with `trainable=False`.

    Returns:
        The same model.

    Raises:
        ValueError: If the model has no backbone.

    Example:

    >>> unfreeze(model).compile(keras.optimizers.Adam(1e-5), "categorical_crossentropy")
    """
    feature_extractor_and_head(model)  # says what is wrong where there is no backbone
    for backbone in model.layers:
        if isinstance(backbone, Model):
            backbone.trainable = True
            for layer in backbone.layers:
                layer.trainable = not isinstance(layer, layers.BatchNormalization)
    return model


def has_frozen_backbone(model):
    """Whether everything up to the features is frozen, so that they can be computed once and kept."""
    names = [layer.name for layer in model.layers]
    if FEATURES not in names:
        return False
    return not any(layer.trainable_weights for layer in model.layers[: names.index(FEATURES)])


def feature_extractor_and_head(model):
    """Cuts a model after its pooled features; both parts share the model's layers and weights.

    Args:
        model: Model from a builder such as `mobilenet_v2`.

    Returns:
        `(extractor, head)`: uncompiled `keras.Model`s, pixels -> features `(batch, num_features)`, and features ->
        what the model predicts. Training the head trains the model.

    Raises:
        ValueError: If the model has no layer named "features".
    """
    names = [layer.name for layer in model.layers]
    if FEATURES not in names:
        raise ValueError(
            "`model` must have a backbone, as those of poster_cnn.models.transfer. "
            f'Received: {model.name}, which has no layer named "{FEATURES}"'
        )
    position = names.index(FEATURES)
    features = model.layers[position].output
    extractor = Model(model.input, features, name=f"{model.name}_extractor")
    x = inputs = Input(features.shape[1:], dtype=features.dtype)
    for layer in model.layers[position + 1 :]:
        x = layer(x)
    return extractor, Model(inputs, x, name=f"{model.name}_head")


def _backbone(builder, input_shape, weights, *, include_top=False, last_layer=None, **options):
    """A network of `keras.applications`, by default without its top, up to the layer named `last_layer` if any.

    Weights that cannot be had are an error that helps.
    """
    if weights not in ("imagenet", None) and not os.path.isfile(weights):
        in_keras = hasattr(applications, builder.__name__)
        allowed, network = ("'imagenet', None", "keras.applications.") if in_keras else ("None", "")
        raise FileNotFoundError(
            f"`weights` must be {allowed}, or the path of a weights file for "
            f"{network}{builder.__name__}(include_top={include_top}). Received: weights={str(weights)!r}"
        )
    path = str(weights) if weights else None
    try:
        network = builder(input_shape=tuple(input_shape), include_top=include_top, weights=path, **options)
    except Exception as error:
        if weights != "imagenet" or "fetch" not in str(error):
            raise
        raise RuntimeError(
            f"The ImageNet weights of {builder.__name__} could not be downloaded ({error}). Download them elsewhere "
            f"and put the file into {os.environ.get('KERAS_HOME', '~/.keras')}/models, or give its path as `weights`. "
            "weights=None starts from random weights."
        ) from error
    if last_layer is None:
        return network
    return Model(network.input, network.get_layer(last_layer).output, name=network.name)
