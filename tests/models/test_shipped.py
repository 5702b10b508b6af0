"""Trained networks that come with the package: Keras and ONNX Runtime agree, and builders start from their weights."""

import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import poster_cnn
from poster_cnn import models
from poster_cnn.evaluation.networks import open_network
from poster_cnn.models import shipped
from poster_cnn.training.config import NetworkConfig
from poster_cnn.training.run_folder import about_weights

NAMES = ("posters_mobilenet_v2", "posters_seven_layer")


@functools.cache
def load(name):
    return poster_cnn.load_model(name)


def test_they_are_small_and_the_default_is_first():
    assert tuple(shipped.shipped_names()) == NAMES
    for name in NAMES:
        assert sum(path.stat().st_size for path in shipped.FOLDER.glob(f"{name}*")) < 8_000_000


@pytest.mark.parametrize("name", NAMES)
def test_keras_and_onnx_runtime_agree(name):
    model, about = load(name)
    network = open_network(name)
    assert network.about == about and network.image_size == model.input_shape[1:3]
    assert len(about["class_names"]) == model.output_shape[-1] and about["interpolation"]
    images = np.random.default_rng(0).integers(0, 256, (5, *model.input_shape[1:])).astype("float32")
    assert np.abs(network.run(images) - model.predict_on_batch(images)).max() < 1e-4


@pytest.mark.parametrize(
    ("builder", "name", "options", "num_new"),
    [
        ("mobilenet_v2", NAMES[0], {}, 0),
        ("mobilenet_v2", NAMES[0], {"num_classes": 5, "input_shape": (96, 64, 3)}, 2),
        ("seven_layer_cnn", NAMES[1], {"dropout": 0.1}, 0),
        ("seven_layer_cnn", NAMES[1], {"num_classes": 7}, 2),
        ("seven_layer_cnn", NAMES[1], {"input_shape": (80, 55, 3)}, 6),
    ],
)
def test_builders_start_from_them(builder, name, options, num_new):
    expected, _ = load(name)
    model = getattr(models, builder)(weights="posters", **options)
    same = [np.array_equal(a, b) for a, b in zip(model.get_weights(), expected.get_weights(), strict=True)]
    assert same.count(False) == num_new and not any(same[len(same) - num_new :])
    activation = model.layers[-1].activation
    assert activation == (keras.activations.sigmoid if builder == "mobilenet_v2" else keras.activations.softmax)
    assert model.output_shape[-1] == options.get("num_classes", expected.output_shape[-1])


@pytest.mark.parametrize(
    ("builder", "weights"), [("resnet50", "posters"), ("seven_layer_cnn", "imagenet"), ("seven_layer_cnn", "a.h5")]
)
def test_other_builders_and_weights_are_rejected(builder, weights):
    with pytest.raises(ValueError, match=f"`weights` must be .*Received: weights='{weights}'"):
        getattr(models, builder)(weights=weights)


def test_predicts_without_tensorflow_and_pandas(data_folder, tmp_path):
    script = """
import sys
from poster_cnn.cli import main
assert main(["predict", *sys.argv[1:]]) == 0
assert not {"tensorflow", "keras", "pandas", "sklearn", "matplotlib"} & set(sys.modules)
"""
    command = [sys.executable, "-c", script, str(data_folder / "posters" / "1001.jpg")]
    environment = os.environ | {"HOME": str(tmp_path), "POSTER_CNN_CACHE": str(tmp_path / "cache")}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "1001.jpg" in out.stdout and out.stderr == "" and not list(tmp_path.iterdir())


def test_a_run_records_that_it_starts_from_them():
    network = NetworkConfig(model="mobilenet_v2", model_args={"weights": "posters"})
    assert about_weights(network, {})["weights_file"] == "posters_mobilenet_v2.npz"


def test_predicts_the_mean_of_a_poster_and_its_mirror_image():
    model, about = load("posters_seven_layer")
    image = np.random.default_rng(0).integers(0, 256, model.input_shape[1:]).astype("uint8")
    both = model.predict_on_batch(np.stack([image, image[:, ::-1]]).astype("float32"))
    plain = about | {"calibration": None}
    for mirrored, expected in ((False, both[0]), (True, both.mean(axis=0))):
        predicted = poster_cnn.predict(image, (model, plain | {"mirrored": mirrored}))
        np.testing.assert_allclose(predicted[about["class_names"]].to_numpy(float)[0], expected, atol=1e-4)
