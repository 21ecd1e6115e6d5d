"""Pictures: checked, made small, stored by what they show, and served. Whose they are, the domains know."""

import asyncio
import os
import re
import time
import warnings
import zipfile
from collections.abc import Awaitable, Callable, Collection
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from PIL import Image, ImageCms, ImageOps
from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.core import faults
from webapp.core.errors import Invalid, NotFound, Unavailable
from webapp.core.i18n import _
from webapp.core.pool import Pool
from webapp.http.forms import Upload

FOLDER = settings.DATA_DIR / "pictures"
MOST_BYTES = settings.MAX_UPLOAD_MB * 2**20
MOST_PIXELS = 25_000_000
# A profile and its double on a fine screen; a message's 36 pixels, and a list's 48 on a fine screen.
LARGE, SMALL = 256, 96
QUALITY = 80
# A photo has about ten scans. Each takes a pass over all pixels, and a file of 5 MB has room for 300,000.
MOST_SCANS = 100
# An unfinished file that is older than this is what a crash left behind.
STALE_SECONDS = 3600
BATCH_SIZE = 500

# The formats that are read, whatever the file is called: it is drawn anew, so its name and type mean nothing.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A JPEG with more pictures behind the first (a preview, a depth map) is opened by the same reader under another name.
OPENED_AS = {*FORMATS, "MPO"}
# What makes a file something else as well. Cameras append things of their own to a photo, but none of these.
OTHER_MARKS = re.compile(rb"(?i)<script|<\?php|<!doctype|<html|<iframe")
PDF_MARK, PDF_WITHIN = b"%PDF-", 1024

HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}

NOT_OURS = _("Only PNG, JPEG, WebP and GIF pictures can be used.")
TOO_MANY_PIXELS = _("That picture has too many pixels; %(most)s million are the most.", most=MOST_PIXELS // 10**6)
SRGB = ImageCms.createProfile("sRGB")

# One at a time: a picture may take a core for a second and 100 MB. Each that waits is held, with up to 5 MB.
_pool = Pool("picture", 1, 8, _("Many pictures come in right now. Try again in a moment."))
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


# Tells which of these digests somebody has.
InUse = Callable[[Collection[str]], Awaitable[set[str]]]


class ProcessedImage(NamedTuple):
    """A picture ready to be stored: its digest, and the bytes of each size."""

    digest: str
    sizes: dict[int, bytes]


def path(digest: str, size: int) -> str:
    """The address of a stored picture."""
    return f"/pictures/{_name(digest, size)}"


def _name(digest: str, size: int) -> str:
    return f"{digest}.webp" if size == LARGE else f"{digest}-{size}.webp"


def load(digest: str, size: int = LARGE) -> bytes:
    """A stored picture, empty when it has gone; to be called in a thread."""
    try:
        return (FOLDER / _name(digest, size)).read_bytes()
    except OSError:
        return b""


# Checking and shrinking.


async def process_image(upload: Upload) -> ProcessedImage:
    """The picture in what was sent; raises Invalid, with a sentence for the field `picture`."""
    if upload.size > MOST_BYTES:
        size, most = round(upload.size / 2**20, 1), settings.MAX_UPLOAD_MB
        raise Invalid(picture=_("That picture has %(size)s MB; %(most)s MB is the most.", size=size, most=most))
    return await _pool.run(_prepared, upload)


def _prepared(upload: Upload) -> ProcessedImage:
    with _opened(upload.content) as image:
        _check_rest(image, upload.content)
        try:
            square = _square(image)
        except Exception:  # Pillow's readers raise whatever comes to their mind
            raise Invalid(picture=_("That picture is damaged or not all there. Send it again, or another.")) from None
    sizes = {size: _encoded(square, size) for size in (LARGE, SMALL)}
    return ProcessedImage(blake2b(sizes[LARGE], digest_size=16).hexdigest(), sizes)


def _opened(content: bytes) -> Image.Image:
    """The image with its head read and nothing decoded."""
    if not content:
        raise Invalid(picture=_("That file is empty."))
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Invalid(picture=TOO_MANY_PIXELS) from None
    except Exception:  # not only UnidentifiedImageError: readers stumble over half a head
        raise Invalid(picture=NOT_OURS) from None
    if image.format not in OPENED_AS:
        raise Invalid(picture=NOT_OURS)
    if image.width * image.height > MOST_PIXELS:
        raise Invalid(picture=TOO_MANY_PIXELS)
    return image


def _check_rest(image: Image.Image, content: bytes) -> None:
    """Whether the file is only a picture, and one that can be read in reasonable time."""
    if image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > MOST_SCANS:
        raise Invalid(picture=_("That picture is too complicated. Save a copy with a picture program, and try that."))
    is_more = OTHER_MARKS.search(content) or PDF_MARK in content[:PDF_WITHIN] or zipfile.is_zipfile(BytesIO(content))
    if is_more:
        raise Invalid(picture=_("That file is more than a picture. Save a copy with a picture program, and try that."))


def _square(image: Image.Image) -> Image.Image:
    """The middle of the picture, upright and opaque, and with nothing of the file but its pixels."""
    image.draft("RGB", (2 * LARGE, 2 * LARGE))  # a JPEG can be read at a fraction of its size
    image.load()  # the first picture of an animation
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    small = _in_srgb(_plain(image)).resize((LARGE, LARGE), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    small = _upright(small).convert("RGBA")
    clean = Image.new("RGBA", small.size, "white")
    clean.alpha_composite(small)
    return clean.convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    """The image as levels of grey, or of red, green, blue and opacity."""
    if image.mode.startswith("I"):  # sixteen bits of grey, which converting would cut off
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGB", "RGBA", "L"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_srgb(image: Image.Image) -> Image.Image:
    """
    The image in the colours that a browser takes it for, as its profile is not stored: phones use Display P3.

    Before it is made small, which would mix colours of the other space. A profile that can't be used is ignored.
    """
    if not (content := image.info.get("icc_profile")):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(content))
        return ImageCms.profileToProfile(image, profile, SRGB, outputMode=mode) or image
    except (OSError, ValueError, ImageCms.PyCMSError):
        return image


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera noted, where that can be read. A square keeps its size, so it may come last."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # notes of a camera in disorder are no reason to refuse the picture
        return image


def _encoded(square: Image.Image, size: int) -> bytes:
    small = square if size == LARGE else square.resize((size, size), Image.Resampling.LANCZOS)
    encoded = BytesIO()
    small.save(encoded, "WEBP", quality=QUALITY, method=6)
    return encoded.getvalue()


# Storing. The files are named by what is in them, and several people may have the same picture. Who stores one
# writes it, says so in the database, and looks again that it is there; who lets go of one takes it out of sight,
# asks the database, and puts it back when somebody has it. Whatever the order, nobody is left without theirs.


async def save(picture: ProcessedImage) -> None:
    """Write what is not there yet; each file appears whole or not at all."""
    try:
        await asyncio.to_thread(_store, picture)
    except OSError as error:
        faults.disk.report(error)
        raise Unavailable(_("The picture can't be kept right now. Try again later.")) from error


def _store(picture: ProcessedImage) -> None:
    FOLDER.mkdir(0o700, parents=True, exist_ok=True)
    for size, content in picture.sizes.items():
        if not (target := FOLDER / _name(picture.digest, size)).exists():
            _write(target, content)


def _write(target: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=FOLDER, prefix="new-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


async def release(digest: str, used: InUse) -> None:
    """Delete a picture that nobody has any more."""
    if await used([digest]):
        return
    await asyncio.to_thread(_move, digest, "", ".gone")
    if await used([digest]):
        await asyncio.to_thread(_move, digest, ".gone", "")
    else:
        await asyncio.to_thread(_delete, digest)


def _move(digest: str, before: str, after: str) -> None:
    for size in (LARGE, SMALL):
        file = FOLDER / _name(digest, size)
        if (source := Path(f"{file}{before}")).exists():
            os.replace(source, f"{file}{after}")


def _delete(digest: str) -> None:
    for size in (LARGE, SMALL):
        Path(f"{FOLDER / _name(digest, size)}.gone").unlink(missing_ok=True)


async def sweep(used: InUse) -> None:
    """Delete what a crash left behind: pictures that nobody has, and files that were never finished."""
    stored = await asyncio.to_thread(_stored)
    for start in range(0, len(stored), BATCH_SIZE):
        some = stored[start : start + BATCH_SIZE]
        kept = await used(some)
        for digest in some:
            if digest in kept:
                await asyncio.to_thread(_move, digest, ".gone", "")
            else:
                await release(digest, used)


def _stored() -> list[str]:
    """The digests of all stored pictures; unfinished files that nobody is writing any more are removed."""
    if not FOLDER.is_dir():
        return []
    for file in FOLDER.glob("new-*"):
        if time.time() - file.stat().st_mtime > STALE_SECONDS:
            file.unlink(missing_ok=True)
    return sorted({match[1] for file in FOLDER.iterdir() if (match := re.match(r"([0-9a-f]{32})[.-]", file.name))})


# Serving.


async def serve(request: Request) -> Response:
    """A stored picture. Its address says what is in it, so that it is asked for once."""
    name = request.path_params["name"]
    if not re.fullmatch(rf"[0-9a-f]{{32}}(-{SMALL})?\.webp", name):
        raise NotFound
    try:
        content = await asyncio.to_thread((FOLDER / name).read_bytes)
    except OSError:
        raise NotFound(_("There is no such picture.")) from None
    headers = HEADERS | {"Content-Length": str(len(content))}
    return Response(b"" if request.method == "HEAD" else content, 200, headers, "image/webp")
