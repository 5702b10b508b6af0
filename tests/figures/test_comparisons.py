import numpy as np
import pandas as pd
import pytest

from poster_cnn import figures, metrics
from poster_cnn.results import errata


def legend(owner):
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


@pytest.fixture
def cells():
    index = pd.MultiIndex.from_product([[30, 40], [1e-3, 1e-4]], names=["ratio", "learning_rate"])
    frame = index.to_frame(index=False).assign(metric="first_label_accuracy", majority=37.4, color_histogram=42.0)
    return frame.assign(ours=[44, 50, 45, 55], low=40, high=60, paper=[42.7, 48.2, 43.2, np.nan])


@pytest.fixture
def by_genre():
    frame = pd.DataFrame({"genre": ["Action", "Drama"], "test_images": [20, 1200], "label_prior": [0.0, 100.0]})
    networks = [frame.assign(network=name, accuracy=score) for name, score in (("densenet121", 30.0), ("custom", 4.0))]
    return pd.concat(networks, ignore_index=True)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, (150, 3))
    return errata.scores_by_mistake(y_true, rng.random((150, 3)), train_labels=y_true, num_resamples=20)


def test_comparison_dots_have_a_panel_per_row_and_a_legend(cells):
    figure = figures.comparison_dots(cells)
    assert [ax.get_title() for ax in figure.axes] == ["Shrink ratio 30%", "Shrink ratio 40%"]
    ours = figure.axes[1].containers[0].lines[0]
    assert list(ours.get_ydata()) == [45, 55]
    names = legend(figure)
    assert names == ["Majority class", "Color histogram + logistic regression", "Paper", "Ours, 95% interval"]
    labels = [[tick.get_text() for tick in ax.get_xticklabels()] for ax in figures.comparison_dots(cells[1:]).axes]
    assert labels == [["1e-4"], ["1e-4", "1e-3"]]  # no empty places


def test_comparison_dots_draw_runs_without_a_ratio(cells):
    figure = figures.comparison_dots(cells.assign(ratio=cells["ratio"].where(cells["ratio"] == 30)))
    assert [ax.get_title() for ax in figure.axes] == ["Shrink ratio 30%", "Shrink ratio –"]
    assert list(figure.axes[1].containers[0].lines[0].get_ydata()) == [45, 55]


def test_genre_accuracy_dots_are_sorted_by_frequency(by_genre):
    figure = figures.genre_accuracy_dots(by_genre)
    assert [ax.get_title() for ax in figure.axes] == ["DenseNet-121", "Custom network"]
    ax = figure.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Drama (1,200)", "Action (20)"]
    prior, network = ax.lines
    assert list(prior.get_xdata()) == [100, 0] and list(network.get_xdata()) == [30, 30]
    assert list(figure.axes[1].lines[1].get_xdata()) == [4, 4]
    assert legend(figure) == ["Label prior", "Network"]
    others = by_genre.assign(test_images=by_genre["test_images"].where(by_genre["network"] != "custom", 7))
    labels = figures.genre_accuracy_dots(others).axes[1].get_yticklabels()
    assert [tick.get_text() for tick in labels] == ["Drama (7)", "Action (7)"]


def test_genre_accuracy_dots_leave_a_gap_for_a_missing_genre(by_genre):
    figure = figures.genre_accuracy_dots(by_genre.iloc[:3], panels="network")
    drama, action = figure.axes[1].lines[1].get_xdata()
    assert pd.isna(drama) and action == 4


def test_comparison_dots_without_printed_scores_have_no_paper_in_the_legend():
    cells = pd.DataFrame({"panel": "a", "network": ["x", "y"], "metric": "top_n_accuracy", "ours": [1.0, 2.0]})
    figure = figures.comparison_dots(cells.assign(paper=[None, 4.1]), rows="panel", columns="network")
    assert legend(figure)[0] == "Paper"
    figure = figures.comparison_dots(cells.assign(paper=float("nan")), rows="panel", columns="network")
    assert "Paper" not in legend(figure)


def test_errata_dots_have_a_range_per_way_of_scoring(table):
    figure = figures.errata_dots(table)
    for ax, threshold in zip(figure.axes, (0.5, metrics.LOGIT_HALF), strict=True):
        rows = table[(table["threshold"] == threshold) & (table["predictions"] == "network")]
        np.testing.assert_allclose(ax.lines[-1].get_ydata(), rows["overall_f1"])
        ranges = [segment[:, 1] for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(ranges, rows[["low", "high"]])
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert names == ["Last batch\n(22 posters)", "Mean of batches\n(150 posters)", "Whole test set\n(150 posters)"]
    assert [ax.get_title() for ax in figure.axes] == ["Threshold 0.5", "Threshold 0.622"]


def test_errata_dots_draw_constant_predictions_as_lines(table):
    figure = figures.errata_dots(table)
    constant = table[(table["threshold"] == 0.5) & (table["predictions"] != "network")]
    lines = figure.axes[0].lines[: len(constant)]
    assert [line.get_ydata()[0] for line in lines] == constant["overall_f1"].tolist()
    assert legend(figure)[0] == "Always the most frequent genre"
    without = figures.errata_dots(table[table["predictions"] == "network"])
    assert legend(without) == ["95% of random orders; whole test set: 95% interval", "Our network"]


def test_errata_dots_draw_the_printed_score_at_its_threshold(table):
    figure = figures.errata_dots(table.round(3), printed=63.31, printed_name="Paper, DenseNet201")
    (drawn,) = [(ax, line) for ax in figure.axes for line in ax.lines if line.get_label() == "Paper, DenseNet201"]
    assert drawn[0] is figure.axes[1] and list(drawn[1].get_ydata()) == [63.31]
    assert round(drawn[1].get_xdata()[0]) == 0  # the last batch
    assert legend(figure)[-1] == "Paper, DenseNet201"


def test_claims_dots_group_claims_by_metric_and_mark_stand_ins():
    rows = [("A", "overall_f1", 50, 0, 60), ("B", "hit_at_1", 70, np.nan, 40), ("C", "overall_f1", np.nan, 0, 60)]
    claims = pd.DataFrame(rows, columns=["claim", "metric", "score", "silence", "constant"])
    ax = figures.claims_dots(claims.assign(guess=30, prevalences_from=["source", "stand-in: ours", "source"]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["B: Hit@1", "A: Overall F1"]
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["Always the same genres"] == [40, 60] and legend(ax.figure) == list(drawn)
    assert (drawn["Claim, prevalences of its source"], drawn["Claim, stand-in prevalences"]) == ([50], [70])
