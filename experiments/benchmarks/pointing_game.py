"""Pointing game: how often explanations of three networks point at the emblems of the embedded posters.

    python experiments/benchmarks/pointing_game.py [--weights FILE] [--seeds 3] [--out CSV]

Each network is trained on four genres of the embedded dataset with a sigmoid per genre. The posters outside of the
training part whose emblem stands for one of the genres are explained, and the same with random weights, as the mean of
several seeds. About 4 minutes on 2 idle CPU cores. `--weights` is for MobileNetV2: a file, or "imagenet" (the default).
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pandas as pd

import poster_cnn
from poster_cnn import models
from poster_cnn.datasets import check_posters
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.evaluation.pointing_game import score_explanations
from poster_cnn.files import write_text
from poster_cnn.movies.splits import leak_free

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
OUT = pathlib.Path(__file__).parents[1] / "results" / "pointing_game.csv"
NETWORKS = {  # name: (input size, epochs, arguments)
    "seven_layer_cnn": ((107, 73), 40, {}),
    "two_conv_cnn": ((107, 73), 20, {}),
    "mobilenet_v2": ((128, 128), 20, {"dropout": 0.5}),
}


def main():
    """Train, explain and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    options = parser.parse_args()
    folder = poster_cnn.embedded_dataset(masks=True)
    table = poster_cnn.load_movie_table(
        folder / "MovieGenre.csv", posters_dir=folder / "posters", genres=list(CLASS_NAMES)
    )
    table, _ = check_posters(table, progress=False)
    is_training = leak_free(table, CLASS_NAMES) == "train"
    frames = []
    for name in options.networks.split(","):
        image_size, epochs, arguments = NETWORKS[name]
        images, labels = poster_arrays(table[is_training], CLASS_NAMES, image_size=image_size)
        own = {"weights": options.weights} if name == "mobilenet_v2" else {}
        for seed in range(1 + options.seeds):
            keras.utils.set_random_seed(seed)
            weights = {"weights": None} if own and seed else own
            model = getattr(models, name)(
                (*image_size, 3), len(CLASS_NAMES), classifier_activation="sigmoid", **arguments, **weights
            )
            if seed == 0:
                model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
                model.fit(images, labels, epochs=epochs, verbose=0)
            scores = score_explanations(model, table[~is_training], CLASS_NAMES, folder)
            scores.insert(0, "weights", "random" if seed else "trained")
            scores.insert(0, "network", name)
            frames.append(scores)
            print(scores.round(3).to_string(index=False), flush=True)
    keys = ["network", "weights", "method"]
    frame = pd.concat(frames).groupby(keys, sort=False).mean().reset_index()
    write_text(options.out, frame.to_csv(index=False, float_format="%.4g", lineterminator="\n"))


if __name__ == "__main__":
    main()
