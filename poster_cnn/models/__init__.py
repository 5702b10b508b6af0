"""Builders for the networks of the papers: uncompiled `keras.Model`s that take raw 0–255 pixels."""

from poster_cnn.models.backbones import feature_extractor_and_head, has_frozen_backbone, unfreeze
from poster_cnn.models.layer_table import layer_table
from poster_cnn.models.small_cnn import (
    one_hot_sigmoid_cnn,
    seven_layer_cnn,
    six_conv_cnn,
    two_conv_cnn,
    vgg_like_cnn,
)
from poster_cnn.models.transfer import densenet121, densenet201, mobilenet_v2, resnet18, resnet50, resnet152

__all__ = [
    "densenet121",
    "densenet201",
    "feature_extractor_and_head",
    "has_frozen_backbone",
    "layer_table",
    "mobilenet_v2",
    "one_hot_sigmoid_cnn",
    "resnet152",
    "resnet18",
    "resnet50",
    "seven_layer_cnn",
    "six_conv_cnn",
    "two_conv_cnn",
    "unfreeze",
    "vgg_like_cnn",
]
