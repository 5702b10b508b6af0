"""Networks trained from scratch: the papers' parameter counts, layers and pixel scaling, on any Keras backend."""

import types

import keras
import numpy as np
import pytest
from conftest import WEIGHTS_OF_NUMPY, run_on_backend

from poster_cnn import models
from poster_cnn.models import blocks


# Paper 1, four genres, posters shrunk to 30, 40, 50, 60 and 70 percent.
@pytest.mark.parametrize(
    ("input_shape", "num_params"),
    [((80, 55), 52452), ((107, 73), 72932), ((134, 91), 113892), ((161, 109), 171236), ((188, 127), 261348)],
)
def test_seven_layer_cnn_has_the_papers_parameters(input_shape, num_params):
    assert models.seven_layer_cnn((*input_shape, 3), 4).count_params() == num_params


def test_seven_layer_cnn_layer_by_layer():
    table = models.layer_table(models.seven_layer_cnn())
    weighted = table[table["num_params"] > 0]
    assert weighted["type"].tolist() == ["Conv2D"] * 4 + ["Dense"] * 3
    assert weighted["num_params"].tolist() == [896, 9248, 9248, 18496, 32832, 2080, 132]
    assert weighted["activation"].tolist() == ["relu"] * 6 + ["softmax"]
    shapes = table.loc[table["type"] == "Conv2D", "output_shape"].tolist()
    assert shapes == [(105, 71, 32), (50, 33, 32), (23, 14, 32), (9, 5, 64)]
    assert table["type"].tolist().count("Dropout") == 2


@pytest.mark.parametrize(("activation", "sums_to_one"), [("softmax", True), ("sigmoid", False)])
def test_seven_layer_cnn_returns_probabilities(activation, sums_to_one):
    model = models.seven_layer_cnn((46, 50, 3), 6, classifier_activation=activation)
    images = np.random.default_rng(0).integers(0, 256, (5, 46, 50, 3)).astype("float32")
    probabilities = model.predict(images, verbose=0)
    assert (probabilities.shape, probabilities.dtype) == ((5, 6), "float32")
    assert ((probabilities > 0) & (probabilities < 1)).all() and not model.compiled
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6) == sums_to_one


def test_seven_layer_cnn_accepts_filters_units_and_dropout():
    model = models.seven_layer_cnn((46, 46, 1), 2, filters=(4, 8), dense_units=(5,), dropout=0.2, name="small")
    assert model.name == "small"
    assert model.count_params() == (9 * 4 + 4) + (9 * 4 * 8 + 8) + (10 * 10 * 8 * 5 + 5) + (5 * 2 + 2)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2]


# Paper 3: the sets of Tables 3 and 4, by arithmetic; and Table 6.
@pytest.mark.parametrize(
    ("builder", "arguments", "num_params"),
    [
        ("two_conv_cnn", {"filters": (10, 30), "dense_units": 106}, 2636798),
        ("two_conv_cnn", {"filters": (4, 24), "dense_units": 84}, 1670842),
        ("two_conv_cnn", {"filters": (12, 17), "dense_units": 115, "batch_norm": True}, 1622316),
        ("one_hot_sigmoid_cnn", {}, 6295558),
        ("one_hot_sigmoid_cnn", {"dropout": (0, 0)}, 6295558),
    ],
)
def test_networks_of_paper_3_have_its_parameters(builder, arguments, num_params):
    model = getattr(models, builder)((150, 101, 3), 6, **arguments)
    assert model.count_params() == num_params and not model.compiled


def test_two_conv_cnn_has_the_layers_of_table_2():
    table = models.layer_table(models.two_conv_cnn(filters=(10, 30), dense_units=106, dropout=0.41, batch_norm=True))
    plain = models.layer_table(models.two_conv_cnn(filters=(10, 30), dense_units=106, dropout=0.41))
    block = ["Conv2D", "BatchNormalization", "MaxPooling2D"]
    dense = ["Flatten", "Dense", "BatchNormalization", "Dropout", "Dense"]
    assert table["type"].tolist() == ["InputLayer", "Rescaling", *block, *block, *dense]
    assert plain["type"].tolist() == [name for name in table["type"] if name != "BatchNormalization"]
    assert plain["output_shape"].tolist()[2:6] == [(148, 99, 10), (74, 49, 10), (72, 47, 30), (36, 23, 30)]


@pytest.mark.parametrize(
    ("dropout", "rates"), [((0.25, 0.5), [0.25, 0.5]), ((0, 0.5), [0.5]), ((0.25, 0), [0.25]), ((0, 0), [])]
)
def test_one_hot_sigmoid_cnn_and_its_ablations(dropout, rates):
    model = models.one_hot_sigmoid_cnn((16, 16, 3), 6, dropout=dropout)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
    probabilities = model.predict(np.full((2, 16, 16, 3), 200, "float32"), verbose=0)
    assert probabilities.shape == (2, 6) and not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)


# --- paper 2: the VGG-like network ---


def test_vgg_like_cnn_has_the_papers_parameters():  # Fig. 3
    table = models.layer_table(models.vgg_like_cnn())
    convolutions = [64 * 28, 128 * (9 * 64 + 1), 256 * (9 * 128 + 1)]
    dense = [4096 * (7 * 7 * 256 + 1), 4096 * 4097, 5 * 4097]
    assert sum(convolutions + dense) == table["num_params"].sum() == 68_556_933
    weighted = table[table["num_params"] > 0]
    assert weighted["num_params"].tolist() == convolutions + dense
    assert weighted["activation"].tolist() == ["relu"] * 5 + ["sigmoid"]
    assert table["type"].tolist()[2:8] == ["Conv2D", "MaxPooling2D"] * 2 + ["Conv2D", "AdaptiveAveragePooling2D"]
    assert table["output_shape"].tolist()[2:8] == [
        *[(268, 182, 64), (134, 91, 64), (134, 91, 128), (67, 45, 128), (67, 45, 256), (7, 7, 256)]
    ]
    assert table["type"].tolist()[8:] == ["Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"]


def adaptive_average(maps, size=7):
    """Compute PyTorch's AdaptiveAvgPool2d from its definition."""

    def bounds(length):
        return [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]

    height, width = maps.shape[1:3]
    rows = [[maps[:, a:b, c:d].mean(axis=(1, 2)) for c, d in bounds(width)] for a, b in bounds(height)]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


# Maps are a quarter of these sizes: multiples of 7, odd sizes, and smaller than 7.
@pytest.mark.parametrize("size", [(56, 28), (124, 53), (24, 10), (8, 8), (9, 300)])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])  # have different implementations
def test_adaptive_pooling_equals_pytorchs(size, backend, monkeypatch):
    monkeypatch.setattr(blocks, "backend", types.SimpleNamespace(backend=lambda: backend))
    model = models.vgg_like_cnn((*size, 3), filters=(2, 2, 3), dense_units=(4,))
    before_and_after = [model.get_layer(name).output for name in ("conv3", "pool_to_7x7")]
    images = np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")
    maps, pooled = (np.array(found) for found in keras.Model(model.input, before_and_after)(images))
    assert maps.shape[1:] == (size[0] // 4, size[1] // 4, 3) and maps.any()
    assert np.allclose(pooled, adaptive_average(maps), atol=1e-5)


# --- paper 4: six convolutions ---


def test_six_conv_cnn_has_the_papers_parameters():
    model = models.six_conv_cnn()
    table = models.layer_table(model)
    widths = [3, 128, 64, 64, 64, 32, 16]
    convolutions = [after * (4 * before + 1) for before, after in zip(widths, widths[1:], strict=False)]
    assert sum(convolutions) + 20 * (16 + 1) == table["num_params"].sum() == 78_020
    block = ["Conv2D", "SpatialDropout2D", "MaxPooling2D", "ReLU"]
    assert table["type"].tolist() == ["InputLayer", "Rescaling", *6 * block, "Flatten", "Dense"]
    assert table["activation"].tolist()[-1] == "sigmoid"
    shapes = table.loc[table["type"] == "MaxPooling2D", "output_shape"].tolist()
    assert shapes == [(74, 74, 128), (36, 36, 64), (17, 17, 64), (8, 8, 64), (3, 3, 32), (1, 1, 16)]
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.SpatialDropout2D)]
    assert rates == [0.3, 0.3, 0.3, 0.3, 0.2, 0.2]


def test_six_conv_cnn_without_its_last_block():
    model = models.six_conv_cnn(filters=(128, 64, 64, 64, 32), dropout=(0.3, 0.3, 0.3, 0.3, 0.2))
    assert model.get_layer("flatten").output.shape == (None, 3 * 3 * 32)
    assert model.count_params() == 78_020 - 16 * (4 * 32 + 1) + 20 * (3 * 3 * 32 - 16)


@pytest.mark.parametrize("dropout", [(0.3,) * 5, (0.3,) * 7, ()])
def test_six_conv_cnn_rejects_too_few_or_many_dropouts(dropout):
    with pytest.raises(ValueError, match="`dropout` must have a fraction for each of the 6 `filters`. Received: drop"):
        models.six_conv_cnn(dropout=dropout)


# --- all of them ---


@pytest.mark.parametrize(
    ("builder", "options", "smallest"),
    [
        ("seven_layer_cnn", {}, 46),
        ("two_conv_cnn", {"dense_units": 3}, 10),
        ("one_hot_sigmoid_cnn", {}, 16),
        ("vgg_like_cnn", {"filters": (2, 2, 2), "dense_units": (3,)}, 8),
        ("six_conv_cnn", {}, 127),
        ("six_conv_cnn", {"filters": (2,) * 5, "dropout": (0.1,) * 5}, 63),
        ("six_conv_cnn", {"filters": (2,) * 2, "dropout": (0.1,) * 2}, 7),
    ],
)
def test_smallest_input_and_pixel_scaling(builder, options, smallest):
    build = getattr(models, builder)
    model = build((smallest, smallest, 3), 4, **options)
    assert model.output_shape == (None, 4)
    first_convolution = keras.Model(model.input, model.get_layer("conv1").input)
    image = np.broadcast_to(np.float32([0, 51, 255]), (1, smallest, smallest, 3))
    assert np.allclose(first_convolution(image), [0, 0.2, 1])
    for input_shape in [(smallest - 1, 300, 3), (300, smallest - 1, 3), (300, 300), (None, None, 3)]:
        with pytest.raises(ValueError, match=rf"at least {smallest}, .* Received: input_shape=\({input_shape[0]}"):
            build(input_shape, 4, **options)


# --- any backend ---


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_models_run_on_the_other_keras_backends(backend):
    script = """
import keras, numpy
from poster_cnn import models
for name, options in {
    "seven_layer_cnn": {},
    "two_conv_cnn": {},
    "vgg_like_cnn": {"filters": (4, 4, 4), "dense_units": (8,)},
    "six_conv_cnn": {"filters": (4, 4), "dropout": (0.1, 0.1)},
    "mobilenet_v2": {"weights": None},
    "resnet18": {"pixel_range": (0, 1), "channel_order": "bgr", "logits_dropout": 0.5},
}.items():
    model = getattr(models, name)((46, 46, 3), 4, classifier_activation="softmax", **options)
    probabilities = model.predict(numpy.full((2, 46, 46, 3), 200, "float32"), verbose=0)
    assert numpy.allclose(probabilities.sum(axis=1), 1, atol=1e-5), name
branches = {"trailer": models.trailer_branch((3, 5), 4), "plot": models.plot_branch(6, 4)}
model = models.multimodal(branches, models.late_fusion(4, 2, prior=[0.1, 0.2, 0.3, 0.4]))
model.compile("sgd", "binary_crossentropy")
present = numpy.array([[True, False], [False, True], [False, False]])
trailers, plots = numpy.ones((3, 3, 5), "float32"), numpy.ones((3, 6), "float32")
trailers[1:], plots[[0, 2]] = numpy.nan, numpy.nan
inputs = {"trailer": trailers, "plot": plots, "present": present}
model.fit(inputs, numpy.ones((3, 4), "float32"), verbose=0)
fused = model.predict(inputs, verbose=0)
assert numpy.isfinite(fused).all() and numpy.allclose(fused[2], [0.1, 0.2, 0.3, 0.4], atol=1e-6), fused
print(keras.backend.backend(), probabilities.shape, end="")
"""
    assert run_on_backend(backend, WEIGHTS_OF_NUMPY + script) == f"{backend} (2, 4)"


def test_stage_table_merges_the_layers_of_stages_and_blocks():
    inputs = x = keras.Input((8, 8, 3), name="input")
    for name in ("conv1", "conv2_block1", "conv2_block2"):
        x = keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Conv2D(4, 3, padding="same", name=f"{name}_conv")(x))
    x = keras.layers.AveragePooling2D(2, name="pool2_pool")(keras.layers.Conv2D(2, 1, name="pool2_conv")(x))
    model = keras.Model(inputs, keras.layers.ReLU(name="relu")(x))
    table = models.stage_table(model)
    assert table["name"].tolist() == ["input", "conv1", "conv2", "pool2"]
    assert table["type"].tolist() == ["InputLayer", "Conv2D", "2 blocks", "Transition"]
    assert table["output_shape"].tolist() == [(8, 8, 3), (8, 8, 4), (8, 8, 4), (4, 4, 2)]
    assert table["num_params"].sum() == model.count_params()
    blocks = models.stage_table(model, depth=2)
    assert blocks.loc[blocks["type"] == "Block", "name"].tolist() == ["conv2_block1", "conv2_block2"]
