"""KerasTuner's trials by several processes or hosts: one hands them out, the others train, and each of them may die."""

import contextlib
import errno
import os
import pathlib
import subprocess
import sys
import threading
import time
from concurrent import futures

import tensorflow as tf

from poster_cnn.datasets.poster_cache import memory_budget
from poster_cnn.files import explained_errors
from poster_cnn.tuning import hosts
from poster_cnn.tuning.hosts import has_chief, is_worker

try:
    import grpc
    import keras_tuner
    from keras_tuner.src import protos
    from keras_tuner.src.distribute import oracle_client
    from keras_tuner.src.distribute.oracle_chief import OracleServicer
except ModuleNotFoundError:
    raise ImportError("Random search and several workers need KerasTuner: pip install 'poster-cnn[search]'") from None

MAX_DEATHS = 3  # of the workers of one trial; a trial that always takes its worker with it must not take them all
_PARENT = "POSTER_CNN_PARENT_PID"


class HandsOutAgain:
    """Goes before a class of KerasTuner's oracles: what a dead worker was training goes to the next one that asks."""

    # KerasTuner alone keeps it for that very worker, and lets the others go while it waits.

    def __init__(self, out_dir, *, max_trials, **options):
        super().__init__(
            max_trials=max_trials,
            max_retries_per_trial=MAX_DEATHS - 1,
            max_consecutive_failed_trials=max_trials + 1,  # failures never end the search
            **options,
        )
        self.out_dir, self.verbose = out_dir, 0

    def create_trial(self, tuner_id):
        """As KerasTuner's; a worker that asks before its trial has ended is a dead one, started again."""
        for worker in list(self.ongoing_trials):
            if worker == tuner_id or not hosts.is_alive(self.out_dir, worker):
                trial = self.ongoing_trials[worker]
                trial.status = "INVALID"  # to be tried again, so and so often
                with contextlib.redirect_stdout(None):  # KerasTuner says it in words of its own
                    self.end_trial(trial)
                cell = trial.hyperparameters.values.get("cell")
                what = f"cell {cell}" if cell else f"draw {int(trial.trial_id) + 1}"
                then = "counts as failed" if trial.status == "FAILED" else "goes to the next worker that asks"
                print(f"{worker} died while it trained; {what} {then}", file=sys.stderr, flush=True)
                self.tuner_ids.discard(worker)
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED" and self.ongoing_trials:
            trial.status = "IDLE"  # the worker of one of them may still die
            self.tuner_ids.add(tuner_id)
        return trial


class Tuner(keras_tuner.Tuner):
    """KerasTuner's loop over trials that leave run folders; it alone, a chief or a worker, as the environment says."""

    # A kill can tear KerasTuner's files, and one between two files loses a trial. So nothing is read back from them:
    # each start begins a new project, and what is finished is known by the run folders.

    def __init__(self, oracle, hypermodel, out_dir, *, what):
        super().__init__(oracle, hypermodel, directory=str(out_dir), project_name="oracle", overwrite=not is_worker())
        self.out_dir, self.what, self._pause = pathlib.Path(out_dir), what, 0

    def search(self):
        """Trains all trials, or hands them out until all are ended, or trains what the chief hands out.

        Raises:
            OSError: If there is no room for KerasTuner's own files, or a chief cannot listen at its port.
            RuntimeError: If a worker's chief does not answer for ten minutes.
        """
        with explained_errors(self.out_dir / "oracle"):
            try:
                self._search()
            except tf.errors.ResourceExhaustedError as error:  # not of a trial, which would have failed by itself
                raise OSError(errno.ENOSPC, str(error)) from error

    def _search(self):
        if not has_chief():
            return super().search()
        if not is_worker():
            return _hand_out(self)
        oracle_client.TIMEOUT = hosts.CHIEF_SECONDS  # not an hour
        with hosts.alive(self.out_dir, self.tuner_id):
            hosts.wait_for_chief()
            print(f"{self.tuner_id} trains {self.what} of the chief at {hosts.address()}", flush=True)
            with _explained_silence():
                super().search()

    def _run_and_update_trial(self, trial):
        with _explained_silence():
            super()._run_and_update_trial(trial)

    def save(self):
        """Saves nothing; the oracle writes its own files."""

    def pre_create_trial(self):
        """Waits before it asks once more, if the chief had nothing to hand out; and for the chief, if it is gone."""
        time.sleep(self._pause)
        self._pause = 1
        if is_worker():
            hosts.wait_for_chief()

    def on_trial_begin(self, trial):
        """As KerasTuner's."""
        self._pause = 0
        super().on_trial_begin(trial)

    def on_trial_end(self, trial):
        """As KerasTuner's; a trial that failed by itself is not tried again."""
        if trial.status == "COMPLETED" and trial.message:
            trial.status = "FAILED"
        super().on_trial_end(trial)

    def is_finished(self):
        """Whether nothing is left to train, as the run folders have it."""
        return False  # workers ask for draws even so

    def say(self, text):
        """Prints a line in a worker; elsewhere there are bars."""
        if is_worker():
            print(f"{self.tuner_id}: {text}", flush=True)


def reason_for(folder):
    """Why a cell or a draw is not finished.

    Args:
        folder: Its folder.
    """
    path = pathlib.Path(folder) / "error.txt"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else f"its worker died {MAX_DEATHS} times"


@contextlib.contextmanager
def _explained_silence():
    try:
        yield
    except grpc.RpcError as error:  # KerasTuner takes any but its own "fatal" errors for those of a trial
        message = f"The chief at {hosts.address()} does not answer ({error.code().name}). Start all again."
        raise keras_tuner.errors.FatalRuntimeError(message) from None


def _hand_out(tuner):
    """Answers the workers until every trial has ended and every worker that lives knows it."""
    hosts.check_port()
    # Not by `oracle_chief.start_server`, which waits forever for a dead worker and looks but every 20 seconds.
    with _server(tuner.oracle, hosts.address()) as (servicer, _):
        print(f"{tuner.tuner_id} hands out {tuner.what} at {hosts.address()}", flush=True)
        # A worker may die between the end of the last trial and its report, and those that come later never ask.
        while any(hosts.is_alive(tuner.out_dir, worker) for worker in tuple(tuner.oracle.tuner_ids)) or not (
            servicer.stop_triggered or tuner.is_finished()
        ):
            time.sleep(0.5)


@contextlib.contextmanager
def _server(oracle, address):
    # One thread, as KerasTuner's chief; and not one port for two chiefs.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    servicer = OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield servicer, port
    finally:
        server.stop(grace=None)


# --- several processes of one machine ---


def train_with_workers(tuner, arguments, num_workers, max_restarts=3):
    """Hands out a tuner's trials to workers of this machine, each a process; with several GPUs, each has one.

    A worker that dies is started again. What it was training goes to the next worker that asks, and goes on at the
    epoch; a trial whose worker died `MAX_DEATHS` times counts as failed. Interrupted or killed, this process takes its
    workers with it. The workers share this process's `decoded.memory_budget` in equal parts.

    Args:
        tuner: `Tuner`.
        arguments: List: the command of `poster-cnn` by which a worker trains for a chief.
        num_workers: Number of workers.
        max_restarts: How often each worker is started again. Defaults to 3.

    Raises:
        RuntimeError: If all workers died too often.
        ValueError: If `POSTER_CNN_MEMORY` is no amount of memory.
    """
    command = [sys.executable, "-m", "poster_cnn", *map(str, arguments)]
    with _server(tuner.oracle, "127.0.0.1:0") as (_, port):
        finished = _run_workers(command, port, min(num_workers, tuner.oracle.max_trials), max_restarts)
    if not finished:
        raise RuntimeError("Every worker died; see above. What is finished stays: start the same command again.")


def _run_workers(command, port, num_workers, max_restarts):
    """Starts the workers, and again those that die; returns how many ended well."""
    restarts, running, finished, gpus = dict.fromkeys(range(num_workers), 0), {}, 0, _gpus()
    memory = memory_budget() // num_workers  # of one worker
    try:
        for number in restarts:
            running[number] = _start(command, port, number, gpus, memory)
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
                    running[number] = _start(command, port, number, gpus, memory)
                elif status:
                    print(f"worker{number} died (status {status}) once too often", file=sys.stderr, flush=True)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return finished


def _gpus():
    """What CUDA calls the GPUs that this process may use."""
    count = len(tf.config.list_physical_devices("GPU"))
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names.split(",")[:count] if names else list(map(str, range(count)))


def _start(command, port, number, gpus, memory):
    environment = {
        "KERASTUNER_TUNER_ID": f"worker{number}",
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # or the first worker would take all of a GPU's memory
        "POSTER_CNN_MEMORY": str(memory),
        _PARENT: str(os.getpid()),
    }
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    # A session of its own, so that Ctrl-C reaches this process alone, which then ends the workers.
    return subprocess.Popen(command, env=os.environ | environment, start_new_session=True)


def end_with_parent():
    """In a worker that `train_with_workers` started: ends this process as soon as that one is gone."""
    if _PARENT in os.environ:
        threading.Thread(target=_wait_for_end, args=[int(os.environ[_PARENT])], daemon=True).start()


def _wait_for_end(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
