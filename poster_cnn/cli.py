"""`poster-cnn`: the library from a terminal. Thin: each command is one call."""

import argparse
import json
import os
import pathlib
import sys

import poster_cnn
from poster_cnn import data_commands, predict_commands, search_commands
from poster_cnn.training.config import PRECISIONS, STRATEGIES

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's greetings would hide our own lines


def main(arguments=None):
    """Runs one command and gives its exit status: 0 if all went well, 1 if something did not, 2 for wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except (OSError, ValueError, FloatingPointError, RuntimeError) as error:
        print(f"poster-cnn: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"poster-cnn: {error}{_how_to_install(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nposter-cnn: interrupted; start the same command again to go on", file=sys.stderr)
        return 130


def _how_to_install(error):
    if "pip install" in str(error):
        return ""
    if error.name in ("jax", "torch"):
        return ". The commands run on TensorFlow: unset KERAS_BACKEND"
    return ". Install the extras: pip install 'poster-cnn[notebooks,audit]'"


def _parser():
    parser = argparse.ArgumentParser(prog="poster-cnn", description="Predict movie genres from posters.")
    parser.add_argument("--version", action="version", version=f"poster-cnn {poster_cnn.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_reproduce, _add_train, search_commands.add_to, _add_evaluate, predict_commands.add_to):
        add(commands)
    data_commands.add_to(commands)
    return parser


def _add_reproduce(commands):
    command = commands.add_parser("reproduce", help="run the notebooks; leave figures, tables and a report")
    command.add_argument("--data", help="data folder (default: $POSTER_CNN_DATA, else the embedded dataset)")
    command.add_argument("--preset", help="quick, paper or results (default: $POSTER_CNN_PRESET, else quick)")
    command.add_argument("--precision", choices=PRECISIONS, help="of all trainings (default: as the experiments say)")
    command.add_argument("--only", help="notebooks to run, by the start of their names: 02, or 01,03 (default: all)")
    command.add_argument("--out", help="folder to write (default: $POSTER_CNN_OUT, else reproduced/)")
    command.set_defaults(run=_reproduce)


def _reproduce(options):
    from poster_cnn.reproduce import reproduce

    failed = reproduce(
        preset=options.preset, data=options.data, out=options.out, precision=options.precision, only=options.only
    )
    for name, error in failed.items():
        print(f"{name} failed: {error}", file=sys.stderr)
    return 1 if failed else 0


def _add_train(commands):
    command = commands.add_parser("train", help="train one network on a data folder")
    command.add_argument("--data", required=True, help="folder with MovieGenre.csv and posters/")
    command.add_argument("--out", required=True, help="run folder to write; an interrupted run goes on")
    command.add_argument("--genres", required=True, help="comma-separated, such as Horror,Romance,Action")
    command.add_argument(
        "--model", default="seven_layer_cnn", help="builder of poster_cnn.models (default: %(default)s)"
    )
    size = command.add_mutually_exclusive_group()
    size.add_argument("--ratio", type=float, help="shrink posters to this percentage (default: 40)")
    size.add_argument("--image-size", type=_image_size, metavar="HEIGHTxWIDTH", help="such as 128x128; not --ratio")
    command.add_argument("--weights", help="of a pretrained model: imagenet, none, or a file (default: the builder's)")
    command.add_argument("--epochs", type=int, default=50, help="default: 50")
    command.add_argument("--dropout", type=float, help="in training, such as 0.5 (default: the builder's)")
    command.add_argument("--fine-tune-epochs", type=int, default=0, help="then so many with the backbone unfrozen")
    command.add_argument("--learning-rate", type=float, default=1e-4, help="default: 1e-4")
    command.add_argument("--batch-size", type=int, default=32, help="default: 32")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument("--head", choices=("softmax", "sigmoid"), default="softmax", help="default: softmax (paper 1)")
    command.add_argument("--precision", choices=PRECISIONS, default="float32")
    command.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="auto",
        help="one device, mirrored: all GPUs, multiworker: the hosts of TF_CONFIG (default: auto, the most there are)",
    )
    command.set_defaults(run=_train)


def _image_size(text):
    try:
        height, width = (int(number) for number in text.lower().split("x"))
    except ValueError:
        expected = "HEIGHTxWIDTH in pixels, such as 128x128"
        raise argparse.ArgumentTypeError(f"expected {expected}. Received: {text!r}") from None
    return height, width


def _train(options):
    from poster_cnn.metrics import scores as metrics
    from poster_cnn.training import run_folder as run_folders
    from poster_cnn.training.config import TrainingConfig
    from poster_cnn.training.train import train

    model_args = {} if options.dropout is None else {"dropout": options.dropout}
    if options.weights is not None:
        model_args["weights"] = None if options.weights.lower() == "none" else options.weights
    config = TrainingConfig(
        class_names=tuple(name.strip() for name in options.genres.split(",") if name.strip()),
        model=options.model,
        model_args=model_args,
        ratio=options.ratio,
        image_size=options.image_size,
        epochs=options.epochs,
        fine_tune_epochs=options.fine_tune_epochs,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        seed=options.seed,
        classifier_activation=options.head,
        loss="binary_crossentropy" if options.head == "sigmoid" else "categorical_crossentropy",
        precision=options.precision,
        metrics=metrics.EVERYDAY if options.head == "sigmoid" else ("first_label_accuracy", "hit_at_1"),
    )
    finished_before = run_folders.is_finished(pathlib.Path(options.out))
    result = train(config, options.data, options.out, strategy=options.strategy)
    if not result:
        print(f"run folder: {options.out}, written by the chief")
        return
    for name, score in result["test"].items():
        baselines = {key: values[name] for key, values in result["baselines"].items() if name in values}
        others = ", ".join(f"{key} {100 * value:.1f}" for key, value in baselines.items())
        value, low, high = (100 * score[key] for key in ("value", "low", "high"))
        print(f"{name:<22} {value:5.1f}%  [{low:.1f}, {high:.1f}]  baselines: {others}")
    print(f"run folder: {options.out}{', finished before: nothing was trained' if finished_before else ''}")


def _add_evaluate(commands):
    command = commands.add_parser("evaluate", help="score a finished run on a data folder")
    command.add_argument("run_dir", metavar="RUN", help="finished run folder")
    command.add_argument("--data", required=True, help="data folder")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.set_defaults(run=_evaluate)


def _evaluate(options):
    from poster_cnn.evaluation.evaluate import evaluate

    evaluation = evaluate(options.run_dir, options.data)
    print(json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) if options.json else evaluation)


if __name__ == "__main__":
    sys.exit(main())
