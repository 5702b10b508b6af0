"""Folders of pictures, one per genre."""

import os

import pandas as pd

from poster_cnn.movies.csv_files import COLUMNS
from poster_cnn.movies.picture_tables import PART_NAMES, movie_id
from poster_cnn.movies.poster_files import is_picture_name

_NO_GENRES = (
    "posters images pictures covers everyday trailers masks dataset samplemovieposters movie_poster_dataset".split()
)


def find_genre_folders(root):
    """Find the folders of genres in a folder: those with pictures in them, if there are at least two.

    Args:
        root: Folder with a folder per genre, or with folders such as `train/` and `test/` that have them.

    Returns:
        List of `(part, path)`, sorted by name, with part "" if there is no published split. Empty if there are none.
    """
    inside = _folders(root)
    parts = [(PART_NAMES[path.name.lower()], path) for path in inside if path.name.lower() in PART_NAMES]
    found = [(part, genre) for part, path in parts for genre in _folders(path) if _is_genre_folder(genre)]
    found = found or [("", path) for path in inside if path.name.lower() not in PART_NAMES and _is_genre_folder(path)]
    return found if len({path.name for _, path in found}) > 1 else []


def _folders(root):
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_genre_folder(path):
    is_number = path.name.isdecimal() or (
        len(path.name) < 3 and path.name.isascii()
    )  # years, or parts of a large folder
    if is_number or path.name.lower() in _NO_GENRES:
        return False
    return any(is_picture_name(name) for name in os.listdir(path) if "." in name[1:])


def read_genre_folders(root):
    """Read folders of pictures, one per genre. A picture in several folders is one movie with several genres.

    Pictures are the same if their content is, or if their names begin with the same imdbId, such as `tt0114709`.

    Args:
        root: Folder; see `find_genre_folders`.

    Returns:
        `(raw, notes, layout)`, as from `read_table`.
    """
    rows, found = [], find_genre_folders(root)
    for part, folder in found:
        for path in sorted(folder.rglob("*")):
            if is_picture_name(path.name) and path.suffix and not path.name.startswith(".") and path.is_file():
                name, path = path.relative_to(root).as_posix(), os.path.abspath(path)
                row = {"row": name, "imdb_id": movie_id("", path), "genres": [folder.name], "poster_path": path}
                rows.append(row | {"picture": name, "part": part})
    raw = pd.DataFrame(rows)
    raw = raw.assign(**{name: "" for name in COLUMNS if name not in raw})
    names = raw["picture"].str.rsplit("/", n=1).str[-1]
    other = raw[names.map(raw.groupby(names)["imdb_id"].nunique()) > 1]["picture"].tolist()
    notes = [("same file name in several folders, other picture", len(other), "other movies", other)] if other else []
    genres = sorted({folder.name for _, folder in found})
    shown = ", ".join(genres[:30]) + (", …" if len(genres) > 30 else "")
    has_parts = any(part for part, _ in found)
    layout = f"{len(genres)} folders of genres in {root.absolute().name}/ ({shown}){', and a split' * has_parts}"
    return raw if has_parts else raw.drop(columns="part"), notes, layout
