"""Layouts of data: one function recognizes which one a folder, a file or a DataFrame has."""

import dataclasses
import os
import pathlib
import typing

import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies import genre_folders, mmimdb, moviescope, picture_tables, records

_TABLES = [f"moviegenre{suffix}" for suffix in (".csv", ".tsv", ".csv.gz", ".csv.zip", ".tsv.gz")]
_CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def data_source(name, value):
    """Check the path of a file or folder of data, or a DataFrame, as an argument; see `arguments`."""
    return value if isinstance(value, pd.DataFrame) else arguments.path(name, value)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A layout of data.

    Attributes:
        source: What is read: a path, or a DataFrame.
        read: Function of the source and `posters_dir` that returns `(raw, notes, description)`, as
            `picture_tables.read_table` does.
        posters: `"named by imdbId"`: they are looked up in a folder; `"own"`: the layout names them; or `"either"`.
    """

    source: object
    read: typing.Callable
    posters: str = "named by imdbId"


def find_layout(source):
    """Recognize the layout of some data.

    Args:
        source: DataFrame, file or folder.

    Returns:
        `Layout`

    Raises:
        FileNotFoundError: If a folder has none of the layouts.
    """
    if isinstance(source, pd.DataFrame):
        return Layout(source, picture_tables.read_table, "either")
    source = pathlib.Path(source)
    if source.is_dir():
        return _layout_of_folder(source)
    if source.is_file() and mmimdb.is_movie_archive(source):
        return Layout(source, lambda path, _: mmimdb.read_movie_archive(path), "own")
    if records.holds_records(source):
        return Layout(source, _read_records)
    return Layout(source, picture_tables.read_table, "either")


def _layout_of_folder(root):
    by_name = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_file()}
    if table := next((by_name[name] for name in _TABLES if name in by_name), None):
        return Layout(table, picture_tables.read_table, "either")
    if any(next(root.glob(f"{inside}raw_data_train.p"), None) for inside in ("", "*/", "*/*/")):
        return Layout(root, _read_moviescope, "own")
    if mmimdb.find_movie_files(root):
        return Layout(root, lambda folder, _: mmimdb.read_movie_files(folder))
    for path in by_name.values():
        if mmimdb.is_movie_archive(path):
            return Layout(path, lambda archive, _: mmimdb.read_movie_archive(archive), "own")
    record_files = records.find_record_files(root)
    if any(map(records.mentions_an_id, record_files)):
        return Layout(root, _read_records)
    if genre_folders.find_genre_folders(root):
        return Layout(root, lambda folder, _: genre_folders.read_genre_folders(folder), "own")
    tables = [path for name, path in by_name.items() if name.endswith(_CSV_SUFFIXES)]
    if len(tables) == 1 and tables[0].stat().st_size:
        return Layout(tables[0], picture_tables.read_table, "either")
    if record_files:
        return Layout(root, _read_records)
    inner = [path for path in root.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    if len(inner) == 1 and inner[0].is_dir():  # an archive that was unpacked into a folder of its own
        return _layout_of_folder(inner[0])
    inside = ", ".join(sorted(os.listdir(root))[:8]) or "nothing"
    raise FileNotFoundError(
        f"The data folder {str(root)!r} has no movie table. Looked for MovieGenre.csv or one other CSV, JSON lists of "
        f"OMDb records (*.json, *.jsonl, <year>.txt), MM-IMDb, MovieScope, and folders of pictures per genre. "
        f"Found: {inside}."
    )


def _read_records(path, _):
    raw, notes = records.read_records(path)
    return raw, notes, f"OMDb records in {path.name}"


def _read_moviescope(folder, _):
    movies = moviescope.read_moviescope(folder)
    raw = movies.assign(row=movies["movie_id"], imdb_id=movies["imdb_id"].astype(str), score="", poster_url="")
    raw["year"] = movies["year"].astype("string").fillna("").astype(object)
    notes = [finding for finding in movies.attrs["report"].findings if finding[0] != "no poster file"]
    return raw, notes, "MovieScope, with its published split"
