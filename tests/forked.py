"""Python processes forked from one that has imported TensorFlow already: each starts at once, not after seconds.

That one runs nothing, and has imported other people's libraries alone, nothing of `poster_cnn`. Where there is no safe
fork, as on Windows and macOS, processes start as usual.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys

PRELOAD = [
    *("keras", "tensorflow", "h5py", "pandas", "scipy.stats", "sklearn.metrics", "sklearn.linear_model", "PIL.Image"),
    *("matplotlib.pyplot", "seaborn", "ipykernel.ipkernel", "keras_tuner"),
    *("imagehash", "iterstrat.ml_stratifiers", "filelock", "tqdm", "httpx", "cleanlab"),
]

CAN_FORK = sys.platform == "linux"
context = multiprocessing.get_context("forkserver" if CAN_FORK else None)


def start():
    """Starts the process from which the others are forked, unless it runs already."""
    if CAN_FORK:
        from multiprocessing import forkserver

        context.set_forkserver_preload(PRELOAD)
        forkserver.ensure_running()


class Popen(subprocess.Popen):
    """As `subprocess.Popen([sys.executable, "-c" or "-m", ...])`; the process is its own session."""

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell, *streams
    ):
        p2cread, _, _, c2pwrite, _, errwrite = streams[:6]
        python, option, what, *arguments = map(str, args)
        assert python == sys.executable and option in ("-c", "-m") and not pass_fds, args
        inherited = [own if own != -1 else stream for stream, own in enumerate((p2cread, c2pwrite, errwrite))]
        ready, said = context.Pipe(duplex=False)
        given = option, what, arguments, dict(os.environ if env is None else env), os.fspath(cwd or os.getcwd())
        streams_of_child = [multiprocessing.reduction.DupFd(stream) for stream in inherited]
        self._forked = context.Process(target=_run, args=(said, streams_of_child, *given), daemon=True)
        self._forked.start()
        said.close()
        self.pid, self._child_created = self._forked.pid, True
        ready.recv()
        ready.close()
        self._close_pipe_fds(*streams[:6])

    def _internal_poll(self, **_):
        if self.returncode is None:
            self.returncode = self._forked.exitcode
        return self.returncode

    def _wait(self, timeout):
        self._forked.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode


if not CAN_FORK:
    Popen = subprocess.Popen


def _run(said, streams, option, what, arguments, environment, folder):
    os.setsid()
    for number, stream in enumerate(streams):
        own = stream.detach()
        os.dup2(own, number)
        os.close(own)
    sys.stdin = open(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.modules["matplotlib"].rcParams["backend"] = os.environ.get("MPLBACKEND", "agg")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["-c" if option == "-c" else what, *arguments]
    sys.path.insert(0, folder)
    said.send(True)
    said.close()
    if option == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = type(sys)("__main__")
        sys.modules["__main__"] = main
        exec(compile(what, "<string>", "exec"), main.__dict__)
