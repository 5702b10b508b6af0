"""Runs the notebooks top to bottom and gathers what they show in one report."""

import datetime
import html
import os
import pathlib
import time
from concurrent import futures

import nbclient
import nbformat
from nbconvert import HTMLExporter

from poster_cnn.files import locked, write_atomically
from poster_cnn.workspace import load_settings

_TIMEOUT = {"quick": 1800, "results": 600, "paper": None}  # seconds a cell
# Started first, so that none of them runs on alone at the end; the others are short, or wait for runs of these.
_LONGEST = ("05", "08", "06", "10", "02", "11", "07")


def reproduce(*, preset=None, data=None, out=None, precision=None, only=None):
    """Runs the numbered notebooks, and leaves executed notebooks, figures, tables and `report.html`.

    Args:
        preset: As `settings.load_settings`.
        data: As `settings.load_settings`.
        out: As `settings.load_settings`.
        precision: As `settings.load_settings`.
        only: Start of the names of the notebooks to run, such as `"02"`; several separated by commas. Defaults to
            `None`: all.

    Returns:
        dict: notebook name -> error text, for those that failed. Empty if all went well.

    Raises:
        ValueError: If the preset or the notebook is unknown.
        FileNotFoundError: If the data folder lacks what is needed.
        BlockingIOError: If another process is reproducing into the same folder.
    """
    settings = load_settings(preset=preset, data=data, out=out, precision=precision)
    notebooks = find_notebooks(settings.repository / "notebooks", only)
    environment = {
        "POSTER_CNN_PRESET": settings.preset,
        "POSTER_CNN_DATA": str(settings.data or ""),
        "POSTER_CNN_OUT": str(settings.out),
        "POSTER_CNN_PRECISION": settings.precision or "",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # pictures in the notebook, whatever is set outside
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
    }
    with locked(settings.out):
        return _reproduce(settings, notebooks, environment)


def _reproduce(settings, notebooks, environment):
    print(f"preset {settings.preset}, data {settings.data or 'committed results'}", flush=True)
    executed_dir = settings.out / "notebooks"

    def run(number, path):
        print(f"[{number}/{len(notebooks)}] {path.stem} …", flush=True)
        started = time.monotonic()
        error = run_notebook(path, executed_dir / path.name, environment, _TIMEOUT[settings.preset])
        print(f"      {path.stem} {'failed' if error else 'done'} in {time.monotonic() - started:.0f} s", flush=True)
        return error

    numbers = range(1, len(notebooks) + 1)
    if settings.preset == "paper":  # keeps all cores busy, and stops at once when interrupted
        errors = dict(zip(notebooks, map(run, numbers, notebooks), strict=True))
    else:
        in_order = sorted(notebooks, key=_start)
        errors = dict(zip(in_order, _two_at_a_time(run, numbers, in_order), strict=True))
    failed = {path.stem: errors[path] for path in notebooks if errors[path]}
    report = write_report([executed_dir / path.name for path in notebooks], settings.out / "report.html", settings)
    for name, folder in (
        ("notebooks", executed_dir),
        ("figures", settings.out / "figures"),
        ("tables", settings.out / "tables"),
    ):
        if folder.is_dir():
            print(f"{name:<10} {folder}")
    print(f"{'report':<10} {report}")
    return failed


def _start(path):
    number = path.stem[:2]
    return _LONGEST.index(number) if number in _LONGEST else len(_LONGEST)


def _two_at_a_time(run, numbers, notebooks):
    # Imports and small trainings keep one core busy. Run folders are locked, so two notebooks that want the same run
    # wait for each other.
    pool = futures.ThreadPoolExecutor(2)
    try:
        return list(pool.map(run, numbers, notebooks))
    except KeyboardInterrupt:
        print("\ninterrupted; the notebooks that run come to their end …", flush=True)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def find_notebooks(folder, only=None):
    """The numbered notebooks of a folder, all or those whose names start as asked.

    Raises:
        ValueError: If a name asked for matches none.
    """
    notebooks = sorted(pathlib.Path(folder).glob("[0-9][0-9]_*.ipynb"))
    if not only:
        return notebooks
    chosen = []
    for start in str(only).split(","):
        matching = [path for path in notebooks if path.stem.startswith(start.strip().removesuffix(".ipynb"))]
        if not matching or not start.strip():
            names = ", ".join(path.stem for path in notebooks)
            raise ValueError(f"Unknown notebook. Expected one of {names}. Received: only={only!r}")
        chosen += [path for path in matching if path not in chosen]
    return chosen


def run_notebook(path, executed_path, environment, timeout=None):
    """Executes one notebook in a kernel of its own and saves it with its outputs, also when a cell fails.

    Args:
        path: The notebook; it is not changed.
        executed_path: Where the executed copy goes.
        environment: Further environment variables of the kernel.
        timeout: Longest time of a cell in seconds. Defaults to `None`: no limit.

    Returns:
        `None`, or the error text of the cell that failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    error = None
    log = executed_path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("w") as stderr:  # what the kernel itself says, beside what the cells print
            client.execute(env=os.environ | environment, stderr=stderr)
    except nbclient.exceptions.CellExecutionError as failure:
        error = f"{failure.ename}: {failure.evalue}"
    except (nbclient.exceptions.CellTimeoutError, nbclient.exceptions.DeadKernelError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    with write_atomically(executed_path) as temporary:
        nbformat.write(notebook, temporary)
    return error


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
