"""Speed of reading posters, training networks and sweeping grids, compared with alternatives.

    python experiments/benchmarks/speed.py DATA [--tasks reading,training,sweep] [--out RESULTS.csv]

Writes and prints a row for each side of each comparison, and draws the ratios in figures/ or next to RESULTS.csv. A
task that is run again replaces its rows. PyTorch is included if it is installed. Takes about 20 minutes on 2 CPU cores.
"""

import argparse
import os
import pathlib
import platform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import importlib.metadata

import pandas as pd
import reading
import sweep
import training
from draw import draw_ratios

from poster_cnn.datasets.verify import check_posters
from poster_cnn.files import write_atomically
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.table import load_movie_table
from poster_cnn.results import tables
from poster_cnn.results.collect import write_results
from poster_cnn.training.processor import processor_flags

NUM_POSTERS = 2048
TASKS = ("reading", "training", "sweep")
EXPERIMENTS = pathlib.Path(__file__).parents[1]
OUT = EXPERIMENTS / "results" / "benchmark_speed.csv"
PICTURE = EXPERIMENTS.parent / "figures" / "benchmark_speed.png"


def load_table(data):
    """Return the first 2,048 usable posters of paper 1's genres."""
    folder = find_data_folder(data)
    table = load_movie_table(folder.csv, posters_dir=folder.posters, genres=reading.CLASS_NAMES)
    return check_posters(table)[0].head(NUM_POSTERS)


def measure(task, data):
    """Return the rows of one task, with the processor and versions."""
    rows = (
        sweep.rows(data) if task == "sweep" else {"reading": reading, "training": training}[task].rows(load_table(data))
    )
    packages = ("tensorflow", "keras", "torch", "pillow", "numpy")
    versions = {f"{name}_version": _version(name) for name in packages}
    named = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = " ".join(name for name in named if name in processor_flags())
    about = {"processor": _processor(), "flags": flags, "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "")}
    return pd.DataFrame(rows).assign(group=task, cores=os.cpu_count(), **about, **versions)


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data folder")
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of reading, training, sweep (default: all)")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default: experiments/results/")
    options = parser.parse_args()
    for task in options.tasks.split(","):
        found = measure(task, options.data)
        if options.out.is_file():
            old = pd.read_csv(options.out)
            found = pd.concat([old[old["group"] != task], found], ignore_index=True)
        write_results(found, options.out)
    shown = found[["task", "side", "rate", "unit", "ratio", "ratio_low", "ratio_high", "goal"]]
    print(tables.to_markdown(shown, digits=2))
    picture = PICTURE if options.out == OUT else options.out.with_suffix(".png")
    with write_atomically(picture) as temporary:
        draw_ratios(found).savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.05, dpi=200)
    print(f"written to {options.out} and {picture}")


if __name__ == "__main__":
    main()
