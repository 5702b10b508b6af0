"""The command `poster-cnn`: it parses arguments, calls the library once, and prints the result."""

import argparse
import functools
import logging
import pathlib
import signal
import sys
import traceback

import poster_cnn
from poster_cnn.evaluation.terminal import (
    describe_error,
    print_failures,
    print_json,
    print_reports,
    print_scores,
    process_of_a_command,
)
from poster_cnn.files import safe_output
from poster_cnn.training.config import PRECISIONS, STRATEGIES

_PREDICT = """
Rank the genres of pictures. A network with a sigmoid head also marks the genres above their thresholds. With the run of
an ensemble, give one movie (any of IMAGE, --plot, --metadata, --trailer), or several IMAGEs, each a movie of its own.
"""
_SWEEP = """
Started again after an interrupt or a kill, the command continues. Any number of processes may work on one experiment
with the same command and --out, each taking the next run that no other process has locked. --workers 2 starts two of
them on this machine, with a GPU each where there are GPUs. On a cluster whose hosts share the disks, the scheduler
starts them, for example as a Slurm job array:

  sbatch --array=1-8 --gpus=1 --wrap "poster-cnn {command} EXPERIMENT --data DATA --out OUT"

A run whose process was killed three times without finishing an epoch in between counts as failed.
"""


def main(arguments=None):
    """Run one command and return its exit status: 0 for success, 1 for a failure, 130 for an interrupt.

    Args:
        arguments: List of str. Defaults to `None`: those of the process. Wrong usage exits with 2.
    """
    with safe_output(), process_of_a_command():
        options = _parser().parse_args(arguments)
        try:
            status = options.run(options) or 0
            sys.stdout.flush()
            return status
        except Exception as error:
            if options.debug:
                traceback.print_exc()
            print(f"poster-cnn: {describe_error(error, options.debug)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nposter-cnn: interrupted; start the same command again to continue", file=sys.stderr)
            return 130


def _parser():
    parser = argparse.ArgumentParser(prog="poster-cnn", description="Predict movie genres from posters.")
    parser.add_argument("--version", action="version", version=f"poster-cnn {poster_cnn.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_reproduce, _add_train, _add_experiments, _add_evaluate, _add_predict, _add_posters):
        add(commands)
    return parser


def _command(commands, name, run, **layout):
    command = commands.add_parser(name, **layout)
    command.add_argument("--debug", action="store_true", help="print the traceback of an error")
    command.set_defaults(run=run)
    return command


def _add_reproduce(commands):
    command = _command(commands, "reproduce", _reproduce, help="run the notebooks; leave figures, tables and a report")
    command.add_argument("--data", help="data folder (default: $POSTER_CNN_DATA, else the embedded dataset)")
    command.add_argument("--preset", help="quick, paper or results (default: $POSTER_CNN_PRESET, else quick)")
    command.add_argument("--precision", choices=PRECISIONS, help="of all trainings (default: as the experiments say)")
    command.add_argument("--only", help="notebooks to run, by the start of their names: 02, or 01,03 (default: all)")
    command.add_argument("--out", help="folder to write (default: $POSTER_CNN_OUT, else reproduced/)")


def _reproduce(options):
    from poster_cnn.reproduce import reproduce

    return print_failures(
        reproduce(**{name: getattr(options, name) for name in ("preset", "data", "out", "precision", "only")})
    )


def _add_train(commands):
    command = _command(commands, "train", _train, help="train one network on a data folder")
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


def _train(options):
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


def _add_experiments(commands):
    _add_experiment(commands, "sweep", "train every cell of an experiment's grid", "dave/table_2.py")
    about = "train random draws of an experiment's space, each on every fold"
    _add_experiment(commands, "search", about, "zavala/random_search.py")


def _add_experiment(commands, name, about, example):
    layout = {"epilog": _SWEEP.format(command=name), "formatter_class": argparse.RawDescriptionHelpFormatter}
    command = _command(commands, name, functools.partial(_train_experiment, name), help=about, **layout)
    command.add_argument("experiment", help=f"experiment file, such as experiments/{example}")
    command.add_argument("--data", help="data folder (default: the embedded dataset)")
    command.add_argument("--out", required=True, help="folder of the run folders")
    command.add_argument("--preset", choices=("quick", "paper"), default="paper", help="default: paper")
    command.add_argument("--precision", choices=PRECISIONS, help="default: as the experiment says")
    command.add_argument("--workers", type=int, help="number of processes on this machine (default: 1, this process)")


def _train_experiment(command, options):
    from poster_cnn import results
    from poster_cnn.tuning import load_experiment, rank_draws
    from poster_cnn.tuning.sweep import sweep
    from poster_cnn.tuning.workers import end_with_parent, is_worker, sweep_with_workers

    end_with_parent()
    if is_worker():
        logging.getLogger("poster_cnn").setLevel(logging.WARNING)  # the process that started it prints the report
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # a scheduler's or parent's request
    experiment = load_experiment(options.experiment, preset=options.preset, precision=options.precision)
    needs_trailers = "trailer" in getattr(experiment.config, "modalities", ())
    data, out = options.data or poster_cnn.embedded_dataset(trailers=needs_trailers), pathlib.Path(options.out)
    if options.workers is None:
        failed = sweep(experiment, data, out, progress=not is_worker())
    else:
        own = [command, options.experiment, "--data", data, "--out", out, "--preset", options.preset]
        own += ["--precision", options.precision] if options.precision else []
        own += ["--debug"] if options.debug else []
        failed = sweep_with_workers(experiment, own, data, out, num_workers=options.workers)
        print_reports(out)
    if is_worker():  # the process that started it reports
        return 0
    frame = results.collect_results(out)
    results.write_results(frame, out / "results.csv")
    results.write_results(results.collect_history(out), out / "history.csv")
    if experiment.space:
        for name, accuracy in rank_draws(frame).head(1).items():
            print(f"best: {name}: {100 * accuracy:.1f}%, mean of the held-out folds")
    finished = len(experiment.cells()) - len(failed)
    print(f"{finished} cells finished, {len(failed)} failed; results: {out / 'results.csv'}")
    return print_failures(failed, out if options.debug else None)


def _add_evaluate(commands):
    command = _command(commands, "evaluate", _evaluate, help="score a finished run on a data folder")
    command.add_argument("run_dir", metavar="RUN", help="finished run folder")
    command.add_argument("--data", required=True, help="data folder")
    command.add_argument("--posters", metavar="DIR", help="folder of posters (default: the one in the data folder)")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _evaluate(options):
    from poster_cnn.movies.data_folder import find_data_folder

    evaluation = poster_cnn.evaluate(options.run_dir, find_data_folder(options.data, posters_dir=options.posters))
    if options.json:
        print_json(evaluation.to_dict())
    else:
        print(evaluation.as_text())  # the notes are on stderr


def _add_predict(commands):
    layout = {"description": _PREDICT, "usage": "%(prog)s [options] RUN [IMAGE ...]"}
    command = _command(commands, "predict", None, help="rank the genres of pictures", **layout)
    command.add_argument("run_dir", metavar="RUN", help="finished run folder, or its .keras file")
    # With nargs="*", argparse would take no picture as soon as an option stands before the pictures.
    images = command.add_argument("images", metavar="IMAGE", nargs="+", default=[], help="pictures to predict")
    images.required = False
    command.add_argument("--plot", metavar="TEXT", help="the plot of the movie; @FILE reads it from a file")
    columns = "such as director_name='Jane Doe' or language=English; repeatable; @FILE reads a JSON object"
    command.add_argument("--metadata", metavar="COLUMN=VALUE", action="append", help=columns)
    command.add_argument("--trailer", metavar="FILE", help="video, or features of its frames: .npy, .npz, FILE.h5/NAME")
    command.add_argument("--card", metavar="FILE", help="also draw the pictures with their genres as a PNG")
    command.add_argument("--json", action="store_true", help="print JSON instead of bars")
    command.set_defaults(run=functools.partial(_predict, command))


def _predict(command, options):
    given = [f"--{name}" for name in ("plot", "metadata", "trailer") if getattr(options, name)]
    if not options.images and not given:
        command.error("there is nothing to predict from: give an IMAGE, --plot, --metadata or --trailer")
    if len(options.images) > 1 and given:
        command.error(f"several pictures are several movies: give one IMAGE at most with {', '.join(given)}")

    from poster_cnn.evaluation import predict_movies as movies
    from poster_cnn.evaluation.predict import draw_cards, predict

    if movies.find_ensemble(options.run_dir):
        about = {"plot": options.plot, "trailer": options.trailer, "metadata": options.metadata or []}
        predictions, problems, has_failed = movies.predict_arguments(options.run_dir, options.images, **about)
    elif given:
        raise ValueError(f"Expected the run of an ensemble for {', '.join(given)}. Received: RUN={options.run_dir}")
    else:
        predictions, broken = predict(options.run_dir, options.images)
        problems, has_failed = [f"{path}: {reason}" for path, reason in broken.items()], bool(broken)
    if options.json:
        print_json([prediction.to_dict() for prediction in predictions])
    else:
        print(*predictions, sep="\n", end="\n" if predictions else "")
    if options.card and predictions:
        draw_cards(predictions, options.card)
    for problem in problems:
        print(f"poster-cnn: {problem}", file=sys.stderr)
    return 1 if has_failed else 0


def _add_posters(commands):
    command = _command(commands, "verify", _verify, help="decode every poster of a folder and report the broken ones")
    command.add_argument("posters_dir", metavar="DIR", help="folder of posters; it is only read")
    command.add_argument("--manifest", metavar="FILE", help="CSV to write (default: in the user's cache)")
    command.add_argument("--repaired", metavar="DIR", help="folder for repaired posters (default: in the user's cache)")

    command = _command(commands, "download", _download, help="fetch posters by their URLs; run again to continue")
    command.add_argument("csv", metavar="TABLE", help="movie table: a CSV, or a file or folder of OMDb records")
    command.add_argument("posters_dir", metavar="DIR", help="folder to write; existing posters are not fetched again")
    command.add_argument("--sample", type=int, help="number of movies to draw at random (default: all movies)")
    command.add_argument("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    command.add_argument("--retry-failed", action="store_true", help="try remembered failures again")
    command.add_argument("--allow-private", action="store_true", help="allow addresses of private networks")
    command.add_argument("--concurrency", type=int, default=16, help="simultaneous downloads (default: 16)")

    command = _command(commands, "audit", _audit, help="find duplicate posters, and splits that leak")
    command.add_argument("posters_dir", metavar="DIR", help="folder of posters; it is only read")
    command.add_argument("--split", metavar="FILE", help="CSV with imdb_id and part, such as a run folder's split.csv")
    command.add_argument("--pairs", metavar="FILE", help="also write the near-duplicate pairs as a CSV")


def _verify(options):
    from poster_cnn.datasets.verify import describe, verify

    manifest = verify(options.posters_dir, manifest_path=options.manifest, repaired_dir=options.repaired)
    print(describe(manifest))
    return 1 if (manifest["verdict"] == "quarantined").any() else 0


def _download(options):
    from poster_cnn.datasets import describe
    from poster_cnn.datasets.download import download, sample_posters

    choices = {name: getattr(options, name) for name in ("retry_failed", "allow_private", "concurrency")}
    if options.sample is None:
        report = download(options.csv, options.posters_dir, **choices)
    else:
        table = poster_cnn.load_movie_table(options.csv)
        _, report = sample_posters(table, options.posters_dir, options.sample, seed=options.seed, **choices)
    print(describe(report))
    print(f"posters: {options.posters_dir}")
    outcome = report["outcome" if "outcome" in report else "verdict"]
    return 1 if outcome.isin(["failed", "failed before", "quarantined"]).any() else 0


def _audit(options):
    from poster_cnn.datasets import duplicates
    from poster_cnn.datasets.verify import verify

    manifest = verify(options.posters_dir)
    pairs = duplicates.similar_pairs(manifest)
    print(duplicates.describe_duplicates(manifest, pairs=pairs))
    if options.pairs:
        duplicates.write_pairs(pairs, manifest, options.pairs)
        print(f"pairs: {options.pairs}")
    if options.split:
        print(duplicates.certificate_of_csv(options.split, manifest, pairs))


if __name__ == "__main__":
    sys.exit(main())
