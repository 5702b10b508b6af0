"""A video file -> evenly sampled frames. It takes PyAV, an extra: nothing here needs it before a video is read."""

import contextlib
import pathlib

import numpy as np

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
