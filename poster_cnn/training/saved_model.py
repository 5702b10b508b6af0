"""Saving a model with its class names in one `.keras` file, and loading it safely."""

import json
import numbers
import pathlib
import zipfile

import keras

from poster_cnn.datasets.crops import INTERPOLATIONS, POSTER_SIZE, is_crop_size
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.metrics.calibration import Calibration
from poster_cnn.models import losses  # noqa: F401  Registers the losses that files of older versions contain.
from poster_cnn.training.process_state import unchanged_process

_ENTRY = "poster_cnn.json"


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
    content["thresholds"] = _checked_thresholds(thresholds, class_names)
    content["crop_size"] = _checked_crop_size(crop_size)
    content["calibration"] = _checked_calibration(calibration, class_names)
    content["seen_posters"] = _checked_seen_posters(seen_posters)
    with write_atomically(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            content = json.dumps(content, ensure_ascii=False)
            archive.writestr(_ENTRY, content, compress_type=zipfile.ZIP_DEFLATED)


@arguments.checked(path=arguments.path, class_names=arguments.optional(arguments.genres))
@unchanged_process()
def load_model(path, class_names=None):
    """Load a model saved by `save_model`, without running code from the file.

    Args:
        path: The `.keras` file, or the run folder that holds it.
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
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(
            f"No model found. Expected a .keras file or a finished run folder. Looked for {str(path)!r}."
        )
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"Not a .keras file: {path}. Other formats can run code when loaded and are refused.")
    try:
        with zipfile.ZipFile(path) as archive:
            is_plain = class_names is not None and _ENTRY not in archive.namelist()
            plain = {"class_names": list(class_names or ()), "interpolation": "bilinear"}
            about = plain if is_plain else json.loads(archive.read(_ENTRY))
        num_classes = len(about["class_names"])
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile):
        raise ValueError(
            f"{path} was not saved by poster_cnn, because it has no class names. "
            "Give them as `class_names`, or save it with "
            "`poster_cnn.training.save_model(model, path, class_names=...)`."
        ) from None
    if class_names is not None and list(class_names) != about["class_names"]:
        arguments.refuse("class_names", f"None or the genres of {path}, {about['class_names']}", list(class_names))
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises errors of any type for broken files
        raise ValueError(f"{path} cannot be loaded: {f'{type(error).__name__}: {error}'.splitlines()[0]}") from error
    if num_classes != model.output_shape[-1]:
        raise ValueError(f"{path} names {num_classes} genres for {model.output_shape[-1]} outputs. Save it anew.")
    try:  # files of older versions have none of these
        optional = {
            "thresholds": _checked_thresholds(about.get("thresholds"), about["class_names"]),
            "crop_size": _checked_crop_size(about.get("crop_size")),
            "calibration": _checked_calibration(about.get("calibration"), about["class_names"]),
            "seen_posters": _checked_seen_posters(about.get("seen_posters")),
        }
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}. Save it anew.") from None
    return model, about | optional


def _checked_thresholds(thresholds, class_names):
    if thresholds is None:
        return None
    good = isinstance(thresholds, dict) and set(thresholds) == set(class_names)
    if not good or not all(isinstance(t, numbers.Real) and 0 <= t <= 1 for t in thresholds.values()):
        expected = f"a dict with a number, 0..1, for each of {', '.join(class_names)}"
        raise ValueError(f"`thresholds` must be {expected}. Received: {thresholds}")
    return {name: float(thresholds[name]) for name in class_names}


def _checked_crop_size(crop_size):
    if crop_size is None:
        return None
    if not is_crop_size(crop_size):
        expected = f"(height, width) in pixels, from (1, 1) to {POSTER_SIZE}, a whole poster"
        raise ValueError(f"`crop_size` must be {expected}. Received: crop_size={crop_size}")
    return tuple(int(side) for side in crop_size)


def _checked_calibration(calibration, class_names):
    found = Calibration.from_dict(calibration, len(class_names))
    return found and found.to_dict()


def _checked_seen_posters(text):
    if text is not None:
        SeenPosters.from_text(text)
    return text
