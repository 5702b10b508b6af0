"""Letters drawn as strokes: thin, bold, slanted or bouncing, and without any font file."""

import textwrap
import unicodedata

# Strokes of each letter through points "xy" of a grid 4 wide and 6 high; "/" lifts the pen.
_SHAPES = """
A 06 02 20 42 46 / 04 44|B 06 00 30 41 42 33 03 / 33 44 45 36 06|C 41 30 10 01 05 16 36 45|D 06 00 30 41 45 36 06
E 40 00 06 46 / 03 33|F 40 00 06 / 03 33|G 41 30 10 01 05 16 36 45 43 23|H 00 06 / 40 46 / 03 43|I 00 06
J 40 45 36 16 05|K 00 06 / 40 03 46|L 00 06 46|M 06 00 23 40 46|N 06 00 46 40|O 10 30 41 45 36 16 05 01 10
P 06 00 30 41 42 33 03|Q 10 30 41 45 36 16 05 01 10 / 24 46|R 06 00 30 41 42 33 03 / 23 46
S 41 30 10 01 02 13 33 44 45 36 16 05|T 00 40 / 20 26|U 00 05 16 36 45 40|V 00 26 40|W 00 16 23 36 40|X 00 46 / 40 06
Y 00 23 40 / 23 26|Z 00 40 06 46|0 10 30 41 45 36 16 05 01 10|1 01 10 16|2 01 10 30 41 42 06 46
3 00 40 23 33 44 45 36 16 05|4 36 30 04 44|5 40 00 02 32 43 45 36 06|6 41 30 10 01 05 16 36 45 44 33 03|7 00 40 16
8 13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33|9 43 13 02 01 10 30 41 45 36 16 05
' 00 01|- 13 33|. 06 06|! 00 04 / 06 06
"""


def _parse_shapes():
    shapes = {}
    for entry in _SHAPES.strip().replace("\n", "|").split("|"):
        letter, strokes = entry[0], entry[2:].split("/")
        shapes[letter] = [[(int(point[0]), int(point[1])) for point in stroke.split()] for stroke in strokes]
    return shapes


_STROKES = _parse_shapes()
_WIDTH = {letter: max(x for stroke in strokes for x, _ in stroke) for letter, strokes in _STROKES.items()} | {" ": 1}


def plain(text):
    """`text` in the letters that can be drawn: capitals without accents; anything else becomes a space."""
    capitals = unicodedata.normalize("NFKD", text).upper()
    return "".join(letter if letter in _WIDTH else " " for letter in capitals if not unicodedata.combining(letter))


def _units(line, gap):
    return sum(4 * _WIDTH[letter] + gap for letter in line) - gap


def write(draw, text, box, color, *, weight=9, slant=0, bounce=0, gap=9, rng=None, other_color=None):
    """Writes one line in the middle of `box`, as large as it allows.

    Args:
        draw: `PIL.ImageDraw.ImageDraw` of the canvas.
        text: The line; drawn as `plain(text)`.
        box: (left, top, right, bottom) in pixels. Letters are at most 60% wider than their natural shape.
        color: RGB of the strokes.
        weight: Stroke width in percent of the letter height. Defaults to 9.
        slant: Shift of a letter's top to the right, in percent of its height. Defaults to 0.
        bounce: Largest up or down shift of a letter, in percent of its height; needs `rng`. Defaults to 0.
        gap: Space between letters, in quarters of a grid cell. Defaults to 9.
        rng: `random.Random` for `bounce`. Defaults to None.
        other_color: RGB of every second letter. Defaults to `color`.
    """
    line = plain(text).strip()
    left, top, right, bottom = box
    high = bottom - top
    wide = min(right - left - high * abs(slant) // 100, _units(line, gap) * high * 16 // 10 // 24)
    units = max(1, _units(line, gap))
    x0 = (left + right - wide) // 2
    stroke, cursor = max(1, high * weight // 100), 0
    for number, letter in enumerate(line):
        shift = rng.randrange(-bounce, bounce + 1) * high // 100 if bounce else 0
        ink = other_color if other_color and number % 2 else color
        for points in _STROKES.get(letter, ()):
            placed = [
                (
                    x0 + (cursor + 4 * x) * wide // units + (6 - y) * high * slant // 600,
                    top + y * high // 6 + shift,
                )
                for x, y in points
            ]
            draw.line(placed, fill=ink, width=stroke)
            if stroke > 2:
                for x, y in placed:
                    r = stroke // 2
                    draw.ellipse((x - r, y - r, x - r + stroke - 1, y - r + stroke - 1), fill=ink)
        cursor += 4 * _WIDTH[letter] + gap


def wrap(title, width=13, lines=3):
    """`title` on at most `lines` lines of about `width` letters."""
    return textwrap.wrap(plain(title), width=max(width, -(-len(title) // lines) + 4))[:lines] or [""]
