"""Python scripts in processes that are forked from one with TensorFlow imported, which saves seconds each.

All have the same hash seed, and end without the interpreter's own clean-up. Tests that are about one of these start a
process as usual.
"""

import gc
import multiprocessing
import os
import pathlib
import sys
import tempfile
from unittest import mock

_ENVIRONMENT = dict(os.environ)  # the server would keep the changes of the test that starts it
_FORKS = sys.platform == "linux"  # Windows cannot, and on macOS it is not safe; processes start as usual there
context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
if _FORKS:
    context.set_forkserver_preload(["poster_cnn.tuning.sweep", "poster_cnn.reproduce", "poster_cnn.cli"])


def start(script, *arguments, stdout=None, stderr=None, environment=None):
    """Start a script.

    Args:
        script: Python code.
        arguments: What it finds in `sys.argv[1:]`.
        stdout, stderr: Paths of files for what it prints. Defaults to `None`: nowhere that a test can read.
        environment: Environment variables. Defaults to `None`: those of this process.

    Returns:
        `multiprocessing.Process`, whose `exitcode` is `None` while it runs.
    """
    environment = dict(os.environ if environment is None else environment)
    start_server()
    arguments = (script, list(map(str, arguments)), (stdout, stderr), environment)
    process = context.Process(target=_run, args=arguments, daemon=True)  # ends with the test's process
    process.start()
    return process


def start_server():
    """Start the process that others are forked from, in the environment of the session."""
    if _FORKS:
        from multiprocessing import forkserver

        with mock.patch.dict(os.environ, _ENVIRONMENT, clear=True):
            forkserver.ensure_running()


def run(script, *arguments, seconds=600):
    """Run a script to its end, at most some seconds, and check that it succeeds; see `start`."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "output.log"
        output.touch()
        process = start(script, *arguments, stdout=output, stderr=output)
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode == 0, f"status {process.exitcode}: {output.read_text()}"


def _run(script, arguments, outputs, environment):
    gc.freeze()  # what is imported is no garbage
    gc.set_threshold(10_000)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["script", *arguments]
    for stream, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        if path is not None:
            stream.flush()
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})
