"""MM-IMDb (Arevalo et al., 2017): a JSON and a JPEG per movie, or one HDF5 file, with the published split."""

import hashlib
import json
import pathlib
import re

import numpy as np
import pandas as pd
from PIL import Image

from poster_cnn import files
from poster_cnn.movies import cells, records
from poster_cnn.movies.csv_files import COLUMNS
from poster_cnn.movies.picture_tables import PART_NAMES
from poster_cnn.movies.text_files import read_text

# Genres of the HDF5 file in its order, for copies without their names.
MMIMDB_GENRES = (
    "Drama Comedy Romance Thriller Crime Action Adventure Horror Documentary Mystery Sci-Fi Fantasy Family Biography "
    "War History Music Animation Musical Western Sport Short Film-Noir"
).split()
_MEANS = np.array([103.939, 116.779, 123.68])[:, None, None]  # of blue, green and red, which the file has subtracted
_QUALITY = 95  # of the JPEG files
_JSON_NAME = re.compile(r"(?:tt)?\d{5,}\.json", re.IGNORECASE)


def find_movie_files(root):
    """Return the folder of the JSON files of MM-IMDb in a folder, `None` if there is none.

    The files are named by imdbId, and their records have no id, unlike those of OMDb.
    """
    for folder in (root, root / "dataset", root / "labels"):
        names = sorted(path for path in folder.iterdir() if _JSON_NAME.fullmatch(path.name)) if folder.is_dir() else []
        if names:
            try:
                text = read_text(names[0])[0]
            except (OSError, ValueError):
                continue
            if '"genres"' in text and not re.search(r'"imdb_?id"', text, re.IGNORECASE):
                return folder
    return None


def read_movie_files(root):
    """Read a JSON file per movie, and the published split in `split.json`.

    Args:
        root: Folder; see `find_movie_files`.

    Returns:
        `(raw, notes, layout)`, as from `picture_tables.read_table`. The posters are named by imdbId.
    """
    folder = find_movie_files(root)
    rows, broken = [], []
    for path in sorted(folder.iterdir()):
        if _JSON_NAME.fullmatch(path.name):
            try:
                movie = json.loads(read_text(path)[0], strict=False)
                movie = {key: movie.get(key, "") for key in ("title", "year", "genres")}
            except (AttributeError, OSError, ValueError, RecursionError) as error:
                broken.append(f"{path.name}: {error}")
                continue
            rows.append({"row": path.name} | records.movie_row(movie | {"imdb_id": path.stem}))
    notes = [("unreadable JSON", len(broken), "set aside", broken)] if broken else []
    raw = pd.DataFrame(rows, columns=["row", *COLUMNS], dtype=str)
    parts = _published_split(root, folder)
    if parts:
        raw["part"] = [parts.get(cells.imdb_number(imdb_id), "") for imdb_id in raw["imdb_id"]]
    return raw, notes, f"MM-IMDb, a JSON and a picture per movie{', with its published split' * bool(parts)}"


def _published_split(*folders):
    """Return a dict of imdbId -> part of the first `split.json` in the folders or the one above; empty without one."""
    for path in [folder / "split.json" for folder in (*folders, folders[-1].parent)]:
        if path.is_file():
            parts = json.loads(read_text(path)[0])
            return {
                cells.imdb_number(pathlib.PurePath(str(name)).stem): PART_NAMES[key.lower()]
                for key, names in parts.items()
                if key.lower() in PART_NAMES
                for name in names
            }
    return {}


def is_movie_archive(path):
    """Return whether a file is the HDF5 file of MM-IMDb, `multimodal_imdb.hdf5`."""
    import h5py  # here, as it is needed for this file only

    if path.suffix.lower() not in (".hdf5", ".h5") or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as archive:
        return {"images", "genres", "imdb_ids"} <= set(archive)


def read_movie_archive(path):
    """Read the HDF5 file of MM-IMDb. Its pictures are written to the user's cache as JPEG files, once.

    Args:
        path: Path of the file.

    Returns:
        `(raw, notes, layout)`, as from `picture_tables.read_table`.

    Raises:
        ValueError: If the names of the genres are unknown.
    """
    import h5py

    path = pathlib.Path(path)
    with h5py.File(path, "r") as archive:
        ids = [_decoded(imdb_id) for imdb_id in archive["imdb_ids"][:]]
        labels, names = archive["genres"][:] > 0, archive["genres"].attrs.get("target_names")
        names = MMIMDB_GENRES if names is None and labels.shape[1] == len(MMIMDB_GENRES) else _names(names)
        if len(names) != labels.shape[1]:
            raise ValueError(
                f"The dataset `genres` of {path.name} must have the attribute `target_names` with a name for each of "
                f"its {labels.shape[1]} columns. Received: {names}"
            )
        parts = _split_of_archive(archive, len(ids)) or [""] * len(ids)
        folder = _extract(archive["images"], ids, path)
    if not any(parts):
        published = _published_split(path.parent)
        parts = [published.get(cells.imdb_number(imdb_id), "") for imdb_id in ids]
    genres = [[name for name, hit in zip(names, row, strict=True) if hit] for row in labels]
    raw = pd.DataFrame({"row": range(1, len(ids) + 1), "imdb_id": ids, "genres": genres, "part": parts})
    raw = raw.assign(poster_path=[str(folder / f"{imdb_id}.jpeg") for imdb_id in ids])
    raw = raw.assign(**{name: "" for name in COLUMNS if name not in raw})
    raw = raw if any(parts) else raw.drop(columns="part")
    return raw, [], f"MM-IMDb, the HDF5 file {path.name}{', with its published split' * any(parts)}"


def _decoded(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _names(value):
    if isinstance(value, bytes | str):
        return json.loads(_decoded(value))
    return [] if value is None else [_decoded(name) for name in value]


def _split_of_archive(archive, count):
    """Return the part of each movie from the attribute `split`, in Fuel's layout; `None` without it."""
    found = [""] * count
    for row in archive.attrs.get("split", ()):
        part, source = (_decoded(row[name]) for name in ("split", "source"))
        if source == "images" and part.lower() in PART_NAMES:
            for number in range(int(row["start"]), int(row["stop"])):
                found[number] = PART_NAMES[part.lower()]
    return found if any(found) else None


def _extract(images, ids, path):
    """Write the pictures of an archive to the cache, unless they are there; return their folder."""
    about = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = files.cache_dir() / "mmimdb" / key
    with files.locked(folder.parent, timeout=-1):
        if not folder.is_dir():
            files.remove_leftovers(folder.parent)
            with files.write_atomically(folder) as aside:
                aside.mkdir()
                for number, imdb_id in enumerate(files.progress_bar(ids, "Extracting pictures", delay=1)):
                    # (channel, height, width) of blue, green and red, less their means
                    levels = np.rint(images[number] + _MEANS).clip(0, 255).astype("uint8")[::-1]
                    picture = Image.fromarray(levels.transpose(1, 2, 0))
                    picture.save(aside / f"{imdb_id}.jpeg", quality=_QUALITY, subsampling=0)
    return folder
