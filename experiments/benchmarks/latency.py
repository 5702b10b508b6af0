"""Latency of the command: seconds from the prompt to the answer, each in a new process.

    python experiments/benchmarks/latency.py POSTER [--rounds 5]

The goals, on 2 quiet cores, are 0.3 seconds for `--help` and 3 seconds for `predict` of one poster. The first round
reads the files of the libraries from disk and is left out.
"""

import argparse
import statistics
import subprocess
import sys
import time


def seconds(arguments):
    """Return the seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "poster_cnn", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main():
    """Print the median, minimum and maximum of each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poster", metavar="POSTER")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for command in (["--help"], ["predict", options.poster]):
        _, *rounds = [seconds(command) for _ in range(options.rounds + 1)]
        found = f"{statistics.median(rounds):.2f} s ({min(rounds):.2f}–{max(rounds):.2f})"
        print(f"poster-cnn {command[0]:<8} {found}")


if __name__ == "__main__":
    main()
