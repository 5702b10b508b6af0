"""Training: run folders, bit-identical resumption, errors, thresholds."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import types

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import SIGMOID, assert_same_run, assert_same_weights, without_graphs
from tensorflow.python.framework.ops import gradient_registry

from poster_cnn import metrics
from poster_cnn.datasets.pixels import open_picture
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.evaluation.predict import predict
from poster_cnn.files import locked, write_atomically
from poster_cnn.metrics import baselines
from poster_cnn.metrics.calibration import Calibration, expected_calibration_error
from poster_cnn.metrics.thresholds import best_thresholds
from poster_cnn.movies.genres import encode_genres
from poster_cnn.movies.table import load_movie_table
from poster_cnn.results.collect import collect_results, prediction_arrays, read_predictions
from poster_cnn.training import distribution, run_folder
from poster_cnn.training import fit as fitting
from poster_cnn.training import train as training
from poster_cnn.training.build import build_model, check_config
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.data import load_training_data
from poster_cnn.training.processor import about_processor
from poster_cnn.training.run_folder import is_finished
from poster_cnn.training.saved_model import load_model, save_model
from poster_cnn.training.train import train
from poster_cnn.tuning.experiment import Experiment
from poster_cnn.tuning.sweep import sweep


def interrupt_when_writing(monkeypatch, name, time_number=1):
    """Raise `KeyboardInterrupt` when a file is about to be written for the n-th time."""
    count = 0

    def write(path):
        nonlocal count
        count += pathlib.Path(path).name == name
        if pathlib.Path(path).name == name and count == time_number:
            raise KeyboardInterrupt
        return write_atomically(path)

    for module in (run_folder, fitting):
        monkeypatch.setattr(module, "write_atomically", write)


# --- the run folder ---


def test_run_folder_is_complete(finished_run, tiny_config):
    names = {path.name for path in finished_run.iterdir() if not path.name.startswith(".")}
    about = {"config.json", "split.csv", "leak.json", "notes.txt", "README.md"}
    assert names == about | {"history.csv", "model.keras", "predictions.csv", "metrics.json"}

    about = json.loads((finished_run / "config.json").read_text())
    assert about["config"].pop("image_size") == [27, 18]
    assert TrainingConfig.from_dict(about["config"]).to_dict() == tiny_config.to_dict()
    assert len(about["data"]["fingerprint"]) == 64
    assert {"python", "tensorflow", "keras", "numpy", "pillow", "poster-cnn"} <= set(about["versions"])
    assert about_processor().items() <= about.items() and about["device"].endswith(" CPU cores")

    split = pd.read_csv(finished_run / "split.csv")
    counts = {part: about["data"][f"num_{part}"] for part in ("train", "validation", "test")}
    assert split["part"].value_counts().to_dict() == counts
    history = pd.read_csv(finished_run / "history.csv")
    assert history.columns.tolist() == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].tolist() == list(range(10))


def test_scores_match_the_predictions_and_labels(finished_run, data_folder, tiny_config):
    names = list(tiny_config.class_names)
    predictions = pd.read_csv(finished_run / "predictions.csv")
    assert (predictions["imdb_id"] % 7 == 0).all()
    y_true = predictions[[f"true_{name}" for name in names]].to_numpy()
    y_prob = predictions[[f"probability_{name}" for name in names]].to_numpy()
    table = load_movie_table(data_folder / "MovieGenre.csv").set_index("imdb_id").loc[predictions["imdb_id"]]
    assert (y_true == encode_genres(table, names)).all()
    result = json.loads((finished_run / "metrics.json").read_text())
    assert result["test"] == metrics.score(tiny_config.metrics, y_true, y_prob)
    split = pd.read_csv(finished_run / "split.csv")
    majority = baselines.majority_class(split.loc[split["part"] == "train", names].to_numpy(), len(y_true))
    assert result["baselines"]["majority"]["hit_at_1"] == metrics.hit_at_1(y_true, majority)
    assert set(result["baselines"]) == {"majority", "label_prior", "color_histogram"}
    for name, margins in result["margins"].items():
        assert "color_histogram" in margins and len(margins) == 2
        for baseline, margin in margins.items():
            above = result["test"][name]["value"] - result["baselines"][baseline][name]
            assert margin["value"] == pytest.approx(above) and margin["low"] <= margin["value"] <= margin["high"]
    row = collect_results(finished_run).iloc[0]
    assert row["hit_at_1_over_color_histogram_low"] == result["margins"]["hit_at_1"]["color_histogram"]["low"]


def test_network_learns_the_colors(finished_run):
    history = pd.read_csv(finished_run / "history.csv")
    result = json.loads((finished_run / "metrics.json").read_text())
    assert history["loss"].iloc[-1] < 0.9 * history["loss"].iloc[0]
    assert result["test"]["hit_at_1"]["value"] > result["baselines"]["majority"]["hit_at_1"] + 0.3


def test_finished_run_is_not_trained_again(finished_run, data_folder, tiny_config, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in finished_run.iterdir() if path.name != ".lock"}
    monkeypatch.delattr(training, "fit")
    result = train(tiny_config, data_folder, finished_run, progress=False)
    assert result == json.loads((finished_run / "metrics.json").read_text())
    assert before == {path: path.stat().st_mtime_ns for path in finished_run.iterdir() if path.name != ".lock"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"learning_rate": 1e-4}, "learning_rate"),
        ({"epochs": 20, "seed": 1}, "epochs, seed"),
        ({"model_args": {"filters": (8, 17), "dense_units": (32,), "dropout": 0.1}}, "model_args"),
    ],
)
def test_rejects_run_folder_of_another_config(finished_run, data_folder, tiny_config, changes, what):
    with pytest.raises(ValueError, match=f"holds a run that differs in: {what}. Choose another folder, or remove it"):
        train(tiny_config.replace(**changes), data_folder, finished_run, progress=False)
    assert is_finished(finished_run, tiny_config)
    assert not is_finished(finished_run, tiny_config.replace(**changes))


def test_rejects_run_folder_of_other_data(finished_run, tiny_config, tmp_path, data_folder):
    (tmp_path / "posters").symlink_to(data_folder / "posters")
    rows = (data_folder / "MovieGenre.csv").read_text().splitlines()
    (tmp_path / "MovieGenre.csv").write_text("\n".join(rows[:-1]))
    with pytest.raises(ValueError, match="holds a run that differs in: the data"):
        train(tiny_config, tmp_path, finished_run, progress=False)


# --- interrupted runs ---


def test_interrupted_run_resumes_bit_identically(finished_run, data_folder, tiny_config, tmp_path, monkeypatch):
    graphs = set(gradient_registry.list())
    for name, time_number in [
        ("checkpoint.weights.h5", 3),  # after the history of the third epoch
        ("predictions.csv", 1),  # before the scores
    ]:
        interrupt_when_writing(monkeypatch, name, time_number)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config, data_folder, tmp_path / "run", progress=False)
        assert not is_finished(tmp_path / "run")
    (tmp_path / "run" / ".0badcafe.tmp.history.csv").write_text("half of the hi")  # as after a kill
    (tmp_path / "run" / ".0badcafe.tmp.checkpoint.weights.h5").write_text("half of the we")
    monkeypatch.undo()
    monkeypatch.setattr(fitting, "_run_epoch", lambda *_: pytest.fail("a finished epoch is trained again"))
    assert fitting.training_seconds(tmp_path / "run") > 0
    (tmp_path / "run" / ".seconds").write_text("5000.0")  # as if the epochs had taken so long
    assert 5000 <= train(tiny_config, data_folder, tmp_path / "run", progress=False)["seconds"] < 6000
    assert_same_run(finished_run, tmp_path / "run")
    assert not (tmp_path / "run" / ".seconds").exists()
    assert set(gradient_registry.list()) == graphs  # TensorFlow would keep each network in memory


@pytest.mark.slow
def test_onednn_changes_only_the_rounding(one_step_config, data_folder, tmp_path):
    script = """
import json, sys
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.train import train
train(TrainingConfig.from_dict(json.loads(sys.argv[1])), *sys.argv[2:], progress=False)
"""
    for setting in "01":
        command = [sys.executable, "-c", script, json.dumps(one_step_config.to_dict()), data_folder, tmp_path / setting]
        environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": setting}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    without, by_default = (pd.read_csv(tmp_path / setting / "predictions.csv") for setting in "01")
    pd.testing.assert_frame_equal(without, by_default, check_exact=False, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Skipping variable loading")
@pytest.mark.parametrize(("first_epoch", "phase"), [(0, "run"), (7, "fine-tuning")])
def test_rejects_damaged_checkpoint_and_starts_anew_without_it(tmp_path, first_epoch, phase):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
    network.compile("adam", "mse")
    checkpoint, history = tmp_path / "checkpoint.weights.h5", [{"epoch": epoch, "loss": 0.5} for epoch in range(7)]
    fitting._save_epoch(network, history, checkpoint)
    assert fitting._restore(network, checkpoint, first_epoch, 1) == (first_epoch, history[:first_epoch])
    whole, said = checkpoint.read_bytes(), set()
    damages = [whole[:start] + bytes(512) + whole[start + 512 :] for start in range(0, len(whole), 512)]
    for damaged in (b"", b"garbage", whole[:-1], *damages):
        checkpoint.write_bytes(damaged)
        try:
            fitting._restore(network, checkpoint, first_epoch, 1)  # succeeds if only numbers or padding changed
        except OSError as error:
            said.add(type(error.__cause__))
            start, end = f"{checkpoint} cannot be read (", f"). Remove it to start the {phase} from its beginning."
            assert str(error).startswith(start) and str(error).endswith(end) and "\n" not in str(error)
    assert OSError in said
    checkpoint.unlink()
    assert fitting._restore(network, checkpoint, first_epoch, 1) == (first_epoch, history[:first_epoch])


def test_rejects_a_folder_in_use(data_folder, tiny_config, tmp_path):
    with locked(tmp_path / "run"), concurrent.futures.ThreadPoolExecutor() as other:
        started = other.submit(train, tiny_config, data_folder, tmp_path / "run", progress=False)
        with pytest.raises(BlockingIOError, match="Another process is working in .*run. Wait for it, or choose anoth"):
            started.result()
    assert os.listdir(tmp_path / "run") == [".lock"]


# --- runs that go wrong ---


def test_nan_loss_ends_the_run(data_folder, tiny_config, tmp_path):
    config = tiny_config.replace(learning_rate=1e38, epochs=2)
    with pytest.raises(FloatingPointError, match=r"became .* in epoch 0 .*smaller learning rate.*learning_rate=1e\+38"):
        with without_graphs():
            train(config, data_folder, tmp_path, progress=False)
    assert not is_finished(tmp_path)
    assert not (tmp_path / "checkpoint.weights.h5").exists()


def test_nan_weights_that_no_loss_shows_end_the_run_after_the_epoch_before(data_folder, tiny_config, tmp_path, eager):
    def spoil(epoch, logs):
        if epoch == 1:
            kernel = spoiling.model.layers[2].kernel
            kernel.assign(np.full(kernel.shape, np.nan))

    spoiling = keras.callbacks.LambdaCallback(on_epoch_end=spoil)
    config = tiny_config.replace(epochs=3)
    with pytest.raises(FloatingPointError, match="kernel became NaN or infinite in epoch 1 .*float32 if the precision"):
        train(config, data_folder, tmp_path / "run", callbacks=[spoiling], progress=False)
    assert len(pd.read_csv(tmp_path / "run" / "history.csv")) == 1
    train(config, data_folder, tmp_path / "run", progress=False)  # goes on
    train(config, data_folder, tmp_path / "whole", progress=False)
    assert read_predictions(tmp_path / "run").equals(read_predictions(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": "eight_layer_cnn"}, ValueError, "`model` must be a builder.*Received: model='eight_layer_cnn'"),
        ({"ratio": 3}, ValueError, "`input_shape` must be"),
        ({"model_args": {"filter": (8,)}}, ValueError, "seven_layer_cnn does not take filter. Expected .*filters"),
        ({"model_args": {"num_classes": 2}}, ValueError, "seven_layer_cnn does not take num_classes"),
        ({"fine_tune_epochs": 1}, ValueError, "`model` must have a backbone.*Received: seven_layer_cnn"),
        ({"loss": "categorical_crossentrophy"}, ValueError, "categorical_crossentrophy"),
        ({"metrics": ("hit_at_1", "f1")}, ValueError, "Unknown metric. Expected one of .*hit_at_1.*Received: 'f1'"),
        ({"loss": "ctc"}, ValueError, "`loss` must be a loss of one label vector per poster"),
        ({"start_from": "absent"}, FileNotFoundError, "Looked for 'absent'"),
        ({"model": "mobilenet_v2", "model_args": {"weights": "a.h5"}}, FileNotFoundError, "`weights` must be"),
        ({"model": "keras:Xception", "model_args": {"weights": None}, "ratio": 20}, ValueError, "at least 71×71"),
    ],
)
def test_rejects_impossible_networks_before_any_poster_is_read(
    data_folder, tiny_config, tmp_path, changes, error, message, monkeypatch
):
    monkeypatch.setattr("poster_cnn.training.rows.load_movie_table", None)
    config = tiny_config.replace(**changes)
    with pytest.raises(error, match=message):
        train(config, data_folder, tmp_path / "run", progress=False)
    if changes.keys() <= {"loss", "ratio"}:
        reason = sweep(Experiment(config, {"seed": (0,)}), data_folder, tmp_path, progress=False)["seed=0"]
        assert re.search(message, reason)


def test_rejects_unknown_metrics_before_training_on_loaded_data(tiny_config, data_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    loaded = load_training_data(tiny_config.data, data_folder)
    with pytest.raises(ValueError, match="Unknown metric"):
        train(tiny_config.replace(metrics=("f1",)), data_folder, tmp_path, training_data=loaded)


@pytest.mark.parametrize(
    ("changes", "genres", "hinted"),
    [
        ({}, [[1, 1], [1, 1], [1, 0]], True),
        ({}, [[1, 1], [0, 1]], False),
        ({"experiment": "dave_table_2"}, [[1, 1]], False),
        (SIGMOID, [[1, 1]], False),
    ],
)
def test_hints_at_sigmoid_for_movies_of_several_genres(changes, genres, hinted, tiny_config, data_folder, caplog):
    caplog.set_level("INFO", "poster_cnn")
    loaded = types.SimpleNamespace(all_labels=np.array(genres))
    strategy = distribution.choose_strategy("one")
    config = tiny_config.replace(**changes)
    training.load_for(config, data_folder, data_folder / "new", strategy, load=lambda *_: loaded)
    assert ("--head sigmoid" in caplog.text) == hinted


def test_checks_a_run_folder_before_any_poster_is_read(finished_run, tiny_config, monkeypatch):
    monkeypatch.setattr("poster_cnn.training.rows.load_movie_table", None)
    with pytest.raises(ValueError, match="holds a run that differs in: epochs"):
        train(tiny_config.replace(epochs=9), "absent", finished_run)


def test_checking_a_network_changes_no_weights(tiny_config):
    keras.utils.set_random_seed(1)
    expected = build_model(tiny_config)
    keras.utils.set_random_seed(1)
    check_config(tiny_config)
    assert_same_weights(build_model(tiny_config), expected)


# --- sigmoid outputs and thresholds ---


@pytest.fixture(scope="module")
def sigmoid_config(tiny_config):
    return tiny_config.replace(
        **SIGMOID,
        class_names=("Horror", "Drama"),
        split="leak_free",
        split_seed=2,  # with different thresholds for validation and test
        metrics=("top_n_accuracy", "label_accuracy", "overall_f1"),
        epochs=1,
    )


@pytest.fixture(scope="module")
def sigmoid_run(data_folder, sigmoid_config, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "sigmoid"
    with without_graphs():
        train(sigmoid_config, data_folder, run_dir, progress=False)
    return run_dir


def test_sigmoid_predicts_independent_genres(sigmoid_run):
    result = json.loads((sigmoid_run / "metrics.json").read_text())
    assert list(result["test"]) == ["top_n_accuracy", "label_accuracy", "overall_f1", "overall_f1_tuned"]
    predictions = pd.read_csv(sigmoid_run / "predictions.csv")
    share_of_zeros = 1 - predictions[["true_Horror", "true_Drama"]].to_numpy().mean()
    assert result["baselines"]["all_zeros"] == {"label_accuracy": pytest.approx(share_of_zeros)}
    assert not np.allclose(predictions["probability_Horror"] + predictions["probability_Drama"], 1)


def test_thresholds_are_tuned_on_the_validation_set(sigmoid_run, sigmoid_config, data_folder):
    data = load_training_data(sigmoid_config.data, data_folder)
    model, about = load_model(sigmoid_run)
    y_prob = model.predict(data.images("validation").astype("float32"), verbose=0)
    best = best_thresholds(data.labels("validation"), y_prob)
    assert about["thresholds"] == pytest.approx({"Horror": best[0], "Drama": best[1]}, abs=1e-6)
    assert about["thresholds"] == json.loads((sigmoid_run / "metrics.json").read_text())["thresholds"]


def test_test_set_is_scored_with_the_thresholds(sigmoid_run, sigmoid_config, data_folder):
    result = json.loads((sigmoid_run / "metrics.json").read_text())
    predictions = pd.read_csv(sigmoid_run / "predictions.csv")
    y_true, y_prob = (predictions[[f"{what}_Horror", f"{what}_Drama"]].to_numpy() for what in ("true", "probability"))
    tuned, thresholds = result["test"]["overall_f1_tuned"], list(result["thresholds"].values())
    assert tuned["value"] == metrics.overall_precision_recall_f1(y_true, y_prob, thresholds)[2]
    assert tuned["low"] <= tuned["value"] <= tuned["high"]
    every_genre = metrics.overall_f1(y_true, np.ones(y_true.shape))
    assert result["baselines"]["label_prior"]["overall_f1_tuned"] == every_genre
    data = load_training_data(sigmoid_config.data, data_folder)
    of_part = {part: data.baseline_predictions(part)["color_histogram"] for part in ("validation", "test")}
    own, chosen_on_test = (best_thresholds(data.labels(part), y_prob) for part, y_prob in of_part.items())
    histogram, cheated = (
        metrics.overall_precision_recall_f1(data.labels("test"), of_part["test"], limits)[2]
        for limits in (own, chosen_on_test)
    )
    assert result["baselines"]["color_histogram"]["overall_f1_tuned"] == histogram != cheated
    row = collect_results(sigmoid_run).iloc[0]
    assert (row["overall_f1_tuned"], row["overall_f1_tuned_low"]) == (tuned["value"], tuned["low"])
    margin = result["margins"]["overall_f1_tuned"]["color_histogram"]
    assert margin["value"] == pytest.approx(tuned["value"] - histogram)
    assert not [name for name in row.index if "threshold" in name]


def test_calibration_is_chosen_on_validation_and_measured_on_test(sigmoid_run, sigmoid_config, data_folder):
    measured = json.loads((sigmoid_run / "metrics.json").read_text())["calibration"]
    calibration = Calibration.from_dict(load_model(sigmoid_run)[1]["calibration"], len(sigmoid_config.class_names))
    assert list(calibration.temperatures) == measured["temperatures"] and calibration.activation == "sigmoid"
    losses = measured["held_out_log_loss"]
    assert measured["chosen"] == (min(losses, key=losses.get) if losses else "none")
    _, y_true, y_prob = prediction_arrays(read_predictions(sigmoid_run))  # published without calibration
    errors = [expected_calibration_error(y_true, y) for y in (y_prob, calibration.probabilities(y_prob))]
    assert list(measured["expected_calibration_error"].values()) == pytest.approx(errors)


def test_saved_model_knows_its_training_posters(sigmoid_run, sigmoid_config, data_folder):
    seen = SeenPosters.from_text(load_model(sigmoid_run)[1]["seen_posters"])
    data = load_training_data(sigmoid_config.data, data_folder)
    train = data.part("train")
    assert {*seen.records["imdb_id"]} <= {*train["imdb_id"]} and len(seen) > len(train) / 2
    found = [seen.find(open_picture(path)) for path in train["poster_path"].iloc[:10]]
    assert sum(match is not None for match in found) >= 5  # flat ones are never found


def test_predict_ranks_genres_without_thresholds(sigmoid_run, data_folder, tmp_path):
    poster = [data_folder / "posters" / "1001.jpg"]
    before = predict(poster, sigmoid_run)
    model, about = load_model(sigmoid_run)
    save_model(model, tmp_path / "model.keras", **about | {"thresholds": None})
    after = predict(poster, tmp_path)
    assert after["predicted"][0] == before[list(about["class_names"])].idxmax(axis=1)[0]  # the most probable one
    assert after.drop(columns=["predicted", "note"]).equals(before.drop(columns=["predicted", "note"]))


def test_without_validation_set_there_are_no_thresholds(sigmoid_config, data_folder, tmp_path):
    data = load_training_data(sigmoid_config.data, data_folder)
    data = dataclasses.replace(data, split=data.split.replace("validation", "train"))
    training._claim(tmp_path, sigmoid_config, data, tf.distribute.get_strategy())
    result = training._finish(build_model(sigmoid_config), sigmoid_config, data, tmp_path, 0)
    assert "thresholds" not in result and result["validation"] == {}
    assert list(result["test"]) == ["top_n_accuracy", "label_accuracy", "overall_f1"]
    assert load_model(tmp_path)[1]["thresholds"] is load_model(tmp_path)[1]["calibration"] is None


def test_softmax_has_one_temperature_and_no_thresholds(finished_run):
    result = json.loads((finished_run / "metrics.json").read_text())
    assert "thresholds" not in result and len(result["calibration"]["temperatures"]) == 1
    assert load_model(finished_run)[1]["calibration"]["activation"] == "softmax"
    assert load_model(finished_run)[1]["thresholds"] is None
