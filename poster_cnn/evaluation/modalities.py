"""Score ensembles that see only some of the modalities of the test movies."""

import itertools

import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.metrics import arguments
from poster_cnn.movies.data_folder import data_path
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.multimodal.fit import predict_rows, trainable_part
from poster_cnn.multimodal.train import check_run
from poster_cnn.results.lebaron import METRICS, average_precisions, ensemble_folders
from poster_cnn.training.run_folder import recorded_config
from poster_cnn.training.saved_model import load_model


@arguments.checked(runs_dir=arguments.path, data_folder=arguments.optional(data_path))
def modality_subsets(runs_dir, data_folder, *, ensemble_data=None, progress=True):
    """Compute the average precision of finished ensembles for every subset of the modalities (paper 5, section 5).

    The branches and the fusion are loaded from each run's `ensemble/model.keras`; nothing is trained.

    Args:
        runs_dir: Folder that holds run folders of ensembles with the same data, one per seed.
        data_folder: Data folder used for training; see `load_ensemble_data`.
        ensemble_data: `EnsembleData` already loaded for these runs. Defaults to `None`.
        progress: Whether to show a progress bar while posters are read. Defaults to `True`.

    Returns:
        DataFrame, one row per seed and non-empty subset with `genre` "", and one per genre in label order: `modalities`
        (str, such as "poster+plot"), `num_modalities`, `seed`, `genre`; `average_precision_micro`, `average_precision`
        (macro, or of the genre; NaN if no test movie has it) and `average_precision_samples` (NaN for a genre),
        fractions; `num_missing`, the number of test movies without any modality of the subset, for which the fusion
        outputs its prior.

    Raises:
        ValueError: If there is no finished ensemble, several have the same seed, or one was trained on other data.

    Example:

    >>> subsets = modality_subsets("runs/lebaron_ensemble", "data")
    >>> subsets[subsets["genre"] == ""].groupby("modalities")["average_precision"].mean()
    """
    lines = []
    for seed, folder in ensemble_folders(runs_dir).items():
        config = recorded_config(folder, EnsembleConfig)
        data = ensemble_data = ensemble_data or load_ensemble_data(config, data_folder, progress=progress)
        check_run(folder.parent, config, data)
        model, _ = load_model(folder)
        branches = [trainable_part(model.get_layer(f"{name}_branch")) for name in config.modalities]
        inputs = zip(branches, data.inputs.values(), strict=True)
        outputs = np.stack([predict_rows(branch, array) for branch, array in inputs], axis=1)
        rows, y_true = data.rows("test"), data.movies.labels("test")
        sizes = range(1, len(config.modalities) + 1)
        for shown in itertools.chain.from_iterable(itertools.combinations(config.modalities, size) for size in sizes):
            present = data.present & np.isin(config.modalities, shown)
            fused = {"probabilities": outputs, "present": present}
            y_prob = predict_rows(model.get_layer("late_fusion"), fused)[rows]
            subset = {"modalities": "+".join(shown), "num_modalities": len(shown), "seed": seed}
            subset["num_missing"] = int((~present[rows].any(axis=1)).sum())
            lines.append(subset | {"genre": ""} | metrics.values(METRICS.values(), y_true, y_prob))
            by_genre = zip(config.class_names, average_precisions(y_true, y_prob), strict=True)
            lines += [subset | {"genre": genre, "average_precision": score} for genre, score in by_genre]
    columns = ["modalities", "num_modalities", "seed", "genre", *METRICS.values(), "num_missing"]
    return pd.DataFrame(lines, columns=columns)
