"""`poster-cnn export`: write a trained network as ONNX, LiteRT or SavedModel."""

_ABOUT = """
Write a trained network as a file for other programs and devices. It takes RGB pixels, 0 to 255, and returns
probabilities; genres, thresholds and how to resize a poster are stored inside. The result is compared with Keras on
pictures, and is kept only if no probability differs by more than 0.0001.
"""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.description = _ABOUT
    command.add_argument(
        "model", metavar="RUN", nargs="?", help="run folder, or its .keras file (default: the shipped)"
    )
    formats = "onnx for ONNX Runtime, litert for phones, or saved_model for TensorFlow Serving (default: %(default)s)"
    command.add_argument("--format", choices=("onnx", "litert", "saved_model"), default="onnx", help=formats)
    out = "file, or folder of a SavedModel (default: model.onnx, model.tflite or saved_model in the run folder)"
    command.add_argument("--out", metavar="PATH", help=out)
    compared = "posters to compare the result with Keras on (default: eight drawn ones)"
    command.add_argument("--pictures", metavar="PICTURE", nargs="+", help=compared)


def run(options):
    """Export the network and print where it is."""
    from poster_cnn.evaluation.export import export_model

    path, difference = export_model(options.model, options.out, format=options.format, pictures=options.pictures)
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    print(f"{path}: {size:.1f} MB, largest difference from Keras {difference:.1g}")
