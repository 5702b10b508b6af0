"""The trained networks that come with the package, in `poster_cnn/weights/`. Keras is not imported to read them.

Each network has three files: `NAME.npz` with its weights by their Keras paths (float16, but vectors such as biases are
float32), `NAME.json` with its builder, genres, thresholds and scores, and `NAME.onnx`, a graph for ONNX Runtime that
reads its weights from `NAME.npz`. `experiments/release/pack.py` writes them.
"""

import pathlib

import numpy as np

from poster_cnn.files import read_json
from poster_cnn.metrics import arguments

FOLDER = pathlib.Path(__file__).parents[1] / "weights"
DEFAULT = "posters_mobilenet_v2"
POSTERS = "posters"  # the value of `weights` that builders accept


def shipped_names():
    """Return the names of the networks that come with the package, the default one first."""
    names = sorted(path.stem for path in FOLDER.glob("*.npz"))
    return sorted(names, key=lambda name: name != DEFAULT)


def is_shipped(name):
    """Return whether `name` is the name of a network that comes with the package."""
    return isinstance(name, str) and name in shipped_names()


def read_content(name):
    """Return the content of `NAME.json` as a dict.

    Args:
        name: One of `shipped_names()`.

    Returns:
        Dict with `model` (name of the builder), `model_args` (its arguments), `about` (as in a saved model) and
        `scores`.
    """
    return read_json(FOLDER / f"{arguments.choice(*shipped_names())('name', name)}.json")


def shipped_network(builder):
    """Return the name of the shipped network of a builder, or `None`."""
    return next((name for name in shipped_names() if read_content(name)["model"] == builder), None)


def assign_weights(model, name):
    """Copy shipped weights into a model, from its first layer to the first one that they do not fit.

    A model with another number of genres thus gets all weights but those of its last layer, and `seven_layer_cnn` of
    another size gets those of its convolutions.

    Args:
        model: `keras.Model` of the same builder.
        name: One of `shipped_names()`.

    Returns:
        The same model.

    Raises:
        ValueError: If not even the weights of the first layer fit.
    """
    with np.load(FOLDER / f"{name}.npz") as stored:
        for number, variable in enumerate(model.weights):
            if variable.path not in stored or stored[variable.path].shape != tuple(variable.shape):
                if number == 0:
                    raise ValueError(f"The weights of {name} do not fit the model {model.name}.")
                break
            variable.assign(stored[variable.path].astype("float32"))
    return model
