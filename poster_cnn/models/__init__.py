"""Builders of the papers' networks: uncompiled `keras.Model`s that take raw 0–255 pixels, or features for paper 5."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "from_scratch": ["one_hot_sigmoid_cnn", "seven_layer_cnn", "six_conv_cnn", "two_conv_cnn", "vgg_like_cnn"],
        "pretrained": ["densenet121", "densenet201", "mobilenet_v2", "resnet18", "resnet50", "resnet152", "vgg16"],
        "modalities": [
            "late_fusion",
            "metadata_branch",
            "multimodal",
            "plot_branch",
            "poster_branch",
            "trailer_branch",
        ],
        "backbones": ["feature_extractor_and_head", "has_frozen_backbone", "unfreeze"],
        "named": ["find_builder"],
        "summary": ["layer_table", "stage_table"],
    },
)
