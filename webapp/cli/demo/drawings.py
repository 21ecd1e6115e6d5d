"""Pictures that the people of the sample data send each other: flat scenes in a few colours, the same at every run."""

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageDraw

from webapp.cli.demo.faces import Pen

# In units of the pen, as faces are; a landscape of 1280 by 960 pixels.
WIDTH, HEIGHT, SCALE = 160, 120, 8

Draw = Callable[[Pen], None]


def draw_scene(name: str) -> bytes:
    """Return one of SCENES as a PNG."""
    ground, layers = SCENES[name]
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), ground)
    pen = Pen(ImageDraw.Draw(image))
    for layer in layers:
        layer(pen)
    encoded = BytesIO()
    image.save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _sun(pen: Pen) -> None:
    pen.ellipse((118, 14, 138, 34), "#f6c667")


def _hills(pen: Pen) -> None:
    pen.ellipse((-30, 62, 90, 160), "#8fb38a")
    pen.ellipse((50, 56, 210, 180), "#6d9a72")


def _sea(pen: Pen) -> None:
    pen.block((0, 62, WIDTH, HEIGHT), 0, "#4f9cae")
    for row, left in enumerate((12, 70, 34, 104, 56)):
        pen.block((left, 70 + row * 9, left + 34, 71.6 + row * 9), 0.8, "#8cc5cf")


def _boat(pen: Pen) -> None:
    pen.chord((52, 52, 96, 84), 0, 180, "#984607")
    pen.line((74, 68, 74, 26), "#3a241a", 1.2)
    for place in range(72):
        pen.line((75, 28 + place / 2, 75 + place * 0.3, 28 + place / 2), "#fdf6ec", 0.7)


def _bed(pen: Pen) -> None:
    pen.block((10, 92, 150, 116), 3, "#5b3a22")
    for place in range(6):
        stem = 26 + place * 22
        pen.line((stem, 94, stem, 58 - place % 2 * 8), "#3c6b55", 1.6)
        for height in (62, 72, 82):
            pen.ellipse((stem - 7, height - 3, stem - 1, height + 2), "#4f8a5b")
            pen.ellipse((stem + 1, height, stem + 7, height + 5), "#4f8a5b")


def _tomatoes(pen: Pen) -> None:
    for place in range(6):
        stem = 26 + place * 22
        for left, height in ((-5, 68), (2, 76), (-4, 84))[: 1 + place % 3]:
            pen.ellipse((stem + left, height, stem + left + 7, height + 7), "#c2553d")


def _table(pen: Pen) -> None:
    pen.block((0, 60, WIDTH, HEIGHT), 0, "#c9a05a")
    for line in (74, 92, 110):
        pen.line((0, line, WIDTH, line), "#b98a46", 0.8)


def _loaf(pen: Pen) -> None:
    pen.ellipse((34, 92, 128, 106), "#9b7740")
    pen.chord((38, 40, 124, 140), 180, 360, "#a8632f")
    pen.block((38, 88, 124, 98), 4, "#8a4f24")
    for place in range(4):
        pen.arc((50 + place * 15, 50, 70 + place * 15, 90), 190, 270, "#f2dcb8", 2.4)


# The colour behind each scene, and what is drawn over it.
SCENES: dict[str, tuple[str, tuple[Draw, ...]]] = {
    "sea": ("#d9e9f2", (_sun, _sea, _boat)),
    "garden": ("#e7f0ea", (_sun, _hills, _bed, _tomatoes)),
    "bread": ("#f4ead0", (_table, _loaf)),
}
