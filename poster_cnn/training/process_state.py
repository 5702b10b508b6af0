"""Random generators, Keras settings, logs and memory of the process, which a run leaves as it found them."""

import contextlib
import copy
import logging
import random
import signal
import sys
import threading

import keras
import numpy as np
from keras.src.backend.common import global_state

_TRACKERS = ("GLOBAL_STATE_TRACKER", "GLOBAL_SETTINGS_TRACKER")  # `clear_session` replaces both


@contextlib.contextmanager
def unchanged_process(*, deterministic=False):
    """Restore the state of the process after the block, or after a function that this decorates.

    The state consists of the random generators of Python, NumPy, Keras and its backend, Keras's dtype policy and names
    of layers, TensorFlow's determinism, and the filters of its log. An interrupt is raised as `KeyboardInterrupt`, also
    while Keras traces a step, when it becomes another error.

    Args:
        deterministic: Whether TensorFlow computes the same bits in each run of the block. Defaults to `False`: as
            outside.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state(legacy=False))
        stack.callback(_restore_keras, [_copy_of(vars(getattr(global_state, name))) for name in _TRACKERS])
        if keras.backend.backend() == "torch":
            torch = sys.modules["torch"]
            stack.callback(torch.set_rng_state, torch.get_rng_state())
        if "tensorflow" in sys.modules:  # JAX and PyTorch work without it
            stack.enter_context(_unchanged_tensorflow(deterministic))
        stack.enter_context(_interrupts_kept())
        yield


@contextlib.contextmanager
def _interrupts_kept():
    """Raise `KeyboardInterrupt` for any error after an interrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal arrives here
        return
    interrupts = []
    with contextlib.ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):  # which the command `sweep` handles as an interrupt
            _note_signals(number, interrupts, stack)
        try:
            yield
        except Exception as error:
            if interrupts:
                raise KeyboardInterrupt from error
            raise


def _note_signals(number, interrupts, stack):
    handler = signal.getsignal(number)

    def note(number, frame):
        try:
            handler(number, frame)
        except KeyboardInterrupt:  # a handler of the caller's may do something else
            interrupts.append(number)
            raise

    if callable(handler):  # otherwise it is ignored, or ends the process
        signal.signal(number, note)
        stack.callback(signal.signal, number, handler)


@contextlib.contextmanager
def freed_networks():
    """Free the networks that the block builds and trains. They cannot be used after it."""
    registry = _custom_gradients()
    before = set(registry)
    try:
        yield
    finally:
        # TensorFlow keeps the gradient of each traced training step, and with it the whole network, until its process
        # ends (issue 97697 of TensorFlow).
        for name in set(registry) - before:
            del registry[name]
        if _can_clear_session():
            keras.backend.clear_session()


def _can_clear_session():
    # It removes TensorFlow's default graph and strategy, which a caller's `with` block would miss at its end.
    tf = sys.modules.get("tensorflow")
    return tf is None or (tf.executing_eagerly() and not tf.distribute.has_strategy())


def _custom_gradients():
    if "tensorflow" not in sys.modules:
        return {}
    from tensorflow.python.framework import ops

    return getattr(ops.gradient_registry, "_registry", {})


def _copy_of(attributes):
    """Return a copy of Keras's global attributes, some of which are dicts that Keras changes in place."""
    return {name: copy.copy(value) if isinstance(value, (dict, list)) else value for name, value in attributes.items()}


def _restore_keras(saved):
    for name, attributes in zip(_TRACKERS, saved, strict=True):
        tracker = vars(getattr(global_state, name))
        tracker.clear()
        tracker.update(attributes)


@contextlib.contextmanager
def _unchanged_tensorflow(deterministic):
    from tensorflow.python.eager import context as eager
    from tensorflow.python.framework import config  # only switching determinism on is public

    context, was_deterministic = eager.context(), config.is_op_determinism_enabled()
    seed, generator = context._seed, getattr(context, "_rng", None)  # which is absent until a seed is set
    logger = logging.getLogger("tensorflow")
    filters = [*logger.filters]  # of an outer block too
    logger.addFilter(_is_no_retracing)
    if deterministic:
        config.enable_op_determinism()
    try:
        yield
    finally:
        logger.filters[:] = filters
        context._seed, context._rng = seed, generator
        if deterministic:
            context.clear_kernel_cache()  # kernels keep the seed and the determinism that they were made with
        if not was_deterministic:
            config.disable_op_determinism()


def _is_no_retracing(record):
    # Every network is traced once, but TensorFlow counts all networks of a process together and warns of retracing.
    return "retracing" not in record.getMessage()
