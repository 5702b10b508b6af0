"""Runs of papers 2 and 4: no validation set, scores after each epoch, crops on a backbone."""

import numpy as np
import pandas as pd
import pytest
from conftest import SIGMOID, without_graphs

from poster_cnn import metrics
from poster_cnn.files import read_json
from poster_cnn.metrics import baselines
from poster_cnn.results.collect import collect_results
from poster_cnn.training import fit as fitting
from poster_cnn.training.data import load_training_data
from poster_cnn.training.saved_model import load_model
from poster_cnn.training.train import train

NAMES = ("Horror", "Romance", "Action")


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config.replace(
        **SIGMOID,
        class_names=NAMES,
        split="random",
        fractions=(0.8, 0.2),
        epochs=2,
        batch_size=32,
        metrics=("overall_f1", "overall_f1_at_622", "overall_recall_at_622", "top_n_accuracy", "average_precision"),
    )


@pytest.fixture(scope="module")
def run(config, data_folder, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "random_split"
    with without_graphs():
        train(config, data_folder, run_dir, progress=False)
    return run_dir


def predictions(run_dir):
    frame = pd.read_csv(run_dir / "predictions.csv")
    return (frame[[f"{what}_{name}" for name in NAMES]].to_numpy() for what in ("true", "probability"))


def test_validates_on_the_test_set_after_each_epoch(run):
    history = pd.read_csv(run / "history.csv")
    scores = ["overall_f1", "overall_f1_at_622", "top_n_accuracy"]
    columns = {"accuracy", "loss", *scores}
    assert set(history) == {"epoch"} | columns | {f"val_{name}" for name in columns}
    y_true, y_prob = predictions(run)
    last = history.iloc[-1]
    for name in scores:
        assert last[f"val_{name}"] == pytest.approx(metrics.BY_NAME[name](y_true, y_prob), abs=1e-4), name
    assert last["val_accuracy"] == pytest.approx(metrics.label_accuracy(y_true, y_prob), abs=1e-4)
    crossentropy = -(y_true * np.log(y_prob) + (1 - y_true) * np.log(1 - y_prob)).mean()
    assert last["val_loss"] == pytest.approx(crossentropy, abs=1e-4)


def test_tunes_nothing_on_the_test_set(run, config):
    result = read_json(run / "metrics.json")
    assert result["validation"] == {} and "thresholds" not in result and load_model(run)[1]["thresholds"] is None
    assert list(result["test"]) == list(config.metrics)
    assert list(result["leak"]) == ["test_in_train"]
    about = read_json(run / "config.json")["data"]
    split = pd.read_csv(run / "split.csv")["part"].value_counts().to_dict()
    assert split == {"train": about["num_train"], "test": about["num_test"]} and "num_validation" not in about


def test_baseline_of_frequent_genres(run):
    scored = read_json(run / "metrics.json")["baselines"]
    y_true, _ = predictions(run)
    split = pd.read_csv(run / "split.csv")
    frequent = baselines.frequent_genres(split.loc[split["part"] == "train", list(NAMES)].to_numpy(), len(y_true))
    recall = metrics.BY_NAME["overall_recall"](y_true, frequent)
    f1 = metrics.overall_f1(y_true, frequent)
    expected = {"overall_f1": f1, "overall_f1_at_622": f1, "overall_recall_at_622": recall}
    assert scored["frequent_genres"] == expected
    assert f1 >= scored["majority"]["overall_f1"]
    row = collect_results(run).iloc[0]
    assert row["frequent_genres_overall_f1"] == f1


# --- crops on a frozen backbone ---


@pytest.fixture
def crop_config(config):
    return config.replace(
        image_size=(30, 30),
        crops_per_genre=36,
        crop_before_split=True,
        fractions=(0.7, 0.3),
        model="densenet121",
        model_args={"weights": None, "dropout": 0.2, "channel_order": "bgr"},
        metrics=("overall_f1",),
        batch_size=16,
        epochs=2,
    )


def test_cached_features_of_crops_do_not_change_the_results(small, crop_config, data_folder, tmp_path):
    data = load_training_data(crop_config.data, data_folder)
    for name, cache_features in (("cached", True), ("uncached", False)):
        config = crop_config.replace(cache_features=cache_features)
        train(config, data_folder, tmp_path / name, training_data=data, progress=False)
    for file in ("history.csv", "predictions.csv"):
        cached, uncached = (pd.read_csv(tmp_path / name / file) for name in ("cached", "uncached"))
        assert list(cached) == list(uncached) and np.allclose(cached, uncached, atol=1e-4)
    y_true, y_prob = predictions(tmp_path / "cached")
    last = pd.read_csv(tmp_path / "cached" / "history.csv").iloc[-1]
    assert len(y_true) == data.count("test") > data.part("test")["imdb_id"].nunique()  # several crops per poster
    assert last["val_overall_f1"] == pytest.approx(metrics.overall_f1(y_true, y_prob), abs=1e-4)


@pytest.mark.slow
def test_interrupted_run_on_crops_resumes_bit_identically(
    eager, small, crop_config, data_folder, tmp_path, monkeypatch
):
    config = crop_config.replace(crop_before_split=False, split="leak_free", allow_leak=False)
    data = load_training_data(config.data, data_folder)
    train(config, data_folder, tmp_path / "whole", training_data=data, progress=False)
    save_epoch = fitting._save_epoch

    def stop(network, history, checkpoint):
        save_epoch(network, history, checkpoint)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_save_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, data_folder, tmp_path / "stopped", progress=False)
    train(config, data_folder, tmp_path / "stopped", progress=False)
    for file in ("history.csv", "predictions.csv", "split.csv"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "stopped" / file).read_bytes()
    assert len(pd.read_csv(tmp_path / "whole" / "history.csv")) == 2


def test_bootstrap_resamples_the_crops_of_a_poster_together(small, crop_config, data_folder, tmp_path, monkeypatch):
    resampled = []
    monkeypatch.setattr(metrics, "bootstrap_interval", lambda *_, groups: resampled.append(groups) or (0, 1))
    config = crop_config.replace(fractions=(0.5, 0.2, 0.3), epochs=1)  # with a validation set for the thresholds
    with without_graphs():
        result = train(config, data_folder, tmp_path, progress=False)
    y_true, y_prob = predictions(tmp_path)
    movies = pd.read_csv(tmp_path / "predictions.csv")["imdb_id"].to_numpy()
    grouped = metrics.score(("overall_f1",), y_true, y_prob, groups=movies)
    assert result["test"]["overall_f1"] == grouped["overall_f1"]
    assert grouped != metrics.score(("overall_f1",), y_true, y_prob)
    assert len(resampled) == 1 and np.array_equal(resampled[0], movies)  # of the tuned F1
