"""Everything that decides a training run, in one frozen object that is saved beside the results."""

import dataclasses
import json

from poster_cnn.datasets.crops import POSTER_SIZE, is_crop_size, shrunk_size

_SPLITS = ("leak_free", "imdb_id", "stratified", "random")
PRECISIONS = ("float32", "mixed_bfloat16")
STRATEGIES = ("auto", "one", "mirrored", "multiworker")  # see `distribution`; they decide nothing but the time it takes


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """One training run: which movies, which network, how it is trained, how it is scored.

    Attributes:
        class_names: Genres, in label order.
        experiment: Name of the experiment, such as `"dave_table_2"`. It is recorded, and decides nothing.
        variant: `"faithful"` to a paper, or the name of the correction. It is recorded, and decides nothing.
        set_name: Name of an experiment's set of changes, or of a search's draw. It is recorded, and decides nothing.
        min_year: First year of the movies used. Defaults to `None`: no limit.
        max_year: Last year of the movies used. Defaults to `None`: no limit.
        min_genres: Least number of genres of a movie, of all genres. Defaults to 1.
        genre_groups: Genres that count as one: dict of a name -> the genres (paper 4; see `table.merge_genres`).
            Defaults to none.
        max_movies: Most movies; of more, so many are drawn at random, before `class_names` are looked at (paper 2).
            Defaults to `None`: all.
        keep_unlabeled: Whether movies with none of `class_names` stay, labelled with zeros alone (paper 2's code);
            not with softmax, which names a genre for each. Defaults to `False`.
        one_row_per_genre: Whether a movie of several genres stands in the table once for each, with that genre as its
            only label (paper 3; see `rows.explode_genres`). Defaults to `False`.
        max_per_genre: Most rows of a genre; the others are left out at random. Needs `one_row_per_genre`. Defaults to
            `None`: all.
        crops_per_genre: Crops of posters are added until each genre has so many images (paper 4; see
            `crops.balance_by_crops`). Defaults to `None`: no crops.
        crop_size: `(height, width)` of the crops, in pixels of a 268×182 poster. Defaults to `(150, 150)`.
        crop_before_split: Whether crops are made before the split, so that those of one poster are on both sides
            (paper 4's code); otherwise of train posters alone. Defaults to `False`.
        evaluation_crop: What validation and test posters are without `crop_before_split`: `"whole"`, or `"center"` for
            the crop in their middle. Defaults to `"whole"`.
        split: `"leak_free"` (`splits.leak_free`), `"imdb_id"` (`splits.imdb_id_split`, paper 1), `"stratified"`
            (`splits.stratified_split`, paper 3: rows at random, genre by genre) or `"random"` (`splits.random_split`,
            papers 2 and 4). Defaults to `"leak_free"`.
        fractions: Shares of train, validation and test, but for `"imdb_id"`. Two are shares of train and test: then
            there is no validation part, and what stands for it after each epoch is the test part (papers 2 and 4).
            Defaults to `(0.7, 0.1, 0.2)`.
        split_seed: Seed of the split, of its folds, of `max_movies`, `max_per_genre` and the crops. Defaults to 0.
        num_folds: Cross-validation: train and validation movies are pooled and cut into so many folds. Defaults to
            `None`: no cross-validation.
        fold: Which fold, 0 … `num_folds - 1`, is held out as validation. Defaults to `None`.
        allow_leak: Whether copies of a poster may be on both sides of the split, as in some papers; a split that leaks
            without it is an error. Defaults to `False`.
        ratio: Posters are shrunk to this percentage of 182×268; `None` where `image_size` is given. Defaults to 40.
        image_size: `(height, width)` in pixels. Defaults to that of `ratio`.
        interpolation: How they are shrunk; see `datasets.poster_dataset`. Defaults to `"bilinear"`.
        model: Name of a builder in `poster_cnn.models`. Defaults to `"seven_layer_cnn"`.
        model_args: Further arguments of the builder. Defaults to none.
        classifier_activation: `"softmax"` or `"sigmoid"`. Defaults to `"softmax"`.
        loss: Name of a Keras loss or of one of `losses`; with a sparse one, a row's label is the number of its first
            genre. Defaults to `"categorical_crossentropy"`.
        learning_rate: Of Adam, with Keras's defaults otherwise. Defaults to 1e-4.
        batch_size: Defaults to 32.
        epochs: Defaults to 50.
        validation_steps: Batches of validation posters looked at after each epoch. Defaults to `None`: all.
        cache_features: Whether a frozen backbone looks at each poster once, and not in every epoch; the numbers are the
            same to 1e-4. Defaults to `True`.
        fine_tune_epochs: Further epochs with the backbone unfrozen (paper 3, section III.A). Defaults to 0.
        fine_tune_learning_rate: Of Adam in those epochs. Defaults to 1e-5.
        seed: Seed of the initial weights, dropout and shuffling. Defaults to 0.
        precision: `"float32"`, or `"mixed_bfloat16"`: computing in bfloat16 with float32 weights, faster where the
            processor has it. The model is saved and scored in float32 either way. Defaults to `"float32"`.
        metrics: Scores of the test posters, names of `metrics.BY_NAME`.
    """

    class_names: tuple
    experiment: str = "custom"
    variant: str = "custom"
    set_name: str = ""
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
    num_folds: int | None = None
    fold: int | None = None
    allow_leak: bool = False
    ratio: float | None = None
    image_size: tuple | None = None
    interpolation: str = "bilinear"
    model: str = "seven_layer_cnn"
    model_args: dict = dataclasses.field(default_factory=dict)
    classifier_activation: str = "softmax"
    loss: str = "categorical_crossentropy"
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 50
    validation_steps: int | None = None
    cache_features: bool = True
    fine_tune_epochs: int = 0
    fine_tune_learning_rate: float = 1e-5
    seed: int = 0
    precision: str = "float32"
    metrics: tuple = ("first_label_accuracy", "hit_at_1")

    def __post_init__(self):
        for name in ("class_names", "fractions", "metrics", "crop_size"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._settle_image_size()
        require(len(set(self.class_names)) == len(self.class_names) >= 2, self, "class_names", "2 different genres")
        require(self.split in _SPLITS, self, "split", f"one of {_SPLITS}")
        require(self.classifier_activation in ("softmax", "sigmoid"), self, "classifier_activation", "as documented")
        one_genre = self.classifier_activation == "softmax" or not self.loss.startswith("sparse_")
        require(one_genre, self, "loss", "one of multi-hot labels with sigmoid, such as 'binary_crossentropy'")
        zeros = self.keep_unlabeled and self.classifier_activation == "softmax"
        require(not zeros, self, "keep_unlabeled", "False with softmax, which names a genre for each movie")
        require(self.precision in PRECISIONS, self, "precision", f"one of {PRECISIONS}")
        for name in ("learning_rate", "fine_tune_learning_rate"):
            require(getattr(self, name) > 0, self, name, "a positive number")
        for name in ("batch_size", "epochs"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        for name in ("max_movies", "max_per_genre", "crops_per_genre", "validation_steps"):
            require(getattr(self, name) is None or getattr(self, name) >= 1, self, name, "1 or more, or None")
        require(self.fine_tune_epochs >= 0, self, "fine_tune_epochs", "0 or more")
        limits_rows = self.max_per_genre is not None
        require(self.one_row_per_genre or not limits_rows, self, "max_per_genre", "None unless `one_row_per_genre`")
        needed = (3,) if self.split == "stratified" or self.num_folds else (2, 3)
        require(len(self.fractions) in needed, self, "fractions", "shares of train, validation and test")
        merged = set().union(*self.genre_groups.values()) - set(self.genre_groups)
        apart = merged.isdisjoint(self.class_names)
        require(apart, self, "class_names", f"none of {', '.join(sorted(merged))}, which `genre_groups` merges")
        self._check_crops()
        require(self.num_folds is None or self.num_folds >= 2, self, "num_folds", "2 or more, or None")
        known_fold = self.fold is None or 0 <= self.fold < (self.num_folds or 0)
        require(known_fold, self, "fold", "0 … `num_folds` - 1, or None")

    def _check_crops(self):
        """Of crops, what would have no effect or the wrong one is an error."""
        within = is_crop_size(self.crop_size)
        require(within, self, "crop_size", f"(height, width) in pixels, from (1, 1) to {POSTER_SIZE}, a whole poster")
        idle = self.crop_before_split and not self.crops_per_genre
        require(not idle, self, "crop_before_split", "False without `crops_per_genre`")
        of_train = self.crops_per_genre and not self.crop_before_split
        require(self.evaluation_crop in ("whole", "center"), self, "evaluation_crop", "'whole' or 'center'")
        as_is = self.evaluation_crop == "whole"
        require(of_train or as_is, self, "evaluation_crop", "'whole' where train posters alone are not cropped")
        both = self.crops_per_genre and self.one_row_per_genre
        require(not both, self, "crops_per_genre", "None with `one_row_per_genre`")
        require(
            not (of_train and self.num_folds),
            self,
            "crops_per_genre",
            "None with `num_folds`, unless `crop_before_split`",
        )

    def _settle_image_size(self):
        """Of `ratio` and `image_size` one gives the other; both together must agree."""
        if self.image_size is None:
            object.__setattr__(self, "ratio", 40 if self.ratio is None else self.ratio)
            object.__setattr__(self, "image_size", shrunk_size(self.ratio))
        object.__setattr__(self, "image_size", tuple(self.image_size))
        positive = len(self.image_size) == 2 and min(self.image_size) >= 1
        require(positive, self, "image_size", "(height, width) in pixels")
        agrees = self.ratio is None or shrunk_size(self.ratio) == self.image_size
        require(agrees, self, "image_size", f"{self.ratio}% of 182×268, or ratio=None")

    def replace(self, **changes):
        """A copy with some attributes changed; a new `ratio` changes `image_size`, and the other way round."""
        if "ratio" in changes and "image_size" not in changes:
            changes["image_size"] = None
        elif "image_size" in changes and "ratio" not in changes:
            changes["ratio"] = None
        return dataclasses.replace(self, **changes)

    def to_dict(self):
        """The attributes as a dict, exactly as it comes back from a JSON file; see `as_json`."""
        return as_json(self)

    @classmethod
    def from_dict(cls, content):
        """The inverse of `to_dict`; see `from_json`."""
        return from_json(cls, content)


def as_json(config):
    """A config's attributes as a dict, exactly as it comes back from a JSON file: tuples, also nested, are lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_json(cls, content):
    """The inverse of `as_json`; unknown attributes, written by another version, are an error that names them."""
    unknown = set(content) - {field.name for field in dataclasses.fields(cls)}
    if unknown:
        raise ValueError(f"Unknown configuration: {', '.join(sorted(unknown))}. Was it written by another version?")
    return cls(**content)


def require(good, config, name, expected):
    """Raises a ValueError that says what an attribute of a config must be, unless it is good."""
    if not good:
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={getattr(config, name)!r}")
