"""DataFrame -> `tf.data.Dataset` of posters and labels: decoded, resized, cached as uint8, shuffled by seed."""

import hashlib
import json
import os

import numpy as np
import pandas as pd
import tensorflow as tf

from poster_cnn.datasets.crops import CROP_COLUMNS, DECODES, INTERPOLATIONS
from poster_cnn.datasets.pixels import load_poster
from poster_cnn.datasets.poster_cache import DecodedPosters, decode_once, with_options
from poster_cnn.datasets.verify import check_posters, describe, file_hashes
from poster_cnn.metrics import arguments
from poster_cnn.movies.genres import encode_genres

_CHECKS = {
    "table": arguments.table("genres", "poster_path"),
    "class_names": arguments.genres,
    "image_size": arguments.size,
    "interpolation": arguments.choice(*INTERPOLATIONS),
    "antialias": arguments.flag,
    "cache": arguments.flag,
    "decode": arguments.choice(*DECODES),
}
_DECODED = arguments.instance((DecodedPosters, tf.data.Dataset), "a result of `decoded_posters`")
# More decoding threads than cores, as some always wait for the disk.
_NUM_THREADS = 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@arguments.checked(
    **_CHECKS, batch_size=arguments.count, shuffle=arguments.flag, seed=arguments.optional(arguments.integer)
)
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
    decode="full",
):
    """Return posters and genres as a `tf.data.Dataset` for `fit`, `evaluate` and `predict`.

    The posters are verified first, so that a broken one is named here and not in the middle of `fit`. The result of
    `verify.check_posters` is remembered, which makes the second call cheap.

    Args:
        table: Movie table with `poster_path` and `genres`.
        class_names: Genres, in label order. A genre that no movie has gives a column of zeros; see `encode_genres`.
        image_size: `(height, width)` in pixels; see `shrunk_size`.
        batch_size: Defaults to 32. The last batch may be smaller.
        shuffle: Whether to reshuffle all posters in each epoch. Defaults to `False`.
        seed: Seed of the shuffling. Defaults to `None`: a different order in each run.
        interpolation: `"bilinear"`, `"lanczos3"` (ImageMagick), `"lanczos5"`, `"bicubic"`, `"area"` or `"nearest"`.
            Defaults to `"bilinear"`.
        antialias: Whether to filter when shrinking, as Pillow does. Defaults to `True`.
        cache: Whether to decode the posters once and keep them as uint8, in memory or, beyond
            `poster_cache.memory_budget`, in a file. If `False`, each epoch decodes them again. Defaults to `True`.
        decode: `"full"`, or `"scaled"`: JPEGs are decoded at 1/2, 1/4 or 1/8 of their sides where that is at least
            `image_size`, and then resized. This is faster, more so for large posters, but changes the pixels, which
            prediction always decodes in full; experiments/benchmarks has both measured. Defaults to `"full"`.

    Returns:
        `tf.data.Dataset` of float32 images, 0..255, `(batch, height, width, 3)` and float32 labels
        `(batch, num_classes)`.

    Raises:
        ValueError: If a poster is missing or unreadable, the table is empty, or an argument is invalid.

    Example:

    >>> dataset = poster_dataset(table, ["Horror", "Romance"], image_size=shrunk_size(40), shuffle=True, seed=0)
    >>> model.fit(dataset, epochs=5)
    """
    resizing = {"image_size": image_size, "interpolation": interpolation, "antialias": antialias, "decode": decode}
    if not len(table):
        raise ValueError("`table` must have at least one movie. Received: an empty table")
    if cache:
        decoded = decoded_posters(table, class_names, **resizing)
        return as_batches(decoded.shuffle(len(table), seed=seed) if shuffle else decoded, batch_size)
    _check(table)
    files = _files(table, encode_genres(table, class_names))
    files = files.shuffle(len(table), seed=seed) if shuffle else files  # before decoding, as paths are small
    return as_batches(_decode(files, **resizing), batch_size)


@arguments.checked(
    **_CHECKS,
    labels=arguments.optional(arguments.numeric),
    manifest=arguments.optional(arguments.table("sha256", "repaired_sha256")),
)
def decoded_posters(
    table,
    class_names,
    *,
    image_size,
    interpolation="bilinear",
    antialias=True,
    cache=True,
    labels=None,
    manifest=None,
    decode="full",
):
    """Return single posters in table order, decoded and resized, from which `poster_dataset` makes batches.

    Crops are cut out first if the table has the columns of `crops.balance_by_crops`.

    Args:
        table, class_names, image_size, interpolation, antialias, cache, decode: As in `poster_dataset`.
        labels: float32 array `(num_movies, num_classes)`. Defaults to `None`: computed by `encode_genres`.
        manifest: Rows of the report of `verify.check_posters` for the rows of `table`, in the same order; the posters
            are not read and verified again. Defaults to `None`.

    Returns:
        `DecodedPosters` with `cache`, else `tf.data.Dataset` of uint8 images `(height, width, 3)` and float32 labels
        `(num_classes,)`. Both are shuffled and batched in the same way.
    """
    resizing = {"image_size": image_size, "interpolation": interpolation, "antialias": antialias, "decode": decode}
    manifest = _check(table) if manifest is None else manifest
    labels = encode_genres(table, class_names) if labels is None else labels
    if np.ndim(labels) != 2 or len(labels) != len(table) or len(manifest) != len(table):
        raise ValueError(
            f"`labels` and `manifest` must have a row for each of the {len(table)} movies. "
            f"Received: labels of shape {np.shape(labels)} and {len(manifest)} rows"
        )
    if not cache:
        return _decode(_files(table, labels), **resizing)
    # Several rows may share a poster, and copies of a file are decoded once.
    positions, contents = pd.factorize(_contents(table, manifest))
    first = np.flatnonzero(~pd.Series(positions).duplicated())
    posters = _decode(_files(table.iloc[first], labels[first]), **resizing)
    decoding = [] if decode == "full" else [decode]  # files of earlier versions keep their names
    about = json.dumps([tf.__version__, *map(int, image_size), interpolation, bool(antialias), *decoding, *contents])
    key = hashlib.sha256(about.encode()).hexdigest()[:32]
    return DecodedPosters(decode_once(posters, (len(first), *image_size, 3), key), positions, labels)


@arguments.checked(
    decoded=_DECODED,
    num_movies=arguments.count,
    batch_size=arguments.count,
    seed=arguments.seed,
    epoch=arguments.natural,
)
def epoch_batches(decoded, num_movies, batch_size, seed, epoch):
    """Return the shuffled batches of one epoch; their order depends on `(seed, epoch)`, so a resumed run repeats it.

    TensorFlow also mixes in its global seed, which `training.train` sets to the run's seed. A second pass over the
    returned dataset has another order.

    Args:
        decoded: Result of `decoded_posters`.
        num_movies: Number of posters in `decoded`.
        batch_size: Posters per batch.
        seed: Seed of the run.
        epoch: Epoch number, from 0.

    Returns:
        `tf.data.Dataset` as from `poster_dataset`.
    """
    return as_batches(decoded.shuffle(num_movies, seed=epoch_seed(seed, epoch)), batch_size)


@arguments.checked(seed=arguments.seed, epoch=arguments.natural)
def epoch_seed(seed, epoch):
    """Return the int seed of the shuffling in an epoch of a run."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


@arguments.checked(decoded=_DECODED, batch_size=arguments.count)
def as_batches(decoded, batch_size):
    """Return batches of the result of `decoded_posters`, with float32 images, 0..255."""
    if isinstance(decoded, DecodedPosters):
        dataset = decoded.batch(batch_size, "float32")
    else:
        dataset = decoded.batch(batch_size).map(_as_floats, num_parallel_calls=2, deterministic=True)
    return with_options(dataset.prefetch(2))


def _as_floats(images, labels):
    return tf.cast(images, "float32"), labels


def _files(table, labels):
    """Return a `tf.data.Dataset` of paths, labels and, if the table has them, crops."""
    paths = table["poster_path"].to_numpy(dtype=str).astype(object)
    for path in paths:
        _require_utf8(path)
    parts = (paths, labels)
    if CROP_COLUMNS[0] in table:
        parts += (table[list(CROP_COLUMNS)].to_numpy("int32"),)
    return tf.data.Dataset.from_tensor_slices(parts)


def _require_utf8(path):
    try:
        path.encode()
    except UnicodeEncodeError:
        folder, name = os.path.split(path)
        raise ValueError(
            "TensorFlow reads posters only from paths in UTF-8. Rename the folder or the file. "
            f"Received: folder {folder!r}, file {name!r}"
        ) from None


def _decode(files, *, image_size, interpolation, antialias, decode):
    def load(path, label, crop=None):
        return load_poster(path, image_size, interpolation, antialias, crop, decode), label

    return with_options(files.map(load, num_parallel_calls=2 * _NUM_THREADS, deterministic=True), _NUM_THREADS)


def _contents(table, manifest):
    """Return the SHA-256 of each row's poster file, followed by its crop, as text."""
    hashes = file_hashes(manifest)
    if CROP_COLUMNS[0] not in table:
        return hashes
    crops = table[list(CROP_COLUMNS)].to_numpy("int32").tolist()
    return np.array([f"{content} {crop}" for content, crop in zip(hashes, crops, strict=True)], dtype=object)


def _check(table):
    """Return the manifest of the posters of a table, or raise one error that names every unreadable poster."""
    paths = [os.fspath(path) if isinstance(path, str | os.PathLike) else "" for path in table["poster_path"]]
    without = np.array([path == "" for path in paths])
    if without.any():
        shown = next((table[name] for name in ("title", "imdb_id") if name in table), table.index.to_series())
        raise ValueError(
            f"{int(without.sum())} movies have no poster file, such as {shown[without].tolist()[:3]}. "
            "Pass `posters_dir` to `load_movie_table`, which drops them."
        )
    usable, report = check_posters(table if "imdb_id" in table else table.assign(imdb_id=pd.NA))
    if len(usable) < len(table) or list(usable["poster_path"]) != paths:
        raise ValueError(
            "Some posters cannot be read as they are. Repair or drop them first with "
            f"`table, report = poster_cnn.datasets.check_posters(table)`.\n{describe(report)}"
        )
    return report
