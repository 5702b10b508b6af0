"""Paper 5's branches and fusion: run folders with everything in them, the same numbers each time, any subset."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from poster_cnn import datasets, ensemble_fitting, ensemble_training, metrics
from poster_cnn.ensemble_fitting import build_branch, build_fusion, fit_branch, fit_fusion, hide_some, trainable_part
from poster_cnn.ensemble_training import train_ensemble
from poster_cnn.one_hot import load_metadata_encoder
from poster_cnn.plots import load_word_vectors, plot_vectors
from poster_cnn.results import collect_history, collect_results, read_predictions
from poster_cnn.saved_models import load_model
from poster_cnn.search import Experiment, sweep
from poster_cnn.trailers import read_trailer_features

PARTS = ("poster", "trailer", "metadata", "plot", "ensemble")


@pytest.fixture
def text_config(ensemble_config):
    """Two branches that are quick to train, without posters and trailers."""
    return ensemble_config.replace(modalities=("metadata", "plot"), epochs=2)


@pytest.fixture
def text_data(ensemble_data):
    """`ensemble_data` without posters and trailers."""
    inputs = {name: ensemble_data.inputs[name] for name in ("metadata", "plot")}
    return dataclasses.replace(ensemble_data, inputs=inputs, present=ensemble_data.present[:, 2:])


def raw_inputs(data, folder, run_dir):
    """What the saved model takes, made from the files beside it alone."""
    table, split = data.movies.table, data.movies.split
    test = table[split == "test"]
    posters = np.zeros((len(test), 32, 32, 3), "float32")
    has_poster = (test["poster_path"] != "").to_numpy()
    batches = datasets.poster_dataset(test[has_poster], data.movies.class_names, image_size=(32, 32))
    posters[has_poster] = np.concatenate([images for images, _ in batches])
    return {
        "poster": posters,
        "trailer": np.stack([read_trailer_features(folder / "trailers" / f"{i}.npz") for i in test["imdb_id"]]),
        "metadata": load_metadata_encoder(run_dir / "metadata_encoder.json").encode(test).toarray(),
        "plot": plot_vectors(test["plot"], load_word_vectors(run_dir / "word_vectors.npz")),
        "present": data.present[(split == "test").to_numpy()],
    }


# --- run folders ---


def test_each_network_has_a_complete_run_folder(finished_ensemble, ensemble_config, ensemble_data):
    usual = {"config.json", "split.csv", "leak.json", "history.csv", "model.keras", "predictions.csv", "metrics.json"}
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


def test_scores_are_those_of_the_predictions_beside_baselines(finished_ensemble, ensemble_config, ensemble_data):
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


def test_a_branch_says_of_movies_it_knows_nothing_of_what_the_label_prior_says(finished_ensemble, ensemble_data):
    lacks = ~ensemble_data.present[ensemble_data.rows("test"), 3]
    assert lacks.any() and not lacks.all()
    predictions = read_predictions(finished_ensemble / "plot").filter(like="probability_").to_numpy()
    prior = ensemble_data.movies.labels("train").mean(axis=0)
    assert np.allclose(predictions[lacks], prior) and not np.isclose(predictions[~lacks], prior).any()


def test_the_folder_alone_predicts_what_was_predicted(finished_ensemble, ensemble_data, movie_folder):
    run_dir = finished_ensemble / "ensemble"
    model, about = load_model(run_dir)
    inputs = raw_inputs(ensemble_data, movie_folder, run_dir)
    expected = read_predictions(run_dir).filter(like="probability_").to_numpy()
    assert np.allclose(model.predict(inputs, verbose=0), expected, atol=1e-4)
    assert about["class_names"] == list(ensemble_data.movies.class_names) and about["thresholds"]
    branch, _ = load_model(finished_ensemble / "poster")
    has_poster = inputs["present"][:, 0]
    expected = read_predictions(finished_ensemble / "poster").filter(like="probability_").to_numpy()
    assert np.allclose(branch.predict(inputs["poster"], verbose=0)[has_poster], expected[has_poster], atol=1e-4)

    # Any subset: numbers, and one modality alone says what it says, whatever stands in the place of the others.
    subsets = np.array([mask for mask in itertools.product([False, True], repeat=4) if any(mask)])
    complete = np.flatnonzero(inputs["present"].all(axis=1))[0]
    movie = {name: np.repeat(array[[complete]], 15, axis=0) for name, array in inputs.items()} | {"present": subsets}
    said = model.predict(movie, verbose=0)
    assert np.isfinite(said).all() and len(np.unique(said.round(6), axis=0)) == 15
    for number, name in enumerate(PARTS[:4]):
        movie[name] = np.where(subsets[:, number].reshape(-1, *[1] * (movie[name].ndim - 1)), movie[name], np.nan)
    assert np.allclose(model.predict(movie, verbose=0), said, atol=1e-6)


def test_what_is_finished_is_not_trained_again_and_the_rest_ends_the_same(
    finished_ensemble, ensemble_config, ensemble_data, tmp_path, monkeypatch
):
    run_dir = shutil.copytree(finished_ensemble, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*.*") if path.is_file() and path.name[0] != "."}
    monkeypatch.delattr(ensemble_training, "fit_branch")
    options = {"ensemble_data": ensemble_data, "progress": False}
    result = train_ensemble(ensemble_config, None, run_dir, **options)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert ensemble_training.is_finished(run_dir, ensemble_config)

    ignored = shutil.ignore_patterns("ensemble", ".lock")  # another fusion of the same branches
    copied = shutil.copytree(finished_ensemble, tmp_path / "copied", ignore=ignored)
    train_ensemble(ensemble_config.replace(fusion_rows="none"), None, copied, **options)
    predictions = [read_predictions(folder / "ensemble") for folder in (run_dir, copied)]
    assert not predictions[0].equals(predictions[1])

    monkeypatch.undo()
    for name in ("plot", "ensemble"):  # as if killed before
        (run_dir / name / "metrics.json").unlink()
    assert not ensemble_training.is_finished(run_dir)
    assert train_ensemble(ensemble_config, None, run_dir, **options)["test"] == result["test"]
    for name, file in itertools.product(("plot", "ensemble"), ("history.csv", "predictions.csv")):
        assert (run_dir / name / file).read_bytes() == (finished_ensemble / name / file).read_bytes()


def test_a_folder_of_another_config_or_other_data_is_refused(finished_ensemble, ensemble_config, ensemble_data):
    options = {"ensemble_data": ensemble_data, "progress": False}
    with pytest.raises(ValueError, match="holds a run that differs in: epochs, seed. Choose another folder"):
        train_ensemble(ensemble_config.replace(seed=1, epochs=4), None, finished_ensemble, **options)
    other = dataclasses.replace(ensemble_data, present=~ensemble_data.present)
    with pytest.raises(ValueError, match="differs in: the data"):
        ensemble_training.check_run(finished_ensemble, ensemble_config, other)
    renamed = ensemble_config.replace(experiment="other", set_name="same")
    assert ensemble_training.is_finished(finished_ensemble, renamed)
    assert not ensemble_training.is_finished(finished_ensemble, ensemble_config.replace(seed=1))


def test_trained_at_once_there_is_one_folder_and_the_seed_decides_everything(text_config, text_data, tmp_path):
    for name, seed in (("first", 3), ("second", 3), ("third", 4)):
        config = text_config.replace(seed=seed, dropout={"plot": 0.5}, hidden_share=0.3, end_to_end=True)
        train_ensemble(config, None, tmp_path / name, ensemble_data=text_data, progress=False)
    for file in ("history.csv", "predictions.csv"):
        contents = [(tmp_path / name / "ensemble" / file).read_bytes() for name in ("first", "second", "third")]
        assert contents[0] == contents[1] != contents[2]
    assert [path.name for path in (tmp_path / "first").iterdir() if path.name[0] != "."] == ["ensemble"]
    model, _ = load_model(tmp_path / "first" / "ensemble")
    rows = text_data.rows("test")
    inputs = {"metadata": text_data.inputs["metadata"][rows].toarray(), "plot": text_data.inputs["plot"][rows]}
    expected = read_predictions(tmp_path / "first" / "ensemble").filter(like="probability_").to_numpy()
    assert np.allclose(model.predict(inputs | {"present": text_data.present[rows]}, verbose=0), expected, atol=1e-5)


# --- fitting ---


def test_training_stops_early_with_the_weights_of_the_best_epoch(ensemble_config, ensemble_data):
    config = ensemble_config.replace(epochs=60, patience=3, learning_rate=0.05)
    branch = build_branch("plot", config, ensemble_data)
    history = fit_branch(branch, "plot", config, ensemble_data)
    best = history["val_loss"].idxmin()
    assert len(history) < 60 and len(history) - 1 - best == 3
    rows = ensemble_data.rows("validation", "plot")
    loss = branch.evaluate(ensemble_data.inputs["plot"][rows], ensemble_data.movies.all_labels[rows], verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], abs=1e-5)


def test_of_a_poster_branch_only_the_dense_layers_are_trained(ensemble_config, ensemble_data):
    branch = build_branch("poster", ensemble_config, ensemble_data)
    before = branch.get_weights()
    fit_branch(branch, "poster", ensemble_config, ensemble_data)
    changed = [not np.array_equal(a, b) for a, b in zip(before, branch.get_weights(), strict=True)]
    assert changed == [False] * (len(before) - 4) + [True] * 4
    assert trainable_part(branch).input_shape == (None, 1280)


@pytest.mark.parametrize("weighted", [True, False])
def test_positive_labels_weigh_by_their_rarity(weighted, text_config, text_data):
    config, shares = text_config.replace(weighted=weighted), text_data.movies.labels("train").mean(axis=0)
    fusion = build_fusion(config, text_data)
    nothing = {"probabilities": np.zeros((1, 2, 4)), "present": np.zeros((1, 2), bool)}
    expected = np.full(4, 0.5) if weighted else shares  # what a branch that knows nothing learns to say
    assert np.allclose(fusion.predict(nothing, verbose=0), expected, atol=1e-5)
    ensemble_fitting._compile(fusion, config, text_data)
    if weighted:
        assert fusion.loss.positive_weights == pytest.approx((1 - shares) / shares)
    else:
        assert fusion.loss == "binary_crossentropy"


@pytest.fixture
def opinions(text_data):
    """Two branches: the first is right of train movies and wrong of all others, the second the other way round."""
    labels = text_data.movies.all_labels
    in_train = (text_data.movies.split == "train").to_numpy()[:, None]
    right, wrong = np.where(labels > 0, 0.8, 0.2), np.where(labels > 0, 0.2, 0.8)
    branches = [np.where(in_train, right, wrong), np.where(in_train, wrong, right)]
    return np.stack(branches, axis=1).astype("float32")


@pytest.mark.parametrize(("rows", "trusted"), [("train", 0), ("none", None)])
def test_the_fusion_learns_from_train_movies_or_from_none(rows, trusted, opinions, text_config, text_data):
    config = text_config.replace(fusion_rows=rows, epochs=20, patience=20)
    data = dataclasses.replace(text_data, present=np.ones_like(text_data.present))
    fusion = build_fusion(config, data)
    start = fusion.get_layer("fusion").kernel.numpy()
    history, held_out = fit_fusion(fusion, opinions, config, data)
    assert held_out is None
    if trusted is None:
        assert np.array_equal(fusion.get_layer("fusion").kernel.numpy(), start) and len(history) == 1
    else:  # the branches say the opposite of the validation movies, so that the first epoch is their best
        assert history["loss"].iloc[-1] < history["loss"].iloc[0]
        assert history["val_loss"].iloc[-1] > history["val_loss"].iloc[0]


def test_of_validation_movies_each_is_predicted_by_a_fusion_that_did_not_learn_it(
    opinions, text_config, text_data, monkeypatch
):
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
    assert np.allclose(fusion.get_weights()[1], 3)  # the mean of 1 … 5
    assert history["fold"].tolist() == [0, 1, 2, 3, 4]


def test_hiding_leaves_each_movie_a_modality():
    present = np.array([[True, True, True], [False, True, False], [False, False, False]] * 1000)
    kept = hide_some(present, 0.3, np.random.default_rng(0))
    assert not (kept & ~present).any()
    assert kept[0::3].any(axis=1).all() and kept[1::3, 1].all()
    assert 1 - kept[0::3].mean() == pytest.approx(0.3 - 0.3**3 / 3, abs=0.02)  # of three hidden, one comes back
    assert np.array_equal(hide_some(present, 0, np.random.default_rng(0)), present)


def test_other_branches_are_hidden_in_each_epoch(text_data):
    inputs = {"present": np.ones((40, 4), bool)}
    batches = ensemble_fitting._HidingBatches(inputs, np.zeros((40, 2)), share=0.5, seed=0, batch_size=40)
    epochs = []
    for _ in range(3):
        epochs.append(batches[0][0]["present"].sum())
        batches.on_epoch_end()
    assert len(set(epochs)) > 1 and max(epochs) < 130
    assert inputs["present"].all()


# --- sweeps ---


def test_a_sweep_of_ensembles_shares_the_data_and_skips_what_is_finished(
    finished_ensemble, movie_folder, ensemble_config, ensemble_data, tmp_path, monkeypatch
):
    shutil.copytree(finished_ensemble, tmp_path / "seed=0")
    trained = {}

    def train(config, data, run_dir, *, ensemble_data, progress):
        trained[run_dir.name] = config.seed, ensemble_data

    monkeypatch.setattr(ensemble_training, "train_ensemble", train)
    experiment = Experiment(ensemble_config, {"seed": (0, 1, 2)})
    assert sweep(experiment, movie_folder, tmp_path, progress=False) == {}
    assert [seed for seed, _ in trained.values()] == [1, 2]
    assert trained["seed=1"][1] is trained["seed=2"][1]
    assert trained["seed=1"][1].fingerprint == ensemble_data.fingerprint  # loaded anew, the same
