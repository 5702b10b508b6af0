"""How fast posters are read, and how fast the seven-layer network trains on them, side by side in one run.

    python experiments/benchmarks/input_pipeline.py DATA [RESULTS.csv]

Reading, posters/s to 91×134 pixels (width×height): `poster_cnn.datasets.decoded_posters` beside a loop that reads
pixels one by one, as paper 1's authors' code does. Training, posters/s at 73×107: `fit` on the cached dataset beside
`fit` on float32 NumPy arrays in memory. The two sides of a pair take turns, so that a machine whose speed drifts is
fair to both; the ratio is the median of the rounds'. About three minutes on 2 CPU cores.
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from poster_cnn import datasets, models
from poster_cnn.data_folder import find_data_folder
from poster_cnn.ingest import check_posters
from poster_cnn.results import write_results
from poster_cnn.table import load_movie_table

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
NUM_TRAIN = 2048
NUM_PIXEL_LOOP = 40  # posters that the slow loop reads each round
ROUNDS = 7


def read_pixel_by_pixel(paths, image_size):
    """Shrinks with Pillow, then copies each pixel with `getpixel`, as the original code did."""
    height, width = image_size
    images = np.empty((len(paths), height, width, 3), dtype="float32")
    for number, path in enumerate(paths):
        image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        for y in range(height):
            for x in range(width):
                images[number, y, x] = image.getpixel((x, y))
    return images


def posters_per_second(action, count):
    started = time.perf_counter()
    action()
    return count / (time.perf_counter() - started)


def take_turns(ours, theirs, description):
    """Rates of both sides, round by round, after one round that does not count."""
    rounds = [(ours(), theirs()) for _ in tqdm(range(ROUNDS + 1), desc=description)][1:]
    return {
        "poster_cnn": statistics.median(a for a, _ in rounds),
        "other": statistics.median(b for _, b in rounds),
        "ratio": statistics.median(a / b for a, b in rounds),
        "ratio_low": min(a / b for a, b in rounds),
        "ratio_high": max(a / b for a, b in rounds),
    }


def reading(table):
    size = datasets.shrunk_size(50)
    paths = table["poster_path"].tolist()

    def ours():
        dataset = datasets.decoded_posters(table, CLASS_NAMES, image_size=size, cache=False)
        return posters_per_second(lambda: sum(1 for _ in dataset), len(table))

    def theirs():
        return posters_per_second(lambda: read_pixel_by_pixel(paths[:NUM_PIXEL_LOOP], size), NUM_PIXEL_LOOP)

    return {"task": "read to 91x134", "other_is": "getpixel loop"} | take_turns(ours, theirs, "reading")


def compiled(size):
    model = models.seven_layer_cnn((*size, 3), len(CLASS_NAMES))
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", steps_per_execution=16)
    return model


def training(table):
    size = datasets.shrunk_size(40)
    decoded = datasets.decoded_posters(table, CLASS_NAMES, image_size=size)
    images, labels = zip(*decoded.as_numpy_iterator(), strict=True)
    images, labels = np.stack(images).astype("float32"), np.stack(labels)
    cached_model, array_model, epoch = compiled(size), compiled(size), iter(range(1000))

    def ours():
        batches = datasets.epoch_batches(decoded, len(table), 32, 0, next(epoch))
        return posters_per_second(lambda: cached_model.fit(batches, shuffle=False, verbose=0), len(table))

    def theirs():
        return posters_per_second(lambda: array_model.fit(images, labels, batch_size=32, verbose=0), len(table))

    return {"task": "train at 73x107", "other_is": "fit on NumPy arrays"} | take_turns(ours, theirs, "training")


def main(data, results_path=None):
    folder = find_data_folder(data)
    table = load_movie_table(folder.csv, posters_dir=folder.posters, genres=CLASS_NAMES)
    table, _ = check_posters(table)
    table = table.head(NUM_TRAIN)
    frame = pd.DataFrame([reading(table), training(table)])
    print(frame.round(2).to_string(index=False))
    if results_path:
        write_results(
            frame.assign(keras_version=keras.__version__, cores=os.cpu_count(), posters=len(table)), results_path
        )
        print(f"written to {results_path}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
