"""Networks on a backbone: pretrained weights, pixel scaling, freezing, and the split into backbone and head."""

import inspect
import os
import re

import numpy as np
from keras import Input, Model, applications, layers, ops

from poster_cnn.metrics import arguments
from poster_cnn.models import shipped
from poster_cnn.models.blocks import classifier, dense_blocks
from poster_cnn.models.resnet import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM

RAW = "raw"  # of backbones that scale pixels themselves
PRESET = "preset"  # the value of `weights` for those of a preset, which its function loads
FEATURES = "features"  # name of the pooling layer, which separates the backbone from the head

# Pixels that ImageNet weights expect, by the modes of keras.applications: "tf" -1..1; "torch" 0..1, normalized by the
# mean and standard deviation of each channel in ImageNet; "caffe" 0..255 in BGR order, minus the mean of each channel.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_PREPROCESSING = {
    "tf": (np.full(3, 1 / 127.5), np.full(3, -1.0), "rgb"),
    "torch": (1 / (255 * _DEVIATION), -_MEAN / _DEVIATION, "rgb"),
    "caffe": (np.ones(3), -np.array([103.939, 116.779, 123.68]), "bgr"),
    RAW: (np.ones(3), np.zeros(3), "rgb"),
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
    pytorch=False,
    **options,
):
    """Build a network of scaled pixels, a backbone, pooled features and dense layers; see `pretrained.resnet50`.

    Args:
        build: Function that builds the backbone, with the arguments of those in `keras.applications`.
        mode: Pixels that its weights expect: `"caffe"`, `"tf"` or `"torch"`, as in `keras.applications`, `"raw"`, or
            scale and offset of each channel with the order of the channels.
        pooling: Layer class that pools the backbone's maps.
        dense_units: Units of hidden dense layers after the features. If there are any, dropout follows each of them
            instead of the features. Defaults to `()`.
        pytorch: Whether batch normalization is that of PyTorch where the network is trained. Defaults to `False`: with
            random weights its momentum only.
        options: Further arguments of `_backbone`.
    """
    if len(input_shape) != 3 or input_shape[2] != 3:
        arguments.refuse("input_shape", "(height, width, 3)", input_shape)
    others = (shipped.POSTERS, PRESET)  # are loaded elsewhere
    backbone = _backbone(build, input_shape, None if weights in others else weights, **options)
    backbone.trainable = trainable
    if weights is None or (pytorch and trainable):
        _normalize_as_pytorch(backbone, with_epsilon=pytorch and weights is None)
    inputs = Input(input_shape)
    x = _scale(inputs, mode, pixel_range, channel_order)
    given = dict.fromkeys(backbone.input, x) if isinstance(backbone.input, dict) else x  # some of KerasHub name it
    x = pooling(name=FEATURES)(backbone(given))
    if dense_units:
        x = dense_blocks(x, dense_units, dropout)
    elif dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    outputs = classifier(x, num_classes, classifier_activation, logits_dropout=logits_dropout)
    return Model(inputs, outputs, name=name)


def _normalize_as_pytorch(backbone, *, with_epsilon):
    """Set the momentum, and the epsilon if wanted, of each batch normalization to PyTorch's defaults.

    Keras's own momentum, up to 0.9997, is for ImageNet: statistics of random weights lag behind for thousands of steps.
    """
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
            if with_epsilon:
                layer.epsilon = BATCH_NORM_EPSILON


def mode_of(application):
    """Return the mode of `on_backbone` for a class of `keras.applications`, from its `preprocess_input`."""
    colors = np.array([[0, 0, 0], [255, 128, 0], [64, 0, 255]], "float32")
    wanted = inspect.getmodule(application).preprocess_input(colors[None].copy())[0]
    for mode, (scale, offset, order) in _PREPROCESSING.items():
        if np.allclose(wanted, (colors[:, ::-1] if order == "bgr" else colors) * scale + offset, atol=1e-3):
            return mode
    expected = f"a class of keras.applications that scales pixels in one of the modes {', '.join(_PREPROCESSING)}"
    arguments.refuse("model", expected, application.__name__)


def _scale(x, mode, pixel_range, channel_order):
    scale, offset, expected = _PREPROCESSING[mode] if isinstance(mode, str) else mode
    if pixel_range is not None:
        low, high = pixel_range
        scale, offset, expected = (high - low) / 255, low, "rgb"
    order = channel_order or expected
    if order not in ("rgb", "bgr"):
        raise ValueError(f"`channel_order` must be 'rgb', 'bgr' or None. Received: channel_order={channel_order!r}")
    if order != expected:
        scale, offset = np.flip(scale), np.flip(offset)  # each channel keeps its own values
    if order == "bgr":
        x = ops.flip(x, axis=-1)
    scale, offset = np.asarray(scale).tolist(), np.asarray(offset).tolist()
    return layers.Rescaling(scale, offset=offset, name="scale")(x)


@arguments.checked(model=arguments.instance(Model), from_layer=arguments.optional(arguments.text))
def unfreeze(model, from_layer=None):
    """Make the backbone of a model trainable, except for its batch normalization (paper 3, section III.A).

    Small batches of posters would spoil the pretrained statistics. Calling the backbone with `training=False` does not
    prevent that inside `fit` in Keras 3.15. Compile the model again afterwards, with a small learning rate.

    Args:
        model: Model from a builder such as `mobilenet_v2`, built with `trainable=False`.
        from_layer: Name of the first layer of the backbone that becomes trainable, such as `"block_13_expand"`; the
            layers before it are frozen. Defaults to `None`: all layers.

    Returns:
        The same model.

    Raises:
        ValueError: If the model has no backbone, or the backbone has no layer of this name.

    Example:

    >>> unfreeze(model).compile(keras.optimizers.Adam(1e-5), "categorical_crossentropy")
    """
    first = first_unfrozen(model, from_layer)
    for backbone in model.layers:
        if isinstance(backbone, Model):
            backbone.trainable = True
            for position, layer in enumerate(backbone.layers):
                layer.trainable = position >= first and not isinstance(layer, layers.BatchNormalization)
    return model


def first_unfrozen(model, from_layer, argument="from_layer"):
    """Return the position in the backbone of the first layer that `unfreeze` makes trainable.

    Args:
        model, from_layer: As in `unfreeze`.
        argument: Name of the argument in an error message. Defaults to `"from_layer"`.

    Raises:
        ValueError: See `unfreeze`.
    """
    feature_extractor_and_head(model)  # raises if there is no backbone
    names = [layer.name for backbone in model.layers if isinstance(backbone, Model) for layer in backbone.layers]
    if from_layer not in (None, *names):
        shown = " ".join([*names[:5], "…", *names[-5:]] if len(names) > 12 else names)
        arguments.refuse(argument, f"None or a layer of the backbone of {model.name} ({shown})", from_layer)
    return names.index(from_layer) if from_layer else 0


@arguments.checked(model=arguments.instance(Model))
def has_frozen_backbone(model):
    """Return whether all layers up to the features are frozen, so that features can be computed once and cached."""
    names = [layer.name for layer in model.layers]
    if FEATURES not in names:
        return False
    return not any(layer.trainable_weights for layer in model.layers[: names.index(FEATURES)])


@arguments.checked(model=arguments.instance(Model))
def feature_extractor_and_head(model):
    """Split a model at its pooled features into two models that share its layers and weights.

    Args:
        model: Model from a builder such as `mobilenet_v2`.

    Returns:
        `(extractor, head)`: uncompiled `keras.Model`s, pixels -> features `(batch, num_features)`, and features ->
        predictions of the model. Training the head trains the model.

    Raises:
        ValueError: If the model has no layer named "features".
    """
    names = [layer.name for layer in model.layers]
    if FEATURES not in names:
        raise ValueError(
            "`model` must have a backbone, like those of poster_cnn.models.pretrained. "
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
    """Build a network of `keras.applications` up to the layer named `last_layer`, or all of it if that is `None`."""
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
        if found := re.search(r"at least (\d+)x(\d+)", str(error)):
            expected = f"at least {found[1]}×{found[2]} pixels for {builder.__name__}"
            arguments.refuse("input_shape", expected, tuple(input_shape))
        if path not in (None, "imagenet") and isinstance(error, OSError | KeyError | ValueError):
            expected = f"a weights file of {builder.__name__}(include_top={include_top})"
            why = str(error).partition("\n")[0]
            raise ValueError(f"`weights` must be {expected} ({why}). Received: weights={path!r}") from error
        if weights != "imagenet" or "fetch" not in str(error):
            raise
        raise RuntimeError(
            f"The ImageNet weights of {builder.__name__} could not be downloaded ({error}). Put the file into "
            f"{os.environ.get('KERAS_HOME', '~/.keras')}/models, give its path as `weights`, or use "
            "random ones: weights=None (--weights none)."
        ) from error
    if last_layer is None:
        return network
    return Model(network.input, network.get_layer(last_layer).output, name=network.name)
