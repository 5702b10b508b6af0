"""Training an ensemble of paper 5: each branch alone, then their fusion, with a run folder for each."""

import pathlib
import shutil
import time
import zipfile

import keras
import numpy as np

from poster_cnn import metrics, models, training
from poster_cnn.files import locked, progress_bar, read_json, remove_leftovers, write_atomically, write_json
from poster_cnn.metrics import arguments, baselines
from poster_cnn.movies.data_folder import data_path
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.data import EnsembleData, backbone_of, load_ensemble_data
from poster_cnn.multimodal.fit import (
    NUM_FOLDS,
    build_branch,
    build_fusion,
    fit_branch,
    fit_end_to_end,
    fit_fusion,
    predict_rows,
    trainable_part,
)
from poster_cnn.training import distribution, run_folder
from poster_cnn.training.process_state import freed_networks, unchanged_process
from poster_cnn.training.saved_model import load_model

ENSEMBLE = "ensemble"  # folder of the whole, next to those of its branches
# Files of a branch besides config.json; the last one marks it as finished.
_FILES = ("split.csv", "leak.json", "history.csv", "model.keras", "predictions.csv", "metrics.json")
# Recorded for each branch, because branches do not depend on the fusion.
_OF_BRANCHES = {"fusion": "logits", "fusion_rows": "train", "hidden_share": 0.0}


@arguments.checked(
    data_folder=arguments.optional(data_path),
    run_dir=arguments.path,
    ensemble_data=arguments.optional(arguments.instance(EnsembleData)),
    finished=arguments.paths,
)
@unchanged_process(deterministic=True)
@freed_networks()
def train_ensemble(config, data_folder, run_dir, *, ensemble_data=None, finished=(), progress=True):
    """Train a branch for each modality, then their fusion (paper 5, sections 4 and 5).

    Each branch has its own run folder, such as `<run_dir>/poster`, with the files of `poster_cnn.train`. The fused
    network is in `<run_dir>/ensemble`. The `model` in `config.json` says which of them a folder holds, and
    `split.csv` has columns `has_<modality>`. All have the same test movies in the same order. For a movie without its
    modality, a branch predicts the label prior; `num_test_missing` in `config.json` counts these movies. The ensemble's
    model takes raw posters, frames of trailers, metadata and plots as vectors, and which of them are present. The
    encoders of texts are next to it, in `metadata_encoder.json` and, unless `plot_encoder` is `"sentences"`,
    `word_vectors.npz`. `notes.txt` lists missing inputs. With `config.end_to_end`, no branch is trained alone.

    Finished folders are not trained again; an interrupted one starts anew, which takes seconds. The same config gives
    the same numbers.

    Args:
        config: `EnsembleConfig`.
        data_folder: As in `load_ensemble_data`.
        run_dir: Folder to write, created if needed.
        ensemble_data: `EnsembleData` that is already loaded for this config. Defaults to `None`.
        finished: Run folders of other ensembles. Branches of the same config and data are copied from them. Defaults to
            none.
        progress: Whether to show progress bars. Defaults to `True`.

    Returns:
        Dict: the content of the ensemble's `metrics.json`.

    Raises:
        ValueError: If a folder holds a run of another config or other data.
        FloatingPointError: If a loss or a weight becomes NaN or infinite.

    Example:

    >>> config = EnsembleConfig(MOVIESCOPE_GENRES, backbone="mobilenet_v2")
    >>> train_ensemble(config, "data", "runs/ensemble")["test"]["average_precision"]
    """
    distribution.require_one_host("An ensemble is trained on one host.")
    arguments.instance(EnsembleConfig)("config", config)
    keras.config.set_dtype_policy("float32")  # whatever the caller uses
    metrics.check_names(config.metrics, "metrics")  # fails now, not after the first branch
    run_dir = pathlib.Path(run_dir)
    with locked(run_dir):
        data = ensemble_data or load_ensemble_data(config, data_folder, progress=progress)
        held_out = data.movies.count("validation")
        if config.fusion_rows == "validation" and held_out < NUM_FOLDS:  # fails now, not after the branches
            expected = f"'train' or 'none' with fewer than {NUM_FOLDS} validation movies; there are {held_out}"
            arguments.refuse("fusion_rows", expected, config.fusion_rows)
        alone = () if config.end_to_end else config.inputs.modalities
        networks = (*alone, ENSEMBLE)
        for modality in progress_bar(networks, run_dir.name, leave=False, unit="network", disable=not progress):
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
            run_folder.write_seen_posters(run_dir, data.movies)
            if modality == ENSEMBLE:
                run_folder.write_notes(folder, data.notes)
            run_folder.write_record(folder, own, _about(own, data), data.movies, extra)
            keras.utils.set_random_seed(config.seed)
            if modality == ENSEMBLE:
                _train_whole(own, data, run_dir)
            else:
                _train_branch(own, data, folder)
    return read_json(run_dir / ENSEMBLE / "metrics.json")


def is_finished(run_dir, config=None):
    """Return whether an ensemble's folder holds a finished run; see `training.is_finished`."""
    return training.is_finished(pathlib.Path(run_dir) / ENSEMBLE, config)


def check_run(run_dir, config, data):
    """Check that an ensemble's folder records this config and these `EnsembleData`."""
    run_folder.check_record(pathlib.Path(run_dir) / ENSEMBLE, config, _about(config, data))


def _about(config, data):
    """Return the fingerprint of the data and the number of movies that lack the network's inputs."""
    modality = None if config.model == ENSEMBLE else config.model
    about = {"fingerprint": data.fingerprint}
    for part in ("validation", "test"):
        seen = len(data.rows(part, modality)) if modality else data.present[data.rows(part)].any(axis=1).sum()
        about[f"num_{part}_missing"] = data.movies.count(part) - int(seen)
    uses_backbone = "poster" in config.inputs.modalities and config.model in (ENSEMBLE, "poster")
    return about | (run_folder.about_weights(backbone_of(config), data.movies.weights) if uses_backbone else {})


def _copy_branch(config, data, folder, finished):
    """Copy a branch that another ensemble has trained; return whether one was found."""
    for source in [run_dir / config.model for run_dir in finished if training.is_finished(run_dir / config.model)]:
        try:
            run_folder.check_record(source, config, _about(config, data))
        except (OSError, ValueError):  # a different branch, or unreadable
            continue
        if not (all((source / name).is_file() for name in _FILES) and zipfile.is_zipfile(source / "model.keras")):
            continue  # removed or damaged
        write_json(folder / "config.json", read_json(source / "config.json") | {"config": config.to_dict()})
        has_card = (source / "README.md").is_file()  # runs of older versions have none
        for name in (*["README.md"] * has_card, *_FILES):
            with write_atomically(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)
        return True
    return False


def _train_branch(config, data, folder):
    started, modality = time.monotonic(), config.model
    branch = build_branch(modality, config, data)
    history = fit_branch(branch, modality, config, data)
    y_prob = predict_rows(trainable_part(branch), data.inputs[modality])
    lacks = ~data.present[:, config.inputs.modalities.index(modality)]
    y_prob[lacks] = baselines.label_prior(data.movies.labels("train"), lacks.sum())
    _finish(folder, config, data, branch, history, y_prob, seconds=time.monotonic() - started)


def _train_whole(config, data, run_dir):
    """Train the fusion of the branches, or all of them together."""
    started, folder, held_out = time.monotonic(), run_dir / ENSEMBLE, None
    fusion = build_fusion(config, data)
    if config.end_to_end:
        branches = {modality: build_branch(modality, config, data) for modality in config.inputs.modalities}
        history, y_prob = fit_end_to_end(branches, fusion, config, data)
    else:
        # Branches are read back even if they were just trained, as after an interruption.
        branches = {name: load_model(run_dir / name)[0] for name in config.inputs.modalities}
        opinions = np.stack(
            [predict_rows(trainable_part(branch), data.inputs[name]) for name, branch in branches.items()], axis=1
        )
        history, held_out = fit_fusion(fusion, opinions, config, data)
        y_prob = predict_rows(fusion, {"probabilities": opinions, "present": data.present})
    if held_out is not None:
        y_prob[data.rows("validation")] = held_out  # thresholds are chosen on held-out predictions
    if data.encoder is not None:
        data.encoder.save(folder / "metadata_encoder.json")
    if data.vectors is not None:
        data.vectors.save(folder / "word_vectors.npz")
    whole = models.multimodal(branches, fusion)
    _finish(folder, config, data, whole, history, y_prob, seconds=time.monotonic() - started)


def _finish(folder, config, data, model, history, y_prob, seconds):
    with write_atomically(folder / "history.csv") as temporary:
        history.to_csv(temporary, index=False)
    movies, of_part = data.movies, {part: y_prob[data.rows(part)] for part in ("validation", "test")}
    y_true, of_baselines = movies.labels("test"), data.baseline_scores(config.metrics)
    scores = {
        "test": metrics.score(config.metrics, y_true, of_part["test"]),
        "baselines": of_baselines,
        "validation": metrics.values(config.metrics, movies.labels("validation"), of_part["validation"]),
        "margins": metrics.baseline_margins(
            config.metrics, y_true, of_part["test"], data.baseline_predictions(), of_baselines
        ),
    }
    thresholds = run_folder.choose_thresholds(movies, of_part)
    run_folder.finish(folder, model, movies, of_part, scores, thresholds=thresholds, seconds=seconds)
