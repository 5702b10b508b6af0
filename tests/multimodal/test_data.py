"""Ensemble data: inputs of each branch, missing modalities, notes, errors, MovieScope."""

import pickle
import random
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import draw_poster

from poster_cnn.datasets.pipeline import poster_dataset
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.metadata import load_movie_metadata
from poster_cnn.multimodal import data as module
from poster_cnn.multimodal.data import backbone_network, load_ensemble_data
from poster_cnn.multimodal.trailers import read_trailer_features
from poster_cnn.multimodal.word_vectors import plot_vectors


@pytest.fixture
def text_config(ensemble_config):
    """`ensemble_config` without posters and trailers, which is fast to load."""
    return ensemble_config.replace(modalities=("metadata", "plot"))


@pytest.fixture
def own_folder(movie_folder, tmp_path):
    """Copy of `movie_folder` without trailers, for tests that change it."""
    ignored = shutil.ignore_patterns("trailers", "everyday")
    return shutil.copytree(movie_folder, tmp_path / "own", ignore=ignored)


def test_keeps_movies_with_missing_modalities(ensemble_data, movie_folder):
    table, present = ensemble_data.movies.table, ensemble_data.present_table()
    assert list(present) == ["has_poster", "has_trailer", "has_metadata", "has_plot"]
    assert present["has_plot"].tolist() == (table["plot"] != "").tolist()
    assert present["has_poster"].tolist() == (table["poster_path"] != "").tolist()
    assert present["has_trailer"].all() and not present["has_plot"].all() and not present["has_poster"].all()
    genres = set(ensemble_data.movies.class_names)
    listed = pd.read_csv(movie_folder / "movie_metadata.csv", usecols=["imdbId", "genres"])
    wanted = [bool(genres & set(names.split("|"))) for names in listed["genres"]]
    assert sorted(table["imdb_id"]) == sorted(listed["imdbId"][wanted])
    assert ensemble_data.movies.certificate.clean


def test_inputs_match_the_movies_row_by_row(ensemble_data, movie_folder):
    data, table = ensemble_data, ensemble_data.movies.table
    row = np.flatnonzero(data.present.all(axis=1))[3]
    movie = table.iloc[[row]]
    pixels = next(iter(poster_dataset(movie, ["Drama"], image_size=(32, 32))))[0]
    assert np.allclose(data.inputs["poster"][row], data.extractor(pixels)[0], atol=1e-4)
    frames = read_trailer_features(movie_folder / "trailers" / f"{table['imdb_id'][row]}.npz")
    assert np.allclose(data.inputs["trailer"][row], frames[frames.any(axis=1)].mean(axis=0), atol=1e-5)
    assert (data.inputs["metadata"][row] != data.encoder.encode(movie)).nnz == 0
    assert np.array_equal(data.inputs["plot"][row], plot_vectors(movie["plot"], data.vectors)[0])
    for number, array in enumerate(data.inputs.values()):
        assert array.dtype == "float32" and array.shape[0] == len(table)
        assert not abs(array[~data.present[:, number]]).sum()


def test_encoder_is_fitted_to_the_training_set(ensemble_data):
    directors = ensemble_data.movies.part("train")["director_name"]
    assert set(ensemble_data.encoder.categories["director_name"]) == set(directors) - {""}
    assert "test values not seen in training: director_name" in ensemble_data.notes


def test_rows_of_a_part_and_a_modality(ensemble_data):
    for part in ("train", "validation", "test"):
        rows = ensemble_data.rows(part)
        assert (ensemble_data.movies.split.iloc[rows] == part).all()
        assert len(rows) == ensemble_data.movies.count(part)
    with_plot = ensemble_data.rows("train", "plot")
    assert ensemble_data.present[with_plot, 3].all() and len(with_plot) < ensemble_data.movies.count("train")
    assert f"plot: available for {len(with_plot)} of {ensemble_data.movies.count('train')} train" in ensemble_data.notes


def test_color_histogram_baseline_uses_the_label_prior_without_poster(text_config, own_folder):
    data = load_ensemble_data(text_config, own_folder, progress=False)
    lost = data.movies.part("test")["imdb_id"].iloc[0]
    (own_folder / "posters" / f"{lost}.jpg").unlink(missing_ok=True)
    data = load_ensemble_data(text_config, own_folder, progress=False)
    assert data.extractor is None
    found = data.baseline_predictions("test")
    lacks = (data.movies.part("test")["poster_path"] == "").to_numpy()
    same = (found["color_histogram"] == found["label_prior"]).all(axis=1)
    assert lacks.any() and same.tolist() == lacks.tolist()


def test_fingerprint_depends_on_posters_and_plots(text_config, own_folder):
    def fingerprint():
        return load_ensemble_data(text_config, own_folder, progress=False).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    table = pd.read_csv(own_folder / "movie_metadata.csv", dtype=str, keep_default_na=False)
    table.loc[table["plot_summary"] != "", "plot_summary"] += " day"
    table.to_csv(own_folder / "movie_metadata.csv", index=False)
    second = fingerprint()
    next(iter((own_folder / "posters").glob("*.jpg"))).unlink()
    assert len({first, second, fingerprint()}) == 3


def test_rejects_features_that_are_not_finite(ensemble_config, movie_folder, monkeypatch):
    class Broken:
        def __getitem__(self, rows):
            return np.where(rows[:, None] == 2, np.nan, np.ones((len(rows), 512)))

    monkeypatch.setattr(module, "poster_features", lambda *args, **options: Broken())
    with pytest.raises(ValueError, match="The poster features must be finite.* for 1 movies, such as imdbId 9"):
        load_ensemble_data(ensemble_config, movie_folder, progress=False)


@pytest.mark.parametrize(
    ("name", "modality", "message"),
    [
        ("movie_metadata.csv", "metadata", "must contain movie_metadata.csv"),
        ("glove.synthetic.25d.txt", "plot", "Plots need word vectors, glove"),
        ("trailers", "trailer", "has no trailers/. Remove 'trailer' from `modalities`"),
    ],
)
def test_rejects_data_folder_without_files_of_a_modality(name, modality, message, ensemble_config, own_folder):
    if (own_folder / name).exists():
        (own_folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        load_ensemble_data(ensemble_config.replace(modalities=(modality,)), own_folder, progress=False)


@pytest.mark.parametrize(
    ("modality", "column", "message"),
    [
        ("plot", "plot_summary", "No train and no validation movie has a plot. Remove it from `modalities`"),
        ("metadata", "genres", "must contain genres of the 60 movies .*, which are none. Received: class_names="),
    ],
)
def test_rejects_movies_without_plots_or_genres(modality, column, message, ensemble_config, own_folder):
    table = pd.read_csv(own_folder / "movie_metadata.csv", dtype=str, keep_default_na=False)
    table.assign(**{column: ""}).to_csv(own_folder / "movie_metadata.csv", index=False)
    with pytest.raises(ValueError, match=message):
        load_ensemble_data(ensemble_config.replace(modalities=(modality,)), own_folder, progress=False)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], FileNotFoundError, "has no trailers.$"),
        (["clip.npy", "5.npy"], ValueError, "None of the 2 files .* is named after the imdbId of one of the .* movies"),
        (["{0}.npy", "{1}.npy"], ValueError, "None of the 2 trailers .* is usable:\n  .*are all 0"),
    ],
)
def test_rejects_folder_without_usable_trailers(names, error, message, ensemble_config, own_folder):
    movies = load_movie_metadata(own_folder / "movie_metadata.csv")
    ids = movies["imdb_id"][["Drama" in genres for genres in movies["genres"]]]
    (own_folder / "trailers").mkdir()
    for name in names:
        np.save(own_folder / "trailers" / name.format(*ids), np.zeros((3, 4), "float32"))
    with pytest.raises(error, match=message):
        load_ensemble_data(ensemble_config.replace(modalities=("trailer",)), own_folder, progress=False)


def test_random_backbone_depends_on_the_split_seed_only(ensemble_config, monkeypatch):
    small = lambda *_, **options: keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])  # noqa: E731
    monkeypatch.setattr(module, "build_network", small)
    state = random.getstate(), np.random.get_state()[1].tolist()
    networks = [backbone_network(ensemble_config.replace(seed=seed)) for seed in (0, 1)]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state
    for a, b in zip(*[network.get_weights() for network in networks], strict=True):
        assert np.array_equal(a, b)


@pytest.fixture
def moviescope(tmp_path):
    """Folder in the layout of MovieScope: nine movies, three per part; the first lacks a poster, the last a trailer."""
    header = "movie_imdb_link,movie_title,title_year,director_name,actor_1_name,actor_2_name,actor_3_name"
    rows = [f"{header},language,content_rating,genres"]
    rows += [f"http://x/title/tt{900 + n}/,Movie {n},2000,D{n % 2},A,B,C,English,PG,Drama" for n in range(9)]
    (tmp_path / "movie_metadata.csv").write_text("\n".join(rows))
    (tmp_path / "glove.txt").write_text("day 1 2\nnight -1 3\n")
    for folder in ("MatchedPosters", "200F_VGG16"):
        (tmp_path / folder).mkdir()
    for number, part in enumerate(("train", "val", "test")):
        entries = []
        for n in range(3 * number, 3 * number + 3):
            labels = "0000010000000" if n % 2 else "0001000000000"  # drama, comedy
            entries.append({"movie_id": n, "plot": f"day{' night' * n}", "newGenreLabels": labels})
            if n > 0:
                draw_poster(["Horror", "Action"][n % 2 :], seed=n).save(tmp_path / f"MatchedPosters/{n}.jpg")
            if n < 8:
                features = np.full((1, 200, 6), n + 1, dtype="float32")
                (tmp_path / f"200F_VGG16/{n}.p").write_bytes(pickle.dumps(features, protocol=2))
        (tmp_path / f"raw_data_{part}.p").write_bytes(pickle.dumps(entries, protocol=2))
    return tmp_path


def test_given_split_of_moviescope_is_used(ensemble_config, moviescope):
    config = ensemble_config.replace(split="given", class_names=("Comedy", "Drama"))
    data = load_ensemble_data(config, moviescope, progress=False)
    assert data.movies.split.tolist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    assert data.movies.all_labels.argmax(axis=1).tolist() == [0, 1] * 4 + [0]
    assert data.inputs["trailer"][:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 0]
    assert data.present.all(axis=1).tolist() == [False, *[True] * 7, False]
    assert "Leak certificate" not in data.notes
    of_folder = load_ensemble_data(config, find_data_folder(moviescope), progress=False)  # as a sweep hands it on
    assert of_folder.fingerprint == data.fingerprint


def test_given_split_without_validation_movies_gets_some_of_the_training_movies(ensemble_config, moviescope):
    train, validation = (moviescope / f"raw_data_{part}.p" for part in ("train", "val"))
    movies = [entry for path in (train, validation) for entry in pickle.loads(path.read_bytes())]
    train.write_bytes(pickle.dumps(movies, protocol=2))
    validation.write_bytes(pickle.dumps([], protocol=2))
    config = ensemble_config.replace(split="given", class_names=("Comedy", "Drama"), modalities=("metadata", "plot"))
    data = load_ensemble_data(config, moviescope, progress=False)
    assert set(data.movies.split[:6]) == {"train", "validation"}
    assert data.movies.split[6:].tolist() == ["test"] * 3


def test_reports_a_leak_in_the_given_split(ensemble_config, moviescope):
    shutil.copy(moviescope / "MatchedPosters/1.jpg", moviescope / "MatchedPosters/8.jpg")
    config = ensemble_config.replace(split="given", class_names=("Comedy", "Drama"), modalities=("metadata",))
    notes = load_ensemble_data(config, moviescope, progress=False).notes
    assert "Leak certificate: some posters have a copy in another part" in notes


def test_plots_in_which_no_word_has_a_vector_are_explained(movie_folder, ensemble_config, tmp_path):
    folder = shutil.copytree(movie_folder, tmp_path / "data")
    (glove,) = folder.glob("glove*.txt")
    glove.write_text("zzz 1 2\nyyy 3 4\n")
    config = ensemble_config.replace(modalities=("metadata", "plot"))
    with pytest.raises(ValueError, match=r"validation movie has a plot.*\nplots: .* 0 of [\d,]+ words have a vector"):
        load_ensemble_data(config, folder, progress=False)
