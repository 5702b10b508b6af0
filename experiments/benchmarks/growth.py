"""How speed and memory grow with the number of posters: 1,000, 10,000 and 100,000, drawn once and kept in a folder.

    python experiments/benchmarks/growth.py FOLDER [--sizes 1000,10000,100000] [--budget 500MB] [--rounds 3] [--out CSV]

Each size is measured in a process of its own at 55×80 pixels (width×height): posters/s of decoding (checking, reading,
shrinking, keeping), of a later epoch without a network, and of training the seven-layer network; the process's peak
memory. 100,000 decoded posters are 1.3 GB: beyond the budget, so they are kept on disk. The sizes take turns, and
medians of the rounds count. The folder grows to 1.7 GB, and to 3.1 GB meanwhile; interrupted, it goes on drawing.
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
DECODED = 10_000  # posters, at least, by which decoding is measured: a few of them several times
DRAINED = 30_000  # posters, at least, by which later epochs are measured
STEPS = 304  # of training that count, at least; if an epoch has more, all of them: its beginning takes time, too
COLUMNS = ["posters", "cache", "decode_per_s", "epoch_per_s", "train_per_s", "peak_mb", "budget_mb"]


def draw(path):
    """Writes a poster of its own, 182×268 pixels and about as large as a real one."""
    rng = np.random.default_rng([int(path.parent.name), int(path.stem)])
    coarse = Image.fromarray(rng.integers(0, 256, (27, 18, 3), "uint8")).resize((182, 268), Image.Resampling.BICUBIC)
    noisy = np.asarray(coarse, "int16") + rng.integers(-12, 13, (268, 182, 1), "int16")
    content = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype("uint8")).save(content, "JPEG", quality=80)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())


def draw_all(folder, count):
    """Draws the posters of one size that are not there yet."""
    paths = [folder / f"{number}.jpg" for number in range(1, count + 1)]
    missing = [path for path in paths if not path.is_file()]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        list(tqdm(pool.map(draw, missing, chunksize=100), "drawing", len(missing), disable=not missing))


def movie_table(folder, count):
    """A movie table of the posters of one size; their genres go round."""
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
    """Decodes each poster once with Pillow, so that the verdicts are remembered, as before any training."""
    from poster_cnn.datasets.verify import check_posters

    usable, _ = check_posters(movie_table(folder, count))
    if len(usable) < count:
        sys.exit(f"{count - len(usable)} of the drawn posters in {folder} are broken. Remove the folder.")


def measure(folder, count):
    """One row, measured in this process."""
    import keras

    from poster_cnn import models
    from poster_cnn.datasets import pipeline as datasets
    from poster_cnn.datasets import poster_cache as decoded

    table = movie_table(folder, count)
    size = datasets.shrunk_size(RATIO)
    sum(1 for _ in datasets.poster_dataset(table[:64], CLASS_NAMES, image_size=size, cache=False))  # starts TensorFlow
    times, started = max(1, DECODED // count), time.perf_counter()
    for _ in range(times):
        posters = None  # what is in use is not decoded again
        posters = datasets.decoded_posters(table, CLASS_NAMES, image_size=size)
    decode = times * count / (time.perf_counter() - started)
    numbers = iter(range(10**6))

    def epochs(least):
        """The batches of as many epochs as make so many posters or more."""
        return [datasets.epoch_batches(posters, count, BATCH_SIZE, 0, next(numbers)) for _ in range(0, least, count)]

    drained = epochs(DRAINED)
    epoch = per_second(lambda: sum(len(labels) for batches in drained for _, labels in batches))
    model = models.seven_layer_cnn((*size, 3), len(CLASS_NAMES))
    model.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", steps_per_execution=16)
    # Builds it, for the smaller batch that ends an epoch, too: each size of batch has preparations of its own.
    first = datasets.as_batches(posters[: 16 * BATCH_SIZE + count % BATCH_SIZE], BATCH_SIZE)
    model.fit(first, shuffle=False, verbose=0)
    steps = max(STEPS, count // BATCH_SIZE // 16 * 16)
    several = epochs((steps + 16) * BATCH_SIZE)  # more than enough, as epochs end with smaller batches
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
    """Posters/s of an action that gives the number of posters."""
    started = time.perf_counter()
    return action() / (time.perf_counter() - started)


def in_own_process(folder, count, budget):
    """The row of `measure`, of a fresh process whose cache of decoded posters is empty."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        shutil.copytree(folder / "cache", cache, dirs_exist_ok=True)  # verdicts
        environment = os.environ | {"POSTER_CNN_CACHE": cache, "POSTER_CNN_MEMORY": budget}
        command = [sys.executable, __file__, str(folder), "--measure", str(count)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=pathlib.Path, help="folder of the drawn posters; made if needed, then used again"
    )
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
