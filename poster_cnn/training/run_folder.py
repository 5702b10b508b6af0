"""Run folders: which config and data they record, what every finished run leaves in them."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

import pandas as pd
import tensorflow as tf

from poster_cnn.files import read_json, sha256, write_atomically, write_json
from poster_cnn.training.build import pretrained_weights
from poster_cnn.training.config import TrainingConfig, as_json, from_json

_NAMES = {"experiment", "variant", "set_name"}  # of a config: they decide nothing


def recorded_config(run_dir, kind=TrainingConfig):
    """The config that a run folder records.

    Args:
        run_dir: Run folder with a `config.json`.
        kind: `TrainingConfig`, or `EnsembleConfig`. Defaults to `TrainingConfig`.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no `config.json`.
        ValueError: If it records no config of this kind.
    """
    path = pathlib.Path(run_dir) / "config.json"
    try:
        return from_json(kind, read_json(path)["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} records no {kind.__name__}: {error}. Choose another folder, or remove it.") from error


def is_finished(run_dir, config=None):
    """Whether a run folder holds a finished run, and, where a config is given, one of that very config."""
    run_dir = pathlib.Path(run_dir)
    return (run_dir / "metrics.json").is_file() and (config is None or not _differences(run_dir, config))


def check_record(run_dir, config, about):
    """Makes sure that a run folder records this very config and these very data.

    Args:
        run_dir: Run folder with a `config.json`.
        config: `TrainingConfig` or `EnsembleConfig`.
        about: dict about the data, with "fingerprint" and, where there is one, "weights_sha256".

    Raises:
        ValueError: If it holds another run, or none that can be read; the message says in what it differs.
    """
    changed = sorted(_differences(run_dir, config))
    recorded = read_json(pathlib.Path(run_dir) / "config.json").get("data", {})
    if recorded.get("fingerprint") != about["fingerprint"]:
        changed.append("the data")
    if recorded.get("weights_sha256") != about.get("weights_sha256"):
        changed.append("the file of pretrained weights")
    if changed:
        what = ", ".join(changed)
        raise ValueError(
            f"The run folder {run_dir} holds a run that differs in: {what}. Choose another folder, or remove it."
        )


def _differences(run_dir, config):
    """Names of the attributes in which the config that a run folder records differs from `config`, but for names."""
    recorded = as_json(recorded_config(run_dir, type(config)))
    return {name for name, value in as_json(config).items() if recorded[name] != value} - _NAMES


def about_weights(config, weights):
    """Name and content of the file that a backbone starts from, if it is one.

    Args:
        config: `TrainingConfig`.
        weights: Dict of pretrained weights that the data folder brings, file name -> path.

    Returns:
        dict: empty, or `weights_file` and `weights_sha256`.
    """
    asked = pretrained_weights(config, weights)
    if asked in (None, "imagenet"):
        return {}
    path = pathlib.Path(asked)
    if not path.is_file():  # the builder says so, and what was expected
        return {}
    return {"weights_file": path.name, "weights_sha256": sha256(path)}


def write_record(run_dir, config, about, data, extra=None, strategy=None):
    """Writes what a run is made of: `split.csv`, `leak.json` and, last, `config.json`.

    Args:
        run_dir: Run folder.
        config: `TrainingConfig` or `EnsembleConfig`.
        about: dict about the data, as in `check_record`.
        data: `TrainingData`.
        extra: DataFrame over the table's index: further columns of `split.csv`. Defaults to `None`.
        strategy: dict of `distribution.about_strategy`. Defaults to `None`: one device.
    """
    movies = pd.DataFrame({"imdb_id": data.table["imdb_id"], "part": data.split})
    labels = pd.DataFrame(data.all_labels.astype(int), columns=data.class_names, index=movies.index)
    with write_atomically(run_dir / "split.csv") as temporary:
        pd.concat([movies, labels, extra], axis=1).to_csv(temporary, index=False)  # without `None`
    write_json(run_dir / "leak.json", data.certificate.to_dict())
    counts = {f"num_{part}": data.count(part) for part in sorted(set(data.split))}
    content = {
        "config": as_json(config),
        "data": {"fingerprint": about["fingerprint"]} | counts | about,
        "versions": _versions(),
        "device": _device(),
        "strategy": strategy or {"name": "one", "num_replicas": 1, "num_workers": 1},
        "date": datetime.date.today().isoformat(),
    }
    write_json(run_dir / "config.json", content)


def write_predictions(run_dir, data, y_prob):
    """Writes `predictions.csv`: `imdb_id`, then `true_<genre>` and `probability_<genre>` for each genre.

    Args:
        run_dir: Run folder.
        data: `TrainingData`.
        y_prob: Probabilities of the test movies `(num_movies, num_classes)`.
    """
    y_true = data.labels("test")
    predictions = pd.DataFrame({"imdb_id": data.part("test")["imdb_id"].to_numpy()})
    for number, name in enumerate(data.class_names):
        predictions[f"true_{name}"] = y_true[:, number].astype(int)
        predictions[f"probability_{name}"] = y_prob[:, number].astype("float64")
    with write_atomically(run_dir / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)


def leaked_shares(data):
    """Posters of each part with a copy in another, for `metrics.json`: dict such as `test_in_train` -> counts.

    Args:
        data: `TrainingData`.
    """
    return {
        f"{row['part']}_in_{row['copies_in']}": {"posters": row["leaked"], "fraction": row["fraction"]}
        for row in data.certificate.rows
    }


def _versions():
    packages = ("poster-cnn", "tensorflow", "keras", "numpy", "pandas", "pillow", "scikit-learn")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def _device():
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [gpu.get("device_name", "GPU") for gpu in gpus]
    return f"{len(names)} x {names[0]}" if names else f"{os.cpu_count()} CPU cores"
