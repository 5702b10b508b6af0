"""Sweeps: one config, a grid of changes, one run folder for each cell."""

import dataclasses
import itertools
import pathlib
import runpy

import keras
from tqdm.auto import tqdm

from poster_cnn import datasets, training
from poster_cnn.config import TrainingConfig
from poster_cnn.files import write_atomically
from poster_cnn.training_data import load_training_data

# What decides which movies are read: cells that agree in these share them, and those of one ratio the decoded posters.
_MOVIE_FIELDS = "class_names min_year max_year min_genres split fractions split_seed allow_leak".split()


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config and the grid of its changes, as an experiment file gives them.

    Attributes:
        config: `TrainingConfig`.
        grid: dict of a config attribute -> the values to try; every combination is a cell.
    """

    config: TrainingConfig
    grid: dict

    def cells(self):
        """dict: name of the run folder -> `TrainingConfig`, in the order of training."""
        names = list(self.grid)
        combinations = itertools.product(*self.grid.values())
        changes = [dict(zip(names, values, strict=True)) for values in combinations]
        cells = {
            ",".join(f"{name}={_short(value)}" for name, value in change.items()): self.config.replace(**change)
            for change in changes
        }
        if len(cells) < len(changes):
            raise ValueError(f"Some values of the grid are the same, or differ beyond 6 digits. Received: {self.grid}")
        return cells


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def load_experiment(path, *, preset="paper", precision=None):
    """Reads an experiment file: a Python file of plain assignments, such as `experiments/dave/table_2.py`.

    Args:
        path: The file. It assigns `config` and `grid`, and for the quick preset `quick_config` (changes of the config)
            and `quick_grid`. It is run as Python, so use only files you trust.
        preset: `"paper"`, or `"quick"` for the laptop-sized variant. Defaults to `"paper"`.
        precision: Overrides the config's `precision`. Defaults to `None`: as the file says.

    Returns:
        `Experiment`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file lacks one of the names, or the preset is unknown.
    """
    path = pathlib.Path(path)
    if preset not in ("paper", "quick"):
        raise ValueError(f"`preset` must be 'paper' or 'quick'. Received: preset={preset!r}")
    if not path.is_file():
        raise FileNotFoundError(f"No experiment file found. Looked for {path}.")
    names = runpy.run_path(str(path))
    needed = ["config", "grid"] + (["quick_config", "quick_grid"] if preset == "quick" else [])
    missing = [name for name in needed if name not in names]
    if missing:
        raise ValueError(f"The experiment file {path} does not assign {', '.join(missing)}.")
    config, grid = names["config"], names["grid"]
    if preset == "quick":
        config, grid = config.replace(**names["quick_config"]), names["quick_grid"]
    return Experiment(config.replace(precision=precision) if precision else config, grid)


def sweep(experiment, data, out_dir, *, progress=True):
    """Trains every cell of a grid, one run folder each; finished cells are skipped, failed ones reported at the end.

    Killed and started again, it loses at most the running epoch. Cells that read the same posters share one decoded
    copy.

    Args:
        experiment: `Experiment`; see `load_experiment`.
        data: Path of a data folder.
        out_dir: Folder of the run folders.
        progress: Whether to show a progress bar with the time left. Defaults to `True`.

    Returns:
        dict: name of each failed cell -> the reason. Empty if all went well.

    Example:

    >>> experiment = Experiment(config, {"learning_rate": (1e-3, 1e-4)})
    >>> failed = sweep(experiment, "data", "runs/rates")
    """
    out_dir = pathlib.Path(out_dir)
    cells = experiment.cells()
    done = {name for name, config in cells.items() if training.is_finished(out_dir / name, config)}
    failed, elsewhere, shared = {}, [], (None, None)
    with _cost_bar(cells, done, progress) as bar:
        for name, config in cells.items():
            bar.set_postfix_str(name)
            try:
                shared = _share(shared, config, data)
                if name in done:  # with this config, but was it with these data?
                    training.check_run(out_dir / name, config, shared[1])
                else:
                    training.train(config, data, out_dir / name, training_data=shared[1], progress=progress)
                (out_dir / name / "error.txt").unlink(missing_ok=True)
            except BlockingIOError:
                elsewhere.append(name)
            except Exception as error:  # a cell that fails must not take the others with it
                failed[name] = f"{type(error).__name__}: {error}"
                with write_atomically(out_dir / name / "error.txt") as temporary:
                    temporary.write_text(failed[name] + "\n", encoding="utf-8")
            bar.update(0 if name in done else _cost(config))
            keras.backend.clear_session()
    for name in elsewhere:
        _wait_for(out_dir / name, failed, name)
    return failed


def _wait_for(run_dir, failed, name):
    """Waits until another process has ended its work in a run folder."""
    with training.locked(run_dir, timeout=-1):
        if not training.is_finished(run_dir):
            failed[name] = "another process was training it and did not finish; start the sweep again"


def _share(shared, config, data):
    """The posters for a cell, from those of the cell before where they agree."""
    key = [getattr(config, name) for name in _MOVIE_FIELDS]
    image_size = datasets.shrunk_size(config.ratio)
    if shared[0] != key:
        return key, load_training_data(config, data)
    if (shared[1].image_size, shared[1].interpolation) != (image_size, config.interpolation):
        return key, shared[1].resized(image_size, config.interpolation)
    return shared


def _cost(config):
    height, width = datasets.shrunk_size(config.ratio)
    return height * width * config.epochs


def _cost_bar(cells, done, progress):
    # Counted in pixels x epochs, so that the time left is right although larger posters take longer.
    total = sum(map(_cost, cells.values()))
    return tqdm(
        total=total,
        initial=sum(_cost(cells[name]) for name in done),
        desc=f"{len(cells)} cells",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left, {postfix}",
        disable=not progress,
    )
