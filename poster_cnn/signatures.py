"""What a picture looks like from afar, in few numbers: enough to know it again recompressed, resized or cropped.

The perceptual hash of `imagehash.phash` is the signs of the 8 × 8 lowest frequencies (a discrete cosine transform) of
the grey picture. It survives recompression and resizing, but a crop of 5% moves 10 of its 64 bits and more, as many as
lie between some pairs of different posters. So a signature keeps a few more frequencies, from which those of any
slightly cropped version follow by two small matrix products, 25 versions in the time of a fraction of one hash.
"""

import base64

import numpy as np
from PIL import Image

_SIDE = 40  # samples along each side of the grey picture, so that one is 2.5% of it
_KEPT = 12  # frequencies kept along each side
_HASHED = 8  # frequencies along each side that are hashed, as in imagehash
# Samples cut off at the two ends of a side: nothing, 5% at one end, 5% at both, 2.5% at both.
_CUTS = [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)]


def _cosines(length, frequencies):
    angles = np.pi * np.outer(np.arange(frequencies), np.arange(length) + 0.5) / length
    return np.cos(angles)


_ANALYSIS = _cosines(_SIDE, _KEPT) * 2 / _SIDE
_ANALYSIS[0] /= 2
_SYNTHESIS = _cosines(_SIDE, _KEPT).T
# For each cut: kept frequencies of the whole side -> lowest frequencies of what the cut leaves.
_CUTTING = [
    _cosines(_SIDE - start - end, _HASHED) @ _SYNTHESIS[start : _SIDE - end] * 2 / (_SIDE - start - end)
    for start, end in _CUTS
]
_BIT_VALUES = np.uint64(1) << np.arange(_HASHED**2 - 1, -1, -1, dtype=np.uint64)


def signature(image):
    """The lowest 12 × 12 frequencies of a picture, in grey levels, as text (384 characters) for a csv."""
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    return base64.b64encode((_ANALYSIS @ grey @ _ANALYSIS.T).astype("<f2").tobytes()).decode()


def frequencies(signatures):
    """Texts from `signature` as a float32 array (number of texts, 12, 12)."""
    content = b"".join(base64.b64decode(text) for text in signatures)
    return np.frombuffer(content, dtype="<f2").reshape(-1, _KEPT, _KEPT).astype(np.float32)


def cropped_versions(kept):
    """Yields the 8 × 8 lowest frequencies of each cropped version of the pictures, the whole one first.

    Args:
        kept: float32 (number of pictures, 12, 12) from `frequencies`.

    Yields:
        25 arrays, float32 (number of pictures, 64).
    """
    for vertical in _CUTTING:
        rows = vertical.astype(np.float32) @ kept
        for horizontal in _CUTTING:
            yield (rows @ horizontal.T.astype(np.float32)).reshape(len(kept), _HASHED**2)


def hash_bits(lowest):
    """Perceptual hashes as uint64, bit for bit in the order of `int(str(imagehash.phash(image)), 16)`.

    Args:
        lowest: Array (number of pictures, 64) from `cropped_versions`.
    """
    above = lowest > np.median(lowest, axis=1, keepdims=True)
    return (above * _BIT_VALUES).sum(axis=1, dtype=np.uint64)


def directions(lowest):
    """The pictures as unit vectors, brightness and contrast left out: their product says how similar two look.

    Args:
        lowest: Array (number of pictures, 64) from `cropped_versions`.

    Returns:
        float32 (number of pictures, 64); zeros for a picture that is all but flat, as it looks like nothing.
    """
    centered = lowest.copy()
    centered[:, 0] = 0
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.where(length < 2, 0, centered / np.maximum(length, 1e-6)).astype(np.float32)
