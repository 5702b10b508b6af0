"""Posters composed of a palette, a background, motifs and lettering that depend on the genres."""

import collections

from PIL import Image, ImageChops, ImageDraw

from poster_cnn.datasets.embedded import lettering
from poster_cnn.datasets.embedded.motifs import draw_motif
from poster_cnn.datasets.embedded.pen import Pen

SIZE = (182, 268)  # width and height of the posters of the papers
_WIDTH, _HEIGHT = 2 * SIZE[0], 2 * SIZE[1]  # Posters are drawn at twice their size and halved, for smooth edges.

_COLORS = "top bottom ink accent light".split()  # `top` and `bottom` of the background
_PALETTES = {
    "blood": "3a0508 120204 050304 c01818 e8d8b8",
    "night": "101a30 05070d 030408 b42a24 e4dca8",
    "swamp": "26301c 0a0d08 040503 8fb030 e6e0c0",
    "rose": "f7c9cf fbeae2 6b2140 d8365a fffaf4",
    "sunset": "e8743c 8c3f70 2a1230 f2b046 fde6c0",
    "peach": "fbd9b5 f4a58f 58283c e0506a fff4e4",
    "fire": "0c4a58 e07a1e 0d0e12 f29020 ffe08a",
    "steel": "5c7486 1c2630 0a0d11 d8762a dfe6ea",
    "ember": "2a1a14 b4431a 080606 f26a1c ffd070",
    "paper": "f2f0ea d6d4cc 2a2a2c b8332c ffffff",
    "slate": "8c979e c8ccca 24282c 3a6c92 f4f2ec",
    "sepia": "d8c09a a08058 38281a 8c4a24 f4e6cc",
    "candy": "ffd93c ffb02e 2c3050 e8385c fffdf0",
    "sky": "8fd0f0 e2f4fa 24405c f28c28 ffffff",
    "mint": "b8e6cc f4f8d8 205048 f06a50 fffff4",
    "dusk": "34405e a88c94 14161f c89060 ece0d4",
    "rain": "5a6a72 94a0a0 1c2428 a86848 e0e4e0",
    "noir": "32302e 0c0c0c 040404 c8a032 e6e2d8",
    "space": "04061a 1c1e58 080a1c 38b8d8 e8f0ff",
    "magic": "2c1c5c 8c50a0 140a2c f0b848 f4e4ff",
    "forest": "1e4a3c 88a860 0e1f18 d89830 f4eccc",
    "sand": "e8b060 c06a34 3a1c10 a0401c fbe8b8",
}

Style = collections.namedtuple("Style", "palettes motifs backgrounds letters")
STYLES = {
    genre: Style(*map(str.split, style.split("|")))
    for genre, style in {
        "Horror": "blood blood night swamp steel | haunted_house claws skull | plain starry vignette | drip",
        "Romance": "rose rose peach sunset dusk | couple big_heart umbrella | plain glow hearts | thin",
        "Action": "fire fire ember steel night | explosion slanted_hero car_chase | rays slashes plain | slanted",
        "Documentary": "paper slate sepia dusk | photo_grid photo_and_text microphone | plain frame | block",
        "Drama": "dusk rain sepia dusk | lone_tree two_faces window | plain drizzle glow | thin",
        "Comedy": "candy sky candy mint | smiley jumping_friends rubber_duck | rays dots plain | bouncing",
        "Crime": "noir steel night | skyline fingerprint lamp_post | plain vignette drizzle | bold",
        "Thriller": "noir steel swamp | corridor broken_glass eye | vignette slashes plain | wide",
        "Adventure": "forest sand fire | mountains sailing_ship | rays glow plain | bold",
        "Mystery": "night dusk noir | magnifier key_hole lamp_post | vignette starry plain | thin",
        "Sci-Fi": "space space steel | planet rocket_launch saucer | starry starry glow | wide",
        "Fantasy": "magic forest magic | castle dragon sword | starry glow rays | bold",
        "Family": "sky mint candy | little_house balloons | dots plain glow | bouncing",
        "Animation": "mint candy sky magic | creature balloons | dots rays glow | bouncing",
        "Biography": "sepia slate dusk | portrait two_faces | plain frame glow | block",
        "Sport": "forest sky steel | ball stadium | rays slashes plain | slanted",
        "Music": "magic noir peach | guitar stage | rays dots glow | wide",
        "Musical": "sunset magic rose | stage couple | rays starry glow | bouncing",
        "History": "sepia sand dusk | temple sailing_ship | frame plain glow | bold",
        "War": "ember steel swamp | battlefield | plain drizzle glow | bold",
        "Western": "sand sunset sepia | desert | plain rays glow | bold",
        "Short": "slate noir mint | clapperboard window | plain dots frame | thin",
        "News": "paper slate | newspaper microphone | plain frame | block",
    }.items()
}
_LETTERS = {
    "drip": {"weight": 3, "bounce": 6},
    "thin": {"gap": 14},
    "slanted": {"weight": 4, "slant": 20},
    "block": {"weight": 2},
    "bouncing": {"weight": 4, "bounce": 8},
    "bold": {"weight": 4},
    "wide": {"gap": 30},
}
_SHADE = Image.linear_gradient("L").resize((1, _HEIGHT))
_CORNERS = Image.radial_gradient("L").resize(SIZE).point(lambda value: 255 - value // 2).convert("RGB")


# What is drawn -> its folder in the dataset.
LAYERS = {
    "poster": "posters",
    "without_lettering": "posters_without_lettering",
    "lettering_alone": "posters_lettering_alone",
}


def draw_poster(genres, title, cast, rng):
    """Draw a movie poster that looks like its genres.

    Args:
        genres: Genre names. The first determines palette, motif and lettering; the others may add a small motif.
        title: Title to write on the poster.
        cast: At most three names to write on the poster.
        rng: `random.Random` for all other choices.

    Returns:
        `PIL.Image.Image`, RGB, 182 wide and 268 high.
    """
    return draw_poster_and_masks(genres, title, cast, rng)[0]


def draw_poster_and_masks(genres, title, cast, rng, layer="poster"):
    """Draw a movie poster or a layer of it, and where its emblem and its lettering lie.

    The emblem is the motif of the first genre: the visible pixels that it paints inside of its box. The lettering is
    the title with its panel, the cast and the credits.

    Args:
        genres, title, cast, rng: See `draw_poster`.
        layer: Key of `LAYERS`: `"poster"`, `"without_lettering"`, or `"lettering_alone"` on gray. Defaults to
            `"poster"`, the image of `draw_poster`.

    Returns:
        `(picture, masks)`: the image, and a dict with "emblem" and "lettering", `PIL.Image.Image`s of
        mode "L" and the poster's size, 255 where they are and 0 elsewhere.
    """
    style = STYLES[genres[0]]
    palette = rng.choice(list(_PALETTES) if rng.random() < 0.2 else style.palettes)
    colors = _jittered(_PALETTES[palette], rng)
    background = rng.choice(style.backgrounds)
    canvas = _gradient(colors["top"], colors["bottom"])
    if background not in ("plain", "vignette"):
        _draw_background(canvas, background, colors, rng)
    lines = lettering.wrap(title, rng.randrange(10, 16))
    high = len(lines) * _line_height(lines)
    at_top = rng.random() < 0.18
    top = 34 if at_top else _HEIGHT - 46 - high
    emblem = _draw_motifs(canvas, genres, (top + high, 460) if at_top else (36, top), colors, rng)
    bare, traced = canvas.copy(), _Traced(canvas)
    _write_title(traced, lines, top, style.letters[0], colors, rng)
    _write_small_print(traced, cast, at_top, colors, rng)
    alone = Image.new("RGB", canvas.size, (128, 128, 128))
    alone.paste(canvas, mask=traced.mask)
    drawn = {"poster": canvas, "without_lettering": bare, "lettering_alone": alone}
    picture = _finish(drawn[layer], background == "vignette" or rng.random() < 0.2, rng)
    masks = {"emblem": ImageChops.subtract(emblem, traced.mask), "lettering": traced.mask}
    return picture, {name: mask.reduce(2).point(lambda value: 255 * (value > 127)) for name, mask in masks.items()}


class _Traced:
    """Canvas that also keeps where something is pasted or drawn: 255 in `mask`."""

    def __init__(self, canvas):
        self.canvas, self.mask = canvas, Image.new("L", canvas.size)
        self.crop, self._pens = canvas.crop, [(ImageDraw.Draw(canvas), {}), (ImageDraw.Draw(self.mask), {"fill": 255})]

    def paste(self, color, box, mask=None):
        self.canvas.paste(color, box, mask)
        self.mask.paste(255, box, mask)

    def __getattr__(self, shape):
        """Return a function that draws a shape of `ImageDraw` on canvas and mask."""

        def draw(points, **options):
            """Draw the shape twice."""
            for pen, own in self._pens:
                getattr(pen, shape)(points, **options | own)

        return draw


def draw_everyday():
    """Draw four pictures that are not posters.

    Returns:
        Dict from name to `PIL.Image.Image`, RGB, 512 wide and 384 high.
    """
    images = {}
    for name, wall in {"mug": "#e8d6bc", "cat": "#a8cee2", "house": "#96ccee", "fruit": "#b0c4c8"}.items():
        canvas = Image.new("RGB", (1024, 768), wall)
        draw_motif(name, Pen(ImageDraw.Draw(canvas), (512, 374), 330), {}, rng=None)
        images[name] = canvas.reduce(2)
    return images


def _jittered(palette, rng):
    tint, gain = [rng.randint(-22, 22) for _ in range(3)], rng.randrange(80, 118)
    return {
        name: tuple(min(255, max(0, c * gain // 100 + t)) for c, t in zip(bytes.fromhex(code), tint, strict=True))
        for name, code in zip(_COLORS, palette.split(), strict=True)
    }


def _gradient(top, bottom):
    column = Image.new("RGB", _SHADE.size, top)
    column.paste(bottom, mask=_SHADE)
    return column.resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST)


def _mixed(a, b, percent):
    """Return color `a` with `percent` of color `b`."""
    return tuple((x * (100 - percent) + y * percent) // 100 for x, y in zip(a, b, strict=True))


def _draw_background(canvas, kind, colors, rng):
    faint = {f"light{percent}": _mixed(colors["top"], colors["light"], percent) for percent in (8, 16, 22, 26, 40)}
    faint["accent25"] = _mixed(colors["top"], colors["accent"], 25)
    draw_motif(kind, Pen(ImageDraw.Draw(canvas), (_WIDTH // 2, _HEIGHT // 2), 260), colors | faint, rng)


def _draw_motifs(canvas, genres, rows, colors, rng):
    """Draw a motif of the first genre between two rows and, behind it and smaller, perhaps one of another genre.

    Returns:
        Mask of the first genre's motif inside of its box.
    """
    draw, middle, reach = ImageDraw.Draw(canvas), sum(rows) // 2, (rows[1] - rows[0]) // 2
    if len(genres) > 1 and rng.random() < 0.5:
        place, size = (rng.choice((76, 288)), middle - reach * 60 // 100), rng.randrange(44, 70)
        draw_motif(rng.choice(STYLES[rng.choice(genres[1:])].motifs), Pen(draw, place, size), colors, rng)
    size = min(172, reach) * rng.randrange(72, 106) // 100
    place = (_WIDTH // 2 + rng.randint(-26, 26), middle + rng.randint(-12, 12))
    traced = _Traced(canvas)
    draw_motif(rng.choice(STYLES[genres[0]].motifs), Pen(traced, place, size, rng.random() < 0.5), colors, rng)
    (x, y), reach = place, size * 110 // 100
    inside = Image.new("L", canvas.size)
    inside.paste(255, (x - reach, y - reach, x + reach, y + reach))
    return ImageChops.multiply(traced.mask, inside)


def _contrasting(canvas, box, colors):
    """Return the light or the darkest color, whichever stands out from the content of `box`."""
    red, green, blue = canvas.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    if (3 * red + 6 * green + blue) // 10 < 120:
        return _mixed(colors["light"], (255, 255, 255), 30)
    return min(colors.values(), key=sum)


def _line_height(lines):
    return min(58, 148 // len(lines))


def _write_title(canvas, lines, top, letters, colors, rng):
    step = _line_height(lines)
    left, right, bottom = 30, _WIDTH - 30, top + len(lines) * step
    color = _contrasting(canvas, (left, top, right, bottom), colors)
    inks = [color]
    if letters == "block":
        canvas.paste((246, 244, 240), (18, top - 14, _WIDTH - 18, bottom + 5))
        inks = [(28, 28, 30)]
    elif letters == "drip" and sum(color) > 360:
        inks = [_mixed(colors["accent"], (255, 70, 40), 35)]
    elif letters == "bouncing":
        inks = [color, _mixed(color, colors["accent"], 40)]
    for y, line in zip(range(top, bottom, step), lines, strict=True):
        if letters in ("slanted", "bold"):
            shadow = (0, 0, 0) if sum(color) > 360 else colors["light"]
            box = (left + 4, y + 4, right + 4, y + step - 8)
            lettering.write(canvas, line, box, [shadow], **_LETTERS[letters])
        lettering.write(canvas, line, (left, y, right, y + step - 12), inks, rng=rng, **_LETTERS[letters])


def _write_small_print(canvas, cast, at_top, colors, rng):
    """Write the cast opposite the title, and two lines of unreadable credits at the foot."""
    y = _HEIGHT - 66 if at_top else 16
    box = (24, y, _WIDTH - 24, y + 11)
    lettering.write(canvas, "   ".join(cast), box, [_contrasting(canvas, box, colors)], weight=4, gap=14)
    ticks = Image.frombytes("L", (110, 2), rng.randbytes(220)).point(lambda value: 255 if value > 90 else 0)
    ticks = ticks.resize((220, 20), Image.Resampling.NEAREST)
    ticks.paste(0, (0, 7, 220, 13))
    box = (72, _HEIGHT - 32, 292, _HEIGHT - 12)
    canvas.paste(_mixed(_contrasting(canvas, box, colors), colors["bottom"], 30), box[:2], ticks)


def _finish(canvas, darkened, rng):
    """Halve the canvas, darken the corners if `darkened`, and add grain."""
    image = canvas.reduce(2)
    if darkened:
        image = ImageChops.multiply(image, _CORNERS)
    depth = rng.randrange(6, 30)
    grain = Image.frombytes("L", SIZE, rng.randbytes(SIZE[0] * SIZE[1])).point(lambda value: 255 - value * depth // 255)
    return ImageChops.multiply(image, grain.convert("RGB"))
