"""The papers' tables, ours beside theirs: DataFrame in, DataFrame or Markdown out."""

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

BASELINES = ("majority", "label_prior", "color_histogram")
BASELINES_OF_ONE_GENRE = ("majority", "color_histogram")  # with one genre a row, `label_prior` ranks `majority` first
MISSING = "–"
TITLES = {
    "all_zeros": "No genre at all",
    "color_histogram": "Color histogram + logistic regression",
    "first_label_accuracy": "First-label accuracy",
    "frequent_genres": "Always the most frequent genres",
    "hit_at_1": "Hit@1",
    "label_accuracy": "Element-wise accuracy",
    "majority": "Majority class",
    "overall_f1": "Overall F1",
    "overall_f1_at_622": "Overall F1 from 0.622",
    "overall_f1_tuned": "Overall F1, thresholds by genre",
    "panel": "",
    "ratio": "Shrink ratio (%)",
    "six_class_accuracy": "Six-class accuracy",
    "std": "Standard deviation",
}


def title(name):
    """A column's name as a reader sees it: "learning_rate" becomes "Learning rate"."""
    return TITLES.get(name, str(name).replace("_", " ").capitalize())


def label(value):
    """A value as a reader sees it on an axis or in a header: 0.001 becomes "1e-3", 40.0 becomes "40"."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return MISSING
    if 0 < abs(value) <= 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def title_with(name, value):
    """A column's name and one of its values as a heading: "Shrink ratio 30%", "Learning rate 1e-3"."""
    heading = title(name)
    return f"{heading.removesuffix(' (%)')} {label(value)}{'%' if heading.endswith(' (%)') else ''}".lstrip()


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
    """Sets our scores beside a paper's printed ones and the trivial baselines', one row a cell of the paper's table.

    A cell that only one side has is kept; the other side's numbers are missing there.

    Args:
        results: DataFrame from `collect_results` or `read_results` with at most one run a cell.
        published: DataFrame from `read_published`.
        table: Name of the table in `published`, such as "Table 2".
        metric: Metric to compare, as both files name it. Defaults to "first_label_accuracy".
        rows: Column of `results` that the table's rows are values of. Defaults to "ratio".
        columns: Column of `results` that the table's columns are values of, or None where the table's columns are
            metrics. Defaults to "learning_rate".
        baselines: Baselines to carry along where `results` has them. Defaults to the majority class, the label prior
            and the color histogram with logistic regression.

    Returns:
        DataFrame, the paper's cells first and in its order, scores in percent: `rows`, `columns`, `metric`, `ours`,
        `low` and `high` (our 95% interval), `paper`, `difference` (ours minus the paper's, in points), a column for
        each baseline, `num_test`.

    Raises:
        ValueError: If a cell has several runs, or `results` or `published` lacks what is asked for.

    Example:

    >>> cells = beside_published(results, read_published("experiments/published/dave.csv"), "Table 2")
    >>> print(to_markdown(comparison_grid(cells)))
    """
    keys = [rows] if columns is None else [rows, columns]
    _check_results(results, [*keys, metric])
    repeated = results[results.duplicated(keys)]
    if len(repeated):
        raise ValueError(
            "`results` must have one run a cell: choose one, for example with `results[results['seed'] == 0]`. "
            f"Received several for {repeated.iloc[0][keys].to_dict()}"
        )
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


def in_percent(results, metric, *, baselines=BASELINES):
    """A metric's columns of a table of results, in percent and under short names.

    Args:
        results: DataFrame from `collect_results` or `read_results`.
        metric: Metric, as the table names it.
        baselines: Baselines to carry along where `results` has them. Defaults to those of `beside_published`.

    Returns:
        DataFrame over the same index: `ours`, `low` and `high` (our 95% interval), a column for each baseline; without
        those that `results` lacks.
    """
    scores = {"ours": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
    scores |= {name: f"{name}_{metric}" for name in baselines}
    return pd.DataFrame({name: 100 * results[column] for name, column in scores.items() if column in results})


def comparison_grid(cells, *, rows="ratio", columns="learning_rate", intervals=False):
    """Lays the cells of `beside_published` out as a paper prints them: "ours (paper's)", the best of each side in bold.

    Args:
        cells: DataFrame from `beside_published`, or several of them concatenated.
        rows: Column of `cells` that becomes the rows. Defaults to "ratio".
        columns: Column of `cells` that becomes the columns; "metric" where a paper's columns are metrics, and then the
            best is taken within each metric. Defaults to "learning_rate".
        intervals: Whether our 95% interval follows our number, as in "54.6 [50.4, 58.7] (50.5)". Defaults to False.

    Returns:
        DataFrame of str, the row variable as its first column; bold is Markdown's `**`.
    """
    texts = _bold_best(cells, "ours")
    if intervals:
        texts += [
            "" if pd.isna(low) else f" [{low:.1f}, {high:.1f}]"
            for low, high in zip(cells["low"], cells["high"], strict=True)
        ]
    texts += " (" + _bold_best(cells, "paper") + ")"
    grid = cells.assign(text=texts).pivot(index=rows, columns=columns, values="text").fillna(MISSING)
    grid = grid.reindex(index=cells[rows].unique(), columns=cells[columns].unique())
    named = title if columns == "metric" else label
    grid = grid.rename(index=label, columns=named).rename_axis(
        index=f"{title(rows)} ↓ {title(columns)} →", columns=None
    )
    return grid.reset_index()


def baseline_note(cells, *, baselines=BASELINES):
    """The lines that belong under a `comparison_grid`: what trivial baselines score on the same test posters.

    Args:
        cells: DataFrame from `beside_published`, or several of them concatenated.
        baselines: Baselines to name where `cells` has them. Defaults to those of `beside_published`.

    Returns:
        str, one line a metric: the number of test posters, the baselines (a range where they differ between cells)
        and how far our 95% intervals reach.
    """
    lines = []
    for metric, group in cells.groupby("metric", sort=False):
        scores = [
            f"{title(name).lower()} {_range(group[name])}%" for name in baselines if name in group and group[name].any()
        ]
        posters = f"{_range(group['num_test'], digits=0)} " if group["num_test"].notna().any() else ""
        line = f"{title(metric)} in percent, ours (the paper's). On the same {posters}test posters: "
        line += f"{', '.join(scores) or 'no baseline'}."
        if "low" in group and "high" in group:
            reach = pd.concat([group["high"] - group["ours"], group["ours"] - group["low"]]).max()
            line += f" Our 95% intervals reach up to {reach:.1f} points to either side."
        lines.append(line)
    return "\n".join(lines)


def to_markdown(frame, *, digits=1):
    """A DataFrame as a Markdown table; its index is left out.

    Args:
        frame: DataFrame. Numbers stand to the right; missing values are "–".
        digits: Decimal places of floats; learning rates keep their own. Defaults to 1.

    Returns:
        str, without a newline at its end.
    """

    lines = [frame.columns, ["---:" if is_numeric_dtype(dtype) else "---" for dtype in frame.dtypes]]
    lines += zip(*(_texts(frame[name], digits) for name in frame), strict=True)
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines)


def _texts(column, digits):
    if column.name == "learning_rate" or not is_float_dtype(column):
        return [label(value) if is_float_dtype(column) or pd.isna(value) else str(value) for value in column]
    return [MISSING if pd.isna(value) else f"{value:.{digits}f}" for value in column]


def _escape(text):
    return str(text).replace("|", "\\|").replace("\n", "<br>")


def _check_results(results, columns):
    missing = [name for name in columns if name not in results]
    if missing:
        raise ValueError(f"`results` must have the columns {missing}. Received: columns={list(results.columns)}")
    if results.empty:
        raise ValueError("`results` must have at least one finished run. Received: an empty table")


def _as_values_of(column, printed):
    # "1e-3" in print is 0.001 in a config.
    return pd.to_numeric(printed).astype(column.dtype) if is_numeric_dtype(column) else printed.astype(str)


def _bold_best(cells, side):
    scores = cells[side].round(1)
    best = scores == scores.groupby(cells["metric"]).transform("max")
    texts = scores.map(lambda score: MISSING if pd.isna(score) else f"{score:.1f}")
    return texts.where(~best, "**" + texts + "**")


def _range(values, digits=1):
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low}–{high}"
