"""Networks by name: any class of `keras.applications`, any preset of KerasHub."""

import inspect

import keras
import numpy as np
import pytest

import poster_cnn
from poster_cnn import models
from poster_cnn.cli import main
from poster_cnn.evaluation.explain import heat_maps
from poster_cnn.files import read_json
from poster_cnn.models.backbones import RAW, mode_of
from poster_cnn.models.catalog import NETWORKS
from poster_cnn.models.named import find_builder
from poster_cnn.training.build import seed_dropout
from poster_cnn.training.saved_model import load_model, save_model
from poster_cnn.training.train import train

GENRES = ["Action", "Drama", "Horror"]
CLASSES = [name for name in dir(keras.applications) if inspect.isfunction(getattr(keras.applications, name))]
SMALL = {"weights": None, "alpha": 0.1}


def pixels(*size):
    return np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")


def test_every_class_has_a_builder_with_its_preprocessing():
    modes = {name: mode_of(getattr(keras.applications, name)) for name in CLASSES}
    of_mode = {mode: {name for name in CLASSES if modes[name] == mode} for mode in modes.values()}
    assert {name.rstrip("0129") for name in of_mode["caffe"]} == {"ResNet5", "ResNet", "ResNet15", "VGG16", "VGG"}
    assert of_mode["torch"] == {"DenseNet121", "DenseNet169", "DenseNet201"}
    own = tuple("ConvNeXt EfficientNet MobileNetV3".split())
    assert of_mode[RAW] == {name for name in CLASSES if name.startswith(own)}
    for name in CLASSES:
        default = inspect.signature(find_builder(f"keras:{name}")).parameters["input_shape"].default
        assert default == (*NETWORKS[f"keras:{name}"][1], 3)


def test_network_of_keras_applications():
    model = find_builder("keras:MobileNetV3Small")((40, 32, 3), 3, dropout=0.2, **SMALL)
    extractor, _ = models.feature_extractor_and_head(model)
    assert models.has_frozen_backbone(model) and model.layers[-1].activation is keras.activations.sigmoid
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    maps = backbone(pixels(40, 32), training=False)  # which takes raw pixels
    np.testing.assert_allclose(extractor(pixels(40, 32)), np.mean(maps, axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("keras:EfficientnetV2-B0", {}, r"such as .*EfficientNetV2B0.*\(see `poster-cnn models`\). Received: model="),
        ("keras:resnet50", {}, "such as .*ResNet50"),
        ("keras:preprocess", {}, "a class of keras.applications"),
        ("keras:", {}, "a class of keras.applications"),
        ("MobilenetV2", {}, "such as .*mobilenet_v2"),
        ("EfficientNetB0", {}, "such as .*keras:EfficientNetB0"),
        ("trailer_branch", {}, "a builder in poster_cnn.models"),
        ("keras:InceptionV3", {"input_shape": (74, 80, 3)}, "`input_shape` must be at least 75×75 pixels for Incep"),
        ("keras:Xception", {"input_shape": (90, 64, 3)}, "at least 71×71"),
        ("mobilenet_v2", {"input_shape": (31, 40, 3)}, "at least 32×32"),
        ("keras:EfficientNetB0", {"pixel_range": (0, 1)}, "`pixel_range` must be None, as EfficientNetB0 scales"),
        ("keras:VGG19", {"weights": "posters"}, "no weights of keras:VGG19"),
        ("keras:VGG19", {"pooling": "mean"}, "`pooling` must be 'max' or 'avg'"),
    ],
)
def test_rejects_unknown_networks_and_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        find_builder(name)(**{"weights": None} | arguments)


def test_dropout_inside_of_a_backbone_is_seeded_by_epoch():
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, keras.layers.Dropout(0.5)(inputs))
    model, x = keras.Sequential([keras.Input((4,)), inner]), np.ones((8, 4), "float32")
    outputs = []
    for epoch in (0, 1, 0):
        seed_dropout(model, 0, epoch)
        outputs.append(np.array(model(x, training=True)))
    assert np.array_equal(outputs[0], outputs[2]) and not np.array_equal(outputs[0], outputs[1])


def test_command_lists_the_networks(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert all(f"keras:{name} " in printed for name in CLASSES) and "mobilenet_v2 " in printed
    assert "5,919,312  224×224" in printed and "hub:<preset>" in printed


# The larger ones take minutes.
SMALL_NETWORKS = [name for name, (count, _) in NETWORKS.items() if count < 9e6]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_sizes_of_the_catalog(name):
    count, size = NETWORKS[name]
    if name.startswith("keras:"):
        application = getattr(keras.applications, name.removeprefix("keras:"))
        with keras.StatelessScope(initialize_variables=False):
            assert application(weights=None, include_top=False, input_shape=(*size, 3)).count_params() == count
            assert application(weights=None).input_shape[1:3] in (size, (None, None))  # MobileNetV3 takes any size
    else:
        builder = find_builder(name)
        options = {"weights": None} if "weights" in inspect.signature(builder).parameters else {}
        model = builder(**options)
        assert (model.count_params(), model.input_shape[1:3]) == (count, size)
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize("name", "EfficientNetV2B0 ConvNeXtTiny MobileNetV3Small NASNetMobile ResNet50V2 VGG16".split())
def test_saved_networks_of_keras_applications_load(tmp_path, name):
    model = find_builder(f"keras:{name}")((80, 72, 3), 3, weights=None)
    save_model(model, tmp_path / "model.keras", class_names=GENRES)
    loaded, _ = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(pixels(80, 72)), model(pixels(80, 72)))
    assert heat_maps(loaded, pixels(80, 72)).shape == (2, 80, 72)


def run(config, data_folder, run_dir):
    """Train a network, and return what its run folder says about its weights, and the predictions of a poster."""
    train(config, data_folder, run_dir, progress=False)
    poster = sorted(data_folder.rglob("*.jpg"))[0]
    table = poster_cnn.predict(poster, run_dir)
    assert table.drop(columns=["picture", "predicted", "note"]).notna().all(axis=None)
    return read_json(run_dir / "config.json")["data"]


@pytest.mark.slow
def test_runs_of_a_named_network(tiny_config, data_folder, tmp_path, eager):
    own = {"model": "keras:MobileNetV3Small", "model_args": SMALL, "image_size": (32, 32)}
    own |= {"epochs": 1, "batch_size": 32}
    about = run(tiny_config.replace(**own, fine_tune_epochs=1), data_folder, tmp_path / "run")
    assert "initial_weights" not in about
    backbone = find_builder("keras:MobileNetV3Small")((32, 32, 3), 2, **SMALL).layers[2]
    backbone.save_weights(tmp_path / "own.weights.h5")
    own["model_args"] = SMALL | {"weights": str(tmp_path / "own.weights.h5")}
    about = run(tiny_config.replace(**own), data_folder, tmp_path / "other")
    assert about["initial_weights"] == about["weights_file"] == "own.weights.h5"


@pytest.fixture
def presets(tmp_path):
    """Dict of name -> folder of a preset with random weights."""
    hub = pytest.importorskip("keras_hub", reason="needs the extra 'hub'")
    from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder
    from keras_hub.src.models.siglip.siglip_text_encoder import SigLIPTextEncoder
    from keras_hub.src.models.siglip.siglip_vision_encoder import SigLIPVisionEncoder

    size = {"patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "image_shape": (32, 32, 3)}
    text = CLIPTextEncoder(50, 8, 8, 1, 2, 16, max_sequence_length=4)
    siglip_text = SigLIPTextEncoder(50, 8, 8, 1, 2, 16, max_sequence_length=4, projection_dim=8)
    encoders = {
        "vit": hub.models.ViTBackbone(mlp_dim=16, **size),
        "dinov2": hub.models.DINOV2Backbone(intermediate_dim=16, **size),
        "clip": hub.models.CLIPBackbone(CLIPVisionEncoder(intermediate_dim=16, **size), text, projection_dim=8),
        "siglip": hub.models.SigLIPBackbone(SigLIPVisionEncoder(intermediate_dim=16, **size), siglip_text),
    }
    for name, encoder in encoders.items():
        encoder.save_to_preset(tmp_path / name)
    converter = hub.layers.ImageConverter(scale=1 / 255, offset=-0.5)
    converter.save_to_preset(tmp_path / "dinov2")
    return {name: tmp_path / name for name in encoders}


@pytest.mark.slow
def test_networks_of_keras_hub(presets, tiny_config, data_folder, tmp_path):
    for name, folder in presets.items():
        model, again = (find_builder(f"hub:{folder}")((32, 32, 3), 3) for _ in range(2))
        extractor, other = (models.feature_extractor_and_head(built)[0] for built in (model, again))
        np.testing.assert_array_equal(extractor(pixels(32, 32)), other(pixels(32, 32)))  # weights of the preset
        scale = model.get_layer("scale")(np.float32([0, 255]).reshape(2, 1, 1, 1) * np.ones((1, 1, 1, 3), "float32"))
        expected = [-0.5, 0.5] if name == "dinov2" else [-1, 1]
        assert np.allclose(np.array(scale)[:, 0, 0, 0], expected)
        save_model(model, tmp_path / "model.keras", class_names=GENRES)
        np.testing.assert_array_equal(load_model(tmp_path / "model.keras")[0](pixels(32, 32)), model(pixels(32, 32)))
        assert heat_maps(model, pixels(32, 32)).shape == (2, 32, 32)  # by occlusion
        if name != "dinov2":  # which interpolates its positions
            with pytest.raises(ValueError, match=r"`input_shape` must be \(32, 32, 3\), the size of the preset"):
                find_builder(f"hub:{folder}")((48, 48, 3), 3)
    config = tiny_config.replace(model=f"hub:{presets['vit']}", model_args={}, image_size=(32, 32), epochs=1)
    about = run(config, data_folder, tmp_path / "run")
    assert about["initial_weights"] == "preset" and about["weights_file"] == "model.weights.h5"
    with pytest.raises(ValueError, match="a folder of a preset, or a preset of KerasHub"):
        find_builder(f"hub:{tmp_path / 'nowhere'}")()
