"""The workspace of the notebooks: data folder, preset, experiments with their runs, and the folder of the results."""

import dataclasses
import functools
import os
import pathlib

import pandas as pd
from pandas.api.types import is_numeric_dtype

import poster_cnn
from poster_cnn.datasets.embedded.dataset import embedded_dataset, is_embedded
from poster_cnn.files import write_atomically, write_text
from poster_cnn.metrics import arguments
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.metadata import load_movie_metadata
from poster_cnn.movies.poster_files import poster_paths
from poster_cnn.training.config import PRECISIONS

PRESETS = {
    "quick": "small networks, few epochs: minutes on a laptop",
    "paper": "the sizes of the papers: hours, resumable",
    "results": "no training: everything is redrawn from the committed results of real posters",
    "smoke": "one run per experiment, one epoch: for the tests",
}
_NO_POSTERS = "The committed results come without posters. These movies are those of the embedded dataset."


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Data, experiments and output of the notebooks. `load_settings` reads it from the environment.

    With the preset `"results"`, results and computed tables are read from `experiments/results`; movies and posters are
    those of the embedded dataset, and there are no runs. A notebook does not need to ask for the preset: methods that
    read runs return `None` or an empty dict then, which `computed` accepts.

    Attributes:
        preset: One of `PRESETS`.
        data: The data folder; `None` with the preset `"results"`.
        out: Folder for runs, figures and tables.
        repository: Folder with `experiments/` and `notebooks/`.
        precision: Overrides the `precision` of the experiments. Defaults to `None`.
    """

    preset: str
    data: pathlib.Path | None
    out: pathlib.Path
    repository: pathlib.Path
    precision: str | None = None

    def __repr__(self):
        data = f"data folder: {self.data.name}" if self.data else _NO_POSTERS
        return f"preset {self.preset}: {PRESETS[self.preset]}\n{data}"

    @functools.cached_property
    def folder(self):
        """The `DataFolder` of the data; that of the embedded dataset with the preset `"results"`."""
        return find_data_folder(self.data or embedded_dataset())

    def movie_table(self, **options):
        """Load the movie table of the data folder; see `load_movie_table` for the options."""
        if self.data is None:
            print(_NO_POSTERS)
        return poster_cnn.load_movie_table(self.folder.csv, posters_dir=self.folder.posters, **options)

    def metadata_table(self):
        """Load `movie_metadata.csv` of the data folder, with the column `poster_path`; see `load_movie_metadata`."""
        table = load_movie_metadata(self.folder.metadata)
        return table.assign(poster_path=poster_paths(table["imdb_id"], self.folder.posters))

    def everyday_pictures(self):
        """List the paths of pictures that are no posters, from the data folder or else from the embedded dataset."""
        folder = self.folder.everyday or find_data_folder(embedded_dataset()).everyday
        return sorted(folder.glob("*.jpg"))

    def experiment(self, name, *, needs_gpu=False):
        """Return an experiment of the repository, always the same object for a name.

        Args:
            name: Name below `experiments/`, such as `"dave/table_2"`.
            needs_gpu: Whether the experiment has no runs on a machine without a GPU. Defaults to `False`.

        Returns:
            `Experiment`. Its runs are trained when its results, or one of its runs, are first used.
        """
        key = name.replace("/", "_")
        if key not in self._experiments:
            from poster_cnn.evaluation.experiment import Experiment
            from poster_cnn.tuning import Shared, load_experiment

            shared = self._experiments.setdefault(None, Shared())
            file = self.repository / "experiments" / f"{name}.py"
            preset = "paper" if self.preset == "results" else self.preset
            plan = load_experiment(file, preset=preset, precision=self.precision)
            committed = self.committed(key) if self.preset == "results" else None
            plan = plan if committed else dataclasses.replace(plan, config=self._with_trailers(plan.config))
            self._experiments[key] = Experiment(
                name, plan, data=self.data, out=self.out, shared=shared, committed=committed, needs_gpu=needs_gpu
            )
        return self._experiments[key]

    @functools.cached_property
    def _experiments(self):
        return {}

    def _with_trailers(self, config):
        """Make the trailers of the embedded dataset, or leave trailers out if the data folder has none."""
        if "trailer" not in getattr(config, "modalities", ()):
            return config
        if is_embedded(self.data):
            embedded_dataset(trailers=True)
        if find_data_folder(self.data).trailers is not None:
            return config
        print(f"{config.experiment}: the data folder has no trailers, so they are left out.")
        return config.replace(modalities=tuple(name for name in config.modalities if name != "trailer"))

    def per_run(self, what, runs, by=("experiment", "run")):
        """Read something of several runs.

        Args:
            what: Name of a method of `Experiment`: `"predictions"`, `"split"`, `"metrics"` or `"training_data"`.
            runs: DataFrame with a row per run, from `Experiment.results`.
            by: Column, or columns, that make the keys. Defaults to `("experiment", "run")`.

        Returns:
            dict of key -> result of the method; empty with the preset `"results"`.
        """
        found = {}
        for run in runs.to_dict("records") if self.preset != "results" else ():
            key = run[by] if isinstance(by, str) else tuple(run[name] for name in by)
            found[key] = getattr(self._experiments[run["experiment"]], what)(run["run"])
        return found

    def computed(self, name, function, *args, index=None, **options):
        """Compute a table and keep it as `<out>/results/<name>.csv`, or read the committed one with preset "results".

        Args:
            name: Name of the csv file without suffix.
            function: Function that returns a DataFrame or Series, called with `args` and `options`.
            index: Name of the column that keeps the index of the table. Defaults to `None`: it is not kept.

        Returns:
            DataFrame as read back from the file. An empty cell is NaN in a numeric column and "" in a text column.
        """
        path = self.committed(name)
        if self.preset != "results":
            path = self.out / "results" / f"{name}.csv"
            frame = function(*args, **options)
            frame = frame.rename_axis(index).reset_index() if index else frame
            with write_atomically(path) as temporary:
                frame.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
        frame = frame.astype(dict.fromkeys(frame.columns[frame.isna().all()], object))
        frame = frame.fillna(dict.fromkeys([name for name in frame if not is_numeric_dtype(frame[name])], ""))
        return frame.set_index(index) if index else frame

    def committed(self, name):
        """Return the path of a committed csv file of real results."""
        return self.repository / "experiments" / "results" / f"{name}.csv"

    def published(self, paper):
        """Read the numbers that a paper prints, `experiments/published/<paper>.csv`; see `read_published`."""
        from poster_cnn.results.collect import read_published

        return read_published(self.repository / "experiments" / "published" / f"{paper}.csv")

    def save_figure(self, figure, name):
        """Save a matplotlib figure, or the figure of an Axes, as `<out>/figures/<name>.png`."""
        figure = getattr(figure, "figure", figure)
        with write_atomically(self.out / "figures" / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.05, dpi=200)
        print(f"saved figures/{name}.png")

    def save_table(self, frame, name, *, digits=1):
        """Save a table as `<out>/tables/<name>.csv` and as Markdown, and return the rounded texts for display."""
        from poster_cnn.results import tables

        for suffix, text in (
            ("csv", frame.to_csv(index=False)),
            ("md", tables.to_markdown(frame, digits=digits) + "\n"),
        ):
            write_text(self.out / "tables" / f"{name}.{suffix}", text)
        return tables.to_text(frame, digits=digits)


def load_settings(*, preset=None, data=None, out=None, precision=None):
    """Read the workspace of the notebooks from arguments or the environment.

    Args:
        preset: One of `PRESETS`. Defaults to `POSTER_CNN_PRESET`, else `"quick"`.
        data: Path of a data folder. Defaults to `POSTER_CNN_DATA`, else the embedded dataset, which is drawn on first
            use.
        out: Folder for runs, figures and tables. Defaults to `POSTER_CNN_OUT`, else `reproduced/<preset>` in the
            repository, followed by the name of the data folder unless it is the embedded dataset.
        precision: `"float32"` or `"mixed_bfloat16"`, for all trainings. Defaults to `POSTER_CNN_PRECISION`, else the
            precision of each experiment.

    Returns:
        `Workspace`

    Raises:
        ValueError: If the preset is unknown.
        FileNotFoundError: If the data folder or the repository is not found.
    """
    preset = preset or os.environ.get("POSTER_CNN_PRESET") or "quick"
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"`preset` must be one of {', '.join(PRESETS)}. Received: preset={preset!r}")
    repository = find_repository()
    data = data or os.environ.get("POSTER_CNN_DATA") or None
    name = preset
    if preset == "results":
        data = None
    elif data is None:
        data = embedded_dataset()
    else:
        found = find_data_folder(data)  # a movie table of another name stays the data
        data = (pathlib.Path(data).expanduser() if isinstance(data, str | os.PathLike) else found.root).absolute()
        name = f"{preset}-{data.name}"
    out = arguments.path("out", out or os.environ.get("POSTER_CNN_OUT") or repository / "reproduced" / name).absolute()
    precision = precision or os.environ.get("POSTER_CNN_PRECISION") or None
    if precision is not None:
        precision = arguments.choice(*PRECISIONS)("precision", precision)
    return Workspace(preset, data and pathlib.Path(data), out, repository, precision)


def find_repository():
    """Find the checkout with `experiments/` and `notebooks/`: around the package, or above the working folder."""
    candidates = [pathlib.Path(__file__).resolve().parent.parent, pathlib.Path.cwd(), *pathlib.Path.cwd().parents]
    for folder in candidates:
        if (folder / "experiments").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        "The notebooks and experiments are not installed with the package. Clone the repository and work in it. "
        f"Looked for experiments/ and notebooks/ in {candidates[0]} and above {pathlib.Path.cwd()}."
    )
