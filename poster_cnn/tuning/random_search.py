"""Random search (KerasTuner): configs drawn at random, each cross-validated, one run folder a fold."""

import dataclasses
import pathlib
import warnings
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from poster_cnn.files import locked
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.training import distribution
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.run_folder import is_finished
from poster_cnn.training.train import train
from poster_cnn.tuning import experiment, sweep, workers
from poster_cnn.tuning.hosts import has_chief, is_worker
from poster_cnn.tuning.workers import keras_tuner

# What NumPy says when KerasTuner looks at a failed trial's score, which is NaN.
warnings.filterwarnings("ignore", "All-NaN axis encountered", RuntimeWarning, "keras_tuner")

_METRIC = "first_label_accuracy"
_OBJECTIVE = "validation_accuracy"


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """What is drawn, how often, and how each draw is trained, as an experiment file gives it.

    Attributes:
        config: `TrainingConfig` with `num_folds`. Its `seed` decides the draws, too.
        space: Function of KerasTuner's `hp` that returns a draw: dict of config attribute -> value.
        max_trials: Number of draws.
    """

    config: TrainingConfig
    space: Callable
    max_trials: int

    def __post_init__(self):
        if not self.config.num_folds:
            raise ValueError("A search needs a config with `num_folds`. Received: num_folds=None")
        if _METRIC not in self.config.metrics:
            raise ValueError(f"A search needs the metric {_METRIC!r}. Received: metrics={self.config.metrics}")
        if self.max_trials < 1:
            raise ValueError(f"`max_trials` must be 1 or more. Received: max_trials={self.max_trials}")
        changes = self.space(keras_tuner.HyperParameters())
        try:
            self.config.replace(**changes)
        except TypeError as error:
            raise ValueError(f"`space` must return changes of the config ({error}). Received: {changes}") from None


def load_plan(path, *, preset="paper", precision=None):
    """Reads an experiment file that describes a search, such as `experiments/zavala/random_search.py`.

    Args:
        path: The file. It assigns `config`, `space` and `max_trials`, and for the quick preset `quick_config` (changes
            of the config) and `quick_max_trials`. It is run as Python, so use only files you trust.
        preset: `"paper"`, or `"quick"` for the laptop-sized variant. Defaults to `"paper"`.
        precision: Overrides the config's `precision`. Defaults to `None`: as the file says.

    Returns:
        `SearchPlan`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file lacks one of the names, or the preset is unknown.
    """
    names = experiment.read_experiment_file(path, experiment.SEARCH_NAMES, preset=preset, precision=precision)
    return SearchPlan(names["config"], names["space"], names["max_trials"])


def random_search(plan, data, out_dir, *, progress=True):
    """Draws configs at random and trains each on every fold; the objective is the mean accuracy on the held-out folds.

    Run folders are `<draw>/fold=<k>`, where `<draw>` names the drawn values. They hold all that counts: killed and
    started again, the search makes the same draws in the same order, only reads the folds that are finished, and loses
    at most the running epoch. A draw that fails is reported at the end, and tried again by the next start.

    With KerasTuner's three environment variables (`KERASTUNER_TUNER_ID`, `KERASTUNER_ORACLE_IP`,
    `KERASTUNER_ORACLE_PORT`) this process is the chief, which hands out draws, or a worker, which trains them; see
    `search_workers` for several on one machine.

    Args:
        plan: `SearchPlan`; see `load_plan`.
        data: Path of a data folder.
        out_dir: Folder of the run folders. KerasTuner's own files lie in `oracle` in it; they are for looking at.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        dict: name of each failed draw -> the reason; of a worker's own draws in a worker. Empty if all went well.

    Raises:
        BlockingIOError: If another process is searching in `out_dir`.

    Example:

    >>> def space(hp):
    ...     return {"learning_rate": hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")}
    >>> plan = SearchPlan(config.replace(num_folds=4), space, max_trials=10)
    >>> failed = random_search(plan, "data", "runs/search")
    """
    out_dir = pathlib.Path(out_dir)
    distribution.require_one_host("Draws go to several hosts by KERASTUNER_...; see `poster-cnn search --help`.")
    find_data_folder(data)
    if is_worker():
        return _search(plan, data, out_dir, progress)
    with locked(out_dir):
        return _search(plan, data, out_dir, progress)


def _search(plan, data, out_dir, progress):
    tuner = Tuner(plan, data, out_dir, progress=progress)
    with tuner.bar:
        tuner.search()
    return tuner.failed if is_worker() else failed_draws(tuner.oracle, out_dir)


def draw_name(hyperparameters):
    """Name of a draw and of its folder, such as `"learning_rate=0.00180133,dropout=0.41"`."""
    values = hyperparameters.values
    names = dict.fromkeys(hp.name for hp in hyperparameters.space if hp.name in values)  # their order in the space
    return ",".join(f"{name}={_short(values[name])}" for name in names)


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def rank_draws(results):
    """Mean accuracy on the held-out folds of each draw, the best first; draws that lack a fold are left out.

    Args:
        results: DataFrame of a search's runs; see `results.collect_results`.

    Returns:
        Series: name of the draw -> mean accuracy, a fraction in 0..1.
    """
    accuracy = f"validation_{_METRIC}"
    if not {"set_name", "num_folds", accuracy} <= set(results):  # no run is finished
        return pd.Series([], name=accuracy, dtype="float64")
    folds = results.groupby("set_name")
    means = folds[accuracy].mean()[folds.size() == folds["num_folds"].max()]
    return means.sort_values(ascending=False, kind="stable").rename_axis("draw")


def best_draw(results):
    """Name of the draw with the highest mean accuracy on the held-out folds; its runs are `<name>/fold=<k>`.

    Args:
        results: DataFrame of a search's runs; see `results.collect_results`.

    Raises:
        ValueError: If no draw has all its folds.
    """
    ranked = rank_draws(results)
    if ranked.empty:
        raise ValueError(f"No draw is finished on all its folds. Received: {len(results)} runs.")
    return ranked.index[0]


class _DrawOracle(workers.HandsOutAgain, keras_tuner.oracles.RandomSearchOracle):
    """Draws at random."""


class Tuner(workers.Tuner):
    """KerasTuner's random search, whose trials are the folds of a draw, each a run folder."""

    # The seed gives the same draws with each start, and finished run folders are only read.

    def __init__(self, plan, data, out_dir, *, progress=False):
        oracle = _DrawOracle(
            out_dir,
            max_trials=plan.max_trials,
            objective=keras_tuner.Objective(_OBJECTIVE, "max"),
            # KerasTuner takes 0 for "any", and neighboring seeds share most of their draws.
            seed=int(np.random.SeedSequence(plan.config.seed).generate_state(1)[0]) or 1,
        )
        super().__init__(oracle, plan.space, out_dir, what="draws")
        self.plan, self.data = plan, data
        self.progress = progress and not has_chief()  # bars of several processes would mix
        self.failed, self._folds, self._latest = {}, {}, (None, None)
        self.bar = tqdm(
            total=plan.max_trials * plan.config.num_folds,
            desc=f"{plan.max_trials} draws",
            unit="fold",
            disable=not self.progress,
        )

    def run_trial(self, trial):
        """Trains one draw on every fold, or reads what is there; the mean is the trial's objective."""
        name, number = draw_name(trial.hyperparameters), int(trial.trial_id) + 1
        (self.out_dir / name / "error.txt").unlink(missing_ok=True)
        self.bar.set_postfix_str(name)
        try:
            config = self.plan.config.replace(set_name=name, **self.plan.space(trial.hyperparameters))
            scores = [self._score(config.replace(fold=fold), name) for fold in range(config.num_folds)]
        except Exception as error:
            trial.message = self.failed[name] = sweep.write_failure(self.out_dir / name, error)
            self.bar.update(number * self.plan.config.num_folds - self.bar.n)
            self.say(f"draw {number} of {self.plan.max_trials}: {name} failed: {trial.message}")
            return {_OBJECTIVE: float("nan")}
        mean = float(np.mean(scores))
        self.say(f"draw {number} of {self.plan.max_trials}: {name}: {100 * mean:.1f}%, mean of {len(scores)} folds")
        return {_OBJECTIVE: mean}

    def _score(self, config, draw):
        """Accuracy of one fold on what it held out."""
        run_dir = self.out_dir / draw / f"fold={config.fold}"
        finished = is_finished(run_dir, config)
        data = self._training_data(config)
        with locked(run_dir, timeout=-1):
            pass  # a worker of an earlier search may still be in it
        result = train(config, self.data, run_dir, training_data=data, progress=self.progress)
        if not finished:
            keras.backend.clear_session()
        elif not self.bar.disable:  # took no time, so it must not count for the time left
            self.bar.initial += 1
        self.bar.update()
        return result["validation"][_METRIC]

    def _training_data(self, config):
        """The posters of a fold; the draws share them, with their baselines."""
        shared = sweep.share_training_data(self._folds.get(config.fold, self._latest), config, self.data)
        self._latest = self._folds[config.fold] = shared
        return shared[1]


def failed_draws(oracle, out_dir):
    """dict: name of each draw that is not completed -> the reason."""
    names = [draw_name(trial.hyperparameters) for trial in oracle.trials.values() if trial.status != "COMPLETED"]
    return {name: workers.reason_for(pathlib.Path(out_dir) / name) for name in names}
