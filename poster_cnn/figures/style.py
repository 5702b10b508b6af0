"""Style shared by all figures: paper-sized type, color-blind-safe colors, and helpers for axes and legends."""

import contextlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from poster_cnn.metrics import arguments

COLUMN_WIDTH = 3.3  # inches, one column of a two-column paper
PAGE_WIDTH = 6.9  # inches, both columns

# From the palette of Okabe and Ito, safe for color-blind readers and distinct in grey.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
RED = "#D55E00"
SKY = "#A6D5EE"
GREY = "#6E6E6E"
LIGHT_GREY = "#E6E6E6"

LINE_STYLES = (":", "-.", "--")
LEGEND_ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}


AXES = arguments.optional(arguments.instance(Axes))


@contextlib.contextmanager
def paper_style():
    """Apply the style inside a context, `with paper_style(): ...`, or as the decorator `@paper_style()`.

    Settings outside the context are unchanged.

    Returns:
        A context manager that is also a decorator.
    """
    # Load the backend before saving the settings. Otherwise leaving the context undoes the backend's own changes, and
    # notebooks show only the first figure.
    plt.draw_if_interactive()
    with plt.rc_context(
        {
            **sns.axes_style("ticks"),
            "font.family": "DejaVu Sans",  # comes with matplotlib and has the glyphs ✓ and ✗
            "font.size": 7,
            "axes.labelsize": 7,
            "axes.titlesize": 7,
            "axes.linewidth": 0.6,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.dpi": 150,
            "grid.color": LIGHT_GREY,
            "grid.linewidth": 0.6,
            "patch.force_edgecolor": False,
            "legend.fontsize": 6.5,
            "legend.frameon": False,
            "lines.linewidth": 1.1,
            "savefig.dpi": 200,
            "xtick.labelsize": 6.5,
            "xtick.major.size": 2.5,
            "xtick.major.width": 0.6,
            "ytick.labelsize": 6.5,
            "ytick.major.size": 2.5,
            "ytick.major.width": 0.6,
        }
    ):
        yield


def new_axes(height, width=COLUMN_WIDTH):
    """Return the Axes of a new figure of this size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def panel_axes(columns, height, *, rows=1, **options):
    """Return a page-wide figure and its Axes `(rows, columns)`, which share both axes unless `options` differ."""
    options = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"} | options
    return plt.subplots(rows, columns, figsize=(PAGE_WIDTH, height), **options)


def printable(text):
    """Return a text as matplotlib can draw it: half surrogate pairs, as in file names, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def rows_with(frame, column, value):
    """Return the rows of a DataFrame with a value, or those without any if it is missing."""
    return frame[frame[column].isna() if pd.isna(value) else frame[column] == value]


def unique_legend(axes):
    """Return the handles and labels of a legend for several Axes, without repeated labels."""
    named = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    return {"handles": list(named.values()), "labels": list(named)}


def category_rows(ax, count):
    """Prepare a y axis with one category per row, the first on top."""
    ax.set_ylim(count - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def reference_lines(ax, lines):
    """Draw scores for comparison as grey horizontal lines of different styles.

    Args:
        ax: Axes to draw on.
        lines: Dictionary from a line's legend label to its height, or to one height per tick 0, 1, 2 … if they differ.
            Lines after the third are skipped.
    """
    for (name, heights), linestyle in zip(lines.items(), LINE_STYLES, strict=False):
        look = {"color": GREY, "linestyle": linestyle, "linewidth": 0.9, "label": name}
        heights = np.atleast_1d(np.asarray(heights, dtype="float64"))
        if np.nanmax(heights) - np.nanmin(heights) < 0.05:
            ax.axhline(np.nanmean(heights), **look)
        else:
            x = np.arange(len(heights))
            ax.hlines(heights, x - 0.4, x + 0.4, **look)
