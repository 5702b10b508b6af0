"""Processes that kill themselves before a chosen file-system event, or in the middle of it.

Python reports each `open`, rename and removal to `sys.addaudithook`. The process counts those below its working folder,
and sends itself SIGKILL at the chosen one. Processes are forked from one that has already imported TensorFlow, which
saves seconds each.
"""

import multiprocessing
import os
import re
import resource
import signal
import sys
import time

import pieces

_WRITES = os.O_WRONLY | os.O_RDWR
_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
_PRELOAD = (
    "poster_cnn.tuning.sweep",
    "poster_cnn.reproduce",
    "poster_cnn.cli",
    "pieces",
)

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(list(_PRELOAD))


def run(piece, root, data, *, kill_at=None, kill_after=None, largest_file=None, eager=False):
    """Run a piece of work in a separate process.

    Args:
        piece: Name in `pieces.PIECES`.
        root: Working folder; see `pieces.prepare`.
        data: Path of the data folder.
        kill_at: File-system event at which the process kills itself: (name, occurrence counted from 0, whether to
            leave the file half-written). Defaults to `None`.
        kill_after: Seconds after which the process is killed from outside. Defaults to `None`.
        largest_file: Maximum size of a file in bytes, to simulate a full disk. Defaults to `None`.
        eager: Whether to train without graphs, which is faster for few steps. Defaults to `False`.

    Returns:
        `(status, events)`: 0 if it succeeded, -9 if it was killed, else 1, with the reason in `<root>/output.log`; and
        the names of its file-system events, up to the one at which it died.
    """
    process = start(piece, root, data, kill_at=kill_at, largest_file=largest_file, eager=eager)
    process.join(kill_after)
    if process.is_alive() and kill_after is not None:
        process.kill()
    process.join()
    events = root / "events.log"
    return process.exitcode, events.read_text().splitlines() if events.exists() else []


def start(piece, root, data, *, kill_at=None, largest_file=None, eager=False):
    """Start the process of `run`, and return it as a `multiprocessing.Process`."""
    process = context.Process(target=_child, args=(piece, root, data, kill_at, largest_file, eager, dict(os.environ)))
    process.start()
    return process


def _child(piece, root, data, kill_at, largest_file, eager, environment):
    log = open(root / "output.log", "a")
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    os.environ.clear()  # those of the process that others are forked from
    os.environ.update(environment)
    os.environ["POSTER_CNN_CACHE"] = str(root / "cache")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    import tensorflow as tf  # imported before the fork

    tf.config.run_functions_eagerly(eager)
    sys.addaudithook(Death(root, kill_at))
    pieces.PIECES[piece](root, data)


class Death:
    """Audit hook that counts the writes below a folder, and kills this process at one of them."""

    def __init__(self, root, kill_at):
        self.root, self.events, self.busy = str(root), [], False
        self.name, self.occurrence, self.torn = kill_at or (None, 0, False)
        self.log = os.open(root / "events.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def __call__(self, event, arguments):
        if event not in _EVENTS or self.busy or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.path.abspath(arguments[0])
        if not path.startswith(self.root) or (event == "open" and not arguments[2] & _WRITES):
            return
        if event == "os.mkdir" and os.path.isdir(path):
            return
        name = _name(event, path, self.root)
        os.write(self.log, f"{name}\n".encode())
        self.events.append(name)
        if name == self.name and self.events.count(name) > self.occurrence:
            self.busy = True
            if self.torn:
                _tear(event, path, arguments)
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)


def _name(event, path, root):
    path = re.sub(r"\.[0-9a-f]{8}\.(tmp|old)\.", "", path.removeprefix(root + "/"))
    return f"{event.removeprefix('os.')} {path}"


def _tear(event, path, arguments):
    """Leave the file as a kill in the middle of writing would."""
    if event == "os.rename" and os.path.isfile(path):
        os.truncate(path, os.path.getsize(path) // 2)
    elif event == "open" and arguments[2] & os.O_APPEND:
        with open(path, "ab") as file:
            file.write(b"0" * 50)
    elif event == "open" and os.path.isfile(path) and not path.endswith(".lock"):
        os.truncate(path, 0)
