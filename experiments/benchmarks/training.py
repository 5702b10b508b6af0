"""Training the seven-layer network at 40%: our pipeline, arrays, PyTorch, and bfloat16."""

import functools
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

import keras
import numpy as np
from flops import forward_flops, peak_flops
from turns import rate, take_turns

from poster_cnn import datasets, models
from poster_cnn.datasets.crops import shrunk_size
from poster_cnn.training.processor import processor_flags

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
SIZE = shrunk_size(40)  # 107×73 pixels
BATCH_SIZE = 32
HALF = ("mixed_bfloat16",)
TORCH = {
    "eager": "PyTorch, channels_last",
    "fused": "PyTorch, channels_last, fused Adam",
    "compiled": "PyTorch, channels_last, fused Adam, compiled",
}


def rows(table, rounds=5):
    """Measure posters/s of training on decoded posters in batches of 32, and the fraction of the device's peak.

    Args:
        table: Movie table of usable posters.
        rounds: Number of measured rounds of one epoch each. Defaults to 5.

    Returns:
        List of dicts as from `turns.take_turns`, with `flops_per_s` and `fraction_of_peak`.
    """
    decoded = datasets.decoded_posters(table, CLASS_NAMES, image_size=SIZE)
    images, labels = map(np.stack, zip(*decoded.as_numpy_iterator(), strict=True))
    others = ("fit on NumPy arrays", "fit on NumPy arrays, 16 steps a call", *TORCH.values())
    goals = dict.fromkeys(others, 1.9 if "avx512f" in processor_flags() else 1.3) | {"poster_cnn, float32": 1.5}
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "poster_cnn": _ours(decoded, len(table), "float32"),
            "fit on NumPy arrays": _arrays(images, labels),
            "fit on NumPy arrays, 16 steps a call": _arrays(images, labels, steps_per_execution=16),
        }
        sides |= _torch(images, labels, pathlib.Path(folder))
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

    return measure


def _arrays(images, labels, steps_per_execution=1):  # 1 is the default of `compile`
    model, images = _model("float32", steps_per_execution), images.astype("float32")
    fit = functools.partial(model.fit, images, labels, batch_size=BATCH_SIZE, verbose=0)
    return lambda: rate(fit, len(images))


def _torch(images, labels, folder):
    """Return sides of the same network in PyTorch, in separate processes because the two libraries conflict in one."""
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed, so its sides are left out")
        return {}
    np.savez(folder / "posters.npz", images=images, labels=labels)
    sides = {}
    for variant, name in TORCH.items():
        if variant == "compiled" and not shutil.which("c++"):
            print("There is no C++ compiler, so torch.compile is left out")
            continue
        command = [sys.executable, str(pathlib.Path(__file__).with_name("torch_training.py"))]
        command += [str(folder / "posters.npz"), str(BATCH_SIZE), variant]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sides[name] = functools.partial(_train_an_epoch, process)
    return sides


def _train_an_epoch(process):
    process.stdin.write("epoch\n")
    process.stdin.flush()
    return float(process.stdout.readline())
