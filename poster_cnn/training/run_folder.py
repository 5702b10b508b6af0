"""Run folders: the record of a run, and the files of a finished one."""

import datetime
import gzip
import os
import pathlib

import pandas as pd
import tensorflow as tf

from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.files import read_json, sha256, write_atomically, write_json, write_text
from poster_cnn.metrics import arguments
from poster_cnn.metrics.calibration import choose_calibration, expected_calibration_error
from poster_cnn.metrics.thresholds import best_thresholds
from poster_cnn.models import shipped
from poster_cnn.models.named import HUB, PRESET
from poster_cnn.training.build import pretrained_weights
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.model_card import card_text
from poster_cnn.training.parts import from_json
from poster_cnn.training.processor import about_processor, versions
from poster_cnn.training.saved_model import save_model

_SEEN_POSTERS = ".posters.csv.gz"
_COLORS = ".color_histogram.csv"  # weights of the baseline, for `evaluate`
_FINGERPRINTS = ["imdb_id", "verdict", "pixel_hash", "perceptual_hash", "signature"]  # what finds copies of a poster
_COMPARED = {
    "fingerprint": "the data",
    "weights_sha256": "the file of pretrained weights",
    "start_from_sha256": "the network that it starts from",
}
_NAMES = {"experiment", "variant", "set_name"}  # stored with a run; they do not affect training


@arguments.checked(run_dir=arguments.path, kind=arguments.instance(type, "TrainingConfig or EnsembleConfig"))
def recorded_config(run_dir, kind=TrainingConfig):
    """Return the config of a run folder.

    Args:
        run_dir: Run folder with a `config.json`.
        kind: `TrainingConfig`, or `EnsembleConfig`. Defaults to `TrainingConfig`.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no `config.json`.
        ValueError: If it holds no config of this kind.
    """
    path = pathlib.Path(run_dir) / "config.json"
    try:
        return from_json(kind, read_json(path)["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} records no {kind.__name__}: {error}. Choose another folder, or remove it.") from error


@arguments.checked(run_dir=arguments.path)
def is_finished(run_dir, config=None):
    """Return whether a run folder holds a finished run.

    Args:
        run_dir: Run folder.
        config: `TrainingConfig` or `EnsembleConfig` that the run must have. Defaults to `None`: any.
    """
    run_dir = pathlib.Path(run_dir)
    return (run_dir / "metrics.json").is_file() and (config is None or not _differences(run_dir, config))


def check_record(run_dir, config, about=None):
    """Check that a run folder records this config and these data.

    Args:
        run_dir: Run folder with a `config.json`.
        config: `TrainingConfig` or `EnsembleConfig`.
        about: Dict about the data with "fingerprint" and, for a weights file, "weights_sha256". Defaults to `None`:
            only the config is compared.

    Raises:
        ValueError: If the run differs or cannot be read; the message names the differences.
    """
    changed = sorted(_differences(run_dir, config))
    recorded = read_json(pathlib.Path(run_dir) / "config.json").get("data", {})
    about = recorded if about is None else about
    changed += [what for name, what in _COMPARED.items() if recorded.get(name) != about.get(name)]
    if changed:
        what = ", ".join(changed)
        raise ValueError(
            f"The run folder {run_dir} holds a run that differs in: {what}. Choose another folder, or remove it."
        )


def _differences(run_dir, config):
    if isinstance(config, type) or not hasattr(config, "to_dict"):
        arguments.refuse("config", "a TrainingConfig or an EnsembleConfig", config)
    recorded = recorded_config(run_dir, type(config)).to_dict()
    return {name for name, value in config.to_dict().items() if recorded[name] != value} - _NAMES


def about_weights(network, weights):
    """Return names and hashes of the files that a network starts from: pretrained weights, and those of another run.

    Args:
        network: `NetworkConfig`.
        weights: Dict of file name -> path of pretrained weights in the data folder.

    Returns:
        Dict with `initial_weights`, unless they are random, and, as far as there are such files, with `weights_file`,
        `weights_sha256` and `start_from_sha256`.
    """
    asked = pretrained_weights(network, weights)
    path = pathlib.Path(asked) if asked not in (None, "imagenet") else None
    if asked == shipped.POSTERS:
        path = shipped.FOLDER / f"{shipped.shipped_network(network.model)}.npz"
    if asked == PRESET:  # perhaps in a folder
        path = pathlib.Path(network.model.removeprefix(HUB)) / "model.weights.h5"
    about = {}
    if asked is not None:
        default = PRESET if asked == PRESET else "imagenet"
        about["initial_weights"] = pathlib.Path(network.model_args.get("weights", default)).name
    if path is not None and path.is_file():  # the builder reports a missing file
        about |= {"weights_file": path.name, "weights_sha256": sha256(path)}
    if getattr(network, "start_from", None) is not None:
        path = pathlib.Path(network.start_from)
        path = path / "model.keras" if path.is_dir() else path
        about |= {"start_from_sha256": sha256(path)} if path.is_file() else {}
    return about


def write_record(run_dir, config, about, data, extra=None, strategy=None, seen=None):
    """Write the inputs of a run: `split.csv`, `leak.json` and, last, `config.json`.

    `split.csv` has the column `picture` if the movie table names its pictures.

    Args:
        run_dir: Run folder.
        config: `TrainingConfig` or `EnsembleConfig`.
        about: Dict about the data, as in `check_record`.
        data: `TrainingData`.
        extra: DataFrame over the table's index with further columns of `split.csv`. Defaults to `None`.
        strategy: Dict from `distribution.about_strategy`. Defaults to `None`: one device.
        seen: Dict from `start.count_seen`. Defaults to `None`: the network starts from no other training.
    """
    movies = pd.DataFrame({"imdb_id": data.table["imdb_id"], "part": data.split})
    labels = pd.DataFrame(data.all_labels.astype(int), columns=data.class_names, index=movies.index)
    rows = pd.concat([movies, labels, data.table.filter(["picture"]), extra], axis=1)
    with write_atomically(run_dir / "split.csv") as temporary:
        rows.to_csv(temporary, index=False, errors="backslashreplace")
    write_json(run_dir / "leak.json", data.certificate.to_dict() | ({"seen_before": seen} if seen else {}))
    counts = {f"num_{part}": data.count(part) for part in sorted(set(data.split))}
    content = {
        "config": config.to_dict(),
        "data": {"fingerprint": about["fingerprint"]} | counts | about,
        "versions": versions(),
        "device": _device(),
        **about_processor(),
        "strategy": strategy or {"name": "one", "num_replicas": 1, "num_workers": 1},
        "date": datetime.date.today().isoformat(),
    }
    write_json(run_dir / "config.json", content)


def write_notes(run_dir, notes):
    """Write `notes.txt`, the report on the data of a run: dropped rows and posters with the reasons."""
    write_text(run_dir / "notes.txt", f"{notes}\n")


def write_seen_posters(run_dir, data):
    """Write the manifest of the training and validation posters of `TrainingData`.

    Copies of these posters are no new movies for `evaluate`.
    """
    seen = data.manifest["imdb_id"].isin(data.table["imdb_id"][data.split != "test"])
    text = data.manifest.loc[seen, _FINGERPRINTS].drop_duplicates("imdb_id").to_csv(index=False)
    with write_atomically(run_dir / _SEEN_POSTERS) as temporary:
        temporary.write_bytes(gzip.compress(text.encode(), mtime=0))  # without a date, equal posters give equal files


def read_seen_posters(run_dir):
    """Return the manifest of the training and validation posters of a run, or `None` for a run of an older version."""
    for folder in (pathlib.Path(run_dir), pathlib.Path(run_dir).absolute().parent):  # a branch is in its ensemble
        if (folder / _SEEN_POSTERS).is_file():
            types = {"imdb_id": "Int64"} | dict.fromkeys(_FINGERPRINTS[1:], str)
            return pd.read_csv(folder / _SEEN_POSTERS, dtype=types, keep_default_na=False)
    return None


def write_colors(run_dir, data):
    """Write the weights of the color histogram that was fitted to the training posters."""
    with write_atomically(run_dir / _COLORS) as temporary:
        pd.DataFrame(data.color_weights(), columns=data.class_names).to_csv(temporary, index=False)


def read_colors(run_dir):
    """Return what `write_colors` wrote as an array, or `None` for a run of an older version or of an ensemble."""
    path = pathlib.Path(run_dir) / _COLORS
    return pd.read_csv(path, float_precision="round_trip").to_numpy() if path.is_file() else None


def choose_thresholds(data, y_prob):
    """Choose a decision threshold for each genre on the validation movies.

    Args:
        data: `TrainingData`.
        y_prob: Dict of part -> probabilities `(num_movies, num_classes)`.

    Returns:
        Dict of genre -> threshold in 0..1, or `None` without validation movies.
    """
    if "validation" not in y_prob:
        return None
    chosen = best_thresholds(data.labels("validation"), y_prob["validation"])
    return dict(zip(data.class_names, chosen.tolist(), strict=True))


def _calibrate(data, y_prob, activation):
    """Choose a `Calibration` on the validation movies, and measure it on the test movies, as a dict for `metrics.json`.

    Both are `None` without validation movies.
    """
    if "validation" not in y_prob:
        return None, None
    movies = data.part("validation")["imdb_id"].to_numpy()
    of_validation = (data.labels("validation"), y_prob["validation"])
    calibration, losses = choose_calibration(*of_validation, activation=activation, groups=movies)
    y_true, before = data.labels("test"), y_prob["test"]
    after = calibration.probabilities(before)
    one = "none" if calibration.temperatures == (1.0,) else "one"
    measured = {
        "chosen": one if len(calibration.temperatures) == 1 else "genre",
        "temperatures": list(calibration.temperatures),
        "held_out_log_loss": losses,
        "expected_calibration_error": {
            name: expected_calibration_error(y_true, predicted, activation=activation)
            for name, predicted in (("before", before), ("after", after))
        },
    }
    return calibration, measured


def hash_training_posters(data):
    seen = data.manifest["imdb_id"].isin(data.table["imdb_id"][data.split == "train"])
    posters = data.manifest.loc[seen]
    return SeenPosters.from_signatures(posters["signature"], posters["imdb_id"])


def finish(
    run_dir, model, data, y_prob, scores, *, thresholds, seconds, crop_size=None, activation="sigmoid", seen=None
):
    """Save the model, its predictions and its card, and mark a run as finished with `metrics.json`.

    The published probabilities and scores are those of the network, without its calibration.

    Args:
        run_dir: Run folder.
        model: `keras.Model`.
        data: `TrainingData`.
        y_prob: Dict of part -> probabilities `(num_movies, num_classes)`, with "test" and, if there are such movies,
            "validation".
        scores: Dict with "test", "baselines" and "validation".
        thresholds: Dict from `choose_thresholds`, or `None`.
        seconds: Duration of the training.
        crop_size: As in `save_model`. Defaults to `None`.
        activation: Activation of the last layer. Defaults to `"sigmoid"`.
        seen: `SeenPosters` that the network was trained on, now or earlier. Defaults to `None`: those of `data`.

    Returns:
        Dict: the content of `metrics.json`.
    """
    calibration, measured = _calibrate(data, y_prob, activation)
    save_model(
        model,
        run_dir / "model.keras",
        class_names=data.class_names,
        interpolation=data.interpolation,
        thresholds=thresholds,
        crop_size=crop_size,
        calibration=calibration and calibration.to_dict(),
        seen_posters=(seen or hash_training_posters(data)).to_text(),
    )
    _write_predictions(run_dir, data, y_prob["test"])
    leak = {
        f"{row['part']}_in_{row['copies_in']}": {"posters": row["leaked"], "fraction": row["fraction"]}
        for row in data.certificate.rows
    }
    result = scores | {"leak": leak, "seconds": round(seconds, 1)}
    if thresholds:
        result["thresholds"] = thresholds
    if measured:
        result["calibration"] = measured
    write_text(run_dir / "README.md", card_text(run_dir, result))
    write_json(run_dir / "metrics.json", result)
    return result


def _write_predictions(run_dir, data, y_prob):
    y_true = data.labels("test")
    predictions = pd.DataFrame({"imdb_id": data.part("test")["imdb_id"].to_numpy()})
    for number, name in enumerate(data.class_names):
        predictions[f"true_{name}"] = y_true[:, number].astype(int)
        predictions[f"probability_{name}"] = y_prob[:, number].astype("float64")
    with write_atomically(run_dir / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)


def _device():
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    names = [gpu.get("device_name", "GPU") for gpu in gpus]
    return f"{len(names)} x {names[0]}" if names else f"{os.cpu_count()} CPU cores"
