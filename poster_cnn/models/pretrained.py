"""Networks on a backbone from `keras.applications`, or on our ResNet18, with the papers' heads.

Each builder passes its arguments to `on_backbone`, as `locals()`.
"""

import keras
from keras import layers

from poster_cnn.models.backbones import on_backbone
from poster_cnn.models.blocks import builder
from poster_cnn.models.resnet import resnet18_backbone


@builder
def mobilenet_v2(
    input_shape=(128, 128, 3),
    num_classes=6,
    *,
    weights="imagenet",
    trainable=False,
    pooling="max",
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="softmax",
    name="mobilenet_v2",
):
    """Build MobileNetV2 1.0 with global max pooling and one dense layer (paper 3, section I.B and Fig. 5).

    Reference: G. Zavala, D. Badveli, A. McKinnon, "Movie genre classification from poster images"; M. Sandler et al.,
    "MobileNetV2: Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381.

    The model takes raw pixels, 0–255, and scales them itself.

    Args:
        input_shape: `(height, width, 3)`; height and width at least 32. Defaults to `(128, 128, 3)`. ImageNet weights
            exist for squares of 96, 128, 160, 192 and 224; other sizes use those of 224.
        num_classes: Number of genres. Defaults to 6.
        pooling: Global pooling of the backbone's maps: `"max"`, the paper's, or `"avg"`, MobileNetV2's own. Defaults to
            `"max"`.
        weights: `"imagenet"`, `None`, a path (see `resnet50`), or `"posters"` for the weights of
            `posters_mobilenet_v2`, which come with the package: the other arguments are then its own unless they are
            given, and with another `num_classes` the last layer is new. With `None`, the momentum of batch
            normalization is 0.9 instead of Keras's 0.999, whose running statistics follow only after thousands of
            steps. Defaults to `"imagenet"`.
        pixel_range: Range to scale pixels to; the paper uses `(0, 1)` (section I.A). Defaults to `None`: -1 to 1, as
            in MobileNetV2's pretraining.
        dropout: Fraction of the pooled features dropped in training. Defaults to 0, as in the paper; on a few thousand
            posters 0.5 keeps the dense layer from overfitting.
        classifier_activation: Activation of the last layer. Defaults to `"softmax"`.
        trainable: `False` freezes the backbone, including the statistics of its batch normalization. Defaults to
            `False`.
        channel_order, logits_dropout, name: See `resnet50`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        FileNotFoundError, RuntimeError: See `resnet50`.

    Example:

    >>> mobilenet_v2(input_shape=(128, 128, 3), num_classes=6, weights=None).count_params()
    2265670
    """
    options = locals()
    layer = {"max": layers.GlobalMaxPooling2D, "avg": layers.GlobalAveragePooling2D}[options.pop("pooling")]
    return on_backbone(keras.applications.MobileNetV2, "tf", layer, alpha=1.0, **options)


@builder
def resnet18(
    input_shape=(268, 182, 3),
    num_classes=5,
    *,
    weights=None,
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="resnet18",
):
    """Build ResNet18 with global average pooling and a sigmoid per genre (paper 2, section IV.B).

    The paper names this network, but its code trains `resnet152`. Keras has no ImageNet weights for it. Arguments are
    those of `resnet50`, except that `weights` is `None` or a path. Pixels are scaled as for PyTorch's weights.

    Example:

    >>> resnet18(num_classes=5).count_params()
    11188677
    """
    return on_backbone(resnet18_backbone, "torch", layers.GlobalAveragePooling2D, **locals())


@builder
def resnet50(
    input_shape=(268, 182, 3),
    num_classes=5,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="resnet50",
):
    """Build ResNet50 with global average pooling and a sigmoid per genre (paper 2, section IV.B and Fig. 1).

    Reference: R. Wang, B. Danek, T. Thornmann, "Convolutional Neural Networks for Movie Poster Image Recognition",
    2023; K. He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385.

    The model takes raw pixels, 0–255, and scales them itself.

    Args:
        input_shape: `(height, width, 3)`; height and width at least 32. Defaults to `(268, 182, 3)`, whole posters.
        num_classes: Number of genres. Defaults to 5.
        weights: `"imagenet"` (downloaded by Keras on first use), `None` (random), or the path of a weights file for
            `keras.applications.ResNet50(include_top=False)`. Defaults to `"imagenet"`.
        trainable: `False` freezes the backbone, including the statistics of its batch normalization. `True` trains the
            whole network from the start, as in the paper; batch normalization then has PyTorch's momentum, 0.9 in
            Keras, and with random weights PyTorch's epsilon, 1e-5. Defaults to `False`.
        pixel_range: Range to scale pixels to, such as `(0, 1)` in the paper's code. Defaults to `None`: the range that
            the ImageNet weights expect.
        channel_order: `"rgb"`, or `"bgr"` as in the paper's code. Defaults to `None`: the order that the ImageNet
            weights expect, or RGB if `pixel_range` is given.
        dropout: Fraction of the pooled features dropped in training. Defaults to 0.
        logits_dropout: Fraction of the last layer's outputs dropped in training before the activation; 0.5 in the
            paper's code. A dropped genre has probability 0.5 in that step. Defaults to 0.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        FileNotFoundError: If `weights` is the path of a file that does not exist.
        RuntimeError: If the ImageNet weights cannot be downloaded.

    Example:

    >>> resnet50(input_shape=(268, 182, 3), num_classes=5, weights=None, logits_dropout=0.5).count_params()
    23597957
    """
    return on_backbone(keras.applications.ResNet50, "caffe", layers.GlobalAveragePooling2D, pytorch=True, **locals())


@builder
def resnet152(
    input_shape=(268, 182, 3),
    num_classes=5,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="resnet152",
):
    """Build ResNet152, which the code of paper 2 trains in place of ResNet18. Arguments are those of `resnet50`."""
    return on_backbone(keras.applications.ResNet152, "caffe", layers.GlobalAveragePooling2D, pytorch=True, **locals())


@builder
def densenet121(
    input_shape=(150, 150, 3),
    num_classes=20,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="densenet121",
):
    """Build DenseNet-121 with average pooling and a sigmoid per genre (paper 4, section "Modified DenseNet-121").

    Reference: "Multi-label Classification of Movies"; G. Huang et al., "Densely Connected Convolutional Networks",
    https://arxiv.org/abs/1608.06993.

    Arguments are those of `resnet50`; the default `input_shape` is that of the paper's crops. The paper's code
    freezes the backbone.

    Example:

    >>> densenet121(weights=None).count_params()
    7058004
    """
    return on_backbone(keras.applications.DenseNet121, "torch", layers.GlobalAveragePooling2D, pytorch=True, **locals())


@builder
def densenet201(
    input_shape=(268, 182, 3),
    num_classes=5,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="densenet201",
):
    """Build DenseNet-201 with average pooling and a sigmoid per genre (paper 2, section IV.B and Fig. 2).

    Arguments are those of `resnet50`.
    """
    return on_backbone(keras.applications.DenseNet201, "torch", layers.GlobalAveragePooling2D, pytorch=True, **locals())


@builder
def vgg16(
    input_shape=(224, 224, 3),
    num_classes=13,
    *,
    weights="imagenet",
    trainable=False,
    dense_units=1000,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
    classifier_activation="sigmoid",
    name="vgg16",
):
    """Build VGG-16 up to its second dense layer, followed by the layers of `poster_branch` (paper 5, Fig. 3).

    Reference: D. LeBaron, "Multi-label Movie Genre Classification Using Multiple Modalities"; K. Simonyan,
    A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    https://arxiv.org/abs/1409.1556.

    The model takes raw pixels, 0–255, and scales them itself.

    Args:
        input_shape: `(height, width, 3)`; height and width at least 32. Defaults to `(224, 224, 3)`, the only size
            allowed with weights, because VGG-16's dense layers have weights for that size only.
        num_classes: Number of genres. Defaults to 13.
        weights: `"imagenet"` (downloaded by Keras on first use, 550 MB), `None` (random), or the path of a weights file
            for `keras.applications.VGG16(include_top=True)`. Defaults to `"imagenet"`.
        trainable: Whether VGG-16 is trained too. Defaults to `False`, as in the paper.
        dense_units: Units of the hidden dense layer after the 4,096 features. Defaults to 1000.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0, as in the paper.
        pixel_range, channel_order, logits_dropout, classifier_activation, name: See `resnet50`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If `weights` is not `None` and `input_shape` is not `(224, 224, 3)`.
        FileNotFoundError, RuntimeError: See `resnet50`.

    Example:

    >>> extractor, head = feature_extractor_and_head(vgg16())
    >>> extractor.output_shape
    (None, 4096)
    """
    arguments = locals() | {"dense_units": (dense_units,)}
    if weights is not None and tuple(input_shape) != (224, 224, 3):
        raise ValueError(
            "`input_shape` must be (224, 224, 3), the size of VGG-16's pretrained dense layers, unless weights=None. "
            f"Received: input_shape={input_shape}"
        )
    # The features are the outputs of the dense layer, so there is no pooling.
    return on_backbone(
        keras.applications.VGG16, "caffe", layers.Identity, include_top=True, last_layer="fc2", **arguments
    )
