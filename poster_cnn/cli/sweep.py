"""`poster-cnn sweep` and `poster-cnn search`: train the runs of an experiment."""

import argparse
import logging
import pathlib
import signal

import poster_cnn
from poster_cnn.evaluation.terminal import print_failures, print_reports
from poster_cnn.movies.data_folder import LAYOUTS
from poster_cnn.training.config import PRECISIONS

_CONTINUING = """
Started again after an interrupt or a kill, the command continues. Any number of processes may work on one experiment
with the same command and --out, each taking the next run that no other process has locked. --workers 2 starts two of
them on this machine, with a GPU each where there are GPUs. On a cluster whose hosts share the disks, the scheduler
starts them, for example as a Slurm job array:

  sbatch --array=1-8 --gpus=1 --wrap "poster-cnn {command} EXPERIMENT --data DATA --out OUT"

A run whose process was killed three times without finishing an epoch in between counts as failed.
"""


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    name = command.prog.split()[-1]
    command.epilog = _CONTINUING.format(command=name)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.set_defaults(command=name)
    example = {"sweep": "dave/table_2.py", "search": "zavala/random_search.py"}[name]
    command.add_argument("experiment", help=f"experiment file, such as experiments/{example}")
    command.add_argument("--data", help=f"{LAYOUTS} (default: the embedded dataset)")
    command.add_argument("--out", required=True, help="folder of the run folders")
    command.add_argument("--preset", choices=("quick", "paper"), default="paper", help="default: paper")
    command.add_argument("--precision", choices=PRECISIONS, help="default: as the experiment says")
    command.add_argument("--workers", type=int, help="number of processes on this machine (default: 1, this process)")


def run(options):
    """Train the runs of the experiment, and return the exit status."""
    from poster_cnn import results
    from poster_cnn.tuning import load_experiment, rank_draws
    from poster_cnn.tuning.sweep import sweep
    from poster_cnn.tuning.workers import end_with_parent, is_worker, sweep_with_workers

    end_with_parent()
    if is_worker():
        logging.getLogger("poster_cnn").setLevel(logging.WARNING)  # the process that started it prints the report
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's or parent's request is an interrupt
    experiment = load_experiment(options.experiment, preset=options.preset, precision=options.precision)
    needs_trailers = "trailer" in getattr(experiment.config, "modalities", ())
    data, out = options.data or poster_cnn.embedded_dataset(trailers=needs_trailers), pathlib.Path(options.out)
    if options.workers is None:
        failed = sweep(experiment, data, out, progress=not is_worker())
    else:
        own = [options.command, options.experiment, "--data", data, "--out", out, "--preset", options.preset]
        own += ["--precision", options.precision] if options.precision else []
        own += ["--debug"] if options.debug else []
        failed = sweep_with_workers(experiment, own, data, out, num_workers=options.workers)
        print_reports(out)
    if is_worker():  # the process that started it reports
        return 0
    frame = results.collect_results(out)
    results.write_results(frame, out / "results.csv")
    results.write_results(results.collect_history(out), out / "history.csv")
    if experiment.space:
        for name, accuracy in rank_draws(frame).head(1).items():
            print(f"best: {name}: {100 * accuracy:.1f}%, mean of the held-out folds")
    finished = len(experiment.cells()) - len(failed)
    print(f"{finished} cells finished, {len(failed)} failed; results: {out / 'results.csv'}")
    return print_failures(failed, out if options.debug else None)
