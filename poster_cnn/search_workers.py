"""A random search by several processes of one machine: KerasTuner's oracle here, each of its workers in a process."""

import os
import pathlib
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from poster_cnn import training
from poster_cnn.data_folder import find_data_folder
from poster_cnn.random_search import Tuner, failed_draws, load_plan

_PARENT = "POSTER_CNN_SEARCH_PID"


def search_with_workers(path, data, out_dir, *, num_workers, preset="paper", precision=None, max_restarts=3):
    """Runs the search of an experiment file with several workers; the same draws and run folders as with one process.

    A worker that dies is started again and goes on with its draw at the epoch. Interrupted or killed, this process
    takes its workers with it, and started again it goes on.

    Args:
        path: Experiment file; see `random_search.load_plan`.
        data: Path of a data folder.
        out_dir: Folder of the run folders; see `random_search.random_search`.
        num_workers: Number of workers, each a process that trains.
        preset: `"paper"` or `"quick"`. Defaults to `"paper"`.
        precision: Overrides the config's `precision`. Defaults to `None`: as the file says.
        max_restarts: How often each worker is started again. Defaults to 3.

    Returns:
        dict: name of each failed draw -> the reason. Empty if all went well.

    Raises:
        BlockingIOError: If another process is searching in `out_dir`.
        RuntimeError: If all workers died too often.
    """
    if num_workers < 1:
        raise ValueError(f"`num_workers` must be 1 or more. Received: num_workers={num_workers}")
    if "KERASTUNER_ORACLE_IP" in os.environ:
        raise ValueError(
            "Several workers on one machine need no KERASTUNER_ORACLE_IP; unset it, or leave out `num_workers`. "
            f"Received: num_workers={num_workers}"
        )
    plan, out_dir = load_plan(path, preset=preset, precision=precision), pathlib.Path(out_dir)
    find_data_folder(data)
    command = [sys.executable, "-m", "poster_cnn", "search", path, "--data", data, "--out", out_dir, "--preset", preset]
    command += ["--precision", precision] if precision else []
    with training.locked(out_dir):
        oracle = Tuner(plan, data, out_dir).oracle
        # Not by `oracle_chief.start_server`, which waits forever for a dead worker and looks but every 20 seconds.
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))  # one thread, as KerasTuner's chief
        protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            finished = _run_workers(list(map(str, command)), port, num_workers, max_restarts)
        finally:
            server.stop(grace=None)
    if not finished:
        raise RuntimeError("Every worker died; see above. What is finished stays: start the same command again.")
    return failed_draws(oracle, out_dir)


def _run_workers(command, port, num_workers, max_restarts):
    """Starts the workers, and again those that die; returns how many ended well."""
    restarts, running, finished = dict.fromkeys(range(num_workers), 0), {}, 0
    try:
        for number in restarts:
            running[number] = _start(command, port, number)
        while running:
            time.sleep(0.1)
            for number, process in list(running.items()):
                status = process.poll()
                if status is None:
                    continue
                del running[number]
                finished += status == 0
                if status and restarts[number] < max_restarts:
                    restarts[number] += 1
                    print(f"worker{number} died (status {status}); started again", file=sys.stderr, flush=True)
                    running[number] = _start(command, port, number)
                elif status:
                    print(f"worker{number} died (status {status}) once too often", file=sys.stderr, flush=True)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return finished


def _start(command, port, number):
    environment = {
        "KERASTUNER_TUNER_ID": f"worker{number}",
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # or the first worker would take all of a GPU's memory
        _PARENT: str(os.getpid()),
    }
    # A session of its own, so that Ctrl-C reaches this process alone, which then ends the workers.
    return subprocess.Popen(command, env=os.environ | environment, start_new_session=True)


def end_with_parent():
    """In a worker that `search_with_workers` started: ends this process as soon as that one is gone."""
    if _PARENT in os.environ:
        threading.Thread(target=_wait_for_end, args=[int(os.environ[_PARENT])], daemon=True).start()


def _wait_for_end(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
