"""An experiment of the notebooks: its config, its runs and their results, whether trained here or committed."""

import dataclasses
import functools
import pathlib

import keras
import pandas as pd

from poster_cnn.evaluation.networks import open_network
from poster_cnn.evaluation.pictures import find_pictures
from poster_cnn.evaluation.predict import rank_pictures
from poster_cnn.evaluation.predict_movies import predict_movies
from poster_cnn.files import read_json
from poster_cnn.results import collect
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.run_folder import recorded_config
from poster_cnn.tuning.sweep import sweep

_NO_RUNS = "The committed results come without trained networks, so nothing is predicted or read anew."


def _name(path):
    return path and pathlib.Path(path).name  # a reader of the notebook sees no folders of this machine


class Experiment:
    """An experiment with its runs and their results.

    The runs are trained, or checked where they are finished, once: when `results`, `history` or a run is first used.

    Args:
        name: Name below `experiments/`, such as `"dave/table_2"`.
        plan: `tuning.Experiment`, the config and its changes.
        data: Path of the data folder.
        out: Folder for `runs/` and `results/`.
        shared: `tuning.Shared`, for the data that experiments share.
        committed: Path of a csv file of results, with the learning curves in `<name>_history.csv`. Defaults to `None`.
            Otherwise there are no runs, and the methods that read runs return `None`.
        needs_gpu: Whether results and history are empty on a machine without a GPU. Defaults to `False`.
    """

    def __init__(self, name, plan, *, data, out, shared, committed=None, needs_gpu=False):
        self.name, self.plan, self.needs_gpu = name, plan, needs_gpu
        self._data, self._out, self._shared, self._committed = data, out, shared, committed

    @property
    def config(self):
        """The `TrainingConfig` or `EnsembleConfig` that all runs share."""
        return self.plan.config

    @property
    def cells(self):
        """dict: name of each run -> its config."""
        return self.plan.cells()

    @functools.cached_property
    def results(self):
        """DataFrame with a row per run; see `collect_results`."""
        return self._collect(collect.collect_results, "")

    @functools.cached_property
    def history(self):
        """DataFrame with a row per run and epoch; see `collect_history`."""
        return self._collect(collect.collect_history, "_history")

    def _collect(self, collect_runs, suffix):
        name = self.name.replace("/", "_")
        can_run = self._committed.is_file() if self._committed else keras.distribution.list_devices("gpu")
        if self.needs_gpu and not can_run:
            print(f"{self.name} needs a GPU and is left out.")
            return pd.DataFrame()
        if self._committed:
            return collect.read_results(self._committed.with_stem(name + suffix))
        frame = collect_runs(self.runs_dir)
        collect.write_results(frame, self._out / "results" / f"{name}{suffix}.csv")
        return frame

    @functools.cached_property
    def runs_dir(self):
        """The folder of the trained runs; `None` if the results are committed ones."""
        if self._committed:
            return None
        folder = self._out / "runs" / self.name.replace("/", "_")
        failed = sweep(self.plan, self._data, folder, shared=self._shared)
        if failed:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
            raise RuntimeError(f"{len(failed)} runs of {self.name} failed; the others are kept.\n{reasons}")
        return folder

    def predictions(self, run):
        """Return the predictions of a run for its test movies; see `read_predictions`. `None` without runs."""
        return self.runs_dir and collect.read_predictions(self.runs_dir / run)

    def split(self, run):
        """Return the movies of a run with their part and labels, a DataFrame. `None` without runs."""
        return self.runs_dir and pd.read_csv(self.runs_dir / run / "split.csv")

    def metrics(self, run):
        """Return the content of the `metrics.json` of a run, a dict. `None` without runs."""
        return self.runs_dir and read_json(self.runs_dir / run / "metrics.json")

    def training_data(self, run):
        """Load the `TrainingData` or `EnsembleData` of a run. `None` without runs."""
        if self.runs_dir is None:
            return None
        return self._shared.load(recorded_config(self.runs_dir / run, type(self.config)), self._data)

    def notes(self, run):
        """Describe what was read, left out and found missing in the data of a run."""
        data = self.training_data(run)
        return getattr(data, "notes", None) or getattr(data, "report", _NO_RUNS)

    def predict(self, run, inputs):
        """Predict the genres of new pictures or, with an ensemble, of new movies.

        Args:
            run: Name of the run.
            inputs: Pictures, see `evaluation.predict`; of movies for an ensemble, see `predict_movies`.

        Returns:
            List of `Prediction`, without those that cannot be read. With the preset `"results"` it is empty.
        """
        if self.runs_dir is None:
            print(_NO_RUNS)
            return []
        if isinstance(self.config, TrainingConfig):
            found = rank_pictures(find_pictures(inputs), open_network(self.runs_dir / run), progress=False)
            predictions = [dataclasses.replace(item, path=_name(item.path)) for item in found if not item.is_broken]
            problems = {item.path: item.note for item in found if item.is_broken}
        else:
            found, problems = predict_movies(self.runs_dir / run, inputs)
            predictions = [dataclasses.replace(item, path=_name(item.path)) for item in found.values()]
        print(*(f"{name}: {reason}" for name, reason in problems.items()), sep="\n", end="")
        return predictions

    def __str__(self):
        """Describe the config, without unimportant default values, and the changes that make the cells."""
        defaults = type(self.config)(("Comedy", "Drama")).to_dict()  # by default, one genre is not allowed
        defaults |= dict.fromkeys(("class_names", "learning_rate", "batch_size", "epochs"))
        settings = {name: value for name, value in self.config.to_dict().items() if value != defaults[name]}
        lines = [self.name, *(f"  {name} = {value}" for name, value in settings.items())]
        for title in ("grid", "sets"):
            changes = getattr(self.plan, title)
            lines += [title] * bool(changes) + [f"  {name}: {value}" for name, value in changes.items()]
        lines += [f"{self.plan.num_draws} random draws of {', '.join(self.plan.space)}"] if self.plan.space else []
        return "\n".join(lines)
