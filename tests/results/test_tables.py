import numpy as np
import pandas as pd
import pytest

from poster_cnn.results.dave import seeds_table, shrunk_sizes_table
from poster_cnn.results.tables import (
    baseline_note,
    beside_published,
    comparison_grid,
    epoch_spread,
    in_percent,
    initial_weights,
    label,
    title,
    title_with,
    to_markdown,
)

PAPER = "dave"


@pytest.fixture
def results():
    cells = pd.MultiIndex.from_product([[30, 40], [1e-3, 1e-4]], names=["ratio", "learning_rate"])
    frame = cells.to_frame(index=False).assign(seed=0, num_test=200)
    frame["first_label_accuracy"] = [0.44, 0.5, 0.45, 0.546]
    frame["first_label_accuracy_low"] = frame["first_label_accuracy"] - 0.04
    frame["first_label_accuracy_high"] = frame["first_label_accuracy"] + 0.05
    frame["hit_at_1"] = frame["first_label_accuracy"] + 0.1
    frame["majority_first_label_accuracy"] = 0.374
    frame["color_histogram_first_label_accuracy"] = [0.41, 0.41, 0.42, 0.42]
    return frame


@pytest.mark.parametrize(
    "value, text", [(1e-3, "1e-3"), (0.00180133, "1.80133e-3"), (0.5, "0.5"), (40.0, "40"), ("a", "a"), (np.nan, "–")]
)
def test_label(value, text):
    assert label(value) == text


def test_titles():
    assert title("learning_rate") == "Learning rate"
    assert title_with("ratio", 40) == "Shrink ratio 40%"
    assert title_with("learning_rate", 1e-4) == "Learning rate 1e-4"
    assert title_with("panel", "faithful") == "As in the paper"


@pytest.mark.parametrize(
    ("asked", "file", "start", "expected"),
    [
        ("imagenet", None, None, "ImageNet"),
        ("imagenet", "mobilenet_v2_x.h5", None, "ImageNet"),  # from the data folder
        (None, "mobilenet_v2_x.h5", None, "ImageNet"),  # by default
        ("posters", "posters_mobilenet_v2.npz", None, "posters"),
        ("some/own.weights.h5", "own.weights.h5", None, "own.weights.h5"),
        (None, None, "runs/first", "another run"),
        (None, None, None, "random weights"),
    ],
)
def test_initial_weights(asked, file, start, expected):
    runs = pd.DataFrame({"model_args_weights": [asked], "weights_file": [file], "start_from": [start]})
    assert initial_weights(runs).tolist() == [expected]
    assert initial_weights(runs[[]]).tolist() == ["random weights"]
    ensembles = runs.rename(columns={"model_args_weights": "backbone_weights"})
    assert initial_weights(ensembles).tolist() == [expected]


def test_shrunk_sizes_table(published):
    table = shrunk_sizes_table({30: (80, 55), 40: (106, 73), 90: (241, 164)}, published)
    assert table.to_numpy().tolist() == [
        ["30", "55 × 80", "55 × 80", "yes"],
        ["40", "73 × 106", "73 × 107", "no"],
        ["90", "164 × 241", "–", "–"],
    ]


def test_beside_published_has_all_printed_cells_in_percent(results, published):
    cells = beside_published(results, published, "Table 2")
    assert len(cells) == 25
    best = cells.set_index(["ratio", "learning_rate"]).loc[(40, 1e-4)]
    expected = {"ours": 54.6, "low": 50.6, "high": 59.6, "paper": 50.5, "difference": 4.1}
    assert best[list(expected)].to_dict() == pytest.approx(expected)
    assert (best["majority"], best["color_histogram"], best["num_test"]) == pytest.approx((37.4, 42, 200))
    assert cells["ours"].notna().sum() == 4


def test_beside_published_keeps_cells_that_the_paper_lacks(results, published):
    cells = beside_published(results.replace({"ratio": {30: 20}}), published, "Table 2")
    assert len(cells) == 27
    assert cells[cells["ratio"] == 20]["paper"].isna().all()


def test_in_percent_skips_missing_columns(results):
    table = in_percent(results, "first_label_accuracy", baselines=("majority", "all_zeros"))
    assert list(table.columns) == ["ours", "low", "high", "majority"]
    assert table.iloc[3].tolist() == pytest.approx([54.6, 50.6, 59.6, 37.4])


def test_epoch_spread_is_the_range_over_the_last_epochs():
    history = pd.DataFrame({"experiment": "e", "run": list("aaabb"), "epoch": [2, 0, 1, 0, 1]})
    history["val_accuracy"] = [0.3, 0.9, 0.5, 0.2, 0.1]
    spread = epoch_spread(history, "val_accuracy", epochs=2)
    np.testing.assert_allclose(spread.loc[[("e", "a"), ("e", "b")]], [[30, 50], [10, 20]])
    assert list(spread) == ["epochs_low", "epochs_high"]


def test_to_markdown_rounds_what_is_a_tie_up_to_floating_point():
    text = to_markdown(pd.DataFrame({"score": [100 * 0.2875, 28.75]}))
    assert text.count("28.8") == 2


def test_to_markdown_keeps_the_sign_of_a_bound_below_zero_and_three_digits_of_p_values():
    text = to_markdown(pd.DataFrame({"over_none_high": [-0.01], "over_none_holm": [0.0013]}))
    assert text.splitlines()[-1] == "| -0.0 | 0.001 |"


def test_rejects_several_runs_in_a_cell(results, published):
    with pytest.raises(ValueError, match="one run for each ratio, learning_rate"):
        beside_published(pd.concat([results, results.assign(seed=1)]), published, "Table 2")


@pytest.mark.parametrize(
    "table, metric, message", [("Table 9", "first_label_accuracy", "Table 2"), ("Table 2", "f1", "columns")]
)
def test_rejects_missing_tables_and_metrics(results, published, table, metric, message):
    with pytest.raises(ValueError, match=message):
        beside_published(results, published, table, metric=metric)


def test_comparison_grid_marks_the_best_of_each_side(results, published):
    grid = comparison_grid(beside_published(results, published, "Table 2"))
    assert list(grid.columns[1:]) == ["1e-3", "1e-4", "1e-5", "1e-6", "1e-7"]
    assert grid.iloc[1].tolist() == ["40", "45.0 (43.2)", "**54.6** (**50.5**)", "– (42.6)", "– (39.0)", "– (31.6)"]


def test_comparison_grid_with_metrics_as_columns():
    results = pd.DataFrame({"model": ["a", "b"], "recall": [0.5, 0.6], "f1": [0.7, 0.4]})
    rows = [("Table", name, "", metric, 50.0) for name in "ab" for metric in ("recall", "f1")]
    published = pd.DataFrame(rows, columns=["table", "row", "column", "metric", "value"])
    cells = [
        beside_published(results, published, "Table", metric=name, rows="model", columns=None)
        for name in ("recall", "f1")
    ]
    grid = comparison_grid(pd.concat(cells), rows="model", columns="metric")
    assert grid.to_numpy().tolist() == [
        ["a", "50.0 (**50.0**)", "**70.0** (**50.0**)"],
        ["b", "**60.0** (**50.0**)", "40.0 (**50.0**)"],
    ]


def test_baseline_note(results, published):
    note = baseline_note(beside_published(results, published, "Table 2"))
    for part in ("200 test posters", "majority class 37.4%", "regression 41.0–42.0%", "up to 5.0 points"):
        assert part in note.replace("\n", " ")
    assert max(map(len, note.splitlines())) <= 100


def test_seeds_table_summarizes_over_seeds(results):
    five = pd.concat([results.iloc[[3]].assign(first_label_accuracy=0.5 + 0.01 * seed) for seed in range(5)])
    row = seeds_table(five).iloc[0]
    assert (row["seeds"], row["mean"], row["min"], row["max"]) == pytest.approx((5, 52, 50, 54))
    assert row["std"] == pytest.approx(np.std([50, 51, 52, 53, 54], ddof=1))
    assert row["majority"] == pytest.approx(37.4)


def test_seeds_table_separates_settings(results):
    table = seeds_table(results)
    assert len(table) == 4 * 2
    assert table["std"].isna().all()


def test_to_markdown():
    frame = pd.DataFrame({"threshold": [0.62246, 0.5], "learning_rate": [1e-4, 0.5], "score": [50.55, np.nan]})
    frame = frame.assign(n=[3, 4], name=["a|b", None])
    assert to_markdown(frame).splitlines() == [
        "| threshold | learning_rate | score | n | name |",
        "| ---: | ---: | ---: | ---: | --- |",
        "| 0.622 | 1e-4 | 50.5 | 3 | a\\|b |",
        "| 0.5 | 0.5 | – | 4 | – |",
    ]
