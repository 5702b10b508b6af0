"""The workspace of the notebooks: presets, data folder, experiments, and committed results."""

import dataclasses
import shutil

import keras
import pandas as pd
import pytest

from poster_cnn import movies, workspace
from poster_cnn.evaluation import experiment as experiments
from poster_cnn.evaluation.experiment import Experiment
from poster_cnn.training.config import TrainingConfig
from poster_cnn.tuning import Experiment as Plan
from poster_cnn.tuning import sweep
from poster_cnn.workspace import PRESETS, load_settings


@pytest.fixture
def write_experiment(tmp_path):
    """Function that writes `experiments/<name>.py` into a repository in the temporary folder."""

    def write(name, *lines):
        path = tmp_path / "experiments" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    return write


def load(tmp_path, **options):
    """Load a workspace whose repository is the temporary folder."""
    return dataclasses.replace(load_settings(out=tmp_path / "out", **options), repository=tmp_path)


def test_reads_arguments_and_environment(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_DATA", str(data_folder))
    monkeypatch.setenv("POSTER_CNN_PRESET", "paper")
    monkeypatch.setenv("POSTER_CNN_OUT", str(tmp_path / "out"))
    loaded = load_settings()
    assert (loaded.preset, loaded.data, loaded.out) == ("paper", data_folder.absolute(), tmp_path / "out")
    assert load_settings(preset="quick").preset == "quick"


def test_rejects_unknown_presets():
    with pytest.raises(ValueError, match=f"{', '.join(PRESETS)}.*preset='fast'"):
        load_settings(preset="fast")


def test_describes_itself_without_absolute_paths(data_folder, tmp_path):
    text = repr(load_settings(preset="quick", data=data_folder, out=tmp_path))
    assert "quick" in text and data_folder.name in text and "/" not in text
    assert "embedded dataset" in repr(load_settings(preset="results", out=tmp_path))


@pytest.mark.parametrize(
    ("made", "message"),
    [([], "MovieGenre.csv"), (["MovieGenre.csv"], "posters/ and SampleMoviePosters/"), (None, "data folder")],
)
def test_names_the_files_that_a_data_folder_lacks(tmp_path, made, message):
    for name in made or []:
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=message):
        load_settings(data=tmp_path / "absent" if made is None else tmp_path)


def test_finds_kaggles_folder_name_and_optional_files(tmp_path):
    for name in ("SampleMoviePosters", "everyday", "trailers"):
        (tmp_path / name).mkdir()
    for name in ("MovieGenre.csv", "movie_metadata.csv", "glove.25d.txt", "net.weights.h5"):
        (tmp_path / name).touch()
    folder = movies.find_data_folder(tmp_path)
    assert folder.posters.name == "SampleMoviePosters" and folder.glove.name == "glove.25d.txt"
    assert folder.metadata and folder.everyday and folder.trailers and list(folder.weights) == ["net.weights.h5"]


def test_computed_tables_are_written_and_read_back(data_folder, tmp_path):
    loaded = load_settings(preset="quick", data=data_folder, out=tmp_path)
    frame = loaded.computed("counts", pd.DataFrame, {"genre": ["A", ""], "movies": [2, 1]})
    assert frame.equals(pd.read_csv(tmp_path / "results" / "counts.csv", keep_default_na=False))
    holes = pd.DataFrame({"set_name": ["", ""], "title": ["null", ""], "score": [0.5, None]})
    read = loaded.computed("holes", holes.copy)
    assert read[["set_name", "title"]].to_numpy().tolist() == [["", "null"], ["", ""]]
    assert read["score"].tolist()[0] == 0.5 and read["score"].isna().tolist() == [False, True]


def test_computed_tables_keep_a_named_index(data_folder, tmp_path):
    loaded = load_settings(preset="quick", data=data_folder, out=tmp_path)
    frame = loaded.computed("counts", pd.DataFrame, {"movies": [2, 1]}, index="genre")
    assert frame.index.name == "genre" and frame["movies"].tolist() == [2, 1]


def test_tables_are_saved_as_csv_and_markdown(data_folder, tmp_path, capsys):
    loaded = load_settings(preset="quick", data=data_folder, out=tmp_path)
    shown = loaded.save_table(pd.DataFrame({"a": [1], "score": [43.8466]}), "small")
    assert shown.to_numpy().tolist() == [["1", "43.8"]]  # as in the Markdown
    assert (tmp_path / "tables" / "small.md").read_text().startswith("| a | score |")
    assert pd.read_csv(tmp_path / "tables" / "small.csv")["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("content", "num_cells"),
    [
        ("grid = {}; quick_grid = {'seed': (1, 2)}", 2),
        ("space = {'seed': [1, 2, 3]}\nnum_draws, quick_num_draws = 3, 2", 6),
    ],
    ids=["sweep", "search"],
)
def test_an_experiment_is_trained_with_the_preset(
    content, num_cells, data_folder, tmp_path, monkeypatch, write_experiment
):
    write_experiment(
        "tiny",
        "from poster_cnn.training.config import TrainingConfig",
        f"open({str(tmp_path / 'runs.txt')!r}, 'a').write('once')",
        "config = TrainingConfig(class_names=('Horror', 'Drama'), num_folds=3)",
        "quick_config = {'epochs': 1}",
        content,
    )
    given = []
    monkeypatch.setattr(experiments, "sweep", lambda *arguments, **_: given.append(arguments) or {"seed=1": "too dark"})
    tiny = load(tmp_path, preset="quick", data=data_folder, precision="mixed_bfloat16").experiment("tiny")
    assert "epochs = 1" in str(tiny) and "seed" in str(tiny) and "min_year" not in str(tiny) and not given
    with pytest.raises(RuntimeError, match="1 runs of tiny failed; the others are kept.\n  seed=1: too dark"):
        tiny.results  # noqa: B018
    ((plan, data, out_dir),) = given
    recorded = plan.config.to_dict()
    assert (recorded["epochs"], recorded["num_folds"], recorded["precision"]) == (1, 3, "mixed_bfloat16")
    assert len(plan.cells()) == len(tiny.cells) == num_cells
    assert (data, out_dir) == (data_folder.absolute(), tmp_path / "out" / "runs" / "tiny")
    assert (tmp_path / "runs.txt").read_text() == "once"


def test_runs_are_trained_once_and_read(data_folder, finished_run, tmp_path, monkeypatch, write_experiment):
    write_experiment(
        "tiny",
        "from poster_cnn.training.config import TrainingConfig",
        "config = TrainingConfig(class_names=('Horror', 'Romance'), experiment='tiny')",
        "grid, quick_config, quick_grid = {}, {}, {}",
    )
    calls = []

    def fake_sweep(plan, data, folder, *, shared):
        calls.append(folder)
        shutil.copytree(finished_run, folder / "cell")
        return {}

    monkeypatch.setattr(experiments, "sweep", fake_sweep)
    loaded = load(tmp_path, preset="quick", data=data_folder)
    tiny = loaded.experiment("tiny")
    assert tiny is loaded.experiment("tiny") and not calls
    pictures = [*list(data_folder.glob("posters/*.jpg"))[:2], tmp_path / "absent.jpg"]
    split = tiny.split("cell")
    predictions = tiny.predictions("cell")
    assert len(predictions) == (split["part"] == "test").sum() == len(tiny.training_data("cell").part("test"))
    assert set(tiny.metrics("cell")) >= {"test", "baselines"} and "posters" in tiny.notes("cell")
    assert len(tiny.predict("cell", pictures)) == 2
    assert len(tiny.results) == 1 and set(tiny.history["run"]) == {"cell"}
    assert {path.name for path in (loaded.out / "results").iterdir()} == {"tiny.csv", "tiny_history.csv"}
    runs = pd.DataFrame({"experiment": ["tiny"], "run": ["cell"], "variant": ["faithful"]})
    assert loaded.per_run("split", runs)["tiny", "cell"].equals(split)
    assert loaded.per_run("predictions", runs, by="variant")["faithful"].equals(predictions)
    assert calls == [tmp_path / "out" / "runs" / "tiny"]


def test_committed_results_need_neither_data_nor_runs(tmp_path, capsys):
    loaded = load_settings(preset="results", out=tmp_path)
    table_2 = loaded.experiment("dave/table_2")
    assert len(table_2.cells) == len(table_2.results) == 25 and "learning_rate" in str(table_2)
    assert set(table_2.history["run"]) == set(table_2.results["run"])
    run = table_2.results["run"].iloc[0]
    assert table_2.predictions(run) is table_2.split(run) is table_2.metrics(run) is table_2.runs_dir is None
    assert table_2.predict(run, ["picture.jpg"]) == [] and "without trained networks" in capsys.readouterr().out
    assert "without trained networks" in table_2.notes(run) and loaded.per_run("split", table_2.results) == {}
    committed = loaded.computed("dave_split", table_2.predictions, run)
    assert len(committed) and not list(tmp_path.iterdir())


def test_the_movie_table_says_where_it_comes_from(tmp_path, movie_folder, monkeypatch, capsys):
    monkeypatch.setattr(workspace, "embedded_dataset", lambda: movie_folder)
    loaded = load_settings(preset="results", out=tmp_path)
    assert len(loaded.movie_table()) > 40 and "those of the embedded dataset" in capsys.readouterr().out
    table = loaded.metadata_table()
    assert (table["poster_path"] != "").sum() > 40 and {"plot", "director_name"} <= set(table)
    assert loaded.everyday_pictures()


def test_experiments_that_need_a_gpu_are_left_out_without_one(data_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    for options in ({"preset": "results"}, {"preset": "paper", "data": data_folder}):
        pretrained = load_settings(out=tmp_path, **options).experiment("wang/pretrained", needs_gpu=True)
        assert pretrained.results.empty and pretrained.history.empty
        assert "wang/pretrained needs a GPU and is left out." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "modalities"),
    [("with", ("trailer", "plot")), ("without", ("plot",)), ("embedded", ("trailer", "plot"))],
)
def test_trailers_are_used_where_the_data_have_them(data, modalities, tmp_path, monkeypatch, capsys, write_experiment):
    for name in ("with", "without", "embedded"):
        (tmp_path / name / "posters").mkdir(parents=True)
        (tmp_path / name / "MovieGenre.csv").touch()
    (tmp_path / "with" / "trailers").mkdir()

    def embedded_dataset(*, trailers=False):
        if trailers:
            (tmp_path / "embedded" / "trailers").mkdir(exist_ok=True)
        return tmp_path / "embedded"

    write_experiment(
        "tiny",
        "from poster_cnn.multimodal.config import EnsembleConfig",
        "config = EnsembleConfig(('Horror', 'Drama'), modalities=('trailer', 'plot'), experiment='tiny')",
        "grid, quick_config, quick_grid = {}, {}, {}",
    )
    monkeypatch.setattr(workspace, "embedded_dataset", embedded_dataset)
    monkeypatch.setattr(workspace, "is_embedded", lambda folder: folder.name == "embedded")
    loaded = load(tmp_path, preset="quick", data=None if data == "embedded" else tmp_path / data)
    assert loaded.experiment("tiny").config.modalities == modalities
    assert ("so they are left out" in capsys.readouterr().out) == (data == "without")


def test_experiments_share_the_movies_that_they_read(data_folder, tmp_path, monkeypatch, write_experiment):
    for name, max_words in (("one", 3000), ("other", 3000), ("fewer_words", 7)):
        write_experiment(
            name,
            "from poster_cnn.multimodal.config import EnsembleConfig",
            f"config = EnsembleConfig(('Horror', 'Drama'), max_words={max_words}, experiment='{name}')",
            "grid, quick_config, quick_grid = {}, {}, {}",
        )
    given = []

    def train(config, data, run_dir, *, ensemble_data, finished, progress):
        given.append(ensemble_data)
        raise RuntimeError("stop here")

    monkeypatch.setattr(sweep, "load_ensemble_data", lambda *_, **__: object())
    monkeypatch.setattr(sweep, "train_ensemble", train)
    loaded = load(tmp_path, preset="quick", data=data_folder)
    for name in ("one", "other", "fewer_words"):
        with pytest.raises(RuntimeError, match="stop here"):
            loaded.experiment(name).results  # noqa: B018
    assert given[0] is given[1] is not given[2]


def test_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POSTER_CNN_OUT", "~/results")
    assert load_settings(preset="results").out == tmp_path / "results"


def test_an_experiment_of_one_genre_is_described():
    config = TrainingConfig(("Horror",), classifier_activation="sigmoid", loss="binary_crossentropy")
    shown = Experiment("tiny", Plan(config), data=None, out=None, shared=None)
    assert "class_names = ['Horror']" in str(shown) and "classifier_activation = sigmoid" in str(shown)
