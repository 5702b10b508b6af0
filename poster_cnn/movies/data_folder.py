"""Files of a data folder: `MovieGenre.csv`, `posters/`, and optional ones."""

import dataclasses
import pathlib

from poster_cnn.metrics import arguments


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """Paths in a data folder, as found by `find_data_folder`.

    Attributes:
        root: The folder.
        csv: The movie table, `MovieGenre.csv`.
        posters: Folder of `<imdbId>.jpg` files.
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


@arguments.checked(root=arguments.path)
def find_data_folder(root):
    """Find the files of a data folder.

    Args:
        root: Folder with the files of `DataFolder`; the posters may be in Kaggle's `SampleMoviePosters/`.

    Returns:
        `DataFolder`

    Raises:
        FileNotFoundError: If the folder, its table or its posters are missing.
    """
    root = pathlib.Path(root).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"No data folder found. Looked for the folder {str(root)!r}.")
    csv, posters = root / "MovieGenre.csv", _first(root.glob("posters/"), root.glob("SampleMoviePosters/"))
    for found, what, names in (
        (csv.is_file(), "movie table", "MovieGenre.csv"),
        (posters, "posters", "the folders posters/ and SampleMoviePosters/"),
    ):
        if not found:
            raise FileNotFoundError(f"The data folder {str(root)!r} has no {what}. Looked for {names}.")
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


def _first(*candidates):
    return next((path for paths in candidates for path in paths), None)
