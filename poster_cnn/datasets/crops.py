"""Poster sizes, and random crops that give each genre enough images (paper 4). Crops are rows of the table."""

import numpy as np

from poster_cnn.metrics import arguments

CROP_COLUMNS = ("crop_top", "crop_left", "crop_height", "crop_width")
POSTER_SIZE = (268, 182)  # (height, width) of every poster in the papers
# Names of keras.layers.Resizing. ImageMagick, which paper 1 used, shrinks by Lanczos.
INTERPOLATIONS = ("area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")
DECODES = ("full", "scaled")  # see `pipeline.poster_dataset`
AUGMENTATIONS = ("none", "flip", "light", "randaugment", "mixup")  # see `augmentation.augment`


@arguments.checked(ratio=arguments.number)
def shrunk_size(ratio):
    """Return the size of a 268×182 poster shrunk to `ratio` percent (paper 1, section 3.5.2 and Table 1).

    Args:
        ratio: Percentage, above 0 and at most 100; 30, 40, 50, 60 and 70 in the paper.

    Returns:
        `(height, width)` in pixels, rounded: `shrunk_size(30) == (80, 55)`.

    Raises:
        ValueError: If `ratio` is out of range.
    """
    if not 0 < ratio <= 100:
        raise ValueError(f"`ratio` must be a percentage above 0 and at most 100. Received: ratio={ratio}")
    height, width = POSTER_SIZE
    return round(height * ratio / 100), round(width * ratio / 100)


@arguments.checked(
    table=arguments.table("genres"),
    class_names=arguments.genres,
    crops_per_genre=arguments.natural,
    seed=arguments.seed,
)
def balance_by_crops(table, class_names, crops_per_genre=3000, *, crop_size=(150, 150), seed=0):
    """Add random crops of posters until each genre has `crops_per_genre` images (paper 4, section "Data").

    Each poster is cropped for one genre only, which avoids counting it twice. Genres are filled in label order, as the
    paper specifies no other. A genre may miss the number if its posters are cropped for other genres.

    Args:
        table: Movie table.
        class_names: Genres, in label order.
        crops_per_genre: Images per genre. Defaults to 3000.
        crop_size: `(height, width)` of a crop in pixels of a 268×182 poster. Defaults to `(150, 150)`.
        seed: Seed of the choice of posters and positions. Defaults to 0.

    Returns:
        Table with a new index: the rows of `table` with whole posters, then one row per crop. The int64 columns
        `crop_top`, `crop_left`, `crop_height` and `crop_width` are in pixels of a 268×182 poster.

    Raises:
        ValueError: If `crop_size` is larger than a poster.

    Example:

    >>> rows = balance_by_crops(table, ["Drama", "Horror"], 3000)
    >>> rows["crop_top"].max()
    118
    """
    import pandas as pd  # here, as prediction needs the sizes alone

    from poster_cnn.movies.genres import encode_genres

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
    """Return the row number of the cropped poster of each crop."""
    counts, untouched, sources = labels.sum(axis=0), np.ones(len(labels), dtype=bool), []
    for number in range(labels.shape[1]):
        candidates = np.flatnonzero(labels[:, number] & untouched)
        missing = crops_per_genre - counts[number]
        if missing <= 0 or not len(candidates):
            continue
        source = np.resize(rng.permutation(candidates), missing)  # repeats all candidates in the same order
        untouched[source] = False
        counts = counts + labels[source].sum(axis=0)
        sources.append(source)
    return np.concatenate(sources) if sources else np.array([], dtype="int64")


@arguments.checked(table=arguments.table())
def whole_posters(table):
    """Return the table with crops that are whole posters."""
    return table.assign(**dict(zip(CROP_COLUMNS, (0, 0, *POSTER_SIZE), strict=True)))


@arguments.checked(table=arguments.table())
def center_crops(table, crop_size=(150, 150)):
    """Return the table with a center crop of each poster; see `balance_by_crops` for `crop_size`."""
    return table.assign(**dict(zip(CROP_COLUMNS, center_box(crop_size), strict=True)))


def center_box(crop_size):
    """Return `(top, left, height, width)` of the center crop of a 268×182 poster."""
    height, width = _checked(crop_size)
    return (POSTER_SIZE[0] - height) // 2, (POSTER_SIZE[1] - width) // 2, height, width


def is_crop_size(crop_size):
    """Return whether `crop_size` is a list `(height, width)` of integers within a 268×182 poster."""
    try:
        return all(side <= limit for side, limit in zip(arguments.size("", crop_size), POSTER_SIZE, strict=True))
    except ValueError:
        return False


def _checked(crop_size):
    if not is_crop_size(crop_size):
        raise ValueError(f"`crop_size` must be within {POSTER_SIZE}, a poster. Received: crop_size={crop_size}")
    return crop_size
