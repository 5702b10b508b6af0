"""DataFrame -> NumPy arrays of posters and genres for any Keras backend, without TensorFlow."""

import keras
import numpy as np
from scipy import sparse

from poster_cnn.datasets.crops import CROP_COLUMNS, INTERPOLATIONS
from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.datasets.pixels import read_image
from poster_cnn.metrics import arguments
from poster_cnn.movies.genres import encode_genres


@arguments.checked(
    table=arguments.table("genres", "poster_path"),
    class_names=arguments.genres,
    image_size=arguments.size,
    interpolation=arguments.choice(*INTERPOLATIONS),
)
def poster_arrays(table, class_names, *, image_size, interpolation="bilinear"):
    """Return posters and genres as arrays in memory, for `training.fit_arrays` and `predict`.

    The pixels are those of `poster_dataset`; on other backends, a few values are rounded the other way.

    Args:
        table: Movie table with `poster_path`.
        class_names: Genres, in label order.
        image_size: `(height, width)` in pixels; see `shrunk_size`.
        interpolation: Method of `keras.ops.image.resize`. Defaults to `"bilinear"`.

    Returns:
        Tuple `(images, labels)`: uint8 `(num_movies, height, width, 3)` and float32 `(num_movies, num_classes)`.

    Raises:
        ValueError: If a poster is missing or unreadable, or the table has crops.

    Example:

    >>> images, labels = poster_arrays(table[split == "train"], ["Horror", "Romance"], image_size=(80, 55))
    """
    if CROP_COLUMNS[0] in table:
        raise ValueError(
            "`table` must have no crops, which only `poster_dataset` supports. Received: a table with crops"
        )
    images = np.empty((len(table), *image_size, 3), dtype="uint8")
    for number, path in enumerate(table["poster_path"]):
        try:
            images[number] = read_image(path, image_size, interpolation)
        except (OSError, RefusedPicture) as error:
            raise ValueError(f"A poster cannot be read: {error}. Received: poster_path={str(path)!r}") from error
    return images, encode_genres(table, class_names)


def _has_rows(name, value):
    if not getattr(value, "ndim", 0):
        arguments.refuse(name, "an array or matrix with a row for each movie", value)
    return value


class DenseBatches(keras.utils.PyDataset):
    """Batches of NumPy arrays and SciPy sparse matrices for any Keras backend.

    Sparse matrices become dense float32 one batch at a time; arrays may be memory-mapped. Call `fit` with
    `shuffle=False`, as this class shuffles the rows before each epoch.

    Args:
        inputs: Array or sparse matrix `(num_movies, ...)`, or a dict of them for a model with several inputs.
        labels: Array `(num_movies, num_classes)`. Defaults to `None`: batches for `predict`.
        batch_size: Movies per batch; the last batch may be smaller. Defaults to 64 (paper 5, section 5).
        seed: Seed of the shuffling. Defaults to `None`: no shuffling.
        rows: int array of the rows to use, such as those of one part. Defaults to `None`: all rows.

    Raises:
        ValueError: If the arrays differ in length.

    Example:

    >>> model.fit(DenseBatches(encoder.encode(train), labels, seed=0), shuffle=False)
    """

    @arguments.checked(
        labels=arguments.optional(_has_rows), batch_size=arguments.count, seed=arguments.optional(arguments.seed)
    )
    def __init__(self, inputs, labels=None, *, batch_size=64, seed=None, rows=None):
        super().__init__()
        arrays = [_has_rows("inputs", array) for array in keras.tree.flatten(inputs)]
        arrays += [] if labels is None else [labels]
        lengths = sorted({array.shape[0] for array in arrays})
        if len(lengths) != 1:
            raise ValueError(f"`inputs` and `labels` must have a row for each movie. Received: {lengths} rows")
        self._inputs = keras.tree.map_structure(_sliceable, inputs)
        self._labels, self._batch_size, self._seed, self._epoch = labels, batch_size, seed, 0
        self._rows = np.arange(lengths[0]) if rows is None else np.asarray(rows)
        self._shuffle()

    def __len__(self):
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index):
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = keras.tree.map_structure(lambda array: _dense(array[rows]), self._inputs)
        return (inputs,) if self._labels is None else (inputs, np.asarray(self._labels[rows], dtype="float32"))

    def on_epoch_end(self):
        self._epoch += 1
        self._shuffle()

    def _shuffle(self):
        if self._seed is None:
            self._order = self._rows
        else:
            self._order = np.random.default_rng([self._seed, self._epoch]).permutation(self._rows)


def _sliceable(array):
    # Only CSR matrices support row slices.
    return sparse.csr_matrix(array, dtype="float32") if sparse.issparse(array) else array


def _dense(batch):
    return batch.toarray() if sparse.issparse(batch) else np.asarray(batch)
