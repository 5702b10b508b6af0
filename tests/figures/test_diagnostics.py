import numpy as np
import pytest

from poster_cnn import figures

Y_TRUE = np.array([[1, 0], [1, 0], [0, 1], [1, 1]])
Y_PROB = np.array([[0.9, 0.6], [0.4, 0.2], [0.3, 0.8], [0.8, 0.4]])


def test_precision_recall_curve_marks_the_threshold_and_the_share():
    ax = figures.precision_recall_curve(Y_TRUE[:, 1], Y_PROB[:, 1], threshold=0.5, label="Drama")
    assert ax.get_title() == "Drama"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Average precision 83.3%", "Threshold 50%", "Share of movies 50.0%"]
    assert np.ravel(ax.lines[1].get_data()).tolist() == [50, 50]  # one of two found, one of two right


@pytest.mark.parametrize(("labels", "threshold"), [([0, 0, 0], 0.5), ([0, 1, 0], None), ([0, 1, 0], 1)])
def test_precision_recall_curve_of_rare_genres(labels, threshold):
    ax = figures.precision_recall_curve(labels, [0.1, 0.2, 0.3], threshold=threshold)
    assert not any("Threshold" in line.get_label() for line in ax.lines)


def test_reliability_diagram_compares_two_predictions():
    ax = figures.reliability_diagram(Y_TRUE, Y_PROB, num_bins=2)
    assert figures.reliability_diagram(Y_TRUE, Y_TRUE, num_bins=2, label="Perfect", ax=ax) is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Network: calibration error 10.0%", "Perfect: calibration error 0.0%"]
    assert ax.lines[1].get_ydata() == pytest.approx([50, 75]) and ax.lines[2].get_ydata().tolist() == [0, 100]


def test_genre_confusion_heatmap_counts_wrong_genres_of_movies_that_lack_them():
    ax = figures.genre_confusion_heatmap(Y_TRUE, Y_PROB >= 0.5, ["Drama", "Horror"])
    assert [text.get_text() for text in ax.texts] == ["67", "50", "0", "50"]
    ax = figures.genre_confusion_heatmap([[1, 0]], [[1, 0]], ["Drama", "Horror"])
    assert [text.get_text() for text in ax.texts] == ["100", "0"]  # no movies, no share
