"""Splits: paper 1's against a plain implementation, the leak-free one against its guarantees."""

import pathlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest

from poster_cnn.movies import splits
from poster_cnn.movies.genres import encode_genres
from poster_cnn.movies.table import load_movie_table

NAMES = ["Horror", "Romance", "Action", "Documentary", "Drama"]
REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def random_movies(seed, num_movies, years=(1997, 2017)):
    """Return movies in random order, each with some of five genres of unequal frequency."""
    rng = np.random.default_rng(seed)
    labels = rng.random((num_movies, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]
    labels[~labels.any(axis=1), 0] = True
    return pd.DataFrame(
        {
            "imdb_id": rng.choice(10 * num_movies, num_movies, replace=False),
            "year": pd.array(rng.integers(years[0], years[1] + 1, num_movies), dtype="Int64"),
            "genres": [[name for name, has in zip(NAMES, row, strict=True) if has] for row in labels],
        },
        index=rng.permutation(num_movies) + 100,
    )


# --- paper 1 ---


def imdb_id_split_step_by_step(table):
    """Apply paper 1's rules movie by movie, as its code does."""
    parts = {}
    for year in sorted(set(table["year"])):
        for number, imdb_id in enumerate(sorted(table["imdb_id"][table["year"] == year]), start=1):
            if imdb_id % 7 == 0:
                parts[imdb_id] = "test"
            elif number % 6 == 0:
                parts[imdb_id] = "validation"
            else:
                parts[imdb_id] = "train"
    return [parts[imdb_id] for imdb_id in table["imdb_id"]]


def test_imdb_id_split_by_hand():
    ids = [14, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 21]
    table = pd.DataFrame({"imdb_id": ids, "year": pd.array([2001] * 13 + [2002], dtype="Int64")})
    # In order: 1 2 3 4 5 6* 8 9 10 11 12 13* 14. The 6th and the 12th are validation; 14 and 21 are multiples of 7.
    parts = splits.imdb_id_split(table)
    assert parts[parts == "test"].index.tolist() == [0, 13]
    assert table["imdb_id"][parts == "validation"].tolist() == [6, 13]


@hypothesis.settings(max_examples=25)
@hypothesis.given(st.integers(0, 10**6), st.integers(1, 120))
def test_imdb_id_split_equals_the_plain_implementation(seed, num_movies):
    table = random_movies(seed, num_movies, years=(2015, 2017))
    parts = splits.imdb_id_split(table)
    assert parts.index.equals(table.index)
    assert parts.tolist() == imdb_id_split_step_by_step(table)


def test_imdb_id_split_numbers_test_movies_too():
    table = pd.DataFrame({"imdb_id": [7, 14, 21, 28, 35, 36], "year": pd.array([2001] * 6, dtype="Int64")})
    assert splits.imdb_id_split(table).tolist() == ["test"] * 5 + ["validation"]


def test_imdb_id_split_of_joined_tables():
    table = random_movies(0, 40)
    expected = splits.imdb_id_split(table.reset_index(drop=True)).tolist()
    assert splits.imdb_id_split(table.set_axis([0] * 40)).tolist() == expected


def test_imdb_id_split_rejects_missing_years():
    table = random_movies(0, 10)
    table.loc[table.index[:3], "year"] = pd.NA
    with pytest.raises(ValueError, match="missing_year='drop'.*Received: 3 movies without a year"):
        splits.imdb_id_split(table)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real posters are not there")
def test_imdb_id_split_of_the_real_posters():
    table = load_movie_table(
        REAL_DATA / "MovieGenre.csv",
        posters_dir=REAL_DATA / "posters",
        min_year=1997,
        max_year=2017,
        genres=NAMES[:4],
        min_genres=2,
    )
    parts = splits.imdb_id_split(table)
    assert parts.tolist() == imdb_id_split_step_by_step(table)
    assert (table["imdb_id"][parts == "test"] % 7 == 0).all()


# --- at random ---


@pytest.mark.parametrize(
    ("fractions", "counts"),
    [
        ((0.8, 0.2), {"train": 82, "test": 21}),  # ends at 82.4 and 103
        ((0.7, 0.3), {"train": 72, "test": 31}),
        ((0.7, 0.1, 0.2), {"train": 72, "validation": 10, "test": 21}),
        ((1 / 3, 1 / 3, 1 / 3), {"train": 34, "validation": 35, "test": 34}),
    ],
)
def test_random_split_sizes(fractions, counts):
    table = random_movies(0, 103)
    split = splits.random_split(table, fractions=fractions)
    assert split.value_counts().to_dict() == counts
    assert split.index.equals(table.index) and split.name == "part"


def test_random_split_depends_on_seed_and_number_of_rows_only():
    table = random_movies(0, 100)
    split = splits.random_split(table, seed=1)
    assert split.equals(splits.random_split(table.assign(genres=[["Drama"]] * 100), seed=1))
    assert not split.equals(splits.random_split(table, seed=2))
    assert split.value_counts().to_dict() == {"train": 80, "test": 20}  # paper 2
    rows = pd.concat([table] * 5, ignore_index=True)  # five rows per movie
    torn = splits.random_split(rows, seed=1).groupby(rows["imdb_id"]).nunique()
    assert (torn == 2).mean() > 0.4  # expected: 1 - 0.8^5 - 0.2^5 = 0.67 of the movies


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.3), (0.5, 0.4), (1.0,), (1.0, 0.0), (0.7, 0.3, 0.0), (0.25,) * 4, (1.2, -0.2), ()]
)
@pytest.mark.parametrize("split", ["random_split", "leak_free"])
def test_rejects_fractions_that_are_not_two_or_three_shares(split, fractions):
    arguments = {"class_names": NAMES} if split == "leak_free" else {}
    with pytest.raises(ValueError, match=r"`fractions` must be 2 or 3 positive shares that sum to 1. Received: .*\("):
        getattr(splits, split)(random_movies(0, 50), **arguments, fractions=fractions)


# --- the leak-free split ---

FRACTIONS = st.sampled_from([(0.7, 0.1, 0.2), (0.8, 0.2), (0.5, 0.5), (0.6, 0.2, 0.2), (0.34, 0.33, 0.33)])


@hypothesis.settings(max_examples=25)
@hypothesis.given(st.integers(0, 10**6), st.integers(60, 300), FRACTIONS, st.booleans())
def test_leak_free_is_stratified_and_keeps_groups_together(seed, num_movies, fractions, with_copies):
    table = random_movies(seed, num_movies)
    rng = np.random.default_rng(seed)
    group_of = np.where(rng.random(num_movies) < 0.3, rng.integers(0, num_movies, num_movies), np.arange(num_movies))
    groups = pd.Series(group_of, index=table.index) if with_copies else None
    split = splits.leak_free(table, NAMES, fractions=fractions, groups=groups, seed=seed)

    parts = ("train", "test") if len(fractions) == 2 else splits.PARTS
    assert split.index.equals(table.index)
    assert set(split) == set(parts)  # every movie is in one part, no part is empty
    if with_copies:
        assert (split.groupby(groups).nunique() == 1).all()  # no group is torn

    # Groups are drawn, so shares hold for groups, each with the genres of all its movies.
    unit = table["imdb_id"] if groups is None else groups
    labels = pd.DataFrame(encode_genres(table, NAMES), index=table.index).groupby(unit).max()
    part_of = split.groupby(unit).first()
    for part, fraction in zip(parts, fractions, strict=True):
        chosen = part_of == part
        assert (labels[chosen].sum() - fraction * labels.sum()).abs().max() <= 4  # movies, for any number of them
        assert (
            abs(chosen.sum() - fraction * len(labels)) <= 0.03 * len(labels) + 6
        )  # stratification costs some accuracy in size


def worst_deviation(labels, parts):
    """Return the largest difference between a genre's share in a part and in all movies."""
    return max(abs(labels[parts == part].mean(axis=0) - labels.mean(axis=0)).max() for part in set(parts))


def test_leak_free_is_better_stratified_than_random_splits():
    table = random_movies(seed=0, num_movies=2000)
    labels, parts = encode_genres(table, NAMES), splits.leak_free(table, NAMES).to_numpy()
    by_chance = [worst_deviation(labels, np.random.default_rng(seed).permutation(parts)) for seed in range(20)]
    assert worst_deviation(labels, parts) < min(by_chance)


def test_leak_free_groups_by_imdb_id_by_default():
    table = random_movies(seed=1, num_movies=60)
    twice = pd.concat([table, table], ignore_index=True)
    split = splits.leak_free(twice, NAMES)
    assert (split.groupby(twice["imdb_id"]).nunique() == 1).all()


def test_leak_free_depends_on_the_seed():
    table = random_movies(seed=2, num_movies=100)
    first, again, other = (splits.leak_free(table, NAMES, seed=seed) for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


def test_leak_free_does_not_depend_on_row_order():
    table = random_movies(seed=3, num_movies=100)
    shuffled = table.sample(frac=1, random_state=0)
    assert splits.leak_free(shuffled, NAMES).reindex(table.index).equals(splits.leak_free(table, NAMES))


def test_leak_free_with_one_genre_and_movies_without_it():
    table = random_movies(seed=4, num_movies=100)
    split = splits.leak_free(table, ["Documentary"], fractions=(0.5, 0.5))
    has = table["genres"].map(lambda genres: "Documentary" in genres)
    assert abs(has[split == "train"].sum() - has[split == "test"].sum()) <= 1


def test_rejects_too_few_movies():
    with pytest.raises(ValueError, match="Too few movies for a split into 3 parts. Expected at least 6. Received: 5"):
        splits.leak_free(random_movies(0, 5), NAMES)


def test_leak_free_never_returns_an_empty_part():
    empty = 0
    for seed in range(30):
        table = random_movies(seed, 17)
        try:
            assert set(splits.leak_free(table, NAMES, fractions=(0.9, 0.05, 0.05))) == set(splits.PARTS)
        except ValueError as error:
            assert "validation would be empty" in str(error)
            empty += 1
    assert empty < 30


def test_rejects_movies_without_a_group():
    table = random_movies(0, 20)
    with pytest.raises(ValueError, match="`groups` must have a group for every movie. Received: 5 without one"):
        splits.leak_free(table, NAMES, groups=pd.Series(range(15), index=table.index[:15]))


# --- folds ---


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.integers(0, 10**6), st.integers(50, 200), st.integers(2, 6))
def test_folds_are_equal_stratified_and_keep_groups_together(seed, num_movies, n_splits):
    table = random_movies(seed, num_movies)
    folds = splits.leak_free_folds(table, NAMES, n_splits=n_splits, seed=seed)
    assert folds.index.equals(table.index)
    assert sorted(set(folds)) == list(range(n_splits))
    labels = pd.DataFrame(encode_genres(table, NAMES), index=table.index)
    assert (labels.groupby(folds).sum() - labels.sum() / n_splits).abs().max(axis=None) <= 2
    assert (folds.value_counts() - num_movies / n_splits).abs().max() <= 0.03 * num_movies + 6

    pairs = pd.Series(np.arange(num_movies) // 2, index=table.index)
    folds = splits.leak_free_folds(table, NAMES, n_splits=n_splits, groups=pairs, seed=seed)
    assert (folds.groupby(pairs).nunique() == 1).all()


@pytest.mark.parametrize("n_splits", [1, 0, 21])
def test_rejects_an_impossible_number_of_folds(n_splits):
    with pytest.raises(ValueError, match=f"2 … 20.*Received: n_splits={n_splits}"):
        splits.leak_free_folds(random_movies(0, 20), NAMES, n_splits=n_splits)


# --- movies without a genre ---


def test_described_majority_leaves_out_movies_without_a_genre():
    genres = [["Action"], ["Comedy"], [], ["Action"], ["Romance"], []]
    table = pd.DataFrame({"imdb_id": range(6), "genres": genres}, index=range(10, 16))
    split = pd.Series(["train"] * 3 + ["test"] * 3, index=table.index)
    # Neither movie has Romance or Horror, so neither counts as Romance, the first genre in label order.
    counts = splits.describe_split(table, ["Romance", "Action"], split).set_index("part")
    assert counts["majority"].to_dict() == {"train": 1, "test": 0.5}
    assert counts["movies"].to_dict() == {"train": 3, "test": 3}
    with pytest.raises(ValueError, match="some movies with one of the genres are 'train'"):
        splits.describe_split(table, ["Romance", "Horror"], split)


@pytest.mark.parametrize("split", [splits.stratified_split, splits.stratified_folds])
@pytest.mark.parametrize("without", [[], ["Western"]])
def test_stratified_splits_reject_movies_without_a_genre(split, without):
    rows = pd.DataFrame({"imdb_id": range(41), "genres": [["Drama"], ["Horror"]] * 20 + [without]})
    assert set(split(rows[:40], NAMES).value_counts().index) in ({"train", "validation", "test"}, {0, 1, 2, 3})
    with pytest.raises(ValueError, match="`rows` must have at least one of Horror, .* in row 40, and 0 more"):
        split(rows, NAMES)
