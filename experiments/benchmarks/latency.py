"""Latency of the command: seconds from the prompt to the answer, each in a new process.

    python experiments/benchmarks/latency.py DATA [--rounds 3] [--out RESULTS.csv]

Measures `--help`, `predict` of one poster, and `verify` of the posters of a data folder without and with the verdicts
of an earlier run. The first round of `--help` and `predict` reads the files of the libraries from disk and is left out.
Takes about 90 seconds on 2 CPU cores with 10,000 posters.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import pandas as pd

from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.results.collect import write_results
from poster_cnn.training.processor import about_machine

OUT = pathlib.Path(__file__).parents[1] / "results" / "benchmark_latency.csv"


def seconds(arguments, cache):
    """Return the seconds that a command takes with a cache folder."""
    environment = os.environ | {"POSTER_CNN_CACHE": str(cache)}
    command = [sys.executable, "-m", "poster_cnn", *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    if done.returncode > (arguments[0] == "verify"):  # which returns 1 if some are broken
        sys.exit(f"poster-cnn {arguments[0]} failed")
    return time.perf_counter() - started


def rows(data, rounds=3):
    """Measure all commands.

    Args:
        data: Path of a data folder.
        rounds: Number of measured rounds. Defaults to 3; `verify` without verdicts runs once.

    Returns:
        List of dicts: `command`, `posters`, `seconds` (median), `seconds_low`, `seconds_high`, `goal` and `rounds`.
    """
    posters = pathlib.Path(find_data_folder(data).posters)
    files = sorted(posters.glob("*.jpg"))
    found = []
    with tempfile.TemporaryDirectory() as cache:
        verify = ["verify", posters]
        for name, arguments, count, warm_up, goal in (
            ("--help", ["--help"], 0, True, 0.3),
            ("predict", ["predict", files[0]], 1, True, 3),
            ("verify, first time", verify, len(files), False, 12 * len(files) / 10_000),
            ("verify, again", verify, len(files), False, 2 * len(files) / 10_000),
        ):
            number = 1 if name == "verify, first time" else rounds
            measured = [seconds(arguments, cache) for _ in range(number + warm_up)][warm_up:]
            row = {"command": name, "posters": count, "seconds": statistics.median(measured)}
            row |= {"seconds_low": min(measured), "seconds_high": max(measured), "goal": goal, "rounds": number}
            print(f"poster-cnn {name}: {row['seconds']:.2f} s ({row['seconds_low']:.2f}–{row['seconds_high']:.2f})")
            found.append(row)
    return found


def main():
    """Measure all commands, and write and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default: experiments/results/")
    options = parser.parse_args()
    write_results(pd.DataFrame(rows(options.data, options.rounds)).assign(**about_machine()), options.out)


if __name__ == "__main__":
    main()
