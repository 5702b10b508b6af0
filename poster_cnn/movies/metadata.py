"""Metadata of movies, `movie_metadata.csv`, as one tidy DataFrame: makers, language, rating and plot (paper 5)."""

import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies import cells, csv_files
from poster_cnn.movies.tidy import TableReport, apply_rule, drop_further_rows, merge_rows, tidy

# Columns that paper 5 one-hot encodes, in its order (section 3, "For the meta data").
METADATA_COLUMNS = (
    "director_name",
    "actor_1_name",
    "actor_2_name",
    "actor_3_name",
    "language",
    "content_rating",
)
_OPTIONAL = {"movie_title": "title", "title_year": "year", "genres": "genres", "plot_summary": "plot"}
_NAMES = {name: csv_files.MOVIE_COLUMNS[name] for name in ("imdb_id", "title", "year", "genres")}
_NAMES |= {name: (csv_files.column_key(name),) for name in METADATA_COLUMNS}
_NAMES["plot"] = ("plotsummary", "plot", "overview", "description")


@arguments.checked(csv_path=arguments.path, row_numbers=arguments.flag)
def load_movie_metadata(csv_path, *, duplicates="drop", row_numbers=False):
    """Read the metadata of movies (paper 5, section 3).

    No row is dropped silently. `attrs["report"]` is a `TableReport` that counts each reason, with row numbers, and the
    movies without a director, a plot and so on.

    Args:
        csv_path: Path of a CSV with the columns imdbId (or movie_imdb_link, as in Kaggle's "IMDB 5000"),
            director_name, actor_1_name, actor_2_name, actor_3_name, language and content_rating, and optionally
            movie_title, title_year, genres (such as `Drama|Comedy`) and plot_summary.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId and gives it the genres of all of them,
            `"keep"` keeps all. Defaults to `"drop"`.
        row_numbers: Whether to add the column `row`, the number of the data row in the file, counted from 1. Defaults
            to `False`.

    Returns:
        DataFrame, one row per movie: `imdb_id` (int64), `title` (str), `year` (Int64), `director_name`, `actor_1_name`,
        `actor_2_name`, `actor_3_name`, `language`, `content_rating` (str, "" if missing), `genres` (list of str),
        `plot` (str, "" if missing).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a required column is missing, a quote is never closed, or no row is left.

    Example:

    >>> metadata = load_movie_metadata("movie_metadata.csv")
    >>> print(metadata.attrs["report"])
    """
    if duplicates not in ("keep", "drop"):
        raise ValueError(f"`duplicates` must be 'keep' or 'drop'. Received: duplicates={duplicates!r}")
    raw, notes = csv_files.read_csv(
        csv_path,
        "movie metadata",
        _NAMES,
        required={"imdb_id": "imdbId"} | {name: name for name in METADATA_COLUMNS},
        expected=f"the columns imdbId (or movie_imdb_link), {', '.join(METADATA_COLUMNS)}",
    )
    notes += [(f"no column for {name}", 1, "left empty", []) for name in _OPTIONAL.values() if name not in raw]
    report = TableReport.of(raw, notes)
    raw = raw.reindex(columns=["row", *csv_files.COLUMNS, *METADATA_COLUMNS, "plot"], fill_value="")
    movies = tidy(raw, report)[["row", "imdb_id", "title", "year", "genres"]]
    further = merge_rows(movies) if duplicates == "drop" else pd.Series(False, index=movies.index)
    texts = raw.loc[movies.index, [*METADATA_COLUMNS, "plot"]].apply(cells.without_missing)
    movies = movies.join(texts)

    nothing = movies[["title", *texts]].eq("").all(axis=1) & (movies["genres"].map(len) == 0)
    movies = apply_rule(movies, "nothing but an imdbId", nothing, "drop", report)
    movies = drop_further_rows(movies, further, duplicates, report)
    for column in texts:
        movies = apply_rule(movies, f"no {column}", movies[column] == "", "keep", report)
    report.finish(movies, csv_path)
    columns = ["imdb_id", "title", "year", *METADATA_COLUMNS, "genres", "plot"]
    movies = movies[[*columns, "row"] if row_numbers else columns].reset_index(drop=True)
    movies.attrs["report"] = report
    return movies
