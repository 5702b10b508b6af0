"""Reading or seeing: how much of a network's score is lettering?

    python experiments/evidence/lettering.py --data DATA --runs RUN [RUN ...] --out runs/evidence_lettering

On the embedded posters, lettering is left out exactly: they are drawn again without it, and with it alone. Paper 1's
network is trained on each of the three kinds and tested on all of them.

On real posters, a text detector (the package `rapidocr`, `pip install -e ".[ocr]"`) finds boxes around lettering in the
test posters of finished runs, all of one split. The boxes are filled with the mean color of the poster, and beside that
boxes of the same sizes at random places, as any hidden area costs points. The runs are not trained again.

Without `--runs`, only the embedded posters are measured, in about 5 minutes on 2 CPU cores. The detector takes about
0.5 seconds a poster; what it has found is kept in the folder of `--out`.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd

import poster_cnn
from poster_cnn import metrics, models
from poster_cnn.datasets import check_posters
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.datasets.embedded.posters import LAYERS
from poster_cnn.datasets.pixels import open_picture
from poster_cnn.evaluation.networks import open_network
from poster_cnn.files import progress_bar
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.poster_files import poster_paths
from poster_cnn.movies.splits import leak_free
from poster_cnn.results import prediction_arrays, read_predictions, write_results
from poster_cnn.training.processor import about_machine

OUT = pathlib.Path(__file__).parents[1] / "results" / "evidence_lettering.csv"
CLASS_NAMES = ("Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Thriller")
IMAGE_SIZE = (107, 73)
EPOCHS = 30
PLACES = 3  # draws of random places, whose scores are averaged
SUFFIXES = {"": "value", "_low": "low", "_high": "high", "_p_value": "p_value"}
SHORTER_SIDE = 320  # in pixels, that the detector enlarges posters to


def main():
    """Measure the embedded and the real posters, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="data folder of the runs")
    parser.add_argument("--runs", type=pathlib.Path, nargs="*", default=[], help="finished run folders of one split")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/evidence_lettering"))
    parser.add_argument("--table", type=pathlib.Path, default=OUT, help="csv file to write")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="for the embedded posters")
    options, started = parser.parse_args(), time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = embedded_rows(options.epochs)
    if options.runs:
        rows += real_rows(options.data, options.runs, options.out)
    write_results(pd.DataFrame(rows).assign(seconds=time.monotonic() - started, **about_machine()), options.table)
    print(f"{len(rows)} rows: {options.table}")


def embedded_rows(epochs):
    """Train on each kind of drawn posters, and test on each."""
    folder = poster_cnn.embedded_dataset(layers=True)
    table = poster_cnn.load_movie_table(folder / "MovieGenre.csv", posters_dir=folder / "posters")
    table, _ = check_posters(table[table["genres"].map(lambda genres: bool(set(genres) & set(CLASS_NAMES)))])
    parts = leak_free(table, CLASS_NAMES, fractions=(0.7, 0.3))
    images, rows = {}, []
    for layer, name in LAYERS.items():
        paths = [str(folder / name / pathlib.Path(path).name) for path in table["poster_path"]]
        images[layer], labels = poster_arrays(table.assign(poster_path=paths), CLASS_NAMES, image_size=IMAGE_SIZE)
    train, test = (np.flatnonzero(parts == part) for part in ("train", "test"))
    for layer in LAYERS:
        keras.utils.set_random_seed(0)
        network = models.seven_layer_cnn((*IMAGE_SIZE, 3), len(CLASS_NAMES), classifier_activation="sigmoid")
        network.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
        network.fit(images[layer][train], labels[train], batch_size=32, epochs=epochs, verbose=2)
        predicted = {tested: network.predict(images[tested][test], verbose=0) for tested in LAYERS}
        about = {"data": "embedded", "network": "seven_layer_cnn", "trained_on": layer, "num_train": len(train)}
        rows += score_rows(about, CLASS_NAMES, labels[test], predicted)
    return rows


def real_rows(data, runs, out):
    """Score finished runs on their test posters with the lettering hidden, with other places hidden, and without."""
    predictions = read_predictions(runs[0])
    class_names, labels, _ = prediction_arrays(predictions)
    paths = poster_paths(predictions["imdb_id"], find_data_folder(data).posters)
    boxes = find_text(dict(zip(predictions["imdb_id"], paths, strict=True)), out / "text_boxes.jsonl")
    rows, area = [], []
    for run in runs:
        network, hidden = open_network(run), {}
        if prediction_arrays(read_predictions(run))[0] != class_names:
            raise SystemExit(f"The runs must have the same genres and test movies. Received: {run}")
        for number, path in enumerate(progress_bar(paths, run.name, len(paths))):
            kinds = hide(np.asarray(open_picture(path)), boxes[predictions["imdb_id"][number]], seed=number)
            area.append(kinds.pop("area"))
            for kind, pictures in kinds.items():
                hidden.setdefault(kind, []).append([network.fit(picture).astype("uint8") for picture in pictures])
        predicted = {}
        for kind, pictures in hidden.items():
            arrays = np.stack(pictures, axis=1)  # (draws, posters, height, width, 3)
            predicted[kind] = np.stack([in_batches(network, array) for array in arrays])
        about = {"data": "real", "network": run.name.split(",")[0], "trained_on": "poster", "text_area": np.mean(area)}
        rows += score_rows(about, class_names, labels, predicted)
    return rows


def in_batches(network, images, batch_size=32):
    """Return the probabilities of many pictures."""
    starts = range(0, len(images), batch_size)
    return np.concatenate(
        [network.probabilities(images[start : start + batch_size].astype("float32")) for start in starts]
    )


def score_rows(about, class_names, labels, predicted):
    """Return a row per kind of picture and genre, with the paired difference from the whole poster.

    Args:
        about: Dict of columns that all rows share.
        class_names: Genres.
        labels: Zeros and ones `(num_movies, num_classes)`.
        predicted: Dict of kind -> probabilities, perhaps of several draws; "poster" is the whole poster.
    """
    rows = []
    genres = {"all": slice(None)} | {name: [number] for number, name in enumerate(class_names)}
    for tested, probabilities in predicted.items():
        for genre, columns in genres.items():
            own, others = labels[:, columns], {kind: array[..., columns] for kind, array in predicted.items()}
            others = {kind: others[kind] for kind in ("poster", "elsewhere") if kind in others and kind != tested}
            score = metrics.score(["average_precision"], own, probabilities[..., columns])["average_precision"]
            row = about | {"tested_on": tested, "genre": genre, "num_test": len(own), "positives": int(own.sum())}
            row |= {"average_precision": score["value"], "low": score["low"], "high": score["high"]}
            gains = metrics.margins(["average_precision"], own, probabilities[..., columns], others)
            for kind, gain in gains["average_precision"].items():
                row |= {f"over_{kind}{suffix}": gain[key] for suffix, key in SUFFIXES.items()}
            rows.append(row)
    return rows


def find_text(paths, known):
    """Return boxes around the lettering of posters, and keep them in a file, one line per poster.

    Args:
        paths: Dict of imdb_id -> path of a poster.
        known: Path of the file; posters in it are not looked at again.

    Returns:
        Dict of imdb_id -> list of `[top, left, bottom, right]` in pixels.
    """
    found = dict(json.loads(line) for line in known.read_text().splitlines()) if known.is_file() else {}
    missing = {imdb_id: path for imdb_id, path in paths.items() if imdb_id not in found}
    if missing:
        from rapidocr import RapidOCR

        detector = RapidOCR(
            params={"Global.log_level": "error", "Det.limit_type": "min", "Det.limit_side_len": SHORTER_SIDE}
        )
        with known.open("a") as file:
            for imdb_id, path in progress_bar(missing.items(), "text", len(missing)):
                picture = np.asarray(open_picture(path))
                result = detector(picture[:, :, ::-1], use_det=True, use_cls=False, use_rec=False)
                corners = [] if result.boxes is None else np.asarray(result.boxes)
                found[imdb_id] = [bounds(points, picture.shape) for points in corners]
                file.write(json.dumps([imdb_id, found[imdb_id]]) + "\n")
                file.flush()
    return found


def bounds(points, shape):
    """Return the upright box around points `(x, y)` as `[top, left, bottom, right]`, within the picture."""
    left, top = np.floor(np.min(points, axis=0)).astype(int).clip(0).tolist()
    right, bottom = np.minimum(np.ceil(np.max(points, axis=0)), shape[1::-1]).astype(int).tolist()
    return [top, left, bottom, right]


def hide(picture, boxes, seed):
    """Return a poster as it is, with boxes hidden, and with boxes of the same sizes hidden elsewhere.

    Args:
        picture: uint8 array `(height, width, 3)`.
        boxes: List of `[top, left, bottom, right]`.
        seed: Seed of the random places. A place with more than a tenth in a box is drawn anew, at most 20 times.

    Returns:
        Dict with lists of pictures "poster", "without_lettering", "elsewhere" (one for each draw) and
        "lettering_alone", and the share of the poster in boxes as "area".
    """
    rng, height, width = np.random.default_rng(seed), *picture.shape[:2]
    in_text = np.zeros((height, width), bool)
    for top, left, bottom, right in boxes:
        in_text[top:bottom, left:right] = True
    elsewhere = []
    for _ in range(PLACES):
        mask = np.zeros_like(in_text)
        for top, left, bottom, right in boxes:
            high, wide = bottom - top, right - left
            for _ in range(20):
                y, x = rng.integers(height - high + 1), rng.integers(width - wide + 1)
                if in_text[y : y + high, x : x + wide].mean() <= 0.1:
                    break
            mask[y : y + high, x : x + wide] = True
        elsewhere.append(mask)
    masks = {"poster": [np.zeros_like(in_text)], "without_lettering": [in_text], "elsewhere": elsewhere}
    masks["lettering_alone"] = [~in_text]
    color = picture.mean(axis=(0, 1)).round().astype("uint8")
    hidden = {kind: [np.where(mask[..., None], color, picture) for mask in some] for kind, some in masks.items()}
    return hidden | {"area": in_text.mean()}


if __name__ == "__main__":
    main()
