"""Augmentation of training batches with Keras's layers, on the CPU in `tf.data`, repeated from seed and epoch."""

import functools

import keras
import numpy as np
import tensorflow as tf

from poster_cnn.datasets.crops import AUGMENTATIONS
from poster_cnn.datasets.poster_cache import with_options
from poster_cnn.metrics import arguments

_MAX_CROP = 0.15  # share of the sides that `light` cuts off
_NUM_OPERATIONS = 2  # of `randaugment` on each poster


@arguments.checked(
    batches=arguments.instance(tf.data.Dataset),
    name=arguments.choice(*AUGMENTATIONS),
    seed=arguments.seed,
    epoch=arguments.natural,
)
def augment(batches, name, seed, epoch):
    """Augment the batches of one epoch; the random numbers of a batch depend on `(seed, epoch)` and its position.

    Args:
        batches: `tf.data.Dataset` of float32 images, 0..255, `(batch, height, width, 3)` and labels
            `(batch, num_classes)`, such as from `epoch_batches`.
        name: `"none"`; `"flip"`: half of the posters are mirrored; `"light"`: posters are also cropped to 85% or more
            of their sides, which shifts them, and made brighter or darker by up to 10%; `"randaugment"`: two of eleven
            operations on each poster after the flip (Cubuk et al. 2020, https://arxiv.org/abs/1909.13719); or
            `"mixup"`: after the flip, each poster and its labels are mixed with another one of the batch (Zhang et al.
            2018, https://arxiv.org/abs/1710.09412).
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.

    Returns:
        `tf.data.Dataset` like `batches`.

    Example:

    >>> batches = augment(epoch_batches(decoded, len(decoded), 32, seed=0, epoch=3), "light", seed=0, epoch=3)
    """
    if name == "none":
        return batches
    state = np.random.SeedSequence([seed, epoch, AUGMENTATIONS.index(name)]).generate_state(2)
    start, change = tf.constant(state.astype("int32")), _augmentation(name)
    numbered = batches.enumerate().map(
        lambda number, batch: change(tf.random.experimental.stateless_fold_in(start, number), *batch),
        num_parallel_calls=2,
        deterministic=True,
    )
    return with_options(numbered.prefetch(2))


class _Seeds(keras.random.SeedGenerator):
    """Seeds that are derived from a given tensor; Keras's own ones count in a variable, which a kill would lose."""

    def __init__(self, start):
        self._start, self._count = start, 0

    def next(self, ordered=True):
        self._count += 1
        return tf.random.experimental.stateless_fold_in(self._start, self._count)


@functools.cache
def _augmentation(name):
    """Return a function of a seed and a batch, which is traced once for all epochs."""
    flip, brightness = keras.layers.RandomFlip("horizontal", seed=0), keras.layers.RandomBrightness(0.1, seed=0)
    further = {
        "flip": [],
        "light": [_crop, functools.partial(_apply, brightness)],
        "randaugment": [functools.partial(_random_operations, _operations())],
        "mixup": [functools.partial(_apply, keras.layers.MixUp(seed=0))],
    }
    return tf.function(functools.partial(_change, [functools.partial(_apply, flip), *further[name]]))


def _change(steps, start, images, labels):
    seeds, shape = _Seeds(start), images.shape
    for step in steps:
        images, labels = step(images, labels, seeds.next())
        images = tf.ensure_shape(images, shape)
    return images, labels


def _apply(layer, images, labels, start):
    """Change images with a layer of Keras and, if it mixes them, their labels."""
    change = layer.get_random_transformation(images, seed=_Seeds(start))
    return layer.transform_images(images, change), layer.transform_labels(labels, change)


def _crop(images, labels, start):
    """Cut a part of random size and position out of each poster, and resize it to the whole."""
    seeds, num_images = _Seeds(start), tf.shape(images)[0]
    side = tf.random.stateless_uniform((num_images, 1), seeds.next(), 1 - _MAX_CROP, 1)
    corner = tf.random.stateless_uniform((num_images, 2), seeds.next()) * (1 - side)
    boxes = tf.concat([corner, corner + side], axis=1)
    return tf.image.crop_and_resize(images, boxes, tf.range(num_images), images.shape[1:3]), labels


def _random_operations(operations, images, labels, start):
    """Apply random operations to each poster of a batch."""

    def change(numbered):
        """Apply random operations to one poster `(height, width, 3)`, given with its number in the batch."""
        number, image = numbered
        seeds, images = _Seeds(tf.random.experimental.stateless_fold_in(start, number)), image[None]
        for _ in range(_NUM_OPERATIONS):
            chosen = tf.random.stateless_uniform((), seeds.next(), maxval=len(operations), dtype="int32")
            branches = [functools.partial(_apply, layer, images, (), seeds.next()) for layer in operations]
            images = tf.ensure_shape(tf.switch_case(chosen, branches)[0], (1, *image.shape))
        return images[0]

    numbers = tf.range(tf.shape(images, out_type="int64")[0])
    return tf.map_fn(change, (numbers, images), fn_output_signature=images.dtype), labels


def _operations():
    """Return the operations of `keras.layers.RandAugment`, which does not choose for each poster, and turns by 180°."""
    kinds, pixels = keras.layers, {"value_range": (0, 255), "seed": 0}
    near = {"fill_mode": "nearest", "seed": 0}
    return (
        kinds.RandomShear(0.1, 0.1, **near),
        kinds.RandomTranslation(0.1, 0.1, **near),
        kinds.RandomRotation(15 / 360, **near),
        kinds.RandomBrightness(0.2, **pixels),
        kinds.RandomColorDegeneration(0.5, **pixels),
        kinds.RandomContrast(0.3, **pixels),
        kinds.RandomSharpness(0.3, **pixels),
        kinds.RandomPosterization((4, 8), **pixels),
        kinds.Solarization(addition_factor=0.2, threshold_factor=(0.8, 1.0), **pixels),
        kinds.AutoContrast(value_range=(0, 255)),
        kinds.Equalization(value_range=(0, 255)),
    )
