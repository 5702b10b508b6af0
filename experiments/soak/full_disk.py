"""Run small pieces of work on a disk that is too small, until it is large enough, and compare as kill_anywhere.py.

    python experiments/soak/full_disk.py [--pieces train,sweep] [--table TABLE.csv]

Results and caches are on a file system in memory (`unshare -rm`, Linux), which grows by half after each failed start.
Every failure must report that there is no room; the final files must be those of an uninterrupted run.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import dying
import pandas as pd
import pieces

_SMALLEST, _LARGEST = 64 * 1024, 2**30
_NO_ROOM = ("No room to write", "could not be written", "No space left on device")


def mount(folder, num_bytes, *options):
    subprocess.run(["mount", *options, "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", folder], check=True)


def run_out_of_disk(piece, folder, data):
    """Run a piece of work on a disk that grows until it is large enough.

    Returns:
        Dict of what, kill_point, times_killed (number of failures on a full disk) and identical.
    """
    whole, disk = pieces.prepare(folder / f"{piece}-whole"), folder / f"{piece}-disk"
    if dying.run(piece, whole, data)[0]:
        raise RuntimeError(f"{piece} failed uninterrupted:\n{(whole / 'output.log').read_text()[-3000:]}")
    disk.mkdir()
    size, failures = _SMALLEST, 0
    mount(disk, size)
    root = pieces.prepare(disk / "work")
    for name in ("output.log", "events.log"):  # the logs need room as well
        (root / name).symlink_to(folder / f"{piece}-{name}")
    while dying.run(piece, root, data)[0]:
        said = (root / "output.log").read_text()
        if not any(words in said for words in _NO_ROOM) or size > _LARGEST:
            raise RuntimeError(f"{piece} failed on {size} bytes for another reason than a full disk:\n{said[-3000:]}")
        last = [line for line in said.splitlines() if any(words in line for words in _NO_ROOM)][-1]
        print(f"{piece}, {size:,} bytes: {last}", flush=True)
        os.truncate(root / "output.log", 0)
        size, failures = int(size * 1.5), failures + 1
        mount(disk, size, "-o", "remount")
    different = pieces.differences(whole, root)
    if different:
        print(f"{piece}: {different} differ; see {whole} and {disk}", file=sys.stderr)
    return {"what": piece, "kill_point": "full disk", "times_killed": failures, "identical": not different}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", default="train,train_from_disk,sweep,search,ensemble,posters")
    parser.add_argument("--table", type=pathlib.Path, help="csv to write")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        os.execvp("unshare", ["unshare", "-rm", sys.executable, __file__, "--inside", *sys.argv[1:]])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="full-disk-"))
    data = pieces.make_data(folder / "data")
    table = pd.DataFrame([run_out_of_disk(piece, folder, data) for piece in options.pieces.split(",")])
    if options.table:
        table.to_csv(options.table, index=False, lineterminator="\n")
    print(table.to_string(index=False))
    for piece in table["what"]:
        subprocess.run(["umount", folder / f"{piece}-disk"], check=True)
    shutil.rmtree(folder)
    return 0 if table["identical"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
