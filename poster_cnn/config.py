"""Everything that decides a training run, in one frozen object that is saved beside the results."""

import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """One training run: which movies, which network, how it is trained, how it is scored.

    Attributes:
        class_names: Genres, in label order.
        experiment: Name of the experiment, such as `"dave_table_2"`. It is recorded, and decides nothing.
        variant: `"faithful"` to a paper, or the name of the correction. It is recorded, and decides nothing.
        min_year: First year of the movies used. Defaults to `None`: no limit.
        max_year: Last year of the movies used. Defaults to `None`: no limit.
        min_genres: Least number of genres of a movie, of all genres. Defaults to 1.
        split: `"leak_free"` (`splits.leak_free`) or `"imdb_id"` (`splits.imdb_id_split`, paper 1). Defaults to
            `"leak_free"`.
        fractions: Shares of train, validation and test of the `"leak_free"` split. Defaults to `(0.7, 0.1, 0.2)`.
        split_seed: Seed of the `"leak_free"` split. Defaults to 0.
        allow_leak: Whether copies of a poster may be on both sides of the split, as in some papers; a split that leaks
            without it is an error. Defaults to `False`.
        ratio: Posters are shrunk to this percentage of 182×268. Defaults to 40.
        interpolation: How they are shrunk; see `datasets.poster_dataset`. Defaults to `"bilinear"`.
        model: Name of a builder in `poster_cnn.models`. Defaults to `"seven_layer_cnn"`.
        model_args: Further arguments of the builder. Defaults to none.
        classifier_activation: `"softmax"` or `"sigmoid"`. Defaults to `"softmax"`.
        loss: Name of a Keras loss. Defaults to `"categorical_crossentropy"`.
        learning_rate: Of Adam, with Keras's defaults otherwise. Defaults to 1e-4.
        batch_size: Defaults to 32.
        epochs: Defaults to 50.
        seed: Seed of the initial weights, dropout and shuffling. Defaults to 0.
        precision: `"float32"`, or `"mixed_bfloat16"`: computing in bfloat16 with float32 weights, faster where the
            processor has it. The model is saved and scored in float32 either way. Defaults to `"float32"`.
        metrics: Scores of the test posters, names of `metrics.BY_NAME`.
    """

    class_names: tuple
    experiment: str = "custom"
    variant: str = "custom"
    min_year: int | None = None
    max_year: int | None = None
    min_genres: int = 1
    split: str = "leak_free"
    fractions: tuple = (0.7, 0.1, 0.2)
    split_seed: int = 0
    allow_leak: bool = False
    ratio: float = 40
    interpolation: str = "bilinear"
    model: str = "seven_layer_cnn"
    model_args: dict = dataclasses.field(default_factory=dict)
    classifier_activation: str = "softmax"
    loss: str = "categorical_crossentropy"
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 50
    seed: int = 0
    precision: str = "float32"
    metrics: tuple = ("first_label_accuracy", "hit_at_1")

    def __post_init__(self):
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "fractions", tuple(self.fractions))
        object.__setattr__(self, "metrics", tuple(self.metrics))
        _require(len(set(self.class_names)) == len(self.class_names) >= 2, self, "class_names", "2 different genres")
        _require(self.split in ("leak_free", "imdb_id"), self, "split", "'leak_free' or 'imdb_id'")
        _require(self.classifier_activation in ("softmax", "sigmoid"), self, "classifier_activation", "as documented")
        _require(self.precision in ("float32", "mixed_bfloat16"), self, "precision", "'float32' or 'mixed_bfloat16'")
        _require(self.learning_rate > 0, self, "learning_rate", "a positive number")
        _require(self.batch_size >= 1, self, "batch_size", "1 or more")
        _require(self.epochs >= 1, self, "epochs", "1 or more")

    def replace(self, **changes):
        """A copy with some attributes changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self):
        """The attributes as a dict, exactly as it comes back from a JSON file: tuples, also nested ones, are lists."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, content):
        """The inverse of `to_dict`; unknown attributes, written by another version, are an error that names them."""
        unknown = set(content) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise ValueError(f"Unknown configuration: {', '.join(sorted(unknown))}. Was it written by another version?")
        return cls(**content)


def _require(good, config, name, expected):
    if not good:
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={getattr(config, name)!r}")
