"""DataFrame -> tf.data.Dataset: posters decoded exactly, shrunk by a ratio, cached as uint8, shuffled by seed."""

import hashlib
import json
import os

import numpy as np
import pandas as pd
import tensorflow as tf

from poster_cnn.datasets.crops import CROP_COLUMNS, POSTER_SIZE
from poster_cnn.datasets.poster_cache import DecodedPosters, decode_once, with_options
from poster_cnn.datasets.verify import check_posters, describe
from poster_cnn.movies.genres import encode_genres

# Interpolations offered, by the names of keras.layers.Resizing. ImageMagick, which paper 1 used, shrinks by Lanczos.
_INTERPOLATIONS = ("area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")
_WIDE = ("bicubic", "lanczos3", "lanczos5")  # those that add up many pixels
# Decoding threads: more than cores, as some always wait for the disk or for their turn.
_NUM_THREADS = 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def poster_dataset(
    table,
    class_names,
    *,
    image_size,
    batch_size=32,
    shuffle=False,
    seed=None,
    interpolation="bilinear",
    antialias=True,
    cache=True,
):
    """Posters and their genres as a `tf.data.Dataset`, ready for `fit`, `evaluate` and `predict`.

    The posters are checked first (see `ingest.check_posters`; remembered, so it costs little the second time):
    a broken one is named here, not in the middle of a fit.

    Args:
        table: Movie table with `poster_path`.
        class_names: Genres, in label order.
        image_size: `(height, width)` in pixels. See `shrunk_size`.
        batch_size: Defaults to 32. The last batch may be smaller.
        shuffle: Whether to shuffle all posters anew each epoch. Defaults to `False`.
        seed: Seed of the shuffling. Defaults to `None`: another order each time.
        interpolation: `"bilinear"`, `"lanczos3"` (as ImageMagick), `"lanczos5"`, `"bicubic"`, `"area"` or `"nearest"`.
            Defaults to `"bilinear"`.
        antialias: Whether to filter when shrinking, as Pillow does. Defaults to `True`.
        cache: Whether to decode the posters now and keep them, one byte a channel: in memory, or beyond
            `decoded.memory_budget` in a file. Defaults to `True`. If not, each pass decodes them anew.

    Returns:
        `tf.data.Dataset` of float32 images, 0..255, `(batch, height, width, 3)` and float32 labels
        `(batch, num_classes)`.

    Raises:
        ValueError: If a poster is missing or unreadable, or an argument is out of range.

    Example:

    >>> dataset = poster_dataset(table, ["Horror", "Romance"], image_size=shrunk_size(40), shuffle=True, seed=0)
    >>> model.fit(dataset, epochs=5)
    """
    how = _how(image_size, interpolation, antialias)
    if cache:
        decoded = decoded_posters(table, class_names, **how)
        return as_batches(decoded.shuffle(len(table), seed=seed) if shuffle else decoded, batch_size)
    _check(table)
    files = _files(table, encode_genres(table, class_names))  # shuffled before they are decoded: names are small
    return as_batches(_decode(files.shuffle(len(table), seed=seed) if shuffle else files, **how), batch_size)


def decoded_posters(
    table, class_names, *, image_size, interpolation="bilinear", antialias=True, cache=True, labels=None, check=True
):
    """Posters one by one in table order, decoded and resized; what `poster_dataset` shuffles and batches.

    Where the table has the columns of `crops.balance_by_crops`, the crops are cut out first.

    Args: as `poster_dataset`; and
        labels: float32 labels of the rows, where they are known. Defaults to `None`: `encode_genres`.
        check: Whether to check the posters first. Defaults to `True`; what is cached is always checked.

    Returns:
        With `cache`, `DecodedPosters`, decoded once for all that is made from it. If not, `tf.data.Dataset` of uint8
        images `(height, width, 3)` and float32 labels `(num_classes,)`. Both are shuffled and batched alike.
    """
    how = _how(image_size, interpolation, antialias)
    report = _check(table) if cache or check else None
    labels = encode_genres(table, class_names) if labels is None else labels
    if not cache:
        return _decode(_files(table, labels), **how)
    # Several rows may have one poster, and one picture in several files is the same poster.
    positions, contents = pd.factorize(_contents(table, report))
    first = np.flatnonzero(~pd.Series(positions).duplicated())
    posters = _decode(_files(table.iloc[first], labels[first]), **how)
    about = json.dumps([tf.__version__, *map(int, image_size), interpolation, bool(antialias), *contents])
    key = hashlib.sha256(about.encode()).hexdigest()[:32]
    return DecodedPosters(decode_once(posters, (len(first), *image_size, 3), key), positions, labels)


def epoch_batches(decoded, num_movies, batch_size, seed, epoch):
    """One epoch of shuffled batches in an order of `(seed, epoch)`, so a resumed run repeats it.

    TensorFlow mixes its global seed in; `training.train` sets that to the run's. Make the dataset anew for each pass:
    a second pass over the same one has another order.

    Args:
        decoded: Result of `decoded_posters`.
        num_movies: Number of its movies.
        batch_size: Posters a batch.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.

    Returns:
        `tf.data.Dataset` as `poster_dataset`'s.
    """
    return as_batches(decoded.shuffle(num_movies, seed=epoch_seed(seed, epoch)), batch_size)


def epoch_seed(seed, epoch):
    """The seed with which an epoch of a run is shuffled: an int made of the run's seed and the epoch's number."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def as_batches(decoded, batch_size):
    """Batches the result of `decoded_posters`; images become float32, still 0..255."""
    if isinstance(decoded, DecodedPosters):
        dataset = decoded.batch(batch_size, "float32")
    else:
        dataset = decoded.batch(batch_size).map(_as_floats, num_parallel_calls=2, deterministic=True)
    return with_options(dataset.prefetch(2))


def _as_floats(images, labels):
    return tf.cast(images, "float32"), labels


def cut_out(image, crop):
    """A part of a picture.

    Args:
        image: `(height, width, 3)`.
        crop: Its `(top, left, height, width)`, in pixels of a 268×182 poster, whatever the size of this picture.

    Returns:
        The part, of `image`'s dtype; a pixel at least.
    """
    scale = tf.cast(tf.tile(tf.shape(image)[:2], [2]), "float32") / tf.constant(2 * POSTER_SIZE, "float32")
    top, left, height, width = tf.unstack(tf.cast(tf.round(tf.cast(crop, "float32") * scale), "int32"))
    return image[top : top + tf.maximum(height, 1), left : left + tf.maximum(width, 1)]


def _how(image_size, interpolation, antialias):
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(f"`interpolation` must be one of {_INTERPOLATIONS}. Received: interpolation={interpolation!r}")
    return {"image_size": image_size, "interpolation": interpolation, "antialias": antialias}


def _files(table, labels):
    """`tf.data.Dataset` of the path, the labels and, where the table has crops, the crop of each row."""
    parts = (table["poster_path"].to_numpy(dtype=str).astype(object), labels)
    if CROP_COLUMNS[0] in table:
        parts += (table[list(CROP_COLUMNS)].to_numpy("int32"),)
    return tf.data.Dataset.from_tensor_slices(parts)


def _decode(files, *, image_size, interpolation, antialias):
    def load(path, label, crop=None):
        return _load_poster(path, image_size, interpolation, antialias, crop), label

    return with_options(files.map(load, num_parallel_calls=2 * _NUM_THREADS, deterministic=True), _NUM_THREADS)


def _contents(table, report):
    """SHA-256 of each row's poster, and its crop, as text."""
    hashes = report["sha256"].astype(str).to_numpy(dtype=object)
    if CROP_COLUMNS[0] not in table:
        return hashes
    crops = table[list(CROP_COLUMNS)].to_numpy("int32").tolist()
    return np.array([f"{content} {crop}" for content, crop in zip(hashes, crops, strict=True)], dtype=object)


def _load_poster(path, image_size, interpolation, antialias, crop):
    # INTEGER_ACCURATE decodes as Pillow does, bit for bit; the default is off by up to 6 levels.
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE")
    if crop is not None:
        image = cut_out(image, crop)
    if antialias and interpolation in _WIDE:
        for size in image_size:
            image = _resize_height_and_turn(image, size, interpolation)
    else:
        image = tf.image.resize(image, image_size, method=interpolation, antialias=antialias)
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), "uint8")
    return tf.ensure_shape(image, (*image_size, 3))


def _resize_height_and_turn(image, height, interpolation):
    """Resizes one side, and swaps both. Twice, it is `tf.image.resize`, to the bit."""
    # TensorFlow adds up whole rows of a picture quickly, and pixels within a row one by one.
    width, channels = tf.shape(image)[1], image.shape[2]
    rows = tf.reshape(image, (-1, 1, width * channels))
    rows = tf.image.resize(rows, (height, 1), method=interpolation, antialias=True)
    return tf.transpose(tf.reshape(rows, (height, width, channels)), (1, 0, 2))


def _check(table):
    """The manifest of the posters, a row a row; or one error that names every poster that cannot be read."""
    without = table["title"][table["poster_path"] == ""].tolist()
    if without:
        raise ValueError(
            f"{len(without)} movies have no poster file, such as {without[:3]}. "
            "Give `posters_dir` to `load_movie_table`, which drops them."
        )
    usable, report = check_posters(table)
    if len(usable) < len(table) or (usable["poster_path"].to_numpy() != table["poster_path"].to_numpy()).any():
        raise ValueError(
            f"Some posters cannot be read as they are. Mend or drop them first: "
            f"`table, report = poster_cnn.datasets.check_posters(table)`.\n{describe(report)}"
        )
    return report
