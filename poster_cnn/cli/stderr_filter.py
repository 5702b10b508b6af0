"""Keep the log lines of TensorFlow, CUDA and oneDNN off the terminal.

They are written by C++ to file descriptor 2, some of them before any setting of TensorFlow takes effect. While
TensorFlow is imported, that descriptor becomes a pipe to a small process that runs this file: it drops those lines and
passes on all others, also those of a crash. Python's own stderr keeps the terminal.
"""

import contextlib
import os
import re
import subprocess
import sys

_PREFIX = rb"(?:%s\d{4} \d\d:\d\d:\d+\.\d+\s+\d+ |\d{4}-\d\d-\d\d \d\d:\d\d:\d+\.\d+: %s )(?:\S*/)?"
_NOISE = re.compile(
    b"|".join(
        [
            _PREFIX % (b"[IW]", b"[IW]") + rb"[\w.-]+:\d+\]",
            _PREFIX % (b"E", b"E") + rb"cu[\w.-]+:\d+\]",  # such as the missing driver of a machine without a GPU
            rb"WARNING: All log messages before absl::InitializeLog\(\)",
            rb"To enable the following instructions:",
            rb"INFO: Created TensorFlow Lite \w+ delegate",
        ]
    )
)


def install():
    """Filter the process's stderr from the import of TensorFlow on, if there is one."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
        options = {"encoding": sys.stderr.encoding, "errors": sys.stderr.errors, "buffering": 1}
    except (AttributeError, OSError, ValueError):  # there is no stderr
        return
    sys.stderr.flush()
    sys.stderr = open(descriptor, "w", **options)
    sys.meta_path.insert(0, _WhenImported("tensorflow", lambda: _start(descriptor)))


class _WhenImported:
    """An importer that finds nothing, but calls a function once, before a package is imported."""

    def __init__(self, package, function):
        self.package, self.function = package, function

    def find_spec(self, name, path=None, target=None):
        """Return `None`: other importers look for the package."""
        if name == self.package and self in sys.meta_path:
            sys.meta_path.remove(self)
            with contextlib.suppress(OSError):  # no room for another process: the lines are shown
                self.function()


def _start(descriptor):
    command = [sys.executable, "-I", "-S", __file__]
    # In a session of its own, Ctrl-C does not end it before its parent.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=descriptor, start_new_session=os.name != "nt")
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    process.returncode = 0  # it ends by itself, with the last process that writes to the pipe


def _pass_on(source, target):
    """Copy bytes from one descriptor to another without the lines of TensorFlow."""
    rest = b""
    while chunk := os.read(source, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        kept = [line + b"\n" for line in lines if not _NOISE.match(line)]
        if rest and not re.match(rb"[IWEFT\d]", rest):  # it may be the start of a line to drop
            kept.append(rest)
            rest = b""
        os.write(target, b"".join(kept))
    os.write(target, rest)


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        _pass_on(0, 2)
