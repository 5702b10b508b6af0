import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from poster_cnn import figures
from poster_cnn.figures import style

CLASS_NAMES = ["Horror", "Romance", "Action", "Documentary"]


@pytest.fixture
def history():
    cells = pd.MultiIndex.from_product([[30, 40], [1e-3, 1e-4, 1e-5]], names=["ratio", "learning_rate"])
    frame = cells.to_frame(index=False).merge(pd.DataFrame({"epoch": range(3), "loss": [1.5, 1.4, 1.3]}), how="cross")
    frame["run"] = frame["ratio"].astype(str) + "_" + frame["learning_rate"].astype(str)
    values = {"accuracy": [0.3, 0.4, 0.5], "val_accuracy": [0.3, 0.35, 0.4], "val_loss": [1.6, 1.5, 1.5]}
    return frame.assign(**{name: column * 6 for name, column in values.items()})


@pytest.fixture
def cells():
    index = pd.MultiIndex.from_product([[30, 40], [1e-3, 1e-4]], names=["ratio", "learning_rate"])
    frame = index.to_frame(index=False).assign(metric="first_label_accuracy", majority=37.4, color_histogram=42.0)
    return frame.assign(ours=[44, 50, 45, 55], low=40, high=60, paper=[42.7, 48.2, 43.2, np.nan])


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


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_genre_distribution_is_sorted_and_labelled():
    ax = figures.genre_distribution(pd.Series({"War": 5, "Drama": 4178, "Comedy": 70}), unit="Rows")
    assert ax.get_xlabel() == "Rows"
    assert [bar.get_width() for bar in ax.patches] == [4178, 70, 5]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Drama", "Comedy", "War"]
    assert ax.yaxis_inverted() and "4,178" in texts(ax.figure)


def test_genre_distribution_highlights_genres():
    ax = figures.genre_distribution(pd.Series({"Drama": 9, "Horror": 5}), highlight=["Horror"])
    assert [bar.get_facecolor() for bar in ax.patches[:2]] == [to_rgba(style.SKY), to_rgba(style.BLUE)]
    assert ax.get_legend() is not None


def test_cooccurrence_heatmap_colors_shares_and_prints_counts():
    names = ["Drama", "Horror", "News"]
    counts = pd.DataFrame([[100, 20, 0], [20, 40, 0], [0, 0, 0]], index=names, columns=names)
    ax = figures.genre_cooccurrence_heatmap(counts)
    share = np.asarray(ax.collections[0].get_array().filled(-1)).reshape(3, 3)
    assert (share[0, 1], share[1, 0]) == (20, 50)
    printed = [text.get_text() for text in ax.texts if text.get_text()]
    assert sorted(printed) == ["0", "100", "20", "20", "40"]


def test_learning_curve_is_in_percent_and_counts_epochs_from_one(history):
    ax = figures.learning_curve(history[history["run"] == "30_0.001"], baseline=0.374)
    train, validation, baseline = ax.lines
    assert list(train.get_xdata()) == [1, 2, 3]
    assert list(validation.get_ydata()) == pytest.approx([30, 35, 40])
    assert baseline.get_ydata()[0] == pytest.approx(37.4)
    assert train.get_linestyle() != validation.get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Train", "Validation", "Majority class"]


def test_learning_curve_draws_losses_without_percent(history):
    ax = figures.learning_curve(history[history["run"] == "30_0.001"].drop(columns="run"), metric="loss")
    assert list(ax.lines[0].get_ydata()) == [1.5, 1.4, 1.3]
    assert ax.get_ylabel() == "Loss"


def test_learning_curve_grid_has_a_cell_per_setting(history):
    history = history[history["run"] != "40_1e-05"]
    figure = figures.learning_curve_grid(history)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 2, 2, 2, 0]
    for text in ("Learning rate 1e-4", "Shrink ratio 40%", "Accuracy (%)", "Epoch"):
        assert text in texts(figure)
    assert len(figure.legends[0].get_texts()) == 2


def test_learning_curve_grid_of_one_row(history):
    figure = figures.learning_curve_grid(history, rows=None, columns="ratio", metric="loss")
    assert [len(ax.lines) for ax in figure.axes] == [6, 6]


def test_comparison_dots_have_a_panel_per_row_and_a_legend(cells):
    figure = figures.comparison_dots(cells)
    assert [ax.get_title() for ax in figure.axes] == ["Shrink ratio 30%", "Shrink ratio 40%"]
    ours = figure.axes[1].containers[0].lines[0]
    assert list(ours.get_ydata()) == [45, 55]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["Majority class", "Color histogram + logistic regression", "Paper", "Ours, 95% interval"]


def test_network_diagram_draws_boxes_in_proportion(layers):
    ax = figures.network_diagram(layers)
    fronts = ax.patches[0], ax.patches[6], ax.patches[9]  # three faces per map: input, convolution, pooling
    heights = [np.ptp(patch.get_xy()[:, 1]) for patch in fronts]
    assert heights == pytest.approx([heights[0], heights[0] * 18 / 20, heights[0] * 9 / 20])
    dashed = [patch.get_linestyle() in ("--", "dashed") for patch in ax.patches]
    assert dashed == [False] * 3 + [True] * 3 + [False] * 3 * 2 + [False, False, True, False]


def test_network_diagram_has_labels(layers):
    found = texts(figures.network_diagram(layers).figure)
    for text in ("Conv", "18×8", "×32", "73,792", "Dropout", "1152", "74,948 parameters"):
        assert text in found


def test_network_diagram_shows_activations_of_the_table(layers):
    found = texts(figures.network_diagram(layers.assign(activation=["", "", "relu"] + [""] * 4 + ["softmax"])).figure)
    assert {"Activation", "relu", "softmax"} <= set(found)


def test_network_diagram_rejects_other_shapes(layers):
    layers.at[2, "output_shape"] = (None, 5, 7)
    with pytest.raises(ValueError, match="row 2"):
        figures.network_diagram(layers)


def test_prediction_card_sorts_genres_and_marks_the_true_one():
    poster = np.zeros((268, 182, 3), "uint8")
    figure = figures.prediction_card(poster, [0.15, 0.49, 0.17, 0.19], CLASS_NAMES, true_genres=["Documentary"])
    picture, bars, truth = figure.axes
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["Romance", "Documentary", "Action", "Horror"]
    assert [text.get_text() for text in bars.texts] == ["49%", "19%", "17%", "15%"]
    assert [text.get_text() for text in truth.texts] == ["Correct genre", "✗", "Documentary"]


@pytest.mark.parametrize(
    "true_genres, marks",
    [
        (["Horror"], ["Correct genre", "✓", "Horror"]),
        (["Romance", "Horror"], ["Correct genres", "✓", "Horror", "✓", "Romance"]),
        (["Action", "Horror"], ["Correct genres", "✓", "Horror", "✗", "Action"]),
        (["Drama", "Romance"], ["Correct genres", "✗", "Romance", "–", "Drama"]),
        (None, []),
    ],
)
def test_prediction_card_marks_follow_the_ranking(true_genres, marks):
    figure = figures.prediction_card(np.zeros((4, 4)), [0.6, 0.2, 0.15, 0.05], CLASS_NAMES, true_genres=true_genres)
    assert [text.get_text() for text in figure.axes[2].texts] == marks


@pytest.mark.filterwarnings("error")
def test_font_has_glyphs_for_the_marks(tmp_path):
    for genre in ("Horror", "Romance"):
        card = figures.prediction_card(np.zeros((4, 4)), [0.6, 0.4], ["Horror", "Romance"], true_genres=[genre])
        card.savefig(tmp_path / "card.png")


@pytest.mark.parametrize(
    "image",
    [
        np.full((8, 6, 3), 255.0, "float32"),
        np.full((8, 6), 255, "uint8"),
        np.full((8, 6, 1), 255.0),
        Image.new("L", (6, 8), 255),
        Image.new("CMYK", (6, 8)),
    ],
)
def test_prediction_card_accepts_arrays_and_pil_images(image):
    figure = figures.prediction_card(image, [1.0], ["Horror"])
    shown = figure.axes[0].images[0]
    assert shown.get_array().shape[:2] == (8, 6)
    assert (shown.to_rgba(shown.get_array()) == 1).all()


def test_prediction_card_rejects_other_lengths():
    with pytest.raises(ValueError, match="class_names"):
        figures.prediction_card(np.zeros((4, 4)), [0.5, 0.5], CLASS_NAMES)


def test_prediction_cards_share_a_figure():
    images = [np.zeros((4, 3, 3))] * 3
    figure = figures.prediction_cards(
        images, np.full((3, 4), 0.25), CLASS_NAMES, titles=["A", "B", "C"], true_genres=[["Horror"], None, None], top=2
    )
    assert len(figure.axes) == 3 * 3
    assert len(figure.axes[1].patches) == 2
    assert {"A", "B", "C"} <= set(texts(figure))
    with pytest.raises(ValueError, match="same length"):
        figures.prediction_cards(images, np.zeros((2, 4)), CLASS_NAMES)


def test_figures_draw_on_the_given_axes(history, layers):
    square = pd.DataFrame([[5, 1], [1, 4]], index=["Drama", "War"], columns=["Drama", "War"])
    images = pd.DataFrame({"genre": ["Drama"], "posters": [2], "images": [4], "crops": [2]})
    folds = pd.DataFrame({"set_name": ["set=1"], "validation_first_label_accuracy": [0.3]})
    draws = pd.DataFrame({"learning_rate": [1e-4], "accuracy": [30.0], "std": [1.0], "batch_norm": [False]})
    run = history[history["run"] == "30_0.001"]
    for function, data in (
        (figures.genre_distribution, square["Drama"]),
        (figures.genre_cooccurrence_heatmap, square),
        (figures.crop_distribution, images),
        (figures.learning_curve, history),
        (figures.early_stopping_curve, run),
        (figures.network_diagram, layers),
        (figures.cross_validation_dots, folds),
        (figures.search_scatter, draws),
        (figures.fusion_diagram, {"poster": (10, 4)}),
    ):
        _, ax = plt.subplots()
        assert function(data, ax=ax) is ax


def test_paper_style_does_not_change_other_settings(history):
    before = dict(plt.rcParams)
    figures.learning_curve_grid(history)
    assert dict(plt.rcParams) == before


def test_prediction_card_draws_a_placeholder():
    figure = figures.prediction_card(None, [0.7, 0.3], ["Horror", "Romance"])
    assert any("not shown" in text.get_text() for ax in figure.axes for text in ax.texts)
