"""Paper 5: a network for each modality of a movie, and the layer that combines what they say."""

import numpy as np
from keras import Input, Model, layers, ops

from poster_cnn.models.backbones import FEATURES
from poster_cnn.models.blocks import classifier, dense_blocks

_SMALLEST = 1e-6  # probabilities are kept this far from 0 and 1, where logits are infinite


def poster_branch(
    num_features=4096,
    num_classes=13,
    *,
    dense_units=1000,
    dropout=0,
    classifier_activation="sigmoid",
    name="poster_branch",
):
    """A hidden dense layer and the last on features of a frozen backbone (paper 5, section 4 and Fig. 3).

    Reference: D. LeBaron, "Multi-label Movie Genre Classification Using Multiple Modalities".

    Args:
        num_features: Features of a poster. Defaults to 4096, those of `vgg16`; `mobilenet_v2` has 1280.
        num_classes: Number of genres. Defaults to 13.
        dense_units: Units of the hidden layer, with ReLU; the paper names no activation. Defaults to 1000.
        dropout: Fraction of the hidden units dropped in training. Defaults to 0; the paper has none.
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


def trailer_branch(
    input_shape=(200, 4096),
    num_classes=13,
    *,
    dense_units=1000,
    dropout=0,
    classifier_activation="sigmoid",
    name="trailer_branch",
):
    """The mean over a trailer's frames, a hidden dense layer and the last (paper 5, section 4).

    A frame of which all features are 0 is padding and does not count in the mean. `feature_extractor_and_head` cuts the
    model after the mean, which can be computed once and kept.

    Args:
        input_shape: `(frames, features of a frame)`; `None` for any number of frames. Defaults to `(200, 4096)`.
        num_classes, dense_units, dropout, classifier_activation, name: As in `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, *input_shape)` -> float32 `(batch, num_classes)`.
    """
    inputs = Input(input_shape)
    is_frame = ops.cast(ops.any(ops.not_equal(inputs, 0), axis=-1, keepdims=True), inputs.dtype)
    num_frames = ops.maximum(ops.sum(is_frame, axis=1), 1)  # (batch, 1)
    mean = layers.Identity(name=FEATURES)(ops.sum(inputs, axis=1) / num_frames)
    return _branch(inputs, mean, (dense_units,), dropout, num_classes, classifier_activation, name)


def metadata_branch(
    num_columns,
    num_classes=13,
    *,
    dense_units=(256, 128, 64),
    dropout=0,
    classifier_activation="sigmoid",
    name="metadata_branch",
):
    """Four fully connected layers on one-hot metadata (paper 5, section 4).

    The paper has "a fully-connected network with 4 layers" and prints no widths: three hidden layers and the last are
    taken for the four, and the widths are ours.

    Args:
        num_columns: Columns of the one-hot encoding; the paper has 11,113.
        dense_units: Units of the hidden layers, with ReLU. Defaults to `(256, 128, 64)`.
        num_classes, dropout, classifier_activation, name: As in `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, num_columns)` -> float32 `(batch, num_classes)`.
    """
    inputs = Input((num_columns,))
    return _branch(inputs, inputs, dense_units, dropout, num_classes, classifier_activation, name)


def plot_branch(
    num_features=300,
    num_classes=13,
    *,
    dense_units=50,
    dropout=0,
    classifier_activation="sigmoid",
    name="plot_branch",
):
    """A hidden dense layer and the last on the mean word vector of a plot (paper 5, section 4).

    Args:
        num_features: Dimensions of the word vectors. Defaults to 300.
        dense_units: Units of the hidden layer, with ReLU. Defaults to 50.
        num_classes, dropout, classifier_activation, name: As in `poster_branch`.

    Returns:
        An uncompiled `keras.Model`: float32 `(batch, num_features)` -> float32 `(batch, num_classes)`.
    """
    inputs = Input((num_features,))
    return _branch(inputs, inputs, (dense_units,), dropout, num_classes, classifier_activation, name)


def _branch(inputs, x, dense_units, dropout, num_classes, activation, name):
    """Hidden dense layers on `x`, which is made of `inputs`, and the last."""
    x = dense_blocks(x, dense_units, dropout)
    return Model(inputs, classifier(x, num_classes, activation), name=name)


def late_fusion(num_classes=13, num_branches=4, *, on="logits", prior=None, name="late_fusion"):
    """One dense layer on what the branches say, whichever of them are present (paper 5, section 4).

    The paper stacks the branches' probabilities before a dense layer whose size it prints as "(13*4)x3", which does not
    fit 13 genres; it is 52×13 here. Unlike the paper's, this layer sees *logits*, less those of the prior, divided by
    how many branches are present. A missing branch counts as 0: it says what the prior says. Each block of the layer
    starts as the identity, so that before any training the fusion is the mean of the logits of the present branches:

    - any subset of the branches gives sensible probabilities, and one branch alone gives its own;
    - one more branch moves them towards what it says, and nowhere if it says the same;
    - training starts from an ensemble that works, where a random layer would start by mixing up the genres.

    With none present the outcome is the prior, before and after training. Train it with some branches of each movie
    left out at random if some are to be missing later.

    Args:
        num_classes: Number of genres. Defaults to 13.
        num_branches: Number of branches. Defaults to 4.
        on: `"logits"`, as described, or `"probabilities"`: the paper's own, a dense layer with random weights on the
            stacked probabilities, where a missing branch says the prior. Defaults to `"logits"`.
        prior: Probability of each genre `(num_classes,)`, 0..1, where nothing is known: their frequencies in training
            if the branches were trained with plain cross-entropy. Defaults to `None`: 0.5 each, what a branch that
            knows nothing says where negatives/positives weigh the loss.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model` of a dict, `probabilities`, float32 `(batch, num_branches, num_classes)`, and
        `present`, bool `(batch, num_branches)` -> float32 `(batch, num_classes)`. What stands in the place of a missing
        branch, be it NaN, changes nothing.

    Raises:
        ValueError: If `prior` is not one probability for each genre, or `on` is unknown.

    Example:

    >>> fusion = late_fusion(num_classes=2, num_branches=2)
    >>> opinions = np.float32([[[0.9, 0.2], [np.nan, np.nan]]])
    >>> fusion.predict({"probabilities": opinions, "present": np.array([[True, False]])})
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
    probabilities = ops.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    logits = ops.log(probabilities) - ops.log1p(-probabilities)
    opinions = layers.Rescaling(1.0, offset=(-prior).tolist(), dtype="float32", name="less_prior")(logits)
    present = ops.cast(present, "float32")
    num_present = ops.sum(present, axis=1)  # (batch, 1)
    opinions = opinions * present / ops.expand_dims(ops.maximum(num_present, 1), axis=-1)
    x = layers.Flatten(dtype="float32", name="stack")(opinions)
    dense = layers.Dense(num_classes, dtype="float32", name="fusion")
    x = dense(x) * ops.minimum(num_present, 1)  # without any branch, no bias either
    dense.set_weights([np.tile(np.eye(num_classes), (num_branches, 1)), np.zeros(num_classes)])
    x = layers.Rescaling(1.0, offset=prior.tolist(), dtype="float32", name="plus_prior")(x)
    return Model(inputs, layers.Activation("sigmoid", dtype="float32", name="predictions")(x), name=name)


def multimodal(branches, fusion, *, name="multimodal"):
    """All branches and their fusion as one model: trained end to end, or put together once they are trained.

    The paper trains each branch alone, then the fusion; to train them at once is a variant. The model shares the
    weights of its parts. To train the fusion alone, freeze the branches before (`branch.trainable = False`).

    Args:
        branches: Dict of modality -> `keras.Model` with one input and outputs `(batch, num_classes)`.
        fusion: `late_fusion` for as many branches.
        name: Name of the model.

    Returns:
        An uncompiled `keras.Model` of a dict, an input for each modality, and `present`, bool `(batch, num_branches)`,
        its columns in the order of `branches` -> float32 `(batch, num_classes)`. What stands in the place of a missing
        modality, be it NaN, changes neither predictions nor gradients.

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
    opinions = []
    for number, (key, branch) in enumerate(branches.items()):
        here = ops.reshape(ops.take(present, number, axis=1), (-1, *[1] * (len(branch.input.shape) - 1)))
        # Zeros instead of garbage before the branch, too: 0 times NaN would make its gradients NaN.
        opinions.append(branch(ops.where(here, inputs[key], ops.zeros_like(inputs[key]))))
    outputs = fusion({"probabilities": ops.stack(opinions, axis=1), "present": present})
    return Model(inputs | {"present": present}, outputs, name=name)


def _prior_logits(prior, num_classes):
    prior = np.full(num_classes, 0.5) if prior is None else np.asarray(prior, dtype="float64")
    if prior.shape != (num_classes,) or not ((prior >= 0) & (prior <= 1)).all():
        raise ValueError(
            f"`prior` must be {num_classes} probabilities, 0..1, or None. Received: prior={prior.tolist()}"
        )
    prior = prior.clip(_SMALLEST, 1 - _SMALLEST)
    return np.log(prior) - np.log1p(-prior)


def _check_parts(branches, fusion):
    expected = tuple(fusion.input["probabilities"].shape[1:])
    shapes = {key: tuple(branch.output.shape) for key, branch in branches.items()}
    if len(branches) != expected[0] or set(shapes.values()) != {(None, expected[1])}:
        raise ValueError(
            f"`branches` must be {expected[0]} models with {expected[1]} genres each, as `fusion` combines. "
            f"Received models with outputs: {shapes}"
        )
    names = ["present", fusion.name, *branches, *(branch.name for branch in branches.values())]
    if len(set(names)) < len(names):
        raise ValueError(
            "Modalities, their models and `fusion` must have names of their own, none of them 'present'. Build the "
            f"models with another `name`. Received: {', '.join(names[1:])}"
        )
