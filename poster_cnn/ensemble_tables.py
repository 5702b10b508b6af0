"""Paper 5's results as tables: average precision beside the paper's, the variants, which modality helps which genre."""

import pandas as pd

from poster_cnn.tables import BASELINES, MISSING, title

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
