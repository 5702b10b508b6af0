"""The notebooks: small cells without outputs, which all run with the presets smoke and results, and the report."""

import contextlib
import io
import os
import re
import warnings

import nbformat
import pytest
from conftest import without_graphs
from PIL import Image, ImageChops

from poster_cnn import reproduce
from poster_cnn.datasets.embedded.dataset import embedded_dataset, make_dataset
from poster_cnn.files import read_json
from poster_cnn.results.pages import update_pages
from poster_cnn.tuning.experiment import load_experiment
from poster_cnn.tuning.sweep import sweep
from poster_cnn.workspace import find_repository, load_settings

NOTEBOOKS = reproduce.find_notebooks(find_repository() / "notebooks")
NAMES = [path.stem for path in NOTEBOOKS]
QUICKEST = ("01", "02", "03", "04")


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_cells_are_small_and_without_outputs(path):
    for cell in code_cells(path):
        assert not cell.outputs and cell.execution_count is None
        assert len(cell.source.splitlines()) < 15


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_extras_are_installed_from_the_repository(path):
    commands = re.findall(r"pip install [^`\n]*", path.read_text(encoding="utf-8"))
    assert all(command.startswith("pip install -e '.[") for command in commands)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_cells_define_no_functions_and_do_not_ask_for_the_preset(path):
    code = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"^\s*(def|class|if) | if |\blambda\b|\.preset|is None|runs_dir /", code, flags=re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_every_experiment_is_printed_before_it_is_run(path):
    code = "\n".join(cell.source for cell in code_cells(path))
    for name in re.findall(r"^(\w+) = workspace\.experiment\(", code, flags=re.MULTILINE):
        printed = re.search(rf"print\(.*\b{name}\b", code)
        used = re.search(rf"\b{name}\.(results|history)|\[.*\b{name}\b.*\]", code)
        assert path.stem[:2] == "03" or printed.start() < used.start()  # notebook 3 draws the runs of notebook 2


def shortened(source):
    """Return the code of a cell with one epoch and few posters, where it sets them itself."""
    return re.sub(r"\.head\(\d{3}\)", ".head(60)", re.sub(r"\bepochs=\d+", "epochs=1", source))


@pytest.fixture
def coarsely(monkeypatch):
    """Save coarse figures, and measure speed on few posters, which takes less time."""
    from matplotlib.figure import Figure

    from poster_cnn.results import evidence

    monkeypatch.setitem(evidence.prediction_seconds.__kwdefaults__, "num_posters", 64)
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda *figure, **options: save(*figure, **options | {"dpi": 40}))


def run_cells(path, skip=None):
    """Run the cells of a notebook one after the other, without a kernel, except for those that match a pattern."""
    from matplotlib import pyplot as plt

    names = {}
    for number, cell in enumerate(code_cells(path)):
        if skip and re.search(skip, cell.source):
            assert "save_" not in cell.source
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with warnings.catch_warnings(action="ignore"), without_graphs():  # tracing takes longer than a few steps
                exec(compile(shortened(cell.source), f"{path.stem}[{number}]", "exec"), names)
        plt.close("all")


@pytest.fixture(scope="module")
def with_trailers(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("movies") / "data", num_movies=120, trailers=True)


@pytest.fixture(scope="module")
def smoke_out(tmp_path_factory):
    """Folder of the runs, which notebook 3 takes from notebook 2."""
    return tmp_path_factory.mktemp("smoke")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem[:2] not in QUICKEST))
        for path in NOTEBOOKS
    ],
)
def test_runs_with_the_smoke_preset(path, smoke_out, monkeypatch, coarsely, shallow, with_trailers):
    for name, value in {"PRESET": "smoke", "DATA": with_trailers, "OUT": smoke_out}.items():
        monkeypatch.setenv(f"POSTER_CNN_{name}", str(value))
    run_cells(path)
    code = "\n".join(cell.source for cell in code_cells(path))
    saved = re.findall(r'save_(figure|table)\(.*, "(\w+)"', code)
    assert len(saved) >= 3
    for kind, name in saved:
        assert (smoke_out / f"{kind}s" / f"{name}.{ {'figure': 'png', 'table': 'csv'}[kind] }").stat().st_size > 0


@pytest.mark.slow
def test_report_of_the_quick_preset(tmp_path):
    chosen = ["01_dataset", "07_one_hot_sigmoid"]
    assert not reproduce.reproduce(preset="quick", only="01,07", out=tmp_path)
    assert [path.stem for path in sorted((tmp_path / "notebooks").glob("*.ipynb"))] == chosen
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in report for name in chosen) and "data:image/png;base64" in report
    assert 'src="http' not in report and "<script src" not in report
    figures = list((tmp_path / "figures").glob("*.png"))
    assert report.count("data:image/png;base64") >= len(figures) > 4  # every saved figure is shown too
    for path in (tmp_path / "report.html", *(tmp_path / "notebooks").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        assert str(tmp_path) not in text and os.environ["POSTER_CNN_CACHE"] not in text and "stderr" not in text


@pytest.mark.slow
def test_transfer_beats_chance_with_the_quick_preset(tmp_path):
    experiment = load_experiment(find_repository() / "experiments/zavala/transfer_leak_free.py", preset="quick")
    sweep(experiment, embedded_dataset(), tmp_path, progress=False)
    result = read_json(next(tmp_path.glob("*/metrics.json")))  # MobileNetV2 starts from the shipped weights
    test, chance = result["test"], result["chance"]
    assert test["first_label_accuracy"]["low"] > chance["first_label_accuracy"] == pytest.approx(1 / 6)
    assert test["movie_hit_at_1"]["low"] > chance["movie_hit_at_1"] > chance["first_label_accuracy"]


@pytest.mark.slow
def test_all_are_redrawn_from_the_committed_results(tmp_path, monkeypatch):
    for name, value in {"PRESET": "results", "DATA": "", "OUT": tmp_path}.items():
        monkeypatch.setenv(f"POSTER_CNN_{name}", str(value))
    for path in (path for path in NOTEBOOKS if path.stem != "12_your_own_posters"):
        run_cells(path, skip=r"\bmodel\.fit\(|\bfit\.history")  # demonstrations
    assert not (tmp_path / "runs").exists() and len(list((tmp_path / "figures").glob("*.png"))) > 40
    pages = {path: path.read_text() for path in find_repository().glob("experiments/*/README.md")}
    update_pages(tmp_path / "tables", find_repository())
    assert pages == {path: path.read_text() for path in pages}  # their tables agree with the results
    redrawn = [path.name for path in (tmp_path / "figures").glob("*.png")]
    committed = [path for path in find_repository().glob("figures/*.png") if path.name in redrawn]
    stale = [path.name for path in committed if not looks_like(path, tmp_path / "figures" / path.name)]
    assert not stale and len(committed) > 40


def looks_like(committed, redrawn):
    """Return whether two figures look alike, as far as the same version of Matplotlib drew both.

    Levels may differ a little, as processors round differently.
    """
    with Image.open(committed) as first, Image.open(redrawn) as second:
        if first.info["Software"] != second.info["Software"]:
            return True
        change = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
        return first.size == second.size and max(most for _, most in change.getextrema()) < 8


def test_the_longest_start_first_and_all_are_reported_in_order(tmp_path, monkeypatch):
    started, reported = [], []
    monkeypatch.setattr(reproduce, "_two_at_a_time", lambda run, *several: list(map(run, *several)))
    monkeypatch.setattr(reproduce, "run_notebook", lambda path, *_: started.append(path.stem) or f"{path.stem} broke")
    monkeypatch.setattr(reproduce, "write_report", lambda paths, path, *_: reported.extend(paths) or path)
    failed = reproduce.reproduce(preset="results", out=tmp_path)
    redrawn = [name for name in NAMES if name != "12_your_own_posters"]  # it trains, and has no committed results
    assert list(failed.items()) == [(name, f"{name} broke") for name in redrawn]
    assert [path.stem for path in reported] == sorted(started) == redrawn
    assert [name[:2] for name in started] == [
        "11",
        "08",
        "05",
        "10",
        "14",
        "02",
        "06",
        "07",
        "01",
        "03",
        "04",
        "09",
        "13",
    ]
    with pytest.raises(ValueError, match="with committed results"):
        reproduce.reproduce(preset="results", out=tmp_path, only="12")


def test_a_failing_notebook_is_reported_and_keeps_its_outputs(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("import sys; print('before'); print('a log', file=sys.stderr)"),
        nbformat.v4.new_code_cell("1 / 0"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "07_breaks.ipynb")
    executed = tmp_path / "out" / "07_breaks.ipynb"
    assert reproduce.run_notebook(tmp_path / "07_breaks.ipynb", executed, {}, timeout=60).startswith(
        "ZeroDivisionError"
    )
    assert "before" in executed.read_text() and "stderr" not in executed.read_text().replace("sys.stderr", "")
    assert "a log" in executed.with_suffix(".log").read_text()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_formulas_of_the_report_need_no_network(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    table = nbformat.v4.new_output(
        "display_data", {"text/html": "<table><tr><td>**55.5** (42.7)</td><td>9 (**50.5**)</td></tr></table>"}
    )
    notebook.cells.append(nbformat.v4.new_code_cell(outputs=[table]))
    nbformat.write(notebook, tmp_path / path.name)
    reproduce.write_report([tmp_path / path.name], tmp_path / "report.html", load_settings(preset="results"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    source = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    formulas = re.findall("<math.*?</math>", page, re.DOTALL)
    assert len(formulas) >= source.count("$$") / 2 and "$$" not in page
    assert "<td><b>55.5</b> (42.7)</td><td>9 (<b>50.5</b>)</td>" in page
    assert not any("\\" in formula for formula in formulas)  # a command that MathML lacks


@pytest.mark.parametrize(("only", "chosen"), [("02", ["02_seven_layer_cnn"]), ("03,01", [NAMES[2], NAMES[0]])])
def test_notebooks_are_chosen_by_the_start_of_their_names(only, chosen):
    assert [path.stem for path in reproduce.find_notebooks(NOTEBOOKS[0].parent, only)] == chosen
