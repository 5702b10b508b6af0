import io
import json
import time

import imagehash
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from poster_zoo import draw_poster, encode

from poster_cnn.datasets import duplicates, signatures
from poster_cnn.datasets.inspection import pixel_hash
from poster_cnn.datasets.verify import verify
from poster_cnn.movies.splits import read_split


def cropped(image, left, top, right, bottom):
    width, height = image.size
    return image.crop(
        (round(width * left), round(height * top), width - round(width * right), height - round(height * bottom))
    )


def recompressed(image, quality=40):
    return Image.open(io.BytesIO(encode(image, quality=quality))).convert("RGB")


COPIES = {
    "exact, as PNG": lambda image: image,
    "recompressed": recompressed,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "5% off in all": lambda image: cropped(image, 0.025, 0.025, 0.025, 0.025),
    "5% off each side": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "5% off the left": lambda image: cropped(image, 0.05, 0, 0, 0),
    "5% off the bottom": lambda image: cropped(image, 0, 0, 0, 0.05),
    "5% off a corner": lambda image: cropped(image, 0, 0.05, 0.05, 0),
    "all together": lambda image: recompressed(cropped(image.resize((91, 134)), 0.03, 0.05, 0.02, 0.04)),
}


def manifest_of(images, imdb_ids=None):
    """The manifest of pictures, as from `verify`."""
    rows = [
        {
            "file": f"{number}.jpg",
            "imdb_id": imdb_ids[number] if imdb_ids else 1000 + number,
            "verdict": "ok",
            "sha256": pixel_hash(image),
            "pixel_hash": pixel_hash(image),
            "perceptual_hash": str(imagehash.phash(image)),
            "signature": signatures.signature(image),
        }
        for number, image in enumerate(images)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def posters():
    return [draw_poster(seed) for seed in range(200)]


@pytest.fixture(scope="module")
def of_posters(posters):
    return manifest_of(posters)


@pytest.mark.parametrize("kind", COPIES)
def test_finds_all_copies_and_nothing_else(posters, of_posters, kind):
    copies = manifest_of([COPIES[kind](poster) for poster in posters[:30]], imdb_ids=range(2000, 2030))
    groups = duplicates.duplicate_groups(pd.concat([of_posters, copies], ignore_index=True))
    assert groups.tolist() == [1000 + number for number in (*range(200), *range(30))]


def test_finds_copies_in_files(posters, tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "posters").mkdir()
    contents = {
        "1.jpg": encode(posters[1], quality=95),
        "2.jpg": encode(posters[1], quality=40),
        "3.png": encode(COPIES["half the size"](posters[1]), "PNG"),
        "4.webp": encode(COPIES["5% off each side"](posters[1]), "WEBP"),
        "5.jpg": encode(posters[2]),
        "6.jpg": encode(posters[2]) + b"other bytes, same pixels",
        "7.jpg": encode(posters[3]),
    }
    for name, content in contents.items():
        (tmp_path / "posters" / name).write_bytes(content)
    manifest = verify(tmp_path / "posters", progress=False)
    assert duplicates.duplicate_groups(manifest).tolist() == [1, 1, 1, 1, 5, 5, 7]
    text = duplicates.describe_duplicates(manifest)
    assert "0 groups with the same bytes" in text and "1 groups with the same pixels, 2 posters" in text
    assert "1.jpg  2.jpg" in text


def test_posters_with_the_same_colors_are_different():
    palette = [(20, 20, 24), (200, 30, 30), (240, 220, 180)]
    manifest = manifest_of([draw_poster(seed, palette=palette) for seed in range(150)])
    assert duplicates.duplicate_groups(manifest).is_unique


def test_flat_mirrored_and_rotated_pictures_are_different(posters):
    flat = [Image.new("RGB", (182, 268), color) for color in ("red", "darkred", "blue", "black", "#010101")]
    mirrored = posters[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = posters[0].transpose(Image.Transpose.ROTATE_180)
    manifest = manifest_of([*flat, posters[0], mirrored, turned])
    assert duplicates.duplicate_groups(manifest).is_unique


def test_hash_equals_imagehash(of_posters):
    manifest = of_posters
    whole = next(signatures.cropped_versions(signatures.frequencies(manifest["signature"])))
    theirs = np.array([int(text, 16) for text in manifest["perceptual_hash"]], dtype=np.uint64)
    different = np.bitwise_count(signatures.hash_bits(whole) ^ theirs)
    assert np.median(different) == 0 and different.max() <= 4


def test_cropped_versions_equal_the_frequencies_of_crops(posters):
    originals = signatures.frequencies(signatures.signature(poster) for poster in posters[:20])
    crops = signatures.frequencies(signatures.signature(COPIES["5% off each side"](poster)) for poster in posters[:20])
    wanted = signatures.directions(next(signatures.cropped_versions(crops)))
    similarity = [
        (signatures.directions(lowest) * wanted).sum(axis=1) for lowest in signatures.cropped_versions(originals)
    ]
    assert len(similarity) == 25
    assert np.argmax(np.median(similarity, axis=1)) == 18  # cropped at both ends of both sides
    assert similarity[18].min() > 0.95


def test_time_grows_less_than_the_number_of_pairs():
    rng = np.random.default_rng(0)

    def seconds(count):
        frequencies = rng.normal(size=(count, 12, 12)).astype("<f2") * 20
        texts = [signatures.base64.b64encode(one.tobytes()).decode() for one in frequencies]
        lowest = next(signatures.cropped_versions(frequencies.astype(np.float32)))
        manifest = pd.DataFrame(
            {
                "verdict": "ok",
                "pixel_hash": [str(number) for number in range(count)],
                "signature": texts,
                "perceptual_hash": [f"{bits:016x}" for bits in signatures.hash_bits(lowest)],
            }
        )
        started = time.process_time()
        assert len(duplicates.similar_pairs(manifest)) < count / 100
        return time.process_time() - started

    seconds(500)
    assert seconds(4_000) < 8 * seconds(1_000) + 0.5  # 16 times as many pairs


@pytest.mark.parametrize("count", [0, 1])
def test_zero_or_one_poster(posters, count):
    manifest = manifest_of(posters[:2]).head(count)
    assert len(duplicates.similar_pairs(manifest)) == 0
    assert len(duplicates.duplicate_groups(manifest)) == count


# --- groups ---


def test_groups_are_transitive(posters):
    half = COPIES["half the size"]
    images = [posters[0], posters[1], half(posters[0]), half(posters[1]), posters[2], half(posters[2])]
    manifest = manifest_of(images, imdb_ids=[9, 8, 7, 7, 6, pd.NA])
    manifest.index = list("abcdef")
    groups = duplicates.duplicate_groups(manifest)
    assert groups.to_dict() == {"a": 7, "b": 7, "c": 7, "d": 7, "e": -6, "f": -6}


def test_quarantined_posters_are_grouped_by_movie_only(posters):
    manifest = manifest_of([posters[0]] * 4, imdb_ids=[1, 2, 3, 3])
    manifest.loc[:2, "verdict"] = "quarantined"
    assert duplicates.duplicate_groups(manifest).tolist() == [1, 2, 3, 3]
    assert len(duplicates.similar_pairs(manifest)) == 0


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12), st.randoms())
def test_groups_do_not_depend_on_the_order(rows, shuffler):
    flat = [Image.new("RGB", (20, 20), (number, 0, 0)) for number in range(6)]
    manifest = manifest_of([flat[picture] for picture, _ in rows], imdb_ids=[movie for _, movie in rows])
    groups = duplicates.duplicate_groups(manifest)
    for column in ("imdb_id", "pixel_hash"):
        assert (groups.groupby(manifest[column]).nunique() == 1).all()
    assert set(groups) <= set(manifest["imdb_id"])
    order = list(manifest.index)
    shuffler.shuffle(order)
    assert duplicates.duplicate_groups(manifest.loc[order]).sort_index().equals(groups)


# --- the leak certificate ---


@pytest.fixture
def leaky(posters):
    half = COPIES["half the size"]
    images = [*posters[:4], posters[0], half(posters[1]), posters[4], half(posters[3])]
    manifest = manifest_of(images, imdb_ids=[1, 2, 3, 4, 11, 12, 3, 14])
    split = pd.Series(["train"] * 3 + ["validation"] + ["test"] * 4)
    return split, manifest


def test_certificate_counts_all_kinds_of_copies(leaky):
    certificate = duplicates.leak_certificate(*leaky)
    by_parts = {(row["part"], row["copies_in"]): row for row in certificate.rows}
    row = by_parts["test", "train"]
    assert [row[name] for name in ("posters", "same_movie", "same_pixels", "similar", "leaked")] == [4, 1, 1, 1, 3]
    assert row["fraction"] == 0.75
    assert sorted(row["examples"]) == [[3, 3], [11, 1], [12, 2]]
    assert by_parts["test", "validation"]["examples"] == [[14, 4]]
    assert by_parts["validation", "train"]["leaked"] == 0
    assert not certificate.clean
    assert json.loads(json.dumps(certificate.to_dict()))["leaks"][0]["leaked"] == 3
    assert "75.0%" in str(certificate) and "same pixels" in str(certificate)


def test_certificate_of_a_split_by_groups_is_clean(leaky):
    _, manifest = leaky
    groups = duplicates.duplicate_groups(manifest)
    split = groups.map({1: "train", 2: "test", 3: "validation", 4: "test"})
    certificate = duplicates.leak_certificate(split, manifest)
    assert len(certificate.rows) == 3
    assert certificate.clean and "no poster has a copy" in str(certificate)


def test_certificate_of_a_single_part(leaky):
    _, manifest = leaky
    certificate = duplicates.leak_certificate(pd.Series("train", index=manifest.index), manifest)
    assert certificate.clean and str(certificate).endswith("no two parts to compare")


def test_certificate_ignores_unused_posters(leaky):
    split, manifest = leaky
    certificate = duplicates.leak_certificate(split.replace("train", "unused"), manifest)
    assert [(row["part"], row["copies_in"]) for row in certificate.rows] == [("test", "validation")]


def test_rejects_missing_and_repeated_posters(leaky):
    split, manifest = leaky
    with pytest.raises(ValueError, match="without \\[7\\]"):
        duplicates.leak_certificate(split, manifest.head(7))
    with pytest.raises(ValueError, match="unique index"):
        duplicates.leak_certificate(split, pd.concat([manifest, manifest]))


def test_certificate_counts_posters_and_not_copies(posters):
    manifest = manifest_of([posters[0]] * 4, imdb_ids=[1, 2, 3, 4])
    row = duplicates.leak_certificate(pd.Series(["train", "train", "train", "test"]), manifest).rows[0]
    assert row["leaked"] == row["same_pixels"] == 1
    assert len(row["examples"]) == 3


# --- csv files ---


@pytest.mark.parametrize(
    ("ids", "parts", "leaked"),
    [
        ([1, 2, 3, 4], ["train", "train", "test", "test"], 0),
        (["tt0000001", "tt0000002", "3", "4"], ["train", "train", "test", "test"], 0),
        ([1, 1, 2, 3, 4], ["train", "test", "train", "test", "test"], 1),  # a movie in both parts
        ([1, 2, 11, 12], ["train", "train", "test", "test"], 2),
    ],
)
def test_certificate_of_a_csv_finds_movies_in_several_parts(leaky, tmp_path, ids, parts, leaked):
    _, manifest = leaky
    manifest = manifest.drop_duplicates("imdb_id")
    pd.DataFrame({"imdb_id": ids, "part": parts}).to_csv(tmp_path / "split.csv", index=False)
    pairs = duplicates.similar_pairs(manifest)
    certificate = duplicates.certificate_of_split(read_split(tmp_path / "split.csv"), manifest, pairs)
    assert [row["leaked"] for row in certificate.rows if row["part"] == "test"] == [leaked]
    assert certificate.clean == (not leaked)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"id": [1], "part": ["train"]}, "imdb_id"),
        ({"imdb_id": [1]}, "part"),
        ({"imdb_id": [99], "part": ["train"]}, "must have imdbIds of the post"),
    ],
)
def test_rejects_splits_of_other_posters(leaky, tmp_path, split, message):
    pd.DataFrame(split).to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(ValueError, match=f"`split` .*{message}"):
        read = read_split(tmp_path / "split.csv")
        duplicates.certificate_of_split(read, leaky[1], pd.DataFrame({"first": [], "second": []}))


def test_pairs_name_their_files(posters, tmp_path):
    folder = tmp_path / "posters"
    for genre in ("Comedy", "Drama"):
        (folder / genre).mkdir(parents=True)
        posters[0].save(folder / genre / "still.png")
    manifest = manifest_of([posters[0], COPIES["half the size"](posters[0])])
    manifest["poster_path"] = [str(folder / genre / "still.png") for genre in ("Comedy", "Drama")]
    pairs = duplicates.similar_pairs(manifest)
    duplicates.write_pairs(pairs, manifest, tmp_path / "pairs.csv")
    written = pd.read_csv(tmp_path / "pairs.csv")
    assert {*written["first_file"], *written["second_file"]} == set(manifest["poster_path"])
    text = duplicates.describe_duplicates(manifest, pairs=pairs)
    assert "Comedy/still.png" in text and "Drama/still.png" in text and str(tmp_path) not in text
