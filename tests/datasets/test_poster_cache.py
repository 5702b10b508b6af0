import errno
import gc
import os
import pathlib
import resource
import signal
import threading
import weakref

import filelock
import numpy as np
import pytest
import tensorflow as tf

from poster_cnn import datasets, files
from poster_cnn.datasets import poster_cache
from poster_cnn.datasets.crops import CROP_COLUMNS
from poster_cnn.datasets.poster_cache import ImageFile, decode_once, memory_budget
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.train import train

NAMES = ("Horror", "Romance", "Action", "Documentary")
SHAPE = (300, 8, 6, 3)  # two chunks
IMAGES = np.random.default_rng(0).integers(0, 256, SHAPE, "uint8")
KEY = "0badcafe"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Path of an empty cache folder, with a memory budget of zero."""
    monkeypatch.setattr(poster_cache, "_in_memory", weakref.WeakValueDictionary())
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POSTER_CNN_MEMORY", "0")
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def table(data_folder):
    return load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")[:12]


def posters():
    return tf.data.Dataset.from_tensor_slices((IMAGES, np.zeros(len(IMAGES), "float32")))


def nothing():
    """Posters that cannot be decoded."""
    return tf.data.Dataset.from_tensors("nowhere.jpg").map(lambda path: (tf.io.read_file(path),))


def whole(images):
    return np.array_equal(images[np.arange(len(IMAGES))], IMAGES)


def resident(kind):
    """Memory of this process in MB."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(kind))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


# --- in memory, or in a file ---


def test_posters_beyond_the_budget_are_read_from_a_file(table, cache, monkeypatch):
    def batches():
        found = datasets.decoded_posters(table, NAMES, image_size=(20, 15))
        return found, list(datasets.epoch_batches(found, len(found), 4, 0, 1).as_numpy_iterator())

    in_file, from_file = batches()
    monkeypatch.delenv("POSTER_CNN_MEMORY")
    in_memory, from_memory = batches()
    assert isinstance(in_file.images, ImageFile) and isinstance(in_memory.images, np.ndarray)
    for ours, theirs in zip(from_file, from_memory, strict=True):
        assert (ours[0] == theirs[0]).all() and (ours[1] == theirs[1]).all()
    assert ours[0].dtype == "float32" and len(from_file) == 3
    first, labels = next(in_file[5:].as_numpy_iterator())
    assert (first == in_memory.images[5]).all() and (labels == in_memory.labels[5]).all()


@pytest.mark.slow
def test_training_from_the_file_is_bit_identical(finished_run, tiny_config, data_folder, tmp_path, cache):
    train(tiny_config, data_folder, tmp_path / "run", progress=False)
    assert files_in(cache) == ["images.npy"]  # for all parts together
    for name in ("history.csv", "predictions.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (finished_run / name).read_bytes()


def test_posters_are_decoded_once(cache, monkeypatch):
    assert whole(decode_once(posters(), SHAPE, KEY)) and whole(decode_once(nothing(), SHAPE, KEY))
    monkeypatch.setenv("POSTER_CNN_MEMORY", "1MB")
    held = decode_once(posters(), SHAPE, "in memory")
    assert decode_once(nothing(), SHAPE, "in memory") is held
    with pytest.raises(tf.errors.NotFoundError):
        decode_once(nothing(), SHAPE, "others")


def test_budget_holds_for_all_posters_in_use(cache, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_MEMORY", f"{1.5 * IMAGES.nbytes:.0f}")
    first = decode_once(posters(), SHAPE, "first")
    batches = iter(datasets.as_batches(poster_cache.DecodedPosters(first, np.arange(300), np.zeros(300)), 8).take(2))
    del first
    gc.collect()
    assert isinstance(decode_once(posters(), SHAPE, "second"), ImageFile)  # the first is still being read
    assert [(images.numpy() == IMAGES[:8]).all() for images, _ in batches] == [True, False]
    del batches
    third = decode_once(posters(), SHAPE, "third")
    assert isinstance(third, np.ndarray)
    circle = [third]
    circle.append(circle)
    del third, circle
    fourth = decode_once(posters(), SHAPE, "fourth")
    assert isinstance(fourth, np.ndarray)  # garbage is not in use


def test_reading_an_epoch_copies_single_batches_only():
    images = np.ones((2000, 100, 100, 3), "uint8")  # 60 MB
    found = poster_cache.DecodedPosters(images, np.arange(2000), np.zeros(2000))
    before = resident("RssAnon")
    for _ in datasets.epoch_batches(found, 2000, 8, 0, 0):
        pass
    assert resident("RssAnon") - before < 40


def test_rows_share_a_poster(table):
    rows = table.iloc[[3, 5, 3, 3]]
    found = datasets.decoded_posters(rows, NAMES, image_size=(20, 15))
    assert found.images.shape == (2, 20, 15, 3) and found.positions.tolist() == [0, 1, 0, 0]
    images = np.stack([image for image, _ in found.as_numpy_iterator()])
    uncached = datasets.decoded_posters(rows, NAMES, image_size=(20, 15), cache=False)
    assert (images == np.stack([image for image, _ in uncached.as_numpy_iterator()])).all()


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, True),
        ({"labels": np.zeros((12, 4), "float32")}, True),
        ({"image_size": (15, 20)}, False),
        ({"interpolation": "area"}, False),
        ({"antialias": False}, False),
        ({"decode": "scaled"}, False),
    ],
)
def test_file_name_depends_on_resizing_but_not_on_labels(table, cache, options, same):
    options = {"image_size": (20, 15)} | options
    datasets.decoded_posters(table, NAMES, image_size=(20, 15))
    datasets.decoded_posters(table, NAMES, **options)
    assert len(files_in(cache)) == (1 if same else 2)


def test_file_name_depends_on_the_version_of_tensorflow(table, cache, monkeypatch):
    datasets.decoded_posters(table, NAMES, image_size=(20, 15))
    monkeypatch.setattr(tf, "__version__", "0.0")
    datasets.decoded_posters(table, NAMES, image_size=(20, 15))
    assert len(files_in(cache)) == 2


def test_file_name_depends_on_content_and_crop(table, cache, tmp_path):
    columns = dict(zip(CROP_COLUMNS, (0, 0, 150, 150), strict=True))
    moved = tmp_path / "moved.jpg"
    moved.write_bytes(pathlib.Path(table["poster_path"][0]).read_bytes())
    for row in (table[:1], table[:1].assign(poster_path=str(moved)), table[1:2], table[:1].assign(**columns)):
        datasets.decoded_posters(row, NAMES, image_size=(20, 15), labels=np.zeros((1, 4), "float32"))
    assert len(files_in(cache)) == 3  # a copy has the same content


def test_reading_a_file_uses_no_memory(cache):
    shape = (3000, 64, 64, 3)  # 37 MB
    big = tf.data.Dataset.from_tensors((np.zeros(shape[1:], "uint8"),)).repeat(shape[0])
    images = decode_once(big, shape, KEY)
    before = most = resident("RssFile")
    for start in range(0, shape[0], 50):
        images[np.arange(start, start + 50)]
        most = max(most, resident("RssFile"))
    assert most - before < 5


def test_file_may_be_removed_while_in_use(cache):
    images = decode_once(posters(), SHAPE, KEY)
    (cache / KEY / "images.npy").unlink()
    assert whole(images)


def test_unused_files_are_closed(cache):
    def is_open():
        return any(str(cache) in os.path.realpath(link) for link in pathlib.Path("/proc/self/fd").iterdir())

    images = decode_once(posters(), SHAPE, KEY)
    assert is_open()
    del images
    gc.collect()
    assert not is_open()


def test_datasets_have_no_autotuning_and_decoding_has_private_threads(table):
    found = datasets.decoded_posters(table, NAMES, image_size=(20, 15))
    batches = datasets.epoch_batches(found, len(found), 16, 0, 0)
    assert batches.options().autotune.enabled is False
    uncached = datasets.poster_dataset(table, NAMES, image_size=(20, 15), cache=False)
    assert uncached.options().autotune.enabled is False
    assert uncached.options().threading.private_threadpool_size >= 2


# --- kills, truncated files, several processes, full disks ---


@pytest.mark.parametrize("spoil", ["torn", "empty", "other bytes", "other shape", "other dtype"])
def test_replaces_invalid_files(cache, spoil):
    decode_once(posters(), SHAPE, KEY)
    path = cache / KEY / "images.npy"
    content = path.read_bytes()
    if spoil in (others := {"other shape": IMAGES[:-1], "other dtype": IMAGES.astype("float32")}):
        np.save(path, others[spoil])
    else:
        path.write_bytes({"torn": content[:-1], "empty": b"", "other bytes": b"PK" + content[2:]}[spoil])
    assert whole(decode_once(posters(), SHAPE, KEY))


@pytest.mark.slow
def test_leftovers_of_killed_processes_are_not_read(cache, run_and_kill):
    script = f"""
import time
import numpy as np, tensorflow as tf
from poster_cnn.datasets import poster_cache as decoded
chunks = decoded._chunks
def slowly(*arguments):
    for chunk in chunks(*arguments):
        yield chunk
        time.sleep(60)
decoded._chunks = slowly
decoded.decode_once(tf.data.Dataset.from_tensors((np.ones({SHAPE[1:]}, "uint8"),)).repeat({SHAPE[0]}), {SHAPE}, "{KEY}")
"""
    run_and_kill(script, when=lambda: any(path.stat().st_size for path in cache.glob("*/.*.tmp.*")))
    (leftover,) = files_in(cache)
    assert leftover.endswith(".tmp.images.npy")
    other = cache / "working" / ".01234567.tmp.images.npy"
    other.parent.mkdir()
    other.write_text("half of the ima")
    with filelock.FileLock(other.parent / ".lock"):
        assert whole(decode_once(posters(), SHAPE, KEY))
        assert files_in(cache) == [other.name, "images.npy"]
    decode_once(nothing(), SHAPE, KEY)
    assert files_in(cache) == ["images.npy"]


def test_second_process_waits_for_the_first(cache):
    path, found = cache / KEY / "images.npy", []
    path.parent.mkdir(parents=True)
    with filelock.FileLock(path.parent / ".lock"):
        second = threading.Thread(target=lambda: found.append(decode_once(nothing(), SHAPE, KEY)))
        second.start()
        second.join(timeout=0.3)
        assert second.is_alive()
        np.save(path, IMAGES)
    second.join(timeout=30)
    assert whole(found[0])


@pytest.mark.parametrize("when", ["before", "while writing"])
def test_error_of_a_full_disk_suggests_remedies(cache, monkeypatch, when):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if when == "before":
        monkeypatch.setattr(files.shutil, "disk_usage", lambda _: type("usage", (), {"free": 43_199}))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(OSError, match="43,200 bytes.*budget of 0 bytes") as caught:
            decode_once(posters(), SHAPE, KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == (errno.ENOSPC if when == "before" else errno.EFBIG)
    parts = [str(cache / KEY), "Set POSTER_CNN_CACHE", "POSTER_CNN_MEMORY to a larger", f"remove old files in {cache}"]
    assert all(part in str(caught.value) for part in parts)
    assert files_in(cache) == []
    monkeypatch.undo()


# --- the budget ---


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("4000000000", 4e9), ("4GB", 4e9), (" 500 mb ", 5e8), ("1.5GiB", 1_610_612_736), ("2KB", 2_000), ("0", 0)],
)
def test_memory_budget_from_the_environment(monkeypatch, asked, expected):
    monkeypatch.setenv("POSTER_CNN_MEMORY", asked)
    assert memory_budget() == expected


@pytest.mark.parametrize("asked", ["4 gigabytes", "-1", "half", "GB", "4GiBB"])
def test_rejects_invalid_budgets(monkeypatch, asked):
    monkeypatch.setenv("POSTER_CNN_MEMORY", asked)
    with pytest.raises(ValueError, match="POSTER_CNN_MEMORY must be a number of bytes, such as .*4GB.*Received: "):
        memory_budget()


@pytest.mark.parametrize(
    ("kind", "contents"),
    [
        (
            "groups of version 2",
            {
                "/proc/self/cgroup": "0::/batch/job_1/step_2\n",
                "/sys/fs/cgroup/batch/job_1/step_2/memory.max": "max\n",
                "/sys/fs/cgroup/batch/job_1/memory.max": "8000000\n",
            },
        ),
        ("groups of version 1", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "8000000\n"}),
    ],
)
def test_default_budget_is_a_quarter_of_the_memory(monkeypatch, kind, contents):
    monkeypatch.delenv("POSTER_CNN_MEMORY", raising=False)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory_budget() <= machine // 4

    def read_text(path):
        if str(path) not in contents:
            raise FileNotFoundError(path)
        return contents[str(path)]

    monkeypatch.setattr(pathlib.Path, "read_text", read_text)
    assert memory_budget() == 2_000_000


# --- other systems ---


@pytest.mark.parametrize("memory", ["", "1"])  # "1": read from a file
def test_reads_posters_where_unix_functions_are_missing(table, cache, monkeypatch, memory):
    expected = rows_of(table)
    for name in "chown fork geteuid getuid killpg mkfifo pread preadv sched_getaffinity setsid sysconf".split():
        monkeypatch.delattr(os, name)  # as on Windows
    for name in ("SIGALRM", "SIGHUP", "SIGKILL"):
        monkeypatch.delattr(signal, name)
    monkeypatch.setenv("POSTER_CNN_CACHE", str(cache.parents[1] / "other"))
    monkeypatch.setenv("POSTER_CNN_MEMORY", memory)
    assert (rows_of(table) == expected).all()
    assert memory or memory_budget() > 0


def rows_of(table):
    batches = datasets.poster_dataset(table, NAMES, image_size=(9, 7), batch_size=5).as_numpy_iterator()
    return np.concatenate([images for images, _ in batches])


@pytest.mark.parametrize("error", [ValueError("unrecognized configuration name"), OSError(22, "Invalid argument")])
def test_machines_that_do_not_tell_their_memory(monkeypatch, error):
    def sysconf(name):
        raise error

    monkeypatch.setattr(os, "sysconf", sysconf)
    monkeypatch.setattr(pathlib.Path, "read_text", lambda *_: b"\xff".decode())  # a control group that is not UTF-8
    assert memory_budget() == 2 * 2**30
