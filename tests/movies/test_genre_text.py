"""Cells with several genres, one row per genre, genres as text in a table, and spellings of genres that users give."""

import numpy as np
import pandas as pd
import pytest

from poster_cnn.movies.genre_text import canonical_genres, parse_genres
from poster_cnn.movies.genres import encode_genres, explode_genres, genre_cooccurrence, genre_counts, merge_genres
from poster_cnn.movies.metadata import METADATA_COLUMNS, load_movie_metadata
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.config import TrainingConfig

OTHER_NOTATION = "genres separated by other signs than |"
LOOKS_LIKE_SEVERAL = "rare genre that looks like several"
IN_SEVERAL_ROWS = "one movie in several rows"


def load(tmp_path, *cells, **options):
    """Return the table of movies with these cells of genres, and its report; a cell may be `(imdb_id, text)`."""
    cells = [cell if isinstance(cell, tuple) else (number, cell) for number, cell in enumerate(cells, start=1)]
    frame = pd.DataFrame(cells, columns=["imdbId", "Genre"]).assign(Title="Movie (1999)")
    frame.to_csv(tmp_path / "table.csv", index=False)
    table = load_movie_table(tmp_path / "table.csv", **options)
    return table, table.attrs["report"]


def examples(report, problem):
    return next((shown for name, _, _, shown in report.findings if name == problem), [])


# --- one cell, several genres ---


@pytest.mark.parametrize(
    "cell",
    [
        "Drama, Sci-Fi",
        "Drama,Sci-Fi,",
        "drama ; Science Fiction",
        "Drama/Sci-Fi",
        "Drama & Sci-Fi",
        "Drama &amp; Sci-Fi",
        "Drama and Science Fiction",
        "Drama + SciFi",
        "Drama - Sci-Fi",
        "Drama Sci-Fi",
        "DramaSci-Fi",
        "Drama\nSci-Fi",
        "Drama\tSci-Fi",
        "Drama\u00a0\u00b7\u00a0Sci\u2011Fi",
        "Drama\uff0cSci-Fi\u200b",
        "<b>Drama</b><br>Sci-Fi",
        "['Drama', 'Sci-Fi']",
        '["Drama", "Sci-Fi"]',
        '"[""Drama"", ""Sci-Fi""]"',
        "['Drama'\n 'Sci-Fi']",
        "array(['Drama', 'Sci-Fi'], dtype=object)",
        "[np.str_('Drama'), np.str_('Sci-Fi')]",
        "('Drama', 'Sci-Fi')",
        "{'Drama', 'Sci-Fi'}",
        '{Drama,"Sci-Fi"}',
        "['Drama', None, 'Sci-Fi', nan]",
        "\u201cDrama\u201d, \u201cSci-Fi\u201d",
        "[{'id': 18, 'name': 'Drama'}, {'id': 878, 'name': 'Science Fiction'}]",
        '[{"id": 18, "name": "Drama"}, {"id": 878, "name": "Science Fiction"}]',
        '{"/m/07s9rl0": "Drama", "/m/06n90": "Science Fiction"}',
        '{"genres": [{"genre": {"text": "Drama"}}, {"genre": {"text": "Sci-Fi"}}]}',
        '{"Drama": 1, "Comedy": 0, "Sci-Fi": 1}',
        "[{'id': 18, 'name': 'Drama', 'parent': null}, {'id': 878, 'name': 'Sci-Fi', 'parent': null}]",
        "[{id=18, name=Drama}, {id=878, name=Science Fiction}]",
        "[b'Drama', b'Sci-Fi']",
        "Drama, N/A, Sci-Fi, Drama",
    ],
)
def test_splits_what_exporters_write(tmp_path, cell):
    table, report = load(tmp_path, cell, "Drama|Sci-Fi")
    assert table["genres"].tolist() == [["Drama", "Sci-Fi"]] * 2
    assert (OTHER_NOTATION, 1, "read as usual", ["row 1"]) in report.findings


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Sci-Fi", ["Sci-Fi"]),
        ("film - noir, Talk Show", ["Film-Noir", "Talk-Show"]),
        ("Science Fiction & Fantasy", ["Sci-Fi", "Fantasy"]),
        ("Music/Musical", ["Music", "Musical"]),
        ("Film|Noir|Drama", ["Film", "Noir", "Drama"]),
        ("Animation|Children's|Comedy", ["Animation", "Children's", "Comedy"]),
        ("Drama, Telenovela", ["Drama", "Telenovela"]),
        ("['Telenovela', \"Children's\"]", ["Telenovela", "Children's"]),
        ("{'Telenovela', 'Anime', 'Kino'}", ["Anime", "Kino", "Telenovela"]),  # sets have no order
        ("(Telenovela, Kino)", ["Telenovela", "Kino"]),
        ("War & Politics", ["War & Politics"]),
        ("Rock and Roll", ["Rock and Roll"]),
        ("Blood, Sweat and Tears", ["Blood, Sweat and Tears"]),
        ("[]", []),
        ("['']", []),
        ("[None]", []),
        ("array([], dtype=object)", []),
    ],
)
def test_splits_only_what_are_genres(cell, expected):
    assert parse_genres(cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "[{'id': 28, 'nam",
        "['Drama', 'Com",
        "[28, 12]",
        "7.5",
        "https://x/1.jpg",
        "{'Drama': 0.8}",
        'Drama, "Com',
        "x" * 61,
    ],
)
def test_rejects_a_cell_that_cannot_be_understood(tmp_path, cell):
    with pytest.raises(ValueError, match=r"Genres must be written as .* Received: 1 cell.*row 2: ") as error:
        load(tmp_path, "Drama", cell)
    assert repr(cell[:80]) in str(error.value)


def test_names_rare_genres_that_look_like_several(tmp_path):
    cells = ["Drama", "War & Politics", "Drama, mostly", "Telenovela", "['Kino']", "Blood, Sweat", *["Art & Craft"] * 3]
    table, report = load(tmp_path, *cells)
    expected = ["row 2: 'War & Politics'", "row 3: 'mostly'", "row 6: 'Blood, Sweat'"]
    assert examples(report, LOOKS_LIKE_SEVERAL) == expected
    assert table["genres"].tolist()[-1] == ["Art & Craft"]


def test_genres_of_other_fields_are_split_when_frequent(tmp_path):
    table, report = load(tmp_path, "剧情 / 喜剧", "喜剧", "爱情,剧情,喜剧", "剧情", "喜剧 & 剧情")
    assert table["genres"].tolist() == [
        ["剧情", "喜剧"],
        ["喜剧"],
        ["爱情", "剧情", "喜剧"],
        ["剧情"],
        ["喜剧", "剧情"],
    ]
    assert report.count(OTHER_NOTATION) == 3


def test_a_frequent_name_with_a_slash_is_one_genre(tmp_path):
    table, report = load(tmp_path, *["Rock/Pop|Drama"] * 2, *["Rock/Pop"] * 2, "['A/V', 'Drama']")
    assert table["genres"].tolist() == [["Rock/Pop", "Drama"]] * 2 + [["Rock/Pop"]] * 2 + [["A/V", "Drama"]]
    table, _ = load(tmp_path, *["Rock/Pop"] * 3, "Rock")
    assert table["genres"].tolist() == [["Rock", "Pop"]] * 3 + [["Rock"]]


# --- one row per genre ---


def test_merges_the_rows_of_a_movie(tmp_path):
    cells = [(1, "Action"), (2, "Drama"), (1, "Comedy"), (2, "Drama"), (1, "Sci-Fi|Action")]
    table, report = load(tmp_path, *cells, genres=["comedy"], min_genres=3)
    assert table[["imdb_id", "genres"]].values.tolist() == [[1, ["Action", "Comedy", "Sci-Fi"]]]
    table, report = load(tmp_path, *cells)
    assert table["genres"].tolist() == [["Action", "Comedy", "Sci-Fi"], ["Drama"]]
    assert (IN_SEVERAL_ROWS, 2, "genres merged", ["row 3", "row 5"]) in report.findings
    assert ("imdbId seen before", 1, "dropped", ["row 4"]) in report.findings
    table, report = load(tmp_path, *cells, duplicates="keep")
    assert table["genres"].map(len).tolist() == [1, 1, 1, 1, 2] and not report.count(IN_SEVERAL_ROWS)


def test_merges_the_rows_of_metadata(tmp_path):
    frame = pd.DataFrame({"imdbId": [1, 1, 2], "genres": ["Action", "Comedy", "Drama, War"]})
    frame.assign(**dict.fromkeys(METADATA_COLUMNS, "x")).to_csv(tmp_path / "metadata.csv", index=False)
    metadata = load_movie_metadata(tmp_path / "metadata.csv")
    assert metadata["genres"].tolist() == [["Action", "Comedy"], ["Drama", "War"]]
    assert metadata.attrs["report"].count(IN_SEVERAL_ROWS) == metadata.attrs["report"].count(OTHER_NOTATION) == 1


# --- genres of a table that are no lists ---

LISTS = [["Music", "Drama"], ["Musical"], ["Sci-Fi"], []]
NAMES = ["Music", "Musical", "Drama", "Sci-Fi"]


@pytest.mark.parametrize(
    "convert",
    [
        str,
        "|".join,
        ", ".join,
        tuple,
        set,
        np.array,
        lambda names: "|".join(names) or None,
        lambda names: names or np.nan,
    ],
    ids=["to_csv", "pipes", "commas", "tuples", "sets", "arrays", "None", "NaN"],
)
def test_genres_that_are_no_lists(convert):
    expected = pd.DataFrame({"imdb_id": range(4), "genres": LISTS})
    table = expected.assign(genres=pd.Series([convert(names) for names in LISTS], dtype=object))
    assert encode_genres(table, NAMES).tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert genre_counts(table).equals(genre_counts(expected))
    assert genre_cooccurrence(table).equals(genre_cooccurrence(expected))
    assert explode_genres(table, NAMES)["genres"].tolist() == explode_genres(expected, NAMES)["genres"].tolist()
    assert merge_genres(table, {"Other": ["Musical"]})["genres"].map(sorted).tolist()[1] == ["Other"]


def test_a_table_written_by_to_csv_is_read_back(tmp_path):
    table, _ = load(tmp_path, "Musical|Sci-Fi", "Music", "Telenovela|Children's")
    table.to_csv(tmp_path / "own.csv")
    assert load_movie_table(tmp_path / "own.csv")["genres"].tolist() == table["genres"].tolist()
    assert encode_genres(pd.read_csv(tmp_path / "own.csv"), ["Music"]).tolist() == [[0], [1], [0]]


@pytest.mark.parametrize("value", ["['Drama', 'Com", 5, [1], {"Drama": 0.5}])
def test_rejects_genres_that_are_neither_lists_nor_text(value):
    with pytest.raises(ValueError, match="enres.* (must be|are) .*Received: "):
        encode_genres(pd.DataFrame({"genres": [["Drama"], value]}), ["Drama"])


# --- spellings that users give ---

SPELLINGS = ["horror", "HORROR ", "Horror"], ["sci-fi", "SciFi", "science fiction"], ["telenovela", "Telenovela"]


@pytest.mark.parametrize("names", [*zip(*SPELLINGS, strict=False), ("HORROR ", "SciFi", "TELENOVELA")])
def test_genres_are_accepted_in_any_spelling(tmp_path, names):
    table, _ = load(tmp_path, "Horror", "Sci-Fi", "Telenovela", "Drama", genres=[*names, "HORROR"])
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert encode_genres(table, names).tolist() == expected
    assert explode_genres(table, names)["genres"].tolist() == [["Horror"], ["Sci-Fi"], ["Telenovela"]]
    assert merge_genres(table, {"Other": names[:2]})["genres"].tolist() == [["Other"], ["Other"], ["Telenovela"]]


def test_configs_store_the_usual_spelling():
    config = TrainingConfig(
        ["horror", "science fiction", "Telenovela", "SciFi & co"], genre_groups={"SciFi & co": ["war"]}
    )
    assert config.class_names == ("Horror", "Sci-Fi", "Telenovela", "SciFi & co")
    assert config.genre_groups == {"SciFi & co": ("War",)}
    with pytest.raises(ValueError, match="`class_names` must be at least 2 different genres"):
        TrainingConfig(["horror", "Horror"])
    with pytest.raises(ValueError, match="`class_names` must be a list of different genres"):
        encode_genres(pd.DataFrame({"genres": LISTS}), ["music", "Music"])


@pytest.mark.parametrize("genres", ["Horror", 5, [None]])
def test_rejects_genres_that_are_no_names(tmp_path, genres):
    with pytest.raises(ValueError, match="`genres` must be .*Received: genres="):
        load(tmp_path, "Horror", genres=genres)


def test_names_the_argument_with_a_misspelled_genre(tmp_path):
    with pytest.raises(ValueError, match="`genres` must be some of: Drama, Horror. Received unknown .*: Horor"):
        load(tmp_path, "Horror", "Drama", genres=["Horor"])


def test_canonical_genres_keep_their_order():
    assert canonical_genres(["war", "N/A", "Action", "WAR", ""]) == ["War", "Action"]
