"""Kill small pieces of work (SIGKILL) wherever they write, resume them, and compare with an uninterrupted run.

    python experiments/soak/kill_anywhere.py [--pieces train,sweep] [--kills 4] [--every 1] [--table TABLE.csv]

Kill points are before each `open`, rename and removal below the working folder, in the middle of each write that ends
with a rename or is an append, and at two random times per round. A round uses a new folder and is killed `--kills`
times, and started again each time. At the end of a round, weights, histories, predictions, scores, result tables and
caches must be bit-identical to those of the uninterrupted run, and run folders must have no half-written files.
`--every 10` uses every tenth point, which is enough for larger pieces. `experiments/results/soak_kills.csv` has every
5th point of `report`, 12th of `posters`, and 14th to 16th of the others, with four or five kills a round, and results
of full_disk.py. Its columns are the piece, the kill point, the number of kills, and whether all results were identical.
"""

import argparse
import pathlib
import random
import re
import shutil
import sys
import tempfile

import dying
import pandas as pd
import pieces
from tqdm import tqdm

_TEARABLE = ("rename ", "open cache/features")  # files and appends that can be left half-written
_STARTS = 40  # maximum per round; a piece that needs more makes no progress


def kill_points(events):
    """Return kill points: a list of (event name, occurrence counted from 0, whether in the middle of the write)."""
    points, seen = [], {}
    for name in events:
        occurrence = seen[name] = seen.get(name, -1) + 1
        points.append((name, occurrence, False))
        if name.startswith(_TEARABLE) and not name.endswith("/.lock"):
            points.append((name, occurrence, True))
    return points


def play_round(piece, root, data, points, seconds, rng, **options):
    """Kill a piece of work at each point in turn, then at two random times; return the points that were reached.

    `options` are those of `dying.run`.

    Raises:
        RuntimeError: If a start ends with an error.
    """
    pieces.prepare(root)
    # Finished work is not repeated after a restart, so the next event of the same name is used.
    points = [*points[:1], *((name, 0, torn) for name, _, torn in points[1:])]
    orders = [{"kill_at": point} for point in points] + [{"kill_after": rng.uniform(0, seconds)} for _ in range(2)]
    killed = []
    for number in range(_STARTS):
        for counted in root.glob("out/**/attempts.json"):  # a sweep gives up a cell that is killed three times in a row
            counted.unlink()
        order = orders[number] if number < len(orders) else {}
        status, _ = dying.run(piece, root, data, **order, **options)
        if status == -9 and "kill_at" in order:
            name, _, torn = order["kill_at"]
            killed.append(f"{'middle of' if torn else 'before'} {name}")
        elif status == -9:
            killed.append("random time")
        elif status:
            raise RuntimeError(f"{piece} ended with status {status}:\n{(root / 'output.log').read_text()[-3000:]}")
        elif number >= len(orders) - 1 or "kill_at" not in order:
            return killed
    raise RuntimeError(f"{piece} was not done after {_STARTS} starts.")


def soak(piece, folder, data, *, kills=4, every=1, seed=0):
    """Kill one piece of work at every `every`-th of its points, `kills` points per round.

    Returns:
        DataFrame with what, kill_point and identical (whether the round ended as the uninterrupted run).
    """
    rng = random.Random(f"{piece} {seed}")
    whole = pieces.prepare(folder / f"{piece}-whole")
    dying.run(piece, pieces.prepare(folder / f"{piece}-warm-up"), data)  # warm-up
    started = pd.Timestamp.now()
    status, events = dying.run(piece, whole, data)
    seconds = (pd.Timestamp.now() - started).total_seconds()
    if status:
        raise RuntimeError(f"{piece} failed uninterrupted:\n{(whole / 'output.log').read_text()[-3000:]}")
    points = kill_points(events)[::every]
    number_of_rounds = -(-len(points) // kills)
    rows = []
    for number in tqdm(range(number_of_rounds), piece, unit="round"):
        root = folder / f"{piece}-{number}"
        killed = play_round(piece, root, data, points[number::number_of_rounds], seconds, rng)
        different = pieces.differences(whole, root)
        rows += [{"what": piece, "kill_point": point, "identical": not different} for point in killed]
        if different:
            print(f"{piece}, killed {', '.join(killed)}: {different} differ; see {root}", file=sys.stderr)
        else:
            shutil.rmtree(root)
    return pd.DataFrame(rows, columns=["what", "kill_point", "identical"])


def summarize(kills):
    """Return one row per kill point, without the names of epochs, folds and drawn folders."""
    places = kills["kill_point"].str.replace(r"[0-9a-f]{12,}|(?<==)[\d.]+(?=/|,|$)", "*", regex=True)
    places = places.str.replace(r"(posters/)[^/]+/", r"\1*/", regex=True)
    places = places.map(lambda place: re.sub(r"drawn/(.*/)?[^/]+$", "drawn/*", place))
    grouped = kills.assign(kill_point=places).groupby(["what", "kill_point"], sort=False)["identical"]
    return grouped.agg(times_killed="size", identical="all").reset_index()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", default=",".join(pieces.PIECES), help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=4, help="number of kill points per round; default: 4")
    parser.add_argument("--every", type=int, default=1, help="default: 1")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random times; default: 0")
    parser.add_argument("--table", type=pathlib.Path, help="csv to write")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kill-anywhere-"))
    data = pieces.make_data(folder / "data")
    tables = []
    for piece in options.pieces.split(","):
        kills = soak(piece, folder, data, kills=options.kills, every=options.every, seed=options.seed)
        tables.append(summarize(kills))
        table = pd.concat(tables, ignore_index=True)
        if options.table:
            table.to_csv(options.table, index=False, lineterminator="\n")
    print(table.to_string(index=False))
    print(f"{table['times_killed'].sum()} kills, all identical: {table['identical'].all()}")
    if table["identical"].all():
        shutil.rmtree(folder)
    return 0 if table["identical"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
