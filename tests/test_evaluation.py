"""Scoring a run on another data folder: only movies it has not seen, every metric beside the baselines."""

import pandas as pd
import pytest
from conftest import write_data_folder

from poster_cnn import evaluation, metrics, results, training


def test_own_folder_scores_the_test_movies_alone(finished_run, data_folder):
    outcome = evaluation.evaluate(finished_run, data_folder, num_resamples=20)
    saved = results.read_predictions(finished_run)
    assert outcome.num_movies == len(saved)
    assert f"{60 - len(saved)} movies left out" in outcome.notes
    assert list(outcome.scores.index) == list(metrics.EVERYDAY)
    truth, probabilities = saved.filter(like="true_").to_numpy(), saved.filter(like="probability_").to_numpy()
    assert outcome.scores.loc["hit_at_1", "model"] == pytest.approx(metrics.hit_at_1(truth, probabilities))
    assert "label_prior" in outcome.scores and outcome.genres["movies"].tolist() == truth.sum(axis=0).tolist()


def test_baselines_come_from_the_runs_own_training_labels(finished_run, data_folder):
    split = pd.read_csv(finished_run / "split.csv")
    prior = evaluation.evaluate(finished_run, data_folder, num_resamples=20).genres["prior"]
    train = split[split["part"] == "train"]
    assert prior.to_dict() == pytest.approx({name: train[name].mean() for name in prior.index})


def test_printed_and_json_form(finished_run, data_folder):
    outcome = evaluation.evaluate(finished_run, data_folder, num_resamples=20)
    assert "first_label_accuracy" in str(outcome) and "Documentary" in str(outcome)
    assert set(outcome.to_dict()) == {"num_movies", "scores", "genres", "notes"}


def test_a_genre_that_the_folder_lacks_is_an_error(finished_run, tmp_path):
    folder = write_data_folder(tmp_path / "other", num_movies=60)
    lines = (folder / "MovieGenre.csv").read_text(encoding="iso-8859-1").splitlines()
    kept = [line.replace(",10", ",20") for line in lines if "Documentary" not in line]
    (folder / "MovieGenre.csv").write_text("\n".join(kept), encoding="iso-8859-1")
    with pytest.raises(ValueError, match="Documentary"):
        evaluation.evaluate(finished_run, folder)


def test_an_unfinished_run_is_refused(tmp_path, data_folder):
    with pytest.raises(FileNotFoundError, match="finished run folder"):
        evaluation.evaluate(tmp_path, data_folder)


def test_a_run_on_merged_genres_is_scored_on_them_from_its_own_thresholds(tmp_path, data_folder, tiny_config):
    config = tiny_config.replace(
        class_names=("Feature", "Documentary"),
        genre_groups={"Feature": ("Horror", "Romance", "Action")},
        classifier_activation="sigmoid",
        loss="binary_crossentropy",
        epochs=1,
        metrics=("overall_f1",),
    )
    result = training.train(config, data_folder, tmp_path / "run", progress=False)
    outcome = evaluation.evaluate(tmp_path / "run", data_folder, num_resamples=20)
    saved = results.read_predictions(tmp_path / "run")
    assert outcome.genres["movies"].to_dict() == {name: saved[f"true_{name}"].sum() for name in config.class_names}
    assert outcome.genres["threshold"].to_dict() == pytest.approx(result["thresholds"])
    assert outcome.scores.loc["overall_f1", "frequent_genres"] == pytest.approx(
        result["baselines"]["frequent_genres"]["overall_f1"]
    )
