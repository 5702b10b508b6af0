"""CSV -> one tidy DataFrame, a row a movie, with a report of what was dropped and why; genres -> multi-hot."""

import dataclasses
import pathlib
import re

import pandas as pd

from poster_cnn.movies import csv_files
from poster_cnn.movies.genres import _canonical_genres

_IMDB_ID = re.compile(r"(?:tt)?0*(\d{1,10})(?:\.0+)?", re.IGNORECASE)
# "(1994)" at the end, also "(2010– )" and "(2010–2012)"; \x96 is the dash of Windows files read as ISO-8859-1.
_YEAR_IN_TITLE = re.compile(r"\(\s*(\d{4})\s*[-\u2013\u2014\x96]?\s*(?:\d{4})?\s*\)\s*$")
_YEAR = re.compile(r"\s*(\d{4})")


@dataclasses.dataclass
class TableReport:
    """What was met while reading a movie table, and what was done about it; `print` shows it as a small table.

    Attributes:
        rows_read: Number of data rows in the file.
        rows_kept: Number of rows in the table.
        findings: List of `(what, count, what was done, examples)`.
    """

    rows_read: int = 0
    rows_kept: int = 0
    findings: list = dataclasses.field(default_factory=list)

    def count(self, what):
        """Number of times `what` was met, 0 if never."""
        return sum(count for name, count, _, _ in self.findings if name == what)

    def __str__(self):
        rows = [("rows read", self.rows_read, "", [])] + self.findings + [("rows kept", self.rows_kept, "", [])]
        width = max(len(what) for what, *_ in rows)
        lines = []
        for what, count, done, examples in rows:
            shown = f" ({', '.join(map(str, examples[:3]))}{', …' if len(examples) > 3 else ''})" if examples else ""
            lines.append(f"{what:<{width}}  {count:>7,}  {done}{shown}".rstrip())
        return "\n".join(lines)


def load_movie_table(
    csv_path,
    *,
    posters_dir=None,
    min_year=None,
    max_year=None,
    genres=None,
    min_genres=1,
    duplicates="drop",
    missing_genre="drop",
    missing_title="keep",
    missing_year="keep",
    missing_poster="drop",
):
    """Reads a movie table: Kaggle's `MovieGenre.csv`, or a folder of OMDb records (Chu & Guo), into a tidy DataFrame.

    Nothing is dropped silently: `table.attrs["report"]` is a `TableReport` that counts each reason, with row numbers.

    Args:
        csv_path: Path of a CSV in Kaggle's layout, or of a folder of JSON lists of OMDb records.
        posters_dir: Folder of `<imdbId>.jpg` files. Defaults to `None`: posters are not looked for.
        min_year: First year to keep, inclusive. Defaults to `None`: no limit. With a limit, movies whose year is
            unknown are dropped.
        max_year: Last year to keep, inclusive. Defaults to `None`: no limit.
        genres: Keep movies with at least one of these genres. Defaults to `None`: all genres.
        min_genres: Keep movies with at least this many genres. Defaults to 1. Paper 1's code keeps 2 or more.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId, `"keep"` keeps all. Defaults to `"drop"`.
        missing_genre: `"drop"` or `"keep"` movies without a genre. Defaults to `"drop"`.
        missing_title: `"drop"` or `"keep"`. Defaults to `"keep"`.
        missing_year: `"drop"` or `"keep"`. Defaults to `"keep"`.
        missing_poster: `"drop"` or `"keep"` movies without a file in `posters_dir`. Defaults to `"drop"`.

    Returns:
        DataFrame, one row a movie: `imdb_id` (int64), `title` (str, with the year), `year` (Int64), `score` (Float64),
        `genres` (list of str), `poster_path` (str, absolute, "" if none), `poster_url` (str, "" if none).

    Raises:
        FileNotFoundError: If the table or `posters_dir` does not exist.
        ValueError: If a required column is missing, or no row is left.

    Example:

    >>> table = load_movie_table("MovieGenre.csv", posters_dir="posters", min_year=1997, max_year=2017)
    >>> print(table.attrs["report"])
    """
    for name in ("duplicates", "missing_genre", "missing_title", "missing_year", "missing_poster"):
        if locals()[name] not in ("keep", "drop"):
            raise ValueError(f"`{name}` must be 'keep' or 'drop'. Received: {name}={locals()[name]!r}")
    if pathlib.Path(csv_path).is_dir():
        raw, notes = csv_files.read_omdb_folder(csv_path)
    else:
        raw, notes = csv_files.read_kaggle_csv(csv_path)
    report = TableReport(rows_read=len(raw) + sum(n for what, n, _, _ in notes if what == "too many fields in a row"))
    report.findings.extend(notes)
    table = tidy(raw, report)
    table["poster_path"] = _poster_paths(table["imdb_id"], posters_dir)

    wanted = set(_canonical_genres(genres)) if genres is not None else set()
    kept = table["genres"].map(len)
    rules = [
        ("no genre", kept == 0, missing_genre),
        ("no title", table["title"] == "", missing_title),
        ("no year", table["year"].isna(), "drop" if (min_year or max_year) else missing_year),
        (f"year before {min_year}", (table["year"] < (min_year or 0)).fillna(False), "drop"),
        (f"year after {max_year}", (table["year"] > (max_year or 9999)).fillna(False), "drop"),
        (
            "none of the genres asked for",
            ~table["genres"].map(lambda g: genres is None or bool(wanted & set(g))),
            "drop",
        ),
        (f"fewer than {min_genres} genres", (kept < min_genres) & (kept > 0), "drop"),
        ("no poster file", (table["poster_path"] == "") & (posters_dir is not None), missing_poster),
    ]
    for what, hit, action in rules:
        table = apply_rule(table, what, hit.reindex(table.index).astype(bool), action, report)
    table = apply_rule(table, "imdbId seen before", table["imdb_id"].duplicated(), duplicates, report)
    report.rows_kept = len(table)
    if table.empty:
        raise ValueError(f"No movie is left of {str(csv_path)!r}; this is what happened to its rows:\n{report}")
    table = table.drop(columns="row").reset_index(drop=True)
    table.attrs["report"] = report
    return table


def tidy(raw, report):
    """Strings -> typed columns; rows without a usable imdbId are set aside, odd spellings mended and counted."""
    ids = raw["imdb_id"].str.strip().map(lambda text: _IMDB_ID.fullmatch(text))
    raw = apply_rule(raw, "imdbId is not a number", ids.isna(), "drop", report)
    mended = raw["imdb_id"].str.strip().str.startswith(("tt", "TT", "0")) | raw["imdb_id"].str.contains(
        ".", regex=False
    )
    raw = apply_rule(raw, "imdbId with 'tt', zeros or decimals", mended, "mended", report)
    genres = raw["genres"].map(lambda text: _canonical_genres(text.split("|")))
    respelled = raw["genres"].str.strip().ne("") & (genres.map("|".join) != raw["genres"]) & genres.map(bool)
    raw = apply_rule(raw, "genre spelled or spaced differently", respelled, "mended", report)
    years = raw["title"].str.extract(_YEAR_IN_TITLE)[0].fillna(raw["year"].str.extract(_YEAR)[0])
    years = pd.to_numeric(years).astype("Int64")
    impossible = ((years < 1870) | (years > 2100)).fillna(False).astype(bool)
    raw = apply_rule(raw, "impossible year", impossible, "year ignored", report)
    scores = pd.to_numeric(raw["score"], errors="coerce").astype("Float64")
    odd = scores.isna() & ~raw["score"].str.strip().isin(["", "N/A"])
    raw = apply_rule(raw, "score is not a number", odd, "score ignored", report)
    return pd.DataFrame(
        {
            "row": raw["row"],
            "imdb_id": ids[raw.index].map(lambda match: int(match[1])).astype("int64"),
            "title": raw["title"].str.strip().replace("N/A", ""),
            "year": years.mask(impossible),
            "score": scores,
            "genres": genres,
            "poster_url": raw["poster_url"].str.strip().replace("N/A", ""),
        }
    )


def apply_rule(table, what, hit, action, report):
    """Counts the rows hit in the `TableReport`, and drops them if `action` is "drop"; gives the table that is left."""
    if hit.any():
        done = {"drop": "dropped", "keep": "kept"}.get(action, action)
        report.findings.append((what, int(hit.sum()), done, [f"row {row}" for row in table["row"][hit]]))
    return table[~hit] if action == "drop" else table


def _poster_paths(imdb_ids, posters_dir):
    if posters_dir is None:
        return ""
    folder = pathlib.Path(posters_dir).absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"Expected a folder of posters. Received: posters_dir={str(posters_dir)!r}")
    names = {path.name for path in folder.iterdir()}
    return [str(folder / f"{imdb_id}.jpg") if f"{imdb_id}.jpg" in names else "" for imdb_id in imdb_ids]
