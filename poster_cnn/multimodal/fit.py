"""Building and fitting the branches and the fusion of paper 5's ensemble."""

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from poster_cnn import models
from poster_cnn.datasets.arrays import DenseBatches
from poster_cnn.models import losses
from poster_cnn.models.backbones import FEATURES
from poster_cnn.training.arrays import fit_batches

NUM_FOLDS = 5  # of the validation movies, when the fusion is trained on them


def build_branch(modality, config, data):
    """Build the branch of one modality.

    Args:
        modality: "poster": raw pixels, 0–255, `(batch, height, width, 3)`; "trailer": features of frames
            `(batch, frames, num_features)`; "metadata": one-hot columns; "plot": vectors of plots.
        config: `EnsembleConfig`.
        data: `EnsembleData`.

    Returns:
        Uncompiled `keras.Model`. Training uses `trainable_part(model)`.
    """
    width, num_classes = data.inputs[modality].shape[1], len(config.data.class_names)
    options = {"dropout": config.dropout.get(modality, 0), "name": f"{modality}_branch"}
    builder = getattr(models, f"{modality}_branch")
    if modality == "trailer":
        return builder((None, width), num_classes, **options)
    head = builder(width, num_classes, **options)
    if modality != "poster":
        return head
    x = data.extractor.output
    for layer in head.layers[1:]:
        x = layer(x)
    return keras.Model(data.extractor.input, x, name=head.name)


def trainable_part(branch):
    """Return the part of a branch after its frozen features, or all of it; the weights are shared."""
    has_features = any(layer.name == FEATURES for layer in branch.layers)
    return models.feature_extractor_and_head(branch)[1] if has_features else branch


def predict_rows(network, inputs, batch_size=512):
    """Predict probabilities from inputs such as those of `EnsembleData`.

    Args:
        network: `keras.Model`.
        inputs: Array, sparse matrix, or dict of them, with one row per movie.
        batch_size: Defaults to 512.

    Returns:
        float32 array `(num_movies, num_classes)`.
    """
    return network.predict(DenseBatches(inputs, batch_size=batch_size), verbose=0)


def fit_branch(branch, modality, config, data):
    """Fit a branch to the training movies that have its modality, with early stopping on the validation loss.

    Args:
        branch: Model from `build_branch`.
        modality: As in `build_branch`.
        config: `EnsembleConfig`.
        data: `EnsembleData`.

    Returns:
        DataFrame with one row per epoch: `epoch` (from 0), `loss`, `val_loss`.
    """
    rows = data.rows("train", modality), data.rows("validation", modality)
    return _fit(trainable_part(branch), data.inputs[modality], *rows, config, data)


def build_fusion(config, data):
    """Build the untrained fusion: the mean of the logits of the present branches, or random on probabilities.

    The prior is the output of an uninformative branch: 0.5 for each genre with `config.weighted`, else the frequencies
    of the genres in training.
    """
    prior = None if config.weighted else data.movies.labels("train").mean(axis=0)
    num_classes, num_branches = len(config.data.class_names), len(config.inputs.modalities)
    return models.late_fusion(num_classes, num_branches, on=config.fusion, prior=prior)


def fit_fusion(fusion, opinions, config, data):
    """Fit the fusion to the branches' predictions for training or validation movies (`config.fusion_rows`).

    For validation movies, each fifth is held out in turn for early stopping, and the weights of the five fusions are
    averaged, which averages their logits.

    Args:
        fusion: Model from `build_fusion`.
        opinions: Probabilities of all movies from each branch, `(num_movies, num_branches, num_classes)`.
        config: `EnsembleConfig`.
        data: `EnsembleData`.

    Returns:
        `(history, held_out)`: DataFrame as from `fit_branch`, with a column `fold` if there are folds; and
        probabilities of the validation movies, each from a fusion that was not trained on it, or `None` if none was
        trained on validation movies.
    """
    inputs = {"probabilities": opinions, "present": data.present}
    train, validation = data.rows("train"), data.rows("validation")
    if config.fusion_rows == "train":
        return _fit(fusion, inputs, train, validation, config, data), None
    if config.fusion_rows == "none":
        compiled = _compiled(fusion, config, data)
        loss = [compiled.evaluate(_batches(inputs, rows, config, data), verbose=0) for rows in (train, validation)]
        return pd.DataFrame({"epoch": [0], "loss": loss[:1], "val_loss": loss[1:]}), None
    start, weights, histories = fusion.get_weights(), [], []
    held_out = np.zeros((len(validation), len(config.data.class_names)), dtype="float32")
    folds = KFold(NUM_FOLDS, shuffle=True, random_state=config.seed).split(validation)
    for fold, (learned, others) in enumerate(folds):
        fusion.set_weights(start)
        history = _fit(fusion, inputs, validation[learned], validation[others], config, data)
        histories.append(history.assign(fold=fold))
        weights.append(fusion.get_weights())
        held_out[others] = predict_rows(fusion, {name: array[validation[others]] for name, array in inputs.items()})
    fusion.set_weights([np.mean(of_folds, axis=0) for of_folds in zip(*weights, strict=True)])
    return pd.concat(histories, ignore_index=True), held_out


def fit_end_to_end(branches, fusion, config, data):
    """Fit all branches and the fusion together on the training movies, a variant that the paper rejected.

    Args:
        branches: Dict of modality -> model from `build_branch`.
        fusion: Model from `build_fusion`.
        config: `EnsembleConfig`.
        data: `EnsembleData`.

    Returns:
        `(history, y_prob)`: DataFrame as from `fit_branch`, and probabilities of all movies
        `(num_movies, num_classes)`.
    """
    network = models.multimodal({name: trainable_part(branch) for name, branch in branches.items()}, fusion)
    inputs = data.inputs | {"present": data.present}
    history = _fit(network, inputs, data.rows("train"), data.rows("validation"), config, data)
    return history, predict_rows(network, inputs)


def hide_some(present, share, rng):
    """Hide a share of the present modalities at random, keeping at least one of each movie.

    Args:
        present: bool array `(num_movies, num_modalities)`.
        share: Share to hide, 0 … 1.
        rng: `numpy.random.Generator`.

    Returns:
        bool array like `present`.
    """
    kept = present & (rng.random(present.shape) >= share)
    spared = np.where(present, rng.random(present.shape), -1).argmax(axis=1)
    lost = np.flatnonzero(~kept.any(axis=1) & present.any(axis=1))
    kept[lost, spared[lost]] = True
    return kept


class _HidingBatches(DenseBatches):
    """Batches with some of the present modalities hidden, different ones in each epoch."""

    def __init__(self, inputs, labels, *, share, seed, **options):
        self._present, self._share = inputs["present"], share
        super().__init__(inputs, labels, seed=seed, **options)

    def _shuffle(self):
        super()._shuffle()
        rng = np.random.default_rng([self._seed, self._epoch, 1])
        self._inputs = self._inputs | {"present": hide_some(self._present, self._share, rng)}


def _batches(inputs, rows, config, data, kind=DenseBatches, **options):
    return kind(inputs, data.movies.all_labels, batch_size=config.batch_size, rows=rows, **options)


def _compiled(network, config, data):
    """Return a compiled network of the same layers, so that the network itself is saved without its loss."""
    compiled = keras.Model(network.input, network.output, name=network.name)
    loss = "binary_crossentropy"
    if config.weighted:
        weights = losses.positive_weights(data.movies.labels("train"), config.data.class_names)
        loss = losses.WeightedBinaryCrossentropy(weights)
    compiled.compile(keras.optimizers.Adam(config.learning_rate), loss)
    return compiled


def _fit(network, inputs, rows, held_out, config, data):
    options = {"seed": config.seed}
    if config.hidden_share and isinstance(inputs, dict):
        options |= {"kind": _HidingBatches, "share": config.hidden_share}
    batches, validation = _batches(inputs, rows, config, data, **options), _batches(inputs, held_out, config, data)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=config.patience, restore_best_weights=True)
    return fit_batches(_compiled(network, config, data), batches, validation, config, [stop], network.name)
