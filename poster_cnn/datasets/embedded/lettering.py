"""Titles and names in capitals of Pillow's built-in font: bold, slanted, bouncing, condensed or stretched."""

import functools
import textwrap
import unicodedata

from PIL import Image, ImageDraw, ImageFont


@functools.cache
def _glyph(letter, high, stroke):
    """Return a mask of a capital, `high` pixels high, with margins of a third of that above and below."""
    font = ImageFont.load_default(high * 10 // 7)  # Capitals are 70% as high as the font size.
    mask = Image.new("L", (round(font.getlength(letter)) + 2 * stroke, high + 2 * (high // 3)))
    ImageDraw.Draw(mask).text((stroke, high + high // 3), letter, 255, font, anchor="ls", stroke_width=stroke)
    return mask


def plain(text):
    """Return `text` in capitals that the font has: without accents, other characters replaced by spaces."""
    capitals = unicodedata.normalize("NFKD", text).upper()
    return "".join(letter if " " <= letter <= "Z" else " " for letter in capitals if not unicodedata.combining(letter))


def wrap(title, width=13, lines=3):
    """Split `title` into at most `lines` lines of about `width` letters."""
    return textwrap.wrap(plain(title), width=max(width, -(-len(title) // lines) + 4))[:lines] or [""]


def write(canvas, text, box, colors, *, weight=0, slant=0, bounce=0, gap=0, stretch=130, rng=None):
    """Write one line in the middle of `box`, condensed or stretched to its width.

    Args:
        canvas: `PIL.Image.Image` to write on.
        text: The line, written as `plain(text)`.
        box: (left, top, right, bottom) of the capitals, in pixels.
        colors: List of RGB colors that the letters take in turn.
        weight: Thickness added on either side of a stroke, in percent of the letter height. Defaults to 0.
        slant: Shift of a letter's top to the right, in percent of its height. Defaults to 0.
        bounce: Maximum up or down shift of a letter, in percent of its height; needs `rng`. Defaults to 0.
        gap: Extra space between letters, in percent of their height. Defaults to 0.
        stretch: Maximum width, in percent of the natural width. Defaults to 130.
        rng: `random.Random` for `bounce`. Defaults to None.
    """
    left, top, right, bottom = box
    high = bottom - top
    gap, lean, margin = high * gap // 100, high * slant // 100, high // 3
    glyphs = [_glyph(letter, high, high * weight // 100) for letter in plain(text).strip()]
    natural = sum(glyph.width + gap for glyph in glyphs) - gap + 1
    masks, cursor = [Image.new("L", (natural, high + 2 * margin)) for _ in colors], 0
    for number, glyph in enumerate(glyphs):
        shift = rng.randint(-bounce, bounce) * high // 100 if bounce else 0
        masks[number % len(masks)].paste(glyph, (cursor, shift))
        cursor += glyph.width + gap
    wide = max(1, min(right - left - lean, natural * stretch // 100))
    shear = (1, slant / 100, -slant / 100 * (margin + high), 0, 1, 0)  # Keeps the foot of the letters in place.
    for color, mask in zip(colors, masks, strict=True):
        mask = mask.resize((wide, mask.height))
        if lean:
            mask = mask.transform((wide + lean, mask.height), Image.Transform.AFFINE, shear, Image.Resampling.BILINEAR)
        canvas.paste(color, ((left + right - mask.width) // 2, top - margin), mask)
