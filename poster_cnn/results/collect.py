"""Run folders -> one tidy table -> the csv files that tables and figures are drawn from."""

import json
import os
import pathlib
import warnings

import pandas as pd

from poster_cnn.files import write_atomically

FIRST_COLUMNS = (
    "run experiment variant set_name model ratio image_height image_width learning_rate batch_size epochs seed "
    "num_train num_validation num_test"
).split()
HISTORY_COLUMNS = "run experiment variant set_name model ratio learning_rate seed epoch".split()
RUN_FILES = ("config.json", "history.csv", "metrics.json")
SORT_COLUMNS = "experiment variant model ratio learning_rate seed run".split()
# Read as text: "3.11" is a version, not a number, and a fingerprint such as 12e45 is not an infinity.
TEXT_COLUMNS = (
    "run",
    "experiment",
    "variant",
    "set_name",
    "model",
    "class_names",
    "data_fingerprint",
    "device",
    "date",
)


def collect_results(runs_dir):
    """Gathers every finished run under a folder into one table, one row a run.

    A run folder that is unfinished or cannot be read is left out, and a warning names it with the reason.

    Args:
        runs_dir: Folder that holds run folders, at any depth; folders whose name starts with a dot are not looked into.

    Returns:
        DataFrame. `run` is the run folder's path below `runs_dir`. Then the fields of the run's config (`class_names`
        joined with "|", `image_size` as `image_height` and `image_width`), `num_train`, `num_validation` and
        `num_test`; each test metric as `<metric>`, `<metric>_low` and `<metric>_high`, a fraction in 0..1; each
        baseline's as `<baseline>_<metric>`, each validation metric as `validation_<metric>`; the `leak_...` columns;
        versions as `<library>_version`; `device`, `date`, `seconds`. Rows are sorted by experiment, variant, model,
        ratio, learning rate (high to low) and seed.

    Raises:
        FileNotFoundError: If `runs_dir` is not a folder.
    """
    rows = _read_runs(runs_dir, _result_row)
    return _arrange(pd.DataFrame(rows, columns=None if rows else FIRST_COLUMNS), FIRST_COLUMNS)


def collect_history(runs_dir):
    """Gathers the learning curves of every finished run under a folder into one table, one row an epoch.

    Args:
        runs_dir: Folder that holds run folders, as for `collect_results`.

    Returns:
        DataFrame with what identifies a run (`run`, and where its config has them `experiment`, `variant`, `set_name`,
        `model`, `ratio`, `learning_rate`, `seed`), then the columns of its history.csv: `epoch` (from 0), `loss`,
        `accuracy`, `val_loss`, `val_accuracy` and any other.

    Raises:
        FileNotFoundError: If `runs_dir` is not a folder.
    """
    frames = _read_runs(runs_dir, _history_rows)
    history = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=HISTORY_COLUMNS)
    return _arrange(history, HISTORY_COLUMNS)


def write_results(frame, path):
    """Writes a table of results or learning curves as csv, so that the same numbers always give the same file.

    Columns come in a fixed order (what identifies a run first, the rest by name) and floats with six significant
    digits, so a learning rate of 1e-7 survives. The file is replaced whole or not at all.

    Args:
        frame: DataFrame from `collect_results` or `collect_history`.
        path: Path of the csv file. Missing folders are made.
    """
    first = HISTORY_COLUMNS if "epoch" in frame else FIRST_COLUMNS
    columns = [name for name in first if name in frame]
    columns += sorted(name for name in frame if name not in columns)
    with write_atomically(path) as temporary:
        frame[columns].to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def read_results(path):
    """Reads a csv that `write_results` wrote.

    Args:
        path: Path of the csv file.

    Returns:
        DataFrame. Names, dates, versions and fingerprints are text, also where they look like numbers.
    """
    columns = pd.read_csv(path, nrows=0).columns
    text = [name for name in columns if name in TEXT_COLUMNS or name.endswith("_version")]
    results = pd.read_csv(path, dtype=dict.fromkeys(text, str))
    return results.fillna({"set_name": ""})  # without a name, and not unknown


def stack(frames):
    """Several tables of results as one, rows below each other; a column that one lacks is empty there."""
    return pd.concat(frames, ignore_index=True)


def read_predictions(run_dir):
    """Reads what a finished run predicted for its test movies.

    Args:
        run_dir: The run folder.

    Returns:
        DataFrame, a row a movie: `imdb_id`, then `true_<genre>` (0 or 1) and `probability_<genre>` for each genre.
    """
    return pd.read_csv(pathlib.Path(run_dir) / "predictions.csv")


def read_published(path):
    """Reads a paper's printed numbers, one row a number.

    Args:
        path: Path of a csv file under experiments/published.

    Returns:
        DataFrame with text columns `paper`, `table` (such as "Table 2"), `row`, `column`, `metric`, and `value`:
        float, as printed; percent where the metric is a share.
    """
    return pd.read_csv(path, dtype=dict.fromkeys(["paper", "table", "row", "column", "metric"], str))


def _read_runs(runs_dir, read):
    runs_dir = pathlib.Path(runs_dir)
    if not runs_dir.is_dir():
        raise FileNotFoundError(
            f"`runs_dir` must be a folder of run folders, as training writes them. Received: runs_dir={runs_dir}"
        )
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
        # Hidden folders are half-written runs or caches.
        children[:] = sorted(name for name in children if not name.startswith("."))
        if "config.json" in files or "metrics.json" in files:  # a sweep has a history.csv of its own, beside its runs
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
    row |= _flatten(metrics.get("validation") or {}, prefix="validation_")
    row |= _flatten(metrics.get("leak") or {}, prefix="leak_")
    versions = record.get("versions") or {}
    row |= {f"{library.replace('-', '_')}_version": version for library, version in versions.items()}
    last = {"device": record.get("device"), "date": record.get("date"), "seconds": metrics.get("seconds")}
    return row | {name: value for name, value in last.items() if value is not None}


def _history_rows(name, folder):
    record, _ = _read_run(folder)
    config = _config_columns(record["config"])
    history = pd.read_csv(folder / "history.csv")
    if "epoch" not in history or history.empty:
        raise ValueError("broken, history.csv has no epoch in it")
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
    """{"hit_at_1": {"value": .6, "low": .5}} -> {"hit_at_1": .6, "hit_at_1_low": .5}; lists are joined with "|"."""
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
    # Whole numbers stay whole where some runs lack them.
    floats = frame.select_dtypes("float")
    return frame.assign(**floats.convert_dtypes(convert_floating=False))


def genres_of(predictions):
    """The genres of a table of predictions, in label order: those of its columns `probability_<genre>`."""
    return [name.removeprefix("probability_") for name in predictions if name.startswith("probability_")]
