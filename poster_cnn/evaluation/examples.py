"""Which predictions to show: the surest right and the surest wrong one of each genre."""

import pathlib

import pandas as pd
from PIL import Image

from poster_cnn.datasets import image_files
from poster_cnn.datasets.verify import check_posters
from poster_cnn.results.collect import genres_of


def best_run(history, metric="val_accuracy"):
    """The run whose last epoch has the best validation score: chosen without looking at the test posters.

    Args:
        history: DataFrame from `results.collect_history`.
        metric: Column to compare. Defaults to `"val_accuracy"`.

    Returns:
        str: its value in the column `run`.
    """
    last = history.sort_values("epoch").groupby("run", sort=False).tail(1)
    return last.loc[last[metric].idxmax(), "run"]


def pick_examples(predictions, table):
    """For each genre, the right and the wrong prediction that the network was surest of (paper 1, Figs. 6–16).

    A prediction is right when the most probable genre is one of the movie's true ones.

    Args:
        predictions: DataFrame of a run folder's `predictions.csv`.
        table: Movie table, for the titles.

    Returns:
        DataFrame, a row an example: `genre` (str), `verdict` ("right" or "wrong"), `imdb_id`, `title`, `true_genres`
        (str, joined with "|", of the network's genres) and a column `probability_<genre>` for each genre. A genre
        without a right or wrong prediction has no such row.
    """
    class_names = genres_of(predictions)
    probabilities = predictions[[f"probability_{name}" for name in class_names]]
    truth = predictions[[f"true_{name}" for name in class_names]].to_numpy(dtype=bool)
    top = probabilities.to_numpy().argmax(axis=1)
    hit = truth[range(len(top)), top]
    sureness = probabilities.max(axis=1)
    rows = []
    for number, genre in enumerate(class_names):
        for verdict, chosen in (("right", hit & (top == number)), ("wrong", ~hit & truth[:, number])):
            if chosen.any():
                rows.append({"genre": genre, "verdict": verdict, "position": sureness[chosen].idxmax()})
    examples = pd.DataFrame(rows, columns=["genre", "verdict", "position"])
    position = examples.pop("position").to_numpy(dtype=int)
    titles = table.drop_duplicates("imdb_id").set_index("imdb_id")["title"]
    examples["imdb_id"] = predictions["imdb_id"].to_numpy()[position]
    examples["title"] = examples["imdb_id"].map(titles).fillna("")
    examples["true_genres"] = [
        "|".join(n for n, yes in zip(class_names, truth[i], strict=True) if yes) for i in position
    ]
    return examples.join(probabilities.iloc[position].reset_index(drop=True))


def poster_images(imdb_ids, table):
    """The posters of some movies, for `figures.prediction_cards`.

    Args:
        imdb_ids: Which movies.
        table: Movie table with `poster_path`.

    Returns:
        list of RGB `PIL.Image.Image`, `None` where there is no readable poster.
    """
    usable, _ = check_posters(table[table["imdb_id"].isin(set(imdb_ids))], progress=False)
    paths = usable.drop_duplicates("imdb_id").set_index("imdb_id")["poster_path"]
    return [
        image_files.read_rgb(pathlib.Path(paths[imdb_id]).read_bytes()) if imdb_id in paths else None
        for imdb_id in imdb_ids
    ]


def shrunk(image, image_size):
    """A PIL image shrunk to `(height, width)`, to show what a network gets to see."""
    height, width = image_size
    return image.resize((width, height), Image.Resampling.BILINEAR)
