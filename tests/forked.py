"""Python scripts in processes that are forked from one with TensorFlow imported, which saves seconds each.

All have the same hash seed, and end without the interpreter's own clean-up. Tests that are about one of these start a
process as usual.
"""

import multiprocessing
import os
import pathlib
import sys
import tempfile

_FORKS = sys.platform == "linux"  # Windows cannot, and on macOS it is not safe; processes start as usual there
context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
if _FORKS:
    context.set_forkserver_preload(["poster_cnn.tuning.sweep", "poster_cnn.reproduce", "poster_cnn.cli"])


def start(script, *arguments, output=None):
    """Start a script.

    Args:
        script: Python code.
        arguments: What it finds in `sys.argv[1:]`.
        output: Path of a file for all that it prints. Defaults to `None`: nowhere that a test can read.

    Returns:
        `multiprocessing.Process`, whose `exitcode` is `None` while it runs.
    """
    if output is not None:
        pathlib.Path(output).touch()  # so that it can be read whenever the process ends
    arguments = (script, list(map(str, arguments)), output, dict(os.environ))
    process = context.Process(target=_run, args=arguments, daemon=True)  # ends with the test's process
    process.start()
    return process


def run(script, *arguments, seconds=600):
    """Run a script to its end, at most some seconds, and check that it succeeds; see `start`."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "output.log"
        process = start(script, *arguments, output=output)
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode == 0, f"status {process.exitcode}: {output.read_text()}"


def _run(script, arguments, output, environment):
    os.environ.clear()  # the server's are those of the test that started it
    os.environ.update(environment)
    sys.argv = ["script", *arguments]
    if output is not None:
        file = os.open(output, os.O_WRONLY | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})
