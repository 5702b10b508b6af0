"""Atomic writes, locks, the cache folder, and output that never fails.

A kill or power loss leaves the old or the new content of a file.

Replacing a folder takes two renames. A kill between them leaves no folder of that name, but both versions under
temporary names next to it; `remove_leftovers` restores the old one.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import uuid

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
# For terminals and files that cannot encode what the library prints.
_PLAIN = str.maketrans({"█": "#", "✓": "*", "✗": "-", "…": "...", "–": "-", "→": "->", "×": "x"})
_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.(tmp|old)\.(.+)")


@contextlib.contextmanager
def write_atomically(path):
    """Yield a temporary path next to `path`, which is renamed to `path` if the block succeeds, and removed otherwise.

    The block writes a file or makes a folder there. It replaces an existing file or folder (see `remove_leftovers`).
    The content is synced to disk before the rename, and the rename after it, if the file system supports that. A pipe
    or a device is written to directly.

    Args:
        path: Path of the finished file or folder. Missing parent folders are created.

    Yields:
        `pathlib.Path` to write to, with the suffixes of `path`, which some writers require.

    Raises:
        OSError: If it cannot be written; the message names the path and a remedy.

    Example:

    >>> with write_atomically("runs/a/metrics.json") as temporary:
    ...     temporary.write_text("{}")
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path  # a pipe or device such as /dev/null: a rename would replace it by a file
        return
    path = path.resolve() if path.is_symlink() else path  # a link is kept, and its target replaced
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
    # Windows and some network disks cannot sync folders; Windows syncs only files that are open for writing.
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
        os.truncate(path, 0)  # HDF5 crashes at exit if it cannot finish a file on a full disk
        path.unlink()


@contextlib.contextmanager
def explained_errors(path):
    """Add the file's path and a remedy to the message of an error from a full or read-only disk.

    Args:
        path: File that the block writes.

    Raises:
        OSError: With the error number, such as `errno.ENOSPC`. Other errors are not changed.
    """
    path = pathlib.Path(path)
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else ""
        if error.errno in _FULL:
            text = f"No room to write {path} ({why}). Existing files are intact: make room, then start again."
            raise OSError(error.errno, text) from error
        # A file that the block reads elsewhere may be forbidden as well.
        if error.errno in _FORBIDDEN and _is_around(error.filename or path, path):
            raise OSError(error.errno, f"{path} cannot be written ({why}). {_remedy(path, error.errno)}") from error
        raise


def _remedy(path, number):
    """Return what to do about a path that cannot be written, for the number of the error."""
    if number == errno.EISDIR:
        return "Choose another name, as this is a folder."
    choose = "Set POSTER_CNN_CACHE to" if _is_cached(path) else "Choose"
    if file := next(filter(os.path.isfile, path.parents), None):
        return f"{choose} another folder, as {file} is a file."
    return f"{choose} another folder, or make this one writable."


def _is_cached(path):
    with contextlib.suppress(FileNotFoundError):  # without a home folder there is no cache
        return cache_dir() in path.parents


def _is_around(named, path):
    named = pathlib.Path(os.fsdecode(named))
    return named in (path, *path.parents) or any(map(_LEFTOVER.fullmatch, named.parts))


def require_room(path, num_bytes):
    """Check that the disk has room for a file, for writers that fail badly on a full disk.

    Args:
        path: Path of the file.
        num_bytes: Approximate size of the file.

    Raises:
        OSError: If there is less room.
    """
    with explained_errors(path):
        if shutil.disk_usage(pathlib.Path(path).parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def locked(folder, timeout=0):
    """Keep other processes out of a folder, such as a run folder, during the block.

    Args:
        folder: The folder, created if needed.
        timeout: Seconds to wait for another process; -1 waits forever. Defaults to 0.

    Raises:
        BlockingIOError: If another process still works in the folder.
        OSError: If the folder cannot be written.
    """
    import filelock  # here, as the import takes a quarter of the time of `poster-cnn --help`

    folder = pathlib.Path(folder).absolute()
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
    """Remove the temporary files and folders that kills have left in a folder. Call this while holding its lock.

    If a kill interrupted the replacement of a folder, the old version is restored.

    Args:
        folder: Folder to clean; its subfolders are not searched.
    """
    leftovers = [path for path in pathlib.Path(folder).iterdir() if _LEFTOVER.fullmatch(path.name)]
    newest_first = sorted(leftovers, key=lambda path: path.lstat().st_ctime, reverse=True)
    for path in newest_first:  # after two kills, the later version is restored
        kind, name = _LEFTOVER.fullmatch(path.name).groups()
        if kind == "old" and not path.with_name(name).exists():
            os.rename(path, path.with_name(name))
        else:
            _remove(path)


def _replace_folder(temporary, path):
    # A folder with content cannot be the target of a rename, so the old one is moved away first.
    old = path.with_name(f".{uuid.uuid4().hex[:8]}.old.{path.name}")
    os.rename(path, old)
    try:
        os.rename(temporary, path)
    except BaseException:
        os.rename(old, path)
        raise
    os.rename(old, temporary)  # which `write_atomically` removes; a name with "old" is always complete


def write_json(path, content):
    """Write `content` as indented JSON to `path`, atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path, text):
    """Write a text to `path` in UTF-8, atomically. Bytes of file names that are not UTF-8 are written as escapes."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # JSON has the same escapes


def read_json(path):
    """Read a JSON file."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def sha256(path):
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def cache_dir():
    """Return the user's cache folder for poster_cnn.

    Returns:
        `pathlib.Path`: `$POSTER_CNN_CACHE` if set, else `$XDG_CACHE_HOME/poster_cnn`, else `~/.cache/poster_cnn`.

    Raises:
        FileNotFoundError: If there is no home folder, and `POSTER_CNN_CACHE` does not name another one.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    folder = os.environ.get("POSTER_CNN_CACHE") or os.path.join(base, "poster_cnn")
    try:
        return pathlib.Path(folder).expanduser()
    except RuntimeError:  # such as in a container that runs as any user
        raise FileNotFoundError(
            f"There is no home folder for the cache {folder!r}. Set the environment variable POSTER_CNN_CACHE to a "
            "folder that can be written."
        ) from None


class _Output:
    """A stream of text that may be closed or unable to encode a character.

    Args:
        stream: Text stream, or `None`, as `sys.stderr` is in a process without one.
        is_result: Whether a text that cannot be written is an error. If nobody reads a pipe any more, it is not.
    """

    def __init__(self, stream, is_result=False):
        self._stream, self._is_result = stream, is_result

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write a text, with escapes for the characters that the stream cannot encode."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError, AttributeError) as error:  # ValueError: closed, AttributeError: `None`
            self._give_up(error)
        return len(text)

    def isatty(self):
        """Return whether the stream is a terminal."""
        with contextlib.suppress(ValueError, AttributeError):
            return self._stream.isatty()
        return False

    def flush(self):
        """Flush the stream."""
        try:
            self._stream.flush()
        except (OSError, ValueError, AttributeError) as error:
            self._give_up(error)

    def _give_up(self, error):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # else Python tries again at exit
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        self._stream = None
        if self._is_result and isinstance(error, OSError) and error.errno != errno.EPIPE:
            raise error


@contextlib.contextmanager
def safe_output():
    """Let `print` never fail in the block because of an encoding or a closed stream.

    Raises:
        OSError: If the results on `sys.stdout` cannot be written for another reason, such as a full disk.
    """
    for descriptor in range(3):  # otherwise a file would get the number of a closed stream, and messages in it
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    output = _Output(sys.stdout, is_result=True)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(_Output(sys.stderr)):
        try:
            yield
        finally:
            output.flush()


def progress_bar(*arguments, **options):
    """Return a `tqdm` bar for the terminal or the notebook, which never ends the work that it shows."""
    from tqdm.auto import tqdm  # here, as the import takes a quarter of the time of `poster-cnn --help`

    output = _Output(sys.stderr)
    return tqdm(*arguments, file=output, dynamic_ncols=output.isatty(), **options)
