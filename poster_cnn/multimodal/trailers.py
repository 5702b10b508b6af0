"""VGG-16 features of 200 frames per trailer, read from feature files or computed from videos (paper 5, section 3)."""

import collections
import contextlib
import pathlib
import types

import h5py
import numpy as np
import pandas as pd

from poster_cnn.files import cache_dir, progress_bar, sha256, write_atomically, write_json
from poster_cnn.metrics import arguments
from poster_cnn.movies import moviescope
from poster_cnn.movies.cells import imdb_number
from poster_cnn.movies.tidy import TableReport
from poster_cnn.training import features as features_module

NUM_FRAMES = 200  # per trailer (paper 5, section 3)
_FEATURE_SUFFIXES = (".npy", ".npz")
_HDF5_SUFFIXES = (".h5", ".hdf5")
_VIDEO_SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".webm")
_MIN_FRAMES = 8  # shorter videos are rejected
_MIN_SHARE = 0.8  # of the stated length that the frames must cover; the sound may end later than the picture
# Only container formats: a playlist with the suffix of a video would open other files.
_OPTIONS = {"format_whitelist": "avi,matroska,webm,mov,mp4", "protocol_whitelist": "file"}


@arguments.checked(folder=arguments.path)
def find_trailers(folder):
    """Find the trailers in a folder by their names, `<imdbId>` with the suffix of a feature file or a video.

    Hidden files are skipped, and subfolders are not searched.

    Args:
        folder: Folder with features (`.npy`, `.npz`), videos (`.avi`, `.mkv`, `.mov`, `.mp4`, `.webm`) and HDF5 files
            (`.h5`, `.hdf5`) whose datasets are named after imdbIds; or the path of one HDF5 file.

    Returns:
        `(trailers, report)`: a dict of imdb_id (int) -> `pathlib.Path` in ascending order, and a `TableReport` of the
        names that were mended or left out. The path of a dataset is `<HDF5 file>/<name>`. If a movie has several
        files, features take precedence over videos.

    Raises:
        FileNotFoundError: If `folder` does not exist.
        ValueError: If an HDF5 file cannot be read.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir() and not (folder.is_file() and _is_hdf5(folder)):
        expected = "a folder of trailers or an HDF5 file"
        raise FileNotFoundError(f"`folder` must be {expected}. Received: folder={str(folder)!r}")
    entries = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    files = [path for path in entries if path.is_file() and not path.name.startswith(".")]
    paths = [inner for path in files for inner in (_in_hdf5(path) if _is_hdf5(path) else [path])]
    trailers, findings = {}, collections.defaultdict(list)
    for path in sorted(paths, key=lambda path: (is_video(path), path.name)):
        in_hdf5 = _is_hdf5(path.parent)
        name, suffix = (path.name, "") if in_hdf5 else (path.stem, path.suffix.lower())
        number = imdb_number(name)
        imdb_id = int(number) if number else None
        if not in_hdf5 and suffix not in _FEATURE_SUFFIXES + _VIDEO_SUFFIXES:
            problem = "not a feature file or a video", "left out"
        elif not number:
            problem = "imdbId is not a number", "left out"
        elif imdb_id in trailers:
            problem = "imdbId seen before", "left out"
        else:
            trailers[imdb_id] = path
            problem = None if name == str(imdb_id) else ("imdbId with 'tt', zeros or decimals", "mended")
        if problem:
            findings[problem].append(f"{path.parent.name}/{name}" if in_hdf5 else path.name)
    rows = [(what, len(names), done, names) for (what, done), names in findings.items()]
    return dict(sorted(trailers.items())), TableReport(len(paths), len(trailers), rows)


def _is_hdf5(path):
    return path.suffix.lower() in _HDF5_SUFFIXES


def is_video(path):
    """Return whether the suffix of a path is that of a video."""
    return path.suffix.lower() in _VIDEO_SUFFIXES


def _in_hdf5(path):
    try:
        with h5py.File(path, "r") as file:
            return [path / name for name in file]
    except OSError as error:
        raise ValueError(f"The HDF5 file cannot be read: {error}. Received: path={str(path)!r}") from error


@arguments.checked(path=arguments.path, num_frames=arguments.count)
def read_trailer_features(path, *, num_frames=NUM_FRAMES):
    """Read the features of a trailer's frames (paper 5, section 4).

    Args:
        path: Path of an array `(frames, features)`: a `.npy` file, a `.npz` file with the array "features" or with a
            single array, a dataset of an HDF5 file ("trailers.h5/<name>"), or a `.p` file of MovieScope.
        num_frames: Number of rows of the result. Evenly spaced frames are taken from a longer array, and a shorter
            array is padded with zeros, which `models.trailer_branch` ignores. Defaults to 200.

    Returns:
        float32 array `(num_frames, num_features)`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be read, or its array is empty, all zeros, not finite or of another shape.
    """
    path = pathlib.Path(path)
    if not (path.parent if _is_hdf5(path.parent) else path).is_file():
        raise FileNotFoundError(f"No trailer features found. Received: path={str(path)!r}")
    try:
        array = np.asarray(_read_array(path))
    except Exception as error:  # broken files raise many types of errors
        # NumPy's message would recommend unpickling the file.
        reason = "it holds no plain array" if "allow_pickle" in str(error) else error
        raise ValueError(f"The features cannot be read: {reason}. Received: path={str(path)!r}") from error
    if array.dtype.kind not in "fiu" or array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"The features of a trailer must be numbers of shape (frames, features). "
            f"Received: shape={array.shape}, dtype={array.dtype}, path={str(path)!r}"
        )
    features = np.zeros((num_frames, array.shape[1]), dtype="float32")
    positions = _even_positions(len(array), num_frames)
    with np.errstate(over="ignore"):
        features[: len(positions)] = array[positions]
    if not np.isfinite(features).all() or not features.any():
        wrong = "are all 0" if np.isfinite(features).all() else "must be finite in float32"
        raise ValueError(f"The features of a trailer {wrong}. Received: path={str(path)!r}")
    return features


def _read_array(path):
    if _is_hdf5(path.parent):
        with h5py.File(path.parent, "r") as file:
            return file[path.name][()]
    if path.suffix.lower() == ".p":
        return moviescope.read_features(path)
    if path.suffix.lower() not in _FEATURE_SUFFIXES:
        raise ValueError("expected a .npy, .npz or .p file, or a dataset of an .h5 file")
    loaded = np.load(path, mmap_mode="r")  # a header that states a huge shape allocates nothing
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as arrays:
        if "features" not in arrays and len(arrays) != 1:
            raise ValueError(f'expected an array "features", found {list(arrays)}')
        return arrays["features" if "features" in arrays else list(arrays)[0]]


@arguments.checked(
    trailers=arguments.instance(collections.abc.Mapping), num_frames=arguments.count, batch_size=arguments.count
)
def trailer_features(trailers, extractor=None, *, num_frames=NUM_FRAMES, batch_size=32, cache=None, progress=True):
    """Read the features of trailers from files, or compute them from videos, and average them (paper 5, section 3).

    The features of videos are cached on disk, by extractor and by the content of the video. An interrupted call loses
    at most the current video. Several processes can share the cache, and it can be deleted at any time.

    Args:
        trailers: Dict of imdb_id -> path, as returned by `find_trailers`.
        extractor: Keras model from pixels, 0..255, to features, such as `feature_extractor_and_head(vgg16())[0]`. Its
            `input_shape` is the size of the frames. Defaults to `None`: `trailers` has no videos.
        num_frames: Number of frames per trailer; see `read_trailer_features`. Defaults to 200.
        batch_size: Number of frames per batch. Defaults to 32.
        cache: Cache folder. Defaults to `trailers` in the user's cache folder.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `(means, report)`: a dict of imdb_id -> float32 array `(num_features,)`, the mean over the frames without
        padding, equal to the first layer of `models.trailer_branch`; and a DataFrame with one row per trailer:
        `imdb_id` (int64), `path` (str), `kind` ("features" or "video"), `frames` (int64, without padding, 0 if
        unusable) and `reason` (str, why the trailer is unusable, else ""). A trailer is also unusable if it does not
        have as many features per frame as the extractor or, without one, as most trailers.

    Raises:
        ImportError: If there are videos and PyAV is not installed.
        ValueError: If there are videos and `extractor` is missing or has unsuitable shapes.

    Example:

    >>> extractor, _ = feature_extractor_and_head(vgg16())
    >>> means, report = trailer_features(find_trailers("trailers")[0], extractor)
    >>> report[report["reason"] != ""]
    """
    trailers = {int(imdb_id): pathlib.Path(path) for imdb_id, path in trailers.items()}
    if any(is_video(path) for path in trailers.values()):
        folder = _cache_folder(extractor, num_frames, cache)
    means, rows = {}, []
    for imdb_id, path in progress_bar(trailers.items(), "trailers", unit="trailer", leave=False, disable=not progress):
        kind, reason, frames = "video" if is_video(path) else "features", "", 0
        try:
            stored = _cached_features(path, extractor, num_frames, batch_size, folder) if kind == "video" else path
            features = read_trailer_features(stored, num_frames=num_frames)
            is_frame = features.any(axis=1)
            means[imdb_id], frames = features[is_frame].mean(axis=0), int(is_frame.sum())
        except (FileNotFoundError, PermissionError, ValueError) as error:
            reason = str(error)
        rows.append((imdb_id, str(path), kind, frames, reason))
    report = pd.DataFrame(rows, columns=["imdb_id", "path", "kind", "frames", "reason"])
    _reject_other_widths(means, report, None if extractor is None else extractor.output.shape[-1])
    return means, report


def _cache_folder(extractor, num_frames, cache):
    version = _pyav().__version__
    shape = getattr(extractor, "input_shape", None)
    if shape is None or len(shape) != 4 or None in shape[1:] or shape[3] != 3 or len(extractor.output.shape) != 2:
        raise ValueError(
            "With videos, `extractor` must be a Keras model from pixels (batch, height, width, 3) to features "
            "(batch, num_features), such as feature_extractor_and_head(vgg16())[0]. "
            f"Received: extractor={extractor!r} of input shape {shape}"
        )
    frames = types.SimpleNamespace(image_size=shape[1:3], interpolation="area")
    about = {"num_frames": num_frames, "av": version}
    folder, about = features_module.cache_folder(extractor, frames, about, cache or cache_dir() / "trailers")
    if not (folder / "about.json").is_file():
        write_json(folder / "about.json", about)
    return folder


def _cached_features(path, extractor, num_frames, batch_size, folder):
    """Return the path of a video's features in the cache, and compute them if needed."""
    stored = folder / f"{sha256(path)}.npy"
    if not stored.is_file():
        frames = sample_frames(path, num_frames, extractor.input_shape[1:3])
        features = extractor.predict(frames.astype("float32"), batch_size=batch_size, verbose=0)
        with write_atomically(stored) as temporary:
            np.save(temporary, np.asarray(features, dtype="float32"))
    return stored


def _reject_other_widths(means, report, expected):
    widths = {imdb_id: len(mean) for imdb_id, mean in means.items()}
    if expected is None and widths:
        expected = collections.Counter(widths.values()).most_common(1)[0][0]
    for imdb_id, width in widths.items():
        if width != expected:
            del means[imdb_id]
            reason = f"Expected {expected} features per frame. Received: {width}"
            report.loc[report["imdb_id"] == imdb_id, ["frames", "reason"]] = 0, reason


@arguments.checked(path=arguments.path, num_frames=arguments.count, image_size=arguments.size)
def sample_frames(path, num_frames=NUM_FRAMES, image_size=(224, 224)):
    """Decode evenly spaced frames of a video (paper 5, section 3).

    The video is divided into equal parts, and the middle frame of each part is returned.

    Args:
        path: Path of an `.mp4`, `.mkv`, `.avi`, `.webm` or `.mov` file.
        num_frames: Maximum number of frames; a shorter video returns all its frames. Defaults to 200.
        image_size: `(height, width)` in pixels to which each frame is resized. Defaults to `(224, 224)`.

    Returns:
        uint8 array `(num_frames, height, width, 3)`, RGB, in temporal order.

    Raises:
        ImportError: If PyAV is not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If the video is corrupt, ends before its stated length, or has fewer than 8 frames.
    """
    av = _pyav()
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"No video found. Received: path={str(path)!r}")
    try:
        count = _count_frames(av, path)
        frames, decoded = _decode(av, path, _even_positions(count, num_frames), image_size)
        if decoded != count:  # in some formats, not every packet is a frame
            frames, decoded = _decode(av, path, _even_positions(decoded, num_frames), image_size)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"The video cannot be used: {reason}. Received: path={str(path)!r}") from error
    if decoded < _MIN_FRAMES:
        raise ValueError(
            f"The video must have at least {_MIN_FRAMES} frames, and has {decoded}. Received: path={str(path)!r}"
        )
    return np.stack(frames)


def _even_positions(count, wanted):
    """Return int64 indices: the middles of `wanted` equal parts of `range(count)`, or all if there are fewer."""
    if count <= wanted:
        return np.arange(count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype("int64")


def _pyav():
    try:
        import av
    except ImportError:
        raise ImportError("Videos need PyAV: pip install -e '.[trailers]'") from None
    return av


@contextlib.contextmanager
def _opened(av, path):
    with av.open(str(path), options=_OPTIONS) as container:
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _count_frames(av, path):
    """Count the frames without decoding them, and reject a truncated file."""
    count, end = 0, 0.0
    with _opened(av, path) as (container, stream):
        for packet in container.demux(stream):
            count += packet.size > 0
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        stated = (container.duration or 0) / av.time_base
        end -= (container.start_time or 0) / av.time_base
    if count >= _MIN_FRAMES and 0 < end < _MIN_SHARE * stated:
        raise ValueError(f"it ends after {end:.1f} of {stated:.1f} s")
    return count


def _decode(av, path, positions, image_size):
    """Return the frames at `positions`, uint8 `(height, width, 3)`, and the number of all frames."""
    height, width = image_size
    positions, frames, number = set(positions.tolist()), [], -1
    with _opened(av, path) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number in positions:
                frames.append(frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA"))
    return frames, number + 1
