"""Networks that predict pictures: ONNX files without TensorFlow and Keras, and models that Keras loads."""

import collections.abc
import dataclasses
import functools
import pathlib

import numpy as np

from poster_cnn.datasets import pixels
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.metrics import arguments
from poster_cnn.models import shipped
from poster_cnn.training.about import ENTRY, read_about

_AT_ONCE = 2  # pictures for ONNX Runtime; more do not fit into the processor's cache, and take twice as long


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that is ready to predict.

    Attributes:
        about: Dict with the genres and thresholds, as from `load_model`.
        image_size: `(height, width)` of its input in pixels.
        run: Function of float32 pixels, 0..255, `(batch, height, width, 3)` -> float32 probabilities.
        resize: Function with the arguments of `pixels.resize`.
        model: The `keras.Model`. Defaults to `None`: the network runs without Keras.
    """

    about: dict
    image_size: tuple
    run: collections.abc.Callable
    resize: collections.abc.Callable
    model: object = None

    @functools.cached_property
    def seen(self):
        """The `SeenPosters` that the network was trained on, or `None`."""
        text = self.about.get("seen_posters")
        return None if text is None else SeenPosters.from_text(text)

    def probabilities(self, images):
        """Return the probabilities of a batch, for some networks the mean of posters and their mirror images."""
        if not self.about.get("mirrored"):
            return self.run(images)
        return (self.run(images) + self.run(np.ascontiguousarray(images[:, :, ::-1]))) / 2

    def fit(self, image):
        """Return a decoded picture as the network takes it, float32 `(height, width, 3)`."""
        about = self.about
        return pixels.fit(image, self.image_size, about["interpolation"], about["crop_size"], self.resize)


def open_network(model=None, class_names=None):
    """Load a network that predicts pictures.

    Args:
        model: Name of a network that comes with the package, an ONNX file of `poster-cnn export`, a run folder or its
            `.keras` file, or `(model, about)` from `load_model`. Defaults to `None`: the network that comes with the
            package.
        class_names: Genres in label order, for a `.keras` file that names none; see `load_model`. Defaults to `None`.

    Returns:
        `Network`. Only run folders and `.keras` files need Keras.

    Raises:
        FileNotFoundError, ValueError: If it cannot be loaded, or takes other inputs than pictures.
    """
    if isinstance(model, tuple) and len(model) == 2:
        return _keras_network(*model)
    name = shipped.DEFAULT if model is None else str(arguments.path("model", model))
    if shipped.is_shipped(name):
        return _onnx_network(shipped.FOLDER / f"{name}.onnx", shipped.read_content(name)["about"])
    if pathlib.Path(name).suffix.lower() == ".onnx":
        return _onnx_network(pathlib.Path(name))
    from poster_cnn.training.saved_model import load_model

    return _keras_network(*load_model(model, class_names))


def _onnx_network(path, about=None):
    import onnxruntime

    if not path.is_file():
        raise FileNotFoundError(f"No model found. Looked for {str(path)!r}.")
    onnxruntime.set_default_logger_severity(4)  # no lines of its own on stderr
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the cores alone
    try:
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # of types that ONNX Runtime does not document
        raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error
    if about is None:
        about = session.get_modelmeta().custom_metadata_map.get(ENTRY, "{}")
    (inputs, *others), outputs = session.get_inputs(), session.get_outputs()
    if others or len(inputs.shape) != 4 or not all(isinstance(side, int) for side in inputs.shape[1:3]):
        raise ValueError(f"{path} must have one input, pixels (batch, height, width, 3). Received: {inputs.shape}")

    def run(images):
        """Return the probabilities of a batch."""
        parts = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
        return np.concatenate([session.run([outputs[0].name], {inputs.name: part})[0] for part in parts])

    about = read_about(about, path, outputs[0].shape[-1])
    return Network(about, tuple(inputs.shape[1:3]), run, pixels.resize)


def _keras_network(model, about):
    if isinstance(model.input, dict) or len(model.input.shape) != 4:
        raise ValueError(
            "`model` must be a model of pictures. For an ensemble, use its run folder and `predict_movies`. "
            f"Received: model {model.name}"
        )

    from poster_cnn.training.process_state import unchanged_process

    @unchanged_process()
    def run(images):
        """Return the probabilities of a batch."""
        return np.asarray(model.predict_on_batch(images))

    return Network(about, tuple(model.input_shape[1:3]), run, pixels.keras_resize, model)
