"""Which movies train, which validate, which test: every paper's split, and one that does not leak.

A split is a Series over the table's index with the values "train", "validation", "test".
"""

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit
from sklearn.model_selection import StratifiedKFold, train_test_split

from poster_cnn.files import write_atomically
from poster_cnn.movies.genres import encode_genres

PARTS = ("train", "validation", "test")


def imdb_id_split(table):
    """Paper 1's split, by imdbId alone (its authors' code).

    A movie is test when `imdb_id % 7 == 0`. Within each year, movies are numbered 1, 2, 3… in imdbId order, test ones
    included; one that is not test is validation when its number is divisible by 6, else train. The numbers depend on
    which posters are on disk, so another copy of the dataset validates on other movies.

    Args:
        table: Movie table with every `year` known.

    Returns:
        Series of str over the table's index: "train", "validation" or "test".

    Raises:
        ValueError: If a movie has no year.
    """
    if table["year"].isna().any():
        raise ValueError(
            "Paper 1's split numbers the movies within each year, so every movie needs one. "
            f"Received: {int(table['year'].isna().sum())} movies without a year. Load the table with "
            "`missing_year='drop'`."
        )
    in_order = table.sort_values(["year", "imdb_id"])
    number = in_order.groupby("year").cumcount().reindex(table.index) + 1
    is_test = table["imdb_id"] % 7 == 0
    parts = np.select([is_test, number % 6 == 0], ["test", "validation"], default="train")
    return pd.Series(parts, index=table.index, name="part")


def random_split(table, *, fractions=(0.8, 0.2), seed=0):
    """Splits rows at random, whatever they show (papers 2 and 4).

    Args:
        table: Table of movies, or of several rows a movie, which then land on different sides.
        fractions: As in `leak_free`. Defaults to `(0.8, 0.2)` (paper 2, section IV.A).
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of str over the table's index: "train", "validation" or "test".

    Raises:
        ValueError: If the fractions do not sum to 1.
    """
    parts = _parts(fractions)
    ends = np.round(np.cumsum(fractions) * len(table)).astype(int)
    chosen = np.repeat(parts, np.diff(ends, prepend=0))
    return pd.Series(np.random.default_rng(seed).permutation(chosen), index=table.index, name="part")


def _parts(fractions):
    """Names of the parts that so many fractions are shares of."""
    parts = {2: ("train", "test"), 3: PARTS}.get(len(fractions))
    if parts is None or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"`fractions` must be 2 or 3 positive shares that sum to 1. Received: fractions={fractions}")
    return parts


def describe_split(table, class_names, split=None):
    """How many movies each part of a split has, and how many of each genre.

    Args:
        table: Movie table.
        class_names: Genres, in label order.
        split: Series over the table's index. Defaults to `None`: `imdb_id_split(table)`.

    Returns:
        DataFrame, a row a part: `part`, `movies`, a column for each genre, and `majority`: the share of the part's
        movies whose first genre, in label order, is the most frequent one in train.
    """
    split = imdb_id_split(table) if split is None else split
    labels = pd.DataFrame(encode_genres(table, class_names), columns=list(class_names), index=table.index).astype(int)
    first = labels.idxmax(axis=1)
    majority = first[split == "train"].mode().iloc[0]
    counts = labels.groupby(split).sum().assign(majority=(first == majority).groupby(split).mean().round(4))
    counts.insert(0, "movies", split.value_counts())
    return counts.reindex([part for part in PARTS if part in counts.index]).rename_axis("part").reset_index()


def stratified_split(rows, class_names, *, fractions=(0.6, 0.2, 0.2), seed=0):
    """Splits rows at random so that each genre keeps its share (paper 3, section I.A).

    Rows are looked at one by one: where a movie has several, they land on different sides, and the split leaks. See
    `leak_free` for the correction.

    Args:
        rows: Table with one genre a row, as from `rows.explode_genres`; of several genres the first in label order
            counts.
        class_names: Genres, in label order.
        fractions: Shares of train, validation and test, summing to 1. Defaults to `(0.6, 0.2, 0.2)`.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of str over the rows' index: "train", "validation" or "test".

    Raises:
        ValueError: If the fractions do not sum to 1, or a genre has too few rows for every part.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"`fractions` must be 3 positive shares that sum to 1. Received: fractions={fractions}")
    genre = encode_genres(rows, class_names).argmax(axis=1)
    _, validation, test = fractions
    rest, in_test = _stratified_draw(np.arange(len(rows)), genre, test, class_names, seed)
    _, in_validation = _stratified_draw(rest, genre, validation / (1 - test), class_names, seed)
    parts = np.full(len(rows), "train", dtype=object)
    parts[in_validation], parts[in_test] = "validation", "test"
    return pd.Series(parts, index=rows.index, name="part")


def _stratified_draw(candidates, genre, share, class_names, seed):
    try:
        return train_test_split(candidates, test_size=share, stratify=genre[candidates], random_state=seed)
    except ValueError as error:
        counts = np.bincount(genre[candidates], minlength=len(class_names))
        few = ", ".join(f"{name}: {count}" for name, count in zip(class_names, counts, strict=True))
        raise ValueError(f"Too few rows for a stratified split ({error}). Received: {few}") from error


def stratified_folds(rows, class_names, *, n_splits=4, seed=0):
    """Assigns rows to folds for cross-validation, one by one, stratified by genre; see `stratified_split`.

    Args:
        rows: As in `stratified_split`.
        class_names: Genres, in label order.
        n_splits: Number of folds. Defaults to 4 (paper 3, section II.B).
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of int64 over the rows' index: the fold, 0 … `n_splits - 1`, in which the row is held out.
    """
    genre = encode_genres(rows, class_names).argmax(axis=1)
    fold = np.zeros(len(rows), dtype="int64")
    splitter = StratifiedKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(genre, genre)):
        fold[held_out] = number
    return pd.Series(fold, index=rows.index, name="fold")


def leak_free(table, class_names, *, fractions=(0.7, 0.1, 0.2), groups=None, seed=0):
    """Splits movies at random so that each genre keeps its share, and no group of movies is torn.

    The corrected variant of every paper's split: stratified over the multi-hot labels (iterative stratification,
    Sechidis et al. 2011) and grouped by movie, or by duplicate group where `groups` gives one.

    Args:
        table: Movie table.
        class_names: Genres to stratify over.
        fractions: Shares of train, validation and test, summing to 1; or of train and test. Defaults to
            `(0.7, 0.1, 0.2)`.
        groups: Series over the table's index; movies with equal values stay together. Defaults to `None`: the imdb_id.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of str over the table's index: "train", "validation" or "test".

    Raises:
        ValueError: If the fractions do not sum to 1, or there are too few movies to fill each part.
    """
    parts = _parts(fractions)
    group_labels, membership = _label_groups(table, class_names, groups)
    if len(group_labels) < 2 * len(parts):
        raise ValueError(
            f"Too few movies for a split into {len(parts)} parts. Expected at least {2 * len(parts)}. "
            f"Received: {len(group_labels)} in {len(table)} rows."
        )
    chosen = np.full(len(group_labels), parts[0], dtype=object)
    rest = np.arange(len(group_labels))
    for part, share in list(zip(parts, fractions, strict=True))[:0:-1]:
        size = round(share * len(group_labels))
        rest, taken = _draw(group_labels, rest, max(size, 1), seed)
        chosen[taken] = part
    if empty := [part for part in parts if part not in chosen]:
        raise ValueError(f"Too few movies for `fractions`: {', '.join(empty)} would be empty. Received: {fractions}")
    return pd.Series(chosen[membership], index=table.index, name="part")


def leak_free_folds(table, class_names, *, n_splits=5, groups=None, seed=0):
    """Assigns movies to folds of about equal size for cross-validation: stratified over genres, no group torn.

    Args:
        table: Movie table.
        class_names: Genres to stratify over.
        n_splits: Number of folds. Defaults to 5.
        groups: As in `leak_free`.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of int64 over the table's index: the fold, 0 … `n_splits - 1`, in which the movie is held out.

    Raises:
        ValueError: If there are fewer movies than folds.
    """
    group_labels, membership = _label_groups(table, class_names, groups)
    if not 2 <= n_splits <= len(group_labels):
        raise ValueError(f"`n_splits` must be 2 … {len(group_labels)} (the movies). Received: n_splits={n_splits}")
    fold = np.zeros(len(group_labels), dtype="int64")
    splitter = MultilabelStratifiedKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(group_labels, group_labels)):
        fold[held_out] = number
    return pd.Series(fold[membership], index=table.index, name="fold")


def _label_groups(table, class_names, groups):
    """Labels of each group (any of its movies has the genre), and each movie's position among the groups."""
    groups = table["imdb_id"] if groups is None else groups.reindex(table.index)
    membership, names = pd.factorize(groups, sort=True)
    if (membership < 0).any():
        raise ValueError(f"`groups` must name a group for every movie. Received: {(membership < 0).sum()} without one.")
    # Two columns at least, as the stratifier refuses a single one.
    group_labels = np.zeros((len(names), max(len(class_names), 2)), dtype="int64")
    np.maximum.at(group_labels[:, : len(class_names)], membership, encode_genres(table, class_names).astype("int64"))
    return group_labels, membership


def _draw(group_labels, candidates, size, seed):
    """Takes about `size` of the candidates, genres in proportion; returns the rest and the taken."""
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=size / len(candidates), random_state=seed)
    rest, taken = next(splitter.split(candidates, group_labels[candidates]))
    return candidates[rest], candidates[taken]


def save_split(table, split, path):
    """Writes a split as a small CSV (`imdb_id,part`), so that others can use exactly the same one."""
    frame = pd.DataFrame({"imdb_id": table["imdb_id"], "part": split.reindex(table.index)})
    with write_atomically(path) as temporary:
        frame.to_csv(temporary, index=False)


def load_split(table, path):
    """Reads a split written by `save_split` for the movies of a table.

    Args:
        table: Movie table; its movies must all stand in the file.
        path: CSV with the columns `imdb_id` and `part`.

    Returns:
        Series of str over the table's index.

    Raises:
        ValueError: If the file lacks some of the movies or a column.
    """
    frame = pd.read_csv(path)
    if not {"imdb_id", "part"} <= set(frame.columns):
        raise ValueError(f"A split file needs the columns imdb_id and part. Received: {list(frame.columns)} in {path}")
    split = table["imdb_id"].map(frame.drop_duplicates("imdb_id").set_index("imdb_id")["part"]).rename("part")
    if split.isna().any():
        missing = table["imdb_id"][split.isna()].tolist()
        raise ValueError(f"The split {path} does not name {len(missing)} of the movies, such as {missing[:3]}.")
    return split
