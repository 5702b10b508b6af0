"""Random search: the paper's distributions, draws that repeat, folds never trained twice, workers that may die."""

import json
import pathlib
import runpy
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from poster_cnn.cli import main
from poster_cnn.files import locked, read_json, write_json
from poster_cnn.training.data import load_training_data
from poster_cnn.training.run_folder import is_finished
from poster_cnn.training.train import train as training
from poster_cnn.tuning import random_search, search_workers, sweep, workers
from poster_cnn.tuning.random_search import SearchPlan, best_draw, load_plan, rank_draws
from poster_cnn.workspace import Settings

ZAVALA = pathlib.Path(__file__).parents[2] / "experiments" / "zavala"

EXPERIMENT = """
from poster_cnn.training.config import TrainingConfig
config = TrainingConfig.from_dict({config!r})
def space(hp):
    return {{"learning_rate": hp.Float("learning_rate", 1e-4, 1e-2, sampling="log"),
            "model_args": {{"filters": (4, 8), "dense_units": (hp.Int("units", 8, 16),)}}}}
max_trials = quick_max_trials = 2
quick_config = {{}}
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory, tiny_config):
    """Path of an experiment file: two draws of a tiny network, two folds each."""
    path = tmp_path_factory.mktemp("experiments") / "tiny_search.py"
    config = tiny_config.replace(num_folds=2, epochs=2, model_args={})
    path.write_text(EXPERIMENT.format(config=config.to_dict()))
    return path


@pytest.fixture
def plan(experiment):
    return load_plan(experiment)


@pytest.fixture(scope="module")
def loaded(experiment, data_folder):
    """The posters of the experiment."""
    return load_training_data(load_plan(experiment).config.replace(fold=0), data_folder)


def write_run(config, data, run_dir, *, training_data, progress=False):
    """Instead of training: writes what a finished run leaves."""
    assert config.fold is not None and (training_data.split == "validation").any()
    if not is_finished(run_dir, config):
        about = {"config": config.to_dict(), "data": {"fingerprint": training_data.fingerprint}}
        write_json(run_dir / "config.json", about)
        (run_dir / "history.csv").write_text(f"epoch,loss\n0,{config.fold}\n")
        accuracy = config.learning_rate * (1 + config.fold)
        write_json(run_dir / "metrics.json", {"test": {}, "validation": {"first_label_accuracy": accuracy}})
    return read_json(run_dir / "metrics.json")


@pytest.fixture
def trained(monkeypatch, loaded):
    """Run folders in the order of training, which is replaced by `write_run`."""
    calls = []

    def train(config, data, run_dir, **options):
        if not is_finished(run_dir, config):
            calls.append(f"{run_dir.parent.name}/{run_dir.name}")
        return write_run(config, data, run_dir, **options)

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(sweep, "load_training_data", lambda config, data: loaded.with_fold(config.fold))
    monkeypatch.setattr(random_search.keras.backend, "clear_session", lambda: None)
    return calls


def run_search(plan, data_folder, out):
    return random_search.random_search(plan, data_folder, out, progress=False)


def draws_of(calls):
    return list(dict.fromkeys(call.split("/")[0] for call in calls))


# --- what is drawn ---


@pytest.mark.parametrize(("name", "batch_norm"), [("random_search", False), ("random_search_batch_norm", True)])
def test_the_draws_are_distributed_as_in_the_paper(name, batch_norm, tmp_path):
    plan = load_plan(ZAVALA / f"{name}.py")
    oracle = random_search.Tuner(plan, None, tmp_path).oracle
    draws = []
    for _ in range(1500):
        hp = oracle.get_space()
        hp.values = oracle.populate_space("0")["values"]
        draw = plan.space(hp)
        draws.append({"learning_rate": draw["learning_rate"]} | draw["model_args"])
    draws = pd.DataFrame(draws)
    assert draws["learning_rate"].between(1e-4, 1e-2).all()
    assert stats.kstest(np.log10(draws["learning_rate"]), "uniform", [-4, 2]).pvalue > 0.05
    assert set(draws["dropout"]) == {number / 100 for number in range(20, 51)}  # .5 included, and nothing in between
    assert set(draws["filters"].str[0]) == set(range(4, 13))
    assert set(draws["filters"].str[1]) == set(range(16, 32))
    assert set(draws["dense_units"]) == set(range(80, 116))
    assert draws.get("batch_norm", pd.Series([False])).unique().tolist() == [batch_norm]
    assert (plan.max_trials, plan.config.num_folds, plan.config.epochs) == (10, 4, 15)
    assert load_plan(ZAVALA / f"{name}.py", preset="quick").max_trials == 2


def test_the_seed_alone_decides_the_draws(plan, data_folder, tmp_path, trained):
    for seed, out in [(0, "first"), (0, "again"), (1, "other")]:
        changed = SearchPlan(plan.config.replace(seed=seed), plan.space, plan.max_trials)
        assert run_search(changed, data_folder, tmp_path / out) == {}
    first, again, other = trained[:4], trained[4:8], trained[8:]
    assert first == again and len(set(first)) == 4
    assert not set(draws_of(first)) & set(draws_of(other))


def test_a_draws_folder_is_named_by_its_values(plan, data_folder, tmp_path, trained):
    run_search(plan, data_folder, tmp_path)
    for call in trained:
        config = json.loads((tmp_path / call / "config.json").read_text())["config"]
        units = config["model_args"]["dense_units"][0]
        assert call == f"learning_rate={config['learning_rate']:g},units={units}/fold={config['fold']}"


def test_a_space_with_fewer_draws_than_asked_for_ends_early(plan, data_folder, tmp_path, trained):
    few = SearchPlan(plan.config, lambda hp: {"seed": hp.Choice("seed", [3, 4])}, 9)
    assert run_search(few, data_folder, tmp_path) == {}
    assert sorted(trained) == ["seed=3/fold=0", "seed=3/fold=1", "seed=4/fold=0", "seed=4/fold=1"]
    assert run_search(SearchPlan(few.config, few.space, 1), data_folder, tmp_path) == {}
    assert len(trained) == 4 and len(list(tmp_path.glob("oracle/trial_*"))) == 1  # no trials of the search before


# --- plans and experiment files ---


@pytest.mark.parametrize(
    ("changes", "space", "max_trials", "message"),
    [
        ({"num_folds": None}, {}, 2, "needs a config with `num_folds`. Received: num_folds=None"),
        ({"metrics": ("hit_at_1",)}, {}, 2, "needs the metric 'first_label_accuracy'. Received: metrics=..hit_at_1"),
        ({}, {}, 0, "`max_trials` must be 1 or more. Received: max_trials=0"),
        ({}, {"lr": 1e-3}, 2, "`space` must return changes of the config .*'lr'"),
        ({}, {"learning_rate": -1}, 2, "`learning_rate` must be a positive number"),
    ],
)
def test_plans_that_cannot_be_searched(plan, changes, space, max_trials, message):
    with pytest.raises(ValueError, match=message):
        SearchPlan(plan.config.replace(**changes), lambda hp: space, max_trials)


@pytest.mark.parametrize(
    ("content", "preset", "message"),
    [
        ("config = 1; space = 2", "paper", "does not assign max_trials"),
        ("config = space = max_trials = 1", "quick", "does not assign quick_config, quick_max_trials"),
        ("", "fast", "`preset` must be 'paper' or 'quick'. Received: preset='fast'"),
    ],
)
def test_experiment_files_that_cannot_be_used(tmp_path, content, preset, message):
    (tmp_path / "search.py").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_plan(tmp_path / "search.py", preset=preset)


def test_without_keras_tuner_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(ImportError, match=r"need KerasTuner: pip install 'poster-cnn\[search\]'"):
        runpy.run_path(workers.__file__)


# --- searching, failing, going on ---


@pytest.mark.parametrize("torn", ["oracle/oracle.json", "oracle/trial_1/trial.json"])
@pytest.mark.parametrize("share", [0, 0.5, 0.98])
def test_a_torn_file_of_keras_tuner_costs_nothing(plan, data_folder, tmp_path, trained, torn, share):
    run_search(plan, data_folder, tmp_path)
    before = list(trained)
    (tmp_path / before[3] / "metrics.json").unlink()
    content = (tmp_path / torn).read_bytes()
    (tmp_path / torn).write_bytes(content[: int(share * len(content))])
    assert run_search(plan, data_folder, tmp_path) == {}
    assert trained == [*before, before[3]]
    assert json.loads((tmp_path / torn).read_text())  # whole again


@pytest.mark.filterwarnings("ignore:All-NaN axis encountered")
def test_failed_draws_are_reported_and_the_others_go_on(plan, data_folder, tmp_path, trained, monkeypatch):
    plan, train = SearchPlan(plan.config, plan.space, 6), training.train

    def fail(config, data, run_dir, **options):
        if run_dir.parent.name in draws[:4] and config.fold == 1:  # KerasTuner itself would give up after three
            raise FloatingPointError("The loss became nan")
        return train(config, data, run_dir, **options)

    run_search(plan, data_folder, tmp_path / "fine")
    draws = draws_of(trained)
    trained.clear()
    monkeypatch.setattr(training, "train", fail)
    failed = run_search(plan, data_folder, tmp_path / "bad")
    assert failed == dict.fromkeys(draws[:4], "FloatingPointError: The loss became nan")
    assert (tmp_path / "bad" / draws[0] / "error.txt").read_text() == "FloatingPointError: The loss became nan\n"
    assert draws_of(trained) == draws

    trained.clear()
    monkeypatch.setattr(training, "train", train)
    assert run_search(plan, data_folder, tmp_path / "bad") == {}
    assert trained == [f"{draw}/fold=1" for draw in draws[:4]]
    assert not list(tmp_path.glob("bad/*/error.txt"))


def test_draws_share_the_posters_and_baselines_of_each_fold(plan, data_folder, tmp_path, monkeypatch, trained, loaded):
    given, loads, train = [], [], training.train

    def load(config, data):
        loads.append(config)
        return loaded.with_fold(config.fold)

    def remember(config, data, run_dir, **options):
        given.append((config.fold, options["training_data"]))
        return train(config, data, run_dir, **options)

    monkeypatch.setattr(sweep, "load_training_data", load)
    monkeypatch.setattr(training, "train", remember)
    run_search(plan, data_folder, tmp_path)
    (first, data_0), (second, data_1), (third, again_0), (fourth, again_1) = given
    assert (first, second, third, fourth) == (0, 1, 0, 1) and len(loads) == 1
    assert data_0 is again_0 and data_1 is again_1 and data_0.fingerprint != data_1.fingerprint


def test_progress_shows_the_share_done(plan, data_folder, tmp_path, trained, capsys):
    for _ in range(2):
        random_search.random_search(plan, data_folder, tmp_path)
        shown = capsys.readouterr()
        assert "2 draws: 100%" in shown.err and "4/4" in shown.err and "learning_rate=" in shown.err
        assert shown.out == ""
    run_search(plan, data_folder, tmp_path)
    assert capsys.readouterr().err == ""


def test_an_interrupt_ends_the_search(plan, data_folder, tmp_path, monkeypatch):
    def train(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", train)
    with pytest.raises(KeyboardInterrupt):
        run_search(plan, data_folder, tmp_path)


def test_two_searches_of_one_folder_are_an_error(plan, experiment, data_folder, tmp_path):
    with locked(tmp_path):
        with pytest.raises(BlockingIOError, match="Another process"):
            run_search(plan, data_folder, tmp_path)
        with pytest.raises(BlockingIOError, match="Another process"):
            search_workers.search_with_workers(experiment, data_folder, tmp_path, num_workers=1)


def test_a_killed_search_ends_as_an_uninterrupted_one(experiment, data_folder, tmp_path, run_and_kill, trained):
    script = """
import sys, time
sys.path.insert(0, sys.argv[1])
import test_random_search
def train(config, data, run_dir, **options):
    time.sleep(0.2)  # so that there is time to kill it
    return test_random_search.write_run(config, data, run_dir, **options)
test_random_search.training.train = train
test_random_search.main(["search", *sys.argv[2:]])
"""
    command = [str(experiment), "--data", str(data_folder), "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first_folds = "*/fold=0/metrics.json"
    run_and_kill(
        script, pathlib.Path(__file__).parents[1], *command, killed, when=lambda: list(killed.glob(first_folds))
    )
    assert not (killed / "results.csv").exists()
    assert main(["search", *command, str(killed)]) == 0
    assert 1 <= len(trained) < 4
    assert main(["search", *command, str(whole)]) == 0
    for name in ("results.csv", "history.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_settings_search_for_an_experiment_that_assigns_a_space(experiment, data_folder, tmp_path, trained):
    (tmp_path / "experiments" / "own").mkdir(parents=True)
    (tmp_path / "experiments" / "own" / "tiny.py").write_text(experiment.read_text())
    settings = Settings("quick", data_folder, tmp_path / "out", tmp_path)
    frame, history = settings.results("own/tiny"), settings.history("own/tiny")
    assert len(frame) == len(history) == len(trained) == 4
    assert (tmp_path / "out" / "results" / "own_tiny.csv").is_file()


# --- results ---


@pytest.mark.filterwarnings("ignore:All-NaN axis encountered")
def test_a_search_whose_draws_all_fail_says_so(experiment, data_folder, tmp_path, trained, monkeypatch, capsys):
    def train(*arguments, **options):
        raise FloatingPointError("The loss became nan")

    monkeypatch.setattr(training, "train", train)
    assert main(["search", str(experiment), "--data", str(data_folder), "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "0 draws finished, 2 failed" in shown.out and shown.err.count("FloatingPointError: The loss became nan") == 2


def test_the_best_draw_has_the_highest_mean_over_all_its_folds():
    scores = {"a/fold=0": 0.2, "a/fold=1": 0.4, "b/fold=0": 0.5, "b/fold=1": 0.3, "half/fold=0": 0.9}
    draws = [run.rpartition("/")[0] for run in scores]
    frame = pd.DataFrame({"set_name": draws, "num_folds": 2, "validation_first_label_accuracy": scores.values()})
    assert rank_draws(frame).round(6).to_dict() == {"b": 0.4, "a": 0.3}
    assert best_draw(frame) == "b"
    with pytest.raises(ValueError, match="No draw is finished on all its folds. Received: 1 runs"):
        best_draw(frame[-1:])
