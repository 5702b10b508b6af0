"""Finished run + any data folder -> scores next to baselines, overall and per genre."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from poster_cnn import datasets, metrics
from poster_cnn.datasets import crops, duplicates
from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.datasets.verify import announce, check_posters, describe, describe_losses
from poster_cnn.evaluation.predict_movies import find_ensemble
from poster_cnn.files import progress_bar, read_json
from poster_cnn.metrics import arguments, baselines
from poster_cnn.movies.data_folder import data_path, find_data_folder
from poster_cnn.movies.genres import encode_genres, merge_genres
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.run_folder import read_colors, read_seen_posters
from poster_cnn.training.saved_model import hint_if_unfinished, load_model

NOT_DEFINED = "not defined"  # a score of a genre without movies


@dataclasses.dataclass(frozen=True)
class ScoredMovies:
    """Movies that a run was scored on, for reports.

    Attributes:
        table: Movie table.
        class_names: Genres, in label order.
        y_true: Labels `(num_movies, num_classes)`.
        y_prob: Probabilities of the network, without its calibration, of the same shape.
        train_labels: Labels of the run's training movies.
        about: Dict from `load_model`.
        baselines: Dict of baseline -> its prediction, of the shape of `y_true`.
    """

    table: pd.DataFrame
    class_names: list
    y_true: np.ndarray
    y_prob: np.ndarray
    train_labels: np.ndarray
    about: dict
    baselines: dict

    @property
    def predicted(self):
        """Bool array: genres at or above their thresholds or, without thresholds, the most probable genre."""
        if self.about["thresholds"] is None:
            return np.arange(len(self.class_names)) == self.y_prob.argmax(axis=1)[:, None]
        return self.y_prob >= [self.about["thresholds"][name] for name in self.class_names]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of a run on a data folder.

    Attributes:
        scores: DataFrame indexed by metric: `model`, `low`, `high` (95% interval) and one column per baseline.
        genres: DataFrame indexed by genre: `movies`, `threshold` (of the model, by default 0.5), `precision`,
            `recall`, `f1`, `average_precision`, `prior` (fraction of the training movies). The scores of a genre
            without movies are not defined (NaN).
        num_movies: Number of scored movies.
        notes: Text that explains which movies were left out.
        movies: `ScoredMovies`.
        num_seen: Number of scored posters that look like posters of this training or those it started from.
    """

    scores: pd.DataFrame
    genres: pd.DataFrame
    num_movies: int
    notes: str
    movies: ScoredMovies | None = dataclasses.field(default=None, repr=False, compare=False)
    num_seen: int = 0

    @property
    def warning(self):
        """Sentence on scores that may be too high, or an empty text."""
        seen = _describe_seen(self.num_seen, self.num_movies)
        return f"{seen}, so its scores may be too high." if self.num_seen else ""

    def __str__(self):
        return f"{self.notes}\n\n{self.as_text()}"

    def as_text(self):
        """Return the scores as text, without the notes."""
        percent = (100 * self.scores).round(1).to_string(na_rep="")
        per_genre = pd.concat([self.genres[["movies"]], (100 * self.genres.drop(columns="movies")).round(1)], axis=1)
        per_genre = per_genre.to_string(na_rep=NOT_DEFINED)
        about = "precision, recall and F1 from the threshold"
        if self.movies is not None and self.movies.about["thresholds"] is None:
            about = (
                "precision, recall and F1 at 50%, as the network has no thresholds; it names the most probable genre"
            )
        warning = f"{self.warning}\n\n" if self.warning else ""
        head = f"{self.num_movies} movies, scores in percent\n\n{warning}"
        return f"{head}{percent}\n\nBy genre ({about})\n\n{per_genre}"

    def classification_report(self):
        """Return scikit-learn's `classification_report` of the predicted genres, a text."""
        y_true, predicted, names = self.movies.y_true > 0, self.movies.predicted, self.movies.class_names
        if len(names) == 1:  # two classes for scikit-learn
            y_true, predicted, names = y_true.ravel(), predicted.ravel(), [f"not {names[0]}", names[0]]
        options = {"labels": range(len(names)), "target_names": names, "zero_division": 0}
        return sk.classification_report(y_true.astype(int), predicted.astype(int), **options)

    def to_dict(self):
        """Return a dict for JSON."""
        return {
            "num_movies": self.num_movies,
            "num_seen": self.num_seen,
            "scores": _without_nan(self.scores),
            "genres": _without_nan(self.genres),
            "notes": self.notes.splitlines(),
        }


@arguments.checked(run_dir=arguments.path, data=data_path, batch_size=arguments.count, num_resamples=arguments.natural)
@unchanged_process()
def evaluate(run_dir, data, *, batch_size=32, num_resamples=1000, progress=True):
    """Score a finished run on its own or any other data folder.

    Movies that the run used for training or validation are left out, and so are new movies whose posters are copies of
    posters of such movies: the same picture, or a near-duplicate as found by `datasets.duplicates`. The run's own test
    movies are kept; `leak.json` in the run folder counts the copies among them. Filters of the run, such as its years,
    do not apply, so movies that are not in its split are scored too. Movies with none of the run's genres are left out
    unless the run was trained on such movies (`keep_unlabeled`, always with one genre). The notes give the number of
    all of these. Posters are cropped like the run's test posters. The baselines are those of the run: they are computed
    from its training labels and, for the color histogram, its training posters.

    Args:
        run_dir: Run folder of `training.train`.
        data: Data folder, movie table or DataFrame; see `find_data_folder`.
        batch_size: Defaults to 32.
        num_resamples: Number of bootstrap resamples for the intervals. Defaults to 1000.
        progress: Whether to show progress bars after one second. Defaults to `True`.

    Returns:
        `Evaluation`

    Raises:
        FileNotFoundError: If the run is not finished, or the folder lacks the table or the posters.
        ValueError: If the run is an ensemble or one of its branches other than the poster branch, if all movies were
            used for training or validation, or if no movie has one of the network's genres.
    """
    if find_ensemble(run_dir):
        _refuse_ensemble(run_dir, find_ensemble(run_dir))
    if not (run_dir / "metrics.json").is_file():
        expected = f"Expected a finished run folder, with metrics.json in it. Looked in {run_dir}."
        raise FileNotFoundError(f"{expected}{hint_if_unfinished(run_dir)}")
    config = read_json(run_dir / "config.json")["config"]
    if "modalities" in config and config["model"] != "poster":
        _refuse_ensemble(run_dir, run_dir)
    split = pd.read_csv(run_dir / "split.csv")
    model, about = load_model(run_dir)
    class_names = about["class_names"]
    table, notes, num_seen = _unseen_movies(data, run_dir, config, split, about, progress)
    labels = encode_genres(table, class_names)
    if not labels.any():  # a network of one genre keeps movies without it
        expected = f"movies of the network's genres, {', '.join(class_names)}, that were not used for training"
        raise ValueError(f"`data` must have {expected}. Received:\n{notes}")
    crop_size = about["crop_size"]
    posters = datasets.poster_dataset(
        table if crop_size is None else crops.center_crops(table, crop_size),
        class_names,
        image_size=tuple(config["image_size"]),
        batch_size=batch_size,
        interpolation=about["interpolation"],
        cache=False,
    )
    y_prob, histograms = _predict(model, posters, len(table), progress)
    train_labels = split.loc[split["part"] == "train", class_names].to_numpy()
    others = {
        "majority": baselines.majority_class(train_labels, len(labels)),
        "label_prior": baselines.label_prior(train_labels, len(labels)),
        "frequent_genres": baselines.frequent_genres(train_labels, len(labels)),
    }
    if (colors := read_colors(run_dir)) is not None:
        others["color_histogram"] = baselines.color_histogram(colors, histograms)
    return Evaluation(
        scores=_score_table(labels, y_prob, others, num_resamples),
        genres=_genre_table(labels, y_prob, train_labels, class_names, about["thresholds"] or {}),
        num_movies=len(table),
        notes=notes,
        movies=ScoredMovies(table, class_names, labels, y_prob, train_labels, about, others),
        num_seen=num_seen,
    )


def _predict(model, posters, num_movies, progress):
    """Return the probabilities and the color histograms of posters, which are decoded once."""
    probabilities, histograms = [], []
    bar = progress_bar(desc="Scoring", total=num_movies, unit=" posters", delay=1, disable=not progress)
    with bar:
        for images, _ in posters.as_numpy_iterator():
            probabilities.append(model.predict_on_batch(images))
            histograms.append(baselines.color_histograms(images))
            bar.update(len(images))
    return np.concatenate(probabilities), np.concatenate(histograms)


def _refuse_ensemble(run_dir, folder):
    raise ValueError(
        "`run_dir` must be the run of a poster network, not of an ensemble or another modality. Its scores on its own "
        f"test movies are in {folder / 'metrics.json'}. Received: run_dir={str(run_dir)!r}"
    )


def _describe_seen(count, num_movies):
    return f"{count:,} of the {num_movies:,} scored posters look like posters that this network was trained on earlier"


def _unseen_movies(data, run_dir, config, split, about, progress):
    """Return the table of the movies to score, the notes, and how many of them earlier trainings have seen."""
    class_names, seen_posters = about["class_names"], read_seen_posters(run_dir)
    genre_groups = config.get("genre_groups", {})
    folder = find_data_folder(data)
    shown = "a DataFrame" if isinstance(folder.csv, pd.DataFrame) else repr(str(folder.root))
    table = load_movie_table(folder.csv, posters_dir=folder.posters)
    read, notes = table.attrs["report"], table.attrs["report"].with_layout()
    table.attrs["genres"] += [*class_names, *itertools.chain.from_iterable(genre_groups.values())]  # known to the run
    table = merge_genres(table, genre_groups)
    has_genre = encode_genres(table, class_names).any(axis=1)
    if not has_genre.any():
        expected = f"movies of the network's genres, {', '.join(class_names)}"
        raise ValueError(f"`data` must have {expected}. Received: data={shown}\n{notes}")
    if not config.get("keep_unlabeled", False):
        notes += f"\n{(~has_genre).sum()} movies without any of the network's genres left out"
        table = table[has_genre]
    table, report = check_posters(table, progress=progress)
    notes += "\n" + describe(report)
    seen_ids = split.loc[split["part"] != "test", "imdb_id"]
    seen = table["imdb_id"].isin(seen_ids)
    is_tested = table["imdb_id"].isin(split["imdb_id"]) & ~seen
    copied = _copies_of_seen(report, seen_ids, seen_posters).loc[table.index]
    if (copied & is_tested).any():
        notes += f"\n{int((copied & is_tested).sum())} of the run's test movies have a copy in training or validation"
    copied &= ~is_tested
    if seen.any():
        notes += f"\n{int(seen.sum())} movies left out, as they were used for training or validation"
    if copied.any():
        notes += f"\n{int(copied.sum())} movies left out, as their posters are copies of posters of such movies"
    if seen_posters is None:
        notes += "\nThe run does not record its posters, so copies of them were looked for in this data folder only"
    if (seen | copied).all():
        raise ValueError(f"`data` must have movies that were not used for training. Received: data={shown}\n{notes}")
    table = table[~(seen | copied)]
    num_seen = 0
    if trained_on := about.get("seen_posters"):
        scored = SeenPosters.from_signatures(report.loc[table.index, "signature"], table["imdb_id"])
        num_seen = SeenPosters.from_text(trained_on).count_copies(scored)
    notes += f"\n{_describe_seen(num_seen, len(table))}" if num_seen else ""
    if new := int((~table["imdb_id"].isin(split["imdb_id"])).sum()):
        notes += f"\n{new} of the {len(table)} scored movies are not in the run's split"
    lost = describe_losses(report, read.count("no poster file"), read.rows_kept)
    notes += f"\n{lost}" if lost else ""
    announce(notes, lost)
    return table, notes, num_seen


def _copies_of_seen(report, seen_ids, seen_posters):
    """Return which rows of a report of posters are copies of posters of a run, and not these themselves."""
    own = report.assign(known=report["imdb_id"].isin(seen_ids))
    others = [] if seen_posters is None else [seen_posters.assign(known=True)]
    both = pd.concat([own, *others], ignore_index=True)
    return pd.Series(duplicates.copies_of(both["known"], both).to_numpy()[: len(report)], index=report.index)


def _score_table(labels, y_prob, others, num_resamples):
    names = metrics.EVERYDAY if labels.shape[1] > 1 else metrics.OF_ONE_GENRE
    scores = metrics.score(names, labels, y_prob, num_resamples=num_resamples)
    scores = pd.DataFrame(scores).T.rename(columns={"value": "model"})
    for name, prediction in others.items():
        asked = ["overall_f1"] if name == "frequent_genres" else scores.index  # which is not a ranking
        scores.loc[asked, name] = [metrics.BY_NAME[metric](labels, prediction) for metric in asked]
    return scores


def _without_nan(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("index")


def _genre_table(labels, y_prob, train_labels, class_names, thresholds):
    limits = np.array([thresholds.get(name, 0.5) for name in class_names])
    pairs = zip(labels.T > 0, (y_prob >= limits).T, strict=True)  # one by one, as a single genre is binary to sklearn
    scores = [sk.precision_recall_fscore_support(*pair, average="binary", zero_division=0)[:3] for pair in pairs]
    precision, recall, f1 = np.transpose(scores)
    movies = (labels > 0).sum(axis=0)
    pairs = zip(labels.T, y_prob.T, movies, strict=True)
    average = [sk.average_precision_score(y, p) if count else np.nan for y, p, count in pairs]
    table = pd.DataFrame(
        {
            "movies": movies,
            "threshold": limits,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "average_precision": average,
            "prior": train_labels.mean(axis=0),
        },
        index=pd.Index(class_names, name="genre"),
    )
    table.loc[table["movies"] == 0, ["precision", "recall", "f1"]] = np.nan
    return table
