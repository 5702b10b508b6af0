"""Validate an image file and decode it to upright 8-bit RGB."""

import contextlib
import dataclasses
import functools
import io
import os
import pathlib
import re
import threading
import types
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, PngImagePlugin

from poster_cnn.datasets import plugins
from poster_cnn.metrics import arguments

Image.init()
# Pillow also opens formats that start other programs (EPS) or hold several pictures (PSD, ICO); these are not accepted.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF")
_JPEG_FORMATS = ("JPEG", "MPO")  # MPO is a JPEG followed by more pictures; every decoder reads the first.
_RECOGNIZED = ("PSD", "ICO", "ICNS", "PPM", "DDS", "QOI", "JPEG2000", "AVIF")  # others have no clear start
_MAX_DECODED = 16_000_000  # pixels; larger pictures are reduced to a half, a quarter or an eighth of their sides
NO_PICTURE = ("html", "text", "unknown format")  # reasons, by content
LARGE = 1_000_000  # pixels; larger pictures are decoded one at a time, so that memory does not grow with the threads
_large_pictures = threading.Lock()
_MARK = "poster_cnn"  # key of a text in our copies
_MAX_PIXELS_VARIABLE = "POSTER_CNN_MAX_PIXELS"


class RefusedPicture(ValueError):
    """Error for an unusable picture.

    Attributes:
        reason: Short phrase to count, such as "truncated"; the message may tell more.
        width, height: Size of the picture in pixels. Defaults to `None`: unknown.
        mode: Its mode in Pillow, or "".
    """

    def __init__(self, reason, image=None, details=""):
        super().__init__(reason + details)
        self.reason = reason
        self.width, self.height = image.size if image else (None, None)
        self.mode = image.mode if image else ""


def _chosen_max_pixels():
    """Return the limit in the environment variable, or `None`."""
    asked = os.environ.get(_MAX_PIXELS_VARIABLE, "").strip()
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?) ?(M(?:P|Pix|Pixels)?)?", asked, re.IGNORECASE)
    number = float(re.sub("[_,]", "", match[1])) * (10**6 if match[2] else 1) if match else 0
    if asked and number < 1:
        raise ValueError(
            f"The environment variable {_MAX_PIXELS_VARIABLE} must be a number of pixels, such as 300000000 or 300M. "
            f"Received: {_MAX_PIXELS_VARIABLE}={asked!r}"
        )
    return int(number) if asked else None


@dataclasses.dataclass(frozen=True)
class PictureLimits:
    """Limits on accepted pictures, checked before decoding.

    Decoding a picture within the default limits takes at most about 1 GB of memory.

    Args:
        max_bytes: Maximum file size in bytes. Defaults to 200 million or, if larger, 4 × `$POSTER_CNN_MAX_PIXELS`.
        max_pixels: Maximum width × height. Defaults to `$POSTER_CNN_MAX_PIXELS` (such as `300M`) or, if not set, to 200
            million for JPEGs, which are decoded at a reduced scale, 100 million for progressive JPEGs, and 50 million
            for other formats.
        min_image_size: Minimum `(height, width)` in pixels. Defaults to `(16, 16)`.
    """

    max_bytes: int = dataclasses.field(default_factory=lambda: max(200_000_000, 4 * (_chosen_max_pixels() or 0)))
    max_pixels: int | None = dataclasses.field(default_factory=_chosen_max_pixels)
    min_image_size: tuple = (16, 16)

    def __post_init__(self):
        object.__setattr__(self, "min_image_size", arguments.size("min_image_size", self.min_image_size))
        arguments.convert(self)

    def check_bytes(self, size):
        """Refuse a file of `size` bytes that is too large."""
        if size > self.max_bytes:
            details = f": {size:,}; {_MAX_PIXELS_VARIABLE} raises the limit too"
            raise RefusedPicture(f"too many bytes (limit {self.max_bytes:,})", details=details)

    def check_size(self, image):
        """Refuse an opened `PIL.Image.Image` with too many or too few pixels."""
        limit = self.max_pixels or _default_max_pixels(image)
        width, height = image.size
        sides = f"{width:,} × {height:,}"
        if width * height > limit:
            details = f": {sides} = {width * height:,}; set {_MAX_PIXELS_VARIABLE} to raise the limit"
            raise RefusedPicture(f"too many pixels (limit {limit:,})", image, details)
        lowest, narrowest = self.min_image_size
        if height < lowest or width < narrowest:
            raise RefusedPicture(f"too small (minimum {narrowest:,} × {lowest:,})", image, f": {sides}")


def _default_max_pixels(image):
    if image.format not in _JPEG_FORMATS:
        return 50_000_000
    # All coefficients of a progressive JPEG are in memory at once, whatever the scale.
    return 100_000_000 if image.info.get("progressive") else 200_000_000


class _StrictDecoding:
    """Settings of Pillow and `warnings`, which belong to the process: the last of several threads restores them."""

    lock, depth, undo = threading.Lock(), 0, contextlib.ExitStack()

    @classmethod
    def enter(cls):
        """Change the settings, unless another thread has."""
        with cls.lock:
            if not cls.depth:
                cls.undo.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                cls.undo.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", ImageFile.LOAD_TRUNCATED_IMAGES)
                cls.undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                ImageFile.LOAD_TRUNCATED_IMAGES = False
                Image.MAX_IMAGE_PIXELS = None  # `PictureLimits` names the size and the limit
            cls.depth += 1

    @classmethod
    def leave(cls):
        """Restore the settings, unless another thread needs them."""
        with cls.lock:
            cls.depth -= 1
            if not cls.depth:
                cls.undo.close()


@contextlib.contextmanager
def strict_decoding():
    """Make Pillow refuse truncated files, hide its warnings and leave size limits to us inside a `with` block."""
    _StrictDecoding.enter()
    try:
        yield
    finally:
        _StrictDecoding.leave()


def open_header(data, limits=None):
    """Open a picture without decoding it, and check its format, size and limits.

    Args:
        data: Content of the file, bytes.
        limits: `PictureLimits`. Defaults to `PictureLimits()`.

    Returns:
        `PIL.Image.Image`, not decoded yet.

    Raises:
        RefusedPicture: "empty", "html", "text", "unknown format", "truncated", "corrupt", "too many bytes",
            "too many pixels" or "too small" with the limit, or a format with the package that reads it.
    """
    limits = limits or PictureLimits()
    if not data:
        raise RefusedPicture("empty")
    limits.check_bytes(len(data))
    missing = plugins.missing_plugin(data)
    if (size := plugins.jpeg_xl_size(data)) and not missing:
        limits.check_size(types.SimpleNamespace(size=size, format="JXL", mode="", info={}))
    try:
        image = Image.open(io.BytesIO(data), formats=_accepted_formats())
    except Exception as error:  # Pillow also raises struct.error, IndexError, KeyError and others on bad bytes.
        reason = missing or _why_unreadable(data, error)
        details = ", not a picture; expected a JPEG, PNG, WebP, GIF, BMP or TIFF" if reason in NO_PICTURE else ""
        raise RefusedPicture(reason, details=details) from error
    limits.check_size(image)
    return image


def _accepted_formats():
    """Return our formats that Pillow has, and those of plugins that the user has registered."""
    return _accepted_of(tuple(Image.OPEN.items()))


@functools.lru_cache(maxsize=2)
def _accepted_of(openers):
    registered = [name for name, (factory, _) in openers if not factory.__module__.startswith("PIL.")]
    return [name for name in (*_FORMATS, *registered) if name in dict(openers)]


def decode(image):
    """Decode an opened picture completely to upright 8-bit RGB.

    Transparent parts become white, 16-bit values are scaled, an animation is reduced to its first frame, and color
    profiles are ignored. A picture of more than 16 million pixels is reduced to a half, a quarter or an eighth of its
    sides, a JPEG while it is decoded.

    Args:
        image: `PIL.Image.Image` from `open_header`.

    Returns:
        Tuple of the `PIL.Image.Image` in mode RGB and a list of str with the conversions that were needed ("png",
        "grey", "cmyk", "16-bit", "rotated", "reduced" …), empty for an upright RGB JPEG and a PNG of `save_copy`.

    Raises:
        RefusedPicture: "truncated", "corrupt" or "too many pixels".
    """
    is_usual = image.format in _JPEG_FORMATS or (image.mode == "RGB" and image.info.get(_MARK))
    changes = [] if is_usual else [image.format.lower()]
    width, height = image.size
    scale = next((scale for scale in (1, 2, 4) if width * height <= scale**2 * _MAX_DECODED), 8)
    try:
        if changes and getattr(image, "is_animated", False):
            changes = [f"animated {changes[0]}"]
        rotated = _orientation(image) in range(2, 9)
        if scale > 1:
            image.draft(None, (width // scale, height // scale))  # for JPEGs
        image.load()
        mode = image.mode
        rgb = _to_rgb(image)
        if scale > 1 and rgb.width == width:
            rgb = rgb.reduce(scale)
        if rotated:
            rgb.getexif()[ExifTags.Base.Orientation] = _orientation(image)  # 1 for TIFFs, which Pillow has rotated
            rgb = ImageOps.exif_transpose(rgb)
    except MemoryError:
        raise RefusedPicture("too many pixels for the memory", image) from None
    except Exception as error:
        raise RefusedPicture("truncated" if "truncated" in str(error).lower() else "corrupt", image) from error
    kind = {"1": "grey", "L": "grey", "LA": "grey", "CMYK": "cmyk", "I": "32-bit", "F": "32-bit"}.get(mode)
    kind = "16-bit" if mode.startswith("I;16") else kind
    return rgb, changes + [kind] * bool(kind) + ["rotated"] * rotated + ["reduced"] * (scale > 1)


def read_rgb(data, limits=None):
    """Return the content of any picture file as an upright RGB `PIL.Image.Image`, or raise `RefusedPicture`."""
    with strict_decoding():
        header = open_header(data, limits)
        with _large_pictures if header.width * header.height > LARGE else contextlib.nullcontext():
            return decode(header)[0]


def read_image_object(image, limits=None):
    """Return a `PIL.Image.Image` of any mode, opened or made by somebody else, as `read_rgb` returns a file."""
    with strict_decoding():
        try:
            image.load()
            (limits or PictureLimits()).check_size(image)
            return _to_rgb(ImageOps.exif_transpose(image))
        except RefusedPicture:
            raise
        except Exception as error:
            raise RefusedPicture("truncated" if "truncated" in str(error).lower() else "corrupt", image) from error


def read_file(path, limits=None):
    """Return a picture file as `read_rgb` does; a file that is too large is not read."""
    limits = limits or PictureLimits()
    limits.check_bytes(os.path.getsize(path))
    return read_rgb(pathlib.Path(path).read_bytes(), limits)


def save_copy(rgb, file):
    """Write an RGB picture as a PNG without loss, for decoders that read little else; `decode` accepts it as it is."""
    mark = PngImagePlugin.PngInfo()
    mark.add_text(_MARK, "repaired copy")
    rgb.info = {}  # no color profile
    rgb.save(file, "PNG", pnginfo=mark, compress_level=1)


def _why_unreadable(data, error):
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head:
        return "html"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or not any(byte < 9 or 13 < byte < 32 for byte in head):
        return "text"
    if "truncated" in str(error).lower() or (data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" not in data):
        return "truncated"
    # The functions that recognize a format decode nothing. Some return a text instead of `True`.
    start = data[:16].ljust(16, b"\0")
    names = [name for name, (_, accepts) in Image.OPEN.items() if accepts and accepts(start)]
    if any(name in _accepted_formats() for name in names):
        return "corrupt"
    named = next((name for name in names if name in _RECOGNIZED), None)
    return f"{named}, a format that is not supported" if named else "unknown format"


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
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
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
