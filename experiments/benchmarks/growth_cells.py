"""Seconds and memory of one sweep of 1, 25 and 250 cells, with a tiny network on tiny posters of the embedded dataset.

    python experiments/benchmarks/growth_cells.py [--cells 1,25,250] [--out RESULTS.csv]

Each number of cells is one process with an empty folder of runs. Training takes a small part of a cell, so this
measures what each cell costs besides: building and tracing the network, scores, intervals and files. A cell takes
about two seconds on 2 CPU cores.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from poster_cnn.results.collect import write_results
from poster_cnn.training.processor import about_machine

OUT = pathlib.Path(__file__).parents[1] / "results" / "benchmark_growth_cells.csv"


def measure(cells):
    """Return a row of the results, measured in this process."""
    import poster_cnn
    from poster_cnn.training.config import TrainingConfig
    from poster_cnn.tuning import Experiment
    from poster_cnn.tuning.sweep import sweep

    network = {"model": "two_conv_cnn", "model_args": {"filters": (2, 2), "dense_units": 4}}
    config = TrainingConfig(("Horror", "Romance"), image_size=(27, 18), max_movies=60, epochs=1, **network)
    experiment = Experiment(config, {"seed": tuple(range(cells))})
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        failed = sweep(experiment, poster_cnn.embedded_dataset(), folder, progress=False)
        seconds = time.time() - started
        finished = sorted(path.stat().st_mtime for path in pathlib.Path(folder).glob("*/metrics.json"))
        if failed or len(finished) != cells:
            raise RuntimeError(f"Cells failed: {failed}")
        again = time.time()
        sweep(experiment, poster_cnn.embedded_dataset(), folder, progress=False)
        check = time.time() - again
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # kilobytes on Linux
    first = finished[0] - started  # with the data
    later = (finished[-1] - finished[0]) / (cells - 1) if cells > 1 else seconds
    row = {"cells": cells, "seconds": seconds, "first_cell": first, "seconds_per_cell": later}
    return row | {"check_per_cell": check / cells, "peak_mb": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="1,25,250", help="default: 1,25,250")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default: experiments/results/")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    rows = []
    for cells in options.cells.split(","):
        command = [sys.executable, __file__, "--measure", cells]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    write_results(pd.DataFrame(rows).assign(**about_machine()), options.out)


if __name__ == "__main__":
    main()
