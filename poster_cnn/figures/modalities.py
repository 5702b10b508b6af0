"""Figures of paper 5: average precision of posters, trailers, metadata and plots, alone and together."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.patches import FancyBboxPatch

from poster_cnn.figures.style import (
    AXES,
    BLUE,
    COLUMN_WIDTH,
    GREEN,
    GREY,
    LEGEND_ABOVE,
    LIGHT_GREY,
    LINE_STYLES,
    ORANGE,
    PAGE_WIDTH,
    SKY,
    new_axes,
    panel_axes,
    paper_style,
)
from poster_cnn.metrics import arguments
from poster_cnn.results.tables import BASELINES, title

# In the order of every figure; the colors are distinct in grey.
MODEL_COLORS = {"poster": BLUE, "trailer": SKY, "metadata": ORANGE, "plot": GREEN, "ensemble": "#404040"}
PANELS = ("micro", "macro", "samples")
BRANCH = 0.42  # inches, height of a branch in a diagram


@arguments.checked(widths=arguments.instance(dict), ax=AXES)
@paper_style()
def fusion_diagram(widths, *, ax=None):
    """Draw the branches of an ensemble and the layer that combines them (LeBaron, section 4).

    Args:
        widths: Dictionary from modality to the size of the branch's input and the units of its layers, such as
            `{"poster": (4096, 1000, 13), "trailer": ("200×4096", 4096, 1000, 13)}`: ints, or a text for an input that
            is no vector. The last entry is the number of genres.
        ax: Axes to draw on, with an aspect of about 2 to 1. Defaults to a new figure of column width.

    Returns:
        matplotlib Axes.

    Raises:
        ValueError: If there are no branches, or their numbers of genres differ.
    """
    genres = {units[-1] for units in widths.values()}
    if len(genres) != 1:
        raise ValueError(f"`widths` must be branches that all end in the same number. Received: widths={widths}")
    num_classes = genres.pop()
    height = BRANCH * len(widths)
    ax = new_axes(height + 0.05) if ax is None else ax
    for row, (modality, units) in enumerate(widths.items()):
        y = height - BRANCH * (row + 0.5)
        color = MODEL_COLORS.get(modality, GREY)
        _box(ax, (0, y - 0.17), 1.72, 0.34, facecolor="white", edgecolor=color)
        _box(ax, (0, y - 0.17), 0.07, 0.34, facecolor=color, edgecolor=color)
        ax.text(0.13, y + 0.075, title(modality), fontsize=6.5, fontweight="bold", va="center")
        ax.text(0.13, y - 0.075, " → ".join(map(_units, units)), fontsize=6, va="center")
        _arrow(ax, (1.74, y), (2.16, height / 2 + 0.2 * (y - height / 2)))
    middle = height / 2
    _box(ax, (2.18, middle - 0.24), 0.58, 0.48, facecolor=LIGHT_GREY, edgecolor=MODEL_COLORS["ensemble"])
    ax.text(2.47, middle + 0.09, "Fusion", fontsize=6.5, fontweight="bold", ha="center", va="center")
    fused = f"{_units(len(widths) * num_classes)} → {_units(num_classes)}"
    ax.text(2.47, middle - 0.09, fused, fontsize=6, ha="center", va="center")
    _arrow(ax, (2.78, middle), (2.94, middle))
    ax.text(2.96, middle, f"{num_classes}\ngenres", fontsize=6, va="center")
    ax.set(xlim=(-0.01, 3.26), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax


@arguments.checked(scores=arguments.table("model", "metric", "value", "published", "sd", "low", "high", empty=False))
@paper_style()
def average_precision_dots(scores):
    """Draw average precision of all networks with intervals and the paper's numbers (Fig. 5 of LeBaron, section 5).

    Args:
        scores: DataFrame from `lebaron.average_precision_scores`. Each metric is a panel; baselines are vertical lines.

    Returns:
        matplotlib Figure of page width. Networks keep the order of `scores`; those without any number are skipped.
    """
    known = scores[scores["value"].notna() | scores["published"].notna()]
    models = [name for name in known["model"].unique() if name not in BASELINES]
    places = np.arange(len(models))
    figure, axes = panel_axes(len(PANELS), 0.95 + 0.23 * len(models), sharex=False)
    for ax, metric in zip(axes.flat, PANELS, strict=True):
        cells = known[known["metric"] == metric].set_index("model")
        lines = [name for name in BASELINES if name in cells.index]
        for name, linestyle in zip(lines, LINE_STYLES, strict=False):
            ax.axvline(100 * cells.at[name, "value"], color=GREY, linestyle=linestyle, linewidth=0.9, label=title(name))
        ours = 100 * cells.reindex(models)[["value", "sd", "low", "high", "published"]].astype(float)
        interval = {"color": SKY, "linewidth": 4.5, "label": "95% interval of the mean, over test movies"}
        ax.hlines(places, ours["low"], ours["high"], **interval)
        sd = {"fmt": "o", "color": BLUE, "markersize": 3.5, "elinewidth": 1}
        name = "Ours, mean ± standard deviation of seeds" if ours["sd"].notna().any() else "Ours"
        ax.errorbar(ours["value"], places, xerr=ours["sd"].fillna(0), label=name, **sd)
        if known["published"].notna().any():
            look = {"color": ORANGE, "markersize": 4, "markerfacecolor": "white", "linestyle": "none"}
            ax.plot(ours["published"], places, marker="D", label="Paper", **look)
        ax.xaxis.set_major_locator(plt.MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.margins(x=0.07)
        ax.set(title=metric.capitalize(), ylim=(len(models) - 0.5, -0.5))
        ax.set_yticks(places, [title(name) for name in models])
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    figure.supxlabel("Average precision (%)", fontsize=7)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@arguments.checked(
    frame=arguments.table("set_name", "genre", "model", "average_precision", "positives", "label_prior", empty=False)
)
@paper_style()
def genre_average_precision_bars(frame):
    """Draw the average precision of each genre and network as bars, averaged over the seeds (LeBaron, section 5).

    Args:
        frame: DataFrame from `lebaron.genre_average_precision` with one value of `set_name`.

    Returns:
        matplotlib Axes. Genres keep the order of `frame` and are labelled with their number of test movies; a dashed
        line marks the label prior.

    Raises:
        ValueError: If there are several values of `set_name`.
    """
    if frame["set_name"].nunique() > 1:
        raise ValueError(
            "`frame` must be of one `set_name`: choose one, as with `frame[frame['set_name'] == '']`. "
            f"Received: set_name={sorted(frame['set_name'].unique())}"
        )
    genres, models = list(frame["genre"].unique()), _in_order(frame["model"].unique())
    means = 100 * frame.groupby(["genre", "model"])["average_precision"].mean().unstack().reindex(genres)
    of_genre = frame.groupby("genre")[["positives", "label_prior"]].first().reindex(genres)
    places, width = np.arange(len(genres)), 0.84 / len(models)
    ax = new_axes(2.4, min(PAGE_WIDTH, 0.6 + max(5, len(genres)) * 0.485))
    for number, model in enumerate(models):
        x = places + (number - (len(models) - 1) / 2) * width
        ax.bar(x, means[model], width=0.92 * width, color=MODEL_COLORS.get(model, GREY), label=title(model))
    prior = 100 * of_genre["label_prior"], places - 0.47, places + 0.47
    ax.hlines(*prior, color="white", linewidth=2.2)  # an outline, visible on every bar
    ax.hlines(*prior, color="black", linewidth=1, linestyle=(0, (2, 1)), label="Label prior")
    labels = [f"{genre}\n({count:,})" for genre, count in of_genre["positives"].items()]
    ax.set_xticks(places, labels, fontsize=6)
    ax.set(xlim=(-0.6, len(genres) - 0.4), xlabel="Genre (test movies)", ylabel="Average precision (%)")
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    columns = min(6, max(1, int(ax.figure.get_figwidth() / 0.85)))
    ax.legend(**LEGEND_ABOVE, ncols=columns, columnspacing=1.2, handlelength=1.4)
    return ax


@arguments.checked(gains=arguments.table("genre", "modality", "alone", "gain", "gain_sd", "all", empty=False))
@paper_style()
def modality_gains_heatmap(gains):
    """Draw the average precision of each modality alone and its gain over all the others, by genre.

    Args:
        gains: DataFrame from `lebaron.modality_gains`.

    Returns:
        matplotlib Figure of page width with two panels, in points of average precision: each modality alone, with all
        of them as the last column, and the gain with its standard deviation over the seeds.
    """
    genres, modalities = list(gains["genre"].unique()), list(gains["modality"].unique())
    wide = (100 * gains.set_index(["genre", "modality"])).unstack().reindex(genres)
    alone = wide["alone"][modalities].assign(all=wide["all"].mean(axis=1))
    gain, sd = wide["gain"][modalities], wide["gain_sd"][modalities]
    gain_texts = [
        ["" if np.isnan(mean) else f"{mean:+.1f}" + ("" if np.isnan(std) else f" ± {std:.1f}") for mean, std in pairs]
        for pairs in np.dstack([gain, sd])
    ]
    ratios = (0.45 * len(modalities) + 0.45, 0.6 * len(modalities))
    figure, axes = panel_axes(2, 0.75 + 0.17 * len(genres), sharex=False, width_ratios=ratios)
    left, right = axes.flat
    limit = max(0.1, gain.abs().max().max())  # max() ignores NaN as its second argument
    common = {"linewidths": 0.4, "linecolor": "white", "annot_kws": {"fontsize": 6}, "cbar_kws": {"pad": 0.02}}
    sns.heatmap(alone, annot=True, fmt=".1f", cmap="Blues", vmin=0, ax=left, **common)
    # From orange to purple, safe for color-blind readers.
    sns.heatmap(gain, annot=np.array(gain_texts), fmt="", cmap="PuOr", vmin=-limit, vmax=limit, ax=right, **common)
    left.axvline(len(modalities), color="white", linewidth=3)
    left.set_title("Average precision (%): each alone, and all")
    right.set_title("Gain over all the others (points" + (", ± SD of seeds)" if sd.notna().any(axis=None) else ")"))
    for ax, columns in ((left, alone.columns), (right, modalities)):
        ax.set(xlabel="", ylabel="")
        ax.set_xticklabels([title(name) for name in columns], rotation=0)
        ax.tick_params(length=0, labelrotation=0)
    return figure


@arguments.checked(subsets=arguments.table("genre", "modalities", "num_modalities", "average_precision", empty=False))
@paper_style()
def modality_subsets_dots(subsets):
    """Draw macro average precision of the ensemble for each subset of the modalities.

    Args:
        subsets: DataFrame from `modality_subsets`; rows of single genres are ignored.

    Returns:
        matplotlib Figure with two panels: mean and standard deviation over the seeds, and a filled dot for each
        modality of the subset. Smaller subsets come first, otherwise in the order of `subsets`.
    """
    whole = subsets[subsets["genre"] == ""].sort_values("num_modalities", kind="stable")
    scores = 100 * whole.groupby("modalities", sort=False)["average_precision"].agg(["mean", "std"])
    sets = [name.split("+") for name in scores.index]
    modalities = _in_order({name for names in sets for name in names})
    x = np.arange(len(sets))
    size = (min(PAGE_WIDTH, max(COLUMN_WIDTH, 0.9 + 0.36 * len(sets))), 1.7 + 0.17 * len(modalities))
    ratios = {"height_ratios": (1.6, 0.17 * len(modalities))}
    figure, (ax, matrix) = plt.subplots(2, 1, sharex=True, figsize=size, **ratios, layout="constrained")
    ax.errorbar(x, scores["mean"], scores["std"].fillna(0), fmt="o", color=BLUE, markersize=4, elinewidth=1)
    tops = scores["mean"] + scores["std"].fillna(0)
    for place, top, mean in zip(x, tops, scores["mean"], strict=True):
        ax.annotate(f"{mean:.1f}", (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=6.2)
    spread = ",\nmean ± SD of seeds" if scores["std"].notna().any() else ""
    ax.set(ylabel=f"Macro average precision (%){spread}", xlim=(-0.6, len(sets) - 0.4))
    ax.margins(y=0.12)
    ax.grid(axis="y")
    _draw_memberships(matrix, sets, modalities)
    for part in (ax, matrix):
        for place in np.flatnonzero(np.diff([len(names) for names in sets])):
            part.axvline(place + 0.5, color=LIGHT_GREY, linewidth=0.8, zorder=0)
        part.spines["bottom"].set_visible(False)
        part.tick_params(axis="x", length=0, labelbottom=False)
    return figure


def _draw_memberships(ax, sets, modalities):
    for place, names in enumerate(sets):
        rows = [modalities.index(name) for name in names]
        ax.plot([place] * len(modalities), range(len(modalities)), "o", color=LIGHT_GREY, markersize=5)
        ax.plot([place, place], [min(rows), max(rows)], color=BLUE, linewidth=1.1)
        ax.plot([place] * len(rows), rows, "o", color=BLUE, markersize=5)
    ax.set_yticks(range(len(modalities)), [title(name) for name in modalities])
    ax.set(ylim=(len(modalities) - 0.5, -0.5))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _in_order(models):
    return [name for name in MODEL_COLORS if name in models] + [name for name in models if name not in MODEL_COLORS]


def _units(number):
    return f"{number:,}" if isinstance(number, int) else str(number)


def _box(ax, corner, width, height, **look):
    look |= {"boxstyle": "round,pad=0,rounding_size=0.04", "linewidth": 0.8}
    ax.add_patch(FancyBboxPatch(corner, width, height, **look))


def _arrow(ax, start, end):
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}
    ax.annotate("", end, start, arrowprops=look)
