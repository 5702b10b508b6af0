"""Layouts of data: the same movies in each of them, read, split and recognized again."""

import dataclasses
import json
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import poster_cnn
from poster_cnn.cli import main
from poster_cnn.datasets.verify import verify_data
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.genres import genre_counts
from poster_cnn.movies.moviescope import MOVIESCOPE_GENRES
from poster_cnn.training import rows
from poster_cnn.training.config import TrainingConfig
from poster_cnn.training.data import load_frequent_genres, load_training_data

GENRES = ["Action", "Drama", "Sci-Fi"]
# Id -> genres and part of each movie.
PARTS = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
CYCLE = [["Action"], ["Drama", "Sci-Fi"], ["Drama"], ["Action", "Drama"]]
MOVIES = {1000001 + number: (CYCLE[number % 4], part) for number, part in enumerate(PARTS)}
CONFIG = TrainingConfig(class_names=GENRES, ratio=10, fractions=(0.5, 0.25, 0.25))


def picture(imdb_id):
    blots = np.random.default_rng(imdb_id).integers(0, 256, (6, 4, 3), dtype="uint8")
    return Image.fromarray(blots).resize((40, 64), Image.Resampling.NEAREST)


def write_pictures(folder, name="{}.jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for imdb_id in MOVIES:
        picture(imdb_id).save(folder / name.format(imdb_id), "PNG")
    return folder


def columns(name="pictures/{}.jpg"):
    ids = [name.format(imdb_id) for imdb_id in MOVIES]
    return pd.DataFrame({"image": ids, "genre": [genres for genres, _ in MOVIES.values()]})


def one_hot(prefix=""):
    labels = {f"{prefix}{name}": [int(name in genres) for genres, _ in MOVIES.values()] for name in GENRES}
    labels["has_poster"] = 1
    return columns().drop(columns="genre").assign(**labels)


def write_csv(folder, frame, **options):
    write_pictures(folder / "pictures")
    frame.to_csv(folder / "films.csv", index=False, **options)
    return folder / "films.csv"


def csv_text(folder):
    genres, parts = columns()["genre"].str.join(", "), [part for _, part in MOVIES.values()]
    return write_csv(folder, columns().assign(genre=genres, title="A film", split=parts), sep=";")


def csv_ids(folder):  # names without suffixes in a folder of images, as in a set of posters on Kaggle
    write_pictures(folder / "Images", "tt{}.jpg")
    frame = one_hot().drop(columns="image").assign(Id=[f"tt{imdb_id}" for imdb_id in MOVIES])
    frame.to_csv(folder / "train.csv")
    return folder


def data_frame(folder):
    write_pictures(folder / "pictures")
    return columns().assign(image=[folder / name for name in columns()["image"]], uid="x").set_index("uid")


def tidy_frame(folder):
    table = poster_cnn.load_movie_table(csv_text(folder))
    return table.assign(imdb_id=list(MOVIES), genres=table["genres"].map(np.array))


def genre_folders(folder, with_parts=False):
    for imdb_id, (genres, part) in MOVIES.items():
        for genre in genres:
            inside = folder / (part if with_parts else ".") / genre.replace("Sci-Fi", "science fiction")
            inside.mkdir(parents=True, exist_ok=True)
            picture(imdb_id).save(inside / f"poster {imdb_id}.png")
    (folder / "classes.json").write_text('["Action"]')
    return folder


def kaggle(folder):
    write_pictures(folder / "posters")
    lines = [f"{imdb_id},Film,{'|'.join(genres)}" for imdb_id, (genres, _) in MOVIES.items()]
    (folder / "MovieGenre.csv").write_text("imdbId,Title,Genre\n" + "\n".join(lines))
    return folder


def split_json(folder, name="{:07}"):
    parts = {"train": [], "dev": [], "test": []}
    for imdb_id, (_, part) in MOVIES.items():
        parts["dev" if part == "val" else part].append(name.format(imdb_id))
    (folder / "split.json").write_text(json.dumps(parts))
    return folder


def mmimdb(folder, records="dataset", images="dataset"):
    write_pictures(folder / images, "{:07}.jpeg")
    (folder / records).mkdir(exist_ok=True)
    for imdb_id, (genres, _) in MOVIES.items():
        movie = {"title": "A film", "year": 1999, "genres": genres, "plot": ["imdb id"], "cast": [{"name": "x"}]}
        (folder / records / f"{imdb_id:07}.json").write_text(json.dumps(movie))
    return split_json(folder)


def mmimdb_archive(folder):
    pixels = np.stack([np.asarray(picture(imdb_id)) for imdb_id in MOVIES]).transpose(0, 3, 1, 2)[:, ::-1]
    counts = {"train": (0, 8), "dev": (8, 10), "test": (10, 12)}
    rows = [(part.encode(), source, *ends) for part, ends in counts.items() for source in (b"genres", b"images")]
    with h5py.File(folder / "multimodal_imdb.hdf5", "w") as archive:
        means = np.array([103.939, 116.779, 123.68])[:, None, None]
        archive["images"] = (pixels - means).astype("int32")
        archive["genres"] = [[int(name in genres) for name in GENRES] for genres, _ in MOVIES.values()]
        archive["genres"].attrs["target_names"] = json.dumps(GENRES)
        archive["imdb_ids"] = np.array([f"{imdb_id:07}" for imdb_id in MOVIES], "S7")
        archive.attrs["split"] = np.array(rows, [("split", "S5"), ("source", "S7"), ("start", "i8"), ("stop", "i8")])
    return folder


def moviescope(folder):
    write_pictures(folder / "MatchedPosters").rename(folder / "ids")
    (folder / "MatchedPosters").mkdir()
    header = "movie_imdb_link,movie_title,genres,director_name,actor_1_name,actor_2_name,actor_3_name,language"
    header += ",content_rating"
    entries, lines = {"train": [], "val": [], "test": []}, [header]
    for number, (imdb_id, (genres, part)) in enumerate(MOVIES.items()):
        (folder / "ids" / f"{imdb_id}.jpg").rename(folder / "MatchedPosters" / f"{number}.jpg")
        lines.append(f"http://imdb.com/title/tt{imdb_id}/,Film,{'|'.join(genres)},a,b,c,d,English,R")
        labels = "".join(str(int(name in genres)) for name in MOVIESCOPE_GENRES)
        entries[part].append({"movie_id": number, "plot": "A plot.", "newGenreLabels": labels})
    (folder / "movie_metadata.csv").write_text("\n".join(lines))
    for part, found in entries.items():
        (folder / f"raw_data_{part}.p").write_bytes(pickle.dumps(found))
    return folder


def one_inner_folder(folder):
    return genre_folders(folder / "unpacked").parent


# Name -> function that writes the movies, part of the report's first line, and whether the layout has a split.
LAYOUTS = {
    "Kaggle": (kaggle, "MovieGenre.csv, with posters named by imdbId", False),
    "CSV of lists": (lambda folder: write_csv(folder, columns()), "column 'image' and genres in 'genre'", False),
    "CSV of text": (
        csv_text,
        "films.csv, with pictures in the column 'image' and genres in 'genre', and a split",
        True,
    ),
    "CSV of 0 and 1": (lambda folder: write_csv(folder, one_hot()), "3 columns of 0 and 1 (Action, Drama, Sci", False),
    "get_dummies": (lambda folder: write_csv(folder, one_hot("genre_").astype(str)), "3 columns of 0 and 1 (", False),
    "Windows paths": (lambda folder: write_csv(folder, columns(r"pictures\{}.jpg")), "column 'image'", False),
    "ids and Images/": (csv_ids, "train.csv, with pictures in the column 'Id' and genres in 3 columns", False),
    "DataFrame": (data_frame, "a DataFrame, with pictures in the column 'image' and genres in 'genre'", False),
    "table of the library": (tidy_frame, "in the column 'poster_path' and genres in 'genres', and a split", True),
    "folder per genre": (genre_folders, "3 folders of genres in ", False),
    "one inner folder": (one_inner_folder, "folders of genres in unpacked/", False),
    "folders of parts": (lambda folder: genre_folders(folder, True), "Drama, science fiction), and a split", True),
    "MM-IMDb": (mmimdb, "MM-IMDb, a JSON and a picture per movie, with its published split", True),
    "MM-IMDb unpacked": (lambda folder: mmimdb(folder, "labels", "images"), "MM-IMDb, a JSON", True),
    "MM-IMDb HDF5": (mmimdb_archive, "MM-IMDb, the HDF5 file multimodal_imdb.hdf5, with its published split", True),
    "MovieScope": (moviescope, "MovieScope, with its published split", True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reads_the_movies_of_each_layout(layout, tmp_path):
    write, described, has_split = LAYOUTS[layout]
    data = write(tmp_path)
    loaded = load_training_data(CONFIG.replace(split="given" if has_split else "leak_free").data, data)
    assert described in loaded.report.splitlines()[0]
    # The picture tells which movie it is.
    known = [np.asarray(picture(imdb_id), float) for imdb_id in MOVIES]
    for path, labels, part in zip(loaded.table["poster_path"], loaded.all_labels, loaded.split, strict=True):
        differences = [np.abs(np.asarray(Image.open(path).convert("RGB"), float) - one).mean() for one in known]
        genres, published = list(MOVIES.values())[np.argmin(differences)]
        assert min(differences) < 12 and [name for name, hit in zip(GENRES, labels, strict=True) if hit] == genres
        assert part.startswith(published) or not has_split
    assert len(loaded.table) == len(MOVIES) == loaded.table["imdb_id"].nunique() and loaded.certificate.clean
    manifest, said = verify_data(data)
    assert len(manifest) == len(MOVIES) and (manifest["verdict"] != "quarantined").all()
    assert described in f"data: {said}"


def test_given_split_needs_a_published_one(data_folder):
    with pytest.raises(ValueError, match="`split` must be 'leak_free' .*published split.*Received: split='given'"):
        load_training_data(CONFIG.replace(split="given", class_names=("Horror", "Action")).data, data_folder)


def test_a_published_split_without_validation_movies_gets_some_of_the_training_movies(tmp_path):
    frame = data_frame(tmp_path).assign(subset=["Train" if part != "test" else "TEST" for _, part in MOVIES.values()])
    data = load_training_data(CONFIG.replace(split="given").data, frame)
    assert data.split.value_counts().to_dict() == {"train": 7, "validation": 3, "test": 2}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (columns("absent/{}.jpg"), "in the column 'image', and none exists, such as 'absent/1000001.jpg'"),
        (columns().drop(columns="image"), r"lacks the column\(s\) imdbId, Title, or pictures.*columns=\['genre'\]"),
        (columns().drop(columns="genre"), r"lacks genres.*columns=\['image'\] in the table films.csv"),
        (columns().assign(genre=1), r"lacks genres.*columns=\['image', 'genre'\]"),
        (columns().assign(genre=range(12)), "cell.* that cannot be understood, row 1: '0'"),
    ],
    ids=["no files", "no pictures", "no genres", "one number", "numbers"],
)
def test_names_the_columns_if_one_cannot_be_found(frame, message, tmp_path):
    path = write_csv(tmp_path, frame)
    with pytest.raises(ValueError, match=message):
        poster_cnn.load_movie_table(find_data_folder(path).csv)


def test_refuses_a_folder_of_posters_for_pictures_that_the_data_name(tmp_path):
    with pytest.raises(ValueError, match="`posters_dir` must be None .*the data name their pictures"):
        find_data_folder(genre_folders(tmp_path), posters_dir=tmp_path)


def test_pictures_without_ids_are_the_same_movie_in_every_table(tmp_path):
    first = poster_cnn.load_movie_table(write_csv(tmp_path / "a", columns()))
    folders = poster_cnn.load_movie_table(genre_folders(tmp_path / "b"))
    assert first["imdb_id"].is_unique and first["imdb_id"].min() > 10**14
    again = poster_cnn.load_movie_table(write_csv(tmp_path / "c", columns()[::-1].assign(uuid="")))
    assert first["imdb_id"].tolist() == again["imdb_id"].tolist()[::-1]
    (tmp_path / "b" / "Action" / "same.png").write_bytes((tmp_path / "b" / "Drama" / "poster 1000002.png").read_bytes())
    picture(7).save(tmp_path / "b" / "Action" / "poster 1000002.png")  # another picture of the same name
    table = poster_cnn.load_movie_table(tmp_path / "b")
    assert len(table) == len(folders) + 1
    assert table.set_index("picture").loc["Action/same.png", "genres"] == ["Action", "Drama", "Sci-Fi"]
    assert table.attrs["report"].count("same file name in several folders, other picture") == 3


def test_ids_of_any_kind_are_kept_apart(tmp_path):
    frame = data_frame(tmp_path).assign(id=["tt0000012", "12.0", "a-1", "a-1", None, *map(str, range(900, 907))])
    table = poster_cnn.load_movie_table(frame)
    assert len(table) == 10 and table["imdb_id"][0] == 12 and table["imdb_id"][3:].tolist() == [*range(900, 907)]


def test_verify_and_audit_take_every_layout(tmp_path, capsys):
    genre_folders(tmp_path)
    assert main(["verify", str(tmp_path), "--manifest", str(tmp_path / "manifest.csv")]) == 0
    assert main(["audit", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("data: 3 folders of genres") == 2
    assert len(pd.read_csv(tmp_path / "manifest.csv")) == len(MOVIES)


def test_takes_all_genres_with_enough_training_posters(data_folder, tiny_config, tmp_path, monkeypatch, capsys):
    config = tiny_config.replace(split="leak_free").data
    every = genre_counts(poster_cnn.load_movie_table(data_folder / "MovieGenre.csv")).index.tolist()
    of_every = load_training_data(dataclasses.replace(config, class_names=every), data_folder)
    least = int(of_every.labels("train").sum(axis=0)[2])
    checked, check = [], rows.check_posters
    monkeypatch.setattr(rows, "check_posters", lambda table: checked.append(len(table)) or check(table))
    loaded = load_frequent_genres(config, data_folder, min_posters=least)
    assert len(checked) == 1  # although the movies of rare genres are left out afterwards
    counts = loaded.labels("train").sum(axis=0)
    assert counts.min() >= least and 2 <= len(counts) < len(every)
    assert sorted(loaded.class_names) == [*loaded.class_names]
    assert f"{len(counts)} genres with at least {least} training posters: Drama " in loaded.report.splitlines()[-1]
    named = load_training_data(dataclasses.replace(config, class_names=loaded.class_names), data_folder)
    assert named.fingerprint == loaded.fingerprint and loaded.report.startswith(named.report)
    with pytest.raises(ValueError, match=r"fewer than two genres .*Horror \d+; .*--genres.*Received: min_posters=200"):
        load_frequent_genres(config, data_folder)
    trained = []
    monkeypatch.setattr("poster_cnn.training.train.train", lambda *args, **options: trained.append((args, options)))
    command = ["train", "--data", str(data_folder), "--out", str(tmp_path), "--ratio", "26"]
    command += ["--min-posters", str(least)]
    assert main(command) == 0 and trained[0][0][0].class_names == loaded.class_names
    assert trained[0][1]["training_data"].fingerprint == loaded.fingerprint
    assert main([*command, "--genres", "Horror,Action"]) == 1
    assert "--min-posters needs --genres all" in capsys.readouterr().err
