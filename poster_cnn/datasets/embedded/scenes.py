"""Motifs with people or photos: `motif(pen, colors, rng)` draws one in the box of `pen`, chance taken from `rng`."""

from poster_cnn.datasets.embedded.pen import person, spoke


def couple(pen, colors, rng):
    """Draws the motif "couple" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.accent, 0, -10, 86)
    gap = rng.randrange(11, 17)
    person(pen, colors.ink, -gap, 96, 150, "hold")
    person(pen, colors.ink, gap + 2, 96, 134, "stand", skirt=True)
    for _ in range(rng.randrange(2, 6)):
        pen.heart(colors.light, rng.randrange(-80, 80), rng.randrange(-98, -50), rng.randrange(6, 14))


def umbrella(pen, colors, rng):
    """Draws the motif "umbrella" with `pen` in `colors`; `rng` varies it."""
    for _ in range(24):
        x, y = rng.randrange(-140, 130), rng.randrange(-110, 90)
        pen.line(colors.light, 1, [(x, y), (x - 4, y + 16)])
    dome = [spoke(88, degrees) for degrees in range(180, 361, 10)]
    pen.polygon(colors.accent, [(x, y - 8) for x, y in dome])
    for x in (-58, 0, 58):
        pen.disc(colors.accent, x, -8, 30, 10)
    pen.line(colors.ink, 4, "0,-98 0,20")
    person(pen, colors.ink, -20, 98, 104, "hold")
    person(pen, colors.ink, 22, 98, 96, "stand", skirt=True)
    pen.disc(colors.ink, 0, 98, 70, 4)


def explosion(pen, colors, rng):
    """Draws the motif "explosion" with `pen` in `colors`; `rng` varies it."""
    turn = rng.randrange(360)
    pen.star(colors.accent, 0, -14, 112, rng.randrange(9, 14), 58, turn)
    pen.star(colors.light, 0, -14, 78, 11, 60, turn + 13)
    pen.star((255, 255, 240), 0, -14, 44, 9, 62, turn + 31)
    for _ in range(9):
        dx, dy = spoke(rng.randrange(70, 125), rng.randrange(180, 360))
        pen.star(colors.ink, dx, dy, rng.randrange(4, 11), 3, 50, rng.randrange(360))
    person(pen, colors.ink, 0, 104, rng.randrange(118, 140), "run")


def slanted_hero(pen, colors, rng):
    """Draws the motif "slanted hero" with `pen` in `colors`; `rng` varies it."""
    for offset, color in ((-70, colors.accent), (0, colors.light), (64, colors.accent)):
        wide = rng.randrange(16, 30)
        pen.polygon(
            color, [(offset - 90, 130), (offset - 90 + wide, 130), (offset + 90, -130), (offset + 90 - wide, -130)]
        )
    person(pen, colors.ink, -6, 104, 186, "aim")
    pen.polygon(colors.ink, "52,-34 84,-36 84,-28 62,-26 60,-16 52,-16")
    pen.star(colors.light, 96, -32, rng.randrange(12, 22), 7, 40)


def car_chase(pen, colors, rng):
    """Draws the motif "car chase" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.accent, -20, -30, 66)
    for y in range(-80, 60, 18):
        x = rng.randrange(-150, -60)
        pen.line(colors.light, 3, [(x, y), (x + rng.randrange(40, 110), y - 6)])
    pen.polygon(colors.light, "70,48 190,30 190,84 70,60")
    pen.polygon(colors.ink, "-92,66 -88,40 -46,34 -24,6 38,4 60,34 88,42 94,66")
    pen.polygon(colors.light, "-34,32 -18,13 2,12 2,31")
    pen.polygon(colors.light, "12,12 34,12 46,32 12,31")
    for x in (-54, 52):
        pen.disc(colors.ink, x, 66, 21)
        pen.disc(colors.light, x, 66, 9)
    pen.box(colors.ink, -150, 86, 150, 92)


def _photo(pen, colors, rng, left, top, right, bottom):
    tone = rng.randrange(60, 190)
    warmth = rng.randrange(0, 26)
    pen.box((min(255, tone + warmth), tone + warmth // 3, tone - warmth), left, top, right, bottom)
    x, base, shade = (left + right) // 2, bottom, (tone // 3 + warmth, tone // 3 + 6, tone // 3)
    kind, wide = rng.randrange(4), (right - left) // 2
    if kind == 0:
        pen.disc(shade, x, top + (bottom - top) * 2 // 5, wide * 2 // 5, wide // 2)
        pen.polygon(
            shade,
            [
                (x - wide * 3 // 4, base),
                (x - wide // 2, base - wide // 2),
                (x + wide // 2, base - wide // 2),
                (x + wide * 3 // 4, base),
            ],
        )
    elif kind == 1:
        pen.polygon(
            shade,
            [
                (left, base),
                (left + wide // 2, top + wide),
                (x, base - wide // 3),
                (right - wide // 3, top + wide // 2),
                (right, base),
            ],
        )
    elif kind == 2:
        for step in range(4):
            x0, high = left + step * wide // 2, rng.randrange(20, 80)
            pen.box(shade, x0, base - (base - top) * high // 100, x0 + wide * 2 // 5, base)
    else:
        pen.box(shade, left, base - (base - top) // 4, right, base)
        pen.disc((235, 228, 210), x + rng.randrange(-wide // 2, wide // 2 + 1), top + (bottom - top) // 3, wide // 4)


def photo_grid(pen, colors, rng):
    """Draws the motif "photo grid" with `pen` in `colors`; `rng` varies it."""
    columns, rows = rng.choice(((2, 2), (2, 3), (3, 3), (3, 2)))
    pen.box(colors.light, -104, -104, 104, 104)
    for row in range(rows):
        for column in range(columns):
            left, top = -100 + 200 * column // columns, -100 + 200 * row // rows
            _photo(pen, colors, rng, left + 3, top + 3, left + 200 // columns - 3, top + 200 // rows - 3)


def photo_and_text(pen, colors, rng):
    """Draws the motif "photo and text" with `pen` in `colors`; `rng` varies it."""
    _photo(pen, colors, rng, -104, -104, 104, 30)
    pen.box((244, 242, 236), -104, 30, 104, 106)
    for y in range(42, 100, 10):
        pen.box((90, 90, 92), -92, y, rng.randrange(20, 94), y + 4)
    pen.box(colors.accent, -104, 26, 104, 31)


def window(pen, colors, rng):
    """Draws the motif "window" with `pen` in `colors`; `rng` varies it."""
    pen.box(colors.light, -64, -96, 64, 60)
    person(pen, colors.ink, rng.randrange(-24, 25), 66, rng.randrange(84, 116), skirt=rng.random() < 0.4)
    for edges in (
        (-70, -100, -62, 64),
        (62, -100, 70, 64),
        (-70, -102, 70, -94),
        (-3, -96, 3, 60),
        (-64, -30, 64, -24),
        (-80, 58, 80, 68),
    ):
        pen.box(colors.ink, *edges)
    pen.polygon(colors.accent, "-96,-104 -50,-104 -66,-20 -84,72 -104,72")


def jumping_friends(pen, colors, rng):
    """Draws the motif "jumping friends" with `pen` in `colors`; `rng` varies it."""
    for x, color in ((-62, colors.accent), (0, colors.ink), (62, colors.light)):
        foot = rng.randrange(56, 100)
        person(
            pen,
            color,
            x,
            foot,
            rng.randrange(100, 132),
            rng.choice(("cheer", "run", "cheer")),
            rng.random() < 0.4,
            skin=(236, 196, 164),
        )
        pen.disc(colors.ink, x, 104, 28, 4)
    for _ in range(16):
        x, y = rng.randrange(-120, 110), rng.randrange(-110, 0)
        pen.box(rng.choice((colors.accent, colors.light, colors.ink)), x, y, x + 7, y + 7)


def lamp_post(pen, colors, rng):
    """Draws the motif "lamp post" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 100)
    pen.polygon(colors.light, "-34,-70 -10,-70 60,96 -110,96")
    pen.disc(colors.ink, -24, 96, 96, 8)
    pen.line(colors.ink, 4, "70,96 70,-84 -20,-84")
    pen.polygon(colors.ink, "-36,-70 -8,-70 -16,-88 -28,-88")
    person(pen, colors.ink, -24, 94, 112)
    pen.box(colors.ink, -42, -8, -6, -4)
    pen.box(colors.ink, -34, -20, -14, -6)
    if rng.random() < 0.6:
        pen.polygon(colors.accent, "-12,94 60,100 130,104 30,104 -30,98")


def corridor(pen, colors, rng):
    """Draws the motif "corridor" with `pen` in `colors`; `rng` varies it."""
    for step in range(6, 0, -1):
        color = (colors.ink, colors.accent)[step % 2]
        pen.box(color, -17 * step, -17 * step, 17 * step, 17 * step)
    pen.box(colors.light, -14, -16, 14, 16)
    person(
        pen,
        colors.light if rng.random() < 0.3 else colors.ink,
        rng.randrange(-4, 5),
        18,
        32,
        rng.choice(("run", "stand")),
    )


def stage(pen, colors, rng):
    """Draws the motif "stage" with `pen` in `colors`; `rng` varies it."""
    pen.polygon(colors.light, [(rng.randrange(-60, 61), -104), (-46, 92), (46, 92)])
    pen.disc(colors.light, 0, 92, 60, 9)
    person(pen, colors.ink, 0, 94, rng.randrange(100, 130), "cheer", skirt=rng.random() < 0.6)
    for side in (-1, 1):
        for fold in range(4):
            x = side * (112 - 17 * fold)
            pen.polygon(
                colors.accent if fold % 2 else colors.ink,
                [(x - 9, -104), (x + 9, -104), (x + 9, 100 - 14 * fold), (x - 9, 100 - 14 * fold)],
            )
    pen.box(colors.accent, -122, -110, 122, -88)


def stadium(pen, colors, rng):
    """Draws the motif "stadium" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.accent, 102)
    for x in (-84, 84):
        pen.line(colors.ink, 4, [(x, -70), (x, 60)])
        for y in (-92, -80, -68):
            for dx in (-14, 0, 14):
                pen.disc(colors.light, x + dx, y, 6)
        pen.polygon(colors.light, [(x, -80), (x // 2 - 30, 70), (x // 2 + 30, 70)])
    pen.polygon(colors.accent, "-300,104 -300,56 300,56 300,104")
    for x in range(-90, 91, 36):
        pen.line(colors.light, 2, [(x, 56), (x * 14 // 10, 104)])
    person(pen, colors.ink, 0, 98, rng.randrange(120, 150), rng.choice(("run", "cheer")))
