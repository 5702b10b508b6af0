"""ResNet18, which `keras.applications` does not have."""

from keras import Input, Model, layers

# PyTorch's defaults, with which paper 2 trains; its momentum of 0.1 is 0.9 in Keras. With Keras's defaults, 0.99 and
# 1e-3, the running statistics lag behind the weights in the first few hundred steps.
BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON = 0.9, 1e-5


def resnet18_backbone(*, input_shape, weights=None, include_top=False):
    """Build ResNet18 without its top: 11,186,112 parameters (K. He et al., 2016, Table 1, 18 layers).

    Reference: "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385.

    Args:
        input_shape: `(height, width, channels)`; height and width at least 32.
        weights: `None` (random), or the path of a weights file for this network. Defaults to `None`.
        include_top: Must be `False`.

    Returns:
        A `keras.Model`: scaled pixels -> float32 `(batch, height / 32, width / 32, 512)`.

    Raises:
        ValueError: If `include_top` is true or `weights` is `"imagenet"`, which Keras does not offer for ResNet18.
    """
    if include_top or weights == "imagenet":
        raise ValueError(
            "`include_top` must be False and `weights` a path or None: Keras offers no top and no ImageNet weights for "
            f"ResNet18. Received: include_top={include_top}, weights={weights!r}"
        )
    inputs = Input(input_shape)
    x = layers.ZeroPadding2D(3, name="stem_pad")(inputs)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv")(x)
    x = _norm("stem")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, filters in enumerate((64, 128, 256, 512), start=1):
        x = residual_block(x, filters, strides=1 if stage == 1 else 2, name=f"stage{stage}_block1")
        x = residual_block(x, filters, strides=1, name=f"stage{stage}_block2")
    model = Model(inputs, x, name="resnet18")
    if weights:
        model.load_weights(weights)
    return model


def residual_block(x, filters, *, strides, name):
    """Apply two 3×3 convolutions and add a shortcut, which is a 1×1 convolution where the shape changes."""
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = _conv_norm(x, filters, 1, strides, f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu1")(_conv_norm(x, filters, 3, strides, f"{name}_1"))
    x = _conv_norm(x, filters, 3, 1, f"{name}_2")
    return layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([shortcut, x]))


def _conv_norm(x, filters, size, strides, name):
    if size == 3:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)  # as in the paper; "same" pads one side only at stride 2
    x = layers.Conv2D(
        filters, size, strides=strides, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return _norm(name)(x)


def _norm(name):
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{name}_norm")
