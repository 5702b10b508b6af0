"""Rows of movie tables: typed columns, rules that drop or count rows, and the report of both."""

import dataclasses

import pandas as pd

from poster_cnn.movies import cells
from poster_cnn.movies.genre_text import canonical_genres, parse_genre_cells


@dataclasses.dataclass
class TableReport:
    """Problems found while reading a table, and how they were handled; `print` shows them as a small table.

    Attributes:
        rows_read: Number of data rows in the file.
        rows_kept: Number of rows in the table.
        findings: List of `(problem, count, action, examples)`.
        layout: The layout of the data and the columns that were found, as text; "" if it was not recognized.
    """

    rows_read: int = 0
    rows_kept: int = 0
    findings: list = dataclasses.field(default_factory=list)
    layout: str = ""

    @classmethod
    def of(cls, raw, notes):
        """Return the report of a table that `layouts` or `csv_files` has read."""
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

    def with_layout(self):
        """Return the layout of the data and the report as text."""
        return f"data: {self.layout}\n{self}"

    def __str__(self):
        rows = [("rows read", self.rows_read, "", [])] + self.findings + [("rows kept", self.rows_kept, "", [])]
        width = max(len(problem) for problem, *_ in rows)
        lines = []
        for problem, count, action, examples in rows:
            shown = f" ({', '.join(map(str, examples[:3]))}{', …' if len(examples) > 3 else ''})" if examples else ""
            lines.append(f"{problem:<{width}}  {count:>7,}  {action}{shown}".rstrip())
        return "\n".join(lines)


def tidy(raw, report):
    """Convert strings to typed columns; drop rows without a valid imdbId, and count unusual spellings."""
    ids = raw["imdb_id"].map(cells.imdb_number)
    raw = apply_rule(raw, "imdbId is not a number", ids == "", "drop", report)
    mended = raw["imdb_id"].str.strip().str.contains(r"^(?:[Tt]{2}|0)|\.")
    raw = apply_rule(raw, "imdbId with 'tt', zeros or decimals", mended, "mended", report)
    is_text = all(isinstance(names, str) for names in raw["genres"])  # else they are lists
    columns = ["year", "score", "poster_url"] + ["genres"] * is_text
    raw = raw.assign(**{name: cells.without_missing(raw[name]) for name in columns})
    genres = _read_genres(raw, report) if is_text else raw["genres"].map(canonical_genres)
    years, impossible = cells.movie_years(raw["title"], raw["year"])
    raw = apply_rule(raw, "impossible year", impossible, "year ignored", report)
    unknown = raw["year"].ne("") & cells.years(raw["year"]).isna()
    raw = apply_rule(raw, "year is not understood", unknown, "year ignored", report)
    points = raw["score"].astype(str).str.replace(r"^(\d+),(\d+)$", r"\1.\2", regex=True)  # 7,5 in European tables
    scores = pd.to_numeric(points, errors="coerce").astype("Float64")
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
    apply_rule(raw, "genres separated by other signs than |", other, "read as usual", report)
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
