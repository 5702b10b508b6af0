"""Poster files: which file shows which movie. Tables, verification and downloads share this rule."""

import functools
import os
import pathlib

from poster_cnn.movies import cells

# In the order of preference, where a movie has several files. The library itself writes <imdbId>.jpg.
_SUFFIXES = ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .gif .bmp .dib .tif .tiff .jp2 .j2k .jpx".split()
_SUFFIXES += [".avif", ".heic", ".heif", ".hif", ".jxl", ""]


def imdb_id_of(name):
    """Return the imdbId in a poster's file name, such as `tt0114709.jpg`, as text without "tt" and leading zeros.

    Args:
        name: File name: an imdbId in any usual spelling, and the suffix of a picture in any case, or none.

    Returns:
        str, "" if the name is not that of a poster.
    """
    stem, suffix = os.path.splitext(os.path.basename(name))
    return cells.imdb_number(stem) if suffix.lower() in _SUFFIXES else ""


def is_picture_name(name):
    """Return whether a file is a picture by its name: by its suffix or, without one, by an imdbId."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES[:-1] or bool(imdb_id_of(name))


def poster_names(folder):
    """List the files in a folder of posters, and the posters in folders in it, such as `1995/tt0114709.jpg`.

    Hidden files and folders are skipped. A folder that cannot be read, or whose name has a suffix such as `123.jpg`,
    is listed as a file.

    Returns:
        Sorted list of str, relative to `folder`.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.splitext(entry.name)[1] or not entry.is_dir() or not os.access(entry, os.R_OK | os.X_OK):
                names.append(entry.name)
            else:
                inside = [name for name in os.listdir(entry) if imdb_id_of(name) and os.path.splitext(name)[1]]
                names += [os.path.join(entry.name, name) for name in inside if not name.startswith(".")]
    return sorted(names)


def find_posters(folder):
    """Find the poster of each movie in a folder.

    Args:
        folder: Folder of posters; see `poster_names`.

    Returns:
        `(posters, others)`: a dict of imdbId (int) -> list of names, the one to use first (`<imdbId>.jpg`, if it is
        there); and a list of the names that are not those of posters.
    """
    posters, others = {}, []
    for name in poster_names(folder):
        if imdb_id := imdb_id_of(name):
            posters.setdefault(int(imdb_id), []).append(name)
        else:
            others.append(name)
    for names in posters.values():
        if len(names) > 1:
            names.sort(key=functools.partial(_preference, folder))
    return posters, others


def _preference(folder, name):
    stem, suffix = os.path.splitext(name)
    empty = not os.path.exists(path := os.path.join(folder, name)) or not os.path.getsize(path)
    return empty, stem != imdb_id_of(name) or suffix != ".jpg", os.sep in name, _SUFFIXES.index(suffix.lower()), name


def poster_paths(imdb_ids, posters_dir, report=None):
    """Return the absolute path of each movie's poster as a list of str, "" if there is none.

    Args:
        imdb_ids: Series of int.
        posters_dir: Folder of posters. `None`: no movie has a poster.
        report: `TableReport` to which movies with several files are added, and if few posters are found, the names that
            were looked for and those in the folder. Defaults to `None`.

    Raises:
        FileNotFoundError: If `posters_dir` is not a folder.
    """
    if posters_dir is None:
        return [""] * len(imdb_ids)
    folder = pathlib.Path(posters_dir).absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"Expected a folder of posters. Received: posters_dir={str(posters_dir)!r}")
    posters, others = find_posters(folder)
    found = [os.path.join(folder, posters[imdb_id][0]) if imdb_id in posters else "" for imdb_id in imdb_ids]
    if report is not None:
        report.findings += _findings(list(dict.fromkeys(imdb_ids)), posters, others or sorted(os.listdir(folder)))
    return found


def _findings(imdb_ids, posters, others):
    repeated = [posters[imdb_id] for imdb_id in imdb_ids if len(posters.get(imdb_id, [])) > 1]
    examples = [f"{first}, not {' or '.join(rest)}" for first, *rest in repeated]
    findings = [("several poster files for an imdbId", len(repeated), "first one used", examples)] if repeated else []
    absent = [imdb_id for imdb_id in imdb_ids if imdb_id not in posters]
    if len(absent) > len(imdb_ids) / 2:
        looked_for = [f"{imdb_id}.jpg or tt{imdb_id:07}.png" for imdb_id in absent]
        there = sorted(others + [name for imdb_id in {*posters} - {*imdb_ids} for name in posters[imdb_id]])
        findings.append(("few posters: names that were looked for", len(absent), "not found", looked_for))
        findings.append(("few posters: other files in the folder", len(there), "not used" if there else "", there))
    return findings
