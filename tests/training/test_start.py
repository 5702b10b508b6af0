"""Runs that start from another run, go on for more epochs, or have one genre."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import MOBILENET, SIGMOID, assert_same_weights

import poster_cnn
from poster_cnn import metrics, models
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.files import read_json
from poster_cnn.training.build import build_model
from poster_cnn.training.continuation import continue_run
from poster_cnn.training.saved_model import save_model
from poster_cnn.training.train import train

pytestmark = pytest.mark.usefixtures("eager")

GENRES = ["Horror", "Romance", "Action", "Documentary"]


def saved(model, path, class_names):
    save_model(model, path, class_names=class_names)
    return str(path)


@pytest.mark.parametrize("changes", [{}, MOBILENET])
def test_starts_from_all_weights_with_the_same_genres_and_else_from_the_backbone(small, tiny_config, tmp_path, changes):
    config = tiny_config.replace(**changes)
    other = build_model(config)
    same = config.replace(start_from=saved(other, tmp_path / "other.keras", GENRES), seed=1)
    new, fewer = build_model(same), build_model(same.replace(class_names=("Drama", "Action")))
    assert_same_weights(new, other)
    *body, kernel, bias = zip(fewer.get_weights(), other.get_weights(), strict=True)
    assert all((ours == theirs).all() for ours, theirs in body)
    assert kernel[0].shape[1] == len(bias[0]) == 2


@pytest.mark.parametrize("changes", [{"model_args": {"filters": (8, 17)}}, {"ratio": 20}, {"model": "two_conv_cnn"}])
def test_rejects_the_weights_of_another_network(tiny_config, tmp_path, changes):
    model_args = {} if "model" in changes else {"model_args": {"filters": (8, 16)}}
    path = saved(build_model(tiny_config.replace(**model_args)), tmp_path / "other.keras", GENRES)
    config = tiny_config.replace(**{"model_args": {}} | model_args | changes | {"ratio": changes.get("ratio", 40)})
    with pytest.raises(ValueError, match="`start_from` must be a run of the network .*Received: start_from="):
        build_model(config.replace(start_from=path))


def test_rejects_a_run_that_started_from_another_network(tiny_config, data_folder, tmp_path):
    path = saved(build_model(tiny_config), tmp_path / "other.keras", GENRES)
    config = tiny_config.replace(start_from=path, epochs=1, batch_size=32)
    train(config, data_folder, tmp_path / "run", progress=False)
    saved(build_model(tiny_config), path, GENRES)
    with pytest.raises(ValueError, match="differs in: the network that it starts from"):
        train(config, data_folder, tmp_path / "run", progress=False)


def test_test_posters_that_the_other_run_was_trained_on_are_counted(finished_run, tiny_config, data_folder, tmp_path):
    options = {"split": "random", "split_seed": 3, "fractions": (0.5, 0.5), "epochs": 1, "batch_size": 32}
    config = tiny_config.replace(start_from=str(finished_run), **options)
    train(config, data_folder, tmp_path, progress=False)
    trained = pd.read_csv(finished_run / "split.csv").query("part == 'train'")["imdb_id"]
    tested = pd.read_csv(tmp_path / "split.csv").query("part == 'test'")["imdb_id"]
    found = read_json(tmp_path / "leak.json")["seen_before"]
    assert found["start"] == str(finished_run) and 0 < found["seen"] <= found["posters"] <= len(tested)
    assert found["seen"] >= tested.isin(trained).sum() > 0
    line = f"{found['seen']} of the {found['posters']} test posters were in the training of"
    assert line in (tmp_path / "notes.txt").read_text()
    assert "so these scores are too high" in (tmp_path / "README.md").read_text()


def test_runs_know_the_posters_of_all_trainings_before_them(finished_run, tiny_config, data_folder, tmp_path):
    options = {"split": "random", "fractions": (0.2, 0.8), "split_seed": 3, "epochs": 1, "batch_size": 32}
    config = tiny_config.replace(start_from=str(finished_run), **options)
    train(config, data_folder, tmp_path / "second", progress=False)
    train(config.replace(start_from=str(tmp_path / "second")), data_folder, tmp_path / "third", progress=False)
    second, third = (read_json(tmp_path / name / "leak.json")["seen_before"]["seen"] for name in ("second", "third"))
    assert third >= second > 0
    first, last = (poster_cnn.load_model(folder)[1]["seen_posters"] for folder in (finished_run, tmp_path / "third"))
    before, after = SeenPosters.from_text(first), SeenPosters.from_text(last)
    assert after.count_copies(before) == len(before) < len(after)
    evaluation = poster_cnn.evaluate(tmp_path / "third", data_folder, progress=False)
    seen = (
        f"{evaluation.num_seen} of the {evaluation.num_movies} scored posters look like posters that this network was"
    )
    assert f"{seen} trained on earlier" in evaluation.notes
    assert 0 < evaluation.num_seen <= evaluation.num_movies and evaluation.warning in evaluation.as_text()


def test_runs_that_a_callback_stopped_cannot_go_on(tiny_config, data_folder, tmp_path):
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(stop.model, "stop_training", True))
    config = tiny_config.replace(batch_size=32, epochs=3)
    train(config, data_folder, tmp_path / "stopped", callbacks=[stop], progress=False)
    with pytest.raises(ValueError, match="`epochs` must be 3, as runs that stopped.*`start_from` takes their weights"):
        continue_run(tmp_path / "stopped", data_folder, epochs=5)


def test_runs_with_warmup_go_on_without_it(tiny_config, data_folder, tmp_path):
    config = tiny_config.replace(batch_size=32, epochs=2, warmup_epochs=1)
    train(config, data_folder, tmp_path / "run", progress=False)
    continue_run(tmp_path / "run", data_folder, epochs=3, out=tmp_path / "longer", progress=False)
    assert pd.read_csv(tmp_path / "longer" / "history.csv")["epoch"].tolist() == [0, 1, 2]


def test_finished_run_goes_on_in_a_copy(finished_run, data_folder, tmp_path):
    before = {path.name: path.read_bytes() for path in finished_run.iterdir()}
    continue_run(finished_run, data_folder, epochs=12, out=tmp_path / "longer", progress=False)
    assert {path.name: path.read_bytes() for path in finished_run.iterdir()} == before
    old, new = (pd.read_csv(folder / "history.csv") for folder in (finished_run, tmp_path / "longer"))
    pd.testing.assert_frame_equal(new[:10], old)
    assert new["epoch"].tolist() == list(range(12))
    assert new["loss"].iloc[10] < old["loss"].iloc[:3].min()  # it did not start anew
    for epochs in (10, 5):
        with pytest.raises(ValueError, match=f"`epochs` must be more than the 10 of .*Received: epochs={epochs}"):
            continue_run(finished_run, data_folder, epochs=epochs)


def test_checkpoint_of_keras_predicts_with_given_genres(data_folder, tmp_path):
    model = models.seven_layer_cnn((46, 46, 3), 4, filters=(4, 8), dense_units=(8,))
    model.compile("adam", "categorical_crossentropy")
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 46, 46, 3))
    model.fit(pixels, np.eye(4), verbose=0, callbacks=[checkpoint])
    loaded, about = poster_cnn.load_model(tmp_path / "1.keras", class_names=GENRES)
    assert about["class_names"] == GENRES and about["thresholds"] is None
    assert np.allclose(loaded.predict(pixels, verbose=0), model.predict(pixels, verbose=0))
    poster = data_folder / "posters" / "1001.jpg"
    assert set(GENRES) < set(poster_cnn.predict(poster, tmp_path / "1.keras", class_names=GENRES))
    with pytest.raises(ValueError, match="names 3 genres for 4 outputs"):
        poster_cnn.load_model(tmp_path / "1.keras", class_names=GENRES[:3])
    with pytest.raises(ValueError, match="has no class names. Give them as `class_names`"):
        poster_cnn.load_model(tmp_path / "1.keras")
    save_model(model, tmp_path / "named.keras", class_names=GENRES)
    with pytest.raises(ValueError, match="`class_names` must be None or the genres of .*named.keras"):
        poster_cnn.load_model(tmp_path / "named.keras", class_names=GENRES[::-1])


def test_one_genre_is_yes_or_no(tiny_config, data_folder, tmp_path):
    options = {"split": "leak_free", "epochs": 1, "batch_size": 32, "metrics": metrics.EVERYDAY}
    config = tiny_config.replace(class_names=("horror",), **SIGMOID, **options)
    assert config.class_names == ("Horror",) and config.keep_unlabeled
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*softmax over axis")
        result = train(config, data_folder, tmp_path, progress=False)
    assert not config.replace(class_names=("Horror", "Drama")).keep_unlabeled
    split = pd.read_csv(tmp_path / "split.csv")
    assert len(split) == 60 and 0 < split["Horror"].sum() < 60
    assert 0 <= result["test"]["label_accuracy"]["value"] <= 1 and set(result["thresholds"]) == {"Horror"}
    predictions = poster_cnn.predict(data_folder / "posters" / "1001.jpg", tmp_path)
    assert "Horror" in predictions and predictions["predicted"][0] in ("", "Horror")
    evaluation = poster_cnn.evaluate(tmp_path, data_folder)
    assert evaluation.num_movies == (split["part"] == "test").sum()  # also movies that are no horror
    assert list(evaluation.scores.index) == ["average_precision", "overall_f1", "label_accuracy"]
    low, value, high = evaluation.scores.loc["overall_f1", ["low", "model", "high"]]
    assert low <= value <= high
    assert "Horror" in evaluation.as_text()
