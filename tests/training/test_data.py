"""The posters of a run: split as the config says, torn only where it allows, cut into folds for cross-validation."""

import numpy as np
import pytest

from poster_cnn.training.data import load_training_data


@pytest.fixture(scope="module")
def row_config(tiny_config):
    """Paper 3's rows: one a movie and genre, split at random."""
    return tiny_config.replace(one_row_per_genre=True, split="stratified", fractions=(0.6, 0.2, 0.2))


def test_rows_of_one_movie_may_land_on_several_sides_and_the_certificate_counts_them(row_config, data_folder):
    data = load_training_data(row_config.data, data_folder)
    assert len(data.table) > data.table["imdb_id"].nunique() == 60
    assert (data.all_labels.sum(axis=1) == 1).all()
    test, train = data.part("test"), data.part("train")
    torn = test["imdb_id"].isin(train["imdb_id"]).sum()
    (row,) = [row for row in data.certificate.rows if (row["part"], row["copies_in"]) == ("test", "train")]
    assert row["same_movie"] == torn > 0 and row["posters"] == len(test)


def test_a_split_that_tears_movies_must_be_allowed(row_config, data_folder):
    with pytest.raises(ValueError, match="(?s)The split leaks. Choose split='leak_free'.*same movie"):
        load_training_data(row_config.replace(allow_leak=False).data, data_folder)


def test_the_corrected_split_tears_no_movie(row_config, data_folder):
    data = load_training_data(row_config.replace(split="leak_free", allow_leak=False).data, data_folder)
    assert data.certificate.clean and data.table["imdb_id"].duplicated().any()
    assert data.split.groupby(data.table["imdb_id"]).nunique().max() == 1


def test_larger_genres_are_sampled_down_before_the_split(row_config, data_folder):
    data = load_training_data(row_config.replace(max_per_genre=12).data, data_folder)
    assert data.all_labels.sum(axis=0).tolist() == [12] * 4
    assert "48 rows with at most 12 a genre" in data.report


def test_whole_movies_stand_once_with_all_their_genres(row_config, data_folder):
    data = load_training_data(row_config.data, data_folder)
    first, labels = data.whole_movies("test")
    test = data.part("test")
    assert test.iloc[first]["imdb_id"].is_unique and len(first) == test["imdb_id"].nunique()
    assert labels.sum() == sum(
        len(set(genres) & set(row_config.class_names)) for genres in test.iloc[first]["all_genres"]
    )


@pytest.mark.parametrize("split", ["stratified", "leak_free", "imdb_id"])
def test_each_movie_that_is_not_test_is_held_out_in_one_fold(row_config, data_folder, split):
    config = row_config.replace(split=split, one_row_per_genre=split != "imdb_id")
    without = load_training_data(config.data, data_folder)
    folds = [load_training_data(config.replace(num_folds=4, fold=fold).data, data_folder) for fold in range(4)]
    held_out = np.stack([(data.split == "validation").to_numpy() for data in folds])
    in_test = (without.split == "test").to_numpy()
    assert (held_out.sum(axis=0) == ~in_test).all()
    assert all(((data.split == "test") == in_test).all() for data in folds)
    assert held_out.sum(axis=1).max() - held_out.sum(axis=1).min() <= 4


def test_folds_share_what_was_read(row_config, data_folder):
    first = load_training_data(row_config.replace(num_folds=3, fold=0).data, data_folder)
    second = load_training_data(row_config.replace(num_folds=3, fold=1).data, data_folder)
    switched = first.with_fold(1)
    assert (switched.split == second.split).all() and switched.table is first.table
    assert switched.fingerprint == second.fingerprint != first.fingerprint
    assert switched.certificate.rows == second.certificate.rows
    assert np.array_equal(switched.images("validation"), second.images("validation"))


def test_cross_validation_needs_the_fold(row_config, data_folder):
    with pytest.raises(ValueError, match="needs `num_folds` and the `fold` that is held out.*num_folds=4, fold=None"):
        load_training_data(row_config.replace(num_folds=4).data, data_folder)
