"""Paper 5's plots with better sentences: what are 25-number word vectors worth beside a sentence embedding?

    python experiments/evidence/sentences.py --data DATA

The movies, the genres and the split are those of `experiments/lebaron/ensemble.py`. Four encodings of the same plots go
through one logistic regression, whose penalty is chosen on the validation movies: the paper's mean of word vectors,
the vectors of single words weighted by TF-IDF, both TF-IDF and the mean, and the sentence embedding of the package
`wordllama` (`pip install -e ".[sentences]"`; 256 numbers, its weights are in the package). About 2 minutes on a CPU.
"""

import argparse
import pathlib
import runpy

import pandas as pd
import wordllama
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler, normalize

from poster_cnn import metrics
from poster_cnn.files import write_text
from poster_cnn.metrics import baselines
from poster_cnn.multimodal.data import load_ensemble_data

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent / "results" / "evidence_sentences.csv"
PENALTIES = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
METRICS = ("average_precision", "average_precision_micro")


def main():
    """Encode the plots, score each encoding, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="data folder with movie_metadata.csv")
    parser.add_argument("--table", type=pathlib.Path, default=OUT, help="csv file to write")
    options = parser.parse_args()
    config = runpy.run_path(str(HERE.parent / "lebaron" / "ensemble.py"))["config"]
    data = load_ensemble_data(config.replace(modalities=("metadata", "plot")), options.data)
    rows = {part: data.rows(part, "plot") for part in ("train", "validation", "test")}
    labels = {part: data.movies.all_labels[rows[part]] for part in rows}
    predicted, chosen = {}, {}
    for name, features in encodings(data, rows["train"]).items():
        predicted[name], chosen[name] = best_probabilities(features, rows, labels)
    found, first = [], "mean of 25-d word vectors"
    prior = baselines.label_prior(labels["train"], len(labels["test"]))
    for name, y_prob in ({"label prior": prior} | predicted).items():
        row = {"encoding": name, "penalty": chosen.get(name), "num_test": len(y_prob)}
        scores = metrics.score(METRICS, labels["test"], y_prob)
        gains = metrics.margins(METRICS, labels["test"], y_prob, {first: predicted[first]})
        for metric in METRICS:
            row |= {
                f"{metric}{end}": scores[metric][key]
                for end, key in {"": "value", "_low": "low", "_high": "high"}.items()
            }
            gain = gains[metric][first]
            row |= {
                f"{metric}_gain": gain["value"],
                f"{metric}_gain_low": gain["low"],
                f"{metric}_gain_high": gain["high"],
            }
        found.append(row)
    write_text(options.table, pd.DataFrame(found).to_csv(index=False, float_format="%.6g"))
    print(pd.DataFrame(found).round(3).T.to_string())
    print(f"{len(found)} rows: {options.table}")


def encodings(data, train):
    """Return a dict of name -> features of all movies; movies without a plot have zeros.

    Args:
        data: `EnsembleData` with plots.
        train: Row numbers of the training movies, to which TF-IDF is fitted.
    """
    plots = data.movies.table["plot"]
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, stop_words="english").fit(plots.iloc[train])
    # Its files lie in the package; without the folder it would look for one of them on the Internet.
    embedding = wordllama.WordLlama.load(cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True)
    mean, tf_idf = data.inputs["plot"], words.transform(plots)
    sentences = normalize(embedding.embed(plots.tolist()))
    scaled = {name: standardized(array, train) for name, array in (("mean", mean), ("sentences", sentences))}
    return {
        "mean of 25-d word vectors": scaled["mean"],
        "TF-IDF": tf_idf,
        "TF-IDF and mean": sparse.hstack([tf_idf, sparse.csr_array(scaled["mean"] / 10)]).tocsr(),
        "sentence embedding": scaled["sentences"],
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
