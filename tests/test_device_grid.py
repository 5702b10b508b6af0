"""The benchmarks that train paper 1's grid on any device: their cells, and their count of operations."""

import os
import pathlib

import numpy as np
import pandas as pd
import pytest
from conftest import run_on_backend

from poster_cnn import models

BENCHMARKS = pathlib.Path(__file__).parents[1] / "experiments" / "benchmarks"


@pytest.fixture
def device_grid(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import device_grid

    monkeypatch.setattr(device_grid, "peak_flops", lambda precision: 1e12)
    return device_grid


@pytest.mark.slow
def test_grid_trains_the_missing_cells(device_grid, data_folder, tmp_path, monkeypatch):
    posters, results = tmp_path / "posters", tmp_path / "results.csv"
    device_grid.prepare(data_folder, posters)
    movies = pd.read_csv(posters / "split.csv")
    assert set(movies["part"]) == set(device_grid.PARTS)
    assert sorted(path.name for path in (posters / "posters").iterdir()) == sorted(
        movies["imdb_id"].astype(str) + ".jpg"
    )

    device_grid.run(posters, results, cells=1, epochs=2)
    first = pd.read_csv(results)
    parts = movies["part"].value_counts()
    assert first[["num_train", "num_test"]].iloc[0].tolist() == parts[["train", "test"]].tolist()
    device_grid.prepare(data_folder, tmp_path / "few", 20)
    assert len(pd.read_csv(tmp_path / "few" / "split.csv")) == len(list((tmp_path / "few" / "posters").iterdir())) == 20
    assert first[["ratio", "learning_rate", "epochs"]].to_numpy().tolist() == [[30, 1e-3, 2]]
    assert 0 < first["fraction_of_peak"].item() < 1 and first["seconds"].item() > 0
    assert first["first_label_accuracy_low"].item() <= first["first_label_accuracy"].item() <= 1

    trained = []
    monkeypatch.setattr(device_grid, "train_cell", lambda config, *_: trained.append(config) or first.iloc[0].to_dict())
    device_grid.run(posters, results, cells=2, epochs=2)
    assert [config.learning_rate for config in trained] == [1e-4] and len(pd.read_csv(results)) == 2
    device_grid.run(posters, results, cells=1, epochs=3)
    assert trained[-1].epochs == 3
    (posters / "split.csv").write_text("\n".join((posters / "split.csv").read_text().splitlines()[:-1]))
    device_grid.run(posters, results, cells=1, epochs=3)  # of other posters
    assert len(trained) == 3


TOGETHER = """
import pathlib, sys
import flops, keras, numpy, vectorized_grid
from poster_cnn.training.arrays import fit_arrays
posters, results = map(pathlib.Path, sys.argv[1:])
vectorized_grid.peak_flops = lambda precision: 1e12
config = vectorized_grid.runpy.run_path(str(vectorized_grid.EXPERIMENT))["config"].replace(ratio=30, epochs=2)
images, labels = vectorized_grid.read_parts(posters, config)["train"]
images, labels = images[:40], labels[:40]  # a batch of 32 and one of 8
configs = [config.replace(learning_rate=rate, seed=seed) for rate, seed in [(1e-2, 0), (1e-3, 0), (1e-3, 1)]]
model, state, losses, seconds = vectorized_grid.train_together(configs, images, labels, progress=False)
together = vectorized_grid.predict_together(model, state, images)
for of_one, loss, predictions in zip(configs, losses, together, strict=True):
    alone, history = fit_arrays(of_one, images, labels, progress=False)
    numpy.testing.assert_allclose(loss, history["loss"].iloc[-1], rtol=1e-4)
    numpy.testing.assert_allclose(predictions, alone.predict(images, verbose=0), atol=1e-4)
assert len(seconds) == 2 and min(abs(together[0] - together[1]).max(), abs(together[1] - together[2]).max()) > 1e-3
vectorized_grid.run(posters, results, ratios=[30], seeds=[0], epochs=1)
trained = []
vectorized_grid.train_size = lambda configs, *_: trained.extend(configs) or [{} for _ in configs]
vectorized_grid.run(posters, results, ratios=[30], seeds=[0], epochs=1)
assert not trained  # finished networks are not trained again
results.with_name("more.csv").write_bytes(results.read_bytes())
vectorized_grid.run(posters, results.with_name("more.csv"), ratios=[30], seeds=[0, 1], epochs=1)
assert [config.fit.seed for config in trained] == [1] * 5
"""


@pytest.mark.slow
def test_networks_trained_together_are_those_trained_alone(device_grid, data_folder, tmp_path):
    posters, results = tmp_path / "posters", tmp_path / "results.csv"
    device_grid.prepare(data_folder, posters)
    (tmp_path / "tensorflow.py").write_text("raise ImportError('blocked')")  # Keras imports it where it can
    path = os.pathsep.join(filter(None, [str(tmp_path), str(BENCHMARKS), os.environ.get("PYTHONPATH")]))
    compiled_once = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled")}  # the networks trained alone are alike
    assert "results.csv" in run_on_backend("jax", TOGETHER, posters, results, PYTHONPATH=path, **compiled_once)
    rows = pd.read_csv(results)
    assert rows[["learning_rate", "seed"]].drop_duplicates().shape == (5, 2) and (rows["networks"] == 5).all()
    assert rows["loss"].nunique() == 5 and rows["fraction_of_peak"].between(0, 1).all()
    assert np.allclose(rows["seconds"], rows["seconds"].iloc[0]) and (rows["seconds"] > 0).all()


def test_counts_operations_of_nested_models(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from flops import forward_flops

    model = models.two_conv_cnn((10, 12, 3), 4, filters=(5, 7), dense_units=6)
    expected = 8 * 10 * 27 * 5 + 2 * 3 * 45 * 7 + 7 * 6 + 6 * 4  # 4×5 maps after pooling, 1×1 after the second
    assert forward_flops(model) == 2 * expected
    backbone = models.mobilenet_v2((32, 32, 3), 4, weights=None)
    assert forward_flops(backbone) > forward_flops(models.feature_extractor_and_head(backbone)[1]) > 0


def test_peak_is_that_of_the_fastest_product(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import flops

    monkeypatch.setattr(flops, "_SIZES", (10, 20))
    seconds = iter([9, 1, 2, 2, 2, 2, 9, 4, 5, 5, 5, 5])  # the first of each size is a warm-up
    monkeypatch.setattr(flops, "_seconds", lambda left, right: next(seconds) / 1000)
    assert flops.peak_flops("mixed_bfloat16") == pytest.approx(2 * 20**3 / 0.004)
