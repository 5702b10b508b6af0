"""`movie_metadata.csv` -> one tidy DataFrame, a row a movie: its makers, language, rating and plot (paper 5)."""

import pathlib

import pandas as pd

from poster_cnn.movies import csv_files, table
from poster_cnn.movies.table import TableReport, apply_rule

# What paper 5 one-hot encodes, in its order (section 3, "For the meta data").
METADATA_COLUMNS = (
    "director_name",
    "actor_1_name",
    "actor_2_name",
    "actor_3_name",
    "language",
    "content_rating",
)

# The file's header -> the names that `table` knows. Kaggle's "IMDB 5000" has a link in place of the id, and no plots.
_HEADER = {
    "imdbid": "imdb_id",
    "movie_imdb_link": "link",
    "movie_title": "title",
    "title_year": "year",
    "plot_summary": "plot",
}
_ID_IN_LINK = r"/title/((?:tt)?\d+)"
MISSING = ("", "N/A", "nan")  # what stands in place of a text that is not known


def load_movie_metadata(csv_path, *, duplicates="drop", row_numbers=False):
    """Reads what is known of each movie beside its poster (paper 5, section 3).

    Nothing is dropped silently: `attrs["report"]` is a `table.TableReport` that counts each reason, with row numbers,
    and how many movies lack a director, a plot and so on.

    Args:
        csv_path: Path of a CSV with the columns imdbId (or movie_imdb_link, as in Kaggle's "IMDB 5000"),
            director_name, actor_1_name, actor_2_name, actor_3_name, language and content_rating, and where there are
            any movie_title, title_year, genres (separated by `|`) and plot_summary.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId, `"keep"` keeps all. Defaults to `"drop"`.
        row_numbers: Whether to add the column `row`, the data row's number in the file; the first is 1. Defaults to
            False.

    Returns:
        DataFrame, one row a movie: `imdb_id` (int64), `title` (str), `year` (Int64), `director_name`, `actor_1_name`,
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
    report = TableReport()
    raw = _read_strings(pathlib.Path(csv_path), report)
    tidy = table.tidy(raw, report)[["row", "imdb_id", "title", "year", "genres"]]
    texts = raw.loc[tidy.index, [*METADATA_COLUMNS, "plot"]].apply(lambda column: column.str.strip())
    tidy = tidy.join(texts.mask(texts.isin(MISSING), ""))

    nothing = tidy[["title", *texts]].eq("").all(axis=1) & (tidy["genres"].map(len) == 0)
    tidy = apply_rule(tidy, "nothing but an imdbId", nothing, "drop", report)
    tidy = apply_rule(tidy, "imdbId seen before", tidy["imdb_id"].duplicated(), duplicates, report)
    for column in texts:
        tidy = apply_rule(tidy, f"no {column}", tidy[column] == "", "keep", report)
    if tidy.empty:
        raise ValueError(f"No movie is left of {str(csv_path)!r}; this is what happened to its rows:\n{report}")
    report.rows_kept = len(tidy)
    columns = ["imdb_id", "title", "year", *METADATA_COLUMNS, "genres", "plot"]
    tidy = tidy[[*columns, "row"] if row_numbers else columns].reset_index(drop=True)
    tidy.attrs["report"] = report
    return tidy


def _read_strings(path, report):
    """A DataFrame of strings with the columns that `table.tidy` expects, and the metadata."""
    if not path.is_file():
        raise FileNotFoundError(f"No movie metadata found. Expected a CSV file. Received: csv_path={str(path)!r}")
    text, notes = csv_files.decode(path.read_bytes())
    report.findings.extend(notes)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    records = csv_files.read_records(text, delimiter)
    received = records[0] if records else []
    header = [_HEADER.get(name.strip().lower(), name.strip().lower()) for name in received]
    id_column = "imdb_id" if "imdb_id" in header else "link"
    _check_header(path, header, id_column, received)
    csv_files.check_quotes(records, header.index(id_column), delimiter)
    report.rows_read = len(records) - 1

    width = len(header)
    fitting = {row: record for row, record in enumerate(records) if row and not any(record[width:])}
    if malformed := [f"row {row}" for row in range(1, len(records)) if row not in fitting]:
        report.findings.append(("too many fields in a row", len(malformed), "set aside", malformed))
    padded = [record[:width] + [""] * (width - len(record)) for record in fitting.values()]
    raw = pd.DataFrame(padded, columns=header, dtype=str)
    if id_column == "link":
        raw["imdb_id"] = raw["link"].str.extract(_ID_IN_LINK)[0].fillna("")
    for column in ("title", "year", "genres", "plot"):
        if column not in header:
            report.findings.append((f"no column for {column}", 1, "left empty", []))
    columns = [*csv_files.COLUMNS, *METADATA_COLUMNS, "plot"]
    raw = raw.reindex(columns=columns, fill_value="")
    raw.insert(0, "row", list(fitting))
    return raw


def _check_header(path, header, id_column, received):
    missing = [name for name in (id_column, *METADATA_COLUMNS) if name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing or twice:
        names = ", ".join(missing).replace("link", "imdbId")
        what = f"lacks the column(s) {names}" if missing else f"has two columns for {', '.join(twice)}"
        raise ValueError(
            f"The movie metadata {what}. Expected the columns imdbId (or movie_imdb_link), "
            f"{', '.join(METADATA_COLUMNS)}, separated by commas, semicolons or tabs. "
            f"Received: columns={received} in {path.name}. Rename the columns, or add them."
        )
