"""Movie tables in all published forms: irregular values are converted, counted or reported."""

import json
import pathlib

import pytest

from poster_cnn.movies.genres import genre_counts
from poster_cnn.movies.table import load_movie_table

HEADER = "imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"
REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def row(imdb_id="1", title="Alien (1979)", genres="Horror|Sci-Fi", score="8.5", url="https://x/1"):
    return f"{imdb_id},http://imdb/tt{imdb_id},{title},{score},{genres},{url}"


def load(tmp_path, *rows, header=HEADER, encoding="utf-8", **options):
    """Return the table of these rows, and its report."""
    path = tmp_path / "MovieGenre.csv"
    path.write_bytes(rows[0] if isinstance(rows[0], bytes) else "\n".join([header, *rows]).encode(encoding))
    table = load_movie_table(path, **options)
    return table, table.attrs["report"]


def test_reads_a_clean_table(tmp_path):
    table, report = load(tmp_path, row(), row("2", "Solaris", "Drama", "", ""))
    assert table.columns.tolist() == ["imdb_id", "title", "year", "score", "genres", "poster_url", "poster_path"]
    assert table.iloc[0].tolist() == [1, "Alien (1979)", 1979, 8.5, ["Horror", "Sci-Fi"], "https://x/1", ""]
    assert table["year"].isna().tolist() == table["score"].isna().tolist() == [False, True]
    assert {name: str(kind) for name, kind in table.dtypes.items() if name in ("imdb_id", "year", "score")} == {
        "imdb_id": "int64",
        "year": "Int64",
        "score": "Float64",
    }
    assert (report.rows_read, report.rows_kept) == (2, 2)


# --- encodings, delimiters, quotes ---


FRENCH = f"{HEADER}\n{row(title='Amélie (2001)')}\n"


@pytest.mark.parametrize(
    ("content", "noted"),
    [
        pytest.param(FRENCH.encode(), [], id="utf-8"),
        pytest.param(FRENCH.encode("utf-8-sig"), [], id="byte order mark"),
        pytest.param(FRENCH.encode("iso-8859-1"), ["line in ISO-8859-1, not UTF-8"], id="iso-8859-1"),
        pytest.param(FRENCH.replace("\n", "\r\n").encode(), [], id="windows"),
        pytest.param(FRENCH.replace(",", ";").encode(), ["delimiter is not a comma"], id="semicolon"),
        pytest.param(FRENCH.replace(",", "\t").encode(), ["delimiter is not a comma"], id="tab"),
        pytest.param("IMDBID, title ,GENRE\n1,Amélie (2001),Horror|Sci-Fi\n".encode(), [], id="header"),
        pytest.param(FRENCH.replace("\n", "\n\n").encode(), [], id="blank lines"),
        pytest.param(FRENCH.replace("\n", ",\n").encode(), [], id="last comma"),
    ],
)
def test_accepts_encodings_delimiters_and_headers(tmp_path, content, noted):
    table, report = load(tmp_path, content)
    columns = ["imdb_id", "title", "year", "genres"]
    assert table[columns].values.tolist() == [[1, "Amélie (2001)", 2001, ["Horror", "Sci-Fi"]]]
    assert [what for what, *_ in report.findings] == noted


def test_accepts_two_encodings_in_one_file(tmp_path):
    lines = [HEADER.encode(), row("1", "Amélie (2001)").encode(), row("2", "Nikitá (1990)").encode("iso-8859-1")]
    table, report = load(tmp_path, b"\n".join(lines))
    assert table["title"].tolist() == ["Amélie (2001)", "Nikitá (1990)"]
    assert report.count("line in ISO-8859-1, not UTF-8") == 1
    assert "line 3" in str(report)


def test_accepts_delimiters_quotes_and_line_breaks_in_quotes(tmp_path):
    table, _ = load(tmp_path, row("1", '"Me, ""You"" (2001)"'), row("2", '"Two\nlines (2002)"'), row("3"))
    assert table["title"].tolist() == ['Me, "You" (2001)', "Two\nlines (2002)", "Alien (1979)"]
    assert table["year"].tolist() == [2001, 2002, 1979]


@pytest.mark.parametrize("num_after", [1, 10, 3000], ids=lambda number: f"{number} rows after")
def test_rejects_an_unclosed_quote(tmp_path, num_after):
    rows = [row("1"), row("2", '"Alien (1979)'), *(row(str(number)) for number in range(3, 3 + num_after))]
    with pytest.raises(ValueError, match="Data row 2 .*never closed"):
        load(tmp_path, *rows)


def test_sets_aside_rows_with_too_many_fields(tmp_path):
    table, report = load(tmp_path, row("1"), row("2", "Me, You (2001)"), row("3"), row("x"))
    assert table["imdb_id"].tolist() == [1, 3]
    assert ("too many fields in a row", 1, "set aside", ["row 2"]) in report.findings
    assert ("imdbId is not a number", 1, "dropped", ["row 4"]) in report.findings  # numbered as in the file
    assert (report.rows_read, report.rows_kept) == (4, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("imdbId,Name,Kinds\n1,Alien,Horror", r"lacks the column\(s\) Title, Genre.*Received: columns=\['imdbId', 'N"),
        ("imdbId|Title|Genre\n1|Alien|Horror", r"lacks the column\(s\) imdbId, Title, Genre"),
        ("imdbId,Title,title,Genre\n1,Alien,Alien,Horror", "two columns for title"),
        ("", r"lacks the column\(s\) imdbId"),
        (HEADER, "header but no rows"),
        (f"{HEADER}\n{row(genres='')}", r"No movie is left.*\n.*\nno genre +1  dropped \(row 1\)"),
    ],
    ids=["other names", "other delimiter", "a column twice", "empty file", "no rows", "nothing left"],
)
def test_rejects_unusable_tables(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, content.encode())


def test_rejects_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="No movie table found.*nowhere.csv"):
        load_movie_table(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match="folder of posters.*nowhere"):
        load(tmp_path, row(), posters_dir=tmp_path / "nowhere")


# --- ids, genres, years, scores ---


@pytest.mark.parametrize(
    ("imdb_id", "expected"),
    [("114709", 114709), ("tt0114709", 114709), ("0114709", 114709), (" TT114709 ", 114709), ("114709.0", 114709)],
)
def test_imdb_ids(tmp_path, imdb_id, expected):
    table, report = load(tmp_path, row(imdb_id))
    assert table["imdb_id"].tolist() == [expected]
    assert report.count("imdbId with 'tt', zeros or decimals") == (imdb_id != "114709")


@pytest.mark.parametrize("imdb_id", ["", "nm0000123", "-5", "1e6", "99999999999999999999"])
def test_drops_rows_without_a_valid_imdb_id(tmp_path, imdb_id):
    table, report = load(tmp_path, row(imdb_id), row("7"))
    assert table["imdb_id"].tolist() == [7]
    assert report.count("imdbId is not a number") == 1


@pytest.mark.parametrize(
    ("genres", "expected", "mended"),
    [
        ("Action|Sci-Fi", ["Action", "Sci-Fi"], 0),
        ("Action | Sci-Fi ", ["Action", "Sci-Fi"], 1),
        ("action|SciFi", ["Action", "Sci-Fi"], 1),
        ("sci-fi|Science Fiction", ["Sci-Fi"], 1),
        ("film noir|REALITY TV", ["Film-Noir", "Reality-TV"], 1),
        ("Action|Action", ["Action"], 1),
        ("Action|N/A|", ["Action"], 1),
        ("Telenovela", ["Telenovela"], 0),
        ("N/A", [], 0),
        ("(no genres listed)", [], 0),
    ],
)
def test_genre_spellings(tmp_path, genres, expected, mended):
    table, report = load(tmp_path, row(genres=genres), missing_genre="keep")
    assert table["genres"].tolist() == [expected]
    assert report.count("genre spelled or spaced differently") == mended
    assert report.count("no genre") == (not expected)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Alien (1979)", 1979),
        ("Alien (1979) ", 1979),
        ("Lost (2010\u2013 )", 2010),
        ("Lost (2010\u20132012)", 2010),
        ("Lost (2010-)", 2010),
        ("Lost (2010\x96 )", 2010),
        ("2012 (2009)", 2009),
        ("Alien (I) (1979)", 1979),
        ("Alien", None),
        ("2012", None),
        ("Alien (79)", None),
        ("Alien (3001)", None),
    ],
)
def test_years_in_titles(tmp_path, title, expected):
    table, report = load(tmp_path, row(title=title))
    assert table["year"].astype(object).where(table["year"].notna(), None).tolist() == [expected]
    assert report.count("impossible year") == (title == "Alien (3001)")
    assert report.count("no year") == (expected is None)


def test_ignores_scores_that_are_not_numbers(tmp_path):
    table, report = load(tmp_path, row("1", score="N/A"), row("2", score="7/10"))
    assert table["score"].isna().tolist() == [True, True]
    assert ("score is not a number", 1, "score ignored", ["row 2"]) in report.findings


# --- which rows stay ---


@pytest.fixture
def mixed(tmp_path):
    """Return a function that loads seven rows, each but the first of which is kept or dropped by one argument."""
    (tmp_path / "posters").mkdir()
    for imdb_id in (1, 2, 3, 4, 6):
        (tmp_path / "posters" / f"{imdb_id}.jpg").touch()
    rows = [
        row("1", "Alien (1979)", "Horror|Sci-Fi"),
        row("1", "Alien again (1979)", "Horror|Sci-Fi"),
        row("2", "No genre (1980)", ""),
        row("3", "", "Horror|Drama"),
        row("4", "No year", "Horror|Drama"),
        row("5", "No poster (1999)", "Horror|Drama"),
        row("6", "One genre (2001)", "Comedy"),
    ]
    return lambda **options: load(tmp_path, *rows, posters_dir=tmp_path / "posters", **options)


# All arguments that keep or drop rows.
KEEP_ALL = dict.fromkeys(("duplicates", "missing_genre", "missing_title", "missing_year", "missing_poster"), "keep")


@pytest.mark.parametrize(
    ("options", "what", "done", "kept"),
    [
        ({}, None, None, [1, 1, 2, 3, 4, 5, 6]),
        ({"duplicates": "drop"}, "imdbId seen before", "dropped (row 2)", [1, 2, 3, 4, 5, 6]),
        ({"missing_genre": "drop"}, "no genre", "dropped (row 3)", [1, 1, 3, 4, 5, 6]),
        ({"missing_title": "drop"}, "no title", "dropped (row 4)", [1, 1, 2, 4, 5, 6]),
        ({"missing_year": "drop"}, "no year", "dropped (row 4, row 5)", [1, 1, 2, 5, 6]),
        ({"missing_poster": "drop"}, "no poster file", "dropped (row 6)", [1, 1, 2, 3, 4, 6]),
        ({"min_year": 1980}, "year before 1980", "dropped (row 1, row 2)", [2, 5, 6]),
        ({"max_year": 1999}, "year after 1999", "dropped (row 7)", [1, 1, 2, 5]),
        ({"genres": ["Drama", "sci-fi"]}, "none of the genres asked for", "dropped (row 3, row 7)", [1, 1, 3, 4, 5]),
        ({"min_genres": 2}, "fewer than 2 genres", "dropped (row 7)", [1, 1, 2, 3, 4, 5]),
    ],
)
def test_keeps_or_drops_rows_by_argument(mixed, options, what, done, kept):
    table, report = mixed(**(KEEP_ALL | options))
    assert table["imdb_id"].tolist() == kept
    assert table.index.tolist() == list(range(len(kept)))
    if what:
        assert report.count(what) == done.count("row")
        assert f"{what}  " in str(report) and f"  {done}\n" in str(report)


def test_drops_untrainable_rows_by_default(mixed):
    table, report = mixed()
    assert table["imdb_id"].tolist() == [1, 3, 4, 6]
    assert table["poster_path"].map(lambda path: pathlib.Path(path).is_file()).all()
    dropped = sum(count for _, count, done, _ in report.findings if done == "dropped")
    assert report.rows_read - dropped == report.rows_kept == len(table)


def test_report_prints_as_a_small_table(mixed):
    _, report = mixed()
    assert str(report).splitlines() == [
        "rows read                 7",
        "no genre                  1  dropped (row 3)",
        "no title                  1  kept (row 4)",
        "no year                   2  kept (row 4, row 5)",
        "no poster file            1  dropped (row 6)",
        "imdbId seen before        1  dropped (row 2)",
        "rows kept                 4",
    ]


def test_rejects_unknown_choices(mixed):
    with pytest.raises(ValueError, match="`duplicates` must be 'keep' or 'drop'. Received: duplicates='first'"):
        mixed(duplicates="first")


# --- OMDb's records ---


def test_reads_a_folder_of_omdb_records(tmp_path):
    alien = {"imdbID": "tt0078748", "Title": "Alien", "Year": "1979", "imdbRating": "8.5", "Genre": "Horror, Sci-Fi"}
    lost = {"imdbID": "tt0411008", "Title": "Lost", "Year": "2004\u20132010", "imdbRating": "N/A", "Genre": "N/A"}
    (tmp_path / "1979.json").write_text(json.dumps([alien | {"Poster": "https://x/a.jpg"}, None]), encoding="utf-8")
    (tmp_path / "2004.json").write_text(json.dumps([lost | {"Poster": "N/A"}]), encoding="utf-8-sig")
    (tmp_path / "2005.json").write_text("[{half")
    table = load_movie_table(tmp_path, missing_genre="keep")
    assert table["imdb_id"].tolist() == [78748, 411008]
    assert table["genres"].tolist() == [["Horror", "Sci-Fi"], []]
    assert table["year"].tolist() == [1979, 2004]
    assert table["poster_url"].tolist() == ["https://x/a.jpg", ""]
    broken = next(examples for what, _, _, examples in table.attrs["report"].findings if what == "unreadable JSON")
    assert [line.split(":")[0] for line in broken] == ["1979.json", "2005.json"]


def test_rejects_a_folder_without_records(tmp_path):
    with pytest.raises(FileNotFoundError, match="JSON lists of OMDb records"):
        load_movie_table(tmp_path)
    (tmp_path / "a.json").write_text("nonsense")
    with pytest.raises(ValueError, match="(?s)No movie is left.*a.json"):
        load_movie_table(tmp_path)


# --- the real table ---


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real posters are not there")
def test_real_table_has_the_counts_of_its_readme():
    table = load_movie_table(REAL_DATA / "MovieGenre.csv", posters_dir=REAL_DATA / "posters", **KEEP_ALL)
    report, counts = table.attrs["report"], genre_counts(table)
    assert [report.count(what) for what in ("no genre", "no title", "imdbId seen before")] == [10, 1020, 75]
    assert (report.rows_read, report.rows_kept) == (10443, 10443)
    assert table["imdb_id"][table["poster_path"] == ""].nunique() == 19
    expected = {"Drama": 4178, "Comedy": 3882, "Action": 2066, "Romance": 1857, "Sci-Fi": 1002, "Reality-TV": 2}
    assert counts[list(expected)].to_dict() == expected
    assert counts.index[0] == "Drama" and len(counts) == 24


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real posters are not there")
def test_real_posters_of_paper_1():
    paper = {"min_year": 1997, "max_year": 2017, "genres": ("Horror", "Romance", "Action", "Documentary")}
    table = load_movie_table(REAL_DATA / "MovieGenre.csv", posters_dir=REAL_DATA / "posters", min_genres=2, **paper)
    assert len(table) == 3488


def test_scores_may_have_a_decimal_comma(tmp_path):
    rows = "imdbId;Title;IMDB Score;Genre\n1;A (2001);7,5;Drama\n2;B (2001);8.25;Drama\n3;C (2001);1,2,3;Drama\n"
    (tmp_path / "MovieGenre.csv").write_text(rows)
    table = load_movie_table(tmp_path / "MovieGenre.csv", posters_dir=None)
    assert table["score"].tolist()[:2] == [7.5, 8.25] and table["score"].isna().tolist() == [False, False, True]
    assert table.attrs["report"].count("score is not a number") == 1
