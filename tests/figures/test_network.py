import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures
from poster_cnn.figures.network import SLOT


def texts(artists):
    return [text.get_text() for text in artists]


@pytest.fixture
def layers():
    return pd.DataFrame(
        [
            ("InputLayer", (None, 20, 10, 3), 0),
            ("Rescaling", (None, 20, 10, 3), 0),
            ("Conv2D", (None, 18, 8, 32), 896),
            ("MaxPooling2D", (None, 9, 4, 32), 0),
            ("Flatten", (None, 1152), 0),
            ("Dense", (None, 64), 73_792),
            ("Dropout", (None, 64), 0),
            ("Dense", (None, 4), 260),
        ],
        columns=["type", "output_shape", "num_params"],
    )


@pytest.fixture
def nested():
    """Layers of a network with a nested backbone."""
    layers = {"type": ["InputLayer", "Rescaling", "Functional", "GlobalAveragePooling2D", "Dense"]}
    layers["output_shape"] = [(268, 182, 3), (268, 182, 3), (9, 6, 512), (512,), (5,)]
    return pd.DataFrame(layers | {"num_params": [0, 0, 11_186_112, 0, 2565]})


def test_network_diagram_draws_boxes_in_proportion(layers):
    ax = figures.network_diagram(layers)
    fronts = ax.patches[0], ax.patches[6], ax.patches[9]  # three faces per map: input, convolution, pooling
    heights = [np.ptp(patch.get_xy()[:, 1]) for patch in fronts]
    assert heights == pytest.approx([heights[0], heights[0] * 18 / 20, heights[0] * 9 / 20])
    dashed = [patch.get_linestyle() in ("--", "dashed") for patch in ax.patches]
    assert dashed == [False] * 3 + [True] * 3 + [False] * 3 * 2 + [False, False, True, False]


def test_network_diagram_has_labels(layers):
    found = texts(figures.network_diagram(layers).findobj(plt.Text))
    for text in ("Conv", "18×8", "×32", "73,792", "Dropout", "1152", "74,948 parameters"):
        assert text in found


def test_network_diagram_shows_activations_of_the_table(layers):
    found = texts(figures.network_diagram(layers.assign(activation=["", "", "relu"] + [""] * 4 + ["softmax"])).texts)
    assert {"Activation", "relu", "softmax"} <= set(found)


def test_network_diagram_rejects_other_shapes(layers):
    layers.at[2, "output_shape"] = (None, 5, 7)
    with pytest.raises(ValueError, match="row 2"):
        figures.network_diagram(layers)


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


def test_network_diagram_separates_the_labels_from_the_first_layer(layers):
    dense = {"type": "Dense", "output_shape": (None, 64), "num_params": 954_244}
    ax = figures.network_diagram(pd.DataFrame([dense] + [dense | {"num_params": 0}] * 2))
    ax.figure.canvas.draw()
    label, number = (next(text for text in ax.texts if text.get_text() == name) for name in ("Parameters", "954,244"))
    assert label.get_window_extent().x1 + 2 < number.get_window_extent().x0


def test_network_diagram_merges_repeated_layers():
    rows = [
        ("InputLayer", (8, 8, 3), 0),
        ("Conv2D", (8, 8, 4), 10),
        ("Conv2D", (8, 8, 4), 20),
        ("Conv2D", (8, 8, 5), 7),
    ]
    rows += [("Dense", (1000,), 100_000_000), ("Dense", (1000,), 102_764_544), ("Dense", (4,), 16_781_312)]
    layers = pd.DataFrame(rows, columns=["type", "output_shape", "num_params"])
    ax = figures.network_diagram(layers, merge_repeated=True)
    found = texts(ax.texts)
    for text in ("2 Conv", "30", "Conv", "7", "2 Dense", "202,764,544", "Dense"):
        assert found.count(text) == 1
    assert ax.get_title("right") == "219,545,893 parameters"
    ax.figure.canvas.draw()
    first, second = (ax.texts[found.index(text)].get_window_extent() for text in ("202,764,544", "16,781,312"))
    assert first.x1 < second.x0
    assert "2 Conv" not in texts(figures.network_diagram(layers).texts)


def test_network_diagram_draws_connections_as_arcs(layers):
    plain, joined = figures.network_diagram(layers), figures.network_diagram(layers, connections=[(0, 3), (2, 3)])
    assert len(joined.patches) == len(plain.patches) + 2
    assert joined.get_ylim()[1] > plain.get_ylim()[1]
    for connections in ([(3, 0)], [(0, 8)], [(-1, 2)]):
        with pytest.raises(ValueError, match="`connections` must be pairs of row positions, from 0 to 7 in order"):
            figures.network_diagram(layers, connections=connections)


def test_network_diagram_draws_stages():
    stages = {"type": ["6 blocks", "Transition"], "output_shape": [(8, 8, 64), (4, 4, 32)], "num_params": [9, 3]}
    assert {"6 blocks", "Transition"} <= set(texts(figures.network_diagram(pd.DataFrame(stages)).texts))


def test_long_network_continues_in_another_line_of_a_page(layers):
    long = pd.concat([layers] * 3, ignore_index=True)
    ax = figures.network_diagram(long)
    assert ax.figure.get_figwidth() <= 7 < 24 * SLOT
    labels = [text for text in ax.texts if text.get_text() == "Layer"]
    assert len(labels) == 2 and len({text.get_position()[1] for text in labels}) == 2
    assert len(ax.patches) == 3 * len(figures.network_diagram(layers).patches)


def test_network_diagram_marks_frozen_layers(layers):
    assert "Weights" not in texts(figures.network_diagram(layers).texts)
    marked = layers.assign(frozen=[True] * 5 + [False] * 3)
    found = texts(figures.network_diagram(marked).texts)
    has_weights = layers["num_params"] > 0
    assert found.count("frozen") == has_weights[:5].sum() and found.count("trained") == has_weights[5:].sum()
