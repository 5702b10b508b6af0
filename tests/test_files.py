"""Files appear whole or not at all; the cache folder is where the user wants it."""

import hashlib
import pathlib

import pytest

from poster_cnn import files


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    path = tmp_path / "runs" / "a" / "metrics.json"
    with files.write_atomically(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent  # a rename is atomic within one file system only
        assert temporary.suffix == ".json"  # Keras and pandas choose the format by it
    assert path.read_text() == "new"
    assert names_in(path.parent) == ["metrics.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "history.csv"
    path.write_text("old")
    with pytest.raises(error):
        with files.write_atomically(path) as temporary:
            temporary.write_text("half of the n")
            raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["history.csv"]


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_is_written_like_a_file(tmp_path, existing):
    path = tmp_path / "dataset"
    if existing:
        path.mkdir()
        (path / "old.jpg").write_text("old")
    with files.write_atomically(path) as temporary:
        (temporary / "posters").mkdir(parents=True)
    assert names_in(path) == ["posters"]
    assert names_in(tmp_path) == ["dataset"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "old.jpg").write_text("old")
    with pytest.raises(OSError):
        with files.write_atomically(tmp_path / "dataset") as temporary:
            temporary.mkdir()
            (temporary / "new.jpg").write_text("new")
            raise OSError("disk full")
    assert names_in(tmp_path) == ["dataset"]
    assert names_in(tmp_path / "dataset") == ["old.jpg"]


def test_json_comes_back_as_it_was_and_is_readable(tmp_path):
    content = {"title": "Amélie", "rate": 1e-7, "sizes": [107, 73], "leak": None}
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json") == content
    assert "Amélie" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"poster")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"poster").hexdigest()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"POSTER_CNN_CACHE": "/here", "XDG_CACHE_HOME": "/there"}, "/here"),
        ({"POSTER_CNN_CACHE": "", "XDG_CACHE_HOME": "/there"}, "/there/poster_cnn"),
        ({}, "/home/someone/.cache/poster_cnn"),
    ],
)
def test_cache_dir(monkeypatch, variables, expected):
    for name in ("POSTER_CNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/someone"} | variables).items():
        monkeypatch.setenv(name, value)
    assert files.cache_dir() == pathlib.Path(expected)
