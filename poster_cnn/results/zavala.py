"""A pretrained backbone, frozen and unfrozen, as in paper 3: its scores, and by how much they differ."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from poster_cnn import metrics
from poster_cnn.movies.genres import best_accuracy, encode_genres, integer_labels
from poster_cnn.movies.splits import PARTS
from poster_cnn.results.tables import BASELINES_OF_ONE_GENRE, in_percent, label

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


def encoding_table(rows, class_names):
    """Both encodings of a row's genre (Fig. 4 and Table 5 of Zavala et al., sections I.A and III.C).

    Args:
        rows: Result of `rows.explode_genres`, or any table whose `genres` are lists of one genre; with a column `title`
            for the first column.
        class_names: Genres, in label order.

    Returns:
        DataFrame, one row a row: `title` (str, if `rows` has it), `genre` (str), `integer` (int), and the one-hot
        encoding: a column of 0 and 1 for each genre.

    Raises:
        ValueError: If a row has not exactly one of the genres.

    Example:

    >>> encoding_table(pd.DataFrame({"genres": [["Horror"], ["Drama"]]}), ["Drama", "Horror"])
        genre  integer  Drama  Horror
    0  Horror        1      0       1
    1   Drama        0      1       0
    """
    integers = integer_labels(rows, class_names)
    titles = {"title": rows["title"].to_numpy()} if "title" in rows else {}
    genres = [class_names[number] for number in integers]
    one_hot = pd.DataFrame(encode_genres(rows, class_names).astype(int), columns=list(class_names))
    return pd.DataFrame(titles | {"genre": genres, "integer": integers}).join(one_hot)


def split_table(parts):
    """What a split does to movies that have several rows, and the accuracy that nothing can exceed there.

    A movie in three classes is right once, whatever a network says that sees only the poster; see
    `rows.best_accuracy`.

    Args:
        parts: Dictionary from a split's name to a DataFrame with the columns `imdb_id` and `part`, a row a row, such as
            a run folder's split.csv.

    Returns:
        DataFrame, one row a split and part: `split`, `part`, `rows`, `movies`, `movies_in_train` (of these movies, how
        many have a row in train too; 0 for train itself), `best_accuracy` (percent).
    """
    lines = []
    for name, rows in parts.items():
        in_train = set(rows.loc[rows["part"] == "train", "imdb_id"])
        for part in PARTS:
            chosen = rows[rows["part"] == part]
            movies = set(chosen["imdb_id"])
            torn = len(movies & in_train) if part != "train" else 0
            lines.append((name, part, len(chosen), len(movies), torn, 100 * best_accuracy(chosen)))
    return pd.DataFrame(lines, columns="split part rows movies movies_in_train best_accuracy".split())


def leak_table(results):
    """How many rows of each part have their poster, or a copy of it, in another part: one row a variant and two parts.

    Args:
        results: DataFrame from `collect_results` or `read_results`; the first run of each variant counts.

    Returns:
        DataFrame, without the parts that a split has not: `variant`, `part`, `copies_in` (the other part), `rows` (int,
        those of `part` that leak), `percent` (of the part's rows).
    """
    lines = []
    for run in results.drop_duplicates("variant").to_dict("records"):
        for part, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
            leak = f"leak_{part}_in_{other}"
            if pd.isna(run.get(f"{leak}_posters")):  # no validation part (papers 2 and 4)
                continue
            lines.append((run["variant"], part, other, int(run[f"{leak}_posters"]), 100 * run[f"{leak}_fraction"]))
    return pd.DataFrame(lines, columns="variant part copies_in rows percent".split())


def parameter_table(counts, published):
    """Fig. 5 of Zavala et al. (section II.A): numbers of parameters, ours beside the paper's.

    Args:
        counts: Dictionary of our numbers: `total`, `trainable`, `non_trainable`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a number: `parameters` (str), `ours` (int), `paper` (Int64) and `same` (bool).
    """
    printed = published[published["table"] == "Figure 5"].set_index("row")["value"]
    table = pd.DataFrame({"parameters": list(counts), "ours": list(counts.values())})
    table["paper"] = table["parameters"].map(printed).astype("Int64")
    return table.assign(same=table["ours"].eq(table["paper"]).fillna(False).astype(bool))


def element_wise_table(results, published):
    """The paper's 72.24% beside what it must beat (section III.C of Zavala et al.), in percent.

    Args:
        results: DataFrame from `collect_results` or `read_results` of the one-hot sigmoid networks.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a network, by variant and learning rate: `variant`, `network`, `learning_rate`;
        `element_wise`, its 95% interval `element_wise_low` and `element_wise_high`, `paper`, `all_zeros` (predicting
        nothing); `six_class` (argmax) with `six_class_low`, `six_class_high`, `majority`, `color_histogram`; `num_test`
        (rows).
    """
    networks = results["set_name"].rename("network")
    table = pd.concat([results["variant"], networks, results["learning_rate"]], axis=1)
    element_wise = in_percent(results, "label_accuracy", baselines=("all_zeros",))
    six_class = in_percent(results, "first_label_accuracy", baselines=BASELINES_OF_ONE_GENRE)
    printed = published[(published["table"] == "Section III.C") & (published["metric"] == "label_accuracy")]
    printed = networks.where(results["variant"] == "faithful").map(printed.set_index("row")["value"])
    element_wise.insert(element_wise.columns.get_loc("high") + 1, "paper", printed)
    for part, name in ((element_wise, "element_wise"), (six_class, "six_class")):
        table = table.join(part.rename(columns={"ours": name, "low": f"{name}_low", "high": f"{name}_high"}))
    table = table.assign(num_test=results["num_test"])
    return table.sort_values(["variant", "learning_rate", "network"], ignore_index=True)


HYPERPARAMETERS = ("learning_rate", "dropout", "filters_1", "filters_2", "dense_units")
_METRIC = "first_label_accuracy"


def cross_validation_table(results, *, baselines=BASELINES_OF_ONE_GENRE):
    """Mean and spread of the accuracy over the folds of each set of hyperparameters (section III.B of Zavala et al.).

    Args:
        results: DataFrame from `collect_results` or `read_results`, one row a set and fold, with the column
            `validation_first_label_accuracy`.
        baselines: Baselines to set beside, as they score on the test rows. Defaults to the majority class and the color
            histogram with logistic regression.

    Returns:
        DataFrame, one row a set in the order of `results`: `experiment`, `set`, `learning_rate`, `dropout`,
        `filters_1`, `filters_2`, `dense_units`, `batch_norm` (bool), `folds` (number of runs); in percent `accuracy`
        and `std` (mean and standard deviation of a sample, over the folds), `test` (mean on the test rows), a column
        for each baseline.

    Raises:
        ValueError: If `results` is empty or lacks the accuracy on the held-out folds.
    """
    if results.empty or f"validation_{_METRIC}" not in results:
        raise ValueError(
            f"`results` must have runs with the column 'validation_{_METRIC}', as cross-validation gives them. "
            f"Received: {len(results)} runs, columns={list(results.columns)}"
        )
    results = results.reset_index(drop=True)
    names = pd.DataFrame({"experiment": results["experiment"], "set": results["set_name"].fillna("")})
    # By all that is drawn, too: runs without names are several sets.
    drawn = names.join(_hyperparameters(results))
    scores = {"accuracy": f"validation_{_METRIC}", "test": _METRIC}
    scores |= {name: f"{name}_{_METRIC}" for name in baselines if f"{name}_{_METRIC}" in results}
    percent = pd.DataFrame({name: 100 * results[column] for name, column in scores.items()})
    folds = drawn.join(percent).groupby(list(drawn), sort=False)
    table = folds.mean()
    table.insert(0, "folds", folds.size())
    table.insert(2, "std", folds["accuracy"].std())
    return table.reset_index()


def beside_printed_sets(scores, published, table):
    """Tables 3 and 4 of Zavala et al.: the printed hyperparameters, with the accuracies that the paper leaves out.

    Sets are found by their hyperparameters, so a score stands beside a printed set only if it belongs to it.

    Args:
        scores: DataFrame from `cross_validation_table`.
        published: DataFrame from `read_published`.
        table: "Table 3" or "Table 4".

    Returns:
        DataFrame, one row a printed set in the paper's order: `set` (int), the five hyperparameters, then what `scores`
        has beside them; missing where we have no run of the set.

    Raises:
        ValueError: If `published` has no such table.
    """
    cells = published[(published["table"] == table) & (published["metric"] == "hyperparameter")]
    if cells.empty:
        known = sorted(published.loc[published["metric"] == "hyperparameter", "table"].unique())
        raise ValueError(f"`table` must be one of {known}. Received: table={table!r}")
    printed = cells.pivot(index="row", columns="column", values="value").reset_index(names="set")
    printed = printed.astype({"set": int}).sort_values("set", ignore_index=True)
    printed = printed[["set", *HYPERPARAMETERS]].rename_axis(columns=None)
    ours = scores.drop(columns=["experiment", "set", "batch_norm"]).astype(dict.fromkeys(HYPERPARAMETERS, float))
    merged = printed.merge(ours, on=list(HYPERPARAMETERS), how="left")
    return merged.astype(dict.fromkeys(("filters_1", "filters_2", "dense_units"), int) | {"folds": "Int64"})


def rank_correlations(scores, *, hyperparameters=HYPERPARAMETERS):
    """How a search's accuracy goes with each hyperparameter: Spearman's rank correlation, over the draws.

    Args:
        scores: DataFrame from `cross_validation_table`.
        hyperparameters: Columns of `scores`. Defaults to the five of paper 3.

    Returns:
        DataFrame, one row a hyperparameter, the strongest first: `hyperparameter`, `draws` (int), `correlation` (-1..1)
        and `p_value`; both missing with fewer than three draws, or where all draws have one value.
    """
    rows = []
    for name in hyperparameters:
        drawn = scores[[name, "accuracy"]].dropna()
        found = (float("nan"), float("nan"))
        if len(drawn) > 2 and (drawn.nunique() > 1).all():
            found = spearmanr(drawn[name], drawn["accuracy"])
        rows.append((name, len(drawn), *map(float, found)))
    table = pd.DataFrame(rows, columns=["hyperparameter", "draws", "correlation", "p_value"])
    return table.sort_values("correlation", key=abs, ascending=False, kind="stable", ignore_index=True)


def _hyperparameters(results):
    """The config's columns as numbers under the names of `HYPERPARAMETERS`: filters "10|30" become 10 and 30."""
    filters = results["model_args_filters"].str.split("|", expand=True).astype(int)
    batch_norm = results.get("model_args_batch_norm", pd.Series(False, index=results.index))
    return pd.DataFrame(
        {
            "learning_rate": results["learning_rate"],
            "dropout": results["model_args_dropout"].astype(float),
            "filters_1": filters[0],
            "filters_2": filters[1],
            "dense_units": results["model_args_dense_units"],
            "batch_norm": batch_norm.eq(True),
        }
    )
