"""Sphinx configuration. The source folder is the repository, so links between pages work here and on GitHub."""

import os
import pathlib
import re
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",
    POSTER_CNN_PRESET="results",
    POSTER_CNN_DATA="",
    POSTER_CNN_OUT=str(REPOSITORY / "docs" / "_build" / "reproduced"),
    PYTHONPATH=str(REPOSITORY),
)

import poster_cnn  # noqa: E402

project = "poster_cnn"
author = "The poster_cnn authors"
copyright = f"2026, {author}"
version = release = poster_cnn.__version__
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/api/*.md",
    "experiments/*/README.md",
    "poster_cnn/weights/*.md",
    "notebooks/*.ipynb",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = ["docs/_build", ".venv", ".git", "reproduced", "runs", "build"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
nb_merge_streams = True

html_theme = "furo"
html_title = f"poster_cnn {release}"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

ROOMS = {
    "movies": "Movie tables, genres, metadata and splits",
    "datasets": "Reading, verifying, decoding and caching posters, and the embedded dataset",
    "models": "Builders of networks",
    "metrics": "Scores, baselines, thresholds and intervals",
    "training": "Training of one network into a run folder",
    "multimodal": "Ensembles of posters, plots, metadata and trailers",
    "tuning": "Sweeps and random searches",
    "results": "Results of runs, and the tables of the papers",
    "figures": "Figures from tables",
    "evaluation": "Predictions and scores of finished runs",
}


def _write_api_pages():
    """Write a page per package with the docstrings of its modules, those with names in `__init__.py` first."""
    folder, package = REPOSITORY / "docs" / "api", REPOSITORY / "poster_cnn"
    folder.mkdir(exist_ok=True)
    pages = {"workspace": ("Workspace, report and files", ["workspace", "reproduce", "files"])}
    for room, title in ROOMS.items():
        exported = (package / room / "__init__.py").read_text(encoding="utf-8")
        names = [path.stem for path in (package / room).glob("*.py") if path.stem != "__init__"]
        names += ["embedded.dataset"] * (room == "datasets")
        places = {name: exported.find(f'"{name}"') % (len(exported) + 1) for name in names}
        pages[room] = (title, [f"{room}.{name}" for name in sorted(names, key=lambda name: (places[name], name))])
    for page, (title, modules) in pages.items():
        parts = [f"# poster_cnn.{page}\n\n{title}.\n"]
        directive = "\n## {0}\n\n```{{eval-rst}}\n.. automodule:: poster_cnn.{0}\n   :members:\n```\n"
        text = "".join(parts + [directive.format(name) for name in modules])
        path = folder / f"{page}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
            path.write_text(text, encoding="utf-8")
    for path in set(folder.glob("*.md")) - {folder / f"{page}.md" for page in pages}:
        path.unlink()


def _mark_code(app, kind, name, obj, options, lines):
    """Show names in single backticks as code, also in plurals."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)(\w*)", r"``\1``\\ \2", line) for line in lines]


def _write_entrance(app, exception):
    """Write an `index.html` that leads to the first page."""
    if exception is None and app.builder.name == "html":
        page = f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={root_doc}.html"><title>{project}</title>\n'
        (pathlib.Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app):
    _write_api_pages()
    app.connect("autodoc-process-docstring", _mark_code, priority=400)  # before napoleon
    app.connect("build-finished", _write_entrance)
