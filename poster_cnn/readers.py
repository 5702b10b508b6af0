"""Files as other people made them -> one frame of strings: row, imdb_id, title, year, score, genres, poster_url.

Only reading happens here; what the strings mean, and which rows stay, is decided in `table`.
"""

import io
import json
import pathlib

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
    text, notes = _decode(path.read_bytes())
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    if delimiter != ",":
        notes.append(("delimiter is not a comma", 1, "accepted", [repr(delimiter)]))
    malformed = []
    frame = pd.read_csv(
        io.StringIO(text),
        sep=delimiter,
        dtype=str,
        keep_default_na=False,
        engine="python",
        on_bad_lines=lambda fields: malformed.append(fields[0]),
        index_col=False,
    ).fillna("")
    if malformed:
        notes.append(("too many fields in a row", len(malformed), "set aside", malformed))
    names = {column: _KAGGLE[key] for column in frame if (key := str(column).strip().lower()) in _KAGGLE}
    _check_header(path, list(frame.columns), names)
    if frame.empty:
        raise ValueError(f"The movie table has a header but no rows. Received: csv_path={str(csv_path)!r}")
    return _finish(frame.rename(columns=names)), notes


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
    return _finish(frame), notes


def _finish(frame):
    frame = frame.reindex(columns=list(COLUMNS), fill_value="")
    frame.insert(0, "row", range(1, len(frame) + 1))
    return frame


def _decode(content):
    """Bytes -> text, line by line, as files glued together from several sources mix their encodings."""
    lines, latin = [], []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("iso-8859-1"))
            latin.append(f"line {number}")
    notes = [("line in ISO-8859-1, not UTF-8", len(latin), "accepted", latin)] if latin else []
    return "\n".join(line.removesuffix("\r") for line in lines), notes


def _check_header(path, columns, names):
    missing = [name for name in _REQUIRED if _KAGGLE[name.lower()] not in names.values()]
    if missing:
        raise ValueError(
            f"The movie table lacks the column(s) {', '.join(missing)}. Expected a header like "
            f"'imdbId,Imdb Link,Title,IMDB Score,Genre,Poster', separated by commas, semicolons or tabs. "
            f"Received: columns={columns} in {path.name}. Rename the columns, or add them."
        )
