import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures, metrics
from poster_cnn.results import errata


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, (150, 3))
    return errata.scores_by_mistake(y_true, rng.random((150, 3)), train_labels=y_true, num_resamples=20)


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_errata_dots_have_a_range_per_way_of_scoring(table):
    figure = figures.errata_dots(table)
    for ax, threshold in zip(figure.axes, (0.5, metrics.LOGIT_HALF), strict=True):
        rows = table[(table["threshold"] == threshold) & (table["predictions"] == "network")]
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), rows["overall_f1"])
        ranges = [segment[:, 1] for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(ranges, rows[["low", "high"]])
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert names == ["Last batch\n(22 posters)", "Mean of batches\n(150 posters)", "Whole test set\n(150 posters)"]
    assert [ax.get_title()[-6:].strip() for ax in figure.axes] == ["of 0.5", "0.622"]


def test_errata_dots_draw_constant_predictions_as_lines(table):
    figure = figures.errata_dots(table)
    constant = table[(table["threshold"] == 0.5) & (table["predictions"] != "network")]
    lines = figure.axes[0].lines[: len(constant)]
    assert [line.get_ydata()[0] for line in lines] == constant["overall_f1"].tolist()
    assert legend_of(figure)[0] == "Always the most frequent genre"
    without = figures.errata_dots(table[table["predictions"] == "network"])
    assert legend_of(without) == ["95% range", "Our network"]


def test_errata_dots_draw_the_printed_score_at_its_threshold(table):
    figure = figures.errata_dots(table.round(3), printed=63.31, printed_name="Paper, DenseNet201")
    (drawn,) = [(ax, line) for ax in figure.axes for line in ax.lines if line.get_label() == "Paper, DenseNet201"]
    assert drawn[0] is figure.axes[1] and list(drawn[1].get_ydata()) == [63.31]
    assert round(drawn[1].get_xdata()[0]) == 0  # the last batch
    assert legend_of(figure)[-1] == "Paper, DenseNet201"


@pytest.fixture
def nested():
    """Layers of a network with a nested backbone."""
    layers = {"type": ["InputLayer", "Rescaling", "Functional", "GlobalAveragePooling2D", "Dense"]}
    layers["output_shape"] = [(268, 182, 3), (268, 182, 3), (9, 6, 512), (512,), (5,)]
    return pd.DataFrame(layers | {"num_params": [0, 0, 11_186_112, 0, 2565]})


def test_network_diagram_shows_a_nested_backbone(nested):
    ax = figures.network_diagram(nested)
    assert ["Input", "Rescale", "Backbone", "Pool", "Dense"] == [
        text.get_text() for text in ax.texts if text.get_text()[:1].isupper() and text.get_color() == "black"
    ]


def test_network_diagram_does_not_overlap_long_sizes(nested):
    ax = figures.network_diagram(nested)
    ax.figure.canvas.draw()
    first, second = [text.get_window_extent() for text in ax.texts if text.get_text() == "268×182"]
    assert first.x1 < second.x0
