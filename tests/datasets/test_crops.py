import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from poster_cnn import datasets
from poster_cnn.datasets import crops
from poster_cnn.movies.genres import encode_genres
from poster_cnn.movies.table import load_movie_table

NAMES = ("Horror", "Romance", "Action", "Documentary")
COLUMNS = list(crops.CROP_COLUMNS)
GENRES = st.lists(st.sampled_from([*NAMES, "Drama"]), unique=True, max_size=4)


def movies(genre_lists):
    return pd.DataFrame({"imdb_id": np.arange(len(genre_lists)) + 7, "genres": genre_lists}).set_axis(
        [f"row {number}" for number in range(len(genre_lists))]
    )


@hypothesis.given(st.lists(GENRES, min_size=1, max_size=12), st.integers(1, 30), st.integers(0, 1000))
def test_keeps_posters_and_adds_crops_within_them(genre_lists, crops_per_genre, seed):
    table = movies(genre_lists)
    rows = crops.balance_by_crops(table, NAMES, crops_per_genre, crop_size=(100, 180), seed=seed)
    originals, cropped = rows[: len(table)], rows[len(table) :]
    assert originals[table.columns].equals(table.reset_index(drop=True))
    assert (originals[COLUMNS] == [0, 0, 268, 182]).all(axis=None)
    assert cropped["crop_top"].between(0, 268 - 100).all() and cropped["crop_left"].between(0, 182 - 180).all()
    assert (cropped[["crop_height", "crop_width"]] == [100, 180]).all(axis=None)
    assert (rows[COLUMNS].dtypes == "int64").all() and rows.index.tolist() == list(range(len(rows)))
    genres = table.set_index("imdb_id")["genres"]
    assert cropped["genres"].tolist() == genres.loc[cropped["imdb_id"]].tolist()


@hypothesis.given(st.lists(GENRES, min_size=1, max_size=12), st.integers(1, 30), st.integers(0, 1000))
def test_fills_genres_in_turn_and_crops_each_poster_for_one_genre(genre_lists, crops_per_genre, seed):
    table = movies(genre_lists)
    rows = crops.balance_by_crops(table, NAMES, crops_per_genre, seed=seed)
    labels, end, taken = encode_genres(rows, NAMES), len(table), set()
    for number in range(len(NAMES)):  # crops are ordered by genre
        own = set(table["imdb_id"][labels[: len(table), number] == 1]) - taken
        start, missing = end, crops_per_genre - int(labels[:end, number].sum())
        if missing <= 0 or not own:
            continue
        end = start + missing
        times = rows["imdb_id"][start:end].value_counts()
        assert set(times.index) <= own and times.sum() == missing
        assert times.max() - times.reindex(list(own), fill_value=0).min() <= 1  # evenly
        assert labels[:end, number].sum() == crops_per_genre
        taken |= set(times.index)
    assert end == len(rows)


@hypothesis.given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=1), min_size=1, max_size=12))
def test_genres_without_shared_posters_get_the_exact_number(genre_lists):
    table = movies(genre_lists)
    before = encode_genres(table, NAMES).sum(axis=0)
    after = encode_genres(crops.balance_by_crops(table, NAMES, 5), NAMES).sum(axis=0)
    assert after.tolist() == np.where(before == 0, 0, np.maximum(before, 5)).tolist()


def test_numbers_of_genres_with_shared_posters():
    table = movies([["Horror", "Romance"], ["Romance", "Action"], ["Action"], ["Horror", "Documentary"]])
    counts = encode_genres(crops.balance_by_crops(table, NAMES, 10), NAMES).sum(axis=0)
    # Horror: 8 crops, 4 of each of its posters. Romance then has 6, and 4 of the second. Action has 6, and 4 of the
    # third. Documentary has only a poster cropped for Horror: 1 and 4.
    assert counts.tolist() == [10, 10, 10, 5]
    table = movies([["Romance", "Horror"], ["Romance"]] * 3)
    counts = encode_genres(crops.balance_by_crops(table, ("Horror", "Romance"), 9), ("Horror", "Romance")).sum(axis=0)
    assert counts.tolist() == [9, 12]  # crops for Horror are enough for Romance


def test_crops_depend_on_the_seed():
    table = movies([["Horror"], ["Romance"], ["Horror", "Action"], ["Action"], ["Documentary"]])
    first, again, other = (crops.balance_by_crops(table, NAMES, 20, seed=seed) for seed in (3, 3, 4))
    assert first.equals(again)
    assert len(first) == len(other) and not first[COLUMNS].equals(other[COLUMNS])
    assert first["crop_top"].nunique() > 20 and first["crop_top"].max() <= 118


def test_center_crops():
    table = movies([["Horror"], ["Romance"]])
    centered = crops.center_crops(table)
    assert centered[COLUMNS].to_numpy().tolist() == [[59, 16, 150, 150]] * 2
    assert centered.drop(columns=COLUMNS).equals(table)
    assert crops.center_crops(table, (268, 182)).equals(crops.whole_posters(table))


@pytest.mark.parametrize("crop", [crops.balance_by_crops, crops.center_crops])
@pytest.mark.parametrize("crop_size", [(269, 100), (100, 183), (0, 100), (100, -1)])
def test_rejects_crops_larger_than_a_poster(crop, crop_size):
    arguments = {"class_names": NAMES} if crop is crops.balance_by_crops else {}
    with pytest.raises(ValueError, match=r"`crop_size` must be within \(268, 182\), a poster. Received: crop_size=\("):
        crop(movies([["Horror"]]), **arguments, crop_size=crop_size)


# --- pixels ---


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    """Three posters of noise with 268×182, 134×91 and 535×365 pixels."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    lines = ["imdbId,Imdb Link,Title,IMDB Score,Genre,Poster"]
    for imdb_id, (height, width) in enumerate([(268, 182), (134, 91), (535, 365)], start=1):
        noise = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype="uint8"))
        noise.save(folder / f"{imdb_id}.jpg", quality=95)
        lines.append(f"{imdb_id},x,Movie (2000),5,Horror,https://x/{imdb_id}")
    (folder / "table.csv").write_text("\n".join(lines), encoding="iso-8859-1")
    return load_movie_table(folder / "table.csv", posters_dir=folder)


def decoded(table, image_size):
    found = datasets.decoded_posters(table, ("Horror", "Romance"), image_size=image_size, cache=False)
    return np.stack([image for image, _ in found.as_numpy_iterator()]).astype("int64")


def by_pillow(path, box):
    """Crop `(top, left, height, width)` of a file, in its own pixels."""
    top, left, height, width = box
    with Image.open(path) as image:
        return image.convert("RGB").crop((left, top, left + width, top + height))


def test_crops_are_bit_identical_to_pillow(posters):
    rows = crops.balance_by_crops(posters[:1], ("Horror",), 8, crop_size=(150, 140))[1:]
    found = decoded(rows, (150, 140))
    for image, box in zip(found, rows[COLUMNS].to_numpy(), strict=True):
        assert (image == np.asarray(by_pillow(rows["poster_path"].iloc[0], box))).all()


def test_whole_posters_equal_uncropped_posters(posters):
    assert (decoded(crops.whole_posters(posters), (80, 55)) == decoded(posters, (80, 55))).all()


# Boxes are scaled to the size of the file and rounded.
@pytest.mark.parametrize(("row", "box"), [(0, (101, 21, 150, 120)), (1, (50, 10, 75, 60)), (2, (202, 42, 299, 241))])
def test_crops_are_scaled_to_the_size_of_the_poster(posters, row, box):
    place = dict(zip(COLUMNS, (101, 21, 150, 120), strict=True))
    (found,) = decoded(posters[row : row + 1].assign(**place), (30, 24))
    expected = by_pillow(posters["poster_path"].iloc[row], box).resize((24, 30), Image.Resampling.BILINEAR)
    assert np.abs(found - np.asarray(expected).astype("int64")).max() <= 1
