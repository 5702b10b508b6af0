"""Cards of single movies: all that is known of one, and what an ensemble makes of it."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from poster_cnn.figures.cards import LINE, draw_image, write_line
from poster_cnn.figures.modalities import MODEL_COLORS
from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREY, PAGE_WIDTH, SKY, paper_style
from poster_cnn.results import tables

PICTURE = 1.1  # inches
CHARACTER = 3.7  # points, of the text on a card
MARKERS = {"trailer": "^", "metadata": "D", "plot": "s"}


@paper_style()
def movie_card(image, title, genres, details, plot, *, max_lines=8):
    """Draws a movie's poster beside its title, genres, metadata and plot (Fig. 2 of LeBaron, section 3).

    Args:
        image: As for `prediction_card`; `None` where the poster cannot be shown.
        title: The movie's title.
        genres: Its genres.
        details: Dictionary of its metadata, such as `{"Director": "Jane Doe"}`. What is missing (None, NaN, "") is left
            out.
        plot: Its plot as one text; where it is missing, the card says so.
        max_lines: Lines of the plot to show; a longer one ends in "…". Defaults to 8.

    Returns:
        matplotlib Figure of a column's width.
    """
    details = {label: str(value) for label, value in details.items() if _is_known(value)}
    indent = CHARACTER * (max(map(len, details), default=0) + 2)
    room = 72 * (COLUMN_WIDTH - PICTURE - 0.12)  # points
    lines = [[(0, text, {"fontweight": "bold"})] for text in _wrapped(title, room / 1.15)]
    lines += [[(0, text, {"color": BLUE})] for text in _wrapped(", ".join(genres), room)] + [[]]
    for label, value in details.items():
        first, *others = _wrapped(value, room - indent)
        lines += [[(0, label, {"color": GREY}), (indent, first, {})]] + [[(indent, text, {})] for text in others]
    lines += [[]] if details else []
    told, look = (plot, {}) if _is_known(plot) else ("no plot", {"color": GREY})
    lines += [[(0, text, look)] for text in _wrapped(told, room, max_lines=max_lines, placeholder=" …")]
    figure = plt.figure(figsize=(COLUMN_WIDTH, max(1.5 * PICTURE, (len(lines) + 1) * LINE / 72)), layout="constrained")
    ratios = (PICTURE, COLUMN_WIDTH - PICTURE)
    picture, text = figure.subplots(1, 2, width_ratios=ratios)
    draw_image(picture, image)
    picture.set_anchor("N")
    for number, parts in enumerate(lines, start=1):
        for start, part, style in parts:
            write_line(text, number, part, indent=start, **style)
    for ax in (picture, text):
        ax.axis("off")
    return figure


@paper_style()
def corrected_movie_card(image, movie):
    """Draws what the poster alone says of a movie beside what the ensemble says (Fig. 6 of LeBaron, section 5).

    Genres stand in the order of the ensemble's probabilities, the movie's own marked ✓. Of n genres of its own, the n
    most probable ones of each panel have their percentage in bold. Small marks in the ensemble's panel are what the
    other branches say.

    Args:
        image: As for `prediction_card`; `None` where the poster cannot be shown.
        movie: DataFrame, the rows of one movie from `modality_tables.corrected_movies`, one a genre: `imdb_id`,
            `title`, `genre`, `true` (0 or 1), and probabilities `poster`, `ensemble` and of any other branches.

    Returns:
        matplotlib Figure of a page's width.

    Raises:
        ValueError: If the rows are not of one movie.
    """
    if movie["imdb_id"].nunique() != 1:
        raise ValueError(
            "`movie` must be the rows of one movie, as `movies[movies['imdb_id'] == imdb_id]`. "
            f"Received: imdb_id={movie['imdb_id'].unique().tolist()}"
        )
    movie = movie.sort_values("ensemble", ascending=False, kind="stable")
    places, true = np.arange(len(movie)), movie["true"].to_numpy(dtype=bool)
    figure = plt.figure(figsize=(PAGE_WIDTH, max(2.0, 0.75 + 0.145 * len(movie))), layout="constrained")
    picture, left, right = figure.subplots(1, 3, width_ratios=(1, 1.3, 1.3))
    right.sharey(left)
    draw_image(picture, image)
    picture.axis("off")
    for ax, name in ((left, "poster"), (right, "ensemble")):
        _draw_panel(ax, 100 * movie[name].to_numpy(), true)
        ax.set_title(tables.title(name))
    for name in (name for name in MARKERS if name in movie):
        look = {"color": MODEL_COLORS[name], "markersize": 3.5, "markeredgecolor": "black", "markeredgewidth": 0.5}
        right.plot(100 * movie[name], places, MARKERS[name], **look, label=tables.title(name))
    if len(right.lines):
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=3)
    left.set_yticks(places, [f"✓ {genre}" if own else genre for genre, own in zip(movie["genre"], true, strict=True)])
    right.tick_params(labelleft=False)
    for text, own in zip(left.get_yticklabels(), true, strict=True):
        text.set_fontweight("bold" if own else "normal")
    figure.suptitle(movie["title"].iloc[0], fontsize=7.5, fontweight="bold", parse_math=False)
    return figure


def _draw_panel(ax, percentages, true):
    places = np.arange(len(true))
    first = np.argsort(-percentages, kind="stable")[: true.sum()]
    ax.barh(places, percentages, color=np.where(true, BLUE, SKY), height=0.6)
    for place in places:
        # In a column, where no mark can cover them.
        weight = "bold" if place in first else "normal"
        ax.text(106, place, f"{percentages[place]:.0f}%", va="center", fontsize=6.5, fontweight=weight)
    ax.set(xlim=(0, 122), ylim=(len(true) - 0.4, -0.6))
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _is_known(value):
    return not pd.isna(value) and value != ""


def _wrapped(text, room, **options):
    return textwrap.wrap(text, int(room / CHARACTER), **options) or [""]
