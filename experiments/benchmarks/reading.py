"""Reading and resizing posters: our tf.data pipeline and its alternatives."""

import concurrent.futures
import importlib.util
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from loaders import PillowPosters, TorchvisionPosters
from PIL import Image
from turns import rate, take_turns

from poster_cnn import datasets
from poster_cnn.datasets.crops import shrunk_size

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
RATIO = 50
SIZE = shrunk_size(RATIO)  # 134×91 pixels
RATIOS = (30, 40, 50)  # of which `scaled_decoding` measures the pixels
BATCH_SIZE = 32
WORKERS = 2
NUM_PIXEL_LOOP = 40  # posters that the slow loop reads per round
LIMIT = "JPEG decoding alone (limit)"


def read_pixel_by_pixel(paths):
    """Resize with Pillow, then copy each pixel with `getpixel`, as paper 1's code does."""
    height, width = SIZE
    images = np.empty((len(paths), height, width, 3), dtype="float32")
    for number, path in enumerate(paths):
        image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        for y in range(height):
            for x in range(width):
                images[number, y, x] = image.getpixel((x, y))
    return images


def rows(table, rounds=5):
    """Measure posters/s from JPEG files to float32 batches of 32 at 91×134 (width×height), without caches.

    Args:
        table: Movie table of usable posters.
        rounds: Number of measured rounds. Defaults to 5.

    Returns:
        List of dicts; see `turns.take_turns`. The ratio to `LIMIT` is a fraction of that limit.
    """
    paths = table["poster_path"].tolist()
    ours = {"poster_cnn": _ours(table)}
    torch = importlib.util.find_spec("torch") is not None
    pillow, vision = (f"PyTorch DataLoader, {name}, {WORKERS} workers" for name in ("Pillow", "torchvision"))
    goals = dict.fromkeys((pillow, vision, "OpenCV, threads"), 1.4)
    sides = ours | {LIMIT: _decode_alone(paths)}
    sides |= {pillow: _data_loader(PillowPosters(paths, SIZE, Image.Resampling.BILINEAR))} if torch else {}
    sides |= {vision: _data_loader(TorchvisionPosters(paths, SIZE))} if importlib.util.find_spec("torchvision") else {}
    found = take_turns("read, bilinear", sides, rounds=rounds, goals=goals)
    sides = {"poster_cnn": _ours(table, interpolation="lanczos3")}
    sides |= {pillow: _data_loader(PillowPosters(paths, SIZE, Image.Resampling.LANCZOS))} if torch else {}
    sides["getpixel loop"] = lambda: rate(lambda: read_pixel_by_pixel(paths[:NUM_PIXEL_LOOP]), NUM_PIXEL_LOOP)
    found += take_turns("read, lanczos3", sides, rounds=rounds, goals=goals)
    if importlib.util.find_spec("cv2"):
        sides = {"poster_cnn": _ours(table, interpolation="area"), "OpenCV, threads": _opencv(paths)}
        found += take_turns("read, area", sides, rounds=rounds, goals=goals)
    with tempfile.TemporaryDirectory() as folder:  # with these posters only
        for path in paths:
            os.symlink(os.path.abspath(path), os.path.join(folder, os.path.basename(path)))
        with_keras = {"image_dataset_from_directory": _keras(folder)}
        sides = {"poster_cnn": _ours(table, antialias=False)} | with_keras
        found += take_turns("read, bilinear without antialias", sides, rounds=rounds)
        sides = {"poster_cnn": _ours(table, decode="scaled")} | with_keras
        return found + take_turns("read, decode='scaled'", sides, rounds=rounds, goals=dict.fromkeys(with_keras, 1.3))


def scaled_decoding(table):
    """Measure how far `decode="scaled"` moves the pixels of posters.

    Args:
        table: Movie table of usable posters.

    Returns:
        List of dicts, one per ratio: `ratio_percent`, `height`, `width`, `posters`, and the mean, 99th percentile and
        maximum of the absolute difference to full decoding, in levels of 255.
    """
    found = []
    for ratio in RATIOS:
        size = shrunk_size(ratio)
        full, scaled = (_pixels(table, size, decode) for decode in ("full", "scaled"))
        moved = np.abs(full - scaled)
        about = {"ratio_percent": ratio, "height": size[0], "width": size[1], "posters": len(table)}
        found.append(about | {"mean": moved.mean(), "p99": np.percentile(moved, 99), "max": moved.max()})
    return found


def _pixels(table, size, decode):
    decoded = datasets.decoded_posters(table, CLASS_NAMES, image_size=size, decode=decode)
    return np.stack([image for image, _ in decoded.as_numpy_iterator()]).astype("int16")


def _ours(table, **options):
    options = {"image_size": SIZE, "batch_size": BATCH_SIZE, "cache": False} | options
    dataset = datasets.poster_dataset(table, CLASS_NAMES, **options)
    return lambda: rate(lambda: _drain(dataset), len(table))


def _decode_alone(paths):
    def decode(path):
        return tf.reduce_max(tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE")[0])

    threads = 2 * os.cpu_count()
    decoded = tf.data.Dataset.from_tensor_slices(paths).map(decode, num_parallel_calls=2 * threads).batch(BATCH_SIZE)
    decoded = datasets.with_options(decoded, threads)
    return lambda: rate(lambda: _drain(decoded), len(paths))


def _data_loader(posters):
    from torch.utils.data import DataLoader

    workers = {"num_workers": WORKERS, "persistent_workers": True, "multiprocessing_context": "spawn"}
    loader = DataLoader(posters, batch_size=BATCH_SIZE, **workers)
    return lambda: rate(lambda: _drain(batch.float() for batch in loader), len(posters))


def _opencv(paths):
    import cv2

    def read(path):
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        return cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA)

    def batches():
        cv2.setNumThreads(1)  # the pool has the threads
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            images = pool.map(read, paths)
            for start in range(0, len(paths), BATCH_SIZE):
                count = min(BATCH_SIZE, len(paths) - start)
                yield np.stack([next(images) for _ in range(count)]).astype("float32")

    return lambda: rate(lambda: _drain(batches()), len(paths))


def _keras(folder):
    options = {"labels": None, "image_size": SIZE, "batch_size": BATCH_SIZE, "shuffle": False, "verbose": False}
    dataset = keras.utils.image_dataset_from_directory(folder, **options)
    count = len(dataset.file_paths)  # Keras follows links to files
    return lambda: rate(lambda: _drain(dataset), count)


def _drain(batches):
    for _ in batches:
        pass
