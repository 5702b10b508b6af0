"""Config + NumPy arrays -> fitted model, on any Keras backend: TensorFlow, JAX or PyTorch."""

import keras
import numpy as np
import pandas as pd
from tqdm.keras import TqdmCallback

from poster_cnn.datasets.arrays import DenseBatches
from poster_cnn.training.build import build_model, require_finite, seed_dropout


def fit_arrays(config, images, labels, validation=None, *, callbacks=(), progress=True):
    """Builds the network of a config and fits it to arrays in memory, on the backend that `KERAS_BACKEND` names.

    What the config says of the network and its training counts; which movies it asks for does not. Nothing is written,
    and an interrupted fit starts anew: see `training.train` for run folders.

    Args:
        config: `TrainingConfig`.
        images: uint8 or float32 array `(num_movies, height, width, 3)`, 0..255, such as `poster_arrays.poster_arrays`
            gives it. Batches alone become float32.
        labels: Zeros and ones `(num_movies, num_classes)`.
        validation: `(images, labels)` that are looked at after each epoch. Defaults to `None`.
        callbacks: Further `keras.callbacks.Callback`. Defaults to none.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `(model, history)`: the fitted `keras.Model`, and a DataFrame with a row an epoch: `epoch` (from 0), `loss`,
        `accuracy`, and with `validation` `val_loss`, `val_accuracy`. On CPUs, the same config and arrays give the same
        bits again on the same backend.

    Raises:
        ValueError: If the arrays do not fit the config, or it asks for fine-tuning.
        FloatingPointError: If a loss becomes NaN or infinite.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), ratio=30, epochs=10)
    >>> model, history = fit_arrays(config, images, labels)
    """
    if config.fine_tune_epochs:
        raise ValueError(
            f"Arrays are trained in one phase. Expected fine_tune_epochs=0. Received: {config.fine_tune_epochs}"
        )
    train = _batches(config, images, labels, config.seed)
    held_out = None if validation is None else _batches(config, *validation, None)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config)
    seeding = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: seed_dropout(model, config.seed, epoch))
    finite = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: require_finite({"epoch": epoch} | logs, config.model, config.learning_rate)
    )
    bar = TqdmCallback(verbose=0, desc=config.model, leave=False, disable=not progress)
    history = model.fit(
        train,
        validation_data=held_out,
        validation_steps=config.validation_steps,
        epochs=config.epochs,
        shuffle=False,  # the batches are shuffled already
        callbacks=[seeding, finite, *callbacks, bar],
        verbose=0,
    )
    return model, pd.DataFrame({"epoch": history.epoch} | history.history)


def _batches(config, images, labels, seed):
    """Batches of arrays that fit the config, with labels as its loss wants them."""
    expected = (*config.image_size, 3), (len(config.class_names),)
    if (images.shape[1:], labels.shape[1:]) != expected:
        raise ValueError(
            f"`images` and `labels` must be {expected[0]} and {expected[1]} a movie, as the config's image_size and "
            f"class_names are. Received: shapes {images.shape} and {labels.shape}"
        )
    if not len(images):
        raise ValueError(f"There must be a movie at least. Received: images of shape {images.shape}")
    if config.loss.startswith("sparse_"):
        labels = np.argmax(labels, axis=-1)  # the number of the first genre
    return DenseBatches(images, labels, batch_size=config.batch_size, seed=seed)
