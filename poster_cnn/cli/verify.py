"""`poster-cnn verify`: decode every poster of a folder and report the broken ones."""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("data", metavar="DATA", help="folder of posters, or data in any layout; it is only read")
    command.add_argument("--manifest", metavar="FILE", help="CSV to write (default: in the user's cache)")
    command.add_argument("--repaired", metavar="DIR", help="folder for repaired posters (default: in the user's cache)")


def run(options):
    """Verify the folder, and return the exit status."""
    from poster_cnn.datasets.verify import describe, verify_data

    manifest, layout = verify_data(options.data, manifest_path=options.manifest, repaired_dir=options.repaired)
    print(f"data: {layout}\n" * bool(layout), end="")
    print(describe(manifest))
    return 1 if (manifest["verdict"] == "quarantined").any() else 0
