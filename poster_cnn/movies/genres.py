"""Genres: encoding, counts, merged genres, and tables with one row per movie and genre (paper 3)."""

import difflib
import functools
import itertools
import re
import warnings

import numpy as np
import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies.cells import is_missing

_GENRES = (
    "Action Adult Adventure Animation Biography Comedy Crime Documentary Drama Family Fantasy Film-Noir Game-Show "
    "History Horror Music Musical Mystery News Reality-TV Romance Sci-Fi Short Sport Talk-Show Thriller War Western"
).split()
# Name in lower case without hyphens and spaces -> IMDb's spelling.
_SPELLING = {re.sub(r"\W", "", name).lower(): name for name in _GENRES} | {"sciencefiction": "Sci-Fi"}
_RESEMBLING = 0.75  # similarity of a misspelling, for difflib


def canonical_genres(names):
    """Return genre names in IMDb's spelling and in the given order, without empty and repeated ones."""
    keys = {re.sub(r"\W", "", name).lower(): name.strip() for name in names if not is_missing(name)}
    return list(dict.fromkeys(_SPELLING.get(key, name) for key, name in keys.items() if key))


def is_imdb_genre(name):
    """Return whether a name, in any spelling, is one of IMDb's genres."""
    return re.sub(r"\W", "", name).lower() in _SPELLING


@arguments.checked(table=arguments.table("genres"), class_names=functools.partial(arguments.genres, least=0))
def encode_genres(table, class_names):
    """Return the genres of movies as a multi-hot matrix.

    A genre that no movie of the table has gives a column of zeros, as in a part of a larger table. Tables from
    `load_movie_table` and their parts list all genres of their file in `table.attrs["genres"]`. A genre that is neither
    there nor one of IMDb's causes a warning.

    Args:
        table: Movie table.
        class_names: Genres, in label order.

    Returns:
        float32 array `(num_movies, num_classes)` of zeros and ones. Genres outside `class_names` are ignored.

    Raises:
        ValueError: If a name is unknown and resembles a known genre, such as a misspelling.
    """
    if unknown := unknown_genres(table, class_names):
        known = {name.casefold() for name in _known_genres(table)}
        if any(difflib.get_close_matches(name.casefold(), known, 1, _RESEMBLING) for name in unknown):
            require_known(table, class_names)
        warnings.warn(f"No movie of `table` has the genre(s) {', '.join(unknown)}.", stacklevel=3)
    rows = [[name in genres for name in class_names] for genres in table["genres"]]
    return np.array(rows, dtype="float32").reshape(len(table), len(class_names))


def _known_genres(table):
    return {*_GENRES, *table.attrs.get("genres", ()), *itertools.chain.from_iterable(table["genres"])}


def unknown_genres(table, class_names):
    """Return the names that are neither IMDb's genres, nor in the table, nor in `table.attrs["genres"]`."""
    known = _known_genres(table)
    return [name for name in class_names if name not in known]


def require_known(table, class_names):
    """Raise a ValueError that names the unknown genres, if there are any; see `unknown_genres`."""
    if unknown := unknown_genres(table, class_names):
        known = ", ".join(genre_counts(table).index)
        raise ValueError(f"`class_names` must be some of: {known}. Received unknown genre(s): {', '.join(unknown)}")


@arguments.checked(table=arguments.table("genres"), class_names=arguments.genres)
def explode_genres(table, class_names):
    """Return a table with one row for each movie and each of its genres (paper 3, section I.A).

    The rows of a movie show the same poster in different classes, so a model of posters alone cannot classify all of
    them correctly; see `best_accuracy`.

    Args:
        table: Movie table.
        class_names: Genres, in label order. Other genres are left out, and so are movies that have only others.

    Returns:
        Movie table with a new index, in the order of the movies and, for each movie, in label order. `genres` is a list
        of the row's genre, `all_genres` the list of all genres of the movie.
    """
    wanted = [[name for name in class_names if name in genres] for genres in table["genres"]]
    rows = table.assign(all_genres=table["genres"], genres=wanted).explode("genres")
    rows = rows[rows["genres"].notna()].reset_index(drop=True)
    rows["genres"] = [[name] for name in rows["genres"]]
    return rows


@arguments.checked(max_per_genre=arguments.natural, seed=arguments.seed)
def limit_per_genre(rows, class_names, max_per_genre, *, seed=0):
    """Sample the rows of larger genres down to a maximum (paper 3, section I.A, Fig. 3).

    Args:
        rows: Result of `explode_genres`.
        class_names: Genres, in label order.
        max_per_genre: Maximum number of rows of a genre.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        The rows that are kept, in the same order and with the same index.
    """
    labels = integer_labels(rows, class_names)
    rng = np.random.default_rng(seed)
    kept = np.zeros(len(rows), dtype=bool)
    for number in range(len(class_names)):
        positions = np.flatnonzero(labels == number)
        kept[rng.permutation(positions)[:max_per_genre]] = True
    return rows[kept]


def integer_labels(rows, class_names):
    """Return the genre of each row as its index in `class_names` (paper 3, Fig. 4).

    Args:
        rows: Result of `explode_genres`.
        class_names: Genres, in label order.

    Returns:
        int64 array `(num_rows,)`. The one-hot encoding (Table 5) is `encode_genres(rows, class_names)`.

    Raises:
        ValueError: If a row does not have exactly one of the genres.
    """
    labels = encode_genres(rows, class_names)
    odd = np.flatnonzero(labels.sum(axis=1) != 1)
    if len(odd):
        raise ValueError(
            "`rows` must have exactly one genre each, as from `explode_genres`. "
            f"Received: {rows['genres'].iloc[odd[0]]} in row {rows.index[odd[0]]}, and {len(odd) - 1} more."
        )
    return labels.argmax(axis=1).astype("int64")


@arguments.checked(rows=arguments.table("imdb_id"))
def best_accuracy(rows):
    """Return the upper bound on the accuracy of any model that sees only the poster.

    Args:
        rows: Result of `explode_genres`, or a part of it.

    Returns:
        float, 0..1: number of movies / number of rows.
    """
    return rows["imdb_id"].nunique() / len(rows)


@arguments.checked(table=arguments.table("genres"), genre_groups=arguments.options)
def merge_genres(table, genre_groups):
    """Replace groups of genres by one name (paper 4, section "Data": seven rare genres become "Other").

    Args:
        table: Movie table.
        genre_groups: Dict of a name -> genres to replace by it; the name may be a genre itself.

    Returns:
        Movie table with the new names in `genres`, each at most once per movie.

    Raises:
        ValueError: If a genre is neither one of IMDb's nor in the table, such as a misspelling.

    Example:

    >>> merge_genres(table, {"Music": ("Musical",), "Other": ("News", "Western")})
    """
    name_of = {genre: name for name, genres in genre_groups.items() for genre in genres}
    known = _known_genres(table)
    if unknown := [genre for genre in name_of if genre not in known]:
        raise ValueError(
            f"`genre_groups` must be a dict of a name -> genres, among: {', '.join(sorted(known))}. "
            f"Received: {', '.join(unknown)}"
        )
    merged = [list(dict.fromkeys(name_of.get(genre, genre) for genre in genres)) for genres in table["genres"]]
    table = table.assign(genres=pd.Series(merged, index=table.index, dtype=object))
    table.attrs["genres"] = sorted({*table.attrs.get("genres", ()), *genre_groups})
    return table


@arguments.checked(table=arguments.table("genres"))
def genre_counts(table):
    """Return the number of movies per genre, an int Series in descending order (paper 1, Fig. 3; paper 3, Fig. 1)."""
    counts = table["genres"].explode().dropna().value_counts()
    return counts.sort_index().sort_values(ascending=False, kind="stable").rename("movies").rename_axis("genre")


def genre_cooccurrence(table):
    """Return the number of movies per pair of genres (paper 1, Fig. 4).

    Returns:
        Square int DataFrame, genres in the order of `genre_counts`; the diagonal holds the counts themselves.
    """
    names = list(genre_counts(table).index)
    labels = encode_genres(table, names).astype("int64")
    return pd.DataFrame(labels.T @ labels, index=names, columns=names)
