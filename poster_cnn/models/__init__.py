"""Builders for the networks of the papers: uncompiled `keras.Model`s that take raw 0–255 pixels."""

from poster_cnn.models.layer_table import layer_table
from poster_cnn.models.small_cnn import one_hot_sigmoid_cnn, seven_layer_cnn, two_conv_cnn
from poster_cnn.models.transfer import feature_extractor_and_head, has_frozen_backbone, mobilenet_v2, unfreeze

__all__ = [
    "feature_extractor_and_head",
    "has_frozen_backbone",
    "layer_table",
    "mobilenet_v2",
    "one_hot_sigmoid_cnn",
    "seven_layer_cnn",
    "two_conv_cnn",
    "unfreeze",
]
