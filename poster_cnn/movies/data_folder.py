"""Files of a data folder: the movie table, the posters, and optional ones."""

import dataclasses
import os
import pathlib

from poster_cnn.metrics import arguments
from poster_cnn.movies.poster_files import find_posters
from poster_cnn.movies.records import find_record_files

_TABLES = [f"moviegenre{suffix}" for suffix in (".csv", ".tsv", ".csv.gz", ".csv.zip", ".tsv.gz")]
_POSTERS = ("posters", "SampleMoviePosters", "Movie_Poster_Dataset")  # the last two in archives of Kaggle, Chu & Guo


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """Paths in a data folder, as found by `find_data_folder`.

    Attributes:
        root: The folder.
        csv: The movie table: `MovieGenre.csv`, or the folder itself if it holds movie records as JSON.
        posters: Folder of posters named by imdbId, in it or in folders such as `1995/`.
        metadata: `movie_metadata.csv` with plots, directors and actors; `None` if absent.
        glove: Word vectors in GloVe's text format, `glove*.txt`; `None` if absent.
        trailers: Folder of trailers, or `trailers.h5`, as read by `trailers.find_trailers`; `None` if absent.
        everyday: Folder of everyday photos, which are not posters; `None` if absent.
        weights: Dict of pretrained weights, file name -> path, of the `*.h5` files.
    """

    root: pathlib.Path
    csv: pathlib.Path
    posters: pathlib.Path
    metadata: pathlib.Path | None = None
    glove: pathlib.Path | None = None
    trailers: pathlib.Path | None = None
    everyday: pathlib.Path | None = None
    weights: dict = dataclasses.field(default_factory=dict)


def data_path(name, value):
    """Check the path of a data folder, or a `DataFolder`, as an argument; see `arguments`."""
    return value if isinstance(value, DataFolder) else arguments.path(name, value)


@arguments.checked(root=data_path, posters_dir=arguments.optional(arguments.path))
def find_data_folder(root, *, posters_dir=None):
    """Find the files of a data folder.

    The movie table is `MovieGenre.csv`, or files of OMDb records (see `records.find_record_files`), such as those of
    Chu & Guo. The posters are in `posters/`, `SampleMoviePosters/` (Kaggle) or `Movie_Poster_Dataset/` (Chu & Guo), or
    in folders such as `1995/`.

    Args:
        root: The folder, or the movie table in it if that has another name, or a `DataFolder`.
        posters_dir: Folder of posters. Defaults to `None`: the one in `root`.

    Returns:
        `DataFolder`

    Raises:
        FileNotFoundError: If the folder, its table or its posters are missing.
    """
    if isinstance(root, DataFolder):
        return root if posters_dir is None else dataclasses.replace(root, posters=posters_dir)
    root = root.expanduser()
    csv, root = (root, root.parent) if root.is_file() else (None, root)
    if not root.is_dir():
        raise FileNotFoundError(f"No data folder found. Looked for the folder {str(root)!r}.")
    csv = csv or _find_table(root)
    posters = posters_dir.expanduser() if posters_dir else _find_posters(root)
    for found, what, names in (
        (csv, "movie table", "MovieGenre.csv, and files of OMDb records (*.json, *.jsonl, <year>.txt)"),
        (
            posters,
            "posters",
            "the folders posters/ and SampleMoviePosters/, Movie_Poster_Dataset/, and posters in folders such as 1995/",
        ),
    ):
        if not found:
            inside = ", ".join(sorted(os.listdir(root))[:8]) or "nothing"
            raise FileNotFoundError(
                f"The data folder {str(root)!r} has no {what}. Looked for {names}. Found: {inside}."
            )
    return DataFolder(
        root=root,
        csv=csv,
        posters=posters,
        metadata=_first(root.glob("movie_metadata.csv")),
        glove=_first(sorted(root.glob("glove*.txt"))),
        trailers=_first(root.glob("trailers/"), root.glob("trailers.h5")),
        everyday=_first(root.glob("everyday/")),
        weights={path.name: path for path in sorted(root.glob("*.h5")) if path.name != "trailers.h5"},
    )


def _find_table(root):
    by_name = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_file()}
    return _first(by_name[name] for name in _TABLES if name in by_name) or (root if find_record_files(root) else None)


def _find_posters(root):
    by_name = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    named = _first(root / name for name in _POSTERS if (root / name).is_dir())
    named = named or _first(by_name[name.lower()] for name in _POSTERS if name.lower() in by_name)
    return named or (root if find_posters(root)[0] else None)


def _first(*candidates):
    return next((path for paths in candidates for path in paths), None)
