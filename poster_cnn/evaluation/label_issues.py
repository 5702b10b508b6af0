"""Find suspicious genre labels by comparing them with held-out predictions (confident learning, cleanlab)."""

import numpy as np
import pandas as pd

from poster_cnn import datasets
from poster_cnn.datasets.crops import shrunk_size
from poster_cnn.metrics import arguments, baselines
from poster_cnn.movies import splits
from poster_cnn.movies.genres import encode_genres, with_genre_lists


@arguments.checked(
    table=arguments.table("genres", "poster_path", empty=False),
    class_names=arguments.genres,
    num_movies=arguments.count,
)
def find_suspicious(table, class_names, *, num_movies=20):
    """Return `suspicious_labels` from default `held_out_probabilities`, without movies that have none of the genres."""
    table = table[encode_genres(table, class_names).any(axis=1)]
    return suspicious_labels(table, class_names, held_out_probabilities(table, class_names), num_movies=num_movies)


@arguments.checked(
    table=arguments.table("genres", "poster_path", empty=False),
    class_names=arguments.genres,
    n_splits=arguments.folds,
    ratio=arguments.number,
    seed=arguments.seed,
)
def held_out_probabilities(table, class_names, *, n_splits=5, groups=None, seed=0, ratio=30):
    """Predict the genres of all movies by cross-validated logistic regression on color histograms.

    Args:
        table: Movie table with readable posters; see `verify.check_posters`.
        class_names: Genres, in label order.
        n_splits: Number of folds. Defaults to 5.
        groups: Series over the table's index; groups stay in one fold. Defaults to `None`; see `leak_free_folds`.
        seed: Seed of the folds. Defaults to 0.
        ratio: Percentage to which posters are shrunk. Defaults to 30.

    Returns:
        float32 array `(num_movies, num_classes)`.
    """
    size = shrunk_size(ratio)
    decoded = datasets.decoded_posters(table, class_names, image_size=size, cache=False)
    batches = decoded.batch(256).as_numpy_iterator()
    histograms = np.concatenate([baselines.color_histograms(images) for images, _ in batches])
    labels = encode_genres(table, class_names)
    folds = splits.leak_free_folds(table, class_names, n_splits=n_splits, groups=groups, seed=seed).to_numpy()
    probabilities = np.zeros_like(labels)
    for fold in range(n_splits):
        held_out = folds == fold
        model = baselines.fit_color_histogram(histograms[~held_out], labels[~held_out])
        probabilities[held_out] = model.predict_proba(histograms[held_out])[:, -labels.shape[1] :]
    return probabilities


@arguments.checked(
    table=arguments.table("imdb_id", "title", "genres"), class_names=arguments.genres, num_movies=arguments.count
)
def suspicious_labels(table, class_names, probabilities, *, num_movies=20):
    """Rank the movies whose labels disagree most with held-out predictions.

    A weak model also doubts correct labels, so the result is a list of labels to inspect, not of errors.

    Args:
        table: Movie table.
        class_names: Genres, in label order.
        probabilities: Held-out probabilities `(num_movies, num_classes)`, 0..1.
        num_movies: Number of movies to return. Defaults to 20.

    Returns:
        DataFrame, most suspicious first: `imdb_id`, `title`, `genres` (joined with "|"), `doubted` (the genre whose
        label and prediction differ most), `probability` (of that genre), `quality` (score of cleanlab, 0..1).

    Raises:
        ImportError: If cleanlab is not installed.
    """
    try:
        from cleanlab.multilabel_classification import get_label_quality_scores
    except ImportError:
        raise ImportError("Suspicious labels need cleanlab: pip install -e '.[audit]'") from None
    labels = encode_genres(table, class_names)
    quality = get_label_quality_scores([list(np.flatnonzero(row)) for row in labels], np.asarray(probabilities))
    doubted = np.abs(labels - probabilities).argmax(axis=1)
    result = pd.DataFrame(
        {
            "imdb_id": table["imdb_id"].to_numpy(),
            "title": table["title"].to_numpy(),
            "genres": ["|".join(genres) for genres in with_genre_lists(table)["genres"]],
            "doubted": np.asarray(class_names)[doubted],
            "probability": np.asarray(probabilities)[np.arange(len(table)), doubted].round(3),
            "quality": quality.round(4),
        }
    )
    return result.sort_values("quality", kind="stable").head(num_movies).reset_index(drop=True)
