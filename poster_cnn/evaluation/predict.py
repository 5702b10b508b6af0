"""Saved model + picture files -> ranked genres."""

import dataclasses
import functools
import pathlib

import numpy as np
import pandas as pd

from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.datasets.pixels import open_picture, read_image
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.saved_model import load_model


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Ranked genres of one picture, or of one movie for an ensemble.

    Attributes:
        path: Picture file; `None` for a movie without a poster.
        class_names: Genres, most probable first.
        probabilities: Their probabilities, 0..1, in the same order.
        thresholds: Their decision thresholds, 0..1, in the same order. Defaults to `None`: the genres are only ranked.
        modalities: Modalities that an ensemble used, such as `("poster", "plot")`. Defaults to `None`: no ensemble.
    """

    path: str | None
    class_names: tuple
    probabilities: tuple
    thresholds: tuple | None = None
    modalities: tuple | None = None

    @property
    def predicted(self):
        """Genres at or above their threshold, most probable first; `None` without thresholds."""
        if self.thresholds is None:
            return None
        genres = zip(self.class_names, self.probabilities, self.thresholds, strict=True)
        return tuple(name for name, probability, threshold in genres if probability >= threshold)

    @property
    def title(self):
        """Picture file and used modalities, such as "poster.jpg (poster, plot)"."""
        if self.modalities is None:
            return str(self.path)
        used = ", ".join(self.modalities)
        return used if self.path is None else f"{self.path} ({used})"

    def __str__(self):
        lines = [self.title]
        width = max(map(len, self.class_names))
        for number, (name, probability) in enumerate(zip(self.class_names, self.probabilities, strict=True)):
            mark, threshold = "  ", ""
            if self.thresholds is not None:
                mark = "  ✓ " if name in self.predicted else "    "
                threshold = f"  from {self.thresholds[number]:6.1%}"
            lines.append(f"{mark}{name:<{width}}  {probability:6.1%}{threshold}  {'█' * round(30 * probability)}")
        if self.predicted == ():
            lines.append("    No genre reaches its threshold.")
        return "\n".join(lines)

    def to_dict(self):
        """Return a dict for JSON: `path`, `genres` (probabilities, highest first), and the optional attributes."""
        content = {"path": None if self.path is None else str(self.path)}
        if self.modalities is not None:
            content["modalities"] = list(self.modalities)
        content["genres"] = dict(zip(self.class_names, self.probabilities, strict=True))
        if self.thresholds is not None:
            content["predicted"] = list(self.predicted)
            content["thresholds"] = dict(zip(self.class_names, self.thresholds, strict=True))
        return content


@arguments.checked(
    model_path=arguments.path,
    image_paths=arguments.paths,
    batch_size=arguments.count,
    class_names=arguments.optional(arguments.genres),
)
@unchanged_process()
def predict(model_path, image_paths, *, batch_size=32, class_names=None):
    """Predict the genres of pictures of any size: JPEG, PNG, WebP and others, also gray, CMYK or rotated by EXIF.

    Args:
        model_path: A `.keras` file saved by poster_cnn, or the run folder that holds it.
        image_paths: Paths of the pictures.
        batch_size: Pictures per batch. Defaults to 32.
        class_names: Genres in label order, for a `.keras` file that names none; see `load_model`. Defaults to `None`.

    Returns:
        Tuple `(predictions, broken)`: a list of `Prediction` in the given order, and a dict of path -> reason for the
        pictures that cannot be read.

    Raises:
        FileNotFoundError, ValueError: If the model cannot be loaded or has other inputs than pictures, or `image_paths`
            is a single path.

    Example:

    >>> predictions, broken = predict("runs/first", ["poster.jpg"])
    >>> print(predictions[0])
    """
    model, about = load_model(model_path, class_names)
    if isinstance(model.input, dict) or len(model.input.shape) != 4:
        raise ValueError(
            "`model_path` must be a model of pictures. For an ensemble, use its run folder and "
            f"`predict_movies`. Received: model_path={str(model_path)!r}, model {model.name}"
        )
    predictions, broken = [], {}
    for start in range(0, len(image_paths), batch_size):
        good, images = [], []
        for path in image_paths[start : start + batch_size]:
            try:
                images.append(read_image(path, model.input_shape[1:3], about["interpolation"], about["crop_size"]))
                good.append(path)
            except (OSError, RefusedPicture) as error:
                broken[str(path)] = reason_of(error)
        if good:
            rows = model.predict_on_batch(np.stack(images))
            predictions += [ranked_prediction(str(path), row, about) for path, row in zip(good, rows, strict=True)]
    return predictions, broken


def ranked_prediction(path, probabilities, about, modalities=None):
    """Return a model's output for one picture or movie as a `Prediction`.

    Args:
        path: Picture file, or `None`.
        probabilities: float32 array `(num_classes,)`, 0..1, in label order.
        about: dict from `training.saved_model.load_model`.
        modalities: As in `Prediction`. Defaults to `None`.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = tuple(about["class_names"][i] for i in order)
    thresholds = None if about["thresholds"] is None else tuple(about["thresholds"][name] for name in ranked)
    return Prediction(path, ranked, tuple(float(probabilities[i]) for i in order), thresholds, modalities)


_PREDICTIONS = functools.partial(arguments.sequence, expected="a list of `Prediction`", items=Prediction)


@arguments.checked(predictions=_PREDICTIONS, class_names=arguments.genres)
def as_table(predictions, class_names):
    """Return predictions as a DataFrame with the columns `picture` (file name) and one per genre."""
    rows = [
        dict(zip(p.class_names, p.probabilities, strict=True)) | {"picture": pathlib.Path(p.path or "").name}
        for p in predictions
    ]
    return pd.DataFrame(rows, columns=["picture", *class_names])


@arguments.checked(predictions=_PREDICTIONS, path=arguments.path)
def draw_cards(predictions, path):
    """Draw pictures next to their ranked genres (paper 1, Figs. 6–19) and save them as a PNG.

    Args:
        predictions: List of `Prediction` of one model.
        path: PNG file to write.
    """
    from poster_cnn import figures

    if not predictions:
        arguments.refuse("predictions", "at least one `Prediction`", predictions)
    first = predictions[0]
    class_names = sorted(first.class_names)
    table = as_table(predictions, class_names)
    thresholds = None
    if first.thresholds is not None:
        thresholds = [first.thresholds[first.class_names.index(name)] for name in class_names]
    figure = figures.prediction_cards(
        [None if prediction.path is None else open_picture(prediction.path) for prediction in predictions],
        table[class_names].to_numpy(),
        class_names,
        titles=[name or prediction.title for name, prediction in zip(table["picture"], predictions, strict=True)],
        thresholds=thresholds,
    )
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", bbox_inches="tight", dpi=200)


def reason_of(error):
    """Return a short reason why a file cannot be read, from an error of `read_image`."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
