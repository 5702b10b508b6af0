"""All measurements of speed in one run, and the page of the benchmarks updated from them.

    python experiments/benchmarks/all.py DATA [--minutes 22] [--ratios 30,40]

The parts run one after the other. A part for which the time is not enough is left out and named, and its earlier
results stay. The sizes of the growth with posters and the cached features have scripts of their own.
"""

import argparse
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
# Expected seconds on 2 CPU cores, and the command of each part.
PARTS = {
    "reading": (110, ["speed.py", "DATA", "--tasks", "reading"]),
    "training": (190, ["speed.py", "DATA", "--tasks", "training"]),
    "profile and features": (200, ["speed.py", "DATA", "--tasks", "features,profile"]),
    "sweep": (580, ["speed.py", "DATA", "--tasks", "sweep", "--ratios", "RATIOS"]),
    "latency": (75, ["latency.py", "DATA"]),
    "cells": (60, ["growth_cells.py", "--cells", "CELLS"]),
}


def main():
    """Run the parts within the time, and print the measured parts of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data folder")
    parser.add_argument("--minutes", type=float, default=22, help="default: 22")
    parser.add_argument("--ratios", default="30,40", help="of the sweep, five cells each; default: 30,40")
    parser.add_argument("--cells", default="1,25", help="of the growth with cells; default: 1,25")
    options = parser.parse_args()
    values = {"DATA": options.data, "RATIOS": options.ratios, "CELLS": options.cells}
    ends, left_out = time.monotonic() + 60 * options.minutes, []
    for name, (seconds, arguments) in PARTS.items():
        started = time.monotonic()
        if started + 0.8 * seconds > ends:
            left_out.append(name)
            continue
        script, *others = arguments
        command = [sys.executable, str(HERE / script), *(values.get(word, word) for word in others)]
        try:
            status = subprocess.run(command, timeout=ends - started).returncode
        except subprocess.TimeoutExpired:
            status = "out of time"
        left_out += [f"{name} ({status})"] if status else []
        print(f"== {name}: {time.monotonic() - started:.0f} s", flush=True)
    subprocess.run([sys.executable, str(HERE / "page.py")], check=True)
    if left_out:
        sys.exit(f"Left out or failed: {', '.join(left_out)}")


if __name__ == "__main__":
    main()
