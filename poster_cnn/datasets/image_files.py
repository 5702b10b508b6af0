"""One picture file: is it whole, what is it, and what does it look like as an upright 8-bit RGB picture."""

import contextlib
import dataclasses
import io
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps

Image.init()
# Nothing else is tried: Pillow also opens formats that start other programs (EPS) or hide several pictures (PSD, ICO).
FORMATS = [name for name in ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF") if name in Image.OPEN]
_JPEG_FORMATS = ("JPEG", "MPO")  # MPO is a JPEG with further pictures behind it; every decoder reads the first.


class RefusedPicture(ValueError):
    """A picture that cannot be used; `reason` is a short phrase that can be counted, such as "truncated"."""

    def __init__(self, reason, image=None):
        super().__init__(reason)
        self.reason = reason
        self.width, self.height = image.size if image else (None, None)
        self.mode = image.mode if image else ""


@dataclasses.dataclass(frozen=True)
class PictureLimits:
    """What a picture must keep to.

    Args:
        max_bytes: Largest file, in bytes. Defaults to 20 million.
        max_pixels: Largest width × height, refused from the header, before decoding. Defaults to 16 million.
        min_image_size: Smallest (height, width) in pixels. Defaults to (16, 16).
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 16_000_000
    min_image_size: tuple = (16, 16)


@contextlib.contextmanager
def strict_decoding():
    """Makes Pillow refuse truncated files and keep its warnings to itself, whatever else the program has set."""
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def open_header(data, limits=None):
    """Opens a picture without decoding it, and refuses it if its header already says too much or too little.

    Args:
        data: The whole file, as bytes.
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
    except Exception as error:  # Decoders raise nearly everything on bad bytes: struct.error, IndexError, KeyError ...
        raise RefusedPicture(_why_unreadable(data, error)) from error
    if image.width * image.height > limits.max_pixels:
        raise RefusedPicture("too many pixels", image)
    if image.height < limits.min_image_size[0] or image.width < limits.min_image_size[1]:
        raise RefusedPicture("too small", image)
    return image


def decode(image):
    """Decodes an opened picture fully, to upright 8-bit RGB.

    Transparent parts become white, 16-bit values are scaled (not clipped), the first frame of an animation is taken.

    Args:
        image: `PIL.Image.Image` from `open_header`.

    Returns:
        (`PIL.Image.Image` in mode RGB, list of str): the picture, and what had to be changed about it ("png", "grey",
        "cmyk", "16-bit", "rotated" ...). An empty list means that the file is an upright RGB JPEG as it stands.

    Raises:
        RefusedPicture: truncated or corrupt.
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
    """Any picture file's bytes as an upright 8-bit RGB `PIL.Image.Image`; raises `RefusedPicture` with the reason."""
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


def _is_deep(mode):
    return mode.startswith("I") or mode == "F"


def _to_rgb(image):
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if _is_deep(image.mode):
        return _to_eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
        return rgb
    return image.convert("RGB")


def _to_eight_bit(image):
    # `convert` would clip at 255 and turn nearly every 16-bit picture white.
    values = np.nan_to_num(np.array(image, dtype=np.float32), copy=False)
    top = float(values.max())
    if image.mode.startswith("I;16") or image.format == "PNG":
        full_scale = 65535.0
    else:  # 32-bit integers and floats do not say their range; take the narrowest usual one that holds all values.
        usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        full_scale = next((scale for scale in usual if top <= scale), top)
    values *= 255 / full_scale  # In place: a large scan would otherwise be held several times over.
    values += 0.5
    return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))
