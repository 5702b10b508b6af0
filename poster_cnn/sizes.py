"""How large the papers' posters are, and how they are shrunk."""

import numbers

POSTER_SIZE = (268, 182)  # (height, width) of every poster in the papers


def shrunk_size(ratio):
    """Size of a 182×268 poster shrunk *to* `ratio` percent (paper 1, section 3.5.2 and Table 1).

    Args:
        ratio: Percentage, above 0 and at most 100. The paper has 30, 40, 50, 60, 70.

    Returns:
        `(height, width)` in pixels, ordinary rounding: `shrunk_size(30) == (80, 55)`.

    Raises:
        ValueError: If `ratio` is out of range.
    """
    if not 0 < ratio <= 100:
        raise ValueError(f"`ratio` must be a percentage above 0 and at most 100. Received: ratio={ratio}")
    height, width = POSTER_SIZE
    return round(height * ratio / 100), round(width * ratio / 100)


def is_crop_size(crop_size):
    """Whether `crop_size` is a tuple or list `(height, width)` of whole pixels within a 268×182 poster."""
    if not isinstance(crop_size, tuple | list) or len(crop_size) != 2:
        return False
    limits = zip(crop_size, POSTER_SIZE, strict=True)
    return all(isinstance(side, numbers.Integral) and 1 <= side <= limit for side, limit in limits)
