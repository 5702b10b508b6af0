"""Networks that papers 1 to 4 train from scratch."""

from keras import Model, layers

from poster_cnn.metrics import arguments
from poster_cnn.models import shipped
from poster_cnn.models.blocks import (
    adaptive_average_pooling,
    builder,
    classifier,
    conv_blocks,
    dense_blocks,
    scaled_input,
    smallest_for_blocks,
)


@builder
def seven_layer_cnn(
    input_shape=(107, 73, 3),
    num_classes=4,
    *,
    filters=(32, 32, 32, 64),
    dense_units=(64, 32),
    dropout=0.5,
    weights=None,
    classifier_activation="softmax",
    name="seven_layer_cnn",
):
    """Build a network of four convolutions and three dense layers (paper 1, section 3.1 and Fig. 2).

    Reference: N. Dave, "Predicting movie genres from movie posters", 2018. The paper's code swaps height and width.

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 46. Defaults to `(107, 73, 3)`, posters
            shrunk to 40%, which scored best in the paper.
        num_classes: Number of genres. Defaults to 4.
        filters: Filters of the 3×3 convolutions, each followed by 2×2 max pooling. Defaults to `(32, 32, 32, 64)`.
        dense_units: Units of the hidden dense layers, each followed by dropout. Defaults to `(64, 32)`.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0.5.
        weights: `"posters"` for the weights of `posters_seven_layer`, which come with the package: `input_shape`,
            `num_classes` and `classifier_activation` are then its own unless they are given, and layers that the
            weights do not fit are new. Defaults to `None`: random weights.
        classifier_activation: Activation of the last layer: `"softmax"` as in the paper, or `"sigmoid"` for independent
            genres. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the poolings, or `weights` is neither `"posters"` nor `None`.

    Example:

    >>> model = seven_layer_cnn(input_shape=(80, 55, 3), num_classes=4)
    >>> model.count_params()
    52452
    """
    if weights not in (None, shipped.POSTERS):  # which `builder` assigns
        arguments.refuse("weights", "'posters' or None", weights)
    inputs, x = scaled_input(input_shape, smallest_for_blocks(len(filters)))
    x = conv_blocks(x, filters)
    x = layers.Flatten(name="flatten")(x)
    x = dense_blocks(x, dense_units, dropout)
    return Model(inputs, classifier(x, num_classes, classifier_activation), name=name)


@builder
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
    """Build a network of two convolutions and a hidden dense layer (paper 3, section II.B, Table 2).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images". The paper chooses
    the sizes by random search.

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 10. Defaults to `(150, 101, 3)`.
        num_classes: Number of genres. Defaults to 6.
        filters: Filters of the 3×3 convolutions, each followed by 2×2 max pooling; the paper draws 4–12 and 16–31.
            Defaults to `(12, 24)`.
        dense_units: Units of the hidden dense layer; the paper draws 80–115. Defaults to 100.
        dropout: Fraction of the hidden units dropped in training; the paper draws 0.2–0.5. Defaults to 0.35.
        batch_norm: Whether to normalize batches after each convolution and after the hidden dense layer, as in the
            paper's second search. Defaults to `False`.
        classifier_activation: Activation of the last layer. Defaults to `"softmax"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the poolings.

    Example:

    >>> model = two_conv_cnn(filters=(10, 30), dense_units=106, dropout=0.41)  # the first row of Table 3
    """
    inputs, x = scaled_input(input_shape, smallest_for_blocks(len(filters)))
    x = conv_blocks(x, filters, batch_norm=batch_norm)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(dense_units, activation="relu", name="dense")(x)
    if batch_norm:
        x = layers.BatchNormalization(name="dense_norm")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return Model(inputs, classifier(x, num_classes, classifier_activation), name=name)


@builder
def one_hot_sigmoid_cnn(
    input_shape=(150, 101, 3),
    num_classes=6,
    *,
    dropout=(0.25, 0.5),
    classifier_activation="sigmoid",
    name="one_hot_sigmoid_cnn",
):
    """Build a network of two blocks of two convolutions, with a sigmoid per genre (paper 3, section III.C, Table 6).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images".

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 16. Defaults to `(150, 101, 3)`.
        num_classes: Number of genres. Defaults to 6.
        dropout: Fractions dropped in training after the convolutions and after the hidden dense layer. A layer with 0
            is left out, as in the paper's ablations (Fig. 12). Defaults to `(0.25, 0.5)`.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the poolings.

    Example:

    >>> one_hot_sigmoid_cnn().count_params()
    6295558
    """
    if len(dropout) != 2:
        raise ValueError(f"`dropout` must be two fractions. Received: dropout={dropout}")
    inputs, x = scaled_input(input_shape, smallest=16)
    after_convolutions, after_dense = dropout
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
    return Model(inputs, classifier(x, num_classes, classifier_activation), name=name)


@builder
def vgg_like_cnn(
    input_shape=(268, 182, 3),
    num_classes=5,
    *,
    filters=(64, 128, 256),
    dense_units=(4096, 4096),
    dropout=0.5,
    classifier_activation="sigmoid",
    name="vgg_like_cnn",
):
    """Build a network of three padded convolutions and three dense layers (paper 2, section IV.B and Fig. 3).

    Reference: R. Wang, B. Danek, T. Thornmann, "Convolutional Neural Networks for Movie Poster Image Recognition",
    2023.

    The model takes raw pixels, 0–255, and scales them to 0–1 itself. Adaptive pooling gives 7×7 maps for any size.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 8. Defaults to `(268, 182, 3)`.
        num_classes: Number of genres. Defaults to 5.
        filters: Filters of the 3×3 convolutions; 2×2 max pooling follows all but the last. Defaults to
            `(64, 128, 256)`.
        dense_units: Units of the hidden dense layers, each followed by dropout. Defaults to `(4096, 4096)`.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0.5.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the poolings.

    Example:

    >>> vgg_like_cnn().count_params()
    68556933
    """
    inputs, x = scaled_input(input_shape, smallest=2 ** len(filters))  # Keras needs maps of at least 2×2 to pool to 7×7
    for number, width in enumerate(filters, start=1):
        if number > 1:
            x = layers.MaxPooling2D(2, name=f"pool{number - 1}")(x)
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    x = adaptive_average_pooling(x, 7, name="pool_to_7x7")
    x = layers.Flatten(name="flatten")(x)
    x = dense_blocks(x, dense_units, dropout)
    return Model(inputs, classifier(x, num_classes, classifier_activation), name=name)


@builder
def six_conv_cnn(
    input_shape=(150, 150, 3),
    num_classes=20,
    *,
    filters=(128, 64, 64, 64, 32, 16),
    dropout=(0.3, 0.3, 0.3, 0.3, 0.2, 0.2),
    classifier_activation="sigmoid",
    name="six_conv_cnn",
):
    """Build a network of six 2×2 convolutions with spatial dropout (paper 4, section "Custom Convolutional ...").

    Reference: "Multi-label Classification of Movies". The sizes are those of the paper's code. One version of it leaves
    out the last block; pass five `filters` and five dropouts to build that one.

    The model takes raw pixels, 0–255, and scales them to 0–1 itself.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 127 for six blocks. Defaults to
            `(150, 150, 3)`, the paper's crops.
        num_classes: Number of genres. Defaults to 20.
        filters: Filters of the 2×2 convolutions, each followed by dropout, 2×2 max pooling and ReLU. Defaults to
            `(128, 64, 64, 64, 32, 16)`.
        dropout: Fraction of the maps dropped in training after each convolution. Defaults to
            `(0.3, 0.3, 0.3, 0.3, 0.2, 0.2)`.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `input_shape` is too small for the poolings, or `dropout` and `filters` differ in length.

    Example:

    >>> six_conv_cnn().count_params()
    78020
    """
    if len(dropout) != len(filters):
        raise ValueError(
            f"`dropout` must have a fraction for each of the {len(filters)} `filters`. Received: dropout={dropout}"
        )
    inputs, x = scaled_input(input_shape, smallest=2 ** (len(filters) + 1) - 1)
    for number, (width, rate) in enumerate(zip(filters, dropout, strict=True), start=1):
        x = layers.Conv2D(width, 2, name=f"conv{number}")(x)
        x = layers.SpatialDropout2D(rate, name=f"dropout{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    return Model(inputs, classifier(x, num_classes, classifier_activation), name=name)
