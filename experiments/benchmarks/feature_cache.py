"""Speedup of training the head of a frozen MobileNetV2 on cached features, in one run.

    python experiments/benchmarks/feature_cache.py DATA [RESULTS.csv]

Both sides train 20 epochs as `experiments/zavala/transfer_leak_free.py` does, on 500 rows per genre. The time includes
the computation of the features. The sides take turns, and the ratio is the median over the rounds. This takes about
four minutes on 2 CPU cores.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pandas as pd
from tqdm import tqdm

from poster_cnn import tuning
from poster_cnn.results.collect import write_results
from poster_cnn.training.data import load_training_data
from poster_cnn.training.fit import fit
from poster_cnn.training.processor import about_machine

EXPERIMENT = pathlib.Path(__file__).parents[1] / "zavala" / "transfer_leak_free.py"
ROUNDS = 2


def seconds(config, data):
    """Return the seconds of a fit without cached features and without checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["POSTER_CNN_CACHE"] = folder
        started = time.perf_counter()
        fit(config, data, pathlib.Path(folder), progress=False)
        return time.perf_counter() - started


def main(data_folder, results_path=None):
    config = tuning.load_experiment(EXPERIMENT).config.replace(max_per_genre=500, learning_rate=1e-3)
    data = load_training_data(config.data, data_folder)
    if not data.weights:
        config = config.replace(model_args={"weights": None})
    for part in ("train", "validation"):  # decoded before the time is measured
        data.images(part)
    sides = {"kept": config, "through": config.replace(cache_features=False)}
    rounds = []
    for _ in tqdm(range(ROUNDS), desc="rounds"):
        rounds.append({name: seconds(side, data) for name, side in sides.items()})
        keras.backend.clear_session()
    ratios = [item["through"] / item["kept"] for item in rounds]
    frame = pd.DataFrame(
        {
            "task": [f"{config.epochs} epochs of a head on frozen MobileNetV2 at 128x128"],
            "other_is": ["through the backbone in each epoch"],
            "poster_cnn": [statistics.median(item["kept"] for item in rounds)],
            "other": [statistics.median(item["through"] for item in rounds)],
            "ratio": [statistics.median(ratios)],
            "ratio_low": [min(ratios)],
            "ratio_high": [max(ratios)],
        }
    )
    print(frame.round(2).to_string(index=False))
    if results_path:
        write_results(frame.assign(unit="seconds", posters=data.count("train"), **about_machine()), results_path)
        print(f"written to {results_path}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
