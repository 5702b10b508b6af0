import json
import types
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from poster_cnn import models
from poster_cnn.cli import main
from poster_cnn.evaluation import export
from poster_cnn.evaluation.export import export_model
from poster_cnn.training.saved_model import load_model, save_model

DESCRIPTION = "assets.extra/poster_cnn.json"
# Packages that the formats need, the name of the file, and how its description is read.
FORMATS = {
    "onnx": ("tf2onnx onnxruntime", "model.onnx", lambda path: onnx_session(path).get_modelmeta().custom_metadata_map),
    "litert": ("ai_edge_litert", "model.tflite", lambda path: {"poster_cnn": archived(path, "poster_cnn.json")}),
    "saved_model": ("", "saved_model", lambda path: {"poster_cnn": (path / DESCRIPTION).read_text()}),
}
NEAR = types.SimpleNamespace(atol=1e-4, rtol=0)


def require(format):
    for package in FORMATS[format][0].split():
        pytest.importorskip(package)


def onnx_session(path):
    import onnxruntime

    return onnxruntime.InferenceSession(path)


def archived(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def run_exported(path, format, images):
    """Run an export as its users do, without this package."""
    if format == "onnx":
        return onnx_session(path).run(None, {"pixels": images})[0]
    if format == "saved_model":
        import tensorflow as tf

        loaded = tf.saved_model.load(path)
        return loaded.serve(images).numpy()
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.resize_tensor_input(0, images.shape)
    return interpreter.get_signature_runner()(pixels=images)["output_0"]


def random_pixels(count, model):
    return np.random.default_rng(0).uniform(0, 255, (count, *model.input_shape[1:])).astype("float32")


def saved(model, folder, **options):
    names = [f"Genre {number}" for number in range(model.output_shape[-1])]
    save_model(model, folder / "model.keras", class_names=names, **options)
    return folder / "model.keras"


@pytest.mark.parametrize("format", FORMATS)
def test_export_equals_keras_and_carries_the_description(tmp_path, format):
    require(format)
    thresholds = {"Science Fiction": 0.25, "Comédie": 0.5, "Music|Musical": 1.0}
    model = models.two_conv_cnn((30, 20, 3), 3, classifier_activation="sigmoid")
    about = {"class_names": list(thresholds), "thresholds": thresholds, "crop_size": (200, 100)}
    save_model(model, tmp_path / "model.keras", interpolation="bicubic", **about)
    path, difference = export_model(tmp_path, format=format)
    _, name, description = FORMATS[format]
    assert path == tmp_path / name and 0 <= difference < 1e-4
    found = json.loads(description(path)["poster_cnn"])
    loaded = json.loads(json.dumps(load_model(tmp_path)[1]))
    assert found == loaded | {"image_size": [30, 20], "pixel_range": [0, 255], "channels": "RGB"}
    for count in (1, 5):
        images = random_pixels(count, model)
        np.testing.assert_allclose(run_exported(path, format, images), model(images), **vars(NEAR))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, "model.keras"])
    if format == "litert":
        assert archived(path, "labels.txt").splitlines() == list(thresholds)


MODELS = {
    "seven_layer_cnn": lambda: models.seven_layer_cnn((80, 55, 3), 4),
    "one_hot_sigmoid_cnn": lambda: models.one_hot_sigmoid_cnn((30, 30, 3), 6),
    "six_conv_cnn": lambda: models.six_conv_cnn((128, 128, 3), 5),
    "mobilenet_v2": lambda: models.mobilenet_v2((96, 64, 3), 6, weights=None, dropout=0.5),
    "resnet18": lambda: models.resnet18((64, 48, 3), 5, channel_order="bgr", logits_dropout=0.5),
    "resnet50": lambda: models.resnet50((64, 48, 3), 5, weights=None),
    "densenet121": lambda: models.densenet121((64, 48, 3), 20, weights=None, pixel_range=(0, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
@pytest.mark.parametrize("name", MODELS)
def test_exports_all_networks(tmp_path, name, format, shallow):
    require(format)
    model = MODELS[name]()
    path, _ = export_model(saved(model, tmp_path), format=format)
    images = random_pixels(3, model)
    np.testing.assert_allclose(run_exported(path, format, images), model(images), **vars(NEAR))


def test_exports_mixed_precision_as_float32(tmp_path):
    require("onnx")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.two_conv_cnn((30, 20, 3), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    path, _ = export_model(saved(model, tmp_path), tmp_path / "new" / "network.onnx")
    images = random_pixels(2, model)
    np.testing.assert_allclose(run_exported(path, "onnx", images), model(images), atol=0.02)


def test_keeps_no_export_that_differs_from_keras(tmp_path, monkeypatch):
    require("onnx")
    path = saved(models.two_conv_cnn((30, 20, 3), 3), tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"older export")
    write, run = export._FORMATS["onnx"]
    for wrong, text in ((lambda *a: run(*a) + 0.002, "by 0.002"), (lambda *a: run(*a) * np.nan, "by nan")):
        monkeypatch.setitem(export._FORMATS, "onnx", (write, wrong))
        with pytest.raises(RuntimeError, match=f"two_conv_cnn differs from Keras {text}, more than 0.0001"):
            export_model(path)
    assert (tmp_path / "model.onnx").read_bytes() == b"older export"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"path": "network.tflite"}, "`path` must end in .onnx for format='onnx'. Received: path='network.tflite'"),
        ({"path": "run", "format": "saved_model"}, "`path` must be a new folder or an older SavedModel"),
        ({"format": "tflite"}, "`format` must be .*onnx.*litert.*saved_model.*Received: format='tflite'"),
        ({"pictures": []}, "`pictures` must be at least one picture file"),
        (
            {"pictures": ["run/metrics.json"]},
            "`pictures` must be picture files. Received: 'run/metrics.json', text, not",
        ),
        ({"model": "absent"}, "No model found"),
    ],
)
def test_rejects(finished_run, tmp_path, monkeypatch, arguments, text):
    require("onnx")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text("{}")
    with pytest.raises((ValueError, FileNotFoundError), match=text):
        export_model(**({"model": finished_run} | arguments))


def test_rejects_ensembles_and_networks_of_features(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_ensemble", lambda path: path if path == tmp_path else None)
    with pytest.raises(ValueError, match="an ensemble cannot be exported"):
        export_model(tmp_path, format="saved_model")
    features = saved(models.poster_branch(8, 3), tmp_path)
    with pytest.raises(ValueError, match=r"a network of pictures of one size.*inputs \(None, 8\)"):
        export_model(features, format="saved_model")


@pytest.mark.parametrize("format, package", [("onnx", "tf2onnx"), ("litert", "ai_edge_litert")])
def test_a_missing_package_is_named_with_its_extra(finished_run, monkeypatch, capsys, format, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    assert main(["export", str(finished_run), "--format", format]) == 1
    printed = capsys.readouterr().err
    assert printed.endswith(f'{package}: pip install -e ".[{format}]"\n') and printed.count("\n") == 1


def test_command_exports_a_run_and_compares_it_on_posters(finished_run, data_folder, tmp_path, capsys):
    require("onnx")
    posters = [str(data_folder / "posters" / f"{imdb_id}.jpg") for imdb_id in (1001, 1002)]
    out = tmp_path / "network.onnx"
    assert main(["export", str(finished_run), "--out", str(out), "--pictures", *posters]) == 0
    printed = capsys.readouterr()
    assert f"{out}: 0.0 MB, largest difference from Keras" in printed.out and not printed.err
    Image.new("RGB", (10, 10)).save(tmp_path / "ok.png")
    (tmp_path / "broken.jpg").write_bytes(b"<html>")
    pictures = [str(tmp_path / name) for name in ("ok.png", "broken.jpg")]
    assert main(["export", str(finished_run), "--pictures", *pictures]) == 1
