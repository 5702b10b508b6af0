"""Time and accuracy of paper 1's 25 networks on another device and Keras backend, and the fraction of its peak.

    python experiments/benchmarks/device_grid.py prepare DATA POSTERS
    KERAS_BACKEND=jax python experiments/benchmarks/device_grid.py run POSTERS RESULTS.csv

`prepare` copies the 3,488 posters of `experiments/dave/table_2.py` as `split.csv` and JPEG files (47 MB); it needs
TensorFlow. `run` reads that folder, needs the backend only, and skips cells that RESULTS.csv has for the same posters,
backend, device, precision and epochs. To try it: `prepare --movies 640` and `run --cells 1 --epochs 3`.
"""

import argparse
import itertools
import os
import pathlib
import runpy
import shutil
import statistics
import time

import keras
import pandas as pd
from flops import forward_flops, peak_flops
from tqdm import tqdm

from poster_cnn import metrics
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.files import sha256, write_atomically
from poster_cnn.results.collect import read_results, write_results
from poster_cnn.training.arrays import fit_arrays
from poster_cnn.training.config import PRECISIONS
from poster_cnn.training.processor import about_machine

EXPERIMENT = pathlib.Path(__file__).parents[1] / "dave" / "table_2.py"
PARTS = ("train", "validation", "test")
# Identify a finished cell.
CELL = ["ratio", "learning_rate", "epochs", "precision", "backend", "device", "data_fingerprint"]
SHOWN = [*CELL[:-1], "num_train", "seconds", "posters_per_s", "fraction_of_peak", "first_label_accuracy"]


class EpochClock(keras.callbacks.Callback):
    """Record the seconds of each epoch, including its validation."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._started)


def prepare(data, posters, num_movies=None):
    """Write `split.csv` (part, genres, poster file) and the posters, of all movies or of the first ones."""
    from poster_cnn.training.data import load_training_data  # needs TensorFlow, unlike `run`

    loaded = load_training_data(runpy.run_path(str(EXPERIMENT))["config"].data, data)
    movies = loaded.table[["imdb_id", "genres", "poster_path"]].assign(part=loaded.split)[:num_movies]
    with write_atomically(posters) as folder:
        (folder / "posters").mkdir(parents=True)
        for path in movies["poster_path"]:
            shutil.copy(path, folder / "posters")
        movies["poster_path"] = [f"posters/{pathlib.Path(path).name}" for path in movies["poster_path"]]
        movies["genres"] = movies["genres"].str.join("|")
        movies.to_csv(folder / "split.csv", index=False)
    print(f"{len(movies)} posters written to {posters}")


def movies_of(posters):
    """Read the movies that `prepare` has written."""
    movies = pd.read_csv(posters / "split.csv")
    movies["genres"] = movies["genres"].str.split("|")
    movies["poster_path"] = [str(posters / path) for path in movies["poster_path"]]
    return movies


def read_parts(posters, config):
    """Return a dict of part -> `(images, labels)` at the config's image size."""
    movies = movies_of(posters)
    return {
        part: poster_arrays(movies[movies["part"] == part], config.class_names, image_size=config.image_size)
        for part in PARTS
    }


def train_cell(config, parts, peak):
    """Train and score one network; return a row of the results."""
    clock, started = EpochClock(), time.perf_counter()
    model, _ = fit_arrays(config, *parts["train"], parts["validation"], callbacks=[clock], progress=False)
    seconds = time.perf_counter() - started
    images, labels = parts["test"]
    num_train, num_validation = len(parts["train"][0]), len(parts["validation"][0])
    about = {"seconds": seconds} | speed(model, clock.seconds, peak, num_train, num_validation)
    return about | accuracy(labels, model.predict(images, verbose=0))


def speed(model, epoch_seconds, peak, num_train, num_validation=0):
    """Return the speed of training as columns of the results.

    `epoch_seconds` has the seconds of each epoch, of which the first compiles; `num_train` and `num_validation` are the
    posters of an epoch.
    """
    seconds = statistics.median(epoch_seconds[1:] or epoch_seconds)
    # The backward pass costs two forward passes: one for the inputs of the layers, one for their weights.
    flops = forward_flops(model) * (3 * num_train + num_validation)
    return {
        "posters_per_s": num_train / seconds,
        "fraction_of_peak": flops / seconds / peak,
        "peak_gflops": peak / 1e9,
    }


def accuracy(labels, predictions):
    """Return the accuracy of predictions and its interval as columns of the results."""
    score = metrics.score(["first_label_accuracy"], labels, predictions)["first_label_accuracy"]
    return {
        "first_label_accuracy": score["value"],
        "first_label_accuracy_low": score["low"],
        "first_label_accuracy_high": score["high"],
    }


def device_name():
    """Return the name of the device that the backend uses, or the number of CPU cores."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        name = jax.devices()[0].device_kind
    elif backend == "torch":
        import torch

        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    else:
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        name = tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "cpu"
    return f"{os.cpu_count()} CPU cores" if name == "cpu" else name


def about_cells(posters, epochs, precision):
    """Return what the rows of all cells of a call have in common."""
    about = {"epochs": epochs, "precision": precision, "backend": keras.backend.backend(), "device": device_name()}
    parts = movies_of(posters)["part"].value_counts()
    about |= {f"num_{part}": int(parts[part]) for part in ("train", "test")}
    return about | {"data_fingerprint": sha256(posters / "split.csv")}


def run(posters, results_path, *, cells=None, epochs=None, precision="float32"):
    """Train the cells that are missing from the results, and write the results after each."""
    experiment = runpy.run_path(str(EXPERIMENT))
    config = experiment["config"].replace(precision=precision, epochs=epochs or experiment["config"].epochs)
    about = about_cells(posters, config.epochs, precision)
    results = read_results(results_path) if results_path.is_file() else pd.DataFrame(columns=CELL)
    grid = list(itertools.product(*experiment["grid"].values()))
    peak, parts, size = None, None, None
    for values in tqdm(grid[:cells], desc="cells"):
        cell = dict(zip(experiment["grid"], values, strict=True))
        if (results[CELL] == [(cell | about)[name] for name in CELL]).all(axis=1).any():
            continue
        of_cell = config.replace(**cell)
        if of_cell.image_size != size:
            parts, size = read_parts(posters, of_cell), of_cell.image_size
        peak = peak or peak_flops(precision)
        row = cell | about | train_cell(of_cell, parts, peak) | about_machine(about["backend"])
        results = pd.DataFrame([*results.to_dict("records"), row])
        write_results(results, results_path)
        keras.backend.clear_session()
    print(results[SHOWN].to_string(index=False, float_format="%.4g"))
    print(f"results: {results_path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="write the posters of the experiment")
    preparing.add_argument("data", help="data folder")
    preparing.add_argument("posters", type=pathlib.Path, help="folder to write")
    preparing.add_argument("--movies", type=int, help="number of movies; default: all")
    running = commands.add_parser("run", help="train the networks")
    running.add_argument("posters", type=pathlib.Path, help="folder written by prepare")
    running.add_argument("results", type=pathlib.Path, help="csv to write or to continue")
    running.add_argument("--cells", type=int, help="number of cells to train; default: all")
    running.add_argument("--epochs", type=int, help="default: those of the experiment")
    running.add_argument("--precision", choices=PRECISIONS, default="float32")
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        prepare(arguments.data, arguments.posters, arguments.movies)
    else:
        options = {"cells": arguments.cells, "epochs": arguments.epochs, "precision": arguments.precision}
        run(arguments.posters, arguments.results, **options)


if __name__ == "__main__":
    main()
