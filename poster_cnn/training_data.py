"""Config + data folder -> the posters of one training run: loaded, checked, split, decoded once."""

import copy
import dataclasses
import functools
import hashlib
import pathlib

import numpy as np
import pandas as pd

from poster_cnn import datasets
from poster_cnn.datasets import duplicates
from poster_cnn.datasets.crops import CROP_COLUMNS, POSTER_SIZE
from poster_cnn.metrics import baselines
from poster_cnn.movies import splits
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.genres import encode_genres
from poster_cnn.training_rows import crop_train, load_rows, manifest_of


@dataclasses.dataclass
class TrainingData:
    """The posters of a run. `decoded(part)` decodes those of all parts on first use, then keeps them.

    Attributes:
        table: Movie table of all parts; with `one_row_per_genre` a row a movie and genre.
        split: Series of "train", "validation", "test" over the table's index.
        class_names: Genres, in label order.
        image_size: `(height, width)`.
        interpolation: How posters are shrunk.
        report: What was dropped and why, as text.
        certify: Function of a split that gives its `audit.LeakCertificate`.
        folds: Series over the table's index: the fold in which a row is held out, -1 for test rows. `None` without
            cross-validation.
        weights: Dict of pretrained weights that the data folder brings, file name -> path.
    """

    table: pd.DataFrame
    split: pd.Series
    class_names: tuple
    image_size: tuple
    interpolation: str
    report: str
    certify: object
    folds: pd.Series | None = None
    weights: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.baseline_predictions = functools.cache(self._baseline_predictions)
        for name in ("fingerprint", "certificate", "_color_classifier"):  # what depends on the split is found anew
            self.__dict__.pop(name, None)

    def resized(self, image_size, interpolation):
        """The same movies at another size; nothing but the posters is read again."""
        other = copy.copy(self)
        other.image_size, other.interpolation = image_size, interpolation
        other.__dict__.pop("_posters", None)
        other.__post_init__()
        return other

    def with_fold(self, fold):
        """The same movies with another fold held out as validation."""
        other = copy.copy(self)
        other.split = _hold_out(self.split, self.folds, fold)
        other.__post_init__()
        return other

    @functools.cached_property
    def certificate(self):
        """`audit.LeakCertificate`: how many posters have a copy on another side of the split."""
        return self.certify(self.split)

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

    @property
    def validation_part(self):
        """What is looked at after each epoch: "validation", or "test" where the split has no such part."""
        return "validation" if self.count("validation") else "test"

    def whole_movies(self, name):
        """Each movie of a part once, with all of its genres, where it has a row for each of them.

        Returns:
            `(first, labels)`: positions of each movie's first row in the part, and float32 labels of all of its genres
            among `class_names`, `(num_movies, num_classes)`.
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
        )

    def decoded(self, name):
        """The decoded posters of one part, as `datasets.decoded_posters` gives them."""
        return self._posters[(self.split == name).to_numpy()]

    def images(self, name):
        """uint8 posters of one part, `(num_movies, height, width, 3)`."""
        decoded = self.decoded(name)
        return decoded.images[decoded.positions]

    def _color_histograms(self, name):
        batches = self.decoded(name).batch(256).as_numpy_iterator()  # never all posters at once
        return np.concatenate([baselines.color_histograms(images) for images, _ in batches])

    @functools.cached_property
    def _color_classifier(self):
        return baselines.fit_color_histogram(self._color_histograms("train"), self.labels("train"))

    def _baseline_predictions(self, name="test"):
        """Predictions for one part without a network: dict of baseline -> `(num_movies, num_classes)`."""
        train_labels, num_movies = self.labels("train"), self.count(name)
        return {
            "majority": baselines.majority_class(train_labels, num_movies),
            "label_prior": baselines.label_prior(train_labels, num_movies),
            "color_histogram": self._color_classifier.predict_proba(self._color_histograms(name)),
        }

    @functools.cached_property
    def poster_hashes(self):
        """SHA-256 of each poster's bytes, and of its crop, in table order: list of 64 hexadecimal digits."""
        digest = functools.cache(lambda path: hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest())
        hashes = [digest(path) for path in self.table["poster_path"]]
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
        """SHA-256 over movies, labels, parts and the bytes of the posters: the same data, the same digits."""
        digest = hashlib.sha256(",".join(self.class_names).encode())
        for imdb_id, part, poster_hash, row in zip(
            self.table["imdb_id"], self.split, self.poster_hashes, self.all_labels, strict=True
        ):
            digest.update(f"{imdb_id} {part} {row.tolist()}".encode())
            digest.update(bytes.fromhex(poster_hash))
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
    table, manifest, report = load_rows(config, folder)
    pairs = duplicates.similar_pairs(manifest)
    groups = duplicates.duplicate_groups(manifest, pairs=pairs).loc[table.index]
    split = _split(config, table, groups)
    folds = None
    if config.num_folds:
        folds = _folds(config, table, split, groups)
        split = _hold_out(split, folds, config.fold)
    if config.crops_per_genre and not config.crop_before_split:
        table, split = crop_train(config, table, split)
        report += f"\n{(split == 'train').sum()} train images with crops"
        manifest = manifest_of(table, manifest)
        pairs = duplicates.similar_pairs(manifest)
    expected = splits.PARTS if len(config.fractions) == 3 or config.split == "imdb_id" else ("train", "test")
    empty = [part for part in expected if not (split == part).any()]
    if empty:
        raise ValueError(f"Too few posters for the split: {', '.join(empty)} would be empty. Received: {len(table)}.")
    loaded = TrainingData(
        table=table,
        split=split,
        class_names=config.class_names,
        image_size=config.image_size,
        interpolation=config.interpolation,
        report=report,
        certify=functools.partial(duplicates.leak_certificate, manifest=manifest, pairs=pairs),
        folds=folds,
        weights=folder.weights,
    )
    if not (config.allow_leak or loaded.certificate.clean):
        raise ValueError(
            "The split leaks. Choose split='leak_free', or, where a paper did so, allow_leak=True.\n"
            f"{loaded.certificate}"
        )
    return loaded


def _split(config, table, groups):
    if config.split == "imdb_id":
        return splits.imdb_id_split(table)
    options = {"fractions": config.fractions, "seed": config.split_seed}
    if config.split == "random":
        return splits.random_split(table, **options)
    if config.split == "stratified":
        return splits.stratified_split(table, config.class_names, **options)
    return splits.leak_free(table, config.class_names, groups=groups, **options)


def _folds(config, table, split, groups):
    """The fold of each row, -1 for test rows; movies are torn only where the split tears them too."""
    pool = table[split != "test"]
    options = {"n_splits": config.num_folds, "seed": config.split_seed}
    if config.split == "stratified":
        folds = splits.stratified_folds(pool, config.class_names, **options)
    else:
        folds = splits.leak_free_folds(pool, config.class_names, groups=groups, **options)
    return folds.reindex(table.index, fill_value=-1)


def _hold_out(split, folds, fold):
    if folds is None or fold is None:
        raise ValueError(
            "Cross-validation needs `num_folds` and the `fold` that is held out. "
            f"Received: num_folds={None if folds is None else folds.max() + 1}, fold={fold}"
        )
    parts = np.select([folds == -1, folds == fold], ["test", "validation"], default="train")
    return pd.Series(parts, index=split.index, name="part")
