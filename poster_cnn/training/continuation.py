"""Going on with a finished run for more epochs, in a copy."""

import pathlib

import pandas as pd

from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.movies.data_folder import data_path
from poster_cnn.training.data import load_training_data
from poster_cnn.training.run_folder import is_finished, recorded_config
from poster_cnn.training.train import check_run, train


@arguments.checked(
    run_dir=arguments.path, data=data_path, epochs=arguments.count, out=arguments.optional(arguments.path)
)
def continue_run(run_dir, data, *, epochs, out=None, training_data=None, **options):
    """Go on with a finished run until it has more epochs, in a copy; the run itself is not changed.

    The copy has the weights, the history and the numbers of the epochs of the run, so shuffling and dropout go on as in
    one run of all epochs. The state of the optimizer is not stored with a finished run, so the optimizer and its
    schedule start anew, and the weights are not those of one run of all epochs.

    Args:
        run_dir: Finished run folder.
        data: Data of the run.
        epochs: Total number of epochs, more than the run has.
        out: Run folder of the copy, which continues if it was interrupted. Defaults to `None`:
            `<run_dir>_<epochs>_epochs`.
        training_data, options: Further arguments of `train`.

    Returns:
        Dict: the content of `metrics.json` in the copy.

    Raises:
        ValueError: If the run is not finished, has not fewer epochs or other data, stopped early, or has unfrozen its
            backbone, after which the first phase cannot go on.

    Example:

    >>> continue_run("runs/mine", "data", epochs=40)["test"]["hit_at_1"]
    """
    config = recorded_config(run_dir)
    if not is_finished(run_dir):
        arguments.refuse("run_dir", "a finished run; `train` continues others", str(run_dir))
    if epochs <= config.epochs:
        arguments.refuse("epochs", f"more than the {config.epochs} of {run_dir}", epochs)
    stopped = len(pd.read_csv(run_dir / "history.csv")) < config.epochs  # by a callback
    if config.fine_tune_epochs or config.early_stopping or stopped:
        expected = (
            f"{config.epochs}, as runs that stopped, or have `fine_tune_epochs` or `early_stopping`, cannot go on"
        )
        arguments.refuse("epochs", f"{expected}; `start_from` takes their weights", epochs)
    out = out_of(run_dir, epochs) if out is None else out
    training_data = training_data or load_training_data(config.data, data)
    check_run(run_dir, config, training_data)
    if not (out / "config.json").is_file():
        with write_atomically(out / "history.csv") as temporary:
            pathlib.Path(temporary).write_bytes((run_dir / "history.csv").read_bytes())
    warmup = config.warmup_epochs if config.warmup_epochs < epochs - config.epochs else 0.0
    longer = config.replace(epochs=epochs, start_from=str(run_dir), first_epoch=config.epochs, warmup_epochs=warmup)
    return train(longer, data, out, training_data=training_data, **options)


def out_of(run_dir, epochs):
    """Return the default folder of the copy of a run with more epochs."""
    run_dir = pathlib.Path(run_dir)
    return run_dir.with_name(f"{run_dir.name}_{epochs}_epochs")
