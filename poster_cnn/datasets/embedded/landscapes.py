"""Motifs with a horizon: `motif(pen, colors, rng)` draws one in the box of `pen`, with chance taken from `rng`."""

from poster_cnn.datasets.embedded.pen import person


def _bat(pen, color, x, y, percent):
    shape = "0,-10 12,-34 16,-12 60,-44 100,0 66,-8 50,16 26,4 0,34 -26,4 -50,16 -66,-8 -100,0 -60,-44 -16,-12 -12,-34"
    pen.inner(x, y, percent).polygon(color, shape)


def haunted_house(pen, colors, rng):
    """Draws the motif "haunted house" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.light, 34, -42, 44)
    for _ in range(rng.randrange(2, 5)):
        _bat(pen, colors.ink, rng.randrange(-80, 60), rng.randrange(-95, -40), rng.randrange(10, 20))
    pen.polygon(colors.ink, "-260,104 -160,92 -90,78 -40,66 30,64 90,80 160,94 260,104")
    pen.polygon(
        colors.ink, "-50,80 -50,-6 -60,-2 -34,-40 -12,-12 -12,-56 -20,-54 2,-98 24,-54 16,-56 20,-8 52,4 44,6 44,80"
    )
    windows = [
        "-40,6 -26,2 -26,24 -40,26",
        "-4,-40 8,-42 8,-22 -4,-20",
        "22,18 34,20 34,42 22,40",
        "-6,44 8,44 8,80 -6,80",
    ]
    for window in windows:
        if rng.random() < 0.8:
            pen.polygon(colors.accent, window)


def lone_tree(pen, colors, rng):
    """Draws the motif "lone tree" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.light, -46, -46, 26)
    pen.polygon(colors.ink, "-260,104 -200,84 -40,66 50,70 170,86 260,104")
    pen.polygon(colors.ink, "28,74 34,10 30,-30 38,-30 44,6 52,74")
    for x, y in ((0, -8), (70, -22), (-8, -46), (84, -60), (40, -74), (22, -50), (62, 2)):
        pen.line(colors.ink, 3, [(38, 12), (x, y)])
        pen.disc(colors.accent if rng.random() < 0.4 else colors.ink, x, y, rng.randrange(14, 26))
    person(pen, colors.ink, -48, 80, rng.randrange(50, 74))


def skyline(pen, colors, rng):
    """Draws the motif "skyline" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    x = -230
    while x < 230:
        wide, top = rng.randrange(22, 44), rng.randrange(-70, 40)
        pen.box(colors.ink, x, top, x + wide, 104)
        for y in range(top + 8, 90, 14):
            for left in range(x + 5, x + wide - 6, 9):
                if rng.random() < 0.35:
                    pen.box(colors.light, left, y, left + 4, y + 7)
        x += wide + rng.randrange(0, 5)
    pen.box(colors.ink, -300, 90, 300, 104)
    person(pen, colors.accent, rng.randrange(-40, 40), 104, rng.randrange(84, 110), rng.choice(("stand", "aim")))


def mountains(pen, colors, rng):
    """Draws the motif "mountains" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.accent, rng.randrange(-30, 50), -44, 46)
    for _ in range(4):
        x, y = rng.randrange(-90, 80), rng.randrange(-90, -40)
        pen.line(colors.ink, 2, [(x - 9, y - 5), (x, y), (x + 9, y - 5)])
    pen.polygon(colors.ink, "-260,104 -170,30 -140,56 -96,0 -66,34 -14,-52 40,24 72,-14 130,60 170,20 260,104")
    pen.polygon(colors.light, "-14,-52 -34,-18 -22,-24 -12,-12 0,-24 10,-18")
    pen.polygon(colors.light, "72,-14 56,5 66,4 74,12 88,8")
    pen.polygon(colors.accent, "-8,104 -20,74 14,58 0,40 4,40 28,58 4,76 40,104")
    person(pen, colors.light, -56, 98, rng.randrange(44, 62), rng.choice(("cheer", "stand", "hold")))


def sailing_ship(pen, colors, rng):
    """Draws the motif "sailing ship" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 98)
    pen.disc(colors.light, 20, -30, 70)
    pen.line(colors.ink, 4, "0,-96 0,40")
    pen.polygon(colors.accent, "6,-88 64,-20 60,24 6,28")
    pen.polygon(colors.ink, "-6,-72 -60,20 -6,28")
    pen.polygon(colors.accent, "0,-96 -26,-90 0,-84")
    pen.polygon(colors.ink, "-84,34 88,34 62,72 -56,72")
    for row, color in ((66, colors.accent), (82, colors.ink)):
        for x in range(-270, 271, 30):
            pen.disc(color, x + rng.randrange(-4, 5), row + 18, 22, 18)


def rocket_launch(pen, colors, rng):
    """Draws the motif "rocket launch" with `pen` in `colors`; `rng` varies it."""
    stars(pen, colors.light, rng, 30)
    pen.disc(colors.accent, -40, 36, 62)
    pen.disc(colors.ink, -30, 42, 52)
    pen.line(colors.light, 5, "-132,66 -90,54 -20,22 52,-12")
    ship = pen.inner(52, -40, rng.randrange(44, 60))
    ship.polygon(colors.light, "0,-100 28,-50 28,50 -28,50 -28,-50")
    ship.polygon(colors.accent, "28,10 60,60 28,50")
    ship.polygon(colors.accent, "-28,10 -60,60 -28,50")
    ship.disc(colors.ink, 0, -30, 14)
    ship.polygon((255, 170, 60), "-20,52 20,52 0,120")


def saucer(pen, colors, rng):
    """Draws the motif "saucer" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    stars(pen, colors.light, rng, 24)
    pen.polygon(colors.light, "-30,-34 30,-34 84,96 -84,96")
    pen.disc(colors.ink, 0, -46, 84, 24)
    pen.disc(colors.accent, 0, -60, 38, 28)
    for x in range(-60, 61, 30):
        pen.disc(colors.light, x, -42, 6)
    pen.polygon(colors.ink, "-260,104 -160,90 -60,84 60,88 150,92 260,104")
    person(pen, colors.ink, rng.randrange(-20, 20), 90, rng.randrange(42, 60), "cheer")


def castle(pen, colors, rng):
    """Draws the motif "castle" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.accent, 102)
    pen.disc(colors.light, rng.randrange(-40, 40), -52, 40)
    pen.polygon(colors.accent, "-260,104 -130,66 -40,44 60,50 160,76 260,104")
    for x, top, wide in ((-56, -14, 15), (0, -52, 18), (52, -28, 15), (-28, 14, 14), (28, 8, 14)):
        pen.box(colors.ink, x - wide, top, x + wide, 76)
        pen.polygon(colors.accent, [(x - wide - 5, top), (x + wide + 5, top), (x, top - 3 * wide)])
        pen.box(colors.light, x - 4, top + 14, x + 4, top + 26)
    pen.box(colors.ink, -70, 30, 70, 80)
    pen.disc(colors.light, 0, 62, 11, 20)


def little_house(pen, colors, rng):
    """Draws the motif "little house" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.light, 70, -70, 28)
    pen.polygon(colors.ink, "-260,104 -170,74 -60,54 60,56 160,72 260,104")
    pen.box(colors.light, -46, -10, 50, 66)
    pen.polygon(colors.accent, "-60,-8 2,-62 64,-8")
    pen.box(colors.ink, -8, 24, 16, 66)
    pen.box(colors.accent, -36, 8, -18, 28)
    for x, high in ((-88, 70), (-66, 46), (80, 50)):
        person(
            pen,
            rng.choice((colors.ink, colors.accent)),
            x,
            92,
            high,
            rng.choice(("cheer", "stand")),
            skin=(236, 196, 164),
        )
    for _ in range(3):
        x, y = rng.randrange(-110, -10), rng.randrange(-96, -44)
        pen.line(colors.ink, 1, [(x, y), (x + 6, y + 40)])
        pen.disc(rng.choice((colors.accent, colors.light)), x, y, 12, 15)


def battlefield(pen, colors, rng):
    """Draws the motif "battlefield" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.accent, 20, 10, 60)
    for _ in range(3):
        plane = pen.inner(rng.randrange(-90, 80), rng.randrange(-100, -40), rng.randrange(14, 26))
        plane.polygon(
            colors.ink, "-100,0 -70,-12 -10,-10 10,-70 26,-70 24,-8 90,0 24,10 26,60 10,60 -10,10 -70,8 -84,36 -98,36"
        )
    pen.polygon(colors.ink, "-260,104 -200,72 -70,62 0,72 80,60 190,74 260,104")
    for x in (-86, -40, 8):
        person(pen, colors.ink, x + rng.randrange(-6, 7), 78, rng.randrange(50, 72), rng.choice(("aim", "run")))
    pen.polygon(colors.ink, "50,66 56,46 74,44 78,32 100,32 104,44 124,48 130,66")
    pen.line(colors.ink, 4, "80,38 40,30")


def temple(pen, colors, rng):
    """Draws the motif "temple" with `pen` in `colors`; `rng` varies it."""
    pen.disc(colors.accent, 0, -30, 74)
    pen.polygon(colors.ink, "-96,-28 0,-78 96,-28")
    pen.box(colors.ink, -90, -24, 90, -12)
    for x in range(-76, 77, 38):
        pen.box(colors.light, x - 9, -12, x + 9, 70)
        pen.box(colors.ink, x - 13, -12, x + 13, -5)
    for step, y in enumerate((70, 80, 90)):
        pen.box((colors.ink, colors.light)[step % 2], -96 - 12 * step, y, 96 + 12 * step, y + 12)
    person(pen, colors.ink, rng.randrange(-50, 50), 90, rng.randrange(50, 70), "hold")


def desert(pen, colors, rng):
    """Draws the motif "desert" with `pen` in `colors`; `rng` varies it."""
    pen.ground(colors.ink, 102)
    pen.disc(colors.light, rng.randrange(-20, 40), -6, 62)
    pen.polygon(colors.accent, "-260,60 -120,60 -112,6 -60,6 -50,60 36,60 44,24 96,24 108,60 260,60 260,104 -260,104")
    pen.polygon(colors.ink, "-260,104 -180,80 -40,70 60,80 180,72 260,104")
    pen.line(colors.ink, 9, "72,84 72,-20")
    pen.line(colors.ink, 7, "72,44 48,40 48,10")
    pen.line(colors.ink, 7, "72,30 96,26 96,-6")
    person(pen, colors.ink, -44, 92, rng.randrange(90, 120), rng.choice(("stand", "aim")))


def stars(pen, color, rng, count):
    """Scatters `count` small stars over the box and beyond."""
    for _ in range(count):
        pen.disc(color, rng.randrange(-140, 140), rng.randrange(-130, 110), rng.randrange(1, 3))
