"""Small pieces of work that may be killed anywhere, and the comparison of the files that they write."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import runpy
import zipfile

import h5py
import pandas as pd

CLASS_NAMES = ("Action", "Comedy", "Drama", "Horror")

_CONFIG = f"""
from poster_cnn.training.config import TrainingConfig
config = TrainingConfig(
    class_names={CLASS_NAMES},
    ratio=10,
    model_args={{"filters": (4, 8), "dense_units": (16,), "dropout": 0.3}},
    classifier_activation="sigmoid",
    loss="binary_crossentropy",
    learning_rate=1e-2,
    batch_size=8,
    epochs=5,
    metrics=("average_precision", "overall_f1"),
)
"""
# Frozen cells cache features; fine-tuned cells unfreeze the backbone in a second phase.
_SWEEP = f"""{_CONFIG}
small = {{"ratio": None, "image_size": (32, 32), "epochs": 2}}
sets = {{
    "plain": {{"epochs": 3}},
    "frozen": small | {{"model": "mobilenet_v2", "model_args": {{"weights": None, "dropout": 0.3}}}},
    "fine_tuned": small | {{"model": "resnet18", "model_args": {{"weights": None}}, "fine_tune_epochs": 2}},
}}
grid = {{"seed": (0,)}}
"""
_SEARCH = f"""{_CONFIG}
config = config.replace(num_folds=2, epochs=2, model_args={{}}, metrics=("first_label_accuracy",))
from scipy import stats
num_draws = 2
space = {{"learning_rate": stats.loguniform(1e-4, 1e-2), "units": stats.randint(8, 17)}}
def changes(draw):
    model_args = {{"filters": (4, 8), "dense_units": (draw["units"],), "dropout": 0.3}}
    return {{"learning_rate": draw["learning_rate"], "model_args": model_args}}
"""
_EXPERIMENTS = {"sweep": _SWEEP, "search": _SEARCH, "train": _CONFIG}
_UNIMPORTANT = re.compile(r"^\w+\.py$|(^|/)notebooks/|\.lock$|\.log$")
_HALF_WRITTEN = re.compile(r"(^|/)\.[0-9a-f]{8}\.(tmp|old)\.")
_SECONDS = ("seconds", "date")  # the only values of a run that may differ


def train(root, data):
    """Train one network with dropout: dataset cache, epoch backup, saved model, scores."""
    from poster_cnn.training.train import train as train_network

    config = runpy.run_path(str(root / "train.py"))["config"]
    train_network(config, data, root / "out" / "run", progress=False)


def train_from_disk(root, data):
    """Train the same network with decoded posters in a file of the cache instead of memory."""
    os.environ["POSTER_CNN_MEMORY"] = "0"
    train(root, data)


def sweep(root, data):
    """Train three cells (from scratch, on cached features, fine-tuned) and write their results tables."""
    _command("sweep", root / "sweep.py", "--data", data, "--out", root / "out")


def search(root, data):
    """Run a random search of two draws with two folds each."""
    _command("search", root / "search.py", "--data", data, "--out", root / "out")


def workers(root, data):
    """Run the same search with two worker processes."""
    _command("search", root / "search.py", "--data", data, "--out", root / "out", "--workers", "2")


def ensemble(root, data):
    """Train four branches and their fusion."""
    from poster_cnn.multimodal.config import EnsembleConfig
    from poster_cnn.multimodal.train import train_ensemble

    config = EnsembleConfig(
        class_names=CLASS_NAMES,
        modalities=("poster", "trailer", "metadata", "plot"),
        backbone="mobilenet_v2",
        backbone_weights=None,
        image_size=(32, 32),
        epochs=3,
        dropout={"metadata": 0.3},
        fusion_rows="validation",
    )
    train_ensemble(config, data, root / "out" / "run", progress=False)


def posters(root, data):
    """Draw a data folder; verify and repair the posters of another."""
    from poster_cnn.datasets import verify as ingest
    from poster_cnn.datasets.embedded import dataset as synthetic

    drawn, cache = root / "out" / "drawn", root / "cache"
    if not drawn.exists():
        synthetic.make_dataset(drawn, num_movies=40)
    options = {"manifest_path": cache / "manifest.csv", "repaired_dir": cache / "repaired"}
    ingest.verify(data / "posters", progress=False, **options)


def report(root, data):
    """Run a notebook on the committed results: figures, tables and report."""
    _command("reproduce", "--preset", "results", "--only", "04", "--out", root / "out")


PIECES = {
    piece.__name__: piece for piece in (train, train_from_disk, sweep, search, workers, ensemble, posters, report)
}


def _command(*arguments):
    from poster_cnn.cli import main

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = main([str(argument) for argument in arguments])
    if status:
        raise SystemExit(f"{arguments[0]} ended with status {status}:\n{output.getvalue()}")


def make_data(folder, *, trailers=True):
    """Draw the data folder of all pieces, with trailers for the ensemble; some of its posters need repair."""
    from PIL import Image

    from poster_cnn.datasets.embedded import dataset as synthetic

    synthetic.make_dataset(folder, num_movies=60, trailers=trailers)
    for number in (1, 2):
        Image.effect_noise((30, 40), 60 + number).save(folder / "posters" / f"{number}.png")
    return folder


def prepare(root):
    """Create a working folder with experiment files, and folders for results and caches."""
    for name in ("out", "cache"):
        (root / name).mkdir(parents=True)
    for name, text in _EXPERIMENTS.items():
        (root / f"{name}.py").write_text(text)
    return root


def outcome(root):
    """Return the files that a piece of work has written, a dict of path -> comparable content.

    Weights are compared bit by bit, tables and text byte by byte. Durations, dates, logs and locks are left out, and
    half-written files outside of run folders, where other processes may be writing.
    """
    contents = {}
    for path in sorted(root.rglob("*")):
        # The cache of a folder of posters is named after its path, which is below `root` where posters are drawn.
        name = re.sub(r"^(cache/posters/[^/]+-)[0-9a-f]{12}/", r"\1*/", path.relative_to(root).as_posix())
        in_run_folder = (path.parent / "config.json").exists()
        if path.is_file() and not _UNIMPORTANT.search(name) and (in_run_folder or not _HALF_WRITTEN.search(name)):
            contents[name] = _content(path, root)
    return contents


def _content(path, root):
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            weights = io.BytesIO(archive.read("model.weights.h5"))
            return _arrays(weights), archive.read("poster_cnn.json")
    if path.name == "posters.txt":  # of the feature cache
        return sorted(path.read_text().split())
    if path.suffix in (".csv", ".json", ".html", ".md", ".txt"):
        text = path.read_text(encoding="iso-8859-1").replace(str(root), "ROOT")
        if path.suffix == ".json":
            return _without_seconds(json.loads(text))
        if path.name == "results.csv":
            return pd.read_csv(io.StringIO(text), dtype=str).drop(columns=list(_SECONDS)).to_csv()
        return text
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _arrays(file):
    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = (item.dtype.str, item.shape, hashlib.sha256(item[()].tobytes()).hexdigest())

    with h5py.File(file) as content:
        content.visititems(visit)
    return arrays


def _without_seconds(content):
    return {name: value for name, value in content.items() if name not in _SECONDS}


def differences(root, other):
    """Return the names of the files that differ between two working folders."""
    first, second = outcome(pathlib.Path(root)), outcome(pathlib.Path(other))
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
