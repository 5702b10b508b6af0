"""Training data: rows per genre, folds, merged and sampled genres, unlabeled movies, crops, splits."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.genres import encode_genres, merge_genres
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.data import load_training_data

BOX = ["crop_top", "crop_left", "crop_height", "crop_width"]


@pytest.fixture(scope="module")
def row_config(tiny_config):
    """Config of paper 3: one row per movie and genre, split at random."""
    return tiny_config.replace(one_row_per_genre=True, split="stratified", fractions=(0.6, 0.2, 0.2))


def test_random_split_of_rows_leaks_and_the_certificate_counts_it(row_config, data_folder):
    data = load_training_data(row_config.data, data_folder)
    assert len(data.table) > data.table["imdb_id"].nunique() == 60
    assert (data.all_labels.sum(axis=1) == 1).all()
    test, train = data.part("test"), data.part("train")
    leaked = test["imdb_id"].isin(train["imdb_id"]).sum()
    (row,) = [row for row in data.certificate.rows if (row["part"], row["copies_in"]) == ("test", "train")]
    assert row["same_movie"] == leaked > 0 and row["posters"] == len(test)


def test_rejects_a_leak_unless_allowed(row_config, data_folder):
    with pytest.raises(ValueError, match="(?s)The split leaks. Choose split='leak_free'.*same movie"):
        load_training_data(row_config.replace(allow_leak=False).data, data_folder)


def test_leak_free_split_keeps_the_rows_of_a_movie_together(row_config, data_folder):
    data = load_training_data(row_config.replace(split="leak_free", allow_leak=False).data, data_folder)
    assert data.certificate.clean and data.table["imdb_id"].duplicated().any()
    assert data.split.groupby(data.table["imdb_id"]).nunique().max() == 1


def test_samples_large_genres_before_the_split(row_config, data_folder):
    data = load_training_data(row_config.replace(max_per_genre=12).data, data_folder)
    assert data.all_labels.sum(axis=0).tolist() == [12] * 4
    assert "48 rows with at most 12 a genre" in data.report


def test_whole_movies_have_one_row_with_all_genres(row_config, data_folder):
    data = load_training_data(row_config.data, data_folder)
    first, labels = data.whole_movies("test")
    test = data.part("test")
    assert test.iloc[first]["imdb_id"].is_unique and len(first) == test["imdb_id"].nunique()
    assert labels.sum() == sum(
        len(set(genres) & set(row_config.class_names)) for genres in test.iloc[first]["all_genres"]
    )


@pytest.mark.parametrize("split", ["stratified", "leak_free", "imdb_id"])
def test_each_movie_outside_the_test_set_is_held_out_once(row_config, data_folder, split):
    config = row_config.replace(split=split, one_row_per_genre=split != "imdb_id")
    without = load_training_data(config.data, data_folder)
    folds = [load_training_data(config.replace(num_folds=4, fold=fold).data, data_folder) for fold in range(4)]
    held_out = np.stack([(data.split == "validation").to_numpy() for data in folds])
    in_test = (without.split == "test").to_numpy()
    assert (held_out.sum(axis=0) == ~in_test).all()
    assert all(((data.split == "test") == in_test).all() for data in folds)
    assert held_out.sum(axis=1).max() - held_out.sum(axis=1).min() <= 4


def test_folds_share_the_table(row_config, data_folder):
    first = load_training_data(row_config.replace(num_folds=3, fold=0).data, data_folder)
    second = load_training_data(row_config.replace(num_folds=3, fold=1).data, data_folder)
    switched = first.with_fold(1)
    assert (switched.split == second.split).all() and switched.table is first.table
    assert switched.fingerprint == second.fingerprint != first.fingerprint
    assert switched.certificate.rows == second.certificate.rows
    assert np.array_equal(switched.images("validation"), second.images("validation"))


def test_rejects_cross_validation_without_fold(row_config, data_folder):
    with pytest.raises(ValueError, match="needs `num_folds` and the `fold` that is held out.*num_folds=4, fold=None"):
        load_training_data(row_config.replace(num_folds=4).data, data_folder)


# --- merged genres and sampled movies ---


def test_merged_genres_are_listed_once():
    table = pd.DataFrame(
        {"genres": [["Musical", "News", "Music"], ["Western", "News"], ["Drama"], []]}, index=[5, 3, 9, 1]
    )
    merged = merge_genres(table, {"Music": ("Musical",), "Other": ["News", "Western"]})
    assert merged["genres"].tolist() == [["Music", "Other"], ["Other"], ["Drama"], []]
    assert merged.index.tolist() == [5, 3, 9, 1]
    assert table["genres"].iloc[0] == ["Musical", "News", "Music"]  # the input is unchanged
    assert merge_genres(table, {})["genres"].tolist() == table["genres"].tolist()


def test_rejects_merging_unknown_genres():
    table = pd.DataFrame({"genres": [["Western", "Kung-Fu"]]})
    assert merge_genres(table, {"Other": ("Kung-Fu", "News")})["genres"].tolist() == [["Western", "Other"]]
    for groups in ({"Other": ("Western", "Newz")}, {"Other": "News"}):
        with pytest.raises(ValueError, match="must be a dict .*Kung-Fu.*Received: (Newz|N, e, w, s)$"):
            merge_genres(table, groups)


@pytest.fixture(scope="module")
def config(tiny_config):
    """Config of two of the four genres with a random split into training and test set."""
    return tiny_config.replace(
        class_names=("Horror", "Romance"), classifier_activation="sigmoid", loss="binary_crossentropy",
        split="random", fractions=(0.8, 0.2), image_size=(40, 27),
    )  # fmt: skip


def ids(data):
    return data.table["imdb_id"].tolist()


def test_unlabeled_movies_are_left_out_or_kept_as_zeros(config, data_folder):
    without = load_training_data(config.data, data_folder)
    kept = load_training_data(config.replace(keep_unlabeled=True).data, data_folder)
    assert len(kept.table) == 60 and without.all_labels.any(axis=1).all()
    unlabeled = 60 - len(without.table)
    assert (~kept.all_labels.any(axis=1)).sum() == unlabeled > 10
    assert f"{unlabeled} movies with none of the {len(config.class_names)} genres left out" in without.report
    assert f"{unlabeled} movies with none of the {len(config.class_names)} genres kept" in kept.report
    assert set(ids(without)) == {i for i, row in zip(ids(kept), kept.all_labels, strict=True) if row.any()}


def test_samples_movies_before_selecting_genres(config, data_folder):
    kept = load_training_data(config.replace(max_movies=30, keep_unlabeled=True).data, data_folder)
    without = load_training_data(config.replace(max_movies=30).data, data_folder)
    assert len(kept.table) == 30 > len(without.table) and ids(kept) == sorted(ids(kept))
    assert set(ids(without)) == {i for i, row in zip(ids(kept), kept.all_labels, strict=True) if row.any()}
    assert "30 of 60 movies drawn at random" in kept.report
    again = load_training_data(config.replace(max_movies=30, keep_unlabeled=True).data, data_folder)
    other = load_training_data(config.replace(max_movies=30, keep_unlabeled=True, split_seed=1).data, data_folder)
    assert ids(again) == ids(kept) != ids(other) and again.fingerprint == kept.fingerprint
    more = load_training_data(config.replace(max_movies=61, keep_unlabeled=True).data, data_folder)
    assert len(more.table) == 60 and "drawn at random" not in more.report


@pytest.mark.parametrize("rows", [{}, {"one_row_per_genre": True, "classifier_activation": "softmax", "loss": "mse"}])
def test_fewer_training_movies_leave_the_other_parts_alone(config, data_folder, rows):
    config = config.replace(split="leak_free", fractions=(0.7, 0.1, 0.2), allow_leak=False, **rows)
    whole, most, few = (load_training_data(config.replace(max_train_movies=n).data, data_folder) for n in (None, 15, 8))
    movies = [set(data.part("train")["imdb_id"]) for data in (whole, most, few)]
    assert movies[2] < movies[1] < movies[0] and list(map(len, movies[1:])) == [15, 8]
    for part in ("validation", "test"):
        assert few.part(part).equals(whole.part(part)) and (few.images(part) == whole.images(part)).all()
    assert len(few.images("train")) == few.count("train") and few.certificate.clean
    assert f"{few.count('train')} training rows of at most 8 movies" in few.report
    other = load_training_data(config.replace(max_train_movies=len(movies[0])).data, data_folder)
    assert other.fingerprint == whole.fingerprint != few.fingerprint


def test_merged_genres_can_be_classes(config, data_folder):
    merged = config.replace(
        genre_groups={"Other": ("Romance", "Documentary", "Musical")}, class_names=("Other", "Action")
    )
    data = load_training_data(merged.data, data_folder)
    apart = load_training_data(config.replace(class_names=("Romance", "Documentary", "Action")).data, data_folder)
    assert ids(data) == ids(apart)
    assert (data.all_labels[:, 0] == apart.all_labels[:, :2].max(axis=1)).all()
    assert (data.all_labels[:, 1] == apart.all_labels[:, 2]).all()


def test_split_without_validation_set_validates_on_the_test_set(config, data_folder):
    data = load_training_data(config.data, data_folder)
    assert (data.count("validation"), data.validation_part) == (0, "test")
    assert data.count("test") == len(data.table) - round(0.8 * len(data.table))
    three = load_training_data(config.replace(fractions=(0.6, 0.2, 0.2)).data, data_folder)
    assert three.count("validation") and three.validation_part == "validation"
    leak_free = load_training_data(config.replace(split="leak_free", allow_leak=False).data, data_folder)
    assert set(leak_free.split) == {"train", "test"} and leak_free.certificate.clean


# --- crops ---


@pytest.fixture(scope="module")
def before(config):
    """Config of paper 4: crops of all posters, then the split."""
    return config.replace(crops_per_genre=60, crop_before_split=True, fractions=(0.7, 0.3))


@pytest.fixture(scope="module")
def after(config):
    """Corrected config: the split, then crops of training posters."""
    return config.replace(crops_per_genre=60, split="leak_free", fractions=(0.6, 0.1, 0.3), allow_leak=False)


def test_crops_before_the_split_leak_and_the_certificate_counts_them(before, data_folder):
    data = load_training_data(before.data, data_folder)
    assert (data.all_labels.sum(axis=0) >= 60).all() and f"{len(data.table)} images with crops" in data.report
    test, train = data.part("test"), data.part("train")
    assert (test["crop_height"] == 150).any() and (train["crop_height"] == 150).any()
    leaked = test["imdb_id"].isin(train["imdb_id"])
    (row,) = data.certificate.rows
    assert (row["posters"], row["same_movie"], row["leaked"]) == (len(test), leaked.sum(), leaked.sum())
    assert row["fraction"] > 0.5
    with pytest.raises(ValueError, match="(?s)The split leaks. Choose split='leak_free'.*same movie"):
        load_training_data(before.replace(allow_leak=False).data, data_folder)
    corrected = load_training_data(before.replace(split="leak_free", allow_leak=False).data, data_folder)
    assert corrected.certificate.clean and (corrected.part("test")["crop_height"] == 150).any()


@pytest.mark.parametrize(("evaluation_crop", "box"), [("whole", [0, 0, 268, 182]), ("center", [59, 16, 150, 150])])
def test_crops_after_the_split_are_of_training_posters(after, data_folder, evaluation_crop, box):
    data = load_training_data(after.replace(evaluation_crop=evaluation_crop).data, data_folder)
    plain = load_training_data(after.replace(crops_per_genre=None).data, data_folder)
    for part in ("validation", "test"):
        assert data.part(part)["imdb_id"].tolist() == plain.part(part)["imdb_id"].tolist()
        assert (data.part(part)[BOX] == box).all(axis=None)
    train = data.part("train")
    originals = train[: plain.count("train")]
    assert originals["imdb_id"].tolist() == plain.part("train")["imdb_id"].tolist()
    assert (originals["crop_height"] == 268).all() and (train["crop_height"][len(originals) :] == 150).all()
    assert set(train["imdb_id"]) == set(plain.part("train")["imdb_id"])
    assert (data.labels("train").sum(axis=0) >= 60).all()
    assert (data.all_labels == encode_genres(data.table, data.class_names)).all()
    assert data.certificate.clean and len(data.certificate.rows) == 3
    assert f"{len(train)} train images with crops" in data.report


def test_center_crops_are_the_center_pixels(after, data_folder):
    data = load_training_data(after.replace(evaluation_crop="center", image_size=(150, 150)).data, data_folder)
    for image, path in zip(data.images("test"), data.part("test")["poster_path"], strict=True):
        with Image.open(path) as poster:
            assert (image == np.asarray(poster.convert("RGB"))[59:209, 16:166]).all()


def test_crops_have_their_own_hashes(after, data_folder):
    data = load_training_data(after.data, data_folder)
    plain = load_training_data(after.replace(crops_per_genre=None).data, data_folder)
    plain_hash = dict(zip(plain.table["imdb_id"], plain.poster_hashes, strict=True))
    whole = (data.table["crop_height"] == 268).to_numpy()
    hashes = np.array(data.poster_hashes)
    assert hashes[whole].tolist() == [plain_hash[imdb_id] for imdb_id in data.table["imdb_id"][whole]]
    crops_of_a_poster = data.table[["imdb_id", *BOX]].drop_duplicates()
    assert len(set(hashes)) == len(crops_of_a_poster) > len(plain.table)
    assert not set(hashes[~whole]) & set(plain_hash.values())
    assert data.fingerprint == load_training_data(after.data, data_folder).fingerprint != plain.fingerprint
    other = load_training_data(after.replace(split="leak_free", crop_size=(150, 149)).data, data_folder)
    assert other.fingerprint != data.fingerprint


# --- other layouts ---


def test_other_layouts_give_the_same_data(config, data_folder, tmp_path):
    table = load_movie_table(data_folder / "MovieGenre.csv")
    records = [
        {"imdbID": f"tt{row.imdb_id:07}", "Title": row.title, "Year": str(row.year), "Genre": ", ".join(row.genres)}
        for row in table.itertuples()
    ]
    (tmp_path / "omdb").mkdir()
    (tmp_path / "omdb" / "all.json").write_text(json.dumps(records))
    for year, part in table.assign(text=[json.dumps(record) for record in records]).groupby("year"):
        (tmp_path / "chu_guo" / str(year)).mkdir(parents=True)
        (tmp_path / "chu_guo" / f"{year}.txt").write_bytes("\n".join(part["text"]).encode("utf-16"))
        for imdb_id in part["imdb_id"]:
            link = tmp_path / "chu_guo" / str(year) / f"tt{imdb_id:07}.jpg"
            link.hardlink_to(data_folder / "posters" / f"{imdb_id}.jpg")
    expected = load_training_data(config.data, data_folder)
    omdb = find_data_folder(tmp_path / "omdb", posters_dir=data_folder / "posters")
    for folder, order in ((omdb, expected.table.index), (tmp_path / "chu_guo", None)):
        loaded = load_training_data(config.data, folder)
        assert sorted(loaded.table["imdb_id"]) == sorted(expected.table["imdb_id"])
        assert order is None or loaded.fingerprint == expected.fingerprint


@pytest.mark.parametrize("split", ["leak_free", "random"])
def test_rejects_parts_that_no_movie_of_the_only_genre_is_in(config, data_folder, split):
    table = load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")
    table["genres"] = [["Horror"] if number == 3 else ["Romance"] for number in range(len(table))]
    of_horror = config.replace(class_names=("Horror",), split=split)
    with pytest.raises(ValueError, match="Too few movies of Horror: .* would have none. Received: 1 of 60"):
        load_training_data(of_horror.data, table)


def test_rejects_a_fold_that_no_movie_of_the_only_genre_is_in(config, data_folder):
    table = load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")
    table["genres"] = [["Horror"] if number in (3, 9, 21) else ["Romance"] for number in range(len(table))]
    options = {"split": "leak_free", "fractions": (0.6, 0.2, 0.2), "num_folds": 3}
    data = load_training_data(config.replace(class_names=("Horror",), **options, fold=0).data, table)
    folds = data.folds[data.all_labels[:, 0] > 0]
    (without,) = {0, 1, 2} - set(folds)  # one of the movies is in the test part
    with pytest.raises(ValueError, match="Too few movies of Horror: validation would have none. Received: 3 of 60"):
        data.with_fold(without)
