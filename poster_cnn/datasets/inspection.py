"""Build the manifest row of one poster file, write its repaired copy if needed, and store the rows."""

import concurrent.futures
import contextlib
import csv
import dataclasses
import errno
import functools
import hashlib
import io
import os
import pathlib
import stat
import threading

import imagehash
import PIL
from PIL import Image

from poster_cnn import files
from poster_cnn.datasets import image_files, signatures
from poster_cnn.datasets.image_files import PictureLimits, RefusedPicture
from poster_cnn.movies.poster_files import imdb_id_of

COLUMNS = [
    *("file", "imdb_id", "verdict", "reason", "width", "height", "mode", "bytes", "sha256"),
    *("perceptual_hash", "pixel_hash", "repaired_path", "repaired_sha256", "checked_with", "signature"),
]
COPY_SUFFIX = ".repaired.png"
_RULES_VERSION = 2  # Increase it when verdicts change, which invalidates earlier manifests.
_AT_ONCE = 16  # files that a thread takes at once, at most
_LARGE_FILE = 20_000_000  # bytes; larger files are read and decoded one at a time


@dataclasses.dataclass(frozen=True)
class Inspector:
    """Function from a file name to its manifest row, a dict of str with the keys `COLUMNS`.

    Args:
        posters_dir: Resolved folder of the posters.
        repaired_dir: Folder for repaired copies.
        image_size: `(height, width)` of repaired copies in pixels. Defaults to `None`: as large as the picture.
        limits: `PictureLimits`. Defaults to `PictureLimits()`.
        remembered: Rows of an earlier manifest; files with the same content are not decoded again.
    """

    posters_dir: pathlib.Path
    repaired_dir: pathlib.Path
    image_size: tuple | None = None
    limits: PictureLimits = dataclasses.field(default_factory=PictureLimits)
    remembered: list = ()
    # Memory does not grow with the number of threads: one of them has a large file, and one decodes large pictures.
    _large_files: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    _large_pictures: concurrent.futures.Executor = dataclasses.field(
        default_factory=lambda: concurrent.futures.ThreadPoolExecutor(max_workers=1)
    )

    def __call__(self, name):
        row = dict.fromkeys(COLUMNS, "") | {"file": name, "imdb_id": imdb_id_of(name), "checked_with": self.settings}
        try:
            with contextlib.ExitStack() as turn:
                data = self._read(name, row, turn)
                row["sha256"] = hashlib.sha256(data).hexdigest()
                known = self._known.get(row["sha256"])
                if known is None or not self._still_repaired(name, known):
                    return row | self._judge(name, data)
                return known | {"file": name, "imdb_id": row["imdb_id"]}
        except RefusedPicture as refused:
            size = {"width": str(refused.width), "height": str(refused.height)} if refused.width else {}
            return row | size | {"verdict": "quarantined", "reason": refused.reason, "mode": refused.mode}

    @functools.cached_property
    def settings(self):
        """Hash of everything besides the content that a verdict depends on."""
        rules = (_RULES_VERSION, PIL.__version__, self.image_size, dataclasses.astuple(self.limits))
        return hashlib.sha256(repr(rules).encode()).hexdigest()[:12]

    @functools.cached_property
    def _known(self):
        # Whether a picture is a placeholder depends on the other files, so this verdict is not reused.
        rows = [row for row in self.remembered if row["checked_with"] == self.settings and row["sha256"]]
        return {row["sha256"]: row for row in rows if row["reason"] != "placeholder"}

    def _read(self, name, row, turn):
        path = self.posters_dir / name
        try:
            if path.is_symlink() and not pathlib.Path(os.path.realpath(path)).is_relative_to(self.posters_dir):
                raise RefusedPicture("link out of the folder")
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise RefusedPicture("folder")
            if not stat.S_ISREG(status.st_mode):  # Reading a pipe would block.
                raise RefusedPicture("not a file")
            row["bytes"] = str(status.st_size)
            self.limits.check_bytes(status.st_size)
            if status.st_size > _LARGE_FILE:
                turn.enter_context(self._large_files)
            return path.read_bytes()
        except FileNotFoundError:
            raise RefusedPicture("dangling link" if path.is_symlink() else "missing") from None
        except OSError as error:
            circle = error.errno == errno.ELOOP
            raise RefusedPicture("link in a circle" if circle else f"unreadable: {error.strerror}") from error

    def _judge(self, name, data):
        header = image_files.open_header(data, self.limits)
        size = {"width": str(header.width), "height": str(header.height)}
        try:
            if header.width * header.height <= image_files.LARGE:
                return size | self._decode(name, header)
            return size | self._large_pictures.submit(self._decode, name, header).result()
        finally:
            header.close()  # frees its pixels before the next large picture is decoded

    def _decode(self, name, header):
        rgb, changes = image_files.decode(header)
        grey = rgb.convert("L")
        if changes and self.image_size:
            rgb = rgb.resize(self.image_size[::-1], Image.Resampling.LANCZOS)
        row = {
            "mode": header.mode,
            "verdict": "repaired" if changes else "ok",
            "reason": ", ".join(changes),
            "perceptual_hash": str(imagehash.phash(grey)),
            "pixel_hash": pixel_hash(rgb),
            "signature": signatures.signature(grey),
        }
        return row | (self._repair(name, rgb) if changes else {})

    def _repair(self, name, rgb):
        path = self._repaired_path(name)
        content = io.BytesIO()
        # Without loss, so that training reads the pixels that prediction reads from the original.
        image_files.save_copy(rgb, content)
        with files.write_atomically(path) as temporary:
            temporary.write_bytes(content.getvalue())
        return {"repaired_path": str(path), "repaired_sha256": hashlib.sha256(content.getvalue()).hexdigest()}

    def _still_repaired(self, name, known):
        if known["verdict"] != "repaired":
            return True
        path = self._repaired_path(name)
        return known["repaired_path"] == str(path) and path.exists() and files.sha256(path) == known["repaired_sha256"]

    def _repaired_path(self, name):
        # 123.webp and 123.jpg may both need repair, so the old suffix stays in the name.
        if len(os.fsencode(os.path.basename(name))) > 200:  # with the suffixes, more than a file name may have
            name = hashlib.sha256(os.fsencode(name)).hexdigest()
        return self.repaired_dir / (name + COPY_SUFFIX)


def inspect_all(inspector, names, rows, workers=None, progress=True):
    """Append the manifest rows of files to a list, sorted by name.

    Args:
        inspector: `Inspector`.
        names: List of file names.
        rows: List to which the rows, dicts of str, are appended.
        workers: Number of threads. Defaults to `None`: one per core.
        progress: Whether to show a progress bar after one second. Defaults to `True`.

    Raises:
        OSError, KeyboardInterrupt: As raised by the inspector. The list has the rows of the files before.
    """
    workers, stopped = workers or os.cpu_count(), threading.Event()

    def inspect(part):
        """Append the rows of some files until a thread has failed, and return the number of these files."""
        for name in part:
            if stopped.is_set():
                break
            try:
                rows.append(inspector(name))
            except BaseException:
                stopped.set()
                raise
        return len(part)

    # Threads suffice, as reading, hashing, decoding and resizing release the GIL. Each takes several files at once,
    # because handing over a file takes as long as recognizing a known one.
    at_once = max(1, min(_AT_ONCE, len(names) // (4 * workers)))
    parts = [names[start : start + at_once] for start in range(0, len(names), at_once)]
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    options = {"desc": "Verifying", "total": len(names), "unit": " posters", "delay": 1, "disable": not progress}
    with image_files.strict_decoding(), files.progress_bar(**options) as bar:
        try:
            for count in pool.map(inspect, parts):
                bar.update(count)
        finally:  # the threads end before the decoding is lenient again
            stopped.set()
            pool.shutdown(cancel_futures=True)
            rows.sort(key=lambda row: row["file"])


def pixel_hash(rgb):
    """Return a hash (32 hexadecimal digits) of a picture's size and pixels, which is independent of the file format."""
    hashed = hashlib.blake2b(digest_size=16, key=repr(rgb.size).encode())
    for top in range(0, rgb.height, 512):  # in strips, as `tobytes` copies
        hashed.update(rgb.crop((0, top, rgb.width, min(top + 512, rgb.height))).tobytes())
    return hashed.hexdigest()


def read_manifest(path):
    """Return the rows of a manifest, dicts with the keys `COLUMNS`; none for a new file or one of another version."""
    if not path.exists():
        return []
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            lines = list(csv.reader(file))
    except csv.Error:
        lines = []
    if lines and lines[0] != COLUMNS and lines[0][:4] == COLUMNS[:4]:
        return []  # written by another version
    if not lines or lines[0] != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        _refuse(path)
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]]


def require_manifest(path):
    """Raise a ValueError if a file exists that is neither a manifest nor a report of `check_posters`."""
    if path.is_file():
        with path.open("rb") as file:
            if not file.readline().removeprefix(b"poster_path,").startswith(",".join(COLUMNS[:4]).encode()):
                _refuse(path)


def _refuse(path):
    raise ValueError(
        f"`manifest_path` must be a manifest written by `verify`, or a new file. "
        f"Delete it or choose another name. Received: manifest_path={str(path)!r}"
    )


def write_manifest(path, remembered, rows, keep_others):
    """Write the rows of a manifest if they differ from the remembered ones, which are kept too if `keep_others`."""
    by_name = {row["file"]: row for row in remembered} if keep_others else {}
    by_name |= {row["file"]: row for row in rows}
    updated = [by_name[name] for name in sorted(by_name)]
    if updated != remembered:
        with files.write_atomically(path) as temporary:
            with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(updated)
