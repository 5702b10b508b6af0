"""Run folder of an ensemble + any modalities of movies -> ranked genres (paper 5)."""

import collections.abc
import dataclasses
import functools
import os
import pathlib

import keras
import numpy as np
import pandas as pd

from poster_cnn import models, training
from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.datasets.pixels import read_image
from poster_cnn.evaluation.predict import ranked_prediction, reason_of
from poster_cnn.files import read_json
from poster_cnn.metrics import arguments
from poster_cnn.movies.cells import UNAMBIGUOUS
from poster_cnn.movies.metadata import METADATA_COLUMNS
from poster_cnn.movies.text_files import decode
from poster_cnn.multimodal import trailers, word_vectors
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.data import backbone_network
from poster_cnn.multimodal.metadata_encoder import MetadataEncoder, load_metadata_encoder
from poster_cnn.multimodal.train import ENSEMBLE
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.saved_model import load_model

_KEYS = ("poster", "trailer", "plot", *METADATA_COLUMNS)
_COLUMNS = {"poster_path": "poster", "trailer_path": "trailer"}  # names in movie tables


@dataclasses.dataclass(frozen=True)
class _Ensemble:
    """Content of an ensemble's run folder."""

    config: EnsembleConfig
    model: keras.Model
    about: dict
    encoder: MetadataEncoder | None
    vectors: word_vectors.WordVectors | None

    def branch(self, modality):
        return self.model.get_layer(f"{modality}_branch")

    @functools.cached_property
    def extractor(self):
        """Feature extractor for video frames: the backbone of the poster branch.

        An ensemble without posters does not store it, so it is built again with Keras's pretrained weights.
        """
        has_posters = "poster" in self.config.modalities
        network = self.branch("poster") if has_posters else backbone_network(self.config, {})
        return models.feature_extractor_and_head(network)[0]


@arguments.checked(path=arguments.path)
def find_ensemble(path):
    """Return the folder of an ensemble's model, or `None` if the path is not an ensemble.

    Args:
        path: Run folder of `multimodal.train_ensemble`, its folder `ensemble/`, or the `model.keras` in that folder.
    """
    path = pathlib.Path(path)
    inside = path.parent if path.name == "model.keras" else path
    for folder in (inside, inside / ENSEMBLE):
        if (folder / "config.json").is_file():
            return folder if _recorded_model(folder / "config.json") == ENSEMBLE else None
    return None


def _recorded_model(path):
    """Return the model name in a run's config.json, or `None` if the file has another format."""
    try:
        content = read_json(path)
    except ValueError:  # not JSON
        return None
    config = content.get("config") if isinstance(content, dict) else None
    return config.get("model") if isinstance(config, dict) else None


@arguments.checked(run_dir=arguments.path, batch_size=arguments.count)
@unchanged_process()
def predict_movies(run_dir, movies, *, batch_size=32):
    """Predict the genres of movies from any subset of poster, trailer, metadata and plot (paper 5).

    Args:
        run_dir: Run folder of an ensemble; see `find_ensemble`.
        movies: List of dicts, or DataFrame with one row per movie. Keys: `poster` or `poster_path` (path of a picture),
            `trailer` or `trailer_path` (path of a video or of features; see `trailers.read_trailer_features`), `plot`
            (text) and `metadata.METADATA_COLUMNS` (text). "", "N/A", `None` and NaN are missing values. Other columns
            of a DataFrame are ignored.
        batch_size: Movies per batch, at least 1. Defaults to 32.

    Returns:
        Tuple `(predictions, problems)` of dicts, keyed by position in the list or index of the DataFrame.
        `predictions` holds a `Prediction` of each movie with a usable modality. `problems` holds dicts of modality ->
        reason, for modalities that were not used or, if they are in the prediction's `modalities`, used only partly.

    Raises:
        FileNotFoundError: If there is no finished ensemble, or one of its files is missing.
        ValueError: If a movie has a modality that the ensemble lacks, an unknown key, or a value that is neither text
            nor path, or if `batch_size` is below 1.
        ImportError, RuntimeError: If a trailer is a video, and PyAV or the pretrained weights are not available, or the
            ensemble has sentence vectors, and WordLlama is not.

    Example:

    >>> predictions, problems = predict_movies("runs/ensemble", [{"poster": "poster.jpg", "plot": "A shark returns."}])
    >>> print(predictions[0])
    """
    movies = _as_dict(movies)
    ensemble = _load_ensemble(run_dir)
    _check_given(movies, ensemble.config)
    labels, predictions, problems = list(movies), {}, {}
    for start in range(0, len(labels), batch_size):
        batch = labels[start : start + batch_size]
        outputs, reasons = _branch_outputs([movies[label] for label in batch], ensemble)
        problems |= {label: found for label, found in zip(batch, reasons, strict=True) if found}
        y_prob = np.asarray(ensemble.model.get_layer("late_fusion")(outputs, training=False))
        for label, row, present in zip(batch, y_prob, outputs["present"], strict=True):
            if present.any():
                used = tuple(name for name, here in zip(ensemble.config.modalities, present, strict=True) if here)
                poster = movies[label]["poster"] if "poster" in used else None
                predictions[label] = ranked_prediction(poster, row, ensemble.about, used)
    return predictions, problems


def _load_ensemble(run_dir):
    folder = find_ensemble(run_dir)
    if folder is None:
        raise FileNotFoundError(
            "No ensemble found. `run_dir` must be the run folder of a finished ensemble, with ensemble/config.json. "
            f"Received: run_dir={str(run_dir)!r}"
        )
    config = training.recorded_config(folder, EnsembleConfig)
    model, about = load_model(folder)
    encoder = load_metadata_encoder(folder / "metadata_encoder.json") if "metadata" in config.modalities else None
    has_words = "plot" in config.modalities and config.plot_encoder == "word_vectors"
    vectors = word_vectors.load_word_vectors(folder / "word_vectors.npz") if has_words else None
    return _Ensemble(config, model, about, encoder, vectors)


def _as_dict(movies):
    """Return a dict of label -> dict of the movie's values as text."""
    if isinstance(movies, pd.DataFrame):
        if not movies.index.is_unique:
            raise ValueError("`movies` must have a unique index. Try movies.reset_index(drop=True).")
        known = movies[[key for key in (*_KEYS, *_COLUMNS) if key in movies]]
        movies = dict(zip(movies.index, known.to_dict("records"), strict=True))
    elif isinstance(movies, (str, bytes, collections.abc.Mapping)) or not isinstance(movies, collections.abc.Iterable):
        raise ValueError(f"`movies` must be a list of dicts, or a DataFrame. Received: a {type(movies).__name__}")
    else:
        movies = dict(enumerate(movies))
    for label, movie in movies.items():
        if not isinstance(movie, collections.abc.Mapping):
            raise ValueError(f"`movies` must hold dicts, such as {{'plot': '...'}}. Received: {movie!r}")
        if unknown := [str(key) for key in movie if key not in _KEYS and key not in _COLUMNS]:
            raise ValueError(f"Keys must be {', '.join(_KEYS)}. Received: {', '.join(unknown)} of movie {label!r}")
    return {label: _texts(label, movie) for label, movie in movies.items()}


def _texts(label, movie):
    """Return the values of a movie as text, without missing values."""
    texts = {}
    for column, value in movie.items():
        key = _COLUMNS.get(column, column)
        if pd.api.types.is_scalar(value) and pd.isna(value):
            continue
        if not isinstance(value, (str, os.PathLike) if key in _COLUMNS.values() else str):
            expected = "a path" if key in _COLUMNS.values() else "text"
            raise ValueError(f"{column} of movie {label!r} must be {expected}. Received: a {type(value).__name__}")
        if (text := str(value).strip()) in UNAMBIGUOUS:
            continue
        if texts.setdefault(key, text) != text:
            raise ValueError(f"Movie {label!r} must have one {key}. Received: {texts[key]!r} and {text!r}")
    return texts


def _given(movie):
    """Return the names of the given modalities."""
    return {"metadata" if key in METADATA_COLUMNS else key for key in movie}


def _check_given(movies, config):
    for label, movie in movies.items():
        if unknown := sorted(_given(movie) - set(config.modalities)):
            raise ValueError(
                f"Unsupported modality. This ensemble accepts {', '.join(config.modalities)}. "
                f"Received: {', '.join(unknown)} of movie {label!r}"
            )


def _branch_outputs(movies, ensemble):
    """Return the inputs of the fusion, and a dict of modality -> problem for each movie."""
    names = ensemble.config.modalities
    outputs = np.zeros((len(movies), len(names), len(ensemble.config.class_names)), dtype="float32")
    present = np.zeros((len(movies), len(names)), dtype=bool)
    reasons = [{} if movie else dict.fromkeys(names, "not given") for movie in movies]
    for number, name in enumerate(names):
        rows = [row for row, movie in enumerate(movies) if name in _given(movie)]
        usable, arrays = [], []
        for row, (array, reason) in zip(rows, _READERS[name]([movies[row] for row in rows], ensemble), strict=True):
            if array is not None:
                usable.append(row)
                arrays.append(array)
            if reason:
                reasons[row][name] = reason
        if usable:
            outputs[usable, number] = ensemble.branch(name)(np.stack(arrays), training=False)
            present[usable, number] = True
    return {"probabilities": outputs, "present": present}, reasons


# Each reader returns one tuple per movie: the branch's input or `None`, and a problem or `None`.


def _read_posters(movies, ensemble):
    image_size, found = ensemble.branch("poster").input_shape[1:3], []
    for movie in movies:
        try:
            found.append((read_image(movie["poster"], image_size, ensemble.about["interpolation"]), None))
        except (OSError, RefusedPicture) as error:
            found.append((None, reason_of(error)))
    return found


def _read_trailers(movies, ensemble):
    return [_read_trailer(pathlib.Path(movie["trailer"]), ensemble) for movie in movies]


def _read_trailer(path, ensemble):
    expected, extractor = ensemble.branch("trailer").input_shape[-1], None
    wrong = f"expected {expected} features per frame"
    if trailers.is_video(path):
        extractor = ensemble.extractor
        if extractor.output.shape[-1] != expected:
            backbone = f"{ensemble.config.backbone} outputs {extractor.output.shape[-1]}"
            return None, f"{wrong}, but the backbone {backbone}; use a file of features"
    means, report = trailers.trailer_features({0: path}, extractor, progress=False)
    if not means:
        return None, report["reason"][0]
    mean = means[0]
    if len(mean) != expected:
        return None, f"{wrong}, received {len(mean)}"
    return mean[None], None  # a single frame, as the branch averages over frames


def _read_metadata(movies, ensemble):
    table = pd.DataFrame(movies, columns=list(METADATA_COLUMNS)).fillna("")
    found, seen = [], {column: set(values) for column, values in ensemble.encoder.categories.items()}
    for row, movie in zip(ensemble.encoder.encode(table).toarray(), movies, strict=True):
        unseen = [f"{key}={text!r}" for key, text in movie.items() if key in seen and text not in seen[key]]
        reason = f"not seen in training: {', '.join(unseen)}" if unseen else None
        found.append((row if row.any() else None, reason))
    return found


def _read_plots(movies, ensemble):
    plots = [movie["plot"] for movie in movies]
    if ensemble.vectors is None:
        vectors = word_vectors.sentence_vectors(plots)
        return [(vector, None) if vector.any() else (None, "it has no words") for vector in vectors]
    options, found = {"max_words": ensemble.config.max_words}, []
    for plot in plots:
        vector = word_vectors.plot_vectors([plot], ensemble.vectors, **options)[0]
        coverage, reason = word_vectors.plot_coverage([plot], ensemble.vectors, **options), None
        if coverage.empty:
            reason = "it has no words"
        elif not vector.any() or coverage.known_words < coverage.words:
            unknown = coverage.words - coverage.known_words
            reason = f"no word vector for {unknown} of its {coverage.words} words"
        found.append((vector if vector.any() else None, reason))
    return found


_READERS = {"poster": _read_posters, "trailer": _read_trailers, "metadata": _read_metadata, "plot": _read_plots}


def predict_arguments(run_dir, images, *, plot, trailer, metadata):
    """Predict from the arguments of `poster-cnn predict`.

    Args:
        run_dir: Run folder of an ensemble.
        images: Paths of pictures, each of another movie; the other arguments belong to the first.
        plot: Text, `"@FILE"`, or `None`.
        trailer: Path of a trailer, or `None`.
        metadata: List of `"COLUMN=VALUE"` and `"@FILE"`.

    Returns:
        Tuple of a list of predictions, a list of problems as text, and whether some input was not used.
    """
    movies = [{"poster": image} for image in images] or [{}]
    movies[0] |= {"plot": read_plot(plot), "trailer": trailer} | read_metadata(metadata)
    predictions, problems = predict_movies(run_dir, movies)
    lines, has_skipped = [], False
    for number, reasons in problems.items():
        used = predictions[number].modalities if number in predictions else ()
        has_skipped = has_skipped or not set(reasons) <= set(used)
        image = f"{movies[number]['poster']}: " if "poster" in movies[number] else ""
        for modality, reason in reasons.items():
            lines.append(f"{image}{modality}{'' if modality in used else ' not used'}: {reason}")
    return list(predictions.values()), lines, has_skipped


def read_plot(plot):
    """Return a plot, or the text of the file if it is `"@FILE"`; `None` stays `None`."""
    return decode(pathlib.Path(plot[1:]).read_bytes())[0] if plot and plot.startswith("@") else plot


def read_metadata(entries):
    """Return a dict of column -> text from entries `"COLUMN=VALUE"` and `"@FILE"`, a JSON object of texts."""
    found = {}
    for entry in entries:
        column, equals, value = entry.partition("=")
        try:
            content = read_json(entry[1:]) if entry.startswith("@") else {column: value if equals else None}
        except ValueError:  # not JSON
            content = None
        known = isinstance(content, dict) and set(content) <= set(METADATA_COLUMNS)
        if not known or not all(isinstance(text, str) for text in content.values()):
            raise ValueError(
                "--metadata must be COLUMN=VALUE, or @FILE of a JSON object of texts, with the columns "
                f"{', '.join(METADATA_COLUMNS)}. Received: {entry}"
            )
        found |= content
    return found
