"""Paper 2's results as tables: OP, OR and OF1 of each network at both thresholds, beside paper and baselines."""

from poster_cnn.tables import BASELINES, in_percent, label

# Builder -> the row that the paper prints; its code trains ResNet152 where it prints ResNet18, so both stand beside it.
PRINTED_ROWS = {
    "resnet18": "ResNet18",
    "resnet152": "ResNet18",
    "resnet50": "ResNet50",
    "densenet201": "DenseNet201",
    "vgg_like_cnn": "Custom CNN",
}
_SETTING = ["variant", "network", "pretrained", "image_size", "epochs", "learning_rate"]


def overall_table(results, published):
    """The results of section V.C of Wang et al., ours beside the paper's.

    Args:
        results: DataFrame from `collect_results` or `read_results`, with the metrics `overall_precision`,
            `overall_recall` and `overall_f1` (at a threshold of 0.5) and the same ending in `_at_622` (at 0.622, as in
            the paper's code); several tables are stacked with `results.stack`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a run: `variant`, `network` (str, the builder), `pretrained` ("yes" or "no"), `image_size`
        (width×height), `epochs`, `learning_rate`; in percent `overall_precision_at_622`, `overall_recall_at_622`,
        `overall_f1_at_622` with `overall_f1_at_622_low` and `overall_f1_at_622_high` (95% interval), `paper` (its OF1
        as printed, for faithful rows of a network that it has) and, where `results` has them, the baselines' as
        `<baseline>_overall_f1_at_622`; the same at 0.5; `num_test` (posters) and `device`.

    Raises:
        ValueError: If `results` lacks a metric.
    """
    needed = [f"overall_{name}{at}" for at in ("_at_622", "") for name in ("precision", "recall", "f1")]
    missing = [name for name in needed if name not in results]
    if missing:
        raise ValueError(f"`results` must have the columns {missing}. Received: columns={list(results.columns)}")
    table = _described(results)[_SETTING]
    for name in needed:
        percent = in_percent(results, name)
        percent.columns = [_full_name(short, name) for short in percent]
        table = table.join(percent if "_f1" in name else percent[name])
    printed = published[(published["table"] == "Section V.C") & (published["metric"] == "overall_f1")]
    theirs = table["network"].map(PRINTED_ROWS).map(printed.set_index("row")["value"])
    after = table.columns.get_loc("overall_f1_at_622_high" if "overall_f1_at_622_high" in table else needed[2])
    table.insert(after + 1, "paper", theirs.where(table["variant"] == "faithful"))
    return table.join(results[[name for name in ("num_test", "device") if name in results]])


def overall_cells(table, *, metric="overall_f1_at_622"):
    """The runs of an `overall_table` as `figures.comparison_dots` draws them, with rows="panel", columns="network".

    Args:
        table: DataFrame from `overall_table`.
        metric: "overall_f1_at_622" or "overall_f1". Defaults to the first, the threshold of the paper's code.

    Returns:
        DataFrame: `panel` (variant and image size), `network` (its name in lines, and under it the epochs and learning
        rate where `table` has several), `metric` ("overall_f1"), `ours`, `low`, `high`, `paper`, a column for each
        baseline; of several runs of a panel and network the first.
    """
    short = {_full_name(name, metric): name for name in ("ours", "low", "high", *BASELINES)} | {"paper": "paper"}
    cells = table[[name for name in short if name in table]].rename(columns=short)
    networks = table["network"].str.replace("_|(?<=[a-z]{2})(?=[0-9])", "\n", regex=True)
    if table["epochs"].nunique() > 1:
        networks += "\n" + table["epochs"].astype(str) + " epochs"
    if table["learning_rate"].nunique() > 1:
        networks += "\n" + table["learning_rate"].map(label)
    panels = table["variant"].str.replace("_", "-") + ", " + table["image_size"]
    cells = cells.assign(panel=panels, network=networks, metric="overall_f1")
    return cells.drop_duplicates(["panel", "network"], ignore_index=True)


def _full_name(short, metric):
    """A column of `in_percent` under the name it has in the results."""
    return {"ours": metric, "low": f"{metric}_low", "high": f"{metric}_high"}.get(short, f"{short}_{metric}")


def _described(results):
    size = results["image_width"].astype(str) + "×" + results["image_height"].astype(str)
    weights = results.reindex(
        columns=["model_args_weights", "weights_file"]
    )  # asked for, or brought by the data folder
    pretrained = weights.notna().any(axis=1).map({True: "yes", False: "no"})
    return results.assign(network=results["model"], pretrained=pretrained, image_size=size)
