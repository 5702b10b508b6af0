"""Config + data folder -> the posters of one training run: loaded, checked, split, decoded once."""

import copy
import dataclasses
import functools
import hashlib
import pathlib

import numpy as np
import pandas as pd

from poster_cnn import datasets
from poster_cnn.datasets import crops, duplicates
from poster_cnn.datasets.crops import CROP_COLUMNS, POSTER_SIZE
from poster_cnn.datasets.verify import check_posters, describe
from poster_cnn.metrics import baselines
from poster_cnn.movies import splits
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.genres import encode_genres, explode_genres, limit_per_genre, merge_genres
from poster_cnn.movies.table import load_movie_table


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


def load_rows(config, folder):
    """Reads the movies that a config asks for; broken posters are set aside and reported.

    Args:
        config: `TrainingConfig`.
        folder: `DataFolder`.

    Returns:
        `(table, manifest, report)`: a row a movie, or a row a movie and genre, or with crops made before the split; the
        manifest of their posters over the same index; and what was left out, as text.

    Raises:
        ValueError: If a genre has no movie.
    """
    table = load_movie_table(
        folder.csv,
        posters_dir=folder.posters,
        min_year=config.min_year,
        max_year=config.max_year,
        min_genres=config.min_genres,
        missing_year="drop" if config.split == "imdb_id" else "keep",
    )
    report = str(table.attrs["report"])
    table, notes = _choose_movies(config, table)
    table, manifest = check_posters(table)
    _require_every_genre(table, config.class_names)
    report += f"{notes}\n{describe(manifest)}"
    if config.one_row_per_genre:
        movies = len(table)
        table = explode_genres(table, config.class_names)
        report += f"\n{len(table)} rows, one a movie and genre, of {movies} movies"
        if config.max_per_genre:
            table = limit_per_genre(table, config.class_names, config.max_per_genre, seed=config.split_seed)
            report += f"\n{len(table)} rows with at most {config.max_per_genre} a genre"
    if config.crops_per_genre and config.crop_before_split:
        table = _with_crops(config, table)
        report += f"\n{len(table)} images with crops"
    return table, manifest_of(table, manifest), report


def _choose_movies(config, table):
    """Merges genres, draws a sample, leaves out movies without a genre asked for; the table, and what was done."""
    notes = ""
    table = merge_genres(table, config.genre_groups)
    if config.max_movies and len(table) > config.max_movies:
        notes += f"\n{config.max_movies} of {len(table)} movies drawn at random"
        table = table.sample(config.max_movies, random_state=config.split_seed).sort_index()
    has_genre = encode_genres(table, config.class_names).any(axis=1)
    done = "kept" if config.keep_unlabeled else "left out"
    notes += f"\n{(~has_genre).sum()} movies with none of the genres asked for {done}"
    table = table if config.keep_unlabeled else table[has_genre]
    return table.reset_index(drop=True), notes


def _with_crops(config, table):
    size, seed = config.crop_size, config.split_seed
    return crops.balance_by_crops(table, config.class_names, config.crops_per_genre, crop_size=size, seed=seed)


def crop_train(config, table, split):
    """Adds crops of train posters, the others being as `config.evaluation_crop` says; the table and its split."""
    train, others = _with_crops(config, table[split == "train"]), table[split != "train"]
    whole = config.evaluation_crop == "whole"
    others = crops.whole_posters(others) if whole else crops.center_crops(others, config.crop_size)
    parts = np.concatenate([np.full(len(train), "train", dtype=object), split[split != "train"].to_numpy()])
    table = pd.concat([train, others], ignore_index=True)
    return table, pd.Series(parts, index=table.index, name="part")


def manifest_of(table, manifest):
    """The manifest's row of each row of a table, of which a movie may have several."""
    return manifest.set_index("imdb_id", drop=False).loc[table["imdb_id"]].set_axis(table.index)


def _require_every_genre(table, class_names):
    counts = encode_genres(table, class_names).sum(axis=0)
    absent = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if absent:
        raise ValueError(
            f"No movie with a poster has the genre(s) {', '.join(absent)}. "
            f"Received: {len(table)} movies. Leave the genre out, or widen the years."
        )
