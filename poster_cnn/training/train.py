"""Config -> compiled, fitted model -> run folder; killed at any moment, it goes on at the epoch."""

import pathlib
import shutil
import time

import keras
import numpy as np
import tensorflow as tf

from poster_cnn import datasets, metrics, models
from poster_cnn.files import locked, read_json, remove_leftovers, write_json
from poster_cnn.metrics import baselines
from poster_cnn.metrics.thresholds import best_thresholds
from poster_cnn.training import distribution
from poster_cnn.training.build import build_network
from poster_cnn.training.data import load_training_data
from poster_cnn.training.features import poster_features
from poster_cnn.training.fit import fit, remove_checkpoints
from poster_cnn.training.run_folder import (
    about_weights,
    check_record,
    is_finished,
    leaked_shares,
    write_predictions,
    write_record,
)
from poster_cnn.training.saved_model import save_model

_PREDICT_BATCH = 32  # whatever the batches of the training: some papers have 2
# Baselines that say the same of every movie -> the scores that they are hard to beat in.
_OVERALL = ("overall_f1", "overall_precision", "overall_recall")
_CONSTANT = {
    "all_zeros": ("label_accuracy",),
    "frequent_genres": (*_OVERALL, *(f"{name}_at_622" for name in _OVERALL)),
}


def train(config, data, run_dir, *, training_data=None, strategy="auto", progress=True):
    """Trains one network and leaves a run folder; continues an interrupted run, and never repeats a finished one.

    The folder holds `config.json` (all inputs, versions, data fingerprint), `split.csv` (which movie trained,
    validated, tested, and its labels), `leak.json` (test posters with a copy in train), `history.csv` (a row an epoch),
    `model.keras`, `predictions.csv` (test movies) and, last, `metrics.json` (scores of the test movies and of the
    baselines, of the validation movies, copies across the split), which marks the run as finished. The genres of a
    sigmoid network get thresholds, chosen on the validation movies, in `model.keras` and `metrics.json`.
    Weights, shuffling and dropout depend on the config alone, so a resumed run ends as an uninterrupted one.

    On several hosts, each runs the same call. The chief alone writes the run folder; worker 1 keeps what it needs to go
    on in `worker1` there, on its own disk or a shared one, and removes it at the end. If one is lost, all fail; started
    again, they go on at the epoch.

    Args:
        config: `TrainingConfig`.
        data: Path of a data folder with `MovieGenre.csv` and `posters/`.
        run_dir: Folder to write; made if needed.
        training_data: `TrainingData` already loaded for this config, shared between runs. Defaults to `None`.
        strategy: `"auto"`, `"one"`, `"mirrored"` or `"multiworker"`; see `distribution.choose_strategy`. On any number
            of devices, each step sees `config.batch_size` posters in all, and without dropout the numbers are the same
            but for rounding. Defaults to `"auto"`: several hosts if `TF_CONFIG` names them, else all visible GPUs.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        dict: the content of `metrics.json`; an empty one on a worker that is not the chief.

    Raises:
        RuntimeError: If another host does not answer, or is lost.
        ValueError: If the folder holds the run of another config or other data, or the config names what there is not.
        FloatingPointError: If the loss becomes NaN or infinite.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), learning_rate=1e-3, epochs=10)
    >>> train(config, "data", "runs/first")["test"]["hit_at_1"]
    """
    metrics.check_names(config.metrics)  # now, not after the epochs
    run_dir = pathlib.Path(run_dir)
    strategy = distribution.choose_strategy(strategy)
    if number := distribution.worker_number(strategy):
        folder = run_dir / f"worker{number}"
        _train(config, data, folder, training_data, strategy, progress)
        shutil.rmtree(folder, ignore_errors=True)
        return {}
    return _train(config, data, run_dir, training_data, strategy, progress)


def _train(config, data, run_dir, training_data, strategy, progress):
    """Trains in a folder, which is that of the run, or of a worker that is not the chief."""
    is_chief = distribution.worker_number(strategy) == 0
    with locked(run_dir), distribution.explained_losses(strategy):
        training_data = training_data or load_training_data(config, data)
        _claim(run_dir, config, training_data, strategy)
        distribution.require_same(strategy, f"{config} {_about(config, training_data)}")
        remove_leftovers(run_dir)
        result = None
        if distribution.chief_says(strategy, is_finished(run_dir)):
            result = read_json(run_dir / "metrics.json") if is_chief else {}
        if result is None:
            started = time.monotonic()
            keras.utils.set_random_seed(config.seed)
            tf.config.experimental.enable_op_determinism()
            model = fit(config, training_data, run_dir, strategy=strategy, progress=progress)
            if is_chief:
                result = _finish(model, config, training_data, run_dir, time.monotonic() - started)
            distribution.chief_says(strategy, True)  # the others wait for that
        remove_checkpoints(run_dir)  # a kill can come before they are gone
        if is_chief:
            _remove_former_workers(run_dir, distribution.about_strategy(strategy)["num_workers"])
    return result


def _remove_former_workers(run_dir, num_workers):
    """Removes what workers have left that took part once, and no longer."""
    for folder in run_dir.glob("worker*"):
        number = folder.name.removeprefix("worker")
        if number.isdecimal() and int(number) >= num_workers:
            shutil.rmtree(folder, ignore_errors=True)


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
        crop_size=config.crop_size if config.evaluation_crop == "center" else None,
    )
    write_predictions(run_dir, data, y_prob["test"])
    result = _scores(config, data, y_prob, thresholds)
    result |= {"leak": leaked_shares(data), "seconds": round(seconds, 1)}
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
    scored = {name: metrics.values(config.metrics, y_true, prediction) for name, prediction in predictions.items()}
    for name, worth in _CONSTANT.items():
        if asked := [metric for metric in config.metrics if metric in worth]:
            prediction = getattr(baselines, name)(data.labels("train"), len(y_true))
            scored[name] = metrics.values(asked, y_true, prediction)
    if config.one_row_per_genre:
        first, genres = data.whole_movies("test")
        test["movie_hit_at_1"] = metrics.score(("hit_at_1",), genres, y_prob["test"][first])["hit_at_1"]
        # Of whole movies, too: their most frequent genre is not that of rows of which the larger genres lost some.
        most_frequent = baselines.label_prior(data.whole_movies("train")[1], len(first))
        of_movies = {"majority": most_frequent, "label_prior": most_frequent}
        of_movies["color_histogram"] = predictions["color_histogram"][first]
        for name, prediction in of_movies.items():
            scored[name]["movie_hit_at_1"] = metrics.hit_at_1(genres, prediction)
    validation = {}
    if "validation" in y_prob:
        of_validation = (data.labels("validation"), y_prob["validation"])
        validation = metrics.values(config.metrics, *of_validation)
    if thresholds and "overall_f1" in config.metrics:
        chosen = list(thresholds.values())
        test["overall_f1_tuned"] = _tuned_f1(y_true, y_prob["test"], chosen, movies)
        # What to choose a run by whose tuned score is quoted.
        validation["overall_f1_tuned"] = metrics.overall_precision_recall_f1(*of_validation, chosen)[2]
        for name, predicted in data.baseline_predictions("validation").items():
            own = best_thresholds(data.labels("validation"), predicted)  # the same care for what it must beat
            scored[name]["overall_f1_tuned"] = metrics.overall_precision_recall_f1(y_true, predictions[name], own)[2]
        scored["frequent_genres"]["overall_f1_tuned"] = scored["frequent_genres"]["overall_f1"]
    return {"test": test, "baselines": scored, "validation": validation}


def _tuned_f1(y_true, y_prob, thresholds, movies):
    """OF1 with a threshold for each genre, and its 95% interval; the thresholds stay what the validation chose."""

    def quick_f1(y_true, y_prob):
        return metrics.overall_precision_recall_f1(y_true, y_prob, thresholds)[2]

    low, high = metrics.bootstrap_interval(quick_f1, y_true, y_prob, groups=movies)
    value = metrics.overall_precision_recall_f1(y_true, y_prob, thresholds)[2]
    return {"value": value, "low": low, "high": high}


def check_run(run_dir, config, data):
    """Makes sure that a run folder records this very config and these very data.

    Args:
        run_dir: Run folder with a `config.json`.
        config: `TrainingConfig`.
        data: `TrainingData`.

    Raises:
        ValueError: If it holds another run; the message says in what it differs.
    """
    check_record(run_dir, config, _about(config, data))


def _claim(run_dir, config, data, strategy):
    """Writes config.json, or makes sure that the one already there is of the same config and data."""
    if (run_dir / "config.json").is_file() and (run_dir / "history.csv").is_file():
        return check_run(run_dir, config, data)  # before its first epoch, a run holds nothing to lose
    write_record(run_dir, config, _about(config, data), data, strategy=distribution.about_strategy(strategy))


def _about(config, data):
    return {"fingerprint": data.fingerprint} | about_weights(config, data.weights)
