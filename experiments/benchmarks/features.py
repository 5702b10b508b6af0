"""Features of a frozen MobileNetV2: our function and `predict` on arrays, and their fraction of the peak."""

import itertools
import tempfile
import time

import keras
import numpy as np
from flops import forward_flops, peak_flops
from turns import rate, take_turns

from poster_cnn import models
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.data import load_training_data
from poster_cnn.training.features import poster_features

SIZE = (128, 128)
BATCH_SIZE = 32


def rows(data, max_movies=6000, rounds=3):
    """Measure posters/s of the pooled features of a frozen MobileNetV2 with random weights at 128×128.

    Both sides trace their function anew in each round, as each run does. Ours also reads the JPEG files and writes the
    features to disk.

    Args:
        data: Path of a data folder.
        max_movies: Number of movies that are drawn, some of which have none of the genres. Defaults to 6000.
        rounds: Number of measured rounds. Defaults to 3.

    Returns:
        List of dicts as from `turns.take_turns`, with `flops_per_s` and `fraction_of_peak`.
    """
    config = TrainingConfig(("Drama", "Comedy"), image_size=SIZE, max_movies=max_movies)
    loaded = load_training_data(config.data, data)
    model = models.mobilenet_v2((*SIZE, 3), 2, weights=None)
    extractor, _ = models.feature_extractor_and_head(model)
    count, numbers = len(set(loaded.poster_hashes)), itertools.count()
    images = loaded.images("train").astype("float32")
    with tempfile.TemporaryDirectory() as folder:

        def ours():
            cache = f"{folder}/{next(numbers)}"
            return rate(lambda: poster_features(model, loaded, cache=cache, progress=False), count)

        def arrays():
            network = keras.Model(extractor.inputs, extractor.outputs)
            return rate(lambda: network.predict(images, batch_size=BATCH_SIZE, verbose=0), len(images))

        found = take_turns("features", {"poster_cnn": ours, "predict on NumPy arrays": arrays}, rounds=rounds)
    peak = peak_flops()
    for row in found:
        row["flops_per_s"] = row["rate"] * forward_flops(extractor)
        row["fraction_of_peak"] = row["flops_per_s"] / peak
    return found


def limits(seconds=1):
    """Return rows of the measured peaks: float32 and bfloat16 matrix products, and copies in memory."""
    found = []
    for precision in ("float32", "bfloat16"):
        row = {"task": "peak", "side": f"matrix products, {precision}", "unit": "GFLOP/s"}
        found.append(row | {"rate": peak_flops(precision) / 1e9})
    source = np.ones(2**27, "uint8")
    copy, copies, started = source.copy(), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        np.copyto(copy, source)
        copies += 1
    bandwidth = 2 * copies * source.nbytes / (time.perf_counter() - started)  # read and written
    return [*found, {"task": "peak", "side": "memory, one thread", "unit": "GB/s", "rate": bandwidth / 1e9}]
