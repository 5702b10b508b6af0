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


def two_conv_cnn(
    input_shape=(150, 101, 3),
    num_classes=6,
    *,
    filters=(12, 24),
    dense_units=100,
    dropout=0.35,
    batch_norm=False,
    classifier_activation="softmax",
    name="two_conv_cnn",
):
    """Two convolutions and a dense layer, whose sizes a random search draws (paper 3, section II.B, Table 2).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images".

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`. Defaults to `(150, 101, 3)`.
        num_classes: Number of genres. Defaults to 6.
        filters: Filters of the two 3×3 convolutions, each followed by 2×2 max pooling; the paper draws 4–12 and 16–31.
            Defaults to `(12, 24)`.
        dense_units: Units of the hidden dense layer; the paper draws 80–115. Defaults to 100.
        dropout: Fraction of hidden units dropped in training; the paper draws 0.2–0.5. Defaults to 0.35.
        batch_norm: Whether batch normalization follows each convolution and the hidden dense layer (the paper's second
            search). Defaults to `False`.
        classifier_activation: Activation of the last layer. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the convolutions.

    Example:

    >>> model = two_conv_cnn(filters=(10, 30), dense_units=106, dropout=0.41)  # the first set of Table 3
    """
    _check_input_shape(input_shape, num_blocks=len(filters))
    inputs = Input(input_shape)
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for number, width in enumerate(filters, start=1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        if batch_norm:
            x = layers.BatchNormalization(name=f"conv{number}_norm")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    if batch_norm:
        x = layers.BatchNormalization(name="dense_norm")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation=classifier_activation, dtype="float32", name="predictions")(x)
    return Model(inputs, outputs, name=name)


def one_hot_sigmoid_cnn(
    input_shape=(150, 101, 3),
    num_classes=6,
    *,
    dropout=(0.25, 0.5),
    classifier_activation="sigmoid",
    name="one_hot_sigmoid_cnn",
):
    """Four convolutions in two blocks and a sigmoid for each genre (paper 3, section III.C, Table 6).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images".

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`. Defaults to `(150, 101, 3)`.
        num_classes: Number of genres. Defaults to 6.
        dropout: Fractions dropped in training after the convolutions and after the hidden dense layer; 0 leaves a
            dropout out, as in the paper's ablations (Fig. 12). Defaults to `(0.25, 0.5)`.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the convolutions.

    Example:

    >>> one_hot_sigmoid_cnn(input_shape=(150, 101, 3), num_classes=6).count_params()
    6295558
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < 16:
        raise ValueError(
            "`input_shape` must be (height, width, channels) with height and width of at least 16. "
            f"Received: input_shape={input_shape}"
        )
    after_convolutions, after_dense = dropout
    inputs = Input(input_shape)
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for block, widths in enumerate([(32, 64), (128, 64)], start=1):
        for number, width in enumerate(widths, start=2 * block - 1):
            x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    if after_convolutions:
        x = layers.Dropout(after_convolutions, name="dropout1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    if after_dense:
        x = layers.Dropout(after_dense, name="dropout2")(x)
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
