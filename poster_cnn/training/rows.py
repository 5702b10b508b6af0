"""The rows of a run: movies selected, posters checked, one row per genre or crop if asked for, and their split."""

import numpy as np
import pandas as pd

from poster_cnn.datasets import crops
from poster_cnn.datasets.verify import check_posters, describe, describe_losses, with_readable_posters
from poster_cnn.metrics import arguments
from poster_cnn.movies import splits
from poster_cnn.movies.genres import encode_genres, explode_genres, limit_per_genre, merge_genres, require_known
from poster_cnn.movies.table import load_movie_table


def read_movies(config, folder):
    """Return the movie table of a `DataFolder`, without the movies of other years than those of a `DataConfig`."""
    return load_movie_table(
        folder.csv,
        posters_dir=folder.posters,
        min_year=config.min_year,
        max_year=config.max_year,
        min_genres=config.min_genres,
        missing_year="drop" if config.split == "imdb_id" else "keep",
    )


class CheckedOnce:
    """Check the posters of movies, and then those of some of the same movies without reading them again."""

    def __init__(self):
        self._report = None

    def __call__(self, table):
        if self._report is None or (self._report["reason"] == "placeholder").any():  # which depends on the others
            usable, self._report = check_posters(table)
            return usable, self._report
        report = manifest_of(table, self._report)
        return with_readable_posters(table, report), report


def load_rows(config, folder, *, table=None, check=check_posters):
    """Read the movies that a config selects; broken posters are dropped and reported.

    Args:
        config: `DataConfig`.
        folder: `DataFolder`.
        table: DataFrame from `read_movies`. Defaults to `None`: it is read.
        check: Function that does the same as `check_posters`. Defaults to that.

    Returns:
        `(table, manifest, report, lost)`: the table with one row per movie, per movie and genre, or per crop; the
        manifest of the posters over the same index; the dropped movies as text; and a warning from `describe_losses`.

    Raises:
        ValueError: If a genre has no movie.
    """
    table = read_movies(config, folder) if table is None else table.copy()
    read, report = table.attrs["report"], table.attrs["report"].with_layout()
    table, notes = _choose_movies(config, table)
    table, manifest = check(table)
    lost = describe_losses(manifest, read.count("no poster file"), read.rows_kept)
    _require_every_genre(table, config.class_names, lost)
    report += f"{notes}\n{describe(manifest)}"
    if config.one_row_per_genre:
        movies = len(table)
        table = explode_genres(table, config.class_names)
        report += f"\n{len(table)} rows, one a movie and genre, of {movies} movies"
        if config.max_per_genre:
            table = limit_per_genre(table, config.class_names, config.max_per_genre, seed=config.split_seed)
            report += f"\n{len(table)} rows with at most {config.max_per_genre} a genre"
    if config.crops_per_genre and config.crop_before_split:
        table = _with_crops(config, table)
        report += f"\n{len(table)} images with crops"
    return table, manifest_of(table, manifest), report, lost


def _choose_movies(config, table):
    """Merge genres, sample movies and drop those without a selected genre; return the table and notes."""
    notes = ""
    if config.split == "given":
        if "part" not in table:
            expected = "MM-IMDb, MovieScope, a table with a column `split`, or folders train/ and test/"
            arguments.refuse("split", f"'leak_free' or another without a published split, as in {expected}", "given")
        without = table["part"] == ""
        notes += f"\n{without.sum()} movies that are in no part of the published split left out" * bool(without.any())
        table = table[~without]
    table = merge_genres(table, config.genre_groups)
    require_known(table, config.class_names)
    if config.max_movies and len(table) > config.max_movies:
        notes += f"\n{config.max_movies} of {len(table)} movies drawn at random"
        table = table.sample(config.max_movies, random_state=config.split_seed).sort_index()
    has_genre = encode_genres(table, config.class_names).any(axis=1)
    done = "kept" if config.keep_unlabeled else "left out"
    if not has_genre.all():
        notes += f"\n{(~has_genre).sum()} movies with none of the {len(config.class_names)} genres {done}"
    table = table if config.keep_unlabeled else table[has_genre]
    return table.reset_index(drop=True), notes


def choose_split(config, table, groups):
    """Return the part of each row, a Series."""
    if config.split == "imdb_id":
        return splits.imdb_id_split(table)
    options = {"fractions": config.fractions, "seed": config.split_seed}
    if config.split == "random":
        return splits.random_split(table, **options)
    if config.split == "given":
        return splits.given_split(table, config.class_names, groups=groups, **options)
    if config.split == "stratified":
        return splits.stratified_split(table, config.class_names, **options)
    return splits.leak_free(table, config.class_names, groups=groups, **options)


def limit_train(table, split, max_train_movies, seed):
    """Draw the training movies that are kept; return their rows and those of the other parts, with the split."""
    movies = np.sort(table.loc[split == "train", "imdb_id"].unique())
    dropped = np.random.default_rng(seed).permutation(movies)[max_train_movies:]
    kept = (split != "train") | ~table["imdb_id"].isin(dropped)
    return table[kept], split[kept]


def choose_folds(config, table, split, groups):
    """Return the fold of each row, -1 for test rows. Rows of a movie share a fold unless the split separates them."""
    pool = table[split != "test"]
    options = {"n_splits": config.num_folds, "seed": config.split_seed}
    if config.split == "stratified":
        folds = splits.stratified_folds(pool, config.class_names, **options)
    else:
        folds = splits.leak_free_folds(pool, config.class_names, groups=groups, **options)
    return folds.reindex(table.index, fill_value=-1)


def _with_crops(config, table):
    size, seed = config.crop_size, config.split_seed
    return crops.balance_by_crops(table, config.class_names, config.crops_per_genre, crop_size=size, seed=seed)


def crop_train(config, table, split):
    """Add crops of training posters and crop the others; return the table and its split."""
    train, others = _with_crops(config, table[split == "train"]), table[split != "train"]
    whole = config.evaluation_crop == "whole"
    others = crops.whole_posters(others) if whole else crops.center_crops(others, config.crop_size)
    parts = np.concatenate([np.full(len(train), "train", dtype=object), split[split != "train"].to_numpy()])
    table = pd.concat([train, others], ignore_index=True)
    return table, pd.Series(parts, index=table.index, name="part")


def manifest_of(table, manifest):
    """Return the manifest row of each table row, as a movie may have several rows."""
    return manifest.set_index("imdb_id", drop=False).loc[table["imdb_id"]].set_axis(table.index)


def _require_every_genre(table, class_names, lost):
    counts = encode_genres(table, class_names).sum(axis=0)
    absent = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if absent:
        raise ValueError(
            f"No movie with a poster has the genre(s) {', '.join(absent)}. "
            f"Received: {len(table)} movies. Leave the genre out, or widen the years.{lost and f' {lost}'}"
        )
