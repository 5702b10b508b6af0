"""Which devices train a network: one, all GPUs of this machine, or those of several hosts."""

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
    """The `tf.distribute.Strategy` of a name. Several hosts meet here, so call it before anything else of TensorFlow.

    Args:
        name: `"one"`: one device. `"mirrored"`: all visible GPUs of this machine, or its logical CPU devices where
            there is none. `"multiworker"`: all GPUs of all hosts in the environment variable `TF_CONFIG`, or the CPU of
            each. Defaults to `"auto"`: `"multiworker"` if `TF_CONFIG` names several hosts, else `"mirrored"` if several
            GPUs are visible, else `"one"`.

    Returns:
        `tf.distribute.Strategy`. For one name, always the same object.

    Raises:
        ValueError: If the name is unknown, `TF_CONFIG` does not say who the hosts are, or Keras has another backend.
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
    """Makes sure that `TF_CONFIG` names no other hosts, for what they cannot do together.

    Args:
        what: Who refuses, and what to do instead, as a sentence.

    Raises:
        ValueError: If it names several, or Keras has another backend than TensorFlow, as hosts of them all need it.
    """
    _require_tensorflow()
    addresses, _ = _cluster()
    if len(addresses) > 1:
        raise ValueError(f"{what} Unset TF_CONFIG. Received: TF_CONFIG with the hosts {', '.join(addresses)}")


def worker_number(strategy):
    """Number of this process among those of a strategy, from 0; 0 is the chief, which writes the run folder."""
    return _cluster()[1] if has_several_hosts(strategy) else 0


def about_strategy(strategy):
    """What a run folder records of a strategy: dict of its name, its number of devices and of processes."""
    several = has_several_hosts(strategy)
    mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
    return {
        "name": "multiworker" if several else "mirrored" if mirrored else "one",
        "num_replicas": strategy.num_replicas_in_sync,
        "num_workers": len(_cluster()[0]) if several else 1,
    }


def from_chief(strategy, arrays):
    """Arrays as the chief has them, on every worker. All workers must call it, with arrays of the same shapes.

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
    """An int (below 2^53) as the chief has it, on every worker; as `from_chief`."""
    return int(from_chief(strategy, [np.float64(number)])[0])


def anyone_says(strategy, condition):
    """Whether a condition is true on any of the workers; all must call it."""
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
    """Makes sure that a text is the same on all workers; all must call it.

    Args:
        strategy: `tf.distribute.Strategy`.
        text: What must be the same, such as a config and the fingerprint of the data.

    Raises:
        ValueError: On all of them, if it differs on one.
    """
    own = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
    if anyone_says(strategy, chief_says(strategy, own) != own):
        raise ValueError(
            "The hosts were started with different configs, or have different data. "
            "Start the same command, with the same data, on all of them."
        )


@contextlib.contextmanager
def explained_losses(strategy):
    """Says what to do when TensorFlow has lost another worker.

    Raises:
        RuntimeError: If that happened in the block.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not has_several_hosts(strategy):
            raise
        raise RuntimeError(
            "Another worker ended, failed or cannot be reached any more. Start the same command on all hosts again: it "
            "goes on at the epoch."
        ) from error


def has_several_hosts(strategy):
    """Whether a strategy is that of several hosts."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _require_tensorflow():
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Runs are trained with TensorFlow; on another backend of Keras, arrays can be trained: see "
            "`array_training.fit_arrays`. Unset KERAS_BACKEND, or set it to tensorflow. "
            f"Received: backend {keras.backend.backend()!r}"
        )


def _cluster():
    """Addresses of all workers, the chief's first, and the number of this one, as `TF_CONFIG` has them."""
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


@functools.cache  # a second strategy of the same devices would mix up its sums with those of the first
def _several_devices():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@functools.cache
def _several_hosts():
    addresses, number = _cluster()
    if len(addresses) < 2:
        raise ValueError(
            "Training on several hosts needs the environment variable TF_CONFIG, which names them and says which of "
            f'them this is. Received: strategy="multiworker", TF_CONFIG={os.environ.get("TF_CONFIG")}'
        )
    try:
        _meet(addresses, number)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (OSError, tf.errors.OpError, RuntimeError) as error:
        raise RuntimeError(
            f"The hosts of TF_CONFIG could not meet: {error}. Start the same command on all of them; each must reach "
            "the others at their ports, which must be free. In Python, nothing of TensorFlow may be used before."
        ) from error
    if threading.current_thread() is threading.main_thread():
        # TensorFlow's own handler would only note that this host shall end. It can end at once: each epoch is kept.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
    return strategy


def _meet(addresses, number):
    """Waits until every other worker listens at its port; TensorFlow alone waits forever, even for a wrong name."""
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
