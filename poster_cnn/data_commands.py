"""The commands of `poster-cnn` that look after posters: verify, download, audit."""

import pathlib


def add_to(commands):
    """Adds the commands to the subparsers of `poster-cnn`."""
    verify = commands.add_parser("verify", help="decode every poster of a folder; say which are broken")
    verify.add_argument("posters_dir", metavar="DIR", help="folder of posters; it is only read")
    verify.add_argument("--manifest", metavar="FILE", help="csv to write (default: in the user's cache)")
    verify.add_argument("--repaired", metavar="DIR", help="folder for repaired posters (default: in the user's cache)")
    verify.set_defaults(run=_verify)

    download = commands.add_parser("download", help="fetch the posters of a CSV by their URLs; run again to go on")
    download.add_argument("csv", metavar="CSV", help="movie table in Kaggle's layout")
    download.add_argument("posters_dir", metavar="DIR", help="folder to write; what is there is not fetched again")
    download.add_argument("--sample", type=int, help="fetch this many movies, drawn at random (default: all)")
    download.add_argument("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    download.add_argument("--retry-failed", action="store_true", help="try remembered failures again")
    download.add_argument("--allow-private", action="store_true", help="allow addresses of private networks")
    download.add_argument("--concurrency", type=int, default=16, help="fetches at a time (default: 16)")
    download.set_defaults(run=_download)

    audit = commands.add_parser("audit", help="find posters that are copies of each other, and splits that leak")
    audit.add_argument("posters_dir", metavar="DIR", help="folder of posters; it is only read")
    audit.add_argument("--split", metavar="FILE", help="csv with imdb_id and part, as a run folder's split.csv")
    audit.add_argument("--pairs", metavar="FILE", help="also write the near-duplicate pairs as a csv")
    audit.set_defaults(run=_audit)


def _verify(options):
    from poster_cnn.datasets import verify as ingest

    manifest = ingest.verify(options.posters_dir, manifest_path=options.manifest, repaired_dir=options.repaired)
    print(ingest.describe(manifest))
    return 1 if (manifest["verdict"] == "quarantined").any() else 0


def _download(options):
    from poster_cnn.datasets import verify as ingest
    from poster_cnn.datasets.download import download, sample_posters
    from poster_cnn.movies.table import load_movie_table

    choices = {
        "retry_failed": options.retry_failed,
        "allow_private": options.allow_private,
        "concurrency": options.concurrency,
    }
    if options.sample is None:
        report = download(options.csv, options.posters_dir, **choices)
    else:
        table = load_movie_table(options.csv)
        _, report = sample_posters(table, options.posters_dir, options.sample, seed=options.seed, **choices)
    print(ingest.describe(report))
    print(f"posters: {options.posters_dir}")
    outcome = "outcome" if "outcome" in report else "verdict"
    return 1 if report[outcome].isin(["failed", "failed before", "quarantined"]).any() else 0


def _audit(options):
    import pandas as pd

    from poster_cnn.datasets import duplicates as audit
    from poster_cnn.datasets import verify as ingest
    from poster_cnn.files import write_atomically

    manifest = ingest.verify(options.posters_dir)
    pairs = audit.similar_pairs(manifest)
    print(audit.describe_duplicates(manifest, pairs=pairs))
    if options.pairs:
        named = {side: pairs[side].map(manifest["imdb_id"]) for side in ("first", "second")}
        with write_atomically(pathlib.Path(options.pairs)) as temporary:
            pairs.assign(**named).to_csv(temporary, index=False)
        print(f"pairs: {options.pairs}")
    if options.split:
        parts = pd.read_csv(options.split).drop_duplicates("imdb_id").set_index("imdb_id")["part"]
        split = manifest["imdb_id"].map(parts).dropna()
        print(audit.leak_certificate(split, manifest, pairs=pairs))
