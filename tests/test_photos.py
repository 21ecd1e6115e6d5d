"""Pictures of messages: what is shown of each, and that what was made to do harm does none."""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from webapp.core.errors import Invalid
from webapp.media.images import Photo, process_photo

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 60)
PICTURES = "Only PNG, JPEG, WebP and GIF pictures can be used."
PIXELS = "That picture has too many pixels; 25 million are the most."
DAMAGED = "That picture is damaged or not all there. Send it again, or another."
COMPLICATED = "That picture is too complicated. Save a copy with a picture program, and try that."


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def striped(size: tuple[int, int]) -> Image.Image:
    """Red at the left third, else green."""
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, (0, 0, size[0] // 3, size[1]))
    return image


async def made_of(content: bytes, folder: Path) -> Photo:
    (folder / "sent").write_bytes(content)
    return await process_photo(folder / "sent")


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def is_near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...]) -> bool:
    pixel = image.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 24 for one, other in zip(pixel, colour, strict=True))


# What is shown.


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_a_small_picture_is_shown_in_its_own_size(kind: str, tmp_path: Path) -> None:
    photo = await made_of(encoded(striped((300, 90)), kind), tmp_path)
    assert photo[:2] == (300, 90) == photo[4:]
    for content in (photo.whole, photo.thumb):
        image = opened(content)
        assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (300, 90))
        assert is_near(image, (20, 45), RED)
        assert is_near(image, (280, 45), GREEN)


@pytest.mark.parametrize(
    ("size", "whole", "thumb"),
    [
        ((2400, 1200), (2048, 1024), (480, 240)),
        ((481, 2), (481, 2), (480, 2)),
        ((30_000, 3), (2048, 1), (480, 1)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
async def test_a_large_one_is_made_to_fit(
    size: tuple[int, int], whole: tuple[int, int], thumb: tuple[int, int], tmp_path: Path
) -> None:
    photo = await made_of(encoded(Image.new("RGB", size, GREEN), "PNG"), tmp_path)
    assert (photo[:2], photo[4:]) == (whole, thumb)
    assert (opened(photo.whole).size, opened(photo.thumb).size) == (whole, thumb)


@pytest.mark.parametrize(("size", "progressive"), [((8064, 6048), False), ((4032, 3024), True)])
async def test_a_photo_of_a_phone_stands_upright_without_what_its_camera_noted(
    size: tuple[int, int], progressive: bool, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Secret Camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.5)})
    options = {"xmp": b"<x:xmpmeta>Secret Place</x:xmpmeta>", "comment": b"Secret Words", "progressive": progressive}
    content = encoded(striped(size).convert("L"), "JPEG", exif=exif, **options)
    photo = await made_of(content, tmp_path)
    assert photo[:2] == (1536, 2048)
    image = opened(photo.whole).convert("L")
    above, below = (image.getpixel((700, y)) for y in (100, 1900))
    assert above != below, "red at the left as stored is above"
    for stored in (photo.whole, photo.thumb):
        assert not re.search(b"Secret|EXIF|Exif|XMP |ICCP|xmpmeta", stored)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
async def test_what_is_transparent_stays_so(kind: str, tmp_path: Path) -> None:
    drawing = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    drawing.paste((*BLUE, 255), (0, 0, 32, 64))
    photo = await made_of(encoded(drawing, kind), tmp_path)
    for content in (photo.whole, photo.thumb):
        image = opened(content)
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (0, 255)
        assert is_near(image, (8, 32), BLUE)
    opaque = await made_of(encoded(Image.new("RGBA", (64, 64), (*BLUE, 255)), "PNG"), tmp_path)
    assert opened(opaque.whole).mode == "RGB"


async def test_of_an_animation_the_first_picture_is_shown(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (80, 80), colour) for colour in (GREEN, RED, BLUE)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    photo = await made_of(content, tmp_path)
    assert is_near(opened(photo.whole), (40, 40), GREEN)
    assert getattr(opened(photo.whole), "n_frames", 1) == 1


# What was made to do harm. After each the child, or another, makes the next picture as ever.


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, rows: bytes | None = None) -> bytes:
    """A PNG of one bit a pixel, as large as it says, with more chunks in it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9) if rows is None else rows
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    whole = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    whole[6:10] = struct.pack("<HH", width, height)
    return bytes(whole)


def webp(width: int, height: int) -> bytes:
    """An animation whose canvas is as large as this, of pictures that are small."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    whole = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    canvas = whole.index(b"VP8X") + 12
    whole[canvas : canvas + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(whole)


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there so many times."""
    content = encoded(Image.frombytes("RGB", (16, 16), os.urandom(768)), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * count + content[-2:]


def zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil.class", "evil")
    return file.getvalue()


def half(kind: str) -> bytes:
    whole = encoded(Image.frombytes("RGB", (99, 99), os.urandom(99 * 99 * 3)), kind)
    return whole[: len(whole) // 2]


TEXT_BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 * 2**20), 1))
PROFILE_BOMB = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(200 * 2**20), 1))
HARM: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "a PNG of 400 megapixels": (lambda: png(20_000, 20_000), (PIXELS,)),
    "a PNG of 2**62 pixels": (lambda: png(2**31 - 1, 2**31 - 1, rows=zlib.compress(b"")), (PIXELS,)),
    "a PNG without pixels": (lambda: png(0, 0, rows=zlib.compress(b"")), (PICTURES, DAMAGED)),
    "a PNG whose rows never end": (lambda: png(8, 8, rows=zlib.compress(bytes(100 * 2**20), 9)), ()),
    "a text of 200 MB in a PNG": (lambda: png(8, 8, TEXT_BOMB), (DAMAGED, PICTURES)),
    "a profile of 200 MB in a PNG": (lambda: png(8, 8, PROFILE_BOMB), (DAMAGED, PICTURES)),
    "a GIF of 4,294 megapixels": (lambda: gif(65_535, 65_535), (PIXELS,)),
    "a WebP of 268 megapixels": (lambda: webp(16_383, 16_383), (PIXELS, PICTURES)),
    "a JPEG of 300,000 scans": (lambda: scans(300_000), (COMPLICATED,)),
    "an SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', (PICTURES,)),
    "an SVG behind a mark": (lambda: b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", (PICTURES,)),
    "a page": (lambda: b"<!doctype html><script>alert(1)</script>", (PICTURES,)),
    "a page that begins as a GIF": (lambda: b"GIF89a/*<script>alert(1)</script>*/", (PICTURES, DAMAGED, PIXELS)),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run", (PICTURES,)),
    "nothing": (lambda: b"", ("That file is empty.",)),
    "half a PNG": (lambda: half("PNG"), (DAMAGED,)),
    "half a JPEG": (lambda: half("JPEG"), (DAMAGED,)),
    "half a WebP": (lambda: half("WEBP"), (DAMAGED, PICTURES)),
    "half a GIF": (lambda: half("GIF"), (DAMAGED,)),
}


@pytest.mark.parametrize("what", HARM)
async def test_what_was_made_to_do_harm_is_refused_in_plain_words(what: str, tmp_path: Path) -> None:
    content, sentences = HARM[what]
    if sentences:
        with pytest.raises(Invalid) as refused:
            await made_of(content(), tmp_path)
        assert list(refused.value.problems) == ["file"]
        assert str(refused.value.problems["file"]) in sentences
    else:
        assert (await made_of(content(), tmp_path))[:2] == (8, 8)
    assert (await made_of(encoded(striped((9, 9)), "PNG"), tmp_path))[:2] == (9, 9)


TWO_IN_ONE: dict[str, Callable[[], bytes]] = {
    "a PNG that is also a ZIP": lambda: encoded(striped((64, 64)), "PNG") + zipped(),
    "a GIF that is also a page": lambda: encoded(striped((64, 64)), "GIF") + b"<ScRiPt>alert(1)</script>",
    "a JPEG with a program in it": lambda: encoded(striped((64, 64)), "JPEG", comment=b"<?php alert(); ?>"),
    "a GIF that is also a PDF": lambda: encoded(striped((64, 64)), "GIF", comment=b"%PDF-1.4"),
}


@pytest.mark.parametrize("what", TWO_IN_ONE)
async def test_of_a_file_that_is_also_something_else_only_the_pixels_are_stored(what: str, tmp_path: Path) -> None:
    photo = await made_of(TWO_IN_ONE[what](), tmp_path)
    for stored in (photo.whole, photo.thumb):
        assert stored[8:12] == b"WEBP"
        assert not re.search(rb"(?i)alert|<\?php|%PDF|evil", stored)
        assert not zipfile.is_zipfile(BytesIO(stored))


async def test_a_file_that_is_not_there_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Invalid):
        await process_photo(tmp_path / "never-sent")
    assert "FileNotFoundError" in caplog.text
