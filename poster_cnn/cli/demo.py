"""`poster-cnn demo`: a web page on this machine."""

_ABOUT = """
Open a page at http://127.0.0.1:PORT that names the genres of a poster, with thresholds and heat maps. Other machines
cannot reach it, and nothing is sent to them. Ctrl-C ends it.
"""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.description = _ABOUT
    about = "run folder, its .keras file, an exported .onnx file, or the name of a network that comes with the package"
    command.add_argument("--model", metavar="RUN", help=f"{about} (default: posters_mobilenet_v2)")
    command.add_argument("--port", type=int, default=7860, help="port; 0 for a free one (default: %(default)s)")


def run(options):
    """Serve the page until an interrupt."""
    from poster_cnn.evaluation.demo import launch

    launch(options.model, port=options.port)
