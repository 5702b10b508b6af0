"""Networks: the papers' parameter counts, raw pixels in, probabilities out, on any Keras backend."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from poster_cnn import models


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
    assert table.loc[table["type"] == "Conv2D", "output_shape"].tolist() == [
        (105, 71, 32),
        (50, 33, 32),
        (23, 14, 32),
        (9, 5, 64),
    ]
    assert table["type"].tolist().count("Dropout") == 2


@pytest.mark.parametrize(("activation", "sums_to_one"), [("softmax", True), ("sigmoid", False)])
def test_seven_layer_cnn_gives_probabilities_for_raw_pixels(activation, sums_to_one):
    model = models.seven_layer_cnn((46, 50, 3), 6, classifier_activation=activation)
    images = np.random.default_rng(0).integers(0, 256, (5, 46, 50, 3)).astype("float32")
    probabilities = model.predict(images, verbose=0)
    assert (probabilities.shape, probabilities.dtype) == ((5, 6), "float32")
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6) == sums_to_one


def test_seven_layer_cnn_scales_the_pixels_itself():
    model = models.seven_layer_cnn((46, 46, 3))
    first_convolution = keras.Model(model.input, model.get_layer("conv1").input)
    white = first_convolution.predict(np.full((1, 46, 46, 3), 255, "float32"), verbose=0)
    assert np.allclose(white, 1)


def test_builders_leave_compiling_to_the_user():
    assert not models.seven_layer_cnn().compiled


def test_filters_units_and_dropout_can_be_chosen():
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
def test_paper_3s_networks_have_its_parameters(builder, arguments, num_params):
    model = getattr(models, builder)((150, 101, 3), 6, **arguments)
    assert model.count_params() == num_params and not model.compiled


def test_two_conv_cnn_is_that_of_table_2():
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
def test_the_sigmoid_network_and_its_ablations(dropout, rates):
    model = models.one_hot_sigmoid_cnn((16, 16, 3), 6, dropout=dropout)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
    probabilities = model.predict(np.full((2, 16, 16, 3), 200, "float32"), verbose=0)
    assert probabilities.shape == (2, 6) and not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    with pytest.raises(ValueError, match="at least 16. Received: input_shape="):
        models.one_hot_sigmoid_cnn((15, 16, 3))


@pytest.mark.parametrize("input_shape", [(45, 100, 3), (100, 45, 3), (100, 100)])
def test_an_input_too_small_is_named(input_shape):
    with pytest.raises(ValueError, match=r"`input_shape` must be .* at least 46.*Received: input_shape=\("):
        models.seven_layer_cnn(input_shape)


def test_the_smallest_input_works():
    assert models.seven_layer_cnn((46, 46, 3)).output_shape == (None, 4)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_models_run_on_the_other_keras_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = """
import keras, numpy, sys
from poster_cnn import models
for build in (models.seven_layer_cnn, models.two_conv_cnn, models.mobilenet_v2):
    options = {"weights": None} if build is models.mobilenet_v2 else {}
    probabilities = build((46, 46, 3), 4, **options).predict(numpy.full((2, 46, 46, 3), 200, "float32"), verbose=0)
    assert numpy.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
print(keras.backend.backend(), probabilities.shape, end="")
assert "tensorflow" not in sys.modules
"""
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert run.stdout == f"{backend} (2, 4)", run.stderr
