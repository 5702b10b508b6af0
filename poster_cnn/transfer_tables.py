"""A pretrained backbone, frozen and unfrozen, as in paper 3: its scores, and by how much they differ."""

import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.tables import BASELINES_OF_ONE_GENRE, in_percent, label

_SETTING = ["variant", "image_size", "pixels", "dropout", "learning_rate"]
_CURVES = ("accuracy", "val_accuracy", "loss", "val_loss")


def transfer_table(results, published):
    """MobileNetV2 frozen and unfrozen (section III.A of Zavala et al.), beside what needs no network.

    Args:
        results: DataFrame from `collect_results` or `read_results`; several tables are stacked with `results.stack`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a run: `variant`, `image_size` (width×height), `pixels` (what 0–255 is scaled to), `dropout`,
        `learning_rate` (of the head), `backbone` ("frozen" or "unfrozen"); six-class accuracy in percent as `ours`,
        `low` and `high` (95% interval), `paper`, `majority` and `color_histogram`; `movie_hit_at_1`, `movie_low`,
        `movie_high`, `movie_majority` and `movie_color_histogram`: how often the top genre is any of the movie's, each
        movie once; `num_test` (rows).
    """
    runs = _described(results)
    table = runs[[*_SETTING, "backbone"]].join(
        in_percent(results, "first_label_accuracy", baselines=BASELINES_OF_ONE_GENRE)
    )
    printed = published[(published["table"] == "Section III.A") & (published["column"] == "test")].iloc[0]["value"]
    unfrozen_there = (table["variant"] == "faithful") & (table["backbone"] == "unfrozen")
    table.insert(table.columns.get_loc("high") + 1, "paper", unfrozen_there.map({True: printed, False: np.nan}))
    by_movie = in_percent(results, "movie_hit_at_1", baselines=BASELINES_OF_ONE_GENRE).add_prefix("movie_")
    table = table.join(by_movie.rename(columns={"movie_ours": "movie_hit_at_1"}))
    return table.assign(num_test=results["num_test"])


def transfer_cells(table):
    """The runs of a `transfer_table` as `figures.comparison_dots` draws them.

    Args:
        table: DataFrame from `transfer_table`.

    Returns:
        DataFrame: `table` with `panel` (variant, dropout if any, image size and scaling), `network` (learning rate, and
        "unfrozen" on a second line) and `metric`; of several runs of a panel and network, such as other seeds, the
        first.
    """
    dropout = table["dropout"].map(lambda share: f", dropout {share:g}" if share else "")
    panels = table["variant"].str.replace("_", "-") + dropout + "\n" + table["image_size"] + ", " + table["pixels"]
    networks = table["learning_rate"].map(label) + table["backbone"].map({"frozen": "", "unfrozen": "\nunfrozen"})
    cells = table.assign(panel=panels, network=networks, metric="six_class_accuracy")
    return cells.drop_duplicates(["panel", "network"], ignore_index=True)


def unfreezing_curves(history):
    """What training on with an unfrozen backbone does to the learning curves (Fig. 7 of Zavala et al., section III.A).

    Args:
        history: DataFrame from `collect_history` with a column `trainable_backbone`.

    Returns:
        DataFrame, one row a run and curve: `variant`, `run`, `metric`, and its value in the last epoch of each phase as
        `frozen` and `unfrozen`, `difference` (unfrozen minus frozen); accuracies in percent. Runs that were never
        unfrozen are left out.
    """
    tables = []
    for (variant, run), epochs in history.sort_values("epoch").groupby(["variant", "run"], sort=False):
        unfrozen = epochs["trainable_backbone"].eq(True)
        if not unfrozen.any():
            continue
        table = pd.DataFrame({"frozen": epochs[~unfrozen].iloc[-1], "unfrozen": epochs[unfrozen].iloc[-1]})
        table = table.loc[list(_CURVES)].astype(float)
        table[table.index.str.contains("accuracy")] *= 100
        table = table.assign(difference=table["unfrozen"] - table["frozen"]).rename_axis("metric").reset_index()
        tables.append(pd.concat([pd.DataFrame({"variant": variant, "run": run}, index=table.index), table], axis=1))
    columns = "variant run metric frozen unfrozen difference".split()
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def unfreezing_table(results, predictions):
    """What unfreezing does to the six-class accuracy of the test rows: each unfrozen network beside its frozen twin.

    A twin has the same setting, rows, seed, precision and number of epochs with the frozen backbone; the unfrozen
    network was trained for further epochs. The interval is that of the difference: both networks are scored on the same
    resampled movies (`metrics.bootstrap_interval`).

    Args:
        results: DataFrame from `collect_results`, frozen and unfrozen runs.
        predictions: Dictionary from `(experiment, run)` to the run's predictions, as `results.read_predictions` gives
            them.

    Returns:
        DataFrame, one row a pair: the setting as in `transfer_table`; in percent `frozen`, `unfrozen`, `difference` (in
        points), its 95% interval `low` and `high`; `num_test` (rows). Without a pair it is empty.
    """
    runs = _described(results)
    frozen, unfrozen = (runs[runs["backbone"] == backbone] for backbone in ("frozen", "unfrozen"))
    keys = [*_SETTING, "epochs", "seed", "batch_size", "precision", "data_fingerprint"]
    pairs = frozen.merge(unfrozen, on=keys, suffixes=("_frozen", "_unfrozen"))
    rows = []
    for pair in pairs.to_dict("records"):
        before, after = (
            predictions[pair[f"experiment_{backbone}"], pair[f"run_{backbone}"]] for backbone in ("frozen", "unfrozen")
        )
        rows.append({name: pair[name] for name in _SETTING} | _difference(before, after))
    return pd.DataFrame(rows, columns=_SETTING + "frozen unfrozen difference low high num_test".split())


def margin_table(predictions, baseline_predictions):
    """By how much networks beat what needs no network, in six-class accuracy on the same test rows.

    Args:
        predictions: Dictionary from a network's name to its predictions, as `results.read_predictions` gives them.
        baseline_predictions: Dictionary with the same keys, from a baseline's name to its array of predictions; see
            `training_data.TrainingData.baseline_predictions`.

    Returns:
        DataFrame, one row a network and baseline: `network`, `baseline`; in percent `accuracy`, `baseline_accuracy`,
        `difference` (in points) and its 95% interval `low` and `high`, both scored on the same resampled movies.
    """
    lines = []
    for network, predicted in predictions.items():
        hits, truth = 100 * _hits(predicted), predicted.filter(regex="^true_").to_numpy().argmax(axis=1)
        for baseline in BASELINES_OF_ONE_GENRE:
            theirs = 100.0 * (baseline_predictions[network][baseline].argmax(axis=1) == truth)
            shares = {"accuracy": hits.mean(), "baseline_accuracy": theirs.mean()}
            lines.append(
                {"network": network, "baseline": baseline} | shares | _gain(theirs, hits, predicted["imdb_id"])
            )
    return pd.DataFrame(lines, columns="network baseline accuracy baseline_accuracy difference low high".split())


def torn_table(predictions, splits, several_genres):
    """Accuracy on the test rows whose movie has a row in train too, and on comparable others.

    The row in train has another genre of the movie, so a network that has learned the poster by heart is wrong: where
    rows are split (section I.A of Zavala et al.), the leak lowers the score. The others are the rows of movies with
    several genres, too: movies of one genre are never torn, and easier.

    Args:
        predictions: As in `unfreezing_table`.
        splits: Dictionary with the same keys: the run folder's split.csv, with the columns `imdb_id` and `part`.
        several_genres: imdb_ids of the movies with two or more of the genres.

    Returns:
        DataFrame, one row a run: `experiment`, `run`, `torn_rows`, `torn_accuracy`, `other_rows`, `other_accuracy`;
        accuracies in percent. Runs without such rows are left out.
    """
    lines = []
    for (experiment, run), predicted in predictions.items():
        split = splits[experiment, run]
        torn = predicted["imdb_id"].isin(split.loc[split["part"] == "train", "imdb_id"]).to_numpy()
        other = predicted["imdb_id"].isin(set(several_genres)).to_numpy() & ~torn
        if torn.any() and other.any():
            hits = 100 * _hits(predicted)
            lines.append((experiment, run, torn.sum(), hits[torn].mean(), other.sum(), hits[other].mean()))
    return pd.DataFrame(lines, columns="experiment run torn_rows torn_accuracy other_rows other_accuracy".split())


def _described(results):
    """Results with the columns of `_SETTING`, and `backbone`: "frozen" or "unfrozen"."""
    size = results["image_width"].astype(str) + "×" + results["image_height"].astype(str)
    pixels = _column(results, "model_args_pixel_range", "-1|1").str.replace("|", "..", regex=False)
    unfrozen = _column(results, "fine_tune_epochs", 0) > 0
    return results.assign(
        image_size=size,
        pixels=pixels,
        dropout=_column(results, "model_args_dropout", 0.0).astype(float),
        backbone=unfrozen.map({True: "unfrozen", False: "frozen"}),
    )


def _column(results, name, default):
    """A column that only some configs have, with the default where it is missing."""
    return results[name].fillna(default) if name in results else pd.Series(default, index=results.index)


def _hits(predictions):
    """float64 array: 1 where the most probable genre is the row's own."""
    top = predictions.filter(regex="^probability_").to_numpy().argmax(axis=1)
    return (predictions.filter(regex="^true_").to_numpy().argmax(axis=1) == top).astype("float64")


def _difference(before, after):
    rows = ["imdb_id", *(name for name in before if name.startswith("true_"))]
    if not before[rows].equals(after[rows]):
        raise ValueError("Both networks must have predicted the same rows. Received: other movies or genres.")
    frozen, unfrozen = 100 * _hits(before), 100 * _hits(after)
    shares = {"frozen": frozen.mean(), "unfrozen": unfrozen.mean()}
    return shares | _gain(frozen, unfrozen, before["imdb_id"]) | {"num_test": len(before)}


def _gain(before, after, movies):
    """Mean difference of two scores of the same rows, and its 95% interval over resampled movies."""
    gain = (after - before)[:, None]
    low, high = metrics.bootstrap_interval(
        lambda _, resampled: float(resampled.mean()), np.ones_like(gain), gain, groups=movies.to_numpy()
    )
    return {"difference": gain.mean(), "low": low, "high": high}
