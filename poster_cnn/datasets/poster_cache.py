"""Decoded posters in one uint8 array: in memory within a budget, beyond it in a file that is named by its content."""

import contextlib
import dataclasses
import gc
import math
import os
import pathlib
import re
import threading
import weakref

import numpy as np
import tensorflow as tf

from poster_cnn.files import cache_dir, locked, progress_bar, remove_leftovers, require_room, write_atomically
from poster_cnn.metrics import arguments

_CHUNK = 256  # posters per write
_UNKNOWN_MEMORY = 8 * 2**30  # bytes, where the system does not tell its memory
_in_memory = weakref.WeakValueDictionary()  # key -> array, while it is in use


@dataclasses.dataclass(frozen=True, eq=False)
class DecodedPosters:
    """Decoded posters and labels, which are shuffled and batched like a `tf.data.Dataset`.

    Only row numbers are shuffled, and whole batches are read, so no poster is copied except those of the next batches.

    Attributes:
        images: uint8 array `(num_stored, height, width, 3)`, or an `ImageFile`.
        positions: int64 array `(num_movies,)`, the row in `images` of each movie's poster.
        labels: float32 array `(num_movies, num_classes)`.
        rows: `tf.data.Dataset` of positions and labels in reading order. Defaults to `None`: table order.
    """

    images: object
    positions: np.ndarray
    labels: np.ndarray
    rows: tf.data.Dataset | None = None

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, chosen):
        """Return `DecodedPosters` of some movies: a slice, a bool array or an int array of row numbers."""
        return DecodedPosters(self.images, self.positions[chosen], self.labels[chosen])

    def shuffle(self, buffer_size, seed=None):
        """Shuffle like `tf.data.Dataset.shuffle`, with the same order for the same seed."""
        return dataclasses.replace(self, rows=self._rows().shuffle(buffer_size, seed=seed))

    def batch(self, batch_size, dtype="uint8"):
        """Return a `tf.data.Dataset` of images `(batch, height, width, 3)` and labels `(batch, num_classes)`."""
        return read_rows(self.images, self._rows().batch(batch_size), dtype)

    def as_numpy_iterator(self):
        """Yield single images and their labels."""
        for position, labels in self._rows().as_numpy_iterator():
            yield self.images[position], labels

    def _rows(self):
        return self.rows or tf.data.Dataset.from_tensor_slices((self.positions, self.labels))


class ImageFile:
    """A `.npy` file of uint8 images `(num_images, height, width, 3)`, indexed by row numbers like an array.

    The file may be removed while it is in use.
    """

    dtype = np.dtype("uint8")

    def __init__(self, path):
        mapped = np.load(path, mmap_mode="r")
        self.shape, self._offset, self._file = mapped.shape, mapped.offset, open(path, "rb")
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def __getitem__(self, rows):
        # Pages of a memory-mapped file would count as memory of this process, so the file is read directly.
        shape, size = self.shape[1:], math.prod(self.shape[1:])
        found = np.empty((np.size(rows), *shape), "uint8")
        for number, row in enumerate(np.ravel(rows).tolist()):
            found[number] = np.frombuffer(self._read(size, self._offset + size * row), "uint8").reshape(shape)
        return found.reshape(*np.shape(rows), *shape)

    def _read(self, size, offset):
        if hasattr(os, "pread"):  # not on Windows
            return os.pread(self._file.fileno(), size, offset)
        with self._lock:  # several threads read batches
            self._file.seek(offset)
            return self._file.read(size)


def read_rows(array, batches, dtype):
    """Return batches of rows of an array, read by row number.

    Args:
        array: Array `(num_rows, ...)`, in memory or memory-mapped, or an `ImageFile`.
        batches: `tf.data.Dataset` of row numbers `(batch,)` and labels.
        dtype: dtype of the result.

    Returns:
        `tf.data.Dataset` of rows `(batch, ...)` and labels.
    """
    # A tensor would be copied into the graph of each epoch, and TensorFlow never releases what a Python function
    # references. Therefore the function has a weak reference, and the dataset keeps the array alive.
    held, shape, stored = weakref.ref(array), array.shape[1:], array.dtype

    def read(numbers, labels):
        rows = tf.numpy_function(lambda numbers: held()[numbers], [numbers], stored, stateful=False)
        return tf.cast(tf.ensure_shape(rows, (None, *shape)), dtype), labels

    dataset = with_options(batches.map(read, num_parallel_calls=2, deterministic=True))
    dataset.array = array
    return dataset


@arguments.checked(dataset=arguments.instance(tf.data.Dataset), num_threads=arguments.optional(arguments.count))
def with_options(dataset, num_threads=None):
    """Return a dataset without autotuning, which stalls for seconds at the end of some epochs and gains nothing here.

    Args:
        dataset: `tf.data.Dataset`.
        num_threads: Number of private threads. Defaults to `None`: TensorFlow's shared threads.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    if num_threads:
        options.threading.private_threadpool_size = num_threads
    return dataset.with_options(options)


def decode_once(posters, shape, key):
    """Decode posters into one array, unless this process or the cache folder already has it.

    The array is kept in memory if it fits into `memory_budget` together with the other arrays in use. Otherwise it is
    stored as `decoded/<key>/images.npy` in the user's cache folder. The file is written atomically, so leftovers of
    killed processes are never read, and the next process removes them. If several processes want the same posters, one
    decodes them and the others wait. The folder `decoded` may be deleted while no process is decoding.

    Args:
        posters: `tf.data.Dataset` of tuples that start with an image, uint8 `(height, width, 3)`.
        shape: `(num_images, height, width, 3)`.
        key: Hexadecimal digits that identify the content of the files and how they are read.

    Returns:
        uint8 array of `shape`, or `ImageFile`.

    Raises:
        OSError: If the file cannot be written, for example because the disk is full.
        ValueError: If `POSTER_CNN_MEMORY` is not an amount of memory.
    """
    _remove_leftovers()
    images = _in_memory.get(key)
    if images is None and not _fits(shape):
        return ImageFile(_file_of(posters, shape, key))
    if images is None:
        images = np.empty(shape, "uint8")
        for start, chunk in _chunks(posters, len(images)):
            images[start : start + len(chunk)] = chunk
        _in_memory[key] = images
    return images


def memory_budget():
    """Return the maximum memory for decoded posters in this process, in bytes.

    Returns:
        int: `$POSTER_CNN_MEMORY` (such as `4000000000`, `4GB` or `3.5GiB`), by default a quarter of the memory of the
        machine or, if smaller, of the control group (container, batch job). Windows counts as a machine with 8 GiB.

    Raises:
        ValueError: If `$POSTER_CNN_MEMORY` has another format.
    """
    asked = os.environ.get("POSTER_CNN_MEMORY", "").strip()
    if not asked:
        return _memory() // 4
    match = re.fullmatch(r"(\d+\.?\d*) ?(?:([KMGT]?)(i?)B)?", asked, re.IGNORECASE)
    if not match:
        raise ValueError(
            "The environment variable POSTER_CNN_MEMORY must be a number of bytes, such as 4000000000, 4GB or 500MB. "
            f"Received: POSTER_CNN_MEMORY={asked!r}"
        )
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index((prefix or " ").upper()))


def _memory():
    limits = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows, or a system without these names
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    root = pathlib.Path("/sys/fs/cgroup")
    files = [root / "memory" / "memory.limit_in_bytes"]
    with contextlib.suppress(OSError, ValueError):  # ValueError: a name that is not UTF-8
        own = root / pathlib.Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        files += [folder / "memory.max" for folder in (own, *own.parents)]
    for path in files:
        with contextlib.suppress(OSError, ValueError):  # no such limit, or "max"
            limits.append(int(path.read_text()))
    return min((limit for limit in limits if limit > 0), default=_UNKNOWN_MEMORY)


def _fits(shape):
    free = memory_budget() - math.prod(shape)
    if sum(images.nbytes for images in _in_memory.values()) > free:
        gc.collect()  # some arrays may be garbage already
    return sum(images.nbytes for images in _in_memory.values()) <= free


def _chunks(posters, total):
    """Yield the row number of the first image, and the uint8 images of a chunk."""
    with progress_bar(total=total, desc="Decoding", unit=" posters", delay=1, leave=False) as bar:
        for images, *_ in posters.batch(_CHUNK).prefetch(1).as_numpy_iterator():
            yield bar.n, images
            bar.update(len(images))


def _file_of(posters, shape, key):
    """Return the path of the file of these images, and write it first if it is missing or incomplete."""
    path = cache_dir() / "decoded" / key / "images.npy"
    if not _is_complete(path, shape):  # a complete file needs no lock, so its folder may be read-only
        try:
            with locked(path.parent, timeout=-1):
                if not _is_complete(path, shape):
                    _write(posters, shape, path)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            raise OSError(
                error.errno,
                f"The decoded posters, {math.prod(shape):,} bytes, exceed the memory budget of {memory_budget():,} "
                f"bytes, and could not be written to {path.parent}: {why}. Set POSTER_CNN_CACHE to a folder with "
                f"enough space or POSTER_CNN_MEMORY to a larger budget, or remove old files in {path.parents[1]}.",
            ) from error
    return path


def _is_complete(path, shape):
    try:
        found = np.load(path, mmap_mode="r")
        return (found.shape, found.dtype) == (tuple(shape), np.uint8)
    except (OSError, ValueError, EOFError):  # missing or truncated
        return False


def _write(posters, shape, path):
    require_room(path, math.prod(shape))  # fail before decoding
    with write_atomically(path) as temporary, open(temporary, "wb") as file:
        about = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(file, about)
        for _, images in _chunks(posters, shape[0]):
            file.write(images)


def _remove_leftovers():
    """Remove incomplete files of killed processes."""
    for folder in {leftover.parent for leftover in (cache_dir() / "decoded").glob("*/.*.tmp.*")}:
        with contextlib.suppress(OSError), locked(folder):  # not in use by another process, and writable
            remove_leftovers(folder)
