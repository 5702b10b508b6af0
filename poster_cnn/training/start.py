"""Networks that start from the weights of another run."""

import numpy as np

from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.metrics import arguments
from poster_cnn.models import shipped
from poster_cnn.models.backbones import FEATURES
from poster_cnn.training.saved_model import load_model, read_content


def count_seen(network, data):
    """Count the test posters that a network has seen in the training that it starts from.

    Args:
        network: `NetworkConfig`.
        data: `TrainingData`.

    Returns:
        Dict with `start` (the run or network), `posters` (distinct posters of test movies) and `seen` (those that look
        like posters of its training); empty for a network that starts from neither, or does not know them.
    """
    start, before = _start(network)
    if before is None:
        return {}
    tested = data.manifest["imdb_id"].isin(data.table["imdb_id"][data.split == "test"])
    of_test = data.manifest[tested]
    of_test = SeenPosters.from_signatures(of_test["signature"], of_test["imdb_id"])
    seen = before.count_copies(of_test)
    return {"start": str(start), "posters": len(of_test), "seen": seen}


def with_start(network, own):
    """Return the `SeenPosters` of a training together with those of the trainings that it starts from."""
    _, before = _start(network)
    return own if before is None else SeenPosters(np.unique(np.concatenate([own.records, before.records])))


def _start(network):
    """Return what a `NetworkConfig` starts from, and its `SeenPosters`, or `None` if it does not know them."""
    start, about = network.start_from, {}
    if start is not None:
        about = read_content(start)
    elif network.model_args.get("weights") == shipped.POSTERS:
        start = shipped.shipped_network(network.model)
        about = shipped.read_content(start)["about"]
    text = about.get("seen_posters")
    return start, SeenPosters.from_text(text) if text else None


def describe_seen(seen):
    """Say how many test posters were seen; "" if there are none."""
    if not seen.get("seen"):
        return ""
    return (
        f"{seen['seen']:,} of the {seen['posters']:,} test posters were in the training of {seen['start']}, which this "
        "run starts from, so its test scores are too high"
    )


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
