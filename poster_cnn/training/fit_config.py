"""The part of a training configuration that says how a network is fitted."""

import dataclasses
import re

from poster_cnn.datasets.crops import AUGMENTATIONS
from poster_cnn.metrics import arguments
from poster_cnn.training.parts import require, require_in

PRECISIONS = ("float32", "mixed_bfloat16")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")
_WEIGHTED = ("binary_crossentropy", "categorical_crossentropy")  # losses with class weights
_SMOOTHED = (*_WEIGHTED, "binary_focal_crossentropy", "categorical_focal_crossentropy")
OWN_LOSSES = ("sigmoid_twice_crossentropy", "asymmetric_loss")  # in `models.losses`, all of them binary


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """The training of a network.

    Attributes:
        loss: Name of a Keras loss or of a loss in `models.losses`. With a sparse loss, the label of a row is the index
            of its first genre. Binary losses need a sigmoid head and categorical ones softmax. Defaults to
            `"categorical_crossentropy"`.
        learning_rate: Learning rate of the optimizer, the highest one of a schedule. Defaults to 1e-4.
        batch_size: Defaults to 32.
        epochs: Defaults to 50.
        first_epoch: Number of epochs of the run in `start_from` that this one continues; set by `continue_run`.
            Defaults to 0.
        validation_steps: Number of validation batches evaluated after each epoch. Defaults to `None`: all.
        cache_features: Whether the features of a frozen backbone are computed once instead of in every epoch. The
            results agree to 1e-4. Defaults to `True`.
        fine_tune_epochs: Number of further epochs with the backbone unfrozen (paper 3, section III.A). Defaults to 0.
        fine_tune_learning_rate: Learning rate in those epochs. Defaults to 1e-5.
        fine_tune_from: Name of the backbone's layer from which it is unfrozen; batch normalization stays frozen. See
            `models.unfreeze`. Defaults to `None`: all layers.
        seed: Seed of the initial weights, dropout and shuffling. Defaults to 0.
        precision: `"float32"`, or `"mixed_bfloat16"`: bfloat16 computation with float32 weights, which is faster on
            processors that support it. The model is saved and scored in float32. Defaults to `"float32"`.
        optimizer: `"adam"`, `"adamw"`, or `"sgd"` with momentum 0.9. Other arguments are Keras's defaults. Defaults to
            `"adam"`.
        weight_decay: Decoupled weight decay per step, as a share of the learning rate. Defaults to `None`: Keras's
            default, which is 0.004 for `"adamw"` and none for the others.
        schedule: `"constant"`, or `"cosine"`: the learning rate decreases to 0 along a cosine. Both phases, with the
            backbone frozen and unfrozen, have a schedule of their own. Defaults to `"constant"`.
        warmup_epochs: Number of epochs, or a part of one, in which the learning rate rises from 0 at the start of a
            phase. Defaults to 0.
        label_smoothing: Share of the labels that is spread over all genres, as in Keras's losses. Defaults to 0.
        class_weights: `"balanced"` weights the genres by their frequencies in the training part: the positive labels by
            `losses.positive_weights` with a sigmoid head, the genres by `losses.balanced_weights` with softmax. Needs a
            cross-entropy. Defaults to `None`: equal weights.
        augmentation: Random changes of the training posters in each epoch: `"none"`, `"flip"`, `"light"`,
            `"randaugment"` or `"mixup"`; see `datasets.augmentation.augment`. Features of changed posters are not
            cached, so `cache_features` then has no effect. Defaults to `"none"`.
        early_stopping: Name of a column of `history.csv`, such as `"val_loss"`. Each phase stops after `patience`
            epochs without a better value, a smaller loss or a larger value of another metric, and the weights of the
            best epoch are kept. Defaults to `None`: all epochs.
        patience: Number of epochs without a better value. Defaults to 5.
        ema_momentum: Momentum of an exponential moving average of the weights over the steps, such as 0.999. The
            averaged weights are evaluated after each epoch and saved at the end. Defaults to `None`: no average.
    """

    loss: str = "categorical_crossentropy"
    learning_rate: float = 1e-4
    batch_size: int = 32
    epochs: int = 50
    first_epoch: int = 0
    validation_steps: int | None = None
    cache_features: bool = True
    fine_tune_epochs: int = 0
    fine_tune_learning_rate: float = 1e-5
    fine_tune_from: str | None = None
    seed: int = 0
    precision: str = "float32"
    optimizer: str = "adam"
    weight_decay: float | None = None
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    class_weights: str | None = None
    augmentation: str = "none"
    early_stopping: str | None = None
    patience: int = 5
    ema_momentum: float | None = None

    def __post_init__(self):
        arguments.convert(self)
        require_in(self, "precision", PRECISIONS)
        require_in(self, "optimizer", OPTIMIZERS)
        require_in(self, "schedule", SCHEDULES)
        for name in ("learning_rate", "fine_tune_learning_rate"):
            require(getattr(self, name) > 0, self, name, "a positive number")
        for name in ("batch_size", "epochs", "patience"):
            require(getattr(self, name) >= 1, self, name, "1 or more")
        require(0 <= self.first_epoch < self.epochs, self, "first_epoch", f"from 0 to less than {self.epochs} epochs")
        steps = self.validation_steps
        require(steps is None or steps >= 1, self, "validation_steps", "1 or more, or None")
        for name in ("fine_tune_epochs", "seed"):
            require(getattr(self, name) >= 0, self, name, "0 or more")
        idle = self.fine_tune_from is not None and not self.fine_tune_epochs
        require(not idle, self, "fine_tune_from", "None without `fine_tune_epochs`")
        require(self.weight_decay is None or self.weight_decay >= 0, self, "weight_decay", "0 or more, or None")
        epochs = self.epochs - self.first_epoch
        shortest = min(epochs, self.fine_tune_epochs or epochs)
        expected = f"from 0 to less than the {shortest} epochs of the shortest phase"
        require(0 <= self.warmup_epochs < shortest, self, "warmup_epochs", expected)
        average = self.ema_momentum
        require(average is None or 0 < average < 1, self, "ema_momentum", "between 0 and 1, or None")
        require_in(self, "augmentation", AUGMENTATIONS)
        self._check_loss()

    def _check_loss(self):
        """Reject options that the loss cannot honor."""
        require(0 <= self.label_smoothing < 1, self, "label_smoothing", "a share from 0 to less than 1")
        smoothed = not self.label_smoothing or self.loss_name in _SMOOTHED
        require(smoothed, self, "label_smoothing", f"0 with loss={self.loss!r}, unlike with {', '.join(_SMOOTHED)}")
        require(self.class_weights in (None, "balanced"), self, "class_weights", "'balanced' or None")
        weighted = not self.class_weights or self.loss_name in _WEIGHTED
        require(weighted, self, "class_weights", f"None with loss={self.loss!r}, unlike with {', '.join(_WEIGHTED)}")

        mixed = self.augmentation == "mixup" and (self.is_sparse or self.class_weights)
        expected = "another one than 'mixup' with sparse losses and class weights, which have no labels between 0 and 1"
        require(not mixed, self, "augmentation", expected)

    @property
    def caches_features(self):
        """True if the features of a frozen backbone are computed once."""
        return self.cache_features and self.augmentation == "none"

    @property
    def stops_at_minimum(self):
        """True if smaller values of the metric of early stopping are better."""
        return self.early_stopping.endswith("loss")

    @property
    def loss_name(self):
        """Name of the loss in small letters with underscores, also if it is the name of a class of Keras."""
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.loss).lower()
        return "binary_crossentropy" if name == "bce" else name

    @property
    def is_sparse(self):
        """True if labels are class indices instead of multi-hot vectors."""
        return self.loss_name.startswith("sparse_")

    def check_last_layer(self, activation):
        """Raise a ValueError if the loss does not fit the activation of the last layer, "softmax" or "sigmoid"."""
        is_binary = self.loss_name.startswith("binary_") or self.loss_name in OWN_LOSSES
        is_categorical = "categorical_" in self.loss_name
        fits = not (is_binary if activation == "softmax" else is_categorical)
        if activation == "softmax":
            expected = "a loss of one distribution with softmax, such as 'categorical_crossentropy'"
        else:
            expected = "a loss of multi-hot labels with sigmoid, such as 'binary_crossentropy'"
        require(fits, self, "loss", expected)
