"""The description that a saved model carries: genres, thresholds, interpolation, crop size. Keras is not imported."""

import json
import numbers

from poster_cnn.datasets.crops import POSTER_SIZE, is_crop_size
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.metrics.calibration import Calibration

ENTRY = "poster_cnn"  # name of the JSON text in saved models: `poster_cnn.json` in .keras files, metadata in ONNX files


def read_about(text, path, num_outputs=None):
    """Read and check the description of a saved model.

    Args:
        text: JSON text from the file, or a dict.
        path: The file, for messages.
        num_outputs: Number of the model's outputs. Defaults to `None`: not checked.

    Returns:
        Dict with `class_names`, `interpolation`, `thresholds` (dict of genre -> decision threshold, or `None`),
        `crop_size` (`(height, width)` of the center crop, or `None`), `calibration`, `seen_posters` (see `load_model`),
        and what else the file has.

    Raises:
        ValueError: If the text is not such a description, or does not fit the model.
    """
    try:
        about = text if isinstance(text, dict) else json.loads(text)
        num_classes = len(about["class_names"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} was not saved by poster_cnn, because it has no class names. "
            "Give them as `class_names`, or save it with "
            "`poster_cnn.training.save_model(model, path, class_names=...)`."
        ) from None
    if num_outputs not in (None, num_classes):
        raise ValueError(f"{path} names {num_classes} genres for {num_outputs} outputs. Save it anew.")
    try:  # files of older versions have none of these
        optional = optional_entries(**about)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}. Save it anew.") from None
    return {"interpolation": "bilinear"} | about | optional


def optional_entries(class_names, thresholds=None, crop_size=None, calibration=None, seen_posters=None, **_):
    """Return the entries of a description that can be `None`, as they are stored. Other entries are ignored.

    Raises:
        ValueError: If one of them does not fit.
    """
    optional = {"thresholds": _thresholds(thresholds, class_names), "crop_size": _crop_size(crop_size)}
    calibration = Calibration.from_dict(calibration, len(class_names))
    if seen_posters is not None:
        SeenPosters.from_text(seen_posters)  # raises if it is another text
    return optional | {"calibration": calibration and calibration.to_dict(), "seen_posters": seen_posters}


def _thresholds(thresholds, class_names):
    """Return a dict of genre -> threshold in label order, or `None`."""
    if thresholds is None:
        return None
    good = isinstance(thresholds, dict) and set(thresholds) == set(class_names)
    if not good or not all(isinstance(t, numbers.Real) and 0 <= t <= 1 for t in thresholds.values()):
        expected = f"a dict with a number, 0..1, for each of {', '.join(class_names)}"
        raise ValueError(f"`thresholds` must be {expected}. Received: {thresholds}")
    return {name: float(thresholds[name]) for name in class_names}


def _crop_size(crop_size):
    """Return `(height, width)` of a center crop, or `None`."""
    if crop_size is None:
        return None
    if not is_crop_size(crop_size):
        expected = f"(height, width) in pixels, from (1, 1) to {POSTER_SIZE}, a whole poster"
        raise ValueError(f"`crop_size` must be {expected}. Received: crop_size={crop_size}")
    return tuple(int(side) for side in crop_size)
