"""`poster-cnn train`: train one network on a data folder."""

import argparse
import pathlib

from poster_cnn.evaluation.terminal import print_scores
from poster_cnn.training.config import PRECISIONS, STRATEGIES


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("--data", required=True, help="folder with MovieGenre.csv or OMDb records, and posters/")
    command.add_argument("--posters", metavar="DIR", help="folder of posters (default: the one in the data folder)")
    command.add_argument("--out", required=True, help="run folder to write; an interrupted run continues")
    command.add_argument("--genres", required=True, help="comma-separated, such as Horror,Romance,Action")
    command.add_argument("--model", default="seven_layer_cnn", help="of poster_cnn.models (default: %(default)s)")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--ratio", type=float, help="shrink posters to this percentage of 182x268 (default: 40)")
    size.add_argument("--image-size", type=_image_size, metavar="HEIGHTxWIDTH", help="such as 128x128; not --ratio")
    command.add_argument("--weights", help="of a pretrained model: imagenet, none, or a file (default: the builder's)")
    command.add_argument("--epochs", type=int, default=50, help="default: 50")
    command.add_argument("--dropout", type=float, help="fraction dropped in training (default: the builder's)")
    command.add_argument("--fine-tune-epochs", type=int, default=0, help="further epochs with the backbone unfrozen")
    command.add_argument("--learning-rate", type=float, default=1e-4, help="default: 1e-4")
    command.add_argument("--batch-size", type=int, default=32, help="default: 32")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument("--head", choices=("softmax", "sigmoid"), default="softmax", help="default: softmax (paper 1)")
    command.add_argument("--precision", choices=PRECISIONS, default="float32", help="default: float32")
    strategy = "one device, mirrored: all GPUs, multiworker: the hosts in TF_CONFIG (default: auto, the most available)"
    command.add_argument("--strategy", choices=STRATEGIES, default="auto", help=strategy)


def _image_size(text):
    try:
        height, width = (int(number) for number in text.lower().split("x"))
    except ValueError:
        expected = "HEIGHTxWIDTH in pixels, such as 128x128"
        raise argparse.ArgumentTypeError(f"expected {expected}. Received: {text!r}") from None
    return height, width


def run(options):
    """Train the network and print its scores."""
    from poster_cnn import metrics
    from poster_cnn.movies.data_folder import find_data_folder
    from poster_cnn.training import TrainingConfig, is_finished
    from poster_cnn.training.train import train

    model_args = {} if options.dropout is None else {"dropout": options.dropout}
    if options.weights is not None:
        model_args["weights"] = None if options.weights.lower() == "none" else options.weights
    same = ("model", "ratio", "image_size", "epochs", "fine_tune_epochs", "learning_rate", "batch_size", "seed")
    is_sigmoid = options.head == "sigmoid"
    config = TrainingConfig(
        class_names=tuple(name.strip() for name in options.genres.split(",") if name.strip()),
        model_args=model_args,
        classifier_activation=options.head,
        loss="binary_crossentropy" if is_sigmoid else "categorical_crossentropy",
        precision=options.precision,
        metrics=metrics.EVERYDAY if is_sigmoid else ("first_label_accuracy", "hit_at_1"),
        **{name: getattr(options, name) for name in same},
    )
    data = find_data_folder(options.data, posters_dir=options.posters) if options.posters else options.data
    finished_before = is_finished(pathlib.Path(options.out))
    result = train(config, data, options.out, strategy=options.strategy)
    if not result:
        print(f"run folder: {options.out}, written by the chief")
        return
    print_scores(result)
    print(f"run folder: {options.out}{', finished before: nothing was trained' if finished_before else ''}")
