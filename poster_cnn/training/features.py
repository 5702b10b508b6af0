"""Cached features of a frozen backbone, so that training a head takes seconds."""

import dataclasses
import hashlib
import json
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from poster_cnn import datasets, models
from poster_cnn.datasets.poster_cache import read_rows, with_options
from poster_cnn.files import cache_dir, explained_errors, locked, progress_bar, write_json

_CHUNK = 512  # posters between two writes, which a kill can lose
_MAX_CONSTANTS = 200_000_000  # weights; a TensorFlow graph holds at most 2 GB


@dataclasses.dataclass(frozen=True)
class Features:
    """Pooled features of the posters of a table.

    Attributes:
        array: Memory-mapped float32 array `(num_stored, num_features)`, all posters ever computed with this backbone.
        positions: int64 array `(num_movies,)`: index in `array` of the poster of each row of the table.
    """

    array: np.ndarray
    positions: np.ndarray

    def __getitem__(self, rows):
        """Return the features of some rows of the table, float32 `(num_rows, num_features)`."""
        return self.array[self.positions[rows]]

    def batches(self, rows, labels, batch_size, seed=None):
        """Return batches for training a head, in the order in which `datasets` shuffles the posters.

        Args:
            rows: int array of row numbers of the table, such as those of one part.
            labels: Labels of these rows.
            batch_size: Number of rows per batch.
            seed: Seed of the shuffling, from `datasets.epoch_seed`. Defaults to `None`: no shuffling.

        Returns:
            `tf.data.Dataset` of float32 features `(batch, num_features)` and labels.
        """
        numbers = tf.data.Dataset.from_tensor_slices((self.positions[rows], labels))
        if seed is not None:
            numbers = numbers.shuffle(len(rows), seed=seed)
        return with_options(read_rows(self.array, numbers.batch(batch_size), "float32").prefetch(2))


def poster_features(model, data, *, about=(), batch_size=32, cache=None, progress=True):
    """Compute the pooled features of all posters, or read them from the cache.

    The cache has a folder for each combination of backbone weights, input size and scaling. Posters are identified by
    their content, so other splits, folds and samples of the same posters need no computation. A kill loses at most the
    posters being computed, several processes may use the cache at once, and it can be deleted at any time.

    Args:
        model: Model with a frozen backbone, as from `models.mobilenet_v2`.
        data: `TrainingData`.
        about: Dict of further settings that affect the features. Defaults to none.
        batch_size: Defaults to 32.
        cache: Folder. Defaults to `features` in the user's cache folder.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `Features` in table order.

    Example:

    >>> features = poster_features(mobilenet_v2(), data)
    >>> LogisticRegression().fit(features[train_rows], train_labels)
    """
    extractor, _ = models.feature_extractor_and_head(model)
    about = dict(about) | {"constant_weights": _with_constants(extractor)}
    folder, about = cache_folder(extractor, data, about, cache)
    num_features = extractor.output.shape[-1]
    with locked(folder, timeout=-1):
        if not (folder / "about.json").is_file():
            write_json(folder / "about.json", about)
        known = _read_index(folder, num_features)
        wanted = dict(zip(data.poster_hashes, range(len(data.table)), strict=True))
        missing = [row for poster_hash, row in wanted.items() if poster_hash not in known]
        compute = _prediction_function(extractor) if missing else None
        with progress_bar(total=len(missing), desc="features", unit="poster", leave=False, disable=not progress) as bar:
            for start in range(0, len(missing), _CHUNK):
                chunk = missing[start : start + _CHUNK]
                computed = compute(_posters(data, chunk, batch_size))
                with explained_errors(folder / "features.f32"):
                    _append(folder, computed, [data.poster_hashes[row] for row in chunk], known)
                bar.update(len(chunk))
    array = np.memmap(folder / "features.f32", "float32", "r", shape=(len(known), num_features))
    return Features(array, np.array([known[poster_hash] for poster_hash in data.poster_hashes], dtype="int64"))


def cache_folder(extractor, data, about, cache):
    """Return the cache folder of an extractor's features and the dict of settings that identifies it."""
    weights = hashlib.sha256()
    for weight in extractor.get_weights():
        weights.update(np.ascontiguousarray(weight))
    layers = str([f"{type(layer).__name__} {_settings(layer)}" for layer in extractor.operations])
    about |= {
        "model": extractor.name,
        "layers_sha256": hashlib.sha256(layers.encode()).hexdigest(),
        "weights_sha256": weights.hexdigest(),
        "image_size": list(data.image_size),
        "interpolation": data.interpolation,
        "versions": [keras.__version__, keras.backend.backend(), tf.__version__],
        "devices": sorted({device.device_type for device in tf.config.list_logical_devices()}),
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return pathlib.Path(cache or cache_dir() / "features") / key, about


def _settings(layer):
    """Return the settings of a layer without its name, which Keras numbers anew each time."""
    if isinstance(layer, keras.Model):
        return [f"{type(inner).__name__} {_settings(inner)}" for inner in layer.operations]
    return {name: value for name, value in layer.get_config().items() if name != "name"}


def _prediction_function(extractor):
    """Return a function that computes the features of a dataset of images."""
    if not _with_constants(extractor):
        return lambda images: extractor.predict(images, verbose=0)
    # On a CPU, TensorFlow makes batch normalization with constant weights a part of the convolutions.
    signature = tf.TensorSpec((None, *extractor.input_shape[1:]), "float32")
    function = tf.function(lambda images: extractor(images, training=False), [signature], autograph=False)
    constant = convert_variables_to_constants_v2(function.get_concrete_function())
    return lambda images: np.concatenate([constant(tf.cast(batch, "float32"))[0].numpy() for batch in images])


def _with_constants(extractor):
    return not tf.config.list_logical_devices("GPU") and extractor.count_params() <= _MAX_CONSTANTS


def _posters(data, rows, batch_size):
    decoded = datasets.decoded_posters(
        data.table.iloc[rows],
        data.class_names,
        image_size=data.image_size,
        interpolation=data.interpolation,
        cache=False,
        labels=data.all_labels[rows],  # encoding these rows alone may miss a genre
        manifest=data.manifest.loc[data.table.index[rows]],
    )
    return datasets.as_batches(decoded, batch_size).map(lambda images, labels: images)


def _read_index(folder, num_features):
    """Read the dict of poster hash -> row in features.f32, and truncate what a kill left incomplete."""
    features, index = folder / "features.f32", folder / "posters.txt"
    features.touch()
    index.touch()
    stored, length = features.stat().st_size // (4 * num_features), 0
    hashes = []
    for line in index.read_text().split("\n")[:-1]:  # an incomplete line is ignored
        chunk = line.split()
        if len(hashes) + len(chunk) > stored:
            break
        hashes += chunk
        length += len(line) + 1
    os.truncate(features, 4 * num_features * len(hashes))
    os.truncate(index, length)
    return {poster_hash: row for row, poster_hash in enumerate(hashes)}


def _append(folder, computed, poster_hashes, known):
    # The features are on disk before one line of the index names them. A kill loses the whole chunk or nothing, so the
    # next start computes it in the same batches, with the same bits.
    with open(folder / "features.f32", "ab") as file:
        file.write(np.ascontiguousarray(computed, dtype="float32"))
        file.flush()
        os.fsync(file.fileno())
    with open(folder / "posters.txt", "a") as file:
        file.write(" ".join(poster_hashes) + "\n")
    for poster_hash in poster_hashes:
        known[poster_hash] = len(known)
