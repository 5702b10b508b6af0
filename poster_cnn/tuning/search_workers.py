"""Sweeps and random searches by several processes or hosts: a cell or a draw each."""

import pathlib

from poster_cnn.files import locked
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.training import distribution
from poster_cnn.training.fit import remove_checkpoints
from poster_cnn.tuning import experiment as search
from poster_cnn.tuning import hosts, sweep, workers
from poster_cnn.tuning.hosts import is_worker
from poster_cnn.tuning.random_search import Tuner, failed_draws, load_plan
from poster_cnn.tuning.workers import keras_tuner


def search_with_workers(path, data, out_dir, *, num_workers, preset="paper", precision=None, max_restarts=3):
    """Runs the search of an experiment file with several workers; the same draws and run folders as with one process.

    See `workers.train_with_workers` for what happens to a worker that dies. Started again after a crash, the search
    goes on.

    Args:
        path: Experiment file; see `random_search.load_plan`.
        data: Path of a data folder.
        out_dir: Folder of the run folders; see `random_search.random_search`.
        num_workers: Number of workers, each a process that trains.
        preset: `"paper"` or `"quick"`. Defaults to `"paper"`.
        precision: Overrides the config's `precision`. Defaults to `None`: as the file says.
        max_restarts: How often each worker is started again. Defaults to 3.

    Returns:
        dict: name of each failed draw -> the reason. Empty if all went well.

    Raises:
        BlockingIOError: If another process is searching in `out_dir`.
        RuntimeError: If all workers died too often.
    """
    _check_num_workers(num_workers)
    plan, out_dir = load_plan(path, preset=preset, precision=precision), pathlib.Path(out_dir)
    find_data_folder(data)
    with locked(out_dir):
        tuner = Tuner(plan, data, out_dir)
        arguments = _arguments("search", path, data, out_dir, preset, precision)
        workers.train_with_workers(tuner, arguments, num_workers, max_restarts)
    return failed_draws(tuner.oracle, out_dir)


def sweep_with_workers(path, data, out_dir, *, num_workers, preset="paper", precision=None, max_restarts=3):
    """Runs the sweep of an experiment file with several workers; the same run folders as with one process.

    Finished cells are not handed out. See `workers.train_with_workers` for what happens to a worker that dies.

    Args:
        path: Experiment file; see `search.load_experiment`.
        data, out_dir, num_workers, preset, precision, max_restarts: As in `search_with_workers`.

    Returns:
        dict: name of each failed cell -> the reason. Empty if all went well.

    Raises:
        BlockingIOError: If another chief hands out cells of `out_dir`.
        RuntimeError: If all workers died too often.

    Example:

    >>> failed = sweep_with_workers("experiments/dave/table_2.py", "data", "runs/table_2", num_workers=2)
    """
    _check_num_workers(num_workers)
    experiment = search.load_experiment(path, preset=preset, precision=precision)
    arguments = _arguments("sweep", path, data, out_dir, preset, precision)
    return _hand_out(
        experiment, data, out_dir, lambda tuner: workers.train_with_workers(tuner, arguments, num_workers, max_restarts)
    )


def sweep_on_hosts(experiment, data, out_dir):
    """Takes part in a sweep by several hosts that share a disk, as KerasTuner's three environment variables say.

    `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` are the chief's. With a `KERASTUNER_TUNER_ID` of `"chief"` this
    process hands out the cells, with any other it trains them; each worker needs one of its own.

    Args:
        experiment: `search.Experiment`.
        data: Path of a data folder.
        out_dir: Folder of the run folders.

    Returns:
        dict: name of each failed cell -> the reason; always empty in a worker.

    Raises:
        BlockingIOError: If another chief hands out cells of `out_dir`, or another worker has this one's name.
        OSError: If the chief cannot listen at its address.
        RuntimeError: If the chief does not answer a worker for ten minutes.
        ValueError: If one of the variables is missing, the port is no number, or `TF_CONFIG` names several hosts.
    """
    distribution.require_one_host("Each worker of a sweep trains whole cells, on one host.")
    if not is_worker():
        hosts.check_port()
        return _hand_out(experiment, data, out_dir, CellTuner.search)
    _check_data(experiment.cells(), data)
    if _unfinished(experiment.cells(), pathlib.Path(out_dir)):  # else the chief may have gone home
        CellTuner(experiment.cells(), data, out_dir).search()
    return {}


def _check_num_workers(num_workers):
    """Raises a `ValueError` if there cannot be so many workers on this machine, or any."""
    distribution.require_one_host("Several workers (--workers) are processes of one host, each of which trains alone.")
    if num_workers < 1:
        raise ValueError(f"`num_workers` (--workers) must be 1 or more. Received: num_workers={num_workers}")
    if hosts.variables():
        raise ValueError(
            f"Several workers on one machine need no {' or '.join(hosts.variables())}; unset it, or leave out "
            f"`num_workers` (--workers). Received: num_workers={num_workers}"
        )


def _hand_out(experiment, data, out_dir, train):
    """Checks the finished cells, has the others trained by `train(tuner)`, and says which of them failed."""
    cells, out_dir, shared, failed = experiment.cells(), pathlib.Path(out_dir), (None, None), {}
    _check_data(cells, data)
    with locked(out_dir):
        left = _unfinished(cells, out_dir)
        for name in [name for name in cells if name not in left]:
            shared, reason = sweep.train_cell(cells[name], data, out_dir / name, shared, progress=False)
            failed |= {name: reason} if reason else {}
        if left:
            train(CellTuner(cells, data, out_dir))
        still_left = _unfinished(left, out_dir)
        for name in left.keys() - still_left.keys():
            remove_checkpoints(out_dir / name)  # a worker may have died before they were gone
    return failed | {name: workers.reason_for(out_dir / name) for name in still_left}


def _check_data(cells, data):
    """Makes sure that there is a data folder before anything starts; MovieScope's, with its own split, is none."""
    if any(config.split != "given" for config in cells.values()):
        find_data_folder(data)


def _unfinished(cells, out_dir):
    return {name: config for name, config in cells.items() if not sweep.is_finished_cell(config, out_dir / name)}


def _arguments(command, path, data, out_dir, preset, precision):
    options = ["--data", data, "--out", out_dir, "--preset", preset]
    return [command, path, *options, *(["--precision", precision] if precision else [])]


class _CellOracle(workers.HandsOutAgain, keras_tuner.Oracle):
    """Hands out the cells in their order."""

    # KerasTuner's `GridSearch` makes all workers but two wait: it looks for the next cell when one has ended.

    def __init__(self, out_dir, names):
        super().__init__(out_dir, max_trials=len(names), objective=keras_tuner.Objective("finished", "max"))
        self.names = names

    def populate_space(self, trial_id):
        return {"status": "RUNNING", "values": {"cell": self.names[int(trial_id)]}}


class CellTuner(workers.Tuner):
    """KerasTuner's loop over those cells of a sweep that are not finished.

    Args:
        cells: dict: name -> config of each cell.
        data: Path of a data folder.
        out_dir: Folder of the run folders.
    """

    def __init__(self, cells, data, out_dir):
        left = list(_unfinished(cells, pathlib.Path(out_dir)))
        super().__init__(_CellOracle(out_dir, left), None, out_dir, what="cells")
        self.cells, self.data, self._shared = cells, data, (None, None)

    def is_finished(self):
        """Whether nothing is left to train, as the run folders have it."""
        return not _unfinished(self.cells, self.out_dir)

    def run_trial(self, trial):
        """Trains one cell."""
        name = trial.hyperparameters.values["cell"]
        number = list(self.cells).index(name) + 1
        self._shared, trial.message = sweep.train_cell_when_free(
            self.cells[name], self.data, self.out_dir / name, self._shared, progress=False
        )
        how = f"failed: {trial.message}" if trial.message else "finished"
        self.say(f"cell {number} of {len(self.cells)}: {name} {how}")
        return {"finished": 0.0 if trial.message else 1.0}
