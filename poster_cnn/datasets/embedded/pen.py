"""Shapes and figures in a box with coordinates from -100 to 100, y downwards.

All coordinates are rounded to whole pixels, so drawings do not depend on floating-point rounding.
"""

import math

# Rounded to thousandths, which hides platform differences in the last bit.
_COSINE = [round(1000 * math.cos(math.radians(degrees))) for degrees in range(360)]

# Hands (left, right) and feet (left, right) of a person standing at (0, 0), 100 high.
_POSES = {
    "stand": ((-17, -45), (17, -45), (-8, 0), (8, 0)),
    "skirt": ((-17, -45), (17, -45), (-8, 0), (8, 0)),
    "run": ((-26, -62), (24, -50), (-30, -6), (20, -4)),
    "cheer": ((-24, -104), (24, -104), (-14, 0), (14, 0)),
    "aim": ((34, -72), (30, -70), (-14, 0), (14, 0)),
    "hold": ((22, -56), (16, -50), (-8, 0), (8, 0)),
}


def spoke(radius, degrees):
    """Return the integer (x, y) on a circle of `radius`, `degrees` clockwise from the right."""
    return radius * _COSINE[degrees % 360] // 1000, radius * _COSINE[(degrees - 90) % 360] // 1000


class Pen:
    """Draw in a square box of a Pillow canvas.

    Points are pairs (x, y), lengths are percent of half the box, angles are degrees clockwise from the right.

    Args:
        draw: `PIL.ImageDraw.ImageDraw` of the canvas.
        center: (x, y) of the box, in pixels.
        size: Half the side of the box, in pixels.
        mirrored: Whether left and right are exchanged. Defaults to False.
    """

    def __init__(self, draw, center, size, mirrored=False):
        self.draw, self.center, self.size, self.sign = draw, center, size, -1 if mirrored else 1

    def inner(self, center, percent):
        """Return a pen for a smaller box around `center`; a negative `percent` mirrors it."""
        (place,) = self._place([center])
        return Pen(self.draw, place, self.size * abs(percent) // 100, self.sign * percent < 0)

    def _place(self, points):
        x0, y0 = self.center
        return [(x0 + self.sign * x * self.size // 100, y0 + y * self.size // 100) for x, y in points]

    def _length(self, length):
        return max(1, length * self.size // 100)

    def poly(self, color, *points):
        self.draw.polygon(self._place(points), fill=color)

    def line(self, color, width, *points):
        placed, width = self._place(points), self._length(width)
        self.draw.line(placed, fill=color, width=width)
        if width > 3:  # Round ends and joints.
            for x, y in placed:
                self.draw.ellipse((x - width // 2, y - width // 2, x + width // 2, y + width // 2), fill=color)

    def disc(self, color, center, radius):
        """Draw a filled circle, or an ellipse if `radius` is a pair (horizontal, vertical)."""
        ((x, y),), (rx, ry) = self._place([center]), map(self._length, _pair(radius))
        self.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=color)

    def box(self, color, corner, opposite):
        (left, top), (right, bottom) = corner, opposite
        self.poly(color, (left, top), (right, top), (right, bottom), (left, bottom))

    def ground(self, color, y):
        """Fill everything below `y`, to the edges of the canvas; only a strip if the box is small."""
        far, deep = (900, 900) if self.size > 80 else (120, y + 6)
        self.box(color, (-far, y), (far, deep))

    def star(self, color, center, radius, spikes, inner=50, turn=0):
        """Draw a star whose inner radius is `inner` percent of `radius`."""
        tips = [
            (radius if tip % 2 == 0 else radius * inner // 100, turn + 180 * tip // spikes) for tip in range(2 * spikes)
        ]
        self.poly(color, *(_shift(center, spoke(*tip)) for tip in tips))

    def heart(self, color, center, radius):
        for side in (-1, 1):
            self.disc(color, _shift(center, (side * radius // 2, -radius // 3)), radius * 56 // 100)
        self.poly(
            color, *(_shift(center, (x, y)) for x, y in ((-radius, -radius // 8), (radius, -radius // 8), (0, radius)))
        )

    def chord(self, color, center, radius, start, sweep):
        """Fill the part of an ellipse that its arc of `sweep` degrees cuts off."""
        self.poly(color, *_arc(center, radius, start, sweep))

    def arc(self, color, width, center, radius, start, sweep, skew=0):
        """Draw an arc of an ellipse; `skew` tilts it, in percent."""
        points = _arc(center, radius, start, sweep)
        self.line(color, width, *((x, y + (x - center[0]) * skew // 100) for x, y in points))

    def pie(self, color, center, radius, start, sweep):
        """Fill the triangle between `center` and two points of a circle."""
        self.poly(color, center, *(_shift(center, spoke(radius, degrees)) for degrees in (start, start + sweep)))

    def ray(self, color, width, center, inner, outer, degrees):
        """Draw a radial line from radius `inner` to `outer`."""
        self.line(color, width, *(_shift(center, spoke(radius, degrees)) for radius in (inner, outer)))

    def person(self, color, foot, height, pose="stand", skin=None):
        """Draw a person `height` high that stands at `foot`."""

        def at(*points):
            return [_shift(foot, (x * height // 100, y * height // 100)) for x, y in points]

        left_hand, right_hand, left_foot, right_foot = _POSES[pose]
        limb = max(2, height * 9 // 100)
        for end in (left_foot, right_foot):
            self.line(color, limb, *at((0, -46), end))
        self.poly(color, *at((-13, -80), (13, -80), (9, -40), (-9, -40)))
        if pose == "skirt":
            self.poly(color, *at((-7, -62), (7, -62), (20, -22), (-20, -22)))
        self.line(color, limb * 3 // 4, *at((-10, -76), left_hand))
        self.line(color, limb * 3 // 4, *at((10, -76), right_hand))
        self.disc(skin or color, *at((0, -91)), height * 9 // 100)


def _pair(radius):
    return radius if isinstance(radius, tuple) else (radius, radius)


def _shift(point, offset):
    return point[0] + offset[0], point[1] + offset[1]


def _arc(center, radius, start, sweep):
    rx, ry = _pair(radius)
    around = [spoke(1000, degrees) for degrees in range(start, start + sweep + 1, 3)]
    return [_shift(center, (rx * x // 1000, ry * y // 1000)) for x, y in around]
