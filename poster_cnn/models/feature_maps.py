"""Split of a network at its last feature maps, inside of nested backbones too, for explanations of its predictions."""

import dataclasses

import keras
import numpy as np
from keras import layers, ops

from poster_cnn.metrics import arguments

_DROPPED = (layers.Activation, layers.Dropout, layers.Softmax)  # without effect on the logits in inference


@dataclasses.dataclass(frozen=True)
class SplitNetwork:
    """Two parts of a network, which share its layers and weights.

    Attributes:
        extractor: `keras.Model`, pixels -> feature maps `(batch, rows, columns, channels)`.
        head: `keras.Model`, feature maps -> logits `(batch, num_classes)`, the output before softmax or sigmoid.
        after: Types of the layers after the maps, list of str.
        dense: Last dense layer if only global pooling lies between it and the maps, otherwise `None`.
        start, step: Position of the first cell and distance of the cells, each `(vertical, horizontal)` in pixels of
            the input; the first pixel has position 0.
    """

    extractor: keras.Model
    head: keras.Model
    after: list
    dense: layers.Layer | None
    start: tuple
    step: tuple


@arguments.checked(model=arguments.instance(keras.Model), layer=arguments.optional(arguments.text))
def split_at_feature_maps(model, layer=None, size=None):
    """Split a network at its last feature maps before pooling.

    Args:
        model: `keras.Model` of pictures; functional or sequential, perhaps with other such models as layers.
        layer: Name of another layer to split at; layers of nested models are allowed. Defaults to `None`.
        size: `(height, width)` of the pictures, for a model of any size. Defaults to `None`: the model's.

    Returns:
        `SplitNetwork`

    Raises:
        ValueError: If the model has other inputs than pictures, no feature maps, or no layer of this name.
    """
    inputs = _inputs(model)
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(str(tensor.shape) for tensor in inputs) or "no known input"
        raise ValueError(f"`model` must be a network of pictures. Received: {model.name}, {shapes}")
    shape = inputs[0].shape if size is None else (None, *size, inputs[0].shape[3])
    pixels, steps = keras.Input(batch_shape=shape, dtype=inputs[0].dtype), []
    _unroll(model, pixels, steps)
    place = _last_maps(steps) if layer is None else _named(steps, layer)
    maps, after = steps[place][2], steps[place + 1 :]
    logits = _logits(*after[-1]) if after else maps
    used = [operation for operation, _, _ in after if not isinstance(operation, _DROPPED)]
    is_pooled = len(used) == 2 and type(used[0]).__name__ in ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
    return SplitNetwork(
        extractor=keras.Model(pixels, maps),
        head=keras.Model(maps, logits),
        after=[type(operation).__name__ for operation, _, _ in after],
        dense=used[1] if is_pooled and isinstance(used[1], layers.Dense) else None,
        **_positions(pixels, steps[: place + 1]),
    )


def _inputs(model):
    """Return the input tensors of a functional or sequential model, or an empty list for another one."""
    return list(getattr(model, "inputs", None) or ())


def _unroll(model, x, steps):
    """Call the layers of a model and of nested models on a tensor; append (layer, arguments, output) to `steps`."""

    def call(layer, *args, **kwargs):
        """Call a layer and record the call."""
        if isinstance(layer, keras.Model) and len(_inputs(layer)) == 1:
            plain = layer if isinstance(layer, keras.Sequential) else keras.Model(layer.inputs[0], layer.outputs[0])
            return _unroll(plain, keras.tree.flatten(args[0])[0], steps)
        output = layer(*args, **kwargs)
        steps.append((layer, args, output))
        return output

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            x = call(layer, x)
        return x
    # A documented use of `clone_model`: it shares the layers, and `call_function` sees every call.
    keras.models.clone_model(model, input_tensors=x, clone_function=lambda layer: layer, call_function=call)
    return steps[-1][2]  # calls are ordered by depth, so the last one makes the output


def _last_maps(steps):
    """Return the position of the last maps; where only pooling, dropout and activations follow, those before pooling.

    Averaged over cells, gradients before and after pooling are the same, but the maps before it are finer.
    """
    ranks = [len(output.shape) if hasattr(output, "shape") else 0 for _, _, output in steps]
    place = found = len(ranks) - 1 - ranks[::-1].index(4) if 4 in ranks else -1
    if not any(getattr(layer, "weights", None) for layer, _, _ in steps[: found + 1]):  # the pixels are no maps
        raise ValueError(
            "`model` must have a layer with feature maps (batch, rows, columns, channels). It has none, like a "
            "transformer; use occlusion."
        )
    while found and ranks[found - 1] == 4 and not getattr(steps[found][0], "weights", None):
        found -= 1
        if steps[found][2].shape[1:3] != steps[found + 1][2].shape[1:3]:
            place = found
    return place


def _named(steps, name):
    places = [place for place, (operation, _, output) in enumerate(steps) if operation.name == name]
    if not places or len(steps[places[-1]][2].shape) != 4:
        maps = [operation.name for operation, _, output in steps if len(getattr(output, "shape", ())) == 4]
        raise ValueError(f"`layer` must be a layer with feature maps: {', '.join(maps)}. Received: layer={name!r}")
    return places[-1]


def _logits(layer, x, output):
    """Return the last layer's output before its activation."""
    if isinstance(layer, layers.Activation | layers.Softmax):
        return x[0]
    if not isinstance(layer, layers.Dense) or layer.activation is keras.activations.linear:
        return output
    logits = ops.matmul(ops.cast(x[0], layer.compute_dtype), layer.kernel)
    return logits + layer.bias if layer.use_bias else logits


def _positions(pixels, steps):
    """Return where the cells of the last output of `steps` lie in the input: the centers of what they see."""
    known = {id(pixels): (np.zeros(2), np.ones(2))}
    for operation, given, output in steps:
        inputs = [tensor for tensor in keras.tree.flatten(given) if id(tensor) in known]
        if not inputs or len(getattr(output, "shape", ())) != 4:
            continue
        x = max(inputs, key=lambda tensor: tensor.shape[1] or 0)  # others are broadcast, as of squeeze-and-excitation
        known[id(output)] = _moved(operation, *known[id(x)], x.shape[1:3], output.shape[1:3])
    start, step = known[id(steps[-1][2])]
    return {"start": tuple(start.tolist()), "step": tuple(step.tolist())}


def _moved(layer, start, step, size_in, size_out):
    """Return start and step of a layer's output from those of its input."""
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if isinstance(layer, layers.ZeroPadding2D | layers.Cropping2D):
        sides = getattr(layer, "padding", None) or [[-side for side in axis] for axis in layer.cropping]
        return start - step * [before for before, _ in sides], step
    if window and "Transpose" not in type(layer).__name__:
        window = (np.array(window) - 1) * getattr(layer, "dilation_rate", (1, 1)) + 1
        strides, before = np.array(layer.strides), np.zeros(2)
        if layer.padding == "same":
            before = np.maximum((np.array(size_out) - 1) * strides + window - size_in, 0) // 2
        return start + step * ((window - 1) / 2 - before), step * strides
    if None in (*size_in, *size_out):
        return start, step
    new_step = step * size_in / size_out  # a layer of another kind spreads its cells evenly, if it changes the size
    return start + (new_step - step) / 2, new_step
