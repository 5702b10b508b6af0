import pandas as pd
import pytest

from poster_cnn import figures


@pytest.fixture
def counts():
    frame = pd.DataFrame({"genre": ["Drama", "Horror"], "posters": [2500, 100], "images": [4000, 3000]})
    return frame.assign(crops=frame["images"] - frame["posters"])


@pytest.fixture
def by_genre():
    frame = pd.DataFrame({"genre": ["Action", "Drama"], "test_images": [20, 1200], "label_prior": [0.0, 100.0]})
    networks = [frame.assign(network=name, accuracy=score) for name, score in (("densenet121", 30.0), ("custom", 4.0))]
    return pd.concat(networks, ignore_index=True)


def test_crop_distribution_stacks_crops_on_posters(counts):
    ax = figures.crop_distribution(counts, crops_per_genre=3000)
    posters, crops = ([(bar.get_x(), bar.get_width()) for bar in bars] for bars in ax.containers)
    assert posters == [(0, 2500), (0, 100)] and crops == [(2500, 1500), (100, 2900)]
    assert [text.get_text() for text in ax.texts] == ["4,000", "3,000"]
    assert ax.lines[0].get_xdata()[0] == 3000
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["3,000 images", "Crops", "Whole posters"]


def test_crop_distribution_without_a_target_has_no_line(counts):
    assert not figures.crop_distribution(counts).lines


def test_genre_accuracy_dots_are_sorted_by_frequency(by_genre):
    figure = figures.genre_accuracy_dots(by_genre)
    assert [ax.get_title() for ax in figure.axes] == ["densenet121", "custom"]
    ax = figure.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Drama (1,200)", "Action (20)"]
    prior, network = ax.lines
    assert list(prior.get_xdata()) == [100, 0] and list(network.get_xdata()) == [30, 30]
    assert list(figure.axes[1].lines[1].get_xdata()) == [4, 4]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Label prior", "Network"]


def test_genre_accuracy_dots_leave_a_gap_for_a_missing_genre(by_genre):
    figure = figures.genre_accuracy_dots(by_genre.iloc[:3], panels="network")
    drama, action = figure.axes[1].lines[1].get_xdata()
    assert pd.isna(drama) and action == 4


def test_comparison_dots_without_printed_scores_have_no_paper_in_the_legend():
    cells = pd.DataFrame({"panel": "a", "network": ["x", "y"], "metric": "top_n_accuracy", "ours": [1.0, 2.0]})
    figure = figures.comparison_dots(cells.assign(paper=[None, 4.1]), rows="panel", columns="network")
    assert [text.get_text() for text in figure.legends[0].get_texts()][0] == "Paper"
    figure = figures.comparison_dots(cells.assign(paper=float("nan")), rows="panel", columns="network")
    assert "Paper" not in [text.get_text() for text in figure.legends[0].get_texts()]
