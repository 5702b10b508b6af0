"""Motifs that are one thing: `motif(pen, colors, rng)` draws it in the box of `pen`, with chance taken from `rng`."""

from poster_cnn.datasets.embedded.pen import person, spoke


def claws(pen, colors, rng):
    """Draws the motif "claws" with `pen` in `colors`; `rng` varies it."""
    lean = rng.randrange(14, 34)
    for number, x in enumerate((-66, -24, 20, 62)):
        top, bottom = rng.randrange(-100, -70) + 12 * (number % 3 == 0), rng.randrange(60, 96)
        edges = [(x + lean, top), (x + 9, -10), (x - lean, bottom), (x - 9, 4)]
        pen.polygon(colors.ink, [(px + 6, py + 4) for px, py in edges])
        pen.polygon(colors.accent, edges)


def skull(pen, colors, rng):
    """Draws the motif "skull" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.light, 0, -22, 66, 68)
    pen.polygon(colors.light, "-42,20 42,20 34,80 -34,80")
    for side in (-1, 1):
        pen.disc(colors.ink, 28 * side, -16, 20, 22)
        pen.disc(colors.accent, 28 * side, -12, rng.randrange(4, 9))
    pen.polygon(colors.ink, "0,12 10,32 -10,32")
    for x in range(-24, 25, 12):
        pen.line(colors.ink, 3, [(x, 52), (x, 80)])


def big_heart(pen, colors, rng):
    """Draws the motif "big heart" with `pen` in `colors`; `rng` varies it."""
    pen.heart(colors.light, 4, 2, 98)
    pen.heart(colors.accent, 0, 0, 90)
    if rng.random() < 0.6:
        person(pen, colors.light, -14, 48, 84, "hold")
        person(pen, colors.light, 14, 48, 76, "stand", skirt=True)
    else:
        pen.line(colors.light, 5, "-150,70 -40,14 40,-22 150,-80")
        pen.polygon(colors.light, "150,-80 120,-84 136,-56")


def microphone(pen, colors, rng):
    """Draws the motif "microphone" with `pen` in `colors`; `rng` varies it."""
    for radius in (96, 76, 56):
        pen.disc(colors.accent if radius != 76 else colors.light, 0, -20, radius)
    pen.line(colors.ink, 7, "0,30 0,100")
    pen.disc(colors.ink, 0, 100, 44, 6)
    pen.disc(colors.ink, 0, -34, 30, 34)
    pen.polygon(colors.ink, "-24,-14 24,-14 12,44 -12,44")
    for y in range(-54, -14, 10):
        pen.line(colors.light, 2, [(-22, y), (22, y)])


def two_faces(pen, colors, rng):
    """Draws the motif "two faces" with `pen` in `colors`; `rng` varies it."""
    back, front = (
        "-4,-74 -36,-78 -74,-60 -92,-20 -90,40 -104,100",
        "-30,100 -34,62 -14,60 -10,44 -14,36 -8,28 -12,20 2,12",
    )
    face = f"{back} {front} -10,-14 -6,-34"
    pen.polygon(colors.ink, face)
    side = pen.inner(8 + rng.randrange(0, 10), 12, 100)
    side.sign = -pen.sign
    side.polygon(colors.accent, face)


def smiley(pen, colors, rng):
    """Draws the motif "smiley" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.ink, 0, 0, 90)
    pen.disc(colors.accent, 0, 0, 84)
    if rng.random() < 0.5:
        pen.polygon(colors.ink, "-66,-34 -6,-34 -12,-2 -56,-2")
        pen.polygon(colors.ink, "66,-34 6,-34 12,-2 56,-2")
        pen.box(colors.ink, -70, -36, 70, -28)
    else:
        for x in (-32, 32):
            pen.disc(colors.light, x, -26, 20, 26)
            pen.disc(colors.ink, x + rng.randrange(-8, 9), -20, 10)
    pen.polygon(colors.ink, [(x, y + 14) for x, y in [spoke(56, degrees) for degrees in range(0, 181, 12)]])
    pen.disc((214, 60, 70), 0, 54, 24, 12)


def rubber_duck(pen, colors, rng):
    """Draws the motif "rubber duck" with `pen` in `colors`; `rng` varies it."""
    for x in range(-90, 91, 30):
        pen.disc(colors.light, x, 84 + rng.randrange(-5, 6), 24, 14)
    pen.polygon(colors.accent, "-104,-4 -70,26 -40,20 60,12 84,40 70,84 -60,84 -92,50")
    pen.disc(colors.accent, 40, 40, 48, 44)
    pen.disc(colors.accent, 46, -40, 44)
    pen.polygon((238, 130, 40), "84,-50 122,-40 118,-24 84,-22")
    pen.disc(colors.light, 58, -54, 13)
    pen.disc(colors.ink, 60 + rng.randrange(-4, 5), -54, 6)
    pen.disc(colors.ink, -14, 46, 40, 16)
    pen.disc(colors.accent, -14, 40, 40, 16)
    if rng.random() < 0.5:
        pen.polygon(colors.ink, "20,-76 72,-76 62,-80 62,-112 30,-112 30,-80")


def fingerprint(pen, colors, rng):
    """Draws the motif "fingerprint" with `pen` in `colors`; `rng` varies it."""
    for number, radius in enumerate(range(88, 8, -10)):
        pen.disc(colors.ink if number % 2 == 0 else colors.light, rng.randrange(-3, 4), -4, radius * 3 // 4, radius)
    pen.line(colors.accent, 9, "-100,60 100,-70")


def broken_glass(pen, colors, rng):
    """Draws the motif "broken glass" with `pen` in `colors`; `rng` varies it."""
    x, y = rng.randrange(-20, 21), rng.randrange(-20, 21)
    angles = sorted(rng.randrange(360) for _ in range(11))
    for number, angle in enumerate(angles):
        tips = [spoke(112, angle), spoke(112, angles[(number + 1) % 11] - 4)]
        color = (colors.ink, colors.accent, colors.light)[rng.choice((0, 0, 1, 1, 2))]
        pen.polygon(color, [(x, y)] + [(x + dx, y + dy) for dx, dy in tips])
    pen.disc(colors.ink, x, y, 13)


def eye(pen, colors, rng):
    """Draws the motif "eye" with `pen` in `colors`; `rng` varies it."""
    upper = [(x, -(100 * 100 - x * x) * 52 // 10000) for x in range(-100, 101, 10)]
    lower = [(x, (100 * 100 - x * x) * 44 // 10000) for x in range(100, -101, -10)]
    pen.polygon(colors.light, upper + lower)
    x = rng.randrange(-24, 25)
    for color, radius in ((colors.accent, 44), (colors.ink, 24), (colors.light, 7)):
        pen.disc(color, x + (9 if radius == 7 else 0), -4 - (9 if radius == 7 else 0), radius)
    for degrees in range(200, 341, 14):
        (x0, y0), (x1, y1) = spoke(74, degrees), spoke(98, degrees)
        pen.line(colors.ink, 3, [(x0, y0 + 12), (x1, y1 + 12)])


def magnifier(pen, colors, rng):
    """Draws the motif "magnifier" with `pen` in `colors`; `rng` varies it."""
    pen.line(colors.ink, 18, "36,36 90,92")
    pen.disc(colors.ink, -14, -18, 76)
    pen.disc(colors.light, -14, -18, 62)
    if rng.random() < 0.5:
        for number in range(5):
            side = 14 if number % 2 else -14
            pen.disc(colors.accent, -48 + 16 * number, -18 + side, 8, 12)
    else:
        pen.line(colors.accent, 12, "-36,-42 -28,-56 -2,-56 10,-40 -2,-22 -14,-10 -14,4")
        pen.disc(colors.accent, -14, 24, 8)


def key_hole(pen, colors, rng):
    """Draws the motif "key hole" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.accent, 0, 0, 92, 104)
    pen.disc(colors.ink, 0, 0, 78, 90)
    pen.disc(colors.light, 0, -26, 34)
    pen.polygon(colors.light, "-14,-10 14,-10 32,66 -32,66")
    person(pen, colors.ink, 0, 66, rng.randrange(66, 84))


def planet(pen, colors, rng):
    """Draws the motif "planet" with `pen` in `colors`; `rng` varies it."""
    for _ in range(26):
        pen.disc(colors.light, rng.randrange(-140, 140), rng.randrange(-130, 120), rng.randrange(1, 3))
    tilt = rng.randrange(-26, 27)
    for degrees in range(0, 360, 2):
        x, y = spoke(100, degrees)
        near = 0 <= degrees <= 180
        if not near:
            pen.disc(colors.accent, x * 13 // 10, y // 4 + x * tilt // 100, 5)
    pen.disc(colors.light, 0, 0, 62)
    pen.disc(colors.accent, 6, 6, 56)
    pen.disc(colors.ink, 16, 14, 44)
    for degrees in range(0, 181, 2):
        x, y = spoke(100, degrees)
        pen.disc(colors.light, x * 13 // 10, y // 4 + x * tilt // 100, 4)
    pen.disc(colors.light, rng.randrange(-110, -70), rng.randrange(-100, -60), 13)


def dragon(pen, colors, rng):
    """Draws the motif "dragon" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.light, 10, -20, rng.randrange(66, 84))
    pen.polygon(colors.ink, "-10,-20 -40,-96 -62,-60 -104,-72 -84,-30 -104,0 -60,-6 -30,30")
    pen.polygon(colors.ink, "16,-16 52,-92 70,-54 106,-62 90,-24 108,4 66,0 34,30")
    pen.line(colors.ink, 24, "0,-10 4,30 -8,60")
    pen.line(colors.ink, 12, "-8,60 -40,84 -84,80 -98,60")
    pen.line(colors.ink, 15, "0,-10 10,-50")
    pen.polygon(colors.ink, "-4,-60 14,-84 10,-66 30,-82 24,-62 60,-46 52,-36 20,-36")
    pen.disc(colors.accent, 22, -54, 4)
    pen.polygon(colors.accent, "60,-46 110,-56 90,-44 120,-34 86,-34 96,-20 56,-38")


def sword(pen, colors, rng):
    """Draws the motif "sword" with `pen` in `colors`; `rng` varies it."""
    for degrees in range(0, 360, 20):
        pen.line(colors.accent, 3, [spoke(rng.randrange(50, 70), degrees), spoke(rng.randrange(90, 120), degrees)])
    pen.polygon(colors.light, "0,-104 13,-84 10,52 -10,52 -13,-84")
    pen.polygon(colors.ink, "0,-96 3,-80 2,52 -2,52 -3,-80")
    pen.polygon(colors.ink, "-54,44 54,44 46,60 -46,60")
    pen.box(colors.ink, -8, 58, 8, 92)
    pen.disc(colors.accent, 0, 96, 13)


def balloons(pen, colors, rng):
    """Draws the motif "balloons" with `pen` in `colors`; `rng` varies it."""
    for number in range(rng.randrange(6, 10)):
        x, y = rng.randrange(-80, 81), rng.randrange(-84, 0)
        color = (colors.accent, colors.light, (250, 200, 60), (90, 180, 120), (230, 100, 110))[number % 5]
        pen.line(colors.ink, 1, [(x, y + 20), (0, 70)])
        pen.disc(color, x, y, 26, 32)
        pen.disc((255, 255, 255), x - 9, y - 11, 5, 7)
    person(pen, colors.ink, 0, 104, 44, "cheer", skin=(236, 196, 164))


def creature(pen, colors, rng):
    """Draws the motif "creature" with `pen` in `colors`; `rng` varies it."""
    for x in (-44, 44):
        pen.line(colors.accent, 10, [(x * 6 // 10, -60), (x, -96)])
        pen.disc(colors.light, x, -98, 11)
        pen.disc(colors.ink, x // 2, 96, 30, 12)
    pen.disc(colors.accent, 0, 8, 82, 88)
    pen.disc(colors.light, 0, 44, 48, 42)
    eyes = rng.choice(((0,), (-30, 30), (-30, 30), (-46, 0, 46)))
    for x in eyes:
        pen.disc((255, 255, 255), x, -24, 26 if len(eyes) < 3 else 20)
        pen.disc(colors.ink, x + rng.randrange(-7, 8), -20, 10)
    pen.polygon(colors.ink, [(x, y // 2 + 16) for x, y in [spoke(36, degrees) for degrees in range(0, 181, 15)]])
    pen.box((255, 255, 255), -9, 16, 7, 26)


def portrait(pen, colors, rng):
    """Draws the motif "portrait" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.accent, 0, -6, 104)
    pen.polygon(colors.ink, "-96,104 -84,56 -34,38 34,38 84,56 96,104")
    pen.box((206, 160, 128), -16, 14, 16, 46)
    pen.disc((224, 182, 150), 0, -20, 42, 52)
    pen.polygon(colors.ink, "-46,-20 -44,-66 0,-86 44,-66 46,-20 34,-46 -30,-46")
    if rng.random() < 0.5:
        for x in (-18, 18):
            pen.disc(colors.ink, x, -20, 13)
            pen.disc(colors.light, x, -20, 9)
    pen.line((150, 80, 70), 3, "-12,10 12,10")
    pen.polygon(colors.light, "-14,42 0,66 14,42 6,38 -6,38")


def ball(pen, colors, rng):
    """Draws the motif "ball" with `pen` in `colors`; `rng` varies it."""
    for step in range(5):
        pen.disc(colors.accent, -90 + 12 * step, 80 - 18 * step, 8 + 4 * step)
    pen.disc(colors.ink, 10, -16, 76)
    pen.disc(colors.light, 10, -16, 70)
    pen.star(colors.ink, 10, -16, 26, 5, 81, rng.randrange(360))
    for degrees in range(18, 378, 72):
        dx, dy = spoke(62, degrees)
        pen.line(colors.ink, 3, [(10, -16), (10 + dx, -16 + dy)])
        pen.star(colors.ink, 10 + dx * 9 // 10, -16 + dy * 9 // 10, 15, 5, 81, degrees)


def guitar(pen, colors, rng):
    """Draws the motif "guitar" with `pen` in `colors`; `rng` varies it."""
    for radius in (104, 84, 64):
        pen.disc(colors.light if radius == 84 else colors.accent, 0, 20, radius)
    pen.line(colors.ink, 11, "0,20 44,-92")
    pen.polygon(colors.ink, "36,-84 56,-76 64,-106 46,-112")
    pen.disc(colors.ink, -22, 60, 46)
    pen.disc(colors.ink, 4, 16, 32)
    pen.disc(colors.light, -8, 36, 13)
    for _ in range(4):
        note = pen.inner(rng.randrange(-100, 100), rng.randrange(-90, 0), 16)
        note.disc(colors.ink, 0, 60, 40, 30)
        note.line(colors.ink, 14, "34,56 34,-70 90,-40")


def newspaper(pen, colors, rng):
    """Draws the motif "newspaper" with `pen` in `colors`; `rng` varies it."""
    pen.polygon(colors.ink, "-88,-84 92,-96 104,92 -76,104")
    pen.polygon((240, 238, 230), "-94,-90 86,-102 98,86 -82,98")
    pen.polygon(colors.accent, "-84,-78 78,-88 79,-62 -82,-52")
    for y in range(-40, 84, 12):
        pen.line((120, 118, 112), 3, [(-80, y + 4), (rng.randrange(-30, -6), y + 1)])
        if y > 30 or y < -30:
            pen.line((120, 118, 112), 3, [(6, y), (rng.randrange(50, 84), y - 4)])
    pen.polygon(colors.ink, "4,-26 80,-31 84,22 7,27")
    pen.disc(colors.light, 44, -4, 15)


def clapperboard(pen, colors, rng):
    """Draws the motif "clapperboard" with `pen` in `colors`; `rng` varies it."""
    pen.polygon(colors.ink, "-84,-20 84,-20 84,84 -84,84")
    for left in range(-84, 84, 42):
        pen.polygon(colors.light, [(left, -22), (left + 21, -22), (left + 9, -40), (left - 12, -40)])
        pen.polygon(colors.accent, [(left + 4, -50), (left + 24, -56), (left + 16, -76), (left - 4, -70)])
    for y in (10, 34, 58):
        pen.line(colors.light, 4, [(-66, y), (rng.randrange(10, 66), y)])
