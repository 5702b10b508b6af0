"""Decode, crop and resize one poster: with Pillow for any picture file and backend, with TensorFlow for `tf.data`.

Both read the same pixels, round to whole levels and crop alike. Pillow reads any picture file; `image_files.decode`
describes the conversion to RGB. TensorFlow is faster, but accepts only upright RGB JPEGs and the lossless copies that
`verify` writes of other pictures. Keras and TensorFlow are imported when they are used, as `resize` needs neither.
"""

import functools

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
    return fit(open_picture(path), image_size, interpolation, crop_size, keras_resize)


def fit(image, image_size, interpolation="bilinear", crop_size=None, method=None):
    """Crop and resize a decoded picture.

    Args:
        image: `PIL.Image.Image` in RGB, or array `(height, width, 3)` of levels 0..255.
        image_size, interpolation, crop_size: As in `read_image`.
        method: Function with the arguments of `resize`. Defaults to `None`: `resize`, which needs no Keras.

    Returns:
        float32 array `(height, width, 3)`, whole levels 0..255.
    """
    image = np.asarray(image)
    if crop_size is not None:
        image = cut_out(image, center_box(crop_size))
    method = method or resize
    image = method(image.astype("float32"), tuple(image_size), interpolation)
    return np.clip(np.round(image), 0, 255)


def keras_resize(image, image_size, interpolation):
    """Resize a picture as `resize` does, with Keras on any backend."""
    import keras

    image = keras.ops.image.resize(image, image_size, interpolation=interpolation, antialias=True)
    return keras.ops.convert_to_numpy(image)


def resize(image, image_size, interpolation="bilinear"):
    """Resize a picture with NumPy, with a filter when shrinking, as TensorFlow does.

    The result is that of `keras.ops.image.resize(..., antialias=True)` on TensorFlow to 0.02 levels.

    Args:
        image: float32 array `(height, width, channels)`.
        image_size: `(height, width)` of the result in pixels.
        interpolation: Method; see `crops.INTERPOLATIONS`. Defaults to `"bilinear"`.

    Returns:
        float32 array `(*image_size, channels)`.
    """
    height, width = image_size
    rows = np.tensordot(_filter(image.shape[0], height, interpolation), image, 1)  # (height, old width, channels)
    columns = _filter(image.shape[1], width, interpolation)
    return np.tensordot(rows, columns, (1, 1)).transpose(0, 2, 1)


@functools.lru_cache(maxsize=16)  # most posters have one size
def _filter(old, new, interpolation):
    """Return the weights of `old` pixels in each of `new`, float32 `(new, old)`."""
    scale = np.float32(old) / np.float32(new)  # in float32 and in this order, as TensorFlow computes it
    if interpolation not in ("nearest", "area"):
        scale = np.float32(1) / (np.float32(new) / np.float32(old))
    centers = (np.arange(new, dtype="float32")[:, None] + np.float32(0.5)) * scale
    position = np.arange(old, dtype="float32")
    if interpolation == "nearest":
        return (position == np.minimum(np.floor(centers), old - 1)).astype("float32")
    if interpolation == "area":
        edges = np.arange(new + 1, dtype="float32") * scale
        shared = np.minimum(edges[1:, None], position + 1) - np.maximum(edges[:-1, None], position)
        weights = np.maximum(shared, 0)
    else:
        weights = _KERNELS[interpolation]((position + np.float32(0.5) - centers) / max(scale, np.float32(1)))
    return weights / weights.sum(axis=1, keepdims=True)


def _cubic(x):
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))


def _lanczos(radius, x):
    return np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


_KERNELS = {
    "bilinear": lambda x: np.maximum(1 - np.abs(x), 0),
    "bicubic": _cubic,
    "lanczos3": functools.partial(_lanczos, 3),
    "lanczos5": functools.partial(_lanczos, 5),
}


def load_poster(path, image_size, interpolation, antialias, crop=None, decode="full"):
    """Read a verified poster with TensorFlow, inside `tf.data.Dataset.map`.

    Args:
        path: Scalar string tensor.
        image_size, interpolation: As in `read_image`.
        antialias: Whether to filter when shrinking, as Pillow does.
        crop: `(top, left, height, width)` as in `cut_out`. Defaults to `None`: the whole poster.
        decode: As in `pipeline.poster_dataset`. Defaults to `"full"`.

    Returns:
        uint8 tensor `(height, width, 3)`.
    """
    import tensorflow as tf

    content = tf.io.read_file(path)
    image = _decode(content) if decode == "full" else _decode_scaled(content, image_size, crop)
    if crop is not None:
        image = cut_out(image, crop)
    if decode == "full":
        image = _resize_levels(image, image_size, interpolation, antialias)
    else:  # often of that size already
        fits = tf.reduce_all(tf.shape(image)[:2] == image_size)
        image = tf.cond(fits, lambda: image, lambda: _resize_levels(image, image_size, interpolation, antialias))
    return tf.ensure_shape(image, (*image_size, 3))


def _decode(content, ratio=1):
    import tensorflow as tf

    # INTEGER_ACCURATE is bit-identical to Pillow; the default differs by up to 6 levels.
    return tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")


def _decode_scaled(content, image_size, crop):
    """Decode a JPEG at the smallest of its scales that has at least the size of the result."""
    import tensorflow as tf

    least = tf.constant(image_size, "float32")
    if crop is not None:  # a crop of that size needs a larger picture
        least *= tf.constant(POSTER_SIZE, "float32") / tf.cast(crop[2:], "float32")
    is_jpeg = tf.strings.substr(content, 0, 2) == b"\xff\xd8"  # else a lossless copy of another picture
    size = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(content)[:2], lambda: tf.constant([1, 1]))
    ratios = tf.constant([[2], [4], [8]])
    large_enough = tf.reduce_all(tf.cast((size + ratios - 1) // ratios, "float32") >= least, axis=1)
    scale = tf.reduce_sum(tf.cast(large_enough, "int32"))
    return tf.switch_case(scale, [functools.partial(_decode, content, ratio) for ratio in (1, 2, 4, 8)])


def _resize_levels(image, image_size, interpolation, antialias):
    """Resize a picture and round it to whole levels, uint8."""
    import tensorflow as tf

    if antialias and interpolation in _WIDE:
        for size in image_size:
            image = _resize_height_and_transpose(image, size, interpolation)
    else:
        image = tf.image.resize(image, image_size, method=interpolation, antialias=antialias)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), "uint8")


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
