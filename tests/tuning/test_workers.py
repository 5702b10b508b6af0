"""Several workers: each cell once, in order; what a dead worker was training is finished by another."""

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import poster_cnn
from poster_cnn import tuning
from poster_cnn.cli import main
from poster_cnn.files import locked, read_json, write_json
from poster_cnn.training.train import train as training
from poster_cnn.tuning import hosts, random_search, search_workers, sweep, workers
from poster_cnn.tuning.experiment import Experiment
from poster_cnn.tuning.search_workers import CellTuner, sweep_on_hosts, sweep_with_workers

SWEEP = """
from poster_cnn.training.config import TrainingConfig
config = TrainingConfig.from_dict({config!r})
grid = {{"seed": (0, 1, 2)}}
quick_config, quick_grid = {{}}, {{"seed": (0, 1)}}
"""
SEARCH = """
from poster_cnn.training.config import TrainingConfig
config = TrainingConfig.from_dict({config!r})
def space(hp):
    return {{"learning_rate": hp.Float("learning_rate", 1e-4, 1e-2, sampling="log"),
            "model_args": {{"filters": (4, 8), "dense_units": (hp.Int("units", 8, 16),)}}}}
max_trials = 1
"""


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory, tiny_config):
    """Path of an experiment file with three cells; with the quick preset, two."""
    path = tmp_path_factory.mktemp("experiments") / "tiny_sweep.py"
    path.write_text(SWEEP.format(config=tiny_config.to_dict()))
    return path


@pytest.fixture(scope="module")
def search_file(tmp_path_factory, tiny_config):
    """Path of an experiment file with one draw of a tiny network, in two folds."""
    path = tmp_path_factory.mktemp("experiments") / "tiny_search.py"
    path.write_text(SEARCH.format(config=tiny_config.replace(num_folds=2, epochs=2, model_args={}).to_dict()))
    return path


@pytest.fixture
def started(monkeypatch):
    """Processes of the workers, in the order in which they were started."""
    processes, popen = [], subprocess.Popen

    def start(*arguments, **options):
        processes.append(popen(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def trained(monkeypatch):
    """Names of the cells in the order of training, which is replaced; seed 1 fails unless "seed=1" is in `mended`."""
    calls, mended = [], set()

    def train(config, data, run_dir, *, training_data, progress):
        calls.append(run_dir.name)
        if config.seed == 1 and not mended:
            raise FloatingPointError("The loss became nan")
        about = {"config": config.to_dict(), "data": {"fingerprint": training_data.fingerprint}}
        write_json(run_dir / "config.json", about)
        write_json(run_dir / "metrics.json", {})

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(sweep.keras.backend, "clear_session", lambda: None)
    return calls, mended


def be(monkeypatch, name, port=1):
    """Sets KerasTuner's three variables for this process."""
    monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(port))


def ongoing(out_dir, worker):
    """What a worker is training, as KerasTuner's files have it: a trial, or `None`."""
    with contextlib.suppress(OSError, ValueError, KeyError):  # not written yet, or only half
        trial_id = json.loads((out_dir / "oracle" / "oracle.json").read_text())["ongoing_trials"][worker]
        return json.loads((out_dir / "oracle" / f"trial_{trial_id}" / "trial.json").read_text())


# --- who gets what ---


@pytest.fixture(params=["cells", "draws"])
def oracle(request, tiny_config, search_file, tmp_path):
    """What hands out three cells, or three draws."""
    if request.param == "cells":
        return CellTuner(Experiment(tiny_config, {"seed": (0, 1, 2)}).cells(), None, tmp_path).oracle
    plan = dataclasses.replace(random_search.load_plan(search_file), max_trials=3)
    return random_search.Tuner(plan, None, tmp_path).oracle


@pytest.fixture
def alive(tmp_path):
    """Function: the workers of these names live until the `ExitStack` that it returns is closed."""
    with contextlib.ExitStack() as everybody:

        def live(*names):
            stack = everybody.enter_context(contextlib.ExitStack())
            for name in names:
                stack.enter_context(hosts.alive(tmp_path, name))
            return stack

        yield live


def end(oracle, trial, status="COMPLETED"):
    oracle.update_trial(trial.trial_id, {oracle.objective.name: 1.0})
    trial.status = status
    oracle.end_trial(trial)


def test_each_is_handed_out_once_and_in_order(oracle, alive):
    alive("a", "b", "c")
    trials = [oracle.create_trial(worker) for worker in "abc"]
    assert [trial.trial_id for trial in trials] == ["0", "1", "2"]
    if "cell" in trials[0].hyperparameters.values:
        assert [trial.hyperparameters.values["cell"] for trial in trials] == ["seed=0", "seed=1", "seed=2"]
    assert len({json.dumps(trial.hyperparameters.values) for trial in trials}) == 3


def test_workers_wait_for_one_another_as_each_may_still_die(oracle, alive):
    alive("a", "b")
    for trial in [oracle.create_trial("a"), oracle.create_trial("b")]:
        end(oracle, trial)
    last = oracle.create_trial("a")
    assert oracle.create_trial("b").status == "IDLE"
    end(oracle, last)
    assert [oracle.create_trial(worker).status for worker in "ba"] == ["STOPPED", "STOPPED"]
    assert not oracle.tuner_ids


@pytest.mark.parametrize("next_worker", ["b", "a"])  # another, or the same, started again
def test_what_a_dead_worker_had_goes_to_the_next_that_asks(oracle, alive, capsys, next_worker):
    alive("b")
    with alive("a"):
        lost = oracle.create_trial("a")
    again = oracle.create_trial(next_worker)
    assert (again.trial_id, again.status) == (lost.trial_id, "RUNNING")
    assert again.hyperparameters.values == lost.hyperparameters.values
    named = again.hyperparameters.values.get("cell")
    shown = capsys.readouterr()
    assert f"a died while it trained; {f'cell {named}' if named else 'draw 1'} goes to the next worker" in shown.err
    assert not shown.out  # KerasTuner would speak of trials and retries
    end(oracle, again)
    assert oracle.create_trial("b").trial_id == "1"


def test_what_takes_every_worker_with_it_counts_as_failed_and_the_others_go_on(oracle, alive, capsys):
    assert [oracle.create_trial("a").trial_id for _ in range(workers.MAX_DEATHS)] == ["0"] * workers.MAX_DEATHS
    assert oracle.create_trial("a").trial_id == "1"
    assert oracle.trials["0"].status == "FAILED"
    assert capsys.readouterr().err.splitlines()[-1].endswith("counts as failed")


def test_what_failed_by_itself_is_not_tried_again(oracle, alive):
    end(oracle, oracle.create_trial("a"), "FAILED")
    assert oracle.create_trial("a").trial_id == "1"


def test_two_workers_of_one_name_are_an_error(alive, tmp_path, monkeypatch):
    alive("worker0")
    acquire = hosts.filelock.FileLock.acquire
    monkeypatch.setattr(hosts.filelock.FileLock, "acquire", lambda lock, timeout: acquire(lock, timeout=0))
    with pytest.raises(BlockingIOError, match="Another process is worker0 .* Received: KERASTUNER_TUNER_ID=worker0"):
        alive("worker0")


# --- sweeps ---


@pytest.fixture
def in_this_process(monkeypatch):
    """Arguments that the workers would get; this process trains in their place."""
    given = []

    def train(tuner, arguments, num_workers, max_restarts):
        given.extend(map(str, arguments))
        tuner.search()

    monkeypatch.setattr(workers, "train_with_workers", train)
    return given


def test_finished_cells_are_not_handed_out_and_failed_ones_are_reported(
    sweep_file, data_folder, tmp_path, trained, in_this_process
):
    (calls, mended), reason = trained, "FloatingPointError: The loss became nan"
    assert sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=2) == {"seed=1": reason}
    assert calls == ["seed=0", "seed=1", "seed=2"]
    assert (tmp_path / "seed=1" / "error.txt").read_text() == reason + "\n"
    of_workers = ["sweep", sweep_file, "--data", data_folder, "--out", tmp_path, "--preset", "paper"]
    assert in_this_process == list(map(str, of_workers))
    mended.add("seed=1")
    assert sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=2) == {}
    assert calls == ["seed=0", "seed=1", "seed=2", "seed=1"] and not list(tmp_path.glob("*/error.txt"))
    assert sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=2) == {}
    assert len(calls) == 4


def test_a_cell_that_failed_is_no_completed_trial_and_is_not_tried_again(sweep_file, data_folder, tmp_path, trained):
    tuner = CellTuner(tuning.load_experiment(sweep_file).cells(), data_folder, tmp_path)
    tuner.search()
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert trained[0] == ["seed=0", "seed=1", "seed=2"]


def test_a_worker_waits_for_a_cell_that_another_process_trains(sweep_file, data_folder, tmp_path, trained, monkeypatch):
    tuner = CellTuner(tuning.load_experiment(sweep_file).cells(), data_folder, tmp_path)
    train, busy = training.train, [True] * workers.MAX_DEATHS  # so many deaths would fail the cell

    def train_unless_busy(*arguments, **options):
        if busy:
            busy.pop()
            raise BlockingIOError("Another process is working")
        train(*arguments, **options)

    monkeypatch.setattr(training, "train", train_unless_busy)
    trained[1].add("seed=1")
    tuner.search()
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED"] * 3
    assert trained[0] == ["seed=0", "seed=1", "seed=2"]


def test_finished_cells_of_other_data_are_reported(sweep_file, data_folder, tmp_path, trained, in_this_process):
    trained[1].add("seed=1")
    sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=1)
    record = read_json(tmp_path / "seed=2" / "config.json")
    write_json(tmp_path / "seed=2" / "config.json", record | {"data": {"fingerprint": "of other posters"}})
    failed = sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=1)
    assert list(failed) == ["seed=2"] and "differs in: the data" in failed["seed=2"]


def test_moviescope_is_no_data_folder_to_look_for(ensemble_config, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "train_with_workers", lambda *arguments: None)
    given = Experiment(ensemble_config.replace(split="given"), {"seed": (0,)})
    monkeypatch.setattr(sweep, "load_experiment", lambda *arguments, **options: given)
    assert list(sweep_with_workers("any.py", tmp_path, tmp_path / "out", num_workers=1)) == ["seed=0"]
    own = Experiment(ensemble_config, {"seed": (0,)})
    monkeypatch.setattr(sweep, "load_experiment", lambda *arguments, **options: own)
    with pytest.raises(FileNotFoundError):
        sweep_with_workers("any.py", tmp_path, tmp_path / "out", num_workers=1)


def test_a_cell_whose_workers_all_died_is_reported(sweep_file, data_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "train_with_workers", lambda *arguments: None)
    failed = sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=1)
    assert failed == dict.fromkeys(["seed=0", "seed=1", "seed=2"], "its worker died 3 times")


def test_a_worker_that_comes_too_late_finds_nothing_to_do(
    sweep_file, data_folder, tmp_path, trained, in_this_process, monkeypatch
):
    trained[1].add("seed=1")
    sweep_with_workers(sweep_file, data_folder, tmp_path, num_workers=1)
    be(monkeypatch, "worker7")
    assert sweep_on_hosts(tuning.load_experiment(sweep_file), data_folder, tmp_path) == {}


def test_a_sweep_needs_keras_tuner_for_several_workers_alone(
    sweep_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    trained[1].add("seed=1")
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    for name in ("random_search", "search_workers", "workers"):
        monkeypatch.delitem(sys.modules, f"poster_cnn.{name}")
        monkeypatch.delattr(poster_cnn, name)
    command = ["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path)]
    assert main([*command, "--workers", "2"]) == 1
    assert "several workers need KerasTuner: pip install 'poster-cnn[search]'" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="3 of 3 run folders .* were left out"):  # they have no learning curves
        assert main(command) == 0
    assert trained[0] == ["seed=0", "seed=1", "seed=2"]


@pytest.mark.parametrize("command", ["sweep", "search"])
def test_workers_are_refused_where_a_chief_is_set_or_there_are_none(
    command, sweep_file, search_file, data_folder, tmp_path, monkeypatch, capsys
):
    file = {"sweep": sweep_file, "search": search_file}[command]
    arguments = [command, str(file), "--data", str(data_folder), "--out", str(tmp_path), "--workers"]
    assert main([*arguments, "0"]) == 1
    assert "`num_workers` (--workers) must be 1 or more. Received: num_workers=0" in capsys.readouterr().err
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    assert main([*arguments, "2"]) == 1
    assert "no KERASTUNER_ORACLE_IP; unset it, or leave out" in capsys.readouterr().err


# --- several hosts ---


@pytest.mark.parametrize("command", ["sweep", "search"])
@pytest.mark.parametrize(
    ("given", "received"),
    [
        (("chief", None, None), "KERASTUNER_TUNER_ID='chief', no KERASTUNER_ORACLE_IP, no KERASTUNER_ORACLE_PORT"),
        (("worker0", "127.0.0.1", None), "no KERASTUNER_ORACLE_PORT"),
        ((None, "127.0.0.1", "8000"), "no KERASTUNER_TUNER_ID"),
        (("worker0", "", "8000"), "KERASTUNER_ORACLE_IP=''"),
        (("chief", "127.0.0.1", "http"), "KERASTUNER_ORACLE_PORT='http'"),
        (("chief", "127.0.0.1", "0"), "KERASTUNER_ORACLE_PORT='0'"),
        (("worker0", "127.0.0.1", "80000"), "KERASTUNER_ORACLE_PORT='80000'"),
    ],
)
def test_wrong_variables_are_named_before_posters_are_read(
    command, given, received, sweep_file, search_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    names = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
    for name, value in zip(names, given, strict=True):
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    file = {"sweep": sweep_file, "search": search_file}[command]
    assert main([command, str(file), "--data", str(data_folder), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and received in error and "chief (or worker0)" in error and "1..65535" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["sweep", "search"])
@pytest.mark.parametrize("who", ["--workers", "chief", "worker0"])
def test_hosts_of_tf_config_are_refused_at_once(
    command, who, sweep_file, search_file, data_folder, tmp_path, monkeypatch, capsys
):
    task = {"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(task))
    monkeypatch.setattr(workers, "_server", lambda *arguments: pytest.fail("a chief was started"))
    monkeypatch.setattr(hosts, "CHIEF_SECONDS", 0)
    file = {"sweep": sweep_file, "search": search_file}[command]
    arguments = [command, str(file), "--data", str(data_folder), "--out", str(tmp_path / "out")]
    if who == "--workers":
        arguments += [who, "2"]
    else:
        be(monkeypatch, who)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "Unset TF_CONFIG. Received: TF_CONFIG with the hosts host0:2222, host1:2222" in error
    assert error.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["sweep", "search"])
def test_a_chief_whose_port_is_taken_says_so(
    command, sweep_file, search_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    file = {"sweep": sweep_file, "search": search_file}[command]
    with workers._server(None, "127.0.0.1:0") as (_, port):  # another chief's
        be(monkeypatch, "chief", port)
        assert main([command, str(file), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
        with pytest.raises(OSError, match="cannot listen"):  # before it looks for posters
            sweep_on_hosts(tuning.load_experiment(sweep_file), tmp_path / "none", tmp_path)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"cannot listen at 127.0.0.1:{port} (Address already in use)" in error
    assert not trained[0]


def test_two_servers_do_not_share_a_port():
    with workers._server(None, "127.0.0.1:0") as (_, port), pytest.raises(RuntimeError, match=str(port)):
        with workers._server(None, f"127.0.0.1:{port}"):
            pass


def test_a_chief_stays_while_a_worker_lives_and_goes_home_when_the_last_died_before_it_said_what_is_finished(
    sweep_file, data_folder, tmp_path, trained, monkeypatch
):
    trained[1].add("seed=1")
    experiment, tuners, server = tuning.load_experiment(sweep_file, preset="quick"), [], workers._server
    shared, life = (None, None), contextlib.ExitStack()

    def train_two_cells():
        nonlocal shared
        for name, config in experiment.cells().items():
            shared, _ = sweep.train_cell(config, data_folder, tmp_path / name, shared)
        (tmp_path / "seed=1" / "checkpoint.weights.h5").touch()  # it was killed before this was gone

    events = iter(
        [
            lambda: life.enter_context(hosts.alive(tmp_path, "worker0")),
            lambda: tuners[0].create_trial("worker0"),
            train_two_cells,
            lambda: None,  # all is finished, and the worker lives
            life.close,
        ]
    )

    def serve(oracle, address):
        tuners.append(oracle)
        return server(oracle, "127.0.0.1:0")

    monkeypatch.setattr(workers, "_server", serve)
    monkeypatch.setattr(workers.hosts, "check_port", lambda: None)
    monkeypatch.setattr(workers.time, "sleep", lambda seconds: next(events)())  # no sixth: the chief has gone home
    be(monkeypatch, "chief")
    assert sweep_on_hosts(experiment, data_folder, tmp_path) == {}
    assert list(events) == []  # nor did it go before the fifth
    assert not list(tmp_path.glob("*/checkpoint*"))


def test_a_worker_without_a_chief_waits_and_then_says_so(
    sweep_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    monkeypatch.setattr(hosts, "CHIEF_SECONDS", 0.3)  # not ten minutes
    be(monkeypatch, "worker7")
    assert main(["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "worker7 waits for the chief at 127.0.0.1:1 (at most 0.005 minutes)\n"
    assert shown.err.startswith("poster-cnn: No chief at 127.0.0.1:1 for 0.005 minutes (Connection refused). Start")
    assert shown.err.count("\n") == 1 and not trained[0]


def test_a_worker_ends_when_the_chief_dies_while_it_waits_for_a_cell(
    sweep_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    monkeypatch.setattr(hosts, "CHIEF_SECONDS", 0.3)
    oracle = CellTuner(Experiment(tuning.load_experiment(sweep_file).config, {"seed": (0,)}).cells(), None, tmp_path)
    oracle, answers, wait_for_chief = oracle.oracle, [], hosts.wait_for_chief
    create_trial = oracle.create_trial

    def answer(worker):
        assert not answers  # it has died
        answers.append(create_trial(worker))
        return answers[-1]

    def wait():
        if answers:
            chief.close()
            with contextlib.suppress(ConnectionError):
                while True:
                    socket.create_connection(("127.0.0.1", port)).close()
        wait_for_chief()

    with contextlib.ExitStack() as chief, hosts.alive(tmp_path, "worker0"):
        create_trial("worker0")  # the only cell
        monkeypatch.setattr(oracle, "create_trial", answer)
        monkeypatch.setattr(hosts, "wait_for_chief", wait)
        _, port = chief.enter_context(workers._server(oracle, "127.0.0.1:0"))
        be(monkeypatch, "worker7", port)
        assert main(["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert [trial.status for trial in answers] == ["IDLE"] and not trained[0]
    said = [line.split(" the chief")[0] for line in shown.out.splitlines()]
    assert said == ["worker7 trains cells of", "worker7 waits for"]
    assert shown.err.startswith(f"poster-cnn: No chief at 127.0.0.1:{port}") and shown.err.count("\n") == 1


def test_a_worker_ends_when_the_chief_dies_while_it_trains(
    sweep_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    monkeypatch.setattr(hosts, "CHIEF_SECONDS", 0.6)
    tuner, train = CellTuner(tuning.load_experiment(sweep_file).cells(), None, tmp_path), training.train

    def die_and_train(*arguments, **options):
        chief.close()
        train(*arguments, **options)

    monkeypatch.setattr(training, "train", die_and_train)
    with contextlib.ExitStack() as chief:
        _, port = chief.enter_context(workers._server(tuner.oracle, "127.0.0.1:0"))
        be(monkeypatch, "worker7", port)
        assert main(["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "cell 1 of 3: seed=0 finished" in shown.out and trained[0] == ["seed=0"]
    assert shown.err.startswith(f"poster-cnn: The chief at 127.0.0.1:{port} does not answer (")
    assert shown.err.count("\n") == 1


def test_a_chief_that_listens_but_does_not_answer_is_an_error(
    sweep_file, data_folder, tmp_path, trained, monkeypatch, capsys
):
    monkeypatch.setattr(hosts, "CHIEF_SECONDS", 0.6)
    monkeypatch.setattr(workers.oracle_client, "TIMEOUT", 20)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        be(monkeypatch, "worker7", mute.getsockname()[1])
        assert main(["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "does not answer (DEADLINE_EXCEEDED)" in error and error.count("\n") == 1
    assert workers.oracle_client.TIMEOUT == 0.6  # KerasTuner's is an hour


# --- processes ---


def test_two_hosts_sweep_and_one_finishes_what_the_other_was_killed_in(
    sweep_file, data_folder, tmp_path, started, tiny_config, monkeypatch, capfd
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["sweep", str(sweep_file), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    command += ["--preset", "quick"]
    be(monkeypatch, "chief", port)
    statuses = []
    chief = threading.Thread(target=lambda: statuses.append(main(command)), daemon=True)
    chief.start()
    for name in ("worker0", "worker1"):
        environment = os.environ | {"KERASTUNER_TUNER_ID": name}
        workers.subprocess.Popen([sys.executable, "-m", "poster_cnn", *command], env=environment)
    lost = None
    while not (lost and (lost / "history.csv").exists()):  # an epoch is on disk
        assert chief.is_alive() and all(process.poll() is None for process in started)
        trial = ongoing(tmp_path / "runs", "worker0")
        lost = trial and tmp_path / "runs" / trial["hyperparameters"]["values"]["cell"]
        time.sleep(0.01)
    started[0].kill()
    started[0].wait()
    assert not (lost / "metrics.json").exists()
    chief.join(timeout=500)
    assert statuses == [0] and started[1].wait(timeout=30) == 0
    shown = capfd.readouterr()
    assert f"chief hands out cells at 127.0.0.1:{port}" in shown.out and "2 cells finished, 0 failed" in shown.out
    assert "worker0 died while it trained" in shown.err and f"of 2: {lost.name} finished" in shown.out
    assert len((tmp_path / "runs" / "results.csv").read_text().splitlines()) == 3
    config = tiny_config.replace(seed=int(lost.name[-1]))
    training.train(config, data_folder, tmp_path / "alone", progress=False)
    for name in ("history.csv", "predictions.csv"):  # the same as if nothing had happened
        assert (tmp_path / "alone" / name).read_bytes() == (lost / name).read_bytes()


def test_a_killed_worker_is_started_again_and_goes_on(search_file, data_folder, tmp_path, started, capfd):
    def kill_the_first():
        """As soon as the fold that it trains has an epoch on disk."""
        while not list(tmp_path.glob("*/fold=0/history.csv")) and any(process.poll() is None for process in started):
            time.sleep(0.01)
        started[0].kill()

    command = ["search", str(search_file), "--data", str(data_folder), "--out", str(tmp_path), "--workers", "2"]
    timer = threading.Timer(1, kill_the_first)
    timer.start()
    assert main(command) == 0
    timer.join()
    shown = capfd.readouterr()
    assert len(started) == 2 and "worker0 died (status -9); started again" in shown.err  # two for one draw are too many
    assert "1 draws finished, 0 failed" in shown.out and shown.out.count("mean of 2 folds") == 1
    assert len(list(tmp_path.glob("*/fold=*/metrics.json"))) == 2


def test_a_worker_is_started_again_so_often_and_no_more(started, capsys):
    assert workers._run_workers([sys.executable, "-c", "raise SystemExit(3)"], 1, 2, max_restarts=2) == 0
    assert len(started) == 6
    assert "worker1 died (status 3) once too often" in capsys.readouterr().err
    assert workers._run_workers([sys.executable, "-c", ""], 1, 2, max_restarts=2) == 2


@pytest.mark.parametrize(
    ("num_gpus", "named", "expected"),
    [
        (0, None, [None, None, None]),
        (1, None, ["0", "0", "0"]),
        (2, None, ["0", "1", "0"]),
        (2, "5,7", ["5", "7", "5"]),
    ],
)
def test_each_worker_has_a_gpu(monkeypatch, num_gpus, named, expected):
    given = []
    monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda kind: ["GPU"] * num_gpus)
    monkeypatch.setattr(workers.subprocess, "Popen", lambda command, env, **options: given.append(env))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    for number in range(3):
        workers._start([], 1, number, workers._gpus(), 1000)
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in given] == expected


def test_workers_share_the_memory_for_posters(monkeypatch, tmp_path):
    monkeypatch.setenv("POSTER_CNN_MEMORY", "4GB")
    write = "import os; open(os.environ['KERASTUNER_TUNER_ID'], 'w').write(os.environ['POSTER_CNN_MEMORY'])"
    monkeypatch.chdir(tmp_path)
    assert workers._run_workers([sys.executable, "-c", write], 1, 4, max_restarts=0) == 4
    shares = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert shares == dict.fromkeys(["worker0", "worker1", "worker2", "worker3"], "1000000000")


def test_an_interrupt_takes_the_workers_with_it(started, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(workers.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        workers._run_workers([sys.executable, "-c", "import time; time.sleep(600)"], 1, 2, max_restarts=2)
    assert [process.poll() for process in started] == [-15, -15]


def test_a_worker_ends_when_the_process_that_started_it_is_gone(monkeypatch):
    statuses, parents = [], iter([1000, 1000, 1])
    monkeypatch.setattr(workers.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(workers.os, "_exit", statuses.append)
    monkeypatch.setattr(workers.time, "sleep", lambda seconds: None)
    monkeypatch.setenv(workers._PARENT, "1000")
    monkeypatch.setattr(
        workers.threading, "Thread", lambda target, args, daemon: SimpleNamespace(start=lambda: target(*args))
    )
    workers.end_with_parent()
    assert statuses == [1]


def test_two_chiefs_of_one_folder_are_an_error(sweep_file, search_file, data_folder, tmp_path):
    with locked(tmp_path):
        for start, file in [(sweep_with_workers, sweep_file), (search_workers.search_with_workers, search_file)]:
            with pytest.raises(BlockingIOError, match="Another process"):
                start(file, data_folder, tmp_path, num_workers=1)
