"""Callbacks of Keras in a fit that calls `keras.Model.fit` once for each epoch."""

import functools

import keras
from keras import ops

from poster_cnn.metrics import arguments

callback_list = functools.partial(
    arguments.sequence, expected="a list of callbacks of Keras", items=keras.callbacks.Callback
)


class AveragedWeights(keras.callbacks.Callback):
    """Callback that evaluates the averaged weights of an optimizer with `use_ema`, and trains the others further.

    It comes last: at the end of an epoch, the callbacks before it see the averaged weights, which were evaluated.
    Keras's own `SwapEMAWeights` rounds the weights, and `fit` replaces them by their averages each time it ends.
    """

    _trained = ()  # without validation

    def on_test_begin(self, logs=None):
        variables = self.model.trainable_variables
        self._trained = [ops.convert_to_numpy(variable) for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)

    def on_epoch_end(self, epoch=None, logs=None):
        for variable, value in zip(self.model.trainable_variables, self._trained, strict=bool(self._trained)):
            variable.assign(value)

    restore = on_epoch_end


class EachEpoch(keras.callbacks.Callback):
    """Callback that passes the events of epochs and batches on to others.

    The beginning and the end of the training are passed on by `begin` and `end`, because each epoch is a `fit` of its
    own.

    Args:
        callbacks: List of `keras.callbacks.Callback`.
        epochs: Total number of epochs.
    """

    def __init__(self, callbacks, epochs):
        super().__init__()
        self._callbacks, self._epochs, self._has_begun = callbacks, epochs, False
        for name in ("epoch", "train_batch", "test", "test_batch"):
            for event in (f"on_{name}_begin", f"on_{name}_end"):
                setattr(self, event, functools.partial(self._call, event))

    def _call(self, event, *args, **kwargs):
        for callback in self._callbacks:
            getattr(callback, event)(*args, **kwargs)

    def begin(self, model, steps):
        """Tell the callbacks the model of a phase and, in the first one, that the training begins."""
        for callback in self._callbacks:
            callback.set_params({"verbose": 0, "epochs": self._epochs, "steps": steps})
            callback.set_model(model)
        if not self._has_begun:
            self._has_begun = True
            self._call("on_train_begin")

    def end(self):
        """Tell the callbacks that the training ends."""
        if self._has_begun:
            self._call("on_train_end")
