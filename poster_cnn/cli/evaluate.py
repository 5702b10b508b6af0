"""`poster-cnn evaluate`: score a finished run on a data folder."""

import pathlib
import sys

import poster_cnn
from poster_cnn.evaluation.terminal import print_json
from poster_cnn.movies.data_folder import LAYOUTS


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("run_dir", metavar="RUN", help="finished run folder")
    command.add_argument("--data", required=True, help=LAYOUTS)
    command.add_argument("--posters", metavar="DIR", help="folder of posters (default: the one in the data folder)")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--per-genre", action="store_true", help="also print scikit-learn's classification_report")
    command.add_argument("--report", metavar="FILE", help="also write one HTML page with figures and mistakes")


def run(options):
    """Print the scores of the run."""
    from poster_cnn.movies.data_folder import find_data_folder

    if options.json and options.per_genre:
        raise ValueError("--per-genre adds a table to the text, and --json prints no text. Give one of them.")
    evaluation = poster_cnn.evaluate(options.run_dir, find_data_folder(options.data, posters_dir=options.posters))
    if options.json:
        print_json(evaluation.to_dict())
    else:
        print(evaluation.as_text())  # the notes are on stderr
        if options.per_genre:
            print(f"\n{evaluation.classification_report()}", end="")
    if options.report:
        from poster_cnn.evaluation.report import write_report

        write_report(evaluation, options.report, title=f"Evaluation of {pathlib.Path(options.run_dir).resolve().name}")
        print(f"report: {options.report}", file=sys.stderr)
