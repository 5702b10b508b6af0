"""Collect run folders into tidy tables, and read and write the csv files that tables and figures are drawn from."""

import json
import os
import pathlib
import warnings

import numpy as np
import pandas as pd

from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments

FIRST_COLUMNS = (
    "run experiment variant set_name model ratio image_height image_width learning_rate batch_size epochs seed "
    "num_train num_validation num_test"
).split()
HISTORY_COLUMNS = "run experiment variant set_name model ratio learning_rate seed epoch".split()
RUN_FILES = ("config.json", "history.csv", "metrics.json")
SORT_COLUMNS = "experiment variant model ratio learning_rate seed run".split()
# Read as text: "3.11" is a version, and the fingerprint 12e45 is not a number.
TEXT_COLUMNS = "run experiment variant set_name model class_names data_fingerprint device processor flags date".split()


@arguments.checked(runs_dir=arguments.path)
def collect_results(runs_dir):
    """Collect all finished runs below a folder into one table, one row per run.

    Unfinished or unreadable run folders are skipped with a warning that names them.

    Args:
        runs_dir: Folder that holds run folders at any depth. Hidden folders are skipped.

    Returns:
        DataFrame with `run`, the path below `runs_dir`; the fields of the config (`class_names` joined with "|",
        `image_size` as `image_height` and `image_width`); `num_train`, `num_validation` and `num_test`; each test
        metric as `<metric>`, `<metric>_low` and `<metric>_high`, fractions in 0..1; `<baseline>_<metric>`,
        `<metric>_over_<baseline>`, the difference, with `_low`, `_high` and `_p_value`, in runs that have it;
        `validation_<metric>` and `leak_...`; `<library>_version`, `device`, `processor`, `flags` (of the processor),
        `date`, and the `seconds` of the training, over all starts of a run. Rows are sorted by experiment,
        variant, model, ratio, learning rate (descending) and seed.

    Raises:
        FileNotFoundError: If `runs_dir` is not a folder.
    """
    rows = _read_runs(runs_dir, _result_row)
    return _arrange(pd.DataFrame(rows, columns=None if rows else FIRST_COLUMNS), FIRST_COLUMNS)


@arguments.checked(runs_dir=arguments.path)
def collect_history(runs_dir):
    """Collect the learning curves of all finished runs below a folder into one table, one row per epoch.

    Args:
        runs_dir: As in `collect_results`.

    Returns:
        DataFrame with the run's identity (`run` and, if its config has them, `experiment`, `variant`, `set_name`,
        `model`, `ratio`, `learning_rate`, `seed`) and the columns of its history.csv: `epoch` (from 0), `loss`,
        `accuracy`, `val_loss`, `val_accuracy` and others.

    Raises:
        FileNotFoundError: If `runs_dir` is not a folder.
    """
    frames = _read_runs(runs_dir, _history_rows)
    history = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=HISTORY_COLUMNS)
    return _arrange(history, HISTORY_COLUMNS)


@arguments.checked(frame=arguments.table(), path=arguments.path)
def write_results(frame, path):
    """Write a table of results or learning curves atomically as csv.

    Equal tables give equal files: the column order is fixed and floats have six significant digits.

    Args:
        frame: DataFrame from `collect_results` or `collect_history`.
        path: Path of the csv file. Missing folders are created.
    """
    first = HISTORY_COLUMNS if "epoch" in frame else FIRST_COLUMNS
    columns = [name for name in first if name in frame]
    columns += sorted(name for name in frame if name not in columns)
    with write_atomically(path) as temporary:
        frame[columns].to_csv(
            temporary, index=False, float_format="%.6g", lineterminator="\n", errors="backslashreplace"
        )


@arguments.checked(path=arguments.path)
def read_results(path):
    """Read a csv file written by `write_results`.

    Names, dates, versions and fingerprints are read as text even if they look like numbers.
    """
    columns = pd.read_csv(path, nrows=0).columns
    text = [name for name in columns if name in TEXT_COLUMNS or name.endswith("_version")]
    missing = {name: [""] if name in text else ["", "NA", "NaN", "nan"] for name in columns}  # "None" is a name
    results = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=missing)
    return results.fillna({"set_name": ""})  # an empty name is not a missing value


@arguments.checked(frames=arguments.sequence)
def stack(frames):
    """Concatenate several tables of results; a column that a table lacks is empty in its rows."""
    return pd.concat(frames, ignore_index=True)


@arguments.checked(run_dir=arguments.path)
def read_predictions(run_dir):
    """Read the test predictions of a finished run.

    Args:
        run_dir: The run folder.

    Returns:
        DataFrame, one row per movie: `imdb_id`, `true_<genre>` (0 or 1) and `probability_<genre>` for each genre.
    """
    return pd.read_csv(pathlib.Path(run_dir) / "predictions.csv")


@arguments.checked(predictions=arguments.table())
def genres_of(predictions):
    """Return the genres of a table of predictions in label order."""
    return [name.removeprefix("probability_") for name in predictions if name.startswith("probability_")]


@arguments.checked(predictions=arguments.table())
def prediction_arrays(predictions):
    """Return a table of predictions as arrays.

    Args:
        predictions: DataFrame from `read_predictions`.

    Returns:
        `(genres, y_true, y_prob)`: a list of str in label order, and two arrays `(num_movies, num_classes)`.
    """
    genres = genres_of(predictions)
    return genres, *(predictions[[f"{kind}_{name}" for name in genres]].to_numpy() for kind in ("true", "probability"))


def stack_predictions(runs, predictions):
    """Stack the predictions that several runs made of the same test movies.

    Args:
        runs: DataFrame from `collect_results`, such as the seeds of one network.
        predictions: Dict of `(experiment, run)` -> predictions of each run; see `read_predictions`.

    Returns:
        `(imdb_ids, y_true, y_prob)`: arrays `(num_movies,)`, `(num_movies, num_classes)` and
        `(num_runs, num_movies, num_classes)`.

    Raises:
        ValueError: If the runs have predicted different movies.
    """
    frames = {key: predictions[key] for key in zip(runs["experiment"], runs["run"], strict=True)}
    (first, frame), *others = frames.items()
    imdb_ids, (_, y_true, _) = frame["imdb_id"].to_numpy(), prediction_arrays(frame)
    for key, other in others:
        if not np.array_equal(other["imdb_id"], imdb_ids):
            raise ValueError(
                f"`runs` must have predicted the same movies, for example with the same split. Received: {first[1]} "
                f"({len(imdb_ids)} movies) and {key[1]} ({len(other)} movies)"
            )
    return imdb_ids, y_true, np.stack([prediction_arrays(frame)[2] for frame in frames.values()])


@arguments.checked(path=arguments.path)
def read_published(path):
    """Read a paper's printed numbers, one row per number.

    Args:
        path: Path of a csv file in experiments/published.

    Returns:
        DataFrame with the text columns `paper`, `table` (such as "Table 2"), `row`, `column` and `metric`, and `value`:
        float as printed, in percent for shares.
    """
    return pd.read_csv(path, dtype=dict.fromkeys(["paper", "table", "row", "column", "metric"], str))


def _read_runs(runs_dir, read):
    runs_dir = pathlib.Path(runs_dir)
    if not runs_dir.is_dir():
        raise FileNotFoundError(f"`runs_dir` must be a folder of run folders. Received: runs_dir={runs_dir}")
    folders = _run_folders(runs_dir)
    found, left_out = [], []
    for folder in folders:
        name = folder.relative_to(runs_dir).as_posix() if folder != runs_dir else folder.resolve().name
        try:
            found.append(read(name, folder))
        except (OSError, ValueError) as error:
            left_out.append(f"{name}: {error}")
    if left_out:
        lines = [f"{len(left_out)} of {len(folders)} run folders in {runs_dir} were left out:", *left_out]
        warnings.warn("\n  ".join(lines), stacklevel=3)
    return found


def _run_folders(runs_dir):
    folders = []
    for folder, children, files in os.walk(runs_dir):
        # Hidden folders are unfinished runs or caches.
        children[:] = sorted(name for name in children if not name.startswith("."))
        if "config.json" in files or "metrics.json" in files:  # a sweep has its own history.csv
            folders.append(pathlib.Path(folder))
    return folders


def _read_run(folder):
    missing = [name for name in RUN_FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"unfinished, no {', no '.join(missing)}")
    record = _read_json(folder / "config.json", required="config")
    metrics = _read_json(folder / "metrics.json", required="test")
    return record, metrics


def _read_json(path, required):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"broken, {path.name} is not JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get(required), dict):
        raise ValueError(f'broken, {path.name} must hold an object with an object "{required}" in it')
    return content


def _result_row(name, folder):
    record, metrics = _read_run(folder)
    data = dict(record.get("data") or {})
    row = {"run": name, **_config_columns(record["config"])}
    if "fingerprint" in data:
        row["data_fingerprint"] = data.pop("fingerprint")
    row |= _flatten(data)
    row |= _flatten(metrics["test"])
    row |= _flatten(metrics.get("baselines") or {})
    row |= _flatten(metrics.get("chance") or {}, prefix="chance_")
    for metric, others in (metrics.get("margins") or {}).items():
        row |= _flatten({f"{metric}_over_{other}": margin for other, margin in others.items()})
    row |= _flatten(metrics.get("validation") or {}, prefix="validation_")
    row |= _flatten(metrics.get("leak") or {}, prefix="leak_")
    versions = record.get("versions") or {}
    row |= {f"{library.replace('-', '_')}_version": version for library, version in versions.items()}
    last = {name: record.get(name) for name in ("device", "processor", "flags", "date")}
    last["seconds"] = metrics.get("seconds")
    return row | {name: value for name, value in last.items() if value is not None}


def _history_rows(name, folder):
    record, _ = _read_run(folder)
    config = _config_columns(record["config"])
    history = pd.read_csv(folder / "history.csv")
    if "epoch" not in history or history.empty:
        raise ValueError("broken, history.csv has no epochs")
    known = {"run": name} | {key: config[key] for key in HISTORY_COLUMNS if key in config}
    for position, (key, value) in enumerate(known.items()):
        history.insert(position, key, value)
    return history


def _config_columns(config):
    config = dict(config)
    image_size = config.pop("image_size", None)
    if isinstance(image_size, list) and len(image_size) == 2:
        config["image_height"], config["image_width"] = image_size
    return _flatten(config)


def _flatten(content, prefix=""):
    """Flatten {"hit_at_1": {"value": .6, "low": .5}} to {"hit_at_1": .6, "hit_at_1_low": .5}; join lists with "|"."""
    columns = {}
    for key, value in content.items():
        name = prefix.removesuffix("_") if key == "value" else f"{prefix}{key}"
        if isinstance(value, dict):
            columns |= _flatten(value, prefix=f"{name}_")
        else:
            columns[name] = "|".join(map(str, value)) if isinstance(value, list) else value
    return columns


def _arrange(frame, first):
    by = [name for name in [*SORT_COLUMNS, "epoch"] if name in frame]
    frame = frame.sort_values(by, ascending=[name != "learning_rate" for name in by], kind="stable", ignore_index=True)
    columns = [name for name in first if name in frame]
    frame = frame[columns + [name for name in frame if name not in columns]]
    # Integers stay integers if some runs lack them.
    floats = frame.select_dtypes("float")
    return frame.assign(**floats.convert_dtypes(convert_floating=False))
