"""Networks of paper 5: a branch per modality of a movie, and the late fusion of their probabilities."""

import collections.abc

import numpy as np
from keras import Input, Model, layers, ops

from poster_cnn.metrics import arguments
from poster_cnn.models.backbones import FEATURES
from poster_cnn.models.blocks import builder, classifier, dense_blocks

_EPSILON = 1e-6  # probabilities are clipped to this distance from 0 and 1, where logits are infinite


@builder
def poster_branch(
    num_features=4096,
    num_classes=13,
    *,
    dense_units=1000,
    dropout=0,
    classifier_activation="sigmoid",
    name="poster_branch",
):
    """Build a network of one hidden layer on the features of a frozen backbone (paper 5, section 4 and Fig. 3).

    Reference: D. LeBaron, "Multi-label Movie Genre Classification Using Multiple Modalities".

    Args:
        num_features: Number of features of a poster. Defaults to 4096, as of `vgg16`; `mobilenet_v2` has 1280.
        num_classes: Number of genres. Defaults to 13.
        dense_units: Units of the hidden layer, with ReLU; the paper names no activation. Defaults to 1000.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0, as in the paper.
        classifier_activation: Activation of the last layer. Defaults to `"sigmoid"`.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, num_features)` -> float32 `(batch, num_classes)`.

    Example:

    >>> poster_branch().count_params()
    4110013
    """
    inputs = Input((num_features,))
    return _branch(inputs, inputs, (dense_units,), dropout, num_classes, classifier_activation, name)


@builder
def trailer_branch(
    input_shape=(200, 4096),
    num_classes=13,
    *,
    dense_units=1000,
    dropout=0,
    classifier_activation="sigmoid",
    name="trailer_branch",
):
    """Build a network of a mean over the frames of a trailer and one hidden layer (paper 5, section 4).

    A frame whose features are all 0 is padding, and is left out of the mean. `feature_extractor_and_head` cuts the
    model after the mean, so that means can be computed once and cached.

    Args:
        input_shape: `(num_frames, num_features)`; `None` allows any number of frames. Defaults to `(200, 4096)`.
        num_classes, dense_units, dropout, classifier_activation, name: See `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.
    """
    if len(input_shape) != 2:
        arguments.refuse("input_shape", "(num_frames, num_features)", input_shape)
    inputs = Input(input_shape)
    is_frame = ops.cast(ops.any(ops.not_equal(inputs, 0), axis=-1, keepdims=True), inputs.dtype)
    num_frames = ops.maximum(ops.sum(is_frame, axis=1), 1)  # (batch, 1)
    mean = layers.Identity(name=FEATURES)(ops.sum(inputs, axis=1) / num_frames)
    return _branch(inputs, mean, (dense_units,), dropout, num_classes, classifier_activation, name)


@builder
def metadata_branch(
    num_columns,
    num_classes=13,
    *,
    dense_units=(256, 128, 64),
    dropout=0,
    classifier_activation="sigmoid",
    name="metadata_branch",
):
    """Build a network of three hidden layers on one-hot metadata (paper 5, section 4).

    The paper describes "a fully-connected network with 4 layers" without their widths; the widths here are ours.

    Args:
        num_columns: Number of columns of the one-hot encoding; 11,113 in the paper.
        dense_units: Units of the hidden layers, with ReLU. Defaults to `(256, 128, 64)`.
        num_classes, dropout, classifier_activation, name: See `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, num_columns)` -> float32 `(batch, num_classes)`.
    """
    inputs = Input((num_columns,))
    return _branch(inputs, inputs, dense_units, dropout, num_classes, classifier_activation, name)


@builder
def plot_branch(
    num_features=300,
    num_classes=13,
    *,
    dense_units=50,
    dropout=0,
    classifier_activation="sigmoid",
    name="plot_branch",
):
    """Build a network of one hidden layer on the vector of a plot, in paper 5 the mean of its word vectors (section 4).

    Args:
        num_features: Dimensions of the vectors. Defaults to 300.
        dense_units: Units of the hidden layer, with ReLU. Defaults to 50.
        num_classes, dropout, classifier_activation, name: See `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, num_features)` -> float32 `(batch, num_classes)`.
    """
    inputs = Input((num_features,))
    return _branch(inputs, inputs, (dense_units,), dropout, num_classes, classifier_activation, name)


def _branch(inputs, x, dense_units, dropout, num_classes, activation, name):
    x = dense_blocks(x, dense_units, dropout)
    return Model(inputs, classifier(x, num_classes, activation), name=name)


@builder
def late_fusion(num_classes=13, num_branches=4, *, on="logits", prior=None, name="late_fusion"):
    """Build one dense layer that combines the probabilities of any subset of branches (paper 5, section 4).

    The paper stacks the probabilities of four branches before a dense layer of size "(13*4)x3", which does not fit 13
    genres; it is 52×13 here. Unlike the paper's, this layer takes logits minus the logits of the prior, divided by
    the number of present branches, where a missing branch contributes 0. The layer starts as the identity for each
    branch, so that the untrained fusion is the mean of the logits of the present branches. If no branch is present,
    the output is the prior, before and after training. To allow missing branches later, train with branches dropped
    at random.

    Args:
        num_classes: Number of genres. Defaults to 13.
        num_branches: Number of branches. Defaults to 4.
        on: `"logits"`, as described, or `"probabilities"` for the paper's own layer, which has random initial weights
            and takes the stacked probabilities, the prior in place of missing ones. Defaults to `"logits"`.
        prior: Probabilities of the genres if no branch is present, `(num_classes,)`, 0..1, such as their frequencies
            in the training set. Defaults to `None`: 0.5 each, the output of an uninformative branch whose loss was
            weighted by negatives/positives.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: dict of `probabilities`, float32 `(batch, num_branches, num_classes)`, and
        `present`, bool `(batch, num_branches)` -> float32 `(batch, num_classes)`. The probabilities of missing
        branches are ignored, even if they are NaN.

    Raises:
        ValueError: If `prior` is not one probability per genre, or `on` is unknown.

    Example:

    >>> fusion = late_fusion(num_classes=2, num_branches=2)
    >>> probabilities = np.float32([[[0.9, 0.2], [np.nan, np.nan]]])
    >>> fusion.predict({"probabilities": probabilities, "present": np.array([[True, False]])})
    array([[0.9, 0.2]], dtype=float32)
    """
    if on not in ("logits", "probabilities"):
        raise ValueError(f"`on` must be 'logits' or 'probabilities'. Received: on={on!r}")
    prior = _prior_logits(prior, num_classes)
    inputs = {
        "probabilities": Input((num_branches, num_classes), name="probabilities"),
        "present": Input((num_branches,), dtype="bool", name="present"),
    }
    present = ops.expand_dims(inputs["present"], axis=-1)
    if on == "probabilities":
        stack = ops.where(present, inputs["probabilities"], (1 / (1 + np.exp(-prior))).astype("float32"))
        x = layers.Flatten(dtype="float32", name="stack")(stack)
        return Model(inputs, classifier(x, num_classes, "sigmoid"), name=name)
    probabilities = ops.where(present, inputs["probabilities"], 0.5)
    probabilities = ops.clip(probabilities, _EPSILON, 1 - _EPSILON)
    logits = ops.log(probabilities) - ops.log1p(-probabilities)
    logits = layers.Rescaling(1.0, offset=(-prior).tolist(), dtype="float32", name="less_prior")(logits)
    present = ops.cast(present, "float32")
    num_present = ops.sum(present, axis=1)  # (batch, 1)
    logits = logits * present / ops.expand_dims(ops.maximum(num_present, 1), axis=-1)
    x = layers.Flatten(dtype="float32", name="stack")(logits)
    dense = layers.Dense(num_classes, dtype="float32", name="fusion")
    x = dense(x) * ops.minimum(num_present, 1)  # without any branch, the bias is ignored too
    dense.set_weights([np.tile(np.eye(num_classes), (num_branches, 1)), np.zeros(num_classes)])
    x = layers.Rescaling(1.0, offset=prior.tolist(), dtype="float32", name="plus_prior")(x)
    return Model(inputs, layers.Activation("sigmoid", dtype="float32", name="predictions")(x), name=name)


@arguments.checked(
    branches=arguments.instance(collections.abc.Mapping, "a dict of modality -> model"),
    fusion=arguments.instance(Model),
)
def multimodal(branches, fusion, *, name="multimodal"):
    """Join branches and their fusion into one model that shares their weights.

    The paper trains each branch alone, then the fusion. Training all of them end to end is a variant; to train the
    fusion only, freeze the branches first (`branch.trainable = False`).

    Args:
        branches: Dict of modality -> `keras.Model` with one input and output `(batch, num_classes)`.
        fusion: Model from `late_fusion` for this number of branches.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model`: dict of an input per modality and `present`, bool `(batch, num_branches)` in the
        order of `branches` -> float32 `(batch, num_classes)`. The inputs of missing modalities are ignored, even if
        they are NaN.

    Raises:
        ValueError: If the fusion is for another number of branches or genres, a modality is named "present", or two
            parts have the same name.

    Example:

    >>> model = multimodal({"poster": poster_branch(1280), "plot": plot_branch()}, late_fusion(num_branches=2))
    >>> model.predict({"poster": features, "plot": vectors, "present": present})
    """
    _check_parts(branches, fusion)
    inputs = {
        key: Input(branch.input.shape[1:], dtype=branch.input.dtype, name=key) for key, branch in branches.items()
    }
    present = Input((len(branches),), dtype="bool", name="present")
    probabilities = []
    for number, (key, branch) in enumerate(branches.items()):
        here = ops.reshape(ops.take(present, number, axis=1), (-1, *[1] * (len(branch.input.shape) - 1)))
        # A NaN in a missing input would make the branch's gradients NaN, even when multiplied by 0.
        probabilities.append(branch(ops.where(here, inputs[key], ops.zeros_like(inputs[key]))))
    outputs = fusion({"probabilities": ops.stack(probabilities, axis=1), "present": present})
    return Model(inputs | {"present": present}, outputs, name=name)


def _prior_logits(prior, num_classes):
    prior = np.full(num_classes, 0.5) if prior is None else arguments.numeric("prior", prior).astype("float64")
    if prior.shape != (num_classes,) or not ((prior >= 0) & (prior <= 1)).all():
        raise ValueError(
            f"`prior` must be {num_classes} probabilities, 0..1, or None. Received: prior={prior.tolist()}"
        )
    prior = prior.clip(_EPSILON, 1 - _EPSILON)
    return np.log(prior) - np.log1p(-prior)


def _check_parts(branches, fusion):
    expected = tuple(fusion.input["probabilities"].shape[1:])
    shapes = {key: tuple(branch.output.shape) for key, branch in branches.items()}
    if len(branches) != expected[0] or set(shapes.values()) != {(None, expected[1])}:
        raise ValueError(
            f"`branches` must be {expected[0]} models with {expected[1]} genres each, as expected by `fusion`. "
            f"Received: outputs={shapes}"
        )
    names = ["present", fusion.name, *branches, *(branch.name for branch in branches.values())]
    if len(set(names)) < len(names):
        raise ValueError(
            "Modalities, their models and `fusion` must have different names, none of them 'present'. "
            f"Received: {', '.join(names[1:])}"
        )
