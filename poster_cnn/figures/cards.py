"""Cards with an image and its predicted genres or its metadata."""

import collections.abc
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import FigureBase

from poster_cnn.figures import style as styles
from poster_cnn.figures.modalities import MODEL_COLORS
from poster_cnn.figures.style import BLUE, COLUMN_WIDTH, GREEN, GREY, PAGE_WIDTH, RED, SKY, category_rows, paper_style
from poster_cnn.metrics import arguments
from poster_cnn.movies.genre_text import parse_genres
from poster_cnn.results import tables

CARD_HEIGHT = 1.75  # inches
PICTURE = 1.1  # inches, width of the poster on a movie card
LINE = 9  # points
CHARACTER = 3.7  # points, mean width of a character on a card
MARKERS = {"trailer": "^", "metadata": "D", "plot": "s"}


def picture(name, value):
    """Check a PIL image, an array `(height, width)` or `(height, width, 3)`, or `None`."""
    if value is not None and not hasattr(value, "convert"):
        if arguments.numeric(name, value).squeeze().ndim not in (2, 3):
            arguments.refuse(name, "a picture: an array (height, width, 3) or a PIL image", value)
    return value


def genre_list(name, value):
    """Check a list of genres, or a text such as "Drama|Comedy", which becomes a list."""
    return parse_genres(value) if isinstance(value, str) else arguments.sequence(name, value, "a list of genres", str)


def pictures(name, value):
    """Check a list of pictures; an array `(num_pictures, height, width, 3)` is one too."""
    value = list(value) if isinstance(value, np.ndarray) and value.ndim > 2 else value
    found = arguments.sequence(name, value, "a list of pictures")
    return [picture(f"{name}[{number}]", item) for number, item in enumerate(found)]


@arguments.checked(
    image=picture,
    class_names=arguments.names,
    probabilities=arguments.numeric,
    top=arguments.optional(arguments.count),
    thresholds=arguments.optional(arguments.numeric),
    true_genres=arguments.optional(genre_list),
    title=arguments.optional(arguments.text),
    figure=arguments.optional(arguments.instance(FigureBase)),
)
@paper_style()
def prediction_card(
    image, probabilities, class_names, *, true_genres=None, title=None, top=None, thresholds=None, figure=None
):
    """Draw an image with its predicted genres, the most probable on top (Figs. 6 to 19 of Dave, section 4.3).

    A true genre is marked ✓ if it is among the n most probable ones, with n the number of true genres, otherwise ✗; a
    true genre that is not a class of the network is marked –. With thresholds, a line crosses each bar at its threshold
    and the predicted genres are in bold.

    Args:
        image: Array (height, width, 3) or (height, width), 0 to 255, or a PIL image; `None` draws a placeholder.
        probabilities: Floats (num_classes,), 0..1.
        class_names: Genres in the order of `probabilities`.
        true_genres: True genres, as a list or as a text such as "Drama|Comedy". Defaults to
            `None`, for an image without any.
        title: Text above the card. Defaults to `None`.
        top: Number of genres to draw. Defaults to all.
        thresholds: Decision thresholds (num_classes,) in the order of `class_names`. Defaults to `None`.
        figure: matplotlib Figure or SubFigure to draw on. Defaults to a new one of column width.

    Returns:
        The figure.

    Raises:
        ValueError: If `probabilities` or `thresholds` differ from `class_names` in length.
    """
    for name, values in (("probabilities", probabilities), ("thresholds", thresholds)):
        if values is not None and np.shape(values) != (len(class_names),):
            raise ValueError(
                f"`{name}` must have one value for each of `class_names`. "
                f"Received: {name}.shape={np.shape(values)}, {len(class_names)} class_names"
            )
    probabilities = np.asarray(probabilities, dtype=float)
    if figure is None:
        figure = plt.figure(figsize=(COLUMN_WIDTH, CARD_HEIGHT), layout="constrained")
    order = np.argsort(-probabilities, kind="stable")
    ranked = [class_names[i] for i in order]
    lines = 1 + len(true_genres or [""])
    # Reserve space for the true genres on every card, so that neighbouring cards are aligned.
    height_ratios = (1, lines * LINE / (72 * CARD_HEIGHT - 2 * LINE - lines * LINE))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.3), height_ratios=height_ratios)
    picture, bars, truth = (figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    draw_image(picture, image)
    _draw_bars(bars, ranked[:top], 100 * probabilities[order][:top], true_genres or ())
    if thresholds is not None:
        _mark_thresholds(bars, probabilities[order][:top], np.asarray(thresholds)[order][:top])
    if true_genres is not None:
        _write_truth(truth, true_genres, ranked)
    for ax in (picture, truth):
        ax.axis("off")
    if title:
        width = figure.bbox.width / figure.dpi * 72
        title = textwrap.fill(styles.printable(title), int(width / 5))
        figure.suptitle(title, fontsize=7.5, fontweight="bold", parse_math=False)
    return figure


@arguments.checked(
    images=pictures,
    class_names=arguments.names,
    probabilities=arguments.numeric,
    top=arguments.optional(arguments.count),
    thresholds=arguments.optional(arguments.numeric),
    true_genres=arguments.optional(arguments.sequence),
    titles=arguments.optional(arguments.sequence),
    columns=arguments.count,
)
@paper_style()
def prediction_cards(
    images, probabilities, class_names, *, true_genres=None, titles=None, top=None, thresholds=None, columns=2
):
    """Draw several prediction cards on one figure.

    Args:
        images: Sequence of images, as for `prediction_card`.
        probabilities: Floats (num_images, num_classes), 0..1.
        class_names: Genres in the order of the columns of `probabilities`.
        true_genres: True genres of each image, or `None` for an image without any. Defaults to `None` for all.
        titles: One text per image. Defaults to none.
        top: Number of genres to draw on a card. Defaults to all.
        thresholds: As for `prediction_card`, the same for all images. Defaults to `None`.
        columns: Number of cards per row. Defaults to 2.

    Returns:
        matplotlib Figure of page width, or of column width with one card per row.

    Raises:
        ValueError: If there are no images, or the arguments differ in length.
    """
    if np.ndim(probabilities) != 2:
        arguments.refuse("probabilities", "an array (num_images, num_classes)", probabilities)
    count = len(images)
    true_genres = [None] * count if true_genres is None else true_genres
    titles = [None] * count if titles is None else titles
    lengths = {"images": count, "probabilities": len(probabilities)}
    lengths |= {"true_genres": len(true_genres), "titles": len(titles)}
    if count == 0 or len(set(lengths.values())) > 1:
        raise ValueError(f"`images` and the other arguments must have the same length, 1 or more. Received: {lengths}")
    columns = min(columns, count)
    rows = -(-count // columns)
    width = PAGE_WIDTH if columns > 1 else COLUMN_WIDTH
    figure = plt.figure(figsize=(width, CARD_HEIGHT * rows), layout="constrained")
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.04, hspace=0.04).flat
    for cell, image, scores, truth, text in zip(cells, images, probabilities, true_genres, titles, strict=False):
        options = {"true_genres": truth, "title": text, "top": top, "thresholds": thresholds}
        prediction_card(image, scores, class_names, **options, figure=cell)
    return figure


def draw_image(ax, image):
    """Draw an image on an Axes, or a grey placeholder if it is `None`."""
    if image is None:
        ax.imshow(np.full((268, 182), 235), cmap="gray", vmin=0, vmax=255)
        ax.text(91, 134, "picture\nnot shown", ha="center", va="center", color=GREY, fontsize=6)
    else:
        ax.imshow(_as_pixels(image), cmap="gray", vmin=0, vmax=255)


def _as_pixels(image):
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    return np.clip(pixels.squeeze(), 0, 255).astype("uint8")


def _draw_bars(ax, genres, percentages, true_genres):
    bars = ax.barh(genres, percentages, color=[BLUE if genre in true_genres else SKY for genre in genres], height=0.6)
    ax.bar_label(bars, fmt="{:.0f}%", padding=2, fontsize=6.5)
    ax.set_title("Probability", loc="left", fontsize=6.5, color=GREY, pad=2)
    _percent_axis(ax, len(genres))


def _percent_axis(ax, num_genres):
    ax.set_xlim(0, 122)
    category_rows(ax, num_genres)
    ax.xaxis.set_visible(False)
    ax.spines["bottom"].set_visible(False)


def _mark_thresholds(ax, probabilities, thresholds):
    places = np.arange(len(thresholds))
    ax.vlines(100 * thresholds, places - 0.42, places + 0.42, color="black", linewidth=0.9)
    for place, percentage in zip(places, ax.texts, strict=True):
        percentage.xy = (100, place)  # aligned, so that no line crosses them
    for text, reached in zip(ax.get_yticklabels(), probabilities >= thresholds, strict=True):
        text.set_fontweight("bold" if reached else "normal")


def _write_truth(ax, true_genres, ranked):
    known = [genre for genre in ranked if genre in true_genres]
    best = ranked[: len(known)]
    marks = [(genre, "✓", GREEN) if genre in best else (genre, "✗", RED) for genre in known]
    marks += [(genre, "–", GREY) for genre in true_genres if genre not in ranked]
    _write_line(ax, 1, "Correct genre" + "s" * (len(marks) > 1))
    for line, (genre, mark, color) in enumerate(marks, start=2):
        _write_line(ax, line, mark, color=color, fontweight="bold")
        _write_line(ax, line, genre, indent=LINE)


def _write_line(ax, line, text, indent=0, **style):
    """Write a line of text, counted from 1 at the top, with an indent in points."""
    # Offsets in points keep the line spacing at every figure size.
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(text, (0, 1), (indent, LINE * (0.35 - line)), fontsize=6.5, parse_math=False, **place, **style)


@arguments.checked(
    image=picture,
    title=arguments.text,
    genres=genre_list,
    details=arguments.instance(collections.abc.Mapping, "a dict"),
)
@paper_style()
def movie_card(image, title, genres, details, plot):
    """Draw a movie's poster with its title, genres, metadata and plot (Fig. 2 of LeBaron, section 3).

    Args:
        image: As for `prediction_card`; `None` draws a placeholder.
        title: Title of the movie.
        genres: Genres of the movie.
        details: Dictionary of metadata, such as `{"Director": "Jane Doe"}`. Missing values (None, NaN, "") are skipped.
        plot: Plot as one text, cut after eight lines; a missing plot is shown as "no plot".

    Returns:
        matplotlib Figure of column width.
    """
    if not isinstance(plot, str) and _is_known(plot):
        arguments.refuse("plot", "a text, or missing", plot)
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
    lines += [[(0, text, look)] for text in _wrapped(told, room, max_lines=8, placeholder=" …")]
    figure = plt.figure(figsize=(COLUMN_WIDTH, max(1.5 * PICTURE, (len(lines) + 1) * LINE / 72)), layout="constrained")
    ratios = (PICTURE, COLUMN_WIDTH - PICTURE)
    picture, text = figure.subplots(1, 2, width_ratios=ratios)
    draw_image(picture, image)
    picture.set_anchor("N")
    for number, parts in enumerate(lines, start=1):
        for start, part, style in parts:
            _write_line(text, number, part, indent=start, **style)
    for ax in (picture, text):
        ax.axis("off")
    return figure


@arguments.checked(
    image=picture, movie=arguments.table("imdb_id", "title", "genre", "true", "poster", "ensemble", empty=False)
)
@paper_style()
def corrected_movie_card(image, movie):
    """Draw the predictions of the poster branch and of the ensemble side by side (Fig. 6 of LeBaron, section 5).

    Genres are sorted by the ensemble's probability and the n true genres are marked ✓. The percentages of each panel's
    n most probable genres are in bold. Small markers in the ensemble's panel show the other branches.

    Args:
        image: As for `prediction_card`; `None` draws a placeholder.
        movie: DataFrame, the rows of one movie from `lebaron.corrected_movies`.

    Returns:
        matplotlib Figure of page width.

    Raises:
        ValueError: If the rows belong to several movies.
    """
    if movie["imdb_id"].nunique() != 1:
        raise ValueError(
            "`movie` must be the rows of one movie, such as `movies[movies['imdb_id'] == imdb_id]`. "
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
        ax.set_title(f"{tables.title(name)}, probability")
    for name in (name for name in MARKERS if name in movie):
        look = {"color": MODEL_COLORS[name], "markersize": 3.5, "markeredgecolor": "black", "markeredgewidth": 0.5}
        right.plot(100 * movie[name], places, MARKERS[name], **look, label=tables.title(name))
    if len(right.lines):
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=3)
    left.set_yticks(places, [f"✓ {genre}" if own else genre for genre, own in zip(movie["genre"], true, strict=True)])
    right.tick_params(labelleft=False)
    for text, own in zip(left.get_yticklabels(), true, strict=True):
        text.set_fontweight("bold" if own else "normal")
    figure.suptitle(styles.printable(movie["title"].iloc[0]), fontsize=7.5, fontweight="bold", parse_math=False)
    return figure


def _draw_panel(ax, percentages, true):
    places = np.arange(len(true))
    first = np.argsort(-percentages, kind="stable")[: true.sum()]
    ax.barh(places, percentages, color=np.where(true, BLUE, SKY), height=0.6)
    for place in places:
        weight = "bold" if place in first else "normal"  # the texts are aligned, so that no marker covers them
        ax.text(106, place, f"{percentages[place]:.0f}%", va="center", fontsize=6.5, fontweight=weight)
    _percent_axis(ax, len(true))


def _is_known(value):
    return not (pd.api.types.is_scalar(value) and pd.isna(value)) and value != ""


def _wrapped(text, room, **options):
    return textwrap.wrap(styles.printable(text), int(room / CHARACTER), **options) or [""]
