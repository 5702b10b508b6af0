"""Movie tables as CSV, read as DataFrames of strings; `table` interprets the strings."""

import contextlib
import csv
import io
import pathlib
import re

import pandas as pd

from poster_cnn.movies import cells
from poster_cnn.movies.genre_text import is_imdb_genre
from poster_cnn.movies.text_files import read_text

COLUMNS = ("imdb_id", "title", "year", "score", "genres", "poster_url")

# Our column -> columns of published tables (Kaggle, IMDb, OMDb, TMDB) in lower case, without spaces and punctuation.
# The first one that a table has is taken.
MOVIE_COLUMNS = {
    "imdb_id": ("imdbid", "tconst", "const", "imdbtitleid"),
    "title": ("title", "primarytitle", "movietitle", "seriestitle", "originaltitle"),
    "year": ("year", "titleyear", "startyear", "releaseyear", "releasedyear", "yearofrelease", "fileyear")
    + ("released", "releasedate", "datepublished"),
    "score": ("score", "imdbscore", "imdbrating", "averagerating", "avgvote"),
    "genres": ("genres", "genre"),
    "poster_url": ("posterurl", "poster", "posterlink"),
}
_LINKS = ("movieimdblink", "imdblink", "imdburl")  # Kaggle's "IMDB 5000" has links instead of ids


def read_csv(csv_path, what, names, *, required, expected, others=False):
    """Read some columns of a CSV as strings.

    See `text_files.read_text` for encodings. The delimiter is detected from the header: comma, semicolon or tab.

    Args:
        csv_path: Path of the file.
        what: Kind of table, for messages.
        names: Dict of a name in the result -> names of its column in the file, like `MOVIE_COLUMNS`. Other columns are
            ignored.
        required: Dict of a required name in the result -> column in the file, for messages.
        expected: Expected header, for messages.
        others: Whether other columns are kept, under their own names. Defaults to `False`.

    Returns:
        `(frame, notes)`: a DataFrame of strings with the column `row`, the number of the data row counted from 1, and
        the columns found; and a list of findings as in `TableReport`. `frame.attrs["columns"]` is the header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a required column is missing, a column is there twice, a quote is never closed, or there are no
            rows.
    """
    path = pathlib.Path(csv_path)
    if not path.is_file():
        raise FileNotFoundError(f"No {what} found. Expected a CSV file. Received: csv_path={str(csv_path)!r}")
    text, notes = read_text(path)
    delimiter, text = _delimiter(text)
    if delimiter != ",":
        notes.append(("delimiter is not a comma", 1, "accepted", [repr(delimiter)]))
    with _any_field_size():
        received = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
    header = name_columns(received, names, notes, others=others)
    missing = [column for name, column in required.items() if name not in header]
    missing = missing or ["imdbId"] * (not any(header))  # an empty file
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if missing or repeated:
        problem = f"lacks the column(s) {', '.join(missing)}" if missing else f"has two columns for {repeated[0]}"
        raise ValueError(
            f"The {what} {problem}. Expected {expected}, separated by commas, semicolons or tabs. "
            f"Received: columns={received} in {path.name}"
        )
    records = _split_rows(text, delimiter, header, notes)
    if len(records) < 2:
        raise ValueError(f"The {what} has a header but no rows. Received: csv_path={str(csv_path)!r}")
    width = len(header)
    rows = [row for row, record in enumerate(records) if row and not any(record[width:])]
    if malformed := [f"row {row}" for row in sorted({*range(1, len(records))} - {*rows})]:
        notes.append(("too many fields in a row", len(malformed), "set aside", malformed))
    frame = pd.DataFrame([(records[row] + [""] * width)[:width] for row in rows], columns=header, dtype=str)
    frame = frame[[name for name in header if name]]
    frame.insert(0, "row", rows)
    frame.attrs["columns"] = received
    return frame, notes


def _delimiter(text):
    """Return the delimiter, and the text without blank lines at its top and without Excel's line "sep=;"."""
    text = text.lstrip("\n")
    first, _, rest = text.partition("\n")
    if told := re.fullmatch(r'"?sep=([,;\t])"?\s*', first, re.IGNORECASE):
        return told[1], rest
    return max(",;\t", key=first.count), text


def column_key(name):
    """Return the name of a column in lower case, without spaces and punctuation."""
    return re.sub(r"[\W_]", "", name).lower()


def name_columns(received, names, notes, *, others=False):
    """Return the name in the result of each column of a table, "" for a column that is not used; see `read_csv`."""
    keys = [column_key(name) for name in received]
    taken = ("row", *names, *(() if others else received))
    header = ["" if name in (*taken, *received[:number]) else name for number, name in enumerate(received)]
    for name, accepted in names.items():
        found = [key for key in accepted if key in keys]
        if name == "imdb_id" and not found:
            found = [key for key in _LINKS if key in keys][:1]
        header = [name if key in found[:1] else old for key, old in zip(keys, header, strict=True)]
        if others := [column for column, key in zip(received, keys, strict=True) if key in found[1:]]:
            notes.append((f"another column for {name}", len(others), "ignored", others))
    return header


def _split_rows(text, delimiter, header, notes):
    """Split a CSV into rows and fields, without blank rows; raise an error for a quote that is never closed."""
    try:
        with _any_field_size():
            return _parse(text, delimiter, header)
    except ValueError:
        # IMDb's own tables are separated by tabs, and quotes in them have no meaning.
        records = [line.split("\t") for line in text.split("\n") if line]
        if delimiter != "\t" or any(len(record) != len(header) for record in records):
            raise
        notes.append(("quotes without meaning", 1, "part of the text", []))
        return records


def _parse(text, delimiter, header):
    # A quote that is never closed swallows rows up to the next quote, or to the end of the file.
    end = "\x04"
    lines = [f"{line}\n" for line in text.split("\n")]
    records, first = [], 0
    reader = csv.reader([*lines, end], delimiter=delimiter)
    for record in reader:
        chunk, first = lines[first : reader.line_num], reader.line_num
        if record == [end]:
            break
        if record:
            records.append(record)
        if first > len(lines):  # the end of the file is inside the quotes
            inside = chunk[1] if len(chunk) > 1 else chunk[0]
        else:
            inside = _row_in_quotes(chunk, delimiter, header) if len(chunk) > 1 else ""
        if inside:
            raise ValueError(
                f"Data row {len(records) - 1} ({delimiter.join(record)[:40]!r}…) opens a quote that is never closed. "
                f"Close it, or remove it. Received: {inside[:60].strip()!r} inside the quote."
            )
    return records


def _row_in_quotes(chunk, delimiter, header):
    """Return the line of a record that is a row of its own, "" if all its line breaks belong to texts in quotes.

    Args:
        chunk: List of the record's lines in the file.
        delimiter: The delimiter.
        header: List of the name of each column, "" for a column that is not used.
    """
    try:
        list(csv.reader(chunk, delimiter=delimiter, strict=True))
        valid = True
    except csv.Error:  # text after a closing quote, which was the opening quote of another field
        valid = False
    id_column = header.index("imdb_id") if "imdb_id" in header else None
    for line in chunk[1:]:
        fields = [field.strip(' "\n') for field in line.split(delimiter)]
        if id_column is None:
            has_id = len(fields) == len(header) and not valid
        else:
            has_id = len(fields) > id_column and cells.imdb_number(fields[id_column])
        if has_id and (not valid or _is_row(fields, header)):
            return line
    return ""


def _is_row(fields, header):
    """Return whether the fields fit the columns: as many, with a number as id and score, a year and known genres."""
    if len(fields) != len(header):
        return False
    row = {name: field for name, field in zip(header, fields, strict=True) if name and not cells.is_missing(field)}
    numbers = pd.to_numeric(pd.Series([row.get("score", "0")], dtype=str), errors="coerce").notna().all()
    year = "year" not in row or cells.years(pd.Series([row["year"]])).notna().all()
    genres = re.split(r"[|/,;]", row["genres"]) if "genres" in row else []
    return numbers and year and all(is_imdb_genre(name) for name in genres)


@contextlib.contextmanager
def _any_field_size():
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
