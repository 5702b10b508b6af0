"""Random search: draws from a space of hyperparameters, and their ranking by cross-validation."""

import warnings

import pandas as pd
from sklearn.model_selection import ParameterSampler

from poster_cnn.metrics import arguments

RANKED_BY = "first_label_accuracy"


def draw_changes(space, num_draws, seed):
    """Draw hyperparameters at random with scikit-learn's `ParameterSampler`.

    Args:
        space: Dict of parameter -> SciPy distribution, or list of values.
        num_draws: Number of draws.
        seed: Integer seed. With at least one distribution, the first draws do not depend on `num_draws`.

    Returns:
        List of different dicts of parameter -> value, in the order of `space`. Floats are rounded to 6 significant
        digits, which is how run folders name them.

    Raises:
        ValueError: If the space has fewer than `num_draws` different draws.
    """
    drawn = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)  # checked below
        for draw in ParameterSampler(space, 20 * num_draws, random_state=seed):
            values = {name: _plain(draw[name]) for name in space}
            drawn.setdefault(str(values), values)
            if len(drawn) == num_draws:
                break
    if len(drawn) < num_draws:
        raise ValueError(
            f"`space` must have at least `num_draws` different draws. Received: num_draws={num_draws}, {space}"
        )
    return list(drawn.values())


def _plain(value):
    value = getattr(value, "item", lambda: value)()  # NumPy's scalars cannot be written to JSON
    return float(f"{value:.6g}") if isinstance(value, float) else value


@arguments.checked(results=arguments.table())
def rank_draws(results):
    """Rank draws by their mean accuracy on the held-out folds.

    Args:
        results: DataFrame of a search's runs; see `results.collect_results`.

    Returns:
        Series of draw -> mean accuracy in 0..1, best first. Draws with an unfinished fold are left out.
    """
    accuracy = f"validation_{RANKED_BY}"
    if not {"set_name", "num_folds", accuracy} <= set(results):  # no finished run
        return pd.Series([], name=accuracy, dtype="float64")
    folds = results.groupby("set_name")
    means = folds[accuracy].mean()[folds.size() == folds["num_folds"].max()]
    return means.sort_values(ascending=False, kind="stable").rename_axis("draw")


def best_draw(results):
    """Return the name of the draw with the highest mean accuracy on the held-out folds.

    Args:
        results: DataFrame of a search's runs; see `results.collect_results`.

    Returns:
        Name of the draw, as in the column `set_name`.

    Raises:
        ValueError: If no draw is finished on all its folds.
    """
    ranked = rank_draws(results)
    if ranked.empty:
        message = "No draw is finished on all its folds. Continue the search with the same command."
        raise ValueError(f"{message} Received: {len(results)} runs.")
    return ranked.index[0]
