"""Perceptual hashes of the posters that a network was trained on, in 32 bytes each, and the search for copies of them.

The hash describes the center of a poster, without its outer 5%. A copy that was cropped by up to 5% at each side still
has the whole center, which is searched for at all positions that it can have.
"""

import base64
import binascii

import numpy as np
from PIL import Image

from poster_cnn.datasets.signatures import HASHED, KEPT, cosines, frequencies, signature

_MARGIN = 0.05  # share of each side outside the hashed center
_CROPPED = (0, _MARGIN / 2, _MARGIN)  # shares that a copy may lack at each end of a side
_SAMPLES = 64  # points along a side of the center
# The 55 lowest frequencies besides the mean, weighted by their wavelengths, as low ones vary most between posters.
_ORDER = sorted(np.ndindex(HASHED, HASHED), key=lambda pair: (sum(pair), max(pair), pair))[1:56]
_ROWS, _COLUMNS = np.transpose(_ORDER)
_WEIGHTS = np.hypot(_ROWS, _COLUMNS)
_LEVELS = 7  # of each sign, so that a frequency takes four bits
_FLAT = 2.0  # length of the frequencies of pictures that are too flat to be recognized
_RECORD = np.dtype([("imdb_id", "<u4"), ("hash", "u1", 28)])
_MIN_SIMILARITY = 0.9


def _center_of(start, end):
    """Return the matrix from the frequencies of a side to those of its center, for shares cropped at both ends."""
    left = 1 - start - end
    points = (_MARGIN - start + (1 - 2 * _MARGIN) * (np.arange(_SAMPLES) + 0.5) / _SAMPLES) / left
    synthesis = np.cos(np.pi * np.outer(points, np.arange(KEPT)))
    analysis = cosines(_SAMPLES, HASHED) * 2 / _SAMPLES
    analysis[0] /= 2
    return (analysis @ synthesis).astype("float32")


_WHOLE = _center_of(0, 0)
_CENTERS = np.stack([_center_of(start, end) for start in _CROPPED for end in _CROPPED])


def _directions(lowest):
    """Return unit vectors `(..., 55)` of frequencies `(..., 8, 8)`; flat pictures get zeros."""
    chosen = lowest[..., _ROWS, _COLUMNS]
    is_flat = np.linalg.norm(chosen, axis=-1, keepdims=True) < _FLAT
    return np.where(is_flat, 0, _unit(chosen * _WEIGHTS))


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _pack(directions):
    """Round unit vectors to four bits a value, `(num_posters, 28)`, uint8."""
    scale = np.maximum(np.abs(directions).max(axis=1, keepdims=True), 1e-9)
    levels = np.round(np.sign(directions) * np.sqrt(np.abs(directions) / scale) * _LEVELS).astype("int8") + _LEVELS
    levels = np.pad(levels, [(0, 0), (0, 1)]).astype("uint8")
    return levels[:, ::2] << 4 | levels[:, 1::2]


def _unpack(hashes):
    levels = np.stack([hashes >> 4, hashes & 15], axis=-1).reshape(len(hashes), 56)[:, : len(_ORDER)]
    levels = levels.astype("float32") - _LEVELS
    return _unit(levels * np.abs(levels))


class SeenPosters:
    """Hashes of the posters that a network was trained on.

    Measured on 10,349 real posters: none is taken for a copy of a different one. All copies of 2,000 are found if
    they are recompressed (quality 20 to 70), halved, gray, darkened, brightened by a fifth, or cropped by up to 5% at
    each side, or several of these together. Of those brightened by two fifths, 99.5% are found.

    Args:
        records: NumPy array with the fields `imdb_id` and `hash`; see `from_signatures` and `from_text`.

    Example:

    >>> seen = SeenPosters.from_text(load_model("runs/first")[1]["seen_posters"])
    >>> seen.find(Image.open("poster.jpg"))
    """

    def __init__(self, records):
        self.records = records
        self._known = _unpack(records["hash"])

    def __len__(self):
        return len(self.records)

    @classmethod
    def from_signatures(cls, texts, imdb_ids):
        """Hash posters from the `signature` and `imdb_id` in the manifest of `verify.verify`.

        Args:
            texts: Sequence of texts from `signatures.signature`; posters with an empty text are left out.
            imdb_ids: Sequence of int of the same length; ids that do not fit 32 bits become 0.

        Returns:
            `SeenPosters`, without posters that are too flat to be recognized.
        """
        pairs = [(text, int(imdb_id)) for text, imdb_id in zip(texts, imdb_ids, strict=True) if text]
        kept = frequencies([text for text, _ in pairs])
        directions = _directions(_WHOLE @ kept @ _WHOLE.T)
        records = np.zeros(len(pairs), dtype=_RECORD)
        records["imdb_id"] = [imdb_id if 0 <= imdb_id < 2**32 else 0 for _, imdb_id in pairs]
        records["hash"] = _pack(directions)
        return cls(np.unique(records[directions.any(axis=1)]))

    @classmethod
    def from_text(cls, text):
        """Return the hashes in a text from `to_text`, such as `about["seen_posters"]` of `load_model`.

        Raises:
            ValueError: If it is no such text.
        """
        try:
            return cls(np.frombuffer(base64.b64decode(text, validate=True), dtype=_RECORD))
        except (TypeError, ValueError, binascii.Error):
            raise ValueError(
                "`seen_posters` must be a text from `SeenPosters.to_text`. Received: another text"
            ) from None

    def to_text(self):
        """Return the hashes as text for JSON, 43 characters a poster."""
        return base64.b64encode(self.records.tobytes()).decode()

    def count_copies(self, others):
        """Return how many posters of another `SeenPosters` are copies of posters here, as whole pictures."""
        similar = [(poster @ self._known.T).max(initial=0) >= _MIN_SIMILARITY for poster in others._known]
        return int(np.sum(similar))

    def find(self, image):
        """Return the poster that a picture is a copy of: recompressed, resized, brightened or cropped by up to 5%.

        Args:
            image: `PIL.Image.Image`, or uint8 array `(height, width, 3)`.

        Returns:
            `(imdb_id, similarity)` of the most similar poster, with a similarity of 0.9 to 1, or `None`. The id is 0
            if it is not known.
        """
        image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
        kept = frequencies([signature(image)])[0]
        # All pairs of crops of the height and of the width.
        centers = np.einsum("aik,kl,bjl->abij", _CENTERS, kept, _CENTERS, optimize=True)
        similarity = (_directions(centers).reshape(-1, len(_ORDER)) @ self._known.T).max(axis=0, initial=0)
        if not len(self) or similarity.max() < _MIN_SIMILARITY:
            return None
        best = int(similarity.argmax())
        return int(self.records["imdb_id"][best]), float(similarity[best])
