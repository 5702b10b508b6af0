"""Genres: encoding, counts, and tables with one row per movie and genre (paper 3)."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poster_cnn.movies.genres import (
    best_accuracy,
    encode_genres,
    explode_genres,
    genre_cooccurrence,
    genre_counts,
    integer_labels,
    limit_per_genre,
)

NAMES = ["Action", "Drama", "Horror"]


def movies(genre_lists):
    return pd.DataFrame({"imdb_id": range(1, len(genre_lists) + 1), "genres": genre_lists})


def test_explode_genres_gives_one_row_per_movie_and_genre():
    table = movies([["Drama", "Action", "War"], ["War"], ["Horror"], []])
    exploded = explode_genres(table, NAMES)
    assert exploded["imdb_id"].tolist() == [1, 1, 3]
    assert exploded["genres"].tolist() == [["Action"], ["Drama"], ["Horror"]]
    assert exploded["all_genres"].tolist() == [["Drama", "Action", "War"]] * 2 + [["Horror"]]
    assert exploded.index.tolist() == [0, 1, 2]
    assert table["genres"].tolist()[0] == ["Drama", "Action", "War"]  # the input is unchanged


@given(st.lists(st.sets(st.sampled_from([*NAMES, "War"])), min_size=1, max_size=30))
def test_explode_genres_keeps_genre_counts(genre_sets):
    table = movies([sorted(genres) for genres in genre_sets] + [NAMES])
    exploded = explode_genres(table, NAMES)
    one_hot = encode_genres(exploded, NAMES)
    assert (one_hot.sum(axis=1) == 1).all()
    assert (one_hot.sum(axis=0) == encode_genres(table, NAMES).sum(axis=0)).all()
    assert (integer_labels(exploded, NAMES) == one_hot.argmax(axis=1)).all()


@given(st.integers(1, 12), st.integers(0, 5))
def test_limit_per_genre_samples_larger_genres(limit, seed):
    exploded = explode_genres(movies([["Drama"]] * 9 + [["Action"]] * 4 + [["Horror", "Drama"]] * 2), NAMES)
    limited = limit_per_genre(exploded, NAMES, limit, seed=seed)
    counts = encode_genres(limited, NAMES).sum(axis=0)
    assert counts.tolist() == [min(4, limit), min(11, limit), min(2, limit)]
    assert limited.index.is_monotonic_increasing and limited.index.isin(exploded.index).all()
    assert limited.equals(limit_per_genre(exploded, NAMES, limit, seed=seed))


def test_limit_per_genre_depends_on_the_seed():
    exploded = explode_genres(movies([["Drama"]] * 50), ["Drama", "Action"])
    samples = {tuple(limit_per_genre(exploded, ["Drama", "Action"], 10, seed=seed).index) for seed in range(5)}
    assert len(samples) == 5


def test_integer_labels_rejects_rows_without_exactly_one_genre():
    with pytest.raises(
        ValueError, match=r"exactly one genre each.*Received: \['Drama', 'Action'\] in row 0, and 1 more"
    ):
        integer_labels(movies([["Drama", "Action"], ["Drama"], ["War"]]), NAMES)


def test_best_accuracy_is_one_correct_row_per_movie():
    exploded = explode_genres(movies([["Drama", "Action"], ["Horror"], NAMES]), NAMES)
    labels = integer_labels(exploded, NAMES)
    guess_of = dict(zip(exploded["imdb_id"], labels, strict=True))  # a correct genre of each movie
    assert np.mean(exploded["imdb_id"].map(guess_of) == labels) == best_accuracy(exploded) == 3 / 6


def test_encode_genres():
    labels = encode_genres(movies([["Horror", "Drama"], ["Romance"], []]), ["Romance", "Horror"])
    assert labels.dtype == "float32"
    assert labels.tolist() == [[0, 1], [1, 0], [0, 0]]


def test_encode_genres_gives_zeros_for_known_and_rejects_unknown_genres():
    table = movies([["Horror"], ["Drama"]])
    assert encode_genres(table, ["Horror", "Western"])[:, 1].tolist() == [0, 0]
    with pytest.raises(ValueError, match="must be some of: Drama, Horror. Received unknown .*: Horor"):
        encode_genres(table, ["Horor"])


def test_genre_counts_are_in_descending_order():
    counts = genre_counts(movies([["Drama", "Horror"], ["Drama"], ["Action"], []]))
    assert list(counts.items()) == [("Drama", 2), ("Action", 1), ("Horror", 1)]


ALL_NAMES = ["Horror", "Romance", "Action", "Documentary", "Telenovela"]
GENRE_LISTS = st.lists(st.lists(st.sampled_from(ALL_NAMES), unique=True), min_size=1, max_size=20)


@given(GENRE_LISTS)
def test_encoded_labels_equal_the_genres(genre_lists):
    table = movies(genre_lists)
    names = sorted({name for genres in genre_lists for name in genres})
    labels = encode_genres(table, names)
    assert [[names[column] for column in np.flatnonzero(row)] for row in labels] == [sorted(g) for g in genre_lists]


@given(GENRE_LISTS)
def test_genre_cooccurrence_counts_pairs(genre_lists):
    table = movies(genre_lists)
    together, counts = genre_cooccurrence(table), genre_counts(table)
    assert together.index.tolist() == together.columns.tolist() == counts.index.tolist()
    assert np.diag(together).tolist() == counts.tolist()
    for first in together:
        for second in together:
            assert together.loc[first, second] == sum(first in g and second in g for g in genre_lists)
