import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures
from poster_cnn.results import wang

PAPER = "wang"
PANELS = ["As in the paper, threshold 0.622", "As in the paper, threshold 0.5"]
MODELS = ["resnet152", "vgg_like_cnn", "mobilenet_v2"]


@pytest.fixture
def results():
    """Three networks, faithful and leak-free."""
    frame = pd.DataFrame({"model": MODELS * 2, "variant": ["faithful"] * 3 + ["leak_free"] * 3})
    frame["set_name"] = ["resnet152", "", "plain"] * 2
    frame = frame.assign(image_height=268, image_width=182, epochs=10, learning_rate=1e-4, num_test=1077)
    frame = frame.assign(device="GPU", model_args_weights=["imagenet", None, None] * 2)
    frame = frame.assign(model_args_trainable=[True, None, None] * 2)
    frame = frame.assign(weights_file=[None, None, "mobilenet_v2_imagenet.h5"] * 2)
    for at, score in (("", 0.6), ("_at_622", 0.5)):
        for name in ("precision", "recall", "f1"):
            metric = f"overall_{name}{at}"
            frame[metric], frame[f"{metric}_low"], frame[f"{metric}_high"] = score, score - 0.02, score + 0.02
            frame[f"frequent_genres_{metric}"], frame[f"color_histogram_{metric}"] = 0.4, score - 0.3
    frame["overall_f1_tuned"] = [None] * 3 + [0.7] * 3
    frame["validation_overall_f1"] = [None] * 3 + [0.65] * 3
    return frame


@pytest.fixture
def table(results, published):
    return wang.overall_table(results, published)


@pytest.fixture
def history():
    """Ten epochs of two runs; OF1 at 0.622 grows by 1% per epoch."""
    frame = pd.DataFrame({"epoch": [*range(10)] * 2, "learning_rate": [1e-4] * 10 + [1e-3] * 10})
    frame["val_overall_f1_at_622"] = (frame["epoch"] + 1) / 100
    return frame.assign(model="resnet50", set_name="resnet50", val_overall_f1=frame["learning_rate"] * 100)


def test_overall_table_has_a_row_for_each_threshold(table):
    first = table[(table["network"] == "resnet152") & (table["variant"] == "faithful")]
    assert first["threshold"].tolist() == ["0.622", "0.5"]  # no validation movies, no tuned thresholds
    setting = ["pretrained", "trained", "image_size", "epochs", "learning_rate", "num_test", "device"]
    assert first.iloc[0][setting].tolist() == ["yes", "all weights", "182×268", 10, 1e-4, 1077, "GPU"]
    scores = first[["overall_precision", "overall_recall", "overall_f1", "low", "high"]]
    np.testing.assert_allclose(scores, [[50, 50, 50, 48, 52], [60, 60, 60, 58, 62]])
    np.testing.assert_allclose(first[["frequent_genres", "color_histogram"]], [[40, 20], [40, 30]])


def test_overall_table_has_only_f1_for_tuned_thresholds(table):
    row = table[(table["threshold"] == "by genre")].iloc[0]
    assert row[["variant", "network"]].tolist() == ["leak_free", "resnet152"]
    assert row["overall_f1"] == pytest.approx(70)
    assert row["frequent_genres"] == pytest.approx(40)  # a constant prediction has one score at any threshold
    others = ["overall_precision", "overall_recall", "low", "high", "color_histogram", "validation_f1"]
    assert row[others].isna().all()


def test_overall_table_shows_validation_f1_at_its_threshold(table):
    known = table[table["validation_f1"].notna()]
    assert set(known["threshold"]) == {"0.5"} and set(known["variant"]) == {"leak_free"}
    assert known["validation_f1"].tolist() == pytest.approx([65] * 3)


def test_overall_table_shows_printed_scores_for_faithful_runs_at_the_papers_threshold(table):
    printed = table[table["paper_f1"].notna()].set_index("network")
    assert printed.loc["resnet152", ["paper_precision", "paper_recall", "paper_f1"]].tolist() == [66.05, 48.44, 55.77]
    assert set(printed.index) == set(wang.PAPER_NETWORKS)  # ResNet152 is printed as ResNet18
    assert set(printed["variant"]) == {"faithful"} and set(printed["threshold"]) == {"0.622"}


def test_printed_resnet18_is_that_of_resnet152_alone(results, published):
    table = wang.overall_table(results.replace("resnet152", "resnet18"), published).set_index("network")
    assert "paper_f1" in table and table.loc["resnet18", "paper_f1"].isna().all()
    assert table.loc["resnet152", "paper_f1"] == 55.77


def test_overall_table_shows_the_spread_over_the_last_five_epochs(results, published, history):
    results = results.assign(experiment="e", run=[f"run {number}" for number in range(6)])
    history = history.head(10).assign(experiment="e", run="run 1")
    table = wang.overall_table(results, published, history).set_index(["variant", "network", "threshold"])
    spread = table[["epochs_low", "epochs_high"]].dropna()
    assert spread.loc["faithful", "vgg_like_cnn", "0.622"].tolist() == pytest.approx([6, 10])
    assert len(spread) == 2 and spread.index.get_level_values("network").unique() == ["vgg_like_cnn"]


def test_overall_table_keeps_printed_networks_without_a_run(table, results, published):
    for network in ("resnet50", "densenet201"):
        (row,) = table[table["network"] == network].to_dict("records")
        assert row["paper_f1"] > 0
        assert pd.isna([row[name] for name in ("overall_f1", "low", "frequent_genres", "num_test", "device")]).all()
    corrected = wang.overall_table(results[results["variant"] == "leak_free"], published)
    assert set(corrected["network"]) == {"resnet152", "vgg_like_cnn", "mobilenet_v2, plain"}


def test_overall_table_detects_pretrained_weights(results, published, table):
    pretrained = dict(zip(table["network"], table["pretrained"], strict=True))
    assert (pretrained["resnet152"], pretrained["vgg_like_cnn"], pretrained["mobilenet_v2, plain"]) == (
        "yes",
        "no",
        "yes",
    )
    without = wang.overall_table(results.drop(columns=["model_args_weights", "weights_file"]), published)
    assert set(without["pretrained"].dropna()) == {"no"} and set(without["weights"].dropna()) == {"random weights"}
    assert set(table["weights"].dropna()) == {"ImageNet", "random weights"} and "chance" not in table
    chance = wang.overall_table(results.assign(chance_overall_f1=0.4, chance_overall_f1_at_622=0.3), published)
    assert set(chance["chance"].dropna()) == {40, 30}


def test_overall_table_detects_frozen_backbones(table):
    trained = dict(zip(table["network"], table["trained"], strict=True))
    assert trained["resnet152"] == trained["vgg_like_cnn"] == "all weights"
    assert trained["mobilenet_v2, plain"] == "last layer"


def test_rejects_results_without_the_metrics(results, published):
    with pytest.raises(ValueError, match="overall_recall_at_622"):
        wang.overall_table(results.drop(columns="overall_recall_at_622"), published)


def test_overall_cells_can_be_drawn(table):
    cells = wang.overall_cells(table[table["variant"] == "faithful"])
    assert cells["panel"].unique().tolist() == PANELS
    assert cells["network"].unique().tolist() == [
        "resnet152",
        "vgg_like_cnn",
        "mobilenet_v2\nplain\nfrozen",
        "resnet50\nnot measured",
        "densenet201\nnot measured",
    ]
    assert cells.iloc[0][["ours", "low", "high", "paper"]].tolist() == pytest.approx([50, 48, 52, 55.77])
    figure = figures.comparison_dots(cells, rows="panel", columns="network", baselines=("frequent_genres",))
    assert [ax.get_title() for ax in figure.axes] == PANELS
    assert figure.axes[0].lines[0].get_ydata()[0] == pytest.approx(40)


def test_overall_cells_work_without_printed_scores(table):
    cells = wang.overall_cells(table[table["threshold"] == "by genre"].drop(columns="paper_f1"))
    assert cells["panel"].unique().tolist() == ["Corrected protocol, thresholds by genre"]
    assert cells["paper"].isna().all() and cells["ours"].tolist() == pytest.approx([70] * 3)


def test_overall_cells_name_settings_that_vary(results, published):
    runs = results.iloc[:2].assign(model="resnet50", set_name="resnet50", epochs=[5, 10], learning_rate=[1e-3, 1e-4])
    table = wang.overall_table(runs.assign(image_height=[268, 96], image_width=[182, 66]), published)
    cells = wang.overall_cells(table[table["overall_f1"].notna()])
    assert cells["network"].unique().tolist() == [
        "resnet50\n182×268\n5 epochs\n1e-3",
        "resnet50\nfrozen\n66×96\n10 epochs\n1e-4",
    ]


def test_rejects_repeated_cells(table):
    with pytest.raises(ValueError, match="twice in 'As in the paper, threshold 0.622'"):
        wang.overall_cells(pd.concat([table, table.head(1)]))


def test_epochs_grid_reads_five_epochs_from_a_run_of_ten(history):
    grid = wang.epochs_grid(history)
    assert list(grid) == [
        "network",
        "threshold",
        "5 epochs, 1e-3",
        "5 epochs, 1e-4",
        "10 epochs, 1e-3",
        "10 epochs, 1e-4",
    ]
    assert grid[["network", "threshold"]].to_numpy().tolist() == [["resnet50", "0.622"], ["resnet50", "0.5"]]
    np.testing.assert_allclose(grid.iloc[:, 2:], [[5, 5, 10, 10], [10, 1, 10, 1]])


def test_epochs_grid_has_gaps_for_short_runs(history):
    other = history[history["epoch"] < 6].assign(model="mobilenet_v2", set_name="plain")
    grid = wang.epochs_grid(pd.concat([history, other])).set_index(["network", "threshold"])
    row = grid.loc[("mobilenet_v2, plain", "0.622")]
    assert row["5 epochs, 1e-4"] == pytest.approx(5) and pd.isna(row["10 epochs, 1e-4"])


def test_sample_table_counts_by_part_and_genre():
    split = pd.DataFrame({"part": ["test", "train", "train"], "Drama": [1, 0, 0], "Crime": [1, 0, 1]})
    table = wang.sample_table({"faithful": split}, ["Drama", "Crime"])
    assert list(table) == ["variant", "part", "movies", "without_genre", "Drama", "Crime"]
    assert table.to_numpy().tolist() == [["faithful", "train", 2, 1, 0, 1], ["faithful", "test", 1, 0, 1, 1]]
