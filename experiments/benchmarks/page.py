"""The measured parts of the page of the benchmarks, made from the CSV files.

    python experiments/benchmarks/page.py

replaces what stands between `<!-- table: benchmark_NAME -->` and `<!-- end -->` in README.md, for each CSV that exists.
"""

import pathlib
import tempfile

import pandas as pd

from poster_cnn.results import update_pages
from poster_cnn.results.tables import to_markdown

HERE = pathlib.Path(__file__).parent
RESULTS = HERE.parent / "results"
LIMIT = "(limit)"  # the end of the name of a side that is no alternative
NAMES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "bfloat16 in AVX-512",
    "amx_bf16": "bfloat16 in AMX",
}
PACKAGES = {"tensorflow": "TensorFlow", "keras": "Keras", "torch": "PyTorch", "opencv_python_headless": "OpenCV"}


def machine(row):
    """Return a sentence about the machine of a measurement."""
    row = row.dropna()
    flags = ", ".join(name for flag, name in NAMES.items() if flag in str(row.get("flags", "")).split())
    versions = [f"{name} {row[f'{key}_version']}" for key, name in PACKAGES.items() if row.get(f"{key}_version")]
    onednn = {"1": "on", "0": "off"}.get(str(row.get("onednn", "")).partition(".")[0])
    parts = [f"{row['cores']:.0f} cores of {row['processor']}", flags, onednn and f"oneDNN {onednn}", *versions]
    date = row.get("date", "")
    return f"Measured{date and f' on {date}'} with {', '.join(part for part in parts if part)}."


def table(rows):
    """Return rows of equal length as a Markdown table; the first is the header."""
    return to_markdown(pd.DataFrame(rows[1:], columns=rows[0]))


def speed(frame):
    """Return the table of all comparisons, and the machine."""
    rows = [("task", "poster_cnn", "alternative", "", "ratio", "goal")]
    for _, row in frame[frame["task"] != "peak"].iterrows():
        ours = frame[(frame["task"] == row["task"]) & (frame["ratio"] == 1)].iloc[0]
        if row["side"] == ours["side"] or row["side"].endswith(LIMIT):
            continue
        ratio = f"**{row['ratio']:.2f}**" + (
            f" ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})" if row["rounds"] > 1 else " (one round)"
        )
        goal = "–" if pd.isna(row["goal"]) else f"{row['goal']:g}"
        numbers = [f"{side['rate']:,.{0 if side['rate'] >= 20 else 1}f}" for side in (ours, row)]
        way = ours["side"].removeprefix("poster_cnn").removeprefix(", ")
        rows.append((row["task"], f"{numbers[0]} ({way})" if way else numbers[0], row["side"], numbers[1], ratio, goal))
    return f"{table(rows)}\n\n{machines(frame)}"


def machines(frame):
    """Return a sentence about the machine, or one for each group of tasks where they were measured on several."""
    last = frame.drop_duplicates("group", keep="last").set_index("group")
    if len({machine(row.drop("date")) for _, row in last.iterrows()}) == 1:
        dates = sorted(set(last["date"].dropna()))
        return machine(pd.Series({**last.iloc[0], "date": " and ".join(dates)}))
    return " ".join(f"{group.capitalize()}: {machine(row)}" for group, row in last.iterrows())


def notes(frame):
    """Return a sentence for each goal, and the fractions of what the machine can do."""
    lines = []
    for task, sides in frame[frame["goal"].notna()].groupby("task", sort=False):
        hardest = sides.loc[sides["ratio"].idxmin()]
        reached = "reached" if hardest["ratio"] >= hardest["goal"] else "missed"
        if hardest["ratio_low"] < hardest["goal"] <= hardest["ratio"]:
            reached = "reached by the median, and not in every round"
        lines.append(
            f"- **{task}**: {hardest['ratio']:.2f} times as fast as the fastest alternative, {hardest['side']}. "
            f"The goal of {hardest['goal']:g} is {reached}."
        )
    frame = frame.reindex(columns=list(frame.columns.union(["fraction_of_peak", "flops_per_s", "accuracy"])))
    measured = frame[frame["fraction_of_peak"].notna() & frame["side"].str.startswith("poster_cnn")]
    for _, row in measured.drop_duplicates(["group", "side"]).iterrows():
        lines.append(
            f"- **{row['task']}**, {row['side']}: {row['flops_per_s'] / 1e9:.0f} GFLOP/s, which is "
            f"{100 * row['fraction_of_peak']:.0f}% of large matrix products on this machine."
        )
    for _, row in frame[frame["side"].str.endswith(LIMIT)].iterrows():
        what = row["side"].removesuffix(LIMIT).strip()
        lines.append(f"- **{row['task']}**: {100 * row['ratio']:.0f}% of the speed of {what}.")
    peaks = frame[frame["task"] == "peak"]
    if len(peaks):
        found = ", ".join(f"{row['rate']:,.0f} {row['unit']} ({row['side']})" for _, row in peaks.iterrows())
        lines.append(f"- **The machine** reaches {found}.")
    if frame["accuracy"].notna().any():
        scores = 100 * frame["accuracy"].dropna()
        lines.append(f"- **Sweeps** have mean accuracies between {scores.min():.1f} and {scores.max():.1f}%.")
    return "\n".join(lines)


def other_processors(frame):
    """Return the table of the measurements on other processors."""
    rows = [("processor", "date", "task", "poster_cnn", "alternative", "", "ratio", "source")]
    for row in frame.itertuples():
        flags = [name for flag, name in NAMES.items() if flag in row.flags.split()]
        numbers = (_interval(row.rate_low, row.rate_high), _interval(row.other_low, row.other_high))
        processor = f"{row.processor}, {', '.join(flags)}"
        rows.append((processor, row.date, row.task, numbers[0], row.side, numbers[1], f"{row.ratio:.2f}", row.source))
    return table(rows)


def _interval(low, high):
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def decode(frame):
    """Return the table of the pixels that `decode="scaled"` moves."""
    rows = [("ratio", "size", "mean", "99th percentile", "maximum")]
    for row in frame.itertuples():
        rows.append((f"{row.ratio_percent:.0f}%", f"{row.width}×{row.height}", f"{row.mean:.2f}", row.p99, row.max))
    return table(rows)


def latency(frame):
    """Return the table of the latencies, and the machine."""
    rows = [("command", "posters", "seconds", "goal")]
    for row in frame.itertuples():
        spread = f" ({row.seconds_low:.2f}–{row.seconds_high:.2f})" if row.rounds > 1 else ""
        rows.append((f"`{row.command}`", f"{row.posters:,}", f"{row.seconds:.2f}{spread}", f"{row.goal:.1f}"))
    return f"{table(rows)}\n\n{machine(frame.iloc[0])}"


def cells(frame):
    """Return the table of sweeps of more and more cells, and the machine."""
    rows = [("cells", "seconds a cell", "first cell (s)", "finished cells checked (s a cell)", "peak memory")]
    for row in frame.itertuples():
        numbers = (f"{row.seconds_per_cell:.2f}", f"{row.first_cell:.1f}", f"{row.check_per_cell:.3f}")
        rows.append((row.cells, *numbers, f"{row.peak_mb:,.0f} MB"))
    return f"{table(rows)}\n\n{machine(frame.iloc[0])}"


def profile(frame):
    """Return the table of the operations of an epoch."""
    shown = frame[(frame["share"] >= 0.01) | (frame["part"] == "everything else")]
    return table([("operation", "share")] + [(row.part, f"{100 * row.share:.0f}%") for row in shown.itertuples()])


BLOCKS = {  # name of the block -> its CSV and its function
    "speed": ("benchmark_speed", speed),
    "notes": ("benchmark_speed", notes),
    "other_processors": ("benchmark_speed_other_processors", other_processors),
    "decode": ("benchmark_decode", decode),
    "latency": ("benchmark_latency", latency),
    "cells": ("benchmark_growth_cells", cells),
    "profile": ("benchmark_profile", profile),
}


def write_tables(folder):
    """Write the text of each block whose CSV exists as `benchmark_NAME.md`, and return a list of these texts."""
    texts = []
    for block, (name, function) in BLOCKS.items():
        path = RESULTS / f"{name}.csv"
        if path.is_file():
            texts.append(function(pd.read_csv(path)))
            (pathlib.Path(folder) / f"benchmark_{block}.md").write_text(texts[-1], encoding="utf-8")
    return texts


def main():
    """Update README.md and print its measured parts."""
    with tempfile.TemporaryDirectory() as folder:
        print("\n\n".join(write_tables(folder)))
        update_pages(folder, HERE.parents[1])


if __name__ == "__main__":
    main()
