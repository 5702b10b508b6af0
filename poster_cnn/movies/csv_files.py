"""Files as other people made them -> one frame of strings: row, imdb_id, title, year, score, genres, poster_url.

Only reading happens here; what the strings mean, and which rows stay, is decided in `table`.
"""

import csv
import io
import json
import pathlib
import re

import pandas as pd

COLUMNS = ("imdb_id", "title", "year", "score", "genres", "poster_url")

# Kaggle's header -> ours. The first three are required.
_KAGGLE = {
    "imdbid": "imdb_id",
    "title": "title",
    "genre": "genres",
    "imdb score": "score",
    "poster": "poster_url",
}
_REQUIRED = ("imdbId", "Title", "Genre")

# The OMDb service's record -> ours.
_OMDB = {
    "imdbID": "imdb_id",
    "Title": "title",
    "Year": "year",
    "imdbRating": "score",
    "Genre": "genres",
    "Poster": "poster_url",
}


def read_kaggle_csv(csv_path):
    """Reads a CSV in the layout of Kaggle's "movie genre from its poster" (`MovieGenre.csv`).

    UTF-8 (with or without byte order mark) and ISO-8859-1 are both read, even mixed in one file; comma, semicolon and
    tab are recognised as delimiters from the header.

    Args:
        csv_path: Path of the file.

    Returns:
        `(frame, notes)`: a DataFrame of strings with columns `row` (the data row's number, the first being 1) and
        `COLUMNS`, and a list of `(what, count, what was done, examples)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a required column is missing or the file has no rows.
    """
    path = pathlib.Path(csv_path)
    if not path.is_file():
        raise FileNotFoundError(f"No movie table found. Expected a CSV file. Received: csv_path={str(csv_path)!r}")
    text, notes = decode(path.read_bytes())
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    if delimiter != ",":
        notes.append(("delimiter is not a comma", 1, "accepted", [repr(delimiter)]))
    records = read_records(text, delimiter)
    header = [_KAGGLE.get(name.strip().lower(), name) for name in records[0]] if records else []
    _check_header(path, header, received=records[0] if records else [])
    if len(records) < 2:
        raise ValueError(f"The movie table has a header but no rows. Received: csv_path={str(csv_path)!r}")
    check_quotes(records, header.index("imdb_id"), delimiter)
    width = len(header)
    fitting = {row: record for row, record in enumerate(records) if row and not any(record[width:])}
    if malformed := [f"row {row}" for row in range(1, len(records)) if row not in fitting]:
        notes.append(("too many fields in a row", len(malformed), "set aside", malformed))
    padded = [record[:width] + [""] * (width - len(record)) for record in fitting.values()]
    return _finish(pd.DataFrame(padded, columns=header, dtype=str), rows=list(fitting)), notes


def read_omdb_folder(folder):
    """Reads the layout of Chu & Guo's poster set: one JSON list of OMDb records per year.

    Args:
        folder: Folder with the `*.json` files; their names do not matter.

    Returns:
        `(frame, notes)` as `read_kaggle_csv`.

    Raises:
        FileNotFoundError: If the folder holds no JSON file.
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
            broken.append(f"{path.name}: {len(content) - len(good)} entries are no OMDb records")
    notes = [("unreadable JSON", len(broken), "set aside", broken)] if broken else []
    frame = pd.DataFrame(records, columns=list(_OMDB)).rename(columns=_OMDB).fillna("").astype(str)
    frame["genres"] = frame["genres"].str.replace(",", "|")
    return _finish(frame, rows=range(1, len(frame) + 1)), notes


def _finish(frame, rows):
    frame = frame.reindex(columns=list(COLUMNS), fill_value="")
    frame.insert(0, "row", rows)
    return frame


def decode(content):
    """Bytes -> text, line by line, as files glued together from several sources mix their encodings."""
    lines, latin = [], []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("iso-8859-1"))
            latin.append(f"line {number}")
    notes = [("line in ISO-8859-1, not UTF-8", len(latin), "accepted", latin)] if latin else []
    return "\n".join(line.removesuffix("\r") for line in lines).replace("\0", ""), notes


def read_records(text, delimiter):
    """The rows of a CSV as lists of str, without empty ones."""
    # The csv module rather than pandas, which drops what follows a quote that is never closed without a word.
    records = []
    try:
        records.extend(record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record)
    except csv.Error as error:
        raise ValueError(f"Data row {len(records)} cannot be read: {error}. Is a quote in it never closed?") from None
    return records


def _check_header(path, header, received):
    missing = [name for name in _REQUIRED if _KAGGLE[name.lower()] not in header]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if missing or twice:
        what = f"lacks the column(s) {', '.join(missing)}" if missing else f"has two columns for {', '.join(twice)}"
        raise ValueError(
            f"The movie table {what}. Expected a header like "
            f"'imdbId,Imdb Link,Title,IMDB Score,Genre,Poster', separated by commas, semicolons or tabs. "
            f"Received: columns={received} in {path.name}. Rename the columns, or add them."
        )


def check_quotes(records, id_column, delimiter):
    """Finds a quote that is never closed: lines inside its field look like rows of their own."""
    for row, record in enumerate(records):
        for line in "".join(field for field in record if "\n" in field).split("\n")[1:]:
            fields = line.split(delimiter)
            if len(fields) >= 3 and re.fullmatch(r'\s*"?(tt)?\d+"?\s*', fields[id_column]):
                raise ValueError(
                    f"Data row {row} ({delimiter.join(record)[:40]!r}…) opens a quote that is never closed, and takes "
                    f"the rows after it for its own. Received: {line[:60]!r} inside it. Close the quote, or remove it."
                )
