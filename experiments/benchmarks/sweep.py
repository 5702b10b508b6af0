"""The 25 cells of paper 1's Table 2 as a sweep, and as 25 calls of `fit` on arrays."""

import dataclasses
import pathlib
import tempfile
import time

import keras
import numpy as np

from poster_cnn import datasets, metrics, models, results, tuning
from poster_cnn.training.data import load_training_data
from poster_cnn.tuning import sweep

EXPERIMENT = pathlib.Path(__file__).parents[1] / "dave" / "table_2.py"


def rows(data, epochs=2):
    """Measure cells per minute of both, and their test accuracies, with equal posters, split, networks and epochs.

    Both read the posters and score the test posters. The sweep also writes 25 resumable run folders with baselines and
    intervals.

    Args:
        data: Path of a data folder.
        epochs: Epochs of each cell. Defaults to 2; the paper's 50 take hours.

    Returns:
        List of dicts as from `turns.take_turns`, with `accuracy`, the mean first-label accuracy of the 25 networks.
    """
    experiment = tuning.load_experiment(EXPERIMENT, precision="float32")
    experiment = dataclasses.replace(experiment, config=experiment.config.replace(epochs=epochs))
    cells, found = experiment.cells(), []
    for side, run in (("poster_cnn", _sweep), ("fit on NumPy arrays", _plain_fits)):
        started = time.perf_counter()
        accuracy = run(experiment, data)
        per_minute = 60 * len(cells) / (time.perf_counter() - started)
        found.append({"task": f"25 cells, {epochs} epochs", "side": side, "unit": "cells/minute", "rounds": 1})
        found[-1] |= {"rate": per_minute, "accuracy": accuracy, "goal": 1.3 if side != "poster_cnn" else None}
    for row in found:
        row["ratio"] = found[0]["rate"] / row["rate"]
    return found


def _sweep(experiment, data):
    with tempfile.TemporaryDirectory() as folder:
        failed = sweep.sweep(experiment, data, folder)
        if failed:
            raise RuntimeError(f"Cells failed: {failed}")
        return float(results.collect_results(folder)["first_label_accuracy"].mean())


def _plain_fits(experiment, data):
    accuracies, read = [], {}
    for config in experiment.cells().values():
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
