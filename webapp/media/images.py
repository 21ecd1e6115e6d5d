"""
Uploaded pictures: checked, made small, and encoded again as WebP, with nothing but their pixels.

A child process does it (process.py), as what reads pictures is the largest target there is, and takes memory that a
process never gives back.
"""

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from webapp import settings
from webapp.core.errors import Invalid
from webapp.core.i18n import Text, _
from webapp.http.forms import Upload
from webapp.http.params import whole
from webapp.media import sizes
from webapp.media.process import PictureProcess
from webapp.media.sizes import LARGE, SMALL, Refused

__all__ = ["LARGE", "SMALL"]

MAX_BYTES = settings.MAX_UPLOAD_MB * 2**20
# The smallest square that can be chosen, in thousandths of the shorter side.
MIN_CROP = 200

SENTENCES = {
    "empty": _("That file is empty."),
    "format": _("Only PNG, JPEG, WebP and GIF pictures can be used."),
    "damaged": _("That picture is damaged or not all there. Send it again, or another."),
    "complicated": _("That picture is too complicated. Save a copy with a picture program, and try that."),
}

process = PictureProcess()


class ProcessedImage(NamedTuple):
    """A picture ready to be stored: its digest, and the bytes of each size."""

    digest: str
    sizes: dict[int, bytes]


class Photo(NamedTuple):
    """A picture of a message, ready to be stored: the whole view and its thumbnail, both WebP."""

    width: int
    height: int
    whole: bytes
    thumb: bytes
    thumb_width: int
    thumb_height: int


class Crop(sizes.Crop):
    """Which square of a picture is stored, as a form says it."""

    @classmethod
    def of(cls, x: str, y: str, size: str) -> "Crop":
        """Return what the fields of a form say: the middle where they say nothing, the next that there can be."""
        return cls(whole(x, 500, 1000), whole(y, 500, 1000), max(MIN_CROP, whole(size, 1000, 1000)))


MIDDLE = Crop()


async def process_image(upload: Upload, crop: Crop = MIDDLE) -> ProcessedImage:
    """Return the picture in an upload; raise Invalid with a sentence for the field `picture`, Unavailable when busy."""
    if upload.size > MAX_BYTES:
        size, most = round(upload.size / 2**20, 1), settings.MAX_UPLOAD_MB
        raise Invalid(picture=_("That picture has %(size)s MB; %(most)s MB is the most.", size=size, most=most))
    try:
        answer, made = await process.run({"work": "avatar", "crop": list(crop)}, upload.content)
    except Refused as refused:
        raise Invalid(picture=_sentence(refused)) from None
    digest = blake2b(made[0], digest_size=16).hexdigest()
    return ProcessedImage(digest, dict(zip(answer["sizes"], made, strict=True)))


async def process_photo(source: Path) -> Photo:
    """
    Return what is shown of the picture in a file, which is named from the root.

    Raises Invalid with a sentence as `file`, Unavailable when busy.
    """
    try:
        answer, made = await process.run({"work": "photo", "path": str(source)})
    except Refused as refused:
        raise Invalid(file=_sentence(refused)) from None
    (width, height), (thumb_width, thumb_height) = answer["whole"], answer["thumb"]
    return Photo(width, height, made[0], made[1], thumb_width, thumb_height)


def _sentence(refused: Refused) -> Text:
    why, *most = refused.args
    if why == "pixels":
        return _("That picture has too many pixels; %(most)s million are the most.", most=most[0] // 10**6)
    return SENTENCES[why]
