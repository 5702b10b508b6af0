"""Paper 4's results as tables: what crops do to the genres, accuracy beside paper and baselines, genre by genre."""

import numpy as np
import pandas as pd

from poster_cnn.metrics import baselines
from poster_cnn.metrics.scores import top_n_accuracy_by_genre
from poster_cnn.movies.genres import encode_genres
from poster_cnn.results.collect import genres_of
from poster_cnn.results.tables import in_percent

ALL = "All"  # the row of totals, where an image of several genres counts once
PRINTED_ROWS = {"densenet121,as_printed": "DenseNet", "custom,as_printed": "Custom CNN"}  # set_name -> the paper's row
_SETTING = ["variant", "network", "setting"]


def crop_counts(before, after, class_names):
    """How many images each genre has before and after crops are added (paper 4, section "Data", both figures).

    Args:
        before: Movie table, one row a poster.
        after: The same with crops, as from `crops.balance_by_crops`.
        class_names: Genres, in label order.

    Returns:
        DataFrame, the most frequent genre first and "All" last, where an image of several genres counts once: `genre`
        (str), `posters` (int, before), `images` (int, after), `crops` (int, what was added).

    Example:

    >>> crop_counts(table, balance_by_crops(table, class_names), class_names)
    """
    counts = pd.DataFrame({"genre": list(class_names)})
    for name, table in (("posters", before), ("images", after)):
        counts[name] = encode_genres(table, class_names).sum(axis=0).astype(int)
    counts = counts.sort_values("posters", ascending=False, kind="stable")
    total = pd.DataFrame({"genre": [ALL], "posters": [len(before)], "images": [len(after)]})
    counts = pd.concat([counts, total], ignore_index=True)
    return counts.assign(crops=counts["images"] - counts["posters"])


def total_table(counts, results, published):
    """Numbers of posters and images, ours beside the paper's (sections "Data" and "Modified DenseNet-121").

    Args:
        counts: DataFrame from `crop_counts` of the faithful protocol: crops before the split.
        results: DataFrame from `collect_results` or `read_results` of the same; the first run counts.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame: `count` ("posters", "images", "train" or "test", both images), `ours` and `paper` (int).
    """
    total, run = counts[counts["genre"] == ALL].iloc[0], results.iloc[0]
    ours = {"posters": total["posters"], "images": total["images"], "train": run["num_train"], "test": run["num_test"]}
    printed = published[published["metric"] == "count"]
    names = printed["row"].where(printed["row"] != "all", printed["column"])
    theirs = dict(zip(names, printed["value"], strict=True))
    lines = [(name, int(number), int(theirs[name])) for name, number in ours.items()]
    return pd.DataFrame(lines, columns=["count", "ours", "paper"])


def accuracy_table(results, published):
    """The paper's table (section "Model Accuracy"): the share of n true genres among the n most probable ones.

    Args:
        results: DataFrame from `collect_results` or `read_results` with the metric `top_n_accuracy`, and
            `average_precision` if it is to be in the table; several tables are stacked with `results.stack`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a run, sorted by its first columns: `variant`; `network` and `setting` (str, what stands
        before and after the first comma of the set's name); `pretrained` ("yes" or "no"), `image_size` (width×height),
        `epochs`, `learning_rate`, `batch_size`; top-n accuracy in percent as `ours`, `low` and `high` (95% interval),
        `paper` (for faithful runs of the paper's networks and settings) and that of the baselines that `results` has:
        `majority`, `label_prior` (genres ranked by frequency), `color_histogram`; macro average precision in percent as
        `average_precision` and `label_prior_average_precision`; `num_test` (images), `device`. A network of the paper
        without a run has a row, too, whose scores are missing.
    """
    runs = _described(results)
    setting = [*_SETTING, "pretrained", "image_size", "epochs", "learning_rate", "batch_size"]
    scores = in_percent(results, "top_n_accuracy")
    scores.insert(scores.columns.get_loc("high") + 1, "paper", _printed(runs, published))
    precision = in_percent(results, "average_precision", baselines=("label_prior",))
    names = {"ours": "average_precision", "label_prior": "label_prior_average_precision"}
    precision = precision.rename(columns=names).drop(columns=["low", "high"], errors="ignore")
    table = runs[setting].join(scores).join(precision).join(runs[["num_test", "device"]])
    absent = [name for name in PRINTED_ROWS if name not in set(runs.loc[runs["variant"] == "faithful", "set_name"])]
    absent = _described(pd.DataFrame({"variant": "faithful", "set_name": absent}, dtype=str))
    absent = absent.assign(paper=_printed(absent, published)).drop(columns="set_name")
    table = pd.concat([absent, table], ignore_index=True)[list(table)] if len(absent) else table
    table = table.astype(dict.fromkeys(("epochs", "batch_size", "num_test"), "Int64"))
    return table.sort_values(["variant", "network", "setting"], kind="stable", ignore_index=True)


def accuracy_cells(table):
    """The runs of an `accuracy_table` as `figures.comparison_dots` draws them, with rows="panel", columns="network".

    Args:
        table: DataFrame from `accuracy_table`.

    Returns:
        DataFrame: `table` with `panel` (the variant), `network` (its name and setting, in lines) and `metric`.
    """
    networks = table["network"] + table["setting"].map(lambda setting: f",{setting}" if setting else "")
    networks = networks.str.replace("[,_]", "\n", regex=True)
    return table.assign(panel=table["variant"].str.replace("_", "-"), network=networks, metric="top_n_accuracy")


def epoch_table(history, published):
    """Accuracy of the test images after the last epoch, the best one, and on average over all of them.

    The paper's table is captioned "over all epochs" (section "Model Accuracy"): `mean` is what its numbers may be.

    Args:
        history: DataFrame from `collect_history` of runs without a validation part.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a run: `variant`, `network`, `setting`; top-n accuracy in percent as `last`, `best` and
        `mean`; `paper` where it has such a run.
    """
    runs = history.sort_values("epoch").groupby(["variant", "set_name", "run"], sort=False)["val_top_n_accuracy"]
    table = 100 * runs.agg(["last", "max", "mean"]).rename(columns={"max": "best"})
    table = _described(table.reset_index())
    table["paper"] = _printed(table, published)
    return table[[*_SETTING, "last", "best", "mean", "paper"]]


def genre_accuracy(results, predictions, splits):
    """For each genre, how often it is among the n most probable genres of the test images that have it.

    Args:
        results: DataFrame from `collect_results`.
        predictions: Dictionary from `(experiment, run)` to the run's predictions, as `results.read_predictions` gives
            them.
        splits: Dictionary with the same keys: the run folder's split.csv, with the column `part` and one for each
            genre.

    Returns:
        DataFrame, one row a run and genre in label order: `experiment`, `run`, `variant`, `network` and `setting` as in
        `accuracy_table`, `genre`, `test_images` (int), and in percent `accuracy` and `label_prior`: the same for
        ranking genres by their frequency in train. Genres without a test image are left out.
    """
    tables = []
    for run in _described(results).to_dict("records"):
        predicted, split = (of[run["experiment"], run["run"]] for of in (predictions, splits))
        genres, y_true, y_prob = _arrays(predicted)
        prior = baselines.label_prior(split.loc[split["part"] == "train", genres].to_numpy(), len(y_true))
        scores = {"accuracy": y_prob, "label_prior": prior}
        scores = {name: 100 * top_n_accuracy_by_genre(y_true, ranked) for name, ranked in scores.items()}
        about = {name: run[name] for name in ("experiment", "run", *_SETTING)}
        tables.append(pd.DataFrame(about | {"genre": genres, "test_images": y_true.sum(axis=0)} | scores))
    return pd.concat(tables).dropna(ignore_index=True)


def chance_table(by_genre, results, published):
    """What accuracy without a look at the posters is, beside the paper's 5% (section "Discussion").

    A random ranking has each of an image's n true genres among the first n of N with probability n/N, so its accuracy
    grows with n. The paper's chance shrinks: 1/N, to the power of n, as if only finding all of them counted.

    Args:
        by_genre: DataFrame from `genre_accuracy`.
        results: DataFrame from `collect_results` or `read_results`; the first run of each variant counts.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a variant: `variant`, `num_classes` (int), `genres_per_image` (of the test images); top-n
        accuracy in percent as `paper` (chance as printed), `random_ranking` and `label_prior` (genres ranked by
        frequency); `num_test` (images).
    """
    printed = published[(published["column"] == "chance") & (published["row"] == "1")]["value"].iloc[0]
    lines = []
    for run in results.drop_duplicates("variant").to_dict("records"):
        genres = by_genre[(by_genre["experiment"] == run["experiment"]) & (by_genre["run"] == run["run"])]
        per_image = genres["test_images"].sum() / run["num_test"]
        prior = 100 * run["label_prior_top_n_accuracy"]
        num_classes = len(run["class_names"].split("|"))
        random = 100 * per_image / num_classes
        lines.append((run["variant"], num_classes, per_image, printed, random, prior, run["num_test"]))
    columns = "variant num_classes genres_per_image paper random_ranking label_prior num_test".split()
    return pd.DataFrame(lines, columns=columns)


def output_table(results, predictions):
    """What a network's outputs look like: whether they still differ between test images, and are 0 or 1 throughout.

    Args:
        results: DataFrame from `collect_results`.
        predictions: As in `genre_accuracy`.

    Returns:
        DataFrame, one row a run: `variant`, `network`, `setting`; `mean_probability` and `true_share`, the mean of the
        outputs and of the labels; in percent `saturated` (outputs within 1e-6 of 0 or 1, which rank by label order
        where they are equal) and `same_ranking` (images with the most frequent order of all genres); `genres_named`
        (int, those among the n most probable ones of any image).
    """
    lines = []
    for run in _described(results).to_dict("records"):
        _, y_true, y_prob = _arrays(predictions[run["experiment"], run["run"]])
        order = np.argsort(-y_prob, axis=1, kind="stable")
        _, repeats = np.unique(order, axis=0, return_counts=True)
        among_top_n = np.arange(y_true.shape[1]) < y_true.sum(axis=1, keepdims=True)
        saturated = np.minimum(y_prob, 1 - y_prob) < 1e-6
        numbers = y_prob.mean(), y_true.mean(), 100 * saturated.mean(), 100 * repeats.max() / len(order)
        lines.append((*(run[name] for name in _SETTING), *numbers, len(np.unique(order[among_top_n]))))
    measured = "mean_probability true_share saturated same_ranking genres_named".split()
    return pd.DataFrame(lines, columns=[*_SETTING, *measured])


def _described(results):
    """Results with `network`, `setting`, and where they tell `image_size` and `pretrained`."""
    names = results["set_name"].str
    results = results.assign(
        network=names.replace(",.*", "", regex=True), setting=names.replace("^[^,]*,?", "", regex=True)
    )
    if "image_width" not in results:
        return results
    size = results["image_width"].astype(str) + "×" + results["image_height"].astype(str)
    weights = results.reindex(columns=["model_args_weights", "weights_file"])  # asked for, or brought by the data
    return results.assign(image_size=size, pretrained=weights.notna().any(axis=1).map({True: "yes", False: "no"}))


def _printed(runs, published):
    """The paper's accuracy of each run that is faithful to it."""
    printed = published[(published["table"] == "Model Accuracy") & (published["metric"] == "top_n_accuracy")]
    theirs = runs["set_name"].map(PRINTED_ROWS).map(printed.set_index("row")["value"])
    return theirs.where(runs["variant"] == "faithful")


def _arrays(predictions):
    """Genres in label order, labels and probabilities `(num_images, num_classes)` of a run's predictions."""
    genres = genres_of(predictions)
    labels = predictions[[f"true_{genre}" for genre in genres]].to_numpy()
    return genres, labels, predictions[[f"probability_{genre}" for genre in genres]].to_numpy()
