"""Training reads the pixels of a file that prediction reads, and both those that Pillow reads from the original."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageCms, features
from poster_zoo import draw_poster, encode, rotated

from poster_cnn import datasets
from poster_cnn.datasets import crops
from poster_cnn.datasets.crops import INTERPOLATIONS
from poster_cnn.datasets.image_files import save_copy
from poster_cnn.datasets.pixels import keras_resize, load_poster, open_picture, read_image, resize


def kinds():
    """Yield the name and content of a file, and the RGB picture that a user expects."""
    yield from saved_kinds(draw_poster(1, 150, 230))
    yield from turned_kinds(draw_poster(1, 150, 230))
    yield from grey_kinds(draw_poster(1, 150, 230))
    yield from clear_kinds(draw_poster(1, 150, 230))
    yield "small.png", encode(draw_poster(3, 33, 47), "PNG"), draw_poster(3, 33, 47)
    yield "large.png", encode(draw_poster(4, 700, 900), "PNG"), draw_poster(4, 700, 900)


def saved_kinds(poster):
    """Yield RGB pictures in several formats, with several pages, frames or a color profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, kind, options in [
        ("plain.jpg", "JPEG", {}),
        ("progressive.jpg", "JPEG", {"progressive": True}),
        ("profile.jpg", "JPEG", {"icc_profile": profile}),
        ("rgb colors.jpg", "JPEG", {"keep_rgb": True}),
        ("sampled.jpg", "JPEG", {"subsampling": 1}),
        ("mpo.jpg", "MPO", more()),
        ("lossy.webp", "WEBP", {}),
        ("animated.webp", "WEBP", more()),
        ("profile.png", "PNG", {"icc_profile": profile}),
        ("animated.png", "PNG", more()),
        ("pages.tif", "TIFF", more()),
        ("animated.gif", "GIF", more()),
        ("bitmap.bmp", "BMP", {}),
    ] + [("photo.avif", "AVIF", {})] * features.check("avif"):
        content = encode(poster.copy(), kind, **options)  # as saving changes the picture
        yield name, content, decoded(content)


def turned_kinds(poster):
    """Yield pictures that EXIF turns."""
    for orientation, upright in ((3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270)):
        content = rotated(poster, orientation)
        yield f"turned {orientation}.jpg", content, decoded(content).transpose(upright)
    exif = Image.Exif()
    exif[0x0112] = 8
    for kind in ("PNG", "WEBP", "TIFF"):
        content = encode(poster.transpose(Image.Transpose.ROTATE_270), kind, exif=exif, lossless=True)
        yield f"turned 8.{kind.lower()}", content, poster


def grey_kinds(poster):
    """Yield pictures that are grey, of 16 bits or in the colors of print."""
    grey, deep = poster.convert("L"), np.asarray(poster.convert("L")).astype(np.uint16) * 257
    half_clear = Image.merge("LA", (grey, Image.new("L", grey.size, 128)))
    paler = grey.point(lambda value: 127 + value * 128 / 255).convert("RGB")
    yield "grey.jpg", encode(grey), decoded(encode(grey))
    yield "grey and clear.png", encode(half_clear, "PNG"), paler
    yield "print.jpg", encode(poster.convert("CMYK")), decoded(encode(poster.convert("CMYK")))
    yield "deep.png", encode(Image.fromarray(deep), "PNG"), grey.convert("RGB")
    yield "deep.tif", encode(Image.fromarray(deep), "TIFF"), grey.convert("RGB")


def clear_kinds(poster):
    """Yield pictures with a palette or with transparent parts, which become white."""
    clear, palette = poster.copy(), poster.quantize(32)
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    holes = palette.convert("RGBA")
    holes.putalpha(Image.fromarray(np.where(np.asarray(palette) == 3, 0, 255).astype("uint8")))
    yield "clear.png", encode(clear, "PNG"), on_white(clear)
    yield "clear.webp", encode(clear, "WEBP", lossless=True), on_white(clear)
    yield "palette.png", encode(palette, "PNG"), palette.convert("RGB")
    yield "holes.png", encode(palette, "PNG", transparency=3), on_white(holes)
    yield "holes.gif", encode(palette, "GIF", transparency=3), on_white(holes)


def on_white(picture):
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def more():
    return {"save_all": True, "append_images": [draw_poster(2, 150, 230)]}


def decoded(content):
    return Image.open(io.BytesIO(content)).convert("RGB")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    pictures = {}
    for name, content, picture in kinds():
        (folder / name).write_bytes(content)
        pictures[name] = picture
    paths = [str(folder / name) for name in pictures]
    table = pd.DataFrame({"imdb_id": range(len(paths)), "title": list(pictures), "poster_path": paths})
    return table.assign(genres=[("Drama",)] * len(paths)), pictures


def test_reads_what_pillow_reads(originals):
    table, pictures = originals
    for path, picture in zip(table["poster_path"], pictures.values(), strict=True):
        found = np.asarray(open_picture(path), int)
        difference = np.abs(found - np.asarray(picture or found, int))
        assert difference.max() <= 1, path


@pytest.mark.parametrize(
    ("image_size", "interpolation", "crop_size"),
    [
        ((40, 27), "bilinear", None),
        ((299, 299), "bilinear", None),
        ((299, 299), "bicubic", (150, 150)),
        ((40, 27), "lanczos3", (268, 100)),
        ((500, 30), "nearest", None),
    ],
)
def test_training_reads_the_pixels_of_prediction(originals, image_size, interpolation, crop_size):
    table, report = datasets.check_posters(originals[0], progress=False, placeholder_ids=99)
    assert len(table) == len(originals[0])
    table = table if crop_size is None else crops.center_crops(table, crop_size)
    options = {"image_size": image_size, "interpolation": interpolation}
    trained = datasets.decoded_posters(table, ["Drama"], manifest=report, **options).as_numpy_iterator()
    for name, path, (image, _) in zip(table["title"], originals[0]["poster_path"], trained, strict=True):
        predicted = read_image(path, image_size, interpolation, crop_size)
        assert (image == predicted).all(), (name, np.abs(image.astype(int) - predicted).max())


@pytest.mark.parametrize(
    ("size", "image_size", "crop_size", "options", "scale"),
    [
        ((268, 182), (134, 91), None, {}, 2),
        ((268, 182), (135, 91), None, {}, 1),
        ((268, 182), (134, 92), None, {}, 1),
        ((267, 181), (134, 91), None, {"interpolation": "lanczos3"}, 2),  # half of an odd side is rounded up
        ((268, 182), (67, 46), None, {}, 4),
        ((268, 182), (20, 15), None, {"antialias": False}, 8),
        ((900, 600), (224, 150), None, {"interpolation": "area"}, 4),
        ((900, 600), (226, 100), None, {}, 2),
        ((268, 182), (75, 75), (150, 150), {}, 2),
        ((268, 182), (75, 75), (149, 150), {}, 1),
        ((300, 24), (10, 13), None, {}, 1),
    ],
)
def test_scaled_decoding_is_that_of_pillow(tmp_path, size, image_size, crop_size, options, scale):
    path, (height, width) = str(tmp_path / "poster.jpg"), size
    draw_poster(1, width, height).save(path)
    options = {"image_size": image_size, "interpolation": "bilinear", "antialias": True} | options
    options["crop"] = None if crop_size is None else crops.center_box(crop_size)
    found = load_poster(path, decode="scaled", **options)
    with Image.open(path) as image:
        image.draft(None, (width // scale, height // scale))
        save_copy(image.convert("RGB"), path)
    assert found.shape == (*image_size, 3) and (found == load_poster(path, **options)).numpy().all()


def test_scaled_decoding_reads_every_kind_of_picture(originals):
    table, report = datasets.check_posters(originals[0], progress=False, placeholder_ids=99)
    options = {"image_size": (40, 27), "manifest": report, "cache": False}
    for name, (found, _), (full, _) in zip(
        table["title"],
        datasets.decoded_posters(table, ["Drama"], decode="scaled", **options).as_numpy_iterator(),
        datasets.decoded_posters(table, ["Drama"], **options).as_numpy_iterator(),
        strict=True,
    ):
        moved = np.abs(found.astype(int) - full).mean()
        as_it_is = name.endswith(".jpg") and not name.startswith(("turned", "grey", "print"))  # others are copied
        assert moved < 4 and (moved > 0) == as_it_is, (name, moved)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(268, 182), (33, 47), (400, 300), (224, 152)])
def test_numpy_resizes_as_tensorflow(size, interpolation):
    image = np.asarray(draw_poster(1, size[1], size[0])).astype("float32")
    for image_size in ((224, 152), (107, 73), (40, 27), (299, 299)):
        expected = keras_resize(image, image_size, interpolation)
        found = resize(image, image_size, interpolation)
        assert np.abs(found - expected).max() < 0.02, image_size
        assert (np.round(found) != np.round(expected)).mean() < 0.03, image_size  # means of `area` are often halves
