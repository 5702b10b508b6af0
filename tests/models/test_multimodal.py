"""Networks of paper 5: branches, the fusion of any subset of modalities before and after training, VGG-16."""

import itertools

import keras
import numpy as np
import pytest

from poster_cnn import models
from poster_cnn.training.saved_model import load_model, save_model

SUBSETS = np.array([mask for mask in itertools.product([False, True], repeat=4) if any(mask)])  # 15
PRIOR = np.array([0.5, 0.2, 0.03])


def logit(p):
    return np.log(p) - np.log1p(-p)


def opinions(count, num_branches=4, num_classes=3):
    return np.random.default_rng(0).uniform(0.01, 0.99, (count, num_branches, num_classes)).astype("float32")


def fuse(fusion, probabilities, present):
    inputs = {"probabilities": np.asarray(probabilities, "float32"), "present": np.asarray(present, bool)}
    return fusion.predict(inputs, verbose=0)


@pytest.fixture
def fusion():
    return models.late_fusion(3, 4, prior=PRIOR)


@pytest.fixture
def trained_fusion(fusion):
    """A fusion whose dense layer has random weights and biases, as after training."""
    rng = np.random.default_rng(1)
    dense = fusion.get_layer("fusion")
    dense.set_weights([rng.normal(size=weight.shape) for weight in dense.get_weights()])
    return fusion


# --- the networks ---


@pytest.mark.parametrize(
    ("builder", "arguments", "input_shape", "num_params"),
    [
        ("poster_branch", {}, (4096,), 4096 * 1000 + 1000 + 1000 * 13 + 13),
        ("poster_branch", {"num_features": 1280}, (1280,), 1280 * 1000 + 1000 + 1000 * 13 + 13),
        ("trailer_branch", {}, (200, 4096), 4096 * 1000 + 1000 + 1000 * 13 + 13),
        ("metadata_branch", {"num_columns": 11113}, (11113,), 11114 * 256 + 257 * 128 + 129 * 64 + 65 * 13),
        ("metadata_branch", {"num_columns": 9, "dense_units": (4, 3)}, (9,), 10 * 4 + 5 * 3 + 4 * 13),
        ("plot_branch", {}, (300,), 301 * 50 + 51 * 13),
        ("plot_branch", {"num_features": 50, "num_classes": 4, "dense_units": 7}, (50,), 51 * 7 + 8 * 4),
    ],
)
def test_branches_have_the_papers_layers(builder, arguments, input_shape, num_params):
    model = getattr(models, builder)(**arguments)
    assert model.input_shape == (None, *input_shape) and model.count_params() == num_params and not model.compiled
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.activation.__name__ for layer in dense] == ["relu"] * (len(dense) - 1) + ["sigmoid"]
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    probabilities = model.predict(np.ones((2, *input_shape), "float32"), verbose=0)
    assert probabilities.shape == (2, arguments.get("num_classes", 13)) and probabilities.dtype == "float32"
    assert ((probabilities > 0) & (probabilities < 1)).all()


@pytest.mark.parametrize(("builder", "size"), [("poster", 9), ("trailer", (4, 9)), ("metadata", 9), ("plot", 9)])
def test_dropout_follows_each_hidden_layer(builder, size):
    model = getattr(models, f"{builder}_branch")(size, 3, dropout=0.3)
    hidden = [layer.name for layer in model.layers if layer.name.startswith("dense")]
    dropouts = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert dropouts == {name.replace("dense", "dropout"): 0.3 for name in hidden}


def test_fusion_is_one_dense_layer():
    table = models.layer_table(models.late_fusion())
    assert table.loc[table["num_params"] > 0, ["name", "num_params"]].to_numpy().tolist() == [["fusion", 52 * 13 + 13]]
    assert models.late_fusion(6, 3).count_params() == 18 * 6 + 6
    assert models.late_fusion().output_shape == (None, 13)


def test_fusion_on_probabilities_is_one_dense_layer():
    fusion = models.late_fusion(13, 4, on="probabilities")
    assert fusion.count_params() == 52 * 13 + 13
    rng = np.random.default_rng(0)
    p = rng.random((2, 4, 13)).astype("float32")
    kernel, bias = fusion.get_weights()
    stacked = p.reshape(2, 52).copy()
    stacked[1, 13:26] = 0.5  # the prior replaces a missing branch
    p[1, 1] = np.nan
    present = np.array([[True] * 4, [True, False, True, True]])
    expected = 1 / (1 + np.exp(-(stacked @ kernel + bias)))
    np.testing.assert_allclose(fuse(fusion, p, present), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="`on` must be .* Received: on='votes'"):
        models.late_fusion(on="votes")


# --- trailers ---


def test_mean_over_frames_ignores_padding():
    padded = models.trailer_branch((6, 5), 3)
    any_length = models.trailer_branch((None, 5), 3)
    any_length.set_weights(padded.get_weights())
    frames = np.random.default_rng(0).normal(size=(1, 6, 5)).astype("float32")
    frames[0, 1, :4] = 0  # a frame is padding if all of it is zero
    for length in range(1, 7):
        clip = frames.copy()
        clip[:, length:] = 0
        expected = any_length.predict(frames[:, :length], verbose=0)
        assert np.allclose(padded.predict(clip, verbose=0), expected, atol=1e-6)
        mean, _ = models.feature_extractor_and_head(padded)
        assert np.allclose(mean(clip), frames[:, :length].mean(axis=1), atol=1e-6)
    assert np.isfinite(padded.predict(np.zeros((1, 6, 5)), verbose=0)).all()


# --- any subset of the branches ---


def test_untrained_fusion_is_the_mean_of_present_logits(fusion):
    p = opinions(len(SUBSETS))
    expected = [logit(row[mask].astype("float64")).mean(axis=0) for row, mask in zip(p, SUBSETS, strict=True)]
    assert np.allclose(logit(fuse(fusion, p, SUBSETS)), expected, atol=1e-4)
    same = np.repeat(p[:, :1], 4, axis=1)  # one more branch with the same probabilities changes nothing
    assert np.allclose(fuse(fusion, same, SUBSETS), p[:, 0], atol=1e-6)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, -7, 1e30, 0, 1])
def test_fusion_ignores_probabilities_of_missing_branches(trained_fusion, garbage):
    p = opinions(len(SUBSETS))
    spoilt = np.where(SUBSETS[..., None], p, garbage)
    expected = fuse(trained_fusion, p, SUBSETS)
    assert np.isfinite(expected).all() and np.array_equal(fuse(trained_fusion, spoilt, SUBSETS), expected)


def test_fusion_depends_on_each_present_branch(trained_fusion):
    p = opinions(len(SUBSETS))
    before = fuse(trained_fusion, p, SUBSETS)
    for number in range(4):
        other = p.copy()
        other[:, number] = 1 - other[:, number]
        changed = (fuse(trained_fusion, other, SUBSETS) != before).any(axis=1)
        assert changed.tolist() == SUBSETS[:, number].tolist()


def test_fusion_without_branches_returns_the_prior(trained_fusion):
    assert np.allclose(fuse(trained_fusion, [[[np.nan] * 3] * 4], [[False] * 4]), PRIOR, atol=1e-6)
    assert np.allclose(fuse(models.late_fusion(3, 4), opinions(1), [[False] * 4]), 0.5)


def test_fusion_of_certain_branches_is_finite():
    fusion = models.late_fusion(2, 2, prior=[0, 1])
    found = fuse(fusion, [[[0, 1], [1, 0]], [[0, 1], [0, 1]], [[0.5] * 2] * 2], [[1, 1], [1, 1], [0, 0]])
    assert np.allclose(found, [[0.5, 0.5], [0, 1], [0, 1]], atol=1e-2)


@pytest.mark.parametrize("prior", [[0.5, 0.5], [[0.5] * 3], [0.1, 0.2, 1.1], [0.1, -0.2, 0.3], [0.1, np.nan, 0.2]])
def test_rejects_invalid_priors(prior):
    with pytest.raises(ValueError, match=r"`prior` must be 3 probabilities, 0..1, or None. Received: prior=\["):
        models.late_fusion(3, 2, prior=prior)


def test_training_on_random_subsets_learns_the_weight_of_each_branch():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (800, 3))
    signs = 2 * labels - 1
    # A strong branch with permuted genres, a weaker correct one, and an uninformative one.
    logits = np.stack([2 * signs[:, [1, 2, 0]], signs, np.zeros(signs.shape)], axis=1)
    p = 1 / (1 + np.exp(-logits - rng.normal(size=logits.shape)))
    present = rng.integers(0, 2, (800, 3)).astype(bool)
    p[~present] = np.nan
    fusion = models.late_fusion(3, 3)
    fusion.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["binary_accuracy"])
    inputs, train = {"probabilities": p.astype("float32"), "present": present}, slice(0, 600)
    batch = {name: values[train] for name, values in inputs.items()}
    history = fusion.fit(batch, labels[train], batch_size=32, epochs=12, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]
    found = fusion.predict(inputs, verbose=0)[600:] >= 0.5
    for number, at_least in [(0, 0.9), (1, 0.75)]:
        rows = present[600:, number]
        assert (found == labels[600:])[rows].mean() > at_least
    blocks = np.abs(fusion.get_layer("fusion").get_weights()[0]).reshape(3, 3, 3)  # branch, input genre, output genre
    assert blocks[0].argmax(axis=0).tolist() == [2, 0, 1] and blocks[1].argmax(axis=0).tolist() == [0, 1, 2]


# --- end to end ---


@pytest.fixture
def branches():
    return {
        "poster": models.poster_branch(6, 3, dense_units=8),
        "trailer": models.trailer_branch((4, 5), 3, dense_units=8),
        "metadata": models.metadata_branch(9, 3, dense_units=(8, 4)),
        "plot": models.plot_branch(7, 3, dense_units=8),
    }


def movies(branches, present):
    rng = np.random.default_rng(0)
    inputs = {key: rng.normal(size=(len(present), *model.input_shape[1:])) for key, model in branches.items()}
    return {key: values.astype("float32") for key, values in inputs.items()} | {"present": np.array(present, bool)}


def spoil_missing(inputs, garbage=np.nan):
    for number, key in enumerate(key for key in inputs if key != "present"):
        inputs[key][~inputs["present"][:, number]] = garbage
    return inputs


def test_multimodal_equals_its_parts_for_every_subset(branches, trained_fusion):
    model = models.multimodal(branches, trained_fusion)
    inputs = movies(branches, SUBSETS)
    p = np.stack([branch.predict(inputs[key], verbose=0) for key, branch in branches.items()], axis=1)
    expected = fuse(trained_fusion, p, SUBSETS)
    assert np.allclose(model.predict(inputs, verbose=0), expected, atol=1e-6)
    assert np.allclose(model.predict(spoil_missing(inputs), verbose=0), expected, atol=1e-6)


def test_training_end_to_end_does_not_change_a_missing_branch(branches, fusion):
    model = models.multimodal(branches, fusion)
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    present = SUBSETS[~SUBSETS[:, 1]]  # no movie has a trailer
    before = {key: branch.get_weights() for key, branch in branches.items()}
    model.fit(spoil_missing(movies(branches, present)), np.ones((len(present), 3)), epochs=2, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    changed = {
        key: any(not np.array_equal(*pair) for pair in zip(branch.get_weights(), before[key], strict=True))
        for key, branch in branches.items()
    }
    assert changed == {"poster": True, "trailer": False, "metadata": True, "plot": True}


def test_frozen_branches_leave_only_the_fusion_trainable(branches, fusion):
    for branch in branches.values():
        branch.trainable = False
    model = models.multimodal(branches, fusion)
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 12 * 3 + 3


def test_saved_model_loads_with_keras_alone(branches, trained_fusion, tmp_path):
    model = models.multimodal(branches, trained_fusion)
    save_model(model, tmp_path / "model.keras", class_names=["Horror", "Romance", "Action"])
    loaded, _ = load_model(tmp_path / "model.keras")
    inputs = movies(branches, [*SUBSETS, [False] * 4])
    found = loaded.predict(inputs, verbose=0)
    assert np.array_equal(found, model.predict(inputs, verbose=0)) and np.allclose(found[-1], PRIOR, atol=1e-6)
    parts = [*model.operations, *trained_fusion.operations, *branches["trailer"].operations]
    # No classes of ours, so that Keras alone can load it.
    assert all(type(part).__module__.startswith("keras.") for part in parts)


@pytest.mark.parametrize(
    ("keys", "num_branches", "num_classes", "message"),
    [
        (["poster", "plot"], 3, 3, "`branches` must be 3 models with 3 genres"),
        (["poster", "plot"], 2, 5, "`branches` must be 2 models with 5 genres"),
        (["poster", "present"], 2, 3, "different names, none of them 'present'"),
        (["poster", "poster_branch"], 2, 3, "different names.*Received: late_fusion, poster, poster_branch, poster"),
    ],
)
def test_rejects_parts_that_do_not_fit_together(keys, num_branches, num_classes, message):
    branches = {keys[0]: models.poster_branch(4, 3), keys[1]: models.plot_branch(4, 3)}
    with pytest.raises(ValueError, match=message):
        models.multimodal(branches, models.late_fusion(num_classes, num_branches))


# --- VGG-16 ---


@pytest.mark.slow
def test_vgg16_has_the_papers_parameters():  # Fig. 3
    model = models.vgg16(weights=None)
    head = 4096 * 1000 + 1000 + 1000 * 13 + 13
    assert model.count_params() == 138_357_544 - (4096 * 1000 + 1000) + head  # without ImageNet's classes
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == head
    assert models.has_frozen_backbone(model)
    extractor, head = models.feature_extractor_and_head(model)
    assert extractor.output_shape == (None, 4096) and extractor.input_shape == (None, 224, 224, 3)
    table, branch = models.layer_table(head), models.layer_table(models.poster_branch())
    assert table.drop(index=0).equals(branch.drop(index=0))  # except for the names of the inputs


def test_head_of_vgg16_is_the_poster_branch(small):
    model = models.vgg16((32, 32, 3), 4, weights=None, dense_units=9, dropout=0.5)
    extractor, head = models.feature_extractor_and_head(model)
    branch = models.poster_branch(7, 4, dense_units=9, dropout=0.5)
    branch.set_weights(head.get_weights())
    assert [layer.name for layer in branch.layers[1:]] == [layer.name for layer in head.layers[1:]]
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    assert np.allclose(branch(extractor(images)), model(images), atol=1e-6)
    assert models.has_frozen_backbone(model) and not models.has_frozen_backbone(models.unfreeze(model))


def test_vgg16_loads_weights_with_top(small, tmp_path):
    whole = small(input_shape=(224, 224, 3), include_top=True)
    whole.save_weights(tmp_path / "vgg16.weights.h5")
    extractor, _ = models.feature_extractor_and_head(models.vgg16(weights=tmp_path / "vgg16.weights.h5"))
    assert np.array_equal(extractor.get_weights()[-2], whole.get_layer("fc2").get_weights()[0])
    with pytest.raises(FileNotFoundError, match=r"\(include_top=True\). Received: weights='nowhere.h5'"):
        models.vgg16(weights="nowhere.h5")
    with pytest.raises(ValueError, match=r"must be \(224, 224, 3\).* unless weights=None. Received: input_shape=\(96"):
        models.vgg16((96, 96, 3))
