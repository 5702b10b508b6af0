"""The tables and figures of the evidence, from made-up predictions."""

import numpy as np
import pandas as pd
import pytest

from poster_cnn import TrainingConfig, figures, metrics
from poster_cnn.results import evidence
from poster_cnn.results.collect import prediction_arrays

GENRES = ("Horror", "Romance")


def predictions(signal, seed=0, num_movies=60):
    """Return predictions whose probabilities follow the labels by a share."""
    labels = np.random.default_rng(1).random((num_movies, 2)) < 0.4
    y_prob = signal * labels + (1 - signal) * np.random.default_rng(seed).random((num_movies, 2))
    frame = pd.DataFrame({"imdb_id": range(num_movies)})
    for number, genre in enumerate(GENRES):
        frame[f"true_{genre}"], frame[f"probability_{genre}"] = labels[:, number].astype(int), y_prob[:, number]
    return frame


def table_of(found):
    """Return the table of runs `(set_name, seed, ...)` and their predictions by experiment and run."""
    runs = pd.DataFrame([{"set_name": name, "seed": seed} for name, seed in found])
    runs = runs.assign(experiment="ladder", run=[f"{name},seed={seed}" for name, seed in found])
    return runs, dict(zip(zip(runs["experiment"], runs["run"], strict=True), found.values(), strict=True))


@pytest.fixture(scope="module")
def ladder():
    found = {("seven_layer_cnn", seed): predictions(0.2, seed) for seed in range(3)}
    runs, found = table_of(found | {("evaluated", 0): predictions(0.5)})
    baselines = {"label_prior": np.tile([0.4, 0.3], (60, 1)), "color_histogram": np.full((60, 2), 0.5)}
    seconds = pd.Series({"seven_layer_cnn": 0.5, "evaluated": 12.0})
    return evidence.ladder_table(runs, found, {"a run": baselines}, seconds, num_resamples=60)


def test_ladder_compares_with_color_and_with_the_step_before(ladder):
    assert list(ladder["network"]) == [evidence.TITLES[name] for name in evidence.TITLES if name in (
        "label_prior", "color_histogram", "seven_layer_cnn", "evaluated")]  # fmt: skip
    assert list(ladder["seeds"]) == [1, 1, 3, 1]
    score = ladder["average_precision"]
    assert ladder["over_previous"].tolist()[1:] == pytest.approx(score.diff().tolist()[1:])
    assert ladder["over_color"].tolist()[1:] == pytest.approx((score - score[1]).tolist()[1:])
    assert ladder.loc[3, "over_previous_low"] > 0 and ladder.loc[3, "over_color_holm"] < 0.05
    assert ladder["seed_spread"].notna().tolist() == [False, False, True, False]
    assert ladder["over_color_holm"].notna().tolist() == [False, False, True, True]


def test_ladder_rejects_other_movies():
    runs, found = table_of({("a", 0): predictions(0.2), ("b", 0): predictions(0.2, num_movies=50)})
    baselines = dict.fromkeys(("label_prior", "color_histogram"), np.ones((60, 2)))
    with pytest.raises(ValueError, match=r"the same movies.*: a,seed=0 \(60 movies\) and b,seed=0 \(50 movies\)"):
        evidence.ladder_table(runs, found, {"a run": baselines}, {})


def test_augmentations_are_compared_with_none():
    found = {("none", seed): predictions(0.2, seed) for seed in range(3)}
    runs, found = table_of(found | {("mixup", seed): predictions(0.5, seed + 9) for seed in range(2)})
    runs = runs.rename(columns={"set_name": "augmentation"}).assign(validation_average_precision=[0.3] * 3 + [0.5] * 2)
    none, mixup = evidence.augmentation_table(runs, found, num_resamples=60).to_dict("records")
    assert (none["augmentation"], none["seeds"], mixup["seeds"]) == ("none", 3, 2) and np.isnan(none["over_none"])
    assert (none["validation"], mixup["validation"]) == pytest.approx((30, 50))
    for metric, gain in (("average_precision", "over_none"), ("micro", "micro_over_none")):
        assert mixup[gain] == pytest.approx(mixup[metric] - none[metric])
        assert 0 < mixup[f"{gain}_low"] < mixup[gain] < mixup[f"{gain}_high"]
    assert mixup["over_none_holm"] == pytest.approx(mixup["over_none_p_value"])
    assert none["low"] < none["average_precision"] < none["high"] < mixup["average_precision"]


def test_prediction_seconds_of_each_network_once():
    config = TrainingConfig(class_names=GENRES, image_size=(54, 46), set_name="small")
    seconds = evidence.prediction_seconds({"a": config, "b": config.replace(seed=1)}, num_posters=64)
    assert list(seconds.index) == ["small"] and 0 < seconds["small"] < 60


@pytest.fixture(scope="module")
def runs():
    """50 splits with 50 seeds each, whose standard deviations are known."""
    rng = np.random.default_rng(0)
    frame = pd.MultiIndex.from_product([range(50), range(50)], names=["split_seed", "seed"]).to_frame(index=False)
    of_split = rng.normal(0, 0.03, 50)[frame["split_seed"]]
    score = 0.4 + of_split + rng.normal(0, 0.01, len(frame))
    return frame.assign(
        set_name="seven_layer_cnn", average_precision=score, average_precision_low=score - 0.0392,
        average_precision_high=score + 0.0392, color_histogram_average_precision=0.3 + of_split,
    )  # fmt: skip


def test_variance_is_divided_between_splits_and_seeds(runs):
    row = evidence.variance_table(runs).iloc[0]
    assert (row["splits"], row["seeds"]) == (50, 50)
    assert row["split_spread"] == pytest.approx(3, rel=0.25) and row["seed_spread"] == pytest.approx(1, rel=0.05)
    assert row["split_share"] == pytest.approx(90, abs=5) and row["movie_spread"] == pytest.approx(2)
    assert row["least"] < row["over_color"] < row["most"] and row["over_color"] == pytest.approx(10, abs=0.2)


def test_seeds_alone_give_no_variance_between_splits(runs):
    rng = np.random.default_rng(1)
    row = evidence.variance_table(runs.assign(average_precision=0.4 + rng.normal(0, 0.01, len(runs)))).iloc[0]
    assert row["split_share"] < 5 and row["seed_spread"] == pytest.approx(1, rel=0.05)


def test_seeds_are_summarized_by_the_measure_of_each_network():
    runs = pd.DataFrame(
        {
            "set_name": ["a", "a", "a", "b"],
            "hit_at_1": [0.5, 0.6, 0.7, 0.1],
            "majority_hit_at_1": 0.2,
            "label_prior_hit_at_1": 0.3,
            "color_histogram_hit_at_1": 0.4,
            "hit_at_1_over_color_histogram_low": [-0.1, 0.1, 0.2, -0.4],
            "overall_f1": [None, None, None, 0.9],
            "color_histogram_overall_f1": [None, None, None, 0.95],
            "frequent_genres_overall_f1": [None, None, None, 0.8],
            "overall_f1_over_color_histogram_low": [None, None, None, -0.2],
        }
    )
    table = evidence.seed_table(runs, {"b": "overall_f1", "a": "hit_at_1"}).set_index("network")
    assert table.loc["a", "measure":].tolist() == ["hit_at_1", 3, *map(pytest.approx, (60, 10, 50, 70, 30, 40)), 2]
    one = table.loc["b"]
    assert one[["mean", "least", "most", "trivial", "color_histogram"]].tolist() == pytest.approx([90, 90, 90, 80, 95])
    assert (one["seeds"], one["above_color"]) == (1, 0) and np.isnan(one["seed_spread"])


@pytest.fixture(scope="module")
def by_size():
    # The more posters, the better the predictions.
    found = {(f"{size}", seed): predictions(0.03 * np.log(size), seed) for size in (250, 1000, 4000) for seed in (0, 1)}
    runs, found = table_of(found)
    return runs.assign(max_train_movies=runs["set_name"].astype(int), set_name="seven_layer_cnn"), found


@pytest.fixture(scope="module")
def laws(by_size):
    return evidence.power_laws(*by_size, goal=0.99, num_resamples=40)


def test_power_law_goes_through_the_scores(by_size, laws):
    (runs, found), law = by_size, laws.iloc[0]
    scores = [metrics.average_precision(*prediction_arrays(frame)[1:]) for frame in found.values()]
    for size, score in runs.assign(score=scores).groupby("max_train_movies")["score"].mean().items():
        assert 1 - law["scale"] * size ** -law["exponent"] == pytest.approx(score, abs=0.05)
    assert law["scale"] * law["posters"] ** -law["exponent"] == pytest.approx(0.01)
    assert law["exponent_low"] < law["exponent"] < law["exponent_high"]
    assert law["posters_low"] < law["posters"] < law["posters_high"]


def test_a_score_that_does_not_grow_never_reaches_the_goal():
    runs, found = table_of({("a", size): predictions(0.2) for size in (100, 1000)})
    laws = evidence.power_laws(runs.rename(columns={"seed": "max_train_movies"}), found, goal=0.99, num_resamples=5)
    assert laws["posters"].iloc[0] == np.inf


def test_figures_have_every_network_and_genre(ladder, runs, laws):
    ax = figures.ladder_scatter(ladder)
    assert [text.get_text() for text in ax.texts] == list(ladder["network"][2:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Color histogram"]
    assert len(figures.split_strips(runs).axes) == 1
    sized = runs.rename(columns={"split_seed": "max_train_movies"}).query("max_train_movies > 0")
    ax = figures.training_size_curves(sized, laws)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [evidence.TITLES["seven_layer_cnn"], "color histogram"]
    ax.set_xlim(150, 6000)
    ax.figure.canvas.draw()
    ticks = {tick.get_text() for tick in ax.get_xticklabels(which="both")}
    assert ticks >= {"200", "500", "1,000", "2,000", "5,000"} and not any("10^" in tick for tick in ticks)
    lettering = pd.DataFrame(
        {"network": "evaluated", "genre": ["all", "Horror"], "tested_on": "without_lettering", "positives": [90, 30]}
    ).assign(over_elsewhere=-0.02, over_elsewhere_low=-0.04, over_elsewhere_high=0.01)
    ax = figures.lettering_dots(lettering)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["All (macro)", "Horror"]


def test_encodings_have_a_row_each_and_networks_a_color_each():
    scores = {"average_precision": 0.5, "average_precision_low": 0.4, "average_precision_high": 0.7}
    rows = [{"network": network, "encoding": name} | scores for network in ("branch", "ensemble") for name in "ab"]
    ax = figures.encoding_dots(pd.DataFrame(rows))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b", "a", "b"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["branch", "ensemble"]
    lines = [line for line in ax.lines if line.get_linestyle() == "None" and len(line.get_xdata())]
    assert {tuple(line.get_xdata()) for line in lines} >= {(50, 50)}
