"""Training from arrays, reading posters into arrays, and other backends of Keras."""

import json
import os

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import SIGMOID, run_on_backend, without_graphs

from poster_cnn import datasets
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.arrays import fit_arrays
from poster_cnn.training.config import TrainingConfig

SIZE = (46, 48)
GENRES = ("Horror", "Romance", "Action", "Documentary")
SMALL = TrainingConfig(
    class_names=GENRES,
    image_size=SIZE,
    model="two_conv_cnn",
    model_args={"filters": [4, 8], "dense_units": 16, "dropout": 0.1},
    learning_rate=1e-2,
    batch_size=16,
    epochs=3,
)


def colored(num_movies=48, seed=0):
    """Return uint8 posters whose brightest channel is their genre, and one-hot labels."""
    rng = np.random.default_rng(seed)
    genre = np.arange(num_movies) % 4
    images = rng.integers(0, 120, (num_movies, *SIZE, 3))
    images += 120 * np.eye(4, dtype=int)[genre, None, None, :3]
    return images.astype("uint8"), np.eye(4, dtype="float32")[genre]


TRAIN, HELD_OUT = colored(), colored(16, seed=1)


# --- fitting ---


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_network_learns_from_arrays(loss):
    model, history = fit_arrays(SMALL.replace(epochs=6, loss=loss), *TRAIN, HELD_OUT, progress=False)
    assert list(history) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].tolist() == list(range(6))
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0] and history["val_accuracy"].iloc[-1] > 0.7
    predicted = model.predict(HELD_OUT[0], verbose=0).argmax(axis=1)
    assert np.mean(predicted == HELD_OUT[1].argmax(axis=1)) == pytest.approx(history["val_accuracy"].iloc[-1])


def test_seed_makes_training_reproducible_for_uint8_and_float32(eager):
    states = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            states.append(tuple(np.array(self.model.get_layer("dropout").seed_generator.state)))

    config, options = SMALL.replace(epochs=2), {"callbacks": [Watch()], "progress": False}
    fits = [
        fit_arrays(config.replace(seed=seed), TRAIN[0].astype(dtype), TRAIN[1], **options)
        for seed, dtype in ((0, "uint8"), (0, "float32"), (1, "uint8"))
    ]
    pd.testing.assert_frame_equal(fits[0][1], fits[1][1], check_exact=True)
    for one, again, other in zip(*(model.get_weights() for model, _ in fits), strict=True):
        assert (one == again).all() and (one != other).any()
    assert len(states) == 6 and states[0] != states[1]  # another dropout mask in each epoch


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"image_size": (46, 50)}, r"must have the shapes .*\(46, 50, 3\)\) and .*\(4,\)\).*shapes \(48, 46, 48, 3\)"),
        ({"class_names": GENRES[:2]}, r"\(2,\)\), as the config.*and \(48, 4\)"),
        ({"fine_tune_epochs": 1}, "`fine_tune_epochs` must be 0 for arrays. Received: fine_tune_epochs=1"),
    ],
)
def test_rejects_arrays_and_configs_that_do_not_match(change, error):
    with pytest.raises(ValueError, match=error):
        fit_arrays(SMALL.replace(**change), *TRAIN, progress=False)


@pytest.mark.parametrize("empty", ["train", "validation"])
def test_rejects_empty_arrays(empty):
    nothing = TRAIN[0][:0], TRAIN[1][:0]
    arrays = {"train": (*nothing, TRAIN), "validation": (*TRAIN, nothing)}[empty]
    with pytest.raises(ValueError, match=r"`images` must hold at least one poster. Received: shape \(0, "):
        fit_arrays(SMALL, *arrays, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda images, labels: (images, labels * 7),
            r"`labels` must be zeros and ones. Received: labels=\[0.0, 7.0\]",
        ),
        (lambda images, labels: (images, labels * np.nan), "`labels` must be zeros and ones"),
        (
            lambda images, labels: (images / 255, labels),
            "`images` must be pixels from 0 to 255.*Received: .*at most [01]",
        ),
    ],
)
def test_rejects_other_labels_and_scaled_pixels(change, message):
    with pytest.raises(ValueError, match=message):
        fit_arrays(SMALL, *change(*TRAIN), progress=False)


class Spoil(keras.callbacks.Callback):
    """Callback that makes the output NaN, during training or validation."""

    def __init__(self, when):
        super().__init__()
        setattr(self, when, self.spoil)

    def spoil(self, logs=None):
        self.model.get_layer("predictions").bias.assign(np.full(4, np.nan))


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("The loss became nan", "on_train_begin"),
        ("The val_loss became nan", "on_test_begin"),
        ("predictions/bias became NaN or infinite", "on_test_end"),
    ],
)
def test_nan_losses_and_weights_raise(said, when, eager):
    with pytest.raises(FloatingPointError, match=rf"{said} in epoch 0.*learning_rate=0.01"):
        fit_arrays(SMALL, *TRAIN, HELD_OUT, callbacks=[Spoil(when)], progress=False)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_rejects_posters_without_a_genre_with_softmax(loss, part):
    images, labels = TRAIN
    without = images, np.where(np.arange(len(labels))[:, None] < 3, 0, labels)
    arrays = without if part == "train" else (*TRAIN, without)
    message = "`labels` must have at least one genre .* Received: 3 rows without a genre of 48"
    with pytest.raises(ValueError, match=message):
        fit_arrays(SMALL.replace(loss=loss), *arrays, progress=False)


# --- reading ---


def test_poster_arrays_equal_the_dataset(data_folder):
    table = load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters").head(8)
    size = datasets.shrunk_size(30)
    images, labels = poster_arrays(table, GENRES, image_size=size)
    decoded = list(datasets.decoded_posters(table, GENRES, image_size=size).as_numpy_iterator())
    assert images.dtype == "uint8" and labels.dtype == "float32"
    assert (images == np.stack([image for image, _ in decoded])).all()
    assert (labels == np.stack([label for _, label in decoded])).all()


def test_rejects_unreadable_posters_and_crops(tmp_path):
    (tmp_path / "7.jpg").write_bytes(b"<html>no</html>")
    for name in ("7.jpg", "8.jpg"):
        table = pd.DataFrame({"genres": [["Horror"]], "poster_path": [str(tmp_path / name)]})
        with pytest.raises(ValueError, match=rf"cannot be read: .*Received: poster_path=.*{name}"):
            poster_arrays(table, GENRES, image_size=SIZE)
    with pytest.raises(ValueError, match="Received: a table with crops"):
        poster_arrays(table.assign(crop_top=0), GENRES, image_size=SIZE)


# --- other backends ---

NETWORKS = {
    "seven_layer_cnn": {"model_args": {"filters": [4, 4, 4, 8], "dense_units": [8, 8], "dropout": 0}},
    "two_conv_cnn": {"model_args": {"filters": [4, 8], "dense_units": 8, "dropout": 0}},
    "one_hot_sigmoid_cnn": SIGMOID | {"model_args": {"dropout": [0, 0]}, "image_size": (16, 18)},
}

OTHER_BACKEND = """
import json, pathlib, sys
import keras, numpy
from poster_cnn.training.arrays import fit_arrays
from poster_cnn.training.config import TrainingConfig
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.movies.table import load_movie_table
data, folder = map(pathlib.Path, sys.argv[1:])
histories = {}
for path in sorted(folder.glob("*.npz")):
    content = numpy.load(path)
    weights = [content[name] for name in content if name.startswith("weight")]
    start = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: start.model.set_weights(weights))
    config = TrainingConfig.from_dict(json.loads(content["config"].item()))
    arrays = [content[name] for name in ("images", "labels")]
    held_out = [content[name] for name in ("held_out_images", "held_out_labels")]
    histories[path.stem] = fit_arrays(config, *arrays, held_out, callbacks=[start], progress=False)[1].to_dict("list")
table = load_movie_table(data / "MovieGenre.csv", posters_dir=data / "posters").head(4)
numpy.save(folder / "posters.npy", poster_arrays(table, ["Horror"], image_size=(80, 55))[0])
(folder / "histories.json").write_text(json.dumps(histories))
print(keras.backend.backend(), end="")
"""


class InitialWeights(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights = self.model.get_weights()


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    """Folder with arrays, config and initial weights of each network, and a dict of its history with TensorFlow."""
    folder, histories = tmp_path_factory.mktemp("tensorflow"), {}
    for name, options in NETWORKS.items():
        config = SMALL.replace(model=name, learning_rate=1e-3, epochs=2, **options)
        height, width = config.image_size
        (images, labels), (held_out, held_out_labels) = (
            (images[:, :height, :width], labels) for images, labels in (TRAIN, HELD_OUT)
        )
        watch = InitialWeights()
        with without_graphs():
            history = fit_arrays(
                config, images, labels, (held_out, held_out_labels), callbacks=[watch], progress=False
            )[1]
        np.savez(
            folder / f"{name}.npz",
            config=json.dumps(config.to_dict()),
            images=images,
            labels=labels,
            held_out_images=held_out,
            held_out_labels=held_out_labels,
            **{f"weight{number:02}": weight for number, weight in enumerate(watch.weights)},
        )
        histories[name] = history
    return folder, histories


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_match_tensorflow(backend, of_tensorflow, data_folder, tmp_path):
    folder, histories = of_tensorflow
    (tmp_path / "tensorflow.py").write_text("raise ImportError('blocked')")  # Keras imports it where it can
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    assert run_on_backend(backend, OTHER_BACKEND, data_folder, folder, PYTHONPATH=path) == backend
    others = json.loads((folder / "histories.json").read_text())
    assert set(others) == set(NETWORKS)
    for name, history in histories.items():
        for column in ("loss", "val_loss"):
            np.testing.assert_allclose(others[name][column], history[column], rtol=1e-3, err_msg=f"{name} {column}")
            assert history[column].nunique() == 2  # the losses change
    table = load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters").head(4)
    ours, _ = poster_arrays(table, ["Horror"], image_size=(80, 55))
    difference = np.abs(np.load(folder / "posters.npy").astype(int) - ours)
    assert difference.max() <= 1 and difference.mean() < 1e-3
