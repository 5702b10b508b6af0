"""The README and the pages of the papers: length, links, code, and tables that agree with the committed results."""

import json
import re
import runpy
import shutil

import pandas as pd
import pytest
from PIL import Image

import poster_cnn
from poster_cnn.results.pages import update_pages
from poster_cnn.workspace import find_repository

REPOSITORY = find_repository()
README = REPOSITORY / "README.md"
PAPERS = "dave wang zavala densenet lebaron".split()
PAGES = [REPOSITORY / "experiments" / paper / "README.md" for paper in PAPERS]
TEXTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("experiments/*/README.md")]
PAGE = """# Page

<!-- table: scores -->
| old |
<!-- end -->
between
<!-- table: scores (ours, network) --><!-- end -->
"""
SCORES = "| network | ours | low |\n| --- | ---: | ---: |\n| custom | 56.1 | 51.4 |\n"


def name_of(path):
    return str(path.relative_to(REPOSITORY))


def numbers(text):
    return {round(float(number), 1) for number in re.findall(r"\d+(?:\.\d+)?", text)}


def table_rows(page):
    tables = re.findall(r"<!-- table: .*? -->\n(.*?)<!-- end -->", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [row for table in tables for row in table.splitlines()]


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_python_of_the_readme_runs(data_folder, monkeypatch, capsys):
    monkeypatch.setattr(poster_cnn, "embedded_dataset", lambda: data_folder)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["model"].output_shape == (None, 3)
    assert "hit_at_1" in capsys.readouterr().out


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_relative_links_exist(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|mailto:|#", link)]
    assert [link for link in links if not (path.parent / link.split("#")[0]).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=PAPERS)
def test_tables_of_the_pages_are_saved_by_a_notebook(page):
    saved = set()
    for notebook in REPOSITORY.glob("notebooks/*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        saved |= set(re.findall(r'save_table\([^\n]*"(\w+)"', code))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"<!-- table: (\w+)", text)
    assert named and set(named) <= saved
    assert len(re.findall(r"<!-- table: .* -->\n\|", text)) == text.count("<!-- end -->") == len(named)


def test_numbers_of_the_readme_are_in_the_tables_of_the_pages():
    paper, found = None, 0
    for line in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 7 or "[" not in cells[4]:
            continue
        paper = re.search(r"experiments/(\w+)/", cells[0]).group(1) if "experiments" in cells[0] else paper
        pages = (REPOSITORY / "experiments" / page / "README.md" for page in (paper, "evidence"))  # which has seeds
        rows = [numbers(row) for page in pages for row in table_rows(page)]
        assert all(any(numbers(part) <= row for row in rows) for part in cells[4].split(";")), cells
        assert numbers(" ".join([cells[3], *cells[5:]])) <= set().union(*rows), cells
        found += 1
    assert found == 9


@pytest.fixture
def site(tmp_path):
    """A folder with a page of two markers in `experiments/paper`, and a table in `tables`."""
    page = tmp_path / "experiments" / "paper" / "README.md"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE.replace(" --><!--", " -->\n<!--"), encoding="utf-8")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "scores.md").write_text(SCORES, encoding="utf-8")
    return page


def test_update_pages_replaces_the_tables(site, tmp_path):
    assert update_pages(tmp_path / "tables", tmp_path) == [site]
    text = site.read_text(encoding="utf-8")
    assert f"<!-- table: scores -->\n{SCORES}<!-- end -->\nbetween\n" in text
    assert text.endswith("-->\n| ours | network |\n| ---: | --- |\n| 56.1 | custom |\n<!-- end -->\n")
    assert update_pages(tmp_path / "tables", tmp_path) == []


def test_update_pages_keeps_tables_that_are_missing(site, tmp_path):
    (tmp_path / "tables" / "scores.md").unlink()
    assert update_pages(tmp_path / "tables", tmp_path) == []


def test_update_pages_rejects_unknown_columns(site, tmp_path):
    (tmp_path / "tables" / "scores.md").write_text("| network |\n| --- |\n| custom |\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"table 'scores' must be among.*Received: \['ours'\]"):
        update_pages(tmp_path / "tables", tmp_path)


@pytest.mark.parametrize("paper", PAPERS)
def test_update_pages_restores_a_page_of_the_repository(paper, tmp_path):
    copy = tmp_path / "experiments" / paper / "README.md"
    copy.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "experiments" / paper / "README.md", copy)
    text = copy.read_text(encoding="utf-8")
    for name, table in re.findall(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", text, flags=re.DOTALL):
        (tmp_path / f"{name}.md").write_text(table, encoding="utf-8")
        copy.write_text(copy.read_text(encoding="utf-8").replace(table, "", 1), encoding="utf-8")
    assert update_pages(tmp_path, tmp_path) == [copy]
    assert copy.read_text(encoding="utf-8") == text


def test_figures_are_not_wider_than_a_page():
    widths = {path.name: Image.open(path).width for path in REPOSITORY.glob("figures/*.png")}
    assert len(widths) > 40 and max(widths.values()) <= 1400, max(widths, key=widths.get)


def test_the_speed_page_agrees_with_the_measurements(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "experiments" / "benchmarks")
    import page as benchmarks

    results = REPOSITORY / "experiments" / "results"
    text = (REPOSITORY / "experiments" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    page, tables = tmp_path / "experiments" / "benchmarks" / "README.md", tmp_path / "tables"
    for folder in (page.parent, tables):
        folder.mkdir(parents=True)
    page.write_text(text, encoding="utf-8")
    assert benchmarks.write_tables(tables) and not update_pages(tables, tmp_path)
    assert set(re.findall(r"<!-- table: benchmark_(\w+) -->", text)) == set(benchmarks.BLOCKS)
    page = text.replace(",", "")
    growth = pd.read_csv(results / "benchmark_growth.csv")
    growth = growth[["posters", "cache", "decode_per_s", "epoch_per_s", "train_per_s", "peak_mb"]]
    rows = [f"| {a} | {b} | {c:.0f} | {d:.0f} | {e:.0f} | {f:.0f} MB |" for a, b, c, d, e, f in growth.to_numpy()]
    assert all(row in page for row in rows)


def test_tables_of_the_shipped_networks_agree_with_the_results():
    results = REPOSITORY / "experiments" / "results"
    page = (REPOSITORY / "experiments" / "release" / "README.md").read_text(encoding="utf-8")
    recipes = pd.read_csv(results / "release_recipes.csv")
    for recipe, views, *scores in recipes.itertuples(index=False):
        assert f"| {recipe} | {views} | {' | '.join(f'{100 * score:.1f}' for score in scores)} |" in page
    (run,) = pd.read_csv(results / "release_posters_mobilenet_v2.csv").to_dict("records")
    for metric, name in (("average_precision", "macro"), ("average_precision_micro", "micro")):
        low, high = (run[f"{metric}_{end}"] for end in ("low", "high"))
        baselines = (run[f"{baseline}_{metric}"] for baseline in ("color_histogram", "label_prior"))
        row = f"| {name} | {100 * run[metric]:.1f} [{100 * low:.1f}, {100 * high:.1f}] | "
        assert row + " | ".join(f"{100 * score:.1f}" for score in baselines) + " |" in page
    (small,) = pd.read_csv(results / "release_posters_seven_layer.csv").to_dict("records")
    scores = (small[f"{name}first_label_accuracy"] for name in ("", "color_histogram_", "majority_"))
    assert (
        "{:.1%} of {} test movies, where the color histogram has {:.1%} and the most frequent genre\n{:.1%}".format(
            *(next(scores), small["num_test"]), *scores
        )
        in page
    )
    sizes = pd.read_csv(results / "release_exports.csv").set_index("format")["megabytes"]
    assert f"{sizes['onnx']} (ONNX, LiteRT) and {sizes['saved_model']} MB (SavedModel)" in " ".join(page.split())
    measured = runpy.run_path(str(REPOSITORY / "experiments" / "release" / "pack.py"))["measurements"]()
    card = (REPOSITORY / "poster_cnn" / "weights" / "posters_mobilenet_v2.md").read_text(encoding="utf-8")
    assert measured in page and card.endswith(f"## Further measurements\n\n{measured}")
    _, mirrored = recipes[recipes["recipe"].str.contains("evaluated")].to_dict("records")
    assert (
        f"{100 * mirrored['test_average_precision']:.1f} and {100 * mirrored['test_average_precision_micro']:.1f}"
        in page
    )
