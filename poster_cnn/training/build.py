"""Networks from configs, compiled, on any Keras backend."""

import contextlib
import inspect
import math

import keras
import numpy as np
from keras import ops

from poster_cnn.metrics import arguments
from poster_cnn.metrics.scores import LOGIT_HALF, check_names
from poster_cnn.models import losses
from poster_cnn.models.backbones import first_unfrozen
from poster_cnn.models.named import KERAS, find_builder
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.fit_config import OWN_LOSSES
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.start import take_weights

# Batches per call of the compiled step: a fifth more posters/s on CPUs. Steps on PyTorch are not compiled.
_STEPS_PER_EXECUTION = 1 if keras.backend.backend() == "torch" else 16


@arguments.checked(
    config=arguments.instance(TrainingConfig),
    weights=arguments.optional(arguments.instance(dict)),
    labels=arguments.optional(arguments.numeric),
)
def build_model(config, weights=None, labels=None):
    """Build and compile the network of a config.

    Args:
        config: `TrainingConfig`.
        weights: Dict of file name -> path of pretrained weights in the data folder. The file whose name starts with
            `<model>_` replaces "imagenet". Defaults to `None`: Keras downloads them.
        labels: Labels of the training part, needed for schedules and class weights. Defaults to `None`.

    Returns:
        `keras.Model`, compiled with the config's optimizer, its loss and `epoch_metrics`.
    """
    size, num_classes = config.data.image_size, len(config.data.class_names)
    network = build_network(config.network, size, num_classes, precision=config.fit.precision, weights=weights)
    if config.network.start_from is not None:
        take_weights(network, config.network.start_from, config.data.class_names)
    return compile_network(network, config, config.fit.learning_rate, labels=labels)


@unchanged_process()
def check_config(config, weights=None):
    """Raise the error of a config whose metrics are unknown, or whose network cannot be built, compiled or fine-tuned.

    All of this needs no data.

    Args:
        config: `TrainingConfig`.
        weights: As in `build_model`. Pretrained weights are loaded; without any, nothing is allocated.

    Raises:
        ValueError: If a metric, the network, one of its arguments, its image size or its loss is not possible.
        FileNotFoundError, RuntimeError: If the initial weights are missing.
    """
    check_names(config.metrics, "metrics")
    size, num_classes, start = config.data.image_size, len(config.data.class_names), config.network.start_from
    is_random = start is None and pretrained_weights(config.network, weights) is None
    scope = keras.StatelessScope(initialize_variables=False) if is_random else contextlib.nullcontext()
    with scope:
        network = build_network(config.network, size, num_classes, precision=config.fit.precision, weights=weights)
    if start is not None:
        take_weights(network, start, config.data.class_names)
    labels = np.eye(num_classes, dtype="float32")
    with_none = np.eye(num_classes + 1, num_classes)  # there is a warning of a genre that all movies have
    compile_network(network, config, config.fit.learning_rate, labels=with_none)
    y_true, y_pred = np.arange(num_classes) if config.fit.is_sparse else labels, ops.full_like(labels, 1 / num_classes)
    try:
        network.compute_loss(y=y_true, y_pred=y_pred)
    except Exception as error:  # of any type, as each loss has its own
        expected = f"a loss of one label vector per poster ({str(error).partition(chr(10))[0]})"
        raise ValueError(f"`loss` must be {expected}. Received: loss={config.fit.loss!r}") from error
    if config.fit.fine_tune_epochs:
        first_unfrozen(network, config.fit.fine_tune_from, "fine_tune_from")


def pretrained_weights(network, weights=None):
    """Return the initial weights of a network.

    Args:
        network: `NetworkConfig`.
        weights: As in `build_model`.

    Returns:
        "imagenet", the path of a file as str, or `None` for random weights.
    """
    default = inspect.signature(find_builder(network.model)).parameters.get("weights")
    asked = network.model_args.get("weights", default.default if default else None)
    stem = network.model.removeprefix(KERAS).lower()
    brought = [str(path) for name, path in (weights or {}).items() if name.lower().startswith(f"{stem}_")]
    return brought[0] if asked == "imagenet" and brought else asked


def build_network(network, image_size, num_classes, *, precision="float32", weights=None):
    """Build a network without compiling it.

    Args:
        network: `NetworkConfig`.
        image_size: `(height, width)` in pixels.
        num_classes: Number of genres.
        precision: Keras dtype policy. Defaults to `"float32"`.
        weights: As in `build_model`.

    Returns:
        `keras.Model`

    Raises:
        ValueError: If the model or one of its arguments is unknown.
    """
    builder = find_builder(network.model)
    given = ("input_shape", "num_classes", "classifier_activation")  # attributes of the config
    known = [name for name in inspect.signature(builder).parameters if name not in given]
    options = dict(network.model_args)
    if unknown := [name for name in options if name not in known]:
        raise ValueError(
            f"{network.model} does not take {', '.join(unknown)}. Expected some of {', '.join(known)}. "
            f"Received: model_args={network.model_args}"
        )
    if "weights" in known:
        options["weights"] = pretrained_weights(network, weights)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        activation = network.classifier_activation
        return builder((*image_size, 3), num_classes, classifier_activation=activation, **options)
    finally:
        keras.config.set_dtype_policy(policy)


def compile_network(model, config, learning_rate, *, epochs=None, labels=None):
    """Compile a network with a config's optimizer, its loss and `epoch_metrics`.

    Args:
        model: `keras.Model`.
        config: `TrainingConfig`.
        learning_rate: Learning rate, the highest one of a schedule.
        epochs: Number of epochs of the schedule. Defaults to `None`: those of the first phase.
        labels: As in `build_model`.

    Returns:
        The same model.
    """
    fit = config.fit
    epochs = fit.epochs - fit.first_epoch if epochs is None else epochs
    if labels is None and (fit.schedule != "constant" or fit.warmup_epochs or fit.class_weights):
        expected = "the labels of the training part with `schedule`, `warmup_epochs` or `class_weights`"
        arguments.refuse("labels", expected, labels)
    if fit.schedule != "constant" or fit.warmup_epochs:
        learning_rate = _schedule(fit, learning_rate, epochs, math.ceil(len(labels) / fit.batch_size))
    model.compile(
        optimizer=_optimizer(fit, learning_rate),
        loss=_loss(config, labels),
        metrics=epoch_metrics(config),
        steps_per_execution=_STEPS_PER_EXECUTION,
    )
    return model


def _schedule(fit, learning_rate, epochs, steps_per_epoch):
    """Return a schedule of Keras, a function of the optimizer's step, so that a resumed run continues it."""
    warmup = round(fit.warmup_epochs * steps_per_epoch)
    if fit.schedule == "constant":
        return keras.optimizers.schedules.PolynomialDecay(0.0, warmup, learning_rate) if warmup else learning_rate
    rising = {"warmup_target": learning_rate, "warmup_steps": warmup} if warmup else {}
    first = 0.0 if warmup else learning_rate
    falling = max(1, epochs * steps_per_epoch - warmup)  # few steps may all be rounded to the warm-up
    return keras.optimizers.schedules.CosineDecay(first, falling, **rising)


def _optimizer(fit, learning_rate):
    options = {} if fit.weight_decay is None else {"weight_decay": fit.weight_decay}
    if fit.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": fit.ema_momentum}
    if fit.optimizer == "sgd":
        options |= {"momentum": 0.9}
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
    return kinds[fit.optimizer](learning_rate, **options)


def _loss(config, labels):
    """Return the loss of a config, with its label smoothing and its class weights."""
    fit, name = config.fit, config.fit.loss_name
    smoothing = {"label_smoothing": fit.label_smoothing} if fit.label_smoothing else {}
    if fit.class_weights and name == "binary_crossentropy":
        weights = losses.positive_weights(labels, config.data.class_names)
        return losses.WeightedBinaryCrossentropy(weights, **smoothing)
    if fit.class_weights:  # without focusing, this is the cross-entropy with a weight for each genre
        weights = losses.balanced_weights(labels).tolist()
        return keras.losses.CategoricalFocalCrossentropy(alpha=weights, gamma=0.0, **smoothing)
    if smoothing:
        return getattr(keras.losses, name.title().replace("_", ""))(**smoothing)
    loss = getattr(losses, name) if name in OWN_LOSSES else fit.loss
    try:
        keras.losses.get(loss)
    except (TypeError, ValueError):
        arguments.refuse("loss", f"the name of a loss of Keras, or one of {', '.join(OWN_LOSSES)}", fit.loss)
    return loss


def seed_dropout(model, seed, epoch):
    """Set the random state of each dropout layer from the run's seed and the epoch, so that a resumed run repeats it.

    Args:
        model: `keras.Model`.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.
    """
    for position, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        states = [] if generator is None else [(generator.state, ())]
        if isinstance(layer, keras.Model):  # some backbones have dropout inside
            inner = [variable for variable in layer.variables if variable.path.endswith("seed_generator_state")]
            states = [(state, (number,)) for number, state in enumerate(inner)]
        for state, number in states:
            drawn = np.random.SeedSequence([seed, epoch, position, *number]).generate_state(2)
            state.assign(drawn.astype(state.dtype))


def epoch_metrics(config):
    """Return the metrics that are computed after each epoch.

    Args:
        config: `TrainingConfig`.

    Returns:
        List of `keras.metrics.Metric`: `accuracy` (`CategoricalAccuracy` or `SparseCategoricalAccuracy` with softmax,
        `BinaryAccuracy` with sigmoid), then those of `overall_f1`, `overall_f1_at_622` and `top_n_accuracy` among the
        config's metrics.
    """
    if config.network.classifier_activation == "sigmoid":
        accuracy = keras.metrics.BinaryAccuracy
    elif config.fit.is_sparse:
        accuracy = keras.metrics.SparseCategoricalAccuracy
    else:
        accuracy = keras.metrics.CategoricalAccuracy
    offered = {
        "overall_f1": lambda name: keras.metrics.F1Score(average="micro", threshold=0.5, name=name),
        "overall_f1_at_622": lambda name: keras.metrics.F1Score(average="micro", threshold=LOGIT_HALF, name=name),
        "top_n_accuracy": lambda name: keras.metrics.MeanMetricWrapper(_top_n_accuracy, name=name),
    }
    wanted = [make(name) for name, make in offered.items() if name in config.metrics and not config.fit.is_sparse]
    nothing = np.zeros((1, len(config.data.class_names)), "float32")
    for metric in wanted:  # F1Score creates its variables: done in the first step, TensorFlow traces the step twice
        metric.update_state(nothing, nothing)
        metric.reset_state()
    return [accuracy(name="accuracy"), *wanted]


@keras.saving.register_keras_serializable(package="poster_cnn")
def _top_n_accuracy(y_true, y_pred):
    """Compute `metrics.top_n_accuracy` of each movie of a batch; a movie without a genre counts as 0."""
    order = ops.argsort(-y_pred, axis=-1)  # ties are broken in label order
    ranked = ops.take_along_axis(y_true, order, axis=-1)
    num_genres = ops.sum(y_true, axis=-1, keepdims=True)
    among_top_n = ops.cast(ops.arange(ranked.shape[-1], dtype=ranked.dtype) < num_genres, ranked.dtype)
    return ops.sum(ranked * among_top_n, axis=-1) / ops.maximum(num_genres[:, 0], 1)


def require_finite(row, what, learning_rate, weights):
    """Check that the losses and the weights of an epoch are finite.

    NaN weights need not show in a loss, as ReLU can turn NaN into 0.

    Args:
        row: Dict of one epoch with `epoch`, `loss` and, with validation, `val_loss`. The last step of an epoch may
            spoil the weights, which only the latter shows.
        what: What is trained, such as the run folder, for the message.
        learning_rate: Learning rate of the epoch, for the message.
        weights: Weights after the epoch, such as `model.weights`.

    Raises:
        FloatingPointError: If a loss or a weight is NaN or infinite.
    """
    names = [name for name in ("loss", "val_loss") if not math.isfinite(row.get(name, 0))]
    spoilt = [f"The {name} became {row[name]}" for name in names]
    if not spoilt:
        not_finite = [weight.path for weight in weights if not np.isfinite(ops.convert_to_numpy(weight)).all()]
        spoilt = [f"{path} became NaN or infinite" for path in not_finite]
    if spoilt:
        raise FloatingPointError(
            f"{spoilt[0]} in epoch {row['epoch']} of {what}. Try a smaller learning rate, or float32 if the "
            f"precision is mixed_bfloat16. Received: learning_rate={learning_rate:g}"
        )
