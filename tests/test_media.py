"""Pictures: what is taken and what is refused, what is kept of them, and that nothing is left behind."""

import asyncio
import os
import re
import struct
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Collection
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image, ImageCms

from tests.conftest import Person, person
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.core.errors import Invalid, Unavailable
from webapp.http.forms import MAX_BODY_BYTES, Upload
from webapp.media import images, pixels, store
from webapp.media.sizes import Refused
from webapp.media.store import picture_store

FORM = "/settings/profile"
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 60)
YELLOW = (200, 180, 30)
NAMES = {"PNG": "me.png", "JPEG": "me.jpg", "WEBP": "me.webp", "GIF": "me.gif"}
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "svg": "image/svg+xml"}
BOUNDARY = "picture-boundary"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the pictures of each test."""
    monkeypatch.setattr(store, "FOLDER", tmp_path / "pictures")
    return tmp_path / "pictures"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(kind: str = "PNG", colour: tuple[int, ...] = RED, size: tuple[int, int] = (300, 200)) -> bytes:
    return encoded(Image.new("RGB", size, colour), kind)


def striped(width: int = 400, height: int = 200) -> Image.Image:
    """Red at the left, green in the middle square, blue at the right."""
    image = Image.new("RGB", (width, height), GREEN)
    edge = (width - height) // 2
    image.paste(RED, (0, 0, edge, height))
    image.paste(BLUE, (width - edge, 0, width, height))
    return image


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))


def upload(content: bytes) -> Upload:
    return Upload(len(content), content)


async def large(content: bytes) -> Image.Image:
    picture = await images.process_image(upload(content))
    return Image.open(BytesIO(picture.sizes[images.LARGE]))


def is_near(pixel: object, colour: tuple[int, ...]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 24 for one, other in zip(pixel, colour, strict=True))


async def send(
    person: Person, content: bytes | None, name: str = "me.png", declared: str | None = None, **fields: str
) -> httpx2.Response:
    """The form of the profile as a browser sends it."""
    assert person.user
    declared = TYPES.get(name.rpartition(".")[2], "") if declared is None else declared
    fields = {"display_name": person.user.display_name, "bio": "", **fields}
    files = {"picture": (name, content, declared)} if content is not None else {"picture": ("", b"", "")}
    return await person.client.post(FORM, data=fields, files=files)


async def picture_of(person: Person) -> str | None:
    assert person.user
    return (await User.get(id=person.user.id)).picture


def problem(answer: httpx2.Response) -> str:
    """What stands beside the field of the picture."""
    found = re.search(r'<p class="field__problem" id="picture-note">(.+?)</p>', answer.text)
    return found[1].replace("&#39;", "'") if found else ""


# What is taken.


@pytest.mark.parametrize("kind", NAMES)
async def test_a_picture_is_made_small_stored_and_shown(alice: Person, bob: Person, folder: Path, kind: str) -> None:
    answer = await send(alice, encoded(striped(), kind), NAMES[kind])
    assert (answer.status_code, answer.headers["location"]) == (303, f"{FORM}?done=profile")
    digest = await picture_of(alice)
    assert digest
    assert re.fullmatch("[0-9a-f]{32}", digest)
    assert sorted(path.name for path in folder.iterdir()) == [f"{digest}-96.webp", f"{digest}.webp"]
    for address, size in ((f"/pictures/{digest}.webp", 256), (f"/pictures/{digest}-96.webp", 96)):
        served = await bob.get(address)
        image = Image.open(BytesIO(served.content))
        assert (image.format, image.size, image.mode) == ("WEBP", (size, size), "RGB")
        assert is_near(image.getpixel((4, size // 2)), GREEN), "the middle is shown, not the edges"
        assert is_near(image.getpixel((size - 4, size // 2)), GREEN)
    assert f'src="/pictures/{digest}.webp"' in (await alice.get(FORM)).text


async def test_a_picture_stands_wherever_the_person_is_named(alice: Person, bob: Person, room: Room) -> None:
    await send(alice, plain())
    await alice.say(room, "Tea?")
    source = f'src="/pictures/{await picture_of(alice)}-96.webp">'
    face = f'<img class="avatar__picture" alt=" " width="36" height="36" loading="lazy" decoding="async" {source}'
    beside = f'<img alt=" " aria-hidden="true" width="32" height="32" loading="lazy" {source}Alice</a>'
    for who, path, shown in ((bob, room.path, beside), (alice, "/lobby", face), (bob, f"{room.path}/people", face)):
        page = (await who.get(path)).text
        assert shown in page, path
        assert 'data-initials="A"' in page, "below it, as long as it is not there"


async def test_without_a_picture_there_are_initials(alice: Person, room: Room) -> None:
    await alice.say(room, "Tea?")
    page = (await alice.get(room.path)).text
    assert 'data-initials="A"' in page
    assert "/pictures/" not in page


async def test_who_spares_data_gets_initials_alone(alice: Person, room: Room) -> None:
    await send(alice, plain())
    await alice.say(room, "Tea?")
    for path in (room.path, "/lobby", FORM, f"{room.path}/settings", "/sidebar"):
        page = (await alice.get(path, Save_Data="on")).text
        assert "/pictures/" not in page, path
        assert 'data-initials="A"' in page
        assert re.search(r'<body class="[^"]*\bsave-data\b', page), "for the style that hides what a stream brings"
        assert "/pictures/" in (await alice.get(path)).text
    assert "save-data" not in (await alice.get(room.path, Save_Data="off")).text.partition("</head>")[2][:40]


async def test_a_page_with_and_one_without_pictures_have_different_etags(alice: Person) -> None:
    await send(alice, plain())
    full, saving = await alice.get("/lobby"), await alice.get("/lobby", Save_Data="on")
    assert full.headers["etag"] != saving.headers["etag"]
    assert (await alice.get("/lobby", Save_Data="on", If_None_Match=full.headers["etag"])).status_code == 200


WHITE: dict[str, int | tuple[int, ...]] = {"I;16": 65535, "CMYK": (0, 0, 0, 0), "YCbCr": (255, 128, 128)}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", *WHITE])
async def test_every_kind_of_colour_is_read(mode: str) -> None:
    image = Image.new(mode, (64, 64), WHITE.get(mode, "white"))
    content = encoded(image, "JPEG" if mode in ("CMYK", "YCbCr") else "PNG")
    assert is_near((await large(content)).getpixel((128, 128)), (255, 255, 255))


async def test_sixteen_bits_of_grey_are_not_cut_off() -> None:
    pixel = (await large(encoded(Image.new("I;16", (64, 64), 32768), "PNG"))).getpixel((128, 128))
    assert is_near(pixel, (128, 128, 128))


async def test_what_is_transparent_is_white() -> None:
    assert is_near(
        (await large(encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG"))).getpixel((9, 9)), (255,) * 3
    )
    indexed = Image.new("P", (64, 64), 0)
    indexed.putpalette([0, 0, 0, 255, 0, 0])
    assert is_near((await large(encoded(indexed, "GIF", transparency=0))).getpixel((9, 9)), (255,) * 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
async def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    first, second = Image.new("RGB", (80, 80), GREEN), Image.new("RGB", (80, 80), RED)
    content = encoded(first, kind, save_all=True, append_images=[second], duration=100)
    image = await large(content)
    assert is_near(image.getpixel((128, 128)), GREEN)
    assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 4000), (4000, 3), (257, 256), (4999, 5000)])
async def test_a_picture_may_have_any_shape(size: tuple[int, int]) -> None:
    image = await large(plain("JPEG", GREEN, size))
    assert image.size == (256, 256)
    assert is_near(image.getpixel((128, 128)), GREEN)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("width", [400, 2400])
async def test_a_picture_stands_upright_as_the_camera_held_it(kind: str, width: int) -> None:
    image = Image.new("RGB", (width, width), GREEN)
    image.paste(RED, (0, 0, width // 4, width))  # red at the left as stored: turned by a quarter it is above
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = await large(encoded(image, kind, exif=exif))
    assert is_near(upright.getpixel((128, 8)), RED)
    assert is_near(upright.getpixel((8, 128)), GREEN)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
async def test_notes_of_a_camera_in_disorder_are_no_reason_to_refuse() -> None:
    content = encoded(Image.new("RGB", (64, 64), GREEN), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert is_near((await large(content)).getpixel((128, 128)), GREEN)


def told(image: Image.Image) -> set[str]:
    """What else the file says, but for what every WebP says of itself."""
    return {str(key) for key in image.info} - {"loop", "background", "timestamp", "duration"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_no_metadata_of_a_picture_is_stored(alice: Person, folder: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 18.0)})
    options: dict[str, object] = {"exif": exif, "icc_profile": b"a profile with a Secret Name"}
    options |= {"xmp": b"<x:xmpmeta>Secret Place</x:xmpmeta>"} if kind != "PNG" else {}
    options |= {"comment": b"Secret Words"} if kind == "JPEG" else {}
    content = encoded(striped(), kind, **options)
    assert b"Secret" in content
    assert Image.open(BytesIO(content)).getexif().get_ifd(0x8825)[2] == (52.0, 31.0, 12.5)
    assert (await send(alice, content, NAMES[kind])).status_code == 303
    for path in folder.iterdir():
        stored = path.read_bytes()
        assert not re.search(b"Secret|EXIF|Exif|XMP |ICCP|xmpmeta", stored)
        image = Image.open(BytesIO(stored))
        assert dict(image.getexif()) == {}
        assert told(image) == set()


async def test_the_same_picture_has_the_same_address(alice: Person, bob: Person, folder: Path) -> None:
    await send(alice, plain())
    await send(bob, plain())
    assert await picture_of(alice) == await picture_of(bob)
    assert len(list(folder.iterdir())) == 2


# What is refused, with a sentence beside the field, and nothing typed lost.


def png_head(width: int, height: int) -> bytes:
    """A PNG that is well formed to its first row, and as large as it says."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil.class", "evil")
    return file.getvalue()


def many_scans() -> bytes:
    """A progressive JPEG whose last scan is there a thousand times."""
    content = encoded(noise(64, 64), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 1000 + content[-2:]


PICTURES = "Only PNG, JPEG, WebP and GIF pictures can be used."
PIXELS = "That picture has too many pixels; 25 million are the most."
DAMAGED = "That picture is damaged or not all there. Send it again, or another."
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a bomb of 400 megapixels": ("me.png", lambda: png_head(20_000, 20_000), PIXELS),
    "a bomb of 30 megapixels": ("me.png", lambda: png_head(6_000, 5_000), PIXELS),
    "an SVG": ("me.svg", lambda: SVG, PICTURES),
    "an SVG called PNG": ("me.png", lambda: SVG, PICTURES),
    "a web page": ("me.png", lambda: b"<!doctype html><script>alert(1)</script>", PICTURES),
    "a bitmap": ("me.bmp", lambda: plain("BMP"), PICTURES),
    "a TIFF": ("me.tiff", lambda: plain("TIFF"), PICTURES),
    "a PDF": ("me.pdf", lambda: plain("PDF"), PICTURES),
    "noise": ("me.png", lambda: b"\x00\x01\x02" * 999, PICTURES),
    "an empty file": ("me.png", lambda: b"", "That file is empty."),
    "half a PNG": ("me.png", lambda: (whole := encoded(noise(99, 99), "PNG"))[: len(whole) // 2], DAMAGED),
    "half a JPEG": ("me.jpg", lambda: (whole := encoded(noise(99, 99), "JPEG"))[: len(whole) // 2], DAMAGED),
    "half a GIF": ("me.gif", lambda: (whole := encoded(noise(99, 99), "GIF"))[: len(whole) // 2], DAMAGED),
    "a JPEG of a thousand scans": (
        "me.jpg",
        many_scans,
        "That picture is too complicated. Save a copy with a picture program, and try that.",
    ),
    "sixteen megabytes": (
        "me.png",
        lambda: plain() + bytes(16 * 2**20),
        "That picture has 16 MB; 15 MB is the most.",
    ),
    "twenty megabytes": (
        "me.png",
        lambda: plain() + bytes(20 * 2**20),
        "That picture has 20 MB; 15 MB is the most.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_picture_is_refused_in_plain_words(alice: Person, folder: Path, what: str) -> None:
    name, made, sentence = REFUSED[what]
    await send(alice, plain("PNG", GREEN))
    before, files = await picture_of(alice), sorted(folder.iterdir())
    answer = await send(alice, made(), name, display_name="Alicia", bio="Likes <b>tea</b>")
    assert answer.status_code == 422
    assert problem(answer) == sentence
    assert 'aria-invalid="true"' in answer.text
    assert 'value="Alicia"' in answer.text
    assert ">Likes &lt;b&gt;tea&lt;/b&gt;</textarea>" in answer.text
    assert await picture_of(alice) == before, "the one before stays"
    assert sorted(folder.iterdir()) == files
    assert (await User.get(code=alice.user.code)).display_name == "Alice"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "name", "declared"),
    [
        ("WEBP", "me.jpg", "image/jpeg"),
        ("PNG", "ME.JPG", "Image/JPEG; q=1"),
        ("JPEG", "me.png", "image/png"),
        ("PNG", "me.png.html", "text/html"),
        ("GIF", "mé 🎉", ""),
        ("WEBP", "C:\\photos\\photo.of.me.heic", "application/octet-stream"),
    ],
)
async def test_a_picture_is_taken_whatever_it_is_called(alice: Person, kind: str, name: str, declared: str) -> None:
    assert (await send(alice, plain(kind), name, declared)).status_code == 303
    assert await picture_of(alice)


def mpo(first: Image.Image) -> bytes:
    """As phones write it: a JPEG with a preview behind it, and an index that names both."""
    return encoded(first, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30), BLUE)])


async def test_of_a_photo_with_a_second_picture_in_it_the_first_is_taken(alice: Person) -> None:
    assert Image.open(BytesIO(mpo(striped()))).format == "MPO"
    assert (await send(alice, mpo(striped()), "me.jpg")).status_code == 303
    assert is_near((await large(mpo(striped()))).getpixel((128, 128)), GREEN)
    with pytest.raises(Invalid) as caught:
        await images.process_image(upload(mpo(noise(99, 99))[:2000]))
    assert str(caught.value.problems["picture"]) in (DAMAGED, PICTURES)


def test_a_format_that_nobody_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Image.open

    def renamed(*args: Any, **options: Any) -> Image.Image:
        image = opened(*args, **options)
        image.format = "NEXT"  # as a later Pillow may call what one of its readers finds
        return image

    monkeypatch.setattr(Image, "open", renamed)
    with pytest.raises(Refused, match="format"):
        pixels.draw_avatar(plain(), images.MIDDLE)


# Colours. The profile is the one of Display P3 in all that counts: the primaries, and the curve of sRGB.


def display_p3() -> bytes:
    """A profile of 0.5 kB: lcms writes those it makes with the primaries of sRGB alone, so these are put in."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    columns = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for tag, values in columns.items():
        offset = struct.unpack_from(">I", profile, profile.index(tag, 128) + 4)[0]
        struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in values))
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
async def test_colours_of_a_phone_are_stored_as_they_look(kind: str, mode: str) -> None:
    # In Display P3, what is (220, 60, 50) there is (239, 35, 36) in sRGB.
    if (kind, mode) == ("JPEG", "RGBA"):
        mode = "RGB"
    photo = Image.new("RGB", (300, 300), (220, 60, 50)).convert(mode)
    seen = (await large(encoded(photo, kind, icc_profile=display_p3()))).getpixel((128, 128))
    assert isinstance(seen, tuple)
    assert all(abs(one - other) < 6 for one, other in zip(seen, (239, 35, 36), strict=True)), seen


@pytest.mark.parametrize(
    "profile", [b"no profile", display_p3()[:200], ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
async def test_a_profile_that_can_not_be_used_is_ignored(profile: bytes, mode: str) -> None:
    photo = Image.new("RGB", (300, 300), GREEN).convert(mode)
    without, seen = [await large(encoded(photo, "JPEG", **more)) for more in ({}, {"icc_profile": profile})]
    assert is_near(seen.getpixel((128, 128)), without.getpixel((128, 128)))  # type: ignore[arg-type]


async def test_half_a_webp_is_refused() -> None:
    whole = encoded(noise(99, 99), "WEBP")
    with pytest.raises(Invalid) as caught:
        await images.process_image(upload(whole[: len(whole) // 2]))
    assert str(caught.value.problems["picture"]) in (DAMAGED, PICTURES)


async def test_any_cut_of_a_file_is_refused_or_read_but_never_breaks() -> None:
    sentences = set()
    for kind in NAMES:
        whole = encoded(noise(20, 20), kind)
        for length in range(1, len(whole), 37):
            try:
                await images.process_image(upload(whole[:length]))
            except Invalid as error:
                sentences.add(str(error.problems["picture"]))
    assert sentences == {DAMAGED, PICTURES}


async def test_a_bomb_is_refused_by_its_head_alone() -> None:
    content = png_head(20_000, 20_000)
    assert len(content) < 60_000
    started = time.monotonic()
    with pytest.raises(Invalid):
        await images.process_image(upload(content))
    assert time.monotonic() - started < 5, "nothing was decoded, not even slowly"


async def test_what_cameras_append_to_a_photo_is_no_reason_to_refuse() -> None:
    photo = plain("JPEG", GREEN)
    for more in (b"SEFT" + bytes(200), plain("JPEG"), b"\x00\x00\x00\x18ftypmp42" + os.urandom(500)):
        assert is_near((await large(photo + more)).getpixel((128, 128)), GREEN)


TWO_IN_ONE: dict[str, Callable[[], bytes]] = {
    "a PNG that is also a ZIP": lambda: plain() + zipped(),
    "a GIF that is also a page": lambda: plain("GIF") + b"<ScRiPt>alert(1)</script>",
    "a JPEG with a program in it": lambda: encoded(striped(), "JPEG", comment=b"<?php alert(); ?>"),
    "a GIF that is also a PDF": lambda: encoded(striped(), "GIF", comment=b"%PDF-1.4"),
}


@pytest.mark.parametrize("what", TWO_IN_ONE)
async def test_of_a_file_that_is_also_something_else_only_the_pixels_are_stored(
    alice: Person, folder: Path, what: str
) -> None:
    assert (await send(alice, TWO_IN_ONE[what]())).status_code == 303
    for path in folder.iterdir():
        stored = path.read_bytes()
        assert stored[8:12] == b"WEBP"
        assert not re.search(rb"(?i)alert|<\?php|%PDF|evil", stored)
        assert not zipfile.is_zipfile(path)


# How a camera that notes this number has turned what is upright.
TURNS = dict(enumerate((
    None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270,
), 1))  # fmt: skip


def quarters(orientation: int) -> bytes:
    """A picture of four colours, wider than high where it is seen upright, as the camera held it."""
    image = Image.new("RGB", (300, 200), GREEN)
    for (x, y), colour in (((0, 0), RED), ((150, 0), BLUE), ((0, 100), YELLOW)):
        image.paste(colour, (x, y, x + 150, y + 100))
    if (turn := TURNS[orientation]) is not None:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "PNG", exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("crop", "colour"),
    [((0, 0, 500), RED), ((1000, 0, 500), BLUE), ((0, 1000, 500), YELLOW), ((1000, 1000, 500), GREEN)],
)
async def test_the_square_that_was_chosen_is_stored_however_the_camera_was_held(
    orientation: int, crop: tuple[int, int, int], colour: tuple[int, int, int]
) -> None:
    picture = await images.process_image(upload(quarters(orientation)), images.Crop(*crop))
    stored = Image.open(BytesIO(picture.sizes[images.LARGE]))
    for place in ((20, 20), (236, 236)):
        assert is_near(stored.getpixel(place), colour), (place, stored.getpixel(place))


@pytest.mark.parametrize(
    ("fields", "crop"),
    [
        (("", "", ""), (500, 500, 1000)),
        (("0", "1000", "200"), (0, 1000, 200)),
        (("1001", "9" * 15, "0"), (1000, 1000, 200)),
        (("-1", "1.5", "all"), (500, 500, 1000)),
        (("٣", "9" * 5000, "null"), (500, 500, 1000)),
    ],
)
def test_no_square_lies_outside_of_its_picture(fields: tuple[str, str, str], crop: tuple[int, int, int]) -> None:
    assert images.Crop.of(*fields) == crop


async def test_a_square_of_a_picture_of_one_pixel_is_that_pixel() -> None:
    picture = await images.process_image(upload(plain("PNG", BLUE, (1, 3))), images.Crop(0, 0, 200))
    assert is_near(Image.open(BytesIO(picture.sizes[images.LARGE])).getpixel((128, 128)), BLUE)


async def test_the_form_of_the_profile_says_which_square(alice: Person) -> None:
    image = BytesIO()
    striped().save(image, "PNG")
    fields = {"display_name": "Alice", "crop_x": "0", "crop_y": "500", "crop_size": "500"}
    answer = await alice.client.post(FORM, data=fields, files={"picture": ("me.png", image.getvalue(), "image/png")})
    assert answer.status_code == 303
    assert alice.user
    await alice.user.refresh_from_db()
    stored = Image.open(BytesIO((await alice.get(f"/pictures/{alice.user.picture}.webp")).content))
    assert is_near(stored.getpixel((40, 128)), RED)


async def test_too_many_pictures_are_too_many(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    statuses = [(await send(alice, plain())).status_code for _ in range(21)]
    assert statuses == [303] * 20 + [429]
    answer = await send(alice, plain(), display_name="Alicia")
    assert int(answer.headers["retry-after"]) > 0
    assert problem(answer).startswith("Too many attempts.")
    assert 'value="Alicia"' in answer.text
    assert (await send(alice, None, display_name="Alicia")).status_code == 303, "without a picture it is no picture"


async def test_a_full_disk_refuses_a_picture_with_the_reason(alice: Person, folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    answer = await send(alice, plain())
    assert answer.status_code == 503
    assert problem(answer) == "The picture can't be kept right now. Try again later."
    assert await picture_of(alice) is None


async def test_a_refused_name_refuses_the_picture_too(alice: Person, folder: Path) -> None:
    answer = await send(alice, plain(), display_name=" ")
    assert answer.status_code == 422
    assert "Write a name that others can see." in answer.text
    assert problem(answer) == "Choose the picture again: it was not kept, because something else was not right."
    assert await picture_of(alice) is None
    assert not folder.exists()


# Where the file comes in: at this address alone, and no more than is taken.


def body(token: str, content: bytes, name: str = "me.png", field: str = "picture") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in (("token", token), ("display_name", "Alicia"), ("bio", ""))
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    head += "Content-Type: image/png\r\n\r\n"
    return b"".join(parts) + head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


async def bare(person: Person, path: str, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx2.Response:
    """As a browser sends it that does not say where the form was (w3m), unless told otherwise."""
    request = person.client.build_request("POST", path, content=content)
    del request.headers["sec-fetch-site"]
    request.headers["content-type"] = f"multipart/form-data; boundary={BOUNDARY}"
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    return await person.client.send(request)


async def token_of(person: Person) -> str:
    found = re.search(r'name="token" value="([^"]+)"', (await person.get(FORM)).text)
    assert found
    return found[1]


async def test_a_browser_that_names_no_origin_sends_a_picture_with_the_token(alice: Person) -> None:
    photo = encoded(noise(1000, 1000), "PNG")
    assert 2_900_000 < len(photo) < 15 * 2**20
    assert (await bare(alice, FORM, body("wrong", photo))).status_code == 403
    assert await picture_of(alice) is None
    assert (await bare(alice, FORM, body(await token_of(alice), photo))).status_code == 303
    assert await picture_of(alice)


async def test_another_site_sends_no_picture(alice: Person) -> None:
    sent = body(await token_of(alice), plain())
    assert (await bare(alice, FORM, sent, Sec_Fetch_Site="cross-site")).status_code == 403
    assert (await bare(alice, FORM, sent, Origin="https://evil.example")).status_code == 403
    assert await picture_of(alice) is None


async def test_who_is_signed_out_sends_no_picture(visitor: Person, folder: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 2**16
            yield bytes(2**16)

    for headers in ({}, {"Sec_Fetch_Site": "same-origin"}):
        answer = await bare(visitor, FORM, endless(), **headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flobby")
        assert read <= 2**16, "before it is known who sends, nothing of a large body is read"
        read = 0
    answer = await bare(visitor, FORM, body("", plain()), Sec_Fetch_Site="same-origin")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Flobby")
    assert not folder.exists()


def is_told_too_large(answer: httpx2.Response) -> bool:
    said = "That picture is too large; 15 MB is the most. Go back, take another."
    return answer.status_code == 413 and said in answer.text


async def test_what_is_far_too_large_is_not_even_read(alice: Person) -> None:
    token, read = await token_of(alice), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield body(token, b"").removesuffix(f"\r\n--{BOUNDARY}--\r\n".encode())
        while True:
            read += 2**20
            yield bytes(2**20)

    assert is_told_too_large(await bare(alice, FORM, b"", Sec_Fetch_Site="same-origin", Content_Length=str(10**9)))
    assert is_told_too_large(await bare(alice, FORM, endless()))
    assert read <= 31 * 2**20
    read = 0
    assert (await bare(alice, FORM, endless(), Sec_Fetch_Site="same-origin")).status_code == 413
    assert read <= 31 * 2**20


@pytest.mark.parametrize("path", ["/settings/password", "/rooms/tea-cake/messages", "/login"])
async def test_no_other_address_takes_more_than_it_did(alice: Person, room: Room, path: str) -> None:
    sent = body(await token_of(alice), encoded(noise(300, 300), "PNG"))
    assert len(sent) > MAX_BODY_BYTES
    assert (await bare(alice, path, sent)).status_code == 413
    assert (await bare(alice, path, sent, Sec_Fetch_Site="same-origin")).status_code == 413


async def test_a_file_has_no_place_elsewhere(alice: Person, room: Room) -> None:
    sent = body(await token_of(alice), plain())
    assert (await bare(alice, f"{room.path}/messages", sent)).status_code == 400
    other = body(await token_of(alice), plain(), field="display_name")
    assert (await bare(alice, FORM, other)).status_code == 400
    twice = sent.replace(f"--{BOUNDARY}--".encode(), b"") + sent
    assert (await bare(alice, FORM, twice)).status_code == 400
    assert await picture_of(alice) is None


# Taking it away, and what is left behind.


async def test_a_picture_is_taken_away(alice: Person, folder: Path) -> None:
    assert "remove_picture" not in (await alice.get(FORM)).text, "there is none yet"
    await send(alice, plain())
    assert "Remove my picture" in (await alice.get(FORM)).text
    assert (await send(alice, None, remove_picture="1")).status_code == 303
    assert await picture_of(alice) is None
    assert list(folder.iterdir()) == []
    assert "/pictures/" not in (await alice.get(FORM)).text
    assert (await send(alice, None, remove_picture="1")).status_code == 303, "once more does no harm"


async def test_a_form_without_a_picture_leaves_the_one_there_is(alice: Person) -> None:
    await send(alice, plain())
    before = await picture_of(alice)
    assert (await send(alice, None, bio="Tea.")).status_code == 303
    assert (await alice.post(FORM, {"display_name": "Alicia"})).status_code == 303
    assert await picture_of(alice) == before


async def test_a_new_picture_comes_in_place_of_the_old_one(alice: Person, folder: Path) -> None:
    await send(alice, plain())
    await send(alice, plain("PNG", BLUE), remove_picture="1")
    digest = await picture_of(alice)
    assert sorted(path.name for path in folder.iterdir()) == [f"{digest}-96.webp", f"{digest}.webp"]


async def test_a_picture_that_another_person_has_too_stays(alice: Person, bob: Person, folder: Path) -> None:
    await send(alice, plain())
    await send(bob, plain())
    await send(alice, None, remove_picture="1")
    assert (await alice.get(f"/pictures/{await picture_of(bob)}.webp")).status_code == 200
    await send(bob, plain("PNG", BLUE))
    assert len(list(folder.iterdir())) == 2


async def test_a_picture_released_and_taken_at_the_same_moment_stays(
    alice: Person, bob: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever between the steps of one the other comes, the one who has it has its files."""
    pictures, others_turn = User.pictures_in_use, 0

    for turn in (1, 2):
        for one in (alice, bob):
            await send(one, None, remove_picture="1")
        await send(alice, plain())
        others_turn = 0

        async def asked(digests: Collection[str], turn: int = turn) -> set[str]:
            nonlocal others_turn
            found = await pictures(digests)
            others_turn += 1
            if others_turn == turn:  # just after the answer that nobody has it
                await send(bob, plain())
            return found

        with monkeypatch.context() as patch:
            patch.setattr(picture_store(), "owners", [asked])
            await send(alice, None, remove_picture="1")
        digest = await picture_of(bob)
        if turn == 2:
            # He stored and looked again before she deleted what she had put out of sight: his own are there.
            assert len(list(folder.glob(f"{digest}*.webp"))) == 2
        assert (await alice.get(f"/pictures/{digest}.webp")).status_code == 200
        assert (await alice.get(f"/pictures/{digest}-96.webp")).status_code == 200
        assert [path.name for path in folder.glob("*.gone")] == []


async def test_many_at_once_leave_one_picture_and_its_files(alice: Person, folder: Path) -> None:
    colours = [(index * 40, 90, 200 - index * 40) for index in range(5)]
    answers = await asyncio.gather(*(send(alice, plain("PNG", colour)) for colour in colours))
    assert {answer.status_code for answer in answers} == {303}
    digest = await picture_of(alice)
    assert sorted(path.name for path in folder.iterdir()) == [f"{digest}-96.webp", f"{digest}.webp"]


async def test_a_crash_while_writing_leaves_no_half_file(
    alice: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(source: object, target: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        with pytest.raises(Unavailable):
            await picture_store().save(await images.process_image(upload(plain())))
    assert list(folder.iterdir()) == []


async def test_what_a_crash_left_is_swept_away(alice: Person, folder: Path) -> None:
    await send(alice, plain())
    kept = sorted(path.name for path in folder.iterdir())
    lost = await images.process_image(upload(plain("PNG", BLUE)))
    await picture_store().save(lost)  # and nobody has it: the crash came before that
    (folder / "new-old").write_bytes(b"half")
    os.utime(folder / "new-old", (1, 1))
    (folder / "new-now").write_bytes(b"half")
    (folder / "notes.txt").write_text("of whoever runs the server")
    hidden = await picture_of(alice)
    os.rename(folder / f"{hidden}.webp", folder / f"{hidden}.webp.gone")  # a crash between out of sight and back
    await picture_store().sweep()
    assert sorted(path.name for path in folder.iterdir()) == sorted([*kept, "new-now", "notes.txt"])


async def test_there_is_nothing_to_sweep_without_a_folder(app: object) -> None:
    await picture_store().sweep()


# Serving.


async def test_a_picture_is_served_immutable_and_as_nothing_but_a_picture(alice: Person, visitor: Person) -> None:
    await send(alice, plain())
    answer = await visitor.get(f"/pictures/{await picture_of(alice)}.webp")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers, "it is kept by proxies, too"
    head = await visitor.client.head(f"/pictures/{await picture_of(alice)}.webp")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "../secret",
        "..%2Fsecret",
        "%2e%2e%2fsecret",
        "....//secret",
        "0" * 32,
        "0" * 31 + ".webp",
        "0" * 32 + ".webp",
        "0" * 32 + "-64.webp",
        "0" * 32 + ".webp%00",
        "0" * 32 + ".webp%0A",
        "0" * 32 + ".WEBP",
        "0" * 32 + ".webp.gone",
        "new-now",
        "Z" * 32 + ".webp",
        "%D9%A0" * 32 + ".webp",
        "",
    ],
)
async def test_what_is_no_digest_is_not_found(alice: Person, folder: Path, name: str) -> None:
    folder.mkdir()
    for file in (folder.parent / "secret", folder / "secret", folder / "new-now", folder / ("0" * 32 + ".webp.gone")):
        file.write_text("a secret")
    for address in (f"/pictures/{name}", f"/pictures/./{name}"):
        request = alice.client.build_request("GET", "http://localhost/")
        request.url = request.url.copy_with(raw_path=address.encode())
        answer = await alice.client.send(request)
        assert answer.status_code == 404
        assert "a secret" not in answer.text


async def test_nothing_is_sent_to_where_pictures_are_served(alice: Person) -> None:
    await send(alice, plain())
    assert (await alice.post(f"/pictures/{await picture_of(alice)}.webp")).status_code == 405


async def test_the_picture_of_another_person_is_not_changed(app: object, alice: Person) -> None:
    await send(alice, plain())
    before = await picture_of(alice)
    mallory = await person(app, "mallory")
    assert (await send(mallory, plain("PNG", BLUE), code=alice.user.code)).status_code == 303  # type: ignore[union-attr]
    assert await picture_of(alice) == before


# Pictures of messages.


async def test_a_photo_has_a_whole_view_and_a_thumbnail(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photo").write_bytes(encoded(striped(3000, 1000), "JPEG", exif=exif))
    photo = await images.process_photo(tmp_path / "photo")
    assert (photo.width, photo.height, photo.thumb_width, photo.thumb_height) == (683, 2048, 160, 480)
    for content, size in ((photo.whole, (683, 2048)), (photo.thumb, (160, 480))):
        image = Image.open(BytesIO(content))
        assert (image.format, image.size, told(image)) == ("WEBP", size, set())
        assert is_near(image.convert("RGB").getpixel((80, 9)), RED), "the camera was held upright"


async def test_what_is_no_photo_is_refused_beside_its_field(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(SVG)
    with pytest.raises(Invalid) as refused:
        await images.process_photo(tmp_path / "photo")
    assert {field: str(sentence) for field, sentence in refused.value.problems.items()} == {"file": PICTURES}
