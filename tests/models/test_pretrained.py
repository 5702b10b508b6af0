"""Frozen backbones, unfrozen backbones, and features computed once: the numbers of paper 3, and the same numbers."""

import pathlib
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
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

WEIGHTS = pathlib.Path(__file__).parents[3] / "shared" / "data" / "mobilenet_v2_1.0_imagenet_notop.weights.h5"


def small_backbone(*, input_shape, include_top, weights, alpha):
    """Stands in for MobileNetV2 where only the handling of backbones counts: builds and trains in no time."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(12, 3, strides=4, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, keras.layers.ReLU()(x), name="small")
    if weights:
        model.load_weights(weights)
    return model


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(keras.applications, "MobileNetV2", small_backbone)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Path of weights of `small_backbone`."""
    backbone = small_backbone(input_shape=(32, 32, 3), include_top=False, weights=None, alpha=1.0)
    backbone.get_layer("norm").set_weights([np.full(12, value) for value in (2.0, 0.1, 0.05, 0.3)])
    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2_small.weights.h5"
    backbone.save_weights(path)
    return str(path)


@pytest.fixture
def model(small, weights):
    """A frozen network for posters of 32×32."""
    return models.mobilenet_v2((32, 32, 3), 4, weights=weights)


@pytest.fixture(scope="module")
def transfer_config(tiny_config, weights):
    """A run of that network."""
    return tiny_config.replace(
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
    return load_training_data(transfer_config, data_folder)


@pytest.fixture
def fine_tuned_run(small, transfer_config, data_folder, tmp_path):
    run_dir = tmp_path / "fine_tuned"
    train(transfer_config.replace(fine_tune_epochs=2), data_folder, run_dir, progress=False)
    return run_dir


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


# --- the network ---


def test_mobilenet_v2_has_the_papers_parameters():  # Fig. 5
    model = models.mobilenet_v2(weights=None)
    table = models.layer_table(model)
    assert (model.count_params(), count(model.trainable_weights)) == (2265670, 7686)
    assert table.loc[2, ["num_params", "output_shape"]].tolist() == [2257984, (4, 4, 1280)]
    assert table["type"].tolist()[2:] == ["Functional", "GlobalMaxPooling2D", "Dense"]
    assert not model.compiled
    assert count(models.unfreeze(model).trainable_weights) == 2265670 - 4 * 17056  # 17,056 channels are normalized


@pytest.mark.parametrize(
    ("pixel_range", "pixels", "scaled"), [((-1, 1), [0, 127.5, 255], [-1, 0, 1]), ((0, 1), [0, 51, 255], [0, 0.2, 1])]
)
def test_mobilenet_v2_scales_the_pixels_itself(pixel_range, pixels, scaled):
    model = models.mobilenet_v2((32, 32, 3), weights=None, pixel_range=pixel_range)
    assert np.allclose(model.get_layer("scale")(np.array(pixels, "float32")), scaled, atol=1e-6)


def test_unfreezing_trains_the_backbone_but_not_its_batch_normalization(model):
    assert models.has_frozen_backbone(model)
    assert models.unfreeze(model) is model and not models.has_frozen_backbone(model)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    before = {weight.path: np.array(weight) for weight in model.weights}
    images = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    model.fit(images, np.arange(8) % 4, verbose=0)
    changed = {weight.path for weight in model.weights if not np.array_equal(weight, before[weight.path])}
    assert changed == {path for path in before if "conv" in path or "predictions" in path}


def test_a_backbone_trainable_from_the_start_learns_its_statistics_too(small):
    model = models.mobilenet_v2((32, 32, 3), 4, weights=None, trainable=True)
    assert not models.has_frozen_backbone(model)
    statistics = model.layers[2].get_layer("norm").moving_mean
    before = np.array(statistics)
    model(np.full((2, 32, 32, 3), 200, "float32"), training=True)
    assert not np.array_equal(statistics, before)


def test_extractor_and_head_are_parts_of_the_model(model):
    extractor, head = models.feature_extractor_and_head(model)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    assert extractor.output_shape == (None, 12) and head.count_params() == 12 * 4 + 4
    assert np.allclose(head(extractor(images)), model(images), atol=1e-6)
    head.layers[-1].set_weights([np.zeros((12, 4)), np.zeros(4)])
    assert np.allclose(model(images), 0.25)


def test_a_network_without_backbone_cannot_be_cut_or_unfrozen():
    for cut in (models.feature_extractor_and_head, models.unfreeze):
        with pytest.raises(ValueError, match='Received: seven_layer_cnn, which has no layer named "features"'):
            cut(models.seven_layer_cnn())
    assert not models.has_frozen_backbone(models.seven_layer_cnn())


# --- weights ---


def test_no_network_and_no_weights(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://example.org/mobilenet.h5: None -- no route to host")

    fail.__name__ = "MobileNetV2"
    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    monkeypatch.setenv("KERAS_HOME", "/somewhere/keras")
    with pytest.raises(RuntimeError, match="mobilenet.h5.*/somewhere/keras/models, give its path as `weights`"):
        models.mobilenet_v2()


def test_a_weights_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"keras.applications.MobileNetV2\(include_top=False\).*'nowhere.h5'"):
        models.mobilenet_v2(weights="nowhere.h5")


def test_a_data_folder_may_bring_the_imagenet_weights(small, transfer_config, weights):
    brought = {"resnet50_x.weights.h5": "elsewhere", "mobilenet_v2_small.weights.h5": weights}
    for model_args in ({"weights": "imagenet"}, {}):
        model = build_model(transfer_config.replace(model_args=model_args), brought)
        assert np.allclose(model.layers[2].get_layer("norm").gamma, 2)


def test_a_run_records_which_weights_it_started_from(small, transfer_config, data_folder, weights, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    shutil.copy(weights, folder)
    config, run_dir = transfer_config.replace(model_args={}, epochs=1), tmp_path / "run"
    train(config, folder, run_dir, progress=False)
    recorded = read_json(run_dir / "config.json")["data"]
    assert recorded["weights_file"] == "mobilenet_v2_small.weights.h5" and recorded["weights_sha256"] == sha256(weights)
    small_backbone(input_shape=(32, 32, 3), include_top=False, weights=None, alpha=1).save_weights(
        folder / "mobilenet_v2_small.weights.h5"
    )
    with pytest.raises(ValueError, match="differs in: the file of pretrained weights"):
        train(config, folder, run_dir, progress=False)


@pytest.mark.real_data
@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs the real weights")
def test_the_real_weights_tell_posters_apart():
    extractor, _ = models.feature_extractor_and_head(models.mobilenet_v2(weights=str(WEIGHTS)))
    found = extractor.predict(np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)), verbose=0)
    assert np.isfinite(found).all() and (found >= 0).all() and not np.allclose(found[0], found[1])


# --- features computed once ---


def test_training_on_features_gives_the_numbers_of_training_through_the_backbone(
    small, transfer_config, data_folder, data, tmp_path
):
    for name, cache_features in (("cached", True), ("through", False)):
        config = transfer_config.replace(cache_features=cache_features)
        train(config, data_folder, tmp_path / name, training_data=data, progress=False)
    cached, through = (pd.read_csv(tmp_path / name / "history.csv") for name in ("cached", "through"))
    assert cached["epoch"].tolist() == [0, 1] and list(cached) == list(through)
    assert np.allclose(cached, through, atol=1e-4)
    predictions = [pd.read_csv(tmp_path / name / "predictions.csv") for name in ("cached", "through")]
    assert np.allclose(predictions[0], predictions[1], atol=1e-4)


def test_each_poster_is_looked_at_once(model, data, tmp_path, monkeypatch):
    first = features.poster_features(model, data, cache=tmp_path, progress=False)
    assert isinstance(first.array, np.memmap)
    assert len(first.array) == data.table["imdb_id"].nunique() < len(first.positions) == len(data.table)
    monkeypatch.setattr(keras.Model, "predict", None)
    again = features.poster_features(model, data, cache=tmp_path, progress=False)
    assert np.array_equal(first[:], again[:])


def test_features_are_those_of_the_posters(model, data, tmp_path):
    extractor, _ = models.feature_extractor_and_head(model)
    found = features.poster_features(model, data, cache=tmp_path, progress=False)
    test = np.flatnonzero(data.split == "test")
    assert np.allclose(found[test], extractor.predict(data.images("test"), verbose=0), atol=1e-4)
    batch, labels = next(iter(found.batches(test, data.labels("test"), batch_size=4)))
    assert np.array_equal(batch, found[test[:4]]) and np.array_equal(labels, data.labels("test")[:4])


def test_a_cache_torn_by_a_kill_mends_itself_bit_by_bit(model, data, tmp_path, monkeypatch):
    """What is left of a chunk is computed anew in the batches it had: others may change the last digits."""
    monkeypatch.setattr(features, "_CHUNK", 16)
    whole = features.poster_features(model, data, cache=tmp_path, progress=False)[:]
    (file,), (index,) = tmp_path.glob("*/features.f32"), tmp_path.glob("*/posters.txt")
    for features_left, index_left in [(4 * 12 * 7 + 13, None), (None, 65 * 20 + 20), (4 * 12 * 9 + 1, 65 * 18)]:
        for path, left in ((file, features_left), (index, index_left)):
            if left:
                path.write_bytes(path.read_bytes()[:left])
        mended = features.poster_features(model, data, cache=tmp_path, progress=False)
        assert len(mended.array) == 60 and np.array_equal(mended[:], whole)


def test_other_weights_and_scalings_have_features_of_their_own_and_other_heads_have_not(model, weights, data, tmp_path):
    for other, folders in [
        (model, 1),
        (models.mobilenet_v2((32, 32, 3), 5, weights=weights, dropout=0.5), 1),
        (models.mobilenet_v2((32, 32, 3), 4, weights=weights, pixel_range=(0, 1)), 2),
        (models.mobilenet_v2((32, 32, 3), 4, weights=None), 3),
    ]:
        features.poster_features(other, data, cache=tmp_path, progress=False)
        assert len(list(tmp_path.iterdir())) == folders


def test_a_poster_that_changed_is_looked_at_again(model, transfer_config, data_folder, tmp_path):
    folder = shutil.copytree(data_folder, tmp_path / "data")
    before = features.poster_features(
        model, load_training_data(transfer_config, folder), cache=tmp_path / "cache", progress=False
    )
    Image.new("RGB", (182, 268), "yellow").save(folder / "posters" / "1001.jpg")
    data = load_training_data(transfer_config, folder)
    after = features.poster_features(model, data, cache=tmp_path / "cache", progress=False)
    changed = (np.abs(before[:] - after[:]) > 1e-3).any(axis=1)
    assert data.table.loc[changed, "imdb_id"].unique().tolist() == [1001]
    assert len(after.array) == len(before.array) + 1


# --- frozen, then unfrozen ---


def test_fine_tuning_goes_on_from_the_frozen_epochs(fine_tuned_run, transfer_config):
    history = pd.read_csv(fine_tuned_run / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2, 3]
    assert history["trainable_backbone"].tolist() == [False, False, True, True]
    assert not list(fine_tuned_run.glob("*.weights.h5"))


def test_movies_are_scored_once_beside_their_most_frequent_genre(fine_tuned_run, data):
    scores = read_json(fine_tuned_run / "metrics.json")
    most_frequent = data.whole_movies("train")[1].sum(axis=0).argmax()
    genres = data.whole_movies("test")[1]
    for name in ("majority", "label_prior"):
        assert scores["baselines"][name]["movie_hit_at_1"] == pytest.approx(genres[:, most_frequent].mean())
    assert scores["test"]["movie_hit_at_1"]["value"] >= scores["test"]["first_label_accuracy"]["value"]
    assert 0 <= scores["validation"]["first_label_accuracy"] <= 1


def test_a_pretrained_network_is_trained_and_unfrozen_from_the_terminal(small, weights, data_folder, tmp_path, capsys):
    where = ["--data", str(data_folder), "--out", str(tmp_path / "run"), "--genres", "Horror,Romance"]
    how = ["--model", "mobilenet_v2", "--image-size", "32x32", "--weights", weights, "--fine-tune-epochs", "1"]
    how += ["--dropout", "0.5"]
    assert main(["train", *where, *how, "--epochs", "1"]) == 0
    assert "hit_at_1" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "run" / "history.csv")["trainable_backbone"].tolist() == [False, True]
    assert recorded_config(tmp_path / "run").model_args == {"dropout": 0.5, "weights": weights}


def test_a_mistyped_run_can_be_corrected_in_the_same_folder(data_folder, tmp_path, capsys):
    command = ["train", "--data", str(data_folder), "--out", str(tmp_path), "--genres", "Horror,Romance"]
    command += ["--ratio", "26", "--epochs", "1"]
    assert main([*command, "--weights", "none"]) == 1
    assert "seven_layer_cnn does not take weights" in capsys.readouterr().err
    assert main(command) == 0


def test_interrupted_fine_tuning_ends_as_uninterrupted(fine_tuned_run, transfer_config, data_folder, data, monkeypatch):
    run_dir = fine_tuned_run.with_name("interrupted")
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
    for name in ("history.csv", "predictions.csv"):
        assert (run_dir / name).read_bytes() == (fine_tuned_run / name).read_bytes()
