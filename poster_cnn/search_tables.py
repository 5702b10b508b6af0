"""Cross-validated searches as tables: one row a set of hyperparameters, beside a paper's, and what matters in them."""

import pandas as pd
from scipy.stats import spearmanr

from poster_cnn.tables import BASELINES_OF_ONE_GENRE

HYPERPARAMETERS = ("learning_rate", "dropout", "filters_1", "filters_2", "dense_units")
_METRIC = "first_label_accuracy"


def cross_validation_table(results, *, baselines=BASELINES_OF_ONE_GENRE):
    """Mean and spread of the accuracy over the folds of each set of hyperparameters (section III.B of Zavala et al.).

    Args:
        results: DataFrame from `collect_results` or `read_results`, one row a set and fold, with the column
            `validation_first_label_accuracy`.
        baselines: Baselines to set beside, as they score on the test rows. Defaults to the majority class and the color
            histogram with logistic regression.

    Returns:
        DataFrame, one row a set in the order of `results`: `experiment`, `set`, `learning_rate`, `dropout`,
        `filters_1`, `filters_2`, `dense_units`, `batch_norm` (bool), `folds` (number of runs); in percent `accuracy`
        and `std` (mean and standard deviation of a sample, over the folds), `test` (mean on the test rows), a column
        for each baseline.

    Raises:
        ValueError: If `results` is empty or lacks the accuracy on the held-out folds.
    """
    if results.empty or f"validation_{_METRIC}" not in results:
        raise ValueError(
            f"`results` must have runs with the column 'validation_{_METRIC}', as cross-validation gives them. "
            f"Received: {len(results)} runs, columns={list(results.columns)}"
        )
    results = results.reset_index(drop=True)
    names = pd.DataFrame({"experiment": results["experiment"], "set": results["set_name"].fillna("")})
    # By all that is drawn, too: runs without names are several sets.
    drawn = names.join(_hyperparameters(results))
    scores = {"accuracy": f"validation_{_METRIC}", "test": _METRIC}
    scores |= {name: f"{name}_{_METRIC}" for name in baselines if f"{name}_{_METRIC}" in results}
    percent = pd.DataFrame({name: 100 * results[column] for name, column in scores.items()})
    folds = drawn.join(percent).groupby(list(drawn), sort=False)
    table = folds.mean()
    table.insert(0, "folds", folds.size())
    table.insert(2, "std", folds["accuracy"].std())
    return table.reset_index()


def beside_printed_sets(scores, published, table):
    """Tables 3 and 4 of Zavala et al.: the printed hyperparameters, with the accuracies that the paper leaves out.

    Sets are found by their hyperparameters, so a score stands beside a printed set only if it belongs to it.

    Args:
        scores: DataFrame from `cross_validation_table`.
        published: DataFrame from `read_published`.
        table: "Table 3" or "Table 4".

    Returns:
        DataFrame, one row a printed set in the paper's order: `set` (int), the five hyperparameters, then what `scores`
        has beside them; missing where we have no run of the set.

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


def rank_correlations(scores, *, hyperparameters=HYPERPARAMETERS):
    """How a search's accuracy goes with each hyperparameter: Spearman's rank correlation, over the draws.

    Args:
        scores: DataFrame from `cross_validation_table`.
        hyperparameters: Columns of `scores`. Defaults to the five of paper 3.

    Returns:
        DataFrame, one row a hyperparameter, the strongest first: `hyperparameter`, `draws` (int), `correlation` (-1..1)
        and `p_value`; both missing with fewer than three draws, or where all draws have one value.
    """
    rows = []
    for name in hyperparameters:
        drawn = scores[[name, "accuracy"]].dropna()
        found = (float("nan"), float("nan"))
        if len(drawn) > 2 and (drawn.nunique() > 1).all():
            found = spearmanr(drawn[name], drawn["accuracy"])
        rows.append((name, len(drawn), *map(float, found)))
    table = pd.DataFrame(rows, columns=["hyperparameter", "draws", "correlation", "p_value"])
    return table.sort_values("correlation", key=abs, ascending=False, kind="stable", ignore_index=True)


def _hyperparameters(results):
    """The config's columns as numbers under the names of `HYPERPARAMETERS`: filters "10|30" become 10 and 30."""
    filters = results["model_args_filters"].str.split("|", expand=True).astype(int)
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
