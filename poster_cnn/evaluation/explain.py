"""Heat maps of the pixels that speak for a genre: Grad-CAM, class activation maps and occlusion, on any Keras backend.

Every function returns maps of the size of the input, 0..1, whose highest value is 1. A picture in which nothing speaks
for the genre has a map of zeros. The cells of the feature maps are placed at the centers of what they see, so that
networks without padding are explained at the right pixels.
"""

import contextlib
import weakref

import numpy as np

from poster_cnn.metrics import arguments

METHODS = ("grad_cam", "class_activation_map", "occlusion")

_LEAST_FALL = 1e-3  # of a probability; smaller ones may be rounding errors, which must not be scaled up to 1
_splits = weakref.WeakKeyDictionary()  # model -> its `SplitNetwork`s by the layer's name


def images_4d(name, value):
    """Check pictures `(batch, height, width, channels)`, which become float32."""
    found = arguments.numeric(name, value)
    if found.ndim != 4 or 0 in found.shape:
        arguments.refuse(name, "pictures (batch, height, width, channels) of the model's input size", value)
    return found.astype("float32")


@arguments.checked(images=images_4d, batch_size=arguments.count, layer=arguments.optional(arguments.text))
def grad_cam(model, images, class_index=None, *, layer=None, batch_size=32):
    """Compute Grad-CAM: feature maps weighted by the mean gradients of a genre's score.

    Reference: R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    https://arxiv.org/abs/1610.02391. The score is the genre's logit, that is, the output before softmax or sigmoid.

    The feature maps are the last ones before pooling and dense layers, also inside of a nested backbone. If global max
    pooling follows, as in `mobilenet_v2`, the gradient of each map reaches a single cell. Grad-CAM averages gradients
    over cells, so it equals `class_activation_map` there, and shows cells that had no effect on the score.

    Args:
        model: Uncompiled or compiled `keras.Model` of pictures, such as one from `poster_cnn.models` or `load_model`.
        images: Raw pixels 0–255, `(batch, height, width, channels)`, of the model's input size.
        class_index: Index of the genre to explain, or one index per picture. Defaults to `None`: the most probable
            genre of each picture.
        layer: Name of another layer whose maps are used, such as `"conv2"`. Defaults to `None`, the last maps.
        batch_size: Pictures per batch. Defaults to 32.

    Returns:
        float32 array `(batch, height, width)`, 0..1, of the size of `images`.

    Raises:
        ValueError: If the model has no feature maps or no layer of this name, or an argument is not as described.
    """
    split = _split(model, images, layer)
    return _in_batches(split, images, class_index, batch_size, _gradient_weights)


@arguments.checked(images=images_4d, batch_size=arguments.count)
def class_activation_map(model, images, class_index=None, *, batch_size=32):
    """Compute class activation maps: feature maps weighted by the last dense layer's weights of a genre.

    Reference: B. Zhou et al., "Learning Deep Features for Discriminative Localization",
    https://arxiv.org/abs/1512.04150.

    No gradient is needed. The network must end in global pooling and one dense layer, as `mobilenet_v2`, the ResNets
    and the DenseNets do. This is the method for global max pooling, whose gradients reach single cells only.

    Args:
        model, images, class_index, batch_size: See `grad_cam`.

    Returns:
        float32 array `(batch, height, width)`, 0..1, of the size of `images`.

    Raises:
        ValueError: If the network does not end in global pooling and one dense layer.
    """
    split = _split(model, images)
    if split.dense is None:
        raise ValueError(
            "`model` must end in global pooling and one dense layer; use grad_cam or occlusion for other networks. "
            f"Received: {model.name}, whose feature maps are followed by {', '.join(split.after)}"
        )
    kernel = _to_numpy(split.dense.kernel)  # (num_channels, num_classes)
    return _in_batches(split, images, class_index, batch_size, lambda split, maps, chosen: kernel.T[chosen])


@arguments.checked(
    images=images_4d,
    patch_size=arguments.optional(arguments.count),
    stride=arguments.optional(arguments.count),
    batch_size=arguments.count,
)
def occlusion(model, images, class_index=None, *, patch_size=None, stride=None, batch_size=32):
    """Cover one patch of a picture at a time and measure how far the probability of a genre falls.

    Reference: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks",
    https://arxiv.org/abs/1311.2901. The patches have the mean color of the picture. A pixel's value is the mean fall
    over the patches that cover it. The map is zero if no pixel's value reaches 0.001.

    No gradient and no feature maps are needed, so that any network can be explained, at the price of about a hundred
    predictions per picture.

    Args:
        model: A `keras.Model`, or any function from pixels `(batch, height, width, channels)` to probabilities
            `(batch, num_classes)`.
        images, class_index: See `grad_cam`.
        patch_size: Side of the square patches in pixels. Defaults to `None`, a quarter of the shorter side.
        stride: Distance between patches in pixels. Defaults to `None`, half of `patch_size`.
        batch_size: Covered pictures per batch. Defaults to 32.

    Returns:
        float32 array `(batch, height, width)`, 0..1, of the size of `images`.

    Raises:
        ValueError: If `patch_size` exceeds the picture.
    """
    height, width = images.shape[1:3]
    patch = patch_size or max(1, round(min(height, width) / 4))
    if patch > min(height, width):
        arguments.refuse("patch_size", f"at most {min(height, width)}, the shorter side of the pictures", patch_size)
    predict = getattr(model, "predict_on_batch", model)
    probabilities = _predicted(predict, images, batch_size)
    chosen = _chosen(_indices(class_index, len(images)), probabilities)
    corners = [(y, x) for y in _starts(height, patch, stride) for x in _starts(width, patch, stride)]
    maps, before = [], None
    for image, index, whole in zip(images, chosen, probabilities, strict=True):
        if before is None or not np.array_equal(image, before):  # further genres of a picture need no predictions
            covered = np.repeat(image[None], len(corners), axis=0)
            for number, (y, x) in enumerate(corners):
                covered[number, y : y + patch, x : x + patch] = image.mean(axis=(0, 1))
            left, before = _predicted(predict, covered, batch_size), image
        falls, times = np.zeros((2, height, width))
        for (y, x), fallen in zip(corners, left[:, index], strict=True):
            falls[y : y + patch, x : x + patch] += whole[index] - fallen
            times[y : y + patch, x : x + patch] += 1
        falls /= times
        maps.append(falls * (falls.max() >= _LEAST_FALL))
    return _normalized(np.stack(maps))


def heat_maps(model, images, class_index=None, *, method=None, **options):
    """Compute maps by the name of a method.

    Args:
        model, images, class_index: See `grad_cam`.
        method: One of `METHODS`. Defaults to `None`: `"class_activation_map"` if the network ends in global pooling
            and one dense layer, otherwise `"grad_cam"`, or `"occlusion"` for a function or a network without feature
            maps, such as a transformer.
        options: Further arguments of the method.

    Returns:
        float32 array `(batch, height, width)`, 0..1, of the size of `images`.
    """
    if method is None:
        method = "occlusion"
        with contextlib.suppress(ValueError):  # no feature maps
            if hasattr(model, "layers"):
                dense = _split(model, images_4d("images", images)).dense
                method = "grad_cam" if dense is None else "class_activation_map"
    function = {"grad_cam": grad_cam, "class_activation_map": class_activation_map, "occlusion": occlusion}
    return function[arguments.choice(*METHODS)("method", method)](model, images, class_index, **options)


def genre_maps(image, genres, network):
    """Compute the heat maps of some genres of a picture.

    Args:
        image: Upright RGB `PIL.Image.Image`.
        genres: Names of genres that the network knows.
        network: `networks.Network`. A Keras model is explained as by `heat_maps`, an ONNX file by occlusion.

    Returns:
        Dict of genre -> float32 array of the network's input size, for `figures.explanation_cards`.
    """
    class_names = list(network.about["class_names"])
    images = np.repeat(network.fit(image)[None], len(genres), axis=0)
    maps = heat_maps(network.model or network.run, images, [class_names.index(genre) for genre in genres])
    return dict(zip(genres, maps, strict=True))


def _split(model, images, layer=None):
    from poster_cnn.models.feature_maps import split_at_feature_maps

    known, sides = _splits.setdefault(model, {}), getattr(model, "input_shape", ())[1:3]
    key = layer, images.shape[1:3] if sides == (None, None) else None
    if key not in known:
        known[key] = split_at_feature_maps(model, *key)
    return known[key]


def _in_batches(split, images, class_index, batch_size, weights_of):
    """Return the positive part of the feature maps' sum with these weights `(batch, channels)`, at the input's size."""
    height, width = images.shape[1:3]
    if split.extractor.input_shape[1:] not in (images.shape[1:], (None, None, images.shape[3])):
        expected = f"pictures of the model's input size {split.extractor.input_shape[1:]}"
        arguments.refuse("images", expected, images.shape)
    class_index, found = _indices(class_index, len(images)), []
    for start in range(0, len(images), batch_size):
        maps = _to_numpy(split.extractor(images[start : start + batch_size], training=False))
        logits = _to_numpy(split.head(maps, training=False))
        given = None if class_index is None else class_index[start : start + batch_size]
        weights = weights_of(split, maps, _chosen(given, logits))
        found.append(np.einsum("bhwc,bc->bhw", maps, weights))
    maps = np.concatenate(found)
    return _normalized(_enlarged(maps, split.start, split.step, (height, width)))


def _indices(class_index, count):
    """Return an index for each picture, or `None`."""
    if class_index is None:
        return None
    found = np.atleast_1d(class_index)
    if found.dtype.kind not in "iu" or found.shape not in ((1,), (count,)):
        arguments.refuse("class_index", f"an integer, {count} integers, one per picture, or None", class_index)
    return np.broadcast_to(found, count)


def _chosen(indices, scores):
    """Return the index of the genre to explain for each row of scores."""
    if indices is None:
        return scores.argmax(axis=1)
    if indices.min() < 0 or indices.max() >= scores.shape[1]:
        arguments.refuse("class_index", f"0 … {scores.shape[1] - 1}, the genres of the model", indices.tolist())
    return indices


def _predicted(predict, images, batch_size):
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    return np.concatenate([np.asarray(predict(batch), dtype="float64") for batch in batches])


def _starts(length, patch, stride):
    """Return where patches start, so that their distance is at most the stride and both edges are covered."""
    count = 1 + -(-(length - patch) // (stride or max(1, patch // 2)))
    return np.linspace(0, length - patch, count).round().astype(int)


def _enlarged(maps, start, step, size):
    """Interpolate maps linearly to a size; pixels beyond the outermost cells have the values of these cells."""
    rows, columns = (
        [np.interp(range(size[axis]), start[axis] + step[axis] * np.arange(count), cell) for cell in np.eye(count)]
        for axis, count in enumerate(maps.shape[1:3])
    )
    return np.einsum("bij,iy,jx->byx", maps, rows, columns, optimize=True)


def _normalized(maps):
    maps = np.maximum(maps, 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return (maps / np.where(highest > 0, highest, 1)).astype("float32")


def _to_numpy(tensor):
    from keras import ops

    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def _gradient_weights(split, maps, chosen):
    """Return the gradients of the chosen logits, averaged over the cells: `(batch, channels)`."""
    from keras import ops

    wanted = np.eye(split.head.output_shape[-1], dtype="float32")[chosen]

    def score(maps):
        """Return the sum of the chosen logits; a picture does not change the logits of another one."""
        return ops.sum(ops.multiply(ops.cast(split.head(maps, training=False), "float32"), wanted))

    return _gradient(score, maps).mean(axis=(1, 2))


def _gradient(function, x):
    """Return the gradient of a function of a float32 array to a scalar tensor, as an array."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            x = tf.convert_to_tensor(x)
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    if backend == "torch":
        import torch

        with torch.enable_grad():
            x = keras.ops.convert_to_tensor(x).requires_grad_()
            return torch.autograd.grad(function(x), x)[0].cpu().numpy()
    raise RuntimeError(f"Grad-CAM needs the backend tensorflow, jax or torch; use occlusion. Received: {backend!r}")
