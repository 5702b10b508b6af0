"""Heat maps: values by hand, the right place in the picture, every builder, nested networks, the other backends."""

import functools
import types

import keras
import numpy as np
import pytest
from conftest import WEIGHTS_OF_NUMPY, run_on_backend
from keras import layers
from PIL import Image
from scipy import special

from poster_cnn import models
from poster_cnn.datasets.embedded.dataset import make_dataset
from poster_cnn.datasets.embedded.masks import read_masks
from poster_cnn.evaluation import explain
from poster_cnn.evaluation.explain import class_activation_map, genre_maps, grad_cam, heat_maps, occlusion
from poster_cnn.evaluation.pictures import Picture
from poster_cnn.evaluation.predict import Prediction, draw_cards
from poster_cnn.models.feature_maps import split_at_feature_maps
from poster_cnn.training.saved_model import load_model, save_model

NETWORKS = """
import numpy as np
from poster_cnn import models

BUILDERS = {
    "seven_layer_cnn": {"input_shape": (60, 48, 3)},
    "two_conv_cnn": {"input_shape": (32, 24, 3), "batch_norm": True},
    "one_hot_sigmoid_cnn": {"input_shape": (24, 20, 3)},
    "vgg_like_cnn": {"input_shape": (32, 24, 3), "filters": (4, 8, 8), "dense_units": (8,)},
    "six_conv_cnn": {"input_shape": (46, 40, 3), "filters": (4, 8, 8), "dropout": (0.1, 0.1, 0.1)},
    "resnet18": {"input_shape": (64, 48, 3), "channel_order": "bgr", "pixel_range": (0, 1), "logits_dropout": 0.5},
    "mobilenet_v2": {"input_shape": (96, 64, 3), "weights": None, "dropout": 0.5},
    "vgg16": {"input_shape": (48, 32, 3), "weights": None, "dropout": 0.1},
    "resnet50": {"input_shape": (64, 64, 3), "weights": None},
    "densenet121": {"input_shape": (64, 64, 3), "weights": None},
}

SEED = {"one_hot_sigmoid_cnn": 2, "seven_layer_cnn": 2}  # with others, nothing speaks for a genre
METHODS = {"seven_layer_cnn": ["grad_cam", "occlusion"], "mobilenet_v2": ["grad_cam", "class_activation_map"]}

def network(name):
    model = getattr(models, name)(num_classes=3, **BUILDERS[name])
    rng = np.random.default_rng(SEED.get(name, 1))
    for weight in model.weights:  # the same on every backend
        spread = (1.5 / max(1, np.prod(weight.shape[:-1]))) ** 0.5 if len(weight.shape) > 1 else 0.1
        weight.assign(rng.normal(1 if "gamma" in weight.path or "variance" in weight.path else 0, spread, weight.shape))
    return model, rng.uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
"""
_namespace = {}
exec(NETWORKS, _namespace)  # a script for other backends too
network, BUILDERS = _namespace["network"], _namespace["BUILDERS"]
FAST = ("two_conv_cnn", "six_conv_cnn")


@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in BUILDERS],
)
def test_grad_cam_of_every_builder(name, shallow):
    """DenseNets and ResNets have few of their layers."""
    model, images = network(name)
    split, probabilities = split_at_feature_maps(model), model.predict_on_batch(images)
    logits = explain._to_numpy(split.head(split.extractor(images)))
    odds = {"sigmoid": special.expit, "softmax": functools.partial(special.softmax, axis=1)}
    assert np.allclose(odds[model.layers[-1].activation.__name__](logits), probabilities, atol=1e-5)
    maps = np.stack([grad_cam(model, images, index) for index in range(3)])
    assert (maps.shape, maps.dtype) == ((3, *images.shape[:3]), "float32")
    assert maps.min() >= 0 and set(maps.max(axis=(2, 3)).ravel().tolist()) in ({1}, {0, 1})
    assert np.ptp(maps, axis=(2, 3)).max() > 0.2  # gradients reach the maps
    top = logits.argmax(axis=1)  # probabilities of large logits are all 1
    assert np.allclose(grad_cam(model, images), maps[top, [0, 1]], atol=1e-4)
    assert np.allclose(grad_cam(model, images[::-1], top[::-1], batch_size=1), maps[top, [0, 1]][::-1], atol=1e-4)
    if split.dense is not None:  # max pooling too: the mean of a gradient that reaches one cell is the weight
        assert np.allclose(class_activation_map(model, images, 1), maps[1], atol=1e-4)


def test_grad_cam_is_the_formula():
    """Compare with gradients from finite differences of the head, which is linear here."""
    model, images = network("seven_layer_cnn")
    split = split_at_feature_maps(model)
    maps = explain._to_numpy(split.extractor(images[:1]))

    def logit(maps):
        return float(explain._to_numpy(split.head(maps.astype("float32")))[0, 2])

    slopes = np.zeros(maps.shape[-1])
    for channel in range(0, 64, 8):
        moved = maps.copy()
        moved[0, :, :, channel] += 1e-3
        slopes[channel] = (logit(moved) - logit(maps)) / 1e-3 / maps[0, :, :, 0].size
    found = explain._gradient_weights(split, maps, np.array([2]))[0]
    assert np.allclose(found[::8], slopes[::8], atol=2e-3 * np.abs(found).max() + 1e-4)


def colored(model, corner, side=14):
    """Return a black picture with a red square whose upper left corner is `corner`."""
    images = np.zeros((1, *model.input_shape[1:]), "float32")
    images[0, corner[0] : corner[0] + side, corner[1] : corner[1] + side, 0] = 255
    return images


def red_detector(name, input_shape):
    """Return a network whose first genre is the more probable, the more red a picture has anywhere."""
    if name == "nested":
        inputs = x = keras.Input((*input_shape[:2], 3))
        for _ in range(2):
            x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D(2)(x)
        x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        backbone = keras.Model(inputs, x, name="backbone")
        parts = [layers.Rescaling(1 / 255), backbone, layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
        model = keras.Sequential([keras.Input(input_shape), *parts])
    else:
        model = getattr(models, name)(input_shape, 2, **({"filters": (4, 4, 4)} if name == "vgg_like_cnn" else {}))
    for weight in model.weights:
        value = np.zeros(weight.shape)
        if len(weight.shape) == 4:
            value[weight.shape[0] // 2, weight.shape[1] // 2, 0, 0] = 1  # the first channel passes through
        elif len(weight.shape) == 2:
            value[:, 0] = 1
        weight.assign(value)
    return model


@pytest.mark.parametrize(
    "name, input_shape, methods",
    [
        ("seven_layer_cnn", (130, 100, 3), "grad_cam"),
        ("two_conv_cnn", (130, 100, 3), "grad_cam"),
        ("vgg_like_cnn", (130, 100, 3), "grad_cam"),
        ("nested", (128, 96, 3), "grad_cam class_activation_map occlusion"),
    ],
)
def test_hottest_point_lies_on_what_the_network_sees(name, input_shape, methods):
    model = red_detector(name, input_shape)
    corners = [(30, 28), (80, 50)]
    images = np.concatenate([colored(model, corner) for corner in corners])
    for method in methods.split():
        for corner, map_ in zip(corners, heat_maps(model, images, 0, method=method), strict=True):
            hottest = np.argwhere(map_ >= 0.999).mean(axis=0)
            assert np.abs(hottest - np.add(corner, 6.5)).max() <= 8, (method, hottest)
            assert map_[-1 if corner[0] < 50 else 0, 0] < 0.1


def test_nothing_speaks_for_a_genre():
    model = red_detector("seven_layer_cnn", (60, 48, 3))
    for method in ("grad_cam", "occlusion"):
        assert heat_maps(model, np.zeros((1, 60, 48, 3)), 1, method=method).max() == 0


def test_occlusion_of_a_function():
    """The probability is the brightness of one pixel, so that only patches over it matter."""

    batches = []

    def predict(images):
        batches.append(len(images))
        bright = images[:, 10, 4, 0] / 255
        return np.stack([bright, 1 - bright], axis=1)

    images = np.zeros((2, 20, 12, 3))
    images[0, 10, 4] = 255
    maps = occlusion(predict, images, [0, 0], patch_size=4, stride=2)
    assert np.array_equal(maps[0] > 0, maps[0] == 1) or maps[0, 10, 4] == 1
    rows, columns = np.nonzero(maps[0])
    assert rows.min() >= 7 and rows.max() <= 13 and columns.min() >= 1 and columns.max() <= 7
    assert maps[1].max() == 0
    assert np.array_equal(heat_maps(predict, images, 0, patch_size=4, stride=2), maps)
    batches.clear()
    twice = occlusion(predict, images[[0, 0]], [0, 1], patch_size=4, stride=2, batch_size=100)
    assert batches == [2, 45] and twice[1].max() == 0 and np.array_equal(twice[0], maps[0])


def test_maps_of_the_genres_on_a_card(tmp_path):
    def run(images):
        bright = images[:, :20].mean(axis=(1, 2, 3)) / 255
        return np.stack([bright, 1 - bright], axis=1)

    image = Image.fromarray(np.repeat([[[255] * 3], [[0] * 3]], 20, axis=0).repeat(24, axis=1).astype("uint8"))
    about = {"class_names": ["Bright", "Dark"], "crop_size": None}
    network = types.SimpleNamespace(about=about, fit=lambda image: np.float32(image), run=run, model=None)
    maps = genre_maps(image, ["Dark", "Bright"], network)
    assert list(maps) == ["Dark", "Bright"] and maps["Bright"].shape == (40, 24)
    assert maps["Bright"][:8].min() > 0.5 and maps["Bright"][-6:].max() < 0.1 and maps["Dark"].max() == 0
    found = [Prediction("a.png", ("Bright", "Dark"), (0.9, 0.1), picture=Picture("a.png", image))]
    draw_cards(found, tmp_path / "card.png", network)
    assert Image.open(tmp_path / "card.png").width > 900


def test_saved_nested_and_mixed_precision_networks(tmp_path):
    model = red_detector("nested", (48, 32, 3))
    images = colored(model, (20, 10))
    expected = grad_cam(model, images, 1)
    save_model(model, tmp_path / "model.keras", class_names=["A", "B"])
    assert np.allclose(grad_cam(load_model(tmp_path / "model.keras")[0], images, 1), expected, atol=1e-5)
    twice = keras.Sequential([keras.Input(images.shape[1:]), model])
    assert np.allclose(grad_cam(twice, images, 1), expected, atol=1e-5)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = models.two_conv_cnn((32, 24, 3), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert grad_cam(mixed, np.ones((1, 32, 24, 3))).dtype == "float32"


def test_explains_weights_of_the_moment_and_named_layers():
    model, images = network("two_conv_cnn")
    before = grad_cam(model, images, 0)
    model.layers[-1].kernel.assign(-np.asarray(model.layers[-1].kernel))
    assert not np.allclose(grad_cam(model, images, 0), before)
    assert grad_cam(model, images, 0, layer="conv1").shape == images.shape[:3]


@pytest.mark.parametrize(
    "function, arguments, message",
    [
        (grad_cam, {"images": np.zeros((32, 24, 3))}, "`images` must be pictures .batch, height, width, channels"),
        (grad_cam, {"images": np.zeros((1, 24, 32, 3))}, r"`images` must be .*input size \(32, 24, 3\)"),
        (grad_cam, {"class_index": 3}, r"`class_index` must be 0 … 2, .*Received: class_index=\[3\]"),
        (grad_cam, {"class_index": [0, 1]}, "`class_index` must be an integer, 1 integers, .*or None"),
        (grad_cam, {"class_index": "Horror"}, "`class_index` must be .*Received: class_index='Horror'"),
        (grad_cam, {"layer": "dense"}, "`layer` must be a layer with feature maps: .*conv2, .*Received: layer='dense'"),
        (class_activation_map, {}, "`model` must end in global pooling and one dense layer; use grad_cam or occlusion"),
        (occlusion, {"patch_size": 25}, "`patch_size` must be at most 24.*Received: patch_size=25"),
        (heat_maps, {"method": "lime"}, "`method` must be .*grad_cam.*Received: method='lime'"),
    ],
)
def test_rejects_wrong_arguments(function, arguments, message):
    model = models.two_conv_cnn((32, 24, 3), 3)
    with pytest.raises(ValueError, match=message):
        function(model, **{"images": np.zeros((1, 32, 24, 3))} | arguments)


def test_networks_of_any_size_have_the_maps_of_those_of_a_fixed_size():
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 48, 3)).astype("float32")
    fixed, of_any_size = (models.resnet18((*size, 3), 3) for size in ((64, 48), (None, None)))
    of_any_size.set_weights(fixed.get_weights())
    assert np.allclose(heat_maps(of_any_size, images, 1), heat_maps(fixed, images, 1), atol=1e-4)
    assert heat_maps(of_any_size, images[:, :40], 1).shape == (2, 40, 48)


def test_rejects_networks_without_feature_maps():
    for model in (models.plot_branch(6, 4), models.late_fusion(4, 2)):
        with pytest.raises(ValueError, match="`model` must be a network of pictures. Received: "):
            grad_cam(model, np.zeros((1, 8, 8, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_same_maps(backend, tmp_path):
    names = [name for name in BUILDERS if name not in ("resnet50", "densenet121")]
    script = f"""{WEIGHTS_OF_NUMPY}{NETWORKS}
import sys
from poster_cnn.evaluation import explain
found = {{}}
for name in {names}:
    model, images = network(name)
    for method in METHODS.get(name, ["grad_cam"]):
        found[name + " " + method] = [explain.heat_maps(model, images, index, method=method) for index in range(3)]
np.savez(sys.argv[1], **found)
"""
    run_on_backend(backend, script, tmp_path / "maps.npz")
    found = np.load(tmp_path / "maps.npz")
    for key in found.files:
        name, method = key.split()
        model, images = network(name)
        expected = [heat_maps(model, images, index, method=method) for index in range(3)]
        assert np.allclose(expected, found[key], atol=1e-3), key
        assert found[key].max() == 1, key


def test_masks_of_the_drawn_posters(tmp_path):
    folder = make_dataset(tmp_path / "data", num_movies=40, masks=True)
    imdb_ids = [int(path.stem) for path in sorted((folder / "posters").iterdir())]
    masks = read_masks(folder, imdb_ids)
    assert masks.emblem.shape == masks.lettering.shape == (len(imdb_ids), 268, 182)
    assert not (masks.emblem & masks.lettering).any() and len(masks.genres) == len(imdb_ids)
    assert 0.15 < masks.emblem.mean() < 0.4 and 0.04 < masks.lettering.mean() < 0.2
    with pytest.raises(FileNotFoundError, match=r"embedded_dataset\(masks=True\)"):
        read_masks(tmp_path, imdb_ids)
