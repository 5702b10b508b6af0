"""Pretrained backbones: parameters, pixel scaling, heads, freezing, extractors, weights files."""

import pathlib

import keras
import numpy as np
import pytest
from conftest import without_graphs

from poster_cnn import models
from poster_cnn.metrics import overall_precision_recall_f1
from poster_cnn.models import find_builder, resnet
from poster_cnn.models.backbones import on_backbone
from poster_cnn.training.saved_model import load_model, save_model

pytestmark = pytest.mark.usefixtures("eager")

WEIGHTS = pathlib.Path(__file__).parents[3] / "shared" / "data" / "mobilenet_v2_1.0_imagenet_notop.weights.h5"
RED, GREEN, BLUE = np.eye(3, dtype="float32") * 255


def images(count=2, size=(32, 32)):
    return np.random.default_rng(0).uniform(0, 255, (count, *size, 3)).astype("float32")


def backbone_of(model):
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def normalization(model):
    """Return the momentum and epsilon of each batch normalization of a model's backbone."""
    layers = [layer for layer in backbone_of(model).layers if isinstance(layer, keras.layers.BatchNormalization)]
    return {(layer.momentum, layer.epsilon) for layer in layers}


def seen_by_backbone(model, pixels):
    """Return what the backbone of a model receives for an image of one color."""
    layers = model.layers
    before = keras.Model(model.input, layers[layers.index(backbone_of(model)) - 1].output)
    given = before.predict(np.broadcast_to(np.float32(pixels), (1, 32, 32, 3)), verbose=0)
    assert np.ptp(given, axis=(1, 2)).max() == 0
    return given[0, 0, 0]


# The numbers of Keras without top, plus a dense layer with a weight per feature and a bias.
@pytest.mark.parametrize(
    ("builder", "num_classes", "num_params", "num_features"),
    [
        ("resnet18", 5, 11_186_112 + 5 * 513, 512),
        pytest.param("resnet50", 5, 23_597_957, 2048, marks=pytest.mark.slow),
        pytest.param("resnet152", 5, 58_381_189, 2048, marks=pytest.mark.slow),
        pytest.param("densenet121", 20, 7_058_004, 1024, marks=pytest.mark.slow),
        pytest.param("densenet201", 5, 18_331_589, 1920, marks=pytest.mark.slow),
    ],
)
def test_parameters_and_batch_normalization(builder, num_classes, num_params, num_features):
    model = getattr(models, builder)((32, 32, 3), num_classes, weights=None)
    assert model.count_params() == num_params and not model.compiled
    assert model.output_shape == (None, num_classes) and model.layers[-1].activation is keras.activations.sigmoid
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == num_classes * (num_features + 1)
    assert normalization(model) == {(0.9, 1e-5)}


# ResNet18 takes the pixels of PyTorch's weights, as DenseNet does.
@pytest.mark.parametrize(
    ("builder", "like"),
    [
        *(("resnet18", "densenet"), ("resnet50", "resnet"), ("resnet152", "resnet")),
        *(("densenet121", "densenet"), ("densenet201", "densenet")),
        *((name, name) for name in ("mobilenet_v2", "vgg16")),
    ],
)
def test_scales_pixels_as_keras_applications(builder, like, small):
    preprocess = getattr(keras.applications, like).preprocess_input
    model = getattr(models, builder)((32, 32, 3), weights=None)
    for color in (RED, BLUE, (10, 100, 200)):
        assert np.allclose(seen_by_backbone(model, color), preprocess(np.float32([color]))[0], atol=1e-4)


# Paper 2's code passes pixels / 255 in OpenCV's order.
@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"pixel_range": (0, 1), "channel_order": "bgr"}, [0, 0, 1]),
        ({"pixel_range": (0, 1), "channel_order": "rgb"}, [1, 0, 0]),
        ({"pixel_range": (0, 1)}, [1, 0, 0]),
        ({"pixel_range": (-1, 1), "channel_order": "bgr"}, [-1, -1, 1]),
        # In any order, the mean of each channel is subtracted: 123.68 for red, 103.939 for blue.
        ({}, [-103.939, -116.779, 255 - 123.68]),
        ({"channel_order": "bgr"}, [-103.939, -116.779, 255 - 123.68]),
        ({"channel_order": "rgb"}, [255 - 123.68, -116.779, -103.939]),
    ],
)
def test_pixel_range_and_channel_order(small, arguments, seen):
    model = models.resnet50((32, 32, 3), weights=None, **arguments)
    assert np.allclose(seen_by_backbone(model, RED), seen, atol=1e-4)


def test_channels_keep_their_mean_and_deviation_in_any_order(small):
    rgb, bgr = (models.densenet121((32, 32, 3), weights=None, channel_order=order) for order in ("rgb", "bgr"))
    assert np.allclose(seen_by_backbone(bgr, (9, 99, 222)), seen_by_backbone(rgb, (9, 99, 222))[::-1], atol=1e-6)


def test_rejects_an_unknown_channel_order(small):
    with pytest.raises(ValueError, match="`channel_order` must be 'rgb', 'bgr' or None. Received: channel_order='brg'"):
        models.resnet50((32, 32, 3), weights=None, channel_order="brg")


# --- heads ---


@pytest.mark.parametrize("input_shape", [(32, 32), (32, 32, 1), (32, 32, 4)])
def test_rejects_pictures_that_are_not_rgb(small, input_shape):
    with pytest.raises(ValueError, match=r"`input_shape` must be \(height, width, 3\). Received: input_shape=\(32, 32"):
        models.mobilenet_v2(input_shape, weights=None)


def test_dropout_of_features_and_of_logits(small):
    model = models.resnet50((32, 32, 3), weights=None, dropout=0.2, logits_dropout=0.5)
    names = [layer.name for layer in model.layers]
    assert names[names.index("features") :] == ["features", "dropout", "logits", "logits_dropout", "predictions"]
    assert model.get_layer("logits").activation is keras.activations.linear
    assert model.get_layer("logits_dropout").rate == 0.5
    assert model.get_layer("predictions").activation is keras.activations.sigmoid
    plain = models.resnet50((32, 32, 3), weights=None)
    assert [layer.name for layer in plain.layers][-2:] == ["features", "predictions"]


def test_dropped_logits_have_probability_one_half_in_training_only(small):
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


# --- batch normalization ---


# Paper 2 uses PyTorch, whose momentum of 0.1 is 0.9 in Keras. ImageNet weights of Keras need the epsilon of Keras.
def test_trained_weights_of_a_file_keep_their_epsilon(small, tmp_path):
    path = tmp_path / "backbone.weights.h5"
    backbone_of(models.resnet50((32, 32, 3), weights=None)).save_weights(path)
    for trainable, momentum in ((False, 0.99), (True, 0.9)):
        model = models.resnet50((32, 32, 3), weights=str(path), trainable=trainable)
        assert normalization(model) == {(momentum, 1e-3)}


def test_mobilenet_v2_keeps_the_normalization_of_keras_as_paper_3_but_with_random_weights(small, tmp_path):
    path = tmp_path / "backbone.weights.h5"
    from_random = models.mobilenet_v2((32, 32, 3), weights=None, trainable=True)
    assert normalization(from_random) == {(0.9, 1e-3)}
    backbone_of(from_random).save_weights(path)
    assert normalization(models.mobilenet_v2((32, 32, 3), weights=str(path), trainable=True)) == {(0.99, 1e-3)}
    assert normalization(find_builder("keras:MobileNetV3Small")((32, 32, 3), weights=None)) == {(0.9, 1e-3)}


@pytest.mark.parametrize(("weights", "momentum"), [("preset", 0.99), (None, 0.9)])
def test_weights_of_presets_keep_their_normalization(weights, momentum):
    def backbone(*, input_shape, **_):
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.BatchNormalization()(inputs))

    options = {"trainable": True, "pixel_range": None, "channel_order": None, "dropout": 0, "logits_dropout": 0}
    model = on_backbone(
        backbone,
        "tf",
        keras.layers.GlobalAveragePooling2D,
        input_shape=(8, 8, 3),
        num_classes=2,
        weights=weights,
        classifier_activation="sigmoid",
        name="any",
        **options,
    )
    assert normalization(model) == {(momentum, 1e-3)}


def test_shipped_weights_keep_the_normalization_of_keras():
    model = models.mobilenet_v2((32, 32, 3), weights="posters", trainable=True)
    assert normalization(model) == {(0.999, 1e-3)}


@pytest.mark.slow
def test_running_statistics_follow_within_120_steps():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (240, 3)).astype("float32")
    pixels = rng.uniform(0, 1, (240, 8, 8, 3)).astype("float32") + 0.6 * labels[:, None, None]
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3))
    for width, strides in ((8, 1), (16, 2)):
        x = resnet.residual_block(x, width, strides=strides, name=f"block{width}")
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    with without_graphs(False):
        model.fit(pixels, labels, batch_size=16, epochs=8, verbose=0)
    in_training = np.array(model(pixels, training=True))
    assert overall_precision_recall_f1(labels, in_training)[2] == 1
    assert overall_precision_recall_f1(labels, model.predict(pixels, verbose=0))[2] == 1


# --- frozen, unfrozen, split, saved ---


def test_saved_network_keeps_its_channel_order(small, tmp_path):
    model = models.resnet50((32, 32, 3), 3, weights=None, channel_order="bgr", logits_dropout=0.5)
    save_model(model, tmp_path / "model.keras", class_names=["Horror", "Romance", "Action"])
    loaded, _ = load_model(tmp_path / "model.keras")
    x = images()
    assert np.array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert not np.allclose(loaded.predict(x[..., ::-1], verbose=0), model.predict(x, verbose=0), atol=1e-3)


def test_unfreeze_keeps_batch_normalization_of_resnet18_frozen():
    model = models.resnet18((32, 32, 3), 3)
    assert models.has_frozen_backbone(model)
    convolutions = [w for w in backbone_of(model).weights if w.path.split("/")[-2].endswith("_conv")]
    assert len(convolutions) == 20  # 17 of 3×3 or 7×7, and three shortcuts
    models.unfreeze(model)
    assert not models.has_frozen_backbone(model)
    assert [w.path for w in model.trainable_weights] == [w.path for w in [*convolutions, *model.layers[-1].weights]]
    normalized = sum(layer.count_params() for layer in backbone_of(model).layers if "_norm" in layer.name)
    assert normalized == 4 * 4800


def _count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_mobilenet_v2_has_the_papers_parameters():  # paper 3, Fig. 5
    model = models.mobilenet_v2(weights=None)
    table = models.layer_table(model)
    assert (model.count_params(), _count(model.trainable_weights)) == (2265670, 7686)
    assert table.loc[2, ["num_params", "output_shape"]].tolist() == [2257984, (4, 4, 1280)]
    assert table["type"].tolist()[2:] == ["Functional", "GlobalMaxPooling2D", "Dense"]
    assert not model.compiled
    assert _count(models.unfreeze(model).trainable_weights) == 2265670 - 4 * 17056  # 17,056 normalized channels
    last_convolution = [weight.path for weight in models.unfreeze(model, "Conv_1").trainable_weights]
    assert [path.split("/")[-2] for path in last_convolution] == ["Conv_1", "predictions", "predictions"]
    assert not models.unfreeze(model, "block_16_expand").get_layer(model.layers[2].name).get_layer("Conv1").trainable
    with pytest.raises(ValueError, match=r"`from_layer` must be None or a layer .*bn_Conv1.*Received: from_layer='x'"):
        models.unfreeze(model, "x")


def test_mobilenet_v2_has_max_or_average_pooling(small):
    pixels = images()
    for pooling in ("max", "avg"):
        model = models.mobilenet_v2((32, 32, 3), weights=None, pooling=pooling)
        extractor, _ = models.feature_extractor_and_head(model)
        maps = keras.Model(extractor.input, extractor.layers[-1].input).predict(pixels, verbose=0)
        expected = maps.max(axis=(1, 2)) if pooling == "max" else maps.mean(axis=(1, 2))
        assert np.allclose(extractor.predict(pixels, verbose=0), expected)
    with pytest.raises(ValueError, match="`pooling` must be 'max' or 'avg'. Received: pooling='mean'"):
        models.mobilenet_v2(weights=None, pooling="mean")


def test_unfreeze_trains_all_but_batch_normalization(small):
    model = models.mobilenet_v2((32, 32, 3), 4, weights=None)
    assert models.has_frozen_backbone(model)
    assert models.unfreeze(model) is model and not models.has_frozen_backbone(model)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    before = {weight.path: np.array(weight) for weight in model.weights}
    model.fit(images(8), np.arange(8) % 4, verbose=0)
    changed = {weight.path for weight in model.weights if not np.array_equal(weight, before[weight.path])}
    assert changed == {path for path in before if "conv" in path or "predictions" in path}


def test_trainable_backbone_updates_its_statistics(small):
    model = models.mobilenet_v2((32, 32, 3), 4, weights=None, trainable=True)
    assert not models.has_frozen_backbone(model)
    statistics = model.layers[2].get_layer("norm").moving_mean
    before = np.array(statistics)
    model(np.full((2, 32, 32, 3), 200, "float32"), training=True)
    assert not np.array_equal(statistics, before)


def test_extractor_and_head_share_the_model_s_weights(small):
    model = models.mobilenet_v2((32, 32, 3), 4, weights=None, logits_dropout=0.5)
    extractor, head = models.feature_extractor_and_head(model)
    assert extractor.output_shape == (None, 12) and head.count_params() == 12 * 4 + 4
    assert [layer.name for layer in head.layers[1:]] == ["logits", "logits_dropout", "predictions"]
    assert np.allclose(head(extractor(images())), model(images()), atol=1e-6)
    head.get_layer("logits").set_weights([np.zeros((12, 4)), np.zeros(4)])
    assert np.allclose(model(images()), 0.25)


def test_rejects_models_without_a_backbone():
    for function in (models.feature_extractor_and_head, models.unfreeze):
        with pytest.raises(ValueError, match='Received: seven_layer_cnn, which has no layer named "features"'):
            function(models.seven_layer_cnn())
    assert not models.has_frozen_backbone(models.seven_layer_cnn())


# --- weights ---


def test_resnet18_has_no_imagenet_weights():
    with pytest.raises(ValueError, match="no ImageNet weights for ResNet18. Received: .*weights='imagenet'"):
        models.resnet18((32, 32, 3), weights="imagenet")


@pytest.mark.parametrize(
    ("builder", "network"),
    [
        ("resnet18", "`weights` must be None, or .* for resnet18_backbone"),
        ("resnet50", "`weights` must be 'imagenet', None, or .* for keras.applications.ResNet50"),
        ("mobilenet_v2", "`weights` must be 'imagenet', None, or .* for keras.applications.MobileNetV2"),
    ],
)
def test_rejects_a_missing_weights_file(builder, network):
    with pytest.raises(FileNotFoundError, match=rf"{network}\(include_top=False\). Received: weights='nowhere.h5'"):
        getattr(models, builder)((32, 32, 3), weights="nowhere.h5")


def save_other_network(path):
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save_weights(path)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("write", [lambda path: path.write_text("no weights"), save_other_network])
def test_rejects_a_file_of_other_weights(tmp_path, write):
    path = tmp_path / "other.weights.h5"
    write(path)
    message = r"`weights` must be a weights file of \w+\(include_top=False\) \(.*\). Received: weights='.*other.weights"
    with pytest.raises(ValueError, match=message):
        models.resnet18((32, 32, 3), weights=str(path))


def test_resnet18_loads_a_weights_file(tmp_path):
    path = tmp_path / "resnet18.weights.h5"
    backbone = backbone_of(models.resnet18((32, 32, 3), 3))
    backbone.save_weights(path)
    loaded = backbone_of(models.resnet18((32, 32, 3), 5, weights=path))
    for ours, theirs in zip(loaded.get_weights(), backbone.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_imagenet_weights_that_cannot_be_downloaded(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://example.org/mobilenet.h5: None -- no route to host")

    fail.__name__ = "MobileNetV2"
    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    monkeypatch.setenv("KERAS_HOME", "/somewhere/keras")
    with pytest.raises(RuntimeError, match="mobilenet.h5.*/somewhere/keras/models, give its path as `weights`"):
        models.mobilenet_v2()


@pytest.mark.real_data
@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs the real weights")
def test_real_weights_distinguish_images():
    extractor, _ = models.feature_extractor_and_head(models.mobilenet_v2(weights=str(WEIGHTS)))
    found = extractor.predict(np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)), verbose=0)
    assert np.isfinite(found).all() and (found >= 0).all() and not np.allclose(found[0], found[1])
