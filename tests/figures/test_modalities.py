import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from poster_cnn import figures
from poster_cnn.figures.modalities import MODEL_COLORS
from poster_cnn.figures.style import BLUE

NAN = float("nan")
WIDTHS = {"poster": (4096, 1000, 13), "trailer": ("200×4096", 4096, 1000, 13), "plot": (300, 50, 13)}
MODALITIES = ("poster", "trailer", "metadata", "plot")


def texts(artists):
    return [text.get_text() for text in artists]


def legend(owner):
    found = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


def subsets_of(modalities, seeds=(0, 1)):
    rows = []
    for number in reversed(range(1, 2 ** len(modalities))):  # largest first; the figure sorts
        names = [name for bit, name in enumerate(modalities) if number >> bit & 1]
        row = {"modalities": "+".join(names), "num_modalities": len(names)}
        for seed in seeds:
            rows.append(row | {"seed": seed, "genre": "", "average_precision": 0.1 * len(names) + 0.02 * seed})
            rows.append(row | {"seed": seed, "genre": "Drama", "average_precision": 0.9})
    return pd.DataFrame(rows)


@pytest.fixture
def scores():
    columns = ["model", "metric", "value", "sd", "low", "high", "runs", "published"]
    rows = []
    for metric in ("micro", "macro", "samples"):
        rows += [
            ("poster", metric, 0.4, 0.02, 0.3, 0.35, 5, 0.52),
            ("trailer", metric, NAN, NAN, NAN, NAN, 0, 0.59),
            ("audio", metric, NAN, NAN, NAN, NAN, 0, NAN),
            ("ensemble", metric, 0.6, 0.01, 0.58, 0.62, 5, NAN),
            ("label_prior", metric, 0.2, NAN, NAN, NAN, 0, NAN),
        ]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def by_genre():
    rows = []
    for seed, score in ((0, 0.3), (1, 0.5)):
        for model, more in (("ensemble", 0.2), ("poster", 0)):
            rows.append(("", model, seed, "Sci-Fi", 1084, score + more, 0.12))
            rows.append(("", model, seed, "Animation", 0, NAN, 0.0))
    columns = ["set_name", "model", "seed", "genre", "positives", "average_precision", "label_prior"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def gains():
    rows = [("Sci-Fi", "poster", 0.3, -0.02, 0.6, 0.011), ("Sci-Fi", "plot", 0.5, 0.04, 0.6, NAN)]
    rows += [("Drama", "poster", 0.4, NAN, 0.7, NAN), ("Drama", "plot", NAN, 0.01, 0.7, 0.0)]
    return pd.DataFrame(rows, columns=["genre", "modality", "alone", "gain", "all", "gain_sd"])


def test_fusion_diagram_draws_every_branch():
    ax = figures.fusion_diagram(WIDTHS)
    found = texts(ax.texts)
    for text in ("Trailer", "4,096 → 1,000 → 13", "200×4096 → 4,096 → 1,000 → 13", "39 → 13", "13\ngenres"):
        assert text in found
    assert sum(text.arrow_patch is not None for text in ax.texts if hasattr(text, "arrow_patch")) == len(WIDTHS) + 1


@pytest.mark.parametrize("widths", [{}, WIDTHS | {"metadata": (11113, 4)}])
def test_fusion_diagram_rejects_different_numbers_of_genres(widths):
    with pytest.raises(ValueError, match="Received: widths="):
        figures.fusion_diagram(widths)


def test_average_precision_dots_draw_means_and_intervals(scores):
    figure = figures.average_precision_dots(scores)
    assert [ax.get_title() for ax in figure.axes] == ["Micro", "Macro", "Samples"]
    assert texts(figure.axes[0].get_yticklabels()) == ["Poster", "Trailer", "Ensemble"]
    for ax in figure.axes:
        lines = {line.get_label(): line.get_xdata() for line in ax.lines}
        assert list(lines["Label prior"]) == [20, 20]
        np.testing.assert_allclose(lines["Paper"], [52, 59, NAN])
        means, _, (deviations,) = ax.containers[0]
        np.testing.assert_allclose(means.get_xdata().astype(float), [40, NAN, 60])
        np.testing.assert_allclose(deviations.get_segments()[0][:, 0], [38, 42])
        interval = next(part for part in ax.collections if part.get_label().startswith("95%"))
        np.testing.assert_allclose(interval.get_segments()[0][:, 0], [30, 35])
    assert sorted(legend(figure)) == [
        "95% interval of the mean, over test movies",
        "Label prior",
        "Ours, mean ± standard deviation of seeds",
        "Paper",
    ]


def test_average_precision_dots_without_deviation_and_printed_scores(scores):
    figure = figures.average_precision_dots(scores.assign(sd=NAN, published=NAN))
    assert "Ours" in legend(figure) and "Paper" not in legend(figure)
    assert texts(figure.axes[0].get_yticklabels()) == ["Poster", "Ensemble"]


def test_genre_bars_are_means_in_the_order_of_the_modalities(by_genre):
    ax = figures.genre_average_precision_bars(by_genre)
    assert texts(ax.get_xticklabels()) == ["Sci-Fi\n(1,084)", "Animation\n(0)"]
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in ax.containers}
    assert list(heights) == ["Poster", "Ensemble"]
    np.testing.assert_allclose(heights["Poster"], [40, NAN])
    np.testing.assert_allclose(heights["Ensemble"], [60, NAN])
    assert ax.containers[1][0].get_facecolor() == to_rgba(MODEL_COLORS["ensemble"])
    prior = next(part for part in ax.collections if part.get_label() == "Label prior").get_segments()
    np.testing.assert_allclose([line[:, 1] for line in prior], [[12, 12], [0, 0]])


def test_genre_bars_of_five_networks_do_not_overlap(by_genre):
    poster = by_genre[by_genre["model"] == "poster"]
    ax = figures.genre_average_precision_bars(pd.concat(poster.assign(model=name) for name in MODEL_COLORS))
    bars = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for part in ax.containers for bar in part)
    assert len(bars) == 10 and all(left[1] < right[0] for left, right in zip(bars, bars[1:], strict=False))


def test_legend_of_genre_bars_fits_on_the_figure(by_genre):
    poster = by_genre[by_genre["model"] == "poster"]
    ax = figures.genre_average_precision_bars(pd.concat(poster.assign(model=name) for name in list(MODEL_COLORS)[:4]))
    ax.figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    assert box.x0 >= 0 and box.x1 <= ax.figure.bbox.x1


def test_genre_bars_reject_several_sets(by_genre):
    with pytest.raises(ValueError, match="set_name=\\['', 'dropout'\\]"):
        figures.genre_average_precision_bars(pd.concat([by_genre, by_genre.assign(set_name="dropout")]))


def test_modality_gains_heatmap_has_scores_and_gains(gains):
    alone, gain = figures.modality_gains_heatmap(gains).axes[:2]
    assert texts(alone.get_yticklabels()) == ["Sci-Fi", "Drama"]
    assert texts(alone.get_xticklabels()) == ["Poster", "Plot", "All"]
    assert texts(gain.get_xticklabels()) == ["Poster", "Plot"]
    assert texts(alone.texts) == ["30.0", "50.0", "60.0", "40.0", "70.0"]  # missing values have no text
    assert [text for text in texts(gain.texts) if text] == ["-2.0 ± 1.1", "+4.0", "+1.0 ± 0.0"]
    assert gain.collections[0].get_clim() == (-4, 4)
    assert gain.get_title() == "Gain over all the others (points, ± SD of seeds)"


def test_modality_gains_heatmap_of_one_modality(gains):
    single = gains[gains["modality"] == "poster"].assign(gain=NAN, gain_sd=NAN)
    alone, gain = figures.modality_gains_heatmap(single).axes[:2]
    assert len(alone.texts) == 4 and not any(texts(gain.texts))
    assert np.isfinite(gain.collections[0].get_clim()).all()


@pytest.mark.parametrize("count", [1, 3, 4])
def test_modality_subsets_dots_have_a_column_per_subset(count):
    figure = figures.modality_subsets_dots(subsets_of(MODALITIES[:count]))
    ax, matrix = figure.axes
    means = ax.containers[0][0].get_ydata()
    assert len(means) == 2**count - 1 and (np.diff(means) >= -1e-9).all()
    assert means[[0, -1]] == pytest.approx([11, 10 * count + 1])  # rows of genres are ignored
    filled = [line for line in matrix.lines if line.get_marker() == "o" and line.get_color() == BLUE]
    assert [len(line.get_ydata()) for line in filled] == sorted(len(line.get_ydata()) for line in filled)
    assert len(filled) == 2**count - 1 and list(filled[-1].get_ydata()) == list(range(count))
    assert texts(matrix.get_yticklabels()) == [name.capitalize() for name in MODALITIES[:count]]
    assert figure.get_size_inches()[0] <= figures.PAGE_WIDTH


def test_modality_subsets_dots_of_one_seed_have_no_error_bars():
    ax = figures.modality_subsets_dots(subsets_of(("poster", "plot"), seeds=(0,))).axes[0]
    ends = ax.containers[0][2][0].get_segments()
    assert texts(ax.texts) == ["10.0", "10.0", "20.0"] and all(np.ptp(end[:, 1]) == 0 for end in ends)
