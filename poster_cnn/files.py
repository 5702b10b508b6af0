"""Writing files so that a kill or a loss of power leaves either the old content or the new, never half of it.

A folder that replaces another needs two renames. A kill between them leaves no folder of that name, but both versions
beside it under temporary names; `remove_leftovers` puts the old one back.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import uuid

import filelock

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.(tmp|old)\.(.+)")


@contextlib.contextmanager
def write_atomically(path):
    """Gives a temporary path beside `path`, renamed onto `path` when the block ends well and removed when it does not.

    The block may write a file or make a folder there. An existing file is replaced; so is an existing folder (but see
    `remove_leftovers`). The content is on the disk before the rename, and the rename, where the system can have it so,
    before the block is left.

    Args:
        path: Where the finished file or folder shall be. Missing parent folders are made.

    Yields:
        `pathlib.Path` to write to. It keeps the suffixes of `path`, as some writers insist on them.

    Raises:
        OSError: If it cannot be written; the message says where, and what to do.

    Example:

    >>> with write_atomically("runs/a/metrics.json") as temporary:
    ...     temporary.write_text("{}")
    """
    path = pathlib.Path(path)
    path = path.resolve() if path.is_symlink() else path  # a link stays one, to the new content
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.tmp.{path.name}")
    try:
        with explained_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            for finished in (temporary, *temporary.rglob("*")):
                if not finished.is_symlink():
                    _sync(finished)
            if temporary.is_dir() and path.is_dir():
                _replace_folder(temporary, path)
            else:
                os.replace(temporary, path)
            _sync(path.parent)
    finally:
        _remove(temporary)


def _sync(path):
    """Waits until the disk has the content of a file, or the names in a folder."""
    # Windows syncs no folder, some network disks neither; and no file that is open for reading only.
    with contextlib.suppress(OSError) if path.is_dir() else contextlib.nullcontext():
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path):
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        os.truncate(path, 0)  # HDF5 crashes at exit if it cannot end a file for want of room
        path.unlink()


@contextlib.contextmanager
def explained_errors(path):
    """Makes an error of a full or read-only disk say which file could not be written, and what to do.

    Args:
        path: The file that the block writes.

    Raises:
        OSError: With the number of the error, such as `errno.ENOSPC`; any other error is left as it is.
    """
    path = pathlib.Path(path)
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else ""
        if error.errno in _FULL:
            text = f"No room to write {path} ({why}). What is there stays whole: make room, then start again."
            raise OSError(error.errno, text) from error
        # What the block reads elsewhere may be forbidden, too.
        if error.errno in _FORBIDDEN and _is_around(error.filename or path, path):
            choose = "Set POSTER_CNN_CACHE to" if cache_dir() in path.parents else "Choose"
            text = f"{path} cannot be written ({why}). {choose} another folder, or make this one writable."
            raise OSError(error.errno, text) from error
        raise


def _is_around(named, path):
    named = pathlib.Path(os.fsdecode(named))
    return named in (path, *path.parents) or any(map(_LEFTOVER.fullmatch, named.parts))


def require_room(path, num_bytes):
    """Makes sure that a file has room on its disk, for writers that break down in the middle when it has not.

    Args:
        path: The file.
        num_bytes: Its size, more or less.

    Raises:
        OSError: If there is less.
    """
    with explained_errors(path):
        if shutil.disk_usage(pathlib.Path(path).parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def locked(folder, timeout=0):
    """Keeps other processes out of a folder, such as a run folder.

    Args:
        folder: The folder; made if needed.
        timeout: Seconds to wait for another process; -1 waits forever. Defaults to 0.

    Raises:
        BlockingIOError: If another process is still in it.
        OSError: If it cannot be written.
    """
    folder = pathlib.Path(folder)
    lock = filelock.FileLock(folder / ".lock", is_singleton=True)  # one thread may lock a folder twice
    try:
        with explained_errors(folder / ".lock"):
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout)
    except filelock.Timeout:
        raise BlockingIOError(f"Another process is working in {folder}. Wait for it, or choose another.") from None
    try:
        yield
    finally:
        lock.release()


def remove_leftovers(folder):
    """Removes what kills have left in a folder half-written. Only for who alone writes there.

    A folder that was set aside for a new version which did not come to its place is put back, not removed.

    Args:
        folder: Folder; those in it are not looked into.
    """
    leftovers = [path for path in pathlib.Path(folder).iterdir() if _LEFTOVER.fullmatch(path.name)]
    newest_first = sorted(leftovers, key=lambda path: path.lstat().st_ctime, reverse=True)
    for path in newest_first:  # of two kills, the later one's is put back
        kind, name = _LEFTOVER.fullmatch(path.name).groups()
        if kind == "old" and not path.with_name(name).exists():
            os.rename(path, path.with_name(name))
        else:
            _remove(path)


def _replace_folder(temporary, path):
    # A rename cannot land on a folder that has content, so the old one steps aside first.
    old = path.with_name(f".{uuid.uuid4().hex[:8]}.old.{path.name}")
    os.rename(path, old)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.rename(old, path)
        raise
    os.rename(old, temporary)  # which `write_atomically` removes; what is called "old" is whole


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
