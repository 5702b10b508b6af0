"""Saved model + any picture -> ranked genres."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import tensorflow as tf

from poster_cnn import datasets
from poster_cnn.datasets import crops, image_files
from poster_cnn.files import write_atomically
from poster_cnn.training.saved_model import load_model


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one picture, or an ensemble of one movie.

    Attributes:
        path: The picture's file; `None` where an ensemble was shown no picture.
        class_names: Genres, most probable first.
        probabilities: Their probabilities, 0..1, in the same order.
        thresholds: The probabilities from which they count as predicted, 0..1, in the same order. Defaults to `None`:
            the model has none, and the genres are only ranked.
        modalities: What of a movie an ensemble used, such as `("poster", "plot")`. Defaults to `None`: no ensemble.
    """

    path: str | None
    class_names: tuple
    probabilities: tuple
    thresholds: tuple | None = None
    modalities: tuple | None = None

    @property
    def predicted(self):
        """The genres at or above their threshold, most probable first; `None` without thresholds."""
        if self.thresholds is None:
            return None
        genres = zip(self.class_names, self.probabilities, self.thresholds, strict=True)
        return tuple(name for name, probability, threshold in genres if probability >= threshold)

    @property
    def title(self):
        """The picture's file, and what an ensemble used: "poster.jpg (poster, plot)"."""
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
        """For JSON: the path, and the genres with their probabilities, most probable first.

        With thresholds also the genres predicted, and each genre's threshold; of an ensemble the modalities used.
        """
        content = {"path": None if self.path is None else str(self.path)}
        if self.modalities is not None:
            content["modalities"] = list(self.modalities)
        content["genres"] = dict(zip(self.class_names, self.probabilities, strict=True))
        if self.thresholds is not None:
            content["predicted"] = list(self.predicted)
            content["thresholds"] = dict(zip(self.class_names, self.thresholds, strict=True))
        return content


def predict(model_path, image_paths, *, batch_size=32):
    """Predicts the genres of any pictures: JPEG, PNG, WebP, grey, CMYK, rotated by EXIF, of any size.

    The genres are ranked; where the model holds thresholds, each is also predicted or not, independently of the others.

    Args:
        model_path: A `.keras` file saved by poster_cnn, or the run folder that holds it.
        image_paths: Paths of the pictures.
        batch_size: Pictures at a time. Defaults to 32.

    Returns:
        `(predictions, broken)`: a list of `Prediction` in the order given, and a dict of path -> reason for the
        pictures that cannot be read; one broken picture does not stop the others.

    Raises:
        FileNotFoundError, ValueError: If the model cannot be loaded; see `saved_models.load_model`.

    Example:

    >>> predictions, broken = predict("runs/first", ["poster.jpg"])
    >>> print(predictions[0])
    """
    model, about = load_model(model_path)
    if isinstance(model.input, dict) or len(model.input.shape) != 4:
        raise ValueError(
            "The model takes something else than pictures alone. Give the folder of a whole ensemble to "
            f"`ensemble_predict.predict_movies`. Received: model_path={str(model_path)!r}, model {model.name}"
        )
    how = {"interpolation": about["interpolation"], "crop_size": about["crop_size"]}
    predictions, broken = [], {}
    for start in range(0, len(image_paths), batch_size):
        good, images = [], []
        for path in image_paths[start : start + batch_size]:
            try:
                images.append(read_image(path, model.input_shape[1:3], **how))
                good.append(path)
            except (OSError, image_files.RefusedPicture) as error:
                broken[str(path)] = reason_of(error)
        if good:
            rows = model.predict_on_batch(np.stack(images))
            predictions += [ranked_prediction(str(path), row, about) for path, row in zip(good, rows, strict=True)]
    return predictions, broken


def ranked_prediction(path, probabilities, about, modalities=None):
    """What a model's output says of one picture or movie, as a `Prediction`.

    Args:
        path: The picture's file, or `None`.
        probabilities: float32 array `(num_classes,)`, 0..1, in label order.
        about: dict of `saved_models.load_model`.
        modalities: As in `Prediction`. Defaults to `None`.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = tuple(about["class_names"][i] for i in order)
    thresholds = None if about["thresholds"] is None else tuple(about["thresholds"][name] for name in ranked)
    return Prediction(path, ranked, tuple(float(probabilities[i]) for i in order), thresholds, modalities)


def read_image(path, image_size, interpolation="bilinear", crop_size=None):
    """Reads any picture as training read the posters that it scored.

    Args:
        path: Picture file.
        image_size: `(height, width)` of the model's input.
        interpolation: As in training. Defaults to `"bilinear"`.
        crop_size: `(height, width)` of the middle that is cut out, in pixels of a 268×182 poster, whatever the size of
            the picture. Defaults to `None`: all of it.

    Returns:
        float32 array `(height, width, 3)`, 0..255.

    Raises:
        pictures.RefusedPicture: If it is no picture, or broken.
        OSError: If the file cannot be read.
    """
    image = np.asarray(open_picture(path))
    if crop_size is not None:
        image = datasets.cut_out(image, crops.center_box(crop_size))
    resized = tf.image.resize(image, image_size, method=interpolation, antialias=True)
    return np.clip(np.round(resized.numpy()), 0, 255).astype("float32")


def open_picture(path):
    """Any picture file as an upright RGB `PIL.Image.Image`; raises as `read_image`."""
    return image_files.read_rgb(pathlib.Path(path).read_bytes())


def as_table(predictions, class_names):
    """Predictions as a DataFrame, a row a picture: `picture` (the file's name), then a column for each genre."""
    rows = [
        dict(zip(p.class_names, p.probabilities, strict=True)) | {"picture": pathlib.Path(p.path or "").name}
        for p in predictions
    ]
    return pd.DataFrame(rows, columns=["picture", *class_names])


def draw_cards(predictions, path):
    """Draws predictions as cards, each picture beside its ranked genres (paper 1, Figs. 6–19), and saves them as a PNG.

    Args:
        predictions: List of `Prediction`, all of one model.
        path: PNG file to write.
    """
    from poster_cnn import figures

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
    """Why a file cannot be used, of an error of `read_image`."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
