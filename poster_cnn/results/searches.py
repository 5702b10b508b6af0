"""Tables of the searches of paper 3: three learning rates, random draws, and correlations with each hyperparameter."""

import pandas as pd
from scipy.stats import spearmanr

from poster_cnn.results.tables import BASELINES_OF_ONE_GENRE

HYPERPARAMETERS = ("learning_rate", "dropout", "filters_1", "filters_2", "dense_units")
_METRIC = "first_label_accuracy"


def cross_validation_table(results):
    """Summarize the accuracy of each set of hyperparameters over its folds (Zavala et al., section III.B).

    Args:
        results: DataFrame from `collect_results` or `read_results`, one row per set and fold, with the column
            `validation_first_label_accuracy`.

    Returns:
        DataFrame, one row per set in the order of `results`: `experiment`, `set`, `learning_rate`, `dropout`,
        `filters_1`, `filters_2`, `dense_units`, `batch_norm` (bool), `folds` (number of runs); in percent `accuracy`
        and `std` (mean and sample standard deviation over the folds), `test` (mean on the test rows), `majority` and
        `color_histogram` (on the test rows).

    Raises:
        ValueError: If `results` is empty or lacks the accuracy on the held-out folds.
    """
    if results.empty or f"validation_{_METRIC}" not in results:
        raise ValueError(
            f"`results` must have cross-validation runs with the column 'validation_{_METRIC}'. "
            f"Received: {len(results)} runs, columns={list(results.columns)}"
        )
    results = results.reset_index(drop=True)
    names = pd.DataFrame({"experiment": results["experiment"], "set": results["set_name"].fillna("")})
    drawn = names.join(_hyperparameters(results))  # runs without a set name differ in their hyperparameters
    scores = {"accuracy": f"validation_{_METRIC}", "test": _METRIC}
    scores |= {name: f"{name}_{_METRIC}" for name in BASELINES_OF_ONE_GENRE if f"{name}_{_METRIC}" in results}
    percent = pd.DataFrame({name: 100 * results[column] for name, column in scores.items()})
    folds = drawn.join(percent).groupby(list(drawn), sort=False)
    table = folds.mean()
    table.insert(0, "folds", folds.size())
    table.insert(2, "std", folds["accuracy"].std())
    return table.reset_index()


def beside_printed_sets(scores, published, table):
    """Add our accuracies to the printed sets of hyperparameters (Tables 3 and 4 of Zavala et al.).

    Sets are matched by their hyperparameters.

    Args:
        scores: DataFrame from `cross_validation_table`.
        published: DataFrame from `read_published`.
        table: "Table 3" or "Table 4".

    Returns:
        DataFrame, one row per printed set in the paper's order: `set` (int), the five hyperparameters, then the other
        columns of `scores`, missing for a set without a run.

    Raises:
        ValueError: If `published` has no such table.
    """
    cells = published[(published["table"] == table) & (published["metric"] == "hyperparameter")]
    if cells.empty:
        known = sorted(published.loc[published["metric"] == "hyperparameter", "table"].unique())
        raise ValueError(f"`table` must be one of {known}. Received: table={table!r}")
    printed = cells.pivot(index="row", columns="column", values="value").reset_index(names="set")
    printed = printed.astype({"set": int}).sort_values("set", ignore_index=True)
    printed = printed[["set", *HYPERPARAMETERS]].rename_axis(columns=None)
    ours = scores.drop(columns=["experiment", "set", "batch_norm"]).astype(dict.fromkeys(HYPERPARAMETERS, float))
    merged = printed.merge(ours, on=list(HYPERPARAMETERS), how="left")
    return merged.astype(dict.fromkeys(("filters_1", "filters_2", "dense_units"), int) | {"folds": "Int64"})


def rank_correlations(scores, *, comparisons=5):
    """Compute Spearman's rank correlation between the accuracy and each hyperparameter over the draws of a search.

    Args:
        scores: DataFrame from `cross_validation_table`.
        comparisons: Number of correlations that are looked at together, such as 10 for two searches. Defaults to 5,
            those of one search.

    Returns:
        DataFrame, one row per hyperparameter, strongest correlation first: `hyperparameter`, `draws` (int),
        `correlation` (-1..1), `p_value` and `p_corrected` (Bonferroni: `p_value` times `comparisons`, at most 1); all
        three missing for fewer than three draws or constant values.
    """
    rows = []
    for name in HYPERPARAMETERS:
        drawn = scores[[name, "accuracy"]].dropna()
        found = (float("nan"), float("nan"))
        if len(drawn) > 2 and (drawn.nunique() > 1).all():
            found = spearmanr(drawn[name], drawn["accuracy"])
        rows.append((name, len(drawn), *map(float, found)))
    table = pd.DataFrame(rows, columns=["hyperparameter", "draws", "correlation", "p_value"])
    table["p_corrected"] = (comparisons * table["p_value"]).clip(upper=1)
    return table.sort_values("correlation", key=abs, ascending=False, kind="stable", ignore_index=True)


def learning_rate_table(results, published):
    """Compare the frozen runs at three learning rates with the printed settings (Table 1 of Zavala et al.).

    Args:
        results: DataFrame from `collect_results` or `read_results`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row per printed run: `run` (int; the paper numbers its third run 2), `learning_rate`,
        `batch_size`, `steps_per_epoch` and `validation_steps` (Int64, ours, missing without a run),
        `paper_batch_size`, `paper_steps_per_epoch` and `paper_validation_steps` (int); in percent
        `validation_accuracy` and `test_accuracy`, which the paper does not print.
    """
    printed = published[published["table"] == "Table 1"].pivot(index="row", columns="column", values="value")
    printed = printed.reset_index(names="run").rename_axis(columns=None).astype({"run": int}).sort_values("run")
    counts = ["batch_size", "steps_per_epoch", "validation_steps"]
    printed = printed.astype(dict.fromkeys(counts, int)).rename(columns={name: f"paper_{name}" for name in counts})
    ours = results.reindex(columns=["learning_rate", "batch_size", "validation_steps"])
    ours = ours.assign(steps_per_epoch=-(-results["num_train"] // results["batch_size"]))
    ours = ours.astype({"learning_rate": float} | dict.fromkeys(counts, "Int64"))
    for part in ("validation", "test"):
        column = f"{part.removeprefix('test')}_first_label_accuracy".removeprefix("_")
        ours[f"{part}_accuracy"] = 100 * results[column]
    merged = printed.merge(ours, on="learning_rate", how="left")
    paper = [f"paper_{name}" for name in counts]
    return merged[["run", "learning_rate", *counts, *paper, "validation_accuracy", "test_accuracy"]]


def _hyperparameters(results):
    filters = results["model_args_filters"].str.split("|", expand=True).astype(int)  # "10|30"
    batch_norm = results.get("model_args_batch_norm", pd.Series(False, index=results.index))
    return pd.DataFrame(
        {
            "learning_rate": results["learning_rate"],
            "dropout": results["model_args_dropout"].astype(float),
            "filters_1": filters[0],
            "filters_2": filters[1],
            "dense_units": results["model_args_dense_units"],
            "batch_norm": batch_norm.eq(True),
        }
    )
