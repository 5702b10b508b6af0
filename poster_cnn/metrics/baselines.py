"""What a network must beat: predictions that need no network. Every reported number stands beside them."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


def majority_class(train_labels, num_movies):
    """Predicts for every movie the most frequent *first* genre of the training movies.

    The baseline of `metrics.first_label_accuracy`, where a movie's class is its first genre in label order.

    Args:
        train_labels: Zeros and ones `(num_train, num_classes)`.
        num_movies: Number of movies to predict.

    Returns:
        float32 array `(num_movies, num_classes)`: one column of ones.
    """
    first = np.asarray(train_labels).argmax(axis=1)
    prediction = np.zeros((num_movies, train_labels.shape[1]), dtype="float32")
    prediction[:, np.bincount(first).argmax()] = 1
    return prediction


def all_zeros(train_labels, num_movies):
    """Predicts no genre for any movie: what `metrics.label_accuracy` must be compared with.

    With one genre a row of six, predicting nothing is right for 5/6 = 83.3% of the labels (paper 3, section III.C).

    Args, Returns: as `majority_class`; all zeros.
    """
    return np.zeros((num_movies, np.asarray(train_labels).shape[1]), dtype="float32")


def label_prior(train_labels, num_movies):
    """Predicts for every movie each genre's share among the training movies: ranking by frequency alone.

    Args, Returns: as `majority_class`; each row holds the shares.
    """
    return np.tile(np.asarray(train_labels, dtype="float32").mean(axis=0), (num_movies, 1))


def frequent_genres(train_labels, num_movies):
    """Predicts for every movie the same most frequent genres, as many as score best: what OF1 must be compared with.

    How many is decided by the micro-averaged F1 of the training movies (paper 2, section V.A): two of five there.

    Args, Returns: as `majority_class`; some columns of ones.
    """
    train_labels = np.asarray(train_labels)
    in_order = np.argsort(-train_labels.sum(axis=0), kind="stable")
    hits = train_labels.sum(axis=0)[in_order].cumsum()
    predicted = len(train_labels) * np.arange(1, len(in_order) + 1)
    best = np.argmax(2 * hits / (predicted + train_labels.sum()))  # F1 = 2 TP / (predicted + true)
    prediction = np.zeros((num_movies, train_labels.shape[1]), dtype="float32")
    prediction[:, in_order[: best + 1]] = 1
    return prediction


def color_histograms(images, *, num_bands=3, num_bins=8):
    """Color histograms of the horizontal bands of posters (top, middle and bottom third by default).

    Args:
        images: uint8 array `(num_movies, height, width, 3)`.
        num_bands: Defaults to 3.
        num_bins: Bins per color channel; a divisor of 256. Defaults to 8.

    Returns:
        float32 array `(num_movies, num_bands * 3 * num_bins)`; each band's and channel's bins sum to 1.
    """
    if num_bins < 2 or 256 % num_bins:
        raise ValueError(f"`num_bins` must be a divisor of 256, 2 or more. Received: num_bins={num_bins}")
    # Each channel has bins of its own, so that one count of a picture's numbers gives all of its histograms.
    bins = np.asarray(images, dtype="uint8") // (256 // num_bins) + np.arange(3, dtype="uint16") * num_bins
    features = []
    for band in np.array_split(bins, num_bands, axis=1):
        counts = np.stack([np.bincount(image.ravel(), minlength=3 * num_bins) for image in band])
        shares = counts.reshape(-1, 3, num_bins) / (band.shape[1] * band.shape[2])
        features.append(shares.swapaxes(1, 2).reshape(len(band), -1))
    return np.concatenate(features, axis=1, dtype="float32")


def fit_color_histogram(histograms, labels):
    """Fits one logistic regression per genre on `color_histograms`.

    Args:
        histograms: float array `(num_train, num_features)`.
        labels: Zeros and ones `(num_train, num_classes)`.

    Returns:
        A fitted scikit-learn pipeline; its `predict_proba` gives `(num_movies, num_classes)`.
    """
    classifier = OneVsRestClassifier(LogisticRegression(max_iter=2000))
    with threadpool_limits(1):  # several threads take turns rather than share so little work
        return make_pipeline(StandardScaler(), classifier).fit(histograms, np.asarray(labels, dtype="int64"))
