"""Experiment files: one config, and the changes of it that are trained."""

import collections.abc
import dataclasses
import itertools
import pathlib
import re
import runpy
import warnings
from collections.abc import Callable

from poster_cnn.metrics import arguments
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.training.config import PRECISIONS, TrainingConfig
from poster_cnn.tuning.random_search import RANKED_BY, draw_changes

_KINDS, _EXPECTED = (TrainingConfig, EnsembleConfig), "a TrainingConfig or an EnsembleConfig"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config with a grid of changes (a sweep), or with a space to draw changes from (a random search).

    Attributes:
        config: `TrainingConfig` or `EnsembleConfig`. A random search needs a `TrainingConfig` with `num_folds`.
        grid: Dict of config attribute -> values to try. Every combination is a cell. Defaults to `{}`.
        sets: Dict of name -> dict of changes that belong together. Each set is combined with the whole grid. Defaults
            to `{}`.
        space: Dict of parameter -> SciPy distribution or list of values to draw from. Defaults to `None`: a sweep.
        num_draws: Number of draws of a random search, each trained on every fold. Defaults to 0.
        changes: Function from a draw (dict of parameter -> value) to changes of the config. Defaults to `None`: the
            parameters are config attributes.
    """

    config: TrainingConfig
    grid: dict = dataclasses.field(default_factory=dict)
    sets: dict = dataclasses.field(default_factory=dict)
    space: dict | None = None
    num_draws: int = 0
    changes: Callable | None = None

    def __post_init__(self):
        object.__setattr__(self, "grid", _lists("grid", self.grid))
        for name, together in arguments.dicts("sets", self.sets).items():
            if both := [attribute for attribute in together if attribute in self.grid]:
                expected = f"without {', '.join(both)}, which the grid would change again"
                arguments.refuse(f"sets[{name!r}]", expected, together)
        arguments.natural("num_draws", self.num_draws)
        arguments.optional(arguments.function)("changes", self.changes)
        if self.space is None:
            return
        if not isinstance(self.space, collections.abc.Mapping) or not self.space:
            arguments.refuse("space", "a dict of parameter -> distribution or list of values", self.space)
        is_drawn = {name: hasattr(values, "rvs") for name, values in self.space.items()}
        _lists("space", {name: values for name, values in self.space.items() if not is_drawn[name]})
        if not getattr(self.config, "num_folds", None):
            raise ValueError("A random search needs a config with `num_folds`. Received: num_folds=None")
        if RANKED_BY not in self.config.metrics:
            raise ValueError(f"A random search needs the metric {RANKED_BY!r}. Received: metrics={self.config.metrics}")
        if self.grid or self.sets:
            raise ValueError("A random search has no `grid` and no `sets`. Use either them or `space`.")
        if self.num_draws < 1:
            raise ValueError(f"`num_draws` must be 1 or more. Received: num_draws={self.num_draws}")

    def cells(self):
        """Return the runs of the experiment.

        Returns:
            Dict of run folder name -> config, in the order of training. The folder of a random search is
            `<draw>/fold=<number>`, and the config's `set_name` is the draw.
        """
        arguments.instance(_KINDS, _EXPECTED)("config", self.config)
        cells = self._cells_of_grid() if self.space is None else self._cells_of_draws()
        named_by = "grid" if self.space is None else "space"
        folders = [folder for name in cells for folder in name.split("/")]
        longest = max(folders, key=lambda folder: len(folder.encode()), default="")
        if len(longest.encode()) > 255:  # more than a file system allows
            expected = "of values with shorter names, as run folders are named after them; `sets` name them as you like"
            arguments.refuse(named_by, expected, longest)
        # Outside of the folder of the runs, or hidden in it, a run would not be among the results.
        lost = [name for name in cells if re.search(r"^/|(^|/)\.|\0", name)]
        if lost:
            expected = "of names that run folders can have: relative, and without a dot at the start of a folder"
            arguments.refuse("sets" if self.sets else named_by, expected, lost[0])
        return cells

    def _cells_of_grid(self):
        names, cells = list(self.grid), {}
        # The sets change fastest, because runs of one fold or ratio share their decoded posters.
        combinations = list(itertools.product(*self.grid.values(), (self.sets or {"": {}}).items()))
        for *values, (set_name, together) in combinations:
            change = dict(zip(names, values, strict=True))
            parts = [set_name] * bool(set_name) + [f"{name}={_short(value)}" for name, value in change.items()]
            cells[",".join(parts)] = self._changed("`grid` and `sets`", {"set_name": set_name} | together | change)
        if len(cells) < len(combinations):
            raise ValueError(f"The values of a grid must differ within 6 digits. Received: grid={self.grid}")
        return cells

    def _cells_of_draws(self):
        cells = {}
        for draw in draw_changes(self.space, self.num_draws, self.config.seed):
            name = ",".join(f"{parameter}={_short(value)}" for parameter, value in draw.items())
            config = self._changed("A draw", self.changes(draw) if self.changes else draw, set_name=name)
            cells |= {f"{name}/fold={fold}": config.replace(fold=fold) for fold in range(config.num_folds)}
        return cells

    def _changed(self, what, changes, **others):
        try:
            return self.config.replace(**changes, **others)
        except TypeError as error:
            raise ValueError(f"{what} must give changes of the config ({error}). Received: {changes}") from None


def _lists(name, value):
    """Return a dict whose values must be lists of at least one value."""
    if not isinstance(value, collections.abc.Mapping):
        arguments.refuse(name, "a dict of an attribute -> list of values", value)
    found = {arguments.text(name, key): values for key, values in value.items()}
    for key, values in found.items():
        values = values.tolist() if hasattr(values, "tolist") else values
        found[key] = values if isinstance(values, tuple) else arguments.sequence(f"{name}[{key!r}]", values)
        if not len(found[key]):
            arguments.refuse(f"{name}[{key!r}]", "a list of at least one value", values)
    return found


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


@arguments.checked(
    path=arguments.path,
    precision=arguments.optional(arguments.choice(*PRECISIONS)),
)
def load_experiment(path, *, preset="paper", precision=None):
    """Read an experiment file, which is a Python file of plain assignments such as `experiments/dave/table_2.py`.

    A sweep assigns `config` and `grid`, and may assign `sets`. A random search assigns `config`, `space` and
    `num_draws`, and may assign `changes`; see `Experiment`. For the quick preset, `quick_<name>` replaces `<name>`,
    and the changes in `quick_config` are made to `config`.

    Args:
        path: Path of the file. The file is executed, so use only files that you trust.
        preset: `"paper"`, `"quick"` for the laptop-sized variant, or `"smoke"` for tests: the quick variant cut to
            one epoch, two sets and one value of each attribute of the grid, or one draw and two folds, and few crops.
            Defaults to `"paper"`.
        precision: Override of the config's `precision`. Ensembles ignore it with a warning. Defaults to `None`.

    Returns:
        `Experiment`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file lacks a name, or the preset is unknown.
    """
    path = pathlib.Path(path)
    if preset not in ("paper", "quick", "smoke"):
        raise ValueError(f"`preset` must be 'paper', 'quick' or 'smoke'. Received: preset={preset!r}")
    if not path.is_file():
        raise FileNotFoundError(f"No experiment file found. Looked for {str(path)!r}.")
    names = runpy.run_path(str(path))
    needed = ("config", "space", "num_draws") if "space" in names else ("config", "grid")
    twins = [f"quick_{name}" for name in needed if name != "space"] if preset != "paper" else []
    missing = [name for name in (*needed, *twins) if name not in names]
    if missing:
        raise ValueError(
            f"An experiment file must assign `config` and `grid`, or `config`, `space` and `num_draws`. {path} does "
            f"not assign {', '.join(missing)}."
        )
    config = names["config"]
    if preset != "paper":
        arguments.instance(_KINDS, _EXPECTED)("config", config)
        is_dict = arguments.instance(collections.abc.Mapping, "a dict of changes of `config`")
        config = config.replace(**is_dict("quick_config", names["quick_config"]))
        names |= {name.removeprefix("quick_"): value for name, value in names.items() if name.startswith("quick_")}
    if precision and isinstance(config, TrainingConfig):
        config = config.replace(precision=precision)
    elif precision:
        warnings.warn(f"Ensembles are trained in float32. Not used: precision={precision!r}", stacklevel=2)
    fields = [field.name for field in dataclasses.fields(Experiment) if field.name in names]
    experiment = Experiment(**{name: names[name] for name in fields} | {"config": config})
    return _first_runs(experiment) if preset == "smoke" else experiment


def _first_runs(experiment):
    shorter = {} if "epochs" in experiment.grid else {"epochs": 1}
    sets = {name: {**change, **shorter} for name, change in list(experiment.sets.items())[:2]}
    smallest = {"num_folds": 2, "crops_per_genre": 40}
    fewer = {name: value for name, value in smallest.items() if getattr(experiment.config, name, None)}
    return dataclasses.replace(
        experiment,
        config=experiment.config.replace(epochs=1, batch_size=64, **fewer),
        grid={name: values[:1] for name, values in experiment.grid.items()},
        sets=sets,
        num_draws=min(experiment.num_draws, 1),
    )
