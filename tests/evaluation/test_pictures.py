"""Pictures in any form that a user has: files, folders, patterns, URLs, bytes, Pillow's images and arrays."""

import io
import pathlib

import numpy as np
import pandas as pd
import pytest
from misbehaving_server import MisbehavingServer
from PIL import Image

from poster_cnn.evaluation.pictures import find_pictures

BLUE = (40, 90, 200)
PIXELS = np.full((30, 20, 3), BLUE, "uint8")
GREY = np.full((30, 20), 99, "uint8")
CLEAR = np.dstack([PIXELS, np.zeros((30, 20), "uint8")])


def png(pixels=PIXELS):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change into a folder of pictures, of files that are none, and of a folder with another picture."""
    for name in ("b.png", "a.PNG", "old/c.webp", ".hidden.png", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png())
    (tmp_path / "list.csv").write_text("a,b")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "[1].png").write_bytes(png())
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


ALL = ["[1].png", "a.PNG", "b.png", "broken.jpg", "old/c.webp"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("a.PNG", ["a.PNG"]),
        (pathlib.Path("a.PNG"), ["a.PNG"]),
        ("[1].png", ["[1].png"]),  # a file, not a pattern
        ("~/a.PNG", ["{folder}/a.PNG"]),
        (".", [f"./{name}" for name in ALL]),
        ("*.png", ["[1].png", "b.png"]),
        ("**/*.webp", ["old/c.webp"]),
        ("ol*", ["old/c.webp"]),
        (["b.png", "a.PNG", "b.png"], ["b.png", "a.PNG", "b.png"]),
        (("a.PNG", pathlib.Path("old")), ["a.PNG", "old/c.webp"]),
        (map(pathlib.Path, ["a.PNG"]), ["a.PNG"]),
        (np.array(["a.PNG", "b.png"]), ["a.PNG", "b.png"]),
        (pd.Series(["a.PNG", "b.png"], index=[7, 8]), ["a.PNG", "b.png"]),
        (pd.DataFrame({"poster_path": ["a.PNG"], "title": "A"}), ["a.PNG"]),
        (png(), ["picture 0"]),
        (io.BytesIO(png()), ["picture 0"]),
        (Image.fromarray(PIXELS), ["picture 0"]),
        (["a.PNG", Image.fromarray(GREY)], ["a.PNG", "picture 1"]),
        (PIXELS, ["picture 0"]),
        (np.stack([PIXELS] * 3), ["picture 0", "picture 1", "picture 2"]),
        ([np.stack([PIXELS] * 2), GREY], ["picture 0", "picture 1", "picture 2"]),
        ([], []),
    ],
)
def test_finds_pictures(given, names, folder):
    assert [picture.name for picture in find_pictures(given)] == [name.format(folder=folder) for name in names]


@pytest.mark.parametrize(
    ("given", "color"),
    [
        (PIXELS, BLUE),
        (PIXELS.astype("float32"), BLUE),
        (PIXELS / 255, BLUE),
        (PIXELS.astype("uint16") * 257, BLUE),
        (GREY, (99, 99, 99)),
        (GREY[:, :, None].astype("int64"), (99, 99, 99)),
        (GREY > 0, (255, 255, 255)),
        (CLEAR, (255, 255, 255)),
        (png(), BLUE),
        (Image.fromarray(PIXELS).convert("CMYK"), BLUE),
        (Image.fromarray(CLEAR), (255, 255, 255)),
        (Image.open(io.BytesIO(png())), BLUE),
    ],
)
def test_reads_any_kind_of_pixels(given, color):
    (picture,) = find_pictures(given)
    assert np.abs(np.asarray(picture.read(), int) - color).max() <= 1


def turned():
    """Return a picture with a white right half and the EXIF tag of one that lies on its side."""
    image = Image.fromarray(np.repeat(np.uint8([[0] * 20 + [255] * 20]), 30, axis=0)).convert("RGB")
    image.getexif()[0x0112] = 6
    return image


def test_turns_pillow_images_by_their_exif():
    (picture,) = find_pictures(turned())
    pixels = np.asarray(picture.read())
    assert pixels.shape == (40, 30, 3) and pixels[:20].max() == 0 and pixels[20:].min() == 255


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("absent.jpg", "No such file"),
        ("broken.jpg", "truncated|corrupt|text"),
        ("list.csv", "text"),
        ("*.bmp", "no file matches"),
        ("empty", "no pictures in this folder"),
        ("ftp://host/a.jpg", "not http or https"),
        ("http://127.0.0.1:1/a.jpg", "private address"),
        ("http://[::1]/a.jpg", "private address"),
        ([None], "no picture is given"),
        ([float("nan")], "no picture is given"),
        ([pd.NA], "no picture is given"),
        ("", "no picture is given"),
        (b"", "empty"),
        (b"<html>not found</html>", "html"),
        (png()[:60], "truncated"),
        (np.zeros((3, 40, 30), "uint8"), "received uint8 of shape"),
        (np.zeros((30, 20, 3), "complex64"), "received complex64"),
        (np.full((30, 20, 3), np.nan), "no numbers"),
        (PIXELS.astype("float32") - 128, "received -88 to 72"),
        (PIXELS.astype("float32") * 2, "received 80 to 400"),
        (np.zeros((0, 20, 3), "uint8"), "empty"),
        (np.zeros((4, 4, 3), "uint8"), "too small"),
        (Image.new("RGB", (3, 3)), "too small"),
    ],
)
def test_gives_the_reason_why_a_picture_cannot_be_read(given, reason, folder):
    (picture,) = find_pictures(given)
    with pytest.raises((OSError, ValueError), match=reason):
        picture.read()


def test_names_the_files_of_a_folder_that_are_left_out(folder, caplog):
    caplog.set_level("INFO", "poster_cnn")
    list(find_pictures(folder))
    assert "1 files that are no pictures by name: list.csv" in caplog.text


@pytest.mark.parametrize("name", ["model.keras", "config.json"])
def test_rejects_a_run_folder(name, folder):
    (folder / name).write_text("{}")
    with pytest.raises(ValueError, match="is the run folder of a model"):
        find_pictures([folder])


def test_reads_urls(folder):
    with MisbehavingServer() as server:
        good, absent = server.url("/good/1"), server.url("/missing")
        pictures = list(find_pictures([good, absent], allow_private=True))
        assert pictures[0].name == good and pictures[0].read().mode == "RGB"
        with pytest.raises(ValueError, match="404"):
            pictures[1].read()
