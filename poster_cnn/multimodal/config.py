"""Everything that decides a run of paper 5's ensemble, in one frozen object that is saved beside the results."""

import dataclasses

from poster_cnn.training.config import require

MODALITIES = ("poster", "trailer", "metadata", "plot")  # in the order in which they are stacked
_BACKBONES = ("vgg16", "mobilenet_v2", "resnet18", "resnet50", "resnet152", "densenet121", "densenet201")
_SPLITS = ("leak_free", "given")
_FUSIONS = ("logits", "probabilities")
_FUSION_ROWS = ("train", "validation", "none")


@dataclasses.dataclass(frozen=True)
class EnsembleConfig:
    """One ensemble: which movies and modalities, how branches and fusion are trained, how they are scored (paper 5).

    Attributes:
        class_names: Genres, in label order; the paper has 13.
        experiment: Name of the experiment, such as `"lebaron_ensemble"`. It is recorded, and decides nothing.
        variant: `"faithful"` to the paper, or the name of the correction. It is recorded, and decides nothing.
        set_name: Name of an experiment's set of changes. It is recorded, and decides nothing.
        model: What a run folder holds: `"ensemble"`, or the modality of a branch. Set by `train_ensemble`. Defaults to
            `"ensemble"`.
        modalities: Some of `"poster"`, `"trailer"`, `"metadata"`, `"plot"`; whatever the order given, it becomes this
            one. Defaults to all but trailers.
        split: `"leak_free"` (`splits.leak_free`), or `"given"`: MovieScope's own parts, for a folder that
            `moviescope.read_moviescope` reads. Defaults to `"leak_free"`.
        fractions: Shares of train, validation and test, but for `"given"`. Defaults to `(0.7, 0.1, 0.2)`, as in the
            paper.
        split_seed: Seed of the split. Defaults to 0.
        backbone: What makes features of posters, frozen: `"vgg16"`, the paper's, or a builder of `models.transfer`,
            such as `"mobilenet_v2"`. Defaults to `"vgg16"`.
        backbone_weights: `"imagenet"`, the path of a file, or `None`: random weights. Where the data folder brings a
            file `<backbone>_<anything>.h5`, that stands for "imagenet". Defaults to `"imagenet"`.
        image_size: `(height, width)` in pixels. Defaults to `(224, 224)` (section 3).
        interpolation: How posters are resized; see `datasets.poster_dataset`. Defaults to `"bilinear"`.
        max_words: Words of a plot that count, from its start. Defaults to 3000 (section 3).
        batch_size: Defaults to 64 (section 5).
        epochs: Most epochs, of each branch and of the fusion. Defaults to 100; the paper prints none.
        patience: Epochs without a smaller validation loss before training stops; the weights of the best epoch are
            kept. Defaults to 5; the paper has "a few" (section 5).
        learning_rate: Of Adam. Defaults to 1e-3, Keras's own (section 5).
        weighted: Whether positive labels weigh negatives / positives in the loss (section 4). Defaults to `True`.
        dropout: Fraction of the hidden units of a branch dropped in training: dict of modality -> fraction. Defaults to
            none, as in the paper.
        fusion: What the last layer sees: `"logits"`, for sensible probabilities from any subset of the branches, or
            `"probabilities"`, as in the paper; see `models.late_fusion`. Defaults to `"logits"`.
        fusion_rows: Which movies the fusion is trained on: `"train"`, those of the branches, as in the paper;
            `"validation"`, which no branch has learned by heart; or `"none"`: untrained, the mean of the logits of the
            present branches. Defaults to `"train"`.
        hidden_share: Share of the present branches hidden at random while the fusion trains; of each movie one stays.
            Defaults to 0, as in the paper.
        end_to_end: Whether branches and fusion are trained at once, instead of one after the other. Defaults to
            `False`.
        seed: Seed of the initial weights, dropout, shuffling and hiding. Defaults to 0.
        metrics: Scores of the test movies, names of `metrics.BY_NAME`. Defaults to the paper's three.
    """

    class_names: tuple
    experiment: str = "custom"
    variant: str = "custom"
    set_name: str = ""
    model: str = "ensemble"
    modalities: tuple = ("poster", "metadata", "plot")
    split: str = "leak_free"
    fractions: tuple = (0.7, 0.1, 0.2)
    split_seed: int = 0
    backbone: str = "vgg16"
    backbone_weights: str | None = "imagenet"
    image_size: tuple = (224, 224)
    interpolation: str = "bilinear"
    max_words: int = 3000
    batch_size: int = 64
    epochs: int = 100
    patience: int = 5
    learning_rate: float = 1e-3
    weighted: bool = True
    dropout: dict = dataclasses.field(default_factory=dict)
    fusion: str = "logits"
    fusion_rows: str = "train"
    hidden_share: float = 0.0
    end_to_end: bool = False
    seed: int = 0
    metrics: tuple = ("average_precision_micro", "average_precision", "average_precision_samples")

    def __post_init__(self):
        for name in ("class_names", "modalities", "fractions", "image_size", "metrics"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        require(len(set(self.class_names)) == len(self.class_names) >= 2, self, "class_names", "2 different genres")
        given = set(self.modalities)
        known = given and given <= set(MODALITIES) and len(given) == len(self.modalities)
        require(known, self, "modalities", f"different ones of {', '.join(MODALITIES)}")
        object.__setattr__(self, "modalities", tuple(name for name in MODALITIES if name in given))
        one_of = ("ensemble", *self.modalities)
        require(self.model in one_of, self, "model", f"one of {one_of}")
        for name, allowed in (
            ("split", _SPLITS),
            ("backbone", _BACKBONES),
            ("fusion", _FUSIONS),
            ("fusion_rows", _FUSION_ROWS),
        ):
            require(getattr(self, name) in allowed, self, name, f"one of {allowed}")
        require(len(self.fractions) == 3, self, "fractions", "shares of train, validation and test")
        positive = len(self.image_size) == 2 and min(self.image_size) >= 1
        require(positive, self, "image_size", "(height, width) in pixels")
        for name in ("max_words", "batch_size", "epochs", "patience"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        require(self.learning_rate > 0, self, "learning_rate", "a positive number")
        shares = set(self.dropout) <= given and all(0 <= share < 1 for share in self.dropout.values())
        require(shares, self, "dropout", f"a fraction, 0 … 1, for some of {', '.join(self.modalities)}")
        self._check_fusion()

    def _check_fusion(self):
        """What would have no effect is an error."""
        require(0 <= self.hidden_share < 1, self, "hidden_share", "a share from 0 to less than 1")
        untrained = self.fusion_rows == "none" and self.hidden_share
        require(not untrained, self, "hidden_share", "0 with fusion_rows='none', which trains no fusion")
        random = self.fusion == "probabilities" and self.fusion_rows == "none"
        require(
            not random, self, "fusion_rows", "other than 'none' with fusion='probabilities', whose weights are random"
        )
        at_once = self.end_to_end and self.fusion_rows != "train"
        require(not at_once, self, "fusion_rows", "'train' with `end_to_end`, which trains all on the same movies")

    def replace(self, **changes):
        """A copy with some attributes changed."""
        return dataclasses.replace(self, **changes)
