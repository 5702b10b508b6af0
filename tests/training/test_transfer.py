"""Transfer learning: cached features of a frozen backbone, fine-tuning, pretrained weights in a data folder."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import assert_same_run, small_backbones, without_graphs
from PIL import Image

from poster_cnn import models
from poster_cnn.cli import main
from poster_cnn.files import read_json, sha256
from poster_cnn.training import features
from poster_cnn.training import fit as fitting
from poster_cnn.training.build import build_model
from poster_cnn.training.data import load_training_data
from poster_cnn.training.run_folder import recorded_config
from poster_cnn.training.train import train


@pytest.fixture(scope="module", autouse=True)
def small():
    with small_backbones() as build, without_graphs():
        yield build


@pytest.fixture(scope="module")
def weights(small, tmp_path_factory):
    """Path of a weights file of the small backbone."""
    backbone = small(input_shape=(32, 32, 3))
    backbone.get_layer("norm").set_weights([np.full(12, value) for value in (2.0, 0.1, 0.05, 0.3)])
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2_small.weights.h5"
    backbone.save_weights(path)
    return str(path)


@pytest.fixture
def model(weights):
    """A frozen network for 32×32 posters."""
    return models.mobilenet_v2((32, 32, 3), 4, weights=weights)


@pytest.fixture(scope="module")
def transfer_config(tiny_config, weights):
    """A run of that network."""
    return tiny_config.replace(
        batch_size=32,
        one_row_per_genre=True,
        split="stratified",
        fractions=(0.6, 0.2, 0.2),
        image_size=(32, 32),
        model="mobilenet_v2",
        model_args={"weights": weights, "dropout": 0.2},
        loss="sparse_categorical_crossentropy",
        learning_rate=1e-3,
        epochs=2,
        metrics=("first_label_accuracy",),
    )


@pytest.fixture(scope="module")
def data(transfer_config, data_folder):
    return load_training_data(transfer_config.data, data_folder)


@pytest.fixture(scope="module")
def fine_tuned_run(transfer_config, data_folder, data, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "fine_tuned"
    config = transfer_config.replace(fine_tune_epochs=2)
    train(config, data_folder, run_dir, training_data=data, progress=False)
    return run_dir


# --- weights ---


def test_uses_imagenet_weights_of_the_data_folder(transfer_config, weights):
    brought = {"resnet50_x.weights.h5": "elsewhere", "mobilenet_v2_small.weights.h5": weights}
    for model_args in ({"weights": "imagenet"}, {}):
        model = build_model(transfer_config.replace(model_args=model_args), brought)
        assert np.allclose(model.layers[2].get_layer("norm").gamma, 2)


def test_run_records_its_pretrained_weights(small, transfer_config, data_folder, weights, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    shutil.copy(weights, folder)
    config, run_dir = transfer_config.replace(model_args={}, epochs=1), tmp_path / "run"
    train(config, folder, run_dir, progress=False)
    recorded = read_json(run_dir / "config.json")["data"]
    assert recorded["weights_file"] == "mobilenet_v2_small.weights.h5" and recorded["weights_sha256"] == sha256(weights)
    small(input_shape=(32, 32, 3)).save_weights(folder / "mobilenet_v2_small.weights.h5")
    with pytest.raises(ValueError, match="differs in: the file of pretrained weights"):
        train(config, folder, run_dir, progress=False)


# --- features computed once ---


@pytest.mark.slow
def test_training_on_cached_features_equals_training_through_the_backbone(transfer_config, data_folder, data, tmp_path):
    for name, cache_features in (("cached", True), ("through", False)):
        config = transfer_config.replace(cache_features=cache_features)
        train(config, data_folder, tmp_path / name, training_data=data, progress=False)
    cached, through = (pd.read_csv(tmp_path / name / "history.csv") for name in ("cached", "through"))
    assert cached["epoch"].tolist() == [0, 1] and list(cached) == list(through)
    assert np.allclose(cached, through, atol=1e-4)
    predictions = [pd.read_csv(tmp_path / name / "predictions.csv") for name in ("cached", "through")]
    assert np.allclose(predictions[0], predictions[1], atol=1e-4)


def test_computes_features_once_per_poster(model, data, tmp_path, monkeypatch):
    first = features.poster_features(model, data, cache=tmp_path, progress=False)
    assert isinstance(first.array, np.memmap)
    assert len(first.array) == data.table["imdb_id"].nunique() < len(first.positions) == len(data.table)
    monkeypatch.setattr(features, "_prediction_function", None)
    again = features.poster_features(model, data, cache=tmp_path, progress=False)
    assert np.array_equal(first[:], again[:])


@pytest.mark.parametrize("max_constants", [10**9, 0])  # the second as for a network that no graph can hold
def test_cached_features_equal_those_of_the_extractor(max_constants, model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "_MAX_CONSTANTS", max_constants)
    extractor, _ = models.feature_extractor_and_head(model)
    with monkeypatch.context() as patch:
        if max_constants:
            patch.setattr(keras.Model, "predict", None)
        found = features.poster_features(model, data, cache=tmp_path, progress=False)
    (about,) = tmp_path.glob("*/about.json")
    assert read_json(about)["constant_weights"] == bool(max_constants)
    test = np.flatnonzero(data.split == "test")
    assert np.allclose(found[test], extractor.predict(data.images("test"), verbose=0), atol=1e-4)
    batch, labels = next(iter(found.batches(test, data.labels("test"), batch_size=4)))
    assert np.array_equal(batch, found[test[:4]]) and np.array_equal(labels, data.labels("test")[:4])


def test_repairs_a_truncated_cache_bit_by_bit(model, data, tmp_path, monkeypatch):
    # The rest of a chunk is computed in the same batches, because other batches may change the last digits.
    monkeypatch.setattr(features, "_CHUNK", 16)
    whole = features.poster_features(model, data, cache=tmp_path, progress=False)[:]
    (file,), (index,) = tmp_path.glob("*/features.f32"), tmp_path.glob("*/posters.txt")
    for features_left, index_left in [(4 * 12 * 7 + 13, None), (None, 65 * 20 + 20), (4 * 12 * 9 + 1, 65 * 18)]:
        for path, left in ((file, features_left), (index, index_left)):
            if left:
                path.write_bytes(path.read_bytes()[:left])
        mended = features.poster_features(model, data, cache=tmp_path, progress=False)
        assert len(mended.array) == 60 and np.array_equal(mended[:], whole)


def test_caches_features_per_network_weights_and_scaling(model, weights, data, tmp_path):
    for other, folders in [
        (model, 1),
        (models.mobilenet_v2((32, 32, 3), 5, weights=weights, dropout=0.5), 1),
        (models.mobilenet_v2((32, 32, 3), 4, weights=weights, pixel_range=(0, 1)), 2),
        (models.mobilenet_v2((32, 32, 3), 4, weights=weights, channel_order="bgr"), 3),
        (models.mobilenet_v2((32, 32, 3), 4, weights=None), 4),
        (models.vgg16((32, 32, 3), 4, weights=None), 5),
    ]:
        found = features.poster_features(other, data, cache=tmp_path, progress=False)
        assert len(list(tmp_path.iterdir())) == folders
        extractor, _ = models.feature_extractor_and_head(other)
        expected = extractor.predict(data.images("test")[:3], verbose=0)
        assert np.allclose(found[np.flatnonzero(data.split == "test")[:3]], expected, atol=1e-3)


def test_recomputes_features_of_a_changed_poster(model, transfer_config, data_folder, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    before = features.poster_features(
        model, load_training_data(transfer_config.data, folder), cache=tmp_path / "cache", progress=False
    )
    Image.new("RGB", (182, 268), "yellow").save(folder / "posters" / "1001.jpg")
    data = load_training_data(transfer_config.data, folder)
    after = features.poster_features(model, data, cache=tmp_path / "cache", progress=False)
    changed = (np.abs(before[:] - after[:]) > 1e-3).any(axis=1)
    assert data.table.loc[changed, "imdb_id"].unique().tolist() == [1001]
    assert len(after.array) == len(before.array) + 1


def test_computes_features_if_a_chunk_lacks_a_genre(tiny_config, data_folder, tmp_path, monkeypatch):
    config = tiny_config.replace(class_names=("Other", "Horror"), genre_groups={"Other": ("Documentary",)})
    config = config.replace(image_size=(32, 32), max_movies=12, split="random", fractions=(0.5, 0.5))
    data = load_training_data(config.data, data_folder)
    monkeypatch.setattr(features, "_CHUNK", 1)
    assert not data.all_labels[:, 0].all()  # a chunk without the genre that IMDb does not have
    model = models.resnet50((32, 32, 3), weights=None)
    assert len(features.poster_features(model, data, cache=tmp_path, progress=False).array) == len(data.table)


# --- frozen, then unfrozen ---


def test_fine_tuning_continues_after_the_frozen_epochs(fine_tuned_run, transfer_config):
    history = pd.read_csv(fine_tuned_run / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2, 3]
    assert history["trainable_backbone"].tolist() == [False, False, True, True]
    assert not list(fine_tuned_run.glob("*.weights.h5"))


def test_scores_movies_once_and_with_baselines(fine_tuned_run, data):
    scores = read_json(fine_tuned_run / "metrics.json")
    most_frequent = data.whole_movies("train")[1].sum(axis=0).argmax()
    genres = data.whole_movies("test")[1]
    for name in ("majority", "label_prior"):
        assert scores["baselines"][name]["movie_hit_at_1"] == pytest.approx(genres[:, most_frequent].mean())
    assert scores["test"]["movie_hit_at_1"]["value"] >= scores["test"]["first_label_accuracy"]["value"]
    assert 0 <= scores["validation"]["first_label_accuracy"] <= 1


def test_trains_and_fine_tunes_from_the_terminal(weights, data_folder, tmp_path, capsys):
    where = ["--data", str(data_folder), "--out", str(tmp_path / "run"), "--genres", "Horror,Romance"]
    how = ["--model", "mobilenet_v2", "--image-size", "32x32", "--weights", weights, "--fine-tune-epochs", "1"]
    how += ["--dropout", "0.5"]
    assert main(["train", *where, *how, "--epochs", "1"]) == 0
    assert "hit_at_1" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "run" / "history.csv")["trainable_backbone"].tolist() == [False, True]
    assert recorded_config(tmp_path / "run").model_args == {"dropout": 0.5, "weights": weights}


def test_corrected_command_runs_in_the_same_folder(data_folder, tmp_path, capsys):
    command = ["train", "--data", str(data_folder), "--out", str(tmp_path), "--genres", "Horror,Romance"]
    command += ["--ratio", "26", "--epochs", "1"]
    assert main([*command, "--model", "two_conv_cnn", "--weights", "none"]) == 1
    assert "two_conv_cnn does not take weights" in capsys.readouterr().err
    assert main(command) == 0


def test_interrupted_fine_tuning_ends_as_uninterrupted(
    fine_tuned_run, transfer_config, data_folder, data, monkeypatch, tmp_path
):
    run_dir = tmp_path / "interrupted"
    config, save_epoch = transfer_config.replace(fine_tune_epochs=2), fitting._save_epoch

    def stop(network, history, checkpoint):
        save_epoch(network, history, checkpoint)
        if len(history) in (1, 3):  # the first epoch of the head, the first of the backbone
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_save_epoch", stop)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                train(config, data_folder, run_dir, training_data=data, progress=False)
    train(config, data_folder, run_dir, training_data=data, progress=False)
    assert_same_run(run_dir, fine_tuned_run)
