"""Decode every poster once, repair what can be repaired, and remember the verdicts in a manifest."""

import hashlib
import logging
import os
import pathlib
import warnings

import pandas as pd

from poster_cnn import files as files_module
from poster_cnn.datasets import inspection
from poster_cnn.datasets.image_files import NO_PICTURE, PictureLimits
from poster_cnn.datasets.inspection import COLUMNS, COPY_SUFFIX, Inspector, read_manifest, write_manifest
from poster_cnn.metrics import arguments
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.poster_files import is_picture_name, poster_names
from poster_cnn.movies.table import load_movie_table

_IN_WORDS = {
    "bad answer": "answer is not valid HTTP",
    "bad id": "id is not a number",
    "bad url": "URL is not valid",
    "html": "web page, not a picture",
    "no url": "no URL in the table",
    "private address": "address in a private network",
    "text": "text, not a picture",
}
_NUMBERS = ["imdb_id", "width", "height", "bytes"]


@arguments.checked(
    posters_dir=arguments.path,
    files=arguments.optional(arguments.selection),
    repaired_dir=arguments.optional(arguments.path),
    image_size=arguments.optional(arguments.size),
    manifest_path=arguments.optional(arguments.path),
    limits=arguments.optional(arguments.instance(PictureLimits)),
    placeholder_ids=arguments.count,
    workers=arguments.optional(arguments.count),
)
def verify(
    posters_dir,
    *,
    files=None,
    repaired_dir=None,
    image_size=None,
    manifest_path=None,
    limits=None,
    placeholder_ids=5,
    workers=None,
    progress=True,
):
    """Decode every poster of a folder completely, and report which are usable, repaired or unusable.

    The posters folder is only read. The manifest and the repaired posters are stored in the user's cache by default
    (`files.cache_dir()/posters/<folder>-<hash of its path>/`). Verdicts are remembered by the SHA-256 of each file, so
    a second call reads all files but decodes only changed ones. Hidden files are skipped, and so are folders, but not
    the posters in them, such as `1995/tt0114709.jpg`.

    Args:
        posters_dir: Folder of posters named by imdbId, such as `114709.jpg` or `tt0114709.png`.
        files: Names of the files to check. Defaults to `None`: all files.
        repaired_dir: Folder for repaired posters. Defaults to `repaired/` in the cache.
        image_size: `(height, width)` of repaired posters in pixels. Defaults to `None`: as large as the picture, which
            gives training the pixels that prediction reads from the original file.
        manifest_path: CSV of the manifest, which is read and updated. Defaults to `manifest.csv` in the cache.
        limits: `image_files.PictureLimits`. Defaults to `PictureLimits()`.
        placeholder_ids: Number of ids with the same picture from which it counts as a placeholder. Defaults to 5.
        workers: Number of threads. Defaults to `None`: one per core.
        progress: Whether to show a progress bar after one second. Defaults to `True`.

    Returns:
        DataFrame, one row per file: `file` (str), `imdb_id` (Int64, <NA> if the name is no id), `verdict` ("ok",
        "repaired" or "quarantined"), `reason` (str, "" if ok), `width`, `height`, `bytes` (Int64) and `mode` (str, of
        Pillow) of the original file, `sha256` (str), `perceptual_hash`, `pixel_hash` (str, of the upright RGB picture),
        `repaired_path`, `repaired_sha256` (str, "" if not repaired) and `signature` (str, for `duplicates`). Files that
        are pictures neither by name nor by content, such as `notes.txt`, have no row; `attrs["others"]` lists them.

    Raises:
        FileNotFoundError: If the folder does not exist or has no files.
        ValueError: If `manifest_path` is another kind of file, or `repaired_dir` is `posters_dir`.

    Example:

    >>> manifest = verify("posters")
    >>> print(describe(manifest))
    """
    posters_dir = posters_dir.resolve()
    names = _names(posters_dir) if files is None else sorted(set(files))
    # Without a home folder there is no cache, and none is needed if both paths are given.
    cache = None if manifest_path and repaired_dir else cache_folder(posters_dir)
    repaired_dir = pathlib.Path(repaired_dir or cache / "repaired").resolve()
    if repaired_dir == posters_dir:
        raise ValueError(
            f"`repaired_dir` must differ from the folder of the posters, whose files are never overwritten. "
            f"Received: repaired_dir={str(repaired_dir)!r}"
        )
    manifest_path = pathlib.Path(manifest_path or cache / "manifest.csv")
    remembered = read_manifest(manifest_path)
    inspector = Inspector(posters_dir, repaired_dir, image_size, limits or PictureLimits(), remembered)
    rows = []
    try:
        inspection.inspect_all(inspector, names, rows, workers, progress)
    finally:  # also after Ctrl-C, to keep the verdicts so far
        others = [] if files is not None else [row["file"] for row in rows if _is_no_picture(row)]
        rows = [row for row in rows if row["file"] not in others]
        _mark_placeholders(rows, placeholder_ids)
        complete = files is None and len(rows) + len(others) == len(names)
        write_manifest(manifest_path, remembered, rows, keep_others=not complete)
    if not rows and others:
        raise _no_posters(posters_dir)
    frame = _to_frame(rows)
    frame.attrs["others"] = others
    return frame


def _is_no_picture(row):
    return row["reason"] in (*NO_PICTURE, "empty", "folder", "not a file") and not is_picture_name(row["file"])


@arguments.checked(table=arguments.table("imdb_id", "poster_path"))
def check_posters(table, **verify_options):
    """Drop movies without a readable poster, and point the others to readable files.

    Only the files of the table are checked, and only those that are not in the manifest are decoded, so a repeated call
    takes well under a second.

    Args:
        table: Movie table with `imdb_id` and `poster_path` ("" for no poster).
        **verify_options: Options of `verify`, such as `image_size` or `progress`.

    Returns:
        Tuple `(table, report)`: the table without the movies whose poster is missing or quarantined, with the repaired
        files in `poster_path`; and a DataFrame with the index of the given table, the columns of `verify` and the
        original `poster_path`.

    Raises:
        ValueError: If the table lacks a column, or `repaired_dir` is given for posters from several folders.

    Example:

    >>> table, report = check_posters(table)
    >>> print(describe(report))
    """
    paths = [os.fspath(path) if isinstance(path, str | os.PathLike) else "" for path in table["poster_path"]]
    folders = {}
    for path in set(paths) - {""}:
        folders.setdefault(os.path.dirname(path), {})[os.path.basename(path)] = path
    if len(folders) > 1 and verify_options.get("repaired_dir"):
        raise ValueError(
            f"`repaired_dir` must be omitted for posters from several folders, whose names may repeat. "
            f"Received: posters in {sorted(folders)[:3]}"
        )
    no_poster = dict.fromkeys(COLUMNS, "") | {"verdict": "quarantined", "reason": "no poster"}
    manifests = [_to_frame([no_poster]).assign(poster_path="")]
    for folder, path_of in folders.items():
        manifest = verify(folder or ".", files=list(path_of), **verify_options)
        manifests.append(manifest.assign(poster_path=manifest["file"].map(path_of)))
    report = pd.concat(manifests).set_index("poster_path").loc[paths].reset_index().set_axis(table.index)
    report["imdb_id"] = table["imdb_id"].astype("Int64")
    return with_readable_posters(table, report), report


def with_readable_posters(table, report):
    """Return the table of `check_posters` for a report over the same index."""
    readable = report["repaired_path"].where(report["repaired_path"] != "", report["poster_path"])
    return table.assign(poster_path=readable)[report["verdict"] != "quarantined"]


def verify_data(data, **verify_options):
    """Verify the posters of a folder of posters, or of data in any layout that `find_data_folder` recognizes.

    Args:
        data: Path of the folder or the movie table, or a DataFrame.
        **verify_options: Options of `verify`.

    Returns:
        Tuple `(manifest, layout)`: the report of `check_posters` on the movies of the data, and the layout as text; for
        a folder of posters, the DataFrame from `verify` and "".

    Raises:
        FileNotFoundError, ValueError: If there are neither data nor posters; the message says why.
    """
    try:
        folder = find_data_folder(data)
        table = load_movie_table(folder.csv, posters_dir=folder.posters, missing_genre="keep")
    except (FileNotFoundError, ValueError) as error:
        if not isinstance(data, str | os.PathLike) or not os.path.isdir(data):
            raise
        try:
            manifest = verify(data, **verify_options)
        except _NoPosters:
            raise error from None
        layout = f"a folder of posters, as its table cannot be used. {error}" if isinstance(error, ValueError) else ""
        return manifest, layout
    if manifest_path := verify_options.pop("manifest_path", None):
        inspection.require_manifest(pathlib.Path(manifest_path))
    report = check_posters(table, **verify_options)[1]
    if manifest_path:
        with files_module.write_atomically(manifest_path) as temporary:
            report.to_csv(temporary, index=False, errors="backslashreplace")
    return report, table.attrs["report"].layout


@arguments.checked(manifest=arguments.table("verdict", "reason"))
def count_verdicts(manifest):
    """Return the number of posters per verdict and reason: `verdict`, `reason`, `posters`, most frequent first."""
    counts = manifest.groupby(["verdict", "reason"], dropna=False).size().rename("posters").reset_index()
    return counts.sort_values(["posters", "verdict", "reason"], ascending=[False, True, True], ignore_index=True)


@arguments.checked(report=arguments.table("imdb_id", "reason"))
def describe(report):
    """Format the result of `verify`, `check_posters` or `download` as a few lines of counts, reasons and file names."""
    verdict = "verdict" if "verdict" in report else "outcome"
    usual = ["ok", "repaired", "quarantined"] if verdict == "verdict" else ["downloaded", "already there", "failed"]
    counts = report[verdict].value_counts().reindex(dict.fromkeys([*usual, *report[verdict]]), fill_value=0)
    lines = [f"{len(report):,} posters: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())]
    report = report.assign(reason=report["reason"].replace(_IN_WORDS))
    groups = report[report["reason"] != ""].groupby([verdict, "reason"])
    width = max(22, *report["reason"].str.len(), 0)
    for (name, reason), group in sorted(groups, key=lambda item: (item[0][0], -len(item[1]))):
        shown = ", ".join(_label(row) for row in group.head(5).to_dict("records")) + (", …" if len(group) > 5 else "")
        lines.append(f"  {name:<13}  {reason:<{width}}  {len(group):>6,}  {shown}")
    if others := report.attrs.get("others"):
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        lines.append(f"{len(others):,} other {'file' if len(others) == 1 else 'files'}, not pictures: {shown}")
    return "\n".join(lines)


def _label(row):
    label = row.get("file") or str(row["imdb_id"])
    units = {"too many bytes": "bytes", "too many pixels": "width", "too small": "width"}
    unit = units.get(row["reason"].split(" (")[0])
    if unit is None or pd.isna(row.get(unit)):
        return label
    return f"{label} ({row['bytes']:,})" if unit == "bytes" else f"{label} ({row['width']:,} × {row['height']:,})"


def describe_losses(report, num_missing=0, num_found=None):
    """Return a sentence if more than a tenth of the posters is lost, else "".

    Args:
        report: DataFrame from `check_posters`.
        num_missing: Number of movies that were left out earlier, because they have no poster file. Defaults to 0.
        num_found: Number of movies with a poster file at that time. Defaults to `None`: those in the report.
    """
    num_found = len(report) if num_found is None else num_found
    unusable = int((report["verdict"] == "quarantined").sum())
    kept = (1 - num_missing / max(num_missing + num_found, 1)) * (1 - unusable / max(len(report), 1))
    if kept >= 0.9:
        return ""
    missing = f"{num_missing:,} of {num_missing + num_found:,} movies have no poster file, and " if num_missing else ""
    lost = f"{missing}{unusable:,} of {len(report):,} posters are missing or unusable"
    return f"More than a tenth of the posters is lost: {lost}. See the reasons above."


def announce(notes, lost=""):
    """Log the notes on some data, which the commands print, and warn of `lost`, from `describe_losses`."""
    logging.getLogger("poster_cnn").info(notes)
    if lost:
        warnings.warn(lost, stacklevel=4)


def file_hashes(report):
    """Return the SHA-256 of each file, or the `pixel_hash` of a repaired copy, as an object array of str."""
    # The SHA-256 of a copy depends on the version of zlib.
    is_copy = (report["repaired_path"] != "") | report["file"].str.endswith(COPY_SUFFIX)
    return report["pixel_hash"].where(is_copy, report["sha256"]).to_numpy(dtype=object)


def cache_folder(posters_dir):
    """Return the default folder of the `manifest.csv` and the `repaired/` posters of a posters folder."""
    # Data folders are often shared or read-only, so nothing is written next to the posters.
    posters_dir = pathlib.Path(posters_dir).resolve()
    key = hashlib.sha256(os.fsencode(posters_dir)).hexdigest()[:12]
    return files_module.cache_dir() / "posters" / f"{posters_dir.name}-{key}"


def _names(posters_dir):
    if not posters_dir.is_dir():
        raise FileNotFoundError(f"No folder of posters found. Received: posters_dir={str(posters_dir)!r}")
    if names := poster_names(posters_dir):
        return names
    raise _no_posters(posters_dir)


class _NoPosters(FileNotFoundError):
    """A folder without pictures."""


def _no_posters(posters_dir):
    inside = ", ".join(sorted(name for name in os.listdir(posters_dir) if not name.startswith("."))[:5]) or "nothing"
    return _NoPosters(
        f"No pictures in the folder of posters; expected <imdbId>.jpg. "
        f"Received: posters_dir={str(posters_dir)!r}, which holds {inside}"
    )


def _mark_placeholders(rows, placeholder_ids):
    usable = [row for row in rows if row["verdict"] != "quarantined"]
    owners = {}
    for row in usable:
        owners.setdefault(row["pixel_hash"], set()).add(row["imdb_id"] or row["file"])
    for row in usable:
        if len(owners[row["pixel_hash"]]) >= placeholder_ids:
            if row["repaired_path"]:
                pathlib.Path(row["repaired_path"]).unlink(missing_ok=True)
            row.update(verdict="quarantined", reason="placeholder", repaired_path="", repaired_sha256="")


def _to_frame(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS).drop(columns="checked_with")
    return frame.assign(**{name: pd.to_numeric(frame[name], errors="coerce").astype("Int64") for name in _NUMBERS})
