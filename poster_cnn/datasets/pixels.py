"""Decode, crop and resize one poster: with Pillow for any picture file and backend, with TensorFlow for `tf.data`.

Both read the same pixels, round to whole levels and crop alike. Pillow reads any picture file; `image_files.decode`
describes the conversion to RGB. TensorFlow is faster, but accepts only upright RGB JPEGs and the lossless copies that
`verify` writes of other pictures.
"""

import keras
import numpy as np

from poster_cnn.datasets import image_files
from poster_cnn.datasets.crops import POSTER_SIZE, center_box

_WIDE = ("bicubic", "lanczos3", "lanczos5")  # kernels that sum over many pixels


def open_picture(path):
    """Return any picture file as an upright RGB `PIL.Image.Image`; see `read_image` for the errors."""
    return image_files.read_file(path)


def read_image(path, image_size, interpolation="bilinear", crop_size=None):
    """Read any picture file with Pillow, as `load_poster` reads verified posters.

    On backends other than TensorFlow, a few values are rounded the other way.

    Args:
        path: Picture file.
        image_size: `(height, width)` of the result in pixels.
        interpolation: Method of `keras.ops.image.resize`. Defaults to `"bilinear"`.
        crop_size: `(height, width)` of a center crop, in pixels of a 268×182 poster; it is scaled to the size of the
            picture. Defaults to `None`: the whole picture.

    Returns:
        float32 array `(height, width, 3)`, whole levels 0..255.

    Raises:
        image_files.RefusedPicture: If the file is broken or no picture.
        OSError: If the file cannot be read.
    """
    image = np.asarray(open_picture(path))
    if crop_size is not None:
        image = cut_out(image, center_box(crop_size))
    image = keras.ops.image.resize(image.astype("float32"), image_size, interpolation=interpolation, antialias=True)
    return np.clip(np.round(keras.ops.convert_to_numpy(image)), 0, 255)


def load_poster(path, image_size, interpolation, antialias, crop=None):
    """Read a verified poster with TensorFlow, inside `tf.data.Dataset.map`.

    Args:
        path: Scalar string tensor.
        image_size, interpolation: As in `read_image`.
        antialias: Whether to filter when shrinking, as Pillow does.
        crop: `(top, left, height, width)` as in `cut_out`. Defaults to `None`: the whole poster.

    Returns:
        uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    # INTEGER_ACCURATE is bit-identical to Pillow; the default differs by up to 6 levels.
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE")
    if crop is not None:
        image = cut_out(image, crop)
    if antialias and interpolation in _WIDE:
        for size in image_size:
            image = _resize_height_and_transpose(image, size, interpolation)
    else:
        image = tf.image.resize(image, image_size, method=interpolation, antialias=antialias)
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), "uint8")
    return tf.ensure_shape(image, (*image_size, 3))


def _resize_height_and_transpose(image, height, interpolation):
    """Resize one side and swap both; applied twice, it is bit-identical to `tf.image.resize`, and faster."""
    import tensorflow as tf

    # TensorFlow sums whole rows of a picture quickly, but pixels within a row one by one.
    width, channels = tf.shape(image)[1], image.shape[2]
    rows = tf.reshape(image, (-1, 1, width * channels))
    rows = tf.image.resize(rows, (height, 1), method=interpolation, antialias=True)
    return tf.transpose(tf.reshape(rows, (height, width, channels)), (1, 0, 2))


def cut_out(image, crop):
    """Crop a picture.

    Args:
        image: NumPy array or TensorFlow tensor `(height, width, 3)`.
        crop: `(top, left, height, width)` in pixels of a 268×182 poster; scaled to the size of the picture.

    Returns:
        Array or tensor of the same dtype, at least one pixel.
    """
    poster_sides = np.float32(POSTER_SIZE * 2)
    if isinstance(image, np.ndarray):
        scaled = np.float32(crop) * (np.float32(image.shape[:2] * 2) / poster_sides)
        top, left, height, width = np.maximum(np.round(scaled).astype(int), (0, 0, 1, 1))
    else:
        import tensorflow as tf

        scaled = tf.cast(crop, "float32") * (tf.cast(tf.tile(tf.shape(image)[:2], [2]), "float32") / poster_sides)
        top, left, height, width = tf.unstack(tf.maximum(tf.cast(tf.round(scaled), "int32"), (0, 0, 1, 1)))
    return image[top : top + height, left : left + width]
