"""Baselines without a network: chance, constant predictions, and a logistic regression on color histograms."""

import warnings

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from poster_cnn.metrics.scores import LOGIT_HALF


def chance(names, labels):
    """Return the expected scores of random guesses: probabilities drawn uniformly from 0..1.

    Args:
        names: Names of metrics.
        labels: Zeros and ones `(num_movies, num_classes)` of the movies that are scored.

    Returns:
        Dict of metric -> float, without average precision, for which `label_prior` has the expected score.
    """
    labels = np.asarray(labels, dtype="float64")
    share, ranked = labels.mean(), labels[labels.any(axis=1)].mean()  # rankings need a movie with a genre
    scores = {"first_label_accuracy": 1 / labels.shape[1], "hit_at_1": ranked, "top_n_accuracy": ranked}
    scores["label_accuracy"] = 0.5
    for suffix, guessed in (("", 0.5), ("_at_622", 1 - LOGIT_HALF)):
        scores[f"overall_precision{suffix}"], scores[f"overall_recall{suffix}"] = share, guessed
        scores[f"overall_f1{suffix}"] = 2 * share * guessed / (share + guessed)
    return {name: float(scores[name]) for name in names if name in scores}


def majority_class(train_labels, num_movies):
    """Predict the most frequent *first* genre of the training movies for every movie.

    This is the baseline of `metrics.first_label_accuracy`, where a movie's class is its first genre in label order.
    Training movies without a genre are left out.

    Args:
        train_labels: Zeros and ones `(num_train, num_classes)`.
        num_movies: Number of movies to predict.

    Returns:
        float32 array `(num_movies, num_classes)`: one column of ones.

    Raises:
        ValueError: If no training movie has a genre.
    """
    train_labels = np.asarray(train_labels)
    first = train_labels[train_labels.any(axis=1)].argmax(axis=1)
    if not len(first):
        raise ValueError(f"`train_labels` must have a positive label. Received: zeros of shape {train_labels.shape}")
    prediction = np.zeros((num_movies, train_labels.shape[1]), dtype="float32")
    prediction[:, np.bincount(first).argmax()] = 1
    return prediction


def all_zeros(train_labels, num_movies):
    """Predict no genre for any movie, the baseline of `metrics.label_accuracy`.

    With one of six genres per row it scores 5/6 = 83.3% (paper 3, section III.C). The arguments are those of
    `majority_class`; all values returned are 0.
    """
    return np.zeros((num_movies, np.asarray(train_labels).shape[1]), dtype="float32")


def label_prior(train_labels, num_movies):
    """Predict each genre's share among the training movies for every movie, which ranks genres by frequency.

    The arguments are those of `majority_class`; each row returned holds the shares.
    """
    return np.tile(np.asarray(train_labels, dtype="float32").mean(axis=0), (num_movies, 1))


def frequent_genres(train_labels, num_movies):
    """Predict the k most frequent genres for every movie, the baseline of OF1.

    k has the highest micro-averaged F1 on the training movies (paper 2, section V.A: two of five genres). The arguments
    are those of `majority_class`; k columns returned are ones.
    """
    train_labels = np.asarray(train_labels)
    in_order = np.argsort(-train_labels.sum(axis=0), kind="stable")
    hits = train_labels.sum(axis=0)[in_order].cumsum()
    predicted = len(train_labels) * np.arange(1, len(in_order) + 1)
    best = np.argmax(2 * hits / (predicted + train_labels.sum()))  # F1 = 2 TP / (predicted + true)
    prediction = np.zeros((num_movies, train_labels.shape[1]), dtype="float32")
    prediction[:, in_order[: best + 1]] = 1
    return prediction


def color_histograms(images):
    """Compute color histograms of the top, middle and bottom third of posters, with eight bins per channel.

    Args:
        images: uint8 array `(num_movies, height, width, 3)`.

    Returns:
        float32 array `(num_movies, 3 * 3 * 8)`; the bins of each band and channel sum to 1.
    """
    num_bands, num_bins = 3, 8
    # Each channel has its own range of bins, so one count per image gives all of its histograms.
    bins = np.asarray(images, dtype="uint8") // (256 // num_bins) + np.arange(3, dtype="uint16") * num_bins
    features = []
    for band in np.array_split(bins, num_bands, axis=1):
        counts = np.stack([np.bincount(image.ravel(), minlength=3 * num_bins) for image in band])
        shares = counts.reshape(-1, 3, num_bins) / (band.shape[1] * band.shape[2])
        features.append(shares.swapaxes(1, 2).reshape(len(band), -1))
    return np.concatenate(features, axis=1, dtype="float32")


def fit_color_histogram(histograms, labels):
    """Fit one logistic regression per genre on `color_histograms`.

    Args:
        histograms: float array `(num_train, num_features)`.
        labels: Zeros and ones `(num_train, num_classes)`.

    Returns:
        A fitted scikit-learn pipeline; its `predict_proba` returns `(num_movies, num_classes)`.
    """
    labels, classifier = np.asarray(labels, dtype="int64"), OneVsRestClassifier(LogisticRegression(max_iter=2000))
    with threadpool_limits(1), warnings.catch_warnings():  # more threads are slower on so little work
        warnings.filterwarnings("ignore", "Label .* is present in all training examples", UserWarning)
        fitted = make_pipeline(StandardScaler(), classifier).fit(histograms, labels)
    for genre, column in zip(fitted[-1].estimators_, labels.T, strict=True):
        if hasattr(genre, "y_"):  # constant; scikit-learn takes the only genre, if all movies have it, for one of none
            genre.y_ = column[:1]
    return fitted


def color_histogram_weights(classifier):
    """Return a classifier of `fit_color_histogram` as numbers: float64 `(num_features + 1, num_classes)`.

    The last row holds the intercepts. The scaling of the features is part of the weights.
    """
    scaler, weights = classifier[0], []
    for genre in classifier[-1].estimators_:
        if hasattr(genre, "coef_"):
            slopes = genre.coef_[0] / scaler.scale_
            weights.append([*slopes, genre.intercept_[0] - slopes @ scaler.mean_])
        else:  # all training movies have the genre, or none
            weights.append([*np.zeros_like(scaler.mean_), 40.0 if np.ravel(genre.y_)[0] > 0 else -40.0])
    return np.transpose(weights)


def color_histogram(weights, histograms):
    """Return the probabilities `(num_movies, num_classes)` of `color_histogram_weights` for `color_histograms`."""
    weights = np.asarray(weights)
    return expit(np.asarray(histograms, dtype="float64") @ weights[:-1] + weights[-1])
