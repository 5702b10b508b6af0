"""Tables of paper 2: OP, OR and OF1 at each threshold, with the paper's numbers and the baselines."""

import pandas as pd

from poster_cnn.movies.splits import PARTS
from poster_cnn.results.tables import (
    BASELINES,
    check_results,
    epoch_spread,
    image_sizes,
    in_percent,
    initial_weights,
    label,
    pretrained,
)

# Builder -> printed row. The row "ResNet18" is that of ResNet152, which the paper's code trains.
PRINTED_ROWS = {
    "resnet152": "ResNet18",
    "resnet50": "ResNet50",
    "densenet201": "DenseNet201",
    "vgg_like_cnn": "Custom CNN",
}
PAPER_NETWORKS = ("resnet152", "resnet50", "densenet201", "vgg_like_cnn")  # the networks in the paper's code
WITHOUT_BACKBONE = ("vgg_like_cnn", "six_conv_cnn")
BASELINES_OF_F1 = ("frequent_genres", *BASELINES)
# Decision threshold -> suffix of the metrics that use it.
THRESHOLDS = {"0.622": "_at_622", "0.5": "", "by genre": "_tuned"}
_SETTING = ["variant", "network", "pretrained", "weights", "trained", "image_size", "epochs", "learning_rate"]
_SCORES = ("overall_precision", "overall_recall", "overall_f1")
_PRINTED = ("paper_precision", "paper_recall", "paper_f1")
_ABOUT = ("num_test", "precision", "device")
_OURS = ("low", "high", "epochs_low", "epochs_high", "validation_f1")
_MARGINS = [f"over_{name}{side}" for name in BASELINES_OF_F1 for side in ("", "_low", "_high", "_p")]
_COLUMNS = [*_SETTING, "threshold", *_SCORES, *_OURS, *_PRINTED, "chance", *BASELINES_OF_F1, *_MARGINS, *_ABOUT]


def overall_table(results, published, history=None):
    """Compare OP, OR and OF1 of all runs with the paper's and the baselines' (Wang et al., section V.C).

    Args:
        results: DataFrame from `collect_results` or `read_results`, with `overall_precision`, `overall_recall` and
            `overall_f1` (threshold 0.5) and the same metrics with the suffix `_at_622` (threshold 0.622, as in the
            paper's code).
        published: DataFrame from `read_published`.
        history: DataFrame from `collect_history` of the same runs. Defaults to `None`: without the spread over epochs.

    Returns:
        DataFrame, one row per run and threshold: `variant`, `network` (builder and set name), `pretrained` ("yes" or
        "no"), `weights` ("ImageNet", "posters", "random weights" or another start), `trained` ("all weights" or "last
        layer"), `image_size` (width×height), `epochs`, `learning_rate`, `threshold` ("0.622", "0.5", or "by genre":
        chosen on the validation movies); in percent `overall_precision`,
        `overall_recall` and `overall_f1` of the test movies, `low` and `high` (95% interval of OF1), `epochs_low`
        and `epochs_high` (range of OF1 over the last five epochs, of the validation movies or, without them, of the
        test movies), `validation_f1`, the printed `paper_precision`, `paper_recall` and `paper_f1` (for faithful runs
        at 0.622), the OF1 of random guesses (`chance`) and of each baseline, and the margins over baselines as in
        `in_percent`; `num_test` (posters), `precision`, `device`. A network of the paper without a run has one row
        with missing scores.

    Raises:
        ValueError: If `results` is empty or lacks a metric.
    """
    check_results(results, [f"{name}{suffix}" for suffix in ("_at_622", "") for name in _SCORES])
    runs = pd.concat([_with_settings(results), _unmeasured(results)], ignore_index=True)
    thresholds = [name for name, suffix in THRESHOLDS.items() if f"overall_f1{suffix}" in results]
    table = (
        pd.concat([_scored(runs, name, history) for name in thresholds])
        .sort_index(kind="stable")
        .reset_index(drop=True)
    )
    printed = published[published["table"] == "Section V.C"].pivot(index="row", columns="metric", values="value")
    rows = table["network"].str.split(", ").str[0].map(PRINTED_ROWS)
    rows = rows.where((table["variant"] == "faithful") & (table["threshold"] == "0.622"))
    for name, column in zip(_PRINTED, _SCORES, strict=True):
        table[name] = rows.map(printed[column])
    return table.dropna(axis=1, how="all")


def overall_cells(table):
    """Prepare rows of an `overall_table` for `figures.comparison_dots` with rows="panel", columns="network".

    Args:
        table: DataFrame from `overall_table`, or some of its rows.

    Returns:
        DataFrame: `panel` (variant and threshold), `network` (multi-line name with the set, "not measured" or "frozen",
        and image size, epochs and learning rate if they vary), `metric` ("overall_f1"), `ours`, `low`, `high`, `paper`,
        a column per baseline.

    Raises:
        ValueError: If several rows have the same panel and network.
    """
    cells = table.rename(columns={"overall_f1": "ours", "paper_f1": "paper"})
    if "paper" not in cells:
        cells["paper"] = float("nan")
    names = {"by genre": "thresholds by genre"} | {name: f"threshold {name}" for name in ("0.622", "0.5")}
    networks = table["network"].str.replace(", ", "\n") + table["trained"].map({"last layer": "\nfrozen"}).fillna("")
    networks += table["overall_f1"].isna().map({True: "\nnot measured", False: ""})
    for name, text in {"image_size": "\n{}", "epochs": "\n{} epochs", "learning_rate": "\n{}"}.items():
        if table[name].nunique() > 1:
            networks += table[name].map(label).map(text.format).where(table[name].notna(), "")
    panels = table["variant"].map(label) + ", " + table["threshold"].map(names)
    cells = cells.assign(panel=panels, network=networks)
    repeated = cells[cells.duplicated(["panel", "network"])]
    if len(repeated):
        network, panel = repeated[["network", "panel"]].iloc[0]
        raise ValueError(f"`table` must have one row per panel and network. Received: {network!r} twice in {panel!r}")
    return cells.assign(metric="overall_f1")


def epochs_grid(history, *, epochs=(5, 10)):
    """Compare OF1 of the test movies between numbers of epochs and learning rates (Wang et al., section V.B).

    The first five epochs of a run with a constant learning rate are the run of five epochs, so one history gives both.

    Args:
        history: DataFrame from `collect_history` of runs without validation movies, with `val_overall_f1_at_622` and
            `val_overall_f1`.
        epochs: Numbers of epochs. Defaults to `(5, 10)`.

    Returns:
        DataFrame, one row per network and threshold: `network`, `threshold` ("0.622" or "0.5"), and OF1 in percent in a
        column such as "5 epochs, 1e-3" for each number of epochs and learning rate; missing if a run is shorter.
    """
    cells = history[(history["epoch"] + 1).isin(epochs)]
    cells = cells.assign(network=network_names(cells), epochs=cells["epoch"] + 1)
    cells = cells.sort_values(["epochs", "learning_rate"], ascending=[True, False], kind="stable")
    setting = cells["epochs"].astype(str) + " epochs, " + cells["learning_rate"].map(label)
    order = network_names(history).unique()
    grids = []
    for threshold in ("0.622", "0.5"):
        scores = cells.assign(setting=setting, score=100 * cells[f"val_overall_f1{THRESHOLDS[threshold]}"])
        grid = scores.pivot(index="network", columns="setting", values="score")
        grid = grid.reindex(index=order, columns=setting.unique()).reset_index().rename_axis(columns=None)
        grid.insert(1, "threshold", threshold)
        grids.append(grid)
    return pd.concat(grids, ignore_index=True)


def sample_table(splits, class_names):
    """Count the movies of each part of a split, in total and by genre (Wang et al., section IV.A).

    Args:
        splits: Dictionary from a variant's name to a run folder's split.csv, with `part` and a column of 0 and 1 for
            each genre.
        class_names: Genres.

    Returns:
        DataFrame, one row per variant and part: `variant`, `part`, `movies`, `without_genre` (movies with none of
        `class_names`), and an int column per genre.
    """
    lines = []
    for variant, split in splits.items():
        for part in [name for name in PARTS if (split["part"] == name).any()]:
            labels = split.loc[split["part"] == part, list(class_names)]
            none = int((~labels.any(axis=1)).sum())
            line = {"variant": variant, "part": part, "movies": len(labels), "without_genre": none}
            lines.append(line | labels.sum().to_dict())
    return pd.DataFrame(lines)


def network_names(frame):
    """Return the display name of each run: its builder, and its set name if that differs.

    Args:
        frame: DataFrame of results or learning curves with `model` and optionally `set_name`.

    Returns:
        Series of str with the same index, such as "resnet50" or "mobilenet_v2, dropout".
    """
    names = frame["set_name"].fillna("") if "set_name" in frame else pd.Series("", index=frame.index)
    return frame["model"] + (", " + names).where((names != "") & (names != frame["model"]), "")


def _with_settings(results):
    trainable = results.reindex(columns=["model_args_trainable"])["model_args_trainable"].eq(True)
    frozen = ~(trainable | results["model"].isin(WITHOUT_BACKBONE))
    return results.assign(
        network=network_names(results),
        pretrained=pretrained(results),
        weights=initial_weights(results),
        trained=frozen.map({True: "last layer", False: "all weights"}),
        image_size=image_sizes(results),
    )


def _unmeasured(results):
    """One row for each network of the paper without a faithful run."""
    measured = set(results.loc[results["variant"] == "faithful", "model"])
    missing = [name for name in PAPER_NETWORKS if measured and name not in measured]
    return pd.DataFrame({"variant": "faithful", "network": missing}, dtype=str)


def _scored(runs, threshold, history):
    """Rows of an `overall_table` at one threshold, without the runs that lack its scores."""
    suffix = THRESHOLDS[threshold]
    scores = in_percent(runs, f"overall_f1{suffix}", baselines=("chance", *BASELINES_OF_F1)).rename(
        columns={"ours": "overall_f1"}
    )
    others = {name: f"{name}{suffix}" for name in _SCORES[:2]} | {"validation_f1": f"validation_overall_f1{suffix}"}
    others |= {name: f"{name}_overall_f1" for name in ("frequent_genres", "majority")}  # 0 or 1 at any threshold
    for name, column in others.items():
        if column in runs:
            scores[name] = 100 * runs[column]
    if history is not None and f"val_overall_f1{suffix}" in history:
        spread = epoch_spread(history, f"val_overall_f1{suffix}")
        scores = scores.join(runs[["experiment", "run"]].join(spread, on=["experiment", "run"])[list(spread)])
    unmeasured = runs["overall_f1"].isna() & (threshold == "0.622")
    rows = runs.reindex(columns=[*_SETTING, *_ABOUT]).assign(threshold=threshold, **scores).reindex(columns=_COLUMNS)
    types = {name: "float64" for name in rows if name in scores or name in _PRINTED}
    rows = rows.astype(types | {"epochs": "Int64", "num_test": "Int64"})
    return rows[rows["overall_f1"].notna() | unmeasured]


def genre_counts_by_part(split, class_names):
    """Return the number of movies per genre and part of a split: genres as rows, parts as columns, int."""
    return sample_table({"": split}, class_names).set_index("part")[list(class_names)].T


def threshold_table(results, records):
    """Return the decision thresholds of several runs: `model`, `set_name`, then a column per genre.

    Args:
        results: DataFrame from `collect_results`.
        records: Dict of `(experiment, run)` -> content of the run's metrics.json.
    """
    runs = results[["experiment", "run", "model", "set_name"]].itertuples(index=False)
    return pd.DataFrame(
        {"model": run.model, "set_name": run.set_name} | records[run.experiment, run.run]["thresholds"] for run in runs
    )
