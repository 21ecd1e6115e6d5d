"""Portraits for the people of the sample data: flat shapes in a few colours, each drawn by chance."""

import random
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw

# Drawn on a square of 80 units at more than twice the size of the largest picture, so that edges come out smooth.
UNITS, SCALE = 80, 8

Colour = str
Box = tuple[float, float, float, float]

SKINS = ("#f6d3b3", "#f2c6a0", "#e3ac80", "#c98d5f", "#a86f45", "#8a5636", "#6d4128")
HAIRS = ("#1f1a18", "#3a241a", "#5b3a22", "#7b3f1d", "#a8632f", "#c9a05a", "#9a9691", "#e7e2da", "#7a2f2a")
CLOTHES = ("#0a6074", "#984607", "#3c6b55", "#7a3b5f", "#c2553d", "#35528f", "#b98a2e", "#4a4f57", "#6a8f3c")
GROUNDS = ("#f6d9b8", "#dcebec", "#e6e0f3", "#f9e1dc", "#dfeddb", "#f4ead0", "#d9e4f5", "#f3dfea")
INK = "#1d1410"


class Look(NamedTuple):
    """The colours of a portrait."""

    ground: Colour
    skin: Colour
    hair: Colour
    clothes: Colour


def draw_face(chance: random.Random) -> bytes:
    """Return a portrait as a PNG of 640 pixels a side; the same one for the same state of `chance`."""
    look = Look(*(chance.choice(colours) for colours in (GROUNDS, SKINS, HAIRS, CLOTHES)))
    image = Image.new("RGB", (UNITS * SCALE, UNITS * SCALE), look.ground)
    pen = Pen(ImageDraw.Draw(image))
    style = chance.choice(STYLES)
    style.behind(pen, look)
    _draw_body(pen, look)
    style.over(pen, look)
    _draw_features(pen, look, chance, may_have_beard=style.may_have_beard)
    encoded = BytesIO()
    image.save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


class Pen:
    """ImageDraw in units of the portrait."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def ellipse(self, box: Box, colour: Colour) -> None:
        self._draw.ellipse([edge * SCALE for edge in box], fill=colour)

    def chord(self, box: Box, start: float, end: float, colour: Colour) -> None:
        """Fill an ellipse's part between two angles, in degrees clockwise from three o'clock."""
        self._draw.chord([edge * SCALE for edge in box], start, end, fill=colour)

    def block(self, box: Box, radius: float, colour: Colour) -> None:
        self._draw.rounded_rectangle([edge * SCALE for edge in box], radius * SCALE, fill=colour)

    def arc(self, box: Box, start: float, end: float, colour: Colour, width: float) -> None:
        self._draw.arc([edge * SCALE for edge in box], start, end, fill=colour, width=round(width * SCALE))

    def line(self, box: Box, colour: Colour, width: float) -> None:
        self._draw.line([edge * SCALE for edge in box], fill=colour, width=round(width * SCALE))


def _shade(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker by the factor."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part * factor):02x}" for part in parts)


def _draw_body(pen: Pen, look: Look) -> None:
    pen.ellipse((9, 60, 71, 122), look.clothes)
    pen.block((33, 46, 47, 66), 6, _shade(look.skin, 0.9))
    pen.chord((31, 54, 49, 70), 0, 180, _shade(look.skin, 0.9))
    pen.ellipse((22, 35, 28, 46), look.skin)
    pen.ellipse((52, 35, 58, 46), look.skin)
    pen.ellipse((25, 21, 55, 59), look.skin)


def _draw_features(pen: Pen, look: Look, chance: random.Random, may_have_beard: bool) -> None:
    if may_have_beard and chance.random() < 0.4:
        pen.chord((25, 27, 55, 60), 10, 170, look.hair)
        pen.ellipse((33, 45, 47, 52), look.skin)
    brow = _shade(look.hair, 0.8) if look.hair > "#8" else look.hair
    for centre in (33.5, 46.5):
        pen.ellipse((centre - 1.7, 39.5, centre + 1.7, 42.9), INK)
        pen.arc((centre - 4, 34.5, centre + 4, 41), 215, 325, brow, 1.2)
    pen.arc((38, 41, 43, 46), 20, 130, _shade(look.skin, 0.75), 1.2)
    smile = chance.uniform(3, 6)
    pen.arc((40 - smile, 43.5, 40 + smile, 51), 25, 155, _shade(look.skin, 0.55), 1.7)
    if chance.random() < 0.25:
        for centre in (33.5, 46.5):
            pen.arc((centre - 5.2, 36, centre + 5.2, 46.4), 0, 360, INK, 1)
        pen.line((38.6, 40.4, 41.4, 40.4), INK, 1)


class Style(NamedTuple):
    """How the hair is worn: what lies behind the head, and what over it."""

    shapes_behind: tuple[Box, ...] = ()
    shapes_over: tuple[tuple[Box, float, float], ...] = ()
    is_cloth: bool = False
    may_have_beard: bool = False

    def behind(self, pen: Pen, look: Look) -> None:
        for box in self.shapes_behind:
            pen.block(box, min(15, (box[2] - box[0]) / 2), self._colour(look))

    def over(self, pen: Pen, look: Look) -> None:
        for box, start, end in self.shapes_over:
            pen.chord(box, start, end, self._colour(look))

    def _colour(self, look: Look) -> Colour:
        return _shade(look.clothes, 0.8) if self.is_cloth else look.hair


STYLES = (
    Style(shapes_over=(((23, 16, 57, 50), 190, 350),), may_have_beard=True),  # short
    Style(shapes_over=(((23, 15, 53, 41), 170, 330), ((36, 17, 57, 40), 250, 20)), may_have_beard=True),  # parted
    Style(shapes_over=(((24, 18, 56, 50), 205, 335),), may_have_beard=True),  # shorn
    Style(shapes_behind=((20, 15, 60, 70),), shapes_over=(((25, 15, 55, 42), 175, 365),)),  # long
    Style(shapes_behind=((21, 15, 59, 54),), shapes_over=(((24, 14, 56, 45), 178, 362),)),  # bob
    Style(shapes_behind=((32, 5, 48, 22), (23, 15, 57, 40)), shapes_over=(((24, 16, 56, 42), 182, 358),)),  # bun
    Style(shapes_behind=((15, 10, 65, 52),), shapes_over=(((24, 15, 56, 42), 180, 360),)),  # curls
    Style(shapes_behind=((19, 13, 61, 74),), shapes_over=(((23, 13, 57, 45), 178, 362),), is_cloth=True),  # scarf
    Style(
        shapes_over=(((22, 11, 58, 47), 180, 360), ((20, 26, 60, 32), 0, 360)), is_cloth=True, may_have_beard=True
    ),  # cap
)
