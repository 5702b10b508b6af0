"""Saving a model with its class names in one `.keras` file, and loading it safely."""

import json
import pathlib
import zipfile

import keras

from poster_cnn import models
from poster_cnn.datasets.crops import INTERPOLATIONS
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.models import losses, shipped  # noqa: F401  `losses` registers those that older files contain
from poster_cnn.models.named import import_keras_hub
from poster_cnn.training.about import ENTRY, optional_entries, read_about
from poster_cnn.training.process_state import unchanged_process

_ENTRY = f"{ENTRY}.json"


@arguments.checked(
    model=arguments.instance(keras.Model),
    path=arguments.path,
    class_names=arguments.genres,
    interpolation=arguments.choice(*INTERPOLATIONS),
)
def save_model(
    model,
    path,
    *,
    class_names,
    interpolation="bilinear",
    thresholds=None,
    crop_size=None,
    calibration=None,
    seen_posters=None,
):
    """Save a model with its class names as one `.keras` file, atomically.

    The file is an ordinary Keras file: `keras.models.load_model` reads it too.

    Args:
        model: `keras.Model` with one image input.
        path: File to write, ending in `.keras`.
        class_names: Genres, in label order.
        interpolation: Resizing method for the model's input. Defaults to `"bilinear"`.
        thresholds: Dict of genre -> decision threshold, 0..1, for a sigmoid model; see `metrics.best_thresholds`.
            Defaults to `None`: the genres are only ranked.
        crop_size: `(height, width)` of the center crop that the model expects, in pixels of a 268×182 poster. Defaults
            to `None`: the whole poster.

    Raises:
        ValueError: If `path` does not end in `.keras`, `class_names` or `thresholds` do not match the outputs, or
            `crop_size` is larger than a poster.
    """
    if pathlib.Path(path).suffix != ".keras":
        raise ValueError(f"`path` must end in .keras. Received: path={str(path)!r}")
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"`class_names` must name the model's {model.output_shape[-1]} outputs. Received: {list(class_names)}"
        )
    content = {"class_names": list(class_names), "interpolation": interpolation}
    content |= optional_entries(class_names, thresholds, crop_size, calibration, seen_posters)
    with write_atomically(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            content = json.dumps(content, ensure_ascii=False)
            archive.writestr(_ENTRY, content, compress_type=zipfile.ZIP_DEFLATED)


def hint_if_unfinished(run_dir):
    """Return a sentence for an error about a run folder if its training has started, else an empty text."""
    started = (pathlib.Path(run_dir) / "config.json").is_file()
    return " Its training is not finished: start it again with the same command." if started else ""


def read_content(path):
    """Return the description in a `.keras` file or in that of a run folder as a dict; empty if there is none."""
    path = pathlib.Path(path)
    try:
        with zipfile.ZipFile(path / "model.keras" if path.is_dir() else path) as archive:
            return json.loads(archive.read(_ENTRY))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return {}


@arguments.checked(path=arguments.optional(arguments.path), class_names=arguments.optional(arguments.genres))
@unchanged_process()
def load_model(path=None, class_names=None):
    """Load a model saved by `save_model`, without running code from the file, or one that comes with the package.

    Args:
        path: The `.keras` file, the run folder that holds it, or the name of a network in `poster_cnn/weights`:
            `"posters_mobilenet_v2"` or `"posters_seven_layer"`. Defaults to `None`: `"posters_mobilenet_v2"`.
        class_names: Genres in label order, for a file that names none, such as a checkpoint of
            `keras.callbacks.ModelCheckpoint`. Defaults to `None`: those in the file.

    Returns:
        `(model, about)`: the `keras.Model`, and a dict with `class_names`, `interpolation`, `thresholds` (dict of
        genre -> decision threshold, or `None`), `crop_size` (`(height, width)` of the center crop, or `None`),
        `calibration` (dict for `Calibration.from_dict`, or `None`) and `seen_posters` (text for
        `SeenPosters.from_text`, or `None`). The model and the thresholds are not calibrated.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a `.keras` file, was not saved by poster_cnn, or holds code.
    """
    name = shipped.DEFAULT if path is None else str(path)
    if shipped.is_shipped(name):
        content = shipped.read_content(name)
        model = getattr(models, content["model"])(weights=shipped.POSTERS)
        return model, read_about(content["about"], name, model.output_shape[-1])
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        names = ", ".join(shipped.shipped_names())
        hint = hint_if_unfinished(path.parent)
        if (path.parent / "ensemble").is_dir():
            hint = " The folder has an ensemble, for `predict_movies`."
        raise FileNotFoundError(
            f"No model found. Expected a .keras file or a finished run folder, or one of {names}. Looked for "
            f"{str(path)!r}.{hint}"
        )
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"Not a .keras file: {path}. Other formats can run code when loaded and are refused.")
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_ENTRY)
    except (KeyError, zipfile.BadZipFile):
        text = json.dumps({} if class_names is None else {"class_names": list(class_names)})
    named = read_about(text, path)["class_names"]  # before the model is loaded
    if class_names is not None and list(class_names) != list(named):
        arguments.refuse("class_names", f"None or the genres of {path}, {named}", list(class_names))
    try:
        with zipfile.ZipFile(path) as archive:
            if b'"keras_hub' in archive.read("config.json"):
                import_keras_hub()
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises errors of any type for broken files
        raise ValueError(f"{path} cannot be loaded: {f'{type(error).__name__}: {error}'.splitlines()[0]}") from error
    return model, read_about(text, path, model.output_shape[-1])
