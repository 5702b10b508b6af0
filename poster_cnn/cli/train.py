"""`poster-cnn train`: train one network on a data folder."""

import argparse
import functools
import importlib.util
import pathlib

from poster_cnn.cli.option_names import require
from poster_cnn.datasets.crops import AUGMENTATIONS
from poster_cnn.evaluation.terminal import print_scores
from poster_cnn.movies.data_folder import LAYOUTS
from poster_cnn.training.config import PRECISIONS, SPLITS, STRATEGIES
from poster_cnn.training.fit_config import OPTIMIZERS, SCHEDULES

# Options with the names and defaults of attributes of `TrainingConfig`, and those whose defaults are the config's.
_SAME = (
    "model start_from split allow_leak ratio image_size epochs fine_tune_epochs learning_rate batch_size seed precision"
).split()
_FIT_OPTIONS = (
    "loss optimizer weight_decay schedule warmup_epochs label_smoothing class_weights ema_momentum augmentation "
    "early_stopping patience fine_tune_from fine_tune_learning_rate"
).split()


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("--data", required=True, help=f"{LAYOUTS}; the notes say which was found")
    command.add_argument("--posters", metavar="DIR", help="folder of posters (default: the one in the data folder)")
    command.add_argument("--out", required=True, help="run folder to write; an interrupted run continues")
    genres = "comma-separated, such as Horror,Romance; or one: yes or no; or all with enough posters (default: all)"
    command.add_argument("--genres", default="all", help=genres)
    command.add_argument("--min-posters", type=int, help="of a genre, for training, with --genres all (default: 200)")
    command.add_argument("--model", default="seven_layer_cnn", help="see `poster-cnn models` (default: %(default)s)")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--ratio", type=float, help="shrink posters to this percentage of 182x268 (default: 40)")
    size.add_argument("--image-size", type=_image_size, metavar="HEIGHTxWIDTH", help="such as 128x128; not --ratio")
    weights = "imagenet, posters (of the network that comes with the package), none, or a file (default: the builder's)"
    command.add_argument("--weights", help=weights)
    command.add_argument("--epochs", type=int, default=50, help="default: 50")
    command.add_argument("--dropout", type=float, help="fraction dropped in training (default: the builder's)")
    command.add_argument("--fine-tune-epochs", type=int, default=0, help="further epochs with the backbone unfrozen")
    command.add_argument("--learning-rate", type=float, default=1e-4, help="default: 1e-4")
    command.add_argument("--batch-size", type=int, default=32, help="default: 32")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    head = "default: softmax (paper 1), and sigmoid with one genre"
    command.add_argument("--head", choices=("softmax", "sigmoid"), help=head)
    command.add_argument("--precision", choices=PRECISIONS, default="float32", help="default: float32")
    strategy = "one device, mirrored: all GPUs, multiworker: the hosts in TF_CONFIG (default: auto, the most available)"
    command.add_argument("--strategy", choices=STRATEGIES, default="auto", help=strategy)
    command.add_argument("--split", choices=SPLITS, default="leak_free", help="default: leak_free; given: as published")
    command.add_argument("--allow-leak", action="store_true", help="train even if copies of posters cross the split")
    _add_fit_options(command)
    command.add_argument("--start-from", metavar="RUN", help="take the weights of another run, whose genres may differ")
    command.add_argument("--tensorboard", action="store_true", help="write logs of TensorBoard to OUT/tensorboard")


def _add_fit_options(command):
    """Add the options of `FitConfig` that change how the network is fitted; what is not given has its default."""
    group = command.add_argument_group("options of the fit, described in docs/own_posters.md")
    group.add_argument("--loss", help="of Keras, or asymmetric_loss (default: the cross-entropy of the head)")
    group.add_argument("--optimizer", choices=OPTIMIZERS, help="default: adam")
    group.add_argument("--weight-decay", type=float, help="default: 0.004 for adamw, none for the others")
    group.add_argument("--schedule", choices=SCHEDULES, help="of the learning rate (default: constant)")
    group.add_argument("--warmup-epochs", type=float, help="epochs in which the learning rate rises (default: 0)")
    group.add_argument("--label-smoothing", type=float, help="share of the labels (default: 0)")
    group.add_argument("--class-weights", choices=("balanced",), help="weight the genres by their frequencies")
    group.add_argument("--ema-momentum", type=float, help="average the weights over the steps, such as 0.999")
    group.add_argument("--augmentation", choices=AUGMENTATIONS, help="of the training posters (default: none)")
    group.add_argument("--early-stopping", metavar="METRIC", help="keep the best epoch, such as by val_loss")
    group.add_argument("--patience", type=int, help="epochs without a better METRIC (default: 5)")
    group.add_argument("--fine-tune-from", metavar="LAYER", help="unfreeze the backbone from this layer on")
    group.add_argument("--fine-tune-learning-rate", type=float, help="default: 1e-5")


def _image_size(text):
    try:
        height, width = (int(number) for number in text.lower().split("x"))
    except ValueError:
        expected = "HEIGHTxWIDTH in pixels, such as 128x128"
        raise argparse.ArgumentTypeError(f"expected {expected}. Received: {text!r}") from None
    return height, width


def run(options):
    """Train the network and print its scores."""
    from poster_cnn.movies.data_folder import find_data_folder
    from poster_cnn.training import distribution, is_finished
    from poster_cnn.training.continuation import continue_run, out_of
    from poster_cnn.training.data import load_frequent_genres
    from poster_cnn.training.train import load_for, train

    takes_all = options.genres.strip().lower() == "all"
    if options.min_posters is not None and not takes_all:
        raise ValueError(f"--min-posters needs --genres all. Received: --genres {options.genres}")
    require(options, "patience", "early_stopping")
    require(options, "fine_tune_learning_rate", "fine_tune_epochs")
    out, start, loaded = pathlib.Path(options.out), None, None
    config = _config(options, _recorded_genres(out) if takes_all else options.genres.split(","))
    callbacks = [_tensorboard(out / "tensorboard")] if options.tensorboard else []
    data = find_data_folder(options.data, posters_dir=options.posters)
    if is_finished(out) and _has_fewer_epochs(out, config):
        start, out = out, out_of(out, config.epochs)
        print(f"{start} is finished and stays as it is; a copy goes on to {config.epochs} epochs, with a new optimizer")
    if takes_all and start is None:
        least = {} if options.min_posters is None else {"min_posters": options.min_posters}
        load = functools.partial(load_frequent_genres, **least)
        strategy = distribution.choose_strategy(options.strategy)
        loaded = load_for(config, data, out, strategy, callbacks, load=load)
        config = config.replace(class_names=loaded.class_names)
    finished_before = is_finished(out)
    how = {"strategy": options.strategy, "callbacks": callbacks, "training_data": loaded}
    if start is not None:
        result = continue_run(start, data, epochs=config.epochs, out=out, **how)
    else:
        result = train(config, data, out, **how)
    if not result:
        print(f"run folder: {out}, written by the chief")
        return
    print_scores(result)
    print(f"run folder: {out}{', finished before: nothing was trained' if finished_before else ''}")


def _recorded_genres(out):
    """Return the genres of the run in a folder, or any two: those of a new run follow from the data."""
    from poster_cnn.training.run_folder import recorded_config

    return recorded_config(out).class_names if (out / "config.json").is_file() else ("Comedy", "Drama")


def _config(options, genres):
    """Return the `TrainingConfig` of the options for some genres."""
    from poster_cnn.training import TrainingConfig

    class_names = tuple(name.strip() for name in genres if name.strip())
    is_sigmoid = options.head == "sigmoid" or (options.head is None and len(class_names) == 1)
    model_args = {} if options.dropout is None else {"dropout": options.dropout}
    if options.weights is not None:
        model_args["weights"] = None if options.weights.lower() == "none" else options.weights
    fit_options = {name: getattr(options, name) for name in _FIT_OPTIONS if getattr(options, name) is not None}
    return TrainingConfig(
        class_names=class_names,
        model_args=model_args,
        classifier_activation="sigmoid" if is_sigmoid else "softmax",
        metrics=_metrics(len(class_names), is_sigmoid),
        **{"loss": "binary_crossentropy" if is_sigmoid else "categorical_crossentropy"} | fit_options,
        **{name: getattr(options, name) for name in _SAME},
    )


def _metrics(num_genres, is_sigmoid):
    from poster_cnn import metrics

    if num_genres == 1:
        return metrics.OF_ONE_GENRE
    return metrics.EVERYDAY if is_sigmoid else ("first_label_accuracy", "hit_at_1")


def _has_fewer_epochs(run_dir, config):
    """Return whether a finished run differs from a config in a smaller number of epochs only."""
    from poster_cnn.training.run_folder import is_finished, recorded_config

    epochs = recorded_config(run_dir).epochs
    return epochs < config.epochs and is_finished(run_dir, config.replace(epochs=epochs))


def _tensorboard(folder):
    import keras

    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError('--tensorboard needs the package tensorboard: pip install -e ".[tensorboard]"')
    return keras.callbacks.TensorBoard(folder, write_graph=False)
