"""Training on NumPy arrays with `keras.Model.fit`, on TensorFlow, JAX or PyTorch."""

import keras
import numpy as np
import pandas as pd
from tqdm.keras import TqdmCallback

from poster_cnn.datasets.arrays import DenseBatches
from poster_cnn.files import progress_bar
from poster_cnn.metrics import arguments
from poster_cnn.training.build import build_model, require_finite, seed_dropout
from poster_cnn.training.callbacks import AveragedWeights, callback_list
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.process_state import unchanged_process


def _pair(name, value):
    pair = arguments.sequence(name, value, "a tuple (images, labels)")
    if len(pair) != 2:
        arguments.refuse(name, "a tuple (images, labels)", value)
    return arguments.numeric(name, pair[0]), arguments.numeric(name, pair[1])


@arguments.checked(
    config=arguments.instance(TrainingConfig),
    images=arguments.numeric,
    labels=arguments.numeric,
    validation=arguments.optional(_pair),
    callbacks=callback_list,
)
@unchanged_process()
def fit_arrays(config, images, labels, validation=None, *, callbacks=(), progress=True):
    """Build the network of a config and fit it to arrays, on the backend named by `KERAS_BACKEND`.

    The config's choice of movies is not used. Nothing is written, and an interrupted fit starts anew; see
    `poster_cnn.train` for run folders.

    Args:
        config: `TrainingConfig`.
        images: uint8 or float32 array `(num_movies, height, width, 3)`, 0–255, such as from
            `datasets.arrays.poster_arrays`. Only batches are converted to float32.
        labels: Zeros and ones `(num_movies, num_classes)`.
        validation: Tuple `(images, labels)` that is evaluated after each epoch. Defaults to `None`.
        callbacks: Further `keras.callbacks.Callback`. Defaults to none.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `(model, history)`: the fitted `keras.Model`, and a DataFrame with one row per epoch: `epoch` (from 0), `loss`,
        `accuracy` and, with `validation`, `val_loss`, `val_accuracy`. On CPUs, the same config and arrays give the same
        bits on the same backend.

    Raises:
        ValueError: If the shapes of the arrays do not match the config, if it asks for fine-tuning or augmentation, or
            if a row of labels has no genre with softmax.
        FloatingPointError: If a loss or a weight becomes NaN or infinite.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), ratio=30, epochs=10)
    >>> model, history = fit_arrays(config, images, labels)
    """
    _require_possible(config.fit, validation)
    seed, name = config.fit.seed, config.network.model
    train = _batches(config, images, labels, seed)
    held_out = None if validation is None else _batches(config, *validation, None)
    keras.utils.set_random_seed(seed)
    model = build_model(config, labels=labels)
    seeding = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: seed_dropout(model, seed, epoch))
    bar = TqdmCallback(verbose=0, desc=name, leave=False, disable=not progress, tqdm_class=progress_bar)
    callbacks = [seeding, *callbacks, *_own_callbacks(config.fit)]
    steps = config.fit.validation_steps
    return model, fit_batches(model, train, held_out, config.fit, [*callbacks, bar], name, steps)


def _require_possible(fit, validation):
    for name, expected in (("first_epoch", 0), ("fine_tune_epochs", 0), ("augmentation", "none")):
        if getattr(fit, name) != expected:
            arguments.refuse(name, f"{expected!r} for arrays", getattr(fit, name))
    if fit.early_stopping and fit.ema_momentum:
        arguments.refuse("early_stopping", "None with `ema_momentum` for arrays", fit.early_stopping)
    if fit.early_stopping and fit.early_stopping.startswith("val_") and validation is None:
        arguments.refuse("validation", f"(images, labels) with early_stopping={fit.early_stopping!r}", validation)


def _own_callbacks(fit):
    own = [AveragedWeights()] if fit.ema_momentum else []
    if fit.early_stopping:
        mode = "min" if fit.stops_at_minimum else "max"
        options = {"patience": fit.patience, "mode": mode, "restore_best_weights": True}
        own.append(keras.callbacks.EarlyStopping(fit.early_stopping, **options))
    return own


def fit_batches(model, train, validation, fit, callbacks, name, validation_steps=None):
    """Fit a compiled model to batches that shuffle themselves.

    Args:
        model: Compiled `keras.Model`.
        train: `DenseBatches`.
        validation: `DenseBatches`, or `None`.
        fit: Config with `epochs` and `learning_rate`.
        callbacks: List of `keras.callbacks.Callback`.
        name: What is trained, for error messages.
        validation_steps: Number of validation batches. Defaults to `None`: all.

    Returns:
        DataFrame with one row per epoch: `epoch` (from 0), `loss`, and the compiled metrics.

    Raises:
        FloatingPointError: If a loss or a weight becomes NaN or infinite.
    """
    finite = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: require_finite({"epoch": epoch} | logs, name, fit.learning_rate, model.weights)
    )
    history = model.fit(
        train,
        validation_data=validation,
        validation_steps=validation_steps,
        epochs=fit.epochs,
        shuffle=False,
        callbacks=[finite, *callbacks],
        verbose=0,
    )
    return pd.DataFrame({"epoch": history.epoch} | history.history)


def _batches(config, images, labels, seed):
    expected = (*config.data.image_size, 3), (len(config.data.class_names),)
    if (images.shape[1:], labels.shape[1:]) != expected:
        raise ValueError(
            f"`images` and `labels` must have the shapes (num_movies, *{expected[0]}) and (num_movies, "
            f"*{expected[1]}), as the config's image_size and class_names. Received: shapes {images.shape} and "
            f"{labels.shape}"
        )
    if not len(images):
        raise ValueError(f"`images` must hold at least one poster. Received: shape {images.shape}")
    if not ((labels >= 0) & (labels <= 1)).all():
        arguments.refuse("labels", "zeros and ones", sorted(set(np.unique(labels)[-3:].tolist())))
    if images.dtype.kind == "f" and 0 < images[:32].max() <= 1:
        arguments.refuse("images", "pixels from 0 to 255, as the network scales them", f"at most {images[:32].max():g}")
    without = int((~np.asarray(labels).any(axis=1)).sum())
    if without and config.network.classifier_activation == "softmax":
        raise ValueError(
            "`labels` must have at least one genre in each row with softmax, which predicts a genre for each movie. "
            f"Received: {without} rows without a genre of {len(labels)}"
        )
    if config.fit.is_sparse:
        labels = np.argmax(labels, axis=-1)
    return DenseBatches(images, labels, batch_size=config.fit.batch_size, seed=seed)
