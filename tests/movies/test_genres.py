"""One row per movie and genre (paper 3): nothing lost, nothing invented, the larger genres sampled down."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_cnn.movies.genres import best_accuracy, encode_genres, explode_genres, integer_labels, limit_per_genre

NAMES = ["Action", "Drama", "Horror"]


def movies(genre_lists):
    return pd.DataFrame({"imdb_id": range(1, len(genre_lists) + 1), "genres": genre_lists})


def test_a_movie_stands_once_for_each_of_its_genres():
    table = movies([["Drama", "Action", "War"], ["War"], ["Horror"], []])
    exploded = explode_genres(table, NAMES)
    assert exploded["imdb_id"].tolist() == [1, 1, 3]
    assert exploded["genres"].tolist() == [["Action"], ["Drama"], ["Horror"]]
    assert exploded["all_genres"].tolist() == [["Drama", "Action", "War"]] * 2 + [["Horror"]]
    assert exploded.index.tolist() == [0, 1, 2]
    assert table["genres"].tolist()[0] == ["Drama", "Action", "War"]  # the table given is as it was


@given(st.lists(st.sets(st.sampled_from([*NAMES, "War"])), min_size=1, max_size=30))
def test_exploding_keeps_the_number_of_each_genre(genre_sets):
    table = movies([sorted(genres) for genres in genre_sets] + [NAMES])
    exploded = explode_genres(table, NAMES)
    one_hot = encode_genres(exploded, NAMES)
    assert (one_hot.sum(axis=1) == 1).all()
    assert (one_hot.sum(axis=0) == encode_genres(table, NAMES).sum(axis=0)).all()
    assert (integer_labels(exploded, NAMES) == one_hot.argmax(axis=1)).all()


@given(st.integers(1, 12), st.integers(0, 5))
def test_larger_genres_are_sampled_down_to_the_limit(limit, seed):
    exploded = explode_genres(movies([["Drama"]] * 9 + [["Action"]] * 4 + [["Horror", "Drama"]] * 2), NAMES)
    limited = limit_per_genre(exploded, NAMES, limit, seed=seed)
    counts = encode_genres(limited, NAMES).sum(axis=0) if limit else None
    assert counts.tolist() == [min(4, limit), min(11, limit), min(2, limit)]
    assert limited.index.is_monotonic_increasing and limited.index.isin(exploded.index).all()
    assert limited.equals(limit_per_genre(exploded, NAMES, limit, seed=seed))


def test_another_seed_leaves_out_other_rows():
    exploded = explode_genres(movies([["Drama"]] * 50), ["Drama", "Action"])
    samples = {tuple(limit_per_genre(exploded, ["Drama", "Action"], 10, seed=seed).index) for seed in range(5)}
    assert len(samples) == 5


def test_integer_labels_need_one_genre_a_row():
    with pytest.raises(ValueError, match=r"exactly one genre.*Received: \['Drama', 'Action'\] in row 0, and 1 more"):
        integer_labels(movies([["Drama", "Action"], ["Drama"], ["War"]]), NAMES)


def test_the_best_accuracy_is_that_of_one_right_row_a_movie():
    exploded = explode_genres(movies([["Drama", "Action"], ["Horror"], NAMES]), NAMES)
    labels = integer_labels(exploded, NAMES)
    guess_of = dict(zip(exploded["imdb_id"], labels, strict=True))  # a right genre for each movie
    assert np.mean(exploded["imdb_id"].map(guess_of) == labels) == best_accuracy(exploded) == 3 / 6
