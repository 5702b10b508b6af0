"""Movie metadata in the layouts of our data folders, Kaggle and MovieScope."""

import pathlib
import pickle
import time

import numpy as np
import pytest

from poster_cnn.movies.metadata import METADATA_COLUMNS, load_movie_metadata
from poster_cnn.movies.moviescope import MOVIESCOPE_GENRES, read_features, read_moviescope

HEADER = (
    "imdbId,movie_title,title_year,director_name,actor_1_name,actor_2_name,actor_3_name,language,country,"
    "content_rating,plot_keywords,genres,plot_summary"
)
KAGGLE = "director_name,actor_2_name,genres,actor_1_name,movie_title,actor_3_name,movie_imdb_link,language,"
KAGGLE += "content_rating,title_year"
REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def row(imdb_id="1", title="Alien", year="1979.0", director="Ridley Scott", genres="Horror|Sci-Fi", plot="In space."):
    return f"{imdb_id},{title},{year},{director},Ann,Bob,Cid,English,USA,R,alien|ship,{genres},{plot}"


def load(tmp_path, *rows, header=HEADER, encoding="utf-8", **options):
    """Return the metadata in these rows, and its report."""
    path = tmp_path / "movie_metadata.csv"
    path.write_bytes("\n".join([header, *rows]).encode(encoding))
    metadata = load_movie_metadata(path, **options)
    return metadata, metadata.attrs["report"]


def test_reads_a_clean_table(tmp_path):
    metadata, report = load(tmp_path, row(), row("2", '"Me, You"', "", genres="sci-fi| Film-noir", plot='"One, two."'))
    assert metadata.columns.tolist() == ["imdb_id", "title", "year", *METADATA_COLUMNS, "genres", "plot"]
    people = ["Ridley Scott", "Ann", "Bob", "Cid", "English", "R"]
    assert metadata.iloc[0].tolist() == [1, "Alien", 1979, *people, ["Horror", "Sci-Fi"], "In space."]
    assert metadata["genres"][1] == ["Sci-Fi", "Film-Noir"]
    assert (metadata["title"][1], metadata["plot"][1]) == ("Me, You", "One, two.")
    assert metadata["year"].isna().tolist() == [False, True]
    assert (str(metadata["imdb_id"].dtype), str(metadata["year"].dtype)) == ("int64", "Int64")
    assert (report.rows_read, report.rows_kept) == (2, 2)


@pytest.mark.parametrize("missing", ["", "  ", "N/A", "nan"])
def test_missing_values_are_empty_and_counted(tmp_path, missing):
    metadata, report = load(tmp_path, row("1", director=missing, plot=missing), row("2", "None", director="Nan Lee"))
    assert metadata["director_name"].tolist() == ["", "Nan Lee"]
    assert metadata["plot"].tolist() == ["", "In space."]
    assert metadata["title"].tolist() == ["Alien", "None"]
    assert (report.count("no director_name"), report.count("no plot"), report.count("no language")) == (1, 1, 0)


def test_drops_and_reports_invalid_rows(tmp_path):
    rows = [row("x"), row("2"), row("2", "Again"), "3" + "," * 12, "," * 12, row("4") + ",,more", row("tt0005")]
    metadata, report = load(tmp_path, *rows)
    assert metadata["imdb_id"].tolist() == [2, 5]
    assert metadata["title"].tolist() == ["Alien", "Alien"]
    for finding in (
        ("imdbId is not a number", 2, "dropped", ["row 1", "row 5"]),
        ("imdbId seen before", 1, "dropped", ["row 3"]),
        ("nothing but an imdbId", 1, "dropped", ["row 4"]),
        ("too many fields in a row", 1, "set aside", ["row 6"]),
    ):
        assert finding in report.findings
    assert (report.rows_read, report.rows_kept) == (7, 2)


def test_keeps_duplicates_and_numbers_rows_on_request(tmp_path):
    metadata, report = load(tmp_path, row("2"), row("x"), row("2", "Again"), duplicates="keep", row_numbers=True)
    assert metadata["title"].tolist() == ["Alien", "Again"]
    assert metadata["row"].tolist() == [1, 3]
    assert report.count("imdbId seen before") == 1


def test_reads_kaggles_imdb_5000(tmp_path):
    lines = [f"Cameron,Joel,Action|Sci-Fi,CCH,Avatar\xa0,Wes,http://imdb.com/title/tt{i}/?ref_=1,English,PG-13,2009"
             for i in ("0499549", "")]  # fmt: skip
    metadata, report = load(tmp_path, *lines, header=KAGGLE)
    people = ["Cameron", "CCH", "Joel", "Wes", "English", "PG-13"]
    assert metadata.values.tolist() == [[499549, "Avatar", 2009, *people, ["Action", "Sci-Fi"], ""]]
    assert report.count("no column for plot") == report.count("imdbId is not a number") == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["imdbId,language", "1,English"], r"lacks the column\(s\) director_name, actor_1_name.*Received: columns="),
        ([KAGGLE.replace("movie_imdb_link", "link_"), "a"], r"lacks the column\(s\) imdbId\."),
        ([HEADER + ",language", row()], "two columns for language"),
        ([HEADER], "movie metadata has a header but no rows"),
        ([""], "lacks the column"),
        ([HEADER, row("x")], r"No movie is left(.*\n)*imdbId is not a number +1  dropped \(row 1\)"),
        ([HEADER, row("1", '"Alien'), row("2"), row("3")], "Data row 1 .*never closed"),
    ],
)
def test_rejects_unreadable_metadata(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, *lines[1:], header=lines[0])


def test_rejects_a_missing_file_and_an_unknown_option(tmp_path):
    with pytest.raises(FileNotFoundError, match="No movie metadata found.*nowhere.csv"):
        load_movie_metadata(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match="Received: duplicates='first'"):
        load(tmp_path, row(), duplicates="first")


# --- MovieScope ---


class Python2Pickler(pickle._Pickler):
    """Pickle str as byte strings, as Python 2 does."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, content):
        content = content.encode() if isinstance(content, str) else content
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)

    dispatch[str] = dispatch[bytes] = save_bytes


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        Python2Pickler(file, protocol=2).dump(content)


def entry(movie_id, *genres, plot="A plot."):
    digits = "".join(str(int(name in genres)) for name in MOVIESCOPE_GENRES)
    return {"movie_id": movie_id, "plot": plot, "newGenreLabels": digits}


@pytest.fixture
def moviescope(tmp_path):
    """Write a folder in MovieScope's layout: six movies, one repeated, one in no part."""
    genres = ["Horror|Sci-Fi", "Drama", "Western", "Comedy", "Drama|War", "Drama"]
    lines = [f"Dee,Bob,{names},Ann,Movie {i}\xa0,Cid,http://x/title/tt000{i % 5 + 1}/?r,English,R,2001"
             for i, names in enumerate(genres)]  # fmt: skip
    (tmp_path / "movie_metadata.csv").write_text("\n".join([KAGGLE, *lines]) + "\n", encoding="utf-8")
    dump(tmp_path / "trailers/raw_data_train.p", [entry(0, "Horror", "Sci-Fi", plot="L\u2019été"), entry(1, "Comedy")])
    dump(tmp_path / "trailers/raw_data_val.p", [entry(np.int64(3), "Comedy", plot=""), entry(9, "Drama")])
    dump(tmp_path / "trailers/raw_data_test.p", [entry(4, "Drama"), entry(5, "Drama"), entry(1, "Drama")])
    dump(tmp_path / "200F_VGG16/3.p", np.arange(12, dtype="float32").reshape(1, 3, 4))
    (tmp_path / "poster_images/MatchedPosters").mkdir(parents=True)
    (tmp_path / "poster_images/MatchedPosters/4.jpg").write_bytes(b"jpeg")
    return tmp_path


def test_reads_moviescope_with_its_split(moviescope):
    movies = read_moviescope(moviescope)
    report = movies.attrs["report"]
    assert movies["movie_id"].tolist() == [0, 1, 3, 4]
    assert movies["imdb_id"].tolist() == [1, 2, 4, 5]
    assert movies["part"].tolist() == ["train", "train", "validation", "test"]
    assert movies["genres"].tolist() == [["Horror", "Sci-Fi"], ["Comedy"], ["Comedy"], ["Drama"]]
    assert movies["plot"].tolist() == ["L\u2019été", "A plot.", "", "A plot."]
    assert movies["director_name"].tolist() == ["Dee"] * 4
    assert [pathlib.Path(path).name for path in movies["poster_path"]] == ["", "", "", "4.jpg"]
    assert [pathlib.Path(path).name for path in movies["trailer_path"]] == ["", "", "3.p", ""]
    for what, count, done, examples in (
        ("movie_id in two split files", 1, "dropped", ["movie_id 1"]),
        ("in a split file, without a row in movie_metadata.csv", 1, "dropped", ["movie_id 9"]),
        ("in no split file", 1, "dropped", ["movie_id 2"]),
        ("labels are not the genres of movie_metadata.csv", 1, "labels taken", ["movie_id 1"]),
        ("imdbId in more than one part", 2, "see the next line", ["movie_id 0", "movie_id 5"]),
        ("imdbId seen before", 1, "dropped", ["movie_id 5"]),
        ("no plot", 1, "kept", ["movie_id 3"]),
        ("no trailer features", 3, "kept", ["movie_id 0", "movie_id 1", "movie_id 4"]),
    ):
        assert (what, count, done, examples) in report.findings
    assert (report.rows_read, report.rows_kept) == (6, 4)
    assert read_moviescope(moviescope, duplicates="keep")["movie_id"].tolist() == [0, 1, 3, 4, 5]


def test_reads_moviescope_features(moviescope):
    features = read_features(moviescope / "200F_VGG16/3.p")
    assert features.dtype == "float32" and features.tolist() == np.arange(12).reshape(3, 4).tolist()
    with open(moviescope / "new.p", "wb") as file:
        pickle.dump(np.ones((1, 4)), file, protocol=5)
    assert read_features(moviescope / "new.p").shape == (4,)


class Dangerous:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("content", [Dangerous(), [{"movie_id": Dangerous()}]], ids=["itself", "inside"])
def test_never_runs_code_in_pickles(moviescope, capsys, content):
    with open(moviescope / "trailers/raw_data_val.p", "wb") as file:
        pickle.dump(content, file)
    with pytest.raises(ValueError, match="would run .*print.*raw_data_val.p"):
        read_moviescope(moviescope)
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"movie_id": 1, "plot": "A"}], "list of dicts with movie_id, plot, newGenreLabels"),
        ([entry(1) | {"newGenreLabels": "101"}], "13 zeros and ones expected"),
        ({"movie_id": 1}, "Expected a list of dicts"),
    ],
    ids=["no labels", "three labels", "a dict"],
)
def test_rejects_split_files_with_other_content(moviescope, content, message):
    dump(moviescope / "trailers/raw_data_train.p", content)
    with pytest.raises(ValueError, match=message):
        read_moviescope(moviescope)


def test_rejects_missing_repeated_and_broken_moviescope_files(moviescope):
    (moviescope / "200F_VGG16/3.p").write_bytes(b"\x80\x02cut off")
    with pytest.raises(ValueError, match="Not a pickle of plain numbers"):
        read_features(moviescope / "200F_VGG16/3.p")
    dump(moviescope / "copy/raw_data_test.p", [])
    with pytest.raises(ValueError, match="raw_data_test.p must be there once. Received: .*, "):
        read_moviescope(moviescope)
    (moviescope / "trailers/raw_data_train.p").unlink()
    with pytest.raises(FileNotFoundError, match="No raw_data_train.p found"):
        read_moviescope(moviescope)


# --- the real table ---


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real posters are not there")
def test_real_metadata_has_the_counts_of_its_readme():
    started = time.perf_counter()
    metadata = load_movie_metadata(REAL_DATA / "movie_metadata.csv")
    assert time.perf_counter() - started < 5  # 0.1 on an idle machine
    report = metadata.attrs["report"]
    assert (report.rows_read, report.rows_kept, (metadata["plot"] != "").sum()) == (3010, 3010, 2837)
    counts = {column: report.count(f"no {column}") for column in METADATA_COLUMNS}
    assert list(counts.values()) == [4, 1, 2, 3, 2, 48]
    assert metadata["year"].isna().sum() == 4
    assert metadata["genres"].map(lambda names: "Drama" in names).sum() == 1475
