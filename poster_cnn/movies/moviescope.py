"""MovieScope as published by its authors (Cascante-Bonilla et al., 2019), read as one tidy DataFrame (paper 5's data).

MovieScope's movie ids are rows of Kaggle's "IMDB 5000" `movie_metadata.csv`, counted from 0. Its files are Python 2
pickles; they are opened without running code that may be in them.
"""

import functools
import pathlib
import pickle

import numpy as np
import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies.metadata import load_movie_metadata
from poster_cnn.movies.poster_files import poster_paths
from poster_cnn.movies.tidy import apply_rule

# Genres in the order of the labels' digits.
MOVIESCOPE_GENRES = tuple(
    "Action Animation Biography Comedy Crime Drama Family Fantasy Horror Mystery Romance Sci-Fi Thriller".split()
)
_SPLIT_FILES = {"train": "raw_data_train.p", "validation": "raw_data_val.p", "test": "raw_data_test.p"}
_COUNTED_BELOW = ("no plot", "no column for plot", "imdbId seen before")
_ENTRY = ("movie_id", "plot", "newGenreLabels")
# Classes that pickles of plain numbers, texts and arrays need, by their names in old and new NumPy.
_HARMLESS = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")} | {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
}


@arguments.checked(folder=arguments.path)
def read_moviescope(folder, *, duplicates="drop"):
    """Read MovieScope: metadata, plots, genres and the authors' own split (paper 5, section 3).

    The folder, or folders in it, must contain `movie_metadata.csv` (Kaggle's "IMDB 5000"), `raw_data_train.p`,
    `raw_data_val.p` and `raw_data_test.p` (split, plots and labels), and may contain `MatchedPosters/<movie_id>.jpg`
    and `200F_VGG16/<movie_id>.p` (features of 200 trailer frames).

    Args:
        folder: Folder that the files were unpacked to.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId, so that no movie is in two parts;
            `"keep"` keeps all, as the authors did. Defaults to `"drop"`.

    Returns:
        DataFrame of the movies in the split files, with the columns of `load_movie_metadata` and `movie_id` (int64),
        `part` ("train", "validation" or "test"), `poster_path` and `trailer_path` (str, absolute, "" if none; see
        `read_features`). `plot` and `genres` (among the 13) are those of the split files. `attrs["report"]` counts
        what was dropped, and movies whose labels are not the genres of `movie_metadata.csv`.

    Raises:
        FileNotFoundError: If a split file or `movie_metadata.csv` is missing.
        ValueError: If a file is there twice or has other content.

    Example:

    >>> movies = read_moviescope("moviescope")
    >>> labels = encode_genres(movies, MOVIESCOPE_GENRES)
    """
    if duplicates not in ("keep", "drop"):
        raise ValueError(f"`duplicates` must be 'keep' or 'drop'. Received: duplicates={duplicates!r}")
    folder = pathlib.Path(folder)
    metadata = load_movie_metadata(_only(folder, "movie_metadata.csv"), duplicates="keep", row_numbers=True)
    report = metadata.attrs["report"]
    # Plots come from the split files; repeated movies are counted below, among those in a part.
    report.findings = [finding for finding in report.findings if finding[0] not in _COUNTED_BELOW]
    entries = pd.concat(
        [_read_split_file(_only(folder, name)).assign(part=part) for part, name in _SPLIT_FILES.items()],
        ignore_index=True,
    )
    movies = metadata.drop(columns=["plot", "row"]).assign(movie_id=metadata["row"] - 1)
    count = functools.partial(apply_rule, report=report, key="movie_id")
    entries = count(entries, "movie_id in two split files", entries["movie_id"].duplicated(), "drop")
    stray = ~entries["movie_id"].isin(movies["movie_id"])
    entries = count(entries, "in a split file, without a row in movie_metadata.csv", stray, "drop")
    movies = count(movies, "in no split file", ~movies["movie_id"].isin(entries["movie_id"]), "drop")
    movies = movies.merge(entries, on="movie_id", how="left", validate="one_to_one")

    genres = [set(names) & set(MOVIESCOPE_GENRES) for names in movies["genres"]]
    differ = pd.Series([set(a) != b for a, b in zip(movies["labels"], genres, strict=True)], index=movies.index)
    movies = count(movies, "labels are not the genres of movie_metadata.csv", differ, "labels taken")
    torn = movies.groupby("imdb_id")["part"].transform("nunique") > 1
    movies = count(movies, "imdbId in more than one part", torn, "see the next line")
    movies = count(movies, "imdbId seen before", movies["imdb_id"].duplicated(), duplicates)
    movies["poster_path"] = _posters(folder, movies["movie_id"])
    movies["trailer_path"] = _trailers(folder, movies["movie_id"])
    for name, column in (("plot", "plot"), ("poster file", "poster_path"), ("trailer features", "trailer_path")):
        movies = count(movies, f"no {name}", movies[column] == "", "keep")
    report.rows_kept = len(movies)
    movies = movies.assign(genres=movies["labels"]).drop(columns="labels").reset_index(drop=True)
    movies.attrs["report"] = report
    return movies


@arguments.checked(path=arguments.path)
def read_features(path):
    """Read a file of MovieScope features, such as those of a trailer's frames (paper 5, section 4).

    Args:
        path: A file of `200F_VGG16/`, or of `PosterFeatures/`.

    Returns:
        float32 array without a leading axis of length 1: `(200, 4096)` for a trailer.

    Raises:
        ValueError: If the file does not contain one array of finite numbers.
    """
    array = _unpickle(path)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"Expected a pickled array of finite numbers. Received: path={str(path)!r}")
    return np.asarray(array[0] if array.ndim > 1 and len(array) == 1 else array, dtype="float32")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(path):
    with open(path, "rb") as file:
        try:
            # Python 2 strings are read as bytes, because their encodings differ.
            return _Unpickler(file, encoding="bytes").load()
        except Exception as error:  # a broken pickle can fail with almost anything
            raise ValueError(
                f"Not a pickle of plain numbers, texts and arrays: {error}. Received: path={str(path)!r}"
            ) from error


def _read_split_file(path):
    entries = _unpickle(path)
    try:
        rows = [{_text(key): value for key, value in entry.items()} for entry in entries]
        return pd.DataFrame(
            {
                "movie_id": [int(row["movie_id"]) for row in rows],
                "plot": [_text(row["plot"]).strip() for row in rows],
                "labels": pd.Series([_genres(row["newGenreLabels"]) for row in rows], dtype=object),
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected a list of dicts with {', '.join(_ENTRY)} ({error!r}). Received: path={str(path)!r}"
        ) from error


def _text(value):
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")


def _genres(labels):
    digits = [int(digit) for digit in (_text(labels) if isinstance(labels, bytes) else labels)]
    if len(digits) != len(MOVIESCOPE_GENRES) or not set(digits) <= {0, 1}:
        raise ValueError(f"{len(MOVIESCOPE_GENRES)} zeros and ones expected, received {labels!r}")
    return [name for name, digit in zip(MOVIESCOPE_GENRES, digits, strict=True) if digit]


def _only(folder, name):
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"No {name} found. Looked in the folder {str(folder)!r} and all folders in it.")
    if len(found) > 1:
        raise ValueError(f"{name} must be there once. Received: {', '.join(map(str, found))}")
    return found[0]


def _posters(folder, movie_ids):
    found = sorted(path for path in folder.rglob("MatchedPosters") if path.is_dir())
    paths = [poster_paths(movie_ids, inner) for inner in found or [None]]
    return [next(filter(None, of_movie), "") for of_movie in zip(*paths, strict=True)]


def _trailers(folder, movie_ids):
    known = {path.name: str(path.absolute()) for path in folder.rglob("200F_VGG16/*.p")}
    return [known.get(f"{movie_id}.p", "") for movie_id in movie_ids]
