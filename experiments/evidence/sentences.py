"""Paper 5's plots with better sentences: what are 25-number word vectors worth beside a sentence embedding?

    python experiments/evidence/sentences.py --data DATA [--runs runs/lebaron_plots]

The movies, the genres and the split are those of `experiments/lebaron/ensemble.py`. Four encodings of the same plots go
through one logistic regression, whose penalty is chosen on the validation movies: the paper's mean of word vectors,
the vectors of single words weighted by TF-IDF, both TF-IDF and the mean, and the sentence embedding of the package
`wordllama` (`pip install -e ".[sentences]"`; 256 numbers, its weights are in the package). About 2 minutes on a CPU.

With the runs of `experiments/lebaron/plots.py`, the table also has paper 5's plot branch and ensemble with word vectors
and with sentence embeddings, each as the mean score of its seeds.
"""

import argparse
import pathlib
import runpy
import time

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from poster_cnn import metrics
from poster_cnn.metrics import baselines
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.multimodal.word_vectors import sentence_vectors
from poster_cnn.results import prediction_arrays, read_predictions, read_results, write_results
from poster_cnn.training.processor import about_machine

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent / "results" / "evidence_sentences.csv"
PENALTIES = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
METRICS = ("average_precision", "average_precision_micro")
FIRST = "mean of 25-d word vectors"


def main():
    """Encode the plots, score each encoding, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="data folder with movie_metadata.csv")
    parser.add_argument("--runs", type=pathlib.Path, help="finished runs of experiments/lebaron/plots.py")
    parser.add_argument("--table", type=pathlib.Path, default=OUT, help="csv file to write")
    options, started = parser.parse_args(), time.monotonic()
    rows = regressions(options.data) + (networks(options.runs) if options.runs else [])
    found = pd.DataFrame(rows).assign(seconds=time.monotonic() - started, **about_machine("wordllama"))
    if not options.runs and options.table.is_file():  # keep the networks of an earlier call
        old = read_results(options.table)
        found = pd.concat([found, old[old["network"] != found["network"].iloc[0]]], ignore_index=True)
    write_results(found, options.table)
    print(found.iloc[:, :12].round(3).T.to_string())
    print(f"{len(found)} rows: {options.table}")


def regressions(folder):
    """Return the rows of the logistic regressions, after one of the label prior."""
    config = runpy.run_path(str(HERE.parent / "lebaron" / "ensemble.py"))["config"]
    data = load_ensemble_data(config.replace(modalities=("metadata", "plot")), folder)
    rows = {part: data.rows(part, "plot") for part in ("train", "validation", "test")}
    labels = {part: data.movies.all_labels[rows[part]] for part in rows}
    predicted = {"label prior": baselines.label_prior(labels["train"], len(labels["test"]))}
    chosen = {}
    for name, features in encodings(data, rows["train"]).items():
        predicted[name], chosen[name] = best_probabilities(features, rows, labels)
    found = score_rows("logistic regression", labels["test"], predicted)
    return [row | {"penalty": chosen.get(row["encoding"])} for row in found]


def networks(runs):
    """Return the rows of paper 5's plot branch and ensemble, whose seeds are scored together."""
    found = []
    for network, part in (("plot branch", "plot"), ("ensemble", "ensemble")):
        predicted = {}
        for name, encoding in (("word_vectors", FIRST), ("sentences", "sentence embedding")):
            seeds = [prediction_arrays(read_predictions(run / part)) for run in sorted(runs.glob(f"{name},*"))]
            if not seeds:
                raise SystemExit(f"--runs must hold finished runs of experiments/lebaron/plots.py. Received: {runs}")
            labels, predicted[encoding] = seeds[0][1], np.stack([y_prob for _, _, y_prob in seeds])
        found += score_rows(network, labels, predicted)
    return found


def score_rows(network, labels, predicted):
    """Return a row per encoding, with the paired gain over the paper's kind of encoding.

    Args:
        network: Name of the network.
        labels: Zeros and ones `(num_movies, num_classes)`.
        predicted: Dict of encoding -> probabilities, perhaps of several seeds.
    """
    found = []
    for name, y_prob in predicted.items():
        scores = metrics.score(METRICS, labels, y_prob)
        gains = metrics.margins(METRICS, labels, y_prob, {FIRST: predicted[FIRST]})
        row = {"network": network, "encoding": name, "num_test": len(labels)}
        for metric in METRICS:
            for end, key in {"": "value", "_low": "low", "_high": "high"}.items():
                row[f"{metric}{end}"] = scores[metric][key]
                row[f"{metric}_gain{end}"] = gains[metric][FIRST][key]
        found.append(row)
    return found


def encodings(data, train):
    """Return a dict of name -> features of all movies; movies without a plot have zeros.

    Args:
        data: `EnsembleData` with plots.
        train: Row numbers of the training movies, to which TF-IDF is fitted.
    """
    plots = data.movies.table["plot"]
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, stop_words="english").fit(plots.iloc[train])
    mean, sentences = (standardized(array, train) for array in (data.inputs["plot"], sentence_vectors(plots)))
    tf_idf = words.transform(plots)
    return {
        FIRST: mean,
        "TF-IDF": tf_idf,
        "TF-IDF and mean": sparse.hstack([tf_idf, sparse.csr_array(mean / 10)]).tocsr(),
        "sentence embedding": sentences,
    }


def standardized(features, train):
    """Return features with the mean 0 and the standard deviation 1 of the training movies."""
    return StandardScaler().fit(features[train]).transform(features)


def best_probabilities(features, rows, labels):
    """Return the probabilities of the test movies, and the inverse penalty with the best validation score."""
    fitted = {}
    for penalty in PENALTIES:
        classifier = OneVsRestClassifier(LogisticRegression(C=penalty, max_iter=2000))
        classifier.fit(features[rows["train"]], labels["train"])
        score = metrics.average_precision(labels["validation"], classifier.predict_proba(features[rows["validation"]]))
        fitted[score] = (classifier, penalty)
    classifier, penalty = fitted[max(fitted)]
    return classifier.predict_proba(features[rows["test"]]), penalty


if __name__ == "__main__":
    main()
