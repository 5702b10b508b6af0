"""Sweeps: one run folder a cell, shared by processes through locks, continued after kills."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import forked
import pandas as pd
import pytest
from conftest import assert_same_run

from poster_cnn.cli import main
from poster_cnn.files import locked, write_json
from poster_cnn.training.data import load_training_data
from poster_cnn.training.run_folder import is_finished
from poster_cnn.tuning import sweep as module
from poster_cnn.tuning import workers
from poster_cnn.tuning.experiment import Experiment
from poster_cnn.tuning.sweep import Shared, sweep
from poster_cnn.tuning.workers import sweep_with_workers

COMMAND = """
import sys
from poster_cnn.cli import main
sys.exit(main(sys.argv[1:]))
"""
SLOW_EPOCHS = f"""
import time
import tensorflow as tf
tf.config.run_functions_eagerly(True)
from poster_cnn.training import fit
save_epoch = fit._save_epoch
def slowly(*arguments):  # leaves time for a kill
    save_epoch(*arguments)
    time.sleep(0.1)
fit._save_epoch = slowly
{COMMAND}"""


@pytest.fixture
def trained(monkeypatch):
    """Replace training by recording (name of the run folder, its training data)."""
    calls = []

    def train(config, data, run_dir, *, training_data, progress):
        calls.append((run_dir.name, training_data))
        finish(run_dir, config, training_data)

    monkeypatch.setattr(module, "train", train)
    return calls


@pytest.fixture
def experiment_file(tiny_config, tmp_path):
    """Path of an experiment file with the cells seed=1 and seed=0 of `tiny_config`."""
    path = tmp_path / "tiny.py"
    path.write_text(
        "from poster_cnn import TrainingConfig\n"
        f"config = TrainingConfig.from_dict({tiny_config.to_dict()!r})\n"
        "grid = {'seed': (1, 0)}\n"
    )
    return path


def finish(run_dir, config, training_data):
    """Write what marks a run as finished, with its config and data."""
    data = {"fingerprint": training_data.fingerprint}
    write_json(run_dir / "config.json", {"config": config.to_dict(), "data": data})
    write_json(run_dir / "metrics.json", {})


def contents(run_dir):
    return {path.name: path.read_bytes() for path in run_dir.iterdir() if path.name != ".lock"}


def test_skips_finished_cells(tiny_config, data_folder, tmp_path, trained):
    experiment = Experiment(tiny_config, {"seed": (0, 1, 2)})
    finish(tmp_path / "seed=1", tiny_config.replace(seed=1), load_training_data(tiny_config.data, data_folder))
    (tmp_path / "seed=1" / "checkpoint.weights.h5").touch()  # of a process that was killed before it removed it
    for _ in range(2):
        assert sweep(experiment, data_folder, tmp_path, progress=False) == {}
        assert [name for name, _ in trained] == ["seed=0", "seed=2"]
    assert not [*tmp_path.glob("*/attempts.json"), *tmp_path.glob("*/checkpoint*")]


def test_reports_a_cell_finished_with_another_config_or_other_data(tiny_config, data_folder, tmp_path, finished_run):
    other_data = shutil.copytree(data_folder, tmp_path / "data")
    (other_data / "posters" / "1030.jpg").unlink()
    shutil.copytree(finished_run, tmp_path / "runs" / "seed=0")
    before = contents(finished_run)
    for config, data, what in [
        (tiny_config.replace(epochs=11), data_folder, "epochs"),
        (tiny_config, other_data, "the data"),
    ]:
        failed = sweep(Experiment(config, {"seed": (0,)}), data, tmp_path / "runs", progress=False)
        assert list(failed) == ["seed=0"] and f"holds a run that differs in: {what}" in failed["seed=0"]
    assert sweep(Experiment(tiny_config, {"seed": (0,)}), data_folder, tmp_path / "runs", progress=False) == {}
    assert contents(tmp_path / "runs" / "seed=0") == before


def test_cells_with_the_same_posters_share_one_decoded_copy(tiny_config, data_folder, tmp_path, trained):
    experiment = Experiment(tiny_config, {"ratio": (10, 30), "learning_rate": (1e-3, 1e-4)})
    sweep(experiment, data_folder, tmp_path, progress=False)
    data = [training_data for _, training_data in trained]
    assert data[0] is data[1] and data[2] is data[3] and data[0] is not data[2]
    assert [item.image_size for item in data] == [(27, 18)] * 2 + [(80, 55)] * 2


def test_folds_share_their_movies(tiny_config, data_folder):
    shared, folds = Shared(), tiny_config.replace(split="leak_free", allow_leak=False, num_folds=2)
    first, second = (shared.load(folds.replace(fold=fold), data_folder) for fold in (0, 1))
    assert first.table is second.table and first.fingerprint != second.fingerprint
    assert shared.load(folds.replace(fold=0, learning_rate=0.5), data_folder) is first
    assert shared.load(folds.replace(fold=0, split_seed=1), data_folder).table is not first.table


def test_shows_the_share_done_and_the_time_left(tiny_config, data_folder, tmp_path, trained, capsys):
    sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path)
    shown = capsys.readouterr().err
    assert "2 cells:" in shown and "100%" in shown and " left" in shown and "seed=1" in shown
    sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path)
    assert "100%" in (again := capsys.readouterr().err) and "  0%" not in again  # it starts with the finished cells
    sweep(Experiment(tiny_config, {"seed": (0, 1, 2)}), data_folder, tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""


def test_a_failed_cell_keeps_its_traceback_and_the_others_go_on(tiny_config, data_folder, tmp_path, monkeypatch):
    experiment, repaired = Experiment(tiny_config, {"seed": (0, 1, 2)}), False

    def train(config, data, run_dir, *, training_data, progress):
        if config.seed == 1 and not repaired:
            raise FloatingPointError("The loss became nan")
        finish(run_dir, config, training_data)

    monkeypatch.setattr(module, "train", train)
    failed = sweep(experiment, data_folder, tmp_path, progress=False)
    assert failed == {"seed=1": "FloatingPointError: The loss became nan"}
    reason, empty, *lines = (tmp_path / "seed=1" / "error.txt").read_text().splitlines()
    assert (reason, empty) == (failed["seed=1"], "")
    assert lines[0].startswith("Traceback") and any("in train" in line for line in lines)
    assert [is_finished(tmp_path / f"seed={seed}") for seed in (0, 1, 2)] == [True, False, True]

    repaired = True
    assert sweep(experiment, data_folder, tmp_path, progress=False) == {}
    assert not (tmp_path / "seed=1" / "error.txt").exists()


def test_an_interrupt_ends_the_sweep_and_counts_as_no_kill(tiny_config, data_folder, tmp_path, monkeypatch):
    def train(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt):
        sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)
    assert not list(tmp_path.glob("*/attempts.json"))


@pytest.mark.parametrize(
    ("starts", "epochs", "is_tried"),
    [(2, 0, True), (3, 0, False), (3, 1, True)],
    ids=["two kills", "three kills", "three kills before the last epoch"],
)
def test_a_cell_killed_three_times_without_an_epoch_fails(
    starts, epochs, is_tried, tiny_config, data_folder, tmp_path, trained
):
    write_json(tmp_path / "seed=0" / "attempts.json", {"starts": starts, "epochs": 0})
    (tmp_path / "seed=0" / "history.csv").write_text("epoch,loss\n" + "0,1.0\n" * epochs)
    failed = sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)
    assert [name for name, _ in trained] == (["seed=0", "seed=1"] if is_tried else ["seed=1"])
    if not is_tried:
        assert "The cell's process was killed 3 times" in failed["seed=0"]
        (tmp_path / "seed=0" / "attempts.json").unlink()  # as the message says
        assert sweep(Experiment(tiny_config, {"seed": (0,)}), data_folder, tmp_path, progress=False) == {}


def test_a_cell_that_another_process_of_the_sweep_failed_is_not_tried_again(
    tiny_config, data_folder, tmp_path, monkeypatch
):
    def train(config, data, run_dir, **options):
        write_json(tmp_path / "seed=1" / "config.json", {})
        (tmp_path / "seed=1" / "error.txt").write_text("ValueError: bad\n\nTraceback")  # the other process
        raise ValueError("bad as well")

    monkeypatch.setattr(module, "train", train)
    failed = sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)
    assert failed == {"seed=0": "ValueError: bad as well", "seed=1": "ValueError: bad"}


@pytest.mark.parametrize("finishes", [True, False])
def test_two_sweeps_of_one_folder_share_the_work(tiny_config, data_folder, tmp_path, monkeypatch, finishes):
    """The second sweep trains other cells first, waits for the locked one, and trains it if its process died."""
    first_is_in, other_cell_trained, trained = threading.Event(), threading.Event(), []

    def first_sweep():
        with locked(tmp_path / "seed=0"):
            first_is_in.set()
            other_cell_trained.wait(timeout=60)
            if finishes:
                finish(tmp_path / "seed=0", tiny_config, load_training_data(tiny_config.data, data_folder))

    def train(config, data, run_dir, *, training_data, **options):
        trained.append(run_dir.name)
        finish(run_dir, config, training_data)
        other_cell_trained.set()

    monkeypatch.setattr(module, "train", train)
    thread = threading.Thread(target=first_sweep)
    thread.start()
    first_is_in.wait(timeout=60)
    failed = sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)
    thread.join()
    assert trained == (["seed=1"] if finishes else ["seed=1", "seed=0"])
    assert not failed and not list(tmp_path.glob("*/error.txt"))


@pytest.fixture
def started(monkeypatch):
    """List of the processes that are started as workers, with their environments; they are looked after often."""
    processes, start, sleep = [], subprocess.Popen, time.sleep

    def popen(command, env, **options):
        process = start(command, env=env, **options)
        processes.append((process, env))
        return process

    monkeypatch.setattr(workers.subprocess, "Popen", popen)
    monkeypatch.setattr(workers.time, "sleep", lambda seconds: sleep(0.05))
    return processes


@pytest.mark.parametrize(
    ("code", "status", "num_starts"),
    [("sys.exit(1)", 1, 1), ("sys.exit(3)", 3, 1), ("os.kill(os.getpid(), 9)", -9, 3)],
)
def test_workers_that_fail_outside_of_a_cell_are_reported(code, status, num_starts, started, capsys):
    with pytest.raises(RuntimeError, match=rf"Workers failed outside of a cell: 0 \(status {status}\)"):
        workers._run([sys.executable, "-c", f"import os, sys; {code}"], 1, restarts=2, poll=lambda: None)
    assert len(started) == num_starts == capsys.readouterr().err.count("starts again") + 1


@pytest.mark.parametrize(
    ("num_gpus", "named", "expected"),
    [
        (0, None, [None, None, None]),
        (1, None, ["0", "0", "0"]),
        (2, None, ["0", "1", "0"]),
        (2, "5,7", ["5", "7", "5"]),
    ],
)
def test_each_worker_has_a_gpu_and_its_share_of_the_memory(started, monkeypatch, num_gpus, named, expected):
    monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda kind: ["GPU"] * num_gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("POSTER_CNN_MEMORY", "3GB")
    if named:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    workers._run(["true"], 3, restarts=0, poll=lambda: None)
    assert [environment.get("CUDA_VISIBLE_DEVICES") for _, environment in started] == expected
    assert [environment["POSTER_CNN_MEMORY"] for _, environment in started] == ["1000000000"] * 3


def test_an_interrupt_ends_the_workers(started):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers._run(["sleep", "600"], 2, restarts=0, poll=interrupt)
    assert [process.poll() for process, _ in started] == [-signal.SIGTERM] * 2


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])  # ignored behind a shell's `&`
def test_sigterm_interrupts_the_command(
    handler, experiment_file, data_folder, tmp_path, monkeypatch, capsys, restored_signals
):
    def terminated(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("poster_cnn.training.train.fit", terminated)
    signal.signal(signal.SIGINT, handler)
    status = main(["sweep", str(experiment_file), "--data", str(data_folder), "--out", str(tmp_path / "out")])
    assert status == 130 and "start the same command again to continue" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*/error.txt"))


def test_there_are_no_more_workers_than_cells(tiny_config, data_folder, tmp_path, monkeypatch):
    def run(command, num_workers, restarts, poll):
        assert command[-2:] == ["sweep", "file"] and (num_workers, restarts) == (2, 2 * module.MAX_KILLS)

    monkeypatch.setattr(workers, "_run", run)
    experiment = Experiment(tiny_config, {"seed": (0, 1)})
    failed = sweep_with_workers(experiment, ["sweep", "file"], data_folder, tmp_path, num_workers=5, progress=False)
    assert list(failed) == ["seed=0", "seed=1"]


def test_failures_include_finished_cells_of_other_data(tiny_config, data_folder, tmp_path):
    cells = Experiment(tiny_config, {"seed": (0, 1, 2)}).cells()
    for name in ("seed=0", "seed=1"):
        finish(tmp_path / name, cells[name], load_training_data(tiny_config.data, data_folder))
    (tmp_path / "seed=1" / "error.txt").write_text("ValueError: the data\n\nTraceback")
    ended = "Its process ended before the cell was finished."
    assert module.failures(cells, tmp_path) == {"seed=1": "ValueError: the data", "seed=2": ended}


def test_rejects_no_workers(tiny_config, data_folder, tmp_path):
    with pytest.raises(ValueError, match=r"`num_workers` \(--workers\) must be 1 or more. Received: num_workers=0"):
        sweep_with_workers(Experiment(tiny_config, {"seed": (0,)}), [], data_folder, tmp_path, num_workers=0)


# --- several processes ---


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_end_as_one(experiment_file, data_folder, tmp_path):
    command, out = ["sweep", experiment_file, "--data", data_folder, "--out"], tmp_path / "two"
    forked.run(SLOW_EPOCHS, *command, tmp_path / "one")
    first, second = (forked.start(SLOW_EPOCHS, *command, out) for _ in range(2))
    running = [out / name / "checkpoint.weights.h5" for name in ("seed=1", "seed=0")]
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in running):
        assert time.monotonic() < deadline and first.exitcode is None and second.exitcode is None
        time.sleep(0.01)
    first.kill()
    first.join()
    second.join(300)
    assert first.exitcode == -signal.SIGKILL and second.exitcode == 0
    for name in ("seed=1", "seed=0"):
        assert_same_run(out / name, tmp_path / "one" / name)
        assert not (out / name / "attempts.json").exists() and not (out / name / "checkpoint.weights.h5").exists()
    assert (out / "results.csv").is_file() and len(pd.read_csv(out / "results.csv")) == 2


@pytest.mark.slow
def test_workers_survive_a_cell_that_kills_its_process(tiny_config, data_folder, tmp_path, monkeypatch):
    """The killing cell dies three times and fails; two workers train the other cell."""
    path, out = tmp_path / "deadly.py", tmp_path / "out"
    path.write_text(
        "import os, signal\n"
        "from poster_cnn import TrainingConfig\n"
        "from poster_cnn.training import train as module\n"
        "fit = module.fit\n"
        "def deadly(config, data, run_dir, **options):\n"
        "    if run_dir.name == 'seed=2':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return fit(config, data, run_dir, **options)\n"
        "module.fit = deadly\n"
        f"config = TrainingConfig.from_dict({tiny_config.to_dict()!r})\n"
        "grid = {'seed': (2, 0)}\n"
    )
    command = ["sweep", path, "--data", data_folder, "--out", out, "--workers", "2"]
    monkeypatch.setenv("POSTER_CNN_MEMORY", "1GB")
    output = tmp_path / "output.log"
    ended = forked.start(COMMAND, *command, output=output)
    try:
        ended.join(300)
    finally:
        ended.kill()
    said = output.read_text()
    assert ended.exitcode == 1, said
    assert "failed: seed=2: RuntimeError: The cell's process was killed 3 times" in said
    assert said.count("was killed (signal 9) and starts again") == 3
    assert "1 cells finished, 1 failed" in said
    assert is_finished(out / "seed=0", tiny_config.replace(seed=0)) and not is_finished(out / "seed=2")


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(experiment_file, data_folder, tmp_path):
    command = ["sweep", experiment_file, "--data", data_folder, "--out", tmp_path / "out", "--workers", "2"]
    parent = forked.start(COMMAND, *command)
    children = pathlib.Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    if not children.is_file():
        parent.kill()
        pytest.skip("needs Linux's /proc")
    deadline = time.monotonic() + 120
    while len(children.read_text().split()) < 2:
        assert time.monotonic() < deadline and parent.exitcode is None
        time.sleep(0.05)
    started = [pathlib.Path("/proc") / number for number in children.read_text().split()]
    time.sleep(3)  # until the workers watch
    parent.kill()
    parent.join()
    while any(process.exists() for process in started):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_folder_that_is_missing_or_cannot_be_written_fails_before_the_cells(tiny_config, data_folder, tmp_path):
    experiment = Experiment(tiny_config, {"seed": (0, 1)})
    with pytest.raises(FileNotFoundError, match="No data folder found"):
        sweep(experiment, tmp_path / "nowhere", tmp_path / "runs", progress=False)
    with pytest.raises(FileNotFoundError, match="No data folder found"):
        sweep_with_workers(experiment, [], tmp_path / "nowhere", tmp_path / "runs", num_workers=2)
    assert not (tmp_path / "runs").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written.*Choose another folder"):
        sweep(experiment, data_folder, tmp_path / "file", progress=False)
