"""Trailers -> VGG-16 features of 200 frames each (paper 5, section 3), from feature files or from videos."""

import collections
import contextlib
import dataclasses
import pathlib
import types

import h5py
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from poster_cnn.files import cache_dir, sha256, write_atomically, write_json
from poster_cnn.movies import moviescope, table
from poster_cnn.movies.table import TableReport
from poster_cnn.training import features as features_module

NUM_FRAMES = 200  # of a trailer (paper 5, section 3)
_FEATURE_SUFFIXES = (".npy", ".npz")
_HDF5_SUFFIXES = (".h5", ".hdf5")
_VIDEO_SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".webm")


@dataclasses.dataclass(frozen=True, eq=False)
class TrailerFeatures(collections.abc.Mapping):
    """Features of trailers: a mapping imdb_id -> float32 array `(num_frames, num_features)`, read when asked for.

    Attributes:
        paths: dict imdb_id -> where its features are; see `read_trailer_features`.
        means: dict imdb_id -> float32 array `(num_features,)`: the mean over its frames, padding left out, as
            `models.trailer_branch` takes it.
        num_frames: Frames of each array.
    """

    paths: dict = dataclasses.field(repr=False)
    means: dict = dataclasses.field(repr=False)
    num_frames: int = NUM_FRAMES

    def __getitem__(self, imdb_id):
        return read_trailer_features(self.paths[imdb_id], num_frames=self.num_frames)

    def __iter__(self):
        return iter(self.paths)

    def __len__(self):
        return len(self.paths)


def find_trailers(folder):
    """Finds trailers by their names: features `<imdbId>.npy` or `.npz`, videos `.avi`, `.mkv`, `.mov`, `.mp4`, `.webm`.

    Hidden files are skipped and sub-folders are not entered.

    Args:
        folder: Folder of such files, or an HDF5 file (`.h5`, `.hdf5`) of features whose datasets are named by imdbId;
            one may lie in the folder, too.

    Returns:
        `(trailers, report)`: dict of imdb_id (int) -> `pathlib.Path`, in ascending order, where a dataset is the path
        of its file with its own name after it; and a `table.TableReport` of the names that were mended or left out. Of
        several files of a movie, features come before videos.

    Raises:
        FileNotFoundError: If there is no such folder or HDF5 file.
        ValueError: If an HDF5 file cannot be read.

    Example:

    >>> trailers, report = find_trailers("trailers")
    >>> print(report)
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir() and not (folder.is_file() and _is_hdf5(folder)):
        raise FileNotFoundError(f"Expected a folder of trailers, or an HDF5 file. Received: folder={str(folder)!r}")
    entries = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    files = [path for path in entries if path.is_file() and not path.name.startswith(".")]
    paths = [inner for path in files for inner in (_in_hdf5(path) if _is_hdf5(path) else [path])]
    trailers, findings = {}, collections.defaultdict(list)
    for path in sorted(paths, key=lambda path: (is_video(path), path.name)):
        in_hdf5 = _is_hdf5(path.parent)
        name, suffix = (path.name, "") if in_hdf5 else (path.stem, path.suffix.lower())
        match = table._IMDB_ID.fullmatch(name)
        imdb_id = int(match[1]) if match else None
        if not in_hdf5 and suffix not in _FEATURE_SUFFIXES + _VIDEO_SUFFIXES:
            problem = "not a trailer's type of file", "left out"
        elif not match:
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
    """Whether a trailer's path is that of a video, not of features."""
    return path.suffix.lower() in _VIDEO_SUFFIXES


def _in_hdf5(path):
    try:
        with h5py.File(path, "r") as file:
            return [path / name for name in file]
    except OSError as error:
        raise ValueError(f"Not an HDF5 file that can be read: {error}. Received: path={str(path)!r}") from error


def read_trailer_features(path, *, num_frames=NUM_FRAMES):
    """Reads the features of a trailer's frames (paper 5, section 4).

    Args:
        path: A `.npy` file; a `.npz` file with an array "features", or with only one; a dataset of an HDF5 file, as
            "trailers.h5/<name>"; or a `.p` file of MovieScope (`moviescope.read_features`). The array has shape
            `(frames, features)`.
        num_frames: Frames to return: of more, so many evenly sampled ones; fewer are followed by zeros, which
            `models.trailer_branch` leaves out. Defaults to 200.

    Returns:
        float32 array `(num_frames, num_features)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else: nothing, another shape, numbers that are not finite, zeros alone.

    Example:

    >>> read_trailer_features("trailers/114709.npz").shape
    (200, 4096)
    """
    path = pathlib.Path(path)
    if not (path.parent if _is_hdf5(path.parent) else path).is_file():
        raise FileNotFoundError(f"No trailer features found. Received: path={str(path)!r}")
    try:
        array = np.asarray(_read_array(path))
    except Exception as error:  # a broken file can fail with almost anything
        # NumPy's own words recommend running what is in the file.
        reason = "it holds no plain array" if "allow_pickle" in str(error) else error
        raise ValueError(f"The features cannot be read: {reason}. Received: path={str(path)!r}") from error
    if array.dtype.kind not in "fiu" or array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"The features of a trailer must be numbers of shape (frames, features). "
            f"Received: shape={array.shape}, dtype={array.dtype}, path={str(path)!r}"
        )
    features = np.zeros((num_frames, array.shape[1]), dtype="float32")
    positions = even_positions(len(array), num_frames)
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
        raise ValueError("the type of the file is none of .npy, .npz, .p and a dataset of .h5")
    loaded = np.load(path, mmap_mode="r")  # mapped: a header that promises more than there is does no harm
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as arrays:
        if "features" not in arrays and len(arrays) != 1:
            raise ValueError(f'expected an array "features", found {list(arrays)}')
        return arrays["features" if "features" in arrays else list(arrays)[0]]


def trailer_features(trailers, extractor=None, *, num_frames=NUM_FRAMES, batch_size=32, cache=None, progress=True):
    """Features of trailers' frames: read from feature files, computed from videos (paper 5, section 3).

    Features of videos are kept in a cache folder for each extractor, where a video is known by its content. Killed at
    any moment, at most the video at work is lost; several processes may use the cache, and it can be deleted any time.

    Args:
        trailers: dict of imdb_id -> path, as from `find_trailers`.
        extractor: Model from pixels, 0–255, to features, as `models.feature_extractor_and_head(models.vgg16())[0]`.
            Its `input_shape` is the size of the frames. Defaults to `None`: there are only feature files.
        num_frames: Frames of a trailer; see `read_trailer_features`. Defaults to 200.
        batch_size: Frames at once. Defaults to 32.
        cache: Folder. Defaults to `trailers` in the user's cache folder.
        progress: Whether to show a progress bar. Defaults to `True`.

    Returns:
        `(TrailerFeatures, report)`: what can be used, and a DataFrame with a row for each trailer given: `imdb_id`
        (int64), `path` (str), `kind` ("features" or "video"), `frames` (int64: how many count, 0 if none), `reason`
        (str: why it was set aside, "" if it was not). One whose frames have another number of features than the
        extractor's, or else than most have, is set aside.

    Raises:
        ImportError: If there are videos, and PyAV is not installed.
        ValueError: If there are videos, but no extractor that fits.

    Example:

    >>> extractor, _ = feature_extractor_and_head(vgg16())
    >>> features, report = trailer_features(find_trailers("trailers")[0], extractor)
    >>> report[report["reason"] != ""]
    """
    trailers = {int(imdb_id): pathlib.Path(path) for imdb_id, path in trailers.items()}
    if any(is_video(path) for path in trailers.values()):
        folder = _cache_folder(extractor, num_frames, cache)
    paths, means, rows = {}, {}, []
    for imdb_id, path in tqdm(trailers.items(), "trailers", unit="trailer", leave=False, disable=not progress):
        reason, frames = "", 0
        try:
            stored = _computed(path, extractor, num_frames, batch_size, folder) if is_video(path) else path
            features = read_trailer_features(stored, num_frames=num_frames)
            is_frame = features.any(axis=1)
            paths[imdb_id], means[imdb_id], frames = stored, features[is_frame].mean(axis=0), int(is_frame.sum())
        except (FileNotFoundError, PermissionError, ValueError) as error:
            reason = str(error)
        rows.append((imdb_id, str(path), "video" if is_video(path) else "features", frames, reason))
    report = pd.DataFrame(rows, columns=["imdb_id", "path", "kind", "frames", "reason"])
    _set_other_widths_aside(paths, means, report, None if extractor is None else extractor.output.shape[-1])
    return TrailerFeatures(paths, means, num_frames), report


def _cache_folder(extractor, num_frames, cache):
    version = pyav().__version__
    shape = getattr(extractor, "input_shape", None)
    if shape is None or len(shape) != 4 or None in shape[1:] or shape[3] != 3 or len(extractor.output.shape) != 2:
        raise ValueError(
            "Videos need an `extractor`: a Keras model from pixels (batch, height, width, 3) to features "
            "(batch, num_features), such as feature_extractor_and_head(vgg16())[0]. "
            f"Received: extractor={extractor!r} of input shape {shape}"
        )
    frames = types.SimpleNamespace(image_size=shape[1:3], interpolation="area")
    about = {"num_frames": num_frames, "av": version}
    folder, about = features_module.cache_folder(extractor, frames, about, cache or cache_dir() / "trailers")
    if not (folder / "about.json").is_file():
        write_json(folder / "about.json", about)
    return folder


def _computed(path, extractor, num_frames, batch_size, folder):
    """Path of a video's features in the cache."""
    stored = folder / f"{sha256(path)}.npy"
    if not stored.is_file():
        frames = sample_frames(path, num_frames, extractor.input_shape[1:3])
        features = extractor.predict(frames.astype("float32"), batch_size=batch_size, verbose=0)
        with write_atomically(stored) as temporary:
            np.save(temporary, np.asarray(features, dtype="float32"))
    return stored


def _set_other_widths_aside(paths, means, report, expected):
    widths = {imdb_id: len(mean) for imdb_id, mean in means.items()}
    if expected is None and widths:
        expected = collections.Counter(widths.values()).most_common(1)[0][0]
    for imdb_id, width in widths.items():
        if width != expected:
            del paths[imdb_id], means[imdb_id]
            reason = f"Expected {expected} features a frame. Received: {width}"
            report.loc[report["imdb_id"] == imdb_id, ["frames", "reason"]] = 0, reason


_FEWEST_FRAMES = 8  # a video with fewer is no trailer
_WHOLE = 0.8  # share of its stated length that a video must have; sound may go on for a while after the last picture
# Containers alone: a playlist under another name would have other files opened.
_OPTIONS = {"format_whitelist": "avi,matroska,webm,mov,mp4", "protocol_whitelist": "file"}


def sample_frames(path, num_frames=200, image_size=(224, 224)):
    """Evenly sampled frames of a video (paper 5, section 3: 200 of a trailer).

    The video is cut into equal parts, and the frame in the middle of each is taken.

    Args:
        path: `.mp4`, `.mkv`, `.avi`, `.webm` or `.mov` file.
        num_frames: Number of frames; a video with fewer gives all it has. Defaults to 200.
        image_size: `(height, width)` in pixels, to which each frame is shrunk or stretched. Defaults to `(224, 224)`.

    Returns:
        uint8 array `(num_frames, height, width, 3)`, RGB, in the order of the video; shorter for a short video.

    Raises:
        ImportError: If PyAV is not installed.
        FileNotFoundError: If there is no such file.
        ValueError: If the video is corrupt, ends before its stated length, or has fewer than 8 frames.

    Example:

    >>> sample_frames("trailers/114709.mp4").shape
    (200, 224, 224, 3)
    """
    av = pyav()
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"No video found. Received: path={str(path)!r}")
    try:
        count = _count_frames(av, path)
        frames, decoded = _decode(av, path, even_positions(count, num_frames), image_size)
        if decoded != count:  # some formats have packets that are no frames: now the number is known
            frames, decoded = _decode(av, path, even_positions(decoded, num_frames), image_size)
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"The video cannot be used: {reason}. Received: path={str(path)!r}") from error
    if decoded < _FEWEST_FRAMES:
        raise ValueError(
            f"The video is too short: expected {_FEWEST_FRAMES} frames or more, found {decoded}. "
            f"Received: path={str(path)!r}"
        )
    return np.stack(frames)


def even_positions(count, wanted):
    """Positions of at most `wanted` of `count` items, int64: the middles of equal parts, or all."""
    if count <= wanted:
        return np.arange(count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype("int64")


def pyav():
    """The package PyAV, or an ImportError that says how to install it."""
    try:
        import av
    except ImportError:
        raise ImportError("Videos need PyAV: pip install 'poster-cnn[trailers]'") from None
    return av


@contextlib.contextmanager
def _opened(av, path):
    with av.open(str(path), options=_OPTIONS) as container:
        if not container.streams.video:
            raise ValueError("it has no pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _count_frames(av, path):
    """Number of frames without decoding them; refuses a file that ends too early."""
    count, end = 0, 0.0
    with _opened(av, path) as (container, stream):
        for packet in container.demux(stream):
            count += packet.size > 0
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        stated = (container.duration or 0) / av.time_base
        end -= (container.start_time or 0) / av.time_base
    if count >= _FEWEST_FRAMES and 0 < end < _WHOLE * stated:
        raise ValueError(f"it ends after {end:.1f} of {stated:.1f} s")
    return count


def _decode(av, path, positions, image_size):
    """The frames at some positions, as a list of uint8 `(height, width, 3)`, and the number of all."""
    height, width = image_size
    positions, frames, number = set(positions.tolist()), [], -1
    with _opened(av, path) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number in positions:
                frames.append(frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA"))
    return frames, number + 1
