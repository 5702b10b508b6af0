"""Movie tables in published layouts, read as DataFrames of strings; `table` interprets the strings."""

import csv
import io
import json
import pathlib
import re

import pandas as pd

COLUMNS = ("imdb_id", "title", "year", "score", "genres", "poster_url")

# Column of Kaggle's "movie genre from its poster", in lower case -> our column.
_KAGGLE = {"imdbid": "imdb_id", "title": "title", "genre": "genres", "imdb score": "score", "poster": "poster_url"}
# Field of a record of the OMDb service -> our column.
_OMDB = {
    "imdbID": "imdb_id",
    "Title": "title",
    "Year": "year",
    "imdbRating": "score",
    "Genre": "genres",
    "Poster": "poster_url",
}


def read_kaggle_csv(csv_path):
    """Read a CSV in the layout of Kaggle's "movie genre from its poster" (`MovieGenre.csv`); see `read_csv`.

    Returns:
        `(frame, notes)` from `read_csv`, with the columns `row` and `COLUMNS`.
    """
    frame, notes = read_csv(
        csv_path,
        "movie table",
        _KAGGLE,
        required={"imdb_id": "imdbId", "title": "Title", "genres": "Genre"},
        expected="a header like 'imdbId,Imdb Link,Title,IMDB Score,Genre,Poster'",
    )
    return frame.reindex(columns=["row", *COLUMNS], fill_value=""), notes


def read_omdb_folder(folder):
    """Read the layout of Chu & Guo's poster set: one JSON list of OMDb records per year.

    Args:
        folder: Folder with the `*.json` files, of any name.

    Returns:
        `(frame, notes)`, as from `read_kaggle_csv`.

    Raises:
        FileNotFoundError: If the folder has no JSON file.
    """
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    if not paths:
        raise FileNotFoundError(f"Expected a folder of JSON lists of OMDb records (*.json). Received: {str(folder)!r}")
    records, broken = [], []
    for path in paths:
        try:
            content = json.loads(path.read_bytes().decode("utf-8-sig"))
            good = [record for record in content if isinstance(record, dict) and "imdbID" in record]
        except (ValueError, TypeError) as error:
            broken.append(f"{path.name}: {error}")
            continue
        records.extend(good)
        if len(good) < len(content):
            broken.append(f"{path.name}: {len(content) - len(good)} entries are not OMDb records")
    frame = pd.DataFrame(records, columns=list(_OMDB)).rename(columns=_OMDB).fillna("").astype(str)
    frame["genres"] = frame["genres"].str.replace(",", "|")
    frame.insert(0, "row", range(1, len(frame) + 1))
    return frame, [("unreadable JSON", len(broken), "set aside", broken)] if broken else []


def read_csv(csv_path, what, names, *, required, expected):
    """Read some columns of a CSV as strings.

    UTF-8, with or without byte order mark, and ISO-8859-1 are accepted, even mixed in one file. The delimiter is
    detected from the header: comma, semicolon or tab.

    Args:
        csv_path: Path of the file.
        what: Kind of table, for messages.
        names: Dict of a column in the file, in lower case -> name in the result. Other columns are ignored.
        required: Dict of a required name in the result -> column in the file, for messages.
        expected: Expected header, for messages.

    Returns:
        `(frame, notes)`: a DataFrame of strings with the column `row`, the number of the data row counted from 1, and
        the columns found; and a list of findings as in `TableReport`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a required column is missing, a column is there twice, a quote is never closed, or there are no
            rows.
    """
    path = pathlib.Path(csv_path)
    if not path.is_file():
        raise FileNotFoundError(f"No {what} found. Expected a CSV file. Received: csv_path={str(csv_path)!r}")
    text, notes = decode(path.read_bytes())
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    if delimiter != ",":
        notes.append(("delimiter is not a comma", 1, "accepted", [repr(delimiter)]))
    records = _split_rows(text, delimiter)
    received = records[0] if records else []
    names = {name: name for name in (*COLUMNS, *names.values())} | names
    header = [names.get(name.strip().lower(), "") for name in received]
    if "imdb_id" not in header:  # Kaggle's "IMDB 5000" has links instead
        header = ["imdb_id" if name == "link" else name for name in header]
    missing = [column for name, column in required.items() if name not in header]
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if missing or repeated:
        problem = f"lacks the column(s) {', '.join(missing)}" if missing else f"has two columns for {repeated[0]}"
        raise ValueError(
            f"The {what} {problem}. Expected {expected}, separated by commas, semicolons or tabs. "
            f"Received: columns={received} in {path.name}"
        )
    if len(records) < 2:
        raise ValueError(f"The {what} has a header but no rows. Received: csv_path={str(csv_path)!r}")
    _check_quotes(records, header.index("imdb_id"), delimiter)
    width = len(header)
    rows = [row for row, record in enumerate(records) if row and not any(record[width:])]
    if malformed := [f"row {row}" for row in sorted({*range(1, len(records))} - {*rows})]:
        notes.append(("too many fields in a row", len(malformed), "set aside", malformed))
    frame = pd.DataFrame([(records[row] + [""] * width)[:width] for row in rows], columns=header, dtype=str)
    frame = frame[[name for name in header if name]]
    frame.insert(0, "row", rows)
    return frame, notes


def decode(content):
    """Decode bytes line by line, because files joined from several sources mix their encodings.

    Returns:
        `(text, notes)`: str, and a list of findings as in `TableReport`.
    """
    lines, latin = [], []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("iso-8859-1"))
            latin.append(f"line {number}")
    notes = [("line in ISO-8859-1, not UTF-8", len(latin), "accepted", latin)] if latin else []
    return "\n".join(line.removesuffix("\r") for line in lines).replace("\0", ""), notes


def _split_rows(text, delimiter):
    # pandas would silently drop everything after a quote that is never closed.
    records = []
    try:
        records.extend(record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record)
    except csv.Error as error:
        raise ValueError(f"Data row {len(records)} cannot be read: {error}. Is a quote in it never closed?") from None
    return records


def _check_quotes(records, id_column, delimiter):
    """Raise an error for a quote that is never closed: lines inside its field look like rows."""
    for row, record in enumerate(records):
        for line in "".join(field for field in record if "\n" in field).split("\n")[1:]:
            fields = line.split(delimiter)
            if len(fields) >= 3 and re.fullmatch(r'\s*"?(tt)?\d+"?\s*', fields[id_column]):
                raise ValueError(
                    f"Data row {row} ({delimiter.join(record)[:40]!r}…) opens a quote that is never closed. Close it, "
                    f"or remove it. Received: {line[:60]!r} inside the quote."
                )
