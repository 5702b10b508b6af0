"""Several processes of this machine on one sweep."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import tensorflow as tf

from poster_cnn.datasets.poster_cache import memory_budget
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.training import distribution
from poster_cnn.tuning.sweep import MAX_KILLS, cost_bar, failures, finished_cost

_PARENT = "POSTER_CNN_PARENT_PID"


def sweep_with_workers(experiment, command, data, out_dir, *, num_workers, progress=True):
    """Train the cells of an experiment in several processes of this machine.

    Each worker runs the same sweep, so the result equals that of one process. Workers share this process's memory
    budget in equal parts, and each has one GPU where there are GPUs. A worker that is killed is
    started again. The workers end with this process.

    Args:
        experiment: `Experiment`; see `load_experiment`.
        command: List of arguments of `poster-cnn` that starts the sweep in one process.
        data: Path of a data folder.
        out_dir: Folder of the run folders.
        num_workers: Number of workers.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        Dict of failed cell -> reason; see `sweep`.

    Raises:
        RuntimeError: If a worker fails outside of a cell.
        ValueError: If `num_workers` is less than 1.
    """
    distribution.require_one_host("Several workers (--workers) are processes of one host.")
    if num_workers < 1:
        raise ValueError(f"`num_workers` (--workers) must be 1 or more. Received: num_workers={num_workers}")
    out_dir, cells = pathlib.Path(out_dir), experiment.cells()
    find_data_folder(data)
    if not cells:
        return {}
    with cost_bar(cells, out_dir, progress) as bar:
        _run(
            [sys.executable, "-P", "-m", "poster_cnn", *map(str, command)],  # -P: not the modules of the current folder
            min(num_workers, len(cells)),
            restarts=MAX_KILLS * len(cells),
            poll=lambda: bar.update(finished_cost(cells, out_dir) - bar.n),
        )
    return failures(cells, out_dir)


def _run(command, num_workers, restarts, poll):
    gpus, memory = _gpus(), memory_budget() // num_workers
    running, broken = {}, []
    try:
        for number in range(num_workers):
            running[number] = _start(command, number, gpus, memory)
        while running:
            time.sleep(1)
            poll()
            for number, process in list(running.items()):
                status = process.poll()
                if status is None:
                    continue
                del running[number]
                if status < 0 and restarts:  # killed by a signal
                    restarts -= 1
                    print(f"worker {number} was killed (signal {-status}) and starts again", file=sys.stderr)
                    running[number] = _start(command, number, gpus, memory)
                elif status:  # cells that fail end with status 0
                    broken.append(f"{number} (status {status})")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    if broken:
        raise RuntimeError(f"Workers failed outside of a cell: {', '.join(broken)}. Their messages are above.")


def _gpus():
    count = len(tf.config.list_physical_devices("GPU"))
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names.split(",")[:count] if names else list(map(str, range(count)))


def _start(command, number, gpus, memory):
    environment = {
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # otherwise the first worker takes all of a GPU's memory
        "POSTER_CNN_MEMORY": str(memory),
        _PARENT: str(os.getpid()),
    }
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    # In a session of its own, Ctrl-C reaches this process alone, which then ends the workers.
    return subprocess.Popen(command, env=os.environ | environment, start_new_session=True)


def is_worker():
    """Return whether `sweep_with_workers` started this process."""
    return _PARENT in os.environ


def end_with_parent():
    """End this process as soon as the process that started it as a worker is gone."""
    if is_worker():
        threading.Thread(target=_wait_for_end, args=[int(os.environ[_PARENT])], daemon=True).start()


def _wait_for_end(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)  # the command's interrupt, which does not count as a kill of the cell
    time.sleep(10)
    os._exit(1)
