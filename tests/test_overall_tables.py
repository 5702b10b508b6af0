import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures, overall_tables
from poster_cnn.results import read_published

MODELS = ["resnet152", "vgg_like_cnn", "mobilenet_v2"]


@pytest.fixture
def published(request):
    return read_published(request.config.rootpath / "experiments" / "published" / "wang.csv")


@pytest.fixture
def results():
    """Three networks, faithful and leak-free."""
    frame = pd.DataFrame({"model": MODELS * 2, "variant": ["faithful"] * 3 + ["leak_free"] * 3})
    frame = frame.assign(image_height=268, image_width=182, epochs=10, learning_rate=1e-4, num_test=1077)
    frame = frame.assign(device="GPU", model_args_weights=["imagenet", None, None] * 2)
    frame = frame.assign(weights_file=[None, None, "mobilenet_v2_imagenet.h5"] * 2)
    for at, score in (("", 0.6), ("_at_622", 0.5)):
        for name in ("precision", "recall", "f1"):
            metric = f"overall_{name}{at}"
            frame[metric], frame[f"{metric}_low"], frame[f"{metric}_high"] = score, score - 0.02, score + 0.02
            frame[f"majority_{metric}"] = 0.4
    return frame


def test_both_thresholds_stand_in_a_row(results, published):
    table = overall_tables.overall_table(results, published)
    row = table.iloc[0]
    assert row[["variant", "network", "pretrained", "image_size", "epochs", "num_test", "device"]].tolist() == [
        "faithful",
        "resnet152",
        "yes",
        "182×268",
        10,
        1077,
        "GPU",
    ]
    scores = [f"overall_f1{end}" for end in ("_at_622", "_at_622_low", "_at_622_high", "", "_low", "_high")]
    assert row[scores].tolist() == pytest.approx([50, 48, 52, 60, 58, 62])
    assert row["majority_overall_f1"] == row["majority_overall_f1_at_622"] == pytest.approx(40)
    assert row[["overall_precision", "overall_recall_at_622"]].tolist() == pytest.approx([60, 50])
    assert not {"overall_precision_low", "majority_overall_recall"} & set(table)


def test_the_printed_score_belongs_to_faithful_networks_of_the_paper(results, published):
    table = overall_tables.overall_table(results, published)
    np.testing.assert_allclose(table["paper"], [55.77, 38.52, *[np.nan] * 4])  # ResNet152 is printed as ResNet18


def test_pretrained_are_those_whose_weights_were_asked_for_or_brought(results, published):
    assert overall_tables.overall_table(results, published)["pretrained"].tolist() == ["yes", "no", "yes"] * 2
    without = overall_tables.overall_table(results.drop(columns=["model_args_weights", "weights_file"]), published)
    assert set(without["pretrained"]) == {"no"}


def test_results_without_the_metrics_are_refused(results, published):
    with pytest.raises(ValueError, match="overall_recall_at_622"):
        overall_tables.overall_table(results.drop(columns="overall_recall_at_622"), published)


@pytest.mark.parametrize(("metric", "ours"), [("overall_f1_at_622", 50), ("overall_f1", 60)])
def test_cells_are_what_the_figure_takes(results, published, metric, ours):
    cells = overall_tables.overall_cells(overall_tables.overall_table(results, published), metric=metric)
    assert cells["panel"].unique().tolist() == ["faithful, 182×268", "leak-free, 182×268"]
    assert cells["network"].tolist()[:3] == ["resnet\n152", "vgg\nlike\ncnn", "mobilenet\nv2"]
    assert cells[["ours", "low", "high", "majority"]].iloc[0].tolist() == pytest.approx([ours, ours - 2, ours + 2, 40])
    figure = figures.comparison_dots(cells, rows="panel", columns="network")
    assert [ax.get_title() for ax in figure.axes] == ["faithful, 182×268", "leak-free, 182×268"]


def test_runs_that_differ_in_epochs_or_rate_are_told_apart(results, published):
    grid = results.iloc[:2].assign(model="resnet50", epochs=[5, 10], learning_rate=[1e-3, 1e-4])
    cells = overall_tables.overall_cells(overall_tables.overall_table(grid, published))
    assert cells["network"].tolist() == ["resnet\n50\n5 epochs\n1e-3", "resnet\n50\n10 epochs\n1e-4"]
