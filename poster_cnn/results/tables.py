"""Comparison tables that the papers share: our scores, the printed ones and the baselines, as DataFrame or Markdown."""

import pathlib
import textwrap

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from poster_cnn.metrics import arguments
from poster_cnn.metrics.paired import holm

BASELINES = ("majority", "label_prior", "color_histogram")
RANDOM_WEIGHTS = "random weights"
BASELINES_OF_ONE_GENRE = ("majority", "color_histogram")  # with one genre per row, `label_prior` equals `majority`
MISSING = "–"
TITLES = {
    "all_zeros": "No genre at all",
    "color_histogram": "Color histogram + logistic regression",
    "first_label_accuracy": "First-label accuracy",
    "frequent_genres": "Always the most frequent genres",
    "hit_at_1": "Hit@1",
    "human": "Human level",
    "label_accuracy": "Element-wise accuracy",
    "majority": "Majority class",
    "overall_f1": "Overall F1",
    "overall_f1_at_622": "Overall F1 at 0.622",
    "overall_f1_tuned": "Overall F1, thresholds by genre",
    "panel": "",
    "ratio": "Shrink ratio (%)",
    "setting": "",
    "six_class_accuracy": "Six-class accuracy",
    "std": "Standard deviation",
    "top_n_accuracy": "Top-n accuracy",
}


NAMES = {  # names in configs -> display names
    "as_printed": "as printed",
    "custom": "Custom network",
    "densenet121": "DenseNet-121",
    "densenet201": "DenseNet-201",
    "faithful": "As in the paper",
    "half_size": "half size",
    "leak_free": "Corrected protocol",
    "logits_dropout": "dropout after logits",
    "mobilenet_v2": "MobileNetV2",
    "no_crops": "no crops",
    "random_weights": "random weights",
    "resnet152": "ResNet152",
    "resnet18": "ResNet18",
    "resnet50": "ResNet50",
    "sane_rate": "rate of 1e-3",
    "sigmoid_twice": "sigmoid twice",
    "vgg_like_cnn": "Custom network",
}


def title(name):
    """Return the display name of a column: "learning_rate" becomes "Learning rate"."""
    return TITLES.get(name, str(name).replace("_", " ").capitalize())


def label(value):
    """Format a value for an axis or a header: 0.001 becomes "1e-3", 40.0 becomes "40"."""
    if isinstance(value, str):
        return "\n".join(NAMES.get(line, line) for line in value.split("\n"))
    if pd.isna(value):
        return MISSING
    if 0 < abs(value) <= 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def title_with(name, value):
    """Format a column and one of its values as a heading: "Shrink ratio 30%", "Learning rate 1e-3"."""
    heading = title(name)
    unit = "%" if heading.endswith(" (%)") and pd.notna(value) else ""
    return f"{heading.removesuffix(' (%)')} {label(value)}{unit}".lstrip()


@arguments.checked(
    results=arguments.table(), published=arguments.table("table", "metric", "value"), baselines=arguments.names
)
def beside_published(
    results,
    published,
    table,
    *,
    metric="first_label_accuracy",
    rows="ratio",
    columns="learning_rate",
    baselines=BASELINES,
):
    """Compare our scores with a paper's printed ones and the baselines, one row per cell of the paper's table.

    Cells found on one side only are kept, with missing values for the other side.

    Args:
        results: DataFrame from `collect_results` or `read_results` with at most one run per cell.
        published: DataFrame from `read_published`.
        table: Name of the table in `published`, such as "Table 2".
        metric: Name of the metric in both files. Defaults to "first_label_accuracy".
        rows: Column of `results` with the values of the table's rows. Defaults to "ratio".
        columns: Column of `results` with the values of the table's columns, or `None` if the table's columns are
            metrics. Defaults to "learning_rate".
        baselines: Baselines to include if `results` has them. Defaults to `BASELINES`.

    Returns:
        DataFrame in the paper's order, then our other cells, scores in percent: `rows`, `columns`, `metric`, `ours`,
        `low` and `high` (95% interval), `paper`, `difference` (ours minus the paper's, in points), a column per
        baseline, `num_test`.

    Raises:
        ValueError: If a cell has several runs, or `results` or `published` lacks a requested column, table or metric.

    Example:

    >>> cells = beside_published(results, read_published("experiments/published/dave.csv"), "Table 2")
    >>> print(to_markdown(comparison_grid(cells)))
    """
    keys = [rows] if columns is None else [rows, columns]
    check_results(results, [*keys, metric], unique=keys)
    printed = published[(published["table"] == table) & (published["metric"] == metric)]
    if printed.empty:
        known = sorted(set(zip(published["table"], published["metric"], strict=True)))
        raise ValueError(f"`table` and `metric` must be in `published`, one of {known}. Received: {(table, metric)}")
    theirs = {
        key: _as_values_of(results[key], printed[side]) for key, side in zip(keys, ("row", "column"), strict=False)
    }
    theirs = pd.DataFrame({**theirs, "paper": printed["value"]}).set_index(keys)["paper"]
    ours = results.set_index(keys)
    cells = in_percent(ours, metric, baselines=baselines)
    cells = cells.assign(num_test=ours.get("num_test")).reindex(theirs.index.union(ours.index, sort=False))
    cells.insert(cells.columns.get_loc("ours") + 1, "paper", theirs)
    cells.insert(cells.columns.get_loc("paper") + 1, "difference", cells["ours"] - cells["paper"])
    cells.insert(0, "metric", metric)
    return cells.reset_index()


@arguments.checked(results=arguments.table(), baselines=arguments.names)
def in_percent(results, metric, *, baselines=BASELINES):
    """Return the columns of one metric in percent under short names.

    Args:
        results: DataFrame from `collect_results` or `read_results`.
        metric: Name of the metric.
        baselines: Baselines to include. Defaults to `BASELINES`.

    Returns:
        DataFrame with the index of `results`: `ours`, `low` and `high` (95% interval), and a column per baseline, as
        far as `results` has them. For each baseline with paired margins, also `over_<baseline>` (difference in points),
        `over_<baseline>_low` and `over_<baseline>_high` (its 95% interval), and `over_<baseline>_p` (its p value by
        Holm's method for all rows of `results`).
    """
    scores = {"ours": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
    scores |= {name: f"{name}_{metric}" for name in baselines}
    for name in baselines:
        scores |= {f"over_{name}{side}": f"{metric}_over_{name}{side}" for side in ("", "_low", "_high")}
    known = {name: column for name, column in scores.items() if column in results}
    table = pd.DataFrame({name: 100 * results[column].astype("float64") for name, column in known.items()})
    for name in baselines:
        if (column := f"{metric}_over_{name}_p_value") in results:
            at = table.columns.get_loc(f"over_{name}_high") + 1
            table.insert(at, f"over_{name}_p", holm(results[column].astype("float64")))
    return table


@arguments.checked(history=arguments.table("experiment", "run", "epoch"), epochs=arguments.count)
def epoch_spread(history, metric, *, epochs=5):
    """Return the range of a metric over the last epochs of each run, which the interval of one epoch does not contain.

    Args:
        history: DataFrame from `collect_history`.
        metric: Column of `history`, such as "val_accuracy".
        epochs: Number of last epochs. Defaults to 5.

    Returns:
        DataFrame indexed by `experiment` and `run`: `epochs_low` and `epochs_high`, in percent.
    """
    last = history[history["epoch"] > history.groupby(["experiment", "run"])["epoch"].transform("max") - epochs]
    spread = 100 * last.groupby(["experiment", "run"])[metric].agg(["min", "max"])
    return spread.set_axis(["epochs_low", "epochs_high"], axis=1)


@arguments.checked(cells=arguments.table("ours", "paper", "metric"))
def comparison_grid(cells, *, rows="ratio", columns="learning_rate"):
    """Lay out the cells of `beside_published` like the paper's table: "ours (paper's)", the best of each side in bold.

    Args:
        cells: DataFrame from `beside_published`, or several of them concatenated.
        rows: Column of `cells` that becomes the rows. Defaults to "ratio".
        columns: Column of `cells` that becomes the columns. Defaults to "learning_rate". With "metric", the best is
            taken within each metric.

    Returns:
        DataFrame of str, the row variable as its first column; bold is Markdown's `**`.
    """
    texts = _bold_best(cells, "ours") + " (" + _bold_best(cells, "paper") + ")"
    grid = cells.assign(text=texts).pivot(index=rows, columns=columns, values="text").fillna(MISSING)
    grid = grid.reindex(index=cells[rows].unique(), columns=cells[columns].unique())
    grid = grid.rename(index=label, columns=title if columns == "metric" else label)
    return grid.rename_axis(index=f"{title(rows)} ↓ {title(columns)} →", columns=None).reset_index()


@arguments.checked(cells=arguments.table("metric", "num_test"))
def baseline_note(cells):
    """Write the note below a `comparison_grid`: the scores of the baselines on the same test posters.

    Args:
        cells: DataFrame from `beside_published`, or several of them concatenated.

    Returns:
        str, one sentence or two per metric, in lines of at most 100 characters: the number of test posters, the
        baselines (as a range if they differ between cells) and the greatest half-width of our 95% intervals.
    """
    lines = []
    for metric, group in cells.groupby("metric", sort=False):
        scores = [
            f"{title(name).lower()} {_range(group[name])}%" for name in BASELINES if name in group and group[name].any()
        ]
        posters = f"{_range(group['num_test'], digits=0)} " if group["num_test"].notna().any() else ""
        line = f"{title(metric)} in percent, ours (the paper's). On the same {posters}test posters: "
        line += f"{', '.join(scores) or 'no baseline'}."
        if "low" in group and "high" in group:
            reach = pd.concat([group["high"] - group["ours"], group["ours"] - group["low"]]).max()
            line += f" Our 95% intervals reach up to {reach:.1f} points to either side."
        lines += textwrap.wrap(line, 100)
    return "\n".join(lines)


@arguments.checked(frame=arguments.table(), digits=arguments.natural)
def to_markdown(frame, *, digits=1):
    """Format a DataFrame as a Markdown table without its index.

    Args:
        frame: DataFrame. Numbers are right-aligned; missing values become "–".
        digits: Decimal places of floats, except learning rates and thresholds. Defaults to 1.

    Returns:
        str, without a final newline.
    """
    lines = [frame.columns, ["---:" if is_numeric_dtype(dtype) else "---" for dtype in frame.dtypes]]
    lines += to_text(frame, digits=digits).itertuples(index=False)
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines)


def to_text(frame, *, digits=1):
    """Return a DataFrame with the texts of `to_markdown`, such as for display in a notebook."""
    return pd.DataFrame({name: _texts(frame[name], digits) for name in frame}, dtype=object)


def check_results(results, columns, *, unique=()):
    """Raise a ValueError unless `results` has runs, all of `columns`, and one run per value of the columns `unique`."""
    missing = [name for name in columns if name not in results]
    if missing:
        raise ValueError(f"`results` must have the columns {missing}. Received: columns={list(results.columns)}")
    if results.empty:
        raise ValueError("`results` must have at least one finished run. Received: an empty table")
    repeated = results[results.duplicated(list(unique))] if unique else []
    if len(repeated):
        raise ValueError(
            f"`results` must have one run for each {', '.join(unique)}: select runs, for example with "
            f"`results[results['seed'] == 0]`. Received: several runs for {repeated.iloc[0][list(unique)].to_dict()}"
        )


def image_sizes(results):
    """Return the image size of each run, such as "182×268" (width × height)."""
    return results["image_width"].astype(str) + "×" + results["image_height"].astype(str)


def initial_weights(results):
    """Return what each run starts from: "ImageNet", "posters", "another run", a weights file or "random weights"."""
    found = results.reindex(columns=["initial_weights", "weights_file", "start_from"])
    for older in ("model_args_weights", "backbone_weights"):  # runs of older versions recorded only the config
        if older in results:
            found["initial_weights"] = found["initial_weights"].fillna(results[older])

    def name(asked, file, run):
        """Return the name for one run; a file in the data folder can stand for "imagenet"."""
        if pd.notna(run):
            return "another run"
        asked = "imagenet" if pd.isna(asked) and pd.notna(file) else asked
        return {"imagenet": "ImageNet"}.get(asked, RANDOM_WEIGHTS if pd.isna(asked) else pathlib.PurePath(asked).name)

    return pd.Series([name(*row) for row in found.itertuples(index=False)], index=results.index, dtype=object)


def pretrained(results):
    """Return "yes" or "no" for each run: whether it starts from other weights than random ones."""
    return initial_weights(results).ne(RANDOM_WEIGHTS).map({True: "yes", False: "no"})


def _texts(column, digits):
    column = column.round(3) if column.name == "threshold" and is_float_dtype(column) else column
    if column.name in ("learning_rate", "threshold") or not is_float_dtype(column):
        return [label(value) if is_float_dtype(column) or pd.isna(value) else str(value) for value in column]
    # 100 * 0.2875 is 28.749999999999996, which is to be shown as 28.8 like 28.75.
    digits = 3 if str(column.name).endswith(("_p", "_holm")) else digits  # p values
    return [MISSING if pd.isna(value) else f"{round(value, 9):.{digits}f}" for value in column]


def _escape(text):
    return str(text).replace("|", "\\|").replace("\n", "<br>")


def _as_values_of(column, printed):
    # The paper prints "1e-3"; the config has 0.001.
    return pd.to_numeric(printed).astype(column.dtype) if is_numeric_dtype(column) else printed.astype(str)


def _bold_best(cells, side):
    scores = cells[side].round(1)
    best = scores == scores.groupby(cells["metric"]).transform("max")
    texts = scores.map(lambda score: MISSING if pd.isna(score) else f"{score:.1f}")
    return texts.where(~best, "**" + texts + "**")


def _range(values, digits=1):
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low}–{high}"
