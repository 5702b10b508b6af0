"""The configuration of an ensemble run of paper 5."""

import dataclasses
import json

from poster_cnn.metrics import arguments
from poster_cnn.training.config import DataConfig
from poster_cnn.training.parts import (
    attribute_of_part,
    compose,
    flat,
    require,
    require_in,
    set_attributes,
)

MODALITIES = ("poster", "trailer", "metadata", "plot")  # the order in which the branches are stacked
_BACKBONES = ("vgg16", "mobilenet_v2", "resnet18", "resnet50", "resnet152", "densenet121", "densenet201")
_DATA = {"split": "leak_free", "fractions": (0.7, 0.1, 0.2), "image_size": (224, 224)}  # as in the paper
_DATA_NAMES = {"class_names", "split", "fractions", "split_seed", "image_size", "interpolation"}
_UNUSED = {item.name for item in dataclasses.fields(DataConfig)} - _DATA_NAMES


@dataclasses.dataclass(frozen=True)
class InputConfig:
    """The inputs of the branches. Ensembles with equal data and inputs share them.

    Attributes:
        modalities: Some of `"poster"`, `"trailer"`, `"metadata"`, `"plot"`, in any order. Defaults to all but trailers.
        backbone: Frozen feature extractor of the posters: `"vgg16"`, the paper's, or another builder of
            `models.pretrained`, such as `"mobilenet_v2"`. Defaults to `"vgg16"`.
        backbone_weights: `"imagenet"`, the path of a file, or `None` for random weights. A file
            `<backbone>_<anything>.h5` in the data folder replaces "imagenet". Defaults to `"imagenet"`.
        plot_encoder: `"word_vectors"`, the mean vector of a plot's words as in the paper, or `"sentences"`, an
            embedding of the whole plot; see `sentence_vectors`. Defaults to `"word_vectors"` (section 3).
        max_words: Number of words used from the start of a plot, with word vectors. Defaults to 3000 (section 3).
    """

    modalities: tuple = ("poster", "metadata", "plot")
    backbone: str = "vgg16"
    backbone_weights: str | None = "imagenet"
    plot_encoder: str = "word_vectors"
    max_words: int = 3000

    def __post_init__(self):
        arguments.convert(self)
        expected = f"different ones of {', '.join(MODALITIES)}"
        given = arguments.names("modalities", self.modalities, expected)
        require(set(given) <= set(MODALITIES), self, "modalities", expected)
        set_attributes(self, modalities=tuple(name for name in MODALITIES if name in given))
        require_in(self, "backbone", _BACKBONES)
        require_in(self, "plot_encoder", ("word_vectors", "sentences"))
        require(self.max_words >= 1, self, "max_words", "1 or more")


_PARTS = {"data": DataConfig, "inputs": InputConfig}


@dataclasses.dataclass(frozen=True, init=False)
class EnsembleConfig:
    """The configuration of one ensemble (paper 5). All arguments are flat keyword arguments.

    Of the data's attributes, ensembles use `class_names`, `split` (`"leak_free"`, or `"given"` for MovieScope's own
    parts; see `moviescope.read_moviescope`), `fractions`, `split_seed`, `image_size` (224×224 by default, section 3)
    and `interpolation`. Attributes of the parts can also be read from the whole, such as `config.modalities`.

    Attributes:
        data: `DataConfig`.
        inputs: `InputConfig`.
        experiment: Name of the experiment, such as `"lebaron_ensemble"`. Stored with the run; does not affect training.
        variant: `"faithful"` to the paper, or the name of the correction. Stored with the run; does not affect
            training.
        set_name: Name of a set of changes. Stored with the run; does not affect training.
        model: Content of a run folder: `"ensemble"`, or the modality of a branch. Set by `train_ensemble`. Defaults to
            `"ensemble"`.
        batch_size: Defaults to 64 (section 5).
        epochs: Maximum number of epochs of each branch and of the fusion. Defaults to 100; the paper prints none.
        patience: Number of epochs without a smaller validation loss before training stops; the weights of the best
            epoch are kept. Defaults to 5; the paper has "a few" (section 5).
        learning_rate: Learning rate of Adam. Defaults to 1e-3, Keras's own (section 5).
        weighted: Whether positive labels are weighted by negatives / positives in the loss (section 4). Defaults to
            `True`.
        dropout: Dict of modality -> fraction of the branch's hidden units dropped in training. Defaults to `{}`, as in
            the paper.
        fusion: Input of the last layer: `"logits"`, which gives sensible probabilities for any subset of the branches,
            or `"probabilities"`, as in the paper; see `models.late_fusion`. Defaults to `"logits"`.
        fusion_rows: Movies that the fusion is trained on: `"train"`, as in the paper; `"validation"`, which the
            branches have not been trained on; or `"none"`: no training, the mean of the logits of the present branches.
            Defaults to `"train"`.
        hidden_share: Share of the present branches hidden at random while the fusion trains; one branch of each movie
            stays. Defaults to 0, as in the paper.
        end_to_end: Whether branches and fusion are trained together instead of one after the other. Defaults to
            `False`.
        seed: Seed of the initial weights, dropout, shuffling and hiding. Defaults to 0.
        metrics: Names of test scores, keys of `metrics.BY_NAME`. Defaults to the paper's three.
    """

    data: DataConfig
    inputs: InputConfig
    experiment: str = "custom"
    variant: str = "custom"
    set_name: str = ""
    model: str = "ensemble"
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

    def __init__(self, class_names, **options):
        if wrong := sorted(_UNUSED & set(options)):
            raise TypeError(f"EnsembleConfig() got an unexpected keyword argument {wrong[0]!r}")
        compose(self, _PARTS, {"class_names": class_names} | _DATA | options)
        require(len(self.data.class_names) >= 2, self, "class_names", "at least 2 different genres")
        arguments.convert(self)
        set_attributes(self, metrics=arguments.names("metrics", self.metrics, "a list of names of metrics", least=0))
        require_in(self, "model", ("ensemble", *self.inputs.modalities))
        require_in(self, "split", ("leak_free", "given"))
        require_in(self, "fusion", ("logits", "probabilities"))
        require_in(self, "fusion_rows", ("train", "validation", "none"))
        require(len(self.data.fractions) == 3, self, "fractions", "shares of train, validation and test")
        for name in ("batch_size", "epochs", "patience"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        require(self.seed >= 0, self, "seed", "0 or more")
        require(self.learning_rate > 0, self, "learning_rate", "a positive number")
        modalities = self.inputs.modalities
        shares = [arguments.number("dropout", share) for share in self.dropout.values()]
        allowed = set(self.dropout) <= set(modalities) and all(0 <= share < 1 for share in shares)
        require(allowed, self, "dropout", f"a fraction, 0 … 1, for some of {', '.join(modalities)}")
        self._check_fusion()

    def _check_fusion(self):
        """Reject options of the fusion that would have no effect."""
        require(0 <= self.hidden_share < 1, self, "hidden_share", "a share from 0 to less than 1")
        untrained = self.fusion_rows == "none"
        hidden = untrained and self.hidden_share
        require(not hidden, self, "hidden_share", "0 with fusion_rows='none', which trains no fusion")
        random = untrained and self.fusion == "probabilities"
        expected = "'train' or 'validation' with fusion='probabilities', whose initial weights are random"
        require(not random, self, "fusion_rows", expected)
        together = self.end_to_end and self.fusion_rows != "train"
        require(not together, self, "fusion_rows", "'train' with `end_to_end`, which trains all on the same movies")

    def __getattr__(self, name):
        return attribute_of_part(self, _PARTS, name)

    def replace(self, **changes):
        """Return a copy with some attributes changed."""
        return EnsembleConfig(**self._flat() | changes)

    def to_dict(self):
        """Return all attributes as a flat dict, as it would be read back from JSON."""
        return json.loads(json.dumps(self._flat()))

    def _flat(self):
        return {name: value for name, value in flat(self, _PARTS).items() if name not in _UNUSED}
