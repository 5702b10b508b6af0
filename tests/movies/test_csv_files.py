"""Movie tables as CSV in the forms that databases and spreadsheets export."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from poster_cnn.movies.metadata import load_movie_metadata
from poster_cnn.movies.table import load_movie_table

TEXT = "imdbId,Title,Year,IMDB Score,Genre\ntt0000001,Amélie – ’,2001,8.3,Comedy|Romance\n2,Alien,1979,,Horror\n"
METADATA = "imdbId,movie_title,director_name,actor_1_name,actor_2_name,actor_3_name,language,content_rating,genres,plot"


def load(tmp_path, content, name="MovieGenre.csv", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = load_movie_table(path, **options)
    return table, table.attrs["report"]


def zipped(names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),  # Excel's "Unicode text"
        TEXT.encode("utf-32"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r").encode(),
        f"sep=;\n{TEXT.replace(',', ';')}".encode("utf-8-sig"),
        gzip.compress(TEXT.encode()),
        bz2.compress(TEXT.encode()),
        lzma.compress(TEXT.encode("utf-16")),
        zipped(["MovieGenre.csv"]),
        TEXT.replace("\n2", "\n\ufeff2").encode("utf-8-sig"),  # two files joined
    ],
    ids="utf-16 le be be-mark excel utf-32 cp1252 cr sep gz bz2 xz zip joined".split(),
)
def test_reads_encodings_and_archives(tmp_path, content):
    table, report = load(tmp_path, content)
    assert table["title"].tolist() == ["Amélie – ’", "Alien"]
    assert table[["imdb_id", "year"]].values.tolist() == [[1, 2001], [2, 1979]]
    assert table["genres"].tolist() == [["Comedy", "Romance"], ["Horror"]]
    assert report.rows_kept == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(["xl/a.xml", "[Content_Types].xml"]), "spreadsheets must be saved as CSV.*Received: .*MovieGenre.csv"),
        (zipped(["a.csv", "b.csv"]), "a zip archive must hold one file, and it holds .*'a.csv', 'b.csv'"),
        (gzip.compress(TEXT.encode())[:-9], "plain or compressed: .*end-of-stream"),
        (b"\xff\xd8\xff\xe0 a JPEG", "it is a picture, and the folder of pictures is needed"),
    ],
    ids=["spreadsheet", "two files", "cut short", "picture"],
)
def test_rejects_other_archives_and_pictures(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, content)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("IMDB_ID, TITLE ,year,GENRES", "tt0000001,Alien,1979.0,Horror"),
        ("Imdb Id,Movie Title,Release Date,Genre", "1.0,Alien,1979-05-25,Horror"),
        ("Const,Title,IMDb Rating,Year,Genres,Release Date", "tt1,Alien,8.5,1979,Horror,1980-01-02"),
        ("tconst\tprimaryTitle\toriginalTitle\tstartYear\tgenres", 'tt0000001\tAlien\t"Alien\t1979\tHorror'),
        ("movie_title,title_year,genres,movie_imdb_link", "Alien,1979,Horror,http://www.imdb.com/title/tt0000001/?r=1"),
    ],
    ids=["case", "spaces", "IMDb list", "IMDb", "IMDB 5000"],
)
def test_reads_columns_of_published_tables(tmp_path, header, row):
    table, report = load(tmp_path, f"{header}\n{row}\n")
    assert table[["imdb_id", "title", "year"]].values.tolist() == [[1, "Alien", 1979]]
    assert table["genres"].tolist() == [["Horror"]]
    assert report.count("another column for year") == ("Const" in header)
    assert report.count("quotes without meaning") == ("tconst" in header)


@pytest.mark.parametrize("missing", ["", "N/A", r"\N", "NULL", "None", "<NA>", "-", "?", "unknown", "#N/A", "[]"])
def test_missing_values_are_no_genres_years_or_scores(tmp_path, missing):
    row = f"3,{missing if missing != 'unknown' else ''},{missing},{missing},{missing}\n4,A,1990,5,Drama|{missing}\n"
    table, report = load(tmp_path, TEXT + row, missing_genre="keep")
    assert table["genres"].tolist()[2:] == [[], ["Drama"]]
    assert table["year"].isna().tolist() == [False, False, True, False]
    assert report.count("year is not understood") == report.count("score is not a number") == 0
    assert report.count("no title") == (missing != "None")


def test_counts_years_that_are_not_understood(tmp_path):
    table, report = load(tmp_path, TEXT + "3,A,soon,,Drama\n4,A,95,,Drama\n5,A,3001,,Drama\n")
    assert ("year is not understood", 2, "year ignored", ["row 3", "row 4"]) in report.findings
    assert ("impossible year", 1, "year ignored", ["row 5"]) in report.findings
    assert len(load(tmp_path, TEXT, min_year=1980)[0]) == 1


# --- quotes ---

PLOTS = [
    "Two sisters.\n1944, Trieste, winter: they meet again.",
    'One "quoted"\n\n2,3,4,5,6,7,8,9,10,11\nend',
    "tt0000007, said the detective,\nand 12,13 too",
    "\n1,A,B,C,D,E,F,G,winter,cold",
    "x" * 200_000,
]


@pytest.mark.parametrize("plot", PLOTS, ids=["year", "numbers", "id", "as many fields", "long"])
def test_reads_valid_line_breaks(tmp_path, plot):
    path = tmp_path / "movie_metadata.csv"
    quoted = plot.replace('"', '""')
    people = "A,B,C,D,English,R,Drama"
    path.write_text(f'{METADATA}\n1,Alien,{people},"{quoted}"\n2,"A\nB",{people},short\n', newline="")
    metadata = load_movie_metadata(path)
    assert metadata["plot"].tolist() == [plot.strip(), "short"]
    assert metadata["title"].tolist() == ["Alien", "A\nB"]


@pytest.mark.parametrize(
    "rows",
    [
        '2,"Alien,1979,8.5,Horror\n3,A,1990,5,Drama\n',  # up to the end
        '2,"Alien,1979,8.5,Horror\n3,A,1990,5,Drama\n4,"B, C",1990,5,Drama\n',  # up to the next quote
        '2,"Alien,1979,8.5,Horror\n3,"A, B",1990,5,Drama\n',
        '2,"Alien,1979,8.5,Horror\n3,A,1990,5,Drama\n4,B",1990,5,Drama\n',  # valid, but with a row inside
        '2,Alien,1979,8.5,"Horror\n',
    ],
)
def test_rejects_quotes_that_swallow_rows(tmp_path, rows):
    with pytest.raises(ValueError, match="Data row 3 .*opens a quote that is never closed"):
        load(tmp_path, TEXT + rows)
