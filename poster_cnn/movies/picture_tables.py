"""Movie tables with a column of pictures: CSV files and DataFrames."""

import hashlib
import os
import pathlib
import re

import numpy as np
import pandas as pd

from poster_cnn.files import sha256
from poster_cnn.movies import cells
from poster_cnn.movies.csv_files import COLUMNS, MOVIE_COLUMNS, column_key, name_columns, read_csv
from poster_cnn.movies.genre_text import canonical_genre, is_imdb_genre
from poster_cnn.movies.genres import with_genre_lists
from poster_cnn.movies.poster_files import find_posters, imdb_id_of, is_picture_name, poster_names

# Columns by their names in lower case, without spaces and punctuation.
_PICTURES = (
    "picture image img poster photo cover file path filename filepath picturepath picturefile imagepath imagefile "
    "imagename imgpath imgname imgfile posterpath posterfile postername posterurl coverpath localpath"
).split()
_GENRES = (
    "genrenames genrelist genreslist labels label tags tag categories category classes class targets target".split()
)
_IDS = "id movieid tmdbid filmid uuid key".split()
_PARTS = "split part subset partition set usage".split()
_NO_GENRES = {*_PICTURES, *_IDS, *_PARTS, "video", "index", "train", "test", "validation", "istrain", "istest"}
_PREFIX = re.compile(r"(?:genres?|labels?|tags?|categor(?:y|ies)|class(?:es)?|targets?)[\W_]+(.+)", re.IGNORECASE)
_IS = re.compile(r"(?:is|has)(?=[\W_]|[A-Z])[\W_]*")
_TRUE, _FALSE = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", "", "nan", "none", "<na>"}
_SAMPLE = 200  # rows that tell whether a column names pictures

# Names of the parts of published splits.
PART_NAMES = {
    **dict.fromkeys(("train", "training", "tr", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development", "validate"), "validation"),
    **dict.fromkeys(("test", "testing", "te", "testset"), "test"),
}


def read_table(source, posters_dir=None):
    """Read a movie table that names its pictures, or one whose pictures are named by imdbId.

    Args:
        source: Path of a CSV, or a DataFrame. Relative paths of pictures are relative to the folder of the CSV, or to
            the current one.
        posters_dir: Folder in which pictures are looked for too, by their file names with or without the suffix.
            Defaults to `None`.

    Returns:
        `(raw, notes, layout)`: DataFrame of `row` and `COLUMNS`, with `poster_path`, `picture` (as written in the
        table) and perhaps `part` if the table names its pictures; a list of findings as in `TableReport`; and the
        layout and the columns that were found, as text.

    Raises:
        ValueError: If there is no column of genres, or neither pictures nor imdbIds. The message lists the columns.
    """
    frame, notes, folder, name = _open(source)
    received = frame.attrs["columns"]
    raw = frame.reindex(columns=["row", *COLUMNS], fill_value="")
    raw = raw.assign(**{column: [_text(value) for value in raw[column]] for column in COLUMNS if column != "genres"})
    find = _Pictures(folder, posters_dir)
    column, share = _picture_column(frame, find)
    if _has_named_posters(frame) and share < 0.5:
        return raw.assign(genres=_lists_or_texts(raw["genres"])), notes, f"{name}, with posters named by imdbId"
    if not share:
        _refuse_pictures(name, frame, column, folder)
    genres, described = _genres(frame, column)
    if genres is None:
        raise ValueError(
            f"The movie table lacks genres. Expected a column `genres` of lists or of text such as 'Drama|Comedy', or "
            f"a column of 0 and 1 for each genre. Received: columns={received} in {name}"
        )
    raw = raw.assign(genres=genres, picture=[_text(value) for value in frame[column]])
    raw["poster_path"] = [find(value) for value in raw["picture"]]
    own = zip(raw["imdb_id"], _own_ids(frame), raw["poster_path"], strict=True)
    raw["imdb_id"] = [cells.imdb_number(given) or movie_id(other, path) for given, other, path in own]
    layout = f"{name}, with pictures in the column {_original(column, received)!r} and genres in {described}"
    if (parts := _published_parts(frame)) is not None:
        raw["part"] = parts
        layout += ", and a split"
    return raw, notes, layout


def needs_posters(source):
    """Return whether the pictures of a table are in a folder of posters, which are named by imdbId."""
    try:
        frame, _, folder, _ = _open(source)
    except ValueError:
        if os.path.getsize(source):
            raise
        return True  # an empty file
    return _has_named_posters(frame) and _picture_column(frame, _Pictures(folder, None))[1] < 0.5


def _has_named_posters(frame):
    return {"imdb_id", "title", "genres"} <= set(frame)


def _open(source):
    """Return a table with all its columns, a list of notes, the folder of its pictures, and its name."""
    if isinstance(source, pd.DataFrame):
        return *_named_columns(source), pathlib.Path.cwd(), "a DataFrame"
    options = {"required": {}, "expected": "a header", "others": True}
    frame, notes = read_csv(source, "movie table", MOVIE_COLUMNS, **options)
    return frame, notes, pathlib.Path(source).absolute().parent, f"the table {pathlib.Path(source).name}"


def _named_columns(table):
    """Return a copy of a DataFrame with the names of columns that `read_csv` gives them, and a list of notes."""
    table = table.reset_index() if any(name is not None for name in table.index.names) else table
    received, notes = [str(name) for name in table.columns], []
    header = name_columns(received, MOVIE_COLUMNS, notes, others=True)
    if repeated := sorted({name for name in header if name and header.count(name) > 1}):
        raise ValueError(f"The DataFrame has two columns for {repeated[0]}. Received: columns={received}")
    frame = table.set_axis(header, axis=1)[[name for name in header if name]].reset_index(drop=True)
    frame.insert(0, "row", range(1, len(frame) + 1))
    frame.attrs = {"columns": received}
    return frame, notes


def _text(value):
    if isinstance(value, str | os.PathLike):
        return os.fspath(value).strip()
    return "" if not pd.api.types.is_scalar(value) or pd.isna(value) else re.sub(r"\.0$", "", str(value))


def _lists_or_texts(values):
    if all(isinstance(value, str) for value in values):
        return values.tolist()
    return with_genre_lists(pd.DataFrame({"genres": values}))["genres"].tolist()


class _Pictures:
    """Find the files that the cells of a column name.

    Args:
        folder: Folder of relative paths.
        posters_dir: Further folder, or `None`.
    """

    def __init__(self, folder, posters_dir):
        self._folders, self._by_name, self._by_id = [folder, pathlib.Path.cwd()], {}, {}
        if posters_dir is not None:
            inner = pathlib.Path(posters_dir).absolute()
            if not inner.is_dir():
                raise FileNotFoundError(f"Expected a folder of posters. Received: posters_dir={str(posters_dir)!r}")
            self._folders.insert(1, inner)
            for name in poster_names(inner):
                path, base = os.path.join(inner, name), os.path.basename(name)
                self._by_name |= {base: path, os.path.splitext(base)[0]: path}
            self._by_id = {
                str(number): os.path.join(inner, names[0]) for number, names in find_posters(inner)[0].items()
            }

    def __call__(self, value):
        """Return the absolute path of a picture, "" if there is no such file."""
        text = os.path.expanduser(_text(value).removeprefix("file://"))
        if not text or "://" in text or "\0" in text:
            return ""
        for name in dict.fromkeys((text, text.replace("\\", "/"))):  # as written on Windows
            for folder in self._folders:
                path = os.path.abspath(os.path.join(folder, name))
                if os.path.isfile(path):
                    return path
        name = os.path.basename(name)
        return self._by_name.get(name) or self._by_id.get(imdb_id_of(name), "")


def _picture_column(frame, find):
    """Return the column of which most cells name files, "" if none looks like paths, and the share of such cells."""
    found = [(0.0, False, "")]
    others = ["row", "title", "year", "score", "genres"] + ["imdb_id"] * _has_named_posters(frame)
    for name in frame.columns.difference(others, sort=False):
        values = frame[name].iloc[:: max(1, len(frame) // _SAMPLE)]
        values = [value for value in map(_text, values) if not cells.is_missing(value)]
        looks = sum(is_picture_name(value) and "." in os.path.basename(value) for value in values) > len(values) / 2
        is_id = name == "imdb_id" or column_key(name) in _IDS
        if values and (looks or is_id or column_key(name) in _PICTURES):
            found.append((sum(bool(find(value)) for value in values) / len(values), looks, name))
    share, _, column = max(found, key=lambda candidate: candidate[:2])
    return column, share


def _refuse_pictures(name, frame, column, folder):
    """Raise an error about pictures that are not there."""
    received = frame.attrs["columns"]
    expected = {"imdb_id": "imdbId", "title": "Title", "genres": "Genre"}
    lacks = f"lacks the column(s) {', '.join(text for key, text in expected.items() if key not in frame)}, or pictures"
    if shown := next(filter(None, map(_text, frame[column])), "") if column else "":
        lacks = f"names pictures in the column {_original(column, received)!r}, and none exists, such as {shown!r}"
    raise ValueError(
        f"The movie table {lacks}. Expected a column of paths, relative to {str(folder)!r} or in the folder given by "
        f"`posters_dir` (--posters), and genres; or a header like 'imdbId,Imdb Link,Title,IMDB Score,Genre,Poster' and "
        f"posters named by imdbId. Received: columns={received} in {name}"
    )


def _original(column, received):
    """Return the name of a column in the table as it was given."""
    accepted = (column_key(column), *MOVIE_COLUMNS.get(column, ()))
    return next((name for name in received if name == column), None) or next(
        (name for key in accepted for name in received if column_key(name) == key), column
    )


def _genres(frame, pictures):
    """Return the genres of each row, as texts or lists, and where they were found; `None` if there are none."""
    by_key = {column_key(name): name for name in frame.columns.difference(["row", pictures], sort=False)}
    named = next((by_key[key] for key in ("genres", *_GENRES) if key in by_key), None)
    if named is not None and not pd.api.types.is_numeric_dtype(frame[named]) and not _is_binary(frame[named]):
        return _lists_or_texts(frame[named]), repr(_original(named, frame.attrs["columns"]))
    numbered = [name for key, name in by_key.items() if re.fullmatch(r"genres?\d+", key)]
    if numbered and not any(_is_binary(frame[name]) for name in numbered):
        rows = frame[numbered].map(_text).to_numpy()
        return [[name for name in row if name] for row in rows], f"{len(numbered)} columns ({', '.join(numbered)})"
    known = {*MOVIE_COLUMNS, "row", pictures}
    binary = [
        name
        for name in frame.columns
        if name not in known
        and (column_key(name) not in _NO_GENRES or is_imdb_genre(name))
        and not name.lower().startswith("unnamed")
        and (_without_is(name) != name or not _IS.match(name))
        and _is_binary(frame[name])
    ]
    prefixed = [name for name in binary if _PREFIX.fullmatch(name)]
    binary = prefixed or binary
    if len(binary) < 2 and not any(map(is_imdb_genre, binary)) and not prefixed:
        return None, ""
    names = [canonical_genre(_PREFIX.sub(r"\1", name) if prefixed else _without_is(name)) for name in binary]
    is_true = np.array([[_text(value).lower() in _TRUE for value in frame[name]] for name in binary])
    lists = [[name for name, hit in zip(names, row, strict=True) if hit] for row in is_true.T]
    shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return lists, f"{len(names)} columns of 0 and 1 ({shown})"


def _without_is(name):
    rest = _IS.sub("", name)
    return rest if is_imdb_genre(rest) else name


def _is_binary(values):
    found = {_text(value).lower() for value in values}
    return found <= _TRUE | _FALSE and not found <= {"", "nan", "none", "<na>"}


def _own_ids(frame):
    column = next((name for key in _IDS for name in frame if column_key(name) == key), None)
    return [""] * len(frame) if column is None else [_text(value) for value in frame[column]]


def _published_parts(frame):
    """Return the part of each row if a column has nothing but names of parts, else `None`."""
    for name in frame:
        if column_key(name) in _PARTS:
            values = ["" if cells.is_missing(text) else text.lower() for text in map(_text, frame[name])]
            if any(values) and {*values} <= {*PART_NAMES, ""}:
                return [PART_NAMES.get(value, "") for value in values]
    return None


def movie_id(own, path):
    """Return the number of a movie as text: its own number, or one made of its own id or of its picture.

    Equal ids, and equal pictures of movies without an id, have equal numbers in all tables.

    Args:
        own: Id in the table, "" if there is none.
        path: Path of the picture, "" if there is none.
    """
    if not cells.is_missing(own):
        if number := cells.imdb_number(own):
            return number
        digest = hashlib.sha256(own.encode("utf-8", "surrogateescape")).hexdigest()
    elif named := re.match(r"tt(\d+)(?!\d)", os.path.basename(path), re.IGNORECASE):
        return str(int(named[1]))
    else:
        digest = sha256(path) if path else hashlib.sha256(b"").hexdigest()
    return str(10**14 + int(digest[:16], 16) % (9 * 10**14))  # 15 digits, more than any imdbId has
