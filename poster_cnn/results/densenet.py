"""Tables of paper 4: numbers of crops, accuracy with the paper's numbers and the baselines, and accuracy by genre."""

import numpy as np
import pandas as pd

from poster_cnn.metrics import baselines
from poster_cnn.metrics.paired import holm, margins
from poster_cnn.metrics.scores import top_n_accuracy_by_genre
from poster_cnn.movies.genre_text import canonical_genre
from poster_cnn.movies.genres import encode_genres, genre_counts
from poster_cnn.results.collect import prediction_arrays, stack_predictions
from poster_cnn.results.tables import BASELINES, epoch_spread, image_sizes, in_percent, initial_weights, pretrained

ALL = "All"  # row of totals; an image of several genres counts once
PRINTED_ROWS = {"densenet121,as_printed": "DenseNet", "custom,as_printed": "Custom CNN"}  # set_name -> printed row
_SETTING = ["variant", "network", "setting"]


def crop_counts(before, after, class_names):
    """Count the images of each genre before and after adding crops (paper 4, section "Data", both figures).

    Args:
        before: Movie table, one row per poster.
        after: The same with crops, as from `crops.balance_by_crops`.
        class_names: Genres, in label order.

    Returns:
        DataFrame, the most frequent genre first and the total "All" last: `genre` (str), `posters` (int, before),
        `images` (int, after), `crops` (int, the difference).
    """
    counts = pd.DataFrame({"genre": list(class_names)})
    for name, table in (("posters", before), ("images", after)):
        counts[name] = encode_genres(table, class_names).sum(axis=0).astype(int)
    counts = counts.sort_values("posters", ascending=False, kind="stable")
    total = pd.DataFrame({"genre": [ALL], "posters": [len(before)], "images": [len(after)]})
    counts = pd.concat([counts, total], ignore_index=True)
    return counts.assign(crops=counts["images"] - counts["posters"])


def variant_crop_counts(data):
    """Return `crop_counts` of several variants, one below the other, with the column `variant`.

    Args:
        data: Dict of variant -> `TrainingData` with crops. Those of "faithful" are counted in all parts, the others in
            the training part.
    """
    tables = []
    for variant, of_variant in data.items():
        images = of_variant.table if variant == "faithful" else of_variant.part("train")
        counts = crop_counts(images.drop_duplicates("imdb_id"), images, of_variant.class_names)
        tables.append(counts.assign(variant=variant))
    return pd.concat(tables)


def merged_genre_counts(table, genre_groups):
    """Return the number of movies of each genre, and the genre that it is merged into (paper 4, section "Data").

    Args:
        table: Movie table.
        genre_groups: Dict of merged genre -> the genres that become it.

    Returns:
        DataFrame with a row per genre: `genre`, `movies` (int) and `counts_as`.
    """
    name_of = {canonical_genre(genre): name for name, genres in genre_groups.items() for genre in genres}
    counts = genre_counts(table).reset_index()
    return counts.assign(counts_as=counts["genre"].replace(name_of))


def total_table(counts, results, published):
    """Compare our numbers of posters and images with the paper's (sections "Data" and "Modified DenseNet-121").

    Args:
        counts: DataFrame from `crop_counts` of the faithful protocol, crops before the split.
        results: DataFrame from `collect_results` or `read_results` of the same; the first run counts.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame: `count` ("posters", "images", "train" or "test"), `ours` and `paper` (int).
    """
    total, run = counts[counts["genre"] == ALL].iloc[0], results.iloc[0]
    ours = {"posters": total["posters"], "images": total["images"], "train": run["num_train"], "test": run["num_test"]}
    printed = published[published["metric"] == "count"]
    names = printed["row"].where(printed["row"] != "all", printed["column"])
    theirs = dict(zip(names, printed["value"], strict=True))
    lines = [(name, int(number), int(theirs[name])) for name, number in ours.items()]
    return pd.DataFrame(lines, columns=["count", "ours", "paper"])


def accuracy_table(results, published, history=None):
    """Compare top-n accuracy of all runs with the paper's and the baselines' (section "Model Accuracy").

    Args:
        results: DataFrame from `collect_results` or `read_results` with the metric `top_n_accuracy`, and optionally
            `average_precision`.
        published: DataFrame from `read_published`.
        history: DataFrame from `collect_history` of the same runs. Defaults to `None`: without the spread over epochs.

    Returns:
        DataFrame, one row per run, sorted by its first columns: `variant`; `network` and `setting` (the parts of the
        set's name before and after the first comma); `pretrained` ("yes" or "no"), `weights` ("ImageNet",
        "posters", "random weights" or another start), `image_size` (width×height),
        `epochs`, `learning_rate`, `batch_size`; top-n accuracy in percent as `ours`, `low` and `high` (95% interval),
        `paper` (for faithful runs of the paper's networks) and that of random rankings (`chance`) and the baselines
        `majority`, `label_prior` and `color_histogram`; macro average precision in percent as `average_precision` and
        `label_prior_average_precision`; `num_test` (images), `device`; `epochs_low` and `epochs_high` (range of the
        accuracy over the last five epochs, on the validation movies or, without them, on the test images). A network of
        the paper without a run has a row with missing scores.
    """
    runs = _with_settings(results)
    setting = [*_SETTING, "pretrained", "weights", "image_size", "epochs", "learning_rate", "batch_size"]
    scores = in_percent(results, "top_n_accuracy", baselines=("chance", *BASELINES))
    scores.insert(scores.columns.get_loc("high") + 1, "paper", _printed(runs, published))
    precision = in_percent(results, "average_precision", baselines=("label_prior",))
    names = {"ours": "average_precision", "label_prior": "label_prior_average_precision"}
    precision = precision.rename(columns=names).drop(columns=["low", "high"], errors="ignore")
    table = runs[setting].join(scores).join(precision).join(runs[["num_test", "device"]])
    if history is not None:
        spread = epoch_spread(history, "val_top_n_accuracy")
        table = table.join(runs[["experiment", "run"]].join(spread, on=["experiment", "run"])[list(spread)])
    absent = [name for name in PRINTED_ROWS if name not in set(runs.loc[runs["variant"] == "faithful", "set_name"])]
    absent = _with_settings(pd.DataFrame({"variant": "faithful", "set_name": absent}, dtype=str))
    absent = absent.assign(paper=_printed(absent, published)).drop(columns="set_name")
    table = pd.concat([absent, table], ignore_index=True)[list(table)] if len(absent) else table
    table = table.astype(dict.fromkeys(("epochs", "batch_size", "num_test"), "Int64"))
    return table.sort_values(["variant", "network", "setting"], kind="stable", ignore_index=True)


def accuracy_cells(table):
    """Prepare the runs of an `accuracy_table` for `figures.comparison_dots` with rows="panel", columns="network".

    Args:
        table: DataFrame from `accuracy_table`.

    Returns:
        DataFrame: `table` with `panel` (the variant), `network` (multi-line name and setting) and `metric`.
    """
    networks = table["network"] + table["setting"].map(lambda setting: f",{setting}" if setting else "")
    networks = networks.str.replace(",", "\n")
    return table.assign(panel=table["variant"], network=networks, metric="top_n_accuracy")


def epoch_table(history, published):
    """Compare the test accuracy of the last epoch, the best epoch and the mean over all epochs.

    The paper's table is captioned "over all epochs" (section "Model Accuracy"), so its numbers may be the mean.

    Args:
        history: DataFrame from `collect_history` of runs without a validation part.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row per run: `variant`, `network`, `setting`; top-n accuracy in percent as `last`, `best` and
        `mean`; `paper` if it has the run.
    """
    runs = history.sort_values("epoch").groupby(["variant", "set_name", "run"], sort=False)["val_top_n_accuracy"]
    table = 100 * runs.agg(["last", "max", "mean"]).rename(columns={"max": "best"})
    table = _with_settings(table.reset_index())
    table["paper"] = _printed(table, published)
    return table[[*_SETTING, "last", "best", "mean", "paper"]]


def genre_accuracy(results, predictions, splits):
    """Compute for each genre how often it is among the n most probable genres of its test images.

    Args:
        results: DataFrame from `collect_results`.
        predictions: Dictionary from `(experiment, run)` to the run's predictions from `read_predictions`.
        splits: Dictionary with the same keys: the run folder's split.csv, with `part` and a column per genre.

    Returns:
        DataFrame, one row per run and genre in label order: `experiment`, `run`, `variant`, `network` and `setting` as
        in `accuracy_table`, `genre`, `test_images` (int), and in percent `accuracy` and `label_prior`, the accuracy of
        ranking genres by their frequency in train. Genres without a test image are skipped.
    """
    tables = []
    for run in _with_settings(results).to_dict("records"):
        predicted, split = (frames[run["experiment"], run["run"]] for frames in (predictions, splits))
        genres, y_true, y_prob = prediction_arrays(predicted)
        prior = baselines.label_prior(split.loc[split["part"] == "train", genres].to_numpy(), len(y_true))
        scores = {"accuracy": y_prob, "label_prior": prior}
        scores = {name: 100 * top_n_accuracy_by_genre(y_true, ranked) for name, ranked in scores.items()}
        setting = {name: run[name] for name in ("experiment", "run", *_SETTING)}
        tables.append(pd.DataFrame(setting | {"genre": genres, "test_images": y_true.sum(axis=0)} | scores))
    return pd.concat(tables).dropna(ignore_index=True)


def crop_margins(results, predictions, *, num_resamples=1000):
    """Compare networks trained without crops, or tested on the middle of the posters, with the same network as usual.

    Args:
        results: DataFrame from `collect_results` of the corrected protocol, whose networks are tested on one image per
            movie.
        predictions: As in `genre_accuracy`.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per network whose `setting` ends in "no_crops" or "center", if there is the same one without
        that: `variant`, `network`, `setting`; `over_crops`, the difference of the top-n accuracies on the same movies
        in points, with `over_crops_low`, `over_crops_high` (95% interval) and `over_crops_p` (p value by Holm's
        method).
    """
    rows, runs = [], _with_settings(results)
    for run in runs[runs["setting"].str.endswith(("no_crops", "center"))].to_dict("records"):
        usual = runs[runs["set_name"].eq(run["set_name"].rpartition(",")[0]) & runs["seed"].eq(run["seed"])]
        if len(usual):
            pair = pd.concat([pd.DataFrame([run]), usual])
            movies, y_true, (y_prob, other) = stack_predictions(pair, predictions)
            options = {"groups": movies, "num_resamples": num_resamples}
            margin = margins(["top_n_accuracy"], y_true, y_prob, {"usual": other}, **options)["top_n_accuracy"]["usual"]
            bounds = [100 * margin[name] for name in ("value", "low", "high")]
            rows.append([*(run[name] for name in _SETTING), *bounds, margin["p_value"]])
    table = pd.DataFrame(rows, columns=[*_SETTING, *(f"over_crops{end}" for end in ("", "_low", "_high", "_p"))])
    return table.assign(over_crops_p=holm(table["over_crops_p"].astype("float64")))


def chance_table(by_genre, results, published):
    """Compare the paper's chance level of 5% with a random ranking and the label prior (section "Discussion").

    A random ranking has each of an image's n true genres among the first n of N with probability n/N, so its accuracy
    grows with n. The paper's chance level is 1/N to the power of n, the probability of finding all of them, and shrinks
    with n.

    Args:
        by_genre: DataFrame from `genre_accuracy`.
        results: DataFrame from `collect_results` or `read_results`; the first run of each variant counts.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row per variant: `variant`, `num_classes` (int), `genres_per_image` (of the test images); top-n
        accuracy in percent as `paper`, `random_ranking` and `label_prior` (genres ranked by frequency); `num_test`
        (images).
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
    """Describe each network's outputs: their mean, their saturation, and their variation between test images.

    Args:
        results: DataFrame from `collect_results`.
        predictions: As in `genre_accuracy`.

    Returns:
        DataFrame, one row per run: `variant`, `network`, `setting`; `mean_probability` and `true_share`, the means of
        the outputs and of the labels; in percent `saturated` (outputs within 1e-6 of 0 or 1) and `same_ranking` (images
        with the most frequent ranking of the genres; ties are ranked by label order); `genres_named` (int, genres among
        the n most probable ones of any image).
    """
    lines = []
    for run in _with_settings(results).to_dict("records"):
        _, y_true, y_prob = prediction_arrays(predictions[run["experiment"], run["run"]])
        order = np.argsort(-y_prob, axis=1, kind="stable")
        _, repeats = np.unique(order, axis=0, return_counts=True)
        among_top_n = np.arange(y_true.shape[1]) < y_true.sum(axis=1, keepdims=True)
        saturated = np.minimum(y_prob, 1 - y_prob) < 1e-6
        numbers = y_prob.mean(), y_true.mean(), 100 * saturated.mean(), 100 * repeats.max() / len(order)
        lines.append((*(run[name] for name in _SETTING), *numbers, len(np.unique(order[among_top_n]))))
    measured = "mean_probability true_share saturated same_ranking genres_named".split()
    return pd.DataFrame(lines, columns=[*_SETTING, *measured])


def _with_settings(results):
    """Results with `network` and `setting`, and with `image_size` and `weights` if they are known."""
    names = results["set_name"].str
    results = results.assign(
        network=names.replace(",.*", "", regex=True), setting=names.replace("^[^,]*,?", "", regex=True)
    )
    if "image_width" not in results:
        return results
    return results.assign(
        image_size=image_sizes(results), pretrained=pretrained(results), weights=initial_weights(results)
    )


def _printed(runs, published):
    """The paper's accuracy of each faithful run."""
    printed = published[(published["table"] == "Model Accuracy") & (published["metric"] == "top_n_accuracy")]
    theirs = runs["set_name"].map(PRINTED_ROWS).map(printed.set_index("row")["value"])
    return theirs.where(runs["variant"] == "faithful")
