"""Select predictions to show: the most confident correct and wrong one of each genre."""

import pathlib

import pandas as pd
from PIL import Image

from poster_cnn import figures
from poster_cnn.datasets.pixels import open_picture
from poster_cnn.datasets.verify import check_posters
from poster_cnn.metrics import arguments
from poster_cnn.results.collect import genres_of


@arguments.checked(history=arguments.table("run", "epoch", empty=False), metric=arguments.text)
def best_run(history, metric="val_accuracy"):
    """Return the name of the run with the best validation score in its last epoch.

    Args:
        history: DataFrame from `results.collect_history`.
        metric: Column to compare. Defaults to `"val_accuracy"`.
    """
    arguments.columns(history, metric=metric)
    last = history.sort_values("epoch").groupby("run", sort=False).tail(1)
    return last.loc[last[metric].idxmax(), "run"]


@arguments.checked(
    predictions=arguments.table("imdb_id"),
    table=arguments.table("imdb_id", "title"),
    count=arguments.optional(arguments.count),
)
def pick_examples(predictions, table, *, count=None):
    """Select the most confident right and wrong prediction of each genre (paper 1, Figs. 6–16).

    A prediction is right if the most probable genre is one of the movie's true genres.

    Args:
        predictions: DataFrame of a run's `predictions.csv`.
        table: Movie table with the titles.
        count: Maximum number of examples, of different movies. Defaults to `None`: two per genre.

    Returns:
        DataFrame, at most two rows per genre: `genre` (str), `verdict` ("right" or "wrong"), `imdb_id`, `title`,
        `true_genres` (str, joined with "|") and one column `probability_<genre>` per genre.
    """
    class_names = genres_of(predictions)
    probabilities = predictions[[f"probability_{name}" for name in class_names]]
    truth = predictions[[f"true_{name}" for name in class_names]].to_numpy(dtype=bool)
    top = probabilities.to_numpy().argmax(axis=1)
    hit = truth[range(len(top)), top]
    confidence = probabilities.max(axis=1)
    rows = []
    for number, genre in enumerate(class_names):
        for verdict, chosen in (("right", hit & (top == number)), ("wrong", ~hit & truth[:, number])):
            if chosen.any():
                rows.append({"genre": genre, "verdict": verdict, "position": confidence[chosen].idxmax()})
    examples = pd.DataFrame(rows, columns=["genre", "verdict", "position"])
    position = examples.pop("position").to_numpy(dtype=int)
    titles = table.drop_duplicates("imdb_id").set_index("imdb_id")["title"]
    examples["imdb_id"] = predictions["imdb_id"].to_numpy()[position]
    examples["title"] = examples["imdb_id"].map(titles).fillna("")
    examples["true_genres"] = [
        "|".join(n for n, yes in zip(class_names, truth[i], strict=True) if yes) for i in position
    ]
    examples = examples.join(probabilities.iloc[position].reset_index(drop=True))
    return examples if count is None else examples.drop_duplicates("imdb_id").head(count)


@arguments.checked(imdb_ids=arguments.sequence, table=arguments.table("imdb_id", "poster_path"))
def poster_images(imdb_ids, table):
    """Return the posters of some movies, for `figures.prediction_cards`.

    Args:
        imdb_ids: Ids of the movies.
        table: Movie table with `poster_path`.

    Returns:
        List of RGB `PIL.Image.Image`, with `None` for movies without a readable poster.
    """
    usable, _ = check_posters(table[table["imdb_id"].isin(set(imdb_ids))], progress=False)
    paths = usable.drop_duplicates("imdb_id").set_index("imdb_id")["poster_path"]
    return [open_picture(paths[imdb_id]) if imdb_id in paths else None for imdb_id in imdb_ids]


@arguments.checked(image_size=arguments.size)
def shrunk(image, image_size):
    """Return a PIL image shrunk to `(height, width)`, to show the input of a network."""
    height, width = image_size
    return image.resize((width, height), Image.Resampling.BILINEAR)


@arguments.checked(table=arguments.table(), count=arguments.natural)
def random_rows(table, count):
    """Return `count` rows of a table in random order, or all of a shorter one."""
    return table.sample(frac=1, random_state=0).head(count)


@arguments.checked(names=arguments.sequence, paths=arguments.paths)
def pictures(names, paths):
    """Open pictures by name: a list of RGB `PIL.Image.Image`, with `None` for a name that is not among the paths.

    Args:
        names: File names.
        paths: Paths of picture files.
    """
    path_of = {pathlib.Path(path).name: path for path in paths}
    return [open_picture(path_of[name]) if name in path_of else None for name in names]


@arguments.checked(movies=arguments.table("imdb_id", "title", "poster_path"), columns=arguments.count)
def show_posters(movies, columns=6):
    """Draw the posters of the rows of a movie table with their titles, or say that there are none."""
    if movies.empty:
        return print("There are no such posters.")
    return figures.image_grid(poster_images(movies["imdb_id"], movies), titles=list(movies["title"]), columns=columns)
