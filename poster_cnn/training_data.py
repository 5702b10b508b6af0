"""Config + data folder -> the posters of one training run: loaded, checked, split, decoded once."""

import copy
import dataclasses
import functools
import hashlib
import pathlib

import numpy as np
import pandas as pd

from poster_cnn import audit, baselines, datasets, ingest, splits
from poster_cnn.data_folder import find_data_folder
from poster_cnn.table import encode_genres, load_movie_table


@dataclasses.dataclass
class TrainingData:
    """The posters of a run. `decoded(part)` reads them on first use, then keeps them.

    Attributes:
        table: Movie table of all parts.
        split: Series of "train", "validation", "test" over the table's index.
        class_names: Genres, in label order.
        image_size: `(height, width)`.
        interpolation: How posters are shrunk.
        report: What was dropped and why, as text.
        certificate: `audit.LeakCertificate`: how many posters have a copy on another side of the split.
    """

    table: pd.DataFrame
    split: pd.Series
    class_names: tuple
    image_size: tuple
    interpolation: str
    report: str
    certificate: audit.LeakCertificate

    def __post_init__(self):
        self.decoded = functools.cache(self._decoded)
        self.baseline_predictions = functools.cache(self._baseline_predictions)

    def resized(self, image_size, interpolation):
        """The same movies at another size; nothing but the posters is read again."""
        other = copy.copy(self)
        other.image_size, other.interpolation = image_size, interpolation
        other.__post_init__()
        return other

    def part(self, name):
        """The movies of one part."""
        return self.table[self.split == name]

    @functools.cached_property
    def all_labels(self):
        """float32 labels of all movies in table order, `(num_movies, num_classes)`."""
        return encode_genres(self.table, self.class_names)

    def labels(self, name):
        """float32 labels of one part, `(num_movies, num_classes)`."""
        return self.all_labels[(self.split == name).to_numpy()]

    def count(self, name):
        """Number of movies in one part."""
        return int((self.split == name).sum())

    def _decoded(self, name):
        return datasets.decoded_posters(
            self.part(name), self.class_names, image_size=self.image_size, interpolation=self.interpolation
        )

    def images(self, name):
        """uint8 posters of one part, `(num_movies, height, width, 3)`."""
        return np.stack([image for image, _ in self.decoded(name).as_numpy_iterator()])

    def _baseline_predictions(self):
        """Predictions for the test movies without a network: dict of name -> `(num_test, num_classes)`."""
        train_labels, num_test = self.labels("train"), self.count("test")
        histograms = {part: baselines.color_histograms(self.images(part)) for part in ("train", "test")}
        classifier = baselines.fit_color_histogram(histograms["train"], train_labels)
        return {
            "majority": baselines.majority_class(train_labels, num_test),
            "label_prior": baselines.label_prior(train_labels, num_test),
            "color_histogram": classifier.predict_proba(histograms["test"]),
        }

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 over movies, labels, parts and the bytes of the posters: the same data, the same digits."""
        digest = hashlib.sha256(",".join(self.class_names).encode())
        for imdb_id, part, path, row in zip(
            self.table["imdb_id"],
            self.split,
            self.table["poster_path"],
            self.all_labels,
            strict=True,
        ):
            digest.update(f"{imdb_id} {part} {row.tolist()}".encode())
            digest.update(hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
        return digest.hexdigest()


def load_training_data(config, data):
    """Loads and splits the posters that a config asks for; broken ones are set aside and reported.

    Args:
        config: `TrainingConfig`.
        data: Path of a data folder; see `find_data_folder`.

    Returns:
        `TrainingData`

    Raises:
        FileNotFoundError: If the folder lacks the table or the posters.
        ValueError: If a genre has no movie, a part of the split no movies, or the split leaks and may not.
    """
    folder = find_data_folder(data)
    table = load_movie_table(
        folder.csv,
        posters_dir=folder.posters,
        min_year=config.min_year,
        max_year=config.max_year,
        genres=config.class_names,
        min_genres=config.min_genres,
        missing_year="drop" if config.split == "imdb_id" else "keep",
    )
    read_report = str(table.attrs["report"])
    table, poster_report = ingest.check_posters(table)
    _require_every_genre(table, config.class_names)
    pairs = audit.similar_pairs(poster_report)
    if config.split == "imdb_id":
        split = splits.imdb_id_split(table)
    else:
        groups = audit.duplicate_groups(poster_report, pairs=pairs).loc[table.index]
        split = splits.leak_free(
            table, config.class_names, fractions=config.fractions, groups=groups, seed=config.split_seed
        )
    certificate = audit.leak_certificate(split, poster_report, pairs=pairs)
    if not (certificate.clean or config.allow_leak):
        raise ValueError(
            f"The split leaks. Choose split='leak_free', or, where a paper did so, allow_leak=True.\n{certificate}"
        )
    empty = [part for part in splits.PARTS if not (split == part).any()]
    if empty:
        raise ValueError(f"Too few posters for the split: {', '.join(empty)} would be empty. Received: {len(table)}.")
    return TrainingData(
        table=table,
        split=split,
        class_names=config.class_names,
        image_size=datasets.shrunk_size(config.ratio),
        interpolation=config.interpolation,
        report=f"{read_report}\n{ingest.describe(poster_report)}",
        certificate=certificate,
    )


def _require_every_genre(table, class_names):
    counts = encode_genres(table, class_names).sum(axis=0)
    absent = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if absent:
        raise ValueError(
            f"No movie with a poster has the genre(s) {', '.join(absent)}. "
            f"Received: {len(table)} movies. Leave the genre out, or widen the years."
        )
