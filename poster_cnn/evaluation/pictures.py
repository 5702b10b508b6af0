"""Pictures in any form: files, folders, patterns, URLs, bytes, Pillow's images and arrays -> upright RGB."""

import collections.abc
import dataclasses
import glob
import logging
import os
import re

import numpy as np
from PIL import Image

from poster_cnn.datasets import image_files
from poster_cnn.datasets.image_files import RefusedPicture
from poster_cnn.metrics import arguments
from poster_cnn.movies.poster_files import is_picture_name

_EXPECTED = "a path, folder, pattern or URL, a Pillow image, an array, or a list of them"
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # of two letters at least: C:\\ is a drive
_MODELS = ("model.keras", "config.json")  # in run folders


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture, which is read when it is needed.

    Attributes:
        name: Path or URL, or the picture's position in a list.
        source: Path or URL as str, bytes, `PIL.Image.Image` or array.
        problem: Reason why there is nothing to read. Defaults to `None`.
        allow_private: Whether a URL may lead to an address of a private network. Defaults to `False`.
    """

    name: str
    source: object = None
    problem: str | None = None
    allow_private: bool = False

    def read(self):
        """Return the picture as an upright RGB `PIL.Image.Image`.

        Raises:
            RefusedPicture, OSError: If it cannot be read.
        """
        if self.problem:
            raise RefusedPicture(self.problem)
        if isinstance(self.source, Image.Image):
            return image_files.read_image_object(self.source)
        if isinstance(self.source, bytes):
            return image_files.read_rgb(self.source)
        if isinstance(self.source, np.ndarray):
            return image_files.read_image_object(_from_array(self.source))
        if _URL.match(self.source):
            return image_files.read_rgb(_fetch(self.source, self.allow_private))
        return image_files.read_file(self.source)


def find_pictures(pictures, *, allow_private=False):
    """List pictures given in any form.

    Args:
        pictures: Path of a picture; folder, whose pictures are listed with those in folders in it; pattern such as
            `"posters/*.jpg"`; URL; `PIL.Image.Image`; bytes or a binary file; array `(height, width, 3)`, or a batch of
            them; or an iterable of any of these. A movie table gives its posters.
        allow_private: As in `Picture`. Defaults to `False`.

    Returns:
        Iterator of `Picture`, in the given order; the files of folders and patterns are sorted.

    Raises:
        ValueError: If something is given that cannot be a picture.
    """
    if hasattr(pictures, "columns") and "poster_path" in pictures.columns:
        pictures = pictures["poster_path"].tolist()
    wrong = (type(None), collections.abc.Mapping, collections.abc.Set)
    if isinstance(pictures, wrong) or hasattr(pictures, "columns"):
        arguments.refuse("pictures", _EXPECTED, pictures)
    if _is_single(pictures) or not isinstance(pictures, collections.abc.Iterable):
        pictures = [pictures]
    is_sequence = isinstance(pictures, collections.abc.Sized)
    found = _all_pictures(list(pictures) if is_sequence else pictures, allow_private)
    return iter(list(found)) if is_sequence else found  # wrong items of a list are reported at once


def _is_single(item):
    return isinstance(item, (str, os.PathLike, bytes, bytearray, Image.Image, np.ndarray)) or hasattr(item, "read")


def _all_pictures(items, allow_private):
    position = 0
    for item in items:
        for name, source, problem in _expand(item):
            yield Picture(name or f"picture {position}", source, problem, allow_private)
            position += 1


def _expand(item):
    """Yield `(name, source, problem)` of each picture in an item of a list."""
    if isinstance(item, os.PathLike):
        item = os.fspath(item)
    is_missing = item is None or (isinstance(item, float) and item != item) or type(item).__name__ == "NAType"
    if is_missing or (isinstance(item, str) and not item.strip()):
        yield None, None, "no picture is given"
    elif isinstance(item, str):
        yield from ((name, name, problem) for name, problem in _files(item))
    elif isinstance(item, Image.Image):
        yield getattr(item, "filename", "") or None, item, None
    elif isinstance(item, (bytes, bytearray)):
        yield None, bytes(item), None
    elif hasattr(item, "read"):
        yield str(getattr(item, "name", "")) or None, item.read(), None
    elif hasattr(item, "__array__") and not isinstance(item, np.generic):
        array = np.asarray(item)
        if array.dtype.kind in "OUS" and array.ndim <= 1:
            for entry in array.reshape(-1).tolist():
                yield from _expand(entry)
        else:
            yield from ((None, part, None) for part in (array if array.ndim == 4 else [array]))
    else:
        arguments.refuse("pictures", _EXPECTED, item)


def _files(text):
    """Yield `(path, problem)` of the pictures that a path, folder, pattern or URL stands for."""
    if _URL.match(text):
        yield text, None
        return
    path = os.path.expanduser(text) if not os.path.exists(text) else text
    if os.path.isdir(path):
        yield from _files_in(path)
    elif glob.has_magic(path) and not os.path.exists(path):
        matches = sorted(glob.glob(path, recursive=True))
        for match in matches:
            yield from _files_in(match) if os.path.isdir(match) else [(match, None)]
        if not matches:
            yield text, "no file matches this pattern"
    else:
        yield path, None


def _files_in(folder):
    if any(os.path.isfile(os.path.join(folder, name)) for name in _MODELS):
        raise ValueError(
            f"{folder} is the run folder of a model, not a folder of pictures. Give it as `model`, or --model."
        )
    problems, paths, others = [], [], []
    for inside, folders, names in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            (paths if is_picture_name(name) else others).append(os.path.join(inside, name))
    yield from ((path, None) for path in sorted(paths))
    yield from ((error.filename, error.strerror) for error in problems)
    if not paths and not problems:
        yield folder, "no pictures in this folder"
    elif others:
        shown = ", ".join(map(os.path.basename, others[:3])) + (", …" if len(others) > 3 else "")
        logging.getLogger("poster_cnn").info(f"{folder}: {len(others)} files that are no pictures by name: {shown}")


def _fetch(url, allow_private):
    """Download a picture, unless it is at an address of a private network."""
    import anyio.from_thread

    from poster_cnn.datasets.download import DownloadOptions, Fetcher, FetchFailed

    options = DownloadOptions(allow_private=allow_private, retries=2, deadline=60)

    async def fetch():
        fetcher = Fetcher(options)
        async with fetcher.client:
            return await fetcher.fetch(url)

    try:
        with anyio.from_thread.start_blocking_portal() as portal:
            return portal.call(fetch)
    except FetchFailed as error:
        raise RefusedPicture(error.reason) from error


def _from_array(array):
    """Return an array as a `PIL.Image.Image`, or raise `RefusedPicture`."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or array.dtype.kind not in "biuf":
        details = f": expected numbers of shape (height, width, 3), received {array.dtype} of shape {array.shape}"
        raise RefusedPicture("no picture", details=details)
    if not array.size or not np.isfinite(array).all():
        raise RefusedPicture("no picture", details=": it is empty or has values that are no numbers")
    if array.dtype == np.uint16:
        array = array / 257
    elif array.dtype == bool or (array.dtype.kind == "f" and array.max() <= 1):
        array = array * 255.0  # on the scale 0..1; on that of 0..255 the picture would be black
    if array.min() < 0 or array.max() > 255:
        details = f": expected values from 0 to 255 (or 0 to 1), received {array.min():g} to {array.max():g}"
        raise RefusedPicture("no picture", details=details)
    levels = np.round(array).astype("uint8")
    return Image.fromarray(levels[:, :, 0] if levels.shape[-1] == 1 else levels)
