"""Training the seven-layer network at 40%: our pipeline, arrays, PyTorch, and bfloat16."""

import functools
import importlib.util
import pathlib
import statistics
import subprocess
import sys
import tempfile

import keras
import numpy as np
from flops import forward_flops, peak_flops
from turns import rate, take_turns

from poster_cnn import datasets, models
from poster_cnn.datasets.crops import shrunk_size

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
SIZE = shrunk_size(40)  # 107×73 pixels
BATCH_SIZE = 32
EPOCHS = 3  # per round, because the time of single epochs varies between 3 and 5 seconds
HALF = ("mixed_bfloat16",)


def rows(table, rounds=7):
    """Measure posters/s of training on decoded posters in batches of 32, and the fraction of the device's peak.

    Args:
        table: Movie table of usable posters.
        rounds: Number of measured rounds of three epochs each. Defaults to 7.

    Returns:
        List of dicts as from `turns.take_turns`, with `flops_per_s` and `fraction_of_peak`.
    """
    decoded = datasets.decoded_posters(table, CLASS_NAMES, image_size=SIZE)
    images, labels = map(np.stack, zip(*decoded.as_numpy_iterator(), strict=True))
    goals = {"fit on NumPy arrays": 1.15, "PyTorch, channels_last": 1.9, "poster_cnn, float32": 1.5}
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "poster_cnn": _ours(decoded, len(table), "float32"),
            "fit on NumPy arrays": _arrays(images, labels),
            "fit on NumPy arrays, 16 steps a call": _arrays(images, labels, steps_per_execution=16),
        }
        if torch_side := _torch(images, labels, pathlib.Path(folder)):
            sides["PyTorch, channels_last"] = torch_side
        found = take_turns("train, float32", sides, rounds=rounds, goals=goals)
    for precision in HALF:
        names = (f"poster_cnn, {precision}", "poster_cnn, float32")
        sides = {name: _ours(decoded, len(table), name.split(", ")[1]) for name in names}
        found += take_turns(f"train, {precision}", sides, rounds=rounds, goals=goals)
    flops = 3 * forward_flops(_model("float32"))  # the backward pass costs two forward passes
    peaks = {precision: peak_flops(precision) for precision in ("float32", "bfloat16")}
    for row in found:
        half = row["side"].endswith(HALF)
        row["flops_per_s"] = row["rate"] * flops
        row["fraction_of_peak"] = row["flops_per_s"] / peaks["bfloat16" if half else "float32"]
    return found


def _model(precision, steps_per_execution=16):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = models.seven_layer_cnn((*SIZE, 3), len(CLASS_NAMES))
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", steps_per_execution=steps_per_execution)
    return model


def _ours(decoded, count, precision):
    model, epochs = _model(precision), iter(range(1000))

    def measure():
        batches = datasets.epoch_batches(decoded, count, BATCH_SIZE, 0, next(epochs))
        return rate(lambda: model.fit(batches, shuffle=False, verbose=0), count)

    return _of_epochs(measure)


def _of_epochs(measure):
    """Return a function for the mean rate of the epochs of a round."""
    return lambda: statistics.harmonic_mean([measure() for _ in range(EPOCHS)])


def _arrays(images, labels, steps_per_execution=1):  # 1 is the default of `compile`
    model, images = _model("float32", steps_per_execution), images.astype("float32")
    fit = functools.partial(model.fit, images, labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return lambda: rate(fit, EPOCHS * len(images))


def _torch(images, labels, folder):
    """Measure the same network in PyTorch, in a separate process because the two libraries conflict in one."""
    if importlib.util.find_spec("torch") is None:
        return None
    np.savez(folder / "posters.npz", images=images, labels=labels)
    script = pathlib.Path(__file__).with_name("torch_training.py")
    command = [sys.executable, str(script), str(folder / "posters.npz"), str(BATCH_SIZE)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure():
        process.stdin.write("epoch\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return _of_epochs(measure)
