"""Arguments of public functions: the types people have are accepted, and wrong ones are named."""

import importlib
import pathlib

import numpy as np
import pandas as pd
import pytest

import poster_cnn
from poster_cnn import EnsembleConfig, TrainingConfig
from poster_cnn.datasets import poster_dataset
from poster_cnn.movies.genres import encode_genres, merge_genres
from poster_cnn.movies.table import load_movie_table

pytestmark = pytest.mark.usefixtures("eager")

NAMES = ("Horror", "Romance", "Action", "Documentary")


@pytest.fixture
def table(data_folder):
    return load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")


def labels_of(dataset):
    return np.concatenate([labels for _, labels in dataset.as_numpy_iterator()])


# --- configs ---


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": list(NAMES)},
        {"class_names": np.array(NAMES)},
        {"class_names": pd.Series(NAMES, index=[9, 8, 7, 6])},
        {"class_names": pd.Index(NAMES)},
        {"class_names": (name for name in NAMES)},
        {"epochs": np.int64(50), "seed": np.uint8(0), "batch_size": np.int32(32)},
        {"learning_rate": np.float64(1e-4), "ratio": np.int64(40), "allow_leak": np.bool_(False)},
        {"fractions": np.array([0.7, 0.1, 0.2]), "crop_size": np.array([150, 150])},
        {"image_size": np.array([107, 73]), "ratio": np.float32(40)},
    ],
)
def test_configs_accept_numpy_and_pandas(changes):
    config, plain = TrainingConfig(**{"class_names": NAMES} | changes), TrainingConfig(NAMES)
    assert config == plain and config.to_dict() == plain.to_dict()
    assert TrainingConfig.from_dict(config.to_dict()) == config


def test_configs_accept_paths_and_arrays_in_dicts():
    config = TrainingConfig(NAMES, model_args={"weights": pathlib.Path("a.h5"), "filters": np.array([8, 8])})
    assert config.to_dict()["model_args"] == {"weights": "a.h5", "filters": [8, 8]}
    assert EnsembleConfig(NAMES, backbone_weights=pathlib.Path("a.h5")).backbone_weights == "a.h5"


@pytest.mark.parametrize(
    ("config", "name", "values"),
    [
        (
            TrainingConfig,
            "class_names",
            ["Horror", ("Horror",), ("Horror", " "), {"Horror", "War"}, [1, 2], None, {"Horror": 0, "War": 1}],
        ),
        (TrainingConfig, "epochs", ["5", 5.0, True, None, float("nan"), [5], -1]),
        (TrainingConfig, "learning_rate", ["1e-4", float("nan"), float("inf"), True, None]),
        (TrainingConfig, "seed", [-1, 1.5, None]),
        (TrainingConfig, "min_year", ["1990", 1990.5]),
        (TrainingConfig, "min_genres", [-1, None]),
        (TrainingConfig, "ratio", ["40", float("nan"), 0, 101, True]),
        (TrainingConfig, "image_size", [64, "64", (64.0, 64.0), (64, True), np.zeros((2, 2))]),
        (TrainingConfig, "interpolation", ["cubic", None, "Bilinear"]),
        (TrainingConfig, "fractions", ["0.8", 0.8, (0.7, 0.2, 0.2), (0.7, -0.1, 0.4), (0.7, 0.1, float("nan"))]),
        (TrainingConfig, "genre_groups", [{"Other": "War"}, ["War"], {"Other": [1]}]),
        (TrainingConfig, "keep_unlabeled", ["no", 1, None]),
        (TrainingConfig, "metrics", ["hit_at_1", [1], None]),
        (TrainingConfig, "model", [None, 5]),
        (TrainingConfig, "model_args", [[1], {"dropout": object()}, {1: 2}]),
        (TrainingConfig, "loss", [None, 5]),
        (TrainingConfig, "split", [None, ["random"]]),
        (TrainingConfig, "experiment", [None, 5]),
        (EnsembleConfig, "class_names", ["Horror", ("Horror",)]),
        (EnsembleConfig, "modalities", ["poster", 5, [None]]),
        (EnsembleConfig, "dropout", [0.5, {"plot": "0.5"}, {"plot": float("nan")}]),
        (EnsembleConfig, "weighted", ["no"]),
        (EnsembleConfig, "max_words", [100.0, "100"]),
        (EnsembleConfig, "hidden_share", ["0.5", float("nan")]),
    ],
)
def test_configs_name_the_wrong_argument(config, name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: "):
            config(**{"class_names": NAMES} | {name: value})


# --- genres that a part lacks ---


def test_genres_known_from_the_whole_table_give_zeros(tmp_path, recwarn):
    rows = ["imdbId,Title,Genre", "1,A (2000),Drama|Anime", "2,B (2001),Drama", "3,C (2001),Horror"]
    (tmp_path / "MovieGenre.csv").write_text("\n".join(rows))
    table = load_movie_table(tmp_path / "MovieGenre.csv")
    parts = [table[table["year"] == 2001], table.iloc[1:], table.sample(3, random_state=0).query("imdb_id > 1")]
    parts += [load_movie_table(tmp_path / "MovieGenre.csv", min_year=2001), merge_genres(parts[0], {})]
    for part in parts:
        assert sorted(encode_genres(part, ["Drama", "Anime"]).tolist()) == [[0, 0], [1, 0]]
    merged = merge_genres(table, {"Other": ("Anime", "War")})
    assert encode_genres(merged[merged["year"] == 2001], ["Other"]).tolist() == [[0], [0]]
    assert not recwarn


def test_genres_that_nothing_is_known_of_warn_or_are_misspelled(table):
    with pytest.warns(UserWarning, match="No movie of `table` has .*Anime"):
        assert not encode_genres(table, ["Horror", "Anime"])[:, 1].any()
    for name in ("Horor", "Romanc"):
        with pytest.raises(ValueError, match=f"`class_names` must be some of: .*Received unknown .*{name}"):
            encode_genres(table, [name])


# --- posters ---


def test_poster_dataset_accepts_what_people_have(table):
    expected = encode_genres(table, NAMES)
    own = pd.DataFrame({"genres": table["genres"], "poster_path": table["poster_path"].map(pathlib.Path)})
    options = {"image_size": np.array([20, 10]), "batch_size": np.int64(32), "seed": np.int32(3)}
    for cache in (True, False):
        assert (labels_of(poster_dataset(own, pd.Index(NAMES), cache=cache, **options)) == expected).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("table", [None, "table", [1]]),
        ("class_names", ["Horror", None, [], ["Horror", "Horror"], [None], 5]),
        ("image_size", [64, (64,), (64, 0), (64.5, 64), "64", None, ("64", "64")]),
        ("batch_size", [0, -1, 1.5, "32", True, None]),
        ("shuffle", ["no", None]),
        ("seed", ["0", 0.5]),
        ("interpolation", ["cubic", None, 3]),
        ("antialias", ["no"]),
        ("cache", ["cache.npy"]),
        ("decode", ["half", 2, None]),
    ],
)
def test_poster_dataset_names_the_wrong_argument(table, name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: "):
            poster_dataset(**{"table": table, "class_names": NAMES, "image_size": (20, 10)} | {name: value})


def test_poster_dataset_names_missing_columns_and_posters(table):
    for column in ("genres", "poster_path"):
        with pytest.raises(ValueError, match=rf"`table` must have the columns .*`{column}`"):
            poster_dataset(table.drop(columns=column), NAMES, image_size=(20, 10))
    with pytest.raises(ValueError, match="`table` must have at least one movie"):
        poster_dataset(table[:0], NAMES, image_size=(20, 10))
    for missing in ("", None, float("nan"), pd.NA):
        with pytest.raises(ValueError, match="60 movies have no poster file, such as .1001"):
            poster_dataset(table.drop(columns="title").assign(poster_path=missing), NAMES, image_size=(20, 10))


# --- finished runs ---


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pictures", [None, {"a.jpg"}, 5, [5], {"a.jpg": 1}, [["a.jpg"]], pd.DataFrame({"path": ["a.jpg"]})]),
        ("batch_size", [0, -1, 1.5, "32", True, None]),
        ("model", [5, "", ["a.jpg"]]),
    ],
)
def test_predict_names_the_wrong_argument(finished_run, name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}="):
            poster_cnn.predict(**{"model": finished_run, "pictures": ["a.jpg"]} | {name: value})


def test_predict_accepts_any_sequence_of_paths(finished_run, table):
    paths = table["poster_path"][:2].tolist()
    expected = poster_cnn.predict(paths, finished_run)
    for given in (tuple(paths), np.array(paths), pd.Series(paths, index=[5, 6]), map(pathlib.Path, paths)):
        assert poster_cnn.predict(given, str(finished_run), batch_size=np.int64(1)).round(6).equals(expected.round(6))


# --- other public functions ---

Y_TRUE, Y_PROB = np.eye(4), np.full((4, 4), 0.25)
SCORED = {"y_true": Y_TRUE, "y_prob": Y_PROB}
CONFIG = TrainingConfig(NAMES)
HISTORY = pd.DataFrame({"run": "a", "epoch": [0, 1], "accuracy": [0.5, 0.6], "loss": [1.0, 0.9]})
CALLS = [  # name, valid arguments, and wrong values of some of them
    ("metrics.hit_at_1", SCORED, {"y_true": ["x", [[1], [1, 0]], np.full((4, 4), 2)], "y_prob": ["x", [["a"]]]}),
    ("metrics.average_precision", SCORED, {"average": ["weighted", None, 5]}),
    ("metrics.overall_precision_recall_f1", SCORED, {"threshold": ["0.5", None, float("nan")]}),
    (
        "metrics.bootstrap_interval",
        {"metric": np.mean} | SCORED,
        {
            "metric": ["hit_at_1"],
            "level": [1, "0.9", 95],
            "num_resamples": [0, 9.5],
            "seed": [-1, "0"],
            "groups": [[1]],
        },
    ),
    ("metrics.score", {"names": ["hit_at_1"]} | SCORED, {"names": ["hit_at_1", None, 5], "num_resamples": [-1]}),
    ("movies.load_movie_table", {}, {"csv_path": [None, 5, ""], "min_year": ["1990"], "genres": ["Horror", [1]]}),
    ("movies.find_data_folder", {}, {"root": [None, 5, ""]}),
    ("movies.splits.random_split", {"table": HISTORY}, {"fractions": [0.8, "0.8", ("a", "b")], "seed": [0.5, -1]}),
    ("movies.splits.leak_free", {"class_names": NAMES}, {"table": [None, HISTORY], "groups": [[1]], "seed": ["0"]}),
    ("datasets.shrunk_size", {}, {"ratio": ["40", None, 0, float("nan"), True]}),
    ("datasets.check_posters", {}, {"table": [None, [1], HISTORY]}),
    ("datasets.as_batches", {"batch_size": 2}, {"decoded": [None, [1]], "batch_size": [0, "2"]}),
    ("models.seven_layer_cnn", {}, {"num_classes": [0, "4"], "filters": [32, "x", (0,)], "dropout": [1, "a", (0.5,)]}),
    ("models.two_conv_cnn", {}, {"dense_units": [(8,), 0, None], "batch_norm": ["no"], "input_shape": [64, "64"]}),
    (
        "models.resnet18",
        {},
        {"weights": [5], "trainable": ["no"], "pixel_range": [1, (1, 0)], "input_shape": [(64, 64)]},
    ),
    ("models.layer_table", {}, {"model": [None, "resnet18"]}),
    ("training.load_model", {}, {"path": ["", 5]}),
    ("training.build_model", {}, {"config": [None, {}, TrainingConfig, CONFIG.data]}),
    ("training.load_training_data", {"data": "data"}, {"config": [None, CONFIG]}),
    ("tuning.Experiment", {"config": CONFIG}, {"grid": ["ratio", {"ratio": 30}, {"ratio": []}], "sets": [["a"]]}),
    ("tuning.load_experiment", {}, {"path": [None, 5], "precision": ["float16"]}),
    ("results.collect_results", {}, {"runs_dir": [None, 5]}),
    ("results.genres_of", {}, {"predictions": [None, [1]]}),
    ("evaluation.evaluate.evaluate", {"data": "data", "run_dir": "run"}, {"batch_size": ["32", 0], "run_dir": [None]}),
    ("figures.image_grid", {"images": [Y_TRUE]}, {"images": ["ab", 5, [5]], "columns": [0, "6"]}),
    ("figures.learning_curve", {"history": HISTORY}, {"history": [None], "metric": ["acuracy", 5], "ax": [5]}),
    ("figures.learning_curve_grid", {"history": HISTORY}, {"rows": ["ratio", 5]}),
    ("figures.prediction_card", {"image": None, "probabilities": [1], "class_names": ["A"]}, {"class_names": ["A", 5]}),
]


@pytest.mark.parametrize(
    ("function", "options", "name", "value"),
    [(function, options, name, value) for function, options, wrong in CALLS for name in wrong for value in wrong[name]],
)
def test_public_functions_name_the_wrong_argument(function, options, name, value):
    module, _, attribute = function.rpartition(".")
    call = getattr(importlib.import_module(f"poster_cnn.{module}"), attribute)
    with pytest.raises(ValueError, match=rf"`{name}.*Received: "):
        call(**options | {name: value})
