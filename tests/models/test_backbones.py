"""ResNets and DenseNets: their sizes, the pixels their weights expect, their heads, frozen and unfrozen, saved."""

import keras
import numpy as np
import pytest

from poster_cnn import models
from poster_cnn.training import features
from poster_cnn.training.data import load_training_data
from poster_cnn.training.saved_model import load_model, save_model

RED, GREEN, BLUE = np.eye(3, dtype="float32") * 255


def images(count=2, size=(32, 32)):
    return np.random.default_rng(0).uniform(0, 255, (count, *size, 3)).astype("float32")


def backbone_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def seen_by_backbone(model, pixels):
    """What the backbone of a model is given for an image of one color: that color, scaled."""
    layers = model.layers
    before = keras.Model(model.input, layers[layers.index(backbone_of(model)) - 1].output)
    given = before.predict(np.broadcast_to(np.float32(pixels), (1, 32, 32, 3)), verbose=0)
    assert np.ptp(given, axis=(1, 2)).max() == 0
    return given[0, 0, 0]


@pytest.fixture
def small(monkeypatch):
    """Stands in for the networks of keras.applications where only what surrounds a backbone counts."""

    def build(*, input_shape, include_top, weights):
        inputs = keras.Input(input_shape)
        x = keras.layers.Conv2D(6, 3, strides=4, name="conv")(inputs)
        model = keras.Model(inputs, keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x)), name="small")
        if weights:
            model.load_weights(weights)
        return model

    for name in ("ResNet50", "DenseNet121", "MobileNetV2"):
        monkeypatch.setattr(keras.applications, name, build)


# Without top 23,587,712, 58,370,944, 7,037,504 and 18,321,984; a dense layer has a weight for each feature and a bias.
@pytest.mark.parametrize(
    ("builder", "num_classes", "num_params", "num_features", "application"),
    [
        ("resnet18", 5, 11_186_112 + 5 * 513, 512, None),
        ("resnet50", 5, 23_597_957, 2048, keras.applications.resnet),
        ("resnet152", 5, 58_381_189, 2048, keras.applications.resnet),
        ("densenet121", 20, 7_058_004, 1024, keras.applications.densenet),
        ("densenet201", 5, 18_331_589, 1920, keras.applications.densenet),
    ],
)
def test_backbones_have_their_parameters_and_get_the_pixels_of_their_weights(
    builder, num_classes, num_params, num_features, application
):
    model = getattr(models, builder)((32, 32, 3), num_classes, weights=None)
    assert model.count_params() == num_params and not model.compiled
    assert model.output_shape == (None, num_classes) and model.layers[-1].activation is keras.activations.sigmoid
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == num_classes * (num_features + 1)
    preprocess = (application or keras.applications.densenet).preprocess_input  # ResNet18's are to be PyTorch's
    for color in (RED, BLUE, (10, 100, 200)):
        assert np.allclose(seen_by_backbone(model, color), preprocess(np.float32([color]))[0], atol=1e-4)


# What the authors of paper 2 feed: pixels / 255, read by OpenCV.
@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"pixel_range": (0, 1), "channel_order": "bgr"}, [0, 0, 1]),
        ({"pixel_range": (0, 1), "channel_order": "rgb"}, [1, 0, 0]),
        ({"pixel_range": (0, 1)}, [1, 0, 0]),
        ({"pixel_range": (-1, 1), "channel_order": "bgr"}, [-1, -1, 1]),
        # Whatever the order, each channel is less its own mean: 123.68 for red, 103.939 for blue.
        ({}, [-103.939, -116.779, 255 - 123.68]),
        ({"channel_order": "bgr"}, [-103.939, -116.779, 255 - 123.68]),
        ({"channel_order": "rgb"}, [255 - 123.68, -116.779, -103.939]),
    ],
)
def test_a_red_image_is_fed_as_asked(small, arguments, seen):
    model = models.resnet50((32, 32, 3), weights=None, **arguments)
    assert np.allclose(seen_by_backbone(model, RED), seen, atol=1e-4)


def test_channels_keep_their_own_mean_and_deviation(small):
    rgb, bgr = (models.densenet121((32, 32, 3), weights=None, channel_order=order) for order in ("rgb", "bgr"))
    assert np.allclose(seen_by_backbone(bgr, (9, 99, 222)), seen_by_backbone(rgb, (9, 99, 222))[::-1], atol=1e-6)


def test_an_unknown_channel_order(small):
    with pytest.raises(ValueError, match="`channel_order` must be 'rgb', 'bgr' or None. Received: channel_order='brg'"):
        models.resnet50((32, 32, 3), weights=None, channel_order="brg")


# --- heads ---


def test_dropout_may_come_before_the_dense_layer_and_after_the_logits(small):
    model = models.resnet50((32, 32, 3), weights=None, dropout=0.2, logits_dropout=0.5)
    names = [layer.name for layer in model.layers]
    assert names[names.index("features") :] == ["features", "dropout", "logits", "logits_dropout", "predictions"]
    assert model.get_layer("logits").activation is keras.activations.linear
    assert model.get_layer("logits_dropout").rate == 0.5
    assert model.get_layer("predictions").activation is keras.activations.sigmoid
    plain = models.resnet50((32, 32, 3), weights=None)
    assert [layer.name for layer in plain.layers][-2:] == ["features", "predictions"]


def test_dropped_logits_have_probability_one_half_in_training_and_change_nothing_after_it(small):
    dropping, plain = (models.resnet50((32, 32, 3), weights=None, logits_dropout=rate) for rate in (0.5, 0))
    plain.set_weights(dropping.get_weights())
    x = images(40)
    assert np.array_equal(dropping.predict(x, verbose=0), plain.predict(x, verbose=0))
    in_training = np.array(dropping(x, training=True))
    dropped = in_training == 0.5
    assert 0.3 < dropped.mean() < 0.7
    p = np.array(plain(x))
    twice_the_logit = p**2 / (p**2 + (1 - p) ** 2)  # as dropout of one half doubles what it leaves
    assert np.allclose(in_training[~dropped], twice_the_logit[~dropped], atol=1e-5)


# --- frozen, unfrozen, cut, saved ---


@pytest.fixture(scope="module")
def resnet18():
    """A frozen ResNet18 with statistics that are not those of a fresh network."""
    model = models.resnet18((32, 32, 3), 3, channel_order="bgr", logits_dropout=0.5)
    rng = np.random.default_rng(0)
    for layer in backbone_of(model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def test_extractor_and_head_give_the_numbers_of_the_model(resnet18):
    extractor, head = models.feature_extractor_and_head(resnet18)
    assert extractor.output_shape == (None, 512)
    assert [layer.name for layer in head.layers[1:]] == ["logits", "logits_dropout", "predictions"]
    x = images()
    assert np.allclose(head.predict(extractor.predict(x, verbose=0), verbose=0), resnet18.predict(x, verbose=0))


def test_a_saved_network_comes_back_with_its_channel_order(resnet18, tmp_path):
    save_model(resnet18, tmp_path / "model.keras", class_names=["Horror", "Romance", "Action"])
    loaded, _ = load_model(tmp_path / "model.keras")
    x = images()
    assert np.array_equal(loaded.predict(x, verbose=0), resnet18.predict(x, verbose=0))
    assert not np.allclose(loaded.predict(x[..., ::-1], verbose=0), resnet18.predict(x, verbose=0), atol=1e-3)


def test_unfreezing_resnet18_leaves_its_batch_normalization_frozen():
    model = models.resnet18((32, 32, 3), 3)
    assert models.has_frozen_backbone(model)
    convolutions = [w for w in backbone_of(model).weights if w.path.split("/")[-2].endswith("_conv")]
    assert len(convolutions) == 20  # 17 of 3×3 or 7×7, and three shortcuts
    models.unfreeze(model)
    assert not models.has_frozen_backbone(model)
    assert [w.path for w in model.trainable_weights] == [w.path for w in [*convolutions, *model.layers[-1].weights]]
    from_the_start = models.resnet18((32, 32, 3), 3, trainable=True)
    assert not models.has_frozen_backbone(from_the_start)
    normalized = sum(layer.count_params() for layer in backbone_of(model).layers if "_norm" in layer.name)
    assert normalized == 4 * 4800 and len(from_the_start.trainable_weights) == len(model.trainable_weights) + 2 * 20


def test_kept_features_are_those_of_the_channel_order(small, tiny_config, data_folder, tmp_path):
    data = load_training_data(tiny_config.replace(image_size=(32, 32)), data_folder)
    kept = {}
    weights = models.resnet50((32, 32, 3), weights=None).get_weights()
    for order in ("rgb", "bgr"):
        model = models.resnet50((32, 32, 3), weights=None, pixel_range=(0, 1), channel_order=order)
        model.set_weights(weights)
        kept[order] = features.poster_features(model, data, cache=tmp_path, progress=False)
    assert len(list(tmp_path.iterdir())) == 2 and not np.allclose(kept["rgb"][:], kept["bgr"][:], atol=1e-3)


def test_features_of_few_posters_need_not_have_every_genre(small, tiny_config, data_folder, tmp_path, monkeypatch):
    config = tiny_config.replace(class_names=("Other", "Horror"), genre_groups={"Other": ("Documentary",)})
    config = config.replace(image_size=(32, 32), max_movies=12, split="random", fractions=(0.5, 0.5))
    data = load_training_data(config, data_folder)
    monkeypatch.setattr(features, "_CHUNK", 1)
    assert not data.all_labels[:, 0].all()  # a chunk without the genre that is none of IMDb's
    model = models.resnet50((32, 32, 3), weights=None)
    assert len(features.poster_features(model, data, cache=tmp_path, progress=False).array) == len(data.table)


# --- weights ---


def test_resnet18_has_no_imagenet_weights():
    with pytest.raises(ValueError, match="no ImageNet weights for ResNet18. Received: .*weights='imagenet'"):
        models.resnet18((32, 32, 3), weights="imagenet")


@pytest.mark.parametrize(
    ("builder", "network"),
    [
        ("resnet18", "`weights` must be None, or .* for resnet18_backbone"),
        ("resnet50", "`weights` must be 'imagenet', None, or .* for keras.applications.ResNet50"),
        ("densenet121", "`weights` must be 'imagenet', None, or .* for keras.applications.DenseNet121"),
    ],
)
def test_a_weights_file_that_is_not_there_names_whose_it_should_be(builder, network):
    with pytest.raises(FileNotFoundError, match=rf"{network}\(include_top=False\). Received: weights='nowhere.h5'"):
        getattr(models, builder)((32, 32, 3), weights="nowhere.h5")


def test_resnet18_starts_from_a_weights_file(resnet18, tmp_path):
    path = tmp_path / "resnet18.weights.h5"
    backbone_of(resnet18).save_weights(path)
    model = models.resnet18((32, 32, 3), 5, weights=path)
    for ours, theirs in zip(backbone_of(model).get_weights(), backbone_of(resnet18).get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
