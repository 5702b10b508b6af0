"""Movie records as JSON: answers of the OMDb service, and the poster set of Chu & Guo (paper 4)."""

import contextlib
import json
import pathlib
import re

import pandas as pd

from poster_cnn.movies import cells
from poster_cnn.movies.csv_files import COLUMNS, MOVIE_COLUMNS, column_key
from poster_cnn.movies.text_files import read_text

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_YEAR_FILE = re.compile(r"\d{4}\.txt(?:\.gz)?", re.IGNORECASE)
# What the MongoDB shell prints and JSON lacks: comments, calls such as ObjectId("…"), and a comma before a bracket.
_NOT_JSON = re.compile(
    r"""("(?:[^"\\\n]|\\.)*") | /\*.*?\*/ | ,(?=\s*[}\]]) | \bundefined\b
      | (?:\bnew\s+)?\b[A-Za-z]\w*\s*\(\s*("(?:[^"\\\n]|\\.)*"|[^()\n]*?)\s*\)""",
    re.DOTALL | re.VERBOSE,
)
_SEPARATORS = re.compile(r"[\s,;\]]*")
_NEXT_RECORD = re.compile(r"\n\s*(?=\{)")


def find_record_files(folder):
    """Find the files of movie records in a folder: `*.json`, `*.jsonl`, `*.ndjson` and `<year>.txt`.

    Args:
        folder: Folder with the files, or with a folder of files named by year, such as Chu & Guo's `groundtruth/`.

    Returns:
        Sorted list of `pathlib.Path`.
    """
    folder = pathlib.Path(folder)
    found = sorted(path for path in folder.iterdir() if path.is_file() and _has_records_name(path.name))
    if not any(mentions_an_id(path) for path in found):
        for pattern in ("*/*.txt", "*/*/*.txt", "*/[0-9][0-9][0-9][0-9].json"):
            deeper = sorted(path for path in folder.glob(pattern) if _has_records_name(path.name))
            if any(mentions_an_id(path) for path in deeper):
                return deeper
    return found


def _has_records_name(name):
    return not name.startswith(".") and (name.lower().endswith(_SUFFIXES) or _YEAR_FILE.fullmatch(name) is not None)


def mentions_an_id(path):
    """Return whether there is an imdbId in the file of a record."""
    try:
        return re.search(r'"imdb_?id"', read_text(path)[0], re.IGNORECASE) is not None
    except (OSError, ValueError):
        return False


def holds_records(path):
    """Return whether a path is a folder, or a file of records by its name."""
    return path.is_dir() or _has_records_name(path.name)


def read_records(path):
    """Read movie records: JSON objects in lists, one a line, one a file, or one after the other.

    Args:
        path: Path of a file, or of a folder (see `find_record_files`).

    Returns:
        `(frame, notes)`, of `row`, which names the file too, and `COLUMNS`; and a list of findings as in `TableReport`.

    Raises:
        FileNotFoundError: If there is no such file, or the folder has no files of records.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"No movie table found. Expected a file of records. Received: {str(path)!r}")
    paths = find_record_files(path) if path.is_dir() else [path]
    if not paths:
        raise FileNotFoundError(
            f"Expected a folder of JSON lists of OMDb records (*.json, *.jsonl or <year>.txt), or the path of a CSV. "
            f"Received: {str(path)!r}"
        )
    rows, broken, not_found = [], [], []
    for file in paths:
        values, problems = _read_values(file)
        movies, others = [], []
        for value in values:
            _sort(value, movies, others)
        failed = [value for value in others if isinstance(value, dict) and "Response" in value]
        not_found += [f"{file.name}: {value.get('Error', 'Response is False')}" for value in failed]
        if len(others) > len(failed):
            problems.append(f"{len(others) - len(failed)} entries are not OMDb records")
        broken += [f"{file.name}: {problem}" for problem in problems]
        year = file.name[:4] if re.match(r"\d{4}\.", file.name) else ""
        rows += [
            {"row": f"{number} of {file.name}"} | movie_row(movie, year) for number, movie in enumerate(movies, start=1)
        ]
    notes = [("unreadable JSON", len(broken), "set aside", broken)] if broken else []
    notes += [("not found by OMDb", len(not_found), "set aside", not_found)] if not_found else []
    return pd.DataFrame(rows, columns=["row", *COLUMNS], dtype=str), notes


def _read_values(path):
    """Return the JSON values of a file, and the problems of those that cannot be read."""
    try:
        text, notes = read_text(path)
    except (OSError, ValueError) as error:
        return [], [str(error)]
    values, problems = _decode(text)
    if problems:  # only then, as valid JSON may have texts that look like what the MongoDB shell prints
        mended = _decode(_NOT_JSON.sub(_to_json, text))
        values, problems = min(mended, (values, problems), key=lambda found: (len(found[1]), -len(found[0])))
    return values, problems + [problem for problem, *_ in notes if problem.startswith("character")]


def _decode(text):
    """Return the JSON values in a text, and the problems of those that cannot be read."""
    decoder = json.JSONDecoder(strict=False)
    values, problems = [], []
    position = _SEPARATORS.match(text).end()
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
            values.append(value)
        except (ValueError, RecursionError) as error:
            problems.append(str(error))
            following = _NEXT_RECORD.search(text, position + 1)
            position = following.end() if following else len(text)
        position = _SEPARATORS.match(text, position).end()
    if not values and not problems:
        problems.append("the file has no JSON")
    return values, problems


def _to_json(match):
    text, argument = match.groups()
    if text or argument is None:
        return text or ("null" if match[0] == "undefined" else "")
    return argument if argument.startswith('"') else json.dumps(argument)


def _sort(value, movies, others):
    """Append the records in a value to `movies`, and whatever else is in it to `others`."""
    is_dict = isinstance(value, dict)
    ids = [value[key] for key in value if column_key(key) in MOVIE_COLUMNS["imdb_id"]] if is_dict else []
    if ids and isinstance(ids[0], dict):  # written by `DataFrame.to_json`, a dict of columns
        with contextlib.suppress(ValueError):
            movies += pd.DataFrame(value).to_dict("records")
            return
        others.append(value)
        return
    if ids:
        movies.append(value)
        return
    inner = [entry for entry in value.values() if isinstance(entry, (dict, list))] if is_dict else value
    if isinstance(inner, list) and (inner or value == []):
        for entry in inner:
            _sort(entry, movies, others)
    else:
        others.append(value)


def movie_row(movie, year=""):
    """Return a record as a dict of `COLUMNS`, whose values are texts."""
    # The year of the file is that of IMDb; a record may have the date of the release in another country.
    fields = {column_key(key): _text(value).strip() for key, value in movie.items()} | {"fileyear": year}
    row = {}
    for name, keys in MOVIE_COLUMNS.items():
        known = [fields[key] for key in keys if key in fields] or [""]
        row[name] = next((text for text in known if not cells.is_missing(text)), known[0])
    row["genres"] = re.sub(r"\s*,\s*", "|", row["genres"])
    return row


def _text(value):
    """Return a value as text: a list with "|" between its entries, of an object its name or MongoDB's value."""
    if isinstance(value, list):
        return "|".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        special = [inner for key, inner in value.items() if key == "name" or (key.startswith("$") and len(value) == 1)]
        return _text(special[0]) if special else ""
    return "" if value is None else str(value)
