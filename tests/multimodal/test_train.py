"""Ensembles of paper 5: run folders, reproducibility, training of branches and fusion, sweeps."""

import dataclasses
import importlib
import itertools
import json
import shutil
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import LengthEmbedding, without_graphs
from tensorflow.python.framework.ops import gradient_registry

from poster_cnn import metrics, models
from poster_cnn.evaluation.predict import predict
from poster_cnn.evaluation.predict_movies import predict_movies
from poster_cnn.models import losses
from poster_cnn.multimodal import data as ensemble_data_module
from poster_cnn.multimodal import fit as ensemble_fitting
from poster_cnn.multimodal import train as ensemble_training
from poster_cnn.multimodal import word_vectors
from poster_cnn.multimodal.fit import (
    build_branch,
    build_fusion,
    fit_branch,
    fit_end_to_end,
    fit_fusion,
    hide_some,
    trainable_part,
)
from poster_cnn.multimodal.train import check_run, is_finished, train_ensemble
from poster_cnn.results.collect import collect_history, collect_results, read_predictions
from poster_cnn.training.saved_model import load_model, save_model
from poster_cnn.tuning.experiment import Experiment
from poster_cnn.tuning.sweep import sweep

pytestmark = pytest.mark.usefixtures("eager")

PARTS = ("poster", "trailer", "metadata", "plot", "ensemble")


@pytest.fixture(scope="module")
def text_config(ensemble_config):
    """Config of two branches that are fast to train, without posters and trailers."""
    return ensemble_config.replace(modalities=("metadata", "plot"), epochs=2, metrics=("average_precision",))


@pytest.fixture(scope="module")
def text_data(ensemble_data):
    """`ensemble_data` without posters and trailers."""
    inputs = {name: ensemble_data.inputs[name] for name in ("metadata", "plot")}
    return dataclasses.replace(ensemble_data, inputs=inputs, present=ensemble_data.present[:, 2:])


@pytest.fixture(scope="module")
def finished_texts(tmp_path_factory, text_config, text_data):
    """Run folder of `text_config`."""
    run_dir = tmp_path_factory.mktemp("texts") / "finished"
    with without_graphs():  # also before the first test of the module
        train_ensemble(text_config, None, run_dir, ensemble_data=text_data, progress=False)
    return run_dir


# --- run folders ---


def test_run_folders_are_complete(finished_ensemble, ensemble_config, ensemble_data):
    usual = {"config.json", "split.csv", "leak.json", "history.csv", "model.keras", "predictions.csv", "metrics.json"}
    usual.add("README.md")
    texts = {"metadata_encoder.json", "word_vectors.npz", "notes.txt"}
    for name in PARTS:
        files = {path.name for path in (finished_ensemble / name).iterdir()}
        assert files == usual | (texts if name == "ensemble" else set())
    results = collect_results(finished_ensemble).set_index("model")
    assert sorted(results.index) == sorted(PARTS)
    assert results["data_fingerprint"].nunique() == 1
    missing = results["num_test_missing"].to_dict()
    assert missing == {
        name: 0 if name == "ensemble" else int((~ensemble_data.present[ensemble_data.rows("test"), number]).sum())
        for number, name in enumerate(PARTS)
    }
    history = collect_history(finished_ensemble)
    assert set(history["model"]) == set(PARTS) and history["val_loss"].notna().all()
    split = pd.read_csv(finished_ensemble / "plot" / "split.csv")
    assert split["has_plot"].tolist() == ensemble_data.present[:, 3].astype(int).tolist()


def test_an_ensemble_of_sentence_vectors_needs_no_word_vectors(text_config, movie_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "sentence_embedding", LengthEmbedding)
    monkeypatch.setattr(ensemble_data_module, "sentence_embedding", LengthEmbedding)
    folder = shutil.copytree(movie_folder, tmp_path / "own", ignore=shutil.ignore_patterns("trailers", "glove*"))
    config = text_config.replace(plot_encoder="sentences")
    train_ensemble(config, folder, tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "ensemble" / "word_vectors.npz").exists()
    predictions = read_predictions(tmp_path / "run" / "plot")
    plots = pd.read_csv(folder / "movie_metadata.csv").set_index("imdbId")["plot_summary"]
    imdb_id = next(imdb_id for imdb_id in predictions["imdb_id"] if isinstance(plots[imdb_id], str))
    found, problems = predict_movies(tmp_path / "run", [{"plot": plots[imdb_id]}, {"plot": "?"}])
    assert problems[1]["plot"] == "it has no words"
    branch, _ = load_model(tmp_path / "run" / "plot")
    row = predictions["imdb_id"].tolist().index(imdb_id)
    expected = branch.predict(word_vectors.sentence_vectors([plots[imdb_id]]), verbose=0)[0]
    named = [f"probability_{name}" for name in config.class_names]
    assert np.allclose(predictions.loc[row, named].to_numpy(float), expected, atol=1e-5)
    assert list(found) == [0] and found[0].modalities == ("plot",)


def test_scores_match_the_predictions(finished_ensemble, ensemble_config, ensemble_data):
    ids = ensemble_data.movies.part("test")["imdb_id"].tolist()
    for name in PARTS:
        predictions = read_predictions(finished_ensemble / name)
        assert predictions["imdb_id"].tolist() == ids
        y_true = predictions.filter(like="true_").to_numpy()
        y_prob = predictions.filter(like="probability_").to_numpy()
        assert np.array_equal(y_true, ensemble_data.movies.labels("test"))
        content = json.loads((finished_ensemble / name / "metrics.json").read_text())
        for metric in ensemble_config.metrics:
            score = content["test"][metric]
            assert score["value"] == pytest.approx(metrics.BY_NAME[metric](y_true, y_prob), abs=1e-6)
            assert score["low"] <= score["value"] <= score["high"] and 0 <= content["validation"][metric] <= 1
        prior = ensemble_data.baseline_predictions("test")["label_prior"]
        expected = metrics.average_precision(y_true, prior, average="samples")
        assert content["baselines"]["label_prior"]["average_precision_samples"] == pytest.approx(expected)
        assert set(content["baselines"]) == {"majority", "label_prior", "color_histogram"}
        assert set(content["thresholds"]) == set(ensemble_config.class_names)


def test_branch_predicts_the_label_prior_without_its_modality(finished_ensemble, ensemble_data):
    lacks = ~ensemble_data.present[ensemble_data.rows("test"), 3]
    assert lacks.any() and not lacks.all()
    predictions = read_predictions(finished_ensemble / "plot").filter(like="probability_").to_numpy()
    prior = ensemble_data.movies.labels("train").mean(axis=0)
    assert np.allclose(predictions[lacks], prior) and not np.isclose(predictions[~lacks], prior).any()


def test_predict_reproduces_the_predictions_of_the_poster_branch(finished_ensemble, ensemble_data):
    table = ensemble_data.movies.part("test")
    has_poster = (table["poster_path"] != "").to_numpy()
    model, about = load_model(finished_ensemble / "poster")
    predictions = predict(table["poster_path"][has_poster].tolist(), (model, about | {"calibration": None}))
    expected = read_predictions(finished_ensemble / "poster").filter(like="probability_")[has_poster]
    found = predictions.add_prefix("probability_")[list(expected)]
    assert np.allclose(found, expected, atol=1e-4)


@pytest.fixture
def nothing_registered(monkeypatch):
    """Remove the classes of poster_cnn from the registry of Keras, as before its import."""
    known = keras.saving.get_custom_objects()
    for registered in [registered for registered in known if registered.startswith("poster_cnn>")]:
        monkeypatch.delitem(known, registered)


@pytest.mark.parametrize("name", ["ensemble", "plot"])
def test_keras_alone_loads_the_models(name, finished_ensemble, nothing_registered):
    model = keras.models.load_model(finished_ensemble / name / "model.keras")
    assert not model.compiled and not any(getattr(layer, "compiled", False) for layer in model.layers)


@pytest.mark.filterwarnings("ignore:Skipping variable loading")
def test_loads_older_files_that_contain_a_loss(tmp_path, nothing_registered, monkeypatch):
    inputs = keras.Input((3,))
    part = keras.Model(inputs, keras.layers.Dense(2, "sigmoid")(inputs))
    part.compile("adam", losses.WeightedBinaryCrossentropy([1.0, 2.0]))
    save_model(keras.Model(inputs, part(inputs)), tmp_path / "model.keras", class_names=["Drama", "Horror"])
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(tmp_path)
    for module in ("models.losses", "training.saved_model"):
        monkeypatch.delitem(sys.modules, f"poster_cnn.{module}")
    monkeypatch.delattr(models, "losses")
    importlib.import_module("poster_cnn.training.saved_model").load_model(tmp_path)


def test_resumes_and_reuses_finished_branches(finished_texts, text_config, text_data, tmp_path, monkeypatch):
    run_dir = shutil.copytree(finished_texts, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*.*") if path.is_file() and path.name[0] != "."}
    monkeypatch.delattr(ensemble_training, "fit_branch")
    options = {"ensemble_data": text_data, "progress": False}
    result = train_ensemble(text_config, None, run_dir, **options)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert is_finished(run_dir, text_config)

    copied = tmp_path / "copied"  # the same branches with another fusion
    other = text_config.replace(fusion_rows="none", set_name="copied")
    train_ensemble(other, None, copied, finished=(tmp_path, run_dir), **options)
    predictions = [read_predictions(folder / "ensemble") for folder in (run_dir, copied)]
    assert not predictions[0].equals(predictions[1])
    assert read_predictions(copied / "plot").equals(read_predictions(run_dir / "plot"))
    assert collect_results(copied)["set_name"].eq("copied").all()
    with pytest.raises(NameError, match="fit_branch"):  # branches of another seed are trained
        train_ensemble(text_config.replace(seed=9), None, tmp_path / "other", finished=(run_dir,), **options)
    for spoil in (  # and so are damaged ones
        lambda plot: (plot / "model.keras").write_bytes(b"torn"),
        lambda plot: (plot / "model.keras").unlink(),
        lambda plot: (plot / "config.json").write_text('{"config": {}, "data": {}}'),
    ):
        spoil(shutil.copytree(run_dir, tmp_path / "spoilt", dirs_exist_ok=True) / "plot")
        with pytest.raises(NameError, match="fit_branch"):
            train_ensemble(text_config, None, tmp_path / "anew", finished=(tmp_path / "spoilt",), **options)

    monkeypatch.undo()
    for name in ("plot", "ensemble"):  # as after a kill
        (run_dir / name / "metrics.json").unlink()
    assert not is_finished(run_dir)
    assert train_ensemble(text_config, None, run_dir, **options)["test"] == result["test"]
    for name, file in itertools.product(("plot", "ensemble"), ("history.csv", "predictions.csv")):
        assert (run_dir / name / file).read_bytes() == (finished_texts / name / file).read_bytes()


def test_rejects_folder_of_another_config_or_other_data(finished_ensemble, ensemble_config, ensemble_data):
    options = {"ensemble_data": ensemble_data, "progress": False}
    with pytest.raises(ValueError, match="holds a run that differs in: epochs, seed. Choose another folder"):
        train_ensemble(ensemble_config.replace(seed=1, epochs=4), None, finished_ensemble, **options)
    other = dataclasses.replace(ensemble_data, present=~ensemble_data.present)
    with pytest.raises(ValueError, match="differs in: the data"):
        check_run(finished_ensemble, ensemble_config, other)
    renamed = ensemble_config.replace(experiment="other", set_name="same")
    assert is_finished(finished_ensemble, renamed)
    assert not is_finished(finished_ensemble, ensemble_config.replace(seed=1))


def test_end_to_end_training_is_reproducible(text_config, text_data, tmp_path, monkeypatch):
    def fit(*args):
        gradient_registry.register(len, "of a traced step")  # these tests trace none
        return fit_end_to_end(*args)

    monkeypatch.setattr(ensemble_training, "fit_end_to_end", fit)
    options = {"ensemble_data": text_data, "progress": False}
    config = text_config.replace(dropout={"plot": 0.5}, hidden_share=0.3, end_to_end=True)
    for name, seed in (("first", 3), ("second", 3), ("third", 4)):
        train_ensemble(config.replace(seed=seed), None, tmp_path / name, **options)
        assert "of a traced step" not in gradient_registry.list()  # TensorFlow would keep the network in memory
    for file in ("history.csv", "predictions.csv"):
        paths = [tmp_path / name / "ensemble" / file for name in ("first", "second", "third")]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert not np.allclose(pd.read_csv(paths[0]), pd.read_csv(paths[2]), rtol=1e-3, atol=0)
    assert [path.name for path in (tmp_path / "first").iterdir() if path.name[0] != "."] == ["ensemble"]
    model, _ = load_model(tmp_path / "first" / "ensemble")
    rows = text_data.rows("test")
    inputs = {"metadata": text_data.inputs["metadata"][rows].toarray(), "plot": text_data.inputs["plot"][rows]}
    expected = read_predictions(tmp_path / "first" / "ensemble").filter(like="probability_").to_numpy()
    assert np.allclose(model.predict(inputs | {"present": text_data.present[rows]}, verbose=0), expected, atol=1e-5)


# --- fitting ---


def test_early_stopping_restores_the_best_epoch(ensemble_config, ensemble_data):
    config = ensemble_config.replace(epochs=60, patience=3, learning_rate=0.05)
    branch = build_branch("plot", config, ensemble_data)
    history = fit_branch(branch, "plot", config, ensemble_data)
    best = history["val_loss"].idxmin()
    assert len(history) < 60 and len(history) - 1 - best == 3
    rows = ensemble_data.rows("validation", "plot")
    compiled = ensemble_fitting._compiled(branch, config, ensemble_data)
    loss = compiled.evaluate(ensemble_data.inputs["plot"][rows], ensemble_data.movies.all_labels[rows], verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], abs=1e-5)


def test_only_the_dense_layers_of_the_poster_branch_are_trained(ensemble_config, ensemble_data):
    branch = build_branch("poster", ensemble_config, ensemble_data)
    before = branch.get_weights()
    fit_branch(branch, "poster", ensemble_config, ensemble_data)
    changed = [not np.array_equal(a, b) for a, b in zip(before, branch.get_weights(), strict=True)]
    assert changed == [False] * (len(before) - 4) + [True] * 4
    assert trainable_part(branch).input_shape == (None, 12)


@pytest.mark.parametrize("weighted", [True, False])
def test_weighted_loss_and_prior_of_the_fusion(weighted, text_config, text_data):
    config, shares = text_config.replace(weighted=weighted), text_data.movies.labels("train").mean(axis=0)
    fusion = build_fusion(config, text_data)
    nothing = {"probabilities": np.zeros((1, 2, 4)), "present": np.zeros((1, 2), bool)}
    expected = np.full(4, 0.5) if weighted else shares  # output of an uninformative branch
    assert np.allclose(fusion.predict(nothing, verbose=0), expected, atol=1e-5)
    loss = ensemble_fitting._compiled(fusion, config, text_data).loss
    if weighted:
        assert loss.positive_weights == pytest.approx((1 - shares) / shares)
    else:
        assert loss == "binary_crossentropy"


@pytest.fixture
def opinions(text_data):
    """Probabilities of two branches: one is right on the training set only, the other everywhere else."""
    labels = text_data.movies.all_labels
    in_train = (text_data.movies.split == "train").to_numpy()[:, None]
    right, wrong = np.where(labels > 0, 0.8, 0.2), np.where(labels > 0, 0.2, 0.8)
    branches = [np.where(in_train, right, wrong), np.where(in_train, wrong, right)]
    return np.stack(branches, axis=1).astype("float32")


@pytest.mark.parametrize("rows", ["train", "none"])
def test_fusion_is_trained_on_the_training_set_or_not_at_all(rows, opinions, text_config, text_data):
    config = text_config.replace(fusion_rows=rows, epochs=6, patience=6)
    data = dataclasses.replace(text_data, present=np.ones_like(text_data.present))
    fusion = build_fusion(config, data)
    start = fusion.get_layer("fusion").kernel.numpy()
    history, held_out = fit_fusion(fusion, opinions, config, data)
    assert held_out is None
    if rows == "none":
        assert np.array_equal(fusion.get_layer("fusion").kernel.numpy(), start) and len(history) == 1
    else:  # the branches swap roles on the validation set
        assert history["loss"].iloc[-1] < history["loss"].iloc[0]
        assert history["val_loss"].iloc[-1] > history["val_loss"].iloc[0]


def test_fusion_is_cross_validated_on_the_validation_set(opinions, text_config, text_data, monkeypatch):
    learned = []

    def fit(fusion, inputs, rows, held_out, config, data):
        assert sorted([*rows, *held_out]) == data.rows("validation").tolist()
        learned.append(held_out)
        fusion.set_weights([np.zeros((8, 4)), np.full(4, len(learned))])
        return pd.DataFrame({"epoch": [0], "loss": [0.0], "val_loss": [0.0]})

    monkeypatch.setattr(ensemble_fitting, "_fit", fit)
    config, data = text_config.replace(fusion_rows="validation"), text_data
    fusion = build_fusion(config, data)
    history, held_out = fit_fusion(fusion, opinions, config, data)
    assert sorted(np.concatenate(learned)) == data.rows("validation").tolist() and len(learned) == 5
    number_of_fold = [next(n for n, rows in enumerate(learned, 1) if row in rows) for row in data.rows("validation")]
    assert np.allclose(held_out, 1 / (1 + np.exp(-np.array(number_of_fold)))[:, None], atol=1e-6)
    assert np.allclose(fusion.get_weights()[1], 3)  # the mean of 1 to 5
    assert history["fold"].tolist() == [0, 1, 2, 3, 4]


def test_hiding_keeps_at_least_one_modality_per_movie():
    present = np.array([[True, True, True], [False, True, False], [False, False, False]] * 1000)
    kept = hide_some(present, 0.3, np.random.default_rng(0))
    assert not (kept & ~present).any()
    assert kept[0::3].any(axis=1).all() and kept[1::3, 1].all()
    restored = 0.3**3 / 3  # one of three hidden modalities
    assert 1 - kept[0::3].mean() == pytest.approx(0.3 - restored, abs=0.02)
    assert np.array_equal(hide_some(present, 0, np.random.default_rng(0)), present)


def test_hides_other_modalities_each_epoch(text_data):
    inputs = {"present": np.ones((40, 4), bool)}
    batches = ensemble_fitting._HidingBatches(inputs, np.zeros((40, 2)), share=0.5, seed=0, batch_size=40)
    epochs = []
    for _ in range(3):
        epochs.append(batches[0][0]["present"].sum())
        batches.on_epoch_end()
    assert len(set(epochs)) > 1 and max(epochs) < 130
    assert inputs["present"].all()


# --- sweeps ---


def test_sweep_of_ensembles_shares_data_and_skips_finished_runs(
    finished_texts, movie_folder, text_config, text_data, tmp_path, monkeypatch
):
    shutil.copytree(finished_texts, tmp_path / "seed=0")
    trained = {}

    def train(config, data, run_dir, *, ensemble_data, finished, progress):
        trained[run_dir.name] = config.seed, ensemble_data, finished
        train_ensemble(config, data, run_dir, ensemble_data=ensemble_data, finished=finished, progress=progress)

    monkeypatch.setattr("poster_cnn.tuning.sweep.train_ensemble", train)
    experiment = Experiment(text_config, {"seed": (0, 1, 2)})
    assert sweep(experiment, movie_folder, tmp_path, progress=False) == {}
    assert [seed for seed, *_ in trained.values()] == [1, 2]
    assert trained["seed=1"][1] is trained["seed=2"][1]
    assert trained["seed=2"][2] == (tmp_path / "seed=0", tmp_path / "seed=1")
    assert trained["seed=1"][1].fingerprint == text_data.fingerprint  # loaded again


def test_rejects_too_few_validation_movies_for_the_folds_of_the_fusion(text_config, text_data, tmp_path):
    few = text_data.movies.split.where(text_data.movies.split != "validation", "train")
    few.iloc[:4] = "validation"
    data = dataclasses.replace(text_data, movies=dataclasses.replace(text_data.movies, split=few))
    config = text_config.replace(fusion_rows="validation")
    with pytest.raises(ValueError, match="`fusion_rows` must be 'train' or 'none' with fewer than 5 validation movies"):
        train_ensemble(config, None, tmp_path / "run", ensemble_data=data, progress=False)
    assert not (tmp_path / "run" / "plot").exists()
