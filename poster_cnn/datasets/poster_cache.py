"""Posters decoded once into one uint8 array: in memory within a budget, beyond it in a file known by its content."""

import contextlib
import dataclasses
import gc
import math
import os
import pathlib
import re
import weakref

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from poster_cnn.files import cache_dir, locked, remove_leftovers, require_room, write_atomically

_CHUNK = 256  # posters between two writes
_in_memory = weakref.WeakValueDictionary()  # key -> array, while anything uses it


@dataclasses.dataclass(frozen=True, eq=False)
class DecodedPosters:
    """Decoded posters and their labels, to be shuffled and batched as a `tf.data.Dataset` of them.

    Row numbers are shuffled, and whole batches read, so no poster is copied but those of the next batches.

    Attributes:
        images: uint8 array `(num_stored, height, width, 3)`, or the `ImageFile` that holds it.
        positions: int64 array `(num_movies,)`: where the poster of each movie stands in `images`.
        labels: float32 array `(num_movies, num_classes)`.
        rows: `tf.data.Dataset` of positions and labels in the order of reading. Defaults to `None`: that of the table.
    """

    images: object
    positions: np.ndarray
    labels: np.ndarray
    rows: tf.data.Dataset | None = None

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, chosen):
        """`DecodedPosters` of some movies, in table order: a slice, a bool array or an int array of their numbers."""
        return DecodedPosters(self.images, self.positions[chosen], self.labels[chosen])

    def shuffle(self, buffer_size, seed=None):
        """As `tf.data.Dataset.shuffle`, and in the same order with the same seed."""
        return dataclasses.replace(self, rows=self._rows().shuffle(buffer_size, seed=seed))

    def batch(self, batch_size, dtype="uint8"):
        """As `tf.data.Dataset.batch`: images of a dtype `(batch, height, width, 3)`, labels `(batch, num_classes)`."""
        return read_rows(self.images, self._rows().batch(batch_size), dtype)

    def as_numpy_iterator(self):
        """As `tf.data.Dataset.as_numpy_iterator`: one image and its labels at a time."""
        for position, labels in self._rows().as_numpy_iterator():
            yield self.images[position], labels

    def _rows(self):
        return self.rows or tf.data.Dataset.from_tensor_slices((self.positions, self.labels))


class ImageFile:
    """A `.npy` file of images, read by row numbers like an array. The file may be removed while it is in use.

    Args:
        path: The file.

    Attributes:
        shape: `(num_images, height, width, 3)`.
        dtype: uint8.
    """

    dtype = np.dtype("uint8")

    def __init__(self, path):
        mapped = np.load(path, mmap_mode="r")
        self.shape, self._offset, self._file = mapped.shape, mapped.offset, open(path, "rb")
        weakref.finalize(self, self._file.close)

    def __getitem__(self, rows):
        # Not from the mapped file: what was read of it, and more around it, would count as memory of this process.
        shape, size = self.shape[1:], math.prod(self.shape[1:])
        found = np.empty((np.size(rows), *shape), "uint8")
        for number, row in enumerate(np.ravel(rows).tolist()):
            content = os.pread(self._file.fileno(), size, self._offset + size * row)
            found[number] = np.frombuffer(content, "uint8").reshape(shape)
        return found.reshape(*np.shape(rows), *shape)


def read_rows(array, batches, dtype):
    """Batches of rows of an array, read by their numbers.

    Args:
        array: Array `(num_rows, ...)`, in memory or mapped, or an `ImageFile`.
        batches: `tf.data.Dataset` of row numbers `(batch,)` and labels.
        dtype: What the rows become.

    Returns:
        `tf.data.Dataset` of rows `(batch, ...)` and labels.
    """
    # As a tensor, the array would be copied into the graph of each epoch; as what a Python function knows, it would
    # never be given free. So the function knows it weakly, and the dataset holds it.
    held, shape, stored = weakref.ref(array), array.shape[1:], array.dtype

    def read(numbers, labels):
        rows = tf.numpy_function(lambda numbers: held()[numbers], [numbers], stored, stateful=False)
        return tf.cast(tf.ensure_shape(rows, (None, *shape)), dtype), labels

    dataset = with_options(batches.map(read, num_parallel_calls=2, deterministic=True))
    dataset.array = array
    return dataset


def with_options(dataset, num_threads=None):
    """Switches autotuning off: it stalls at the end of some epochs, up to seconds, and gains nothing here.

    Args:
        dataset: `tf.data.Dataset`.
        num_threads: Threads that it has for itself. Defaults to `None`: it shares TensorFlow's.

    Returns:
        `tf.data.Dataset`
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    if num_threads:
        options.threading.private_threadpool_size = num_threads
    return dataset.with_options(options)


def decode_once(posters, shape, key):
    """Decodes posters into one array, unless this process holds it, or the cache folder has it, from before.

    The array is in memory if it fits into `memory_budget` beside the others that this process still uses. If not, it
    becomes `decoded/<key>/images.npy` in the user's cache folder. That file appears when it is complete: what a killed
    process has written is never read, and removed by the next. Of several processes that want the same posters one
    decodes, and the others wait. The folder `decoded` can be removed when nothing is being decoded.

    Args:
        posters: `tf.data.Dataset` of tuples of which the first is an image, uint8 `(height, width, 3)`.
        shape: `(num_images, height, width, 3)`.
        key: What the images depend on, as hexadecimal digits: their files' content, how they are read.

    Returns:
        uint8 array of `shape`, or `ImageFile`.

    Raises:
        OSError: If the file cannot be written, as when the disk is full.
        ValueError: If `POSTER_CNN_MEMORY` is no amount of memory.
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
    """Memory that decoded posters may take in this process.

    Returns:
        int, bytes: `$POSTER_CNN_MEMORY` (such as `4000000000`, `4GB` or `3.5GiB`) if set, else a quarter of the
        machine's memory, or of this process's control group (container, batch job) if it may have less.

    Raises:
        ValueError: If `$POSTER_CNN_MEMORY` is something else.
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
    """Bytes of memory that this process may use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    root = pathlib.Path("/sys/fs/cgroup")
    files = [root / "memory" / "memory.limit_in_bytes"]
    with contextlib.suppress(OSError):
        own = root / pathlib.Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        files += [folder / "memory.max" for folder in (own, *own.parents)]
    for path in files:
        with contextlib.suppress(OSError, ValueError):  # there is no such limit, or it is "max"
            limits.append(int(path.read_text()))
    return min(limits)


def _fits(shape):
    free = memory_budget() - math.prod(shape)
    if sum(images.nbytes for images in _in_memory.values()) > free:
        gc.collect()  # some may be garbage already
    return sum(images.nbytes for images in _in_memory.values()) <= free


def _chunks(posters, total):
    """Decodes: the number of the first image, and uint8 images, of one chunk after the other."""
    with tqdm(total=total, desc="Decoding", unit=" posters", delay=1, leave=False) as bar:
        for images, *_ in posters.batch(_CHUNK).prefetch(1).as_numpy_iterator():
            yield bar.n, images
            bar.update(len(images))


def _file_of(posters, shape, key):
    """Path of the file of these images, made if it is not there or not whole."""
    path = cache_dir() / "decoded" / key / "images.npy"
    if not _is_whole(path, shape):  # once whole, it needs no lock, so that its folder may be read-only
        try:
            with locked(path.parent, timeout=-1):
                if not _is_whole(path, shape):
                    _write(posters, shape, path)
        except OSError as error:
            raise OSError(error.errno, _unwritten(math.prod(shape), path.parent, error)) from error
    return path


def _unwritten(size, folder, error):
    why = os.strerror(error.errno) if error.errno else error
    return (
        f"The decoded posters, {size:,} bytes, do not fit into the memory budget of {memory_budget():,} bytes, and "
        f"could not be written to {folder}: {why}. Set POSTER_CNN_CACHE to a folder with enough space, or "
        f"POSTER_CNN_MEMORY to a larger budget, or remove old files in {folder.parent}."
    )


def _is_whole(path, shape):
    try:
        found = np.load(path, mmap_mode="r")
        return (found.shape, found.dtype) == (tuple(shape), np.uint8)
    except (OSError, ValueError, EOFError):  # absent, or torn
        return False


def _write(posters, shape, path):
    require_room(path, math.prod(shape))  # now, not after minutes
    with write_atomically(path) as temporary:
        with open(temporary, "wb") as file:
            about = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(file, about)
            for _, images in _chunks(posters, shape[0]):
                file.write(images)


def _remove_leftovers():
    """Removes what killed processes have left half-written, whatever the posters."""
    for folder in {leftover.parent for leftover in (cache_dir() / "decoded").glob("*/.*.tmp.*")}:
        with contextlib.suppress(OSError), locked(folder):  # not of a process at work, or in a read-only folder
            remove_leftovers(folder)
