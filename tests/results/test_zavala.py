import numpy as np
import pandas as pd
import pytest

from poster_cnn.results import zavala
from poster_cnn.results.collect import read_published

GENRES = ["Action", "Drama", "Horror"]


@pytest.fixture
def published(request):
    return read_published(request.config.rootpath / "experiments" / "published" / "zavala.csv")


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
    """Predictions as a run writes them: the true and the most probable genre of each row."""
    frame = pd.DataFrame({"imdb_id": imdb_ids})
    for number, name in enumerate(GENRES):
        frame[f"true_{name}"] = [int(genre == number) for genre in true]
        frame[f"probability_{name}"] = [0.8 if genre == number else 0.1 for genre in top]
    return frame


def test_transfer_runs_are_described_by_what_differs(runs, published):
    table = zavala.transfer_table(runs, published)
    assert table["pixels"].tolist() == ["0..1", "0..1", "-1..1", "-1..1"]
    assert table["dropout"].tolist() == [0, 0, 0.5, 0]
    assert table["backbone"].tolist() == ["frozen", "unfrozen"] * 2
    assert table["image_size"].unique().tolist() == ["128×128"]
    assert table["paper"].fillna(0).tolist() == [0, 30, 0, 0]
    first = table.iloc[0][["ours", "low", "high", "majority", "color_histogram", "movie_hit_at_1"]]
    assert first.tolist() == pytest.approx([33, 31, 35, 18, 26, 53])


def test_transfer_runs_without_options_have_the_defaults(runs, published):
    columns = ["model_args_pixel_range", "model_args_dropout", "fine_tune_epochs"]
    table = zavala.transfer_table(runs.drop(columns=columns), published)
    assert table[["pixels", "dropout", "backbone"]].drop_duplicates().to_numpy().tolist() == [["-1..1", 0, "frozen"]]


def test_transfer_cells_have_a_panel_for_each_setting(runs, published):
    table = zavala.transfer_table(runs, published)
    cells = zavala.transfer_cells(pd.concat([table, table.tail(1).assign(ours=0)]))
    assert cells["panel"].tolist() == [
        "faithful\n128×128, 0..1",
        "faithful\n128×128, 0..1",
        "leak-free, dropout 0.5\n128×128, -1..1",
        "leak-free\n128×128, -1..1",
    ]
    assert cells["network"].tolist() == ["1e-4", "1e-4\nunfrozen"] * 2
    assert cells["ours"].tolist() == table["ours"].tolist()  # of two seeds, the first


def test_curves_before_and_after_unfreezing():
    history = pd.DataFrame({"epoch": [2, 0, 1], "trainable_backbone": [True, False, False]})
    history = history.assign(variant="faithful", run="seed=0", accuracy=[0.7, 0.2, 0.4], val_accuracy=0.3)
    history = history.assign(loss=[0.5, 2.0, 1.0], val_loss=[2.5, 2.0, 1.5])
    never = history.assign(run="never", trainable_backbone=None)
    table = zavala.unfreezing_curves(pd.concat([never, history])).set_index("metric")
    assert (table["run"] == "seed=0").all()
    assert table.loc["accuracy", ["frozen", "unfrozen", "difference"]].tolist() == pytest.approx([40, 70, 30])
    assert table.loc["val_loss", ["frozen", "unfrozen", "difference"]].tolist() == pytest.approx([1.5, 2.5, 1])


def test_unfreezing_is_compared_with_the_same_network_on_the_same_rows(runs):
    saved = {
        ("frozen", "learning_rate=0.0001"): predictions(top=[0, 0, 0, 0]),
        ("unfrozen", "seed=0"): predictions(top=[0, 1, 0, 0]),
    }
    table = zavala.unfreezing_table(runs, saved)
    assert table["variant"].tolist() == ["faithful"]  # the leak-free runs differ in dropout
    row = table.iloc[0]
    assert row[["frozen", "unfrozen", "difference", "num_test"]].tolist() == [50, 75, 25, 4]
    assert row["low"] == 0 and 25 < row["high"] <= 50  # movie 1 alone gains, one of its two rows


def test_unfreezing_without_a_twin_is_empty(runs):
    table = zavala.unfreezing_table(runs.assign(data_fingerprint=list("abcd")), {})
    assert table.empty and "difference" in table


def test_other_rows_are_no_comparison(runs):
    saved = {
        ("frozen", "learning_rate=0.0001"): predictions(top=[0, 0, 0, 0]),
        ("unfrozen", "seed=0"): predictions(top=[0, 0, 0, 0], imdb_ids=(1, 1, 2, 4)),
    }
    with pytest.raises(ValueError, match="same rows"):
        zavala.unfreezing_table(runs, saved)


def test_rows_of_movies_seen_in_training_are_scored_apart():
    key = ("frozen", "seed=0")
    split = pd.DataFrame({"imdb_id": [1, 2, 3, 9], "part": ["train", "validation", "test", "train"]})
    table = zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split}, several_genres=[1, 2, 3])
    assert table.iloc[0].tolist() == ["frozen", "seed=0", 2, 50, 2, 50]
    fewer = zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split}, several_genres=[1, 3])
    assert fewer["other_rows"].tolist() == [1]  # movies of one genre are not compared with
    assert zavala.torn_table({key: predictions(top=[0, 0, 2, 1])}, {key: split.iloc[1:]}, [1, 2, 3]).empty


def test_margins_are_those_on_the_same_rows():
    rows = {"imdb_id": [1, 1, 2, 3], "true_A": [1, 0, 1, 0], "true_B": [0, 1, 0, 1]}
    rows |= {"probability_A": [0.9, 0.8, 0.7, 0.6], "probability_B": [0.1, 0.2, 0.3, 0.4]}  # right, wrong, right, wrong
    always_b = np.tile([0.0, 1.0], (4, 1))  # wrong, right, wrong, right
    nothing_right = np.array([[0, 1], [1, 0], [0, 1], [1, 0]])
    table = zavala.margin_table(
        {"net": pd.DataFrame(rows)}, {"net": {"majority": always_b, "color_histogram": nothing_right}}
    )
    assert table["baseline"].tolist() == ["majority", "color_histogram"]
    assert table["accuracy"].tolist() == [50, 50] and table["baseline_accuracy"].tolist() == [50, 0]
    assert table["difference"].tolist() == [0, 50]
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    assert table["low"].iloc[0] < 0 < table["high"].iloc[0]
