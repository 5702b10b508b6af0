"""Atomic writes, locks, messages about full and read-only disks, the cache folder."""

import concurrent.futures
import errno
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

import pandas as pd
import pytest

from poster_cnn import cli, files, reproduce
from poster_cnn.datasets.download import download


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_a_file_when_the_block_ends(tmp_path):
    path = tmp_path / "runs" / "a" / "metrics.json"
    with files.write_atomically(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent  # a rename is atomic within one file system only
        assert temporary.suffix == ".json"  # Keras and pandas choose the format by the suffix
    assert path.read_text() == "new"
    assert names_in(path.parent) == ["metrics.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failed_block_keeps_the_old_file_only(tmp_path, error):
    path = tmp_path / "history.csv"
    path.write_text("old")
    with pytest.raises(error):
        with files.write_atomically(path) as temporary:
            temporary.write_text("half of the n")
            raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["history.csv"]


@pytest.mark.parametrize("existing", [False, True])
def test_writes_a_folder(tmp_path, existing):
    path = tmp_path / "dataset"
    if existing:
        path.mkdir()
        (path / "old.jpg").write_text("old")
    with files.write_atomically(path) as temporary:
        (temporary / "posters").mkdir(parents=True)
    assert names_in(path) == ["posters"]
    assert names_in(tmp_path) == ["dataset"]


def test_failed_block_keeps_the_old_folder(tmp_path):
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
def test_writes_through_a_link(tmp_path, existing, is_folder):
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
def test_remove_leftovers_keeps_targets_of_links(tmp_path):
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
def test_replaced_folder_is_old_or_new_after_a_kill_anywhere(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=True)
    left, kept = [], []
    for folder in sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name)):
        left.append(names_in(folder))
        assert all(names_in(aside) == ["a", "b"] for aside in folder.glob(".*.old.*"))  # never incomplete
        files.remove_leftovers(folder)
        assert names_in(folder) == ["dataset"], left[-1]
        kept.append("".join(names_in(folder / "dataset")))
    assert sorted(set(kept), key=kept.index) == ["ab", "cd"]
    assert sum("dataset" not in names for names in left) == 1  # killed between the two renames
    assert left[-1] == ["dataset"]  # not killed


def test_remove_leftovers_restores_the_latest_version(tmp_path):
    for name in ("01234567", "fedcba98", "89abcdef"):
        (tmp_path / f".{name}.old.dataset" / name).mkdir(parents=True)
        time.sleep(0.02)  # the clocks of disks are coarse
    files.remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["dataset"]
    assert names_in(tmp_path / "dataset") == ["89abcdef"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("folder", "folder cannot be written .Is a directory.. Choose another name, as this is a folder"),
        ("file.txt/scores.csv", "scores.csv cannot be written .*Choose another folder, as .*file.txt is a file"),
    ],
)
def test_says_what_is_in_the_way(tmp_path, path, says):
    (tmp_path / "folder" / "old").mkdir(parents=True)
    (tmp_path / "file.txt").touch()
    with pytest.raises(OSError, match=says):
        files.write_text(tmp_path / path, "text")
    assert names_in(tmp_path) == ["file.txt", "folder"]


def test_failed_rename_keeps_the_old_folder(tmp_path, monkeypatch):
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
def test_syncs_content_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch, names):
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


def test_failed_sync_keeps_the_old_file(tmp_path, monkeypatch):
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
def test_reports_a_full_disk(tmp_path, number):
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
def test_reports_only_files_that_the_block_writes(tmp_path, forbidden, is_of_the_file):
    original = PermissionError(errno.EACCES, "as the system says it", str(tmp_path / forbidden))
    with pytest.raises(PermissionError) as error:
        with files.explained_errors(tmp_path / "runs" / "a" / "scores.csv"):
            raise original
    assert ("scores.csv cannot be written" in str(error.value)) == is_of_the_file
    assert (error.value is original) != is_of_the_file


def test_json_is_readable_and_loads_unchanged(tmp_path):
    content = {"title": "Amélie", "rate": 1e-7, "sizes": [107, 73], "leak": None}
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json") == content
    assert "Amélie" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_sha256_of_bytes(tmp_path):
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


def test_require_room_reports_a_full_disk(tmp_path):
    files.require_room(tmp_path / "small.h5", 1)
    with pytest.raises(OSError, match="No room to write .*large.h5") as error:
        files.require_room(tmp_path / "large.h5", 2**60)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes")
def test_writes_into_a_pipe_and_keeps_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_text)
        with files.write_atomically(tmp_path / "pipe") as pipe:
            pipe.write_text("scores")
        assert read.result(timeout=60) == "scores"
    assert (tmp_path / "pipe").is_fifo() and names_in(tmp_path) == ["pipe"]


def test_reproductions_ensembles_and_downloads_lock_their_folders(ensemble_config, tmp_path):
    from poster_cnn.multimodal.train import train_ensemble

    with files.locked(tmp_path), concurrent.futures.ThreadPoolExecutor(1) as pool:  # a thread may lock a folder twice
        for work in (
            lambda: reproduce.reproduce(preset="results", out=tmp_path, only="09"),
            lambda: train_ensemble(ensemble_config, "no data needed", tmp_path),
            lambda: download(pd.DataFrame({"imdb_id": [1], "poster_url": [""]}), tmp_path),
        ):
            with pytest.raises(BlockingIOError, match="Another process is working in"):
                pool.submit(work).result()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "No room to write .*scores.csv .No space left on device.. Existing files are intact: make room"),
        (
            errno.EROFS,
            "scores.csv cannot be written .Read-only file system.. Choose another folder, or make this one writ",
        ),
        (errno.EACCES, "scores.csv cannot be written .Permission denied.. Choose another folder"),
        (errno.EEXIST, "scores.csv cannot be written .File exists.. Choose another folder"),
    ],
)
def test_terminal_reports_unwritable_files_in_one_line(number, says, tmp_path, monkeypatch, capfd):
    def write(*arguments, **options):
        with files.write_atomically(tmp_path / "scores.csv"):
            raise OSError(number, "as the system says it")

    monkeypatch.setattr("poster_cnn.reproduce.reproduce", write)
    assert cli.main(["reproduce"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert re.search(says, line)
