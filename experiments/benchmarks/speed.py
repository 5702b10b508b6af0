"""Speed of reading posters, training networks and sweeping grids, compared with alternatives.

    python experiments/benchmarks/speed.py DATA [--tasks reading,training,features,sweep,profile] [--out RESULTS.csv]

Writes and prints a row for each side of each comparison, and draws the ratios in figures/ or next to RESULTS.csv. A
task that is run again replaces its rows. Alternatives whose packages are not installed are left out. Takes about 18
minutes on 2 CPU cores with the sweep of `--ratios 30,40`, and 45 with all 25 cells.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from poster_cnn.files import write_atomically

CLASS_NAMES = ("Horror", "Romance", "Action", "Documentary")
NUM_POSTERS = 1536
TASKS = ("reading", "training", "features", "sweep", "profile")
EXPERIMENTS = pathlib.Path(__file__).parents[1]
OUT = EXPERIMENTS / "results" / "benchmark_speed.csv"
PICTURE = EXPERIMENTS.parent / "figures" / "benchmark_speed.png"


def load_table(data, count=NUM_POSTERS):
    """Return the first usable posters of paper 1's genres."""
    from poster_cnn.datasets.verify import check_posters
    from poster_cnn.movies.data_folder import find_data_folder
    from poster_cnn.movies.table import load_movie_table

    folder = find_data_folder(data)
    table = load_movie_table(folder.csv, posters_dir=folder.posters, genres=CLASS_NAMES)
    return check_posters(table.head(2 * count))[0].head(count)


def measure(task, options):
    """Return the rows of one task as a DataFrame."""
    # Imported here, because each worker of a DataLoader imports this file.
    from poster_cnn.results.collect import write_results
    from poster_cnn.training.processor import about_machine

    about, beside = about_machine("torch", "torchvision", "opencv-python-headless"), options.out.with_name
    if task == "reading":
        import reading

        table = load_table(options.data, options.posters)
        write_results(pd.DataFrame(reading.scaled_decoding(table)).assign(**about), beside("benchmark_decode.csv"))
        rows = reading.rows(table, options.rounds)
    elif task == "training":
        import training

        rows = training.rows(load_table(options.data, options.posters), options.rounds)
    elif task == "features":
        import features

        rows = features.rows(options.data) + features.limits()
    elif task == "sweep":
        import sweep

        rows = sweep.rows(options.data, options.ratios)
    else:
        import op_profile

        write_results(op_profile.profile().assign(**about), beside("benchmark_profile.csv"))
        rows = []
    return pd.DataFrame(rows).assign(group=task, **about)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data folder")
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"some of {', '.join(TASKS)} (default: all)")
    parser.add_argument("--ratios", default="30,40,50,60,70", help="of the sweep, five cells each (default: all five)")
    parser.add_argument("--rounds", type=int, default=5, help="of reading and training (default: 5)")
    parser.add_argument("--posters", type=int, default=NUM_POSTERS, help=f"read and trained on; default: {NUM_POSTERS}")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default: experiments/results/")
    import page
    from draw import draw_ratios

    from poster_cnn.results.collect import write_results

    options = parser.parse_args()
    options.ratios = tuple(int(ratio) for ratio in options.ratios.split(","))
    found = pd.DataFrame()
    for task in options.tasks.split(","):
        found = measure(task, options)
        if options.out.is_file():
            old = pd.read_csv(options.out)
            found = pd.concat([old[old["group"] != task], found], ignore_index=True)
        write_results(found, options.out)
    picture = PICTURE if options.out == OUT else options.out.with_suffix(".png")
    with write_atomically(picture) as temporary:
        drawn = draw_ratios(found, page.machines(found))
        drawn.savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.05, dpi=180)
    print(f"{page.speed(found)}\n\n{page.notes(found)}\n\nwritten to {options.out} and {picture}")


if __name__ == "__main__":
    main()
