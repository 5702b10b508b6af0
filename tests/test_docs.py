"""The documentation: every page builds without a warning, and the Python of the guides is valid."""

import pathlib
import re

import forked
import numpy as np
import pytest

from poster_cnn import metrics
from poster_cnn.metrics import baselines

REPOSITORY = pathlib.Path(__file__).parents[1]
SPHINX = """
import os, sys
from sphinx.cmd.build import main
os.chdir(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    pytest.importorskip("myst_nb", reason="needs the extra 'docs'")
    pytest.importorskip("furo", reason="needs the extra 'docs'")
    options = ["-W", "--keep-going", "-q", "-b", "html", "-c", "docs", "-d", tmp_path / "doctrees"]
    options += ["-D", "nb_execution_mode=off"]  # test_notebooks.py runs them with the same preset
    # Without the pages of the source code and furo's navigation, which take longer than everything else.
    options += ["-D", "extensions=myst_nb,sphinx.ext.autodoc,sphinx.ext.napoleon", "-D", "html_theme=basic"]
    forked.run(SPHINX, REPOSITORY, *options, ".", tmp_path / "html")
    for page in ("docs/index", "docs/clusters", "docs/api/models", "experiments/dave/README", "notebooks/01_dataset"):
        assert (tmp_path / "html" / f"{page}.html").is_file(), page


def test_every_metric_is_explained_with_its_chance():
    text = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [re.split(r" *\| *", row)[1:-1] for row in re.findall(r"^\| `.*$", text, re.MULTILINE)]
    assert {name.strip("`") for name, *_ in rows} == set(metrics.BY_NAME) and all(all(row) for row in rows)
    labels = np.array([[1, 1, 0, 0], [1, 0, 0, 0]])  # K = 4, q = 3/8
    expected = {"1 / K": 1 / 4, "q": 3 / 8, "50%": 0.5, "37.8%": 0.378}
    for name, _, chance, _ in rows:
        found = baselines.chance([name], labels).get(name)
        assert found is None or chance not in expected or found == pytest.approx(expected[chance], abs=5e-4), name


@pytest.mark.parametrize("path", sorted((REPOSITORY / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_python_of_the_guides_compiles(path):
    for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        compile(block, path.name, "exec")
