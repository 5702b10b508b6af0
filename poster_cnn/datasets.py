"""DataFrame -> tf.data.Dataset: posters decoded exactly, shrunk by a ratio, cached as uint8, shuffled by seed."""

import numpy as np
import tensorflow as tf

from poster_cnn import ingest
from poster_cnn.crops import CROP_COLUMNS
from poster_cnn.sizes import POSTER_SIZE, shrunk_size
from poster_cnn.table import encode_genres

__all__ = [
    "POSTER_SIZE",
    "as_batches",
    "cut_out",
    "decoded_posters",
    "epoch_batches",
    "epoch_seed",
    "poster_dataset",
    "shrunk_size",
    "with_options",
]

# Interpolations offered, by the names of keras.layers.Resizing. ImageMagick, which paper 1 used, shrinks by Lanczos.
_INTERPOLATIONS = ("area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")
_PARALLEL_CALLS = 4  # decoding threads: enough for 2 cores, and more gain little


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
        cache: Whether to keep the decoded posters in memory, one byte a channel. Defaults to `True`.

    Returns:
        `tf.data.Dataset` of float32 images, 0..255, `(batch, height, width, 3)` and float32 labels
        `(batch, num_classes)`.

    Raises:
        ValueError: If a poster is missing or unreadable, or an argument is out of range.

    Example:

    >>> dataset = poster_dataset(table, ["Horror", "Romance"], image_size=shrunk_size(40), shuffle=True, seed=0)
    >>> model.fit(dataset, epochs=5)
    """
    decoded = decoded_posters(
        table, class_names, image_size=image_size, interpolation=interpolation, antialias=antialias, cache=cache
    )
    if shuffle:
        decoded = decoded.shuffle(len(table), seed=seed)
    return as_batches(decoded, batch_size)


def decoded_posters(
    table, class_names, *, image_size, interpolation="bilinear", antialias=True, cache=True, labels=None
):
    """Posters one by one in table order, decoded and resized; what `poster_dataset` shuffles and batches.

    Several datasets made from one result share its cache: the posters are decoded once. Where the table has the columns
    of `crops.balance_by_crops`, the crops are cut out first.

    Args: as `poster_dataset`; and
        labels: float32 labels of the rows, where they are known. Defaults to `None`: `encode_genres`.

    Returns:
        `tf.data.Dataset` of uint8 images `(height, width, 3)` and float32 labels `(num_classes,)`.
    """
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(f"`interpolation` must be one of {_INTERPOLATIONS}. Received: interpolation={interpolation!r}")
    _require_posters(table)
    paths = table["poster_path"].to_numpy(dtype=str).astype(object)
    labels = encode_genres(table, class_names) if labels is None else labels
    crops = table[list(CROP_COLUMNS)].to_numpy("int32") if CROP_COLUMNS[0] in table else None

    def load(path, label, crop=None):
        return _load_poster(path, image_size, interpolation, antialias, crop), label

    parts = (paths, labels) if crops is None else (paths, labels, crops)
    dataset = tf.data.Dataset.from_tensor_slices(parts)
    dataset = dataset.map(load, num_parallel_calls=_PARALLEL_CALLS, deterministic=True)
    return with_options(dataset.cache() if cache else dataset)


def epoch_batches(decoded, num_movies, batch_size, seed, epoch):
    """One epoch of shuffled batches in an order of `(seed, epoch)`, so a resumed run repeats it.

    TensorFlow mixes its global seed in; `training.train` sets that to the run's. Make the dataset anew for each pass:
    a second pass over the same one has another order.

    Args:
        decoded: Result of `decoded_posters`.
        num_movies: Number of its movies: the size of the shuffle buffer.
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
    dataset = decoded.batch(batch_size).map(
        lambda images, labels: (tf.cast(images, "float32"), labels), num_parallel_calls=2, deterministic=True
    )
    return with_options(dataset.prefetch(2))


def with_options(dataset):
    """Switches autotuning off: it stalls at the end of some epochs, up to seconds, and gains nothing here."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


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


def _load_poster(path, image_size, interpolation, antialias, crop):
    # INTEGER_ACCURATE decodes as Pillow does, bit for bit; the default is off by up to 6 levels.
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE")
    if crop is not None:
        image = cut_out(image, crop)
    image = tf.image.resize(image, image_size, method=interpolation, antialias=antialias)
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), "uint8")
    return tf.ensure_shape(image, (*image_size, 3))


def _require_posters(table):
    """Raises one error that names every poster that cannot be read."""
    without = table["title"][table["poster_path"] == ""].tolist()
    if without:
        raise ValueError(
            f"{len(without)} movies have no poster file, such as {without[:3]}. "
            "Give `posters_dir` to `load_movie_table`, which drops them."
        )
    usable, report = ingest.check_posters(table)
    if len(usable) < len(table) or (usable["poster_path"].to_numpy() != table["poster_path"].to_numpy()).any():
        raise ValueError(
            f"Some posters cannot be read as they are. Mend or drop them first: "
            f"`table, report = poster_cnn.ingest.check_posters(table)`.\n{ingest.describe(report)}"
        )
