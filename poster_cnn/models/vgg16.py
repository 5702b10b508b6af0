"""VGG-16 with its own two dense layers: the backbone of paper 5's posters and trailers."""

import keras
from keras import layers

from poster_cnn.models.backbones import on_backbone


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
