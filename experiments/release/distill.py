"""Average several seeds and two other networks, train students on their probabilities, and score all of them.

    python experiments/release/distill.py data runs/teacher_features.npz runs/augmentation/*flip --student all

The runs differ in their seed only, such as three of `augmentation.py`. A student has the config and the seed of the
first one, and the mean of the genres and of its teachers' probabilities as labels. The teachers are the networks of the
runs (`seeds`), or these and a logistic regression on the features of `teacher_features.py` (`all`). The regression
predicts each training poster from others, in five folds, because it knows the genres of those that it is fitted on. A
student takes about 20 minutes on a CPU core and continues where it was interrupted. The table has the students that are
finished.
"""

import argparse
import pathlib

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from poster_cnn import metrics
from poster_cnn.datasets import as_batches
from poster_cnn.files import write_text
from poster_cnn.results.evidence import METRIC, compare
from poster_cnn.training import load_training_data, recorded_config
from poster_cnn.training.fit import fit
from poster_cnn.training.saved_model import load_model

PARTS = ("train", "validation", "test")
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3)  # inverse: larger numbers regularize less
OUT = pathlib.Path(__file__).parent.parent / "results" / "release_distillation.csv"


def network_predictions(model, data):
    """Predict all rows of a run's data.

    Returns:
        float32 array `(num_rows, num_classes)`, in the order of the table.
    """
    y_prob = np.empty(data.all_labels.shape, "float32")
    for part in PARTS:
        y_prob[(data.split == part).to_numpy()] = model.predict(as_batches(data.decoded(part), 32), verbose=0)
    return y_prob


def regression_predictions(features, data):
    """Predict all rows from the features of both teachers; the penalty is chosen on the validation movies.

    Returns:
        As `network_predictions`.
    """
    rows = {part: np.flatnonzero((data.split == part).to_numpy()) for part in PARTS}
    train, labels = rows["train"], data.all_labels
    found = {}
    for penalty in PENALTIES:
        regression = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=penalty, max_iter=300)))
        y_prob = regression.fit(features[train], labels[train]).predict_proba(features)
        score = metrics.average_precision(labels[rows["validation"]], y_prob[rows["validation"]])
        print(f"logistic regression, C={penalty:g}: validation {score:.3f}")
        found[score] = regression, y_prob
    regression, y_prob = found[max(found)]
    folds = KFold(5, shuffle=True, random_state=0)
    y_prob[train] = cross_val_predict(regression, features[train], labels[train], cv=folds, method="predict_proba")
    return y_prob.astype("float32")


def train_student(config, data, teacher, run_dir):
    """Train a network on the mean of the labels and a teacher's probabilities; continue an interrupted training."""
    softened = data.resized(data.image_size, data.interpolation)  # a copy, whose posters get their labels when decoded
    is_train = (data.split == "train").to_numpy()[:, None]
    softened.all_labels = np.where(is_train, (data.all_labels + teacher) / 2, data.all_labels)
    run_dir.mkdir(parents=True, exist_ok=True)
    fit(config, softened, run_dir).save_weights(run_dir.with_suffix(".weights.h5"))


def table(predictions, data):
    """Score predictions of all rows, and compare them with the first one on the test movies.

    Returns:
        DataFrame, one row per prediction, in percent and points with 95% intervals.
    """
    parts = {part: (data.split == part).to_numpy() for part in PARTS}
    labels = {part: data.all_labels[chosen] for part, chosen in parts.items()}
    of_test = {name: y_prob[parts["test"]] for name, y_prob in predictions.items()}
    first, rows = next(iter(predictions)), []
    for name, y_prob in predictions.items():
        others = {} if name == first else {"one": of_test[first]}
        validation = metrics.average_precision(labels["validation"], y_prob[parts["validation"]])
        row = {"network": name, "validation": 100 * validation}
        row |= compare(METRIC, labels["test"], of_test[name], others)
        rows.append(row | compare(f"{METRIC}_micro", labels["test"], of_test[name], others, prefix="micro"))
    return pd.DataFrame(rows)


def main():
    """Collect the networks, average them, train a student, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="data folder")
    parser.add_argument("features", type=pathlib.Path, help="file of `teacher_features.py`")
    parser.add_argument("runs", type=pathlib.Path, nargs="+", help="finished run folders")
    parser.add_argument("--student", choices=("seeds", "all"), help="train this student first")
    parser.add_argument(
        "--students", type=pathlib.Path, default="runs/students", help="folder (default: runs/students)"
    )
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="the csv file")
    options = parser.parse_args()
    runs, folder = options.runs, options.students
    config = recorded_config(runs[0])
    data = load_training_data(config.data, options.data)
    in_file = pd.read_csv(runs[0] / "split.csv")["imdb_id"]
    order = pd.Series(np.arange(len(in_file)), index=in_file).loc[data.table["imdb_id"]].to_numpy()
    with np.load(options.features) as file:
        both = np.concatenate([file[name] for name in file.files], axis=2)[order]
    regression = regression_predictions(both.mean(axis=1), data)
    seeds = [network_predictions(load_model(run)[0], data) for run in runs]
    mean = np.mean(seeds, axis=0)
    predictions = {"one network": seeds[0], "regression, two EfficientNet-Lite": regression}
    predictions |= {f"mean of {len(seeds)} seeds": mean, "mean of seeds and regression": (mean + regression) / 2}
    teachers = {"seeds": mean, "all": (mean + regression) / 2}
    if options.student:
        train_student(config, data, teachers[options.student], folder / options.student)
    for name, teacher in (("seeds", "the seeds"), ("all", "the seeds and the regression")):
        if (weights := folder / f"{name}.weights.h5").is_file():
            model = load_model(runs[0])[0]
            model.load_weights(weights)
            predictions[f"student of {teacher}"] = network_predictions(model, data)
    scores = table(predictions, data)
    write_text(options.out, scores.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    print(scores.to_string())


if __name__ == "__main__":
    main()
