"""Sweeps: one config, a grid of changes, one run folder for each cell."""

import dataclasses
import pathlib

import keras
from tqdm.auto import tqdm

from poster_cnn.files import locked, write_atomically
from poster_cnn.multimodal import train as ensemble_training
from poster_cnn.multimodal.config import EnsembleConfig
from poster_cnn.multimodal.data import load_ensemble_data
from poster_cnn.multimodal.train import train_ensemble
from poster_cnn.training import distribution
from poster_cnn.training import train as training
from poster_cnn.training.data import load_training_data
from poster_cnn.training.fit import remove_checkpoints
from poster_cnn.training.train import train

# What decides which movies are read: cells that agree in these share them, and those of one ratio the decoded posters.
_MOVIE_FIELDS = (
    "class_names min_year max_year min_genres genre_groups max_movies keep_unlabeled one_row_per_genre max_per_genre "
    "crops_per_genre crop_size crop_before_split evaluation_crop split fractions split_seed num_folds allow_leak"
).split()
# The same for paper 5's ensembles.
_ENSEMBLE_FIELDS = (
    "class_names modalities split fractions split_seed backbone backbone_weights image_size interpolation max_words"
).split()


@dataclasses.dataclass
class Shared:
    """What sweeps of one data folder share if they are given the same one.

    Attributes:
        movies: Result of the last `share_training_data`. Defaults to nothing read yet.
        finished: Run folders of finished cells, from which ensembles copy branches. Defaults to none.
    """

    movies: tuple = (None, None)
    finished: list = dataclasses.field(default_factory=list)


def sweep(experiment, data, out_dir, *, shared=None, progress=True):
    """Trains every cell of a grid, one run folder each; finished cells are skipped, failed ones reported at the end.

    Killed and started again, it loses at most the running epoch. Cells that read the same posters share one decoded
    copy, and a branch that several ensembles have is trained once.

    Args:
        experiment: `Experiment`; see `load_experiment`.
        data: Path of a data folder.
        out_dir: Folder of the run folders.
        shared: `Shared`, also given to other sweeps of this data folder. Defaults to `None`: the cells share among
            themselves.
        progress: Whether to show a progress bar with the time left. Defaults to `True`.

    Returns:
        dict: name of each failed cell -> the reason. Empty if all went well.

    Example:

    >>> experiment = Experiment(config, {"learning_rate": (1e-3, 1e-4)})
    >>> failed = sweep(experiment, "data", "runs/rates")
    """
    distribution.require_one_host("Cells go to several hosts by KERASTUNER_...; see `poster-cnn sweep --help`.")
    out_dir = pathlib.Path(out_dir)
    cells = experiment.cells()
    done = {name for name, config in cells.items() if is_finished_cell(config, out_dir / name)}
    failed, elsewhere, shared = {}, [], shared or Shared()
    with _cost_bar(cells, done, progress) as bar:
        for name, config in cells.items():
            bar.set_postfix_str(name)
            try:
                options = {"finished": tuple(shared.finished), "progress": progress}
                shared.movies, reason = train_cell(config, data, out_dir / name, shared.movies, **options)
                failed |= {name: reason} if reason else {}
                shared.finished += [] if reason else [out_dir / name]
            except BlockingIOError:
                elsewhere.append(name)
            bar.update(0 if name in done else _cost(config))
    for name in elsewhere:
        shared.movies, reason = train_cell_when_free(
            cells[name], data, out_dir / name, shared.movies, progress=progress
        )
        failed |= {name: reason} if reason else {}
    return failed


def train_cell(config, data, run_dir, shared=(None, None), *, finished=(), progress=True):
    """Trains one cell, or makes sure that what is finished there was trained on these data.

    Args:
        config: `TrainingConfig` or `EnsembleConfig` of the cell.
        data: Path of a data folder.
        run_dir: The cell's run folder.
        shared: What the last call returned first, so that cells share their posters. Defaults to nothing shared.
        finished: Of an ensemble: as in `train_ensemble`. Defaults to none.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        tuple: what to give the next call as `shared`, and the reason if the cell failed (`error.txt` in its folder has
        it, too), else `None`.

    Raises:
        BlockingIOError: If another process is training it.
    """
    (run_dir / "error.txt").unlink(missing_ok=True)  # of an earlier try
    try:
        shared = share_training_data(shared, config, data)
        if is_finished_cell(config, run_dir):  # with this config, but was it with these data?
            _trainer(config).check_run(run_dir, config, shared[1])
            remove_checkpoints(run_dir)  # a kill can come before they are gone
        elif isinstance(config, EnsembleConfig):
            options = {"ensemble_data": shared[1], "finished": finished, "progress": progress}
            train_ensemble(config, data, run_dir, **options)
        else:
            train(config, data, run_dir, training_data=shared[1], progress=progress)
        return shared, None
    except BlockingIOError:
        raise
    except Exception as error:  # a cell that fails must not take the others with it
        return shared, write_failure(run_dir, error)
    finally:
        keras.backend.clear_session()


def write_failure(folder, error):
    """Writes why a cell or a draw failed to `error.txt` in its folder, and returns it."""
    reason = f"{type(error).__name__}: {error}"
    with write_atomically(folder / "error.txt") as temporary:
        temporary.write_text(reason + "\n", encoding="utf-8")
    return reason


def is_finished_cell(config, run_dir):
    """Whether a cell's run folder holds a finished run of this config."""
    try:
        return _trainer(config).is_finished(run_dir, config)
    except (OSError, ValueError):  # an unreadable record is reported when the cell's turn comes
        return False


def _trainer(config):
    return ensemble_training if isinstance(config, EnsembleConfig) else training


def train_cell_when_free(config, data, run_dir, shared=(None, None), *, progress=True):
    """As `train_cell`; waits where another process is training it, until that one has finished the cell, or died."""
    while True:
        with locked(run_dir, timeout=-1):
            pass
        try:
            return train_cell(config, data, run_dir, shared, progress=progress)
        except BlockingIOError:
            continue  # a third process was quicker


def share_training_data(shared, config, data):
    """The posters for a run, from those of the run before where they agree.

    Args:
        shared: Result of the last call; `(None, None)` at first.
        config: `TrainingConfig` of the run, or `EnsembleConfig`.
        data: Path of a data folder.

    Returns:
        `(what the posters were chosen by, TrainingData)`, or `EnsembleData` in its place
    """
    if isinstance(config, EnsembleConfig):
        key = [getattr(config, name) for name in _ENSEMBLE_FIELDS]
        return shared if shared[0] == key else (key, load_ensemble_data(config, data))
    key = [getattr(config, name) for name in _MOVIE_FIELDS]
    fold_key = [*key, config.fold]
    if shared[0] is None or shared[0][:-1] != key:
        return fold_key, load_training_data(config, data)
    if shared[0] != fold_key:
        shared = fold_key, shared[1].with_fold(config.fold)
    if (shared[1].image_size, shared[1].interpolation) != (config.image_size, config.interpolation):
        return fold_key, shared[1].resized(config.image_size, config.interpolation)
    return shared


def _cost(config):
    height, width = config.image_size
    return height * width * config.epochs


def _cost_bar(cells, done, progress):
    # Counted in pixels x epochs, so that the time left is right although larger posters take longer.
    total = sum(map(_cost, cells.values()))
    return tqdm(
        total=total,
        initial=sum(_cost(cells[name]) for name in done),
        desc=f"{len(cells)} cells",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left{postfix}",
        disable=not progress,
    )
