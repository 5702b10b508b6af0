"""The commands of `poster-cnn` that train an experiment's many runs: sweep, search."""

import argparse
import pathlib
import sys

import poster_cnn
from poster_cnn.training.config import PRECISIONS

_SEVERAL_HOSTS = """
Interrupted or killed, a {command} goes on when started again: {resumes}.

--workers 2 starts two workers on this machine, and again those that die; with several GPUs each has one. On a cluster,
start the same command without --workers: once as the chief, which hands out the {what} and writes the results, and on
each host as a worker. --data and --out are on disks that all share, on which a file's lock holds for all hosts (such as
NFS 4). Three environment variables say who is who; each worker has a name of its own:

  KERASTUNER_TUNER_ID=chief    KERASTUNER_ORACLE_IP=10.0.0.1 KERASTUNER_ORACLE_PORT=8000 poster-cnn {command} ...
  KERASTUNER_TUNER_ID=worker0  KERASTUNER_ORACLE_IP=10.0.0.1 KERASTUNER_ORACLE_PORT=8000 poster-cnn {command} ...
  KERASTUNER_TUNER_ID=worker1  KERASTUNER_ORACLE_IP=10.0.0.1 KERASTUNER_ORACLE_PORT=8000 poster-cnn {command} ...

What a dead worker was training goes to the next worker that has nothing to do, and goes on there at its epoch. Workers
can come and go at any time. A worker without a chief waits for one for at most 10 minutes and then ends with status 1.
If the chief died, start all again.
"""


def add_to(commands):
    """Adds the commands to the subparsers of `poster-cnn`."""
    sweep = _add(commands, "sweep", "train every cell of an experiment's grid", "cells", "finished cells are skipped")
    sweep.set_defaults(run=_sweep)
    search = _add(
        commands, "search", "draw configs at random and cross-validate each", "draws", "finished folds are only read"
    )
    search.set_defaults(run=_search)


def _add(commands, name, about, what, resumes):
    command = commands.add_parser(
        name,
        help=about,
        epilog=_SEVERAL_HOSTS.format(command=name, what=what, resumes=resumes),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    example = {"sweep": "experiments/dave/table_2.py", "search": "experiments/zavala/random_search.py"}[name]
    command.add_argument("experiment", help=f"experiment file, such as {example}")
    command.add_argument("--data", help="data folder (default: the embedded dataset)")
    command.add_argument("--out", required=True, help=f"folder of the run folders; {resumes}")
    command.add_argument("--preset", choices=("quick", "paper"), default="paper", help="default: paper")
    command.add_argument("--precision", choices=PRECISIONS, help="default: as the experiment says")
    command.add_argument("--workers", type=int, help="train in so many processes (default: in this one)")
    return command


def _sweep(options):
    from poster_cnn.tuning import hosts
    from poster_cnn.tuning import sweep as search
    from poster_cnn.tuning.experiment import load_experiment

    experiment = load_experiment(options.experiment, preset=options.preset, precision=options.precision)
    needs_trailers = "trailer" in getattr(experiment.config, "modalities", ())
    data = options.data or poster_cnn.embedded_dataset(trailers=needs_trailers)
    if options.workers is not None:
        from poster_cnn.tuning import search_workers  # it needs KerasTuner

        choices = {"preset": options.preset, "precision": options.precision}
        failed = search_workers.sweep_with_workers(
            options.experiment, data, options.out, num_workers=options.workers, **choices
        )
    elif hosts.has_chief():
        from poster_cnn.tuning import search_workers, workers

        workers.end_with_parent()
        failed = search_workers.sweep_on_hosts(experiment, data, options.out)
        if workers.is_worker():
            return 0  # the chief writes the results, and reports what failed
    else:
        failed = search.sweep(experiment, data, options.out)
    _write_results(options.out)
    return _summarize(failed, f"{len(experiment.cells()) - len(failed)} cells", options.out)


def _search(options):
    from poster_cnn.tuning import random_search, search_workers, workers

    data = options.data or poster_cnn.embedded_dataset()
    choices = {"preset": options.preset, "precision": options.precision}
    if options.workers is not None:
        failed = search_workers.search_with_workers(
            options.experiment, data, options.out, num_workers=options.workers, **choices
        )
    else:
        workers.end_with_parent()
        failed = random_search.random_search(random_search.load_plan(options.experiment, **choices), data, options.out)
        if workers.is_worker():
            return 0  # the chief writes the results, and reports what failed
    ranked = random_search.rank_draws(_write_results(options.out))
    for name, accuracy in ranked.head(1).items():
        print(f"best: {name}: {100 * accuracy:.1f}%, mean of the held-out folds")
    return _summarize(failed, f"{len(ranked)} draws", options.out)


def _write_results(out):
    from poster_cnn.results import collect as results

    out = pathlib.Path(out)
    frame = results.collect_results(out)
    results.write_results(frame, out / "results.csv")
    results.write_results(results.collect_history(out), out / "history.csv")
    return frame


def _summarize(failed, finished, out):
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    print(f"{finished} finished, {len(failed)} failed; results: {pathlib.Path(out) / 'results.csv'}")
    return 1 if failed else 0
