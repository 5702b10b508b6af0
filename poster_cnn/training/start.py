"""Networks that start from the weights of another run."""

from poster_cnn.metrics import arguments
from poster_cnn.models.backbones import FEATURES
from poster_cnn.training.saved_model import load_model


def take_weights(network, path, class_names):
    """Copy the weights of a saved network of the same architecture into a new one.

    If the genres differ, the last layers keep their random weights: those after the backbone or, in a network without a
    backbone, the last one.

    Args:
        network: `keras.Model`.
        path: Run folder or `.keras` file of the other network.
        class_names: Genres of the new network, in label order.

    Returns:
        The same network.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the other network has other layers.
    """
    source, about = load_model(path)
    ours, theirs = (_weighted_layers(model) for model in (network, source))
    if tuple(about["class_names"]) != tuple(class_names):
        ours, theirs = (_without_head(model, found) for model, found in ((network, ours), (source, theirs)))
    shapes = [[[tuple(weight.shape) for weight in layer.weights] for layer in found] for found in (ours, theirs)]
    if shapes[0] != shapes[1]:
        expected = f"a run of the network {network.name}, with the same `model_args` and, unless it pools, image size"
        arguments.refuse("start_from", expected, str(path))
    for layer, other in zip(ours, theirs, strict=True):
        layer.set_weights(other.get_weights())
    return network


def _weighted_layers(model):
    return [layer for layer in model.layers if layer.weights]


def _without_head(model, layers):
    names = [layer.name for layer in model.layers]
    if FEATURES not in names:
        return layers[:-1]
    before = model.layers[: names.index(FEATURES)]
    return [layer for layer in layers if any(layer is other for other in before)]
