"""Experiment files: a config and the grid of its changes."""

import dataclasses
import itertools
import pathlib
import runpy
import warnings

from poster_cnn.training.config import TrainingConfig

SWEEP_NAMES = ("config", "grid")  # what an experiment file assigns at least
SEARCH_NAMES = ("config", "space", "max_trials")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config and the grid of its changes, as an experiment file gives them.

    Attributes:
        config: `TrainingConfig`, or `EnsembleConfig`.
        grid: dict of a config attribute -> the values to try; every combination is a cell.
        sets: dict of a name -> changes of the config that belong together, for what is no grid. Each is tried with
            every combination of the grid. Defaults to none.
    """

    config: TrainingConfig
    grid: dict
    sets: dict = dataclasses.field(default_factory=dict)

    def cells(self):
        """dict: name of the run folder -> config, in the order of training."""
        names, cells = list(self.grid), {}
        # Sets change fastest: those of one fold or ratio share their decoded posters.
        combinations = list(itertools.product(*self.grid.values(), (self.sets or {"": {}}).items()))
        for *values, (set_name, together) in combinations:
            change = dict(zip(names, values, strict=True))
            parts = [set_name] * bool(set_name) + [f"{name}={_short(value)}" for name, value in change.items()]
            cells[",".join(parts)] = self.config.replace(**{"set_name": set_name} | together | change)
        if len(cells) < len(combinations):
            raise ValueError(f"Some values of the grid are the same, or differ beyond 6 digits. Received: {self.grid}")
        return cells


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def load_experiment(path, *, preset="paper", precision=None):
    """Reads an experiment file: a Python file of plain assignments, such as `experiments/dave/table_2.py`.

    Args:
        path: The file. It assigns `config` and `grid`, and for the quick preset `quick_config` (changes of the config)
            and `quick_grid`; where there are some, `sets` and `quick_sets`. It is run as Python, so use only files you
            trust.
        preset: `"paper"`, or `"quick"` for the laptop-sized variant. Defaults to `"paper"`.
        precision: Overrides the config's `precision`; of an ensemble, only says that it does not. Defaults to `None`:
            as the file says.

    Returns:
        `Experiment`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file lacks one of the names, or the preset is unknown.
    """
    names = read_experiment_file(path, SWEEP_NAMES, preset=preset, precision=precision)
    return Experiment(names["config"], names["grid"], names.get("sets", {}))


def read_experiment_file(path, needed=None, *, preset="paper", precision=None):
    """Runs an experiment file and gives what it assigns, as the preset has it.

    Args:
        path: The file.
        needed: Names that it must assign; for the quick preset their `quick_` twins, too, but for `space`. Defaults to
            `SEARCH_NAMES` if the file assigns `space`, else `SWEEP_NAMES`.
        preset: `"paper"`, or `"quick"`: each `quick_<name>` takes the place of `<name>`, and the changes in
            `quick_config` are made to `config`. Defaults to `"paper"`.
        precision: As in `load_experiment`.

    Returns:
        dict: name -> value.

    Raises:
        FileNotFoundError, ValueError: As `load_experiment`.
    """
    path = pathlib.Path(path)
    if preset not in ("paper", "quick"):
        raise ValueError(f"`preset` must be 'paper' or 'quick'. Received: preset={preset!r}")
    if not path.is_file():
        raise FileNotFoundError(f"No experiment file found. Looked for {path}.")
    names = runpy.run_path(str(path))
    needed = needed or (SEARCH_NAMES if "space" in names else SWEEP_NAMES)
    twins = [f"quick_{name}" for name in needed if name != "space"] if preset == "quick" else []
    missing = [name for name in (*needed, *twins) if name not in names]
    if missing:
        raise ValueError(
            f"The experiment file {path} does not assign {', '.join(missing)}. `poster-cnn sweep` needs a grid, "
            "`poster-cnn search` a space."
        )
    config = names["config"]
    if preset == "quick":
        config = config.replace(**names["quick_config"])
        names |= {name.removeprefix("quick_"): value for name, value in names.items() if name.startswith("quick_")}
    if precision and isinstance(config, TrainingConfig):
        config = config.replace(precision=precision)
    elif precision:
        warnings.warn(f"Ensembles are trained in float32. Not used: precision={precision!r}", stacklevel=2)
    return names | {"config": config}
