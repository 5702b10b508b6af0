"""Fitting a network epoch by epoch, with a checkpoint after each epoch."""

import functools
import math
import time

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from poster_cnn import datasets, models
from poster_cnn.datasets.augmentation import augment
from poster_cnn.files import progress_bar, require_room, write_atomically, write_text
from poster_cnn.metrics import arguments
from poster_cnn.models.backbones import first_unfrozen
from poster_cnn.training import distribution
from poster_cnn.training.build import build_model, compile_network, require_finite, seed_dropout
from poster_cnn.training.callbacks import AveragedWeights, EachEpoch
from poster_cnn.training.features import poster_features
from poster_cnn.training.replicas import epoch_function

_CHECKPOINTS = ("checkpoint.weights.h5", "fine_tuning.weights.h5")  # of the first and the fine-tuning phase
_SECONDS = ".seconds"  # how long an interrupted run has been trained, over all its starts
_BEST = "best_"  # prefix of a phase's checkpoint of the best epoch, with early stopping


def fit(config, data, run_dir, *, strategy=None, callbacks=(), progress=True):
    """Build the network of a config and fit it; continue an interrupted fit in the same folder.

    With `cache_features` and without augmentation, the features of a frozen backbone are computed once
    (`features.poster_features`) and only the head is trained. Then the backbone is unfrozen for `fine_tune_epochs`.

    Args:
        config: `TrainingConfig`.
        data: `TrainingData`.
        run_dir: Folder of `history.csv` and the checkpoints.
        strategy: `tf.distribute.Strategy`; see `distribution.choose_strategy`. With several hosts, each calls this with
            a folder of its own. Defaults to `None`: one device.
        callbacks: List of `keras.callbacks.Callback`; see `train`. Defaults to none.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        Fitted `keras.Model`.

    Raises:
        FloatingPointError: If a loss or a weight becomes NaN or infinite. The epoch before is kept.
    """
    strategy, fit = strategy or tf.distribute.get_strategy(), config.fit
    started = time.monotonic() - training_seconds(run_dir)
    require_possible(fit, strategy, callbacks)
    labels = data.labels("train")
    with strategy.scope():
        model = build_model(config, data.weights, labels)
    if fit.fine_tune_epochs:  # fails now, not after the epochs, for a network without a backbone
        first_unfrozen(model, fit.fine_tune_from, "fine_tune_from")
    batches, network = _poster_batches(fit, data), model
    if fit.caches_features and models.has_frozen_backbone(model):
        features = poster_features(model, data, about={"precision": fit.precision}, progress=progress)
        batches, network = _feature_batches(fit, data, features), models.feature_extractor_and_head(model)[1]
        with strategy.scope():
            compile_network(network, config, fit.learning_rate, labels=labels)
            model.optimizer = network.optimizer  # callbacks see the whole model, whose trainable weights are the head's
    total = fit.epochs + fit.fine_tune_epochs
    events = EachEpoch(list(callbacks), total)
    with progress_bar(total=total, desc=run_dir.name, leave=False, unit="epoch", disable=not progress) as bar:
        options = {"config": config, "strategy": strategy, "events": events, "bar": bar, "started": started}
        first, second = (run_dir / name for name in _CHECKPOINTS)
        if not distribution.chief_says(strategy, second.is_file()):
            _fit_phase(network, model, range(fit.first_epoch, fit.epochs), batches, first, **options)
        if fit.fine_tune_epochs:
            with strategy.scope():
                compiled = {"epochs": fit.fine_tune_epochs, "labels": labels}
                unfrozen = models.unfreeze(model, fit.fine_tune_from)
                compile_network(unfrozen, config, fit.fine_tune_learning_rate, **compiled)
            epochs, batches = range(fit.epochs, total), _poster_batches(fit, data)
            _fit_phase(model, model, epochs, batches, second, **options)
    events.end()
    return model


def require_possible(fit, strategy, callbacks):
    """Reject what a `FitConfig` asks for and cannot be done on several devices or hosts."""
    if strategy.num_replicas_in_sync == 1:
        return
    if fit.ema_momentum:
        arguments.refuse("ema_momentum", "None with several devices, whose weights are not averaged", fit.ema_momentum)
    if callbacks:
        arguments.refuse("callbacks", "empty with several devices, which do not call them", list(callbacks))
    if fit.early_stopping and distribution.has_several_hosts(strategy):
        arguments.refuse("early_stopping", "None with several hosts", fit.early_stopping)


def training_seconds(run_dir):
    """Return how many seconds an unfinished run was trained for, over all its starts, until its last epoch."""
    if not any((run_dir / name).is_file() for name in _CHECKPOINTS):
        return 0.0  # not begun, or its checkpoint was removed to begin again
    try:
        return float((run_dir / _SECONDS).read_text())
    except (OSError, ValueError):  # begun by an older version
        return 0.0


def remove_checkpoints(run_dir):
    """Remove the files that only an interrupted fit needs."""
    (run_dir / _SECONDS).unlink(missing_ok=True)
    for name in _CHECKPOINTS:
        (run_dir / name).unlink(missing_ok=True)
        (run_dir / f"{_BEST}{name}").unlink(missing_ok=True)


def _poster_batches(fit, data):
    """Return a function from an epoch to its shuffled batches, the validation batches, and the steps per epoch."""

    def train(epoch):
        decoded = data.decoded("train")
        batches = datasets.epoch_batches(decoded, len(decoded), fit.batch_size, fit.seed, epoch)
        return _with_labels(augment(batches, fit.augmentation, fit.seed, epoch), fit)

    validation = datasets.as_batches(data.decoded(data.validation_part), fit.batch_size)
    return train, _validation(validation, fit), math.ceil(data.count("train") / fit.batch_size)


def _feature_batches(fit, data, features):
    """Do the same as `_poster_batches` with the features of the same posters, in the same order."""
    held_out = data.validation_part
    rows = {part: np.flatnonzero(data.split == part) for part in ("train", held_out)}

    def train(epoch):
        seed = datasets.epoch_seed(fit.seed, epoch)
        return _with_labels(features.batches(rows["train"], data.labels("train"), fit.batch_size, seed), fit)

    validation = features.batches(rows[held_out], data.labels(held_out), fit.batch_size)
    return train, _validation(validation, fit), math.ceil(len(rows["train"]) / fit.batch_size)


def _validation(batches, fit):
    return _with_labels(batches if fit.validation_steps is None else batches.take(fit.validation_steps), fit)


def _with_labels(batches, fit):
    if not fit.is_sparse:
        return batches
    return datasets.with_options(batches.map(lambda inputs, labels: (inputs, tf.argmax(labels, axis=-1))))


def _fit_phase(network, model, epochs, batches, checkpoint, *, config, strategy, events, bar, started):
    """Fit the remaining epochs of one phase. `network` is `model` or its head."""
    train, validation, steps = batches
    with strategy.scope():
        network.optimizer.build(network.trainable_variables)
    # A host other than the chief may be new, or have lost its disk.
    is_new = distribution.worker_number(strategy) and not (checkpoint.parent / "history.csv").is_file()
    first_epoch, history = (epochs.start, []) if is_new else _restore(network, checkpoint, epochs.start, steps)
    if distribution.has_several_hosts(strategy):
        first_epoch = _follow_chief(network, strategy, first_epoch)
    one_device = strategy.num_replicas_in_sync == 1
    run_epoch = functools.partial(_run_epoch, network, events) if one_device else _on_devices(network, strategy, config)
    bar.update(first_epoch - bar.n)
    model.stop_training = False
    events.begin(model, steps)
    for epoch in range(first_epoch, epochs.stop):
        if _epochs_since_best(history, epochs.start, config.fit) >= config.fit.patience:
            break
        seed_dropout(model, config.fit.seed, epoch)
        row = {"epoch": epoch} | run_epoch(epoch, train(epoch), validation)
        if config.fit.fine_tune_epochs:
            row["trainable_backbone"] = epoch >= config.fit.epochs
        rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
        require_finite(row, checkpoint.parent, rate, network.weights)
        history.append(row)
        if config.fit.early_stopping and not _epochs_since_best(history, epochs.start, config.fit):
            _save_weights(network, checkpoint.with_name(_BEST + checkpoint.name))
        _save_epoch(network, history, checkpoint)
        write_text(checkpoint.with_name(_SECONDS), f"{time.monotonic() - started:.1f}")
        bar.update()
        bar.set_postfix(loss=f"{row['loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}")
        if model.stop_training:  # a callback asked for it
            break
    if config.fit.early_stopping:
        network.load_weights(checkpoint.with_name(_BEST + checkpoint.name))
    network.optimizer.finalize_variable_values(network.trainable_variables)  # averaged weights, if it averages


def _epochs_since_best(history, first_epoch, fit):
    """Return the number of epochs of a phase after the best one, or -1 without early stopping."""
    values = [row[fit.early_stopping] for row in history if fit.early_stopping and row["epoch"] >= first_epoch]
    if not values:
        return -1
    return len(values) - 1 - int(np.argmin(values) if fit.stops_at_minimum else np.argmax(values))


def _on_devices(network, strategy, config):
    run_epoch = epoch_function(network, strategy, config)
    return lambda epoch, train, validation: run_epoch(train, validation)


def _run_epoch(network, events, epoch, train, validation):
    """Train and validate for one epoch on one device."""
    callbacks = [AveragedWeights()] if network.optimizer.use_ema else []
    history = network.fit(
        train,
        validation_data=validation,
        initial_epoch=epoch,
        epochs=epoch + 1,
        shuffle=False,
        callbacks=[keras.callbacks.TerminateOnNaN(), events, *callbacks],
        verbose=0,
    ).history
    for averaging in callbacks:
        averaging.restore()
    return {name: values[-1] for name, values in history.items()}


def _follow_chief(network, strategy, epoch):
    """Take over the chief's epoch and weights, as this worker's may be older."""
    variables = [*network.variables, *network.optimizer.variables]
    for variable, value in zip(variables, distribution.from_chief(strategy, variables), strict=True):
        variable.assign(value)
    return distribution.chief_says(strategy, epoch)


def _save_epoch(network, history, checkpoint):
    # The history is written first. After a kill between the two, it has an extra row, which `_restore` drops.
    with write_atomically(checkpoint.parent / "history.csv") as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)
    _save_weights(network, checkpoint)


def _save_weights(network, checkpoint):
    variables = [*network.variables, *network.optimizer.variables]
    size = sum(4 * math.prod(variable.shape) + 8192 for variable in variables)
    require_room(checkpoint, size)  # HDF5 crashes on a full disk
    with write_atomically(checkpoint) as temporary:
        network.save_weights(temporary)


def _restore(network, checkpoint, first_epoch, steps):
    """Load weights and optimizer of the last finished epoch, whose number follows from the optimizer's steps."""
    epoch, path = first_epoch, checkpoint.parent / "history.csv"
    if checkpoint.is_file():
        try:
            network.load_weights(checkpoint)
        except (OSError, KeyError, RuntimeError, ValueError) as error:  # raised by HDF5 for damaged files
            why, phase = str(error).partition("\n")[0], "fine-tuning" if first_epoch else "run"
            text = f"{checkpoint} cannot be read ({why}). Remove it to start the {phase} from its beginning."
            raise OSError(text) from error
        epoch += int(keras.ops.convert_to_numpy(network.optimizer.iterations)) // steps
    history = pd.read_csv(path, float_precision="round_trip").to_dict("records") if epoch and path.is_file() else []
    for row in history:
        row["epoch"] = int(row["epoch"])
    return epoch, [row for row in history if row["epoch"] < epoch]
