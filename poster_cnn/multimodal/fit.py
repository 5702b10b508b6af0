"""Ensemble config -> branches and fusion of paper 5, built and fitted with early stopping."""

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from poster_cnn import models
from poster_cnn.datasets.arrays import DenseBatches
from poster_cnn.models import losses
from poster_cnn.models.backbones import FEATURES
from poster_cnn.training.build import require_finite

_NUM_FOLDS = 5  # of the validation movies, where the fusion is trained on them


def build_branch(modality, config, data):
    """Builds the branch of one modality: a network from what is known of a movie to its genres.

    Args:
        modality: "poster": raw pixels, 0–255, `(batch, height, width, 3)`; "trailer": features of frames
            `(batch, frames, num_features)`; "metadata": one-hot columns; "plot": mean word vectors.
        config: `EnsembleConfig`.
        data: `EnsembleData`.

    Returns:
        An uncompiled `keras.Model`; what is trained of it is `trainable_part(model)`.
    """
    width, num_classes = data.inputs[modality].shape[1], len(config.class_names)
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
    """What is trained of a branch: all of it, or what comes after frozen features; it shares the branch's weights."""
    has_features = any(layer.name == FEATURES for layer in branch.layers)
    return models.feature_extractor_and_head(branch)[1] if has_features else branch


def predict_rows(network, inputs, batch_size=512):
    """Probabilities of all movies `(num_movies, num_classes)`, from inputs as those of `EnsembleData`."""
    return network.predict(DenseBatches(inputs, batch_size=batch_size), verbose=0)


def fit_branch(branch, modality, config, data):
    """Trains a branch on the train movies that have its modality, until the validation loss stops falling.

    Args:
        branch: Model of `build_branch`.
        modality, config, data: As in `build_branch`.

    Returns:
        DataFrame, a row an epoch: `epoch` (from 0), `loss`, `val_loss`.
    """
    rows = data.rows("train", modality), data.rows("validation", modality)
    return _fit(trainable_part(branch), data.inputs[modality], *rows, config, data)


def build_fusion(config, data):
    """The untrained fusion: the mean of the logits of the present branches, or random with `fusion="probabilities"`.

    Its prior is what a branch that knows nothing says: with `config.weighted` 0.5 for each genre, else the genres'
    frequencies in training.
    """
    prior = None if config.weighted else data.movies.labels("train").mean(axis=0)
    return models.late_fusion(len(config.class_names), len(config.modalities), on=config.fusion, prior=prior)


def fit_fusion(fusion, opinions, config, data):
    """Trains the fusion on what the branches say of train or of validation movies, as `config.fusion_rows` has it.

    Of validation movies, fifths are held out in turn to stop the training early, and the fusion's weights are the mean
    of the five, which is the mean of their logits.

    Args:
        fusion: Model of `build_fusion`.
        opinions: Probabilities of all movies by each branch `(num_movies, num_branches, num_classes)`.
        config, data: As in `build_branch`.

    Returns:
        `(history, held_out)`: DataFrame as of `fit_branch`, with a column `fold` if there are any; probabilities of the
        validation movies, each from the fusion that did not learn it, or `None` where no validation movie was learned.
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
    held_out = np.zeros((len(validation), len(config.class_names)), dtype="float32")
    folds = KFold(_NUM_FOLDS, shuffle=True, random_state=config.seed).split(validation)
    for fold, (learned, others) in enumerate(folds):
        fusion.set_weights(start)
        history = _fit(fusion, inputs, validation[learned], validation[others], config, data)
        histories.append(history.assign(fold=fold))
        weights.append(fusion.get_weights())
        held_out[others] = predict_rows(fusion, {name: array[validation[others]] for name, array in inputs.items()})
    fusion.set_weights([np.mean(of_folds, axis=0) for of_folds in zip(*weights, strict=True)])
    return pd.concat(histories, ignore_index=True), held_out


def fit_end_to_end(branches, fusion, config, data):
    """Trains all branches and the fusion at once, on the train movies; the variant that the paper did not choose.

    Args:
        branches: Dict of modality -> model of `build_branch`.
        fusion, config, data: As in `fit_fusion`.

    Returns:
        `(history, y_prob)`: DataFrame as of `fit_branch`; probabilities of all movies `(num_movies, num_classes)`.
    """
    network = models.multimodal({name: trainable_part(branch) for name, branch in branches.items()}, fusion)
    inputs = data.inputs | {"present": data.present}
    history = _fit(network, inputs, data.rows("train"), data.rows("validation"), config, data)
    return history, predict_rows(network, inputs)


def hide_some(present, share, rng):
    """Hides so large a share of what is present, at random, but of each movie one modality at least stays.

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
    """Batches with some of the present modalities hidden, others in each epoch."""

    def __init__(self, inputs, labels, *, share, seed, **options):
        self._present, self._share = inputs["present"], share
        super().__init__(inputs, labels, seed=seed, **options)

    def _shuffle(self):
        super()._shuffle()
        rng = np.random.default_rng([self._seed, self._epoch, 1])
        self._inputs = self._inputs | {"present": hide_some(self._present, self._share, rng)}


def _batches(inputs, rows, config, data, **options):
    return DenseBatches(inputs, data.movies.all_labels, batch_size=config.batch_size, rows=rows, **options)


def _compiled(network, config, data):
    """A compiled network of the same layers; compiled itself, the network would be saved with its loss in the whole."""
    compiled = keras.Model(network.input, network.output, name=network.name)
    loss = "binary_crossentropy"
    if config.weighted:
        weights = losses.positive_weights(data.movies.labels("train"), config.class_names)
        loss = losses.WeightedBinaryCrossentropy(weights)
    compiled.compile(keras.optimizers.Adam(config.learning_rate), loss)
    return compiled


def _fit(network, inputs, rows, held_out, config, data):
    if config.hidden_share and isinstance(inputs, dict):
        options = {"batch_size": config.batch_size, "rows": rows}
        labels, share = data.movies.all_labels, config.hidden_share
        batches = _HidingBatches(inputs, labels, share=share, seed=config.seed, **options)
    else:
        batches = _batches(inputs, rows, config, data, seed=config.seed)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=config.patience, restore_best_weights=True)
    compiled = _compiled(network, config, data)
    history = compiled.fit(
        batches,
        validation_data=_batches(inputs, held_out, config, data),
        epochs=config.epochs,
        shuffle=False,  # the batches are shuffled already
        callbacks=[stop, keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history
    frame = pd.DataFrame(history).rename_axis("epoch").reset_index()
    for row in frame.to_dict("records"):
        require_finite(row, network.name, config.learning_rate)
    return frame
