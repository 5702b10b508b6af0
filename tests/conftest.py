"""Fixtures of all tests: a tiny data folder whose posters show their genre by color, finished runs, a clean cache."""

import contextlib
import functools
import gc
import importlib
import importlib.util
import inspect
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"
gc.set_threshold(10_000)  # TensorFlow makes so many objects while it traces that collecting them often is slow

import forked  # noqa: E402
import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

GENRE_COLORS = {
    "Horror": (120, 20, 20),
    "Romance": (240, 150, 180),
    "Action": (40, 90, 200),
    "Documentary": (90, 160, 90),
}

SIGMOID = {"classifier_activation": "sigmoid", "loss": "binary_crossentropy"}
# A run on a frozen backbone, which `small` replaces by a tiny one.
MOBILENET = {"model": "mobilenet_v2", "model_args": {"weights": None}, "image_size": (32, 32)}

RESAMPLING = {
    "metrics.intervals": "score",
    "metrics.paired": "margins",
    "evaluation.evaluate": "evaluate",
    "evaluation.report": "write_report",
}

# The same examples each time, so that a green run stays green; no deadline, as machines differ.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
hypothesis.settings.load_profile("repeatable")


class LengthEmbedding:
    """Stand-in for WordLlama, whose vectors are the lengths of texts."""

    def embed(self, texts, norm):
        assert norm
        return np.array([[len(text)] + [0] * 255 for text in texts], dtype="float32")


def pytest_collection_modifyitems(items):
    """Let one process train the ensemble, and take the slow tests before the quick ones, so that all end together."""
    items.sort(key=lambda item: ("movie_folder" not in item.fixturenames, item.get_closest_marker("slow") is None))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep the tests, and the processes they start, out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTER_CNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_resamples():
    """Let intervals have 50 resamples unless a test asks for more; 1,000 take longer than a small training."""
    with pytest.MonkeyPatch.context() as patch:
        for module, function in RESAMPLING.items():
            if "metrics" in module or f"poster_cnn.{module}" in sys.modules:  # the others load TensorFlow
                function = inspect.unwrap(getattr(importlib.import_module(f"poster_cnn.{module}"), function))
                patch.setitem(function.__kwdefaults__, "num_resamples", 50)
        yield


@functools.cache
def _freeze_imports():
    """Exclude TensorFlow's objects from garbage collection, which Keras starts with every run and which takes 0.4 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _imports_are_no_garbage():
    if "tensorflow" in sys.modules:
        _freeze_imports()  # once: to ask gc.get_freeze_count() before each test takes longer than most tests


@pytest.fixture(autouse=True)
def _seeds_and_figures():
    """Seed all random generators that are imported, and close the figures of the test."""
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@contextlib.contextmanager
def without_graphs(eagerly=True):
    """Skip the tracing of functions, which takes longer than training such small networks for a few steps."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eagerly)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*does not apply to tf.data functions")
            yield
    finally:
        tf.config.run_functions_eagerly(before)


@pytest.fixture
def restored_signals():
    """Restore the handlers of SIGINT and SIGTERM after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def eager():
    """Train without graphs during the test."""
    with without_graphs():
        yield


def assert_same_run(first, second):
    """Check that two run folders have bit-identical results; times and dates may differ."""
    from poster_cnn.training.saved_model import load_model

    for name in ("history.csv", "predictions.csv", "split.csv", "README.md"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    scores = [json.loads((run_dir / "metrics.json").read_text()) | {"seconds": 0} for run_dir in (first, second)]
    assert scores[0] == scores[1]
    assert_same_weights(load_model(first)[0], load_model(second)[0])


def assert_same_weights(first, second):
    """Check that two models have the same weights, bit by bit."""
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        assert (ours == theirs).all()


# Lets a script draw initial weights with NumPy, as JAX compiles a program for each shape.
WEIGHTS_OF_NUMPY = """
import keras, numpy
def draw(self, shape, dtype=None):
    return keras.ops.convert_to_tensor(numpy.random.default_rng(0).normal(0, 0.05, shape), dtype)
keras.initializers.VarianceScaling.__call__ = draw
"""


def run_on_backend(backend, script, *arguments, **environment):
    """Run a Python script on another backend of Keras, which must not import TensorFlow; return what it prints."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script += "\nimport sys\nassert 'tensorflow' not in sys.modules\n"
    quickly_compiled = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}  # JAX spends most time compiling
    environment = os.environ | {"KERAS_BACKEND": backend} | quickly_compiled | environment
    command = [sys.executable, "-c", script, *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def draw_poster(genres, seed):
    """Draw a 182×268 poster: a band in the color of each genre, with random blots and noise."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (182, 268))
    draw = ImageDraw.Draw(image)
    colors = [GENRE_COLORS[genre] for genre in genres if genre in GENRE_COLORS]
    for number, color in enumerate(colors):
        draw.rectangle([0, 268 * number // len(colors), 182, 268 * (number + 1) // len(colors)], fill=color)
    for x, y, size in zip(rng.integers(0, 150, 6), rng.integers(0, 230, 6), rng.integers(5, 30, 6), strict=True):
        draw.ellipse([int(x), int(y), int(x + size), int(y + size)], fill=tuple(rng.integers(0, 256, 3).tolist()))
    noisy = np.asarray(image, dtype="int64") + rng.integers(-20, 21, (268, 182, 1))
    return Image.fromarray(noisy.clip(0, 255).astype("uint8"))


def write_data_folder(folder, num_movies=60):
    """Write `MovieGenre.csv` and `posters/`: ids from 1001, three years, one or two of the four genres per movie."""
    (folder / "posters").mkdir(parents=True)
    rows = ["imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"]
    for number in range(num_movies):
        genres = [list(GENRE_COLORS)[number % 4], [*GENRE_COLORS, "Drama", "Drama", "Drama"][number * 5 % 7]]
        genres = sorted(set(genres))
        imdb_id, year = 1001 + number, 2015 + number % 3
        rows.append(
            f"{imdb_id},http://x/tt{imdb_id},Movie {number} ({year}),6.5,{'|'.join(genres)},https://x/{imdb_id}"
        )
        draw_poster(genres, seed=number).save(folder / "posters" / f"{imdb_id}.jpg", quality=90)
    (folder / "MovieGenre.csv").write_text("\n".join(rows) + "\n", encoding="iso-8859-1")
    return folder


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """Path of a data folder with 60 movies of the four genres of paper 1."""
    return write_data_folder(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def tiny_config():
    """A `TrainingConfig` that learns the colors of `data_folder` in about two seconds."""
    from poster_cnn.training.config import TrainingConfig

    return TrainingConfig(
        class_names=tuple(GENRE_COLORS),
        split="imdb_id",
        allow_leak=True,
        ratio=10,
        model_args={"filters": (8, 16), "dense_units": (32,), "dropout": 0.1},
        learning_rate=1e-2,
        batch_size=8,
        epochs=10,
    )


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, data_folder, tiny_config):
    """Path of the run folder of `tiny_config`, trained without interruption."""
    from poster_cnn.training.train import train

    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    with without_graphs(False):
        train(tiny_config, data_folder, run_dir, progress=False)
    return run_dir


@pytest.fixture(scope="session")
def one_step_config(tiny_config):
    """`tiny_config` with one epoch of two steps, for tests of what surrounds the training."""
    return tiny_config.replace(epochs=1, batch_size=32)


@pytest.fixture(scope="session")
def movie_folder(tmp_path_factory):
    """Path of a data folder with 60 invented movies, with posters, trailers, metadata and plots, some missing."""
    from poster_cnn.datasets.embedded.dataset import make_dataset

    return make_dataset(tmp_path_factory.mktemp("movies") / "sixty", num_movies=60, trailers=True)


@pytest.fixture(scope="session")
def ensemble_config():
    """An `EnsembleConfig` of all four modalities of `movie_folder`."""
    from poster_cnn.multimodal.config import EnsembleConfig

    return EnsembleConfig(
        class_names=("Action", "Comedy", "Drama", "Horror"),
        modalities=("poster", "trailer", "metadata", "plot"),
        backbone="resnet18",
        backbone_weights=None,
        image_size=(32, 32),
        epochs=3,
    )


@pytest.fixture(scope="session")
def ensemble_data(movie_folder, ensemble_config):
    """The `EnsembleData` of `ensemble_config`, with a tiny backbone in place of ResNet18."""
    from poster_cnn.models import pretrained
    from poster_cnn.multimodal.data import load_ensemble_data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "resnet18_backbone", small_backbone)
        return load_ensemble_data(ensemble_config, movie_folder, progress=False)


@pytest.fixture(scope="session")
def finished_ensemble(tmp_path_factory, movie_folder, ensemble_config, ensemble_data):
    """Path of the run folder of `ensemble_config` and its branches."""
    from poster_cnn.multimodal.train import train_ensemble

    run_dir = tmp_path_factory.mktemp("ensembles") / "finished"
    with without_graphs():
        train_ensemble(ensemble_config, movie_folder, run_dir, ensemble_data=ensemble_data, progress=False)
    return run_dir


def small_backbone(*, input_shape, include_top=False, weights=None, alpha=1.0):
    """Build a tiny network with the arguments of those in `keras.applications`, for tests of what surrounds it."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(12, 3, strides=4, use_bias=False, name="conv")(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
    if include_top:
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = keras.layers.Dense(10, name="predictions")(keras.layers.Dense(7, activation="relu", name="fc2")(x))
    model = keras.Model(inputs, x, name="small")
    if weights:
        model.load_weights(weights)
    return model


@contextlib.contextmanager
def small_backbones():
    """Replace the networks of `keras.applications` by `small_backbone`."""
    import keras

    with pytest.MonkeyPatch.context() as patch:
        for name in ("ResNet50", "ResNet152", "DenseNet121", "DenseNet201", "MobileNetV2", "VGG16"):
            patch.setattr(keras.applications, name, small_backbone)
        yield small_backbone


@pytest.fixture
def small():
    """The small backbone, which replaces those of `keras.applications` during the test."""
    with small_backbones() as build:
        yield build


def shallow_densenet(**options):
    """Build a DenseNet with a whole first block and two layers in each other block."""
    from keras.src.applications.densenet import DenseNet

    return DenseNet([6, 2, 2, 2], **options)


def shallow_resnet(**options):
    """Build ResNet50 with its first block and a part of its second one."""
    from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

    def blocks(x):
        x = stack_residual_blocks_v1(x, 64, 3, stride1=1, name="conv2")
        return stack_residual_blocks_v1(x, 128, 1, name="conv3")

    return ResNet(blocks, preact=False, use_bias=True, **options)


def shallow_resnet18(**options):
    """Build ResNet18 up to the first block of its second stage."""
    import keras

    from poster_cnn.models.resnet import resnet18_backbone

    whole = resnet18_backbone(**options)
    return keras.Model(whole.inputs, whole.get_layer("stage2_block1_relu2").output, name="resnet18")


@pytest.fixture
def shallow(monkeypatch):
    """Leave out most layers of DenseNets and ResNets, which repeat those before them, during the test."""
    import keras

    from poster_cnn.models import pretrained

    builders = {"DenseNet121": shallow_densenet, "DenseNet201": shallow_densenet, "ResNet50": shallow_resnet}
    for name, build in builders.items():
        named = functools.update_wrapper(functools.partial(build, name=name.lower()), build)
        monkeypatch.setattr(keras.applications, name, named)
    monkeypatch.setattr(pretrained, "resnet18_backbone", shallow_resnet18)


@pytest.fixture
def run_and_kill():
    """Return a function that runs a Python script, and kills it (SIGKILL) at a random time after `when()` is true."""

    def run(script, *arguments, when, seconds=300):
        process = forked.start(script, *arguments)
        try:
            deadline = time.monotonic() + seconds
            while not when():
                assert process.exitcode is None, "the script ended before it was killed"
                assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
                time.sleep(0.01)
            time.sleep(random.SystemRandom().uniform(0, 0.3))
        finally:
            process.kill()
            process.join()

    return run


@pytest.fixture
def train_and_kill(run_and_kill):
    """Return a function that trains a config in another process, and kills it at a random time after `when()`."""

    def run(config, data, run_dir, *, when, pause):
        script = f"""
import sys, time
from poster_cnn.training import fit as fitting, train as training, config
save_epoch = fitting._save_epoch
def slowly(*arguments):  # leaves time for the kill
    save_epoch(*arguments)
    time.sleep({pause})
fitting._save_epoch = slowly
training.train(config.TrainingConfig.from_dict({config.to_dict()!r}), sys.argv[1], sys.argv[2], progress=False)
"""
        run_and_kill(script, data, run_dir, when=when)

    return run
