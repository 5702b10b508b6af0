"""`poster-cnn predict`: name the genres of pictures."""

import io
import os
import pathlib
import sys

from poster_cnn.evaluation.terminal import print_json

_ABOUT = """
Name the genres of pictures: those that reach their thresholds. Neither a training nor a network connection is needed.
With --model, a network of your own does it. With the run of an ensemble, give one movie (any of PICTURE, --plot,
--metadata, --trailer), or several PICTUREs, each a movie of its own.
"""
_MAX_RANKED = 5  # pictures whose genres are all printed; more have a line each
_MAX_CARDS = 24


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.description, command.usage = _ABOUT, "%(prog)s [options] PICTURE ..."
    command.set_defaults(command=command)
    # With nargs="*", argparse would take no picture as soon as an option stands before the pictures.
    about = "files, folders, patterns such as 'posters/*.jpg', URLs, or - for standard input"
    pictures = command.add_argument("pictures", metavar="PICTURE", nargs="+", default=[], help=about)
    pictures.required = False
    about = "run folder, its .keras file, an exported .onnx file, or the name of a network that comes with the package"
    command.add_argument("--model", metavar="RUN", help=f"{about} (default: posters_mobilenet_v2)")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument(
        "--csv", metavar="FILE", help="also write a CSV, a row per picture and a column per genre; -: print only that"
    )
    command.add_argument(
        "--card", metavar="FILE", help=f"also draw the first {_MAX_CARDS} pictures; FILE.png, .jpg or .pdf"
    )
    command.add_argument("--explain", action="store_true", help="add heat maps of the genres to the card (see --card)")
    command.add_argument("--allow-private", action="store_true", help="allow URLs in private networks")
    command.add_argument("--plot", metavar="TEXT", help="the plot of the movie; @FILE reads it from a file")
    columns = "such as director_name='Jane Doe' or language=English; repeatable; @FILE reads a JSON object"
    command.add_argument("--metadata", metavar="COLUMN=VALUE", action="append", help=columns)
    command.add_argument("--trailer", metavar="FILE", help="video, or features of its frames: .npy, .npz, FILE.h5/NAME")


def run(options):
    """Print the genres of the pictures, and return the exit status: 1 if a picture cannot be read."""
    given = [f"--{name}" for name in ("plot", "metadata", "trailer") if getattr(options, name)]
    if not options.pictures and not given:
        options.command.error("there is nothing to predict from: give a PICTURE, --plot, --metadata or --trailer")
    if len(options.pictures) > 1 and given:
        options.command.error(f"several pictures are several movies: give one PICTURE at most with {', '.join(given)}")
    if options.csv == "-" and options.json:
        options.command.error("--csv - prints the CSV in place of JSON: give one of them")
    if options.explain and not options.card:
        options.command.error("--explain draws heat maps on the card: give --card FILE too")
    _refuse_models(options)
    if options.card:
        from poster_cnn.evaluation.predict import card_format

        card_format(options.card)  # fails now, not after the predictions
    network = None
    if given or _is_ensemble(options.model):
        if options.explain:
            options.command.error("--explain needs a network of pictures, not the run of an ensemble")
        predictions, problems, has_failed = _predict_movies(options, given)
        class_names = sorted(predictions[0].class_names) if predictions else []
    else:
        predictions, problems, network = _predict_pictures(options)
        class_names = network.about["class_names"]
        has_failed = bool(problems)
    if options.csv != "-":
        _print(predictions, options.json)
    if options.csv:
        _write_csv(predictions, class_names, options.csv)
    drawn = [prediction for prediction in predictions if not prediction.is_broken][:_MAX_CARDS]
    if options.card and drawn:
        from poster_cnn.evaluation.predict import draw_cards

        draw_cards(drawn, options.card, network if options.explain else None)
        print(f"card: {options.card}", file=sys.stderr)
    for problem in problems:
        print(f"poster-cnn: {problem}", file=sys.stderr)
    return 1 if has_failed else 0


def _refuse_models(options):
    """Exit with the new usage if the first argument is a model, as it was in version 0.1."""
    first = options.pictures[0] if options.pictures else ""
    if pathlib.Path(first).suffix in (".keras", ".onnx") or os.path.isfile(os.path.join(first, "config.json")):
        options.command.error(f"{first} is a model, not a picture: give it as --model {first}")


def _is_ensemble(model):
    from poster_cnn.models import shipped

    if model is None or shipped.is_shipped(model) or pathlib.Path(model).suffix == ".onnx":
        return False
    from poster_cnn.evaluation.predict_movies import find_ensemble

    return find_ensemble(model) is not None


def _predict_movies(options, given):
    if not _is_ensemble(options.model):
        received = f"--model {options.model}" if options.model else "no --model"
        raise ValueError(f"Give --model RUN, the run of an ensemble for {', '.join(given)}. Received: {received}")
    from poster_cnn.evaluation import predict_movies

    about = {"plot": options.plot, "trailer": options.trailer, "metadata": options.metadata or []}
    return predict_movies.predict_arguments(options.model, options.pictures, **about)


def _predict_pictures(options):
    from poster_cnn.evaluation.networks import open_network
    from poster_cnn.evaluation.pictures import find_pictures
    from poster_cnn.evaluation.predict import rank_pictures

    is_read = "-" in options.pictures and sys.stdin is not None  # a closed one is None
    standard_input = io.BytesIO(sys.stdin.buffer.read() if is_read else b"")
    standard_input.name = "standard input"
    pictures = [standard_input if picture == "-" else picture for picture in options.pictures]
    pictures = find_pictures(pictures, allow_private=options.allow_private)
    network = open_network(options.model)
    predictions = rank_pictures(pictures, network)
    broken = [prediction for prediction in predictions if prediction.is_broken]
    names = ", ".join(f"{prediction.path} ({prediction.note})" for prediction in broken[:_MAX_RANKED])
    more = ", …" if len(broken) > _MAX_RANKED else ""
    problems = [f"{len(broken)} of {len(predictions)} cannot be read: {names}{more}"] if broken else []
    return predictions, problems, network


def _print(predictions, as_json):
    if as_json:
        print_json([prediction.to_dict() for prediction in predictions])
    elif len(predictions) <= _MAX_RANKED:
        for prediction in predictions:
            print(prediction)
    else:
        for prediction in predictions:
            print(prediction.as_line())


def _write_csv(predictions, class_names, path):
    from poster_cnn.evaluation.predict import as_table
    from poster_cnn.files import write_text

    text = as_table(predictions, class_names).to_csv(index=False)
    if path == "-":
        return print(text, end="")
    write_text(path, text)
    print(f"csv: {path}", file=sys.stderr)
