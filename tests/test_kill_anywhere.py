"""Work that is killed anywhere, runs out of disk or is not alone, and ends as if nothing had happened."""

import errno
import functools
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

if sys.platform == "win32":
    pytest.skip("needs SIGKILL and fork", allow_module_level=True)

SOAK = pathlib.Path(__file__).parents[1] / "experiments" / "soak"
sys.path.insert(0, str(SOAK))

import dying  # noqa: E402
import kill_anywhere  # noqa: E402
import pieces  # noqa: E402

RUN = "out/run/"
run, start = (functools.partial(function, eager=True) for function in (dying.run, dying.start))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return pieces.make_data(tmp_path_factory.mktemp("soak") / "data", trailers=False)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, data):
    """Return a function that runs a piece of work, and returns its folder and its file events."""
    done = {}

    def of(piece):
        if piece not in done:
            root = pieces.prepare(tmp_path_factory.mktemp("soak") / piece)
            status, events = run(piece, root, data)
            assert status == 0, (root / "output.log").read_text()
            done[piece] = root, events
        return done[piece]

    return of


@pytest.mark.parametrize(
    ("piece", "points"),
    [
        (
            "train",
            [
                ("rename cache/posters/{data}/manifest.csv", True),
                (f"rename {RUN}history.csv", True),
                (f"rename {RUN}checkpoint.weights.h5", True),
                (f"rename {RUN}model.keras", True),
                (f"rename {RUN}metrics.json", False),
                (f"remove {RUN}checkpoint.weights.h5", False),
            ],
        ),
        ("train_from_disk", [(f"rename {RUN}history.csv", False)]),
        ("posters", [("rename out/drawn", False), ("rename cache/manifest.csv", True)]),
    ],
)
def test_resumes_after_a_kill_at_any_write(piece, points, uninterrupted, data, tmp_path):
    whole, events = uninterrupted(piece)
    folder = next((event.split("/")[2] for event in events if event.startswith("rename cache/posters/")), "")
    points = [(name.format(data=folder), torn) for name, torn in points]
    assert {name for name, _ in points} <= set(events)
    root = pieces.prepare(tmp_path / "work")
    for name, torn in points:
        status, _ = run(piece, root, data, kill_at=(name, 0, torn))
        assert status == -9, f"not killed at {name}: {(root / 'output.log').read_text()}"
    assert pieces.differences(whole, root)  # otherwise the kills came too late
    assert run(piece, root, data)[0] == 0
    assert pieces.differences(whole, root) == []


def test_resumes_after_kills_at_random_times(uninterrupted, data, tmp_path):
    whole, _ = uninterrupted("train")
    for seconds in (3, 1, 0.3, 0.1):
        root = tmp_path / f"{seconds} seconds"
        killed = kill_anywhere.play_round("train", root, data, [], seconds, random.SystemRandom(), eager=True)
        assert pieces.differences(whole, root) == []
        if killed:  # otherwise both kills came after the end
            break
    assert set(killed) == {"random time"}


def test_reports_a_file_that_cannot_grow_and_resumes(uninterrupted, data, tmp_path):
    whole, _ = uninterrupted("train")
    root = pieces.prepare(tmp_path / "work")
    largest = (whole / RUN / "model.keras").stat().st_size - 1  # too small for it and for checkpoints
    assert run("train", root, data, largest_file=largest)[0] == 1
    last = (root / "output.log").read_text().splitlines()[-1]
    assert last.startswith(f"OSError: [Errno {errno.EFBIG}] No room to write {root / RUN}/")
    assert "make room, then start again" in last
    assert not list((root / RUN).glob(".*.tmp.*"))
    assert run("train", root, data)[0] == 0
    assert pieces.differences(whole, root) == []


def test_second_process_in_a_run_folder_is_rejected(uninterrupted, data, tmp_path):
    whole, _ = uninterrupted("train")
    root = pieces.prepare(tmp_path / "work")
    first = start("train", root, data)
    while not (root / RUN / "history.csv").exists():
        assert first.is_alive()
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)  # after its first epoch, until the other process has ended
    try:
        assert run("train", root, data)[0] == 1
        assert not (root / RUN / "metrics.json").exists()
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.join()
    assert first.exitcode == 0
    assert f"Another process is working in {root / 'out' / 'run'}" in (root / "output.log").read_text()
    assert pieces.differences(whole, root) == []


MOUNTED = """
import pathlib, subprocess, sys
import tensorflow as tf
from poster_cnn.cli import main

tf.config.run_functions_eagerly(True)

root, data = map(pathlib.Path, sys.argv[1:])
def run(options, out="run"):
    subprocess.run(["mount", "-o", f"remount,{options}", root], check=True)
    arguments = ["train", "--data", data, "--out", root / out, "--genres", "Action,Comedy", "--image-size", "24x24"]
    print("status", main([str(argument) for argument in (*arguments, "--model", "two_conv_cnn", "--epochs", "2")]))
run("size=300k")  # room for the first small files only
run("size=100m")
run("ro")
run("ro", out="other")
"""


def test_full_or_read_only_disk_is_an_error_and_loses_nothing(data, tmp_path):
    # The file system is mounted in a name space of its own.
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode
    ):
        pytest.skip("no right to mount a file system")
    command = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$0" -c "$3" "$1" "$2"'
    result = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, sys.executable, disk, data, MOUNTED], capture_output=True, text=True
    )
    statuses = [line for line in result.stdout.splitlines() if line.startswith("status")]
    errors = [line for line in result.stderr.splitlines() if line.startswith("poster-cnn: ")]
    assert statuses == ["status 1", "status 0", "status 1", "status 1"], result.stderr
    assert result.returncode == 0 and "Traceback" not in result.stderr
    full, *read_only = errors
    assert f"No room to write {disk}/run/" in full
    assert len(read_only) == 2 and all("cannot be written (Read-only file system)" in error for error in read_only)
