"""Python scripts in processes that are forked from one with TensorFlow imported, which saves seconds each."""

import gc
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import sys
from unittest import mock

_ENVIRONMENT = dict(os.environ)  # of the session, without the changes of a test, which all later processes would have
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["poster_cnn.tuning.sweep", "poster_cnn.reproduce", "poster_cnn.cli"])


def start(script, *arguments, stdout=None, stderr=None, environment=None):
    """Start a script.

    Args:
        script: Python code.
        arguments: What it finds in `sys.argv[1:]`.
        stdout, stderr: Paths of files for what it prints. Defaults to `None`: with what this process prints.
        environment: Environment variables. Defaults to `None`: those of this process.

    Returns:
        `multiprocessing.Process`, whose `exitcode` is `None` while it runs.
    """
    environment = dict(os.environ if environment is None else environment)
    start_server()
    process = context.Process(target=_run, args=(script, list(map(str, arguments)), (stdout, stderr), environment))
    process.start()
    return process


def start_server():
    """Start the process that others are forked from, in the environment of the session."""
    with mock.patch.dict(os.environ, _ENVIRONMENT, clear=True):
        multiprocessing.forkserver.ensure_running()


def run(script, *arguments, seconds=600, **options):
    """Run a script to its end, at most some seconds, and check that it succeeds; see `start`."""
    process = start(script, *arguments, **options)
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode == 0, process.exitcode


def _run(script, arguments, outputs, environment):
    gc.freeze()  # what is imported is no garbage
    gc.set_threshold(50_000)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["script", *arguments]
    for stream, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        if path is not None:
            stream.flush()
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})
