"""Drawn everyday pictures that are no posters."""

from PIL import Image, ImageDraw

from poster_cnn.datasets.embedded.pen import Pen

_SIZE = (512, 384)


def _mug(pen):
    pen.ground((150, 102, 66), 40)
    pen.disc((226, 226, 220), 8, 66, 104, 16)
    pen.disc((196, 62, 54), 66, 8, 34, 36)
    pen.disc((232, 214, 188), 66, 8, 20, 22)
    pen.box((196, 62, 54), -56, -46, 56, 62)
    pen.disc((196, 62, 54), 0, 62, 56, 12)
    pen.disc((214, 84, 74), 0, -46, 56, 13)
    pen.disc((64, 36, 24), 0, -46, 48, 9)
    for x in (-22, 2, 26):
        pen.line((246, 240, 232), 3, [(x, -66), (x + 8, -80), (x, -94), (x + 8, -108)])


def _cat(pen):
    pen.ground((116, 146, 92), 60)
    fur, dark = (216, 150, 84), (60, 42, 34)
    pen.line(fur, 14, "52,76 96,60 104,20 90,-4")
    pen.disc(fur, 0, 52, 62, 48)
    pen.disc(fur, 0, -24, 52, 46)
    for side in (-1, 1):
        pen.polygon(fur, [(14 * side, -60), (50 * side, -96), (52 * side, -30)])
        pen.polygon((236, 176, 150), [(24 * side, -62), (44 * side, -82), (46 * side, -46)])
        pen.disc((150, 190, 90), 20 * side, -30, 11)
        pen.disc(dark, 20 * side, -30, 4, 10)
        pen.disc(fur, 24 * side, 92, 20, 11)
        for dy in (-8, 0, 8):
            pen.line(dark, 1, [(14 * side, -6 + dy // 2), (70 * side, -8 + dy)])
    pen.polygon((206, 100, 96), "-8,-14 8,-14 0,-4")


def _house(pen):
    pen.ground((122, 172, 88), 50)
    pen.disc((252, 220, 96), 130, -92, 24)
    pen.box((238, 224, 196), -80, -30, 50, 66)
    pen.polygon((168, 70, 54), "-96,-28 -15,-96 66,-28")
    pen.box((110, 72, 52), -32, 10, 0, 66)
    for x in (-68, 12):
        pen.box((140, 190, 216), x, -10, x + 26, 16)
    pen.box((104, 74, 50), 106, 0, 118, 66)
    for x, y in ((112, -30), (90, -8), (136, -6)):
        pen.disc((72, 132, 66), x, y, 34)


def _fruit(pen):
    pen.ground((206, 190, 164), 30)
    pen.disc((240, 240, 236), 0, 60, 130, 30)
    pen.disc((226, 226, 220), 0, 58, 104, 22)
    pen.disc((198, 48, 48), -44, 24, 38)
    pen.disc((238, 146, 44), 34, 28, 36)
    pen.disc((122, 166, 64), -4, -14, 36)
    pen.line((92, 66, 40), 4, "-4,-46 2,-62")
    pen.line((92, 66, 40), 4, "-44,-10 -50,-26")
    pen.polygon((84, 140, 60), "2,-56 30,-72 24,-52")


def draw_everyday():
    """Draws a few pictures of everyday things.

    Returns:
        Dict from name to `PIL.Image.Image`, RGB, 512 wide and 384 high.
    """
    walls = {"mug": (232, 214, 188), "cat": (168, 206, 226), "house": (150, 204, 238), "fruit": (176, 196, 200)}
    drawings = {"mug": _mug, "cat": _cat, "house": _house, "fruit": _fruit}
    images = {}
    for name, drawing in drawings.items():
        canvas = Image.new("RGB", (2 * _SIZE[0], 2 * _SIZE[1]), walls[name])
        drawing(Pen(ImageDraw.Draw(canvas), (_SIZE[0], _SIZE[1] - 10), 330))
        images[name] = canvas.reduce(2)
    return images
