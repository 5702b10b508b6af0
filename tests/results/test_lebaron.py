"""Paper 5's tables: beside the paper's numbers, variants in order, genres, shown modalities, corrected movies."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from poster_cnn.results import lebaron
from poster_cnn.results.collect import read_published
from poster_cnn.training.saved_model import load_model

METRICS = list(lebaron.METRICS.values())


@pytest.fixture
def published(request):
    return read_published(request.config.rootpath / "experiments" / "published" / "lebaron.csv")


def runs_of(model, scores, set_name=""):
    """Rows of results: for each seed, from 0, the same score in all metrics, and 0.01 more for each further metric."""
    frame = pd.DataFrame(
        {"model": model, "set_name": set_name, "variant": "corrected" if set_name else "faithful"}, [0]
    )
    frame = pd.concat([frame.assign(seed=seed) for seed in range(len(scores))], ignore_index=True)
    for number, metric in enumerate(METRICS):
        value = np.array(scores) + number / 100
        columns = {"": value, "_low": value - 0.02, "_high": value + 0.03}
        frame = frame.assign(**{metric + ending: column for ending, column in columns.items()})
        frame = frame.assign(**{f"label_prior_{metric}": 0.2, f"majority_{metric}": 0.1})
    return frame.assign(validation_average_precision=frame["average_precision"] / 2)


@pytest.fixture
def results():
    models = {"poster": [0.5, 0.4], "metadata": [0.3, 0.3], "plot": [0.6, 0.7], "ensemble": [0.8, 0.7]}
    return pd.concat([runs_of(*item) for item in models.items()], ignore_index=True)[::-1]


def test_scores_stand_beside_the_papers(results, published):
    scores = lebaron.average_precision_scores(results, published)
    assert list(scores.columns) == "model metric value sd low high runs published".split()
    models = ["poster", "trailer", "metadata", "plot", "ensemble", "label_prior", "majority"]
    assert scores["model"].unique().tolist() == models  # no color histogram in these results
    scores = scores.set_index(["model", "metric"])
    of_poster = scores.loc[("poster", "macro")]
    assert of_poster.tolist() == pytest.approx([0.46, 0.1 / 2**0.5, 0.44, 0.49, 2, 0.446334])
    assert scores.loc[("ensemble", "samples"), "published"] == pytest.approx(0.735774)
    assert scores.loc["trailer", "published"].tolist() == pytest.approx([0.589880, 0.573914, 0.696374])
    assert scores.loc["trailer", ["value", "sd", "low", "high"]].isna().all(axis=None)
    assert scores.loc["trailer", "runs"].tolist() == scores.loc["majority", "runs"].tolist() == [0, 0, 0]
    assert scores.loc["label_prior", "value"].tolist() == pytest.approx([0.2] * 3)
    assert scores.loc["label_prior", ["sd", "low", "high", "published"]].isna().all(axis=None)


def test_scores_are_read_in_percent(results, published):
    table = lebaron.average_precision_table(results, published).set_index("Model")
    heads = ["Runs", *(head for m in ("Micro", "Macro", "Samples") for head in (f"{m} [95%]", f"{m}, paper"))]
    assert table.columns.tolist() == heads
    assert table.loc["Ensemble", heads[3:5]].tolist() == ["76.0 ± 7.1 [74.0, 79.0]", "56.4"]
    assert table.loc["Trailer"].tolist() == [0, "–", "59.0", "–", "57.4", "–", "69.6"]
    assert table.loc["Majority class"].tolist() == [0, "10.0", "–", "10.0", "–", "10.0", "–"]
    of_one = lebaron.average_precision_table(results[results["seed"] == 1], published).set_index("Model")
    assert of_one.loc["Ensemble", "Macro [95%]"] == "71.0 [69.0, 74.0]"


def test_variants_come_after_the_ensemble_the_best_in_validation_first(results):
    variants = {"end_to_end,dropout": [0.5], "unweighted": [0.9, 0.9], "dropout": [0.6, 0.5]}
    stacked = [runs_of("ensemble", scores, name) for name, scores in variants.items()]
    branches = runs_of("poster", [0.1], "unweighted")
    table = lebaron.variants_table(pd.concat([*stacked, results, branches], ignore_index=True))
    assert table.to_numpy().tolist() == [
        ["faithful", 2, "75.0 ± 7.1", "76.0 ± 7.1", "77.0 ± 7.1", "38.0 ± 3.5"],
        ["unweighted", 2, "90.0 ± 0.0", "91.0 ± 0.0", "92.0 ± 0.0", "45.5 ± 0.0"],
        ["dropout", 2, "55.0 ± 7.1", "56.0 ± 7.1", "57.0 ± 7.1", "28.0 ± 3.5"],
        ["end to end, dropout", 1, "50.0", "51.0", "52.0", "25.5"],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="average_precision"), r"columns \['average_precision'\]"),
        (lambda frame: frame[:0], "at least one finished run"),
        (lambda frame: pd.concat([frame, frame[:1]]), "Received several for {.*'model': 'ensemble', 'seed': 1}"),
    ],
    ids=["no_metric", "empty", "repeated"],
)
def test_unfit_results_are_refused(change, message, results, published):
    with pytest.raises(ValueError, match=message):
        lebaron.average_precision_scores(change(results), published)
    with pytest.raises(ValueError, match=message):
        lebaron.variants_table(change(results))


def test_gains_are_what_a_modality_adds_to_the_others():
    scores = {  # of two seeds: what is shown -> of Romance, of Action
        "poster": ([0.2, 0.3], [0.4, 0.4]),
        "plot": ([0.5, 0.5], [0.1, 0.3]),
        "poster+plot": ([0.6, 0.9], [0.3, 0.5]),
    }
    rows = [
        (shown, shown.count("+") + 1, seed, genre, score)
        for shown, (of_romance, of_action) in scores.items()
        for seed in (0, 1)
        for genre, score in (("", 0.99), ("Romance", of_romance[seed]), ("Action", of_action[seed]))
    ]
    subsets = pd.DataFrame(rows, columns="modalities num_modalities seed genre average_precision".split())
    gains = lebaron.modality_gains(subsets)
    assert list(gains.columns) == ["genre", "modality", "alone", "gain", "all", "gain_sd"]
    pairs = [("Romance", "poster"), ("Romance", "plot"), ("Action", "poster"), ("Action", "plot")]
    assert list(zip(gains["genre"], gains["modality"], strict=True)) == pairs
    assert gains["alone"].tolist() == pytest.approx([0.25, 0.5, 0.4, 0.2])
    assert gains["gain"].tolist() == pytest.approx([0.25, 0.5, 0.2, 0.0])
    assert gains["all"].tolist() == pytest.approx([0.75, 0.75, 0.4, 0.4])
    assert gains["gain_sd"].tolist() == pytest.approx([0.3 / 2**0.5, 0.2 / 2**0.5, 0, 0.2 / 2**0.5], abs=1e-9)
    alone = lebaron.modality_gains(subsets[subsets["modalities"] == "poster"])
    assert alone["gain"].isna().all() and alone["alone"].tolist() == pytest.approx([0.25, 0.4])


# --- from run folders ---


def test_the_mean_over_genres_is_the_macro_score(finished_ensemble, ensemble_config):
    table = lebaron.genre_average_precision(finished_ensemble)
    assert list(table.columns) == "set_name model seed genre positives average_precision label_prior".split()
    for model, of_model in table.groupby("model"):
        scores = json.loads((finished_ensemble / model / "metrics.json").read_text())["test"]
        assert of_model["average_precision"].mean() == pytest.approx(scores["average_precision"]["value"], abs=1e-6)
        assert of_model["genre"].tolist() == list(ensemble_config.class_names)
    assert set(table["model"]) == {*ensemble_config.modalities, "ensemble"} and set(table["set_name"]) == {""}


def test_every_subset_of_the_modalities_is_scored(finished_ensemble, ensemble_config, ensemble_data):
    subsets = lebaron.modality_subsets(finished_ensemble, None, ensemble_data=ensemble_data)
    assert len(subsets) == 15 * (1 + 4)
    whole = subsets[subsets["genre"] == ""].set_index("modalities")
    assert whole.index[0] == "poster" and whole.index[-1] == "poster+trailer+metadata+plot" and whole.index.is_unique
    scores = json.loads((finished_ensemble / "ensemble" / "metrics.json").read_text())["test"]
    for metric in METRICS:
        assert whole[metric].iloc[-1] == pytest.approx(scores[metric]["value"], abs=1e-6)
    of_genre = subsets[subsets["genre"] != ""]
    assert of_genre["genre"].unique().tolist() == list(ensemble_config.class_names)
    means = of_genre.groupby("modalities")["average_precision"].mean()
    assert means.to_dict() == pytest.approx(whole["average_precision"].to_dict())
    assert of_genre[[METRICS[0], METRICS[2]]].isna().all(axis=None)
    assert whole["num_modalities"].tolist() == [1] * 4 + [2] * 6 + [3] * 4 + [4]

    # The whole model, shown plots and nothing else of the test movies, says the same.
    rows = ensemble_data.rows("test")
    shown = ensemble_data.present[rows] & np.array([False, False, False, True])
    assert whole.loc["plot", "num_missing"] == (~shown.any(axis=1)).sum() > 0
    model, _ = load_model(finished_ensemble / "ensemble")
    inputs = {name: np.zeros((len(rows), *[n or 1 for n in model.input[name].shape[1:]])) for name in model.input}
    y_prob = model.predict(inputs | {"plot": ensemble_data.inputs["plot"][rows], "present": shown}, verbose=0)
    labels = ensemble_data.movies.labels("test")
    assert whole.loc["plot", METRICS[0]] == pytest.approx(average_precision_score(labels, y_prob, average="micro"))

    other = dataclasses.replace(ensemble_data, present=~ensemble_data.present)
    with pytest.raises(ValueError, match="differs in: the data"):
        lebaron.modality_subsets(finished_ensemble, None, ensemble_data=other)


GENRES = ("Action", "Drama", "Horror")
TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]]  # no horror
RIGHT = [[0.9, 0.2, 0.1], [0.4, 0.3, 0.1], [0.3, 0.9, 0.2], [0.3, 0.9, 0.2], [0.9, 0.8, 0.1]]
POSTER = [[0.5, 0.6, 0.1], [0.2, 0.1, 0.3], [0.8, 0.1, 0.9], [0.8, 0.1, 0.9], [0.6, 0.7, 0.5]]  # last alone is right


def write_run(folder, model, y_prob, seed=0):
    """A run folder with as much as tables read, of test movies 11 … 15 and one of train; 13 has no plot."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"config": {"model": model, "seed": seed, "set_name": ""}}))
    (folder / "metrics.json").write_text(json.dumps({"test": {}}))
    (folder / "history.csv").write_text("epoch,loss\n0,1\n")
    predictions = pd.DataFrame({"imdb_id": range(11, 16)})
    for number, genre in enumerate(GENRES):
        predictions[f"true_{genre}"] = [labels[number] for labels in TRUTH]
        predictions[f"probability_{genre}"] = [row[number] for row in y_prob]
    predictions.to_csv(folder / "predictions.csv", index=False)
    split = pd.DataFrame({"imdb_id": [10, *range(11, 16)], "part": ["train", *["test"] * 5]})
    split.assign(has_poster=1, has_plot=[0, 1, 1, 0, 1, 1]).to_csv(folder / "split.csv", index=False)


@pytest.fixture
def runs_dir(tmp_path):
    for seed in (7, 3):
        for model, y_prob in (("poster", POSTER), ("plot", RIGHT), ("ensemble", RIGHT if seed == 3 else POSTER)):
            write_run(tmp_path / f"cell{9 - seed}" / model, model, y_prob, seed)  # the lower seed in the later folder
    return tmp_path


def test_a_genre_without_a_test_movie_has_no_average_precision(runs_dir):
    table = lebaron.genre_average_precision(runs_dir)
    table = table[(table["model"] == "poster") & (table["seed"] == 3)]
    assert table["positives"].tolist() == [3, 4, 0]
    assert table["label_prior"].tolist() == pytest.approx([0.6, 0.8, 0])
    assert table["average_precision"].isna().tolist() == [False, False, True]


def test_movies_are_shown_that_the_ensemble_corrects(runs_dir):
    titles = pd.DataFrame({"imdb_id": [11, 12, 14], "title": ["One", "Two", "Four"]})
    movies = lebaron.corrected_movies(runs_dir, titles)
    assert list(movies.columns) == ["imdb_id", "title", "genre", "true", "poster", "plot", "ensemble"]
    assert movies["imdb_id"].unique().tolist() == [14, 11, 12]  # not 13, without a plot, nor 15, which was right
    first = movies[movies["imdb_id"] == 14]
    assert first["genre"].tolist() == list(GENRES) and first["title"].unique().tolist() == ["Four"]
    assert first[["true", "poster", "ensemble"]].to_numpy().tolist() == [[0, 0.8, 0.3], [1, 0.1, 0.9], [0, 0.9, 0.2]]
    assert lebaron.corrected_movies(runs_dir, titles, count=1)["imdb_id"].unique().tolist() == [14]
    assert lebaron.corrected_movies(runs_dir, titles[:0])["title"].unique().tolist() == [""]
    assert lebaron.corrected_movies(runs_dir, titles, seed=7).empty  # there the ensemble says what posters say


def test_what_is_no_folder_of_such_ensembles_is_refused(runs_dir):
    titles = pd.DataFrame({"imdb_id": [], "title": []})
    with pytest.raises(ValueError, match=r"one of \[3, 7\]. Received: seed=4"):
        lebaron.corrected_movies(runs_dir, titles, seed=4)
    with pytest.raises(ValueError, match="must hold a finished ensemble"):
        lebaron.corrected_movies(runs_dir / "cell6" / "poster", titles)
    shutil.rmtree(runs_dir / "cell6" / "poster")
    with pytest.raises(ValueError, match="must have a poster branch"):
        lebaron.corrected_movies(runs_dir, titles)
    write_run(runs_dir / "again" / "ensemble", "ensemble", RIGHT, seed=3)
    with pytest.raises(
        ValueError, match="one ensemble a seed.*Received: again/ensemble, cell6/ensemble, cell2/ensemble"
    ):
        lebaron.modality_subsets(runs_dir, None)
