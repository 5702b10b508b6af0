"""A pen that draws shapes and people in a box from -100 to 100, y downwards.

Only whole numbers reach Pillow, so that a picture does not depend on how a machine rounds.
"""

import functools
import math

# Rounded to thousandths: the last bit of a machine's sine cannot show.
_COSINE = [round(1000 * math.cos(math.radians(degrees))) for degrees in range(360)]


@functools.cache
def _parse(points):
    return tuple(tuple(int(number) for number in point.split(",")) for point in points.split())


def spoke(radius, degrees):
    """The point at `degrees` (whole, clockwise from the right) on a circle of `radius`: two whole numbers."""
    return radius * _COSINE[degrees % 360] // 1000, radius * _COSINE[(degrees - 90) % 360] // 1000


class Pen:
    """Draws in a square box of a Pillow canvas in coordinates from -100 to 100.

    Args:
        draw: `PIL.ImageDraw.ImageDraw` of the canvas.
        center: (x, y) of the box, in pixels.
        size: Half the side of the box, in pixels.
        mirrored: Whether left and right are exchanged. Defaults to False.
    """

    def __init__(self, draw, center, size, mirrored=False):
        self.draw, self.center, self.size, self.sign = draw, center, size, -1 if mirrored else 1

    def inner(self, x, y, percent):
        """A pen for a smaller box around (x, y)."""
        return Pen(self.draw, self._place([(x, y)])[0], self.size * percent // 100, self.sign < 0)

    def _place(self, points):
        points = _parse(points) if isinstance(points, str) else points
        x0, y0 = self.center
        return [(x0 + self.sign * x * self.size // 100, y0 + y * self.size // 100) for x, y in points]

    def polygon(self, color, points):
        self.draw.polygon(self._place(points), fill=color)

    def line(self, color, width, points):
        """A line with round ends and joints; `width` in box units."""
        placed, width = self._place(points), max(1, width * self.size // 100)
        self.draw.line(placed, fill=color, width=width)
        if width > 3:
            for x, y in placed:
                self.draw.ellipse((x - width // 2, y - width // 2, x + width // 2, y + width // 2), fill=color)

    def disc(self, color, x, y, radius, height=None):
        """A filled circle, or an ellipse where `height` (the vertical radius) is given."""
        (x, y), rx = self._place([(x, y)])[0], max(1, radius * self.size // 100)
        ry = rx if height is None else max(1, height * self.size // 100)
        self.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=color)

    def box(self, color, left, top, right, bottom):
        self.polygon(color, [(left, top), (right, top), (right, bottom), (left, bottom)])

    def ground(self, color, y):
        """Everything below `y`, to the edges of the canvas; only a strip where the box is small."""
        far, deep = (900, 900) if self.size > 80 else (120, y + 6)
        self.box(color, -far, y, far, deep)

    def star(self, color, x, y, radius, spikes, inner=50, turn=0):
        """A star or burst; `inner` is the inner radius in percent."""
        tips = range(2 * spikes)
        ring = [spoke(radius if i % 2 == 0 else radius * inner // 100, turn + 180 * i // spikes) for i in tips]
        self.polygon(color, [(x + dx, y + dy) for dx, dy in ring])

    def heart(self, color, x, y, r):
        self.disc(color, x - r // 2, y - r // 3, r * 56 // 100)
        self.disc(color, x + r // 2, y - r // 3, r * 56 // 100)
        self.polygon(color, [(x - r, y - r // 8), (x + r, y - r // 8), (x, y + r)])


# Hands (left, right) and feet (left, right) of a person standing at (0, 0), 100 high.
_POSES = {
    "stand": ("-17,-45", "17,-45", "-8,0", "8,0"),
    "run": ("-26,-62", "24,-50", "-30,-6", "20,-4"),
    "cheer": ("-24,-104", "24,-104", "-14,0", "14,0"),
    "aim": ("34,-72", "30,-70", "-14,0", "14,0"),
    "hold": ("22,-56", "16,-50", "-8,0", "8,0"),
}


def person(pen, color, x, foot, height, pose="stand", skirt=False, skin=None):
    """A figure with its feet at (x, foot), `height` units high."""

    def at(points):
        return [(x + dx * height // 100, foot + dy * height // 100) for dx, dy in _parse(points)]

    left_hand, right_hand, left_foot, right_foot = _POSES[pose]
    limb = max(2, height * 9 // 100)
    for foot_point in (left_foot, right_foot):
        pen.line(color, limb, at(f"0,-46 {foot_point}"))
    pen.polygon(color, at("-13,-80 13,-80 9,-40 -9,-40"))
    if skirt:
        pen.polygon(color, at("-7,-62 7,-62 20,-22 -20,-22"))
    pen.line(color, limb * 3 // 4, at(f"-10,-76 {left_hand}"))
    pen.line(color, limb * 3 // 4, at(f"10,-76 {right_hand}"))
    pen.disc(skin or color, x, foot - height * 91 // 100, height * 9 // 100)
