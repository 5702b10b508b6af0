"""Output of the commands: any encoding, closed streams, no home folder, tracebacks of unexpected errors."""

import errno
import io
import json
import logging
import os
import pwd
import shutil
import sys

import pytest

from poster_cnn import files
from poster_cnn.cli import main
from poster_cnn.tuning import sweep as sweeps

NOT_UTF8 = os.fsdecode(b"caf\xe9 \xff.jpg")


class Broken(io.StringIO):
    """A stream whose every write fails."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error

    def fileno(self):
        raise OSError(errno.EBADF, "no descriptor")


@pytest.fixture
def poster(data_folder, tmp_path):
    return shutil.copy(data_folder / "posters" / "1001.jpg", tmp_path / NOT_UTF8)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "koi8-r", "shift_jis", "utf-8", "utf-16"])
@pytest.mark.parametrize("as_json", [True, False])
def test_predictions_are_printed_in_any_encoding(encoding, as_json, poster, finished_run, monkeypatch):
    bytes_out, bytes_err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_out, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(bytes_err, encoding=encoding))
    status = main(["predict", "--model", str(finished_run), str(poster), "kein Bild ü.jpg", *["--json"] * as_json])
    sys.stderr.flush()
    assert status == 1  # of the picture that does not exist
    printed = bytes_out.getvalue().decode(encoding)
    if as_json:
        prediction, broken = json.loads(printed)
        assert prediction["picture"] == str(poster) and len(prediction["genres"]) == 4
        assert broken["picture"] == "kein Bild ü.jpg" and not broken["genres"]
    else:
        assert all(name in printed for name in ("Horror", "Romance", r"caf\udce9 \udcff.jpg"))
    assert "kein Bild" in bytes_err.getvalue().decode(encoding)


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def pipe_without_reader():
    read, write = os.pipe()
    os.close(read)
    return open(write, "w")


@pytest.mark.parametrize("stream", [lambda: None, closed, pipe_without_reader])
def test_a_command_ends_well_without_a_terminal(stream, poster, finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream())
    monkeypatch.setattr(sys, "stderr", stream())
    assert main(["predict", "--model", str(finished_run), str(poster), "--card", str(tmp_path / "card.png")]) == 0
    assert (tmp_path / "card.png").is_file()
    logging.getLogger("poster_cnn").info("nothing is left of the command")


def test_a_full_disk_under_stdout_is_an_error(poster, finished_run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Broken(OSError(errno.ENOSPC, "No space left on device")))
    assert main(["predict", "--model", str(finished_run), str(poster)]) == 1
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "x"), OSError(errno.ENOSPC, "x"), ValueError("closed")])
def test_progress_bars_never_end_the_work(error, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(error))
    assert list(files.progress_bar(range(3), "Führer \udcff", mininterval=0, leave=False)) == [0, 1, 2]
    monkeypatch.setattr(sys, "stderr", None)
    assert list(files.progress_bar(range(3), mininterval=0)) == [0, 1, 2]


def test_files_keep_texts_that_are_not_unicode(tmp_path):
    files.write_json(tmp_path / "a.json", {"path": NOT_UTF8, "title": "half \ud83d"})
    assert files.read_json(tmp_path / "a.json") == {"path": NOT_UTF8, "title": "half \ud83d"}
    files.write_text(tmp_path / "a.txt", NOT_UTF8)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == r"caf\udce9 \udcff.jpg"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "error", [KeyError("genre"), AttributeError("no pread"), TypeError("not a path"), MemoryError()]
)
def test_unexpected_errors_leave_their_traceback_with_debug(error, debug, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("poster_cnn.datasets.verify.verify", fail)
    assert main(["verify", str(tmp_path), *["--debug"] * debug]) == 1
    printed = capsys.readouterr().err
    last = printed.splitlines()[-1]
    assert last.startswith(f"poster-cnn: unexpected {type(error).__name__}: ") and "test_terminal.py, line" in last
    assert ("Traceback" in printed) == debug and ("--debug prints the traceback" in last) != debug


def test_failed_cells_leave_their_traceback(data_folder, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise KeyError(NOT_UTF8)

    monkeypatch.setattr(sweeps, "train", fail)
    (tmp_path / "one.py").write_text(
        "from poster_cnn import TrainingConfig\n"
        "config, grid = TrainingConfig(class_names=('Horror', 'Romance'), ratio=30), {'seed': (0,)}\n"
    )
    command = ["sweep", str(tmp_path / "one.py"), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    assert main(command) == 1 and "Traceback" not in capsys.readouterr().err
    assert "Traceback" in (tmp_path / "runs" / "seed=0" / "error.txt").read_text(encoding="utf-8")
    assert main([*command, "--debug"]) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed and "in fail" in printed and "failed: seed=0: KeyError" in printed


def test_a_sweep_with_workers_prints_each_report_once(data_folder, tmp_path, monkeypatch, capsys):
    def work(experiment, command, *_, **__):
        commands.append(list(map(str, command)))
        for name, text in (("a", "2 lost"), ("b", "2 lost"), ("c/ensemble", "3 lost")):
            files.write_text(tmp_path / "runs" / name / "notes.txt", f"{text}\n")
        return {}

    commands = []
    monkeypatch.setattr("poster_cnn.tuning.workers.sweep_with_workers", work)
    (tmp_path / "one.py").write_text(
        "from poster_cnn import TrainingConfig\n"
        "config, grid = TrainingConfig(class_names=('Horror', 'Romance'), ratio=30), {'seed': (0,)}\n"
        "quick_config, quick_grid = {}, grid\n"
    )
    command = ["sweep", str(tmp_path / "one.py"), "--data", str(data_folder), "--out", str(tmp_path / "runs")]
    command += ["--preset", "quick", "--precision", "mixed_bfloat16"]
    assert main([*command, "--workers", "2"]) == 0 and commands == [command]
    assert capsys.readouterr().err == "2 lost\n\n3 lost\n"


@pytest.fixture
def without_home(monkeypatch):
    """Run as a user without HOME and without a passwd entry."""

    def no_entry(user):
        raise KeyError(user)

    for name in ("HOME", "POSTER_CNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    monkeypatch.setattr(pwd, "getpwnam", no_entry)


@pytest.mark.parametrize(
    "cache", [{}, {"POSTER_CNN_CACHE": "~/x"}, {"POSTER_CNN_CACHE": "~me/x"}, {"XDG_CACHE_HOME": "~/x"}]
)
def test_an_error_without_a_home_folder_names_the_variable(cache, without_home, data_folder, monkeypatch, capsys):
    for name, value in cache.items():
        monkeypatch.setenv(name, value)
    for command in (["verify", str(data_folder / "posters")], ["audit", str(data_folder / "posters")]):
        assert main(command) == 1
        error = capsys.readouterr().err
        assert "Set the environment variable POSTER_CNN_CACHE" in error and error.count("\n") == 1


def test_commands_with_all_paths_need_no_cache(without_home, data_folder, finished_run, tmp_path):
    posters, new = data_folder / "posters", ["--manifest", tmp_path / "m.csv", "--repaired", tmp_path / "repaired"]
    assert main(["verify", *map(str, [posters, *new])]) == 0
    assert (
        main(["predict", "--model", str(finished_run), str(posters / "1001.jpg"), "--card", str(tmp_path / "c.png")])
        == 0
    )
    with pytest.raises(IsADirectoryError), files.explained_errors(tmp_path / "x"):
        raise IsADirectoryError(errno.EISDIR, "its own error, not that of the cache")


@pytest.mark.parametrize("name", ["POSTER_CNN_CACHE", "XDG_CACHE_HOME"])
def test_the_cache_folder_expands_the_home_folder(name, tmp_path, monkeypatch):
    for other in ("POSTER_CNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(name, "~/x")
    assert files.cache_dir() == tmp_path / "x" / ("poster_cnn" if name == "XDG_CACHE_HOME" else "")


def test_a_folder_that_is_not_utf8_is_named(data_folder, finished_run, tmp_path, capsys):
    folder = shutil.copytree(data_folder, tmp_path / NOT_UTF8)
    assert main(["evaluate", str(finished_run), "--data", str(folder)]) == 1
    assert r"caf\udce9 \udcff.jpg/posters" in capsys.readouterr().err
