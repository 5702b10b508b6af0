"""The package as a whole: quick to import, public names, rooms whose imports go one way, docstrings."""

import ast
import graphlib
import importlib
import pathlib
import re
import subprocess
import sys

import pytest

import poster_cnn

PACKAGE = pathlib.Path(poster_cnn.__file__).parent
SOURCES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# From the bottom to the top: a room imports only from rooms before it.
ROOMS = (
    "files metrics models movies datasets training multimodal tuning results figures evaluation workspace reproduce cli"
).split()
PACKAGES = [room for room in ROOMS if (PACKAGE / room).is_dir() and room != "cli"]  # the library's
FUNCTIONS = "encode_genres evaluate genre_counts load_model load_movie_table load_settings predict train train_ensemble"


def imported_modules(path):
    """Full names of everything that a source file imports, anywhere in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def run_python(script, **environment):
    out = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return out.stdout.splitlines()


def test_import_is_quick_and_lazy(monkeypatch):
    monkeypatch.delenv("EAGER_IMPORT", raising=False)
    script = """
import sys, time
started = time.perf_counter()
import poster_cnn
print(time.perf_counter() - started)
print(*{name.split(".")[0] for name in sys.modules})
"""
    seconds, modules = run_python(script)
    assert not {"tensorflow", "keras", "sklearn", "matplotlib", "seaborn", "pandas", "numpy"} & set(modules.split())
    assert float(seconds) < 1  # 0.05 on an idle machine


@pytest.mark.parametrize("chosen, expected", [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_enables_onednn_unless_the_user_decides(chosen, expected):
    script = "import os, poster_cnn; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    assert run_python(script, PYTHONPATH=str(PACKAGE.parent), **chosen) == [expected]


def test_help_is_quick_and_imports_no_command():
    script = """
import sys
from poster_cnn.cli import main
try:
    main(["--help"])
except SystemExit:
    print(*sys.modules)
"""
    *text, modules = run_python(script)
    modules = set(modules.split())
    assert all(f"    {name}" in "\n".join(text) for name in ("train", "predict", "audit"))
    assert {name for name in modules if name.startswith("poster_cnn.cli.")} == {"poster_cnn.cli.stderr_filter"}
    assert not {"tensorflow", "keras", "pandas", "numpy", "PIL", "tqdm", "filelock"} & modules  # 0.1 s without them


def test_public_names():
    assert len(poster_cnn.__all__) <= 25
    assert sorted(poster_cnn.__all__) == dir(poster_cnn)
    assert {*PACKAGES, *FUNCTIONS.split()} <= set(poster_cnn.__all__)
    for name in poster_cnn.__all__:
        assert getattr(poster_cnn, name) is not None


@pytest.mark.parametrize("name", FUNCTIONS.split())
def test_public_functions_are_functions_whatever_is_imported(name):
    for module in ("evaluation.predict", "evaluation.evaluate", "training.train", "multimodal.train"):
        importlib.import_module(f"poster_cnn.{module}")
    assert callable(getattr(poster_cnn, name)) and getattr(poster_cnn, name).__name__ == name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="poster_cnn.*modles"):
        poster_cnn.modles  # noqa: B018


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_no_exported_name_is_a_module_too(package):
    exported = set(getattr(importlib.import_module(f"poster_cnn.{package}".rstrip(".")), "__all__", []))
    modules = {path.stem for path in (PACKAGE / package).glob("*.py")}
    assert not exported & modules


def test_top_of_the_package():
    names = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    names -= {"__pycache__", "weights"}  # which holds no code
    assert names == {*ROOMS, "__init__", "__main__"} and len(PACKAGES) == 10


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_from_rooms_below(room):
    below = {"poster_cnn", *(f"poster_cnn.{name}" for name in ROOMS[: ROOMS.index(room) + 1])}
    upward = {
        f"{module} imports {name}"
        for module, path in SOURCES.items()
        if module.split(".")[1:2] == [room]
        for name in imported_modules(path)
        if name.startswith("poster_cnn.") and ".".join(name.split(".")[:2]) not in below
    }
    assert not upward


def test_imports_have_no_circles():
    graph = {
        # A package that re-exports names of its modules depends on them, and they do not depend on it.
        module: {name for name in imported_modules(path) if name in SOURCES and not f"{module}.".startswith(f"{name}.")}
        for module, path in SOURCES.items()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order()), "raises CycleError, which names the circle"


@pytest.mark.parametrize("room", ["models", "metrics"])
def test_rooms_without_tensorflow(room):
    used = {name.split(".")[0] for path in (PACKAGE / room).glob("*.py") for name in imported_modules(path)}
    assert not used & {"tensorflow", "torch", "jax"}, f"poster_cnn.{room} must run on every Keras backend"


def test_files_are_short():
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in SOURCES.items()}
    assert not {module: number for module, number in lines.items() if number > 330}


def test_docstrings_open_with_a_verb_or_a_noun():
    clause = re.compile(r"\s*(What|Who|Whom|Whose|Where|Which|Of|Whether|How|As|Those|Only)\b")
    nodes = (ast.FunctionDef, ast.ClassDef, ast.Module)
    found = [
        f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 1)}"
        for path in SOURCES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, nodes) and clause.match(ast.get_docstring(node) or "")
    ]
    assert not found


UNIX_FUNCTIONS = (
    "chown chroot fchmod fork forkpty getegid geteuid getgid getloadavg getpgid getuid killpg lockf mkfifo mknod nice "
    "posix_fadvise posix_fallocate pread preadv pwrite pwritev sched_getaffinity sched_setaffinity sendfile setsid "
    "statvfs sysconf uname wait wait3 wait4 waitid SIGALRM SIGCHLD SIGHUP SIGKILL SIGUSR1 SIGUSR2 alarm pthread_kill"
).split()


@pytest.mark.parametrize("room", ROOMS)
def test_functions_that_windows_lacks_are_guarded(room):
    unguarded = set()
    for module, path in SOURCES.items():
        if module.split(".")[1:2] != [room]:
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            is_used = isinstance(node, ast.Attribute) and node.attr in UNIX_FUNCTIONS
            if is_used and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
                guards = (f'hasattr({node.value.id}, "{node.attr}")', "suppress(AttributeError")
                unguarded |= set() if any(guard in text for guard in guards) else {f"{module}: {node.attr}"}
        unguarded |= {"fcntl", "grp", "pwd", "resource", "termios"} & set(imported_modules(path))
    assert not unguarded
