"""Networks on a backbone of `keras.applications`: frozen or not, with the papers' heads."""

import os

import keras
from keras import Input, Model, layers

FEATURES = "features"  # name of the pooling layer: what comes before it is the backbone, what comes after the head


def mobilenet_v2(
    input_shape=(128, 128, 3),
    num_classes=6,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=(-1, 1),
    dropout=0,
    classifier_activation="softmax",
    name="mobilenet_v2",
):
    """MobileNetV2 1.0, global max pooling and one dense layer (paper 3, section I.B and Fig. 5).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images"; M. Sandler et al.,
    "MobileNetV2: Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381.

    The model takes raw pixels, 0–255, and scales them itself.

    Args:
        input_shape: `(height, width, 3)`; at least 32 each. Defaults to `(128, 128, 3)`. ImageNet weights exist for
            squares of 96, 128, 160, 192 and 224; at other sizes those of 224 are used.
        num_classes: Number of genres. Defaults to 6.
        weights: `"imagenet"` (downloaded by Keras on first use), `None` (random), or the path of a weights file for
            `keras.applications.MobileNetV2(include_top=False)`. Defaults to `"imagenet"`.
        trainable: `False` freezes the backbone; its batch normalization uses the statistics it came with. `True` trains
            everything from the start, statistics included. Defaults to `False`.
        pixel_range: What 0–255 is scaled to. Defaults to `(-1, 1)`, as MobileNetV2 was trained; the paper has
            `(0, 1)` (section I.A).
        dropout: Fraction of the pooled features dropped in training. Defaults to 0, as in the paper; on a few thousand
            posters 0.5 keeps the dense layer from learning them by heart.
        classifier_activation: Activation of the last layer. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        FileNotFoundError: If `weights` is a path and there is no such file.
        RuntimeError: If the ImageNet weights cannot be downloaded; the message says where to put a file.

    Example:

    >>> model = mobilenet_v2(input_shape=(128, 128, 3), num_classes=6, weights=None)
    >>> model.count_params()
    2265670
    """
    backbone = _backbone(keras.applications.MobileNetV2, input_shape, weights, alpha=1.0)
    backbone.trainable = trainable
    low, high = pixel_range
    inputs = Input(input_shape)
    x = layers.Rescaling((high - low) / 255, offset=low, name="scale")(inputs)
    x = backbone(x)
    x = layers.GlobalMaxPooling2D(name=FEATURES)(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation=classifier_activation, dtype="float32", name="predictions")(x)
    return Model(inputs, outputs, name=name)


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


def _backbone(builder, input_shape, weights, **options):
    """A network of `keras.applications` without its top; weights that cannot be had are an error that helps."""
    if weights not in ("imagenet", None) and not os.path.isfile(weights):
        raise FileNotFoundError(
            "`weights` must be 'imagenet', None, or the path of a weights file for "
            f"keras.applications.{builder.__name__}(include_top=False). Received: weights={str(weights)!r}"
        )
    path = str(weights) if weights else None
    try:
        return builder(input_shape=tuple(input_shape), include_top=False, weights=path, **options)
    except Exception as error:
        if weights != "imagenet" or "fetch" not in str(error):
            raise
        raise RuntimeError(
            f"The ImageNet weights of {builder.__name__} could not be downloaded ({error}). Download them elsewhere "
            f"and put the file into {os.environ.get('KERAS_HOME', '~/.keras')}/models, or give its path as `weights`. "
            "weights=None starts from random weights."
        ) from error
