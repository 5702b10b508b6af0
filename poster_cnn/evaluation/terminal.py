"""Printing of the commands: notes and errors on stderr, results on stdout."""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import traceback
import warnings


@contextlib.contextmanager
def process_of_a_command():
    """Print the library's notes on stderr, and hide TensorFlow's; restore everything for callers from Python."""
    level, logger, handler = os.environ.get("TF_CPP_MIN_LOG_LEVEL"), logging.getLogger("poster_cnn"), _Notes()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's log lines would hide the command's own output
    with contextlib.ExitStack() as stack:
        if level is None:
            stack.callback(os.environ.pop, "TF_CPP_MIN_LOG_LEVEL", None)
        if threading.current_thread() is threading.main_thread():
            stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        stack.callback(logger.removeHandler, handler)
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="More than a tenth of the")  # as the notes say
        for name in ("absl", "tensorflow"):
            stack.callback(logging.getLogger(name).removeFilter, _is_error)
            logging.getLogger(name).addFilter(_is_error)
        yield


def _is_error(record):
    return record.levelno >= logging.ERROR


class _Notes(logging.Handler):
    """Print log records on stderr, above the progress bars."""

    def emit(self, record):
        from tqdm import tqdm  # here, as most commands print no notes

        tqdm.write(record.getMessage(), file=sys.stderr)


def describe_error(error, debug):
    """Return the message of an error, and where it comes from if it is none of those that the library raises."""
    if isinstance(error, (OSError, ValueError, FloatingPointError, RuntimeError, ImportError)):
        return f"{str(error) or type(error).__name__}{_how_to_install(error)}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    hint = "" if debug else "; --debug prints the traceback"
    return f"unexpected {type(error).__name__}: {error} ({frame.filename}, line {frame.lineno}{hint})"


def _how_to_install(error):
    if not isinstance(error, ImportError) or "pip install" in str(error):
        return ""
    backend = ". The commands run on TensorFlow: unset KERAS_BACKEND"
    return backend if error.name in ("jax", "torch") else ". Install the extras: pip install -e '.[notebooks,audit]'"


def print_failures(failed, folder=None):
    """Print the reasons of failures and, from the run folders in `folder`, their tracebacks."""
    for name, error in failed.items():
        print(f"failed: {name}: {error}", file=sys.stderr)
        if folder and (folder / name / "error.txt").is_file():
            print((folder / name / "error.txt").read_text(encoding="utf-8"), file=sys.stderr)
    return 1 if failed else 0


def print_reports(folder):
    """Print the reports of dropped posters in the run folders of a sweep on stderr, each once."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("**/notes.txt"))]
    print(*dict.fromkeys(texts), sep="\n", end="", file=sys.stderr)


def print_json(content):
    """Print `content` as indented JSON, with escapes if `sys.stdout` cannot encode a character."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2)
    print(text)


def print_scores(result):
    """Print the test scores of a run next to its baselines, from the content of `metrics.json`."""
    for name, score in result["test"].items():
        others = ", ".join(f"{key} {100 * v[name]:.1f}" for key, v in result["baselines"].items() if name in v)
        value, low, high = (100 * score[key] for key in ("value", "low", "high"))
        print(f"{name:<22} {value:5.1f}%  [{low:.1f}, {high:.1f}]  baselines: {others}")
