"""Config -> compiled, fitted model -> run folder; killed at any moment, it goes on at the epoch."""

import contextlib
import datetime
import importlib.metadata
import math
import os
import pathlib
import platform
import time

import filelock
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm.auto import tqdm

from poster_cnn import datasets, metrics, models
from poster_cnn.config import TrainingConfig
from poster_cnn.files import read_json, write_atomically, write_json
from poster_cnn.saved_models import save_model
from poster_cnn.training_data import load_training_data

__all__ = ["TrainingConfig", "build_model", "is_finished", "train"]

_STEPS_PER_EXECUTION = 16  # batches a call of the compiled step: a fifth more posters/s on CPUs
_CHECKPOINT = "checkpoint.weights.h5"


def train(config, data, run_dir, *, training_data=None, progress=True):
    """Trains one network and leaves a run folder; continues an interrupted run, and never repeats a finished one.

    The folder holds `config.json` (all inputs, versions, data fingerprint), `split.csv` (which movie trained,
    validated, tested, and its labels), `leak.json` (test posters with a copy in train), `history.csv` (a row an epoch),
    `model.keras`, `predictions.csv` (test movies) and, last, `metrics.json`, which marks the run as finished.
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
        model = build_model(config)
        _fit(model, config, training_data, run_dir, progress)
        result = _finish(model, config, training_data, run_dir, time.monotonic() - started)
        (run_dir / _CHECKPOINT).unlink(missing_ok=True)
    return result


def is_finished(run_dir, config=None):
    """Whether a run folder holds a finished run, and, where a `TrainingConfig` is given, one of that very config."""
    run_dir = pathlib.Path(run_dir)
    return (run_dir / "metrics.json").is_file() and (config is None or not _differences(run_dir, config))


def build_model(config):
    """Builds and compiles the network of a config.

    Returns:
        `keras.Model`, compiled with Adam; its accuracy is `CategoricalAccuracy` (argmax against the first true genre,
        as in paper 1) with softmax, `BinaryAccuracy` with sigmoid.
    """
    model = _build_network(config, config.precision)
    softmax = config.classifier_activation == "softmax"
    accuracy = keras.metrics.CategoricalAccuracy if softmax else keras.metrics.BinaryAccuracy
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=config.loss,
        metrics=[accuracy(name="accuracy")],
        steps_per_execution=_STEPS_PER_EXECUTION,
    )
    return model


def _build_network(config, precision):
    builder = getattr(models, config.model, None)
    if builder is None:
        raise ValueError(f"Unknown model. Expected a builder of poster_cnn.models. Received: model={config.model!r}")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return builder(
            (*datasets.shrunk_size(config.ratio), 3),
            len(config.class_names),
            classifier_activation=config.classifier_activation,
            **config.model_args,
        )
    finally:
        keras.config.set_dtype_policy(policy)


def _fit(model, config, data, run_dir, progress):
    """Fits epoch by epoch; after each, history and checkpoint are on disk."""
    steps = math.ceil(data.count("train") / config.batch_size)
    first_epoch, history = _restore(model, run_dir, steps)
    validation = datasets.as_batches(data.decoded("validation"), config.batch_size)
    epochs = tqdm(
        range(first_epoch, config.epochs),
        initial=first_epoch,
        total=config.epochs,
        desc=run_dir.name,
        leave=False,
        unit="epoch",
        disable=not progress,
    )
    for epoch in epochs:
        _seed_dropout(model, config.seed, epoch)
        logs = model.fit(
            datasets.epoch_batches(data.decoded("train"), data.count("train"), config.batch_size, config.seed, epoch),
            validation_data=validation,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # the dataset is shuffled already
            callbacks=[keras.callbacks.TerminateOnNaN()],
            verbose=0,
        ).history
        row = {"epoch": epoch} | {name: values[-1] for name, values in logs.items()}
        for name in ("loss", "val_loss"):  # the last step of an epoch may spoil the weights, which only val_loss shows
            if not math.isfinite(row[name]):
                raise FloatingPointError(
                    f"The {name} became {row[name]} in epoch {epoch} of {run_dir}. "
                    f"Try a smaller learning rate. Received: learning_rate={config.learning_rate}"
                )
        history.append(row)
        _save_epoch(model, history, run_dir)
        epochs.set_postfix(loss=f"{row['loss']:.3f}", val_accuracy=f"{row.get('val_accuracy', math.nan):.3f}")


def _save_epoch(model, history, run_dir):
    # The history goes first: after a kill between the two, it has a row too many, which `_restore` cuts off.
    with write_atomically(run_dir / "history.csv") as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)
    with write_atomically(run_dir / _CHECKPOINT) as temporary:
        model.save_weights(temporary)


def _restore(model, run_dir, steps):
    """Loads weights and optimizer of the last finished epoch; its number is the optimizer's step count."""
    if not (run_dir / _CHECKPOINT).is_file():
        return 0, []
    model.optimizer.build(model.trainable_variables)
    model.load_weights(run_dir / _CHECKPOINT)
    epoch = int(model.optimizer.iterations) // steps
    history = pd.read_csv(run_dir / "history.csv", float_precision="round_trip").to_dict("records")[:epoch]
    for row in history:
        row["epoch"] = int(row["epoch"])
    return epoch, history


def _seed_dropout(model, seed, epoch):
    """Sets the random state of each dropout layer from the run's seed and the epoch's number."""
    for position, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.SeedSequence([seed, epoch, position]).generate_state(2)
            generator.state.assign(state.astype(generator.state.dtype))


def _finish(model, config, data, run_dir, seconds):
    """Saves the model, predicts and scores the test movies, and marks the run as finished."""
    trained, model = model, _build_network(config, "float32")
    model.set_weights(trained.get_weights())
    save_model(model, run_dir / "model.keras", class_names=config.class_names, interpolation=config.interpolation)
    y_true = data.labels("test")
    y_prob = model.predict(datasets.as_batches(data.decoded("test"), config.batch_size), verbose=0)
    predictions = pd.DataFrame({"imdb_id": data.part("test")["imdb_id"].to_numpy()})
    for number, name in enumerate(config.class_names):
        predictions[f"true_{name}"] = y_true[:, number].astype(int)
        predictions[f"probability_{name}"] = y_prob[:, number].astype("float64")
    with write_atomically(run_dir / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)
    result = {
        "test": metrics.score(config.metrics, y_true, y_prob),
        "baselines": {
            name: {metric: metrics.BY_NAME[metric](y_true, prediction) for metric in config.metrics}
            for name, prediction in data.baseline_predictions().items()
        },
        "leak": {
            f"{row['part']}_in_{row['copies_in']}": {"posters": row["leaked"], "fraction": row["fraction"]}
            for row in data.certificate.rows
        },
        "seconds": round(seconds, 1),
    }
    write_json(run_dir / "metrics.json", result)
    return result


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
    if read_json(pathlib.Path(run_dir) / "config.json")["data"]["fingerprint"] != data.fingerprint:
        changed.append("the data")
    if changed:
        what = ", ".join(changed)
        raise ValueError(
            f"The run folder {run_dir} holds a run that differs in: {what}. Choose another folder, or remove it."
        )


def _claim(run_dir, config, data):
    """Writes config.json, or makes sure that the one already there is of the same config and data."""
    path = run_dir / "config.json"
    if path.is_file():
        return check_run(run_dir, config, data)
    about = {"fingerprint": data.fingerprint} | {f"num_{part}": data.count(part) for part in sorted(set(data.split))}
    content = {
        "config": config.to_dict() | {"image_size": list(data.image_size)},
        "data": about,
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


def _differences(run_dir, config):
    """Names of the attributes in which the config that a run folder records differs from `config`."""
    recorded = read_json(run_dir / "config.json")["config"]
    recorded = TrainingConfig.from_dict({k: v for k, v in recorded.items() if k != "image_size"}).to_dict()
    return {name for name, value in config.to_dict().items() if recorded[name] != value}


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
