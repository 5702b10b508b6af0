"""Files appear whole or not at all; the cache folder is where the user wants it."""

import errno
import hashlib
import os
import pathlib
import subprocess
import sys
import time

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


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_link_stays_one_and_its_target_is_written(tmp_path, existing, is_folder):
    link, target = tmp_path / "data", tmp_path / "large disk" / "data"
    target.parent.mkdir()
    if existing:
        target.mkdir() if is_folder else target.write_text("old")
    link.symlink_to(target)
    with files.write_atomically(link) as temporary:
        if is_folder:
            temporary.mkdir()
            (temporary / "dangling").symlink_to(tmp_path / "nowhere")
        else:
            temporary.write_text("new")
    assert link.is_symlink() and names_in(tmp_path) == ["data", "large disk"]
    assert names_in(target.parent) == ["data"]
    assert names_in(target) == ["dangling"] if is_folder else target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_of_leftovers_that_are_links_only_the_links_are_removed(tmp_path):
    (tmp_path / "mine.csv").write_text("precious")
    (tmp_path / "mine").mkdir()
    for number, target in enumerate(["mine.csv", "mine", "nowhere"]):
        (tmp_path / f".0123456{number}.tmp.scores.csv").symlink_to(tmp_path / target)
    files.remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["mine", "mine.csv"]
    assert (tmp_path / "mine.csv").read_text() == "precious"


KILLED = """
import os, pathlib, sys
from poster_cnn import files

root = pathlib.Path(sys.argv[1])
class Kill:
    def __init__(self, at):
        self.left = at
    def __call__(self, event, arguments):
        if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
            self.left -= 1
            if self.left < 0:
                os._exit(9)

def replace(path):
    with files.write_atomically(path) as temporary:
        temporary.mkdir()
        for name in "cd":
            (temporary / name).write_text("new")

at, status = -1, None
while status != 0:
    at += 1
    path = root / str(at) / "dataset"
    path.mkdir(parents=True)
    for name in "ab":
        (path / name).write_text("old")
    if not (child := os.fork()):
        sys.addaudithook(Kill(at))
        replace(path)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_folder_replaced_by_what_is_killed_anywhere_is_the_old_one_or_the_new(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=True)
    left, kept = [], []
    for folder in sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name)):
        left.append(names_in(folder))
        assert all(names_in(aside) == ["a", "b"] for aside in folder.glob(".*.old.*"))  # never half of it
        files.remove_leftovers(folder)
        assert names_in(folder) == ["dataset"], left[-1]
        kept.append("".join(names_in(folder / "dataset")))
    assert sorted(set(kept), key=kept.index) == ["ab", "cd"]
    assert sum("dataset" not in names for names in left) == 1  # killed between the two renames
    assert left[-1] == ["dataset"]  # not killed


def test_of_versions_set_aside_by_several_kills_the_last_is_put_back(tmp_path):
    for name in ("01234567", "fedcba98", "89abcdef"):
        (tmp_path / f".{name}.old.dataset" / name).mkdir(parents=True)
        time.sleep(0.02)  # the clocks of disks are coarse
    files.remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["dataset"]
    assert names_in(tmp_path / "dataset") == ["89abcdef"]


def test_a_folder_that_cannot_come_to_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "old.jpg").write_text("old")
    rename = os.rename

    def forbid(source, target):
        if ".tmp." in str(source):
            raise PermissionError(errno.EACCES, "as the system says it", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", forbid)
    with pytest.raises(OSError, match="dataset cannot be written"):
        with files.write_atomically(tmp_path / "dataset") as temporary:
            temporary.mkdir()
    assert names_in(tmp_path) == ["dataset"]
    assert names_in(tmp_path / "dataset") == ["old.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="syncs no folders")
@pytest.mark.parametrize("names", [[], ["a.jpg", "posters/b.jpg"]], ids=["file", "folder"])
def test_all_content_is_on_the_disk_before_it_has_its_name_and_then_the_name(tmp_path, monkeypatch, names):
    path, events = tmp_path / "dataset", []

    def fsync(descriptor):
        synced = os.fstat(descriptor)
        events.append(next(p for p in (tmp_path, *tmp_path.rglob("*")) if os.path.samestat(p.stat(), synced)))
        assert events[-1] == tmp_path or not path.exists()

    monkeypatch.setattr(os, "fsync", fsync)
    with files.write_atomically(path) as temporary:
        for written in [temporary / name for name in names] or [temporary]:
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text("new")
        expected = {temporary, *temporary.rglob("*")}
    assert set(events[:-1]) == expected and events[-1] == tmp_path and path.exists()


def test_a_disk_that_does_not_take_the_content_is_an_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.EDQUOT, "as the system says it")

    (tmp_path / "scores.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No room to write .*scores.csv"):
        with files.write_atomically(tmp_path / "scores.csv") as temporary:
            temporary.write_text("new")
    assert names_in(tmp_path) == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_said_to_be_that(tmp_path, number):
    with pytest.raises(OSError, match="No room to write .*scores.csv .*make room") as error:
        with files.explained_errors(tmp_path / "scores.csv"):
            raise OSError(number, "as the system says it")
    assert error.value.errno == number


@pytest.mark.parametrize(
    ("forbidden", "is_of_the_file"),
    [
        ("runs/a/scores.csv", True),
        ("runs/a", True),
        ("runs/a/.0badcafe.tmp.scores.csv", True),
        ("posters/7.jpg", False),
        ("runs/a/posters/7.jpg", False),
    ],
)
def test_a_file_is_not_blamed_for_another_that_may_not_be_read(tmp_path, forbidden, is_of_the_file):
    original = PermissionError(errno.EACCES, "as the system says it", str(tmp_path / forbidden))
    with pytest.raises(PermissionError) as error:
        with files.explained_errors(tmp_path / "runs" / "a" / "scores.csv"):
            raise original
    assert ("scores.csv cannot be written" in str(error.value)) == is_of_the_file
    assert (error.value is original) != is_of_the_file


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
