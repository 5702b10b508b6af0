"""Run the notebooks from top to bottom and write one report of their text, tables and figures."""

import datetime
import html
import os
import pathlib
import re
import time
from concurrent import futures

import nbclient
import nbformat
from latex2mathml import converter as latex2mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from poster_cnn.files import locked, safe_output, write_atomically, write_text
from poster_cnn.results.pages import update_pages
from poster_cnn.workspace import load_settings

_TIMEOUT = {"quick": 1800, "smoke": 1800, "results": 600, "paper": None}  # seconds per cell
# Started first, so that no long notebook runs alone at the end. The others are short, or wait for runs of these.
_LONGEST = ("11", "08", "05", "10", "14", "02", "06", "12", "07")
_WITHOUT_RESULTS = ("12",)  # trains on the data at hand, so there are no committed results to redraw


def reproduce(*, preset=None, data=None, out=None, precision=None, only=None):
    """Run the numbered notebooks, and write executed notebooks, figures, tables and `report.html`.

    With the preset `"results"`, the tables in `experiments/<paper>/README.md` are rewritten too; see `update_pages`.

    Args:
        preset, data, out, precision: See `load_settings`.
        only: Start of the names of the notebooks to run, such as `"02"`; several are separated by commas. Defaults to
            `None`: all notebooks.

    Returns:
        dict: name of each failed notebook -> its error. Empty if no notebook failed.

    Raises:
        ValueError: If the preset or the notebook is unknown.
        FileNotFoundError: If the data folder lacks a file.
        BlockingIOError: If another process is writing to the same folder.
    """
    workspace = load_settings(preset=preset, data=data, out=out, precision=precision)
    notebooks = find_notebooks(workspace.repository / "notebooks", only)
    if workspace.preset == "results":
        notebooks = [path for path in notebooks if path.stem[:2] not in _WITHOUT_RESULTS]
        if not notebooks:
            raise ValueError(f"`only` must name a notebook with committed results. Received: only={only!r}")
    with locked(workspace.out), safe_output():
        return _reproduce(workspace, notebooks)


def _reproduce(workspace, notebooks):
    print(workspace, flush=True)
    executed_dir = workspace.out / "notebooks"
    environment = {
        "POSTER_CNN_PRESET": workspace.preset,
        "POSTER_CNN_DATA": str(workspace.data or ""),
        "POSTER_CNN_OUT": str(workspace.out),
        "POSTER_CNN_PRECISION": workspace.precision or "",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # figures in the notebook, whatever is set outside
    }

    def run(number, path):
        print(f"[{number}/{len(notebooks)}] {path.stem} …", flush=True)
        started = time.monotonic()
        error = run_notebook(path, executed_dir / path.name, environment, _TIMEOUT[workspace.preset])
        print(f"      {path.stem} {'failed' if error else 'done'} in {time.monotonic() - started:.0f} s", flush=True)
        return error

    numbers = range(1, len(notebooks) + 1)
    if workspace.preset == "paper":  # each training uses all cores, and an interrupt stops it at once
        errors = dict(zip(notebooks, map(run, numbers, notebooks), strict=True))
    else:
        in_order = sorted(notebooks, key=_start)
        errors = dict(zip(in_order, _two_at_a_time(run, numbers, in_order), strict=True))
    report = write_report([executed_dir / path.name for path in notebooks], workspace.out / "report.html", workspace)
    folders = [workspace.out / name for name in ("notebooks", "figures", "tables")]
    for path in (*filter(pathlib.Path.is_dir, folders), report):
        print(f"{path.stem:<10} {path}")
    if workspace.preset == "results":
        for page in update_pages(workspace.out / "tables", workspace.repository):
            print(f"updated    {page}")
    return {path.stem: errors[path] for path in notebooks if errors[path]}


def _start(path):
    number = path.stem[:2]
    return _LONGEST.index(number) if number in _LONGEST else len(_LONGEST)


def _two_at_a_time(run, numbers, notebooks):
    # Imports and small trainings use one core. Run folders are locked, so two notebooks with the same run wait.
    pool = futures.ThreadPoolExecutor(2)
    try:
        return list(pool.map(run, numbers, notebooks))
    except KeyboardInterrupt:
        print("\ninterrupted; the notebooks that have started are finished first …", flush=True)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def find_notebooks(folder, only=None):
    """Return the paths of the numbered notebooks of a folder, or of those whose names start as `only` asks.

    Raises:
        ValueError: If a name in `only` matches no notebook.
    """
    notebooks = sorted(pathlib.Path(folder).glob("[0-9][0-9]_*.ipynb"))
    if not only:
        return notebooks
    chosen = []
    for start in str(only).split(","):
        matching = [path for path in notebooks if path.stem.startswith(start.strip().removesuffix(".ipynb"))]
        if not matching or not start.strip():
            names = ", ".join(path.stem for path in notebooks)
            raise ValueError(f"`only` must start the name of one of {names}. Received: only={only!r}")
        chosen += [path for path in matching if path not in chosen]
    return chosen


def run_notebook(path, executed_path, environment, timeout=None):
    """Execute a notebook in its own kernel, and save it with its outputs even if a cell fails.

    Logs and progress bars go to a `.log` file next to the executed notebook.

    Args:
        path: The notebook, which is not changed.
        executed_path: Path of the executed copy.
        environment: Additional environment variables of the kernel.
        timeout: Time limit of a cell in seconds. Defaults to `None`: no limit.

    Returns:
        `None`, or the error of the cell that failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    error = None
    log = executed_path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8", errors="backslashreplace") as stderr:
        try:
            client.execute(env=os.environ | environment, stderr=stderr)
        except nbclient.exceptions.CellExecutionError as failure:
            error = f"{failure.ename}: {failure.evalue}"
        except (nbclient.exceptions.CellTimeoutError, nbclient.exceptions.DeadKernelError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        stderr.write(_without_noise(notebook))
    with write_atomically(executed_path) as temporary:
        nbformat.write(notebook, temporary)
    return error


def _without_noise(notebook):
    """Remove logs and progress bars from the outputs, and return the text of the logs."""
    logs = []
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        logs += [output.text for output in outputs if output.get("name") == "stderr"]
        bars = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
        if outputs:
            cell.outputs = [output for output in outputs if output.get("name") != "stderr" and output not in bars]
    return "".join(logs)


_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } section { border-top: 1px solid #ccc; margin-top: 3rem; }
img { max-width: 100%; height: auto; } nav a { margin-right: 1.2em; } .failed { color: #a00; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 0.7rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
.output_subarea { overflow-x: auto; } pre { overflow-x: auto; font-size: 0.8rem; background: #f6f6f6; padding: 0.5rem; }
a.anchor-link, .prompt { display: none; }
"""


class _RendererWithMathML(IPythonRenderer):
    """Convert Markdown with formulas that a browser draws itself: MathJax would have to be loaded from the network."""

    def block_math(self, body):
        return latex2mathml.convert(body, display="block")

    def inline_math(self, body):
        return latex2mathml.convert(body)


def _markdown_to_html(source):
    return MarkdownWithMath(renderer=_RendererWithMathML(escape=False)).render(source)


def write_report(notebooks, path, workspace):
    """Write one self-contained HTML page with the text, tables and figures of executed notebooks, without code.

    Args:
        notebooks: Paths of executed notebooks, in order.
        path: File to write.
        workspace: `Workspace` of the run, named at the top.

    Returns:
        `pathlib.Path` of the page.
    """
    filters = {"markdown2html": _markdown_to_html}
    exporter = HTMLExporter(template_name="basic", exclude_input=True, filters=filters)
    links, sections = [], []
    for file in map(pathlib.Path, notebooks):
        notebook = nbformat.read(file, as_version=4)
        failed = _take_error(notebook)
        body, _ = exporter.from_notebook_node(notebook)
        body = re.sub(r"\*\*([\d.]+)\*\*", r"<b>\1</b>", body)  # Markdown in the cells of `comparison_grid`
        name = html.escape(file.stem)
        links.append(f'<a href="#{name}">{name}</a>')
        warning = f'<p class="failed">This notebook stopped with an error: {html.escape(failed)}</p>' if failed else ""
        sections.append(f'<section id="{name}">{warning}{body}</section>')
    source = html.escape(workspace.data.name if workspace.data else "committed results of real runs")
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>poster_cnn: reproduction report</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>poster_cnn: reproduction report</h1>
<p>Preset <b>{workspace.preset}</b>, data <b>{source}</b>, {datetime.date.today().isoformat()}</p>
<nav>{" ".join(links)}</nav>{"".join(sections)}</body></html>"""
    write_text(path, page)
    return pathlib.Path(path)


def _take_error(notebook):
    """Remove the traceback that stopped a notebook, and return its last line; "" if there is none."""
    failed = ""
    for cell in notebook.cells:
        for output in [output for output in cell.get("outputs", []) if output.output_type == "error"]:
            failed = f"{output.ename}: {output.evalue}"
            cell.outputs.remove(output)
    return failed
