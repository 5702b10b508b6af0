"""Files of a data folder: the movie table, the posters, and optional ones."""

import dataclasses
import os
import pathlib

from poster_cnn.metrics import arguments
from poster_cnn.movies.layouts import data_source, find_layout
from poster_cnn.movies.mmimdb import find_movie_files
from poster_cnn.movies.picture_tables import needs_posters
from poster_cnn.movies.poster_files import find_posters

_POSTERS = ("posters", "SampleMoviePosters", "Movie_Poster_Dataset", "images")  # of Kaggle, Chu & Guo, and others

# For the help of commands.
LAYOUTS = (
    "folder with MovieGenre.csv and posters/, CSV with a column of pictures and genres, folder per genre, OMDb or Chu "
    "& Guo folder, MM-IMDb, or MovieScope"
)


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """Paths in a data folder, as found by `find_data_folder`.

    Attributes:
        root: The folder.
        csv: The movie table: a CSV such as `MovieGenre.csv`, a DataFrame, or another source of `load_movie_table`, such
            as the folder itself if it holds movie records as JSON.
        posters: Folder of posters named by imdbId, in it or in folders such as `1995/`; `None` if the table names its
            pictures.
        metadata: `movie_metadata.csv` with plots, directors and actors; `None` if absent.
        glove: Word vectors in GloVe's text format, `glove*.txt`; `None` if absent.
        trailers: Folder of trailers, or `trailers.h5`, as read by `trailers.find_trailers`; `None` if absent.
        everyday: Folder of everyday photos, which are not posters; `None` if absent.
        weights: Dict of pretrained weights, file name -> path, of the `*.h5` files.
    """

    root: pathlib.Path
    csv: pathlib.Path
    posters: pathlib.Path | None
    metadata: pathlib.Path | None = None
    glove: pathlib.Path | None = None
    trailers: pathlib.Path | None = None
    everyday: pathlib.Path | None = None
    weights: dict = dataclasses.field(default_factory=dict)


def data_path(name, value):
    """Check the path of some data, a DataFrame, or a `DataFolder`, as an argument; see `arguments`."""
    return value if isinstance(value, DataFolder) else data_source(name, value)


@arguments.checked(root=data_path, posters_dir=arguments.optional(arguments.path))
def find_data_folder(root, *, posters_dir=None):
    """Find the files of a data folder.

    The movie table is `MovieGenre.csv` or has another layout; see `layouts.find_layout`. Posters that are named by
    imdbId are in `posters/`, `SampleMoviePosters/` (Kaggle), `Movie_Poster_Dataset/` (Chu & Guo) or `images/`, or in
    folders such as `1995/`.

    Args:
        root: The folder, or the movie table in it if that has another name, or a DataFrame of pictures and genres, or a
            `DataFolder`.
        posters_dir: Folder of posters. Defaults to `None`: the one in `root`.

    Returns:
        `DataFolder`

    Raises:
        FileNotFoundError: If the folder, its table or its posters are missing.
        ValueError: If `posters_dir` is given for data that name their pictures, or a table cannot be read.
    """
    if isinstance(root, DataFolder):
        return root if posters_dir is None else dataclasses.replace(root, posters=posters_dir)
    posters = posters_dir.expanduser() if posters_dir else None
    if not isinstance(root, pathlib.Path):
        if posters is None and needs_posters(root):
            expected = "with a column of paths of pictures, or `find_data_folder(table, posters_dir=...)`"
            arguments.refuse("data", f"a DataFrame {expected}", list(root.columns))
        return DataFolder(root=pathlib.Path.cwd(), csv=root, posters=posters)
    root = root.expanduser()
    source, root = (root, root.parent) if root.is_file() else (root, root)
    if not root.is_dir():
        raise FileNotFoundError(f"No data folder found. Looked for the folder or file {str(source)!r}.")
    layout = find_layout(source)
    root = layout.source if layout.source.is_dir() else layout.source.parent
    if posters and layout.posters == "own":
        arguments.refuse("posters_dir", "None (no --posters), as the data name their pictures", str(posters))
    if posters is None and layout.posters != "own":
        posters = _find_posters(root)
        if posters is None and not (layout.posters == "either" and not needs_posters(layout.source)):
            names = "posters/ and SampleMoviePosters/, Movie_Poster_Dataset/, and posters in folders such as 1995/"
            inside = ", ".join(sorted(os.listdir(root))[:8]) or "nothing"
            is_empty = layout.source.is_file() and not layout.source.stat().st_size
            about = f" The table {layout.source.name} is empty, too." * is_empty
            raise FileNotFoundError(
                f"The data folder {str(root)!r} has no posters. Looked for the folders {names}. Found: {inside}.{about}"
            )
    return DataFolder(
        root=root,
        csv=layout.source,
        posters=posters,
        metadata=_first(root.glob("movie_metadata.csv")),
        glove=_first(sorted(root.glob("glove*.txt"))),
        trailers=_first(root.glob("trailers/"), root.glob("trailers.h5")),
        everyday=_first(root.glob("everyday/")),
        weights={path.name: path for path in sorted(root.glob("*.h5")) if path.name != "trailers.h5"},
    )


def _find_posters(root):
    by_name = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    named = _first(root / name for name in _POSTERS if (root / name).is_dir())
    named = named or _first(by_name[name.lower()] for name in _POSTERS if name.lower() in by_name)
    return named or _first(folder for folder in (find_movie_files(root), root) if folder and find_posters(folder)[0])


def _first(*candidates):
    return next((path for paths in candidates for path in paths), None)
