"""Saved models: genres, thresholds and crop size in the file, safe loading, errors."""

import os
import pickle
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from poster_cnn import models
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.datasets.signatures import signature
from poster_cnn.metrics.calibration import Calibration
from poster_cnn.training.saved_model import load_model, save_model

NAMES = ["Horror", "Documentary", "Sci-Fi"]


@pytest.fixture(scope="module")
def model():
    return models.seven_layer_cnn((46, 46, 3), 3, filters=(2, 2, 2, 2), dense_units=(4,))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(model, path, class_names=NAMES, interpolation="lanczos3")
    return path


def test_saved_model_is_loaded_with_its_class_names(model, saved):
    loaded, about = load_model(saved)
    optional = dict.fromkeys(["thresholds", "crop_size", "calibration", "seen_posters"])
    assert about == {"class_names": NAMES, "interpolation": "lanczos3"} | optional
    images = np.random.default_rng(0).integers(0, 256, (2, 46, 46, 3)).astype("float32")
    assert np.array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    assert os.listdir(saved.parent) == ["model.keras"]  # nothing temporary is left


def test_optional_entries_are_restored_and_can_be_saved_again(model, tmp_path):
    posters = SeenPosters.from_signatures([signature(Image.effect_mandelbrot((60, 90), (-2, -1, 1, 1), 50))], [7])
    options = {"calibration": Calibration((0.5, 1, 2)).to_dict(), "seen_posters": posters.to_text()}
    save_model(model, tmp_path / "model.keras", class_names=NAMES, crop_size=(150, 100), **options)
    about = load_model(tmp_path)[1]
    assert options.items() <= about.items() and about["crop_size"] == (150, 100)
    save_model(model, tmp_path / "copy.keras", **about)
    assert load_model(tmp_path / "copy.keras")[1] == about


def test_loads_from_a_run_folder_and_with_keras_alone(saved):
    assert load_model(saved.parent)[1]["class_names"] == NAMES
    assert keras.models.load_model(saved).output_shape == (None, 3)


THRESHOLDS = {"Horror": 0.1 + 0.2, "Documentary": 0, "Sci-Fi": 1}
INVALID_THRESHOLDS = [
    {"Horror": 0.5, "Documentary": 0.5},
    THRESHOLDS | {"Drama": 0.5},
    *(THRESHOLDS | {"Horror": wrong} for wrong in (1.1, -0.1, float("nan"), "0.5")),
    [0.5, 0.5, 0.5],
    {},
]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("path", ["model.h5", "model"], "must end in .keras. Received: path='.*model"),
        ("class_names", [NAMES[:2]], r"must name the model's 3 outputs. Received: \['Horror', 'Documentary'"),
        ("thresholds", INVALID_THRESHOLDS, f"must be a dict with a number, 0..1, for each of {', '.join(NAMES)}. Rec"),
        (
            "crop_size",
            [(269, 100), (0, 100), (150, 0.5), 150, "150x150"],
            r"must be \(height, width\) in pixels, from \(1, 1\) to \(268, 182\)",
        ),
    ],
)
def test_save_model_rejects_invalid_arguments(model, tmp_path, monkeypatch, name, values, message):
    monkeypatch.chdir(tmp_path)
    for value in values:
        with pytest.raises(ValueError, match=f"`{name}` {message}"):
            save_model(model, **{"path": "model.keras", "class_names": NAMES} | {name: value})
    assert os.listdir(tmp_path) == []


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self):
        return os.abort, ()


def _pickle(path, model):
    path.write_bytes(pickle.dumps(Bomb()))


def _h5(path, model):
    model.save(path.with_suffix(".h5"))
    path.with_suffix(".h5").rename(path)


def _other_zip(path, model):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def _not_ours(path, model):
    model.save(path)


def _lambda_layer(path, model):
    outputs = keras.layers.Lambda(lambda x: x * 2)(model.output)
    save_model(keras.Model(model.input, outputs), path, class_names=NAMES)


def _rewritten(entry, change):
    """Return a function that saves a model and changes or removes one entry of the file."""

    def write(path, model):
        save_model(model, path, class_names=NAMES)
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        content = change(entries.pop(entry))
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (entries | ({entry: content} if content is not None else {})).items():
                archive.writestr(name, data)

    return write


def _with(entry):
    """Return a function that saves a model and adds an entry to the description in the file."""
    return _rewritten("poster_cnn.json", lambda content: content[:-1] + b", " + entry + b"}")


def _truncated(path, model):
    save_model(model, path, class_names=NAMES)
    path.write_bytes(path.read_bytes()[:-100])


def _bit_rot(path, model):
    save_model(model, path, class_names=NAMES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_pickle, "Not a .keras file"),
        (_h5, "Not a .keras file"),
        (_truncated, "Not a .keras file"),
        (_other_zip, "was not saved by poster_cnn"),
        (_not_ours, "it has no class names"),
        (_rewritten("poster_cnn.json", lambda content: b"[1, 2]"), "was not saved by poster_cnn"),
        (_rewritten("poster_cnn.json", lambda content: b"{half"), "was not saved by poster_cnn"),
        (_rewritten("poster_cnn.json", lambda content: b'{"class_names": ["Horror"]}'), "names 1 genres for 3 outputs"),
        (_with(b'"thresholds": {"Horror": 0.5}'), "model.keras cannot be used: `thresholds` must be"),
        (_with(b'"crop_size": [300, 100]'), r"cannot be used: `crop_size` must be .*Received: crop_size=\[300, 100\]"),
        (
            _with(b'"calibration": {"temperatures": [1, 2]}'),
            "cannot be used: `temperatures` must be one number, or one",
        ),
        (_with(b'"calibration": {"temperatures": [-1]}'), "cannot be used: `temperatures` must be positive"),
        (_with(b'"seen_posters": "x"'), "cannot be used: `seen_posters` must be"),
        (_rewritten("config.json", lambda content: None), "cannot be loaded: .*config.json"),
        (_rewritten("model.weights.h5", lambda content: content[:500]), "cannot be loaded"),
        (_bit_rot, "cannot be loaded"),
        (_lambda_layer, "cannot be loaded: .*Lambda"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_rejects_damaged_unsafe_and_other_files(model, tmp_path, write, message):
    path = tmp_path / "model.keras"
    write(path, model)
    with pytest.raises(ValueError, match=message):
        load_model(path)


@pytest.mark.parametrize("name", ["model.pkl", "model.h5", "model.zip"])
def test_rejects_other_suffixes(saved, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(saved.read_bytes())
    with pytest.raises(ValueError, match="Not a .keras file: .*can run code when loaded and are refused"):
        load_model(path)


def test_rejects_missing_file(tmp_path):
    for path in (tmp_path, tmp_path / "model.keras"):
        with pytest.raises(FileNotFoundError, match="Expected a .keras file or a finished run folder.*model.keras'.$"):
            load_model(path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="training is not finished: start it again with the same command"):
        load_model(tmp_path)


def test_thresholds_are_restored_exactly_in_label_order(model, tmp_path):
    given = {name: np.float64(THRESHOLDS[name]) for name in reversed(NAMES)}
    save_model(model, tmp_path / "model.keras", class_names=NAMES, thresholds=given)
    assert list(load_model(tmp_path)[1]["thresholds"].items()) == list(THRESHOLDS.items())


def test_loads_older_files_without_optional_entries(model, tmp_path):
    content = b'{"class_names": ["Horror", "Documentary", "Sci-Fi"], "interpolation": "area"}'
    _rewritten("poster_cnn.json", lambda _: content)(tmp_path / "model.keras", model)
    optional = dict.fromkeys(["thresholds", "crop_size", "calibration", "seen_posters"])
    assert load_model(tmp_path)[1] == {"class_names": NAMES, "interpolation": "area"} | optional
