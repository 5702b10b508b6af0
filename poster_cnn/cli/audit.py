"""`poster-cnn audit`: find duplicate posters, and splits that leak."""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("data", metavar="DATA", help="folder of posters, or data in any layout; it is only read")
    command.add_argument("--split", metavar="FILE", help="CSV with imdb_id and part, such as a run folder's split.csv")
    command.add_argument("--pairs", metavar="FILE", help="also write the near-duplicate pairs as a CSV")


def run(options):
    """Print the duplicates."""
    from poster_cnn.datasets import duplicates
    from poster_cnn.datasets.verify import verify_data
    from poster_cnn.movies.splits import read_split

    split = read_split(options.split) if options.split else None  # fails now, not after the posters are read
    manifest, layout = verify_data(options.data)
    print(f"data: {layout}\n" * bool(layout), end="")
    pairs = duplicates.similar_pairs(manifest)
    print(duplicates.describe_duplicates(manifest, pairs=pairs))
    if options.pairs:
        duplicates.write_pairs(pairs, manifest, options.pairs)
        print(f"pairs: {options.pairs}")
    if split is not None:
        print(duplicates.certificate_of_split(split, manifest, pairs))
