import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures


def legend(owner):
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


@pytest.fixture
def folds():
    frame = pd.DataFrame({"set_name": ["set=2", "set=1", "set=1"]})
    return frame.assign(validation_first_label_accuracy=[0.3, 0.2, 0.4])


@pytest.fixture
def scores():
    frame = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 5e-3], "accuracy": [30.0, 25.0, 20.0]})
    return frame.assign(std=[1.0, 2.0, np.nan], dropout=0.3, batch_norm=[False, True, False])


def test_cross_validation_dots_draw_folds_and_means(folds):
    ax = figures.cross_validation_dots(folds, lines={"Majority class": 17.9})
    line, dots, means = ax.lines
    assert line.get_ydata()[0] == 17.9
    assert sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == [(0, 20), (0, 40), (1, 30)]
    assert dict(zip(means.get_xdata(), means.get_ydata(), strict=True)) == pytest.approx({0: 30, 1: 30})
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    assert legend(ax) == ["Majority class", "Held-out fold", "Mean of folds"]


def test_cross_validation_dots_sort_sets_by_number(folds):
    ax = figures.cross_validation_dots(pd.concat([folds.assign(set_name=f"set={number}") for number in (10, 9, 1)]))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "9", "10"]


def test_cross_validation_dots_draw_test_rows_next_to_the_folds(folds):
    test = figures.cross_validation_dots(folds.assign(first_label_accuracy=[0.1, 0.3, 0.2])).lines[-1]
    assert dict(zip(test.get_xdata(), test.get_ydata(), strict=True)) == pytest.approx({0.25: 25, 1.25: 10})
    assert test.get_label() == "Mean, test rows"


def test_search_scatter_draws_test_rows(scores):
    ax = figures.search_scatter(scores.assign(test=[24.0, 23.0, 22.0]), part="test rows")
    assert [list(container.lines[0].get_ydata()) for container in ax.containers] == [[24, 22], [23]]
    assert ax.get_ylabel() == "Accuracy on test rows (%)" and not any(ax.containers[0].lines[2])
    with pytest.raises(ValueError, match="`scores` must"):
        figures.search_scatter(scores, part="test rows")


def test_search_scatter_distinguishes_batch_normalization(scores):
    ax = figures.search_scatter(scores, lines={"Majority class": 17.9})
    without, with_norm = (container.lines[0] for container in ax.containers)
    assert list(without.get_xdata()) == [1e-4, 5e-3] and list(with_norm.get_ydata()) == [25]
    assert without.get_color() != with_norm.get_color() and without.get_marker() != with_norm.get_marker()
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "Learning rate")
    assert ax.get_ylabel() == "Accuracy on held-out folds (%),\nmean ± SD of folds"
    assert len(figures.search_scatter(scores[~scores["batch_norm"]]).containers) == 1
    assert legend(ax) == ["Majority class", "Without batch normalization", "With batch normalization"]
