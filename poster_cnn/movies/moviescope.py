"""MovieScope as its authors published it (Cascante-Bonilla et al., 2019; paper 5's data) -> one tidy DataFrame.

The dataset numbers its movies by their row in Kaggle's "IMDB 5000" `movie_metadata.csv`, the first being 0. Its files
are Python 2 pickles; they are opened without running anything that may be in them.
"""

import pathlib
import pickle

import numpy as np
import pandas as pd

from poster_cnn.movies.metadata import load_movie_metadata

# The genres in the order of the labels' digits.
MOVIESCOPE_GENRES = tuple(
    "Action Animation Biography Comedy Crime Drama Family Fantasy Horror Mystery Romance Sci-Fi Thriller".split()
)
_SPLIT_FILES = {"train": "raw_data_train.p", "validation": "raw_data_val.p", "test": "raw_data_test.p"}
_COUNTED_BELOW = ("no plot", "no column for plot", "imdbId seen before")
_ENTRY = ("movie_id", "plot", "newGenreLabels")
# All that plain numbers, texts and arrays need, under the names that old and new NumPy gave it.
_HARMLESS = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")} | {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
}


def read_moviescope(folder, *, duplicates="drop"):
    """Reads MovieScope: metadata, plots, genres and the authors' own split (paper 5, section 3).

    The folder, or folders in it, hold `movie_metadata.csv` (Kaggle's "IMDB 5000", whose row numbers are MovieScope's
    movie ids), `raw_data_train.p`, `raw_data_val.p` and `raw_data_test.p` (split, plots and labels), and where there
    are any `MatchedPosters/<movie_id>.jpg` and `200F_VGG16/<movie_id>.p` (features of 200 trailer frames).

    Args:
        folder: Where the files were unpacked.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId, so that no movie is in two parts;
            `"keep"` keeps all, as the authors did. Defaults to `"drop"`.

    Returns:
        DataFrame as `load_movie_metadata` gives it, of the movies in the split files, with their `plot` and `genres`
        (of the 13), and `movie_id` (int64), `part` ("train", "validation" or "test": a split as `splits` makes them),
        `poster_path` and `trailer_path` (str, absolute, "" if none; see `read_features`). `attrs["report"]` counts
        what was dropped, and movies whose labels are not the genres of `movie_metadata.csv`.

    Raises:
        FileNotFoundError: If a split file or `movie_metadata.csv` is not there.
        ValueError: If a file is there twice, or holds something else.

    Example:

    >>> movies = read_moviescope("moviescope")
    >>> labels = encode_genres(movies, MOVIESCOPE_GENRES)
    """
    if duplicates not in ("keep", "drop"):
        raise ValueError(f"`duplicates` must be 'keep' or 'drop'. Received: duplicates={duplicates!r}")
    folder = pathlib.Path(folder)
    metadata = load_movie_metadata(_only(folder, "movie_metadata.csv"), duplicates="keep", row_numbers=True)
    report = metadata.attrs["report"]
    # Plots come from the split files, and repeated movies are counted below, among those that are in a part.
    report.findings = [finding for finding in report.findings if finding[0] not in _COUNTED_BELOW]
    entries = pd.concat(
        [_read_split_file(_only(folder, name)).assign(part=part) for part, name in _SPLIT_FILES.items()],
        ignore_index=True,
    )
    movies = metadata.drop(columns=["plot", "row"]).assign(movie_id=metadata["row"] - 1)
    entries = _apply(entries, "movie_id in two split files", entries["movie_id"].duplicated(), "drop", report)
    stray = ~entries["movie_id"].isin(movies["movie_id"])
    entries = _apply(entries, "in a split file, without a row in movie_metadata.csv", stray, "drop", report)
    movies = _apply(movies, "in no split file", ~movies["movie_id"].isin(entries["movie_id"]), "drop", report)
    movies = movies.merge(entries, on="movie_id", how="left", validate="one_to_one")

    genres = [set(names) & set(MOVIESCOPE_GENRES) for names in movies["genres"]]
    differ = pd.Series([set(a) != b for a, b in zip(movies["labels"], genres, strict=True)], index=movies.index)
    movies = _apply(movies, "labels are not the genres of movie_metadata.csv", differ, "labels taken", report)
    torn = movies.groupby("imdb_id")["part"].transform("nunique") > 1
    movies = _apply(movies, "imdbId in more than one part", torn, "see the next line", report)
    movies = _apply(movies, "imdbId seen before", movies["imdb_id"].duplicated(), duplicates, report)
    movies["poster_path"] = _paths(folder, "MatchedPosters", movies["movie_id"], ".jpg")
    movies["trailer_path"] = _paths(folder, "200F_VGG16", movies["movie_id"], ".p")
    for what, missing in (("plot", "plot"), ("poster file", "poster_path"), ("trailer features", "trailer_path")):
        movies = _apply(movies, f"no {what}", movies[missing] == "", "keep", report)
    report.rows_kept = len(movies)
    movies = movies.assign(genres=movies["labels"]).drop(columns="labels").reset_index(drop=True)
    movies.attrs["report"] = report
    return movies


def read_features(path):
    """Reads features of MovieScope, such as those of a trailer's frames (paper 5, section 4).

    Args:
        path: A file of `200F_VGG16/`, or of `PosterFeatures/`.

    Returns:
        float32 array, the leading 1 of its shape removed: `(200, 4096)` for a trailer.

    Raises:
        ValueError: If the file does not hold one array of finite numbers.
    """
    array = _unpickle(path)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"Expected a pickled array of finite numbers. Received: path={str(path)!r}")
    return np.asarray(array[0] if array.ndim > 1 and len(array) == 1 else array, dtype="float32")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickle(path):
    with open(path, "rb") as file:
        try:
            # Texts of Python 2 come as bytes, to be decoded as what they are.
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
    """ "1000000000001", or as many numbers -> names."""
    digits = [int(digit) for digit in (_text(labels) if isinstance(labels, bytes) else labels)]
    if len(digits) != len(MOVIESCOPE_GENRES) or not set(digits) <= {0, 1}:
        raise ValueError(f"{len(MOVIESCOPE_GENRES)} zeros and ones expected, not {labels!r}")
    return [name for name, digit in zip(MOVIESCOPE_GENRES, digits, strict=True) if digit]


def _only(folder, name):
    found = sorted(folder.rglob(name))
    if not found:
        raise FileNotFoundError(f"No {name} found. Looked in the folder {str(folder)!r} and all folders in it.")
    if len(found) > 1:
        raise ValueError(f"{name} is there {len(found)} times. Received: {', '.join(map(str, found))}. Keep one.")
    return found[0]


def _paths(folder, name, movie_ids, suffix):
    known = {path.name: str(path.absolute()) for path in folder.rglob(f"{name}/*{suffix}")}
    return [known.get(f"{movie_id}{suffix}", "") for movie_id in movie_ids]


def _apply(movies, what, hit, action, report):
    if hit.any():
        done = {"drop": "dropped", "keep": "kept"}.get(action, action)
        report.findings.append(
            (what, int(hit.sum()), done, [f"movie_id {number}" for number in movies["movie_id"][hit]])
        )
    return movies[~hit] if action == "drop" else movies
