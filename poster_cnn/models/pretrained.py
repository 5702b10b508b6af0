"""Networks on a backbone of `keras.applications`, and on our ResNet18: frozen or not, with the papers' heads.

Each builder hands its own arguments on as they are: `locals()` are nothing else.
"""

import keras
from keras import layers

from poster_cnn.models.backbones import on_backbone
from poster_cnn.models.resnet import resnet18_backbone


def mobilenet_v2(
    input_shape=(128, 128, 3),
    num_classes=6,
    *,
    weights="imagenet",
    trainable=False,
    pixel_range=None,
    channel_order=None,
    dropout=0,
    logits_dropout=0,
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
        pixel_range: What 0–255 is scaled to; the paper has `(0, 1)` (section I.A). Defaults to `None`: -1 to 1, as
            MobileNetV2 was trained.
        channel_order: As in `resnet50`. Defaults to `None`.
        dropout: Fraction of the pooled features dropped in training. Defaults to 0, as in the paper; on a few thousand
            posters 0.5 keeps the dense layer from learning them by heart.
        logits_dropout: As in `resnet50`. Defaults to 0.
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
    return on_backbone(keras.applications.MobileNetV2, "tf", layers.GlobalMaxPooling2D, alpha=1.0, **locals())


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
    """ResNet18, global average pooling and a sigmoid for each genre (paper 2, section IV.B).

    The paper names it; its code trains `resnet152`. Keras offers no ImageNet weights for it.

    Args, Returns, Raises: as `resnet50`, but `weights` is `None` or a path; pixels are scaled as for PyTorch's weights.

    Example:

    >>> resnet18(num_classes=5).count_params()
    11188677
    """
    return on_backbone(resnet18_backbone, "torch", layers.GlobalAveragePooling2D, **locals())


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
    """ResNet50, global average pooling and a sigmoid for each genre (paper 2, section IV.B and Fig. 1).

    Reference: R. Wang, B. Danek, T. Thornmann, "Convolutional Neural Networks for Movie Poster Image Recognition",
    2023; K. He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385.

    The model takes raw pixels, 0–255, and scales them itself.

    Args:
        input_shape: `(height, width, 3)`; at least 32 each. Defaults to `(268, 182, 3)`, whole posters.
        num_classes: Number of genres. Defaults to 5.
        weights: `"imagenet"` (downloaded by Keras on first use), `None` (random), or the path of a weights file for
            `keras.applications.ResNet50(include_top=False)`. Defaults to `"imagenet"`.
        trainable: `False` freezes the backbone; its batch normalization uses the statistics it came with. `True` trains
            everything from the start, as in the paper. Defaults to `False`.
        pixel_range: What 0–255 is scaled to, such as `(0, 1)`, as in the paper's code. Defaults to `None`: as the
            ImageNet weights expect.
        channel_order: `"rgb"`, or `"bgr"`, as in the paper's code. Defaults to `None`: as the ImageNet weights expect,
            or RGB with a `pixel_range`.
        dropout: Fraction of the pooled features dropped in training. Defaults to 0.
        logits_dropout: Fraction of the dense layer's outputs dropped in training, *before* the activation; the paper's
            code has 0.5. A dropped genre has probability 0.5 in that step. Defaults to 0.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        FileNotFoundError: If `weights` is a path and there is no such file.
        RuntimeError: If the ImageNet weights cannot be downloaded; the message says where to put a file.

    Example:

    >>> resnet50(input_shape=(268, 182, 3), num_classes=5, weights=None, logits_dropout=0.5).count_params()
    23597957
    """
    return on_backbone(keras.applications.ResNet50, "caffe", layers.GlobalAveragePooling2D, **locals())


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
    """ResNet152, which the code of paper 2 trains where the paper says ResNet18.

    Args, Returns, Raises: as `resnet50`.
    """
    return on_backbone(keras.applications.ResNet152, "caffe", layers.GlobalAveragePooling2D, **locals())


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
    """DenseNet-121, global average pooling and a sigmoid for each genre (paper 4, section "Modified DenseNet-121").

    Reference: "Multi-label Classification of Movies"; G. Huang et al., "Densely Connected Convolutional Networks",
    https://arxiv.org/abs/1608.06993.

    Args, Returns, Raises: as `resnet50`; `input_shape` defaults to `(150, 150, 3)`, the paper's crops, `num_classes` to
    20. The paper's backbone is frozen.

    Example:

    >>> densenet121(weights=None).count_params()
    7058004
    """
    return on_backbone(keras.applications.DenseNet121, "torch", layers.GlobalAveragePooling2D, **locals())


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
    """DenseNet-201, global average pooling and a sigmoid for each genre (paper 2, section IV.B and Fig. 2).

    Args, Returns, Raises: as `resnet50`.
    """
    return on_backbone(keras.applications.DenseNet201, "torch", layers.GlobalAveragePooling2D, **locals())


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
    """VGG-16 up to its second dense layer of 4,096 units, a dense layer of 1,000 and the last (paper 5, Fig. 3).

    Reference: D. LeBaron, "Multi-label Movie Genre Classification Using Multiple Modalities"; K. Simonyan,
    A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    https://arxiv.org/abs/1409.1556.

    The model takes raw pixels, 0–255, and scales them itself. What comes after its features is `poster_branch`.

    Args:
        input_shape: `(height, width, 3)`; at least 32 each. Defaults to `(224, 224, 3)`, the only size that VGG-16's
            dense layers have weights for; others are for `weights=None`.
        num_classes: Number of genres. Defaults to 13.
        weights: `"imagenet"` (downloaded by Keras on first use, 550 MB), `None` (random), or the path of a weights file
            for `keras.applications.VGG16(include_top=True)`. Defaults to `"imagenet"`.
        trainable: Whether VGG-16 is trained too. Defaults to `False`, as in the paper.
        dense_units: Units of the hidden dense layer after the features. Defaults to 1000.
        pixel_range: As in `resnet50`. Defaults to `None`.
        channel_order: As in `resnet50`. Defaults to `None`.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0; the paper has none.
        logits_dropout: As in `resnet50`. Defaults to 0.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.

    Raises:
        ValueError: If there are weights and `input_shape` is not `(224, 224, 3)`.
        FileNotFoundError: If `weights` is a path and there is no such file.
        RuntimeError: If the ImageNet weights cannot be downloaded; the message says where to put a file.

    Example:

    >>> extractor, head = feature_extractor_and_head(vgg16())
    >>> extractor.output_shape
    (None, 4096)
    """
    arguments = locals() | {"dense_units": (dense_units,)}
    if weights is not None and tuple(input_shape) != (224, 224, 3):
        raise ValueError(
            "`input_shape` must be (224, 224, 3), as VGG-16's dense layers have weights for that size alone, unless "
            f"weights=None. Received: input_shape={input_shape}"
        )
    # The dense layer's outputs are the features as they are.
    return on_backbone(
        keras.applications.VGG16, "caffe", layers.Identity, include_top=True, last_layer="fc2", **arguments
    )
