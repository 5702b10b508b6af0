"""Inputs of the branches of paper 5's ensemble: posters, trailers, metadata and plots, some of them missing."""

import dataclasses
import functools
import hashlib
import pathlib
import random

import keras
import numpy as np
import pandas as pd
from scipy import sparse

from poster_cnn import metrics, models
from poster_cnn.datasets.verify import announce, check_posters, describe, describe_losses
from poster_cnn.metrics import arguments, baselines
from poster_cnn.movies import splits
from poster_cnn.movies.data_folder import DataFolder, data_path, find_data_folder
from poster_cnn.movies.genres import encode_genres, require_known
from poster_cnn.movies.metadata import METADATA_COLUMNS, load_movie_metadata
from poster_cnn.movies.moviescope import read_moviescope
from poster_cnn.movies.poster_files import poster_paths
from poster_cnn.multimodal import trailers
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.metadata_encoder import MetadataEncoder, fit_metadata_encoder
from poster_cnn.multimodal.word_vectors import (
    WordVectors,
    plot_coverage,
    plot_vectors,
    plot_words,
    read_word_vectors,
    sentence_embedding,
    sentence_vectors,
)
from poster_cnn.training.build import build_network
from poster_cnn.training.config import NetworkConfig
from poster_cnn.training.data import TrainingData, split_rows
from poster_cnn.training.features import poster_features
from poster_cnn.training.process_state import unchanged_process


@dataclasses.dataclass(frozen=True)
class EnsembleData:
    """Movies of an ensemble with the inputs of its branches, returned by `load_ensemble_data`.

    Attributes:
        movies: `TrainingData` of all movies, including those without a poster.
        posters: `TrainingData` of the movies with a poster.
        inputs: Dict of modality -> inputs of its branch, one row per movie: a float32 array `(num_movies, size)`, or a
            SciPy CSR matrix for metadata. A missing modality is a row of zeros.
        present: bool array `(num_movies, num_modalities)`, in the order of `inputs`. A plot without known words and
            metadata without known values count as missing.
        encoder: `MetadataEncoder` fitted to the training set; `None` without metadata.
        vectors: `WordVectors` of the words in the plots; `None` without plots, and with `plot_encoder="sentences"`.
        extractor: Frozen `keras.Model` from raw posters to `inputs["poster"]`; `None` without posters.
        notes: Text on omitted movies, missing modalities and unknown values.
    """

    movies: TrainingData
    posters: TrainingData
    inputs: dict
    present: np.ndarray
    encoder: MetadataEncoder | None
    vectors: WordVectors | None
    extractor: keras.Model | None
    notes: str

    def __post_init__(self):
        object.__setattr__(self, "baseline_predictions", functools.cache(self._baseline_predictions))
        object.__setattr__(self, "baseline_scores", functools.cache(self._baseline_scores))

    def rows(self, part, modality=None):
        """Return the row numbers of one part of the split, optionally of the movies that have a modality."""
        chosen = (self.movies.split == part).to_numpy()
        if modality is not None:
            chosen = chosen & self.present[:, list(self.inputs).index(modality)]
        return np.flatnonzero(chosen)

    def present_table(self):
        """Return `present` as a DataFrame with columns `has_<modality>`."""
        return pd.DataFrame(self.present, self.movies.table.index, [f"has_{modality}" for modality in self.inputs])

    def _baseline_predictions(self, part="test"):
        """Return predictions as in `TrainingData`; movies without a poster get the label prior as `color_histogram`."""
        labels, num_movies = self.movies.labels("train"), self.movies.count(part)
        found = {
            "majority": baselines.majority_class(labels, num_movies),
            "label_prior": baselines.label_prior(labels, num_movies),
        }
        has_poster = (self.movies.part(part)["poster_path"] != "").to_numpy()
        if has_poster.any() and self.posters.count("train"):
            found["color_histogram"] = found["label_prior"].copy()
            found["color_histogram"][has_poster] = self.posters.baseline_predictions(part)["color_histogram"]
        return found

    def _baseline_scores(self, names):
        """Return a dict of baseline -> dict of metric -> score on the test set."""
        y_true = self.movies.labels("test")
        found = self.baseline_predictions("test")
        return {name: metrics.values(names, y_true, prediction) for name, prediction in found.items()}

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of the movies, labels, split and inputs."""
        table = self.movies.table.assign(part=self.movies.split)
        digest = hashlib.sha256(",".join([*self.movies.class_names, *self.inputs]).encode())
        digest.update(table[["imdb_id", "part", *METADATA_COLUMNS, "plot"]].to_csv().encode("utf-8", "surrogatepass"))
        digest.update(self.movies.all_labels.tobytes() + self.present.tobytes())
        digest.update(" ".join(self.posters.poster_hashes).encode())
        if self.vectors is not None:
            digest.update(" ".join(self.vectors.row_of).encode() + self.vectors.array.tobytes())
        elif "plot" in self.inputs:
            digest.update(self.inputs["plot"].tobytes())
        if "trailer" in self.inputs:
            digest.update(self.inputs["trailer"].tobytes())
        return digest.hexdigest()


@arguments.checked(config=arguments.instance(EnsembleConfig), data_folder=data_path)
@unchanged_process()
def load_ensemble_data(config, data_folder, *, progress=True):
    """Load and split the movies of an ensemble, and compute the inputs of its branches (paper 5, section 3).

    Movies with at least one of the genres are kept, even if they lack a poster, trailer, metadata or plot. Features of
    posters and videos are cached on disk.

    Args:
        config: `EnsembleConfig`.
        data_folder: Path of a data folder with `movie_metadata.csv`; see `find_data_folder`. With `split="given"`, the
            folder of MovieScope; see `read_moviescope`. Plots need word vectors in it, `glove*.txt`, unless
            `plot_encoder` is `"sentences"`.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `EnsembleData`

    Raises:
        FileNotFoundError: If the folder lacks the files of a modality.
        ValueError: If no movie has any of the genres, a part of the split is empty, a modality is missing from all
            training or validation movies, no trailer is usable, or features are not finite.
        ImportError: If a package is missing that trailers or sentence vectors need.
    """
    folder, table, notes = _read_movies(config, data_folder)
    require_known(table, config.class_names)
    has_genre = encode_genres(table, config.class_names).any(axis=1)
    if not has_genre.any():
        found = ", ".join(sorted({name for names in table["genres"] for name in names})) or "none"
        raise ValueError(
            f"`class_names` must contain genres of the {len(table)} movies in {str(folder.root)!r}, which are {found}. "
            f"Received: class_names={config.class_names}"
        )
    notes.append(f"{(~has_genre).sum()} movies without any of the selected genres left out")
    table = table[has_genre].reset_index(drop=True)
    # What is not installed or has no weights fails now or never.
    network = backbone_network(config, folder.weights) if "poster" in config.modalities else None
    if "plot" in config.modalities and config.plot_encoder == "sentences":
        sentence_embedding()
    usable, manifest = check_posters(table, progress=progress)
    notes.append(describe(manifest))
    table["poster_path"] = usable["poster_path"].reindex(table.index, fill_value="")
    movies = split_rows(config.data, table, manifest, "", folder.weights)
    if not movies.certificate.clean:  # only a given split can leak
        notes.append(str(movies.certificate))
    has_poster = table["poster_path"] != ""
    posters = dataclasses.replace(movies, table=table[has_poster], split=movies.split[has_poster])
    inputs, encoder, vectors, extractor = {}, None, None, None
    for modality in config.modalities:
        if modality == "poster":
            extractor = models.feature_extractor_and_head(network)[0]
            inputs[modality] = _poster_inputs(network, extractor, posters, has_poster.to_numpy(), progress)
        elif modality == "trailer":
            inputs[modality] = _trailer_inputs(config, table, folder, movies.weights, notes, progress)
        elif modality == "metadata":
            encoder, inputs[modality] = _encode_metadata(table, movies.split, notes)
        else:
            vectors, inputs[modality] = _embed_plots(config, table, folder, notes)
    present = np.column_stack([_is_present(modality, array, table) for modality, array in inputs.items()])
    data = EnsembleData(movies, posters, inputs, present, encoder, vectors, extractor, "")
    notes.append(_count_present(data, notes))
    lost = describe_losses(manifest[manifest["poster_path"] != ""])  # a movie may lack a poster
    notes += [lost] * bool(lost)
    announce("\n".join(notes), lost)
    return dataclasses.replace(data, notes="\n".join(notes))


def _read_movies(config, data_folder):
    """Return the data folder, the movie table with `poster_path` and perhaps `part`, and a list of notes."""
    if config.split == "given":
        root = (data_folder.root if isinstance(data_folder, DataFolder) else pathlib.Path(data_folder)).expanduser()
        table = read_moviescope(root)
        glove = next(iter(sorted(root.glob("glove*.txt"))), None)
        weights = {path.name: path for path in sorted(root.glob("*.h5"))}
        folder = DataFolder(root, csv=root, posters=root, glove=glove, weights=weights)
        return folder, table, [str(table.attrs["report"])]
    folder = find_data_folder(data_folder)
    if folder.metadata is None:
        raise FileNotFoundError(f"The data folder must contain movie_metadata.csv. Received: {str(folder.root)!r}")
    table = load_movie_metadata(folder.metadata)
    report = table.attrs["report"]
    table = table.assign(poster_path=poster_paths(table["imdb_id"], folder.posters, report))
    return folder, table, [str(report)]


def _poster_inputs(network, extractor, posters, has_poster, progress):
    inputs = np.zeros((len(has_poster), extractor.output.shape[-1]), dtype="float32")
    if has_poster.any():
        features = poster_features(network, posters, about={"precision": "float32"}, progress=progress)
        inputs[has_poster] = features[np.arange(len(posters.table))]
    return inputs


def _trailer_inputs(config, table, folder, weights, notes, progress):
    """Return the mean features of each trailer, zeros for a missing one."""
    paths = _trailer_paths(table, folder, notes)
    if not paths:
        raise FileNotFoundError(f"The data folder {str(folder.root)!r} has no trailers.")
    has_videos = any(trailers.is_video(path) for path in paths.values())
    extractor = models.feature_extractor_and_head(backbone_network(config, weights))[0] if has_videos else None
    means, report = trailers.trailer_features(paths, extractor, progress=progress)
    unusable = report[report["reason"] != ""]
    reasons = [f"  {row.imdb_id}: {row.reason}" for row in unusable.itertuples()]
    if not means:
        why = "\n".join(reasons[:3])
        raise ValueError(f"None of the {len(paths)} trailers in {str(folder.root)!r} is usable:\n{why}")
    notes += [f"trailers: {len(means):,} usable, {len(unusable):,} unusable", *reasons[:5]]
    inputs = np.zeros((len(table), len(next(iter(means.values())))), dtype="float32")
    for row, imdb_id in enumerate(table["imdb_id"]):
        inputs[row] = means.get(imdb_id, 0)
    return inputs


def _trailer_paths(table, folder, notes):
    """Return a dict of imdb_id -> path of the trailer, for the movies of the table."""
    if "trailer_path" in table:  # from MovieScope
        return {row.imdb_id: pathlib.Path(row.trailer_path) for row in table.itertuples() if row.trailer_path}
    if folder.trailers is None:
        raise FileNotFoundError(
            f"The data folder {str(folder.root)!r} has no trailers/. Remove 'trailer' from `modalities`, or create the "
            "trailers of the embedded dataset with `embedded_dataset(trailers=True)`."
        )
    found, report = trailers.find_trailers(folder.trailers)
    notes.append(f"trailers: {report}")
    paths = {imdb_id: found[imdb_id] for imdb_id in table["imdb_id"] if imdb_id in found}
    if report.rows_read and not paths:
        raise ValueError(
            f"None of the {report.rows_read} files in {str(folder.trailers)!r} is named after the imdbId of one of the "
            f"{len(table)} movies, such as {table['imdb_id'].iloc[0]}.npz.\n{report}"
        )
    return paths


def _encode_metadata(table, split, notes):
    encoder = fit_metadata_encoder(table[split == "train"])
    notes.append(f"metadata: {encoder.width:,} one-hot columns from the training set")
    for part in ("validation", "test"):
        counts = encoder.count_values(table[split == part])
        shown = ", ".join(f"{column} {row.unseen:,}" for column, row in counts.iterrows())
        notes.append(f"metadata: {part} values not seen in training: {shown}")
    return encoder, encoder.encode(table)


def _embed_plots(config, table, folder, notes):
    if config.plot_encoder == "sentences":
        return None, sentence_vectors(table["plot"])
    if folder.glove is None:
        raise FileNotFoundError(f"Plots need word vectors, glove*.txt, in the data folder {str(folder.root)!r}.")
    vectors = read_word_vectors(folder.glove, plot_words(table["plot"], max_words=config.max_words))
    given = table["plot"][table["plot"] != ""]
    notes.append(f"plots: {plot_coverage(given, vectors, max_words=config.max_words)}")
    return vectors, plot_vectors(table["plot"], vectors, max_words=config.max_words)


def _is_present(modality, array, table):
    """Return which rows are not zero, and check that all numbers are finite."""
    if sparse.issparse(array):
        return np.diff(array.indptr) > 0
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        ids = ", ".join(table["imdb_id"][bad].astype(str)[:3])
        raise ValueError(
            f"The {modality} features must be finite. Received: NaN or infinity for {bad.sum()} movies, "
            f"such as imdbId {ids}. Repair or remove their files."
        )
    return array.any(axis=1)


def _count_present(data, notes):
    lines = []
    for modality in data.inputs:
        counts = {part: len(data.rows(part, modality)) for part in splits.PARTS}
        if missing := [part for part in ("train", "validation") if not counts[part]]:
            why = "".join(f"\n{note}" for note in notes if note.startswith(modality))
            text = f"No {' and no '.join(missing)} movie has a {modality}. Remove it from `modalities`.{why}"
            raise ValueError(text)
        shares = [f"{count:,} of {data.movies.count(part):,} {part}" for part, count in counts.items()]
        lines.append(f"{modality}: available for {', '.join(shares)} movies")
    return "\n".join(lines)


def backbone_of(config):
    """Return the `NetworkConfig` of the network whose backbone extracts features of posters (paper 5).

    Args:
        config: `EnsembleConfig`.
    """
    weights = {"weights": config.inputs.backbone_weights}
    return NetworkConfig(model=config.inputs.backbone, model_args=weights, classifier_activation="sigmoid")


@unchanged_process()
def backbone_network(config, weights=None):
    """Build the network whose backbone extracts features of posters and of frames of trailers (paper 5).

    Random weights depend on `config.split_seed` and not on `config.seed`.

    Args:
        config: `EnsembleConfig`.
        weights: As in `training.build_model`.

    Returns:
        `keras.Model`
    """
    random.seed(config.data.split_seed)  # Keras draws the seeds of all layers from it
    size, num_classes = config.data.image_size, len(config.data.class_names)
    return build_network(backbone_of(config), size, num_classes, weights=weights)
