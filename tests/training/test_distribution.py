"""Several devices and hosts: same results as one device, resumption after a kill, choice of the strategy."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import forked
import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import MOBILENET, SIGMOID, assert_same_run, without_graphs

from poster_cnn import tuning
from poster_cnn.cli import main
from poster_cnn.multimodal.train import train_ensemble
from poster_cnn.training import distribution
from poster_cnn.training import train as training
from poster_cnn.tuning import sweep
from poster_cnn.tuning.workers import sweep_with_workers

TESTS = pathlib.Path(__file__).parents[1]
SMALL_BACKBONE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import keras
from conftest import small_backbone
keras.applications.MobileNetV2 = small_backbone
"""
# Trains a config on one device and on four. The last batch has three of 43 posters, fewer than devices.
ON_FOUR_DEVICES = """
import json, pathlib, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
from poster_cnn.training import fit as fitting, train as training, config as configs
out, data = pathlib.Path(sys.argv[1]), sys.argv[2]
config = configs.TrainingConfig.from_dict(json.loads(sys.argv[3]))
for strategy in ("one", "mirrored"):
    tf.config.run_functions_eagerly(strategy == "one")  # tracing takes longer than a few steps
    training.train(config, data, out / strategy, strategy=strategy, progress=False)
"""
INTERRUPTED = """
save_epoch = fitting._save_epoch
def interrupted(*arguments):
    save_epoch(*arguments)
    raise KeyboardInterrupt
fitting._save_epoch = interrupted
try:
    training.train(config, data, out / "interrupted", strategy="mirrored", progress=False)
except KeyboardInterrupt:
    fitting._save_epoch = save_epoch
training.train(config, data, out / "interrupted", strategy="mirrored", progress=False)
"""
DROPOUT = """
from poster_cnn.training import distribution, build as networks, replicas
strategy = distribution.choose_strategy("mirrored")
with strategy.scope():
    dropout = keras.layers.Dropout(0.5)
    network = keras.Sequential([keras.Input((8,)), dropout, keras.layers.Dense(len(config.class_names))])
    networks.compile_network(network, config, 1e-3)
    network.optimizer.build(network.trainable_variables)
batches = tf.data.Dataset.from_tensors((tf.ones((8, 8)), tf.ones((8, len(config.class_names)))))
replicas.epoch_function(network, strategy, config)(batches, batches)
states = strategy.experimental_local_results(dropout.seed_generator.state.value)
(out / "states.json").write_text(json.dumps([state.numpy().tolist() for state in states]))
"""

# Trains on one of several hosts, given by TF_CONFIG.
ON_A_HOST = """
import json, os, pathlib, signal, sys, time
from poster_cnn.training import distribution, fit as fitting, train as training, config as configs
out, data, seconds = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
save_epoch = fitting._save_epoch
def slowly(*arguments):  # leaves time for the kill
    save_epoch(*arguments)
    time.sleep(seconds)
fitting._save_epoch = slowly
config = configs.TrainingConfig.from_dict(json.loads((out / "config.json").read_text()))
for run_dir in sys.argv[4:]:
    try:
        print(sorted(training.train(config, data, out / run_dir, progress=False)))
    except RuntimeError as error:
        sys.exit(str(error))
try:
    distribution.require_same(distribution.choose_strategy(), os.environ["TF_CONFIG"])  # differs between hosts
except ValueError as error:
    print(error, flush=True)
(out / f"done{json.loads(os.environ['TF_CONFIG'])['task']['index']}").touch()
while not all((out / f"done{number}").exists() for number in range(2)):  # a host that ends too soon is lost
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGTERM)  # as clusters end jobs
time.sleep(60)
"""


@pytest.fixture
def configs(tiny_config):
    softmax = tiny_config.replace(
        model_args={"filters": (4, 8), "dense_units": (16,), "dropout": 0.0},
        learning_rate=5e-3,
        batch_size=40,
        epochs=3,
    )
    backbone = softmax.replace(**MOBILENET, **SIGMOID, metrics=("top_n_accuracy", "overall_f1"))
    return {
        "fine_tuned": backbone.replace(epochs=2, fine_tune_epochs=2),
        "batch_norm_in_the_backbone": backbone.replace(
            model_args={"weights": None, "trainable": True}, learning_rate=1e-4
        ),
        "batch_norm": softmax.replace(
            model="two_conv_cnn",
            model_args={"filters": (4, 8), "dense_units": 16, "dropout": 0.0, "batch_norm": True},
            learning_rate=1e-4,  # Adam amplifies rounding errors in the bias before batch normalization
        ),
    }


def assert_close(run_dir, other):
    """Check that two run folders have the same history and predictions within 1e-4."""
    for name in ("history.csv", "predictions.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(run_dir / name), pd.read_csv(other / name), atol=1e-4, rtol=0)


def assert_four_devices_match_one(out):
    parts = pd.read_csv(out / "one" / "split.csv")["part"].value_counts()
    assert parts["train"] % 40 == 3
    assert_close(out / "mirrored", out / "one")
    for strategy, num_replicas in (("one", 1), ("mirrored", 4)):
        record = json.loads((out / strategy / "config.json").read_text())
        assert record["strategy"] == {"name": strategy, "num_replicas": num_replicas, "num_workers": 1}
    history = pd.read_csv(out / "one" / "history.csv")
    phases = record["config"]["epochs"], record["config"]["fine_tune_epochs"]
    assert history["loss"].nunique() == len(history) == sum(phases)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fine_tuned", "batch_norm_in_the_backbone"])
def test_four_devices_match_one(name, configs, data_folder, tmp_path):
    forked.run(SMALL_BACKBONE + ON_FOUR_DEVICES, tmp_path, data_folder, json.dumps(configs[name].to_dict()))
    assert_four_devices_match_one(tmp_path)


@pytest.mark.slow
def test_four_devices_have_their_own_dropout_and_resume_bit_identically(configs, data_folder, tmp_path):
    script = SMALL_BACKBONE + ON_FOUR_DEVICES + INTERRUPTED + DROPOUT
    forked.run(script, tmp_path, data_folder, json.dumps(configs["batch_norm"].to_dict()))
    assert_four_devices_match_one(tmp_path)
    assert_same_run(tmp_path / "interrupted", tmp_path / "mirrored")
    states = json.loads((tmp_path / "states.json").read_text())
    assert len({tuple(state) for state in states}) == len(states) == 4


# --- several hosts (two processes) ---


def free_ports():
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in (first, second)]


@contextlib.contextmanager
def hosts(out, data, *run_dirs, seconds=0.0):
    """Start two hosts, which are killed at the end of the block if they still run."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports()]}
    command = [sys.executable, "-c", SMALL_BACKBONE + ON_A_HOST, str(out), str(data), str(seconds), *run_dirs]
    started = []
    try:
        for number in range(2):
            task = {"cluster": cluster, "task": {"type": "worker", "index": number}}
            environment = os.environ | {"TF_CONFIG": json.dumps(task)}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        yield started
    finally:
        for host in started:
            host.kill()
            host.communicate()


@pytest.mark.slow
def test_two_hosts_match_one_and_resume_after_a_kill(configs, data_folder, tmp_path, small):
    out, config = tmp_path, configs["fine_tuned"]
    (out / "config.json").write_text(json.dumps(config.to_dict()))
    with without_graphs():
        training.train(config, data_folder, out / "one", progress=False)
    own = out / "killed" / "worker1" / "fine_tuning.weights.h5"
    with hosts(out, data_folder, "killed", seconds=0.5) as (chief, other):
        deadline = time.monotonic() + 300
        while not own.exists():
            assert chief.poll() is None and other.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        other.kill()
        _, error = chief.communicate(timeout=120)
    assert chief.returncode == 1
    assert "Another worker ended, failed or cannot be reached" in error and "on all hosts again" in error
    assert not (out / "killed" / "metrics.json").exists()

    # The second host lost its disk.
    shutil.copytree(out / "killed", out / "lost", ignore=shutil.ignore_patterns("worker1", ".lock"))
    # The second host has other weights; the chief's are used.
    with h5py.File(own, "r+") as file:
        file.visititems(
            lambda _, item: item.write_direct(np.zeros_like(item)) if isinstance(item, h5py.Dataset) else None
        )
    (out / "killed" / "worker2").mkdir()  # of a former host
    with hosts(out, data_folder, "killed", "lost", "whole", "whole") as started:
        said = [host.communicate(timeout=300) for host in started]
    assert [host.returncode for host in started] == [-signal.SIGTERM] * 2, said
    assert all("The hosts were started with different configs, or have" in text for text, _ in said)
    assert said[1][0].splitlines()[:-1] == ["[]"] * 4  # only the chief returns scores
    scores = str(sorted(json.loads((out / "whole" / "metrics.json").read_text())))
    assert said[0][0].splitlines()[:-1] == [scores] * 4
    for name in ("killed", "lost"):
        assert_same_run(out / name, out / "whole")
    assert_close(out / "whole", out / "one")
    assert not [*(out / "killed").glob("worker*"), *(out / "whole").glob("worker*")]
    record = json.loads((out / "whole" / "config.json").read_text())
    assert record["strategy"] == {"name": "multiworker", "num_replicas": 2, "num_workers": 2}


def test_other_workers_print_the_run_folder(monkeypatch, data_folder, capsys):
    monkeypatch.setattr(training, "train", lambda *_, strategy, **__: {} if strategy == "multiworker" else None)
    arguments = ["train", "--data", str(data_folder), "--out", "runs/first", "--genres", "Horror,Drama"]
    assert main([*arguments, "--strategy", "multiworker"]) == 0
    assert capsys.readouterr().out == "run folder: runs/first, written by the chief\n"


# --- choice of the strategy ---


def cluster(index, **jobs):
    return json.dumps({"cluster": jobs, "task": {"type": "worker", "index": index}})


def test_one_device_uses_the_default_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    for name in ("one", "auto"):
        assert distribution.choose_strategy(name) is tf.distribute.get_strategy()
    monkeypatch.setenv("TF_CONFIG", cluster(0, worker=["a:1"]))  # a single host
    assert distribution.choose_strategy("auto") is tf.distribute.get_strategy()


def test_auto_prefers_hosts_to_gpus(monkeypatch):
    monkeypatch.setattr(distribution, "_several_hosts", lambda: "hosts")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setenv("TF_CONFIG", cluster(1, worker=["a:1", "b:1"]))
    assert distribution.choose_strategy() == "hosts"
    monkeypatch.delenv("TF_CONFIG")
    assert isinstance(distribution.choose_strategy(), tf.distribute.MirroredStrategy)


def test_chief_is_the_first_worker(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(0, chief=["a:1"], worker=["b:1", "c:1"]))
    assert distribution._cluster() == (["a:1", "b:1", "c:1"], 1)


@pytest.mark.parametrize(
    ("name", "tf_config", "message"),
    [
        ("two", "", "`strategy` must be one of .*Received: strategy='two'"),
        ("multiworker", "", 'needs the environment variable TF_CONFIG.*Received: strategy="multiworker"'),
        ("multiworker", cluster(0, worker=["a:1"]), "needs the environment variable TF_CONFIG"),
        ("auto", "{", "TF_CONFIG must be such as .*Received: TF_CONFIG={"),
        ("auto", cluster(2, worker=["a:1", "b:1"]), "it has no worker 2"),
        ("auto", cluster(0, worker=["a", "b:1"]), "TF_CONFIG must be such as .*'a' has no port"),
        ("auto", '{"cluster": {"worker": ["a:1", "b:1"]}}', "TF_CONFIG must be such as"),
    ],
)
def test_rejects_unknown_strategies_and_clusters(name, tf_config, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(ValueError, match=message):
        distribution.choose_strategy(name)


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (False, "worker 1 at 127.0.0.1:{} did not answer for 0.1 s .*Start the same command"),
        (True, "in use.*must be free"),
    ],
)
def test_rejects_unreachable_hosts_and_ports_in_use(taken, message, monkeypatch, capsys):
    monkeypatch.setattr(distribution, "_MEETING_SECONDS", 0.1)
    own, other = free_ports()
    monkeypatch.setenv("TF_CONFIG", cluster(0, worker=[f"127.0.0.1:{own}", f"127.0.0.1:{other}"]))
    with contextlib.ExitStack() as stack, pytest.raises(RuntimeError, match=message.format(other)):
        if taken:
            stack.enter_context(socket.create_server(("", own)))
        distribution.choose_strategy("multiworker")
    assert (f"waiting for worker 1 at 127.0.0.1:{other}, at most" in capsys.readouterr().err) == (not taken)


@pytest.mark.parametrize(
    "refused", [lambda: distribution.choose_strategy("one"), lambda: distribution.require_one_host("No.")]
)
def test_rejects_other_backends(refused, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="with TensorFlow.*fit_arrays.*Unset KERAS_BACKEND.*Received: backend 'jax'"):
        refused()


def test_single_process_is_the_chief():
    strategy = tf.distribute.get_strategy()
    assert distribution.worker_number(strategy) == 0
    assert distribution.chief_says(strategy, 7) == 7
    assert distribution.anyone_says(strategy, True) and not distribution.anyone_says(strategy, False)
    (array,) = distribution.from_chief(strategy, [np.arange(3)])
    assert array.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sweep.sweep(tuning.Experiment(None, {}), "data", "runs"), "Start the same sweep on each host instead"),
        (lambda: train_ensemble(None, "data", "runs"), "An ensemble is trained on one host"),
        (
            lambda: sweep_with_workers(None, [], "data", "runs", num_workers=2),
            r"\(--workers\) are processes of one host",
        ),
    ],
)
def test_rejects_sweeps_and_ensembles_on_several_hosts(call, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(0, worker=["a:1", "b:1"]))
    with pytest.raises(ValueError, match=f"{message}.* Unset TF_CONFIG"):
        call()
