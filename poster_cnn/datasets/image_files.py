"""Validate an image file and decode it to upright 8-bit RGB."""

import contextlib
import dataclasses
import io
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps

Image.init()
# Pillow also opens formats that start other programs (EPS) or hold several pictures (PSD, ICO); these are not accepted.
FORMATS = [name for name in ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF") if name in Image.OPEN]
_JPEG_FORMATS = ("JPEG", "MPO")  # MPO is a JPEG followed by more pictures; every decoder reads the first.


class RefusedPicture(ValueError):
    """Error for an unusable picture; `reason` is a short phrase to count, such as "truncated"."""

    def __init__(self, reason, image=None):
        super().__init__(reason)
        self.reason = reason
        self.width, self.height = image.size if image else (None, None)
        self.mode = image.mode if image else ""


@dataclasses.dataclass(frozen=True)
class PictureLimits:
    """Limits on accepted pictures, checked before decoding.

    Args:
        max_bytes: Maximum file size in bytes. Defaults to 20 million.
        max_pixels: Maximum width × height. Defaults to 16 million.
        min_image_size: Minimum `(height, width)` in pixels. Defaults to `(16, 16)`.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 16_000_000
    min_image_size: tuple = (16, 16)


@contextlib.contextmanager
def strict_decoding():
    """Make Pillow refuse truncated files and hide its warnings inside a `with` block."""
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def open_header(data, limits=None):
    """Open a picture without decoding it, and check its format, size and limits.

    Args:
        data: Content of the file, bytes.
        limits: `PictureLimits`. Defaults to `PictureLimits()`.

    Returns:
        `PIL.Image.Image`, not decoded yet.

    Raises:
        RefusedPicture: "empty", "html", "text", "unknown format", "truncated", "corrupt", "too many bytes",
            "too many pixels" or "too small".
    """
    limits = limits or PictureLimits()
    if not data:
        raise RefusedPicture("empty")
    if len(data) > limits.max_bytes:
        raise RefusedPicture("too many bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise RefusedPicture("too many pixels") from None
    except Exception as error:  # Pillow also raises struct.error, IndexError, KeyError and others on bad bytes.
        raise RefusedPicture(_why_unreadable(data, error)) from error
    if image.width * image.height > limits.max_pixels:
        raise RefusedPicture("too many pixels", image)
    if image.height < limits.min_image_size[0] or image.width < limits.min_image_size[1]:
        raise RefusedPicture("too small", image)
    return image


def decode(image):
    """Decode an opened picture completely to upright 8-bit RGB.

    Transparent parts become white, 16-bit values are scaled, and an animation is reduced to its first frame.

    Args:
        image: `PIL.Image.Image` from `open_header`.

    Returns:
        Tuple of the `PIL.Image.Image` in mode RGB and a list of str with the conversions that were needed ("png",
        "grey", "cmyk", "16-bit", "rotated" …), empty for an upright RGB JPEG.

    Raises:
        RefusedPicture: "truncated", "corrupt" or "too many pixels".
    """
    changes = [] if image.format in _JPEG_FORMATS else [image.format.lower()]
    try:
        if changes and getattr(image, "is_animated", False):
            changes = [f"animated {changes[0]}"]
        rotated = _orientation(image) in range(2, 9)
        image.load()
        mode = image.mode
        rgb = _to_rgb(ImageOps.exif_transpose(image) if rotated else image)
    except MemoryError:
        raise RefusedPicture("too many pixels", image) from None
    except Exception as error:
        raise RefusedPicture("truncated" if "truncated" in str(error).lower() else "corrupt", image) from error
    kind = {"1": "grey", "L": "grey", "LA": "grey", "CMYK": "cmyk", "I": "32-bit", "F": "32-bit"}.get(mode)
    kind = "16-bit" if mode.startswith("I;16") else kind
    return rgb, changes + [kind] * bool(kind) + ["rotated"] * rotated


def read_rgb(data, limits=None):
    """Return the content of any picture file as an upright RGB `PIL.Image.Image`, or raise `RefusedPicture`."""
    with strict_decoding():
        return decode(open_header(data, limits))[0]


def _why_unreadable(data, error):
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head:
        return "html"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or not any(byte < 9 or 13 < byte < 32 for byte in head):
        return "text"
    if "truncated" in str(error).lower() or (data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" not in data):
        return "truncated"
    known_starts = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
    return "corrupt" if data.startswith(known_starts) else "unknown format"


def _orientation(image):
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # A broken EXIF block does not make the picture unusable.
        return 1


def _to_rgb(image):
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _to_eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
        return rgb
    return image.convert("RGB")


def _to_eight_bit(image):
    """Scale values to 0..255; `convert` would clip them, and turn most 16-bit pictures white."""
    values = np.nan_to_num(np.array(image, dtype=np.float32), copy=False)
    top = float(values.max())
    if image.mode.startswith("I;16") or image.format == "PNG":
        full_scale = 65535.0
    else:  # The range of 32-bit integers and floats is unknown: take the narrowest usual one that holds all values.
        usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        full_scale = next((scale for scale in usual if top <= scale), top)
    values *= 255 / full_scale  # in place, to hold a large scan only once
    values += 0.5
    return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))
