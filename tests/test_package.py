"""The package as a whole: quick to import, every public name there, imports that go one way."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

import poster_cnn

PACKAGE = pathlib.Path(poster_cnn.__file__).parent


def imported_modules(path):
    """Full names of everything that a source file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_import_is_quick_and_lazy():
    script = """
import sys, time
started = time.perf_counter()
import poster_cnn
print(time.perf_counter() - started)
print(*{name.split(".")[0] for name in sys.modules})
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    seconds, modules = out.splitlines()
    assert not {"tensorflow", "keras", "sklearn", "matplotlib", "seaborn", "pandas"} & set(modules.split())
    assert float(seconds) < 1  # 0.3 on an idle machine


@pytest.mark.parametrize("name", poster_cnn.__all__)
def test_every_public_name_is_there(name):
    assert getattr(poster_cnn, name) is not None
    assert name in dir(poster_cnn)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'modles'"):
        poster_cnn.modles  # noqa: B018


@pytest.mark.parametrize("path", sorted((PACKAGE / "models").glob("*.py")), ids=lambda path: path.name)
def test_models_use_keras_alone(path):
    used = {name.split(".")[0] for name in imported_modules(path)}
    assert not used & {"tensorflow", "torch", "jax"}, "poster_cnn.models must run on every Keras backend"


def test_imports_go_one_way():
    sources = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    graph = {
        module: {name for name in imported_modules(path) if name in sources and name not in ("poster_cnn", module)}
        for module, path in sources.items()
    }
    for module, needed in graph.items():  # what a package re-exports may import the package's neighbours, not itself
        graph[module] = {name for name in needed if not module.startswith(name + ".")}
    assert list(graphlib.TopologicalSorter(graph).static_order()), "raises CycleError, naming the cycle"
