"""The movie table: one tidy DataFrame with a row per movie, and a report of what was dropped and why."""

import dataclasses
import pathlib

import pandas as pd

from poster_cnn.metrics import arguments
from poster_cnn.movies import cells, csv_files, poster_files, records
from poster_cnn.movies.genre_text import genre_key, parse_genre_cells
from poster_cnn.movies.genres import encode_genres, warn_of_unknown


@dataclasses.dataclass
class TableReport:
    """Problems found while reading a table, and how they were handled; `print` shows them as a small table.

    Attributes:
        rows_read: Number of data rows in the file.
        rows_kept: Number of rows in the table.
        findings: List of `(problem, count, action, examples)`.
    """

    rows_read: int = 0
    rows_kept: int = 0
    findings: list = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, raw, notes):
        """Return the report of a table that `csv_files` has read."""
        report = cls(findings=list(notes))
        report.rows_read = len(raw) + report.count("too many fields in a row")
        return report

    def finish(self, table, path):
        """Count the rows that are left; raise an error if there are none."""
        self.rows_kept = len(table)
        if table.empty:
            raise ValueError(f"No movie is left of {str(path)!r}. Its rows were handled as follows:\n{self}")

    def count(self, problem):
        """Return how often a problem was found."""
        return sum(count for name, count, _, _ in self.findings if name == problem)

    def __str__(self):
        rows = [("rows read", self.rows_read, "", [])] + self.findings + [("rows kept", self.rows_kept, "", [])]
        width = max(len(problem) for problem, *_ in rows)
        lines = []
        for problem, count, action, examples in rows:
            shown = f" ({', '.join(map(str, examples[:3]))}{', …' if len(examples) > 3 else ''})" if examples else ""
            lines.append(f"{problem:<{width}}  {count:>7,}  {action}{shown}".rstrip())
        return "\n".join(lines)


_RULES = ("duplicates", "missing_genre", "missing_title", "missing_year", "missing_poster")


@arguments.checked(
    csv_path=arguments.path,
    posters_dir=arguments.optional(arguments.path),
    min_year=arguments.optional(arguments.integer),
    max_year=arguments.optional(arguments.integer),
    genres=arguments.optional(arguments.selection),
    min_genres=arguments.natural,
    **dict.fromkeys(_RULES, arguments.choice("keep", "drop")),
)
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
    """Read a movie table: Kaggle's `MovieGenre.csv`, another CSV, or OMDb records as JSON (Chu & Guo).

    No row is dropped silently. `table.attrs["report"]` is a `TableReport` that counts each reason, with row numbers.
    `table.attrs["genres"]` lists the genres of all rows that were read.

    Args:
        csv_path: Path of a CSV with ids, titles and genres, or of a file or folder of OMDb records (`*.json`,
            `*.jsonl`, `<year>.txt`).
        posters_dir: Folder of posters named by imdbId, such as `114709.jpg` or `1995/tt0114709.png`. Defaults to
            `None`: posters are not looked up.
        min_year: First year to keep, inclusive. Defaults to `None`: no limit. A limit drops movies without a year.
        max_year: Last year to keep, inclusive. Defaults to `None`: no limit.
        genres: Keep movies with at least one of these genres, in any spelling. Defaults to `None`: all genres.
        min_genres: Keep movies with at least this many genres. Defaults to 1; 2 in paper 1's code.
        duplicates: `"drop"` keeps the first of the rows with the same imdbId and gives it the genres of all of them,
            `"keep"` keeps all. Defaults to `"drop"`.
        missing_genre: `"drop"` or `"keep"` movies without a genre. Defaults to `"drop"`.
        missing_title: `"drop"` or `"keep"` movies without a title. Defaults to `"keep"`.
        missing_year: `"drop"` or `"keep"` movies without a year. Defaults to `"keep"`.
        missing_poster: `"drop"` or `"keep"` movies without a file in `posters_dir`. Defaults to `"drop"`.

    Returns:
        DataFrame, one row per movie: `imdb_id` (int64), `title` (str, with the year), `year` (Int64), `score`
        (Float64), `genres` (list of str), `poster_url` (str, "" if none), `poster_path` (str, absolute, "" if none).

    Raises:
        FileNotFoundError: If the table or `posters_dir` does not exist.
        ValueError: If a required column is missing, genres cannot be understood, or no row is left.

    Example:

    >>> table = load_movie_table("MovieGenre.csv", posters_dir="posters", min_year=1997, max_year=2017)
    >>> print(table.attrs["report"])
    """
    read = records.read_records if records.holds_records(pathlib.Path(csv_path)) else csv_files.read_kaggle_csv
    raw, notes = read(csv_path)
    report = TableReport.of(raw, notes)
    table = tidy(raw, report)
    further = merge_rows(table) if duplicates == "drop" else pd.Series(False, index=table.index)
    known_genres = sorted({name for names in table["genres"] for name in names})
    table["poster_path"] = poster_files.poster_paths(table["imdb_id"], posters_dir, report)

    num_genres = table["genres"].map(len)
    unwanted = pd.Series(False, index=table.index)
    if genres is not None:
        unknown = warn_of_unknown(table, genres, "genres")
        different = {genre_key(name): name for name in genres if name not in unknown}
        unwanted |= ~encode_genres(table, [*different.values()]).any(axis=1)
    rules = [
        ("no genre", num_genres == 0, missing_genre),
        ("no title", table["title"] == "", missing_title),
        ("no year", table["year"].isna(), "drop" if (min_year or max_year) else missing_year),
        (f"year before {min_year}", (table["year"] < (min_year or 0)).fillna(False), "drop"),
        (f"year after {max_year}", (table["year"] > (max_year or 9999)).fillna(False), "drop"),
        ("none of the genres asked for", unwanted, "drop"),
        (f"fewer than {min_genres} genres", (num_genres < min_genres) & (num_genres > 0), "drop"),
        ("no poster file", (table["poster_path"] == "") & (posters_dir is not None), missing_poster),
    ]
    for problem, hit, action in rules:
        table = apply_rule(table, problem, hit.reindex(table.index).astype(bool), action, report)
    table = drop_further_rows(table, further, duplicates, report)
    report.finish(table, csv_path)
    table = table.drop(columns="row").reset_index(drop=True)
    table.attrs |= {"report": report, "genres": known_genres}
    return table


def tidy(raw, report):
    """Convert strings to typed columns; drop rows without a valid imdbId, and count unusual spellings."""
    ids = raw["imdb_id"].map(cells.imdb_number)
    raw = apply_rule(raw, "imdbId is not a number", ids == "", "drop", report)
    mended = raw["imdb_id"].str.strip().str.contains(r"^(?:[Tt]{2}|0)|\.")
    raw = apply_rule(raw, "imdbId with 'tt', zeros or decimals", mended, "mended", report)
    raw = raw.assign(**{name: cells.without_missing(raw[name]) for name in ("year", "score", "genres", "poster_url")})
    genres = _read_genres(raw, report)
    years, impossible = cells.movie_years(raw["title"], raw["year"])
    raw = apply_rule(raw, "impossible year", impossible, "year ignored", report)
    unknown = raw["year"].ne("") & cells.years(raw["year"]).isna()
    raw = apply_rule(raw, "year is not understood", unknown, "year ignored", report)
    scores = pd.to_numeric(raw["score"], errors="coerce").astype("Float64")
    odd = scores.isna() & raw["score"].ne("")
    raw = apply_rule(raw, "score is not a number", odd, "score ignored", report)
    return pd.DataFrame(
        {
            "row": raw["row"],
            "imdb_id": ids[raw.index].astype("int64"),
            "title": cells.titles(raw["title"]),
            "year": years,
            "score": scores,
            "genres": genres,
            "poster_url": raw["poster_url"],
        }
    )


def _read_genres(raw, report):
    """Parse the genres of each movie, and count what is not written as "Drama|Comedy" in IMDb's spelling."""
    lists, other, suspicious = parse_genre_cells(raw.set_index("row")["genres"])
    genres, other = pd.Series(lists, index=raw.index, dtype=object), pd.Series(other, index=raw.index, dtype=bool)
    apply_rule(raw, "genres not written as Drama|Comedy", other, "split", report)
    respelled = [
        any(name not in text for name in names) if is_other else bool(names) and "|".join(names) != text
        for text, names, is_other in zip(raw["genres"], genres, other, strict=True)
    ]
    respelled = pd.Series(respelled, index=raw.index, dtype=bool)
    apply_rule(raw, "genre spelled or spaced differently", respelled, "mended", report)
    if suspicious:
        shown = [f"row {row}: {name!r}" for row, name in suspicious.items()]
        report.findings.append(("rare genre that looks like several", len(suspicious), "kept", shown))
    return genres


def merge_rows(table):
    """Give each row of a movie the genres of all its rows, in place; return which rows added genres to an earlier one.

    Tables with one row per movie and genre are written by databases, and by `genres.explode_genres`.
    """
    merged, further = {}, []
    for imdb_id, names in zip(table["imdb_id"], table["genres"], strict=True):
        further.append(imdb_id in merged and not merged[imdb_id].keys() >= set(names))
        merged.setdefault(imdb_id, {}).update(dict.fromkeys(names))
    table["genres"] = pd.Series([list(merged[imdb_id]) for imdb_id in table["imdb_id"]], table.index, dtype=object)
    return pd.Series(further, index=table.index, dtype=bool)


def drop_further_rows(table, further, duplicates, report):
    """Count the rows of a movie after its first, and drop those that `merge_rows` returned; see `apply_rule`."""
    repeated = table["imdb_id"].duplicated()
    further = further.reindex(table.index) & repeated
    table = apply_rule(table, "one movie in several rows", further, "genres merged", report)[~further]
    return apply_rule(table, "imdbId seen before", repeated[~further], duplicates, report)


def apply_rule(table, problem, hit, action, report, *, key="row"):
    """Count the rows with a problem in a `TableReport`, and return the table without them if `action` is "drop".

    Examples in the report are named after the column `key`.
    """
    if hit.any():
        done = {"drop": "dropped", "keep": "kept"}.get(action, action)
        report.findings.append((problem, int(hit.sum()), done, [f"{key} {number}" for number in table[key][hit]]))
    return table[~hit] if action == "drop" else table
