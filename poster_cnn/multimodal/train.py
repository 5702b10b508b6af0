"""Ensemble config -> branches, each trained alone, then their fusion -> a run folder for each of them (paper 5)."""

import pathlib
import shutil
import time
import zipfile

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from poster_cnn import metrics, models, training
from poster_cnn.files import locked, read_json, remove_leftovers, write_atomically, write_json
from poster_cnn.metrics import baselines
from poster_cnn.metrics.thresholds import best_thresholds
from poster_cnn.multimodal.data import backbone_config, load_ensemble_data
from poster_cnn.multimodal.fit import (
    build_branch,
    build_fusion,
    fit_branch,
    fit_end_to_end,
    fit_fusion,
    predict_rows,
    trainable_part,
)
from poster_cnn.training import distribution, run_folder
from poster_cnn.training.config import as_json
from poster_cnn.training.saved_model import load_model, save_model

ENSEMBLE = "ensemble"  # the folder of the whole, beside those of its branches
# Of a branch, beside its config.json; the last one tells that it is finished.
_FILES = ("split.csv", "leak.json", "history.csv", "model.keras", "predictions.csv", "metrics.json")
# Recorded for each branch, as none depends on the fusion.
_OF_BRANCHES = {"fusion": "logits", "fusion_rows": "train", "hidden_share": 0.0}


def train_ensemble(config, data_folder, run_dir, *, ensemble_data=None, finished=(), progress=True):
    """Trains a branch for each modality, then their fusion (paper 5, sections 4 and 5).

    Leaves a run folder for each modality, `<run_dir>/poster` and so on, and `<run_dir>/ensemble`, with what
    `training.train` leaves: `config.json` (its `model` says which), `split.csv` (with `has_<modality>`), `leak.json`,
    `history.csv`, `model.keras`, `predictions.csv` and, last, `metrics.json`. All have the same test movies in the same
    order. A branch alone says of a movie that lacks its modality what the label prior says; `num_test_missing` in
    `config.json` counts them. The ensemble's model takes raw posters, frames of trailers, metadata and plots as
    vectors, and which of them are present; what makes vectors of texts is beside it, in `metadata_encoder.json` and
    `word_vectors.npz`, and `notes.txt` says what was missing. With `config.end_to_end` there are no branches alone.

    Finished folders are not trained again; one that was interrupted starts anew, which costs seconds. The same config
    gives the same numbers. Branches do not depend on how the fusion is trained: another ensemble's can be copied.

    Args:
        config: `EnsembleConfig`.
        data_folder: As in `load_ensemble_data`.
        run_dir: Folder to write; made if needed.
        ensemble_data: `EnsembleData` already loaded for this config, shared between runs. Defaults to `None`.
        finished: Run folders of other ensembles, from which branches of the same config and data are copied instead of
            being trained again. Defaults to none.
        progress: Whether to show progress bars. Defaults to `True`.

    Returns:
        dict: the content of the ensemble's `metrics.json`.

    Raises:
        ValueError: If a folder holds the run of another config or other data.
        FloatingPointError: If a loss becomes NaN or infinite.

    Example:

    >>> config = EnsembleConfig(MOVIESCOPE_GENRES, backbone="mobilenet_v2")
    >>> train_ensemble(config, "data", "runs/ensemble")["test"]["average_precision"]
    """
    distribution.require_one_host("An ensemble is trained on one host.")
    metrics.check_names(config.metrics)  # now, not after the first branch
    run_dir = pathlib.Path(run_dir)
    with locked(run_dir):
        data = ensemble_data or load_ensemble_data(config, data_folder, progress=progress)
        tf.config.experimental.enable_op_determinism()
        alone = () if config.end_to_end else config.modalities
        for modality in tqdm((*alone, ENSEMBLE), run_dir.name, leave=False, unit="network", disable=not progress):
            of_branch = {} if modality == ENSEMBLE else _OF_BRANCHES
            own, folder = config.replace(model=modality, **of_branch), run_dir / modality
            if training.is_finished(folder):
                run_folder.check_record(folder, own, _about(own, data))
                continue
            folder.mkdir(exist_ok=True)
            remove_leftovers(folder)
            if modality != ENSEMBLE and _copy_branch(own, data, folder, finished):
                continue
            extra = data.present_table().astype(int)
            run_folder.write_record(folder, own, _about(own, data), data.movies, extra)
            keras.utils.set_random_seed(config.seed)
            if modality == ENSEMBLE:
                _train_whole(own, data, run_dir)
            else:
                _train_branch(own, data, folder)
    return read_json(run_dir / ENSEMBLE / "metrics.json")


def is_finished(run_dir, config=None):
    """As `training.is_finished`, of an ensemble's folder."""
    return training.is_finished(pathlib.Path(run_dir) / ENSEMBLE, config)


def check_run(run_dir, config, data):
    """As `training.check_run`, of an ensemble's folder and `EnsembleData`."""
    run_folder.check_record(pathlib.Path(run_dir) / ENSEMBLE, config, _about(config, data))


def _about(config, data):
    """About the data, and how many validation and test movies a network has nothing to say of."""
    modality = None if config.model == ENSEMBLE else config.model
    about = {"fingerprint": data.fingerprint}
    for part in ("validation", "test"):
        seen = len(data.rows(part, modality)) if modality else data.present[data.rows(part)].any(axis=1).sum()
        about[f"num_{part}_missing"] = data.movies.count(part) - int(seen)
    uses_backbone = "poster" in config.modalities and config.model in (ENSEMBLE, "poster")
    return about | (run_folder.about_weights(backbone_config(config), data.movies.weights) if uses_backbone else {})


def _copy_branch(config, data, folder, finished):
    """Copies a branch that another ensemble has trained, with the names of this config; gives whether there is one."""
    for source in [run_dir / config.model for run_dir in finished if training.is_finished(run_dir / config.model)]:
        try:
            run_folder.check_record(source, config, _about(config, data))
        except (OSError, ValueError):  # another branch, or unreadable
            continue
        if not (all((source / name).is_file() for name in _FILES) and zipfile.is_zipfile(source / "model.keras")):
            continue  # removed or damaged since
        write_json(folder / "config.json", read_json(source / "config.json") | {"config": as_json(config)})
        for name in _FILES:
            with write_atomically(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)
        return True
    return False


def _train_branch(config, data, folder):
    started, modality = time.monotonic(), config.model
    branch = build_branch(modality, config, data)
    history = fit_branch(branch, modality, config, data)
    y_prob = predict_rows(trainable_part(branch), data.inputs[modality])
    lacks = ~data.present[:, config.modalities.index(modality)]
    y_prob[lacks] = baselines.label_prior(data.movies.labels("train"), lacks.sum())
    _finish(folder, config, data, branch, history, y_prob, seconds=time.monotonic() - started)


def _train_whole(config, data, run_dir):
    """The fusion of trained branches, or all of them at once."""
    started, folder, held_out = time.monotonic(), run_dir / ENSEMBLE, None
    fusion = build_fusion(config, data)
    if config.end_to_end:
        branches = {modality: build_branch(modality, config, data) for modality in config.modalities}
        history, y_prob = fit_end_to_end(branches, fusion, config, data)
    else:
        # Read back even if just trained: without optimizers, and the same as after an interruption.
        branches = {name: load_model(run_dir / name)[0] for name in config.modalities}
        opinions = np.stack(
            [predict_rows(trainable_part(branch), data.inputs[name]) for name, branch in branches.items()], axis=1
        )
        history, held_out = fit_fusion(fusion, opinions, config, data)
        y_prob = predict_rows(fusion, {"probabilities": opinions, "present": data.present})
    if held_out is not None:
        y_prob[data.rows("validation")] = held_out  # nothing is chosen by predictions for movies learned by heart
    if data.encoder is not None:
        data.encoder.save(folder / "metadata_encoder.json")
    if data.vectors is not None:
        data.vectors.save(folder / "word_vectors.npz")
    with write_atomically(folder / "notes.txt") as temporary:
        temporary.write_text(data.notes + "\n", encoding="utf-8")
    whole = models.multimodal(branches, fusion)
    _finish(folder, config, data, whole, history, y_prob, seconds=time.monotonic() - started)


def _finish(folder, config, data, model, history, y_prob, seconds):
    """Saves the model, scores the test movies, and marks the run as finished."""
    with write_atomically(folder / "history.csv") as temporary:
        history.to_csv(temporary, index=False)
    movies, of_part = data.movies, {part: y_prob[data.rows(part)] for part in ("validation", "test")}
    chosen = best_thresholds(movies.labels("validation"), of_part["validation"])
    thresholds = dict(zip(config.class_names, chosen.tolist(), strict=True))
    about = {"class_names": config.class_names, "interpolation": config.interpolation, "thresholds": thresholds}
    save_model(model, folder / "model.keras", **about)
    run_folder.write_predictions(folder, movies, of_part["test"])
    y_true = movies.labels("test")
    result = {
        "test": metrics.score(config.metrics, y_true, of_part["test"]),
        "baselines": data.baseline_scores(config.metrics),
        "validation": metrics.values(config.metrics, movies.labels("validation"), of_part["validation"]),
        "leak": run_folder.leaked_shares(movies),
        "seconds": round(seconds, 1),
        "thresholds": thresholds,
    }
    write_json(folder / "metrics.json", result)
