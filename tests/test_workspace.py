"""Settings of the notebooks: preset, data folder and output from arguments or the environment."""

import dataclasses

import pandas as pd
import pytest

import poster_cnn
from poster_cnn import movies
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.tuning import sweep
from poster_cnn.workspace import load_settings


def test_environment_and_arguments(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_DATA", str(data_folder))
    monkeypatch.setenv("POSTER_CNN_PRESET", "paper")
    monkeypatch.setenv("POSTER_CNN_OUT", str(tmp_path / "out"))
    settings = load_settings()
    assert (settings.preset, settings.data, settings.out) == ("paper", data_folder.absolute(), tmp_path / "out")
    assert load_settings(preset="quick").preset == "quick"


def test_an_unknown_preset_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="quick, paper, results.*fast"):
        load_settings(preset="fast")


@pytest.mark.parametrize(
    ("made", "message"),
    [([], "MovieGenre.csv"), (["MovieGenre.csv"], "posters/ and SampleMoviePosters/"), (None, "data folder")],
)
def test_a_folder_without_the_needed_files_says_what_was_looked_for(tmp_path, made, message):
    for name in made or []:
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=message):
        load_settings(data=tmp_path / "absent" if made is None else tmp_path)


def test_a_data_folder_may_hold_kaggles_folder_name_and_extras(tmp_path):
    for name in ("SampleMoviePosters", "everyday", "trailers"):
        (tmp_path / name).mkdir()
    for name in ("MovieGenre.csv", "movie_metadata.csv", "glove.25d.txt", "net.weights.h5"):
        (tmp_path / name).touch()
    folder = movies.find_data_folder(tmp_path)
    assert folder.posters.name == "SampleMoviePosters" and folder.glove.name == "glove.25d.txt"
    assert folder.metadata and folder.everyday and folder.trailers and list(folder.weights) == ["net.weights.h5"]


def test_computed_tables_are_written_and_read_back(data_folder, tmp_path):
    settings = load_settings(preset="quick", data=data_folder, out=tmp_path)
    frame = settings.computed("counts", lambda: pd.DataFrame({"genre": ["A", ""], "movies": [2, 1]}))
    assert frame.equals(pd.read_csv(tmp_path / "results" / "counts.csv", keep_default_na=False))
    holes = pd.DataFrame({"set_name": ["", ""], "title": ["null", ""], "score": [0.5, None]})
    read = settings.computed("holes", lambda: holes)
    assert read[["set_name", "title"]].to_numpy().tolist() == [["", "null"], ["", ""]]
    assert read["score"].tolist()[0] == 0.5 and read["score"].isna().tolist() == [False, True]


def test_tables_are_saved_as_csv_and_markdown(data_folder, tmp_path):
    settings = load_settings(preset="quick", data=data_folder, out=tmp_path)
    settings.save_table(pd.DataFrame({"a": [1]}), "small")
    assert (tmp_path / "tables" / "small.md").read_text().startswith("| a |")
    assert pd.read_csv(tmp_path / "tables" / "small.csv")["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("content", "num_cells"),
    [
        ("grid = {}; quick_grid = {'seed': (1, 2)}", 2),
        ("space = {'seed': [1, 2, 3]}\nnum_draws, quick_num_draws = 3, 2", 6),
    ],
    ids=["sweep", "search"],
)
def test_an_experiment_is_trained_with_the_preset(content, num_cells, data_folder, tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(
        "from poster_cnn.training.config import TrainingConfig\n"
        f"open({str(tmp_path / 'runs.txt')!r}, 'a').write('once')\n"
        "config = TrainingConfig(class_names=('Horror', 'Drama'), num_folds=3)\n"
        f"quick_config = {{'epochs': 1}}\n{content}\n"
    )
    given = []
    monkeypatch.setattr(sweep, "sweep", lambda *arguments, **_: given.append(arguments) or {"seed=1": "too dark"})
    settings = load_settings(preset="quick", data=data_folder, out=tmp_path, precision="mixed_bfloat16")
    with pytest.raises(RuntimeError, match="1 runs of tiny failed; the others are kept.\n  seed=1: too dark"):
        dataclasses.replace(settings, repository=tmp_path).results("tiny")
    ((experiment, data, out_dir),) = given
    recorded = experiment.config.to_dict()
    assert (recorded["epochs"], recorded["num_folds"], recorded["precision"]) == (1, 3, "mixed_bfloat16")
    assert len(experiment.cells()) == num_cells
    assert (data, out_dir) == (data_folder.absolute(), tmp_path / "runs" / "tiny")
    assert (tmp_path / "runs.txt").read_text() == "once"


@pytest.mark.parametrize(
    ("data", "modalities"),
    [("with", ("trailer", "plot")), ("without", ("plot",)), ("embedded", ("trailer", "plot"))],
)
def test_trailers_take_part_where_there_are_some(data, modalities, tmp_path, monkeypatch, capsys):
    for name in ("with", "without", "embedded"):
        (tmp_path / name / "posters").mkdir(parents=True)
        (tmp_path / name / "MovieGenre.csv").touch()
    (tmp_path / "with" / "trailers").mkdir()

    def embedded_dataset(*, trailers=False):
        if trailers:
            (tmp_path / "embedded" / "trailers").mkdir(exist_ok=True)
        return tmp_path / "embedded"

    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(
        "from poster_cnn.multimodal.config import EnsembleConfig\n"
        "config = EnsembleConfig(('Horror', 'Drama'), modalities=('trailer', 'plot'), experiment='tiny')\n"
        "grid, quick_config, quick_grid = {}, {}, {}\n"
    )
    monkeypatch.setattr(poster_cnn, "embedded_dataset", embedded_dataset)
    given = []
    monkeypatch.setattr(sweep, "sweep", lambda experiment, *rest, shared: given.append(experiment) or {"": "stop here"})
    settings = load_settings(preset="quick", data=None if data == "embedded" else tmp_path / data, out=tmp_path)
    with pytest.raises(RuntimeError, match="stop here"):
        dataclasses.replace(settings, repository=tmp_path).results("tiny")
    assert given[0].config.modalities == modalities
    assert ("so none take part" in capsys.readouterr().out) == (data == "without")


def test_movies_that_one_experiment_has_read_are_not_read_again(data_folder, tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    for name in ("one", "other"):
        (tmp_path / "experiments" / f"{name}.py").write_text(
            "from poster_cnn.multimodal.config import EnsembleConfig\n"
            f"config = EnsembleConfig(('Horror', 'Drama'), experiment='{name}')\n"
            "grid, quick_config, quick_grid = {}, {}, {}\n"
        )
    given = []

    def train(config, data, run_dir, *, ensemble_data, finished, progress):
        given.append(ensemble_data)
        raise RuntimeError("stop here")

    monkeypatch.setattr(sweep, "load_ensemble_data", lambda *_: object())
    monkeypatch.setattr(sweep, "train_ensemble", train)
    settings = load_settings(preset="quick", data=data_folder, out=tmp_path)
    settings = dataclasses.replace(settings, repository=tmp_path)
    for name in ("one", "other"):
        with pytest.raises(RuntimeError, match="stop here"):
            settings.results(name)
    config = EnsembleConfig(("Horror", "Drama"))
    assert given[0] is given[1] is settings.ensemble_data(config)
    assert settings.ensemble_data(config.replace(max_words=7)) is not given[0]
