"""Splits into train, validation and test: those of the papers, published ones, and one without leakage.

A split is a Series over the table's index with the values "train", "validation" and "test".
"""

import functools
import pathlib

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit
from sklearn.model_selection import StratifiedKFold, train_test_split

from poster_cnn.metrics import arguments
from poster_cnn.movies.cells import imdb_number
from poster_cnn.movies.genres import encode_genres

PARTS = ("train", "validation", "test")
_ROWS = arguments.table("genres", empty=False)
_GROUPS = arguments.optional(arguments.series)
_THREE = functools.partial(arguments.shares, expected="3 positive shares that sum to 1", lengths=(3,))


@arguments.checked(table=arguments.table("imdb_id", "year"))
def imdb_id_split(table):
    """Split movies by their imdbId, as paper 1's code does.

    A movie is in test if `imdb_id % 7 == 0`. The movies of each year are numbered from 1 in the order of their imdbId;
    those not in test are in validation if their number is divisible by 6, else in train. The numbers depend on the
    posters on disk, so another copy of the dataset has other validation movies.

    Args:
        table: Movie table with every `year` known.

    Returns:
        Series of str over the table's index: "train", "validation" or "test".

    Raises:
        ValueError: If a movie has no year.
    """
    if table["year"].isna().any():
        raise ValueError(
            "`table` must have the year of each movie; load it with missing_year='drop'. "
            f"Received: {int(table['year'].isna().sum())} movies without a year."
        )
    number = table.groupby("year")["imdb_id"].rank(method="first")
    is_test = table["imdb_id"] % 7 == 0
    parts = np.select([is_test, number % 6 == 0], ["test", "validation"], default="train")
    return pd.Series(parts, index=table.index, name="part")


@arguments.checked(table=arguments.table(), fractions=arguments.shares, seed=arguments.seed)
def random_split(table, *, fractions=(0.8, 0.2), seed=0):
    """Split rows at random, without stratification or groups (papers 2 and 4).

    Args:
        table: Table of movies, or of several rows per movie, which may be split between the parts.
        fractions: See `leak_free`. Defaults to `(0.8, 0.2)` (paper 2, section IV.A).
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


@arguments.checked(table=arguments.table("imdb_id", "genres", "part"), class_names=arguments.genres, groups=_GROUPS)
def given_split(table, class_names, *, fractions=(0.7, 0.1, 0.2), groups=None, seed=0):
    """Return the published split of the data; see `part` in `load_movie_table`.

    If it has no validation movies, a share of the training movies is drawn for them; see `leak_free`.

    Args:
        table: Movie table with `part`.
        class_names, groups, seed: See `leak_free`.
        fractions: Shares of train, validation and test, of which the first two are used without published validation
            movies. Defaults to `(0.7, 0.1, 0.2)`.

    Returns:
        Series of str over the table's index: "train", "validation" or "test".
    """
    split = table["part"].rename("part")
    if not (split == "validation").any():
        train = table[split == "train"]
        share = fractions[1] / (fractions[0] + fractions[1])
        drawn = leak_free(train, class_names, fractions=(1 - share, share), groups=groups, seed=seed)
        split = split.mask(drawn.reindex(split.index) == "test", "validation")
    return split


def _parts(fractions):
    return {2: ("train", "test"), 3: PARTS}[len(fractions)]


@arguments.checked(table=_ROWS, class_names=arguments.genres, split=arguments.optional(arguments.series))
def describe_split(table, class_names, split=None):
    """Count the movies of each part of a split, in all and per genre.

    Args:
        table: Movie table.
        class_names: Genres, in label order.
        split: Series over the table's index. Defaults to `None`: `imdb_id_split(table)`.

    Returns:
        DataFrame, one row per part: `part`, `movies`, a column for each genre, and `majority`, the share of movies
        whose first genre in label order is the most frequent one in train. Movies with none of the genres count in
        `movies` alone.

    Raises:
        ValueError: If no movie of train has one of the genres.
    """
    split = imdb_id_split(table) if split is None else split
    labels = pd.DataFrame(encode_genres(table, class_names), columns=list(class_names), index=table.index).astype(int)
    has_genre = labels.any(axis=1)
    first, part = labels[has_genre].idxmax(axis=1), split[has_genre]
    if not (part == "train").any():
        arguments.refuse("split", "a Series in which some movies with one of the genres are 'train'", split)
    majority = first[part == "train"].mode().iloc[0]
    shares = (first == majority).groupby(part).mean().round(4)
    counts = labels.groupby(split).sum().assign(majority=shares)
    counts.insert(0, "movies", split.value_counts())
    return counts.reindex([part for part in PARTS if part in counts.index]).rename_axis("part").reset_index()


@arguments.checked(rows=_ROWS, class_names=arguments.genres, fractions=_THREE, seed=arguments.seed)
def stratified_split(rows, class_names, *, fractions=(0.6, 0.2, 0.2), seed=0):
    """Split rows at random, stratified by genre (paper 3, section I.A).

    The split leaks, because several rows of a movie may be in different parts. `leak_free` corrects that.

    Args:
        rows: Table with one genre per row, as from `explode_genres`. Of several genres, the first in label order is
            used.
        class_names: Genres, in label order.
        fractions: Shares of train, validation and test, summing to 1. Defaults to `(0.6, 0.2, 0.2)`.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of str over the rows' index: "train", "validation" or "test".

    Raises:
        ValueError: If the fractions do not sum to 1, a genre has too few rows for every part, or a row has no genre.
    """
    genre = _first_genres(rows, class_names)
    _, validation, test = fractions
    rest, in_test = _stratified_draw(np.arange(len(rows)), genre, test, class_names, seed)
    _, in_validation = _stratified_draw(rest, genre, validation / (1 - test), class_names, seed)
    parts = np.full(len(rows), "train", dtype=object)
    parts[in_validation], parts[in_test] = "validation", "test"
    return pd.Series(parts, index=rows.index, name="part")


def _first_genres(rows, class_names):
    """Return the index of the first genre of each row in label order; a row with none has no stratum."""
    labels = encode_genres(rows, class_names)
    if len(without := np.flatnonzero(~labels.any(axis=1))):
        raise ValueError(
            f"`rows` must have at least one of {', '.join(class_names)} each; leave the others out, or use `leak_free` "
            f"or `random_split`. Received: {rows['genres'].iloc[without[0]]} in row {rows.index[without[0]]}, and "
            f"{len(without) - 1} more."
        )
    return labels.argmax(axis=1)


def _stratified_draw(candidates, genre, share, class_names, seed):
    try:
        return train_test_split(candidates, test_size=share, stratify=genre[candidates], random_state=seed)
    except ValueError as error:
        counts = np.bincount(genre[candidates], minlength=len(class_names))
        few = ", ".join(f"{name}: {count}" for name, count in zip(class_names, counts, strict=True))
        raise ValueError(f"Too few rows for a stratified split ({error}). Received: {few}") from error


@arguments.checked(rows=_ROWS, class_names=arguments.genres, n_splits=arguments.folds, seed=arguments.seed)
def stratified_folds(rows, class_names, *, n_splits=4, seed=0):
    """Assign rows to folds for cross-validation, stratified by genre.

    Args:
        rows, class_names: See `stratified_split`.
        n_splits: Number of folds. Defaults to 4 (paper 3, section II.B).
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of int64 over the rows' index: the fold, 0 … `n_splits - 1`, in which the row is held out.

    Raises:
        ValueError: If a row has no genre.
    """
    genre = _first_genres(rows, class_names)
    fold = _folds(StratifiedKFold(n_splits=n_splits, shuffle=True, random_state=seed), genre)
    return pd.Series(fold, index=rows.index, name="fold")


def _folds(splitter, labels):
    fold = np.zeros(len(labels), dtype="int64")
    for number, (_, held_out) in enumerate(splitter.split(labels, labels)):
        fold[held_out] = number
    return fold


@arguments.checked(
    table=arguments.table("imdb_id", "genres"),
    class_names=arguments.genres,
    fractions=arguments.shares,
    groups=_GROUPS,
    seed=arguments.seed,
)
def leak_free(table, class_names, *, fractions=(0.7, 0.1, 0.2), groups=None, seed=0):
    """Split movies at random, stratified by genre, with each group of movies in one part.

    This is the corrected variant of every paper's split: iterative stratification over the multi-hot labels (Sechidis
    et al. 2011), grouped by movie or by `groups`, such as duplicates.

    Args:
        table: Movie table.
        class_names: Genres to stratify by.
        fractions: Shares of train, validation and test, or of train and test, summing to 1. Defaults to
            `(0.7, 0.1, 0.2)`.
        groups: Series over the table's index; movies with equal values stay together. Defaults to `None`: `imdb_id`.
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


@arguments.checked(
    table=arguments.table("imdb_id", "genres"),
    class_names=arguments.genres,
    n_splits=arguments.integer,
    groups=_GROUPS,
    seed=arguments.seed,
)
def leak_free_folds(table, class_names, *, n_splits=5, groups=None, seed=0):
    """Assign movies to folds for cross-validation, stratified by genre, with each group of movies in one fold.

    Args:
        table, class_names, groups: See `leak_free`.
        n_splits: Number of folds. Defaults to 5.
        seed: Seed of the random choice. Defaults to 0.

    Returns:
        Series of int64 over the table's index: the fold, 0 … `n_splits - 1`, in which the movie is held out.

    Raises:
        ValueError: If there are fewer movies than folds.
    """
    group_labels, membership = _label_groups(table, class_names, groups)
    if not 2 <= n_splits <= len(group_labels):
        raise ValueError(
            f"`n_splits` must be 2 … {len(group_labels)} (the number of movies). Received: n_splits={n_splits}"
        )
    fold = _folds(MultilabelStratifiedKFold(n_splits=n_splits, shuffle=True, random_state=seed), group_labels)
    return pd.Series(fold[membership], index=table.index, name="fold")


def _label_groups(table, class_names, groups):
    """Return the labels of each group, those of all its movies together, and the group index of each movie."""
    groups = table["imdb_id"] if groups is None else groups.reindex(table.index)
    membership, names = pd.factorize(groups, sort=True)
    if (membership < 0).any():
        raise ValueError(f"`groups` must have a group for every movie. Received: {(membership < 0).sum()} without one.")
    # The stratifier needs at least two columns.
    group_labels = np.zeros((len(names), max(len(class_names), 2)), dtype="int64")
    np.maximum.at(group_labels[:, : len(class_names)], membership, encode_genres(table, class_names).astype("int64"))
    return group_labels, membership


def _draw(group_labels, candidates, size, seed):
    """Draw about `size` of the candidates, stratified by genre; return the others and those drawn."""
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=size / len(candidates), random_state=seed)
    rest, taken = next(splitter.split(candidates, group_labels[candidates]))
    return candidates[rest], candidates[taken]


@arguments.checked(path=arguments.path)
def read_split(path):
    """Read a split from a CSV, such as a run's `split.csv`.

    Args:
        path: Path of a CSV with the columns `imdb_id` (numbers, or ids such as "tt0114709") and `part`.

    Returns:
        DataFrame with `part` (str) and `imdb_id` (Int64). A movie in several parts has a row for each.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, or there are no rows.
    """
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"No split found. Looked for the file {str(path)!r}.")
    split = pd.read_csv(path, dtype=str, keep_default_na=False)
    arguments.table("imdb_id", "part", empty=False)("split", split)
    numbers = split["imdb_id"].map(imdb_number).replace("", pd.NA).astype("Int64")
    return split[["part"]].assign(imdb_id=numbers).dropna().drop_duplicates()
