"""Networks on any backbone of `keras.applications` ("keras:<class>") or KerasHub ("hub:<preset>"), found by name."""

import difflib
import importlib
import inspect

import numpy as np
from keras import Model, applications, layers

from poster_cnn import models
from poster_cnn.metrics import arguments
from poster_cnn.models import catalog
from poster_cnn.models.backbones import PRESET, RAW, mode_of, on_backbone
from poster_cnn.models.blocks import builder

KERAS, HUB = "keras:", "hub:"

_POOLING = {
    ("max", 4): layers.GlobalMaxPooling2D,
    ("avg", 4): layers.GlobalAveragePooling2D,
    ("max", 3): layers.GlobalMaxPooling1D,
    ("avg", 3): layers.GlobalAveragePooling1D,
}
_OPTIONS = {"alpha", "depth_multiplier", "minimalistic"}  # of classes of `keras.applications` that change the backbone


def find_builder(name):
    """Return the builder of a network by the name that a config has.

    Args:
        name: Name of a builder of `poster_cnn.models`, `"keras:<class>"` with a class of `keras.applications`, or
            `"hub:<preset>"` with a preset of KerasHub or a folder that holds one.

    Returns:
        Function with the arguments of `mobilenet_v2`. That of a class of `keras.applications` also takes the class's
        own arguments `alpha`, `depth_multiplier` and `minimalistic`; a preset's own weights are `weights="preset"`.

    Raises:
        ValueError: If there is no such network; the message names similar ones.

    Example:

    >>> find_builder("keras:MobileNetV3Small")((64, 64, 3), 5, weights=None, alpha=0.75).output_shape
    (None, 5)
    """
    if name.startswith(KERAS):
        return _keras_builder(name.removeprefix(KERAS))
    if name.startswith(HUB):
        return _hub_builder(name.removeprefix(HUB))
    found = getattr(models, name, None)
    known = inspect.signature(found).parameters if callable(found) else ()
    if not {"input_shape", "classifier_activation"} <= set(known) or name == "trailer_branch":
        expected = "a builder in poster_cnn.models, 'keras:<class>' or 'hub:<preset>'"
        arguments.refuse("model", f"{expected}{_similar(name, catalog.NETWORKS)}", name)
    return found


def _similar(name, known):
    """Return a hint at similar names, whatever their case."""
    lower = {candidate.lower(): candidate for candidate in known}
    word = name.lower()
    within = [candidate for candidate in lower if word and (word in candidate or candidate in word)]
    names = [*difflib.get_close_matches(word, lower, n=4), *within[:4]]
    return f", such as {', '.join(dict.fromkeys(lower[found] for found in names))}" if names else ""


def _keras_builder(class_name):
    application = getattr(applications, class_name, None)
    if not inspect.isfunction(application):
        known = [known for known in dir(applications) if inspect.isfunction(getattr(applications, known))]
        expected = f"'keras:' and a class of keras.applications{_similar(class_name, known)}"
        arguments.refuse("model", f"{expected} (see `poster-cnn models`)", KERAS + class_name)
    mode = mode_of(application)
    _, size = catalog.NETWORKS.get(KERAS + class_name, (None, (224, 224)))
    own = [item for item in inspect.signature(application).parameters.values() if item.name in _OPTIONS]
    prepared = {"prepare": lambda weights: (application, mode, weights), "initial": "imagenet", "own": own}
    return _builder(KERAS + class_name, class_name, size, **prepared)


def _builder(model, name, image_size, *, prepare, initial, own=()):
    """Return a builder with the arguments of `mobilenet_v2` and a class's own ones.

    Args:
        model: Name of the network in a config.
        name, image_size, initial: Defaults of the builder's `name`, of its `input_shape` and of its `weights`.
        prepare: Function from `weights` to the backbone's function, mode and weights, as for `on_backbone`.
        own: Parameters of the backbone's function that the builder has too.
    """

    def build(
        input_shape=(*image_size, 3),
        num_classes=6,
        *,
        weights=initial,
        trainable=False,
        pooling="avg",
        pixel_range=None,
        channel_order=None,
        dropout=0,
        logits_dropout=0,
        classifier_activation="sigmoid",
        name=name,
        **options,
    ):
        """Build the network; the arguments are those of `mobilenet_v2`."""
        backbone, mode, weights = prepare(weights)
        if mode == RAW and (pixel_range, channel_order) != (None, None):
            given = {"pixel_range": pixel_range, "channel_order": channel_order}
            arguments.refuse("pixel_range", f"None, as {model.removeprefix(KERAS)} scales pixels itself", given)
        return on_backbone(
            backbone,
            mode,
            _pool(pooling),
            input_shape=input_shape,
            num_classes=num_classes,
            weights=weights,
            trainable=trainable,
            pixel_range=pixel_range,
            channel_order=channel_order,
            dropout=dropout,
            logits_dropout=logits_dropout,
            classifier_activation=classifier_activation,
            name=name,
            **options,
        )

    signature = inspect.signature(build)
    named = [item for item in signature.parameters.values() if item.kind is not item.VAR_KEYWORD]
    named += [item.replace(kind=item.KEYWORD_ONLY) for item in own]
    build.__signature__, build.__name__ = signature.replace(parameters=named), model
    return builder(build)


def _pool(kind):
    def pooling(name):
        """Return a function that pools feature maps, or the tokens of a transformer."""
        return lambda features: _POOLING[kind, len(features.shape)](name=name)(features)

    return pooling


def import_keras_hub():
    """Import and return `keras_hub`, which also lets Keras load networks that contain its layers."""
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        message = 'Networks of KerasHub need the package keras-hub: pip install -e ".[hub]"'
        raise ImportError(message, name=error.name) from None


def _hub_builder(preset):
    def prepare(weights):
        """Return a function that builds the preset's image encoder, its mode, and the same `weights`."""
        if weights not in (PRESET, None):
            arguments.refuse("weights", "'preset' or None", weights)

        def encoder(*, input_shape, **_):
            """Build the image encoder; the other arguments are those of `keras.applications`."""
            return _image_encoder(preset, input_shape, load_weights=weights == PRESET)

        return encoder, _converted_pixels(preset), weights

    return _builder(HUB + preset, "hub", (224, 224), prepare=prepare, initial=PRESET)


def _image_encoder(preset, input_shape, load_weights):
    """Return the image encoder of a preset, a model of one input and one output."""
    backbone = _load(preset, load_weights)
    encoder = getattr(backbone, "vision_encoder", backbone)  # of CLIP and SigLIP
    own = tuple(getattr(encoder, "image_shape", None) or ())
    if len(encoder.inputs) != 1 or len(encoder.inputs[0].shape) != 4 or len(own) != 3:
        arguments.refuse("model", "'hub:' and a preset with an image encoder", HUB + preset)
    if None not in own and own != tuple(input_shape):
        try:  # some, such as DINOv2, interpolate their positions
            if encoder is not backbone:
                raise ValueError("The size of a part cannot be set.")
            encoder = type(backbone).from_preset(preset, load_weights=load_weights, image_shape=tuple(input_shape))
        except Exception as error:
            expected = f"{own}, the size of the preset {preset}; set `image_size` to {own[:2]}"
            raise ValueError(f"`input_shape` must be {expected}. Received: input_shape={tuple(input_shape)}") from error
    output = encoder.output
    if not isinstance(output, dict) and len(output.shape) == 2:  # SigLIP pools its tokens itself
        tokens = [layer.output for layer in encoder.layers if len(layer.output.shape) == 3]
        output = tokens[-1] if tokens else output
    if isinstance(output, dict) or len(output.shape) not in (3, 4):
        arguments.refuse("model", "'hub:' and a preset whose encoder has maps or tokens", HUB + preset)
    return encoder if output is encoder.output else Model(encoder.input, output, name=encoder.name)


def _load(preset, load_weights):
    backbones = import_keras_hub().models.Backbone
    try:
        return backbones.from_preset(preset, load_weights=load_weights)
    except Exception as error:  # of many types, also of the network
        raise _not_loaded(preset, error) from error


def _not_loaded(preset, error):
    hint, reason = _similar(preset, import_keras_hub().models.Backbone.presets), str(error).partition("\n")[0]
    message = f"`model` must be 'hub:' and a folder of a preset, or a preset of KerasHub{hint} ({reason})"
    return ValueError(f"{message}. Received: model={HUB + preset!r}")


def _converted_pixels(preset):
    """Return scale and offset of a preset's image converter, and its channel order; -1..1 without a converter."""
    try:
        converter = import_keras_hub().layers.ImageConverter.from_preset(preset)
    except (FileNotFoundError, ValueError):
        return "tf"
    except Exception as error:
        raise _not_loaded(preset, error) from error
    scale, offset = (
        np.broadcast_to(np.ravel(default if value is None else value), 3).astype("float64")
        for value, default in ((converter.scale, 1.0), (converter.offset, 0.0))
    )
    return scale, offset, "rgb"
