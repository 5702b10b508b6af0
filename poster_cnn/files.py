"""Writing files so that a kill at any moment leaves either the old content or the new, never half of it."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import uuid


@contextlib.contextmanager
def write_atomically(path):
    """Gives a temporary path beside `path`, renamed onto `path` when the block ends well and removed when it does not.

    The block may write a file or make a folder there. An existing file is replaced; so is an existing folder.

    Args:
        path: Where the finished file or folder shall be. Missing parent folders are made.

    Yields:
        `pathlib.Path` to write to. It keeps the suffixes of `path`, as some writers insist on them.

    Example:

    >>> with write_atomically("runs/a/metrics.json") as temporary:
    ...     temporary.write_text("{}")
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.tmp.{path.name}")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            _replace_folder(temporary, path)
        else:
            os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        elif temporary.exists():
            temporary.unlink()


def _replace_folder(temporary, path):
    # A rename cannot land on a folder that has content, so the old one steps aside first.
    old = path.with_name(f".{uuid.uuid4().hex[:8]}.old.{path.name}")
    os.rename(path, old)
    os.rename(temporary, path)
    shutil.rmtree(old)


def write_json(path, content):
    """Writes `content` as indented JSON to `path`, atomically."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path):
    """Reads a JSON file."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def sha256(path):
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def cache_dir():
    """The user's cache folder for poster_cnn.

    Returns:
        `pathlib.Path`: `$POSTER_CNN_CACHE` if set, else `$XDG_CACHE_HOME/poster_cnn`, else `~/.cache/poster_cnn`.
    """
    if os.environ.get("POSTER_CNN_CACHE"):
        return pathlib.Path(os.environ["POSTER_CNN_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "poster_cnn"
