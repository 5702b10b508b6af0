"""Poster files of all kinds, valid, unusual, broken and hostile, with their expected verdicts."""

import io
import os
import random
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, features

OK, REPAIRED, QUARANTINED = "ok", "repaired", "quarantined"


def draw_poster(seed, width=182, height=268, palette=None):
    """Draw rectangles and ellipses on a gradient, which differ for each seed, optionally in the colors of `palette`."""
    rng = random.Random(seed)
    palette = palette or [tuple(rng.randrange(256) for _ in range(3)) for _ in range(5)]
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image = Image.blend(image, Image.new("RGB", (width, height), rng.choice(palette)), 0.7)
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.randrange(-width // 4, width), rng.randrange(-height // 4, height)
        box = (x, y, x + rng.randrange(width // 8, width // 2), y + rng.randrange(height // 8, height // 2))
        rng.choice((draw.rectangle, draw.ellipse))(box, fill=rng.choice(palette))
    return image


def encode(image, kind="JPEG", **options):
    """Return the content of `image` as a file."""
    if kind == "JPEG":
        options = {"quality": 90} | options
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def huge_png(side):
    """Return a valid gray PNG of `side` × `side` pixels whose file is a thousand times smaller than its pixels."""
    raw_length = side * (side + 1)  # a filter byte starts each row
    block = 1_000_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(block)) + packer.flush(
        zlib.Z_FULL_FLUSH
    )  # a block without references, which may be repeated
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = packer.compress(bytes(raw_length % block)) + packer.flush()
    checksum = struct.pack(">HH", raw_length % 65521, 1)  # Adler-32 of zeros
    deflated = b"\x78\xda" + packed * (raw_length // block) + tail + checksum

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", deflated) + chunk(b"IEND", b"")


def rotated(image, orientation):
    """Return a JPEG of `image` with rotated pixels and an EXIF orientation that corrects them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}.get(orientation)
    return encode(image.transpose(turn) if turn is not None else image, exif=exif)


def _whole():
    yield "1.jpg", encode(draw_poster(1)), OK, ""
    yield "2.jpg", encode(draw_poster(2), progressive=True), OK, ""
    yield "3.jpg", encode(draw_poster(3)) + b"junk behind the end" * 50, OK, ""
    yield "4.jpg", encode(draw_poster(4, 400, 600)), OK, ""
    yield "tt0000005.jpeg", encode(draw_poster(5)), OK, ""
    yield "6.jpg", encode(draw_poster(6), exif=b"Exif\0\0broken"), OK, ""
    yield "7.jpg", rotated(draw_poster(7), 1), OK, ""
    yield "8.jpg", encode(draw_poster(8), "MPO", save_all=True, append_images=[draw_poster(9)]), OK, ""
    yield "9.jpg", encode(draw_poster(10), subsampling=0, quality=100), OK, ""


def _repairable():
    deep = Image.fromarray(np.asarray(draw_poster(20).convert("L")).astype(np.uint16) * 257)
    transparent = draw_poster(21)
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    frames = [draw_poster(22), draw_poster(23)]
    yield "20.png", encode(draw_poster(24), "PNG"), REPAIRED, "png"
    yield "21.jpg", encode(draw_poster(25), "PNG"), REPAIRED, "png"
    yield "22.png", encode(draw_poster(26).quantize(16), "PNG"), REPAIRED, "png"
    yield "23.png", encode(transparent, "PNG"), REPAIRED, "png"
    yield "24.png", encode(deep, "PNG"), REPAIRED, "png, 16-bit"
    yield "25.png", encode(draw_poster(27).convert("1"), "PNG"), REPAIRED, "png, grey"
    yield "26.jpg", encode(draw_poster(28), "WEBP"), REPAIRED, "webp"
    yield "27.webp", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]), REPAIRED, "animated webp"
    yield "28.bmp", encode(draw_poster(29), "BMP"), REPAIRED, "bmp"
    yield "29.tif", encode(draw_poster(30), "TIFF"), REPAIRED, "tiff"
    yield "30.tif", encode(deep, "TIFF"), REPAIRED, "tiff, 16-bit"
    floats = Image.fromarray(np.asarray(draw_poster(31).convert("L"), dtype=np.float32) / 255)
    yield "31.tif", encode(floats, "TIFF"), REPAIRED, "tiff, 32-bit"
    yield "32.gif", encode(draw_poster(32), "GIF"), REPAIRED, "gif"
    yield "33.jpg", encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), REPAIRED, "animated gif"
    yield "34.jpg", encode(draw_poster(33).convert("L")), REPAIRED, "grey"
    yield "35.jpg", encode(draw_poster(34).convert("CMYK")), REPAIRED, "cmyk"
    yield "36.jpg", rotated(draw_poster(36), 6), REPAIRED, "rotated"
    yield "37.jpg", rotated(draw_poster(37), 3), REPAIRED, "rotated"
    if features.check("avif"):
        yield "38.jpg", encode(draw_poster(35), "AVIF"), REPAIRED, "avif"


def _hopeless():
    whole, progressive = encode(draw_poster(40)), encode(draw_poster(41), progressive=True)
    png = encode(draw_poster(42), "PNG")
    yield "40.jpg", whole[: len(whole) // 2], QUARANTINED, "truncated"
    yield "41.jpg", whole[:-10], QUARANTINED, "truncated"
    yield "42.jpg", whole[:-2], QUARANTINED, "truncated"
    yield "43.jpg", progressive[: len(progressive) // 2], QUARANTINED, "truncated"
    yield "44.jpg", whole[:20], QUARANTINED, "truncated"
    yield "45.jpg", whole[:400], QUARANTINED, "truncated"
    yield "46.png", png[: len(png) // 2], QUARANTINED, "truncated"
    yield "47.jpg", b"", QUARANTINED, "empty"
    yield "48.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", QUARANTINED, "html"
    yield "49.jpg", b"\xef\xbb\xbf\n <HTML><head><title>Moved</title></head></HTML>", QUARANTINED, "html"
    yield "50.jpg", b'{"Response": "False", "Error": "Poster not found!"}', QUARANTINED, "text"
    yield "51.jpg", "Datei nicht gefunden: Gr\u00f6\u00dfe 0".encode("latin-1"), QUARANTINED, "text"
    yield "52.jpg", "not found".encode("utf-16"), QUARANTINED, "text"
    yield "53.jpg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", QUARANTINED, "text"
    yield "54.jpg", random.Random(0).randbytes(5000), QUARANTINED, "unknown format"
    yield "55.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", QUARANTINED, "text"
    yield "56.png", huge_png(20_000), QUARANTINED, "too many pixels (limit 50,000,000)"
    yield "57.png", huge_png(12_000), QUARANTINED, "too many pixels (limit 50,000,000)"
    yield "58.jpg", encode(Image.new("RGB", (1, 1))), QUARANTINED, "too small (minimum 16 × 16)"
    yield "60.jpg", b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9", QUARANTINED, "corrupt"
    placeholder = Image.new("RGB", (182, 268), "silver")
    for number in range(61, 66):
        yield f"{number}.png", encode(placeholder, "PNG", compress_level=number - 60), QUARANTINED, "placeholder"


def _not_files(folder):
    (folder / "70.jpg").mkdir()
    yield "70.jpg", QUARANTINED, "folder"
    outside = folder.parent / "outside_the_zoo.jpg"
    outside.write_bytes(encode(draw_poster(50)))
    (folder / "71.jpg").symlink_to(outside)
    yield "71.jpg", QUARANTINED, "link out of the folder"
    (folder / "72.jpg").symlink_to("nowhere.jpg")
    yield "72.jpg", QUARANTINED, "dangling link"
    (folder / "73.jpg").symlink_to("73.jpg")
    yield "73.jpg", QUARANTINED, "link in a circle"
    (folder / "74.jpg").symlink_to("1.jpg")
    yield "74.jpg", OK, ""
    os.mkfifo(folder / "75.jpg")
    yield "75.jpg", QUARANTINED, "not a file"
    (folder / "poster of my film.jpg").write_bytes(encode(draw_poster(51)))
    yield "poster of my film.jpg", OK, ""


def build(folder):
    """Write the files to `folder` and return {file name: (verdict, reason)}."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for part in (_whole(), _repairable(), _hopeless()):
        for name, content, verdict, reason in part:
            (folder / name).write_bytes(content)
            expected[name] = (verdict, reason)
    for name, verdict, reason in _not_files(folder):
        expected[name] = (verdict, reason)
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "sub-folder").mkdir()
    return expected
