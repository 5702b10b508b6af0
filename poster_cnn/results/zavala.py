"""Tables of paper 3: splits and leaks, MobileNetV2 frozen and unfrozen, and the one-hot sigmoid networks."""

import numpy as np
import pandas as pd

from poster_cnn.metrics.intervals import paired_difference_interval
from poster_cnn.metrics.scores import first_label_accuracy
from poster_cnn.movies.genres import best_accuracy, encode_genres, genre_counts, integer_labels, limit_per_genre
from poster_cnn.movies.splits import PARTS
from poster_cnn.results import tables
from poster_cnn.results.collect import prediction_arrays
from poster_cnn.results.tables import BASELINES_OF_ONE_GENRE, epoch_spread, image_sizes, in_percent, label

_SETTING = ["variant", "image_size", "pixels", "dropout", "learning_rate"]
_CURVES = ("accuracy", "val_accuracy", "loss", "val_loss")


def encoding_table(rows, class_names):
    """Show both encodings of each row's genre, integer and one-hot (Fig. 4 and Table 5 of Zavala et al.).

    Args:
        rows: Result of `genres.explode_genres`, or any table whose `genres` are lists of one genre; optionally with a
            column `title`.
        class_names: Genres, in label order.

    Returns:
        DataFrame with the rows of `rows`: `title` (str, if `rows` has it), `genre` (str), `integer` (int), and a column
        of 0 and 1 for each genre.

    Raises:
        ValueError: If a row does not have exactly one of the genres.

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


def row_counts(rows, class_names, max_per_genre):
    """Return the number of rows per genre before and after sampling (Figs. 2 and 3 of Zavala et al., section I.A).

    Args:
        rows: Result of `explode_genres`.
        class_names: Genres.
        max_per_genre: Maximum number of rows per genre; see `limit_per_genre`.

    Returns:
        DataFrame over the genres, most frequent first: `all_rows` and `sampled`, int.
    """
    sampled = genre_counts(limit_per_genre(rows, class_names, max_per_genre, seed=0))
    return genre_counts(rows).to_frame("all_rows").assign(sampled=sampled)


def split_table(parts):
    """Count rows and movies of each part, the movies shared with train, and the upper bound on the accuracy.

    A movie with rows in three classes can be right in one of them only; see `genres.best_accuracy`.

    Args:
        parts: Dictionary from a split's name to a DataFrame with the columns `imdb_id` and `part`, such as a run
            folder's split.csv.

    Returns:
        DataFrame, one row per split and part: `split`, `part`, `rows`, `movies`, `movies_in_train` (movies that have a
        row in train too; 0 for train itself), `best_accuracy` (percent).
    """
    lines = []
    for name, rows in parts.items():
        in_train = set(rows.loc[rows["part"] == "train", "imdb_id"])
        for part in PARTS:
            chosen = rows[rows["part"] == part]
            movies = set(chosen["imdb_id"])
            shared = len(movies & in_train) if part != "train" else 0
            lines.append((name, part, len(chosen), len(movies), shared, 100 * best_accuracy(chosen)))
    return pd.DataFrame(lines, columns="split part rows movies movies_in_train best_accuracy".split())


def leak_table(results):
    """Count the rows of each part whose poster, or a copy of it, is in another part.

    Args:
        results: DataFrame from `collect_results` or `read_results`; the first run of each variant counts.

    Returns:
        DataFrame, one row per variant and pair of existing parts: `variant`, `part`, `copies_in` (the other part),
        `rows` (int, leaking rows of `part`), `percent` (of the part's rows).
    """
    lines = []
    for run in results.drop_duplicates("variant").to_dict("records"):
        for part, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
            leak = f"leak_{part}_in_{other}"
            if pd.notna(run.get(f"{leak}_posters")):  # papers 2 and 4 have no validation part
                lines.append((run["variant"], part, other, int(run[f"{leak}_posters"]), 100 * run[f"{leak}_fraction"]))
    return pd.DataFrame(lines, columns="variant part copies_in rows percent".split())


def parameter_table(counts, published):
    """Compare our numbers of parameters with the paper's (Fig. 5 of Zavala et al., section II.A).

    Args:
        counts: Dictionary with our numbers: `total`, `trainable`, `non_trainable`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row per number: `parameters` (str), `ours` (int), `paper` (Int64) and `same` (bool).
    """
    printed = published[published["table"] == "Figure 5"].set_index("row")["value"]
    table = pd.DataFrame({"parameters": list(counts), "ours": list(counts.values())})
    table["paper"] = table["parameters"].map(printed).astype("Int64")
    return table.assign(same=table["ours"].eq(table["paper"]).fillna(False).astype(bool))


def transfer_table(results, published, history=None):
    """Compare MobileNetV2 frozen and unfrozen with the paper and the baselines (Zavala et al., section III.A).

    Args:
        results: DataFrame from `collect_results` or `read_results`.
        published: DataFrame from `read_published`.
        history: DataFrame from `collect_history` of the same runs. Defaults to `None`: without the spread over epochs.

    Returns:
        DataFrame, one row per run: `variant`, `image_size` (width×height), `pixels` (range after scaling), `dropout`,
        `learning_rate` (of the head), `weights` (see `tables.initial_weights`), `backbone` ("frozen" or "unfrozen");
        six-class accuracy in percent as `ours`, `low` and `high` (95% interval), `epochs_low` and `epochs_high` (range
        of the validation accuracy over the last five epochs), `paper`, `chance`, `majority` and `color_histogram`;
        `movie_hit_at_1` and the same with the prefix `movie_`: the share of movies, each counted once, whose top genre
        is any of their own; `num_test` (rows).
    """
    baselines = ("chance", *BASELINES_OF_ONE_GENRE)
    scores = in_percent(results, "first_label_accuracy", baselines=baselines)
    table = _with_settings(results)[[*_SETTING, "weights", "backbone"]].join(scores)
    printed = published[(published["table"] == "Section III.A") & (published["column"] == "test")].iloc[0]["value"]
    in_paper = (table["variant"] == "faithful") & (table["backbone"] == "unfrozen")
    table.insert(table.columns.get_loc("high") + 1, "paper", in_paper.map({True: printed, False: np.nan}))
    if history is not None:
        spread = epoch_spread(history, "val_accuracy")
        spread = results[["experiment", "run"]].join(spread, on=["experiment", "run"])
        for name in ("epochs_high", "epochs_low"):
            table.insert(table.columns.get_loc("high") + 1, name, spread[name])
    by_movie = in_percent(results, "movie_hit_at_1", baselines=baselines).add_prefix("movie_")
    table = table.join(by_movie.rename(columns={"movie_ours": "movie_hit_at_1"}))
    return table.assign(num_test=results["num_test"])


def transfer_cells(table):
    """Prepare the runs of a `transfer_table` for `figures.comparison_dots` with rows="panel".

    Args:
        table: DataFrame from `transfer_table`.

    Returns:
        DataFrame: `table` with `panel` (variant, image size, scaling and dropout), `learning_rate` as text, with
        "unfrozen" on a second line, and `metric`; the first of several runs with the same panel and learning rate.
    """
    dropout = table["dropout"].map(lambda share: f"\ndropout {share:g}" if share else "\nno dropout")
    panels = table["variant"] + "\n" + table["image_size"] + ", pixels " + table["pixels"] + dropout
    rates = table["learning_rate"].map(label) + table["backbone"].map({"frozen": "", "unfrozen": "\nunfrozen"})
    cells = table.assign(panel=panels, learning_rate=rates, metric="six_class_accuracy")
    return cells.drop_duplicates(["panel", "learning_rate"], ignore_index=True)


def unfreezing_curves(history):
    """Compare the last epoch before unfreezing with the last one after it (Fig. 7 of Zavala et al., section III.A).

    Args:
        history: DataFrame from `collect_history` with a column `trainable_backbone`.

    Returns:
        DataFrame, one row per run and curve: `variant`, `run`, `metric`, `frozen`, `unfrozen`, `difference` (unfrozen
        minus frozen); accuracies in percent. Runs that were never unfrozen are skipped.
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
    """Compare the six-class accuracy of each unfrozen network with the same network before unfreezing.

    A pair has the same setting, rows, seed, precision and number of epochs with a frozen backbone; the unfrozen network
    was then trained for further epochs.

    Args:
        results: DataFrame from `collect_results`, frozen and unfrozen runs.
        predictions: Dictionary from `(experiment, run)` to the run's predictions from `read_predictions`.

    Returns:
        DataFrame, one row per pair, possibly empty: the setting as in `transfer_table`; in percent `frozen`,
        `unfrozen`, `difference` (in points) and its paired 95% interval `low` and `high`; `num_test` (rows).

    Raises:
        ValueError: If the predictions of a pair are of different rows.
    """
    runs = _with_settings(results)
    frozen, unfrozen = (runs[runs["backbone"] == backbone] for backbone in ("frozen", "unfrozen"))
    keys = [*_SETTING, "epochs", "seed", "batch_size", "precision", "data_fingerprint"]
    pairs = frozen.merge(unfrozen, on=keys, suffixes=("_frozen", "_unfrozen"))
    lines = []
    for pair in pairs.to_dict("records"):
        before, after = (
            predictions[pair[f"experiment_{name}"], pair[f"run_{name}"]] for name in ("frozen", "unfrozen")
        )
        rows = ["imdb_id", *(name for name in before if name.startswith("true_"))]
        if not before[rows].equals(after[rows]):
            raise ValueError("Both networks must have predicted the same rows. Received: other movies or genres.")
        theirs, ours, gain = _gain(after, prediction_arrays(before)[2])
        setting = {name: pair[name] for name in _SETTING} | {"frozen": theirs, "unfrozen": ours}
        lines.append(setting | gain | {"num_test": len(before)})
    return pd.DataFrame(lines, columns=_SETTING + "frozen unfrozen difference low high num_test".split())


def margin_table(predictions, baseline_predictions):
    """Compute the margin of each network over the baselines in six-class accuracy on the same test rows.

    Args:
        predictions: Dictionary from a network's name to its predictions from `read_predictions`.
        baseline_predictions: Dictionary with the same keys, from a baseline's name to its array of predictions; see
            `TrainingData.baseline_predictions`.

    Returns:
        DataFrame, one row per network and baseline: `network`, `baseline`; in percent `accuracy`, `baseline_accuracy`,
        `difference` (in points) and its paired 95% interval `low` and `high`.
    """
    lines = []
    for network, predicted in predictions.items():
        for baseline in BASELINES_OF_ONE_GENRE:
            theirs, ours, gain = _gain(predicted, baseline_predictions[network][baseline])
            shares = {"accuracy": ours, "baseline_accuracy": theirs}
            lines.append({"network": network, "baseline": baseline} | shares | gain)
    return pd.DataFrame(lines, columns="network baseline accuracy baseline_accuracy difference low high".split())


def _gain(predictions, other_prob):
    """Accuracy of `other_prob`, accuracy of `predictions`, and their difference with its interval, in percent."""
    _, y_true, y_prob = prediction_arrays(predictions)
    theirs, ours = (100 * first_label_accuracy(y_true, scores) for scores in (other_prob, y_prob))
    groups = predictions["imdb_id"].to_numpy()
    low, high = paired_difference_interval(first_label_accuracy, y_true, y_prob, other_prob, groups=groups)
    return theirs, ours, {"difference": ours - theirs, "low": 100 * low, "high": 100 * high}


def torn_table(predictions, splits, several_genres):
    """Compare the accuracy on test rows whose movie has a row in train with that on comparable other rows.

    The row in train has another genre of the movie, so a network that memorized the poster is wrong. If rows are split
    (Zavala et al., section I.A), the leak therefore lowers the score. The other rows also belong to movies of several
    genres, because movies of one genre are easier and never split.

    Args:
        predictions: As in `unfreezing_table`.
        splits: Dictionary with the same keys: the run folder's split.csv, with the columns `imdb_id` and `part`.
        several_genres: imdb_ids of the movies with two or more of the genres.

    Returns:
        DataFrame, one row per run with rows of both kinds: `experiment`, `run`, `torn_rows`, `torn_accuracy`,
        `other_rows`, `other_accuracy`; accuracies in percent.
    """
    lines = []
    for (experiment, run), predicted in predictions.items():
        split = splits[experiment, run]
        torn = predicted["imdb_id"].isin(split.loc[split["part"] == "train", "imdb_id"]).to_numpy()
        other = predicted["imdb_id"].isin(set(several_genres)).to_numpy() & ~torn
        if torn.any() and other.any():
            _, *arrays = prediction_arrays(predicted)
            accuracy = [100 * first_label_accuracy(*(array[rows] for array in arrays)) for rows in (torn, other)]
            lines.append((experiment, run, torn.sum(), accuracy[0], other.sum(), accuracy[1]))
    return pd.DataFrame(lines, columns="experiment run torn_rows torn_accuracy other_rows other_accuracy".split())


def element_wise_table(results, published):
    """Compare the printed 72.24% element-wise accuracy with ours and the baselines (Zavala et al., section III.C).

    Args:
        results: DataFrame from `collect_results` or `read_results` of the one-hot sigmoid networks.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row per network, sorted by variant and learning rate: `variant`, `network`, `learning_rate`; in
        percent `element_wise`, its 95% interval `element_wise_low` and `element_wise_high`, `paper`, `all_zeros`
        (predicting nothing); `six_class` (argmax) with `six_class_low`, `six_class_high`, `majority`,
        `color_histogram`; `num_test` (rows).
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


def _with_settings(results):
    """Results with the columns of `_SETTING`, `weights` and `backbone`."""
    unfrozen = _column(results, "fine_tune_epochs", 0) > 0
    return results.assign(
        image_size=image_sizes(results),
        pixels=_column(results, "model_args_pixel_range", "-1|1").str.replace("|", "..", regex=False),
        dropout=_column(results, "model_args_dropout", 0.0).astype(float),
        weights=tables.initial_weights(results),
        backbone=unfrozen.map({True: "unfrozen", False: "frozen"}),
    )


def _column(results, name, default):
    return results[name].fillna(default) if name in results else pd.Series(default, index=results.index)
