"""`poster-cnn check-claim`: a published score next to answers that need no poster."""

import sys

import poster_cnn
from poster_cnn.cli.option_names import require
from poster_cnn.evaluation.terminal import print_json


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("--metric", help="such as label_accuracy, overall_f1, top_n_accuracy or average_precision")
    command.add_argument("--claim", metavar="SCORE", help="as it is printed, such as 72.24%% or .5577")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--prevalences", metavar="SHARES", help="of the genres: 0.5,0.4 or 1/6,50%% or 50,20 of 100")
    source.add_argument("--data", help="data folder or movie table, whose genres are counted; posters are not needed")
    command.add_argument("--genres", help="comma-separated genres of --data (default: all)")
    command.add_argument("--predicted", type=int, metavar="N", help="genres that the network names for every movie")
    for name in ("precision", "recall", "f1"):
        command.add_argument(f"--{name}", metavar="SCORE", help="printed with the others for the same predictions")
    command.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(options):
    """Print the check."""
    from poster_cnn.evaluation.claims import check_claim, shares_of

    require(options, "genres", "data")
    printed = {name: getattr(options, name) for name in ("precision", "recall", "f1")}
    checked = check_claim(
        options.metric,
        options.claim,
        labels=_labels(options) if options.data else None,
        prevalences=shares_of(options.prevalences) if options.prevalences else None,
        predicted=options.predicted,
        **printed,
    )
    if options.json:
        print_json(checked.to_dict())
    else:
        print(checked)


def _labels(options):
    from poster_cnn.movies.genres import require_known

    table = poster_cnn.load_movie_table(options.data)
    names = options.genres.split(",") if options.genres else list(poster_cnn.genre_counts(table).index)
    require_known(table, names, "genres")
    labels = poster_cnn.encode_genres(table, names)
    named = labels.any(axis=1)
    if not named.all():
        print(f"left out: {(~named).sum():,} movies without any of these genres", file=sys.stderr)
    return labels[named]
