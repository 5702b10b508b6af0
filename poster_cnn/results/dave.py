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


def seeds_table(results):
    """Summarize accuracy and hit@1 over the seeds of each shrink ratio and learning rate.

    Args:
        results: DataFrame from `collect_results` or `read_results`, one row per seed.

    Returns:
        DataFrame, one row per setting and metric, scores in percent: `ratio`, `learning_rate`, `metric`
        ("first_label_accuracy" or "hit_at_1"), `seeds` (number of runs), `mean`, `std` (of a sample; missing for a
        single run), `min`, `max`, and the mean of each baseline that `results` has.

    Raises:
        ValueError: If `results` is empty or lacks a metric.
    """
    by, metrics = ["ratio", "learning_rate"], ("first_label_accuracy", "hit_at_1")
    check_results(results, [*by, *metrics])
    tables = []
    groups = results.groupby(by, dropna=False, sort=False)
    for metric in metrics:
        table = groups[metric].agg(["count", "mean", "std", "min", "max"]).rename(columns={"count": "seeds"})
        for name in BASELINES:
            if f"{name}_{metric}" in results:
                table[name] = groups[f"{name}_{metric}"].mean()
        table[table.columns.drop("seeds")] *= 100
        table.insert(0, "metric", metric)
        tables.append(table)
    return pd.concat(tables).reset_index()
