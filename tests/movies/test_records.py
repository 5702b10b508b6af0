"""Movie records as JSON: lists, lines, one a file, and the text files of Chu & Guo."""

import json

import pandas as pd
import pytest

from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.table import load_movie_table

ALIEN = {"imdbID": "tt0078748", "Title": "Alien", "Year": "1979", "imdbRating": "8.5", "Genre": "Horror, Sci-Fi"}
LOST = {"imdbID": "tt0411008", "Title": "Lost", "Year": "2004\u20132010", "imdbRating": "N/A", "Genre": "N/A"}
KEY = {"imdb_id": "tt0411008", "title": "Lost", "release_date": "2004-09-22", "genres": [{"id": 1, "name": "Drama"}]}
ERROR = {"Response": "False", "Error": "Movie not found!"}
MONGO = """/* 1 */
{
  "_id" : ObjectId("56fb860e71a0651b0c30a492"),
  "Title" : "Alien (not \\"Aliens\\") , }",
  "imdbID" : "tt0078748",
  "Year" : NumberInt(1979), "votes" : NumberLong("5"), "Box_office" : null, "Website" : undefined,
  "Genre" : "Horror, Sci-Fi",
}
{ "imdbID" : "tt0000002", "Title" : "cut off
{ "imdbID" : "tt0411008", "Title" : "Lost", "Genre" : "Drama", "Released" : ISODate("2005-01-02T00:00:00Z") },
"""


def load(path, **options):
    table = load_movie_table(path, missing_genre="keep", **options)
    return table, table.attrs["report"]


@pytest.mark.parametrize(
    "files",
    [
        {"all.json": json.dumps([ALIEN, LOST])},
        {"all.jsonl": f"{json.dumps(ALIEN)}\n{json.dumps(LOST)}\n"},
        {"a.JSON": json.dumps(ALIEN), "b.json": json.dumps(LOST)},
        {"all.json": json.dumps({"tt0078748": ALIEN, "tt0411008": LOST})},
        {"all.json": json.dumps([ALIEN, KEY])},
        {"all.json": pd.DataFrame([ALIEN, LOST]).to_json()},
        {"1979.txt": json.dumps(ALIEN, indent=1), "2004.txt": json.dumps(LOST).encode("utf-16")},
        {"all.json": json.dumps([ALIEN | {"Plot": "A\nB (c), undefined"}, LOST]).replace("\\n", "\n")},
        {"groundtruth/1979.txt": json.dumps(ALIEN), "groundtruth/2004.txt": json.dumps(LOST), "about.json": "{}"},
    ],
    ids=["list", "lines", "one a file", "by id", "other names", "columns", "by year", "line breaks", "in a folder"],
)
def test_reads_records(tmp_path, files):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table, report = load(tmp_path)
    assert table["imdb_id"].tolist() == [78748, 411008]
    assert table["title"].tolist() == ["Alien", "Lost"]
    assert table["year"].tolist() == [1979, 2004]
    assert table["genres"][0] == ["Horror", "Sci-Fi"]
    assert report.count("unreadable JSON") == report.count("genre spelled or spaced differently") == 0
    if len(files) == 1:
        assert load(path)[0].equals(table)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_reads_what_the_mongodb_shell_prints(tmp_path, encoding):
    (tmp_path / "2004.txt").write_bytes(MONGO.encode(encoding))
    table, report = load(tmp_path)
    assert table[["imdb_id", "title", "year", "genres"]].values.tolist() == [
        [78748, 'Alien (not "Aliens") , }', 1979, ["Horror", "Sci-Fi"]],
        [411008, "Lost", 2004, ["Drama"]],  # the year of the file
    ]
    assert report.count("unreadable JSON") == 1 and "2004.txt: Expecting" in str(report)
    assert "row 1 of 2004.txt" in str(report)


def test_counts_movies_that_omdb_did_not_find(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ALIEN, ERROR, 5]))
    table, report = load(tmp_path)
    assert len(table) == report.count("not found by OMDb") == report.count("unreadable JSON") == 1
    assert "a.json: Movie not found!" in str(report)


def test_salvages_the_records_of_a_broken_list(tmp_path):
    text = json.dumps([ALIEN, {"imdbID": "tt3"}, LOST], indent=1).replace('"tt3"', '"tt3')
    (tmp_path / "a.json").write_text(text)
    table, report = load(tmp_path)
    assert table["imdb_id"].tolist() == [78748, 411008]
    assert report.count("unreadable JSON") == 2  # the list and the record in it


# --- data folders ---


@pytest.mark.parametrize(
    ("files", "table", "posters"),
    [
        (["MovieGenre.csv", "posters/1.jpg", "1979.txt"], "MovieGenre.csv", "posters"),
        (["moviegenre.CSV", "Posters/1.jpg"], "moviegenre.CSV", "Posters"),
        (["MovieGenre.csv", "SampleMoviePosters/SampleMoviePosters/1.jpg"], "MovieGenre.csv", "SampleMoviePosters"),
        (["1979.json", "posters/1.jpg"], "", "posters"),
        (["1979.txt", "1979/tt1.jpg", "README.txt"], "", ""),
        (["groundtruth/1979.txt", "Movie_Poster_Dataset/1979/tt1.jpg"], "", "Movie_Poster_Dataset"),
        (["tt0078748.json", "posters/1.jpg"], "", "posters"),
    ],
    ids=["Kaggle", "case", "nested", "OMDb", "Chu & Guo", "archives of Chu & Guo", "one record a file"],
)
def test_finds_tables_and_posters(tmp_path, files, table, posters):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(json.dumps(ALIEN | {"imdbID": "tt1"}))
    folder = find_data_folder(tmp_path)
    assert (folder.csv, folder.posters) == (tmp_path / table, tmp_path / posters)
    if not table:
        movies = load_movie_table(folder.csv, posters_dir=folder.posters)
        assert [movies["imdb_id"].tolist(), movies["poster_path"][0]] == [[1], str(tmp_path / files[1])]


def test_takes_a_table_and_posters_of_any_name(tmp_path):
    (tmp_path / "films.csv").touch()
    (tmp_path / "pictures").mkdir()
    with pytest.raises(FileNotFoundError, match="no movie table. Looked for MovieGenre.csv.*Found: films.csv, pictur"):
        find_data_folder(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="no posters. Looked for the folders posters/.* films.csv is empty, too"
    ):
        find_data_folder(tmp_path / "films.csv")
    with pytest.raises(FileNotFoundError, match="No data folder found. Looked for the folder or file '.*absent.csv'"):
        find_data_folder(tmp_path / "absent.csv")
    folder = find_data_folder(tmp_path / "films.csv", posters_dir=tmp_path / "pictures")
    assert (folder.csv, folder.posters) == (tmp_path / "films.csv", tmp_path / "pictures")
    assert find_data_folder(folder) is folder
