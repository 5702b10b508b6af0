"""The networks that papers 1 to 4 train from scratch."""

from keras import Input, Model, layers


def seven_layer_cnn(
    input_shape=(107, 73, 3),
    num_classes=4,
    *,
    filters=(32, 32, 32, 64),
    dense_units=(64, 32),
    dropout=0.5,
    classifier_activation="softmax",
    name="seven_layer_cnn",
):
    """Four convolutions and three dense layers, trained from scratch (paper 1, section 3.1 and Fig. 2).

    Reference: N. Dave, "Predicting movie genres from movie posters", 2018.

    The model takes raw pixels, 0–255, and scales them itself. Its authors' code feeds (width, height, 3); here images
    are (height, width, 3), as everywhere in Keras: the same family of networks with the axes swapped.

    Args:
        input_shape: `(height, width, channels)`. Height and width are at least 46. Defaults to `(107, 73, 3)`, the
            paper's best: posters shrunk to 40%.
        num_classes: Number of genres. Defaults to 4.
        filters: Filters of the 3×3 convolutions, each followed by 2×2 max pooling. Defaults to `(32, 32, 32, 64)`.
        dense_units: Units of the hidden dense layers, each followed by dropout. Defaults to `(64, 32)`.
        dropout: Fraction of hidden units dropped in training. Defaults to 0.5.
        classifier_activation: Activation of the last layer: `"softmax"` as in the paper, `"sigmoid"` for independent
            genres. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the convolutions.

    Example:

    >>> model = seven_layer_cnn(input_shape=(80, 55, 3), num_classes=4)
    >>> model.count_params()
    52452
    """
    _check_input_shape(input_shape, num_blocks=len(filters))
    inputs = Input(input_shape)
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for number, width in enumerate(filters, start=1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(dense_units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    # Probabilities stay float32 under a mixed-precision policy too.
    outputs = layers.Dense(num_classes, activation=classifier_activation, dtype="float32", name="predictions")(x)
    return Model(inputs, outputs, name=name)


def _check_input_shape(input_shape, num_blocks):
    smallest = 1
    for _ in range(num_blocks):
        smallest = 2 * smallest + 2
    if len(input_shape) != 3 or min(input_shape[:2]) < smallest:
        raise ValueError(
            f"`input_shape` must be (height, width, channels) with height and width of at least {smallest}: "
            f"{num_blocks} convolutions and poolings leave nothing of a smaller image. "
            f"Received: input_shape={input_shape}"
        )
