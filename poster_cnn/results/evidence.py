"""Tables of the evidence: the ladder of networks, splits against seeds, seeds of other runs, and learning curves."""

import time

import keras
import numpy as np
import pandas as pd

from poster_cnn import metrics
from poster_cnn.metrics.resampling import sample_scorer
from poster_cnn.results.collect import stack_predictions
from poster_cnn.training.build import build_network

METRIC = "average_precision"
TITLES = {  # name of a baseline or of a set, in the order of the ladder -> title
    "label_prior": "label prior",
    "color_histogram": "color histogram",
    "seven_layer_cnn": "seven layers, from scratch",
    "mobilenet_v2_random": "MobileNetV2, random weights",
    "mobilenet_v2_frozen": "MobileNetV2, frozen",
    "mobilenet_v2_frozen_large": "MobileNetV2, frozen, 224×152",
    "mobilenet_v2_unfrozen": "MobileNetV2, unfrozen",
    "evaluated": "shipped network, 224×152",
}


def compare(metric, labels, y_prob, others, *, prefix="", **sampling):
    """Score predictions, and compare them with others of the same movies.

    Args:
        metric: Key of `metrics.BY_NAME`.
        labels: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, or of several seeds `(num_seeds, num_movies, num_classes)`.
        others: Dict of name -> probabilities whose scores are subtracted, of one or several seeds.
        prefix: Name of the score and start of the other names. Defaults to "": the score is named after the metric.
        **sampling: Options of `metrics.score`, such as `groups`.

    Returns:
        dict: the score in percent; `low` and `high`, the bounds of its 95% interval; and for each other prediction
        `over_<name>` in points, with the bounds and the p value of a paired interval.
    """
    start, score = f"{prefix}_" if prefix else "", metrics.score([metric], labels, y_prob, **sampling)[metric]
    row = {prefix or metric: 100 * score["value"]}
    row |= {f"{start}low": 100 * score["low"], f"{start}high": 100 * score["high"]}
    for other, gain in metrics.margins([metric], labels, y_prob, others, **sampling)[metric].items():
        name = f"{start}over_{other}"
        row |= {name: 100 * gain["value"], f"{name}_low": 100 * gain["low"], f"{name}_high": 100 * gain["high"]}
        row[f"{name}_p_value"] = gain["p_value"]
    return row


def ladder_table(runs, predictions, baselines, seconds, *, num_resamples=1000):
    """Compare networks with the color histogram and with the network before them, on the same test movies.

    Args:
        runs: DataFrame from `collect_results`, of one or more experiments; the seeds of a network have one `set_name`.
        predictions: Dict of `(experiment, run)` -> predictions of each run; see `read_predictions`.
        baselines: Dict of anything -> predictions of the baselines, from `TrainingData.baseline_predictions`. The first
            is used.
        seconds: Series of `set_name` -> seconds per thousand posters, from `prediction_seconds`.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per network, in the order of `TITLES` and then of the runs: `network`, `seeds` (int); macro
        average precision in percent, the mean of the seeds, with `low`, `high` and `seed_spread` (standard deviation);
        `over_color` and `over_previous` in points, with the bounds and p values of paired intervals, and Holm's
        correction of the p values over color as `over_color_holm`; `seconds`.

    Raises:
        ValueError: If the networks have predicted different movies.
    """
    groups, labels, _ = stack_predictions(runs, predictions)
    baselines = next(iter(baselines.values()))
    arrays = {name: baselines[name][None] for name in ("label_prior", "color_histogram")}
    for name, own in runs.groupby("set_name", sort=False):
        arrays[name] = stack_predictions(own, predictions)[2]
    order = [*(name for name in TITLES if name in arrays), *(name for name in arrays if name not in TITLES)]
    rows, options = [], {"groups": groups, "num_resamples": num_resamples}
    for previous, name in zip([None, *order], order, strict=False):
        others = {"color": arrays["color_histogram"], "previous": arrays[previous]} if previous else {}
        row = {"network": TITLES.get(name, name), "seeds": len(arrays[name])}
        row |= compare(METRIC, labels, arrays[name], others, **options)
        spread = pd.Series([metrics.average_precision(labels, y_prob) for y_prob in arrays[name]]).std()
        rows.append(row | {"seed_spread": 100 * spread, "seconds": seconds.get(name)})
    table = pd.DataFrame(rows)
    trained = ~table["network"].isin([TITLES["label_prior"], TITLES["color_histogram"]])
    table["over_color_holm"] = metrics.holm(table["over_color_p_value"].where(trained))
    return table


def augmentation_table(runs, predictions, *, num_resamples=1000):
    """Compare augmentations with training without any, on the same test movies.

    Args:
        runs: DataFrame from `collect_results` with one or several seeds of each augmentation, `"none"` among them.
        predictions: As in `ladder_table`.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per augmentation in the order of the runs: `augmentation`, `seeds` (int); macro average
        precision in percent, the mean of the seeds, of the validation movies (`validation`) and of the test movies with
        `low` and `high`; `over_none` in points, with the bounds and the p value of a paired interval and Holm's
        correction as `over_none_holm`; the same, uncorrected, of micro average precision, in columns named `micro…`.
    """
    movies, labels, _ = stack_predictions(runs, predictions)
    options = {"groups": movies, "num_resamples": num_resamples}
    by_kind = {kind: own for kind, own in runs.groupby("augmentation", sort=False)}
    arrays = {kind: stack_predictions(own, predictions)[2] for kind, own in by_kind.items()}
    rows = []
    for kind, y_prob in arrays.items():
        others = {"none": arrays["none"]} if kind != "none" else {}
        validation = 100 * by_kind[kind][f"validation_{METRIC}"].mean()
        row = {"augmentation": kind, "seeds": len(y_prob), "validation": validation}
        row |= compare(METRIC, labels, y_prob, others, **options)
        rows.append(row | compare(f"{METRIC}_micro", labels, y_prob, others, prefix="micro", **options))
    return pd.DataFrame(rows).assign(over_none_holm=lambda table: metrics.holm(table["over_none_p_value"]))


def prediction_seconds(cells, *, num_posters=1000):
    """Measure how long networks take to predict posters that are in memory.

    Args:
        cells: Dict of run -> `TrainingConfig`; runs with equal `set_name` are measured once.
        num_posters: Number of posters of random pixels, in batches of 32. Defaults to 1000.

    Returns:
        float64 Series of seconds per thousand posters, by `set_name`.
    """
    seconds, rng = {}, np.random.default_rng(0)
    for config in cells.values():
        if config.set_name in seconds:
            continue
        size = config.data.image_size
        own = config.network.model_args
        untrained = config.replace(model_args=own | {"weights": None} if "weights" in own else own)
        model = build_network(untrained.network, size, len(config.data.class_names))
        posters = rng.integers(0, 256, (num_posters, *size, 3), dtype="uint8")
        model.predict(posters[:64], batch_size=32, verbose=0)  # compiles the graph
        started = time.perf_counter()
        model.predict(posters, batch_size=32, verbose=0)
        seconds[config.set_name] = (time.perf_counter() - started) * 1000 / num_posters
        keras.backend.clear_session()
    return pd.Series(seconds, name="seconds", dtype="float64")


def variance_table(runs):
    """Divide the variance of a score into that between splits and that between seeds.

    Both are variance components of a one-way analysis: the variance between seeds is the mean of those within a split,
    and a seed's share in the variance of the splits' means is subtracted.

    Args:
        runs: DataFrame from `collect_results`, for each network with as many seeds on each split.

    Returns:
        DataFrame, one row per network: `network`, `splits`, `seeds`; macro average precision in percent as `mean`,
        `split_spread` and `seed_spread` (standard deviations), `split_share` of the variance in percent,
        `movie_spread` (standard deviation from the mean width of the intervals over test movies), and the difference
        from the color histogram as `over_color`, with its smallest and largest value on a split, `least` and `most`.
    """
    rows = []
    for name, own in runs.groupby("set_name", sort=False):
        scores = 100 * own.pivot(index="split_seed", columns="seed", values=METRIC)
        within = scores.var(axis=1, ddof=1).mean()
        between = max(scores.mean(axis=1).var(ddof=1) - within / scores.shape[1], 0)
        gain = 100 * (own[METRIC] - own[f"color_histogram_{METRIC}"]).groupby(own["split_seed"]).mean()
        width = 100 * (own[f"{METRIC}_high"] - own[f"{METRIC}_low"]).mean()
        rows.append(
            {"network": TITLES.get(name, name), "splits": len(scores), "seeds": scores.shape[1]}
            | {"mean": scores.to_numpy().mean(), "split_spread": between**0.5, "seed_spread": within**0.5}
            | {"split_share": 100 * between / (between + within), "movie_spread": width / (2 * 1.96)}
            | {"over_color": gain.mean(), "least": gain.min(), "most": gain.max()}
        )
    return pd.DataFrame(rows)


def seed_table(runs, measures):
    """Summarize the scores of networks that were trained with several seeds.

    Args:
        runs: DataFrame from `collect_results`; the seeds of a network have one `set_name`.
        measures: Dict of `set_name` -> metric to summarize.

    Returns:
        DataFrame, one row per network in the order of `measures`: `network`, `measure`, `seeds` (int); the `mean` in
        percent with `seed_spread` (standard deviation), `least` and `most`; the highest of the baselines that need no
        poster, `trivial`, and the `color_histogram`, in percent; and the number of seeds whose paired interval over the
        color histogram is above 0, `above_color`.
    """
    rows = []
    for name, measure in measures.items():
        own = runs[runs["set_name"] == name]
        scores, color = 100 * own[measure], f"{measure}_over_color_histogram_low"
        trivial = own.filter(regex=f"^(majority|label_prior|frequent_genres|all_zeros)_{measure}$").max(axis=1)
        rows.append(
            {"network": name, "measure": measure, "seeds": len(own), "mean": scores.mean()}
            | {"seed_spread": scores.std(), "least": scores.min(), "most": scores.max()}
            | {"trivial": 100 * trivial.mean(), "color_histogram": 100 * own[f"color_histogram_{measure}"].mean()}
            | {"above_color": int((own[color] > 0).sum())}
        )
    return pd.DataFrame(rows)


def power_laws(runs, predictions, *, goal=0.5, num_resamples=1000):
    """Fit how the score grows with the number of training posters, and extrapolate it.

    The share that is missing to a perfect score follows a power law: 1 - score = scale · posters^-exponent, a line in
    logarithms, fitted by least squares to the mean of the seeds at each size. The intervals come from fits to resampled
    test movies. They do not tell whether the law holds beyond the largest size.

    Args:
        runs, predictions: As in `ladder_table`, with `max_train_movies`.
        goal: Macro average precision to extrapolate to, 0..1. Defaults to 0.5.
        num_resamples: Number of bootstrap resamples of the movies. Defaults to 1000.

    Returns:
        DataFrame, one row per name: `network`, `exponent` and `scale` of the law, `exponent_low` and `exponent_high`;
        `posters`, the number of posters for the goal, with `posters_low` and `posters_high`.
    """
    rows = []
    for name, of_network in runs.groupby("set_name", sort=False):
        sizes, samples = [], []
        for size, own in of_network.groupby("max_train_movies"):
            movies, labels, y_prob = stack_predictions(own, predictions)
            scores = sample_scorer(labels, groups=movies, num_resamples=num_resamples)
            value, sampled = scores(METRIC, y_prob)
            sizes.append(np.log(size))
            samples.append([value, *sampled])
        missing = np.log(1 - np.array(samples))  # (sizes, 1 + resamples)
        slope, start = np.polyfit(sizes, missing, 1)
        grows = slope < 0  # otherwise the goal is never reached
        with np.errstate(over="ignore"):
            posters = np.where(grows, np.exp((np.log(1 - goal) - start) / np.where(grows, slope, 1)), np.inf)
        low, high = np.quantile(posters[1:], [0.025, 0.975], method="nearest")  # some may be infinite
        flat, steep = np.quantile(-slope[1:], [0.025, 0.975])
        rows.append(
            {"network": TITLES.get(name, name), "exponent": -slope[0], "exponent_low": flat, "exponent_high": steep}
            | {"scale": np.exp(start[0]), "posters": posters[0], "posters_low": low, "posters_high": high}
        )
    return pd.DataFrame(rows)
