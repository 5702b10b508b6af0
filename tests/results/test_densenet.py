import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures
from poster_cnn.datasets.crops import balance_by_crops
from poster_cnn.metrics.scores import top_n_accuracy, top_n_accuracy_by_genre
from poster_cnn.results import densenet
from poster_cnn.results.collect import prediction_arrays

PAPER = "densenet"
GENRES = ["Action", "Drama", "Horror"]


@pytest.fixture
def results():
    """Two faithful runs and a leak-free one."""
    frame = pd.DataFrame({"set_name": ["densenet121,as_printed", "custom,sane_rate", "mobilenet_v2,dropout,center"]})
    frame = frame.assign(experiment=["a", "a", "b"], variant=["faithful", "faithful", "leak_free"], device="CPU")
    frame = frame.assign(run=frame["set_name"] + ",seed=0", class_names="|".join(GENRES))
    frame = frame.assign(image_height=150, image_width=100, epochs=10, batch_size=2, num_test=4)
    frame = frame.assign(learning_rate=[0.5, 1e-3, 1e-3], model_args_weights=["imagenet", None, None])
    frame = frame.assign(weights_file=[None, None, "mobilenet_v2.h5"])
    frame = frame.assign(top_n_accuracy=0.3, top_n_accuracy_low=0.2, top_n_accuracy_high=0.4)
    frame = frame.assign(label_prior_top_n_accuracy=0.35, majority_top_n_accuracy=0.25)
    return frame.assign(average_precision=0.2, average_precision_low=0.1, label_prior_average_precision=0.15)


@pytest.fixture
def predictions():
    """Four images, the first and third ranked correctly, the second with two genres."""
    truth = [[1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]]
    outputs = [[0.9, 0.5, 0.1], [0.2, 0.9, 0.1], [0.1, 0.2, 0.9], [0.9, 0.5, 0.1]]
    columns = [f"{kind}_{genre}" for kind in ("true", "probability") for genre in GENRES]
    return pd.DataFrame(np.hstack([truth, outputs]), columns=columns).assign(imdb_id=range(4))


@pytest.fixture
def split():
    """Drama, then Horror, is the most frequent genre in train, but not in test."""
    parts = ["train"] * 3 + ["test"] * 4
    labels = {"Action": [0, 0, 0, 1, 1, 1, 1], "Drama": [1, 1, 0, 0, 0, 0, 0], "Horror": [0, 0, 1, 0, 0, 0, 0]}
    return pd.DataFrame({"imdb_id": range(7), "part": parts} | labels)


def of_every_run(results, frame):
    return {(run.experiment, run.run): frame for run in results.itertuples()}


def test_crop_counts_count_an_image_once_in_the_total():
    genres = [["Drama", "Horror"], ["Drama"], ["Drama"], ["Action"]]
    table = pd.DataFrame({"imdb_id": range(4), "genres": genres, "poster_path": "x.jpg"})
    counts = densenet.crop_counts(table, balance_by_crops(table, GENRES, 3), GENRES).set_index("genre")
    assert list(counts.index) == ["Drama", "Action", "Horror", "All"]
    assert counts["posters"].tolist() == [3, 1, 1, 4]
    assert counts["crops"].tolist() == [2, 2, 2, 4]  # each Horror crop is also a Drama crop
    assert (counts["images"] == counts["posters"] + counts["crops"]).all()


def test_crops_are_compared_on_the_same_movies(results, predictions):
    runs = pd.concat([results[-1:]] * 3).assign(seed=0)
    runs["set_name"] = ["mobilenet_v2,dropout", "mobilenet_v2,dropout,no_crops", "mobilenet_v2,no_crops"]
    runs["run"] = runs["set_name"]
    found = of_every_run(runs, predictions)
    right = predictions.assign(probability_Horror=[0, 0.9, 0.95, 0], probability_Drama=[0, 0.9, 0, 1])
    found["b", "mobilenet_v2,dropout,no_crops"] = right
    (row,) = densenet.crop_margins(runs, found, num_resamples=50).to_dict("records")  # the last has no counterpart
    assert (row["variant"], row["network"], row["setting"]) == ("leak_free", "mobilenet_v2", "dropout,no_crops")
    accuracies = [top_n_accuracy(*prediction_arrays(frame)[1:]) for frame in (right, predictions)]
    assert row["over_crops"] == pytest.approx(100 * (accuracies[0] - accuracies[1])) and accuracies[0] == 1
    assert row["over_crops_low"] <= row["over_crops"] <= row["over_crops_high"]


def test_total_table_matches_the_papers_numbers(published):
    counts = pd.DataFrame({"genre": ["Drama", "All"], "posters": [3, 4], "images": [5, 8]})
    run = pd.DataFrame({"num_train": [6], "num_test": [2]})
    table = densenet.total_table(counts, run, published).set_index("count")
    assert table["ours"].to_dict() == {"posters": 4, "images": 8, "train": 6, "test": 2}
    assert table["paper"].to_dict() == {"posters": 8052, "images": 26049, "train": 18234, "test": 7815}


def test_accuracy_table_shows_printed_numbers_for_faithful_runs_only(results, published):
    table = densenet.accuracy_table(results, published).set_index(["network", "setting"])
    assert table["paper"].dropna().to_dict() == {("densenet121", "as_printed"): 26.41, ("custom", "as_printed"): 4.1}
    again = densenet.accuracy_table(results.assign(variant="leak_free"), published)
    assert again.loc[again["ours"].notna(), "paper"].isna().all()


def test_accuracy_table_has_settings_scores_and_baselines(results, published):
    history = pd.concat([results[["experiment", "run"]].assign(epoch=n, val_top_n_accuracy=n / 10) for n in range(7)])
    table = densenet.accuracy_table(results, published, history)
    row = table[table["network"] == "mobilenet_v2"].iloc[0]
    assert row[["epochs_low", "epochs_high"]].tolist() == pytest.approx([20, 60])
    about = ["variant", "setting", "pretrained", "image_size", "epochs", "learning_rate", "batch_size", "num_test"]
    assert row[about].tolist() == ["leak_free", "dropout,center", "yes", "100×150", 10, 1e-3, 2, 4]
    scores = ["ours", "low", "high", "majority", "label_prior", "average_precision", "label_prior_average_precision"]
    assert row[scores].tolist() == pytest.approx([30, 20, 40, 25, 35, 20, 15])
    assert table["pretrained"].tolist()[1:] == ["no", "yes", "yes"]  # the first row has no run


def test_accuracy_table_keeps_printed_networks_without_a_run(results, published):
    table = densenet.accuracy_table(results, published)
    absent = table[table["ours"].isna()]
    assert absent[["network", "setting", "paper"]].to_numpy().tolist() == [["custom", "as_printed", 4.1]]
    assert len(table) == len(results) + 1 and str(table["num_test"].dtype) == "Int64"


def test_accuracy_table_works_without_average_precision(results, published):
    without = results.drop(columns=[name for name in results if "average_precision" in name])
    assert not {"average_precision", "label_prior_average_precision"} & set(densenet.accuracy_table(without, published))


def test_accuracy_cells_can_be_drawn(results, published):
    cells = densenet.accuracy_cells(densenet.accuracy_table(results, published))
    assert cells["network"].tolist()[-1] == "mobilenet_v2\ndropout\ncenter"
    figure = figures.comparison_dots(cells, rows="panel", columns="network", baselines=("label_prior",))
    assert [ax.get_title() for ax in figure.axes] == ["As in the paper", "Corrected protocol"]


def test_epoch_table_has_last_best_and_mean(published):
    history = pd.DataFrame({"epoch": [2, 0, 1], "val_top_n_accuracy": [0.2, 0.1, 0.6]})
    history = history.assign(variant="faithful", set_name="custom,as_printed", run="x")
    row = densenet.epoch_table(history, published).iloc[0]
    assert row[["network", "setting"]].tolist() == ["custom", "as_printed"]
    assert row[["last", "best", "mean", "paper"]].tolist() == pytest.approx([20, 60, 30, 4.1])


def test_genre_accuracy_by_hand(results, predictions, split):
    given = of_every_run(results, predictions), of_every_run(results, split)
    table = densenet.genre_accuracy(results, *given)
    assert len(table) == 9 and table["network"].unique().tolist() == ["densenet121", "custom", "mobilenet_v2"]
    first = table.iloc[:3].set_index("genre")
    assert first["test_images"].to_dict() == {"Action": 1, "Drama": 2, "Horror": 2}
    assert first["accuracy"].to_dict() == {"Action": 100, "Drama": 50, "Horror": 50}
    assert first["label_prior"].to_dict() == {"Action": 0, "Drama": 100, "Horror": 50}


def test_genre_accuracy_skips_genres_without_a_test_image(results, predictions, split):
    given = of_every_run(results, predictions.assign(true_Action=0)), of_every_run(results, split)
    assert densenet.genre_accuracy(results, *given)["genre"].unique().tolist() == ["Drama", "Horror"]


def test_chance_table_by_hand(results, predictions, split, published):
    by_genre = densenet.genre_accuracy(results, of_every_run(results, predictions), of_every_run(results, split))
    table = densenet.chance_table(by_genre, results, published)
    assert table["variant"].tolist() == ["faithful", "leak_free"]
    numbers = table.iloc[0][["num_classes", "genres_per_image", "paper", "random_ranking", "label_prior"]]
    assert numbers.tolist() == pytest.approx([3, 5 / 4, 5, 100 * 5 / 12, 35])


def test_chance_formula_matches_random_rankings(predictions):
    truth = predictions.filter(regex="^true_").to_numpy()
    rng = np.random.default_rng(0)
    scores = [top_n_accuracy_by_genre(truth, rng.random(truth.shape)) for _ in range(1000)]
    found = np.mean(scores, axis=0) @ truth.sum(axis=0)  # an image with n genres finds each with probability n / 3
    assert found == pytest.approx((3 * 1 + 2 * 2) / 3, abs=0.1)


def test_output_table_detects_constant_outputs(results, predictions):
    table = densenet.output_table(results.iloc[:1], of_every_run(results, predictions))
    assert table.loc[0, ["genres_named", "same_ranking", "saturated"]].tolist() == [3, 50, 0]
    stuck = predictions.assign(probability_Action=1.0, probability_Drama=1e-9, probability_Horror=1e-9)
    row = densenet.output_table(results.iloc[:1], of_every_run(results, stuck)).iloc[0]
    assert row[["genres_named", "same_ranking", "saturated"]].tolist() == [2, 100, 100]
    assert row[["mean_probability", "true_share"]].tolist() == pytest.approx([1 / 3, 5 / 12])
