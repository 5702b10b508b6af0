import numpy as np
import pandas as pd
import pytest

from poster_cnn.results import zavala

PAPER = "zavala"
GENRES = ["Action", "Drama", "Horror"]


@pytest.fixture
def runs():
    """A frozen and an unfrozen run of each variant."""
    frame = pd.DataFrame(
        {
            "experiment": ["frozen", "unfrozen", "frozen_leak_free", "unfrozen_leak_free"],
            "run": ["learning_rate=0.0001", "seed=0", "dropout,learning_rate=0.0001", "seed=0"],
            "variant": ["faithful", "faithful", "leak_free", "leak_free"],
            "model_args_pixel_range": ["0|1", "0|1", None, None],
            "model_args_dropout": [None, None, 0.5, None],
            "fine_tune_epochs": [0, 20, 0, 20],
            "data_fingerprint": ["a", "a", "b", "b"],
            "first_label_accuracy": [0.33, 0.36, 0.31, 0.32],
        }
    )
    frame = frame.assign(image_height=128, image_width=128, learning_rate=1e-4, epochs=20, seed=0, num_test=4)
    frame = frame.assign(batch_size=32, precision="float32")
    frame["first_label_accuracy_low"] = frame["first_label_accuracy"] - 0.02
    frame["first_label_accuracy_high"] = frame["first_label_accuracy"] + 0.02
    frame["movie_hit_at_1"] = frame["first_label_accuracy"] + 0.2
    return frame.assign(majority_first_label_accuracy=0.18, color_histogram_first_label_accuracy=0.26)


def predictions(top, imdb_ids=(1, 1, 2, 3), true=(0, 1, 2, 0)):
    """Predictions from the numbers of the most probable and the true genre of each row."""
    one_hot = np.eye(len(GENRES), dtype=int)
    labels = pd.DataFrame(one_hot[list(true)], columns=GENRES).add_prefix("true_").assign(imdb_id=imdb_ids)
    return labels.join(pd.DataFrame(0.1 + 0.7 * one_hot[list(top)], columns=GENRES).add_prefix("probability_"))


def test_transfer_table_has_settings_and_scores(runs, published):
    table = zavala.transfer_table(runs, published)
    assert table["pixels"].tolist() == ["0..1", "0..1", "-1..1", "-1..1"]
    assert table["dropout"].tolist() == [0, 0, 0.5, 0]
    assert table["backbone"].tolist() == ["frozen", "unfrozen"] * 2
    assert table["image_size"].unique().tolist() == ["128×128"]
    assert table["paper"].fillna(0).tolist() == [0, 30, 0, 0] and set(table["weights"]) == {"random weights"}
    chance = {"chance_first_label_accuracy": 1 / 6, "model_args_weights": "posters"}
    table = zavala.transfer_table(runs.assign(**chance), published)
    assert table["chance"].tolist() == pytest.approx([100 / 6] * 4) and set(table["weights"]) == {"posters"}
    first = table.iloc[0][["ours", "low", "high", "majority", "color_histogram", "movie_hit_at_1"]]
    assert first.tolist() == pytest.approx([33, 31, 35, 18, 26, 53])


def test_transfer_table_shows_the_spread_over_the_last_epochs(runs, published):
    history = pd.DataFrame({"experiment": "frozen", "run": "learning_rate=0.0001", "epoch": range(8)})
    history["val_accuracy"] = [0.9, 0.9, 0.9, 0.1, 0.3, 0.2, 0.2, 0.2]
    table = zavala.transfer_table(runs, published, history)
    assert table.loc[0, ["epochs_low", "epochs_high"]].tolist() == pytest.approx([10, 30])
    assert table.loc[1:, ["epochs_low", "epochs_high"]].isna().all(axis=None)


def test_transfer_table_fills_in_defaults(runs, published):
    columns = ["model_args_pixel_range", "model_args_dropout", "fine_tune_epochs"]
    table = zavala.transfer_table(runs.drop(columns=columns), published)
    assert table[["pixels", "dropout", "backbone"]].drop_duplicates().to_numpy().tolist() == [["-1..1", 0, "frozen"]]


def test_transfer_cells_have_a_panel_per_setting(runs, published):
    table = zavala.transfer_table(runs, published)
    cells = zavala.transfer_cells(pd.concat([table, table.tail(1).assign(ours=0)]))
    assert cells["panel"].tolist() == [
        "faithful\n128×128, pixels 0..1\nno dropout",
        "faithful\n128×128, pixels 0..1\nno dropout",
        "leak_free\n128×128, pixels -1..1\ndropout 0.5",
        "leak_free\n128×128, pixels -1..1\nno dropout",
    ]
    assert cells["learning_rate"].tolist() == ["1e-4", "1e-4\nunfrozen"] * 2
    assert cells["ours"].tolist() == table["ours"].tolist()  # the first of two seeds


def test_unfreezing_curves():
    history = pd.DataFrame({"epoch": [2, 0, 1], "trainable_backbone": [True, False, False]})
    history = history.assign(variant="faithful", run="seed=0", accuracy=[0.7, 0.2, 0.4], val_accuracy=0.3)
    history = history.assign(loss=[0.5, 2.0, 1.0], val_loss=[2.5, 2.0, 1.5])
    never = history.assign(run="never", trainable_backbone=None)
    table = zavala.unfreezing_curves(pd.concat([never, history])).set_index("metric")
    assert (table["run"] == "seed=0").all()
    assert table.loc["accuracy", ["frozen", "unfrozen", "difference"]].tolist() == pytest.approx([40, 70, 30])
    assert table.loc["val_loss", ["frozen", "unfrozen", "difference"]].tolist() == pytest.approx([1.5, 2.5, 1])


def test_unfreezing_table_pairs_runs_with_equal_settings(runs):
    saved = {
        ("frozen", "learning_rate=0.0001"): predictions(top=[0, 0, 0, 0]),
        ("unfrozen", "seed=0"): predictions(top=[0, 1, 0, 0]),
    }
    table = zavala.unfreezing_table(runs, saved)
    assert table["variant"].tolist() == ["faithful"]  # the leak-free runs differ in dropout
    row = table.iloc[0]
    assert row[["frozen", "unfrozen", "difference", "num_test"]].tolist() == [50, 75, 25, 4]
    assert row["low"] == 0 and 25 < row["high"] <= 50  # only one of the two rows of movie 1 improves


def test_unfreezing_table_without_a_pair_is_empty(runs):
    table = zavala.unfreezing_table(runs.assign(data_fingerprint=list("abcd")), {})
    assert table.empty and "difference" in table


def test_rejects_predictions_of_other_rows(runs):
    saved = {
        ("frozen", "learning_rate=0.0001"): predictions(top=[0, 0, 0, 0]),
        ("unfrozen", "seed=0"): predictions(top=[0, 0, 0, 0], imdb_ids=(1, 1, 2, 4)),
    }
    with pytest.raises(ValueError, match="same rows"):
        zavala.unfreezing_table(runs, saved)


def test_torn_table_separates_rows_of_movies_in_train():
    key = ("frozen", "seed=0")
    split = pd.DataFrame({"imdb_id": [1, 2, 3, 9], "part": ["train", "validation", "test", "train"]})
    table = zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split}, several_genres=[1, 2, 3])
    assert table.iloc[0].tolist() == ["frozen", "seed=0", 2, 50, 2, 50]
    fewer = zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split}, several_genres=[1, 3])
    assert fewer["other_rows"].tolist() == [1]  # movies of one genre do not count
    assert zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split.iloc[1:]}, [1, 2, 3]).empty


def test_margin_table_compares_the_same_rows():
    rows = predictions(top=[0, 0, 0, 0], true=(0, 1, 0, 1))  # right, wrong, right, wrong
    always_drama = np.tile([0.0, 1.0, 0.0], (4, 1))  # wrong, right, wrong, right
    nothing_right = np.eye(3)[[1, 0, 1, 0]]
    table = zavala.margin_table({"net": rows}, {"net": {"majority": always_drama, "color_histogram": nothing_right}})
    assert table["baseline"].tolist() == ["majority", "color_histogram"]
    assert table["accuracy"].tolist() == [50, 50] and table["baseline_accuracy"].tolist() == [50, 0]
    assert table["difference"].tolist() == [0, 50]
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    assert table["low"].iloc[0] < 0 < table["high"].iloc[0]


def test_encoding_table():
    rows = pd.DataFrame({"title": ["A", "B"], "genres": [["Horror"], ["Action"]]}, index=[7, 9])
    table = zavala.encoding_table(rows, GENRES)
    assert list(table.columns) == ["title", "genre", "integer", *GENRES]
    assert table.to_numpy().tolist() == [["A", "Horror", 2, 0, 0, 1], ["B", "Action", 0, 1, 0, 0]]
    assert list(zavala.encoding_table(rows[["genres"]], GENRES).columns) == ["genre", "integer", *GENRES]


def test_split_table_counts_movies_in_several_parts():
    torn = pd.DataFrame(
        {"imdb_id": [1, 1, 2, 2, 3, 4], "part": ["train", "test", "test", "test", "train", "validation"]}
    )
    table = zavala.split_table({"faithful": torn}).set_index("part")
    assert table.loc["test", ["rows", "movies", "movies_in_train"]].tolist() == [3, 2, 1]
    assert table.loc["test", "best_accuracy"] == pytest.approx(200 / 3)
    assert table.loc["validation", ["movies_in_train", "best_accuracy"]].tolist() == [0, 100]
    assert table.loc["train", "movies_in_train"] == 0


def test_leak_table_has_a_row_per_variant_and_pair_of_parts():
    counts = {"test_in_train": 3, "validation_in_train": 0, "test_in_validation": 1}
    leaks = {f"leak_{name}_posters": count for name, count in counts.items()}
    leaks |= {f"leak_{name}_fraction": count / 12 for name, count in counts.items()}
    runs = pd.DataFrame([{"variant": "faithful", **leaks}] * 2 + [{"variant": "leak_free", **dict.fromkeys(leaks, 0)}])
    table = zavala.leak_table(runs)
    assert table.iloc[0].tolist() == ["faithful", "test", "train", 3, 25]
    assert table["rows"].tolist() == [3, 0, 1, 0, 0, 0]
    without_validation = [f"leak_{name}_posters" for name in counts if "validation" in name]
    runs.loc[runs["variant"] == "faithful", without_validation] = None
    assert zavala.leak_table(runs)["part"].tolist() == ["test", "test", "validation", "test"]


def test_parameter_table(published):
    counts = {"total": 2_265_670, "trainable": 7_686, "non_trainable": 0, "extra": 5}
    table = zavala.parameter_table(counts, published)
    assert table["paper"].tolist() == [2_265_670, 7_686, 2_257_984, pd.NA]
    assert table["same"].tolist() == [True, True, False, False]


def test_element_wise_table(published):
    results = pd.DataFrame({"set_name": ["both_dropouts", "no_dropout", "both_dropouts"]})
    results = results.assign(variant=["faithful", "faithful", "leak_free"], num_test=600)
    results = results.assign(learning_rate=[1e-4, 1e-3, 1e-4])
    for metric, value in (("label_accuracy", 0.84), ("first_label_accuracy", 0.25)):
        results = results.assign(**{metric: value, f"{metric}_low": value - 0.01, f"{metric}_high": value + 0.01})
    results = results.assign(all_zeros_label_accuracy=5 / 6, majority_first_label_accuracy=0.18)
    table = zavala.element_wise_table(results.iloc[[1, 0, 2]], published)
    assert table["network"].tolist() == ["both_dropouts", "no_dropout", "both_dropouts"]
    assert table["variant"].tolist() == ["faithful", "faithful", "leak_free"]
    np.testing.assert_equal(table["paper"].tolist(), [72.24, np.nan, np.nan])
    first = table.iloc[0][["element_wise", "element_wise_low", "all_zeros", "six_class", "six_class_high", "majority"]]
    assert first.tolist() == pytest.approx([84, 83, 500 / 6, 25, 26, 18])
