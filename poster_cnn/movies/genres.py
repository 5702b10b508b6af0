"""Genres: encoding, counts, merged genres, and tables with one row per movie and genre (paper 3)."""

import difflib
import functools
import itertools
import warnings

import numpy as np
import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies.genre_text import (
    IMDB_GENRES,
    genre_key,
    names_in,
    parse_genre_cells,
)

_RESEMBLING = 0.75  # similarity of a misspelling, for difflib


def with_genre_lists(table):
    """Return a movie table whose genres are lists of str; the same table if they are.

    Args:
        table: DataFrame with `genres`: lists, arrays, tuples or sets of names, or texts such as "Drama|Comedy" and
            "['Drama', 'Comedy']", which `DataFrame.to_csv` writes. Missing values become empty lists.

    Raises:
        ValueError: If a text cannot be understood, or a value is something else.
    """
    column = arguments.table("genres")("table", table)["genres"]
    if all(type(names) is list and all(isinstance(name, str) for name in names) for names in column):
        return table
    values = [value.tolist() if isinstance(value, np.ndarray | pd.Series) else value for value in column]
    is_text = np.array([isinstance(value, str) for value in values])
    parsed = iter(parse_genre_cells(column[is_text])[0])
    try:
        lists = [next(parsed) if isinstance(value, str) else names_in(value) for value in values]
    except ValueError:
        arguments.refuse("table", "a DataFrame whose `genres` are lists of names, or texts", values[:3])
    return table.assign(genres=pd.Series(lists, index=table.index, dtype=object))


@arguments.checked(table=arguments.table("genres"), class_names=functools.partial(arguments.genres, least=0))
def encode_genres(table, class_names):
    """Return the genres of movies as a multi-hot matrix.

    A genre that no movie of the table has gives a column of zeros, as in a part of a larger table. Tables from
    `load_movie_table` and their parts list all genres of their file in `table.attrs["genres"]`. A genre that is neither
    there nor one of IMDb's causes a warning.

    Args:
        table: Movie table.
        class_names: Genres, in label order. Any spelling is accepted, such as "horror" or "science fiction".

    Returns:
        float32 array `(num_movies, num_classes)` of zeros and ones. Genres outside `class_names` are ignored.

    Raises:
        ValueError: If a name is unknown and resembles a known genre, such as a misspelling, or if the genres of the
            table cannot be understood.
    """
    table = with_genre_lists(table)
    warn_of_unknown(table, class_names)
    columns = {genre_key(name): column for column, name in enumerate(class_names)}
    if len(columns) < len(class_names):
        arguments.refuse("class_names", "a list of different genres", class_names)
    column_of = {name: columns.get(genre_key(name)) for name in {*_names(table)}}
    labels = np.zeros((len(table), len(class_names)), dtype="float32")
    for row, genres in enumerate(table["genres"]):
        labels[row, [column_of[name] for name in genres if column_of[name] is not None]] = 1
    return labels


def _names(table):
    return itertools.chain.from_iterable(table["genres"])


def _known_genres(table):
    """Return a dict of `genre_key` -> name of each genre of IMDb or the table; the table's spelling counts."""
    names = [*IMDB_GENRES, *table.attrs.get("genres", ()), *dict.fromkeys(_names(table))]
    return {genre_key(name): name for name in names}


def unknown_genres(table, class_names):
    """Return the names that are neither IMDb's genres, nor in the table, nor in `table.attrs["genres"]`."""
    known = _known_genres(with_genre_lists(table))
    return [name for name in class_names if genre_key(name) not in known]


def warn_of_unknown(table, class_names, argument="class_names"):
    """Warn of `unknown_genres` and return them, or raise a ValueError if one of them resembles a known genre."""
    if unknown := unknown_genres(table, class_names):
        known = {name.casefold() for name in _known_genres(table).values()}
        if any(difflib.get_close_matches(name.casefold(), known, 1, _RESEMBLING) for name in unknown):
            require_known(table, class_names, argument)
        warnings.warn(f"No movie of `table` has the genre(s) {', '.join(unknown)}.", stacklevel=4)
    return unknown


def require_known(table, class_names, argument="class_names"):
    """Raise a ValueError that names the unknown genres, if there are any; see `unknown_genres`."""
    if unknown := unknown_genres(table, class_names):
        known = ", ".join(genre_counts(table).index)
        raise ValueError(f"`{argument}` must be some of: {known}. Received unknown genre(s): {', '.join(unknown)}")


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
    table = with_genre_lists(table)
    labels = encode_genres(table, class_names)
    known = _known_genres(table)
    names = [known.get(genre_key(name), name) for name in class_names]
    wanted = [[names[column] for column in np.flatnonzero(row)] for row in labels]
    rows = table.assign(all_genres=table["genres"], genres=wanted).explode("genres")
    rows = rows[rows["genres"].notna()].reset_index(drop=True)
    rows["genres"] = [[name] for name in rows["genres"]]
    return rows


@arguments.checked(
    rows=arguments.table("genres"), class_names=arguments.genres, max_per_genre=arguments.natural, seed=arguments.seed
)
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


@arguments.checked(rows=arguments.table("genres"), class_names=arguments.genres)
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


@arguments.checked(rows=arguments.table("imdb_id", empty=False))
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
    table = with_genre_lists(table)
    known = _known_genres(table)
    if not all(isinstance(genres, str | list | tuple) for genres in genre_groups.values()):
        arguments.refuse("genre_groups", "a dict of a name -> genres", genre_groups)
    grouped = {genre: name for name, genres in genre_groups.items() for genre in genres}
    if unknown := [genre for genre in grouped if genre_key(str(genre)) not in known]:
        raise ValueError(
            f"`genre_groups` must be a dict of a name -> genres, among: {', '.join(sorted(known.values()))}. "
            f"Received: {', '.join(map(str, unknown))}"
        )
    group_of = {genre_key(genre): name for genre, name in grouped.items()}
    name_of = {name: group_of.get(genre_key(name), name) for name in {*_names(table)}}
    merged = [list(dict.fromkeys(name_of[genre] for genre in genres)) for genres in table["genres"]]
    table = table.assign(genres=pd.Series(merged, index=table.index, dtype=object))
    table.attrs["genres"] = sorted({*table.attrs.get("genres", ()), *genre_groups})
    return table


@arguments.checked(table=arguments.table("genres"))
def genre_counts(table):
    """Return the number of movies per genre, an int Series in descending order (paper 1, Fig. 3; paper 3, Fig. 1)."""
    counts = with_genre_lists(table)["genres"].explode().dropna().value_counts()
    return counts.sort_index().sort_values(ascending=False, kind="stable").rename("movies").rename_axis("genre")


def genre_cooccurrence(table):
    """Return the number of movies per pair of genres (paper 1, Fig. 4).

    Returns:
        Square int DataFrame, genres in the order of `genre_counts`; the diagonal holds the counts themselves.
    """
    names = list(genre_counts(table).index)
    labels = encode_genres(table, names).astype("int64")
    return pd.DataFrame(labels.T @ labels, index=names, columns=names)
