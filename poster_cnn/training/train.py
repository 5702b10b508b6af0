"""Training one network into a run folder; an interrupted run continues at its epoch."""

import contextlib
import pathlib
import shutil

import keras
import numpy as np

from poster_cnn import datasets, metrics, models
from poster_cnn.datasets.verify import announce
from poster_cnn.files import locked, read_json, remove_leftovers
from poster_cnn.metrics import arguments, baselines, intervals
from poster_cnn.metrics.thresholds import best_thresholds
from poster_cnn.movies.data_folder import data_path, find_data_folder
from poster_cnn.training import distribution
from poster_cnn.training.build import build_network, check_config
from poster_cnn.training.callbacks import callback_list
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.data import TrainingData, load_training_data
from poster_cnn.training.features import poster_features
from poster_cnn.training.fit import fit, remove_checkpoints, require_possible, training_seconds
from poster_cnn.training.process_state import freed_networks, unchanged_process
from poster_cnn.training.processor import warn_of_slow_precision
from poster_cnn.training.run_folder import (
    about_weights,
    check_record,
    choose_thresholds,
    finish,
    hash_training_posters,
    is_finished,
    write_colors,
    write_notes,
    write_record,
    write_seen_posters,
)
from poster_cnn.training.start import count_seen, describe_seen, with_start

_PREDICT_BATCH = 32  # some papers train with batches of 2
# Constant baselines, and the metrics on which they are strong.
_OVERALL = ("overall_f1", "overall_precision", "overall_recall")
_CONSTANT = {
    "all_zeros": ("label_accuracy",),
    "frequent_genres": (*_OVERALL, *(f"{name}_at_622" for name in _OVERALL)),
}


@arguments.checked(
    config=arguments.instance(TrainingConfig),
    data=arguments.optional(data_path),
    run_dir=arguments.path,
    training_data=arguments.optional(arguments.instance(TrainingData)),
    callbacks=callback_list,
)
@unchanged_process(deterministic=True)
def train(config, data, run_dir, *, training_data=None, strategy="auto", callbacks=(), progress=True):
    """Train one network into a run folder. Interrupted runs continue at their epoch, finished runs are not repeated.

    The folder holds `config.json` (config, versions, data fingerprint), `split.csv` (part and labels of each movie),
    `leak.json` (test posters with a copy in training), `notes.txt` (dropped rows and posters), `history.csv` (one row
    per epoch), `model.keras`, `predictions.csv` (test movies) and, written last, `metrics.json` (scores of the test
    movies, the baselines and the validation movies). Sigmoid networks get a threshold for each genre, chosen on the
    validation movies. Initial weights, shuffling and dropout depend on the config only, so a resumed run ends like an
    uninterrupted one. The network is freed at the end, except with `callbacks`, which may keep it.

    With several hosts, each makes the same call. The chief writes the run folder; worker 1 keeps its checkpoints in
    `worker1` in it, on its own or a shared disk, and removes them at the end. If one host is lost, all fail; started
    again, they continue at the epoch.

    Args:
        config: `TrainingConfig`.
        data: Data folder, movie table or DataFrame, or a `DataFolder`; see `find_data_folder`.
        run_dir: Run folder, created if needed.
        training_data: `TrainingData` that is already loaded for this config. Defaults to `None`.
        strategy: `"auto"`, `"one"`, `"mirrored"` or `"multiworker"`; see `distribution.choose_strategy`. Each step uses
            `batch_size` posters in all, and without dropout the results do not depend on the number of devices except
            for rounding. Defaults to `"auto"`: several hosts if `TF_CONFIG` names them, else all visible GPUs.
        callbacks: List of `keras.callbacks.Callback`, called as in one `fit` of all epochs, with one device only. A run
            that continues calls `on_train_begin` again; what callbacks remember is not stored. Defaults to none.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        Dict: the content of `metrics.json`. Empty on a worker that is not the chief.

    Raises:
        RuntimeError: If another host does not answer or is lost.
        ValueError: If the folder holds a run of another config or other data, or the config is invalid.
        FloatingPointError: If the loss or a weight becomes NaN or infinite.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), learning_rate=1e-3, epochs=10)
    >>> train(config, "data", "runs/first")["test"]["hit_at_1"]
    """
    metrics.check_names(config.metrics, "metrics")  # also with `training_data`: fails now, not after the epochs
    run_dir = pathlib.Path(run_dir)
    strategy = distribution.choose_strategy(strategy)
    number = distribution.worker_number(strategy)
    folder = run_dir / f"worker{number}" if number else run_dir
    with contextlib.nullcontext() if callbacks else freed_networks():  # a callback may keep the network
        result = _train(config, data, folder, training_data, strategy, callbacks, progress)
    if not number:
        return result
    shutil.rmtree(folder, ignore_errors=True)
    return {}


def _train(config, data, run_dir, training_data, strategy, callbacks, progress):
    is_chief = distribution.worker_number(strategy) == 0
    with locked(run_dir), distribution.explained_losses(strategy):
        training_data = training_data or load_for(config, data, run_dir, strategy, callbacks)
        _claim(run_dir, config, training_data, strategy)
        distribution.require_same(strategy, f"{config} {_about(config, training_data)}")
        remove_leftovers(run_dir)
        result = None
        if distribution.chief_says(strategy, is_finished(run_dir)):
            result = read_json(run_dir / "metrics.json") if is_chief else {}
        if result is None:
            keras.utils.set_random_seed(config.fit.seed)
            warn_of_slow_precision(config.fit.precision)
            options = {"strategy": strategy, "callbacks": callbacks, "progress": progress}
            model = fit(config, training_data, run_dir, **options)
            if is_chief:
                result = _finish(model, config, training_data, run_dir, training_seconds(run_dir))
            distribution.chief_says(strategy, True)  # the other hosts wait for the chief
        remove_checkpoints(run_dir)  # a kill can come before they are removed
        if is_chief:
            _remove_former_workers(run_dir, distribution.about_strategy(strategy)["num_workers"])
    return result


def load_for(config, data, run_dir, strategy, callbacks=(), *, load=load_training_data):
    """Load the data of a run, after everything that can be checked without them.

    Args:
        config, data, run_dir, callbacks: As in `train`.
        strategy: `tf.distribute.Strategy`.
        load: Function of a `DataConfig` and a `DataFolder`. Defaults to `load_training_data`.

    Returns:
        `TrainingData`
    """
    require_possible(config.fit, strategy, callbacks)
    if _has_begun(run_dir):
        check_record(run_dir, config)
    folder = find_data_folder(data)
    if not is_finished(run_dir):
        check_config(config, folder.weights)
    loaded = load(config.data, folder)
    several = (loaded.all_labels.sum(axis=1) > 1).mean()
    if config.network.classifier_activation == "softmax" and several > 0.5 and config.experiment == "custom":
        announce(
            f"{several:.0%} of the movies have several of the genres, but softmax names one of them. To name all, use "
            "--head sigmoid, or classifier_activation='sigmoid' with loss='binary_crossentropy' in Python."
        )
    return loaded


def _remove_former_workers(run_dir, num_workers):
    for folder in run_dir.glob("worker*"):
        number = folder.name.removeprefix("worker")
        if number.isdecimal() and int(number) >= num_workers:
            shutil.rmtree(folder, ignore_errors=True)


def _finish(model, config, data, run_dir, seconds):
    """Predict and score the test movies with the network in float32, and mark the run as finished."""
    trained = model.get_weights()
    size, num_classes = config.data.image_size, len(config.data.class_names)
    model = build_network(config.network, size, num_classes, weights=data.weights)
    model.set_weights(trained)
    y_prob = {part: _predict(model, config.fit, data, part) for part in ("validation", "test") if data.count(part)}
    is_sigmoid = config.network.classifier_activation == "sigmoid"
    thresholds = choose_thresholds(data, y_prob) if is_sigmoid else None
    crop_size = config.data.crop_size if config.data.evaluation_crop == "center" else None
    scores = _scores(config, data, y_prob, thresholds)
    write_colors(run_dir, data)
    options = {"thresholds": thresholds, "seconds": seconds, "crop_size": crop_size}
    options["activation"] = config.network.classifier_activation
    options["seen"] = with_start(config.network, hash_training_posters(data))
    return finish(run_dir, model, data, y_prob, scores, **options)


def _predict(model, fit, data, part):
    # Cached features of another precision are not those of the float32 network, nor those of a fine-tuned backbone.
    cached = fit.caches_features and fit.precision == "float32" and not fit.fine_tune_epochs
    if cached and models.has_frozen_backbone(model):
        features = poster_features(model, data, about={"precision": fit.precision}, progress=False)
        head = models.feature_extractor_and_head(model)[1]
        return head.predict(features[np.flatnonzero(data.split == part)], verbose=0)
    return model.predict(datasets.as_batches(data.decoded(part), _PREDICT_BATCH), verbose=0)


def _scores(config, data, y_prob, thresholds):
    """Return scores of the test movies with intervals and margins, of the baselines, and of the validation movies."""
    y_true, movies = data.labels("test"), data.part("test")["imdb_id"].to_numpy()
    test = metrics.score(config.metrics, y_true, y_prob["test"], groups=movies)
    predictions = dict(data.baseline_predictions())
    scored = {name: metrics.values(config.metrics, y_true, prediction) for name, prediction in predictions.items()}
    for name, worth in _CONSTANT.items():
        if asked := [metric for metric in config.metrics if metric in worth]:
            prediction = getattr(baselines, name)(data.labels("train"), len(y_true))
            scored[name], predictions[name] = metrics.values(asked, y_true, prediction), prediction
    margins = metrics.baseline_margins(config.metrics, y_true, y_prob["test"], predictions, scored, groups=movies)
    chance = baselines.chance(config.metrics, y_true)
    if config.data.one_row_per_genre:
        first, genres = data.whole_movies("test")
        test["movie_hit_at_1"] = metrics.score(("hit_at_1",), genres, y_prob["test"][first])["hit_at_1"]
        chance |= {"movie_hit_at_1": baselines.chance(("hit_at_1",), genres)["hit_at_1"]}
        # The most frequent genre of whole movies can differ from that of rows, of which large genres were sampled.
        most_frequent = baselines.label_prior(data.whole_movies("train")[1], len(first))
        of_movies = {"majority": most_frequent, "label_prior": most_frequent}
        of_movies["color_histogram"] = predictions["color_histogram"][first]
        for name, prediction in of_movies.items():
            scored[name]["movie_hit_at_1"] = metrics.hit_at_1(genres, prediction)
        by_movie = metrics.margins(["hit_at_1"], genres, y_prob["test"][first], of_movies)["hit_at_1"]
        margins["movie_hit_at_1"] = {name: by_movie[name] for name in ("majority", "color_histogram")}
    validation = {}
    if "validation" in y_prob:
        validation = metrics.values(config.metrics, data.labels("validation"), y_prob["validation"])
    result = {"test": test, "baselines": scored, "chance": chance, "validation": validation, "margins": margins}
    if thresholds and "overall_f1" in config.metrics:
        _add_tuned_f1(result, data, y_prob, list(thresholds.values()), predictions)
    return result


def _add_tuned_f1(result, data, y_prob, thresholds, predictions):
    """Add OF1 at thresholds chosen on the validation movies to the scores, baselines and margins of a run."""
    y_true, of_validation = data.labels("test"), data.labels("validation")
    movies, validation_movies = (data.part(part)["imdb_id"].to_numpy() for part in ("test", "validation"))
    result["test"]["overall_f1_tuned"] = _tuned_f1(y_true, y_prob["test"], thresholds, movies)
    # For choosing between runs whose tuned score is quoted: no movie has a threshold that was chosen on it.
    held_out = metrics.held_out_predictions(of_validation, y_prob["validation"], groups=validation_movies)
    result["validation"]["overall_f1_tuned"] = metrics.overall_f1(of_validation, held_out.astype("float32"))
    tuned = {"frequent_genres": predictions["frequent_genres"]}
    for name, predicted in data.baseline_predictions("validation").items():
        own = best_thresholds(of_validation, predicted)  # the baselines are tuned in the same way
        tuned[name] = (predictions[name] >= own).astype("float32")
    for name, predicted in tuned.items():
        result["baselines"][name]["overall_f1_tuned"] = metrics.overall_f1(y_true, predicted)
    ours, scores = (y_prob["test"] >= thresholds).astype("float32"), {}
    for name in tuned:
        scores[name] = {"overall_f1": result["baselines"][name]["overall_f1_tuned"]}
    margins = metrics.baseline_margins(["overall_f1"], y_true, ours, tuned, scores, groups=movies)
    result["margins"]["overall_f1_tuned"] = margins["overall_f1"]


def _tuned_f1(y_true, y_prob, thresholds, movies):
    """Return OF1 at fixed thresholds with its 95% interval."""

    def quick_f1(y_true, y_prob):
        return intervals.fast_precision_recall_f1(y_true, y_prob, thresholds)[2]

    low, high = metrics.bootstrap_interval(quick_f1, y_true, y_prob, groups=movies)
    value = metrics.overall_precision_recall_f1(y_true, y_prob, thresholds)[2]
    return {"value": value, "low": low, "high": high}


def check_run(run_dir, config, data):
    """Check that a run folder records this config and these data.

    Args:
        run_dir: Run folder with a `config.json`.
        config: `TrainingConfig`.
        data: `TrainingData`.

    Raises:
        ValueError: If the run differs; the message names the differences.
    """
    check_record(run_dir, config, _about(config, data))


def _claim(run_dir, config, data, strategy):
    """Write config.json, or check that the existing one is of the same config and data."""
    if _has_begun(run_dir):
        return check_run(run_dir, config, data)
    seen = count_seen(config.network, data)
    if note := describe_seen(seen):
        announce(note)
    write_notes(run_dir, f"{data.report}\n{note}".rstrip())
    write_seen_posters(run_dir, data)
    options = {"strategy": distribution.about_strategy(strategy), "seen": seen}
    write_record(run_dir, config, _about(config, data), data, **options)


def _has_begun(run_dir):
    """Return whether a run folder has a finished epoch; before it, a run can be replaced."""
    return (run_dir / "config.json").is_file() and (run_dir / "history.csv").is_file()


def _about(config, data):
    return {"fingerprint": data.fingerprint} | about_weights(config.network, data.weights)
