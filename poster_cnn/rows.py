"""One row per movie and genre, as paper 3 makes them: a movie of three genres stands in the table three times."""

import numpy as np

from poster_cnn.table import encode_genres


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
