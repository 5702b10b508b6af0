"""Reading and resizing posters: our tf.data pipeline and its alternatives."""

import os
import tempfile

import keras
import numpy as np
from PIL import Image
from turns import rate, take_turns

from poster_cnn import datasets
from poster_cnn.datasets.crops import shrunk_size

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
SIZE = shrunk_size(50)  # 134×91 pixels
BATCH_SIZE = 32
NUM_PIXEL_LOOP = 40  # posters that the slow loop reads per round
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "lanczos3": Image.Resampling.LANCZOS}


class Posters:
    """A PyTorch `Dataset` of posters, read with Pillow."""

    def __init__(self, paths, interpolation):
        self.paths, self.resampling = paths, RESAMPLING[interpolation]

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        height, width = SIZE
        image = Image.open(self.paths[number]).convert("RGB").resize((width, height), self.resampling)
        return np.asarray(image, dtype="float32")


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
        List of dicts; see `turns.take_turns`.
    """
    paths = table["poster_path"].tolist()
    found = []
    for interpolation in RESAMPLING:
        sides = {"poster_cnn": _ours(table, interpolation=interpolation)}
        if loader := _data_loader(paths, interpolation):
            sides["PyTorch DataLoader, Pillow, 2 workers"] = loader
        if interpolation == "lanczos3":
            sides["getpixel loop"] = lambda: rate(lambda: read_pixel_by_pixel(paths[:NUM_PIXEL_LOOP]), NUM_PIXEL_LOOP)
        goals = {"PyTorch DataLoader, Pillow, 2 workers": 1.4}
        found += take_turns(f"read, {interpolation}", sides, rounds=rounds, goals=goals)
    with tempfile.TemporaryDirectory() as folder:  # with these posters only
        for path in paths:
            os.symlink(os.path.abspath(path), os.path.join(folder, os.path.basename(path)))
        sides = {"poster_cnn": _ours(table, antialias=False), "image_dataset_from_directory": _keras(folder)}
        return found + take_turns("read, bilinear without antialias", sides, rounds=rounds)


def _ours(table, **options):
    options = {"image_size": SIZE, "batch_size": BATCH_SIZE, "cache": False} | options
    dataset = datasets.poster_dataset(table, CLASS_NAMES, **options)
    return lambda: rate(lambda: _drain(dataset), len(table))


def _data_loader(paths, interpolation):
    try:
        from torch.utils.data import DataLoader
    except ImportError:
        return None
    workers = {"num_workers": 2, "persistent_workers": True, "multiprocessing_context": "spawn"}
    loader = DataLoader(Posters(paths, interpolation), batch_size=BATCH_SIZE, **workers)
    return lambda: rate(lambda: _drain(loader), len(paths))


def _keras(folder):
    options = {"labels": None, "image_size": SIZE, "batch_size": BATCH_SIZE, "shuffle": False, "verbose": False}
    dataset = keras.utils.image_dataset_from_directory(folder, **options)
    count = len(dataset.file_paths)  # Keras follows links to files
    return lambda: rate(lambda: _drain(dataset), count)


def _drain(batches):
    for _ in batches:
        pass
