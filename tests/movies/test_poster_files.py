"""Names of poster files: the same rule for tables, verification and downloads."""

import pandas as pd
import pytest
from PIL import Image

from poster_cnn.datasets.download import download
from poster_cnn.datasets.verify import check_posters, verify
from poster_cnn.movies.poster_files import find_posters, imdb_id_of, poster_paths
from poster_cnn.movies.table import TableReport, load_movie_table

NAMES = {
    100: "tt0000100.jpg",
    101: "0000101.jpg",
    102: "102.jpeg",
    103: "103.JPG",
    104: "104.png",
    105: "105.webp",
    106: "TT0000106.Png",
    107: "107.0.jpg",
    12345678: "tt12345678.jpg",
    109: "1995/tt0000109.jpg",
}


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    """Return a folder of posters under all usual names, and some other files."""
    folder = tmp_path_factory.mktemp("data") / "posters"
    (folder / "1995").mkdir(parents=True)
    for number, name in enumerate(NAMES.values()):
        Image.new("RGB", (20, 30), (number * 20, 0, 0)).save(folder / name)
    (folder / "notes.txt").write_text("-")
    (folder / "._100.jpg").write_text("of macOS")
    return folder


@pytest.mark.parametrize("name", ["a1.jpg", "12-3.jpg", "123.txt", "123.json", "123.jpg.part", "123 (1).jpg", ".jpg"])
def test_other_names_are_no_posters(name):
    assert imdb_id_of(name) == ""


def test_one_rule_for_tables_verification_and_downloads(posters):
    manifest = verify(posters, progress=False).dropna(subset="imdb_id")
    assert dict(zip(manifest["imdb_id"], manifest["file"], strict=True)) == NAMES
    table = pd.DataFrame({"imdb_id": list(NAMES), "poster_url": "https://example.org/a.jpg"})
    expected = [str(posters / name) for name in NAMES.values()]
    assert poster_paths(table["imdb_id"], posters) == expected
    report = download(table, posters, progress=False)
    assert set(report["outcome"]) == {"already there"} and report["poster_path"].tolist() == expected
    usable, _ = check_posters(table.assign(poster_path=expected), progress=False)
    assert len(usable) == len(NAMES)


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["tt0000005.jpg", "5.jpeg", "5.jpg", "5.png"], "5.jpg"),
        (["tt0000005.png", "0005.jpg"], "0005.jpg"),
        (["1995/5.jpg", "tt5.webp"], "tt5.webp"),
        (["1996/5.jpg", "1995/5.jpg"], "1995/5.jpg"),
    ],
)
def test_chooses_one_of_several_files(tmp_path, names, first):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("-")
    report = TableReport()
    assert poster_paths([5], tmp_path, report) == [str(tmp_path / first)]
    assert [finding[:3] for finding in report.findings] == [("several poster files for an imdbId", 1, "first one used")]
    (tmp_path / first).write_text("")  # an interrupted download
    assert find_posters(tmp_path)[0][5][0] != first


def test_says_which_names_were_looked_for_and_are_there(tmp_path):
    (tmp_path / "posters").mkdir()
    for name in ("alien.jpg", "2.jpg"):
        (tmp_path / "posters" / name).touch()
    csv = tmp_path / "MovieGenre.csv"
    csv.write_text("imdbId,Title,Genre\n1,A,Drama\n3,B,Drama\n")
    with pytest.raises(ValueError, match="No movie is left") as error:
        load_movie_table(csv, posters_dir=tmp_path / "posters")
    assert "not found (1.jpg or tt0000001.png, 3.jpg or tt0000003.png)" in str(error.value)
    assert "2  not used (2.jpg, alien.jpg)" in str(error.value)
