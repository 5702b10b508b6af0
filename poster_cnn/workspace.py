"""Where a notebook's data comes from, how much it trains, and where its figures and tables go."""

import dataclasses
import functools
import os
import pathlib

import pandas as pd
from pandas.api.types import is_numeric_dtype

import poster_cnn
from poster_cnn.files import write_atomically
from poster_cnn.movies.data_folder import find_data_folder

PRESETS = {
    "quick": "small networks, few epochs: minutes on a laptop",
    "paper": "the papers' own sizes: hours, resumable",
    "results": "no training: everything redrawn from the committed results of real runs",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the notebooks run on; `load_settings` reads it from the environment.

    Attributes:
        preset: `"quick"`, `"paper"` or `"results"`.
        data: The data folder; `None` with the preset `"results"`, which needs none.
        out: Folder for runs, figures and tables.
        repository: Folder with `experiments/` and `notebooks/`.
        precision: Overrides the experiments' `precision`; `None` leaves it.
    """

    preset: str
    data: pathlib.Path | None
    out: pathlib.Path
    repository: pathlib.Path
    precision: str | None = None

    def movie_table(self, **options):
        """The movie table of the data folder; see `table.load_movie_table` for the options."""
        folder = find_data_folder(self.data)
        return poster_cnn.load_movie_table(folder.csv, posters_dir=folder.posters, **options)

    def folder(self):
        """The `DataFolder` of the data; with the preset `"results"` there is none, and this returns `None`."""
        return find_data_folder(self.data) if self.data else None

    def ensemble_data(self, config):
        """The `EnsembleData` of a config; what `results` has read last is not read again."""
        return self._shared.load(config, self.data)

    def computed(self, name, compute):
        """A table that `compute()` gives, kept as `<out>/results/<name>.csv`.

        With the preset `"results"`, reads the committed `experiments/results/<name>.csv` and computes nothing.

        Args:
            name: Name of the csv without suffix.
            compute: Function without arguments that gives a DataFrame; its index is not kept.

        Returns:
            DataFrame, as read back from the file: an empty cell is NaN among numbers, and "" among texts.
        """
        path = self.committed(name)
        if self.preset != "results":
            path = self.out / "results" / f"{name}.csv"
            with write_atomically(path) as temporary:
                compute().to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
        frame = frame.astype(dict.fromkeys(frame.columns[frame.isna().all()], object))
        return frame.fillna(dict.fromkeys([name for name in frame if not is_numeric_dtype(frame[name])], ""))

    def results(self, experiment):
        """One row a run of an experiment: trains the runs that are missing, then collects them.

        With the preset `"results"`, reads the committed `experiments/results/<experiment>.csv` instead.

        Args:
            experiment: Name below `experiments/`, such as `"dave/table_2"`.

        Returns:
            DataFrame; see `results.collect_results`.

        Raises:
            RuntimeError: If a run failed; the others are done, and stay.
        """
        return self._collect(experiment, "")

    def history(self, experiment):
        """One row an epoch of every run of an experiment; as `results`, see `results.collect_history`."""
        return self._collect(experiment, "_history")

    def runs_dir(self, experiment):
        """The folder that holds the run folders of an experiment."""
        return self.out / "runs" / experiment.replace("/", "_")

    def _collect(self, experiment, suffix):
        from poster_cnn.results import collect as results

        if self.preset == "results":
            return results.read_results(self.committed(experiment.replace("/", "_") + suffix))
        failed = self._train(experiment)
        if failed:
            reasons = "\n".join(f"  {name}: {reason}" for name, reason in failed.items())
            raise RuntimeError(f"{len(failed)} runs of {experiment} failed; the others are kept.\n{reasons}")
        collect = results.collect_history if suffix else results.collect_results
        frame = collect(self.runs_dir(experiment))
        results.write_results(frame, self.out / "results" / f"{experiment.replace('/', '_')}{suffix}.csv")
        return frame

    def _train(self, experiment):
        """Trains the missing runs of an experiment; gives the failed ones."""
        from poster_cnn.tuning import load_experiment
        from poster_cnn.tuning.sweep import sweep

        file, out_dir = self.repository / "experiments" / f"{experiment}.py", self.runs_dir(experiment)
        loaded = load_experiment(file, preset=self.preset, precision=self.precision)
        loaded = dataclasses.replace(loaded, config=self._without_absent_trailers(loaded.config))
        return sweep(loaded, self.data, out_dir, shared=self._shared)

    @functools.cached_property
    def _shared(self):
        from poster_cnn.tuning import Shared

        return Shared()

    def _without_absent_trailers(self, config):
        """The embedded dataset's trailers are made when they are needed; other data may have none."""
        if "trailer" not in getattr(config, "modalities", ()):
            return config
        if self.data == poster_cnn.embedded_dataset():
            poster_cnn.embedded_dataset(trailers=True)
        if self.folder().trailers is not None:
            return config
        print(f"{config.experiment}: no trailers in {self.data}, so none take part")
        return config.replace(modalities=tuple(name for name in config.modalities if name != "trailer"))

    def committed(self, name):
        """Path of a committed csv of real results, `experiments/results/<name>.csv`."""
        return self.repository / "experiments" / "results" / f"{name}.csv"

    def published(self, paper):
        """A paper's own numbers, `experiments/published/<paper>.csv`; see `results.read_published`."""
        from poster_cnn.results import collect as results

        return results.read_published(self.repository / "experiments" / "published" / f"{paper}.csv")

    def save_figure(self, figure, name):
        """Saves a matplotlib figure (or the figure of an Axes) as `<out>/figures/<name>.png`, atomically."""
        figure = getattr(figure, "figure", figure)
        path = self.out / "figures" / f"{name}.png"
        with write_atomically(path) as temporary:
            figure.savefig(temporary, format="png", bbox_inches="tight", dpi=200)
        print(f"saved {path}")

    def save_table(self, frame, name, *, digits=1):
        """Saves a table as `<out>/tables/<name>.csv` and as Markdown beside it, and returns it for display."""
        from poster_cnn.results import tables

        for suffix, text in (
            ("csv", frame.to_csv(index=False)),
            ("md", tables.to_markdown(frame, digits=digits) + "\n"),
        ):
            with write_atomically(self.out / "tables" / f"{name}.{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8")
        return frame


def load_settings(*, preset=None, data=None, out=None, precision=None):
    """Reads the settings of the notebooks from the environment.

    Args:
        preset: `"quick"`, `"paper"` or `"results"`. Defaults to `POSTER_CNN_PRESET`, else `"quick"`.
        data: Path of a data folder. Defaults to `POSTER_CNN_DATA`, else the embedded dataset, which is drawn on first
            use.
        out: Folder for runs, figures and tables. Defaults to `POSTER_CNN_OUT`, else `reproduced/<preset>` in the
            repository, with the data folder's name added unless it is the embedded dataset.
        precision: `"float32"` or `"mixed_bfloat16"`, for all trainings. Defaults to `POSTER_CNN_PRECISION`, else what
            each experiment says.

    Returns:
        `Settings`

    Raises:
        ValueError: If the preset is unknown.
        FileNotFoundError: If the data folder or the repository is not found.
    """
    preset = preset or os.environ.get("POSTER_CNN_PRESET") or "quick"
    if preset not in PRESETS:
        raise ValueError(f"Unknown preset. Expected one of {', '.join(PRESETS)}. Received: preset={preset!r}")
    repository = find_repository()
    data = data or os.environ.get("POSTER_CNN_DATA") or None
    name = preset
    if preset == "results":
        data = None
    elif data is None:
        data = poster_cnn.embedded_dataset()
    else:
        data = find_data_folder(data).root.absolute()
        name = f"{preset}-{data.name}"
    out = pathlib.Path(out or os.environ.get("POSTER_CNN_OUT") or repository / "reproduced" / name).absolute()
    precision = precision or os.environ.get("POSTER_CNN_PRECISION") or None
    return Settings(preset, data and pathlib.Path(data), out, repository, precision)


def find_repository():
    """Finds the checkout with `experiments/` and `notebooks/`: around the package, or above the working folder."""
    candidates = [pathlib.Path(__file__).resolve().parent.parent, pathlib.Path.cwd(), *pathlib.Path.cwd().parents]
    for folder in candidates:
        if (folder / "experiments").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        "The notebooks and experiments are not installed with the package. Clone the repository and work in it. "
        f"Looked for experiments/ and notebooks/ in {candidates[0]} and above {pathlib.Path.cwd()}."
    )
