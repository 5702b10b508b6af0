"""Seconds of each kind of operation in an epoch of the seven-layer network, as oneDNN reports them.

    python experiments/benchmarks/op_profile.py

trains on random posters in memory in a process of its own, once with oneDNN's reports and once without, for the time.
"""

import os
import subprocess
import sys

import pandas as pd

COUNT = 1024
SCRIPT = """
import time
import numpy as np
import training
images = np.random.default_rng(0).integers(0, 256, ({count}, *training.SIZE, 3)).astype("float32")
labels = np.eye(4, dtype="float32")[np.arange({count}) % 4]
model = training._model("float32")
model.fit(images, labels, batch_size=32, verbose=0)
print("started", flush=True)
started = time.perf_counter()
model.fit(images, labels, batch_size=32, verbose=0)
print("seconds", time.perf_counter() - started)
"""


def profile():
    """Return a DataFrame: `part`, the kind and direction of an operation, its `seconds` and its `share` of an epoch."""
    seconds = float(_run({}).split()[-1])
    total = {}
    for line in _run({"ONEDNN_VERBOSE": "profile_exec"}).partition("started")[2].splitlines():
        fields = line.split(",")
        if len(fields) < 8 or not fields[0].startswith("onednn_verbose") or "exec" not in fields:
            continue
        first = fields.index("exec")
        kind, direction = fields[first + 2], fields[first + 4]
        name = kind if direction == "undef" else f"{kind}, {direction.replace('_', ' ')}"
        total[name] = total.get(name, 0) + float(fields[-1]) / 1000
    found = pd.DataFrame({"part": list(total), "seconds": list(total.values())})
    found = found.sort_values("seconds", ascending=False, ignore_index=True)
    rest = max(0.0, seconds - found["seconds"].sum())
    found = pd.concat([found, pd.DataFrame({"part": ["everything else"], "seconds": [rest]})], ignore_index=True)
    return found.assign(share=found["seconds"] / seconds)


def _run(environment):
    command = [sys.executable, "-c", SCRIPT.format(count=COUNT)]
    folder = os.path.dirname(os.path.abspath(__file__))
    paths = os.pathsep.join([folder, *sys.path])
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": paths} | environment
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    print(profile().to_string(index=False))
