"""Copies of training posters: recompressed, resized, brightened and cropped ones are found, others are not."""

import io
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance
from threadpoolctl import threadpool_limits

from poster_cnn.datasets.seen_posters import SeenPosters
from poster_cnn.datasets.signatures import signature

REAL_POSTERS = pathlib.Path(os.environ.get("POSTER_CNN_DATA") or "../shared/data") / "posters"


def drawn_poster(seed):
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (4, 3, 3), dtype=np.uint8)).resize(
        (182, 268), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, width, height = rng.integers(10, 100, 4).tolist()
        draw.ellipse((x, 2 * y, x + width, 2 * y + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def recompressed(image, quality):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content)


def cropped(image, left, top, right, bottom):
    width, height = image.size
    box = (width * left, height * top, width * (1 - right), height * (1 - bottom))
    return image.crop(tuple(map(round, box)))


def brightened(image, factor):
    return ImageEnhance.Brightness(image).enhance(factor)


COPIES = {
    "same": lambda image: image,
    "quality 50": lambda image: recompressed(image, 50),
    "quality 70": lambda image: recompressed(image, 70),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "double": lambda image: image.resize((image.width * 2, image.height * 2)),
    "stretched": lambda image: image.resize((200, 200)),
    "5% off each side": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "5% off the width": lambda image: cropped(image, 0.025, 0, 0.025, 0),
    "5% off one corner": lambda image: cropped(image, 0, 0, 0.05, 0.05),
    "uneven crop": lambda image: cropped(image, 0.01, 0.04, 0.03, 0.02),
    "brighter": lambda image: brightened(image, 1.2),
    "darker": lambda image: brightened(image, 0.7),
    "gray": lambda image: image.convert("L"),
    "all": lambda image: recompressed(brightened(cropped(image.resize((91, 134)), 0.05, 0.03, 0.02, 0.05), 1.15), 50),
}


@pytest.fixture(scope="module")
def seen():
    found = SeenPosters.from_signatures([signature(drawn_poster(seed)) for seed in range(40)], range(1, 41))
    return SeenPosters.from_text(found.to_text())


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_finds_copies_and_nothing_else(seen, change):
    for seed in range(0, 40, 4):
        imdb_id, similarity = seen.find(change(drawn_poster(seed)))
        assert imdb_id == seed + 1 and 0.9 <= similarity <= 1.0001
        assert seen.find(change(drawn_poster(100 + seed))) is None


def test_takes_arrays_and_skips_posters_without_a_signature():
    image = drawn_poster(0)
    seen = SeenPosters.from_signatures(["", signature(image), signature(image)], [1, 2**40, 2**40])
    assert len(seen) == 1 and seen.find(np.asarray(image))[0] == 0
    assert SeenPosters.from_signatures([], []).find(image) is None


@pytest.mark.parametrize("image", [Image.new("RGB", (182, 268), color) for color in ("black", "white", "red")])
def test_flat_pictures_are_copies_of_nothing(seen, image):
    assert SeenPosters.from_signatures([signature(image)], [1]).find(image) is None
    assert seen.find(image) is None


def test_is_small():
    seen = SeenPosters.from_signatures([signature(drawn_poster(seed)) for seed in range(5)], range(5))
    assert len(seen.records.tobytes()) == 5 * 32


@pytest.mark.parametrize("text", ["", "abc", "AAAA", "é", 7, {}])
def test_rejects_other_texts(text):
    if text == "":
        assert len(SeenPosters.from_text(text)) == 0
    else:
        with pytest.raises(ValueError, match="`seen_posters` must be a text from"):
            SeenPosters.from_text(text)


def test_search_imports_little():
    script = "import sys, poster_cnn.datasets.seen_posters; print({'keras', 'scipy', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.slow
@pytest.mark.skipif(not REAL_POSTERS.is_dir(), reason="needs real posters")
def test_finds_real_copies_and_no_other_posters():
    """Every second poster is known. Of the others, at most 1 in 200 is found, as some movies share their posters."""
    paths = sorted(REAL_POSTERS.glob("*.jpg"))[:4000]
    images = [Image.open(path).convert("RGB") for path in paths]
    seen = SeenPosters.from_signatures([signature(image) for image in images[::2]], range(len(images[::2])))
    with threadpool_limits(1, "blas"):  # as when `predict` looks for copies
        assert sum(seen.find(image) is not None for image in images[1::2]) <= len(paths) / 400
        for name, change in COPIES.items():
            found = [seen.find(change(image)) for image in images[:500:2]]
            assert sum(match is not None for match in found) >= 0.996 * len(found), name
