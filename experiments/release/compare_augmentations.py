"""Write what each augmentation is worth, from the finished runs of `augmentation.py`.

    python experiments/release/compare_augmentations.py runs/augmentation

Augmentations with fewer seeds than others are kept; the column `seeds` says how many there are.
"""

import argparse
import pathlib

from poster_cnn.files import write_text
from poster_cnn.results import evidence
from poster_cnn.results.collect import collect_history, collect_results, read_predictions, write_results

OUT = pathlib.Path(__file__).parent.parent / "results"


def main():
    """Collect the runs, compare them, and write three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, help="folder of the runs")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="folder of the csv files")
    options = parser.parse_args()
    runs = collect_results(options.runs)
    order = ("none", "flip", "light", "randaugment", "mixup")
    runs = runs.sort_values("augmentation", key=lambda names: names.map(order.index), kind="stable")
    keys = zip(runs["experiment"], runs["run"], strict=True)
    predictions = {key: read_predictions(options.runs / key[1]) for key in keys}
    table = evidence.augmentation_table(runs, predictions)
    write_results(runs, options.out / "release_augmentation.csv")
    write_results(collect_history(options.runs), options.out / "release_augmentation_history.csv")
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_text(options.out / "release_augmentation_table.csv", text)
    print(table.to_string())


if __name__ == "__main__":
    main()
