"""The movie table: one tidy DataFrame with a row per movie."""

import pathlib

import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies import poster_files
from poster_cnn.movies.genre_text import genre_key
from poster_cnn.movies.genres import encode_genres, warn_of_unknown
from poster_cnn.movies.layouts import data_source, find_layout
from poster_cnn.movies.tidy import TableReport, apply_rule, drop_further_rows, merge_rows, tidy

_RULES = ("duplicates", "missing_genre", "missing_title", "missing_year", "missing_poster")


@arguments.checked(
    csv_path=data_source,
    posters_dir=arguments.optional(arguments.path),
    min_year=arguments.optional(arguments.integer),
    max_year=arguments.optional(arguments.integer),
    genres=arguments.optional(arguments.selection),
    min_genres=arguments.natural,
    **dict.fromkeys(_RULES, arguments.choice("keep", "drop")),
)
def load_movie_table(
    csv_path,
    *,
    posters_dir=None,
    min_year=None,
    max_year=None,
    genres=None,
    min_genres=1,
    duplicates="drop",
    missing_genre="drop",
    missing_title="keep",
    missing_year="keep",
    missing_poster="drop",
):
    """Read a movie table in any layout: `MovieGenre.csv`, another CSV, a DataFrame, or one of those of `find_layout`.

    No row is dropped silently. `table.attrs["report"]` is a `TableReport` that counts each reason, with row numbers.
    `table.attrs["genres"]` lists the genres of all rows that were read.

    Args:
        csv_path: Path of a CSV with ids, titles and genres, or with pictures and genres; such a DataFrame; or a file or
            folder of another layout, such as OMDb records (`*.json`, `*.jsonl`, `<year>.txt`) or a folder per genre.
        posters_dir: Folder of posters named by imdbId, such as `114709.jpg` or `1995/tt0114709.png`. Defaults to
            `None`: only the posters that the table names are looked up.
        min_year: First year to keep, inclusive. Defaults to `None`: no limit. A limit drops movies without a year.
        max_year: Last year to keep, inclusive. Defaults to `None`: no limit.
        genres: Keep movies with at least one of these genres, in any spelling. Defaults to `None`: all genres.
        min_genres: Keep movies with at least this many genres. Defaults to 1; 2 in paper 1's code.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId and gives it the genres of all of them,
            `"keep"` keeps all. Defaults to `"drop"`.
        missing_genre: `"drop"` or `"keep"` movies without a genre. Defaults to `"drop"`.
        missing_title: `"drop"` or `"keep"` movies without a title. Defaults to `"keep"`.
        missing_year: `"drop"` or `"keep"` movies without a year. Defaults to `"keep"`.
        missing_poster: `"drop"` or `"keep"` movies without a poster, if posters are looked up. Defaults to `"drop"`.

    Returns:
        DataFrame, one row per movie: `imdb_id` (int64), `title` (str, with the year), `year` (Int64), `score`
        (Float64), `genres` (list of str), `poster_url` (str, "" if none), `poster_path` (str, absolute, "" if none).
        Tables that name their pictures have `picture`, the name in the table, and a number made of the id or the
        picture as `imdb_id` where there is no imdbId. Data with a published split have `part` ("train", "validation",
        "test" or ""); see `splits.given_split`.

    Raises:
        FileNotFoundError: If the table or `posters_dir` does not exist.
        ValueError: If a required column is missing, genres cannot be understood, or no row is left.

    Example:

    >>> table = load_movie_table("MovieGenre.csv", posters_dir="posters", min_year=1997, max_year=2017)
    >>> print(table.attrs["report"])
    """
    layout = find_layout(csv_path)
    raw, notes, described = layout.read(layout.source, posters_dir)
    report = TableReport.of(raw, notes)
    report.layout = described
    table = tidy(raw, report)
    further = merge_rows(table) if duplicates == "drop" else pd.Series(False, index=table.index)
    known_genres = sorted({name for names in table["genres"] for name in names})
    named = [name for name in ("poster_path", "picture", "part") if name in raw]
    table[named] = raw.loc[table.index, named]
    if "poster_path" not in raw:
        table["poster_path"] = poster_files.poster_paths(table["imdb_id"], posters_dir, report)

    num_genres = table["genres"].map(len)
    unknown = [] if genres is None else warn_of_unknown(table, genres, "genres")
    rules = [
        ("no genre", num_genres == 0, missing_genre),
        ("no title", table["title"] == "", missing_title),
        ("no year", table["year"].isna(), "drop" if (min_year or max_year) else missing_year),
        (f"year before {min_year}", (table["year"] < (min_year or 0)).fillna(False), "drop"),
        (f"year after {max_year}", (table["year"] > (max_year or 9999)).fillna(False), "drop"),
        ("none of the genres asked for", _has_none_of(table, genres, unknown), "drop"),
        (f"fewer than {min_genres} genres", (num_genres < min_genres) & (num_genres > 0), "drop"),
    ]
    if posters_dir is not None or "poster_path" in raw:
        rules.append(("no poster file", table["poster_path"] == "", missing_poster))
    for problem, hit, action in rules:
        if action == "keep" and hit.all() and "poster_path" in raw:  # such data have no titles, or no years
            continue
        table = apply_rule(table, problem, hit.reindex(table.index).astype(bool), action, report)
    table = _one_row_per_movie(table, further, duplicates, report)
    report.finish(table, csv_path if isinstance(csv_path, pathlib.Path) else described)
    table = table.drop(columns="row").reset_index(drop=True)
    table.attrs |= {"report": report, "genres": known_genres}
    return table


def _has_none_of(table, genres, unknown):
    """Return which movies have none of the genres that are not unknown; without genres, no movie."""
    if genres is None:
        return pd.Series(False, index=table.index)
    different = {genre_key(name): name for name in genres if name not in unknown}
    return pd.Series(~encode_genres(table, [*different.values()]).any(axis=1), index=table.index)


def _one_row_per_movie(table, further, duplicates, report):
    """Count movies that are in several parts of a published split, and handle the further rows of a movie."""
    if "part" in table:
        torn = table.groupby("imdb_id")["part"].transform("nunique") > 1
        table = apply_rule(table, "movie in several parts of the split", torn, "first part taken", report)
    return drop_further_rows(table, further, duplicates, report)
