"""Photos beyond 16 million pixels, limits that are named and can be raised, and formats that need a plugin."""

import io
import os
import sys
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import BmpImagePlugin, Image, ImageFile, PngImagePlugin
from poster_zoo import draw_poster, encode, huge_png

from poster_cnn import datasets
from poster_cnn.datasets import plugins
from poster_cnn.datasets.image_files import PictureLimits, RefusedPicture, read_rgb, strict_decoding
from poster_cnn.datasets.pixels import open_picture, read_image
from poster_cnn.datasets.verify import describe, verify


def refusal(content, limits=None):
    with pytest.raises(RefusedPicture) as caught:
        read_rgb(content, limits)
    return caught.value.reason, str(caught.value)


# --- photos ---


@pytest.mark.parametrize(
    ("mode", "size", "options", "read_size"),
    [
        ("RGB", (6000, 4000), {}, (3000, 2000)),
        ("L", (6001, 4001), {"progressive": True}, (3001, 2001)),
        ("RGB", (4000, 4000), {}, (4000, 4000)),
        pytest.param("L", (10_000, 10_000), {"progressive": True}, (2500, 2500), marks=pytest.mark.slow),
        pytest.param("L", (16_320, 12_240), {}, (4080, 3060), marks=pytest.mark.slow),
    ],
)
def test_large_jpegs_are_decoded_at_a_reduced_scale(mode, size, options, read_size):
    half = size[0] // 2, size[1]
    photo = Image.new(mode, size, "white")
    photo.paste("black", (0, 0, *half))
    read = read_rgb(encode(photo, **options))
    assert read.size == read_size and read.mode == "RGB"
    middle = read_size[0] // 2
    assert [read.getpixel((middle + step, 9))[0] // 128 for step in (-9, 9)] == [0, 1]


def test_training_and_prediction_read_the_same_pixels_of_large_pictures(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = draw_poster(1).resize((5000, 3204))
    (tmp_path / "1.jpg").write_bytes(encode(photo, exif=exif))
    (tmp_path / "2.png").write_bytes(huge_png(4001))
    table = pd.DataFrame({"imdb_id": [1, 2], "title": "", "genres": [("Drama",)] * 2})
    table["poster_path"] = [str(tmp_path / "1.jpg"), str(tmp_path / "2.png")]
    usable, report = datasets.check_posters(table, progress=False)
    assert report["reason"].tolist() == ["rotated, reduced", "png, grey, reduced"]
    assert report["width"].tolist() == [5000, 4001]
    assert open_picture(tmp_path / "1.jpg").size == (1602, 2500)
    images, _ = next(datasets.poster_dataset(usable, ["Drama"], image_size=(40, 27)).as_numpy_iterator())
    for path, image in zip(table["poster_path"], images, strict=True):
        assert (image == read_image(path, (40, 27))).all()


# --- limits ---


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (huge_png(20_000), "too many pixels (limit 50,000,000)", "20,000 × 20,000 = 400,000,000"),
        (huge_png(7100), "too many pixels (limit 50,000,000)", "7,100 × 7,100 = 50,410,000"),
        (encode(Image.new("L", (5, 900))), "too small (minimum 16 × 16)", "5 × 900"),
    ],
)
def test_names_the_size_and_the_limit(tmp_path, content, reason, message):
    assert refusal(content)[0] == reason and message in refusal(content)[1]
    (tmp_path / "1.png").write_bytes(content)
    assert f"1.png ({message.split(' =')[0]})" in describe(verify(tmp_path, progress=False))


def test_files_that_are_too_large_are_not_read(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(encode(draw_poster(1)))
    os.truncate(path, 200_000_001)  # takes no room on the disk
    said = describe(verify(tmp_path, progress=False))
    assert "too many bytes (limit 200,000,000)" in said and "1.jpg (200,000,001)" in said
    with pytest.raises(RefusedPicture, match="limit 200,000,000.*: 200,000,001"):
        open_picture(path)


@pytest.mark.parametrize(
    ("chosen", "accepted"), [("48776", True), ("0.05 M", True), ("48_775", False), ("0.04MP", False)]
)
def test_the_environment_sets_the_limit_of_all_formats(monkeypatch, chosen, accepted):
    monkeypatch.setenv("POSTER_CNN_MAX_PIXELS", chosen)
    for kind in ("JPEG", "PNG"):  # of 48,776 pixels
        content = encode(draw_poster(1), kind)
        assert accepted or "POSTER_CNN_MAX_PIXELS" in refusal(content)[1]
        assert not accepted or read_rgb(content).size == (182, 268)


@pytest.mark.parametrize("chosen", ["many", "-5", "0", "1e9", "12 GB"])
def test_rejects_limits_that_are_no_number_of_pixels(monkeypatch, chosen):
    monkeypatch.setenv("POSTER_CNN_MAX_PIXELS", chosen)
    with pytest.raises(ValueError, match=f"number of pixels.*Received: POSTER_CNN_MAX_PIXELS='{chosen}'"):
        PictureLimits()


def test_the_limits_of_pillow_are_kept_for_the_user(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_rgb(encode(draw_poster(1))).size == (182, 268)
    assert Image.MAX_IMAGE_PIXELS == 1000


# --- formats ---

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(100)
JPEG_XL = b"\xff\x0a" + bytes(100)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEIC, "HEIC, which needs the package pillow-heif"),
        (HEIC.replace(b"heic", b"mif1"), "HEIC, which needs the package pillow-heif"),
        (JPEG_XL, "JPEG XL, which needs the package pillow-jxl-plugin"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "JPEG XL, which needs the package pillow-jxl-plugin"),
        (HEIC.replace(b"heic", b"avif"), "AVIF, which needs the package pillow-avif-plugin, or Pillow 11.3 or newer"),
        (b"8BPS\0\1" + bytes(50), "PSD, a format that is not supported"),
        (b"\0\0\1\0" + bytes(50), "ICO, a format that is not supported"),
        (b"\0", "unknown format"),
    ],
)
def test_names_formats_and_their_packages(monkeypatch, content, reason):
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    for module in ("pillow_heif", "pi_heif", "pillow_jxl", "pillow_avif"):
        monkeypatch.setitem(sys.modules, module, None)  # not installed
    assert refusal(content)[0] == reason


class Disguised(PngImagePlugin.PngImageFile):
    format, format_description = "HEIF", "a PNG after 12 bytes of HEIC"

    def _open(self):
        self.fp = io.BytesIO(self.fp.read()[12:])
        super()._open()


@pytest.mark.parametrize("registered", [True, False])
def test_reads_formats_of_plugins(monkeypatch, registered):
    def register():
        monkeypatch.setitem(Image.OPEN, "HEIF", (Disguised, lambda start: start[4:12] == b"ftypheic"))

    if registered:  # by the user
        register()
    else:
        monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    content = HEIC[:12] + encode(draw_poster(1), "PNG")
    assert (np.asarray(read_rgb(content)) == np.asarray(draw_poster(1))).all()


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"\xff\x0aX\x08j\x81\xa4\xb8\x11\0\x13", (182, 268)),
        (b"\xff\x0aZ\xea\xe8j\x83\xa4\xb8\x11\0", (7000, 7500)),
        (b"\xff\x0a\xba]\x03Iq#\0\x13\x08", (4000, 3000)),
        (b"\xff\x0a\x7f@R\xdc\x08\0", (256, 256)),
        (
            b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl \0\0\0\\jxlc\xff\x0aX\x08j\x81\xa4\xb8\x11",
            (182, 268),
        ),
        (
            b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x0ejxlp\0\0\0\0\xff\x0a\0\0\0\x20jxlp\x80\0\0\1X\x08j\x81\xa4\xb8\x11",
            (182, 268),
        ),
        (b"\xff\xd8\xff" + bytes(20), None),
    ],
)
def test_jpeg_xl_is_measured_before_its_plugin_decodes_it(monkeypatch, header, size):
    def decode(*_):
        raise AssertionError("decoded")

    monkeypatch.setitem(Image.OPEN, "JXL", (decode, lambda start: start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL"))))
    assert plugins.jpeg_xl_size(header) == size
    if size == (7000, 7500):
        assert refusal(header)[0] == "too many pixels (limit 50,000,000)"


def test_overlapping_readers_restore_the_settings_of_the_process():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    readers = [strict_decoding(), strict_decoding()]
    for reader in readers:  # as in two threads
        reader.__enter__()
    for reader in readers:
        reader.__exit__(None, None, None)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))


def test_reads_formats_of_unknown_plugins(monkeypatch):
    class Own(BmpImagePlugin.BmpImageFile):
        format = "OWN"

    monkeypatch.setitem(Image.OPEN, "OWN", (Own, lambda start: start[:2] == b"BM"))
    monkeypatch.delitem(Image.OPEN, "BMP")
    assert read_rgb(encode(draw_poster(1), "BMP")).size == (182, 268)
