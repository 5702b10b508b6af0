"""Cells of paper 1's Table 2 as sweeps of one and two processes, and as calls of `fit` on arrays.

    python experiments/benchmarks/sweep.py EXPERIMENT DATA

trains the cells of an experiment by calls of `fit`, and prints their mean accuracy.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from poster_cnn import datasets, metrics, models, results, tuning
from poster_cnn.training.data import load_training_data

EXPERIMENT = pathlib.Path(__file__).parents[1] / "dave" / "table_2.py"
# Command line of each side, and the number of threads of each of its processes.
SIDES = {
    "poster_cnn, 2 workers of 1 thread": ("--workers 2", "1"),
    "poster_cnn, 2 workers": ("--workers 2", None),
    "poster_cnn, 1 process": ("", None),
    "fit on NumPy arrays": (None, None),
}


def rows(data, ratios=(30, 40, 50, 60, 70), epochs=3):
    """Measure cells per minute of all sides, each as a whole command, with equal posters, split, networks and epochs.

    All read the posters and score the test posters. The sweeps also write resumable run folders with baselines and
    intervals.

    Args:
        data: Path of a data folder.
        ratios: Ratios of Table 2, with five learning rates each. Defaults to all five.
        epochs: Epochs of each cell. Defaults to 3; the paper's 50 take hours.

    Returns:
        List of dicts as from `turns.take_turns`, with `accuracy`, the mean first-label accuracy of the networks.
    """
    found, cells = [], 5 * len(ratios)
    load_training_data(tuning.load_experiment(EXPERIMENT).config.data, data)  # no side has to verify the posters
    for side, (options, threads) in SIDES.items():
        with tempfile.TemporaryDirectory() as folder:
            experiment = pathlib.Path(folder) / "table_2.py"
            changes = {"epochs": epochs, "precision": "float32"}
            text = "import runpy\n\nfound = runpy.run_path({!r})\nconfig = found['config'].replace(**{})\n"
            text += "grid = found['grid'] | {{'ratio': {}}}\n"
            experiment.write_text(text.format(str(EXPERIMENT), changes, ratios), encoding="utf-8")
            if options is None:
                command = [__file__, experiment, data]
            else:
                command = ["-m", "poster_cnn", "sweep", experiment, "--data", data, "--out", f"{folder}/runs"]
                command += options.split()
            environment = os.environ | ({"TF_NUM_INTRAOP_THREADS": threads} if threads else {})
            started = time.perf_counter()
            command = [sys.executable, *map(str, command)]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            per_minute = 60 * cells / (time.perf_counter() - started)
            accuracy = float(done.stdout.split()[-1]) if options is None else _mean_accuracy(f"{folder}/runs", cells)
        found.append({"task": f"{cells} cells, {epochs} epochs", "side": side, "unit": "cells/minute", "rounds": 1})
        found[-1] |= {"rate": per_minute, "accuracy": accuracy, "goal": 1.8 if options is None else None}
        print(f"{side}: {per_minute:.1f} cells/minute", flush=True)
    for row in found:
        row["ratio"] = found[0]["rate"] / row["rate"]
    return found


def _mean_accuracy(folder, cells):
    runs = results.collect_results(folder)
    if len(runs) != cells:
        raise RuntimeError(f"{cells - len(runs)} cells failed")
    return float(runs["first_label_accuracy"].mean())


def plain_fits(experiment, data):
    """Return the mean accuracy of the cells of an experiment, trained as a user would with Keras alone."""
    accuracies, read = [], {}
    for config in tuning.load_experiment(experiment).cells().values():
        if config.image_size not in read:
            read = {config.image_size: _arrays(config, data)}  # cells of the same size are consecutive
        (images, labels), (test_images, test_labels), validation = read[config.image_size]
        keras.utils.set_random_seed(config.seed)
        model = models.seven_layer_cnn((*config.image_size, 3), len(config.class_names))
        model.compile(keras.optimizers.Adam(config.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
        options = {"batch_size": config.batch_size, "epochs": config.epochs, "validation_data": validation}
        model.fit(images, labels, verbose=0, **options)
        accuracies.append(metrics.first_label_accuracy(test_labels, model.predict(test_images, verbose=0)))
        keras.backend.clear_session()
    return float(np.mean(accuracies))


def _arrays(config, data):
    """Return train, test and validation posters as float32 arrays."""
    loaded = load_training_data(config.data, data)
    arrays = []
    for part in ("train", "test", "validation"):
        table = loaded.part(part)
        dataset = datasets.poster_dataset(table, config.class_names, image_size=config.image_size, cache=False)
        images, labels = map(np.concatenate, zip(*dataset.as_numpy_iterator(), strict=True))
        arrays.append((images, labels))
    return arrays


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(plain_fits(*sys.argv[1:]))
