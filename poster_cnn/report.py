"""Executed notebooks -> one self-contained HTML page."""

import datetime
import html
import pathlib

import nbformat
from nbconvert import HTMLExporter

from poster_cnn.files import write_atomically

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } section { border-top: 1px solid #ccc; margin-top: 3rem; }
img { max-width: 100%; height: auto; } nav a { margin-right: 1.2em; } .failed { color: #a00; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 0.7rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
.scroll { overflow-x: auto; } pre { overflow-x: auto; font-size: 0.8rem; background: #f6f6f6; padding: 0.5rem; }
a.anchor-link { display: none; } .jp-OutputPrompt, .jp-InputPrompt { display: none; }
"""


def write_report(notebooks, path, settings):
    """Writes one HTML page with the text, tables and pictures of executed notebooks; code is left out.

    The page needs no other file: pictures are inside it.

    Args:
        notebooks: Paths of executed notebooks, in order.
        path: File to write.
        settings: `Settings` of the run, named at the top.

    Returns:
        `pathlib.Path` of the page.
    """
    exporter = HTMLExporter(template_name="basic", exclude_input=True)
    links, sections = [], []
    for file in map(pathlib.Path, notebooks):
        notebook = nbformat.read(file, as_version=4)
        failed = _drop_noise(notebook)
        body, _ = exporter.from_notebook_node(notebook)
        name = html.escape(file.stem)
        links.append(f'<a href="#{name}">{name}</a>')
        warning = f'<p class="failed">This notebook stopped with an error: {html.escape(failed)}</p>' if failed else ""
        sections.append(f'<section id="{name}">{warning}{body}</section>')
    source = html.escape(str(settings.data.name if settings.data else "committed results of real runs"))
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>poster_cnn: reproduction report</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>poster_cnn: reproduction report</h1>
<p>Preset <b>{settings.preset}</b>, data <b>{source}</b>, {datetime.date.today().isoformat()}</p>
<nav>{" ".join(links)}</nav>{"".join(sections)}</body></html>"""
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return pathlib.Path(path)


def _drop_noise(notebook):
    """Removes logs and progress bars; returns the error that stopped the notebook, "" if none."""
    failed = ""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                failed = f"{output.ename}: {output.evalue}"
        cell["outputs"] = [
            output
            for output in cell.get("outputs", [])
            if output.output_type != "error"
            and not (output.output_type == "stream" and output.name == "stderr")
            and "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
        ]
    return failed
