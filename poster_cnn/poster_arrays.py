"""DataFrame -> NumPy arrays of posters and genres, on any Keras backend: TensorFlow is not needed."""

import pathlib

import numpy as np
from keras import ops

from poster_cnn import pictures
from poster_cnn.crops import CROP_COLUMNS
from poster_cnn.movies.genres import encode_genres


def poster_arrays(table, class_names, *, image_size, interpolation="bilinear"):
    """Posters and their genres as arrays in memory, for `array_training.fit_arrays` and `predict`.

    The pixels are those of `datasets.poster_dataset`, but for one in 40,000 that another backend rounds the other way.

    Args:
        table: Movie table with `poster_path`.
        class_names: Genres, in label order.
        image_size: `(height, width)` in pixels. See `sizes.shrunk_size`.
        interpolation: As `keras.ops.image.resize` has it. Defaults to `"bilinear"`.

    Returns:
        `(images, labels)`: uint8 `(num_movies, height, width, 3)` and float32 `(num_movies, num_classes)`.

    Raises:
        ValueError: If a poster is missing or unreadable, or the table has crops.

    Example:

    >>> images, labels = poster_arrays(table[split == "train"], ["Horror", "Romance"], image_size=(80, 55))
    """
    if CROP_COLUMNS[0] in table:
        raise ValueError("Crops are cut by `datasets.poster_dataset` alone. Received: a table with crops")
    images = np.empty((len(table), *image_size, 3), dtype="uint8")
    for number, path in enumerate(table["poster_path"]):
        images[number] = _resize(_read(path), image_size, interpolation)
    return images, encode_genres(table, class_names)


def _read(path):
    try:
        return np.asarray(pictures.read_rgb(pathlib.Path(path).read_bytes()), dtype="float32")
    except (OSError, pictures.RefusedPicture) as error:
        raise ValueError(f"A poster cannot be read: {error}. Received: poster_path={str(path)!r}") from error


def _resize(image, image_size, interpolation):
    resized = ops.image.resize(image, image_size, interpolation=interpolation, antialias=True)
    return np.clip(np.round(ops.convert_to_numpy(resized)), 0, 255)
