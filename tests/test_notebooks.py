"""Notebooks are tests too: committed without outputs, short cells, and all run top to bottom."""

import nbformat
import pytest

from poster_cnn import reproduce
from poster_cnn.workspace import find_repository

NOTEBOOKS = reproduce.find_notebooks(find_repository() / "notebooks")
NAMES = [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_committed_without_outputs_and_in_small_cells(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert len(cell.source.splitlines()) < 15
            assert not any(line.lstrip().startswith(("def ", "class ")) for line in cell.source.splitlines())


def test_all_run_on_the_embedded_dataset(tmp_path):
    failed = reproduce.reproduce(preset="quick", data=None, out=tmp_path)
    assert not failed
    assert [path.stem for path in sorted((tmp_path / "notebooks").glob("*.ipynb"))] == NAMES
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in report for name in NAMES) and "data:image/png;base64" in report
    assert 'src="http' not in report and "<script src" not in report


def test_the_longest_start_first_and_all_are_reported_in_order(tmp_path, monkeypatch):
    started, reported = [], []
    monkeypatch.setattr(reproduce, "_two_at_a_time", lambda run, *several: list(map(run, *several)))
    monkeypatch.setattr(reproduce, "run_notebook", lambda path, *_: started.append(path.stem) or f"{path.stem} broke")
    monkeypatch.setattr(reproduce, "write_report", lambda paths, *_: reported.extend(path.stem for path in paths))
    failed = reproduce.reproduce(preset="results", out=tmp_path)
    assert list(failed.items()) == [(name, f"{name} broke") for name in NAMES] and reported == NAMES
    assert sorted(started) == NAMES and [name[:2] for name in started] == [*reproduce._LONGEST, "01", "03", "04", "09"]


def test_all_are_redrawn_from_the_committed_results(tmp_path):
    assert not reproduce.reproduce(preset="results", out=tmp_path)
    assert not (tmp_path / "runs").exists()
    shown = sum(path.read_text().count('"image/png"') for path in (tmp_path / "notebooks").glob("*.ipynb"))
    assert shown >= len(list((tmp_path / "figures").glob("*.png"))) > 10  # each picture that is saved is seen, too


def test_a_failing_notebook_is_reported_and_the_others_still_run(tmp_path):
    cells = [nbformat.v4.new_code_cell("print('before')"), nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "07_breaks.ipynb")
    error = reproduce.run_notebook(tmp_path / "07_breaks.ipynb", tmp_path / "out" / "07_breaks.ipynb", {}, timeout=60)
    assert error.startswith("ZeroDivisionError")
    assert "before" in (tmp_path / "out" / "07_breaks.ipynb").read_text()


@pytest.mark.parametrize(("only", "chosen"), [("02", ["02_seven_layer_cnn"]), ("03,01", [NAMES[2], NAMES[0]])])
def test_notebooks_are_chosen_by_the_start_of_their_names(only, chosen):
    assert [path.stem for path in reproduce.find_notebooks(NOTEBOOKS[0].parent, only)] == chosen
