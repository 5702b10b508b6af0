"""Experiment files: which cells they describe, and what cannot be used."""

import pathlib

import pytest
from scipy import stats

from poster_cnn import models
from poster_cnn.tuning.experiment import Experiment, load_experiment

REPOSITORY = pathlib.Path(__file__).parents[2]
SCRIPTS = ("pack", "compare_augmentations", "distill", "teacher_features", "near_copies", "lettering", "sentences")
EXPERIMENTS = sorted(
    path
    for path in REPOSITORY.glob("experiments/*/*.py")
    if path.parent.name not in ("benchmarks", "soak") and path.stem not in SCRIPTS
)
CONFIG = "import poster_cnn.training as t; config = t.TrainingConfig(('Drama', 'Horror'))"
SPACE = {"learning_rate": stats.loguniform(1e-4, 1e-2), "batch_size": [8, 16], "epochs": stats.randint(1, 100)}


def test_rejects_names_that_are_too_long_for_a_folder(tiny_config):
    names = tuple(f"Genre with a long name {number}" for number in range(20))
    experiment = Experiment(tiny_config, {"class_names": (("Drama", "Comedy"), names)})
    with pytest.raises(ValueError, match="`grid` must be of values with shorter names.*`sets` name them"):
        experiment.cells()


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
        recorded = config.to_dict()
        assert config == tiny_config.replace(**{attribute: recorded[attribute] for attribute in grid})
        values = {attribute: recorded[attribute] for attribute in grid}
        assert name == ",".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items())


def test_rejects_cells_that_would_share_a_folder(tiny_config):
    with pytest.raises(ValueError, match="The values of a grid must differ within 6 digits"):
        Experiment(tiny_config, {"learning_rate": (0.001, 0.00100000001)}).cells()


@pytest.mark.parametrize(
    ("grid", "sets", "message"),
    [
        ({}, {"../other": {}}, r"`sets` must be of names .* Received: sets='\.\./other'"),
        ({}, {"a": {}, "/other": {}}, "`sets` must be of names .*Received: sets='/other'"),
        ({"seed": (0, 1)}, {".hidden": {}}, r"`sets` must be of names .*Received: sets='\.hidden,seed=0'"),
        ({"start_from": (None, "runs/../other")}, {}, "`grid` must be of names .*Received: grid='start_from=runs"),
        ({"seed": (0, 1)}, {"a": {"seed": 3}}, r"`sets\['a'\]` must be without seed, which the grid would change"),
        ({"rate": (0, 1)}, {}, "`grid` and `sets` must give changes of the config .*'rate'"),
    ],
)
def test_rejects_cells_whose_folder_or_changes_would_be_lost(tiny_config, grid, sets, message):
    with pytest.raises(ValueError, match=message):
        Experiment(tiny_config, grid, sets).cells()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("preset", ["paper", "quick"])
def test_the_experiments_of_the_repository_load(path, preset):
    if path.name == "pretrained.py" and preset == "quick" and "quick_config" not in path.read_text():
        pytest.skip("has no quick preset")
    cells = load_experiment(path, preset=preset).cells()
    networks = [getattr(config, "backbone", None) or config.to_dict()["model"] for config in cells.values()]
    assert cells and all(hasattr(models, name) for name in networks)


@pytest.mark.parametrize(
    "name",
    [
        *("zavala/transfer", "zavala/transfer_leak_free", "zavala/fine_tuning", "zavala/fine_tuning_leak_free"),
        *("wang/frozen_mobilenet", "wang/frozen_mobilenet_leak_free"),
    ],
)
def test_quick_runs_of_mobilenet_start_from_the_shipped_weights(name):
    for config in load_experiment(REPOSITORY / "experiments" / f"{name}.py", preset="quick").cells().values():
        assert (config.model, config.image_size) == ("mobilenet_v2", (96, 64))
        assert config.model_args["weights"] == "posters" and set(config.model_args) <= {"weights", "dropout"}


def test_precision_is_for_networks_and_not_for_ensembles():
    networks = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py", precision="mixed_bfloat16")
    assert networks.config.to_dict()["precision"] == "mixed_bfloat16"
    with pytest.warns(UserWarning, match="Ensembles are trained in float32. Not used: precision='mixed_bfloat16'"):
        load_experiment(REPOSITORY / "experiments" / "lebaron" / "ensemble.py", precision="mixed_bfloat16")


def test_table_2_is_the_papers_grid():
    paper = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py")
    quick = load_experiment(REPOSITORY / "experiments" / "dave" / "table_2.py", preset="quick")
    assert len(paper.cells()) == 25 and "ratio=40,learning_rate=0.0001" in paper.cells()
    recorded = paper.config.to_dict()
    assert (recorded["epochs"], recorded["batch_size"], recorded["min_genres"]) == (50, 32, 2)
    assert len(quick.cells()) < 10 and quick.config.to_dict()["epochs"] < 50


@pytest.mark.parametrize(
    ("content", "preset", "message"),
    [
        ("grid = {}", "paper", "does not assign config"),
        ("config = 1; grid = {}", "quick", "does not assign quick_config, quick_grid"),
        ("config = 1; space = {}", "paper", "does not assign num_draws"),
        ("config = 1; grid = quick_grid = {}; quick_config = {}", "quick", "`config` must be a TrainingConfig or an"),
        (f"{CONFIG}; grid = quick_grid = {{}}; quick_config = config", "quick", "`quick_config` must be a dict of ch"),
        ("config = 1; grid = {}", "fast", "`preset` must be 'paper', 'quick' or 'smoke'. Received: preset='fast'"),
    ],
)
def test_rejects_incomplete_experiment_files(tmp_path, content, preset, message):
    (tmp_path / "table.py").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_experiment(tmp_path / "table.py", preset=preset)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No experiment file found. Looked for .*tabel.py"):
        load_experiment(tmp_path / "tabel.py")


# --- random searches ---


@pytest.fixture
def search(tiny_config):
    return Experiment(tiny_config.replace(num_folds=2), space=SPACE, num_draws=3)


def test_a_draw_is_trained_on_every_fold(search):
    cells = search.cells()
    assert len(cells) == 6 and [name[-6:] for name in cells] == ["fold=0", "fold=1"] * 3
    for name, config in cells.items():
        recorded, (draw, fold) = config.to_dict(), name.split("/")
        assert draw == recorded["set_name"] and fold == f"fold={recorded['fold']}"
        values = dict(part.split("=") for part in draw.split(","))
        assert list(values) == list(SPACE)
        assert {key: float(value) for key, value in values.items()} == {key: recorded[key] for key in SPACE}
        assert 1e-4 <= recorded["learning_rate"] <= 1e-2 and recorded["batch_size"] in (8, 16)


def test_the_seed_decides_the_draws(search, tiny_config):
    again = Experiment(search.config, space=SPACE, num_draws=3)
    more = Experiment(search.config, space=SPACE, num_draws=4)
    other = Experiment(search.config.replace(seed=1), space=SPACE, num_draws=3)
    assert list(again.cells()) == list(search.cells()) == list(more.cells())[:6]
    assert not set(other.cells()) & set(search.cells())


def test_changes_turn_a_draw_into_config_attributes(search):
    space = {"units": stats.randint(8, 64)}
    nested = Experiment(search.config, space=space, num_draws=2, changes=lambda draw: {"model_args": draw})
    for name, config in nested.cells().items():
        assert name.startswith(f"units={config.to_dict()['model_args']['units']}/")


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {}, "A random search needs a config with `num_folds`. Received: num_folds=None"),
        ({"num_folds": 2}, {"num_draws": 0}, "`num_draws` must be 1 or more. Received: num_draws=0"),
        ({"num_folds": 2}, {"space": {"rate": [1]}}, "A draw must give changes of the config .*rate"),
        ({"num_folds": 2}, {"space": {"seed": [1, 2]}, "num_draws": 3}, "`space` must have at least `num_draws` diff"),
        ({"num_folds": 2}, {"grid": {"seed": (1, 2)}}, "A random search has no `grid` and no `sets`"),
        ({"num_folds": 2, "metrics": ("hit_at_1",)}, {}, "needs the metric 'first_label_accuracy'. Received: metrics="),
        ({"num_folds": 2}, {"space": {"learning_rate": [-1]}}, "`learning_rate` must be a positive number"),
    ],
)
def test_rejects_searches_that_cannot_run(changes, options, message, tiny_config):
    with pytest.raises(ValueError, match=message):
        Experiment(tiny_config.replace(**changes), **{"space": SPACE, "num_draws": 1} | options).cells()


def test_the_ladder_takes_the_networks_whose_weights_are_at_hand(tmp_path, monkeypatch, capsys):
    names = (
        "efficientnetv2-b0_notop.h5 weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5 "
        "mobilenet_1_0_224_tf_no_top.h5 resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5 "
        "xception_weights_tf_dim_ordering_tf_kernels.h5"
    )
    (tmp_path / "models").mkdir()
    for name in names.split():
        (tmp_path / "models" / name).touch()
    preset = tmp_path / ".cache/kagglehub/models/keras/vit/keras/vit_tiny/2"
    preset.mkdir(parents=True)
    (preset / "config.json").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    experiment = load_experiment(REPOSITORY / "experiments" / "evidence" / "ladder.py")
    further = {name: change["model"] for name, change in experiment.sets.items() if name.startswith(("keras_", "hub_"))}
    networks = ("EfficientNetV2B0", "MobileNet", "MobileNetV3Small", "ResNet50V2")
    assert further == {f"keras_{name}": f"keras:{name}" for name in networks} | {"hub_vit_tiny": f"hub:{preset}"}
    lacking = capsys.readouterr().out.removeprefix("ladder: no weights at hand for ").strip().split(", ")
    assert "Xception" in lacking and not {"MobileNetV2", *networks} & {*lacking}
