"""Tables of paper 1."""

import pandas as pd

from poster_cnn.results.tables import BASELINES, MISSING, check_results, label, title


def shrunk_sizes_table(sizes, published):
    """Compare our image size at each shrink ratio with the paper's (Table 1 of Dave, section 3.5.2).

    Args:
        sizes: Dictionary from shrink ratio in percent to our `(height, width)` in pixels, as in
            `{ratio: shrunk_size(ratio) for ratio in (30, 40, 50, 60, 70)}`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame of str, one row per ratio: "Shrink ratio (%)", "Ours (width × height)", "Paper (width × height)" and
        "Same" ("yes" or "no"; "–" for a ratio that the paper lacks).
    """
    printed = published[published["table"] == "Table 1"].pivot(index="row", columns="column", values="value")
    theirs = {int(ratio): (int(size["height"]), int(size["width"])) for ratio, size in printed.iterrows()}
    rows = []
    for ratio, (height, width) in sizes.items():
        paper, same = MISSING, MISSING
        if ratio in theirs:
            paper = f"{theirs[ratio][1]} × {theirs[ratio][0]}"
            same = "yes" if theirs[ratio] == (height, width) else "no"
        rows.append((label(ratio), f"{width} × {height}", paper, same))
    return pd.DataFrame(rows, columns=[title("ratio"), "Ours (width × height)", "Paper (width × height)", "Same"])


def seeds_table(
    results, *, metrics=("first_label_accuracy", "hit_at_1"), by=("ratio", "learning_rate"), baselines=BASELINES
):
    """Summarize scores over seeds: mean, standard deviation, minimum and maximum for each setting.

    Args:
        results: DataFrame from `collect_results` or `read_results`, one row per seed.
        metrics: Metrics to summarize. Defaults to first-label accuracy and hit@1.
        by: Columns of `results` that define a setting. Defaults to ratio and learning rate.
        baselines: Baselines to include, averaged over the runs, if `results` has them.

    Returns:
        DataFrame, one row per setting and metric, scores in percent: `by`, `metric`, `seeds` (number of runs), `mean`,
        `std` (of a sample; missing for a single run), `min`, `max`, a column per baseline.

    Raises:
        ValueError: If `results` lacks a metric or a column of `by`.
    """
    check_results(results, [*by, *metrics])
    tables = []
    groups = results.groupby(list(by), dropna=False, sort=False)
    for metric in metrics:
        table = groups[metric].agg(["count", "mean", "std", "min", "max"]).rename(columns={"count": "seeds"})
        for name in baselines:
            if f"{name}_{metric}" in results:
                table[name] = groups[f"{name}_{metric}"].mean()
        table[table.columns.drop("seeds")] *= 100
        table.insert(0, "metric", metric)
        tables.append(table)
    return pd.concat(tables).reset_index()
