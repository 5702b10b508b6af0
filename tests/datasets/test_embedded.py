import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageChops, ImageDraw
from sklearn.linear_model import LogisticRegression

from poster_cnn.datasets.embedded import dataset, lettering, motifs
from poster_cnn.datasets.embedded.dataset import embedded_dataset, make_dataset
from poster_cnn.datasets.embedded.motifs import draw_motif
from poster_cnn.datasets.embedded.pen import Pen
from poster_cnn.datasets.embedded.posters import LAYERS, STYLES, draw_everyday, draw_poster, draw_poster_and_masks
from poster_cnn.datasets.embedded.text import WORDS, tokens

PAPER_GENRES = ["Horror", "Romance", "Action", "Documentary"]


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "small", num_movies=60, seed=3, trailers=True)


@pytest.fixture(scope="module")
def whole():
    """The embedded dataset, which is what `make_dataset` writes by default."""
    defaults = make_dataset.__wrapped__.__kwdefaults__
    assert (defaults["num_movies"], defaults["seed"]) == (1200, 0)
    return embedded_dataset()


def kaggle(folder):
    return pd.read_csv(folder / "MovieGenre.csv", encoding="ISO-8859-1", keep_default_na=False)


def metadata(folder):
    return pd.read_csv(folder / "movie_metadata.csv")


def multi_hot(genres, class_names):
    return np.array([[name in row.split("|") for name in class_names] for row in genres])


def test_same_seed_gives_same_bytes_in_another_process(small, tmp_path):
    made = f"dataset.make_dataset({str(tmp_path / 'again')!r}, num_movies=60, seed=3, trailers=True)"
    code = f"from poster_cnn.datasets.embedded import dataset; {made}"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "7"}, check=True)
    assert digests(tmp_path / "again") == digests(small)


def test_other_seed_gives_other_bytes(small, tmp_path):
    other = make_dataset(tmp_path / "other", num_movies=60, seed=4)
    same = set(digests(small).items()) & set(digests(other).items())
    assert {name.split("/")[0] for name, _ in same} == {"everyday"}


def test_columns_and_encodings(small):
    header = "imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"
    assert (small / "MovieGenre.csv").read_text(encoding="ISO-8859-1").splitlines()[0] == header
    header = (
        "imdbId,movie_title,title_year,director_name,actor_1_name,actor_2_name,actor_3_name,language,country,"
        "content_rating,plot_keywords,genres,plot_summary"
    )
    assert (small / "movie_metadata.csv").read_text(encoding="utf-8").splitlines()[0] == header


@pytest.mark.slow
def test_titles_have_accents(whole):
    with pytest.raises(UnicodeDecodeError):
        (whole / "MovieGenre.csv").read_text(encoding="utf-8")
    titles = " ".join(kaggle(whole).Title)
    assert all(word in titles for word in ("Crèvelune", "Düsterau", "São Ilvar"))


@pytest.mark.parametrize("folder, num_movies", [("small", 60), pytest.param("whole", 1200, marks=pytest.mark.slow)])
def test_readme_counts_defects(folder, num_movies, request):
    folder = request.getfixturevalue(folder)
    said = [line[2:].split(": ") for line in (folder / "README.md").read_text().splitlines() if line.startswith("- ")]
    rows = kaggle(folder)
    unique = rows.drop_duplicates("imdbId")
    paths = [folder / "posters" / f"{imdb_id}.jpg" for imdb_id in unique.imdbId]
    contents = [path.read_bytes() for path in paths if path.exists()]
    found = {
        "no title": (unique.Title == "").sum(),
        "no genre": (unique.Genre == "").sum(),
        "title without year": ((unique.Title != "") & ~unique.Title.str.contains(r" \(\d{4}\)$")).sum(),
        "no poster file": num_movies - len(contents),
        "listed twice": len(rows) - num_movies,
        "truncated poster": sum(c.startswith(b"\xff\xd8") and not c.endswith(b"\xff\xd9") for c in contents),
        "web page saved as poster": sum(c.startswith(b"<!DOCTYPE html>") for c in contents),
        "poster of another movie": len(contents) - len(set(contents)),
    }
    assert {kind: int(count) for kind, count in said} == found
    assert min(found.values()) >= 1


def test_posters_are_jpegs_of_paper_size(small):
    readable = 0
    for path in (small / "posters").iterdir():
        try:
            image = Image.open(path)
            image.load()
        except OSError:
            continue
        readable += 1
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (182, 268))
    assert readable == 60 - 3  # one without file, one truncated, one web page


@pytest.mark.slow
def test_genre_distribution(whole):
    genres = kaggle(whole).Genre[lambda genre: genre != ""].str.split("|")
    counts = genres.explode().value_counts()
    assert list(counts.index[:3]) == ["Drama", "Comedy", "Romance"]
    assert len(counts) >= 20
    assert set(genres.str.len()) == {1, 2, 3}
    assert all(list(row) == sorted(row) for row in genres)
    assert set(counts.index) == set(WORDS) == set(STYLES)


@pytest.mark.slow
def test_size_of_four_genre_subset(whole):
    rows = kaggle(whole).drop_duplicates("imdbId")
    year = pd.to_numeric(rows.Title.str.extract(r"\((\d{4})\)$")[0])
    assert year.min() <= 1982 and year.max() == 2017
    labels = multi_hot(rows.Genre, PAPER_GENRES)
    subset = labels[year.between(1997, 2017) & rows.Genre.str.contains("|", regex=False) & labels.any(axis=1)]
    first = np.bincount(subset.argmax(axis=1), minlength=4) / len(subset)
    assert 350 <= len(subset) <= 530
    assert subset.sum(axis=0).min() >= 60
    assert 0.33 <= first.max() <= 0.45


@pytest.mark.slow
def test_posters_predict_genre_imperfectly(whole):
    rows = kaggle(whole).drop_duplicates("imdbId").iloc[::2]
    labels = multi_hot(rows.Genre, PAPER_GENRES)
    pixels, targets = [], []
    for imdb_id, row in zip(rows.imdbId, labels, strict=True):
        try:
            image = (
                Image.open(whole / "posters" / f"{imdb_id}.jpg").convert("RGB").resize((8, 12), Image.Resampling.BOX)
            )
        except OSError:
            continue
        if row.any():
            pixels.append(np.asarray(image).ravel() / 255)
            targets.append(row.argmax())
    pixels, targets, test = np.array(pixels), np.array(targets), np.arange(len(targets)) % 3 == 0
    accuracy = (
        LogisticRegression(C=0.1, max_iter=2000).fit(pixels[~test], targets[~test]).score(pixels[test], targets[test])
    )
    majority = np.bincount(targets[test]).max() / test.sum()
    assert majority + 0.12 < accuracy < 0.9


def word_means(folder, texts):
    lines = (folder / "glove.synthetic.25d.txt").read_text(encoding="utf-8").splitlines()
    vectors = {word: np.array(values, float) for word, *values in (line.split(" ") for line in lines)}
    assert {len(vector) for vector in vectors.values()} == {25}
    words = [tokens(text) for text in texts]
    assert 0.8 < np.mean([word in vectors for text in words for word in text]) < 0.98
    return np.array([np.mean([vectors[word] for word in text if word in vectors], axis=0) for text in words])


@pytest.mark.slow
def test_plots_and_people_predict_genre_and_complement_each_other(whole):
    table = metadata(whole).dropna(subset=["plot_summary"])
    labels = multi_hot(table.genres, PAPER_GENRES)
    table, target = table[labels.any(axis=1)], labels[labels.any(axis=1)].argmax(axis=1)
    plots = 4 * word_means(whole, table.plot_summary)
    people = pd.get_dummies(table[["director_name", "actor_1_name", "actor_2_name", "actor_3_name"]]).to_numpy(float)
    test = np.arange(len(target)) % 3 == 0

    def accuracy(inputs):
        return LogisticRegression(max_iter=2000).fit(inputs[~test], target[~test]).score(inputs[test], target[test])

    alone = accuracy(plots), accuracy(people)
    assert min(alone) > np.bincount(target[test]).max() / test.sum() + 0.1
    assert max(alone) < accuracy(np.hstack([plots, people])) < 0.98


@pytest.mark.slow
def test_plots_have_30_to_60_words_or_are_missing(whole):
    plots = metadata(whole).plot_summary
    assert plots.dropna().str.split().str.len().between(30, 60).all()
    assert 0.03 < plots.isna().mean() < 0.08


def test_trailers_are_small_float16_arrays_that_depend_on_genre(small):
    paths = sorted((small / "trailers").iterdir())
    assert len(paths) == 60
    assert sum(path.stat().st_size for path in paths) < 60 * 40_000
    features = np.load(paths[0])["features"]
    assert (features.shape, features.dtype) == ((200, 4096), np.float16)
    assert features.min() == 0 and 0 < (features > 0).mean() < 0.05
    genres = metadata(small).set_index("imdbId").genres
    means = {int(path.stem): np.load(path)["features"].mean(axis=0, dtype=np.float32) for path in paths}
    means = {imdb_id: mean / np.linalg.norm(mean) for imdb_id, mean in means.items() if imdb_id in genres.index}
    alike = {True: [], False: []}
    for a in means:
        for b in means:
            if a < b:
                alike[bool(set(genres[a].split("|")) & set(genres[b].split("|")))].append(means[a] @ means[b])
    assert np.mean(alike[True]) > 1.5 * np.mean(alike[False])


def test_everyday_pictures_have_landscape_format(small):
    assert {path.stem for path in (small / "everyday").iterdir()} == set(draw_everyday())
    assert all(image.width > image.height for image in draw_everyday().values())


@pytest.mark.parametrize("arguments, error", [({"num_movies": 39}, ValueError), ({}, FileExistsError)])
def test_rejects_bad_arguments(tmp_path, arguments, error):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(error, match="Received: (num_movies=39|directory=)"):
        make_dataset(tmp_path, **arguments)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


@pytest.mark.parametrize("genre", sorted(STYLES))
def test_motifs_are_visible(genre):
    colors = {"ink": (0, 90, 0), "accent": (200, 0, 0), "light": (0, 0, 250)}
    for motif in STYLES[genre].motifs:
        canvas = Image.new("RGB", (200, 200))
        draw_motif(motif, Pen(ImageDraw.Draw(canvas), (100, 100), 90), colors, random.Random(1))
        counts = {color: count for count, color in canvas.getcolors(1000)}
        assert len(counts) >= 3 and counts.get((0, 0, 0), 0) < 0.9 * 200 * 200, motif


def test_title_is_written_on_poster():
    plain, lettered = (draw_poster(["News"], title, [], random.Random(5)) for title in ("", "Été: 7½ Nights!"))
    assert plain.size == lettered.size == (182, 268)
    assert ImageChops.difference(plain, lettered).convert("L").point(lambda value: value > 90).histogram()[1] > 300


def test_plain_removes_accents_and_unknown_characters():
    assert lettering.plain("Düsterau, é7½ ☃") == "DUSTERAU, E71 2  "
    assert lettering.wrap("The Lantern of Brackmoor", 13) == ["THE LANTERN", "OF BRACKMOOR"]


def embedded(cache, num_movies=50, call="embedded_dataset()"):
    made = f"dataset.NUM_MOVIES = {num_movies}; print(dataset.{call})"
    code = f"from poster_cnn.datasets.embedded import dataset; {made}"
    environment = {**os.environ, "POSTER_CNN_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_embedded_dataset_is_created_once_by_concurrent_processes(tmp_path):
    processes = [embedded(tmp_path) for _ in range(3)]
    outputs = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    (folder,) = tmp_path.iterdir()
    assert outputs == {f"{folder}\n"}
    assert len(list((folder / "posters").iterdir())) == 49


def test_embedded_dataset_adds_trailers_on_request(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path))
    monkeypatch.setattr(dataset, "NUM_MOVIES", 40)
    folder = embedded_dataset()
    before = digests(folder)
    assert not (folder / "trailers").exists()
    assert embedded_dataset(trailers=True) == folder
    assert len(list((folder / "trailers").iterdir())) == 40
    assert before.items() < digests(folder).items()
    assert dataset.is_embedded(folder) and not dataset.is_embedded(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_embedded_dataset_is_recreated_after_kill(tmp_path):
    process = embedded(tmp_path, num_movies=5000)
    while not list(tmp_path.glob(".*/posters/*.jpg")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("embedded-*"))
    output, _ = embedded(tmp_path).communicate()
    assert output == f"{next(tmp_path.glob('embedded-*'))}\n"


def test_changed_code_creates_new_embedded_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path))
    monkeypatch.setattr(dataset, "NUM_MOVIES", 40)
    folder = embedded_dataset()
    changed = shutil.copytree(pathlib.Path(dataset.__file__).parent, tmp_path / "changed") / "text.py"
    changed.write_bytes(changed.read_bytes() + b"# changed\n")
    monkeypatch.setattr(dataset, "__file__", str(tmp_path / "changed" / "dataset.py"))
    assert embedded_dataset() != folder


def test_motif_language():
    drawn = []

    class Recorder:
        def inner(self, center, percent):
            drawn.append((center, percent))
            return self

        def disc(self, color, center, radius):
            drawn.append((color, center, radius))

    def draw(program):
        drawn.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(motifs, "MOTIFS", motifs._parse(f"dot: disc ink 0,0 9\nmotif: {program}"))
            draw_motif("motif", Recorder(), {"ink": (1, 2, 3), "light": (4, 5, 6)}, random.Random(0))
        return drawn

    assert draw("3* disc ff0000 1,-2 30,40; 0% dot") == [((255, 0, 0), (1, -2), (30, 40))] * 3
    assert draw("@0..10/5,7:50 dot light") == [
        step for x in (0, 5, 10) for step in (((x, 7), 50), ((4, 5, 6), (0, 0), 9))
    ]
    assert draw("= dot") == [((1, 2, 3), (0, 0), 9), ((0, 0), -100), ((1, 2, 3), (0, 0), 9)]
    centers = {center for _, center, _ in draw("99* disc ink|light 1~3,5 9")}
    assert centers == {(1, 5), (2, 5), (3, 5)} and len({color for color, *_ in drawn}) == 2


@pytest.mark.parametrize("genre", STYLES)
def test_layers_of_a_poster_are_those_that_are_seen_in_it(genre):
    drawn = {
        layer: draw_poster_and_masks([genre, "Drama"], "The Long Night", ["Ann Lee", "Bo Ray"], random.Random(7), layer)
        for layer in LAYERS
    }
    whole, bare, alone = (np.asarray(drawn[layer][0]).astype(int) for layer in LAYERS)
    assert np.array_equal(
        whole, draw_poster([genre, "Drama"], "The Long Night", ["Ann Lee", "Bo Ray"], random.Random(7))
    )
    changed = (whole != bare).any(axis=-1)
    mask = np.asarray(drawn["poster"][1]["lettering"]) > 0
    assert changed.mean() > 0.02 and changed[mask].mean() > 0.5
    assert (np.ptp(alone, axis=-1) == 0)[~changed].mean() > 0.95  # gray where there is no lettering
    assert all(np.array_equal(drawn["poster"][1]["emblem"], masks["emblem"]) for _, masks in drawn.values())
