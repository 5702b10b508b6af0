"""Config -> fitted model, epoch by epoch; after each epoch, all that a restart needs is on disk."""

import functools
import logging
import math

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm.auto import tqdm

from poster_cnn import datasets, models
from poster_cnn.datasets.poster_cache import with_options
from poster_cnn.files import require_room, write_atomically
from poster_cnn.training import distribution
from poster_cnn.training.build import build_model, compile_network, require_finite, seed_dropout
from poster_cnn.training.features import poster_features
from poster_cnn.training.replicas import epoch_function

# Every network is traced once; TensorFlow counts all networks of a process together, and warns of "retracing".
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

_CHECKPOINTS = ("checkpoint.weights.h5", "fine_tuning.weights.h5")  # one a phase: frozen or from scratch, then unfrozen


def fit(config, data, run_dir, *, strategy=None, progress=True):
    """Builds the network of a config and fits it; goes on where an interrupted fit in the same folder stopped.

    A frozen backbone looks at each poster once (`features.poster_features`), and only the head is trained, unless
    `config.cache_features` is false. Then, for `config.fine_tune_epochs`, the backbone is unfrozen.

    Args:
        config: `TrainingConfig`.
        data: `TrainingData`.
        run_dir: Folder of `history.csv` and checkpoints.
        strategy: `tf.distribute.Strategy`; see `distribution.choose_strategy`. With several hosts each calls this, with
            a folder of its own. Defaults to `None`: one device.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `keras.Model`, fitted.

    Raises:
        FloatingPointError: If a loss becomes NaN or infinite.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = build_model(config, data.weights)
    if config.fine_tune_epochs:
        models.feature_extractor_and_head(model)  # a network without backbone is an error now, not after the epochs
    batches, network = _poster_batches(config, data), model
    if config.cache_features and models.has_frozen_backbone(model):
        about = {"precision": config.precision}
        features = poster_features(model, data, about=about, progress=progress)
        batches, network = _feature_batches(config, data, features), models.feature_extractor_and_head(model)[1]
        with strategy.scope():
            compile_network(network, config, config.learning_rate)
    total = config.epochs + config.fine_tune_epochs
    with tqdm(total=total, desc=run_dir.name, leave=False, unit="epoch", disable=not progress) as bar:
        first, second = (run_dir / name for name in _CHECKPOINTS)
        if not distribution.chief_says(strategy, second.is_file()):
            _fit_phase(network, model, range(config.epochs), batches, config, first, strategy, bar)
        if config.fine_tune_epochs:
            with strategy.scope():
                compile_network(models.unfreeze(model), config, config.fine_tune_learning_rate)
            epochs, batches = range(config.epochs, total), _poster_batches(config, data)
            _fit_phase(model, model, epochs, batches, config, second, strategy, bar)
    return model


def remove_checkpoints(run_dir):
    """Removes what only an interrupted fit needs."""
    for name in _CHECKPOINTS:
        (run_dir / name).unlink(missing_ok=True)


def _sparse(config):
    return config.loss.startswith("sparse_")


def _poster_batches(config, data):
    """Function that gives the shuffled training batches of an epoch, validation batches, training steps an epoch."""

    def train(epoch):
        seed_and_epoch = (config.seed, epoch)
        batches = datasets.epoch_batches(data.decoded("train"), data.count("train"), config.batch_size, *seed_and_epoch)
        return _with_labels(batches, config)

    validation = datasets.as_batches(data.decoded(data.validation_part), config.batch_size)
    return train, _validation(validation, config), math.ceil(data.count("train") / config.batch_size)


def _feature_batches(config, data, features):
    """As `_poster_batches`: the features of the same posters in the same order."""
    held_out = data.validation_part
    rows = {part: np.flatnonzero(data.split == part) for part in ("train", held_out)}

    def train(epoch):
        seed = datasets.epoch_seed(config.seed, epoch)
        batches = features.batches(rows["train"], data.labels("train"), config.batch_size, seed)
        return _with_labels(batches, config)

    validation = features.batches(rows[held_out], data.labels(held_out), config.batch_size)
    return train, _validation(validation, config), math.ceil(len(rows["train"]) / config.batch_size)


def _validation(batches, config):
    return _with_labels(batches if config.validation_steps is None else batches.take(config.validation_steps), config)


def _with_labels(batches, config):
    """Labels as the loss wants them: the number of the first genre for a sparse one."""
    if not _sparse(config):
        return batches
    return with_options(batches.map(lambda inputs, labels: (inputs, tf.argmax(labels, axis=-1))))


def _fit_phase(network, model, epochs, batches, config, checkpoint, strategy, bar):
    """Fits the epochs of one phase that are not done yet. `network` is `model`, or the head of it."""
    train, validation, steps = batches
    with strategy.scope():
        network.optimizer.build(network.trainable_variables)
    # Another host than the chief may be new, or have lost its disk.
    is_new = distribution.worker_number(strategy) and not (checkpoint.parent / "history.csv").is_file()
    first_epoch, history = (epochs.start, []) if is_new else _restore(network, checkpoint, epochs.start, steps)
    if distribution.has_several_hosts(strategy):
        first_epoch = _follow_chief(network, strategy, first_epoch)
    one_device = strategy.num_replicas_in_sync == 1
    run_epoch = functools.partial(_run_epoch, network) if one_device else epoch_function(network, strategy, config)
    bar.update(first_epoch - bar.n)
    for epoch in range(first_epoch, epochs.stop):
        seed_dropout(model, config.seed, epoch)
        row = {"epoch": epoch} | run_epoch(train(epoch), validation)
        if config.fine_tune_epochs:
            row["trainable_backbone"] = epoch >= config.epochs
        rate = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
        require_finite(row, checkpoint.parent, rate)
        history.append(row)
        _save_epoch(network, history, checkpoint)
        bar.update()
        bar.set_postfix(loss=f"{row['loss']:.3f}", val_accuracy=f"{row['val_accuracy']:.3f}")


def _run_epoch(network, train, validation):
    """Trains and validates for an epoch on one device."""
    history = network.fit(
        train,
        validation_data=validation,
        shuffle=False,  # the dataset is shuffled already
        callbacks=[keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history
    return {name: values[-1] for name, values in history.items()}


def _follow_chief(network, strategy, epoch):
    """Takes the chief's epoch and weights: this worker's may be older ones, or of another start."""
    variables = [*network.variables, *network.optimizer.variables]
    for variable, value in zip(variables, distribution.from_chief(strategy, variables), strict=True):
        variable.assign(value)
    return distribution.chief_says(strategy, epoch)


def _save_epoch(network, history, checkpoint):
    # The history goes first: after a kill between the two, it has a row too many, which `_restore` cuts off.
    with write_atomically(checkpoint.parent / "history.csv") as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)
    variables = [*network.variables, *network.optimizer.variables]
    require_room(checkpoint, sum(4 * math.prod(variable.shape) + 8192 for variable in variables))  # or HDF5 crashes
    with write_atomically(checkpoint) as temporary:
        network.save_weights(temporary)


def _restore(network, checkpoint, first_epoch, steps):
    """Loads weights and optimizer of the last finished epoch; its number is the optimizer's step count."""
    epoch, path = first_epoch, checkpoint.parent / "history.csv"
    if checkpoint.is_file():
        try:
            network.load_weights(checkpoint)
        except (OSError, KeyError, RuntimeError, ValueError) as error:  # each is one way of HDF5 to say: damaged
            why, phase = str(error).partition("\n")[0], "fine-tuning" if first_epoch else "run"
            text = f"{checkpoint} cannot be read ({why}). Remove it to start the {phase} from its beginning."
            raise OSError(text) from error
        epoch += int(keras.ops.convert_to_numpy(network.optimizer.iterations)) // steps
    history = pd.read_csv(path, float_precision="round_trip").to_dict("records")[:epoch] if epoch else []
    for row in history:
        row["epoch"] = int(row["epoch"])
    return epoch, history
