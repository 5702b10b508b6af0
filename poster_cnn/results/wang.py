"""Paper 2's data and results as tables: OP, OR and OF1 from each threshold, beside the paper's and the baselines'."""

import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.metrics import baselines
from poster_cnn.metrics.intervals import bootstrap_interval
from poster_cnn.metrics.scores import LOGIT_HALF, overall_precision_recall_f1
from poster_cnn.movies.splits import PARTS
from poster_cnn.results.tables import BASELINES, in_percent, label

# Builder -> the row that the paper prints; its code trains ResNet152 where it prints ResNet18, so both stand beside it.
PRINTED_ROWS = {
    "resnet18": "ResNet18",
    "resnet152": "ResNet18",
    "resnet50": "ResNet50",
    "densenet201": "DenseNet201",
    "vgg_like_cnn": "Custom CNN",
}
PAPER_NETWORKS = ("resnet152", "resnet50", "densenet201", "vgg_like_cnn")  # those of its code
WITHOUT_BACKBONE = ("vgg_like_cnn", "six_conv_cnn")
BASELINES_OF_F1 = ("frequent_genres", *BASELINES)
# From which probability a genre counts as predicted -> how the results name a score that counts so.
THRESHOLDS = {"0.622": "_at_622", "0.5": "", "by genre": "_tuned"}
_SETTING = ["variant", "network", "pretrained", "trained", "image_size", "epochs", "learning_rate"]
_SCORES = ("overall_precision", "overall_recall", "overall_f1")
_PRINTED = ("paper_precision", "paper_recall", "paper_f1")
_ABOUT = ("num_test", "precision", "device")
_COLUMNS = [*_SETTING, "threshold", *_SCORES, "low", "high", "validation_f1", *_PRINTED, *BASELINES_OF_F1, *_ABOUT]


def overall_table(results, published):
    """The results of section V.C of Wang et al., ours beside the paper's and those of the trivial baselines.

    Args:
        results: DataFrame from `collect_results` or `read_results`, with the metrics `overall_precision`,
            `overall_recall` and `overall_f1` (from a probability of 0.5) and the same ending in `_at_622` (from 0.622,
            as in the paper's code); several tables are stacked with `results.stack`.
        published: DataFrame from `read_published`.

    Returns:
        DataFrame, one row a run and threshold: `variant`, `network` (str, the builder, and the set's name if it has
        one), `pretrained` ("yes" or "no"), `trained` ("all weights", or "last layer" of a frozen backbone),
        `image_size` (width×height), `epochs`, `learning_rate`, `threshold` ("0.622", "0.5", or "by genre": chosen on
        the validation movies, where there are some); in percent `overall_precision`, `overall_recall` and `overall_f1`
        of the test movies, `low` and `high` (its 95% interval), `validation_f1` (OF1 of the validation movies), the
        paper's printed `paper_precision`, `paper_recall` and `paper_f1` (for faithful networks that it has, at 0.622)
        and the OF1 of each baseline that `results` has, under its name; `num_test` (posters), `precision`, `device`.
        A network of the paper without a run has one row, whose scores are missing.

    Raises:
        ValueError: If `results` lacks a metric.

    Example:

    >>> table = overall_table(settings.results("wang/vgg_like"), settings.published("wang"))
    >>> table[["network", "threshold", "overall_f1", "paper_f1", "frequent_genres"]]
    """
    needed = [f"{name}{ending}" for ending in ("_at_622", "") for name in _SCORES]
    missing = [name for name in needed if name not in results]
    if missing:
        raise ValueError(f"`results` must have the columns {missing}. Received: columns={list(results.columns)}")
    runs = pd.concat([_described(results), _unmeasured(results)], ignore_index=True)
    thresholds = [name for name, ending in THRESHOLDS.items() if f"overall_f1{ending}" in results]
    table = pd.concat([_scored(runs, name) for name in thresholds]).sort_index(kind="stable").reset_index(drop=True)
    printed = published[published["table"] == "Section V.C"].pivot(index="row", columns="metric", values="value")
    rows = table["network"].str.split(", ").str[0].map(PRINTED_ROWS)
    rows = rows.where((table["variant"] == "faithful") & (table["threshold"] == "0.622"))
    for name, column in zip(_PRINTED, _SCORES, strict=True):
        table[name] = rows.map(printed[column])
    return table.dropna(axis=1, how="all")


def overall_cells(table):
    """The rows of an `overall_table` as `figures.comparison_dots` draws them, with rows="panel", columns="network".

    Args:
        table: DataFrame from `overall_table`, or some of its rows.

    Returns:
        DataFrame: `panel` (variant and threshold), `network` (its name in lines; under it the set, "not measured" or
        "frozen", and image size, epochs and learning rate where `table` has several), `metric` ("overall_f1"), `ours`,
        `low`, `high`, `paper`, a column for each baseline.

    Raises:
        ValueError: If several rows have the same panel and network.
    """
    cells = table.rename(columns={"overall_f1": "ours", "paper_f1": "paper"})
    if "paper" not in cells:
        cells["paper"] = float("nan")
    names = {"by genre": "thresholds by genre"} | {name: f"from a probability of {name}" for name in ("0.622", "0.5")}
    networks = table["network"].str.replace(", ", "\n") + table["trained"].map({"last layer": "\nfrozen"}).fillna("")
    networks += table["overall_f1"].isna().map({True: "\nnot measured", False: ""})
    for name, text in {"image_size": "\n{}", "epochs": "\n{} epochs", "learning_rate": "\n{}"}.items():
        if table[name].nunique() > 1:
            networks += table[name].map(label).map(text.format).where(table[name].notna(), "")
    panels = table["variant"].str.replace("_", "-") + ", " + table["threshold"].map(names)
    cells = cells.assign(panel=panels, network=networks)
    repeated = cells[cells.duplicated(["panel", "network"])]
    if len(repeated):
        network, panel = repeated[["network", "panel"]].iloc[0]
        raise ValueError(f"`table` must have one row a panel and network. Received: {network!r} twice in {panel!r}")
    return cells.assign(metric="overall_f1")


def epochs_grid(history, *, epochs=(5, 10)):
    """OF1 of the test movies after fewer and more epochs at each learning rate (section V.B of Wang et al.).

    A run of ten epochs at a constant rate is, up to its fifth, the run of five: one history gives both.

    Args:
        history: DataFrame from `collect_history` of runs without validation movies, with `val_overall_f1_at_622` and
            `val_overall_f1`.
        epochs: Numbers of epochs. Defaults to `(5, 10)`.

    Returns:
        DataFrame, one row a network and threshold: `network`, `threshold` ("0.622" or "0.5"), then the OF1 in percent
        in a column for each number of epochs and learning rate, such as "5 epochs, 1e-3"; missing where a run is
        shorter.
    """
    cells = history[(history["epoch"] + 1).isin(epochs)]
    cells = cells.assign(network=network_names(cells), epochs=cells["epoch"] + 1)
    cells = cells.sort_values(["epochs", "learning_rate"], ascending=[True, False], kind="stable")
    setting = cells["epochs"].astype(str) + " epochs, " + cells["learning_rate"].map(label)
    order = network_names(history).unique()
    grids = []
    for threshold in ("0.622", "0.5"):
        scores = cells.assign(setting=setting, score=100 * cells[f"val_overall_f1{THRESHOLDS[threshold]}"])
        grid = scores.pivot(index="network", columns="setting", values="score")
        grid = grid.reindex(index=order, columns=setting.unique()).reset_index().rename_axis(columns=None)
        grid.insert(1, "threshold", threshold)
        grids.append(grid)
    return pd.concat(grids, ignore_index=True)


def sample_table(splits, class_names):
    """The movies of each part of a split, and how many have each genre or none (section IV.A of Wang et al.).

    Args:
        splits: Dictionary from a variant's name to its split: a run folder's split.csv, with `part` and a column of 0
            and 1 for each genre.
        class_names: Genres.

    Returns:
        DataFrame, one row a variant and part: `variant`, `part`, `movies`, `without_genre` (none of `class_names`), and
        a column of int for each genre.
    """
    lines = []
    for variant, split in splits.items():
        for part in [name for name in PARTS if (split["part"] == name).any()]:
            labels = split.loc[split["part"] == part, list(class_names)]
            none = int((~labels.any(axis=1)).sum())
            line = {"variant": variant, "part": part, "movies": len(labels), "without_genre": none}
            lines.append(line | labels.sum().to_dict())
    return pd.DataFrame(lines)


def network_names(frame):
    """What a reader calls each run: its builder, and the name of its set of changes unless it says the same.

    Args:
        frame: DataFrame of results or learning curves, with `model` and, if there are any, `set_name`.

    Returns:
        Series of str over the same index, such as "resnet50" or "mobilenet_v2, dropout".
    """
    names = frame["set_name"].fillna("") if "set_name" in frame else pd.Series("", index=frame.index)
    return frame["model"] + (", " + names).where((names != "") & (names != frame["model"]), "")


def _described(results):
    about = ["model_args_weights", "weights_file", "model_args_trainable"]  # a config has those that it sets
    asked = results.reindex(columns=about)
    frozen = ~(asked["model_args_trainable"].eq(True) | results["model"].isin(WITHOUT_BACKBONE))
    return results.assign(
        network=network_names(results),
        pretrained=asked[about[:2]].notna().any(axis=1).map({True: "yes", False: "no"}),
        trained=frozen.map({True: "last layer", False: "all weights"}),
        image_size=results["image_width"].astype(str) + "×" + results["image_height"].astype(str),
    )


def _unmeasured(results):
    """A row for each network of the paper that `results` has no faithful run of."""
    measured = set(results.loc[results["variant"] == "faithful", "model"])
    missing = [name for name in PAPER_NETWORKS if measured and name not in measured]
    return pd.DataFrame({"variant": "faithful", "network": missing}, dtype=str)


def _scored(runs, threshold):
    """Rows of an `overall_table` from one threshold over the index of `runs`, without runs that have no score there."""
    ending = THRESHOLDS[threshold]
    scores = in_percent(runs, f"overall_f1{ending}", baselines=BASELINES_OF_F1).rename(columns={"ours": "overall_f1"})
    others = {name: f"{name}{ending}" for name in _SCORES[:2]} | {"validation_f1": f"validation_overall_f1{ending}"}
    others |= {name: f"{name}_overall_f1" for name in ("frequent_genres", "majority")}  # 0 or 1: from any threshold
    for name, column in others.items():
        if column in runs:
            scores[name] = 100 * runs[column]
    unmeasured = runs["overall_f1"].isna() & (threshold == "0.622")
    rows = runs.reindex(columns=[*_SETTING, *_ABOUT]).assign(threshold=threshold, **scores).reindex(columns=_COLUMNS)
    types = {name: "float64" for name in rows if name in scores or name in _PRINTED}
    rows = rows.astype(types | {"epochs": "Int64", "num_test": "Int64"})  # missing where nothing was measured
    return rows[rows["overall_f1"].notna() | unmeasured]


LAST_BATCH, MEAN_OF_BATCHES, WHOLE_TEST_SET = "last batch", "mean of batches", "whole test set"
SCORES = ["overall_precision", "overall_recall", "overall_f1"]


def scores_by_mistake(
    y_true, y_prob, *, batch_size=64, thresholds=(0.5, LOGIT_HALF), train_labels=None, num_resamples=1000, seed=0
):
    """The same predictions scored in three ways: as paper 2's code does, twice wrong, and as its section V.A says.

    The rows are cut into batches as they come. The last batch alone is the number of the posters left over. In the mean
    of the batches' scores a small last batch counts as much as a whole one, and the mean F1 is not the harmonic mean of
    precision and recall. Where a batch has nothing to divide by, its score is 0.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities of the same shape.
        batch_size: Defaults to 64, the paper's.
        thresholds: Probabilities from which a genre counts as predicted. Defaults to 0.5 and that of the authors' code,
            0.622.
        train_labels: Zeros and ones `(num_train, num_classes)`; with them come rows for what always naming the most
            frequent genres scores, see `frequent_genres`. Defaults to `None`: no such rows.
        num_resamples: Random orders or bootstrap samples of the ranges. Defaults to 1000.
        seed: Seed of the ranges. Defaults to 0.

    Returns:
        DataFrame, one row a threshold and way of scoring: `predictions` ("network", "most frequent genre", "2 most
        frequent genres" ...), `threshold`, `scored` ("last batch", "mean of batches" or "whole test set"), `posters`
        (int, those behind the number); in percent `overall_precision`, `overall_recall`, `overall_f1`, and 95% of the
        luck in `overall_f1` as `low` and `high`: over random orders of the movies for last batch and mean of batches,
        over bootstrap samples of the movies for the whole test set.

    Raises:
        ValueError: If the shapes differ, or nothing is positive.

    Example:

    >>> table = scores_by_mistake(y_true, y_prob)
    >>> table.loc[table["threshold"] == 0.5, ["scored", "posters", "overall_f1", "low", "high"]]
    """
    y_true, y_prob = np.asarray(y_true), np.asarray(y_prob)
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be 1 or more. Received: batch_size={batch_size}")
    luck = {"num_resamples": num_resamples, "seed": seed}
    batches = [slice(start, start + batch_size) for start in range(0, len(y_true), batch_size)]
    constant = [] if train_labels is None else _worth_naming(frequent_genres(train_labels, y_true, **luck))
    rows = []
    for threshold in thresholds:
        whole = _scored_in_batches(y_true, y_prob, [slice(None)], threshold)
        low, high = bootstrap_interval(_f1, y_true, (y_prob >= threshold).astype(float), **luck)
        whole |= {"low": 100 * low, "high": 100 * high}
        last, mean = (_with_range(y_true, y_prob, chosen, threshold, **luck) for chosen in (batches[-1:], batches))
        ways = {LAST_BATCH: last, MEAN_OF_BATCHES: mean, WHOLE_TEST_SET: whole}
        rows += [{"predictions": "network", "threshold": threshold, "scored": way} | ways[way] for way in ways]
        rows += [{"threshold": threshold, "scored": WHOLE_TEST_SET} | row for row in constant]
    return pd.DataFrame(rows, columns=["predictions", "threshold", "scored", "posters", *SCORES, "low", "high"])


def frequent_genres(train_labels, y_true, *, num_resamples=1000, seed=0):
    """What naming the same most frequent genres for every movie scores, over the whole test set.

    Args:
        train_labels: Zeros and ones `(num_train, num_classes)`: they say which genres are frequent, and how many of
            them score best.
        y_true: Zeros and ones `(num_movies, num_classes)` of the test movies.
        num_resamples: Of the bootstrap intervals. Defaults to 1000.
        seed: Seed of the resampling. Defaults to 0.

    Returns:
        DataFrame, one row a number of genres, from 1 to all: `predictions` (what a reader calls it), `genres` (int);
        in percent `overall_precision`, `overall_recall`, `overall_f1`, its 95% interval `low` and `high`; `posters`;
        `best` (bool: the number of genres with the highest OF1 on the training movies).
    """
    train_labels, y_true = np.asarray(train_labels), np.asarray(y_true)
    by_frequency = np.argsort(-train_labels.sum(axis=0), kind="stable")
    rows, best = [], baselines.frequent_genres(train_labels, 1).sum()
    for count in range(1, train_labels.shape[1] + 1):
        named = np.isin(np.arange(train_labels.shape[1]), by_frequency[:count]).astype(float)
        predicted = np.tile(named, (len(y_true), 1))
        low, high = bootstrap_interval(_f1, y_true, predicted, num_resamples=num_resamples, seed=seed)
        name = "most frequent genre" if count == 1 else f"{count} most frequent genres"
        rows.append({"predictions": name, "genres": count} | _scored_in_batches(y_true, predicted, [slice(None)], 0.5))
        rows[-1] |= {"low": 100 * low, "high": 100 * high}
    table = pd.DataFrame(rows)
    return table.assign(best=table["genres"] == best)


def printed_f1(published, *, table="Section V.C", decimals=2):
    """Whether each printed OF1 is the harmonic mean of the OP and OR beside it (Wang et al., sections V.A and V.C).

    The scores of one batch, or of a whole test set, agree. The mean of the batches' F1 is a little below the harmonic
    mean of their mean precision and mean recall: a row that falls short by a tenth of a point fits such a mean, and ten
    points are a misprint.

    Args:
        published: DataFrame from `read_published`.
        table: Table with the metrics `overall_precision`, `overall_recall` and `overall_f1`. Defaults to the results of
            section V.C; "Logs" has what was found in the authors' saved outputs.
        decimals: Decimal places of the printed percentages. Defaults to 2, those of section V.C.

    Returns:
        DataFrame, one row a printed row: `row`; in percent `overall_precision`, `overall_recall`, `printed_f1` and
        `harmonic_mean`; `difference` (printed minus harmonic mean, in points) and `consistent` (bool: whether rounding
        explains the difference).

    Raises:
        ValueError: If `published` has no such table.
    """
    cells = published[(published["table"] == table) & published["metric"].isin(SCORES)]
    if cells.empty:
        known = sorted(published.loc[published["metric"].isin(SCORES), "table"].unique())
        raise ValueError(f"`table` must be one of {known}. Received: table={table!r}")
    order = cells["row"].unique()
    rows = cells.pivot(index="row", columns="metric", values="value").loc[order, SCORES].reset_index()
    rows = rows.rename_axis(columns=None).rename(columns={"overall_f1": "printed_f1"})
    precision, recall, printed = (rows[name] for name in ("overall_precision", "overall_recall", "printed_f1"))
    half = 0.5 / 10**decimals  # what was printed lies within half a unit of its last digit
    least, mean, greatest = (2 / (1 / (precision + by) + 1 / (recall + by)) for by in (-half, 0, half))
    consistent = (least <= printed + half) & (printed - half <= greatest)
    return rows.assign(harmonic_mean=mean, difference=printed - mean, consistent=consistent)


def _worth_naming(constant):
    """Of the rows of `frequent_genres` the first, and the best if it is another."""
    chosen = constant[(constant["genres"] == 1) | constant["best"]]
    return chosen.drop(columns=["genres", "best"]).to_dict("records")


def _with_range(y_true, y_prob, batches, threshold, *, num_resamples, seed):
    """Scores of the batches, and where 95% of their mean F1 lie when the movies are shuffled before they are cut."""
    rng = np.random.default_rng(seed)
    predicted = (y_prob >= threshold).astype(float)
    f1 = []
    for _ in range(num_resamples):
        order = rng.permutation(len(y_true))
        f1.append(np.mean([_f1(y_true[order[batch]], predicted[order[batch]]) for batch in batches]))
    low, high = 100 * np.quantile(f1, [0.025, 0.975])
    return _scored_in_batches(y_true, y_prob, batches, threshold) | {"low": low, "high": high}


def _scored_in_batches(y_true, y_prob, batches, threshold):
    """The means of the batches' scores in percent, and the number of posters in them."""
    scores = [overall_precision_recall_f1(y_true[batch], y_prob[batch], threshold) for batch in batches]
    posters = sum(len(y_true[batch]) for batch in batches)
    return {"posters": posters} | dict(zip(SCORES, 100 * np.mean(scores, axis=0), strict=True))


def _f1(y_true, predicted):
    return metrics.overall_precision_recall_f1(y_true, predicted)[2]
