"""Pictures in any form + a network -> ranked genres. Neither TensorFlow nor pandas is imported before it is needed."""

import concurrent.futures
import dataclasses
import functools
import itertools
import operator
import os
import pathlib

import numpy as np
import threadpoolctl

from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.datasets.pixels import open_picture
from poster_cnn.evaluation.explain import genre_maps
from poster_cnn.evaluation.networks import open_network
from poster_cnn.evaluation.pictures import find_pictures
from poster_cnn.files import progress_bar, write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.metrics.calibration import Calibration

NO_GENRE = "no genre reaches its threshold"
NEAR_COPY = "a near-copy of this poster was in training"
_MAX_MAPS = 3  # genres with a heat map on a card
_MAX_BARS = 8  # genres on a card


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Ranked genres of one picture, or of one movie for an ensemble.

    Attributes:
        path: Picture file; `None` for a movie without a poster.
        class_names: Genres, most probable first.
        probabilities: Their probabilities, 0..1, in the same order.
        thresholds: Their decision thresholds, 0..1, in the same order. Defaults to `None`: the genres are only ranked.
        modalities: Modalities that an ensemble used, such as `("poster", "plot")`. Defaults to `None`: no ensemble.
        note: Reason why the picture cannot be read, or another remark. Defaults to `""`.
        picture: `pictures.Picture` to draw on cards. Defaults to `None`: the file `path`, if there is one.
    """

    path: str | None
    class_names: tuple
    probabilities: tuple
    thresholds: tuple | None = None
    modalities: tuple | None = None
    note: str = ""
    picture: object = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def is_broken(self):
        """True if the picture cannot be read, so that there are no genres."""
        return not self.class_names

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

    @property
    def genres(self):
        """Predicted genres as a tuple: those at or above their thresholds or, without thresholds, the first one."""
        return self.class_names[:1] if self.thresholds is None else self.predicted

    @property
    def remark(self):
        """The note, or that no genre reaches its threshold."""
        return "; ".join(filter(None, [NO_GENRE if not (self.is_broken or self.genres) else "", self.note]))

    def as_line(self):
        """Return the predicted genres with their probabilities in one line."""
        shares = dict(zip(self.class_names, self.probabilities, strict=True))
        found = ", ".join(f"{name} {shares[name]:.0%}" for name in self.genres)
        return f"{self.title}  {found}{f'  ({self.remark})' if self.remark else ''}"

    def __str__(self):
        if self.is_broken:
            return f"{self.title}: {self.note}"
        lines = [self.title]
        width = max(map(len, self.class_names))
        for number, (name, probability) in enumerate(zip(self.class_names, self.probabilities, strict=True)):
            mark, threshold = "  ", ""
            if self.thresholds is not None:
                mark = "  ✓ " if name in self.predicted else "    "
                threshold = f"  from {self.thresholds[number]:6.1%}"
            lines.append(f"{mark}{name:<{width}}  {probability:6.1%}{threshold}  {'█' * round(30 * probability)}")
        if self.remark:
            lines.append(f"    {self.remark[0].upper()}{self.remark[1:]}.")
        return "\n".join(lines)

    def to_dict(self):
        """Return a dict for JSON: `picture`, `genres` (probabilities, highest first), and the optional attributes."""
        content = {"picture": None if self.path is None else str(self.path)}
        if self.modalities is not None:
            content["modalities"] = list(self.modalities)
        content["genres"] = dict(zip(self.class_names, self.probabilities, strict=True))
        if self.thresholds is not None:
            content["predicted"] = list(self.predicted)
            content["thresholds"] = dict(zip(self.class_names, self.thresholds, strict=True))
        if self.remark:
            content["note"] = self.remark
        return content


@arguments.checked(
    batch_size=arguments.count,
    class_names=arguments.optional(arguments.genres),
    progress=arguments.flag,
    allow_private=arguments.flag,
)
def predict(pictures, model=None, *, batch_size=32, class_names=None, progress=True, allow_private=False):
    """Predict the genres of pictures of any size: JPEG, PNG, WebP and others, also gray, CMYK or rotated by EXIF.

    The network that comes with the package runs on ONNX Runtime: TensorFlow is not imported.

    Args:
        pictures: Path, folder, pattern such as `"posters/*.jpg"`, URL, `PIL.Image.Image`, bytes, array of levels 0–255
            (or floats 0–1) of shape `(height, width, 3)` or a batch of them, or a list of any of these.
        model: Name of a network that comes with the package, run folder, `.keras` file, ONNX file of
            `poster-cnn export`, or `(model, about)` from `load_model`. Defaults to `None`: `"posters_mobilenet_v2"`.
        batch_size: Pictures per batch; no more than two batches are in memory. Defaults to 32.
        class_names: Genres in label order, for a `.keras` file that names none; see `load_model`. Defaults to `None`.
        progress: Whether to show a progress bar if there are several batches. Defaults to `True`.
        allow_private: Whether URLs may lead to addresses of private networks. Defaults to `False`.

    Returns:
        DataFrame with one row per picture, in the given order: `picture` (path or URL, or the position in the list),
        the probability of each genre, calibrated if the model is, `predicted` (genres at or above their thresholds,
        such as "Comedy, Romance"; the most probable genre for a softmax model) and `note` (why a picture cannot be
        read, or another remark). A picture that cannot be read has NaN as probabilities.

    Raises:
        FileNotFoundError, ValueError: If the model cannot be loaded or takes other inputs than pictures, or `pictures`
            holds something that cannot be a picture.

    Example:

    >>> table = predict(["poster.jpg", "photo.png"])
    >>> table[["picture", "predicted"]]
    """
    network = open_network(model, class_names)
    found = find_pictures(pictures, allow_private=allow_private)
    return as_table(rank_pictures(found, network, batch_size, progress=progress), network.about["class_names"])


def rank_pictures(pictures, network, batch_size=32, *, progress=True):
    """Predict the genres of pictures, reading the next batch in threads while the network runs.

    Args:
        pictures: Iterable of `pictures.Picture`.
        network: `networks.Network`.
        batch_size: Pictures per batch. Defaults to 32.
        progress: Whether to show a progress bar if there are several batches. Defaults to `True`.

    Returns:
        List of `Prediction`, one per picture; those that cannot be read have no genres.
    """
    total, predictions = operator.length_hint(pictures) or None, []
    pictures = iter(pictures)
    is_short = total is not None and total <= batch_size
    bar = progress_bar(desc="Predicting", total=total, unit=" pictures", disable=is_short or not progress)
    # Threads of BLAS within threads that resize small pictures take ten times as long.
    one_each = threadpoolctl.threadpool_limits(1, "blas")
    with bar, one_each, concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:

        def reading():
            """Start to read the next batch."""
            chosen = itertools.islice(pictures, batch_size)
            return [(picture, pool.submit(_read, picture, network)) for picture in chosen]

        batch = reading()
        while batch:
            following = reading()
            predictions += _predict_batch([(picture, future.result()) for picture, future in batch], network)
            bar.update(len(batch))
            batch = following
    return predictions


def _read(picture, network):
    """Return the network's input, or `None` if the picture cannot be read, and a note."""
    try:
        image = picture.read()
        return network.fit(image), NEAR_COPY if network.seen and network.seen.find(image) else ""
    except (OSError, RefusedPicture) as error:
        return None, reason_of(error)


def _predict_batch(batch, network):
    """Return the predictions of pairs of a `Picture` and what `_read` returned."""
    images = [image for _, (image, _) in batch if image is not None]
    rows, predictions = iter(network.probabilities(np.stack(images)) if images else ()), []
    for picture, (image, note) in batch:
        if image is None:
            predictions.append(Prediction(picture.name, (), (), note=note))
        else:
            found = ranked_prediction(picture.name, next(rows), network.about)
            is_small = isinstance(picture.source, (str, bytes))
            predictions.append(dataclasses.replace(found, note=note, picture=picture if is_small else None))
    return predictions


def ranked_prediction(path, probabilities, about, modalities=None):
    """Return a model's output for one picture or movie, with its calibration, as a `Prediction`.

    Args:
        path: Picture file, or `None`.
        probabilities: float32 array `(num_classes,)`, 0..1, in label order, not calibrated.
        about: dict from `training.saved_model.load_model`.
        modalities: As in `Prediction`. Defaults to `None`.
    """
    class_names, thresholds = about["class_names"], about["thresholds"] and list(about["thresholds"].values())
    calibration = Calibration.from_dict(about.get("calibration"), len(class_names))
    found = np.asarray(probabilities, dtype="float64")
    probabilities = calibration.probabilities(found) if calibration else found
    order = np.lexsort((-found, -probabilities))
    if calibration and thresholds and calibration.activation == "sigmoid":
        # A low temperature rounds different probabilities to 1.0, which must change neither the genres nor their order.
        reached, thresholds = found >= thresholds, calibration.thresholds(thresholds)
        below = np.minimum(probabilities, np.nextafter(thresholds, 0))
        probabilities, thresholds = np.where(reached, np.maximum(probabilities, thresholds), below), thresholds.tolist()
    ranked = [
        None if values is None else tuple(values[number] for number in order)
        for values in (class_names, probabilities.tolist(), thresholds)
    ]
    return Prediction(path, *ranked, modalities)


_PREDICTIONS = functools.partial(arguments.sequence, expected="a list of `Prediction`", items=Prediction)


@arguments.checked(predictions=_PREDICTIONS, class_names=arguments.genres)
def as_table(predictions, class_names):
    """Return predictions as a DataFrame with the columns `picture`, one per genre, `predicted` and `note`."""
    import pandas as pd

    rows = [
        {"picture": p.path, **dict(zip(p.class_names, p.probabilities, strict=True))}
        | {"predicted": ", ".join(p.genres), "note": p.remark}
        for p in predictions
    ]
    return pd.DataFrame(rows, columns=["picture", *class_names, "predicted", "note"])


@arguments.checked(predictions=_PREDICTIONS, path=arguments.path)
def draw_cards(predictions, path, network=None):
    """Draw pictures next to their ranked genres (paper 1, Figs. 6–19) and save them as one picture.

    Args:
        predictions: List of `Prediction` of one model.
        path: File to write, in the format of its suffix, such as `.png`, `.jpg` or `.pdf`; without one, as PNG.
        network: The `networks.Network` that made them, to add heat maps of the genres of each picture. Defaults to
            `None`: without heat maps.
    """
    from poster_cnn import figures

    if not predictions:
        arguments.refuse("predictions", "at least one `Prediction`", predictions)
    file_format, first = card_format(path), predictions[0]
    class_names = sorted(first.class_names)
    order = [first.class_names.index(name) for name in class_names]
    thresholds = None if first.thresholds is None else [first.thresholds[number] for number in order]
    images = [_image(prediction) for prediction in predictions]
    scores = as_table(predictions, class_names)[class_names].to_numpy()
    options = {
        "titles": [pathlib.Path(prediction.path or "").name or prediction.title for prediction in predictions],
        "thresholds": thresholds,
        "top": _MAX_BARS,
    }
    if network is None:
        figure = figures.prediction_cards(images, scores, class_names, **options)
    else:
        explained = [found.genres[:_MAX_MAPS] or found.class_names[:1] for found in predictions]
        maps = [genre_maps(image, genres, network) for image, genres in zip(images, explained, strict=True)]
        if network.about["crop_size"]:
            images = [network.fit(image) for image in images]  # the map is one of the crop
        figure = figures.explanation_cards(images, scores, class_names, maps, **options)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format=file_format, bbox_inches="tight", dpi=200)


def card_format(path):
    """Return the format that Matplotlib saves a card in, by the suffix of its file, or raise a ValueError."""
    from matplotlib.backend_bases import FigureCanvasBase

    suffix, known = pathlib.Path(path).suffix.lower().removeprefix("."), FigureCanvasBase.get_supported_filetypes()
    if suffix and suffix not in known:
        shown = ", ".join(f".{name}" for name in known)
        arguments.refuse("card", f"a file with one of the suffixes {shown}", str(path))
    return suffix or "png"


def _image(prediction):
    if prediction.picture is not None:
        return prediction.picture.read()
    return None if prediction.path is None else open_picture(prediction.path)


def reason_of(error):
    """Return a short reason why a file cannot be read, from an error of `read_image`."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
