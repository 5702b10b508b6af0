"""Config -> compiled, fitted model -> run folder; killed at any moment, it goes on at the epoch."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import time

import filelock
import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from poster_cnn import baselines, datasets, metrics, models
from poster_cnn.config import TrainingConfig
from poster_cnn.features import poster_features
from poster_cnn.files import read_json, sha256, write_atomically, write_json
from poster_cnn.fitting import build_model, build_network, fit, pretrained_weights, remove_checkpoints
from poster_cnn.saved_models import save_model
from poster_cnn.thresholds import best_thresholds
from poster_cnn.training_data import load_training_data

_PREDICT_BATCH = 32  # whatever the batches of the training: some papers have 2
# Baselines that say the same of every movie -> the scores that they are hard to beat in.
_OVERALL = ("overall_f1", "overall_precision", "overall_recall")
_CONSTANT = {
    "all_zeros": ("label_accuracy",),
    "frequent_genres": (*_OVERALL, *(f"{name}_at_622" for name in _OVERALL)),
}

__all__ = ["TrainingConfig", "build_model", "is_finished", "recorded_config", "train"]


def train(config, data, run_dir, *, training_data=None, progress=True):
    """Trains one network and leaves a run folder; continues an interrupted run, and never repeats a finished one.

    The folder holds `config.json` (all inputs, versions, data fingerprint), `split.csv` (which movie trained,
    validated, tested, and its labels), `leak.json` (test posters with a copy in train), `history.csv` (a row an epoch),
    `model.keras`, `predictions.csv` (test movies) and, last, `metrics.json` (scores of the test movies and of the
    baselines, of the validation movies, copies across the split), which marks the run as finished. The genres of a
    sigmoid network get thresholds, chosen on the validation movies, in `model.keras` and `metrics.json`.
    Weights, shuffling and dropout depend on the config alone, so a resumed run ends as an uninterrupted one.

    Args:
        config: `TrainingConfig`.
        data: Path of a data folder with `MovieGenre.csv` and `posters/`.
        run_dir: Folder to write; made if needed.
        training_data: `TrainingData` already loaded for this config, shared between runs. Defaults to `None`.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        dict: the content of `metrics.json`.

    Raises:
        ValueError: If the folder holds the run of another config or other data.
        FloatingPointError: If the loss becomes NaN or infinite.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), learning_rate=1e-3, epochs=10)
    >>> train(config, "data", "runs/first")["test"]["hit_at_1"]
    """
    run_dir = pathlib.Path(run_dir)
    with locked(run_dir):
        training_data = training_data or load_training_data(config, data)
        _claim(run_dir, config, training_data)
        if is_finished(run_dir):
            return read_json(run_dir / "metrics.json")
        started = time.monotonic()
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()
        model = fit(config, training_data, run_dir, progress=progress)
        result = _finish(model, config, training_data, run_dir, time.monotonic() - started)
        remove_checkpoints(run_dir)
    return result


def is_finished(run_dir, config=None):
    """Whether a run folder holds a finished run, and, where a `TrainingConfig` is given, one of that very config."""
    run_dir = pathlib.Path(run_dir)
    return (run_dir / "metrics.json").is_file() and (config is None or not _differences(run_dir, config))


def _finish(model, config, data, run_dir, seconds):
    """Saves the model, predicts and scores the test movies, and marks the run as finished."""
    # Built anew for float32, and without what compiling left.
    trained, model = model, build_network(config, "float32", data.weights)
    model.set_weights(trained.get_weights())
    y_prob = {part: _predict(model, config, data, part) for part in ("validation", "test") if data.count(part)}
    thresholds = None
    if config.classifier_activation == "sigmoid" and "validation" in y_prob:  # never chosen on the test movies
        chosen = best_thresholds(data.labels("validation"), y_prob["validation"])
        thresholds = dict(zip(config.class_names, chosen.tolist(), strict=True))
    save_model(
        model,
        run_dir / "model.keras",
        class_names=config.class_names,
        interpolation=config.interpolation,
        thresholds=thresholds,
    )
    y_true = data.labels("test")
    predictions = pd.DataFrame({"imdb_id": data.part("test")["imdb_id"].to_numpy()})
    for number, name in enumerate(config.class_names):
        predictions[f"true_{name}"] = y_true[:, number].astype(int)
        predictions[f"probability_{name}"] = y_prob["test"][:, number].astype("float64")
    with write_atomically(run_dir / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)
    result = _scores(config, data, y_prob, thresholds) | {
        "leak": {
            f"{row['part']}_in_{row['copies_in']}": {"posters": row["leaked"], "fraction": row["fraction"]}
            for row in data.certificate.rows
        },
        "seconds": round(seconds, 1),
    }
    if thresholds:
        result["thresholds"] = thresholds
    write_json(run_dir / "metrics.json", result)
    return result


def _predict(model, config, data, part):
    """Probabilities of one part; what a frozen backbone has already seen is not looked at again."""
    # Features of another precision are not those of the saved float32 network, nor those of a backbone since trained.
    kept = config.cache_features and config.precision == "float32" and not config.fine_tune_epochs
    if kept and models.has_frozen_backbone(model):
        features = poster_features(model, data, about={"precision": config.precision}, progress=False)
        head = models.feature_extractor_and_head(model)[1]
        return head.predict(features[np.flatnonzero(data.split == part)], verbose=0)
    return model.predict(datasets.as_batches(data.decoded(part), _PREDICT_BATCH), verbose=0)


def _scores(config, data, y_prob, thresholds):
    """Scores of the test movies with intervals, of the baselines on them, and of the validation movies."""
    y_true, movies = data.labels("test"), data.part("test")["imdb_id"].to_numpy()
    test = metrics.score(config.metrics, y_true, y_prob["test"], groups=movies)
    predictions = data.baseline_predictions()
    scored = {
        name: {metric: metrics.BY_NAME[metric](y_true, prediction) for metric in config.metrics}
        for name, prediction in predictions.items()
    }
    for name, worth in _CONSTANT.items():
        if asked := [metric for metric in config.metrics if metric in worth]:
            prediction = getattr(baselines, name)(data.labels("train"), len(y_true))
            scored[name] = {metric: metrics.BY_NAME[metric](y_true, prediction) for metric in asked}
    if config.one_row_per_genre:
        first, genres = data.whole_movies("test")
        test["movie_hit_at_1"] = metrics.score(("hit_at_1",), genres, y_prob["test"][first])["hit_at_1"]
        # Of whole movies, too: their most frequent genre is not that of rows of which the larger genres lost some.
        most_frequent = baselines.label_prior(data.whole_movies("train")[1], len(first))
        of_movies = {"majority": most_frequent, "label_prior": most_frequent}
        of_movies["color_histogram"] = predictions["color_histogram"][first]
        for name, prediction in of_movies.items():
            scored[name]["movie_hit_at_1"] = metrics.hit_at_1(genres, prediction)
    if thresholds and "overall_f1" in config.metrics:
        test["overall_f1_tuned"] = _tuned_f1(y_true, y_prob["test"], list(thresholds.values()), movies)
        for name, of_validation in data.baseline_predictions("validation").items():
            own = best_thresholds(data.labels("validation"), of_validation)  # the same care for what it must beat
            scored[name]["overall_f1_tuned"] = metrics.overall_precision_recall_f1(y_true, predictions[name], own)[2]
        scored["frequent_genres"]["overall_f1_tuned"] = scored["frequent_genres"]["overall_f1"]
    validation = {}
    if "validation" in y_prob:
        of_validation = (data.labels("validation"), y_prob["validation"])
        validation = {metric: metrics.BY_NAME[metric](*of_validation) for metric in config.metrics}
    return {"test": test, "baselines": scored, "validation": validation}


def _tuned_f1(y_true, y_prob, thresholds, movies):
    """OF1 with a threshold for each genre, and its 95% interval; the thresholds stay what the validation chose."""

    def overall_f1(y_true, y_prob):
        return metrics.overall_precision_recall_f1(y_true, y_prob, thresholds)[2]

    low, high = metrics.bootstrap_interval(overall_f1, y_true, y_prob, groups=movies)
    return {"value": overall_f1(y_true, y_prob), "low": low, "high": high}


def recorded_config(run_dir):
    """The `TrainingConfig` that a run folder records."""
    return TrainingConfig.from_dict(read_json(pathlib.Path(run_dir) / "config.json")["config"])


def check_run(run_dir, config, data):
    """Makes sure that a run folder records this very config and these very data.

    Args:
        run_dir: Run folder with a `config.json`.
        config: `TrainingConfig`.
        data: `TrainingData`.

    Raises:
        ValueError: If it holds another run; the message says in what it differs.
    """
    changed = sorted(_differences(run_dir, config))
    recorded = read_json(pathlib.Path(run_dir) / "config.json")["data"]
    if recorded["fingerprint"] != data.fingerprint:
        changed.append("the data")
    if recorded.get("weights_sha256") != _about_weights(config, data).get("weights_sha256"):
        changed.append("the file of pretrained weights")
    if changed:
        what = ", ".join(changed)
        raise ValueError(
            f"The run folder {run_dir} holds a run that differs in: {what}. Choose another folder, or remove it."
        )


def _claim(run_dir, config, data):
    """Writes config.json, or makes sure that the one already there is of the same config and data."""
    path = run_dir / "config.json"
    if path.is_file() and (run_dir / "history.csv").is_file():  # before its first epoch, a run holds nothing to lose
        return check_run(run_dir, config, data)
    about = {"fingerprint": data.fingerprint} | {f"num_{part}": data.count(part) for part in sorted(set(data.split))}
    content = {
        "config": config.to_dict(),
        "data": about | _about_weights(config, data),
        "versions": _versions(),
        "device": _device(),
        "date": datetime.date.today().isoformat(),
    }
    movies = pd.DataFrame({"imdb_id": data.table["imdb_id"], "part": data.split})
    labels = pd.DataFrame(data.all_labels.astype(int), columns=config.class_names, index=movies.index)
    with write_atomically(run_dir / "split.csv") as temporary:
        movies.join(labels).to_csv(temporary, index=False)
    write_json(run_dir / "leak.json", data.certificate.to_dict())
    write_json(path, content)


def _about_weights(config, data):
    """Name and content of the file that the backbone starts from, if it is one."""
    weights = pretrained_weights(config, data.weights)
    if weights in (None, "imagenet"):
        return {}
    path = pathlib.Path(weights)
    if not path.is_file():  # the builder says so, and what was expected
        return {}
    return {"weights_file": path.name, "weights_sha256": sha256(path)}


def _differences(run_dir, config):
    """Names of the attributes in which the config that a run folder records differs from `config`, but for names."""
    recorded = recorded_config(run_dir).to_dict()
    names = {"experiment", "variant", "set_name"}  # they decide nothing
    return {name for name, value in config.to_dict().items() if recorded[name] != value} - names


def _versions():
    packages = ("poster-cnn", "tensorflow", "keras", "numpy", "pandas", "pillow", "scikit-learn")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def _device():
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [gpu.get("device_name", "GPU") for gpu in gpus]
    return f"{len(names)} x {names[0]}" if names else f"{os.cpu_count()} CPU cores"


@contextlib.contextmanager
def locked(run_dir, timeout=0):
    """Keeps other processes out of a run folder.

    Args:
        run_dir: The folder; made if needed.
        timeout: Seconds to wait for another process; -1 waits forever. Defaults to 0.

    Raises:
        BlockingIOError: If another process is still in it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(run_dir / ".lock")
    try:
        lock.acquire(timeout=timeout)
    except filelock.Timeout:
        raise BlockingIOError(f"Another process is training in {run_dir}. Wait for it, or choose another.") from None
    try:
        yield
    finally:
        lock.release()
