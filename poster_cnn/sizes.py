"""How large the papers' posters are, and how they are shrunk."""

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
