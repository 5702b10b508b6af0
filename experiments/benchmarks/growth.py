"""Speed and memory for 1,000, 10,000 and 100,000 posters, which are drawn once and kept in a folder.

    python experiments/benchmarks/growth.py FOLDER [--sizes 1000,10000,100000] [--budget 500MB] [--rounds 3] [--out CSV]

Each size is measured in a process of its own at 55×80 pixels (width×height): posters/s of decoding (checking, reading,
resizing, caching), of a later epoch without a network, and of training the seven-layer network, and the peak memory.
100,000 decoded posters are 1.3 GB, which exceeds the budget, so they are cached on disk. The sizes take turns, and the
results are medians over the rounds. The folder grows to 1.7 GB, temporarily to 3.1 GB. Drawing can be resumed.
"""

import argparse
import concurrent.futures
import functools
import io
import json
import multiprocessing
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from poster_cnn.files import write_atomically
from poster_cnn.results.collect import write_results

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
OUT = pathlib.Path(__file__).parents[1] / "results" / "benchmark_growth.csv"
RATIO = 30
BATCH_SIZE = 32
DECODED = 10_000  # minimum number of posters to measure decoding; small sets are decoded several times
DRAINED = 30_000  # minimum number of posters to measure later epochs
STEPS = 304  # minimum number of training steps, and at least an epoch, because its start takes time
COLUMNS = ["posters", "cache", "decode_per_s", "epoch_per_s", "train_per_s", "peak_mb", "budget_mb"]


def draw(path):
    """Write a unique poster of 182×268 pixels, with about the file size of a real one."""
    rng = np.random.default_rng([int(path.parent.name), int(path.stem)])
    coarse = Image.fromarray(rng.integers(0, 256, (27, 18, 3), "uint8")).resize((182, 268), Image.Resampling.BICUBIC)
    noisy = np.asarray(coarse, "int16") + rng.integers(-12, 13, (268, 182, 1), "int16")
    content = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype("uint8")).save(content, "JPEG", quality=80)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())


def draw_all(folder, count):
    """Draw the missing posters of one size."""
    paths = [folder / f"{number}.jpg" for number in range(1, count + 1)]
    missing = [path for path in paths if not path.is_file()]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        list(tqdm(pool.map(draw, missing, chunksize=100), "drawing", len(missing), disable=not missing))


def movie_table(folder, count):
    """Return a movie table of the posters of one size, with genres in turn."""
    numbers = range(1, count + 1)
    return pd.DataFrame(
        {
            "imdb_id": numbers,
            "title": [f"Movie {number}" for number in numbers],
            "genres": [(CLASS_NAMES[number % len(CLASS_NAMES)],) for number in numbers],
            "poster_path": [str(folder / f"{number}.jpg") for number in numbers],
        }
    )


def check(folder, count):
    """Verify each poster once, as before any training, so that the results are cached."""
    from poster_cnn.datasets.verify import check_posters

    usable, _ = check_posters(movie_table(folder, count))
    if len(usable) < count:
        sys.exit(f"{count - len(usable)} of the drawn posters in {folder} are broken. Remove the folder.")


def measure(folder, count):
    """Measure one row in this process."""
    import keras

    from poster_cnn import models
    from poster_cnn.datasets import pipeline as datasets
    from poster_cnn.datasets import poster_cache as decoded

    table = movie_table(folder, count)
    size = datasets.shrunk_size(RATIO)
    sum(1 for _ in datasets.poster_dataset(table[:64], CLASS_NAMES, image_size=size, cache=False))  # starts TensorFlow
    times, started = max(1, DECODED // count), time.perf_counter()
    for _ in range(times):
        posters = None  # posters in use would not be decoded again
        posters = datasets.decoded_posters(table, CLASS_NAMES, image_size=size)
    decode = times * count / (time.perf_counter() - started)
    numbers = iter(range(10**6))

    def epochs(least):
        """Return the batches of enough epochs for `least` posters."""
        return [datasets.epoch_batches(posters, count, BATCH_SIZE, 0, next(numbers)) for _ in range(0, least, count)]

    drained = epochs(DRAINED)
    epoch = per_second(lambda: sum(len(labels) for batches in drained for _, labels in batches))
    model = models.seven_layer_cnn((*size, 3), len(CLASS_NAMES))
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", steps_per_execution=16)
    # Compile for full batches and for the smaller last batch of an epoch.
    first = datasets.as_batches(posters[: 16 * BATCH_SIZE + count % BATCH_SIZE], BATCH_SIZE)
    model.fit(first, shuffle=False, verbose=0)
    steps = max(STEPS, count // BATCH_SIZE // 16 * 16)
    several = epochs((steps + 16) * BATCH_SIZE)  # more than enough, because epochs end with smaller batches
    trained = functools.reduce(lambda first, second: first.concatenate(second), several).take(steps)

    def fit():
        model.fit(trained, shuffle=False, verbose=0)
        return steps * BATCH_SIZE

    train = per_second(fit)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kilobytes on Linux
    cache = "disk" if isinstance(posters.images, decoded.ImageFile) else "memory"
    values = (count, cache, decode, epoch, train, peak / 1e6, decoded.memory_budget() / 1e6)
    return dict(zip(COLUMNS, values, strict=True))


def per_second(action):
    """Return the posters/s of an action that returns the number of posters."""
    started = time.perf_counter()
    return action() / (time.perf_counter() - started)


def in_own_process(folder, count, budget):
    """Run `measure` in a fresh process with an empty cache of decoded posters."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        shutil.copytree(folder / "cache", cache, dirs_exist_ok=True)  # results of the checks
        environment = os.environ | {"POSTER_CNN_CACHE": cache, "POSTER_CNN_MEMORY": budget}
        command = [sys.executable, __file__, str(folder), "--measure", str(count)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="folder of the drawn posters; created if needed")
    parser.add_argument("--sizes", default="1000,10000,100000", help="default: 1000,10000,100000")
    parser.add_argument("--budget", default="500MB", help="POSTER_CNN_MEMORY; default: 500MB")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default: experiments/results/")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.measure:
        print(json.dumps(measure(folder / str(options.measure), options.measure)))
        return
    sizes = [int(size) for size in options.sizes.split(",")]
    os.environ["POSTER_CNN_CACHE"] = str(folder / "cache")
    for size in sizes:
        draw_all(folder / str(size), size)
        check(folder / str(size), size)
    turns = [size for _ in range(options.rounds) for size in sizes]
    rows = [in_own_process(folder, size, options.budget) for size in tqdm(turns, "measuring")]
    found = pd.DataFrame(rows).groupby(["posters", "cache"], as_index=False).median()[COLUMNS]
    print(found.round(0).to_string(index=False))
    write_results(found, options.out)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
