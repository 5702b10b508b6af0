"""The configuration of a training run, in three parts: the data, the network and the fit."""

import dataclasses
import json

from poster_cnn.datasets.crops import INTERPOLATIONS, POSTER_SIZE, is_crop_size, shrunk_size
from poster_cnn.metrics import arguments
from poster_cnn.movies.genre_text import canonical_genre
from poster_cnn.training.fit_config import PRECISIONS, FitConfig  # noqa: F401  PRECISIONS is an option of commands
from poster_cnn.training.parts import (
    attribute_of_part,
    compose,
    flat,
    from_json,
    require,
    require_in,
    set_attributes,
)

SPLITS = ("leak_free", "imdb_id", "stratified", "random", "given")
EPOCH_METRICS = ("overall_f1", "overall_f1_at_622", "top_n_accuracy")  # computed after each epoch too, if asked for
STRATEGIES = ("auto", "one", "mirrored", "multiworker")  # see `distribution`


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The movies and images of a run. Runs with equal parts share their data.

    Attributes:
        class_names: Genres, in label order, in any spelling; IMDb's is stored. With one genre, which needs a sigmoid
            head, the network says whether a movie has it.
        min_year: First year of the movies. Defaults to `None`: no limit.
        max_year: Last year of the movies. Defaults to `None`: no limit.
        min_genres: Minimum number of genres of a movie, counting all genres. Defaults to 1.
        genre_groups: Dict of name -> genres that are merged into it (paper 4; see `genres.merge_genres`). Defaults to
            `{}`.
        max_movies: Maximum number of movies; a larger table is sampled at random before the genres are selected (paper
            2). Defaults to `None`: all movies.
        keep_unlabeled: Whether to keep movies with none of the genres, with labels of zeros (paper 2's code). Defaults
            to `False`, and is always `True` with one genre.
        one_row_per_genre: Whether a movie has one row for each of its genres, with that genre as the only label (paper
            3; see `genres.explode_genres`). Defaults to `False`.
        max_per_genre: Maximum number of rows of a genre; the others are dropped at random. Needs `one_row_per_genre`.
            Defaults to `None`: all rows.
        crops_per_genre: Number of images that each genre is filled up to with crops of posters (paper 4; see
            `crops.balance_by_crops`). Defaults to `None`: no crops.
        crop_size: `(height, width)` of the crops, in pixels of a 268×182 poster. Defaults to `(150, 150)`.
        crop_before_split: Whether crops are made before the split, which puts crops of one poster on both sides (paper
            4's code), or of training posters only. Defaults to `False`.
        evaluation_crop: `"whole"` or `"center"`: how validation and test posters are cropped without
            `crop_before_split`. Defaults to `"whole"`.
        split: `"leak_free"` (`splits.leak_free`), `"imdb_id"` (paper 1), `"stratified"` (paper 3), `"random"` (papers 2
            and 4), or `"given"`, the published split of the data (`splits.given_split`). Defaults to `"leak_free"`.
        fractions: Shares of train, validation and test, or of train and test (papers 2 and 4; the test part is then
            evaluated after each epoch). Not used by `"imdb_id"`, nor by `"given"` if the published split has validation
            movies. Defaults to `(0.7, 0.1, 0.2)`.
        split_seed: Seed of the split, the folds, the crops, `max_movies`, `max_per_genre` and `max_train_movies`.
            Defaults to 0.
        max_train_movies: Maximum number of training movies. Of more, as many are drawn at random and the others
            are in no part; a larger number adds to them. Defaults to `None`: all training movies.
        num_folds: Number of folds that the training and validation movies are divided into for cross-validation.
            Defaults to `None`: no cross-validation.
        fold: Fold that is held out as validation, 0 … `num_folds - 1`. Defaults to `None`.
        allow_leak: Whether copies of a poster may be on both sides of the split, as in some papers. Otherwise a leaking
            split is an error. Defaults to `False`.
        ratio: Percentage of 182×268 that posters are shrunk to; `None` with another `image_size`. Defaults to 40.
        image_size: `(height, width)` in pixels. Defaults to the size of `ratio`.
        interpolation: Resizing method; see `datasets.poster_dataset`. Defaults to `"bilinear"`.
    """

    class_names: tuple
    min_year: int | None = None
    max_year: int | None = None
    min_genres: int = 1
    genre_groups: dict = dataclasses.field(default_factory=dict)
    max_movies: int | None = None
    keep_unlabeled: bool = False
    one_row_per_genre: bool = False
    max_per_genre: int | None = None
    crops_per_genre: int | None = None
    crop_size: tuple = (150, 150)
    crop_before_split: bool = False
    evaluation_crop: str = "whole"
    split: str = "leak_free"
    fractions: tuple = (0.7, 0.1, 0.2)
    split_seed: int = 0
    max_train_movies: int | None = None
    num_folds: int | None = None
    fold: int | None = None
    allow_leak: bool = False
    ratio: float | None = None
    image_size: tuple | None = None
    interpolation: str = "bilinear"

    def __post_init__(self):
        expected = "at least 2 different genres, or one with a sigmoid head"
        names = arguments.names("class_names", self.class_names, expected)
        shares = "shares of train, validation and test, each above 0 and 1 in all"
        fractions = arguments.shares("fractions", self.fractions, expected=shares)
        groups = arguments.groups("genre_groups", self.genre_groups)
        groups = {name: tuple(map(canonical_genre, genres)) for name, genres in groups.items()}
        names = [name if name in groups else canonical_genre(name) for name in names]
        names = arguments.names("class_names", names, expected)
        if len(names) == 1 and self.keep_unlabeled is False:  # otherwise all movies have the genre
            set_attributes(self, keep_unlabeled=True)
        set_attributes(self, class_names=names, fractions=fractions, genre_groups=groups)
        arguments.convert(self)
        self._set_image_size()
        merged = set().union(*self.genre_groups.values()) - set(self.genre_groups)
        expected = f"none of {', '.join(sorted(merged))}, which `genre_groups` merges"
        require(merged.isdisjoint(self.class_names), self, "class_names", expected)
        require_in(self, "split", SPLITS)
        require_in(self, "interpolation", INTERPOLATIONS)
        for name in ("min_genres", "split_seed"):
            require(getattr(self, name) >= 0, self, name, "0 or more")
        for name in ("max_movies", "max_per_genre", "max_train_movies", "crops_per_genre"):
            require(getattr(self, name) is None or getattr(self, name) >= 1, self, name, "1 or more, or None")
        allowed = self.one_row_per_genre or self.max_per_genre is None
        require(allowed, self, "max_per_genre", "None without `one_row_per_genre`")
        needed = (3,) if self.split in ("stratified", "given") or self.num_folds else (2, 3)
        require(len(self.fractions) in needed, self, "fractions", "shares of train, validation and test")
        require(self.num_folds is None or self.num_folds >= 2, self, "num_folds", "2 or more, or None")
        both = self.num_folds and self.max_train_movies
        require(not both, self, "max_train_movies", "None with `num_folds`")
        known_fold = self.fold is None or 0 <= self.fold < (self.num_folds or 0)
        require(known_fold, self, "fold", "0 … `num_folds` - 1, or None")
        self._check_crops()

    def _set_image_size(self):
        """Derive `image_size` from `ratio`, or check that both agree."""
        if self.image_size is None:
            set_attributes(self, ratio=40 if self.ratio is None else self.ratio)
            set_attributes(self, image_size=shrunk_size(self.ratio))
        set_attributes(self, image_size=arguments.size("image_size", self.image_size))
        agrees = self.ratio is None or shrunk_size(self.ratio) == self.image_size
        require(agrees, self, "image_size", f"{self.ratio}% of 182×268, or ratio=None")

    def _check_crops(self):
        """Reject contradictory crop options."""
        expected = f"(height, width) in pixels, from (1, 1) to {POSTER_SIZE}, a whole poster"
        set_attributes(self, crop_size=arguments.size("crop_size", self.crop_size, expected))
        require(is_crop_size(self.crop_size), self, "crop_size", expected)
        idle = self.crop_before_split and not self.crops_per_genre
        require(not idle, self, "crop_before_split", "False without `crops_per_genre`")
        require_in(self, "evaluation_crop", ("whole", "center"))
        train_only = self.crops_per_genre and not self.crop_before_split
        allowed = train_only or self.evaluation_crop == "whole"
        require(allowed, self, "evaluation_crop", "'whole' unless only the training posters are cropped")
        both = self.crops_per_genre and self.one_row_per_genre
        require(not both, self, "crops_per_genre", "None with `one_row_per_genre`")
        folded = train_only and self.num_folds
        require(not folded, self, "crops_per_genre", "None with `num_folds`, unless `crop_before_split`")


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The network of a run.

    Attributes:
        model: Name of a builder in `poster_cnn.models`, `"keras:<class>"` or `"hub:<preset>"`; see
            `models.find_builder`. Defaults to `"seven_layer_cnn"`.
        model_args: Dict of further arguments of the builder. Defaults to `{}`.
        classifier_activation: `"softmax"` or `"sigmoid"`. Defaults to `"softmax"`.
        start_from: Run folder or `.keras` file of the same network, whose weights are the initial ones. With other
            genres, the last layer starts anew. Its training posters may be test posters of this run. Defaults to
            `None`.
    """

    model: str = "seven_layer_cnn"
    model_args: dict = dataclasses.field(default_factory=dict)
    classifier_activation: str = "softmax"
    start_from: str | None = None

    def __post_init__(self):
        arguments.convert(self)
        require_in(self, "classifier_activation", ("softmax", "sigmoid"))


_PARTS = {"data": DataConfig, "network": NetworkConfig, "fit": FitConfig}


@dataclasses.dataclass(frozen=True, init=False)
class TrainingConfig:
    """The configuration of one training run. All arguments are flat keyword arguments.

    Attributes of the parts can also be read from the whole, such as `config.epochs` for `config.fit.epochs`. `to_dict`
    returns all of them, and `from_dict` reads them back.

    Attributes:
        data: `DataConfig`.
        network: `NetworkConfig`.
        fit: `FitConfig`.
        experiment: Name of the experiment, such as `"dave_table_2"`. Stored with the run; does not affect training.
        variant: `"faithful"` to a paper, or the name of the correction. Stored with the run; does not affect training.
        set_name: Name of a set of changes or of a draw. Stored with the run; does not affect training.
        metrics: Names of test scores, keys of `metrics.BY_NAME`.

    Example:

    >>> config = TrainingConfig(class_names=("Horror", "Romance"), ratio=30, epochs=10)
    >>> config.data.image_size
    (80, 55)
    """

    data: DataConfig
    network: NetworkConfig
    fit: FitConfig
    experiment: str = "custom"
    variant: str = "custom"
    set_name: str = ""
    metrics: tuple = ("first_label_accuracy", "hit_at_1")

    def __init__(self, class_names, **options):
        compose(self, _PARTS, {"class_names": class_names} | options)
        arguments.convert(self)
        set_attributes(self, metrics=arguments.names("metrics", self.metrics, "a list of names of metrics", least=0))
        one_label = self.network.classifier_activation == "softmax"
        one_genre = one_label and len(self.data.class_names) == 1
        expected = "at least 2 different genres, or one with classifier_activation='sigmoid'"
        require(not one_genre, self, "class_names", expected)
        self.fit.check_last_layer(self.network.classifier_activation)
        begins = self.fit.first_epoch and self.network.start_from is None
        require(not begins, self, "first_epoch", "0 without `start_from`")
        self._check_early_stopping()
        unlabeled = self.data.keep_unlabeled and one_label
        require(not unlabeled, self, "keep_unlabeled", "False with softmax, which predicts a genre for each movie")

    def _check_early_stopping(self):
        """Reject metrics that are not computed after each epoch, and those of the test part."""
        known = ["loss", "accuracy"]
        known += [] if self.fit.is_sparse else [name for name in self.metrics if name in EPOCH_METRICS]
        allowed = (None, *(f"val_{name}" for name in known), *known)
        require(self.fit.early_stopping in allowed, self, "early_stopping", f"one of {allowed}")
        on_test = str(self.fit.early_stopping).startswith("val_") and len(self.data.fractions) == 2
        wrong = on_test and self.data.split != "imdb_id"
        require(
            not wrong, self, "early_stopping", "None without validation movies, or it would choose on the test movies"
        )

    def __getattr__(self, name):
        return attribute_of_part(self, _PARTS, name)

    def replace(self, **changes):
        """Return a copy with some attributes changed; a new `ratio` changes `image_size`, and the other way round."""
        if "ratio" in changes and "image_size" not in changes:
            changes["image_size"] = None
        elif "image_size" in changes and "ratio" not in changes:
            changes["ratio"] = None
        if "class_names" in changes and len(self.data.class_names) == 1:  # whose `keep_unlabeled` is always True
            changes = {"keep_unlabeled": False} | changes
        return TrainingConfig(**flat(self, _PARTS) | changes)

    def to_dict(self):
        """Return all attributes as a flat dict, as it would be read back from JSON."""
        return json.loads(json.dumps(flat(self, _PARTS)))

    @classmethod
    def from_dict(cls, content):
        """Return the config that `to_dict` returned as a dict."""
        return from_json(cls, content)
