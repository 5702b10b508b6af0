"""`poster-cnn download`: fetch posters by their URLs."""

import poster_cnn
from poster_cnn.cli.option_names import require


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("csv", metavar="TABLE", help="movie table: a CSV, or a file or folder of OMDb records")
    command.add_argument("posters_dir", metavar="DIR", help="folder to write; existing posters are not fetched again")
    command.add_argument("--sample", type=int, help="number of movies to draw at random (default: all movies)")
    command.add_argument("--seed", type=int, help="seed of the sample (default: 0)")
    command.add_argument("--retry-failed", action="store_true", help="try remembered failures again")
    command.add_argument("--allow-private", action="store_true", help="allow addresses of private networks")
    command.add_argument("--concurrency", type=int, default=16, help="simultaneous downloads (default: 16)")


def run(options):
    """Download the posters, and return the exit status."""
    from poster_cnn.datasets import describe
    from poster_cnn.datasets.download import download, sample_posters

    require(options, "seed", "sample")
    choices = {name: getattr(options, name) for name in ("retry_failed", "allow_private", "concurrency")}
    if options.sample is None:
        report = download(options.csv, options.posters_dir, **choices)
    else:
        table = poster_cnn.load_movie_table(options.csv)
        _, report = sample_posters(table, options.posters_dir, options.sample, seed=options.seed or 0, **choices)
    print(describe(report))
    print(f"posters: {options.posters_dir}")
    outcome = report["outcome" if "outcome" in report else "verdict"]
    return 1 if outcome.isin(["failed", "failed before", "quarantined"]).any() else 0
