"""Floating-point operations of a network, and the peak rate of a device, on any Keras backend."""

import math
import time

import keras
from keras import layers, ops

_COUNTED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)
_SIZES = (1024, 2048, 4096, 8192)
_LONGEST = 0.1  # seconds; no larger product is tried after one that takes longer
_REPEATS = 5


def forward_flops(model):
    """Count the floating-point operations of a forward pass of one image; training takes three times as many.

    A multiplication and an addition are two operations. Only convolutions and dense layers are counted.

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
    """Return the floating-point operations per second of the fastest large matrix product on the backend's device.

    Products of 1,024 to 8,192 rows and columns are tried, five of each. Some backends round the inputs of float32
    products on GPUs; this is included.

    Args:
        precision: `"float32"`, `"bfloat16"` or `"mixed_bfloat16"`. Defaults to `"float32"`.

    Returns:
        float
    """
    dtype, fastest = precision.removeprefix("mixed_"), 0
    for size in _SIZES:
        left, right = (keras.random.normal((size, size), dtype=dtype, seed=seed) for seed in (1, 2))
        _seconds(left, right)  # warm-up: compilation and allocation
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
