"""Every number of the README and the pages is recomputed from the committed results, or is in a table that is."""

import re

import numpy as np
import pandas as pd
import pytest
from test_claims import CLAIMS as CLAIMS_2_3
from test_claims import EXPERIMENTS, committed, draws, printed, states
from test_claims_of_papers_1_4_5 import CLAIMS as CLAIMS_1_4_5
from test_claims_of_papers_1_4_5 import OVER_COLOR, SPLITS, macro, of_variant, paired_seeds

from poster_cnn.metrics import holm
from poster_cnn.results.evidence import variance_table

REPOSITORY = EXPERIMENTS.parent
PAGES = {path.parent.name: path for path in EXPERIMENTS.glob("*/README.md")}
PAGES |= {name: REPOSITORY / "docs" / f"{name}.md" for name in ("explanations", "own_posters")}
PAGES["README"] = REPOSITORY / "README.md"
PAPERS = ("dave", "wang", "zavala", "densenet", "lebaron")
AP, AP_MICRO = "average_precision", "average_precision_micro"
HIT, TOP_N = "first_label_accuracy", "top_n_accuracy"
RANDOM, resnet18 = "wang_random_weights", "resnet18,learning_rate=0.001"
# Confidence levels, choices of the experiments, and words of the papers: nothing that was measured.
DESIGN = {"95%", "100%", "24%", "40%", "0.5", "0.622", "0.9", "0.99", "1,000", "3.11", "1608.06993", "44,000", "81%"}
DESIGN |= {"2,000", "4,000", "7,000", "50%"}  # sizes of samples and the goal of the learning curves


def minutes(*names):
    return [committed(name)["seconds"].sum() / 60 for name in names]


def range_of(numbers):
    return [min(numbers), max(numbers)]


def best_and_worst(name):
    folds = draws(name)["folds"]
    return [folds.min(), folds.max()]


def shipped():
    run = committed("release_recipes").iloc[-1]
    baseline = committed("release_posters_mobilenet_v2").iloc[0]
    numbers = [[100 * run[f"test_{metric}"], 100 * baseline[f"label_prior_{metric}"]] for metric in (AP, AP_MICRO)]
    return [baseline["num_test"], *numbers[0], *numbers[1]]


def torn_differences():
    """Differences between rows with and without a leak at 1e-2, 1e-3, 1e-4 and unfrozen, with half their intervals."""
    rows = committed("zavala_torn_rows")
    torn, other = rows["torn_accuracy"], rows["other_accuracy"]
    variance = torn * (100 - torn) / rows["torn_rows"] + other * (100 - other) / rows["other_rows"]
    return [number for pair in zip(torn - other, 1.96 * variance**0.5, strict=True) for number in pair]


def training_accuracy(name):
    history = committed(f"{name}_history")
    last = history.groupby(history["trainable_backbone"].eq(True))["accuracy"].last()
    return [100 * last[False], 100 * last[True]]


def growth():
    frame = committed("benchmark_growth")
    slower = [100 * (1 - frame[name].iloc[-1] / frame[name].iloc[0]) for name in ("decode_per_s", "train_per_s")]
    return [*slower, (frame["epoch_per_s"] / frame["train_per_s"]).min()]


def beyond_other_map(network, method):
    rows = committed("pointing_game").query("network == @network and method == @method").set_index("weights")
    return [100 * (rows["hits"] - rows["other_map"])[weights] for weights in ("trained", "random")]


def table_2_reach():
    runs = committed("dave_table_2")
    score = runs["first_label_accuracy"]
    low, high = (runs[f"first_label_accuracy_{side}"] for side in ("low", "high"))
    return 100 * max((score - low).max(), (high - score).max())


def parts(name):
    return committed(name).set_index("part")["movies"]


def lettering(tested, column, genre="all", network="evaluated"):
    """Return a difference on posters with something hidden and its bounds, in points."""
    rows = committed("evidence_lettering").query("network == @network and tested_on == @tested and genre == @genre")
    return [100 * rows[f"{column}{end}"].iloc[-1] for end in ("", "_low", "_high")]


def lost(tested, column="over_poster", genre="all"):
    value, low, high = lettering(tested, column, genre)
    return [-value, -high, -low]


def mean_of_size(name, num_posters):
    runs = committed("evidence_learning_curves").query("set_name == @name and max_train_movies == @num_posters")
    return 100 * runs[AP].mean()


def scores_of_sizes():
    return [mean_of_size("mobilenet_v2_frozen", 500), mean_of_size("seven_layer_cnn", 7000)]


def epochs_of_sizes():
    history = committed("evidence_learning_curves_history").query("run.str.startswith('mobilenet_v2_unfrozen')")
    (epochs,) = (history.groupby("run")["epoch"].max() + 1).unique()
    return [epochs]


def ladder(network, *columns):
    row = committed("evidence_ladder_table").set_index("network").loc[network]
    return [row[column] for column in columns]


def frozen_heads():
    columns = [f"validation_{AP}", f"validation_{AP_MICRO}"]
    means = 100 * committed("release_frozen_head").groupby("set_name")[columns].mean()
    names = ("plain", "label_smoothing", "focal", "asymmetric", "weight_decay_2", "class_weights")
    return means.loc[list(names)].to_numpy().ravel().tolist()


def plots(encoding, network="logistic regression"):
    frame = committed("evidence_sentences").query("network == @network").set_index("encoding")
    return 100 * frame.select_dtypes("number").loc[encoding]


def with_sentences(network):
    before, after = (plots(name, network) for name in ("mean of 25-d word vectors", "sentence embedding"))
    return [after[AP], before[AP], *(after[f"{AP}_gain{end}"] for end in ("", "_low", "_high"))]


def training_speed():
    here, elsewhere = committed("benchmark_speed"), committed("benchmark_speed_other_processors")
    here = here[here["side"].str.startswith("PyTorch, channels_last") & ~here["side"].str.contains("compiled")]
    elsewhere = elsewhere.query("flags == 'avx2' and onednn == 1 and side == 'PyTorch 2.13, channels_last'")
    return [here["ratio"].min(), elsewhere["ratio"].item()]


def of_seeds(name, metric):
    runs = committed("evidence_headline_seeds").query("set_name == @name").sort_values("seed")
    return (100 * runs[metric]).tolist()


def device_grids():
    together, alone = (committed(f"benchmark_{name}_grid").iloc[0] for name in ("vectorized", "device"))
    assert (together["networks"], together["num_train"], together["epochs"]) == (5, alone["num_train"], 3)
    speeds = [number for row in (together, alone) for number in (row["posters_per_s"], 100 * row["fraction_of_peak"])]
    return [alone["num_train"], alone["ratio"], *speeds, together["seconds"], alone["seconds"]]


def power_law(network):
    law = committed("evidence_power_laws").set_index("network").loc[network]
    return [law[f"posters{end}"] / 1e6 for end in ("", "_low", "_high")]


def below_its_law():
    law = committed("evidence_power_laws").set_index("network").loc["MobileNetV2, unfrozen"]
    expected = 100 * (1 - law["scale"] * 7000 ** -law["exponent"])
    return [expected - mean_of_size("mobilenet_v2_unfrozen", 7000)]


def augmentation(name, column):
    row = committed("release_augmentation_table").set_index("augmentation").loc[name]
    return [abs(number) for number in sorted(row[[column, f"{column}_low", f"{column}_high"]], key=abs)]


def augmentations():
    costs = [augmentation(name, "over_none") for name in ("randaugment", "mixup")]
    gains = [augmentation(name, "micro_over_none") for name in ("flip", "light")]
    return [number for low, value, high in costs + gains for number in (value, low, high)]


def distilled(network):
    row = committed("release_distillation").set_index("network").loc[network]
    return row[["over_one", "over_one_low", "over_one_high"]].tolist()


def students():
    first, second = (distilled(f"student of {teachers}") for teachers in ("the seeds", "the seeds and the regression"))
    assert np.round(first, 1).tolist() == np.round(second, 1).tolist()
    return first


def of_drawn(trained, tested, column=AP):
    rows = committed("evidence_lettering").query("data == 'embedded' and genre == 'all'")
    return 100 * rows.query("trained_on == @trained and tested_on == @tested")[column].item()


def num_movies(name):
    parts = committed(name)[["num_train", "num_validation", "num_test"]].iloc[0]
    return [parts.sum(), *parts]


def epochs_of_random_weights():
    history = committed("evidence_ladder_history").query("run.str.startswith('mobilenet_v2_random')")
    lowest = history.loc[history.groupby("run")["val_loss"].idxmin(), "epoch"] + 1
    return [history["epoch"].max() + 1, *range_of(lowest)]


def missed_goal():
    score, micro = (100 * committed("release_recipes")[f"test_{metric}"].iloc[-1] for metric in (AP, AP_MICRO))
    return [score, micro, 40 - score]


def spreads():
    table = committed("evidence_ladder_table").set_index("network")["seed_spread"]
    return [
        table.filter(like=", frozen").max(),
        table["MobileNetV2, unfrozen"],
        table[SCRATCH],
        table["MobileNetV2, random weights"],
    ]


def variance(name, *columns):
    row = variance_table(committed("evidence_split_and_seed")).set_index("network").loc[name]
    return [row[column] for column in columns]


def gains_by_size():
    runs = committed("evidence_learning_curves").query("set_name == 'seven_layer_cnn'")
    return (100 * runs.groupby("max_train_movies")[f"{AP}_over_color_histogram"].mean()).tolist()


ALONE = "network == 'evaluated' and tested_on == 'lettering_alone' and genre == 'all'"
OVER, OVER_PREVIOUS = ([f"over_{other}{end}" for end in ("", "_low", "_high")] for other in ("color", "previous"))
FROZEN, SCRATCH = "MobileNetV2, frozen", "seven layers, from scratch"
CLAIMS = [
    (
        "evidence",
        "18 genres, {:,} posters, and a split without copies between its parts ({:,} training, {:,} validation and "
        "{:,} test movies)",
        lambda: num_movies("evidence_ladder"),
    ),
    ("release", "Posters of {:,} movies", lambda: num_movies("release_posters_mobilenet_v2")[:1]),
    ("release", "`evaluated` has {:.1f} and {:.1f}, so the macro goal is missed by {:.1f} points", missed_goal),
    (
        "evidence",
        "Over five splits, the network from scratch has {:.1f} points more on average",
        lambda: variance(SCRATCH, "over_color"),
    ),
    (
        "evidence",
        "and take {:.1f} times as long",
        lambda: [ladder("MobileNetV2, frozen, 224×152", "seconds")[0] / ladder(FROZEN, "seconds")[0]],
    ),
    (
        "evidence",
        "The last row is a second training of the shipped network's recipe, with {:.1f} … has {:.1f}, of a training",
        lambda: [
            *ladder("shipped network, 224×152", AP),
            100 * committed("release_posters_mobilenet_v2").set_index("set_name").loc["evaluated", AP],
        ],
    ),
    ("evidence", "is at most {:.1f} points frozen, {:.1f} unfrozen, and {:.1f} and {:.1f} from scratch", spreads),
    (
        "evidence",
        "varies by {:.2f} points between splits and by {:.2f} between seeds. For the small network, the variance "
        "between splits cannot be told from zero, and its seeds differ by {:.2f} points",
        lambda: [*variance(FROZEN, "split_spread", "seed_spread"), *variance(SCRATCH, "seed_spread")],
    ),
    ("evidence", "over the color histogram, {:.1f} points on average", lambda: variance(SCRATCH, "over_color")),
    (
        "evidence",
        "on one of the splits its seeds have {:.1f} to {:.1f}",
        lambda: range_of(
            100 * committed("evidence_split_and_seed").query("set_name == 'seven_layer_cnn' and split_seed == 3")[AP]
        ),
    ),
    (
        "evidence",
        "is between {:.1f} and {:.1f} points above the color histogram",
        lambda: range_of(100 * committed(SPLITS)[OVER_COLOR]),
    ),
    (
        "evidence",
        "has {:.1f}, {:.1f}, {:.1f}, {:.1f}, {:.1f} and {:.1f} points more than a color histogram of the same posters",
        gains_by_size,
    ),
    (
        "evidence",
        "has {:.1f}% with seed 0 and {:.1f} to {:.1f}% with the others",
        lambda: [(scores := of_seeds("paper 3, corrected", HIT))[0], *range_of(scores[1:])],
    ),
    (
        "evidence",
        "The five seeds have {:.1f}, {:.1f}, {:.1f}, {:.1f} and {:.1f}%. Seed 0 had {:.1f}%",
        lambda: [
            *of_seeds("paper 4, as printed", TOP_N),
            100 * committed("densenet_accuracy").query("set_name == 'mobilenet_v2,as_printed'")[TOP_N].item(),
        ],
    ),
    (
        "evidence",
        "paper 2's custom network ({:.0f} minutes) and paper 3's unfrozen MobileNetV2 ({:.0f} minutes)",
        lambda: [
            committed("wang_vgg_like").query("learning_rate == 1e-4")["seconds"].item() / 60,
            *minutes("zavala_fine_tuning"),
        ],
    ),
    ("zavala", "it has {:.1f} to {:.1f}%, and none of them", lambda: range_of(of_seeds("paper 3, corrected", HIT))),
    ("densenet", "have {:.1f} to {:.1f}%. The custom", lambda: range_of(of_seeds("paper 4, as printed", TOP_N))),
    ("evidence", "worth a factor of {:.0f} in posters", lambda: [7000 / 500]),
    (
        "evidence",
        "| {:.0f} minutes, about half of them the detector |",
        lambda: [committed("evidence_lettering")["seconds"].max() / 60],
    ),
    (
        "evidence",
        "boxes around the detected lettering cover {:.1f}% of a poster",
        lambda: [100 * committed("evidence_lettering")["text_area"].max()],
    ),
    (
        "evidence",
        "it is worth less, by {:.1f} [{:.1f}, {:.1f}] and {:.1f} points [{:.1f}, {:.1f}]",
        lambda: [
            round(number, 1) + 0  # not -0.0
            for network in ("mobilenet_v2_frozen_large", "seven_layer_cnn")
            for number in lettering("without_lettering", "over_elsewhere", network=network)
        ],
    ),
    (
        "evidence",
        "the shipped network has {:.1f} where genre frequencies have {:.1f}",
        lambda: [
            100 * committed("evidence_lettering").query(ALONE)[AP].item(),
            *ladder("label prior", AP),
        ],
    ),
    (
        "evidence",
        "has {:.1f} instead of {:.1f} ({:.1f} points [{:.1f}, {:.1f}]), and one that is trained on lettering alone "
        "{:.1f}",
        lambda: [
            of_drawn("poster", "without_lettering"),
            of_drawn("poster", "poster"),
            *(of_drawn("poster", "without_lettering", f"over_poster{end}") for end in ("", "_low", "_high")),
            of_drawn("lettering_alone", "lettering_alone"),
        ],
    ),
    (
        "evidence",
        "the plot branch has {:.1f} with the sentence embedding and {:.1f} without it, {:.1f} points more "
        "[{:.1f}, {:.1f}]",
        lambda: with_sentences("plot branch"),
    ),
    (
        "evidence",
        "metadata and plots has {:.1f} and {:.1f}, {:.1f} points more [{:.1f}, {:.1f}]",
        lambda: with_sentences("ensemble"),
    ),
    (
        "README",
        "training was {:.1f} times as fast as PyTorch on an Intel Xeon with AVX-512, and {:.1f} times on an AMD EPYC",
        training_speed,
    ),
    ("evidence", "An earlier run of the latter, on paper 5's page, has {:.1f}", lambda: [macro("ensemble")]),
    (
        "evidence",
        "means of five seeds on all {} test movies",
        lambda: [committed("lebaron_plots")["num_test"].unique().item()],
    ),
    ("lebaron", "the strongest branch here, too, and the ensemble has {:.1f}%", lambda: with_sentences("ensemble")[:1]),
    (
        "lebaron",
        "have {:.1f}% on the {} test movies with a plot",
        lambda: [plots("TF-IDF")[AP], round(plots("TF-IDF")["num_test"] / 100)],
    ),
    (
        "wang",
        "Over their last five epochs, DenseNet-121 has {:.1f} to {:.1f}% at 0.5 at 1e-3, and ResNet18 {:.1f} to "
        "{:.1f}%",
        lambda: [
            number
            for run in ("densenet121,learning_rate=0.001", resnet18)
            for number in range_of(
                100 * committed(f"{RANDOM}_history").query("run == @run and epoch >= 5")["val_overall_f1"]
            )
        ],
    ),
    (
        "README",
        "from color histograms ({:.1f}% macro average precision) through a network from scratch ({:.1f}) to one "
        "trained like the shipped one ({:.1f}). MobileNetV2 has {:.1f} from random weights, and {:.1f} frozen with "
        "ImageNet's. The standard deviation is {:.1f} points over five splits for a frozen network, and {:.1f} over "
        "five seeds for one from scratch",
        lambda: [
            *(ladder(name, AP)[0] for name in ("color histogram", SCRATCH, "shipped network, 224×152")),
            *(ladder(name, AP)[0] for name in ("MobileNetV2, random weights", FROZEN)),
            *variance(FROZEN, "split_spread"),
            *variance(SCRATCH, "seed_spread"),
        ],
    ),
    (
        "README",
        "a network trained like the shipped one loses {:.1f} points, and {:.1f} if boxes of the same sizes hide other "
        "places",
        lambda: [lost(kind)[0] for kind in ("without_lettering", "elsewhere")],
    ),
    (
        "README",
        "Sentence embeddings of plots add {:.1f} points to plots alone, and {:.1f} to all three together",
        lambda: [with_sentences(network)[2] for network in ("plot branch", "ensemble")],
    ),
    (
        "release",
        "RandAugment costs {:.1f} points [{:.1f}, {:.1f}]. Mixup costs {:.1f} [{:.1f}, {:.1f}] … Mirror images add "
        "{:.1f} points of micro average precision [{:.1f}, {:.1f}], and `light` {:.1f} [{:.1f}, {:.1f}]",
        augmentations,
    ),
    (
        "release",
        "which Holm's correction for the four comparisons makes uncertain (p = {:.2f})",
        lambda: [committed("release_augmentation_table").set_index("augmentation").loc["mixup", "over_none_holm"]],
    ),
    (
        "release",
        "The mean of three seeds has {:.1f} points more [{:.1f}, {:.1f}], and the mean of these and of the regression "
        "on two other networks {:.1f} [{:.1f}, {:.1f}]",
        lambda: distilled("mean of 3 seeds") + distilled("mean of seeds and regression"),
    ),
    (
        "release",
        "the first one has {:.1f} here and {:.1f} there",
        lambda: [
            committed("release_distillation")[AP].iloc[0],
            100 * committed("release_augmentation").query("augmentation == 'flip' and seed == 0")[AP].item(),
        ],
    ),
    ("release", "With either teacher it has {:.1f} points more than without [{:.1f}, {:.1f}]", students),
    (
        "release",
        "{:.0f} process-minutes for {} runs, two at a time",
        lambda: [*minutes("release_augmentation"), len(committed("release_augmentation"))],
    ),
    (
        "release",
        "are {:.1f} and {:.1f} with binary cross-entropy, {:.1f} and {:.1f} with label smoothing, {:.1f} and {:.1f} "
        "with the focal loss, {:.1f} and {:.1f} with the asymmetric loss, {:.1f} and {:.1f} with four times the weight "
        "decay. Class weights have {:.1f} and {:.1f}",
        frozen_heads,
    ),
    (
        "evidence",
        "adds | {:.0f} minutes for {} of its {} networks; … seed | {:.0f} minutes on one core for {} networks | … "
        "worth | {:.0f} minutes for {} networks |",
        lambda: [
            *minutes("evidence_ladder"),
            committed("evidence_ladder")["seconds"].count(),
            len(committed("evidence_ladder")),
            *(
                number
                for name in ("evidence_split_and_seed", "evidence_learning_curves")
                for number in (*minutes(name), len(committed(name)))
            ),
        ],
    ),
    (
        "evidence",
        "has {:.1f} points more than the color histogram [{:.1f}, {:.1f}], frozen MobileNetV2 {:.1f} [{:.1f}, {:.1f}], "
        "and the shipped network {:.1f} [{:.1f}, {:.1f}]",
        lambda: [
            number
            for name in ("seven layers, from scratch", "MobileNetV2, frozen", "shipped network, 224×152")
            for number in ladder(name, *OVER)
        ],
    ),
    (
        "evidence",
        "from random weights has {:.1f}, {:.1f} points more than the color histogram [{:.1f}, {:.1f}] and "
        "{:.1f} more than the seven layers [{:.1f}, {:.1f}]. The same network, frozen with ImageNet's weights, has "
        "{:.1f} points more than that [{:.1f}, {:.1f}]. The former is scored after {} epochs, and its validation loss "
        "was lowest after {} to {}",
        lambda: [
            *ladder("MobileNetV2, random weights", AP, *OVER, *OVER_PREVIOUS),
            *ladder(FROZEN, *OVER_PREVIOUS),
            *epochs_of_random_weights(),
        ],
    ),
    (
        "evidence",
        "add {:.1f} points to the frozen network [{:.1f}, {:.1f}] … with {:.1f}, it has {:.1f} points less "
        "[{:.1f}, {:.1f}]",
        lambda: [
            *ladder("MobileNetV2, frozen, 224×152", *OVER_PREVIOUS),
            *ladder("MobileNetV2, unfrozen", AP),
            *(-ladder("MobileNetV2, unfrozen", f"over_previous{end}")[0] for end in ("", "_high", "_low")),
        ],
    ),
    (
        "evidence",
        "the shipped network loses {:.1f} points [{:.1f}, {:.1f}], and {:.1f} [{:.1f}, {:.1f}] when as much is hidden "
        "elsewhere. That lettering is worth more than any other place is not shown ({:.1f} points [{:.1f}, {:.1f}])",
        lambda: [
            *(number for kind in ("without_lettering", "elsewhere") for number in lost(kind)),
            *lost("without_lettering", "over_elsewhere"),
        ],
    ),
    (
        "evidence",
        "costs Documentary {:.1f} points [{:.1f}, {:.1f}], Fantasy {:.1f} [{:.1f}, {:.1f}] and Action {:.1f} [{:.1f}, "
        "{:.1f}]. With Animation it is the other way round: hiding other places costs {:.1f} points [{:.1f}, {:.1f}], "
        "and hiding the lettering {:.1f} [{:.1f}, {:.1f}], which is {:.1f} less [{:.1f}, {:.1f}]",
        lambda: [
            *(
                number
                for genre in ("Documentary", "Fantasy", "Action")
                for number in lost("without_lettering", "over_elsewhere", genre)
            ),
            *lost("elsewhere", genre="Animation"),
            *lost("without_lettering", genre="Animation"),
            *lettering("without_lettering", "over_elsewhere", "Animation"),
        ],
    ),
    (
        "evidence",
        "The frozen network has {:.1f} with 500 posters, and the small one {:.1f} with 7,000",
        scores_of_sizes,
    ),
    (
        "evidence",
        "with {:.0f} million posters ({:.0f} to {:.0f} million), more than there are films, and the unfrozen one with "
        "{:.1f} million ({:.1f} to {:.1f} million)",
        lambda: [*power_law("MobileNetV2, frozen"), *power_law("MobileNetV2, unfrozen")],
    ),
    ("evidence", "at 7,000 the unfrozen network is {:.1f} points below its own", below_its_law),
    (
        "evidence",
        "{:.1f} points over the frozen network with 250 posters, and {:.1f} with 7,000",
        lambda: [
            mean_of_size("mobilenet_v2_unfrozen", n) - mean_of_size("mobilenet_v2_frozen", n) for n in (250, 7000)
        ],
    ),
    ("evidence", "As it is trained for {} epochs at each size", epochs_of_sizes),
    (
        "evidence",
        "have {:.1f} with the mean of 25-number word vectors, {:.1f} with a sentence embedding, and {:.1f} with "
        "TF-IDF, {:.1f} points more [{:.1f}, {:.1f}]",
        lambda: [
            *(plots(name)[AP] for name in ("mean of 25-d word vectors", "sentence embedding", "TF-IDF")),
            *(plots("TF-IDF")[f"{AP}_gain{end}"] for end in ("", "_low", "_high")),
        ],
    ),
    (
        "README",
        "On {:,} test movies and 18 genres, the same recipe on 70% of the posters has an average precision of {:.1f}% "
        "(macro; goal 40, genre frequencies {:.1f}) and {:.1f}% (micro; goal 53, genre frequencies {:.1f})",
        shipped,
    ),
    ("README", "{:.1f} with the printed one", lambda: [of_variant("fusion_of_probabilities")[1]]),
    ("dave", "extend up to {:.1f} points to either side", lambda: [table_2_reach()]),
    ("dave", "We use {:,} posters", lambda: [parts("dave_split").sum()]),
    ("dave", "The paired difference of {:.2f} ± {:.1f} points favors neither", paired_seeds),
    (
        "dave",
        "learning rate | {:.0f} minutes | … five seeds | {:.0f} minutes | … split | {:.0f} minutes | "
        "… splits | {:.0f} minutes |",
        lambda: minutes("dave_table_2", "dave_best_cell_seeds", "dave_best_cell_leak_free", "dave_best_cell_splits"),
    ),
    (
        "wang",
        "Of the movies, {:.1f}% have none",
        lambda: [
            committed("wang_data").query("variant == 'faithful'").pipe(lambda t: 100 * t["without_genre"].sum() / 6000)
        ],
    ),
    (
        "wang",
        "the custom network | {:.0f} minutes at 1e-4 (1e-3 was interrupted), and {:.0f} minutes |",
        lambda: [
            committed("wang_vgg_like").query("learning_rate == 1e-4")["seconds"].item() / 60,
            *minutes("wang_vgg_like_leak_free"),
        ],
    ),
    ("wang", "at 24% | {:.0f} to {:.0f} minutes per", lambda: range_of(committed(RANDOM)["seconds"].dropna() / 60)),
    (
        "wang",
        "At a threshold of 0.622, those from random weights are {:.1f} to {:.1f} points below, and MobileNetV2 {:.1f} "
        "to {:.1f}; at 0.5 it is {:.1f} to {:.1f} and {:.1f} to {:.1f} points",
        lambda: [
            number
            for metric in ("overall_f1_at_622", "overall_f1")
            for names in ((RANDOM, "wang_vgg_like"), ("wang_frozen_mobilenet",))
            for number in range_of(
                -100 * pd.concat(committed(name)[f"{metric}_over_frequent_genres"] for name in names)
            )
        ],
    ),
    (
        "zavala",
        "three learning rates | {:.0f} and {:.0f} minutes | … unfrozen at 1e-5 | {:.0f} and {:.0f} minutes | … "
        "cross-validated | {:.0f} and {:.0f} minutes | … distributions | {:.0f} minutes, and about {:.0f} by the "
        "median training | … ablations | {:.0f} and {:.0f} minutes |",
        lambda: (
            minutes(
                *("zavala_transfer", "zavala_transfer_leak_free", "zavala_fine_tuning", "zavala_fine_tuning_leak_free"),
                *("zavala_table_3", "zavala_table_4", "zavala_random_search"),
            )
            # The times of those that were paused or interrupted are not in the table.
            + [40 * committed("zavala_random_search_batch_norm")["seconds"].median() / 60]
            + minutes("zavala_one_hot_sigmoid", "zavala_one_hot_sigmoid_leak_free")
        ),
    ),
    (
        "zavala",
        "{:,} rows each, {:,} in total",
        lambda: [
            committed("zavala_transfer")["max_per_genre"].iloc[0],
            committed("zavala_split").query("split == 'faithful'")["rows"].sum(),
        ],
    ),
    (
        "zavala",
        "from {:.0f} to {:.0f}% and from {:.0f} to {:.0f}%",
        lambda: [
            score
            for name in ("zavala_fine_tuning", "zavala_fine_tuning_leak_free")
            for score in training_accuracy(name)
        ],
    ),
    (
        "zavala",
        "are {:.1f} ± {:.1f}, {:.1f} ± {:.1f} and {:.1f} ± {:.1f} points at 1e-2, 1e-3 and 1e-4, and {:.1f} ± {:.1f}",
        torn_differences,
    ),
    ("zavala", "amount to about {:,} rows per genre", lambda: [round(449 * 32 / 0.6 / 6 / 100) * 100]),
    (
        "zavala",
        "{:,} of them in the folds",
        lambda: [committed("zavala_table_3")[["num_train", "num_validation"]].iloc[0].sum()],
    ),
    (
        "zavala",
        "the majority class has {:.1f}% and a color histogram {:.1f}%; these networks have {:.1f} to {:.1f}%",
        lambda: [
            100 / 6,
            draws("table_3", "table_4")["color"].min(),
            draws("table_3", "table_4")["test"].min(),
            draws("table_3", "table_4")["test"].max(),
        ],
    ),
    ("zavala", "reach {:.1f} to {:.1f}% (the best:", lambda: best_and_worst("random_search")),
    ("zavala", "and ten with it {:.1f} to {:.1f}%:", lambda: best_and_worst("random_search_batch_norm")),
    (
        "densenet",
        "Drama grows to {:,} images",
        lambda: [
            committed("densenet_crop_counts").query("variant == 'faithful' and genre == 'Drama'")["images"].item()
        ],
    ),
    (
        "densenet",
        "| {:.0f} minutes for the four rows below … protocol | {:.0f} minutes |",
        lambda: minutes("densenet_accuracy", "densenet_accuracy_leak_free"),
    ),
    (
        "lebaron",
        "We have {:,} movies instead of {:,}, split {:,}/{}/{}",
        lambda: [
            sum(counts := committed("lebaron_ensemble")[["num_train", "num_validation", "num_test"]].iloc[0].tolist()),
            round(sum(printed("lebaron", "Section 3", part)["count"] for part in ("train", "validation", "test"))),
            *counts,
        ],
    ),
    (
        "lebaron",
        "{:.1f} points above its ensemble",
        lambda: [printed("lebaron", "Figure 5", "Text")[AP] - printed("lebaron", "Figure 5", "Combined")[AP]],
    ),
    (
        "lebaron",
        "five seeds | {:.0f} minutes | … at a time | {:.0f} minutes |",
        lambda: minutes("lebaron_ensemble", "lebaron_variants"),
    ),
    (
        "release",
        "{:.0f} minutes for `evaluated` … {:.0f} minutes for `evaluated`",
        lambda: minutes("release_posters_mobilenet_v2", "release_posters_seven_layer"),
    ),
    (
        "release",
        "{:,} posters, the penalty alone moves … from {:.1f} to {:.1f}",
        lambda: [
            committed("release_posters_mobilenet_v2")["num_train"].iloc[0],
            *(100 * committed("release_recipes")[f"test_{AP}"].iloc[[0, 2]]),
        ],
    ),
    (
        "benchmarks",
        "takes {:.1f} s in all, their computation included, instead of {:.1f} s … **{:.1f} times** as fast (two "
        "rounds: {:.1f} and {:.1f})",
        lambda: (
            committed("benchmark_feature_cache")
            .iloc[0][["poster_cnn", "other", "ratio", "ratio_low", "ratio_high"]]
            .tolist()
        ),
    ),
    ("benchmarks", "reading becomes {:.0f}% slower and training {:.0f}% … at least {:.0f} times as fast", growth),
    (
        "benchmarks",
        "with {} posters at {:.0f}% … together see {:.0f} posters a second in all once the program is compiled, "
        "{:.0f}% of the peak, and one alone sees {:.0f}, {:.0f}% of it. With compilation, a network takes "
        "{:.0f} and {:.0f} seconds",
        device_grids,
    ),
    (
        "soak",
        "{} kills and {} starts on a full disk",
        lambda: committed("soak_kills").pipe(
            lambda t: [t.loc[(t["kill_point"] == "full disk") == full, "times_killed"].sum() for full in (False, True)]
        ),
    ),
    (
        "own_posters",
        "In the {:,} posters of the committed results, {:,} are ok, {} is repaired",
        lambda: [(counts := committed("audit_verdicts")["posters"]).sum(), *counts],
    ),
    (
        "own_posters",
        "{:.0f} kB per poster at a ratio of 30%, {:.0f} kB at 70%",
        lambda: [3 * 55 * 80e-3, 3 * 127 * 188e-3],
    ),
    (
        "explanations",
        "emblem in {:.1f}%, and the center of the picture in {:.1f}%",
        lambda: [100 * committed("pointing_game")[name].iloc[0] for name in ("chance", "center")],
    ),
    (
        "explanations",
        "Grad-CAM exceeds the other poster's map by {:.0f} points, that of random weights by {:.0f}. Occlusion exceeds "
        "it by {:.0f} points, with random weights by {:.0f}: … Grad-CAM exceeds the other poster's map by {:.0f} "
        "points only … exceeds the other map by {:.0f} points",
        lambda: [
            *beyond_other_map("seven_layer_cnn", "grad_cam"),
            *beyond_other_map("seven_layer_cnn", "occlusion"),
            *(beyond_other_map("mobilenet_v2", method)[0] for method in ("grad_cam", "occlusion")),
        ],
    ),
]


@pytest.mark.parametrize(("page", "sentence", "numbers"), CLAIMS, ids=[sentence[:40] for _, sentence, _ in CLAIMS])
def test_sentences_agree_with_the_committed_results(page, sentence, numbers):
    states(PAGES[page], sentence.format(*numbers()))


def test_genres_that_are_never_found_are_those_of_the_page():
    found = (
        committed("densenet_genre_accuracy").query("accuracy > 0 and variant == 'faithful'").groupby("setting")["genre"]
    )
    assert set(committed("densenet_genre_accuracy")["genre"]) - set(found.get_group("as_printed")) == {"Fantasy"}
    assert set(found.get_group("as_printed,reduced")) == {"Drama", "Sport", "History"}


def test_no_genre_is_shown_to_be_read_after_holms_correction():
    rows = committed("evidence_lettering").query("network == 'evaluated' and tested_on == 'without_lettering'")
    rows = rows[rows["genre"] != "all"].set_index("genre")
    corrected = pd.Series(holm(rows["over_elsewhere_p_value"]), index=rows.index)
    assert list(corrected.index[corrected < 0.05]) == ["Animation"] and rows.loc["Animation", "over_elsewhere"] > 0
    of_all = committed("evidence_lettering").query("tested_on == 'without_lettering' and genre == 'Animation'")
    assert (of_all["over_elsewhere_low"].dropna() > 0).tolist() == [True] * 3
    states(PAGES["evidence"], "This interval is above 0 with the other two networks, too.")
    states(
        PAGES["evidence"], f"only Animation's difference remains (p = {corrected['Animation']:.3f})".replace("0.", ".")
    )


def test_a_network_from_scratch_is_surely_below_colors_with_500_and_1000_posters_and_above_with_7000():
    runs = committed("evidence_learning_curves").query("set_name == 'seven_layer_cnn'")
    gain, sizes = f"{AP}_over_color_histogram", runs["max_train_movies"]
    below, above = ((runs[f"{gain}_high"] < 0).groupby(sizes).sum(), (runs[f"{gain}_low"] > 0).groupby(sizes).sum())
    assert below.to_dict() == {250: 2, 500: 3, 1000: 3, 2000: 1, 4000: 1, 7000: 0}
    assert above.to_dict() == dict.fromkeys(below.index, 0) | {7000: 3}


def test_unfreezing_on_small_posters_is_not_shown_to_differ_from_larger_posters():
    gain, low, high = ladder("MobileNetV2, unfrozen", *OVER_PREVIOUS)
    assert low < gain < 0 < high


def test_no_network_of_paper_2_from_random_weights_exceeds_frequent_genres_after_any_epoch():
    best = max(committed(f"{name}_history")["val_overall_f1"].max() for name in (RANDOM, "wang_vgg_like"))
    assert best < committed(RANDOM)["frequent_genres_overall_f1"].min()


def test_claims_of_about_90_percent_are_no_better_than_no_genre():
    verdicts = committed("published_claims")["verdict"]
    assert (verdicts == "no better than 'no genre'").sum() == 5
    states(PAGES["README"], "Five published scores of about 90% [are no better than naming none]")


def test_scores_of_explanations_are_those_of_the_results():
    text = PAGES["explanations"].read_text(encoding="utf-8")
    number = r"([\d.]+)"
    row = rf"^\| [\w-]+ \| [\w -]+ \| (\w+) \| {number} \| {number} to {number} \| {number} \| {number} \|$"
    rows = re.findall(row, text, re.MULTILINE)
    results = committed("pointing_game").sort_values(["method", "weights"], ascending=[True, False])
    methods, networks = (
        ["grad_cam", "class_activation_map", "occlusion"],
        list(dict.fromkeys(committed("pointing_game")["network"])),
    )
    results = results.sort_values("method", kind="stable", key=lambda names: names.map(methods.index))
    results = results.sort_values("network", kind="stable", key=lambda names: names.map(networks.index))
    assert [row[0] for row in rows] == results["weights"].tolist()
    scores = 100 * results[["hits", "low", "high", "other_map", "lettering"]].to_numpy()
    assert scores == pytest.approx(np.array([row[1:] for row in rows], dtype=float), abs=0.051)  # rounded twice


def test_random_weights_fall_to_chance_or_are_named():
    rows = committed("pointing_game").set_index(["network", "method", "weights"])
    hits = rows["hits"].xs("grad_cam", level="method").unstack()
    assert hits.loc["two_conv_cnn", "random"] > hits.loc["two_conv_cnn", "trained"]  # the page says that it fails
    of_mobilenet = rows.loc["mobilenet_v2"].xs("random", level="weights")
    assert (of_mobilenet["low"] < of_mobilenet["chance"]).all() and (of_mobilenet["hits"] < 0.27).all()


def numbers_of(text):
    """Numbers with decimals, percentages and thousands, as texts."""
    return set(re.findall(r"\d[\d,]*\.\d+|\d[\d,]*%|\b\d{1,3},\d{3}\b", text))


@pytest.mark.parametrize("page", ["README", *PAPERS, "evidence"])
def test_every_other_number_is_in_a_table_or_printed_in_a_paper(page):
    text = PAGES[page].read_text(encoding="utf-8")
    known = " ".join(
        path.read_text(encoding="utf-8")
        for path in PAGES.values()
        if page in ("README", path.parent.name) and path.parent.name != "benchmarks"  # speeds, which are no scores
    )
    tables = re.findall(r"<!-- table: .*?<!-- end -->", known, flags=re.DOTALL)
    papers = [EXPERIMENTS / "published" / f"{name}.csv" for name in PAPERS if page in ("README", name)]
    values = [value for path in papers for value in pd.read_csv(path)["value"].dropna()]
    known = {float(number) for number in re.findall(r"\d+\.?\d*", " ".join(tables))}
    known |= {round(value, digits) for value in values for digits in (0, 1, 2)}
    text = re.sub(r"```.*?```|<!-- table: .*?<!-- end -->|\]\([^)]*\)", "", text, flags=re.DOTALL)
    text = " ".join(text.split())
    for other, sentence, numbers in (*CLAIMS, *CLAIMS_2_3, *CLAIMS_1_4_5):
        if other == page:
            text = re.sub(".*?".join(map(re.escape, sentence.format(*numbers()).split(" … "))), "", text, count=1)
    assert [n for n in numbers_of(text) - DESIGN if float(n.strip("%").replace(",", "")) not in known] == []
