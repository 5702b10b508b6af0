"""Devices that train a network: one, all GPUs of this machine, or those of several hosts."""

import contextlib
import functools
import hashlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time

import keras
import numpy as np
import tensorflow as tf

from poster_cnn.training.config import STRATEGIES

_MEETING_SECONDS = 600  # hosts of a cluster do not all start at the same moment


def choose_strategy(name="auto"):
    """Return the `tf.distribute.Strategy` of a name. With several hosts, call it before any other TensorFlow function.

    Args:
        name: `"one"`: one device. `"mirrored"`: all visible GPUs of this machine, or its logical CPU devices without a
            GPU. `"multiworker"`: all GPUs of all hosts in the environment variable `TF_CONFIG`, or the CPU of each.
            Defaults to `"auto"`: `"multiworker"` if `TF_CONFIG` names several hosts, else `"mirrored"` if several
            GPUs are visible, else `"one"`.

    Returns:
        `tf.distribute.Strategy`, the same object for the same name.

    Raises:
        ValueError: If the name is unknown, `TF_CONFIG` is incomplete, or Keras has another backend.
        RuntimeError: If another host does not answer for ten minutes, or TensorFlow was used before hosts could meet.
    """
    if name not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {STRATEGIES}. Received: strategy={name!r}")
    _require_tensorflow()
    if name == "auto":
        gpus = tf.config.list_physical_devices("GPU")
        name = "multiworker" if len(_cluster()[0]) > 1 else "mirrored" if len(gpus) > 1 else "one"
    if name == "one":
        return tf.distribute.get_strategy()  # TensorFlow's default
    if name == "multiworker":
        return _several_hosts()
    return _several_devices()


def require_one_host(what):
    """Refuse `TF_CONFIG` with several hosts, for work that they cannot share.

    Args:
        what: Sentence that says what to do instead, for the error message.

    Raises:
        ValueError: If `TF_CONFIG` names several hosts, or Keras has another backend than TensorFlow.
    """
    _require_tensorflow()
    addresses, _ = _cluster()
    if len(addresses) > 1:
        raise ValueError(f"{what} Unset TF_CONFIG. Received: TF_CONFIG with the hosts {', '.join(addresses)}")


def worker_number(strategy):
    """Return the number of this process; 0 is the chief, which writes the run folder."""
    return _cluster()[1] if has_several_hosts(strategy) else 0


def about_strategy(strategy):
    """Return the name, number of devices and number of processes of a strategy, as a dict for the run folder."""
    several = has_several_hosts(strategy)
    mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
    return {
        "name": "multiworker" if several else "mirrored" if mirrored else "one",
        "num_replicas": strategy.num_replicas_in_sync,
        "num_workers": len(_cluster()[0]) if several else 1,
    }


def from_chief(strategy, arrays):
    """Return the chief's arrays on every worker. All workers must call it with arrays of the same shapes.

    Args:
        strategy: `tf.distribute.Strategy`.
        arrays: List of arrays or tensors of numbers.

    Returns:
        List of arrays.
    """
    if not has_several_hosts(strategy):
        return [np.asarray(array) for array in arrays]
    return _sum(strategy, arrays, of_chief_alone=True)


def chief_says(strategy, number):
    """Return the chief's integer (below 2^53) on every worker; see `from_chief`."""
    return int(from_chief(strategy, [np.float64(number)])[0])


def anyone_says(strategy, condition):
    """Return whether a condition is true on any worker. All workers must call it."""
    return bool(_sum(strategy, [np.float64(condition)])[0]) if has_several_hosts(strategy) else condition


def _sum(strategy, arrays, of_chief_alone=False):
    def of_replica(tensors):
        context = tf.distribute.get_replica_context()
        counts = tf.equal(context.replica_id_in_sync_group, 0) if of_chief_alone else True
        return [context.all_reduce("SUM", tf.where(counts, tensor, tf.zeros_like(tensor))) for tensor in tensors]

    summed = tf.function(lambda tensors: strategy.run(of_replica, args=(tensors,)))
    values = summed([tf.convert_to_tensor(array) for array in arrays])
    return [strategy.experimental_local_results(value)[0].numpy() for value in values]


def require_same(strategy, text):
    """Check that a text is the same on all workers. All workers must call it.

    Args:
        strategy: `tf.distribute.Strategy`.
        text: Text to compare, such as a config and the fingerprint of the data.

    Raises:
        ValueError: On all workers, if it differs on one.
    """
    own = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
    if anyone_says(strategy, chief_says(strategy, own) != own):
        raise ValueError(
            "The hosts were started with different configs, or have different data. "
            "Start the same command, with the same data, on all of them."
        )


@contextlib.contextmanager
def explained_losses(strategy):
    """Explain TensorFlow's errors about lost workers.

    Raises:
        RuntimeError: If another worker was lost in the block.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not has_several_hosts(strategy):
            raise
        raise RuntimeError(
            "Another worker ended, failed or cannot be reached. Start the same command on all hosts again; it "
            "continues at the epoch."
        ) from error


def has_several_hosts(strategy):
    """Return whether a strategy has several hosts."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _require_tensorflow():
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Runs are trained with TensorFlow. Other Keras backends can train on arrays; see "
            "`training.arrays.fit_arrays`. Unset KERAS_BACKEND, or set it to tensorflow. "
            f"Received: backend {keras.backend.backend()!r}"
        )


def _cluster():
    """Read the addresses of all workers, the chief's first, and the number of this one from `TF_CONFIG`."""
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        content = json.loads(text)
        cluster, task = content.get("cluster", {}), content.get("task", {})
        addresses = [*cluster.get("chief", []), *cluster.get("worker", [])]
        if not addresses:
            return [], 0
        number = int(task["index"]) + (len(cluster.get("chief", [])) if task["type"] == "worker" else 0)
        if task["type"] not in ("chief", "worker") or not 0 <= number < len(addresses):
            raise ValueError(f"it has no {task['type']} {task['index']}")
        if wrong := [address for address in addresses if not re.fullmatch(r".+:\d+", address)]:
            raise ValueError(f"{wrong[0]!r} has no port")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            'The environment variable TF_CONFIG must be such as {"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}; {error}. Received: TF_CONFIG={text}'
        ) from None
    return addresses, number


@functools.cache  # two strategies of the same devices would mix up their sums
def _several_devices():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@functools.cache
def _several_hosts():
    addresses, number = _cluster()
    if len(addresses) < 2:
        raise ValueError(
            "Training on several hosts needs the environment variable TF_CONFIG, which names the hosts and the number "
            f'of this one. Received: strategy="multiworker", TF_CONFIG={os.environ.get("TF_CONFIG")}'
        )
    try:
        _meet(addresses, number)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (OSError, tf.errors.OpError, RuntimeError) as error:
        raise RuntimeError(
            f"The hosts of TF_CONFIG could not connect: {error}. Start the same command on all of them. Each must "
            "reach the others at their ports, which must be free. In Python, use no other TensorFlow function before."
        ) from error
    if threading.current_thread() is threading.main_thread():
        # TensorFlow's own handler only delays the end. This host can end at once, because each epoch is saved.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
    return strategy


def _meet(addresses, number):
    """Wait until every other worker listens at its port, because TensorFlow would wait forever for a wrong name."""
    deadline = time.monotonic() + _MEETING_SECONDS
    with socket.create_server(("", int(addresses[number].rpartition(":")[2]))):
        for other in [address for address in addresses if address != addresses[number]]:
            _wait_for(f"worker {addresses.index(other)} at {other}", other, deadline)


def _wait_for(name, address, deadline):
    host, _, port = address.rpartition(":")
    waiting = False
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not answer for {_MEETING_SECONDS} s ({error})") from None
            if not waiting:
                print(f"waiting for {name}, at most {_MEETING_SECONDS // 60} minutes ({error})", file=sys.stderr)
            waiting = True
            time.sleep(0.5)
