"""Paper 5's results as tables: average precision beside the paper's, the variants, which modality helps which genre."""

import itertools
import pathlib

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from poster_cnn import metrics
from poster_cnn.multimodal.config import MODALITIES, EnsembleConfig
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.multimodal.fit import predict_rows, trainable_part
from poster_cnn.multimodal.train import ENSEMBLE, check_run
from poster_cnn.results.collect import collect_results, genres_of, read_predictions
from poster_cnn.results.tables import BASELINES, MISSING, title
from poster_cnn.training.run_folder import recorded_config
from poster_cnn.training.saved_model import load_model

METRICS = {"micro": "average_precision_micro", "macro": "average_precision", "samples": "average_precision_samples"}
# Network -> the row that the paper prints.
PRINTED_ROWS = {
    "poster": "Poster",
    "trailer": "Video",
    "metadata": "Metadata",
    "plot": "Text",
    "ensemble": "Combined",
}


def average_precision_scores(results, published):
    """The table of Fig. 5 of LeBaron (section 5), ours beside the paper's and the trivial baselines', to draw from.

    Args:
        results: DataFrame from `collect_results` or `read_results` of one ensemble with its branches, a run a seed.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a network and metric; average precisions are fractions, 0..1: `model` ("poster", "trailer",
        "metadata", "plot", "ensemble", then "color_histogram", "label_prior" and "majority" where `results` has them),
        `metric` ("micro", "macro" or "samples"), `value` (mean over the seeds), `sd` (over the seeds, of a sample),
        `low` and `high` (means of the seeds' 95% intervals over resampled test movies), `runs` (int, number of seeds),
        `published`. A network without runs has the paper's numbers alone. A baseline has no seeds: 0 `runs`, and
        neither `sd` nor interval.

    Raises:
        ValueError: If `results` lacks a metric, has no finished run, or has several runs of a network and seed.

    Example:

    >>> scores = average_precision_scores(settings.results("lebaron/ensemble"), settings.published("lebaron"))
    >>> scores.pivot(index="model", columns="metric", values="value")
    """
    _check_results(results, ["model", "seed"])
    printed = published[published["table"] == "Figure 5"].set_index(["row", "metric"])["value"] / 100
    rows = []
    for model, row in PRINTED_ROWS.items():
        runs = results[results["model"] == model].sort_values("seed")
        for metric, name in METRICS.items():
            interval = {side: runs[f"{name}_{side}"].mean() for side in ("low", "high")}
            seeds = {"value": runs[name].mean(), "sd": runs[name].std(), "runs": len(runs)}
            theirs = {"published": printed.get((row, name), float("nan"))}
            rows.append({"model": model, "metric": metric} | seeds | interval | theirs)
    for baseline in BASELINES[::-1]:
        for metric, name in METRICS.items():
            if f"{baseline}_{name}" in results:
                value = results[f"{baseline}_{name}"].mean()
                rows.append({"model": baseline, "metric": metric, "value": value, "runs": 0})
    return pd.DataFrame(rows, columns="model metric value sd low high runs published".split())


def average_precision_table(results, published):
    """The table of Fig. 5 of LeBaron (section 5) to be read: a row a network or baseline, in percent.

    Args:
        results, published: As in `average_precision_scores`.

    Returns:
        DataFrame of str, but for the int `Runs`: `Model`, `Runs` (number of seeds), then for each metric the mean ±
        standard deviation over the seeds with the mean of their 95% intervals, such as "56.3 ± 1.3 [54.0, 59.6]"
        below "Macro [95%]", and the paper's, such as "56.4" below "Macro, paper"; "–" for what is not there.

    Raises:
        ValueError: As `average_precision_scores`.
    """
    scores = average_precision_scores(results, published)
    lines = []
    for model, of_model in scores.groupby("model", sort=False):
        line = {"Model": title(model), "Runs": of_model["runs"].iloc[0]}
        for score in of_model.itertuples():
            interval = "" if pd.isna(score.low) else f" [{100 * score.low:.1f}, {100 * score.high:.1f}]"
            name = score.metric.capitalize()
            line[f"{name} [95%]"] = _mean_and_sd(score.value, score.sd) + interval
            line[f"{name}, paper"] = _mean_and_sd(score.published)
        lines.append(line)
    return pd.DataFrame(lines)


def variants_table(results):
    """What the choices of paper 5 matter: its ensemble first, then the same with one choice changed, in percent.

    Args:
        results: DataFrame from `collect_results` or `read_results`, a run a variant and seed; several tables are
            stacked with `results.stack`. Rows of branches are left out.

    Returns:
        DataFrame of str, but for the int `Runs`: `Variant` ("faithful", or the name of the set of changes), `Runs`
        (number of seeds), then mean ± standard deviation over the seeds: `Micro`, `Macro` and `Samples` of the test
        movies, `Validation macro`, by which the variants are ordered, the best first.

    Raises:
        ValueError: As `average_precision_scores`.

    Example:

    >>> both = results.stack([settings.results("lebaron/ensemble"), settings.results("lebaron/variants")])
    >>> variants_table(both)
    """
    _check_results(results, ["variant", "set_name", "model", "seed"])
    runs = results[results["model"] == "ensemble"]
    names = runs["set_name"].where(runs["set_name"] != "", runs["variant"])
    columns = {metric.capitalize(): name for metric, name in METRICS.items()}
    columns["Validation macro"] = "validation_average_precision"
    groups = runs.groupby(names)[list(columns.values())]
    mean, sd = groups.mean(), groups.std()
    best = mean["validation_average_precision"].sort_values(ascending=False).index
    lines = []
    for name in sorted(best, key=lambda name: name != "faithful"):
        line = {"Variant": name.replace("_", " ").replace(",", ", "), "Runs": int((names == name).sum())}
        lines.append(line | {head: _mean_and_sd(mean[of][name], sd[of][name]) for head, of in columns.items()})
    return pd.DataFrame(lines)


def modality_gains(subsets):
    """Which modality helps which genre: its average precision alone, and what it adds to all others.

    Args:
        subsets: DataFrame from `modality_tables.modality_subsets`.

    Returns:
        DataFrame, one row a genre and modality, both in the order of `subsets`; average precisions are fractions, means
        over the seeds: `genre`, `modality`, `alone` (the ensemble shown only this modality), `gain` (all shown, minus
        all but this one; missing where there is no other), `all` (all shown), `gain_sd` (of the gain over the seeds, of
        a sample).

    Example:

    >>> modality_gains(subsets).pivot(index="genre", columns="modality", values="gain")
    """
    by_genre = subsets[subsets["genre"] != ""]
    whole = by_genre.loc[by_genre["num_modalities"].idxmax(), "modalities"]
    modalities = whole.split("+")
    scores = by_genre.pivot(index=["genre", "seed"], columns="modalities", values="average_precision")
    tables = []
    for modality in modalities:
        others = "+".join(name for name in modalities if name != modality)
        table = pd.DataFrame({"alone": scores[modality], "all": scores[whole]})
        table["gain"] = scores[whole] - scores[others] if others else float("nan")
        means = table.groupby("genre").mean().assign(gain_sd=table["gain"].groupby("genre").std())
        tables.append(means.assign(modality=modality).reindex(by_genre["genre"].unique()))
    gains = pd.concat(tables, keys=range(len(modalities))).swaplevel()
    gains = gains.loc[by_genre["genre"].unique()].rename_axis(["genre", None]).reset_index("genre")
    return gains[["genre", "modality", "alone", "gain", "all", "gain_sd"]].reset_index(drop=True)


def _mean_and_sd(mean, sd=float("nan")):
    """Fractions as a reader sees them, in percent: "61.6 ± 2.0"."""
    if pd.isna(mean):
        return MISSING
    return f"{100 * mean:.1f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.1f}")


def _check_results(results, keys):
    missing = [name for name in (*keys, *METRICS.values()) if name not in results]
    if missing:
        raise ValueError(f"`results` must have the columns {missing}. Received: columns={list(results.columns)}")
    if results.empty:
        raise ValueError("`results` must have at least one finished run. Received: an empty table")
    repeated = results[results.duplicated(keys)]
    if len(repeated):
        raise ValueError(
            f"`results` must have one run for each of {', '.join(keys)}: choose some, for example with "
            f"`results[results['set_name'] == '']`. Received several for {repeated.iloc[0][keys].to_dict()}"
        )


def genre_average_precision(runs_dir):
    """Average precision of each genre, for each branch and ensemble (paper 5, section 5).

    Args:
        runs_dir: Folder that holds run folders of ensembles, as for `collect_results`.

    Returns:
        DataFrame, one row a run and genre, genres in label order: `set_name` (str), `model` ("poster", …, "ensemble"),
        `seed` (int), `genre` (str), `positives` (int, test movies with the genre), `average_precision` (fraction; NaN
        where `positives` is 0), `label_prior` (share of the test movies with the genre: the average precision of
        saying the same of all movies).
    """
    tables = []
    for run in collect_results(runs_dir).to_dict("records"):
        genres, y_true, y_prob = _arrays(read_predictions(pathlib.Path(runs_dir) / run["run"]))
        about = {name: run[name] for name in ("set_name", "model", "seed")}
        scores = {"average_precision": _average_precisions(y_true, y_prob), "label_prior": y_true.mean(axis=0)}
        tables.append(pd.DataFrame(about | {"genre": genres, "positives": y_true.sum(axis=0)} | scores))
    return pd.concat(tables, ignore_index=True)


def modality_subsets(runs_dir, data_folder, *, ensemble_data=None, progress=True):
    """Average precision of ensembles that are shown some of the modalities of the test movies, and the others not.

    The branches and the fusion are those of each run's `ensemble/model.keras`; nothing is trained.

    Args:
        runs_dir: Folder that holds run folders of ensembles with the same data, one a seed.
        data_folder: The data folder that they were trained on; see `load_ensemble_data`.
        ensemble_data: `EnsembleData` already loaded for these runs. Defaults to `None`.
        progress: Whether to show a progress bar while posters are read. Defaults to `True`.

    Returns:
        DataFrame, a row for each seed and non-empty subset of the modalities with `genre` "", and one for each of its
        genres in label order: `modalities` (str, what is shown, such as "poster+plot"), `num_modalities`, `seed`,
        `genre`; `average_precision_micro`, `average_precision` (macro; of a genre its own, NaN if no test movie has
        it) and `average_precision_samples` (NaN for a genre), fractions; `num_missing`: test movies that have none of
        what is shown, of which the fusion says its prior.

    Raises:
        ValueError: If there is no finished ensemble, several have the same seed, or one was trained on other data.

    Example:

    >>> subsets = modality_subsets("runs/lebaron_ensemble", "data")
    >>> subsets[subsets["genre"] == ""].groupby("modalities")["average_precision"].mean()
    """
    lines = []
    for seed, folder in _ensembles(runs_dir).items():
        config = recorded_config(folder, EnsembleConfig)
        data = ensemble_data = ensemble_data or load_ensemble_data(config, data_folder, progress=progress)
        check_run(folder.parent, config, data)
        model, _ = load_model(folder)
        branches = [trainable_part(model.get_layer(f"{name}_branch")) for name in config.modalities]
        inputs = zip(branches, data.inputs.values(), strict=True)
        opinions = np.stack([predict_rows(branch, array) for branch, array in inputs], axis=1)
        rows, y_true = data.rows("test"), data.movies.labels("test")
        for shown in _subsets(config.modalities):
            present = data.present & np.isin(config.modalities, shown)
            fused = {"probabilities": opinions, "present": present}
            y_prob = predict_rows(model.get_layer("late_fusion"), fused)[rows]
            about = {"modalities": "+".join(shown), "num_modalities": len(shown), "seed": seed}
            missing = {"num_missing": int((~present[rows].any(axis=1)).sum())}
            lines.append(about | {"genre": ""} | metrics.values(METRICS.values(), y_true, y_prob) | missing)
            by_genre = zip(config.class_names, _average_precisions(y_true, y_prob), strict=True)
            lines += [about | {"genre": genre, "average_precision": score} | missing for genre, score in by_genre]
    columns = ["modalities", "num_modalities", "seed", "genre", *METRICS.values(), "num_missing"]
    return pd.DataFrame(lines, columns=columns)


def corrected_movies(runs_dir, table, count=3, *, seed=None):
    """Test movies of which the ensemble is right and the poster alone is wrong (Fig. 6 of LeBaron, section 5).

    Right is who ranks the movie's n genres first, before all others. Only movies that have every modality are
    looked at.

    Args:
        runs_dir: Folder that holds run folders of ensembles with their branches, one ensemble a seed.
        table: DataFrame with `imdb_id` and `title`, such as from `load_movie_metadata`.
        count: Most movies to give. Defaults to 3.
        seed: Which ensemble. Defaults to `None`: that of the lowest seed.

    Returns:
        DataFrame, one row a movie and genre: those movies first whose average precision (of one movie's genres, as in
        the samples score) the ensemble raises most, genres in label order: `imdb_id`, `title` (str, "" where `table`
        has none), `genre`, `true` (0 or 1), and the probabilities of each branch, such as `poster`, and of `ensemble`.

    Raises:
        ValueError: If there is no finished ensemble of the seed with a poster branch, or several have the same seed.
    """
    folders = _ensembles(runs_dir)
    if seed is not None and seed not in folders:
        raise ValueError(f"`seed` must be that of an ensemble, one of {list(folders)}. Received: seed={seed}")
    folder = folders[min(folders) if seed is None else seed]
    names = [name for name in MODALITIES if (folder.parent / name / "predictions.csv").is_file()]
    if "poster" not in names:
        raise ValueError(f"The ensemble must have a poster branch trained alone. Received: {folder.parent}")
    predictions = {name: read_predictions(folder.parent / name) for name in (*names, "ensemble")}
    genres, y_true, _ = _arrays(predictions["ensemble"])
    compared = ("poster", "ensemble")
    poster, ensemble = (_average_precisions(y_true.T, _arrays(predictions[name])[2].T) for name in compared)
    split = pd.read_csv(folder / "split.csv")
    has_all = split.loc[split["part"] == "test"].filter(like="has_").to_numpy().all(axis=1)
    corrected = np.flatnonzero(has_all & np.isclose(ensemble, 1) & ~np.isclose(poster, 1))
    corrected = corrected[np.argsort(poster[corrected], kind="stable")][:count]
    titles = table.drop_duplicates("imdb_id").set_index("imdb_id")["title"]
    tables = []
    for row in corrected:
        imdb_id = predictions["ensemble"]["imdb_id"].iloc[row]
        about = {"imdb_id": imdb_id, "title": titles.get(imdb_id, ""), "genre": genres, "true": y_true[row]}
        tables.append(pd.DataFrame(about | {name: _arrays(of)[2][row] for name, of in predictions.items()}))
    columns = ["imdb_id", "title", "genre", "true", *predictions]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _ensembles(runs_dir):
    """dict of seed -> run folder of the whole ensemble, by seed."""
    runs = collect_results(runs_dir)
    runs = runs[runs["model"] == ENSEMBLE].sort_values("seed")
    if runs.empty:
        raise ValueError(f"`runs_dir` must hold a finished ensemble. Received: runs_dir={runs_dir}")
    if runs["seed"].duplicated().any():
        raise ValueError(
            "`runs_dir` must hold one ensemble a seed: choose the folder of one experiment without variants. "
            f"Received: {', '.join(runs['run'])}"
        )
    return {run.seed: pathlib.Path(runs_dir) / run.run for run in runs.itertuples()}


def _subsets(modalities):
    """Every non-empty subset, those of one modality first."""
    sizes = range(1, len(modalities) + 1)
    return itertools.chain.from_iterable(itertools.combinations(modalities, size) for size in sizes)


def _arrays(predictions):
    """`(genres, y_true, y_prob)` of a table of predictions."""
    genres = genres_of(predictions)
    return genres, *(predictions[[f"{kind}_{name}" for name in genres]].to_numpy() for kind in ("true", "probability"))


def _average_precisions(y_true, y_prob):
    """Average precision of each column; NaN for one without a positive."""
    has_positive = y_true.any(axis=0)
    scores = np.full(len(has_positive), np.nan)
    scores[has_positive] = average_precision_score(y_true[:, has_positive], y_prob[:, has_positive], average=None)
    return scores
