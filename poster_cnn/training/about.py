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
        optional = {
            "thresholds": checked_thresholds(about.get("thresholds"), about["class_names"]),
            "crop_size": checked_crop_size(about.get("crop_size")),
            "calibration": checked_calibration(about.get("calibration"), about["class_names"]),
            "seen_posters": checked_seen_posters(about.get("seen_posters")),
        }
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}. Save it anew.") from None
    return {"interpolation": "bilinear"} | about | optional


def checked_thresholds(thresholds, class_names):
    """Return a dict of genre -> threshold in label order, or `None`; raise a ValueError if it does not fit."""
    if thresholds is None:
        return None
    good = isinstance(thresholds, dict) and set(thresholds) == set(class_names)
    if not good or not all(isinstance(t, numbers.Real) and 0 <= t <= 1 for t in thresholds.values()):
        expected = f"a dict with a number, 0..1, for each of {', '.join(class_names)}"
        raise ValueError(f"`thresholds` must be {expected}. Received: {thresholds}")
    return {name: float(thresholds[name]) for name in class_names}


def checked_crop_size(crop_size):
    """Return `(height, width)` of a center crop, or `None`; raise a ValueError if it is larger than a poster."""
    if crop_size is None:
        return None
    if not is_crop_size(crop_size):
        expected = f"(height, width) in pixels, from (1, 1) to {POSTER_SIZE}, a whole poster"
        raise ValueError(f"`crop_size` must be {expected}. Received: crop_size={crop_size}")
    return tuple(int(side) for side in crop_size)


def checked_calibration(calibration, class_names):
    """Return the dict of a calibration, or `None`; raise a ValueError if it does not fit."""
    found = Calibration.from_dict(calibration, len(class_names))
    return found and found.to_dict()


def checked_seen_posters(text):
    """Return the text of `SeenPosters`, or `None`; raise a ValueError if it is another text."""
    if text is not None:
        SeenPosters.from_text(text)
    return text
