"""Sweeps: a run folder a cell, finished ones left alone, failed ones reported, killed ones continued."""

import pathlib
import shutil
import threading

import pytest

from poster_cnn import models
from poster_cnn.files import locked, write_json
from poster_cnn.training.data import load_training_data
from poster_cnn.training.run_folder import is_finished
from poster_cnn.training.train import train as training
from poster_cnn.tuning import sweep as search
from poster_cnn.tuning.experiment import Experiment, load_experiment
from poster_cnn.tuning.sweep import sweep

REPOSITORY = pathlib.Path(__file__).parents[2]
EXPERIMENTS = sorted(
    path
    for path in REPOSITORY.glob("experiments/*/*.py")
    if path.parent.name not in ("benchmarks", "soak") and "random_search" not in path.name  # test_random_search.py
)


@pytest.fixture
def trained(monkeypatch):
    """Replaces training by writing down (name of the run folder, its training data); quick, and it cannot fail."""
    calls = []

    def train(config, data, run_dir, *, training_data, progress):
        if not is_finished(run_dir, config):
            calls.append((run_dir.name, training_data))
            finish(run_dir, config, training_data)

    monkeypatch.setattr(training, "train", train)
    return calls


def finish(run_dir, config, training_data):
    """Leaves in a run folder what tells that it is finished, and with which config and data."""
    about = {"config": config.to_dict(), "data": {"fingerprint": training_data.fingerprint}}
    write_json(run_dir / "config.json", about)
    write_json(run_dir / "metrics.json", {})


def contents(run_dir):
    return {path.name: path.read_bytes() for path in run_dir.iterdir() if path.name != ".lock"}


def names(trained):
    return [name for name, _ in trained]


# --- grids and experiment files ---


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ({"ratio": (30, 40), "seed": (0, 1)}, "ratio=30,seed=0 ratio=30,seed=1 ratio=40,seed=0 ratio=40,seed=1"),
        ({"learning_rate": (1e-3, 1e-7)}, "learning_rate=0.001 learning_rate=1e-07"),
        ({"seed": (0, 1234567)}, "seed=0 seed=1234567"),
        ({"interpolation": ("bilinear", "lanczos3")}, "interpolation=bilinear interpolation=lanczos3"),
        ({"ratio": (30, 33.3)}, "ratio=30 ratio=33.3"),
    ],
)
def test_every_combination_is_a_cell_named_after_its_changes(tiny_config, grid, expected):
    cells = Experiment(tiny_config, grid).cells()
    assert list(cells) == expected.split()
    for name, config in cells.items():
        changes = {attribute: getattr(config, attribute) for attribute in grid}
        assert config == tiny_config.replace(**changes)
        assert name == ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in changes.items())


def test_cells_that_would_share_a_folder_are_an_error(tiny_config):
    with pytest.raises(ValueError, match="Some values of the grid are the same, or differ beyond 6 digits"):
        Experiment(tiny_config, {"learning_rate": (0.001, 0.00100000001)}).cells()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("preset", ["paper", "quick"])
def test_the_experiments_of_the_repository_load(path, preset):
    cells = load_experiment(path, preset=preset).cells()
    names = [config.backbone if config.model == "ensemble" else config.model for config in cells.values()]
    assert cells and all(hasattr(models, name) for name in names)


def test_another_precision_is_for_networks_not_for_ensembles():
    networks = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py", precision="mixed_bfloat16")
    assert networks.config.precision == "mixed_bfloat16"
    with pytest.warns(UserWarning, match="Ensembles are trained in float32. Not used: precision='mixed_bfloat16'"):
        load_experiment(REPOSITORY / "experiments" / "lebaron" / "ensemble.py", precision="mixed_bfloat16")


def test_table_2_is_the_papers_grid():
    paper = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py")
    quick = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py", preset="quick")
    assert len(paper.cells()) == 25 and "ratio=40,learning_rate=0.0001" in paper.cells()
    assert (paper.config.epochs, paper.config.batch_size, paper.config.min_genres) == (50, 32, 2)
    assert len(quick.cells()) < 10 and quick.config.epochs < 50


@pytest.mark.parametrize(
    ("content", "preset", "message"),
    [
        ("grid = {}", "paper", "does not assign config"),
        ("config = 1; grid = {}", "quick", "does not assign quick_config, quick_grid"),
        ("config = 1; grid = {}", "fast", "`preset` must be 'paper' or 'quick'. Received: preset='fast'"),
    ],
)
def test_experiment_files_that_cannot_be_used(tmp_path, content, preset, message):
    (tmp_path / "table.py").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_experiment(tmp_path / "table.py", preset=preset)


def test_no_experiment_file_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No experiment file found. Looked for .*tabel.py"):
        load_experiment(tmp_path / "tabel.py")


# --- sweeps ---


def test_a_sweep_starts_where_it_ended(tiny_config, data_folder, tmp_path, trained):
    experiment = Experiment(tiny_config, {"seed": (0, 1, 2)})
    finish(tmp_path / "seed=1", tiny_config.replace(seed=1), load_training_data(tiny_config, data_folder))
    assert sweep(experiment, data_folder, tmp_path, progress=False) == {}
    assert names(trained) == ["seed=0", "seed=2"]
    assert sweep(experiment, data_folder, tmp_path, progress=False) == {}
    assert names(trained) == ["seed=0", "seed=2"]


def test_a_cell_finished_with_another_config_or_other_data_is_reported(
    tiny_config, data_folder, tmp_path, finished_run
):
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


def test_progress_shows_the_share_done_and_the_time_left(tiny_config, data_folder, tmp_path, trained, capsys):
    sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path)
    shown = capsys.readouterr().err
    assert "2 cells:" in shown and "100%" in shown and " left" in shown and "seed=1" in shown
    sweep(Experiment(tiny_config, {"seed": (0, 1, 2)}), data_folder, tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""


def test_a_failed_cell_is_reported_and_the_others_go_on(tiny_config, data_folder, tmp_path, monkeypatch):
    experiment, mended = Experiment(tiny_config, {"seed": (0, 1, 2)}), False

    def train(config, data, run_dir, *, training_data, progress):
        if config.seed == 1 and not mended:
            raise FloatingPointError("The loss became nan")
        finish(run_dir, config, training_data)

    monkeypatch.setattr(training, "train", train)
    failed = sweep(experiment, data_folder, tmp_path, progress=False)
    assert failed == {"seed=1": "FloatingPointError: The loss became nan"}
    assert (tmp_path / "seed=1" / "error.txt").read_text() == "FloatingPointError: The loss became nan\n"
    assert [is_finished(tmp_path / f"seed={seed}") for seed in (0, 1, 2)] == [True, False, True]

    mended = True
    assert sweep(experiment, data_folder, tmp_path, progress=False) == {}
    assert not (tmp_path / "seed=1" / "error.txt").exists()


def test_an_interrupt_ends_the_sweep(tiny_config, data_folder, tmp_path, monkeypatch):
    def train(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", train)
    with pytest.raises(KeyboardInterrupt):
        sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)


@pytest.mark.parametrize("finishes", [True, False])
def test_two_sweeps_of_one_folder_share_the_work(tiny_config, data_folder, tmp_path, monkeypatch, finishes):
    """The second goes on with other cells, waits for the one that the first trains, and trains it if that one dies."""
    first_is_in, other_cell_trained, trained = threading.Event(), threading.Event(), []

    def first_sweep():
        with locked(tmp_path / "seed=0"):
            first_is_in.set()
            other_cell_trained.wait(timeout=60)
            if finishes:
                finish(tmp_path / "seed=0", tiny_config, load_training_data(tiny_config, data_folder))

    def train(config, data, run_dir, **options):
        with locked(run_dir):
            trained.append(run_dir.name)
            other_cell_trained.set()

    monkeypatch.setattr(training, "train", train)
    thread = threading.Thread(target=first_sweep)
    thread.start()
    first_is_in.wait(timeout=60)
    failed = sweep(Experiment(tiny_config, {"seed": (0, 1)}), data_folder, tmp_path, progress=False)
    thread.join()
    assert trained == (["seed=1"] if finishes else ["seed=1", "seed=0"])
    assert not failed and not list(tmp_path.glob("*/error.txt"))


def test_a_killed_sweep_loses_the_running_epoch_at_most_and_changes_no_finished_cell(
    tiny_config, data_folder, tmp_path, finished_run, run_and_kill
):
    grid, running = {"seed": (1, 0)}, tmp_path / "seed=0"
    script = f"""
import sys, time
from poster_cnn.training import fit as fitting, train as training
from poster_cnn.tuning import sweep as search
save_epoch = fitting._save_epoch
def slowly(*arguments):  # so that there is time to kill it
    save_epoch(*arguments)
    time.sleep(0.05)
fitting._save_epoch = slowly
config = training.TrainingConfig.from_dict({tiny_config.to_dict()!r})
search.sweep(search.Experiment(config, {grid!r}), sys.argv[1], sys.argv[2], progress=False)
"""
    run_and_kill(script, data_folder, tmp_path, when=(running / "checkpoint.weights.h5").exists)
    finished = [path for path in (tmp_path / "seed=1").iterdir() if path.name != ".lock"]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in finished}
    rows_before = (running / "history.csv").read_bytes().splitlines()[:-1]  # but the last, perhaps a row too many
    assert is_finished(tmp_path / "seed=1") and not is_finished(running)

    assert search.sweep(Experiment(tiny_config, grid), data_folder, tmp_path, progress=False) == {}
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before}
    assert (running / "history.csv").read_bytes().splitlines()[: len(rows_before)] == rows_before
    for name in ("history.csv", "predictions.csv"):  # the same as if nothing had happened
        assert (running / name).read_bytes() == (finished_run / name).read_bytes()
