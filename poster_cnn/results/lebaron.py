"""Tables of paper 5: average precision with the paper's numbers, variants, genres, modalities and corrected movies."""

import pathlib

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from poster_cnn import metrics
from poster_cnn.multimodal.config import MODALITIES
from poster_cnn.results.collect import collect_results, prediction_arrays, read_predictions, stack_predictions
from poster_cnn.results.tables import BASELINES, MISSING, RANDOM_WEIGHTS, check_results, initial_weights, title

METRICS = {"micro": "average_precision_micro", "macro": "average_precision", "samples": "average_precision_samples"}
# Network -> printed row.
PRINTED_ROWS = {"poster": "Poster", "trailer": "Video", "metadata": "Metadata", "plot": "Text", "ensemble": "Combined"}


def seed_intervals(runs, predictions, *, num_resamples=1000):
    """Compute 95% intervals of the mean over the seeds, resampling the test movies for all seeds at once.

    The mean of the seeds' intervals is not an interval of their mean. Neither contains the variance of the split.

    Args:
        runs: DataFrame from `collect_results` of one ensemble with its branches, one run per seed.
        predictions: Dict of `(experiment, run)` -> predictions of each run; see `read_predictions`.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per network and metric: `model`; `metric` ("micro", "macro" or "samples"); `value`, `low` and
        `high`, fractions; `runs` (int, number of seeds).
    """
    _check_runs(runs, ["model", "seed"])
    rows = []
    for model, own in runs.sort_values("seed").groupby("model", sort=False):
        _, y_true, y_prob = stack_predictions(own, predictions)
        scores = metrics.score(list(METRICS.values()), y_true, y_prob, num_resamples=num_resamples)
        rows += [(model, metric, *scores[name].values(), len(own)) for metric, name in METRICS.items()]
    return pd.DataFrame(rows, columns="model metric value low high runs".split())


def average_precision_scores(results, published, intervals):
    """Compare average precision of all networks with the paper's and the baselines' (Fig. 5 of LeBaron, section 5).

    Args:
        results: DataFrame from `collect_results` or `read_results` of one ensemble with its branches, one run per seed.
        published: DataFrame from `read_published`.
        intervals: DataFrame from `seed_intervals`.

    Returns:
        DataFrame, one row per network and metric, average precisions as fractions: `model` ("poster", "trailer",
        "metadata", "plot", "ensemble", then "human", the level that the paper quotes, and the baselines
        "color_histogram", "label_prior" and "majority"), `metric`
        ("micro", "macro" or "samples"), `value` (mean over the seeds), `sd` (sample standard deviation over the seeds),
        `low` and `high` (95% interval of the mean), `runs` (int, number of seeds; 0 for baselines),
        `published`. A network without runs has the paper's numbers alone.

    Raises:
        ValueError: If `results` lacks a metric, has no finished run, or has several runs of a network and seed.
    """
    _check_runs(results, ["model", "seed"])
    printed = published[published["table"] == "Figure 5"].set_index(["row", "metric"])["value"] / 100
    bounds = intervals.set_index(["model", "metric"])[["low", "high"]].to_dict("index")
    rows = []
    for model, row in PRINTED_ROWS.items():
        runs = results[results["model"] == model].sort_values("seed")
        for metric, name in METRICS.items():
            seeds = {"value": runs[name].mean(), "sd": runs[name].std(), "runs": len(runs)}
            theirs = {"published": printed.get((row, name), float("nan"))}
            rows.append({"model": model, "metric": metric} | seeds | bounds.get((model, metric), {}) | theirs)
    human = published[(published["row"] == "human") & (published["metric"] == METRICS["macro"])]["value"]
    if len(human):
        rows.append({"model": "human", "metric": "macro", "published": human.iloc[0] / 100, "runs": 0})
    for baseline in BASELINES[::-1]:
        for metric, name in METRICS.items():
            if f"{baseline}_{name}" in results:
                value = results[f"{baseline}_{name}"].mean()
                rows.append({"model": baseline, "metric": metric, "value": value, "runs": 0})
    return pd.DataFrame(rows, columns="model metric value sd low high runs published".split())


def average_precision_table(results, published, intervals):
    """Format `average_precision_scores` for reading, one row per network or baseline, in percent.

    Args:
        results, published, intervals: As in `average_precision_scores`.

    Returns:
        DataFrame of str: `Model` (with a note if its backbone has random weights), `Runs` (int, number of seeds), and
        for each metric a column such as "Macro [95%]" with mean ± standard deviation and interval, "56.3 ± 1.3 [54.0,
        59.6]", and a column such as "Macro, paper"; "–" for missing values.

    Raises:
        ValueError: As in `average_precision_scores`.
    """
    scores = average_precision_scores(results, published, intervals)
    weights, lines = initial_weights(results), []
    for model, of_model in scores.groupby("model", sort=False):
        has_backbone = model in ("poster", "trailer") and "backbone_weights" in results
        starts = set(weights[results["model"].eq(model) & has_backbone])
        note = f" ({RANDOM_WEIGHTS})" if starts == {RANDOM_WEIGHTS} else ""
        line = {"Model": title(model) + note, "Runs": of_model["runs"].iloc[0]}
        for score in of_model.set_index("metric").reindex(METRICS).rename_axis("metric").reset_index().itertuples():
            interval = "" if pd.isna(score.low) else f" [{100 * score.low:.1f}, {100 * score.high:.1f}]"
            name = score.metric.capitalize()
            line[f"{name} [95%]"] = _mean_and_sd(score.value, score.sd) + interval
            line[f"{name}, paper"] = _mean_and_sd(score.published)
        lines.append(line)
    return pd.DataFrame(lines)


def variants_table(results):
    """Compare the ensemble of paper 5 with variants that change one choice, in percent.

    Args:
        results: DataFrame from `collect_results` or `read_results`, one run per variant and seed. Rows of branches are
            ignored.

    Returns:
        DataFrame of str: `Variant` (the variant without changes first, then the names of the sets of changes, sorted by
        validation score), `Runs` (int, number of seeds), and mean ± standard deviation over the seeds as `Micro`,
        `Macro` and `Samples` on the test movies and `Validation macro`.

    Raises:
        ValueError: If `results` lacks a metric, has no finished run, or has several runs of a variant and seed.
    """
    _check_runs(results, ["variant", "set_name", "model", "seed"])
    runs = results[results["model"] == "ensemble"]
    names = runs["set_name"].where(runs["set_name"] != "", runs["variant"])
    columns = {metric.capitalize(): name for metric, name in METRICS.items()}
    columns["Validation macro"] = "validation_average_precision"
    groups = runs.groupby(names)[list(columns.values())]
    mean, sd = groups.mean(), groups.std()
    best = mean["validation_average_precision"].sort_values(ascending=False).index
    lines = []
    unchanged = set(runs.loc[runs["set_name"] == "", "variant"])
    for name in sorted(best, key=lambda name: name not in unchanged):
        line = {"Variant": _readable(name), "Runs": int((names == name).sum())}
        lines.append(line | {head: _mean_and_sd(mean[of][name], sd[of][name]) for head, of in columns.items()})
    return pd.DataFrame(lines)


def variant_margins(runs, predictions, *, num_resamples=1000):
    """Compare each variant of the ensemble with the unchanged one and with its own poster branch, on the same movies.

    The test movies are resampled for all seeds at once, as in `seed_intervals`.

    Args:
        runs: DataFrame as for `variants_table`, also with the branches.
        predictions: Dict of `(experiment, run)` -> predictions of each run; see `read_predictions`.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per variant, `minus` and metric: `variant`; `minus` ("unchanged" or "poster"); `metric`
        ("micro", "macro" or "samples"); `value`, the difference of the means over the seeds, with `low` and `high`,
        fractions; `p_value`, and `p_holm`, corrected by Holm's method for all rows of one `minus`.
    """
    _check_runs(runs, ["variant", "set_name", "model", "seed"])
    names = runs["set_name"].where(runs["set_name"] != "", runs["variant"])
    unchanged, arrays = names[runs["set_name"] == ""].iloc[0], {}
    _, y_true, _ = stack_predictions(runs, predictions)
    for key, own in runs.sort_values("seed", kind="stable").groupby([names, "model"], sort=False):
        arrays[key] = stack_predictions(own, predictions)[2]
    rows = []
    for name in names.unique():
        others = {"poster": arrays.get((name, "poster"))}
        others |= {"unchanged": arrays[unchanged, "ensemble"]} if name != unchanged else {}
        others = {minus: y_prob for minus, y_prob in others.items() if y_prob is not None}
        scores = metrics.margins(
            list(METRICS.values()), y_true, arrays[name, "ensemble"], others, num_resamples=num_resamples
        )
        for metric, of_metric in METRICS.items():
            rows += [{"variant": name, "minus": other, "metric": metric} | scores[of_metric][other] for other in others]
    table = pd.DataFrame(rows)
    return table.assign(p_holm=table.groupby("minus")["p_value"].transform(metrics.holm))


def margins_table(margins):
    """Format `variant_margins` over the unchanged ensemble for reading, one row per variant, in points.

    Args:
        margins: DataFrame from `variant_margins`.

    Returns:
        DataFrame of str: `Variant`, and `Micro`, `Macro` and `Samples` as "+5.8 [4.6, 7.0]", with a star where the
        difference holds after Holm's correction (p below 0.05).
    """
    rows = margins[margins["minus"] == "unchanged"]
    values = (100 * rows[["value", "low", "high"]]).itertuples(index=False)
    stars = np.where(rows["p_holm"] < 0.05, " *", "")
    texts = [f"{v:+.1f} [{low:.1f}, {high:.1f}]{star}" for (v, low, high), star in zip(values, stars, strict=True)]
    table = rows.assign(text=texts).pivot(index="variant", columns="metric", values="text")[list(METRICS)]
    table = table.loc[rows["variant"].unique()].rename(index=_readable, columns=str.capitalize)
    return table.rename_axis(index="Variant", columns=None).reset_index()


def modality_gains(subsets):
    """Compute for each genre the average precision of each modality alone and its gain over all the others.

    Args:
        subsets: DataFrame from `evaluation.modality_subsets`.

    Returns:
        DataFrame, one row per genre and modality in the order of `subsets`, fractions averaged over the seeds: `genre`,
        `modality`, `alone`, `gain` (all modalities minus all but this one; missing if there is only one), `all`,
        `gain_sd` (sample standard deviation of the gain over the seeds).
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


def genre_average_precision(runs_dir):
    """Compute the average precision of each genre for each branch and ensemble (paper 5, section 5).

    Args:
        runs_dir: Folder that holds run folders of ensembles, as for `collect_results`.

    Returns:
        DataFrame, one row per run and genre in label order: `set_name` (str), `model` ("poster", …, "ensemble"), `seed`
        (int), `genre` (str), `positives` (int, test movies of the genre), `average_precision` (fraction; NaN if there
        are no positives), `label_prior` (share of the test movies with the genre, the average precision of a constant).
    """
    tables = []
    for run in collect_results(runs_dir).to_dict("records"):
        genres, y_true, y_prob = prediction_arrays(read_predictions(pathlib.Path(runs_dir) / run["run"]))
        identity = {name: run[name] for name in ("set_name", "model", "seed")}
        scores = {"average_precision": average_precisions(y_true, y_prob), "label_prior": y_true.mean(axis=0)}
        tables.append(pd.DataFrame(identity | {"genre": genres, "positives": y_true.sum(axis=0)} | scores))
    return pd.concat(tables, ignore_index=True)


def corrected_movies(runs_dir, table, count=3, *, seed=None):
    """Find test movies that the ensemble classifies correctly and the poster branch does not (Fig. 6 of LeBaron).

    A prediction is correct if it ranks the movie's n genres first. Only movies with every modality are considered.

    Args:
        runs_dir: Folder that holds run folders of ensembles with their branches, one ensemble per seed.
        table: DataFrame with `imdb_id` and `title`, such as from `load_movie_metadata`.
        count: Maximum number of movies. Defaults to 3.
        seed: Seed of the ensemble. Defaults to `None`: the lowest seed.

    Returns:
        DataFrame, one row per movie and genre, movies sorted by the gain in average precision of their ranking, genres
        in label order: `imdb_id`, `title` (str, "" if `table` lacks it), `genre`, `true` (0 or 1), and the
        probabilities of each branch, such as `poster`, and of `ensemble`.

    Raises:
        ValueError: If there is no finished ensemble of the seed with a poster branch, or several have the same seed.
    """
    folders = ensemble_folders(runs_dir)
    if seed is not None and seed not in folders:
        raise ValueError(f"`seed` must be that of an ensemble, one of {list(folders)}. Received: seed={seed}")
    folder = folders[min(folders) if seed is None else seed]
    names = [name for name in MODALITIES if (folder.parent / name / "predictions.csv").is_file()]
    if "poster" not in names:
        raise ValueError(f"The ensemble must have a poster branch trained alone. Received: {folder.parent}")
    predictions = {name: read_predictions(folder.parent / name) for name in (*names, "ensemble")}
    genres, y_true, _ = prediction_arrays(predictions["ensemble"])
    y_prob = {name: prediction_arrays(frame)[2] for name, frame in predictions.items()}
    poster, ensemble = (average_precisions(y_true.T, y_prob[name].T) for name in ("poster", "ensemble"))
    split = pd.read_csv(folder / "split.csv")
    has_all = split.loc[split["part"] == "test"].filter(like="has_").to_numpy().all(axis=1)
    corrected = np.flatnonzero(has_all & np.isclose(ensemble, 1) & ~np.isclose(poster, 1))
    corrected = corrected[np.argsort(poster[corrected], kind="stable")][:count]
    titles = table.drop_duplicates("imdb_id").set_index("imdb_id")["title"]
    tables = []
    for row in corrected:
        imdb_id = predictions["ensemble"]["imdb_id"].iloc[row]
        movie = {"imdb_id": imdb_id, "title": titles.get(imdb_id, ""), "genre": genres, "true": y_true[row]}
        tables.append(pd.DataFrame(movie | {name: scores[row] for name, scores in y_prob.items()}))
    columns = ["imdb_id", "title", "genre", "true", *predictions]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def ensemble_folders(runs_dir):
    """Return the run folders of the ensembles below a folder as a dict, sorted by seed.

    Raises:
        ValueError: If there is no finished ensemble, or several have the same seed.
    """
    runs = collect_results(runs_dir)
    runs = runs[runs["model"] == "ensemble"].sort_values("seed")
    if runs.empty:
        raise ValueError(f"`runs_dir` must hold a finished ensemble. Received: runs_dir={runs_dir}")
    if runs["seed"].duplicated().any():
        raise ValueError(
            "`runs_dir` must hold one ensemble per seed: pass the folder of one experiment without variants. "
            f"Received: {', '.join(runs['run'])}"
        )
    return {run.seed: pathlib.Path(runs_dir) / run.run for run in runs.itertuples()}


def average_precisions(y_true, y_prob):
    """Return the average precision of each column; NaN for a column without a positive label."""
    has_positive = y_true.any(axis=0)
    scores = np.full(len(has_positive), np.nan)
    scores[has_positive] = average_precision_score(y_true[:, has_positive], y_prob[:, has_positive], average=None)
    return scores


def _check_runs(results, keys):
    check_results(results, [*keys, *METRICS.values()], unique=keys)


def _readable(name):
    return name.replace("_", " ").replace(",", ", ")


def _mean_and_sd(mean, sd=float("nan")):
    """Format fractions in percent: "61.6 ± 2.0"."""
    if pd.isna(mean):
        return MISSING
    return f"{100 * mean:.1f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.1f}")
