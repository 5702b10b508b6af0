"""Builders for the networks of the papers: uncompiled `keras.Model`s that take raw 0–255 pixels.

Those of paper 5's branches take features instead.
"""

from poster_cnn.models.backbones import feature_extractor_and_head, has_frozen_backbone, unfreeze
from poster_cnn.models.from_scratch import (
    one_hot_sigmoid_cnn,
    seven_layer_cnn,
    six_conv_cnn,
    two_conv_cnn,
    vgg_like_cnn,
)
from poster_cnn.models.modalities import (
    late_fusion,
    metadata_branch,
    multimodal,
    plot_branch,
    poster_branch,
    trailer_branch,
)
from poster_cnn.models.pretrained import densenet121, densenet201, mobilenet_v2, resnet18, resnet50, resnet152, vgg16
from poster_cnn.models.summary import layer_table

__all__ = [
    "densenet121",
    "densenet201",
    "feature_extractor_and_head",
    "has_frozen_backbone",
    "late_fusion",
    "layer_table",
    "metadata_branch",
    "mobilenet_v2",
    "multimodal",
    "one_hot_sigmoid_cnn",
    "plot_branch",
    "poster_branch",
    "resnet152",
    "resnet18",
    "resnet50",
    "seven_layer_cnn",
    "six_conv_cnn",
    "trailer_branch",
    "two_conv_cnn",
    "unfreeze",
    "vgg16",
    "vgg_like_cnn",
]
