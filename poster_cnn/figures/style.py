"""The look of every figure, in one place: paper-sized type and colors that differ in hue and in grey."""

import contextlib

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

COLUMN_WIDTH = 3.3  # inches, one column of a two-column paper
PAGE_WIDTH = 6.9  # inches, both columns

# From the palette of Okabe and Ito, which the color-blind can tell apart.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
RED = "#D55E00"
SKY = "#A6D5EE"
GREY = "#6E6E6E"
LIGHT_GREY = "#E6E6E6"

LINE_STYLES = (":", "-.", "--")


@contextlib.contextmanager
def paper_style():
    """The style as a context: `with paper_style(): ...`, or `@paper_style()` above a function that draws.

    Nothing outside the context changes.

    Returns:
        A context manager that is a decorator too.
    """
    # Loads the backend before the settings are saved: loaded inside, what it switches on would be undone at the end,
    # and notebooks would show the first picture alone.
    plt.draw_if_interactive()
    with plt.rc_context(
        {
            **sns.axes_style("ticks"),
            # Comes with matplotlib, so the pictures are the same everywhere, and has the glyphs for right and wrong.
            "font.family": "DejaVu Sans",
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


def reference_lines(ax, lines):
    """Draws scores to compare with as grey horizontal lines, each of its own style.

    Args:
        ax: Axes to draw on.
        lines: Dictionary from what the legend calls a line to its height, or to heights at 0, 1, 2 … on the x axis,
            each a piece of its own where they differ; further ones than three are left out.
    """
    for (name, heights), linestyle in zip(lines.items(), LINE_STYLES, strict=False):
        look = {"color": GREY, "linestyle": linestyle, "linewidth": 0.9, "label": name}
        heights = np.atleast_1d(np.asarray(heights, dtype="float64"))
        if np.nanmax(heights) - np.nanmin(heights) < 0.05:
            ax.axhline(np.nanmean(heights), **look)
        else:
            x = np.arange(len(heights))
            ax.hlines(heights, x - 0.4, x + 0.4, **look)
