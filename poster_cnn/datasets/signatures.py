"""Compact signatures of posters: their lowest frequencies, also of slightly cropped versions, and perceptual hashes."""

import base64

import numpy as np
from PIL import Image

_SIDE = 40  # pixels along each side of the reduced gray picture; one is 2.5% of the side
KEPT = 12  # frequencies kept along each side
HASHED = 8  # frequencies along each side that are hashed, as in imagehash
_CUTS = [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)]  # pixels cropped from both ends of a side: none, 5%, or 2.5%


def cosines(length, num_frequencies):
    """Return the matrix `(num_frequencies, length)` of cosines over the middles of `length` pixels."""
    angles = np.pi * np.outer(np.arange(num_frequencies), np.arange(length) + 0.5) / length
    return np.cos(angles)


_ANALYSIS = cosines(_SIDE, KEPT) * 2 / _SIDE
_ANALYSIS[0] /= 2
_SYNTHESIS = cosines(_SIDE, KEPT).T
# One matrix per cut, from the kept frequencies of the whole side to the lowest frequencies of the cropped side.
_CUTTING = [
    cosines(_SIDE - start - end, HASHED) @ _SYNTHESIS[start : _SIDE - end] * 2 / (_SIDE - start - end)
    for start, end in _CUTS
]
_BIT_VALUES = np.uint64(1) << np.arange(HASHED**2 - 1, -1, -1, dtype=np.uint64)


def signature(image):
    """Return the lowest 12 × 12 frequencies of a picture in gray as text (384 characters)."""
    gray = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    return base64.b64encode((_ANALYSIS @ gray @ _ANALYSIS.T).astype("<f2").tobytes()).decode()


def frequencies(signatures):
    """Return the frequencies in texts from `signature`, float32 `(num_pictures, 12, 12)`."""
    content = b"".join(base64.b64decode(text) for text in signatures)
    return np.frombuffer(content, dtype="<f2").reshape(-1, KEPT, KEPT).astype(np.float32)


def cropped_versions(kept):
    """Yield the lowest 8 × 8 frequencies of 25 cropped versions, float32 `(num_pictures, 64)`, the whole one first."""
    for vertical in _CUTTING:
        rows = vertical.astype(np.float32) @ kept
        for horizontal in _CUTTING:
            yield (rows @ horizontal.T.astype(np.float32)).reshape(len(kept), HASHED**2)


def hash_bits(lowest):
    """Return perceptual hashes as uint64, equal to `int(str(imagehash.phash(image)), 16)`, from `cropped_versions`."""
    above = lowest > np.median(lowest, axis=1, keepdims=True)
    return (above * _BIT_VALUES).sum(axis=1, dtype=np.uint64)


def directions(lowest):
    """Return unit vectors `(num_pictures, 64)` without brightness and contrast, whose product is the similarity.

    Nearly flat pictures get zeros.
    """
    centered = lowest.copy()
    centered[:, 0] = 0
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.where(length < 2, 0, centered / np.maximum(length, 1e-6)).astype(np.float32)
