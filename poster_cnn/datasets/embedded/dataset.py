"""Embedded dataset: drawn posters, plots, metadata and trailer features of invented movies.

Everything is invented, so it can be distributed with the code. All randomness comes from `random.Random`, whose numbers
are the same on every platform.
"""

import bisect
import csv
import functools
import hashlib
import itertools
import os
import pathlib
import random
import shutil
import uuid

import numpy as np

from poster_cnn import files
from poster_cnn.datasets.embedded import text
from poster_cnn.datasets.embedded.posters import LAYERS, draw_everyday, draw_poster_and_masks
from poster_cnn.metrics import arguments

NUM_MOVIES = 1200  # in the embedded dataset

# Frequencies of genre sets, as in a large film collection.
_GENRE_SETS = """
Drama 42, Comedy 40, Documentary 14, Horror 14, Action 4, Family 5, Sci-Fi 5, Animation 3, Biography 3, Short 3,
Western 4, Comedy|Drama|Romance 74, Comedy|Romance 46, Drama|Romance 42, Comedy|Drama 32, Drama|Thriller 10,
Crime|Drama 11, Action|Crime|Drama 18, Action|Comedy|Crime 15, Action|Thriller 16, Action|Crime|Thriller 12,
Action|Adventure 10, Action|Adventure|Comedy 13, Action|Adventure|Sci-Fi 14, Action|Adventure|Fantasy 9,
Action|Sci-Fi|Thriller 8, Action|Drama|War 7, Action|Adventure|Western 5, Action|Adventure|Animation 9,
Action|Horror|Sci-Fi 7, Action|Sport 4, Horror|Thriller 24, Horror|Mystery|Thriller 20, Horror|Mystery 14,
Comedy|Horror 14, Horror|Sci-Fi 10, Fantasy|Horror 9, Drama|Horror 7, Crime|Horror|Thriller 5, Comedy|Fantasy|Horror 5,
Biography|Documentary 17, Documentary|Music 19, Documentary|History 14, Documentary|Sport 12, Documentary|News 7,
Documentary|Drama 7, Documentary|War 5, Documentary|Short 5, Biography|Documentary|Music 8, Documentary|Family 4,
Crime|Drama|Thriller 11, Crime|Drama|Mystery 13, Mystery|Thriller 11, Drama|Mystery 7, Comedy|Crime 11,
Adventure|Animation|Comedy 14, Adventure|Animation|Family 9, Animation|Comedy|Family 6, Animation|Family 5,
Comedy|Family 9, Comedy|Drama|Family 8, Adventure|Comedy|Family 6, Adventure|Family|Fantasy 6, Adventure|Fantasy 5,
Biography|Drama 13, Biography|Drama|History 7, Biography|Crime|Drama 7, Biography|Drama|Sport 6, Drama|History|War 5,
Biography|Drama|Romance 7, Drama|War 4, Drama|Sport 6, Comedy|Sport 5, Drama|Music 5, Comedy|Music|Romance 6,
Comedy|Musical|Romance 6, Drama|Musical|Romance 4, Fantasy|Romance 5, Crime|Drama|Romance 6, Romance|Thriller 5,
Romance|Sci-Fi 2, Sci-Fi|Thriller 6, Comedy|Sci-Fi 5, Comedy|Fantasy 6, Comedy|Drama|Fantasy 5, Drama|Sci-Fi 5,
Adventure|Drama 5, Drama|Western 4, Drama|Family 4
"""
_WEIGHTS = {
    tuple(entry.rsplit(" ", 1)[0].split("|")): int(entry.rsplit(" ", 1)[1])
    for entry in _GENRE_SETS.replace("\n", " ").strip().split(", ")
}
# Weight of a genre among the genres of its movie in the design of the poster. Defaults to 2.
_POSTER_WEIGHT = {"Horror": 6, "Documentary": 8, "Romance": 5, "Action": 5, "Animation": 4, "Western": 4, "Drama": 1}
_MISLEADING = 0.08  # share of posters drawn for random genres

# Defects of MovieGenre.csv and posters/, per thousand movies. There is at least one of each kind.
_DEFECTS = {"no title": 20, "no genre": 3, "title without year": 5, "no poster file": 4, "listed twice": 5}
_DEFECTS |= {"truncated poster": 1, "web page saved as poster": 1, "poster of another movie": 4}

_TRAILER_FRAMES, _TRAILER_FEATURES = 200, 4096


@arguments.checked(trailers=arguments.flag, masks=arguments.flag, layers=arguments.flag)
def embedded_dataset(*, trailers=False, masks=False, layers=False):
    """Return the folder of the embedded dataset, creating it in the user's cache on first use.

    Several processes may call this function at once, and it may be killed: the folder appears completely or not at all.
    Its name is a hash of the code that generates it, so changed code creates a new folder. Creation takes about
    5 seconds and 20 MB.

    Args:
        trailers: Whether to create `trailers/` too. Defaults to False.
        masks: Whether to create `masks/` too, which `embedded.masks.read_masks` reads. Defaults to False.
        layers: Whether to create `posters_without_lettering/` and `posters_lettering_alone/` too, the same posters
            without any lettering, and their lettering on gray. Defaults to False.

    Returns:
        `pathlib.Path` of a data folder, as written by `make_dataset` with its defaults.
    """
    folder = files.cache_dir() / _folder_name()
    _make_once(folder, lambda aside: _write_dataset(aside, NUM_MOVIES, seed=0))
    if trailers:
        _make_once(folder / "trailers", lambda aside: _write_trailers(aside, _invent_movies(NUM_MOVIES, 0), 0))
    if masks:
        _make_once(folder / "masks", lambda aside: _write_posters(aside, _invent_movies(NUM_MOVIES, 0), 0, masks=True))
    for layer, name in list(LAYERS.items())[1:] if layers else ():
        drawing = functools.partial(_write_posters, movies=_invent_movies(NUM_MOVIES, 0), seed=0, layer=layer)
        _make_once(folder / name, drawing)
    return folder


def is_embedded(folder):
    """Return whether a folder has the name of the embedded dataset's folder; creates nothing."""
    return folder.name == _folder_name()


@arguments.checked(
    directory=arguments.path,
    num_movies=arguments.integer,
    seed=arguments.integer,
    trailers=arguments.flag,
    masks=arguments.flag,
)
def make_dataset(directory, *, num_movies=NUM_MOVIES, seed=0, trailers=False, masks=False):
    """Write a data folder of invented movies; equal arguments give equal bytes.

    The folder contains `MovieGenre.csv` (Kaggle's columns, ISO-8859-1, with typical defects), `posters/<imdbId>.jpg`
    (182 wide, 268 high), `movie_metadata.csv` (UTF-8, with plots and gaps), `glove.synthetic.25d.txt` (word vectors in
    GloVe's text format), `everyday/*.jpg` (pictures that are not posters) and a `README.md` that counts the defects.

    Args:
        directory: Folder to write; must not exist or be empty.
        num_movies: Number of movies, at least 40. Defaults to 1200.
        seed: Integer. Defaults to 0.
        trailers: Whether to write `trailers/<imdbId>.npz` with an array "features", float16, of shape (200, 4096).
            Defaults to False.
        masks: Whether to write `masks/<imdbId>.png`, where the lettering (128) and the emblem (255) of each poster lie,
            and `masks/emblems.csv` with the genre of each emblem. Defaults to False.

    Returns:
        `pathlib.Path` of `directory`.

    Raises:
        FileExistsError: If `directory` has content.
        ValueError: If `num_movies` is below 40.
    """
    directory = pathlib.Path(directory)
    if num_movies < 40:
        raise ValueError(f"`num_movies` must be at least 40, to include each kind of defect. Received: {num_movies=}")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"`directory` must be new or empty. Received: directory={str(directory)!r}")
    with files.write_atomically(directory) as aside:
        _write_dataset(aside, num_movies, seed)
        if trailers:
            _write_trailers(aside / "trailers", _invent_movies(num_movies, seed), seed)
        if masks:
            _write_posters(aside / "masks", _invent_movies(num_movies, seed), seed, masks=True)
    return directory


def _folder_name():
    sources = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    return "embedded-" + hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def _make_once(folder, write):
    if folder.is_dir():
        return
    aside = folder.with_name(f".{uuid.uuid4().hex[:8]}.tmp.{folder.name}")
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(aside)
        os.rename(aside, folder)
    except OSError:
        if not folder.is_dir():  # Otherwise another process has created the same folder.
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _invent_movies(num_movies, seed):
    """Return dicts of id, year, title, genres, score and defect ("" for most movies), in the order of their ids."""
    rng = random.Random(f"movies {seed}")
    genre_sets = _spread(num_movies, rng)
    years = sorted(2017 - 38 * rng.randrange(1000) ** 2 // 1_000_000 for _ in range(num_movies))
    movies, imdb_id = [], 90_000_000  # beyond the ids of real movies
    for year, genres in zip(years, genre_sets, strict=True):
        imdb_id += rng.randrange(1, 900)
        title = text.make_title(genres, rng)
        score = "" if rng.random() < 0.04 else str((30 + 3 * rng.randrange(11) + rng.randrange(31)) / 10)
        movies.append({"id": imdb_id, "year": year, "title": title, "genres": genres, "score": score, "defect": ""})
    kinds = [kind for kind, share in _DEFECTS.items() for _ in range(max(1, num_movies * share // 1000))]
    for movie, kind in zip(rng.sample(movies, len(kinds)), kinds, strict=True):
        movie["defect"] = kind
    return movies


def _spread(count, rng):
    """Return `count` genre sets in random order, each as frequent as its weight, within one."""
    bounds = list(itertools.accumulate(_WEIGHTS.values()))
    drawn = [(i + rng.random()) * bounds[-1] / count for i in range(count)]
    drawn = [list(_WEIGHTS)[bisect.bisect_right(bounds, value)] for value in drawn]
    rng.shuffle(drawn)
    return [list(genres) for genres in drawn]


def _write_dataset(folder, num_movies, seed):
    movies = _invent_movies(num_movies, seed)
    rows = _metadata_rows(movies, seed)
    folder.mkdir(parents=True)
    _write_csv(folder / "MovieGenre.csv", _kaggle_rows(movies, random.Random(f"rows {seed}")), "iso-8859-1")
    _write_csv(folder / "movie_metadata.csv", _with_gaps(rows, random.Random(f"gaps {seed}")), "utf-8")
    vectors = text.word_vectors([row["plot_summary"] for row in rows], seed)
    (folder / "glove.synthetic.25d.txt").write_bytes(("\n".join(vectors) + "\n").encode())
    (folder / "README.md").write_bytes(_readme(movies, seed).encode())
    (folder / "everyday").mkdir()
    for name, picture in draw_everyday().items():
        picture.save(folder / "everyday" / f"{name}.jpg", quality=88)
    _write_posters(folder / "posters", movies, seed)


def _metadata_rows(movies, seed):
    people = text.make_people()
    return [_metadata_row(movie, people, random.Random(f"metadata {seed} {movie['id']}")) for movie in movies]


def _write_posters(folder, movies, seed, *, masks=False, layer="poster"):
    """Write the posters, a layer of them, or their masks instead."""
    folder.mkdir(parents=True)
    drawn, emblems = zip(movies, _metadata_rows(movies, seed), strict=True), {}
    for movie, row in files.progress_bar(drawn, "Drawing posters", len(movies), leave=False, mininterval=1):
        rng = random.Random(f"poster {seed} {movie['id']}")
        if masks:
            emblems[movie["id"]] = _write_mask(folder / f"{movie['id']}.png", movie, row, rng)
        else:
            _write_poster(folder / f"{movie['id']}.jpg", movie, row, rng, layer)
    copies = _copy_posters(folder, movies, random.Random(f"copies {seed}"), ".png" if masks else ".jpg")
    if masks:
        emblems |= {copy: emblems[original] for copy, original in copies.items()}
        _write_csv(folder / "emblems.csv", [{"imdbId": key, "genre": genre} for key, genre in emblems.items()], "utf-8")


def _write_csv(path, rows, encoding):
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _kaggle_rows(movies, rng):
    rows = []
    for movie in movies:
        titles = {"no title": "", "title without year": movie["title"]}
        rows.append(
            {
                "imdbId": movie["id"],
                "Imdb Link": f"https://example.org/title/tt{movie['id']}",
                "Title": titles.get(movie["defect"], f"{movie['title']} ({movie['year']})"),
                "IMDB Score": movie["score"],
                "Genre": "" if movie["defect"] == "no genre" else "|".join(movie["genres"]),
                "Poster": "" if rng.random() < 0.1 else f"https://example.org/posters/{movie['id']}.jpg",
            }
        )
    for row in [row for row, movie in zip(rows, movies, strict=True) if movie["defect"] == "listed twice"]:
        rows.insert(rng.randrange(len(rows)), row)
    return rows


def _metadata_row(movie, people, rng):
    metadata = text.make_metadata(movie["genres"], people, rng)
    row = {"imdbId": movie["id"], "movie_title": movie["title"], "title_year": movie["year"], **metadata}
    return row | {"genres": "|".join(movie["genres"]), "plot_summary": text.make_plot(movie["genres"], rng)}


def _with_gaps(rows, rng):
    # Empty cells per thousand, as in real metadata.
    empty = {"title_year": 3, "director_name": 5, "actor_3_name": 5, "content_rating": 16, "plot_keywords": 8}
    empty["plot_summary"] = 57
    kept = [dict(row) for row in rows if rng.random() > 0.04]
    for column, share in empty.items():
        for row in rng.sample(kept, max(1, len(kept) * share // 1000)):
            row[column] = ""
    return kept


def _draw(movie, row, rng, layer="poster"):
    """Return the poster of a movie or a layer of it, its masks and the genre of its emblem."""
    shown = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0] if rng.random() < _MISLEADING else movie["genres"]
    lead = rng.choices(shown, [_POSTER_WEIGHT.get(genre, 2) for genre in shown])[0]
    genres = [lead] + [genre for genre in shown if genre != lead]
    cast = [row["actor_1_name"], row["actor_2_name"]]
    return *draw_poster_and_masks(genres, movie["title"], cast, rng, layer), lead


def _write_mask(path, movie, row, rng):
    """Write the mask of a poster: 128 where its lettering is, 255 where its emblem is; return the emblem's genre."""
    _, masks, genre = _draw(movie, row, rng)
    mask = masks["lettering"].point(lambda value: value and 128)
    mask.paste(255, mask=masks["emblem"])
    mask.save(path, optimize=True)
    return genre


def _write_poster(path, movie, row, rng, layer):
    if movie["defect"] == "web page saved as poster":
        path.write_bytes(b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n")
    elif movie["defect"] != "no poster file":
        poster, _, _ = _draw(movie, row, rng, layer)
        poster.save(path, quality=rng.randrange(78, 93))
    if movie["defect"] == "truncated poster":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 5])


def _copy_posters(folder, movies, rng, suffix):
    """Replace the files of movies that show the poster of another one; return a dict of their id -> id of the other."""
    clean, copies = [movie["id"] for movie in movies if not movie["defect"]], {}
    for movie in movies:
        if movie["defect"] == "poster of another movie":
            copies[movie["id"]] = rng.choice(clean)
            shutil.copyfile(folder / f"{copies[movie['id']]}{suffix}", folder / f"{movie['id']}{suffix}")
    return copies


def _readme(movies, seed):
    counts = {kind: sum(movie["defect"] == kind for movie in movies) for kind in _DEFECTS}
    return (
        f"# Invented movies\n\n{len(movies)} movies by `poster_cnn.datasets.embedded`, seed {seed}.\n"
        "No movie, person or place in them is real. Like real tables, the data have defects:\n\n"
        + "".join(f"- {kind}: {count}\n" for kind, count in counts.items())
    )


def _write_trailers(folder, movies, seed):
    """Write sparse features of 200 frames per movie, in scenes that activate the features of one genre."""
    rng = random.Random(f"features {seed}")
    genre_features = {genre: rng.sample(range(_TRAILER_FEATURES), 60) for genre in text.WORDS}
    folder.mkdir(parents=True)
    for movie in files.progress_bar(movies, "Making trailer features", leave=False, mininterval=1):
        rng = random.Random(f"trailer {seed} {movie['id']}")
        features = np.zeros((_TRAILER_FRAMES, _TRAILER_FEATURES), np.float16)
        start = 0
        while start < _TRAILER_FRAMES:
            end = start + rng.randrange(8, 30)
            genre = text.heard([rng.choice(movie["genres"])], rng, 0.6)[0]
            columns = rng.sample(genre_features[genre], 20) + rng.sample(range(_TRAILER_FEATURES), 40)
            features[start:end, columns] = [rng.randrange(1, 33) / 8 for _ in columns]
            start = end
        np.savez_compressed(folder / f"{movie['id']}.npz", features=features)
