"""`poster-cnn predict`: rank the genres of pictures."""

import sys

from poster_cnn.evaluation.terminal import print_json

_ABOUT = """
Rank the genres of pictures. A network with a sigmoid head also marks the genres above their thresholds. With the run of
an ensemble, give one movie (any of IMAGE, --plot, --metadata, --trailer), or several IMAGEs, each a movie of its own.
"""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.description, command.usage = _ABOUT, "%(prog)s [options] RUN [IMAGE ...]"
    command.set_defaults(command=command)
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


def run(options):
    """Print the ranked genres of the pictures, and return the exit status."""
    given = [f"--{name}" for name in ("plot", "metadata", "trailer") if getattr(options, name)]
    if not options.images and not given:
        options.command.error("there is nothing to predict from: give an IMAGE, --plot, --metadata or --trailer")
    if len(options.images) > 1 and given:
        options.command.error(f"several pictures are several movies: give one IMAGE at most with {', '.join(given)}")

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
