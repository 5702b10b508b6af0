"""Calls of the library leave the process as it was: random generators, settings of Keras, logs, warnings, signals."""

import contextlib
import gc
import logging
import os
import random
import signal
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import without_graphs
from PIL import ImageFile
from tensorflow.python.framework import config  # only switching determinism on is public
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import gradient_registry

import poster_cnn
from poster_cnn.cli import main
from poster_cnn.training.arrays import fit_arrays
from poster_cnn.training.process_state import freed_networks, unchanged_process
from poster_cnn.tuning import Experiment
from poster_cnn.tuning import sweep as sweeps
from poster_cnn.workspace import load_settings


def next_numbers():
    """Return the next random numbers of each generator, and the names that Keras gives next; all go on from there."""
    layer = keras.layers.Dense(1).name
    return [layer, random.random(), np.random.rand(), float(keras.random.uniform(())), float(tf.random.uniform(()))]


def settings():
    """Return all settings of the process that a library could change."""
    loggers = [logging.getLogger(name) for name in ("", "tensorflow", "absl", "PIL", "matplotlib", "poster_cnn")]
    return {
        "environment": dict(os.environ),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "logs": [(logger.level, list(logger.filters), list(logger.handlers)) for logger in loggers],
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)],
        "keras": (keras.config.dtype_policy().name, keras.config.floatx(), keras.config.image_data_format()),
        "deterministic": config.is_op_determinism_enabled(),
        "PIL": ImageFile.LOAD_TRUNCATED_IMAGES,
        "folder": os.getcwd(),
    }


@pytest.fixture
def calls(data_folder, finished_run, ensemble_config, tiny_config, tmp_path):
    quick, poster = tiny_config.replace(epochs=1), data_folder / "posters" / "1001.jpg"
    experiment = Experiment(quick, {"learning_rate": (1e-3,)})

    def fails_to_train_an_ensemble():
        with pytest.raises(FileNotFoundError):
            poster_cnn.train_ensemble(ensemble_config, tmp_path / "absent", tmp_path / "ensemble", progress=False)

    images, labels = np.zeros((8, *quick.image_size, 3), "uint8"), np.eye(4)[[0, 1, 2, 3] * 2]
    return {
        "train": lambda: poster_cnn.train(quick, data_folder, tmp_path / "run", progress=False),
        "sweep": lambda: sweeps.sweep(experiment, data_folder, tmp_path / "runs", progress=False),
        "fit_arrays": lambda: fit_arrays(quick, images, labels, progress=False),
        "evaluate": lambda: poster_cnn.evaluate(finished_run, data_folder, num_resamples=2),
        "predict": lambda: poster_cnn.predict([poster], finished_run),
        "load_model": lambda: poster_cnn.load_model(finished_run),
        "train_ensemble": fails_to_train_an_ensemble,
        "load_settings": lambda: load_settings(preset="results", out=tmp_path),
        "main": lambda: main(["sweep", str(tmp_path / "absent.py"), "--out", str(tmp_path)]),
    }


@pytest.mark.parametrize(
    "name",
    "train sweep fit_arrays evaluate predict load_model train_ensemble load_settings main".split(),
)
def test_leaves_the_process_as_it_was(name, calls, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setattr(sweeps, "train", lambda *_, **__: keras.utils.set_random_seed(1))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(7)
        expected = next_numbers(), next_numbers()
        keras.utils.set_random_seed(7)
        assert next_numbers()[1:] == expected[0][1:]
        before = settings()
        with without_graphs():
            calls[name]()
        assert settings() == before and not before["deterministic"]
        assert next_numbers()[1:] == expected[1][1:]
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("deterministic", [False, True])
def test_restores_the_process_after_an_error(deterministic):
    before = settings()
    keras.utils.set_random_seed(7)
    expected = next_numbers()[1:]
    keras.utils.set_random_seed(7)
    with pytest.raises(KeyError), unchanged_process(deterministic=deterministic):
        assert config.is_op_determinism_enabled() == deterministic
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy("float16")
        keras.backend.clear_session()
        raise KeyError
    assert settings() == before and not config.is_op_determinism_enabled()
    assert next_numbers()[1:] == expected


def test_keeps_the_determinism_of_the_caller():
    config.enable_op_determinism()
    try:
        with unchanged_process(deterministic=True):
            pass
        assert config.is_op_determinism_enabled()
    finally:
        config.disable_op_determinism()


def test_an_inner_block_keeps_the_settings_of_the_outer_one():
    with unchanged_process(deterministic=True):
        before = settings()
        with unchanged_process():
            pass
        assert settings() == before


def test_names_of_layers_go_on_after_a_cleared_session():
    number = int(keras.layers.Dense(1).name.partition("_")[2] or 0)
    with unchanged_process():
        keras.backend.clear_session()
    assert keras.layers.Dense(1).name == f"dense_{number + 1}"


def count_graphs():
    gc.collect()
    return sum(isinstance(found, FuncGraph) for found in gc.get_objects())


def test_a_trained_network_leaves_no_graph_in_memory():
    before, names = count_graphs(), set(gradient_registry.list())
    with freed_networks():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.train_on_batch(np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32"))
        assert set(gradient_registry.list()) > names  # or TensorFlow does not keep it any more
        del model
    assert set(gradient_registry.list()) == names and count_graphs() <= before


@pytest.mark.parametrize("block", [lambda: tf.distribute.OneDeviceStrategy("CPU:0").scope(), tf.Graph().as_default])
def test_networks_are_freed_in_a_block_of_tensorflow(block):
    with block():
        with freed_networks():
            keras.layers.Dense(1)
        assert tf.distribute.has_strategy() or not tf.executing_eagerly()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("nested", [False, True])
def test_an_interrupt_that_becomes_another_error_is_still_an_interrupt(nested, number, restored_signals):
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    @unchanged_process()
    def trace():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise TypeError("traced halfway") from None

    def sweep():
        with contextlib.suppress(Exception):  # of one cell
            trace()

    with pytest.raises(KeyboardInterrupt):
        (unchanged_process()(sweep) if nested else trace)()
    with pytest.raises(TypeError, match="no interrupt"), unchanged_process():
        raise TypeError("no interrupt")


def test_an_error_after_a_signal_that_does_not_interrupt_stays_an_error(restored_signals):
    received = []
    signal.signal(signal.SIGTERM, lambda *_: received.append("checkpoint, please"))
    with pytest.raises(TypeError, match="later"), unchanged_process():
        signal.raise_signal(signal.SIGTERM)
        raise TypeError("later")
    assert received
