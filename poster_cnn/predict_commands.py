"""The command of `poster-cnn` that predicts: from pictures, or from all that is known of a movie."""

import functools
import json
import pathlib
import sys

_ABOUT = """
Rank the genres of pictures. A network trained with --head sigmoid also marks those that it predicts.

The run of an ensemble predicts a movie from any of its IMAGE, --plot, --metadata and --trailer, or several pictures,
each on its own. What cannot be used is set aside, and named.
"""


def add_to(commands):
    """Adds the command to the subparsers of `poster-cnn`."""
    command = commands.add_parser(
        "predict",
        help="rank the genres of pictures, or of a movie",
        description=_ABOUT,
        usage="%(prog)s [options] RUN [IMAGE ...]",
    )
    command.add_argument("run_dir", metavar="RUN", help="finished run folder, or the .keras file in there")
    # Of "*" argparse would take none as soon as an option stands before the pictures.
    images = command.add_argument(
        "images", metavar="IMAGE", nargs="+", default=[], help="pictures of any kind and size"
    )
    images.required = False
    command.add_argument("--plot", metavar="TEXT", help="what happens in the movie; @FILE reads it from a file")
    command.add_argument(
        "--metadata",
        metavar="COLUMN=VALUE",
        action="append",
        help="such as director_name='Jane Doe', or actor_1_name to actor_3_name, language, content_rating; "
        "repeatable; @FILE reads them from a JSON object",
    )
    command.add_argument("--trailer", metavar="FILE", help="video, or features of its frames: .npy, .npz, FILE.h5/NAME")
    command.add_argument("--card", metavar="FILE", help="also draw the pictures with their genres as a PNG")
    command.add_argument("--json", action="store_true", help="print JSON instead of bars")
    command.set_defaults(run=functools.partial(_predict, command))


def _predict(command, options):
    known = {"--plot": options.plot, "--metadata": options.metadata, "--trailer": options.trailer}
    given = [name for name, value in known.items() if value]
    if not options.images and not given:
        command.error("there is nothing to predict from: give an IMAGE, --plot, --metadata or --trailer")
    if len(options.images) > 1 and given:
        command.error(f"several pictures are several movies: give one IMAGE at most with {', '.join(given)}")

    from poster_cnn.evaluation.predict import draw_cards, predict
    from poster_cnn.evaluation.predict_movies import find_ensemble

    if find_ensemble(options.run_dir):
        predictions, problems, has_failed = _predict_movies(options)
    elif given:
        raise ValueError(f"Expected the run of an ensemble for {', '.join(given)}. Received: RUN={options.run_dir}")
    else:
        predictions, broken = predict(options.run_dir, options.images)
        problems, has_failed = [f"{path}: {reason}" for path, reason in broken.items()], bool(broken)
    if options.json:
        print(json.dumps([prediction.to_dict() for prediction in predictions], indent=2, ensure_ascii=False))
    else:
        for prediction in predictions:
            print(prediction)
    if options.card and predictions:
        draw_cards(predictions, options.card)
    for problem in problems:
        print(f"poster-cnn: {problem}", file=sys.stderr)
    return 1 if has_failed else 0


def _predict_movies(options):
    """Predictions, what could not be used as lines of text, and whether something was set aside."""
    from poster_cnn.evaluation.predict_movies import predict_movies

    movies = [{"poster": image} for image in options.images] or [{}]
    movies[0] |= {"plot": _text(options.plot), "trailer": options.trailer} | _metadata(options.metadata or [])
    predictions, problems = predict_movies(options.run_dir, movies)
    lines, has_failed = [], False
    for number, reasons in problems.items():
        used = predictions[number].modalities if number in predictions else ()
        has_failed = has_failed or not set(reasons) <= set(used)
        image = f"{movies[number]['poster']}: " if "poster" in movies[number] else ""
        for modality, reason in reasons.items():
            lines.append(f"{image}{modality}{'' if modality in used else ' not used'}: {reason}")
    return list(predictions.values()), lines, has_failed


def _text(plot):
    """The plot itself, or what is in the file that it names."""
    from poster_cnn.movies.csv_files import decode

    return decode(pathlib.Path(plot[1:]).read_bytes())[0] if plot and plot.startswith("@") else plot


def _metadata(entries):
    """`COLUMN=VALUE` and `@FILE` -> dict."""
    from poster_cnn.files import read_json
    from poster_cnn.movies.metadata import METADATA_COLUMNS

    found = {}
    for entry in entries:
        column, equals, value = entry.partition("=")
        try:
            content = read_json(entry[1:]) if entry.startswith("@") else {column: value if equals else None}
        except ValueError:  # no JSON
            content = None
        good = isinstance(content, dict) and set(content) <= set(METADATA_COLUMNS)
        if not good or not all(isinstance(text, str) for text in content.values()):
            expected = (
                f"COLUMN=VALUE, or @FILE of a JSON object of texts, with the columns {', '.join(METADATA_COLUMNS)}"
            )
            raise ValueError(f"--metadata must be {expected}. Received: {entry}")
        found |= content
    return found
