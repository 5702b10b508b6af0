import functools
import itertools
import json

import keras
import numpy as np
import pandas as pd
import pytest

from poster_cnn import datasets, models
from poster_cnn.cli import main
from poster_cnn.evaluation import predict_movies
from poster_cnn.evaluation.predict import predict
from poster_cnn.evaluation.predict_movies import find_ensemble, read_metadata
from poster_cnn.files import write_json
from poster_cnn.movies.metadata import METADATA_COLUMNS
from poster_cnn.multimodal.config import MODALITIES, EnsembleConfig
from poster_cnn.multimodal.trailers import read_trailer_features
from poster_cnn.results.collect import read_predictions
from poster_cnn.training.saved_model import save_model

pytestmark = pytest.mark.usefixtures("eager")

SUBSETS = [names for count in (1, 2, 3, 4) for names in itertools.combinations(MODALITIES, count)]
KEYS = {name: (name,) for name in MODALITIES} | {"metadata": METADATA_COLUMNS}


@pytest.fixture(scope="module", autouse=True)
def _load_once():
    """Load each run once, as this takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        load = functools.cache(predict_movies._load_ensemble)
        patch.setattr(predict_movies, "_load_ensemble", lambda run_dir: load(str(run_dir)))
        yield


def by_genre(prediction, class_names):
    genres = dict(zip(prediction.class_names, prediction.probabilities, strict=True))
    return [genres[name] for name in class_names]


@pytest.fixture(scope="module")
def test_movies(ensemble_data, movie_folder):
    """The test movies as input of `predict_movies`, indexed by imdbId."""
    table = ensemble_data.movies.part("test").set_index("imdb_id")
    trailers = [str(movie_folder / "trailers" / f"{imdb_id}.npz") for imdb_id in table.index]
    return table.assign(poster=table["poster_path"], trailer=trailers)


@pytest.fixture(scope="module")
def movie(test_movies, ensemble_data):
    """A movie with all modalities, as a dict."""
    complete = ensemble_data.present[ensemble_data.rows("test")].all(axis=1)
    return test_movies[complete][[key for keys in KEYS.values() for key in keys]].to_dict("records")[0]


def part_of(movie, names):
    return {key: movie[key] for name in names for key in KEYS[name]}


# --- predictions ---


def test_predictions_equal_those_of_training(finished_ensemble, test_movies, ensemble_data):
    predictions, _ = predict_movies.predict_movies(finished_ensemble, test_movies, batch_size=5)
    saved = read_predictions(finished_ensemble / "ensemble").set_index("imdb_id")
    assert list(predictions) == saved.index.tolist()
    found = [by_genre(prediction, ensemble_data.movies.class_names) for prediction in predictions.values()]
    assert np.allclose(found, saved.filter(like="probability_"), atol=1e-4)
    rows = ensemble_data.present[ensemble_data.rows("test")]
    used = [tuple(itertools.compress(MODALITIES, row)) for row in rows]
    assert [prediction.modalities for prediction in predictions.values()] == used and len(set(used)) > 1


def test_every_subset_equals_the_output_of_the_model(finished_ensemble, movie, ensemble_data):
    movies = [part_of(movie, names) for names in SUBSETS]
    predictions, problems = predict_movies.predict_movies(finished_ensemble, movies, batch_size=4)
    assert not any(set(found) - {"metadata", "plot"} for found in problems.values())
    assert [prediction.modalities for prediction in predictions.values()] == SUBSETS
    assert [prediction.path for prediction in predictions.values()] == [part.get("poster") for part in movies]
    found = np.array([by_genre(prediction, ensemble_data.movies.class_names) for prediction in predictions.values()])
    assert found.shape == (15, 4) and np.isfinite(found).all()

    row = ensemble_data.movies.table.index[ensemble_data.movies.table["poster_path"] == movie["poster"]]
    poster = next(iter(datasets.poster_dataset(ensemble_data.movies.table.loc[row], ["Drama"], image_size=(32, 32))))[0]
    inputs = {
        "poster": poster.numpy(),
        "trailer": read_trailer_features(movie["trailer"])[None],
        "metadata": ensemble_data.inputs["metadata"][row].toarray(),
        "plot": ensemble_data.inputs["plot"][row],
    }
    inputs = {name: np.repeat(array, 15, axis=0) for name, array in inputs.items()}  # absent ones are masked
    inputs["present"] = np.array([[name in names for name in MODALITIES] for names in SUBSETS])
    model = predict_movies._load_ensemble(finished_ensemble).model
    assert np.allclose(found, model(inputs, training=False), atol=1e-5)
    assert len(np.unique(found.round(6), axis=0)) == 15


# --- unusable input ---


@pytest.fixture
def odd_files(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    np.save(tmp_path / "narrow.npy", np.ones((5, 7), "float32"))
    np.save(tmp_path / "zeros.npy", np.zeros((5, 4096), "float32"))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("poster", {"poster": "page.jpg"}, "html"),
        ("poster", {"poster": "absent.jpg"}, "No such file or directory"),
        ("trailer", {"trailer": "absent.npy"}, "No trailer features found"),
        ("trailer", {"trailer": "zeros.npy"}, "are all 0"),
        ("trailer", {"trailer": "narrow.npy"}, "expected 4096 features per frame, received 7"),
        ("trailer", {"trailer": "clip.mp4"}, "but the backbone resnet18 outputs 12; use a file of features"),
        ("metadata", {"director_name": "Nobody", "language": "None"}, "director_name='Nobody', language='None'"),
        ("plot", {"plot": "Xqzt wvvk."}, "no word vector for 2 of its 2 words"),
        ("plot", {"plot": "..."}, "it has no words"),
    ],
)
def test_reports_unusable_modalities_and_predicts_from_the_others(
    name, given, reason, finished_ensemble, movie, odd_files
):
    given = {key: odd_files / value if key in ("poster", "trailer") else value for key, value in given.items()}
    others = [other for other in MODALITIES if other != name]
    movies = [part_of(movie, others) | given, part_of(movie, others), given]
    predictions, problems = predict_movies.predict_movies(finished_ensemble, movies)
    assert list(predictions) == [0, 1]
    assert predictions[0].modalities == tuple(others)
    assert predictions[0].probabilities == pytest.approx(predictions[1].probabilities, abs=1e-6)
    assert reason in problems[0][name] and problems[2] == {name: problems[0][name]}


def test_reports_partly_unknown_values_and_uses_them(finished_ensemble, movie):
    partly = part_of(movie, ["metadata", "plot"]) | {"actor_3_name": "Nobody", "plot": movie["plot"] + " Xqzt."}
    predictions, problems = predict_movies.predict_movies(finished_ensemble, [partly])
    assert predictions[0].modalities == ("metadata", "plot")
    assert "actor_3_name='Nobody'" in problems[0]["metadata"] and "no word vector for" in problems[0]["plot"]


def test_accepts_the_columns_of_movie_tables(finished_ensemble, test_movies, movie):
    table = test_movies.drop(columns=["poster", "trailer"]).assign(trailer_path=test_movies["trailer"])
    table["plot"] = table["director_name"] = "N/A"
    table = table.loc[table["poster_path"] == movie["poster"]]
    (prediction,) = predict_movies.predict_movies(finished_ensemble, table)[0].values()
    assert prediction.modalities[:2] == ("poster", "trailer") and "plot" not in prediction.modalities
    assert prediction.path == movie["poster"]


def test_movies_without_input_have_no_prediction(finished_ensemble):
    words = ["N/A", "nan", " ", None, pd.NA, np.nan]
    movies = [{"plot": word, "director_name": word, "poster": word} for word in words]
    for given, labels in (
        (movies, range(6)),
        (pd.DataFrame(movies, index=list("abcdef")).assign(title="Any"), "abcdef"),
    ):
        predictions, problems = predict_movies.predict_movies(finished_ensemble, given, batch_size=4)
        assert predictions == {} and problems == dict.fromkeys(labels, dict.fromkeys(MODALITIES, "not given"))
    assert predict_movies.predict_movies(finished_ensemble, []) == ({}, {})


@pytest.mark.parametrize(("batch_size", "expected"), [(0, "1 or more"), (-1, "1 or more"), (2.5, "an integer")])
def test_rejects_invalid_batch_sizes(batch_size, expected, finished_ensemble):
    with pytest.raises(ValueError, match=f"`batch_size` must be {expected}. Received: batch_size={batch_size}"):
        predict_movies.predict_movies(finished_ensemble, [], batch_size=batch_size)


@pytest.mark.parametrize(
    ("movies", "message"),
    [
        ([{"plot": ["Day."]}], "plot of movie 0 must be text. Received: a list"),
        ([{}, {"poster_path": np.zeros((2, 2))}], "poster_path of movie 1 must be a path. Received: a ndarray"),
        ([{"language": 5}], "language of movie 0 must be text. Received: a int"),
        ([{"poster": "a.jpg", "poster_path": "b.jpg"}], "Movie 0 must have one poster. Received: 'a.jpg' and 'b.jpg'"),
        ("Day.", "`movies` must be a list of dicts, or a DataFrame. Received: a str"),
        ({"plot": "Day."}, "`movies` must be a list of dicts, or a DataFrame. Received: a dict"),
        ([{"plots": "Day."}], "Keys must be poster, .*, content_rating. Received: plots of movie 0"),
        (["poster.jpg"], "`movies` must hold dicts"),
        (pd.DataFrame({"plot": ["Day.", "Night."]}, index=[1, 1]), "a unique index"),
    ],
)
def test_rejects_other_descriptions_of_movies(movies, message, finished_ensemble):
    with pytest.raises(ValueError, match=message):
        predict_movies.predict_movies(finished_ensemble, movies)


# --- run folders ---


def test_find_ensemble_accepts_the_run_its_folder_and_its_model(finished_ensemble, tmp_path):
    write_json(tmp_path / "config.json", {"config": {"model": "seven_layer_cnn"}})
    inside = finished_ensemble / "ensemble"
    assert [find_ensemble(path) for path in (finished_ensemble, inside, inside / "model.keras")] == [inside] * 3
    for path in (finished_ensemble / "plot", tmp_path, tmp_path / "model.keras", tmp_path / "absent"):
        assert find_ensemble(path) is None
    for foreign in ("[1]", '{"config": "big"}', '{"layers": 3}', "layers: 3"):
        (tmp_path / "config.json").write_text(foreign)
        assert find_ensemble(tmp_path) is None
    with pytest.raises(FileNotFoundError, match="No ensemble found"):
        predict_movies.predict_movies(tmp_path, [])
    with pytest.raises(ValueError, match="must be a model of pictures"):
        predict([], finished_ensemble / "plot")


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes the run folder of an untrained ensemble."""

    def make(*names):
        pixels = keras.Input((8, 6, 3))
        x = keras.layers.GlobalAveragePooling2D(name="features")(pixels)
        branches = {
            "poster": keras.Model(pixels, keras.layers.Dense(2, "sigmoid")(x), name="poster_branch"),
            "trailer": models.trailer_branch((None, 3), 2, dense_units=2),
        }
        fusion = models.late_fusion(2, len(names))
        model = models.multimodal({name: branches[name] for name in names}, fusion)
        config = EnsembleConfig(("Drama", "Horror"), modalities=names, backbone="resnet18", backbone_weights=None)
        save_model(model, tmp_path / "run" / "model.keras", class_names=config.class_names)
        write_json(tmp_path / "run" / "config.json", {"config": config.to_dict()})
        return tmp_path / "run", branches

    return make


@pytest.fixture
def clip(tmp_path):
    """A video of nine red frames."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(9):
            frame = np.full((48, 64, 3), (200, 20, 20), dtype="uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return tmp_path / "clip.mp4"


def test_features_of_a_video_come_from_the_backbone_in_the_run(make_run, clip):
    run_dir, branches = make_run("poster", "trailer")
    predictions, problems = predict_movies.predict_movies(run_dir, [{"trailer": clip}])
    assert not problems and predictions[0].modalities == ("trailer",)
    red = branches["trailer"](np.full((1, 1, 3), (200, 20, 20), "float32"))[0].numpy()
    assert by_genre(predictions[0], ("Drama", "Horror")) == pytest.approx(red, abs=0.01)


def test_builds_the_backbone_of_an_ensemble_without_posters(make_run, clip, monkeypatch):
    run_dir, _ = make_run("trailer")

    def fail(config, weights):
        raise RuntimeError(f"The ImageNet weights of {config.backbone} could not be downloaded")

    monkeypatch.setattr(predict_movies, "backbone_network", fail)
    with pytest.raises(RuntimeError, match="weights of resnet18 could not be downloaded"):
        predict_movies.predict_movies(run_dir, [{"trailer": clip}])
    with pytest.raises(ValueError, match="This ensemble accepts trailer. Received: poster"):
        predict_movies.predict_movies(run_dir, [{"poster": "poster.jpg"}])
    pixels = keras.Input((8, 6, 3))
    network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D(name="features")(pixels))
    monkeypatch.setattr(predict_movies, "backbone_network", lambda config, weights: network)
    assert predict_movies.predict_movies(run_dir, [{"trailer": clip}])[0][0].modalities == ("trailer",)


# --- command line ---


def test_command_line_predicts_from_all_modalities(finished_ensemble, movie, tmp_path, capsys):
    (tmp_path / "plot.txt").write_text(movie["plot"] + " Xqzt.", encoding="utf-8")
    write_json(tmp_path / "movie.json", part_of(movie, ["metadata"]))
    run, card = str(finished_ensemble), tmp_path / "card.png"
    arguments = ["--metadata", f"@{tmp_path / 'movie.json'}", "--trailer", movie["trailer"], "--json"]
    assert main(["predict", "--model", run, "--plot", f"@{tmp_path / 'plot.txt'}", movie["poster"], *arguments]) == 0
    printed = capsys.readouterr()
    (found,) = json.loads(printed.out)
    assert found["picture"] == movie["poster"] and found["modalities"] == list(MODALITIES)
    assert "plot: no word vector for" in printed.err

    arguments = ["--metadata", f"director_name={movie['director_name']}", "--metadata", "language=Nothing"]
    assert main(["predict", "--model", run, *arguments, "--card", str(card)]) == 0
    assert capsys.readouterr().out.startswith("metadata\n") and card.stat().st_size


def test_command_line_exits_with_1_if_some_input_is_not_used(finished_ensemble, movie, odd_files, capsys):
    broken = str(odd_files / "page.jpg")
    assert main(["predict", "--model", str(finished_ensemble), broken, "--plot", movie["plot"]]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("plot\n") and f"{broken}: poster not used: html" in printed.err
    assert main(["predict", "--model", str(finished_ensemble), broken, movie["poster"]]) == 1
    assert capsys.readouterr().out.startswith(f"{movie['poster']} (poster)\n")


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (["language=English", "director_name=A=B"], {"language": "English", "director_name": "A=B"}),
        (["@good.json", "language=Urdu"], {"language": "Urdu", "actor_1_name": "C"}),
        (["director=C"], "Received: director=C"),
        (["language"], "Received: language"),
        (["@text.json"], "Received: @text.json"),
        (["@list.json"], "Received: @list.json"),
        (["@number.json"], "a JSON object of texts"),
    ],
)
def test_read_metadata(metadata, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.json").write_text("language: Urdu")
    write_json(tmp_path / "good.json", {"language": "English", "actor_1_name": "C"})
    write_json(tmp_path / "list.json", ["language"])
    write_json(tmp_path / "number.json", {"language": 1})
    if isinstance(found, dict):
        assert read_metadata(metadata) == found
    else:
        with pytest.raises(ValueError, match=found):
            read_metadata(metadata)
