"""Whole posters: palette, background, motifs and lettering by genre, with chance in every choice."""

import collections

from PIL import Image, ImageChops, ImageDraw

from poster_cnn.datasets.embedded import emblems, landscapes, lettering, scenes
from poster_cnn.datasets.embedded.pen import Pen, spoke

SIZE = (182, 268)  # Width and height of the papers' posters.
_CANVAS = (2 * SIZE[0], 2 * SIZE[1])  # Drawn twice as large, then halved: smooth edges.

Colors = collections.namedtuple("Colors", "top bottom ink accent light")

_PALETTES = {
    name: Colors(*(tuple(bytes.fromhex(code)) for code in codes.split()))
    for name, codes in {
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
    }.items()
}

Style = collections.namedtuple("Style", "palettes motifs backgrounds letters")
_STYLES = {
    "Horror": Style("blood blood night swamp steel", "haunted_house claws skull", "plain stars vignette", "drip"),
    "Romance": Style("rose rose peach sunset dusk", "couple big_heart umbrella", "plain glow hearts", "thin"),
    "Action": Style("fire fire ember steel night", "explosion slanted_hero car_chase", "rays slashes plain", "slanted"),
    "Documentary": Style("paper slate sepia dusk", "photo_grid photo_and_text microphone", "plain frame", "block"),
    "Drama": Style("dusk rain sepia dusk", "lone_tree two_faces window", "plain rain glow", "thin"),
    "Comedy": Style("candy sky candy mint", "smiley jumping_friends rubber_duck", "rays dots plain", "bouncing"),
    "Crime": Style("noir steel night", "skyline fingerprint lamp_post", "plain vignette rain", "bold"),
    "Thriller": Style("noir steel swamp", "corridor broken_glass eye", "vignette slashes plain", "wide"),
    "Adventure": Style("forest sand fire", "mountains sailing_ship", "rays glow plain", "bold"),
    "Mystery": Style("night dusk noir", "magnifier key_hole lamp_post", "vignette stars plain", "thin"),
    "Sci-Fi": Style("space space steel", "planet rocket_launch saucer", "stars stars glow", "wide"),
    "Fantasy": Style("magic forest magic", "castle dragon sword", "stars glow rays", "bold"),
    "Family": Style("sky mint candy", "little_house balloons", "dots plain glow", "bouncing"),
    "Animation": Style("mint candy sky magic", "creature balloons", "dots rays glow", "bouncing"),
    "Biography": Style("sepia slate dusk", "portrait two_faces", "plain frame glow", "block"),
    "Sport": Style("forest sky steel", "ball stadium", "rays slashes plain", "slanted"),
    "Music": Style("magic noir peach", "guitar stage", "rays dots glow", "wide"),
    "Musical": Style("sunset magic rose", "stage couple", "rays stars glow", "bouncing"),
    "History": Style("sepia sand dusk", "temple sailing_ship", "frame plain glow", "bold"),
    "War": Style("ember steel swamp", "battlefield", "plain rain glow", "bold"),
    "Western": Style("sand sunset sepia", "desert", "plain rays glow", "bold"),
    "Short": Style("slate noir mint", "clapperboard window", "plain dots frame", "thin"),
    "News": Style("paper slate", "newspaper microphone", "plain frame", "block"),
}
_LETTERS = {
    "drip": {"weight": 13, "bounce": 7},
    "thin": {"weight": 8, "gap": 12},
    "slanted": {"weight": 20, "slant": 22},
    "block": {"weight": 11},
    "bouncing": {"weight": 19, "bounce": 10},
    "bold": {"weight": 17},
    "wide": {"weight": 8, "gap": 20},
}
_MOTIFS = vars(scenes) | vars(landscapes) | vars(emblems)


def _jittered(palette, rng):
    tint = [rng.randrange(-22, 23) for _ in range(3)]
    gain = rng.randrange(80, 118)
    return Colors(
        *(tuple(min(255, max(0, c * gain // 100 + t)) for c, t in zip(rgb, tint, strict=True)) for rgb in palette)
    )


def _gradient(top, bottom):
    last = _CANVAS[1] - 1
    rows = bytes((a * (last - y) + b * y) // last for y in range(last + 1) for a, b in zip(top, bottom, strict=True))
    return Image.frombytes("RGB", (1, last + 1), rows).resize(_CANVAS, Image.Resampling.NEAREST)


def _mixed(a, b, percent):
    """`percent` of color `b` in color `a`."""
    return tuple((x * (100 - percent) + y * percent) // 100 for x, y in zip(a, b, strict=True))


def _background(draw, kind, colors, rng):
    width, height = _CANVAS
    faint = _mixed(colors.top, colors.light, 22)
    if kind == "rays":
        x, y, turn = width // 2, rng.randrange(150, 300), rng.randrange(30)
        for degrees in range(turn, 360 + turn, 30):
            tips = [spoke(700, degrees), spoke(700, degrees + 15)]
            draw.polygon([(x, y)] + [(x + dx, y + dy) for dx, dy in tips], fill=faint)
    elif kind == "slashes":
        for x in range(-300, width, rng.randrange(50, 100)):
            draw.polygon([(x, height), (x + 24, height), (x + 264, 0), (x + 240, 0)], fill=faint)
    elif kind == "glow":
        x, y = rng.randrange(80, width - 80), rng.randrange(80, 260)
        for percent, radius in ((8, 180), (16, 140), (26, 100), (40, 64)):
            color = _mixed(colors.top, colors.light, percent)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    elif kind == "frame":
        draw.rectangle((14, 14, width - 15, height - 15), outline=colors.ink, width=5)
    elif kind != "plain":
        pen = Pen(draw, (width // 2, height // 2), 260)
        for _ in range(34):
            x, y, size = rng.randrange(-70, 70), rng.randrange(-100, 60), rng.randrange(1, 4)
            if kind == "dots":
                pen.disc(faint, x, y, 3 * size)
            elif kind == "hearts":
                pen.heart(_mixed(colors.top, colors.accent, 25), x, y, 3 * size)
            elif kind == "rain":
                pen.line(faint, 1, [(x, y), (x - 3, y + 14)])
            elif kind == "stars":
                pen.disc(colors.light, x, y, size // 2)


def _contrasting(canvas, box, colors):
    """Light or ink, whichever stands out from what is already drawn in `box`."""
    red, green, blue = canvas.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    brightness = (3 * red + 6 * green + blue) // 10
    return _mixed(colors.light, (255, 255, 255), 30) if brightness < 120 else min(colors, key=sum)


def _title(canvas, draw, lines, top, style, colors, rng):
    """Letters the title, one line under the other from `top` on."""
    width, step = _CANVAS[0], _line_step(lines)
    zone = (30, top, width - 30, top + len(lines) * step)
    options = dict(_LETTERS[style.letters])
    color = _contrasting(canvas, zone, colors)
    if style.letters == "block":
        draw.rectangle((18, top - 14, width - 19, zone[3] + 4), fill=(246, 244, 240))
        color = (28, 28, 30)
    elif style.letters == "drip" and sum(color) > 360:
        color = _mixed(colors.accent, (255, 70, 40), 35)
    elif style.letters == "bouncing":
        options["other_color"] = _mixed(color, colors.accent, 40)
    for number, line in enumerate(lines):
        y = top + number * step
        if style.letters in ("slanted", "bold"):
            behind = (0, 0, 0) if sum(color) > 360 else colors.light
            lettering.write(draw, line, (34, y + 4, width - 26, y + step - 8), behind, **options)
        lettering.write(draw, line, (30, y, width - 30, y + step - 12), color, rng=rng, **options)


def _line_step(lines):
    return min(58, 148 // len(lines))


def _small_print(canvas, draw, cast, colors, rng, at_top):
    """Names of the cast opposite the title, and the block of credits, too small to read, at the foot."""
    width, height = _CANVAS
    y = height - 66 if at_top else 16
    box = (24, y, width - 24, y + 11)
    lettering.write(draw, "   ".join(cast), box, _contrasting(canvas, box, colors), weight=12, gap=8)
    ticks = Image.frombytes("L", (110, 2), rng.randbytes(220)).point(lambda value: 255 if value > 90 else 0)
    ticks = ticks.resize((220, 20), Image.Resampling.NEAREST)
    ticks.paste(0, (0, 7, 220, 13))
    box = (72, height - 32, 292, height - 12)
    canvas.paste(_mixed(_contrasting(canvas, box, colors), colors.bottom, 30), box[:2], ticks)


def _finish(canvas, darkened, rng):
    """Halves the canvas; darkens the corners where wanted; adds grain."""
    image = canvas.reduce(2)
    if darkened:
        corners = Image.radial_gradient("L").resize(SIZE).point(lambda value: 255 - value // 2)
        image = ImageChops.multiply(image, corners.convert("RGB"))
    depth = rng.randrange(6, 30)
    grain = Image.frombytes("L", SIZE, rng.randbytes(SIZE[0] * SIZE[1])).point(lambda value: 255 - value * depth // 255)
    return ImageChops.multiply(image, grain.convert("RGB"))


def draw_poster(genres, title, cast, rng):
    """Draws a movie poster that looks like its genres.

    Args:
        genres: Genre names; the first decides palette, motif and lettering, the others may add a small motif.
        title: Title to letter on it.
        cast: Names to letter on it, at most three.
        rng: `random.Random` for everything else.

    Returns:
        `PIL.Image.Image`, RGB, 182 wide and 268 high.
    """
    style = _STYLES[genres[0]]
    palette = rng.choice(style.palettes.split())
    if rng.random() < 0.2:
        palette = rng.choice(list(_PALETTES))
    colors = _jittered(_PALETTES[palette], rng)
    background = rng.choice(style.backgrounds.split())
    canvas = _gradient(colors.top, colors.bottom)
    draw = ImageDraw.Draw(canvas)
    _background(draw, background, colors, rng)
    lines = lettering.wrap(title, rng.randrange(10, 16))
    at_top = rng.random() < 0.18
    title_top = 34 if at_top else _CANVAS[1] - 46 - len(lines) * _line_step(lines)
    upper, lower = (title_top + len(lines) * _line_step(lines), 460) if at_top else (36, title_top)
    _motifs(draw, genres, colors, (upper + lower) // 2, (lower - upper) // 2, rng)
    _title(canvas, draw, lines, title_top, style, colors, rng)
    _small_print(canvas, draw, cast, colors, rng, at_top)
    return _finish(canvas, background == "vignette" or rng.random() < 0.2, rng)


def _motifs(draw, genres, colors, middle, reach, rng):
    """The motif of the first genre and, behind it and smaller, perhaps one of another."""
    width = _CANVAS[0]
    if len(genres) > 1 and rng.random() < 0.5:
        other = _MOTIFS[rng.choice(_STYLES[rng.choice(genres[1:])].motifs.split())]
        other(Pen(draw, (rng.choice((76, 288)), middle - reach * 60 // 100), rng.randrange(44, 70)), colors, rng)
    motif = _MOTIFS[rng.choice(_STYLES[genres[0]].motifs.split())]
    size = min(172, reach) * rng.randrange(72, 106) // 100
    place = (width // 2 + rng.randrange(-26, 27), middle + rng.randrange(-12, 13))
    motif(Pen(draw, place, size, rng.random() < 0.5), colors, rng)
