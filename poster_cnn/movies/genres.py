"""One row per movie and genre, as paper 3 makes them: a movie of three genres stands in the table three times."""

import itertools
import re

import numpy as np
import pandas as pd


def explode_genres(table, class_names):
    """One row for each movie and each of its genres among `class_names` (paper 3, section I.A).

    The same poster then stands in several classes: a network that sees nothing else cannot get all of its rows right.
    See `best_accuracy`.

    Args:
        table: Movie table.
        class_names: Genres, in label order; others are left out, and movies with none of them.

    Returns:
        Movie table with a new index. `genres` is a list of the row's one genre, `all_genres` that of all genres of the
        movie. Rows follow the movies, a movie's rows the label order.
    """
    wanted = [[name for name in class_names if name in genres] for genres in table["genres"]]
    rows = table.assign(all_genres=table["genres"], genres=wanted).explode("genres")
    rows = rows[rows["genres"].notna()].reset_index(drop=True)
    rows["genres"] = [[name] for name in rows["genres"]]
    return rows


def limit_per_genre(rows, class_names, max_per_genre, *, seed=0):
    """Leaves out rows of the larger genres at random, for a flatter distribution (paper 3, section I.A, Fig. 3).

    Args:
        rows: Result of `explode_genres`.
        class_names: Genres, in label order.
        max_per_genre: Most rows of a genre.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        The rows that stay, in their order, with their index.
    """
    labels = integer_labels(rows, class_names)
    rng = np.random.default_rng(seed)
    kept = np.zeros(len(rows), dtype=bool)
    for number in range(len(class_names)):
        positions = np.flatnonzero(labels == number)
        kept[rng.permutation(positions)[:max_per_genre]] = True
    return rows[kept]


def integer_labels(rows, class_names):
    """Each row's genre as its number in label order (paper 3, Fig. 4).

    Args:
        rows: Result of `explode_genres`.
        class_names: Genres, in label order.

    Returns:
        int64 array `(num_rows,)`. The one-hot encoding (Table 5) is `encode_genres(rows, class_names)`.

    Raises:
        ValueError: If a row has not exactly one of the genres.
    """
    labels = encode_genres(rows, class_names)
    odd = np.flatnonzero(labels.sum(axis=1) != 1)
    if len(odd):
        raise ValueError(
            "Integer labels need rows with exactly one genre; see `explode_genres`. "
            f"Received: {rows['genres'].iloc[odd[0]]} in row {rows.index[odd[0]]}, and {len(odd) - 1} more."
        )
    return labels.argmax(axis=1).astype("int64")


def best_accuracy(rows):
    """The accuracy that nothing can exceed which sees only the poster: a movie in three classes is right once.

    Args:
        rows: Result of `explode_genres`, or the part of it that is scored.

    Returns:
        float, 0..1: number of movies / number of rows.
    """
    return rows["imdb_id"].nunique() / len(rows)


_GENRES = (
    "Action Adult Adventure Animation Biography Comedy Crime Documentary Drama Family Fantasy Film-Noir Game-Show "
    "History Horror Music Musical Mystery News Reality-TV Romance Sci-Fi Short Sport Talk-Show Thriller War Western"
).split()
# Spelling without case, hyphen and space -> IMDb's own spelling.
_SPELLING = {re.sub(r"\W", "", name).lower(): name for name in _GENRES} | {"sciencefiction": "Sci-Fi"}
_NO_GENRE = {"", "na", "nogenreslisted", "none", "nan"}


def _canonical_genres(names):
    """Genre names in IMDb's spelling, without blanks and repetitions, in the order given."""
    keys = {re.sub(r"\W", "", name).lower(): name.strip() for name in names}
    return list(dict.fromkeys(_SPELLING.get(key, name) for key, name in keys.items() if key not in _NO_GENRE))


def encode_genres(table, class_names):
    """Genres as a multi-hot matrix.

    Args:
        table: Movie table.
        class_names: Genres, in label order.

    Returns:
        float32 array `(num_movies, num_classes)` of zeros and ones. Genres outside `class_names` are ignored.

    Raises:
        ValueError: If a name is neither one of IMDb's genres nor in the table: most likely a misspelling.
    """
    class_names = list(class_names)
    rows = [[name in genres for name in class_names] for genres in table["genres"]]
    labels = np.array(rows, dtype="float32").reshape(len(table), len(class_names))
    absent = [name for name, count in zip(class_names, labels.sum(axis=0), strict=True) if not count]
    if unknown := [name for name in absent if name not in _GENRES]:
        known = ", ".join(genre_counts(table).index)
        raise ValueError(f"No movie has the genre(s) {', '.join(unknown)}. Expected some of: {known}.")
    return labels


def merge_genres(table, genre_groups):
    """Counts several genres as one (paper 4, section "Data": seven rare genres are "Other").

    Args:
        table: Movie table.
        genre_groups: dict of a name -> the genres that count as it; the name may be a genre, too.

    Returns:
        Movie table whose `genres` have the names instead; of several genres of a group, one stays.

    Raises:
        ValueError: If a genre of a group is neither one of IMDb's nor in the table: most likely a misspelling.

    Example:

    >>> merge_genres(table, {"Music": ("Musical",), "Other": ("News", "Western")})
    """
    name_of = {genre: name for name, genres in genre_groups.items() for genre in genres}
    known = {*_GENRES, *itertools.chain.from_iterable(table["genres"])}
    if unknown := [genre for genre in name_of if genre not in known]:
        raise ValueError(
            f"`genre_groups` must be a dict of a name -> list of genres. Expected some of: {', '.join(sorted(known))}. "
            f"Received: {', '.join(unknown)}"
        )
    merged = [list(dict.fromkeys(name_of.get(genre, genre) for genre in genres)) for genres in table["genres"]]
    return table.assign(genres=pd.Series(merged, index=table.index, dtype=object))


def genre_counts(table):
    """Number of movies per genre (paper 1, Fig. 3; paper 3, Fig. 1), as an int Series in descending order."""
    counts = table["genres"].explode().dropna().value_counts()
    return counts.sort_index().sort_values(ascending=False, kind="stable").rename("movies").rename_axis("genre")


def genre_cooccurrence(table):
    """Number of movies per pair of genres (paper 1, Fig. 4).

    Returns:
        Square int DataFrame, genres in descending order of their counts; the diagonal holds the counts themselves.
    """
    names = list(genre_counts(table).index)
    labels = encode_genres(table, names).astype("int64")
    return pd.DataFrame(labels.T @ labels, index=names, columns=names)
