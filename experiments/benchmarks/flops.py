"""What a network needs and what a device can do, in floating-point operations, on any Keras backend."""

import math
import time

import keras
from keras import layers, ops

_COUNTED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)
_SIZES = (1024, 2048, 4096, 8192)
_LONGEST = 0.1  # seconds: after a product that takes so long, no larger one is tried
_REPEATS = 5


def forward_flops(model):
    """Floating-point operations of one picture's way through a network; training takes three times as many.

    A multiplication and an addition are two. Convolutions and dense layers alone are counted.

    Args:
        model: A built `keras.Model`, channels last.

    Returns:
        int

    Example:

    >>> forward_flops(models.seven_layer_cnn((80, 55, 3), 4))
    27152768
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += forward_flops(layer)
        elif isinstance(layer, _COUNTED):
            total += 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    return total


def peak_flops(precision="float32"):
    """Floating-point operations a second of the fastest large matrix product that the device of the backend makes.

    Products of 1,024 to 8,192 rows and columns are tried, five of each. Where the backend rounds the inputs of float32
    products, as some do on GPUs, it does so here too.

    Args:
        precision: `"float32"`, `"bfloat16"` or `"mixed_bfloat16"`. Defaults to `"float32"`.

    Returns:
        float
    """
    dtype, fastest = precision.removeprefix("mixed_"), 0
    for size in _SIZES:
        left, right = (keras.random.normal((size, size), dtype=dtype, seed=seed) for seed in (1, 2))
        _seconds(left, right)  # what is compiled or allocated only once
        seconds = min(_seconds(left, right) for _ in range(_REPEATS))
        fastest = max(fastest, 2 * size**3 / seconds)
        if seconds > _LONGEST:
            break
    return fastest


def _seconds(left, right):
    started = time.perf_counter()
    product = ops.matmul(left, right)
    ops.convert_to_numpy(product[:1, :1])  # waits for the device
    return time.perf_counter() - started
