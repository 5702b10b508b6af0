"""Random crops of posters until each genre has enough images (paper 4): rows now, cut when they are read."""

import numbers

import numpy as np
import pandas as pd

from poster_cnn.movies.genres import encode_genres

CROP_COLUMNS = ("crop_top", "crop_left", "crop_height", "crop_width")


def balance_by_crops(table, class_names, crops_per_genre=3000, *, crop_size=(150, 150), seed=0):
    """Adds random crops of posters until each genre has `crops_per_genre` images (paper 4, section "Data").

    A poster is cropped for one genre alone, so that another genre of it does not grow with each crop twice over. Genres
    take their turn in label order, as the paper names no other; a genre whose posters were all cropped for others, or
    grow with them, may end above or below the number.

    Args:
        table: Movie table.
        class_names: Genres, in label order.
        crops_per_genre: Images that each genre is to have. Defaults to 3000.
        crop_size: `(height, width)` of a crop in pixels of a 268×182 poster. Defaults to `(150, 150)`.
        seed: Seed of the choice of posters and of the places. Defaults to 0.

    Returns:
        Table with a new index: all rows of `table` with whole posters, then a row for each crop. `crop_top`,
        `crop_left`, `crop_height` and `crop_width` (int64) say what is cut out, in pixels of a 268×182 poster.

    Raises:
        ValueError: If `crop_size` is larger than a poster.

    Example:

    >>> rows = balance_by_crops(table, ["Drama", "Horror"], 3000)
    >>> rows["crop_top"].max()
    118
    """
    height, width = _checked(crop_size)
    rng = np.random.default_rng(seed)
    cropped = table.iloc[_sources(encode_genres(table, class_names).astype(bool), crops_per_genre, rng)]
    places = {
        "crop_top": rng.integers(POSTER_SIZE[0] - height + 1, size=len(cropped)),
        "crop_left": rng.integers(POSTER_SIZE[1] - width + 1, size=len(cropped)),
        "crop_height": height,
        "crop_width": width,
    }
    return pd.concat([whole_posters(table), cropped.assign(**places)], ignore_index=True)


def _sources(labels, crops_per_genre, rng):
    """Positions of the posters to crop, one for each crop."""
    counts, untouched, sources = labels.sum(axis=0), np.ones(len(labels), dtype=bool), []
    for number in range(labels.shape[1]):
        candidates = np.flatnonzero(labels[:, number] & untouched)
        missing = crops_per_genre - counts[number]
        if missing <= 0 or not len(candidates):
            continue
        source = np.resize(rng.permutation(candidates), missing)  # all of them in turn, again and again
        untouched[source] = False
        counts = counts + labels[source].sum(axis=0)
        sources.append(source)
    return np.concatenate(sources) if sources else np.array([], dtype="int64")


def whole_posters(table):
    """The table with crops that are whole posters."""
    return table.assign(**dict(zip(CROP_COLUMNS, (0, 0, *POSTER_SIZE), strict=True)))


def center_crops(table, crop_size=(150, 150)):
    """The table with the crop in the middle of each poster; `crop_size` as in `balance_by_crops`."""
    return table.assign(**dict(zip(CROP_COLUMNS, center_box(crop_size), strict=True)))


def center_box(crop_size):
    """`(top, left, height, width)` of the crop in the middle of a 268×182 poster; raises as `balance_by_crops`."""
    height, width = _checked(crop_size)
    return (POSTER_SIZE[0] - height) // 2, (POSTER_SIZE[1] - width) // 2, height, width


def _checked(crop_size):
    if not is_crop_size(crop_size):
        raise ValueError(f"`crop_size` must be within {POSTER_SIZE}, a poster. Received: crop_size={crop_size}")
    return crop_size


POSTER_SIZE = (268, 182)  # (height, width) of every poster in the papers


def shrunk_size(ratio):
    """Size of a 182×268 poster shrunk *to* `ratio` percent (paper 1, section 3.5.2 and Table 1).

    Args:
        ratio: Percentage, above 0 and at most 100. The paper has 30, 40, 50, 60, 70.

    Returns:
        `(height, width)` in pixels, ordinary rounding: `shrunk_size(30) == (80, 55)`.

    Raises:
        ValueError: If `ratio` is out of range.
    """
    if not 0 < ratio <= 100:
        raise ValueError(f"`ratio` must be a percentage above 0 and at most 100. Received: ratio={ratio}")
    height, width = POSTER_SIZE
    return round(height * ratio / 100), round(width * ratio / 100)


def is_crop_size(crop_size):
    """Whether `crop_size` is a tuple or list `(height, width)` of whole pixels within a 268×182 poster."""
    if not isinstance(crop_size, tuple | list) or len(crop_size) != 2:
        return False
    limits = zip(crop_size, POSTER_SIZE, strict=True)
    return all(isinstance(side, numbers.Integral) and 1 <= side <= limit for side, limit in limits)
