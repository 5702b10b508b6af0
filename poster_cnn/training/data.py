"""The data of a training run: movies selected, posters checked, split and decoded."""

import copy
import dataclasses
import functools
import hashlib

import numpy as np
import pandas as pd

from poster_cnn import datasets
from poster_cnn.datasets import duplicates
from poster_cnn.datasets.crops import CROP_COLUMNS, POSTER_SIZE
from poster_cnn.datasets.verify import announce, file_hashes
from poster_cnn.metrics import arguments, baselines
from poster_cnn.movies import splits
from poster_cnn.movies.data_folder import data_path, find_data_folder
from poster_cnn.movies.genres import encode_genres, genre_counts, merge_genres
from poster_cnn.training.config import DataConfig
from poster_cnn.training.rows import (
    CheckedOnce,
    choose_folds,
    choose_split,
    crop_train,
    limit_train,
    load_rows,
    manifest_of,
    read_movies,
)


@dataclasses.dataclass
class TrainingData:
    """The posters of a run: table, labels, split and, decoded on first use, pixels.

    Attributes:
        table: Movie table of all parts; with `one_row_per_genre`, one row per movie and genre.
        split: Series of "train", "validation", "test" over the table's index.
        class_names: Genres, in label order.
        image_size: `(height, width)`.
        interpolation: Resizing method.
        report: Dropped rows and posters with the reasons, as text.
        manifest: Report of `verify.check_posters`, which has at least the rows of the table's index.
        pairs: Near-duplicates in the manifest, from `duplicates.similar_pairs`.
        folds: Series over the table's index of the fold in which a row is held out, -1 for test rows. `None` without
            cross-validation.
        weights: Dict of file name -> path of pretrained weights in the data folder.
    """

    table: pd.DataFrame
    split: pd.Series
    class_names: tuple
    image_size: tuple
    interpolation: str
    report: str
    manifest: pd.DataFrame
    pairs: pd.DataFrame
    folds: pd.Series | None = None
    weights: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.baseline_predictions = functools.cache(self._baseline_predictions)
        for name in ("fingerprint", "certificate", "_color_classifier"):  # these depend on the split
            self.__dict__.pop(name, None)
        without = [part for part in splits.PARTS if self.count(part) and not self.labels(part).any()]
        if without:  # movies without a genre are kept, but could not be scored
            raise ValueError(
                f"Too few movies of {', '.join(self.class_names)}: {', '.join(without)} would have none. "
                f"Received: {int(self.all_labels.any(axis=1).sum())} of {len(self.table)}."
            )

    def resized(self, image_size, interpolation):
        """Return the same movies with posters of another size."""
        other = copy.copy(self)
        other.image_size, other.interpolation = image_size, interpolation
        other.__dict__.pop("_posters", None)
        other.__post_init__()
        return other

    def with_fold(self, fold):
        """Return the same movies with another fold held out as validation."""
        other = copy.copy(self)
        other.split = _hold_out(self.split, self.folds, fold)
        other.__post_init__()
        return other

    @functools.cached_property
    def certificate(self):
        """`duplicates.LeakCertificate` of the split."""
        return duplicates.leak_certificate(self.split, self.manifest, pairs=self.pairs)

    def part(self, name):
        """Return the rows of one part."""
        return self.table[self.split == name]

    @functools.cached_property
    def all_labels(self):
        """float32 labels of all rows in table order, `(num_movies, num_classes)`."""
        return encode_genres(self.table, self.class_names)

    def labels(self, name):
        """Return float32 labels of one part, `(num_movies, num_classes)`."""
        return self.all_labels[(self.split == name).to_numpy()]

    def count(self, name):
        """Return the number of rows of one part."""
        return int((self.split == name).sum())

    @property
    def validation_part(self):
        """Part evaluated after each epoch: "validation", or "test" where the split has no validation part."""
        return "validation" if self.count("validation") else "test"

    def whole_movies(self, name):
        """Return the movies of a part with all their genres, where the table has one row per movie and genre.

        Args:
            name: Name of the part.

        Returns:
            `(first, labels)`: positions of each movie's first row in the part, and float32 labels
            `(num_movies, num_classes)`.
        """
        part = self.part(name)
        first = np.flatnonzero(~part["imdb_id"].duplicated())
        movies = part.iloc[first]
        return first, encode_genres(movies.assign(genres=movies["all_genres"]), self.class_names)

    @functools.cached_property
    def _posters(self):
        return datasets.decoded_posters(
            self.table,
            self.class_names,
            image_size=self.image_size,
            interpolation=self.interpolation,
            labels=self.all_labels,
            manifest=self.manifest.loc[self.table.index],
        )

    def decoded(self, name):
        """Return the posters of one part, as from `datasets.decoded_posters`."""
        return self._posters[(self.split == name).to_numpy()]

    def images(self, name):
        """Return uint8 posters of one part, `(num_movies, height, width, 3)`."""
        decoded = self.decoded(name)
        return decoded.images[decoded.positions]

    def _color_histograms(self, name):
        batches = self.decoded(name).batch(256).as_numpy_iterator()  # bounds memory
        return np.concatenate([baselines.color_histograms(images) for images, _ in batches])

    @functools.cached_property
    def _color_classifier(self):
        return baselines.fit_color_histogram(self._color_histograms("train"), self.labels("train"))

    def color_weights(self):
        """Return the color histogram that is a baseline as numbers; see `baselines.color_histogram_weights`."""
        return baselines.color_histogram_weights(self._color_classifier)

    def _baseline_predictions(self, name="test"):
        train_labels, num_movies, num_classes = self.labels("train"), self.count(name), len(self.class_names)
        return {
            "majority": baselines.majority_class(train_labels, num_movies),
            "label_prior": baselines.label_prior(train_labels, num_movies),
            # For one genre, scikit-learn returns "no" and "yes".
            "color_histogram": self._color_classifier.predict_proba(self._color_histograms(name))[:, -num_classes:],
        }

    @functools.cached_property
    def poster_hashes(self):
        """SHA-256 of each row's file and crop, as list of hexadecimal digits in table order."""
        hashes = file_hashes(self.manifest.loc[self.table.index]).tolist()
        if CROP_COLUMNS[0] not in self.table:
            return hashes
        boxes = self.table[list(CROP_COLUMNS)].to_numpy().tolist()
        whole = [0, 0, *POSTER_SIZE]
        return [
            poster_hash if box == whole else hashlib.sha256(f"{poster_hash} {box}".encode()).hexdigest()
            for poster_hash, box in zip(hashes, boxes, strict=True)
        ]

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 over movies, labels, parts and posters, as hexadecimal digits."""
        digest = hashlib.sha256(",".join(self.class_names).encode())
        for imdb_id, part, poster_hash, row in zip(
            self.table["imdb_id"], self.split, self.poster_hashes, self.all_labels, strict=True
        ):
            digest.update(f"{imdb_id} {part} {row.tolist()}".encode())
            digest.update(bytes.fromhex(poster_hash))
        return digest.hexdigest()


@arguments.checked(config=arguments.instance(DataConfig), data=data_path)
def load_training_data(config, data):
    """Load and split the posters that a config selects; broken posters are dropped and reported.

    Args:
        config: `DataConfig`, such as `TrainingConfig.data`.
        data: Path of a data folder or movie table, or a DataFrame; see `find_data_folder`.

    Returns:
        `TrainingData`

    Raises:
        FileNotFoundError: If the folder lacks the table or the posters.
        ValueError: If a genre or a part of the split has no movie, the split leaks without `allow_leak`, or the data
            have no published split for `split="given"`.
    """
    loaded, lost = _load(config, find_data_folder(data))
    announce(loaded.report, lost)
    return loaded


@arguments.checked(config=arguments.instance(DataConfig), data=data_path, min_posters=arguments.count)
def load_frequent_genres(config, data, *, min_posters=200):
    """Load the data of a run of all genres with enough training posters.

    Args:
        config: `DataConfig`, whose `class_names` are not used.
        data: As in `load_training_data`.
        min_posters: Minimum number of training posters of a genre. Defaults to 200.

    Returns:
        `TrainingData` with these genres, in alphabetical order, as `class_names`. Its report names them.

    Raises:
        ValueError: If fewer than two genres have as many.

    Example:

    >>> loaded = load_frequent_genres(config.data, "data")
    >>> train(config.replace(class_names=loaded.class_names), "data", "runs/all", training_data=loaded)
    """
    folder = find_data_folder(data)
    once = {"table": read_movies(config, folder), "check": CheckedOnce()}
    counts, names = genre_counts(merge_genres(once["table"], config.genre_groups)), None
    # Without the movies of a rare genre, the split of the others is another one, so that their counts change.
    while names != sorted(counts.index[counts >= min_posters]):
        names = sorted(counts.index[counts >= min_posters])
        if len(names) < 2:
            found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            expected = f"smaller, as fewer than two genres have as many training posters. Posters by genre: {found}"
            arguments.refuse("min_posters", f"{expected}; or name the genres (--genres)", min_posters)
        loaded, lost = _load(dataclasses.replace(config, class_names=names), folder, **once)
        counts = pd.Series(loaded.labels("train").sum(axis=0).astype(int), index=loaded.class_names)
    found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    loaded.report += f"\n{len(names)} genres with at least {min_posters} training posters: {found}"
    announce(loaded.report, lost)
    return loaded


def _load(config, folder, **once):
    """Return the `TrainingData` of a config, and a warning from `describe_losses`. `once` is for `load_rows`."""
    table, manifest, report, lost = load_rows(config, folder, **once)
    loaded = split_rows(config, table, manifest, report, folder.weights)
    loaded.report = f"{loaded.report}\n{lost}".rstrip()
    if not (config.allow_leak or loaded.certificate.clean):
        raise ValueError(
            "The split leaks. Choose split='leak_free', or allow_leak=True to repeat a paper's split.\n"
            f"{loaded.certificate}"
        )
    return loaded, lost


def split_rows(config, table, manifest, report, weights):
    """Split the rows of a run; it may leak.

    Args:
        config: `DataConfig`.
        table: Movie table, one row per movie, per movie and genre, or per crop.
        manifest: Report of `verify.check_posters` over the table's index.
        report: Text on the rows, which is continued.
        weights: As in `TrainingData`.

    Returns:
        `TrainingData`

    Raises:
        ValueError: If a part of the split has no row, or none with a genre.
    """
    pairs = duplicates.similar_pairs(manifest)
    groups = duplicates.duplicate_groups(manifest, pairs=pairs).loc[table.index]
    split = choose_split(config, table, groups)
    folds = None
    if config.num_folds:
        folds = choose_folds(config, table, split, groups)
        split = _hold_out(split, folds, config.fold)
    if config.max_train_movies:
        table, split = limit_train(table, split, config.max_train_movies, config.split_seed)
        report += f"\n{(split == 'train').sum()} training rows of at most {config.max_train_movies} movies"
    if config.crops_per_genre and not config.crop_before_split:
        table, split = crop_train(config, table, split)
        report += f"\n{(split == 'train').sum()} train images with crops"
        manifest = manifest_of(table, manifest)
        pairs = duplicates.similar_pairs(manifest)
    expected = splits.PARTS if len(config.fractions) == 3 or config.split == "imdb_id" else ("train", "test")
    empty = [part for part in expected if not (split == part).any()]
    if empty:
        raise ValueError(f"Too few movies for the split: {', '.join(empty)} would be empty. Received: {len(table)}.")
    return TrainingData(
        table=table,
        split=split,
        class_names=config.class_names,
        image_size=config.image_size,
        interpolation=config.interpolation,
        report=report,
        manifest=manifest,
        pairs=pairs,
        folds=folds,
        weights=weights,
    )


def _hold_out(split, folds, fold):
    if folds is None or fold is None:
        raise ValueError(
            "Cross-validation needs `num_folds` and the `fold` that is held out. "
            f"Received: num_folds={None if folds is None else folds.max() + 1}, fold={fold}"
        )
    parts = np.select([folds == -1, folds == fold], ["test", "validation"], default="train")
    return pd.Series(parts, index=split.index, name="part")
