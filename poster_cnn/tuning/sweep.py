"""Many runs of one experiment: any number of processes take its cells one by one, each guarded by a lock."""

import dataclasses
import pathlib
import tempfile
import traceback

import pandas as pd

from poster_cnn.files import explained_errors, locked, progress_bar, read_json, write_json, write_text
from poster_cnn.metrics import arguments
from poster_cnn.movies.data_folder import data_path, find_data_folder
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.multimodal.train import check_run as check_ensemble
from poster_cnn.multimodal.train import is_finished as is_finished_ensemble
from poster_cnn.multimodal.train import train_ensemble
from poster_cnn.training import distribution
from poster_cnn.training.build import check_config
from poster_cnn.training.data import load_training_data
from poster_cnn.training.fit import remove_checkpoints
from poster_cnn.training.process_state import unchanged_process
from poster_cnn.training.run_folder import is_finished
from poster_cnn.training.train import check_run, train
from poster_cnn.tuning.experiment import Experiment

MAX_KILLS = 3  # of one cell, without a finished epoch in between


@dataclasses.dataclass
class Shared:
    """Data that runs share; give the same object to several sweeps of one data folder.

    Attributes:
        finished: Run folders of finished cells, from which ensembles copy branches.
    """

    finished: list = dataclasses.field(default_factory=list)
    _key: object = None
    _folds: dict = dataclasses.field(default_factory=dict)
    _ensembles: dict = dataclasses.field(default_factory=dict)

    def load(self, config, data, *, check=False, progress=True):
        """Load the data of a run, or reuse those of earlier runs where the configs agree.

        Args:
            config: `TrainingConfig` or `EnsembleConfig`.
            data: Data folder, movie table or DataFrame; see `find_data_folder`.
            check: Whether `check_config` checks the config before anything is loaded. Defaults to `False`.
            progress: Whether ensembles show progress bars. Defaults to `True`.

        Returns:
            `TrainingData` or `EnsembleData`.
        """
        if isinstance(config, EnsembleConfig):
            key = repr((config.data, config.inputs))  # which have dicts and are not hashable
            if key not in self._ensembles:
                self._ensembles[key] = load_ensemble_data(config, data, progress=progress)
            return self._ensembles[key]
        wanted = config.data
        # The same movies can be resized, and split into other folds, without reading the table again.
        movies = dataclasses.replace(wanted, ratio=None, image_size=(1, 1), interpolation="bilinear", fold=None)
        if self._key != movies:
            folder = find_data_folder(data)
            if check:
                check_config(config, folder.weights)
            self._folds = {wanted.fold: load_training_data(wanted, folder)}
            self._key = movies
        if wanted.fold not in self._folds:
            self._folds[wanted.fold] = next(iter(self._folds.values())).with_fold(wanted.fold)
        loaded = self._folds[wanted.fold]
        if (loaded.image_size, loaded.interpolation) != (wanted.image_size, wanted.interpolation):
            loaded = loaded.resized(wanted.image_size, wanted.interpolation)
            self._folds = {wanted.fold: loaded}
        return loaded


@arguments.checked(
    experiment=arguments.instance(Experiment),
    data=data_path,
    out_dir=arguments.path,
    shared=arguments.optional(arguments.instance(Shared)),
)
@unchanged_process()
def sweep(experiment, data, out_dir, *, shared=None, progress=True):
    """Train every cell of an experiment in a run folder of its own.

    Several processes may call this with the same arguments, on one machine or on hosts that share `out_dir`: each takes
    the next cell that is neither finished nor locked by another process, and waits at the end for cells that others
    still train. A killed process loses at most the running epoch; the next process goes on with its cell. Finished
    cells are skipped. A cell that raises an error, or that kills its process three times without finishing an epoch in
    between, counts as failed, and the other cells go on.

    Args:
        experiment: `Experiment`; see `load_experiment`.
        data: Data folder, movie table or DataFrame; see `find_data_folder`.
        out_dir: Folder of the run folders.
        shared: `Shared`, to share data with other sweeps of the same data folder. Defaults to `None`: the cells share
            data among themselves.
        progress: Whether to show a progress bar with the time left. Defaults to `True`.

    Returns:
        Dict of failed cell -> reason, empty if every cell is finished. `error.txt` in the run folder of a failed cell
        has the traceback.

    Raises:
        FileNotFoundError, ValueError: If the data folder, its table or its posters are missing.
        OSError: If `out_dir` cannot be written.

    Example:

    >>> experiment = Experiment(config, {"learning_rate": (1e-3, 1e-4)})
    >>> failed = sweep(experiment, "data", "runs/rates")
    """
    distribution.require_one_host("Start the same sweep on each host instead; the processes share its cells.")
    data = find_data_folder(data)  # a wrong folder is one error, not one for each cell
    out_dir, shared = pathlib.Path(out_dir), shared or Shared()
    started, cells, failed = _clock(out_dir), experiment.cells(), {}
    with cost_bar(cells, out_dir, progress) as bar:
        waiting = list(cells)
        for timeout in (0, -1):  # first the cells that are free, then those that other processes train
            waiting, names = [], waiting
            for name in names:
                bar.set_postfix_str(name)
                cost = 0 if is_finished_cell(cells[name], out_dir / name) else _cost(cells[name])
                try:
                    with locked(out_dir / name, timeout=timeout):
                        failed[name] = _train_locked(cells[name], data, out_dir / name, shared, started, progress)
                    bar.update(cost)
                except BlockingIOError:
                    waiting.append(name)
    return {name: failed[name] for name in cells if failed[name]}


def _clock(folder):
    """Return the time of the disk that holds a folder, which can differ from that of this host."""
    with explained_errors(folder / ".clock"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock") as file:
            return pathlib.Path(file.name).stat().st_mtime


def _train_locked(config, data, run_dir, shared, started, progress):
    """Train one cell, or check the finished one; return the reason if it failed, else `None`."""
    error_file = run_dir / "error.txt"
    if error_file.is_file() and error_file.stat().st_mtime >= started:  # another process of this sweep tried it
        return error_file.read_text(encoding="utf-8").partition("\n")[0]
    error_file.unlink(missing_ok=True)
    try:
        is_done = is_finished_cell(config, run_dir)
        loaded = shared.load(config, data, check=not is_done, progress=progress)
        if is_done:
            _check_cell(config, loaded, run_dir)
        else:
            if (kills := _count_start(run_dir)) >= MAX_KILLS:
                path = run_dir / "attempts.json"
                reason = f"The cell's process was killed {kills} times, perhaps for lack of memory."
                return _write_failure(run_dir, RuntimeError(f"{reason} Remove {path} to try again."))
            _train_cell(config, data, run_dir, loaded, shared, progress)
        shared.finished.append(run_dir)
        (run_dir / "attempts.json").unlink(missing_ok=True)
        return None
    except BaseException as error:  # an error or an interrupt is not counted as a kill
        (run_dir / "attempts.json").unlink(missing_ok=True)
        if not isinstance(error, Exception):
            raise
        return _write_failure(run_dir, error)  # a cell that fails must not end the sweep


def _train_cell(config, data, run_dir, loaded, shared, progress):
    if isinstance(config, EnsembleConfig):
        options = {"ensemble_data": loaded, "finished": tuple(shared.finished), "progress": progress}
        train_ensemble(config, data, run_dir, **options)
    else:
        train(config, data, run_dir, training_data=loaded, progress=progress)


def _count_start(run_dir):
    """Record that a process starts on a cell; return the number of its earlier starts, all of which ended in a kill."""
    path, epochs = run_dir / "attempts.json", _num_epochs(run_dir)
    before = read_json(path) if path.is_file() else {"starts": 0, "epochs": epochs}
    starts = before["starts"] if before["epochs"] == epochs else 0  # there was progress
    if starts < MAX_KILLS:
        write_json(path, {"starts": starts + 1, "epochs": epochs})
    return starts


def _num_epochs(run_dir):
    """Number of finished epochs of a run, or of all networks of an ensemble."""
    return sum(len(pd.read_csv(path)) for path in run_dir.glob("**/history.csv"))


def _check_cell(config, loaded, run_dir):
    (check_ensemble if isinstance(config, EnsembleConfig) else check_run)(run_dir, config, loaded)
    remove_checkpoints(run_dir)  # a kill can come before they are removed


def _write_failure(run_dir, error):
    reason = f"{type(error).__name__}: {error}".replace("\n", " ")
    write_text(run_dir / "error.txt", f"{reason}\n\n{''.join(traceback.format_exception(error))}")
    return reason


def is_finished_cell(config, run_dir):
    """Return whether a run folder holds a finished run of this config."""
    try:
        return (is_finished_ensemble if isinstance(config, EnsembleConfig) else is_finished)(run_dir, config)
    except (OSError, ValueError):  # an unreadable record is reported when the cell's turn comes
        return False


def failures(cells, out_dir):
    """Return the failed and unfinished cells of a sweep whose processes have ended.

    Args:
        cells: Dict of run folder name -> config.
        out_dir: Folder of the run folders.

    Returns:
        Dict of cell -> reason, which is the first line of `error.txt` if there is one.
    """
    found = {}
    for name, config in cells.items():
        path = out_dir / name / "error.txt"
        if path.is_file():
            found[name] = path.read_text(encoding="utf-8").partition("\n")[0]
        elif not is_finished_cell(config, out_dir / name):
            found[name] = "Its process ended before the cell was finished."
    return found


def _cost(config):
    height, width = config.image_size
    return height * width * config.epochs


def cost_bar(cells, out_dir, progress):
    """Return a progress bar over cells, measured in pixels × epochs because larger posters take longer.

    Args:
        cells: Dict of run folder name -> config.
        out_dir: Folder of the run folders; the bar starts with the finished ones.
        progress: Whether to show the bar.

    Returns:
        `tqdm` bar.
    """
    return progress_bar(
        total=sum(map(_cost, cells.values())),
        initial=finished_cost(cells, out_dir),
        desc=f"{len(cells)} cells",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left{postfix}",
        disable=not progress,
    )


def finished_cost(cells, out_dir):
    """Return the pixels × epochs of the finished cells."""
    return sum(_cost(config) for name, config in cells.items() if is_finished_cell(config, out_dir / name))
