"""Export of a trained network to ONNX, LiteRT or TensorFlow's SavedModel, compared with Keras on pictures."""

import contextlib
import json
import logging
import pathlib
import random
import warnings
import zipfile

import keras
import numpy as np

from poster_cnn.datasets import pixels
from poster_cnn.datasets.embedded.posters import draw_poster
from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.evaluation.networks import open_network
from poster_cnn.evaluation.predict_movies import find_ensemble
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.training.about import ENTRY
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.saved_model import load_model

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "saved_model": ""}  # of the files; a SavedModel is a folder
TOLERANCE = 1e-4  # largest accepted difference between two probabilities
_GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi", "Western")


@arguments.checked(
    model=arguments.optional(arguments.path),
    path=arguments.optional(arguments.path),
    format=arguments.choice(*SUFFIXES),
    pictures=arguments.optional(arguments.paths),
)
@unchanged_process()
def export_model(model=None, path=None, *, format="onnx", pictures=None):
    """Export a trained network of pictures with Keras's `model.export`, and compare the result with Keras.

    The exported network takes float32 RGB pixels, 0..255, `(batch, height, width, 3)`, and returns probabilities
    `(batch, num_classes)` before any calibration; the batch may have any size. It carries a JSON description with
    everything that `load_model` returns (`class_names`, `thresholds`, `interpolation`, `crop_size`, …), and
    `image_size`, `pixel_range` and `channels`:

    - ONNX: the metadata entry `poster_cnn`.
    - LiteRT: the file `poster_cnn.json` of the archive at the end of the `.tflite` file, next to `labels.txt`.
    - SavedModel: the file `assets.extra/poster_cnn.json`.

    A network that was trained in mixed precision is exported in float32.

    Args:
        model: Run folder, `.keras` file, or name of a network that comes with the package. Defaults to `None`: the
            default of `load_model`.
        path: File or, for a SavedModel, folder to write. Defaults to `None`: `model.onnx`, `model.tflite` or
            `saved_model` in the run folder, or next to the `.keras` file; the current folder for a network that comes
            with the package.
        format: `"onnx"`, `"litert"` or `"saved_model"`. Defaults to `"onnx"`.
        pictures: Picture files for the comparison. Defaults to `None`: eight drawn posters.

    Returns:
        `(path, difference)`: `pathlib.Path` of the export, and the largest absolute difference between its
        probabilities and those of Keras.

    Raises:
        FileNotFoundError, ValueError: If the model cannot be loaded or has other inputs than pictures, or `path` does
            not fit the format.
        ImportError: If a package for the format is missing; the message has the command that installs it.
        RuntimeError: If the export fails, or differs from Keras by more than 1e-4. Nothing is written then.

    Example:

    >>> path, difference = export_model("runs/mine", format="litert")
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError("Networks are exported with TensorFlow. Unset KERAS_BACKEND and start Python again.")
    if model is not None and find_ensemble(model):
        arguments.refuse("model", "a network of pictures; an ensemble cannot be exported", str(model))
    path = _output_path(model, path, format)
    _require_packages(format)
    network, about = load_model() if model is None else load_model(model)
    shape = network.input_shape
    if isinstance(network.input, (dict, list)) or len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            f"`model` must be a network of pictures of one size. Received: model={str(model)!r}, with inputs {shape}"
        )
    images = _images(pictures, shape[1:3], about)
    network = _in_float32(network)
    content = about | {"image_size": list(shape[1:3]), "pixel_range": [0, 255], "channels": "RGB"}
    write, run = _FORMATS[format]
    with write_atomically(path) as temporary:
        try:
            with _quiet():
                write(network, temporary, content)
                outputs = np.concatenate([run(temporary, images), run(temporary, images[:1])])
        except OSError:  # such as a full disk
            raise
        except Exception as error:  # of types that the converters do not document
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RuntimeError(f"{network.name} cannot be exported as {format}: {why}") from error
        expected = network.predict_on_batch(images)
        difference = float(np.abs(outputs - np.concatenate([expected, expected[:1]])).max())
        if not difference <= TOLERANCE:  # NaN is not
            raise RuntimeError(
                f"The {format} export of {network.name} differs from Keras by {difference:.2g}, more than {TOLERANCE}, "
                f"on {len(images)} pictures. It was not kept."
            )
    return path, difference


def _output_path(model, path, format):
    """Return the path to write; raise a ValueError if it does not fit the format."""
    suffix = SUFFIXES[format]
    if path is None:
        source = pathlib.Path(model or "posters_mobilenet_v2")
        name = "model" if source.exists() else source.name
        folder = source if source.is_dir() else source.parent
        return folder / (f"{name}{suffix}" if suffix else "saved_model")
    path = pathlib.Path(path)
    if suffix and path.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix} for format={format!r}. Received: path={str(path)!r}")
    if suffix and path.is_dir():
        raise ValueError(f"`path` must be a file. Received: path={str(path)!r}, a folder")
    is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not suffix and not is_free and not (path / "saved_model.pb").is_file():
        raise ValueError(f"`path` must be a new folder or an older SavedModel. Received: path={str(path)!r}")
    return path


def _require_packages(format):
    try:
        if format == "onnx":
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import tf2onnx  # noqa: F401
        if format == "litert":
            import ai_edge_litert  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'format={format!r} needs the package {error.name}: pip install -e ".[{format}]"', name=error.name
        ) from None


def _images(pictures, image_size, about):
    """Return pictures as the network takes them, float32 `(batch, height, width, 3)`."""
    if pictures is not None:
        if not pictures:
            arguments.refuse("pictures", "at least one picture file", pictures)
        return np.stack([_read(path, image_size, about) for path in pictures])
    drawn = [draw_poster([genre], genre, ["A", "B"], random.Random(genre)) for genre in _GENRES]
    resized = keras.ops.image.resize(
        np.stack([np.asarray(poster, dtype="float32") for poster in drawn]), image_size, antialias=True
    )
    return np.clip(np.round(keras.ops.convert_to_numpy(resized)), 0, 255)


def _read(path, image_size, about):
    """Return one picture as the network takes it, or raise an error that names the file."""
    try:
        return pixels.read_image(path, image_size, about["interpolation"], about["crop_size"])
    except RefusedPicture as error:
        raise ValueError(f"`pictures` must be picture files. Received: {str(path)!r}, {error}") from error


def _in_float32(network):
    """Return a network that computes in float32, with the weights of `network`."""
    layers = network._flatten_layers(include_self=False)
    if all(layer.dtype_policy.compute_dtype == "float32" for layer in layers):
        return network

    def copied(layer):
        """Return the layer without its weights, in float32."""
        return layer.from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(network, clone_function=copied, recursive=True)
    copy.set_weights(network.get_weights())
    return copy


@contextlib.contextmanager
def _quiet():
    """Hide the notes and warnings of the converters, which describe their own steps."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _signature(network):
    return [keras.InputSpec(shape=(None, *network.input_shape[1:]), dtype="float32", name="pixels")]


def _write_onnx(network, path, content):
    import onnx

    network.export(path, format="onnx", verbose=False, input_signature=_signature(network))
    graph = onnx.load(path)
    (output,) = graph.graph.output
    for node in graph.graph.node:
        node.output[:] = ["probabilities" if name == output.name else name for name in node.output]
    output.name = "probabilities"
    for value in (graph.graph.input[0], output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(graph, {ENTRY: json.dumps(content, ensure_ascii=False)})
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _write_litert(network, path, content):
    network.export(path, format="litert", verbose=False, input_signature=_signature(network))
    # Files that belong to a LiteRT model are an archive behind it, which interpreters ignore.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{ENTRY}.json", json.dumps(content, ensure_ascii=False))
        archive.writestr("labels.txt", "".join(f"{name}\n" for name in content["class_names"]))


def _run_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(inputs["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(outputs["index"])


def _write_saved_model(network, path, content):
    network.export(path, format="tf_saved_model", verbose=False, input_signature=_signature(network))
    (path / "assets.extra").mkdir()  # TensorFlow's name of the folder for files of the user
    text = json.dumps(content, ensure_ascii=False, indent=2)
    (path / "assets.extra" / f"{ENTRY}.json").write_text(text, encoding="utf-8")


def _run_saved_model(path, images):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # its variables live as long as this object
    return loaded.serve(images).numpy()


_FORMATS = {
    "onnx": (_write_onnx, lambda path, images: open_network(path).run(images)),
    "litert": (_write_litert, _run_litert),
    "saved_model": (_write_saved_model, _run_saved_model),
}
