import json
import shutil

import numpy as np
import pandas as pd
import pytest

from poster_cnn import metrics
from poster_cnn.results import lebaron
from poster_cnn.results.collect import collect_results, prediction_arrays, read_predictions

PAPER = "lebaron"
INTERVALS = "model metric value low high runs".split()
METRICS = list(lebaron.METRICS.values())


def runs_of(model, scores, set_name=""):
    """Rows of results, one per seed; each further metric is 0.01 higher than the one before."""
    frame = pd.DataFrame(
        {"model": model, "set_name": set_name, "variant": "faithful" if set_name == "unweighted" else "corrected"}, [0]
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


@pytest.fixture
def intervals():
    """Intervals of the poster branch and the ensemble alone."""
    rows = [
        (model, metric, 0.5, low + number / 100, low + 0.05 + number / 100, 2)
        for model, low in (("poster", 0.43), ("ensemble", 0.73))
        for number, metric in enumerate(lebaron.METRICS)
    ]
    return pd.DataFrame(rows, columns=INTERVALS)


def test_average_precision_scores(results, published, intervals):
    scores = lebaron.average_precision_scores(results, published, intervals)
    assert list(scores.columns) == "model metric value sd low high runs published".split()
    models = ["poster", "trailer", "metadata", "plot", "ensemble", "human", "label_prior", "majority"]
    assert scores["model"].unique().tolist() == models  # no color histogram in these results
    scores = scores.set_index(["model", "metric"])
    of_poster = scores.loc[("poster", "macro")]
    assert of_poster.tolist() == pytest.approx([0.46, 0.1 / 2**0.5, 0.44, 0.49, 2, 0.446334])
    assert scores.loc["plot", "value"].notna().all() and scores.loc["plot", ["low", "high"]].isna().all(axis=None)
    assert scores.loc[("ensemble", "samples"), "published"] == pytest.approx(0.735774)
    assert scores.loc["trailer", "published"].tolist() == pytest.approx([0.589880, 0.573914, 0.696374])
    assert scores.loc["trailer", ["value", "sd", "low", "high"]].isna().all(axis=None)
    assert scores.loc["trailer", "runs"].tolist() == scores.loc["majority", "runs"].tolist() == [0, 0, 0]
    assert scores.loc["label_prior", "value"].tolist() == pytest.approx([0.2] * 3)
    assert scores.loc["label_prior", ["sd", "low", "high", "published"]].isna().all(axis=None)


def test_average_precision_table_is_in_percent(results, published, intervals):
    table = lebaron.average_precision_table(results, published, intervals).set_index("Model")
    heads = ["Runs", *(head for m in ("Micro", "Macro", "Samples") for head in (f"{m} [95%]", f"{m}, paper"))]
    assert table.columns.tolist() == heads
    assert table.loc["Ensemble", heads[3:5]].tolist() == ["76.0 ± 7.1 [74.0, 79.0]", "56.4"]
    assert table.loc["Trailer"].tolist() == [0, "–", "59.0", "–", "57.4", "–", "69.6"]
    assert table.loc["Human level"].tolist() == [0, "–", "–", "–", "72.0", "–", "–"]
    assert table.loc["Majority class"].tolist() == [0, "10.0", "–", "10.0", "–", "10.0", "–"]
    random = lebaron.average_precision_table(results.assign(backbone_weights=None), published, intervals)
    assert random["Model"].tolist()[:3] == ["Poster (random weights)", "Trailer", "Metadata"]  # no run of a trailer
    of_one = lebaron.average_precision_table(results[results["seed"] == 1], published, intervals).set_index("Model")
    assert of_one.loc["Ensemble", "Macro [95%]"] == "71.0 [74.0, 79.0]"


def test_variants_table_is_sorted_by_validation_score(results):
    variants = {"end_to_end,dropout": [0.5], "unweighted": [0.9, 0.9], "dropout": [0.6, 0.5]}
    stacked = [runs_of("ensemble", scores, name) for name, scores in variants.items()]
    branches = runs_of("poster", [0.1], "unweighted")
    table = lebaron.variants_table(pd.concat([*stacked, results, branches], ignore_index=True))
    assert table.to_numpy().tolist() == [
        ["corrected", 2, "75.0 ± 7.1", "76.0 ± 7.1", "77.0 ± 7.1", "38.0 ± 3.5"],
        ["unweighted", 2, "90.0 ± 0.0", "91.0 ± 0.0", "92.0 ± 0.0", "45.5 ± 0.0"],
        ["dropout", 2, "55.0 ± 7.1", "56.0 ± 7.1", "57.0 ± 7.1", "28.0 ± 3.5"],
        ["end to end, dropout", 1, "50.0", "51.0", "52.0", "25.5"],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="average_precision"), r"columns \['average_precision'\]"),
        (lambda frame: frame[:0], "at least one finished run"),
        (lambda frame: pd.concat([frame, frame[:1]]), "Received: several runs for {.*'model': 'ensemble', 'seed': 1}"),
    ],
    ids=["no_metric", "empty", "repeated"],
)
def test_rejects_incomplete_and_repeated_results(change, message, results, published, intervals):
    with pytest.raises(ValueError, match=message):
        lebaron.average_precision_scores(change(results), published, intervals)
    with pytest.raises(ValueError, match=message):
        lebaron.variants_table(change(results))


def test_modality_gains_by_hand():
    scores = {  # modalities -> scores of Romance and of Action for two seeds
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


GENRES = ("Action", "Drama", "Horror")
TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]]  # no horror
RIGHT = [[0.9, 0.2, 0.1], [0.4, 0.3, 0.1], [0.3, 0.9, 0.2], [0.3, 0.9, 0.2], [0.9, 0.8, 0.1]]
POSTER = [[0.5, 0.6, 0.1], [0.2, 0.1, 0.3], [0.8, 0.1, 0.9], [0.8, 0.1, 0.9], [0.6, 0.7, 0.5]]  # only the last is right


def write_run(folder, model, y_prob, seed=0):
    """Write a minimal run folder with test movies 11 … 15; movie 13 has no plot."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"config": {"model": model, "seed": seed, "set_name": ""}}))
    (folder / "metrics.json").write_text(json.dumps({"test": {}}))
    (folder / "history.csv").write_text("epoch,loss\n0,1\n")
    labels = pd.DataFrame(TRUTH, columns=GENRES).add_prefix("true_").assign(imdb_id=range(11, 16))
    labels.join(pd.DataFrame(y_prob, columns=GENRES).add_prefix("probability_")).to_csv(
        folder / "predictions.csv", index=False
    )
    split = pd.DataFrame({"imdb_id": [10, *range(11, 16)], "part": ["train", *["test"] * 5]})
    split.assign(has_poster=1, has_plot=[0, 1, 1, 0, 1, 1]).to_csv(folder / "split.csv", index=False)


@pytest.fixture
def runs_dir(tmp_path):
    for seed in (7, 3):
        for model, y_prob in (("poster", POSTER), ("plot", RIGHT), ("ensemble", RIGHT if seed == 3 else POSTER)):
            write_run(
                tmp_path / f"cell{9 - seed}" / model, model, y_prob, seed
            )  # the lower seed is in the later folder
    return tmp_path


def test_genre_average_precision(runs_dir):
    table = lebaron.genre_average_precision(runs_dir)
    assert list(table.columns) == "set_name model seed genre positives average_precision label_prior".split()
    assert len(table) == 6 * 3 and set(table["model"]) == {"poster", "plot", "ensemble"}
    table = table[(table["model"] == "poster") & (table["seed"] == 3)]
    assert table["positives"].tolist() == [3, 4, 0]
    assert table["label_prior"].tolist() == pytest.approx([0.6, 0.8, 0])
    assert table["average_precision"].isna().tolist() == [False, False, True]  # no test movie
    assert table["genre"].tolist() == list(GENRES)
    _, *arrays = prediction_arrays(read_predictions(runs_dir / "cell6" / "poster"))
    assert table["average_precision"].mean() == pytest.approx(metrics.average_precision(*arrays))


def results_of(runs_dir):
    """Return the results of run folders, and the predictions of each run."""
    runs = collect_results(runs_dir)
    runs = runs.assign(
        experiment="e", variant="corrected", validation_average_precision=0.5, **dict.fromkeys(METRICS, 0.5)
    )
    return runs, {("e", run): read_predictions(runs_dir / run) for run in runs["run"]}


def test_seed_intervals_are_those_of_the_mean(runs_dir):
    table = lebaron.seed_intervals(*results_of(runs_dir), num_resamples=40)
    assert list(table.columns) == INTERVALS and set(table["runs"]) == {2}
    own = table.set_index(["model", "metric"])
    of_seeds = [prediction_arrays(read_predictions(runs_dir / cell / "ensemble"))[1:] for cell in ("cell6", "cell2")]
    mean = np.mean([metrics.average_precision(*arrays) for arrays in of_seeds])
    assert own.loc[("ensemble", "macro"), "value"] == pytest.approx(mean)
    assert (own["low"] <= own["high"]).all() and own.loc[("plot", "macro"), "low"] == 1  # right in each resample


def test_variants_are_compared_on_the_same_movies(runs_dir):
    for seed in (3, 7):
        write_run(runs_dir / f"fused{seed}" / "ensemble", "ensemble", RIGHT, seed)  # without a poster branch
    runs, predictions = results_of(runs_dir)
    runs["set_name"] = np.where(runs["run"].str.startswith("fused"), "fused_on_validation", "")
    table = lebaron.variant_margins(runs, predictions, num_resamples=40).set_index(["variant", "minus", "metric"])
    assert sorted({key[:2] for key in table.index}) == [("corrected", "poster"), ("fused_on_validation", "unchanged")]
    right, poster = (metrics.average_precision(np.array(TRUTH), np.array(y_prob)) for y_prob in (RIGHT, POSTER))
    for key in (("corrected", "poster", "macro"), ("fused_on_validation", "unchanged", "macro")):
        assert table.loc[key, "value"] == pytest.approx((right - poster) / 2)  # they differ in one of two seeds
        assert table.loc[key, "low"] <= table.loc[key, "value"] <= table.loc[key, "high"]
    assert (table["p_holm"] >= table["p_value"]).all()


def test_margins_table_marks_what_holds_after_the_correction():
    rows = [("a,b_c", "unchanged", metric, 0.058, 0.046, 0.07) for metric in lebaron.METRICS]
    margins = pd.DataFrame(rows, columns="variant minus metric value low high".split()).assign(p_holm=[0.01, 0.2, 0.04])
    margins = pd.concat([margins, margins.assign(variant="d", minus="poster")])
    assert lebaron.margins_table(margins).to_dict("records") == [
        {"Variant": "a, b c", "Micro": "+5.8 [4.6, 7.0] *", "Macro": "+5.8 [4.6, 7.0]", "Samples": "+5.8 [4.6, 7.0] *"}
    ]


def test_corrected_movies(runs_dir):
    titles = pd.DataFrame({"imdb_id": [11, 12, 14], "title": ["One", "Two", "Four"]})
    movies = lebaron.corrected_movies(runs_dir, titles)
    assert list(movies.columns) == ["imdb_id", "title", "genre", "true", "poster", "plot", "ensemble"]
    assert movies["imdb_id"].unique().tolist() == [14, 11, 12]  # 13 lacks a plot, the poster is right about 15
    first = movies[movies["imdb_id"] == 14]
    assert first["genre"].tolist() == list(GENRES) and first["title"].unique().tolist() == ["Four"]
    assert first[["true", "poster", "ensemble"]].to_numpy().tolist() == [[0, 0.8, 0.3], [1, 0.1, 0.9], [0, 0.9, 0.2]]
    assert lebaron.corrected_movies(runs_dir, titles, count=1)["imdb_id"].unique().tolist() == [14]
    assert lebaron.corrected_movies(runs_dir, titles[:0])["title"].unique().tolist() == [""]
    assert lebaron.corrected_movies(runs_dir, titles, seed=7).empty  # that ensemble equals its poster branch


def test_rejects_folders_without_one_ensemble_per_seed(runs_dir):
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
        ValueError, match="one ensemble per seed.*Received: again/ensemble, cell6/ensemble, cell2/ensemble"
    ):
        lebaron.ensemble_folders(runs_dir)
