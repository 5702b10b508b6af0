"""One genre a row, as in paper 3: its encodings, what a split does to it, its scores beside what they must beat."""

import pandas as pd

from poster_cnn.movies.genres import best_accuracy, encode_genres, integer_labels
from poster_cnn.movies.splits import PARTS
from poster_cnn.tables import BASELINES_OF_ONE_GENRE, in_percent


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
