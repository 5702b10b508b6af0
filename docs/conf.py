"""Sphinx configuration. The source folder is the repository, so that links between its pages work here and on GitHub."""

import os
import pathlib
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
version = release = poster_cnn.__version__
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/api/*.md",
    "experiments/*/README.md",
    "notebooks/*.ipynb",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = ["docs/_build", ".venv", ".git", "reproduced", "runs", "build"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False
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


def _write_entrance(app, exception):
    """Write an `index.html` that leads to the first page."""
    if exception is None and app.builder.name == "html":
        page = f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={root_doc}.html"><title>{project}</title>\n'
        (pathlib.Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("build-finished", _write_entrance)
