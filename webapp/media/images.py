"""An uploaded picture: checked, made small, and encoded again as WebP, with nothing but its pixels."""

import warnings
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageCms, ImageOps

from webapp import settings
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.core.pool import Pool
from webapp.http.forms import Upload
from webapp.http.params import whole

MAX_BYTES = settings.MAX_UPLOAD_MB * 2**20
MAX_PIXELS = 25_000_000
# A profile and its double on a fine screen; a message's 36 pixels, and a list's 48 on a fine screen.
LARGE, SMALL = 256, 96
QUALITY = 80
# The longer side of a picture in a message: seen whole, and among the words.
MAX_WHOLE, MAX_THUMB = 2048, 480
# The smallest square that can be chosen, in thousandths of the shorter side.
MIN_CROP = 200
# A photo has about ten scans. Each takes a pass over all pixels, and a file of 5 MB has room for 300,000.
MAX_SCANS = 100

# The formats that are read, whatever the file is called: it is drawn again, so its name and type mean nothing, and what
# else the file may be (an archive, a page) is not stored.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A JPEG with more pictures behind the first (a preview, a depth map) is opened by the same reader under another name.
OPENED_AS = {*FORMATS, "MPO"}

NOT_A_PICTURE = _("Only PNG, JPEG, WebP and GIF pictures can be used.")
DAMAGED = _("That picture is damaged or not all there. Send it again, or another.")
TOO_MANY_PIXELS = _("That picture has too many pixels; %(most)s million are the most.", most=MAX_PIXELS // 10**6)
SRGB = ImageCms.createProfile("sRGB")

# One at a time: a picture may take a core for a second and 100 MB. Each that is queued is in memory, with up to 5 MB.
pool = Pool("picture", 1, 8, _("Many pictures come in right now. Try again in a moment."))
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class ProcessedImage(NamedTuple):
    """A picture ready to be stored: its digest, and the bytes of each size."""

    digest: str
    sizes: dict[int, bytes]


class Crop(NamedTuple):
    """
    Which square of a picture is stored, in thousandths.

    `size` is that of its side to the picture's shorter one; `x` and `y` say where it stands between both ends, as the
    picture is seen upright. So none can lie outside.
    """

    x: int = 500
    y: int = 500
    size: int = 1000

    @classmethod
    def of(cls, x: str, y: str, size: str) -> "Crop":
        """Return what the fields of a form say: the middle where they say nothing, the next that there can be."""
        return cls(whole(x, 500, 1000), whole(y, 500, 1000), max(MIN_CROP, whole(size, 1000, 1000)))


MIDDLE = Crop()


class Photo(NamedTuple):
    """A picture of a message, ready to be stored: the whole view and its thumbnail, both WebP."""

    width: int
    height: int
    whole: bytes
    thumb: bytes
    thumb_width: int
    thumb_height: int


async def process_image(upload: Upload, crop: Crop = MIDDLE) -> ProcessedImage:
    """Return the picture in an upload; raise Invalid with a sentence for the field `picture`, Unavailable when busy."""
    if upload.size > MAX_BYTES:
        size, most = round(upload.size / 2**20, 1), settings.MAX_UPLOAD_MB
        raise Invalid(picture=_("That picture has %(size)s MB; %(most)s MB is the most.", size=size, most=most))
    return await pool.run(_process, upload, crop)


async def process_photo(source: Path) -> Photo:
    """Return what is shown of the picture in a file; raise Invalid with a sentence as `file`, Unavailable when busy."""
    try:
        return await pool.run(_process_photo, source)
    except Invalid as error:
        raise Invalid(file=error.problems["picture"]) from None


def _process_photo(source: Path) -> Photo:
    content = source.read_bytes()
    with _open(content) as image:
        _require_few_scans(image, content)
        try:
            image.draft("RGB", (MAX_WHOLE, MAX_WHOLE))
            image.load()
            plain = _in_srgb(_in_plain_mode(image))
            plain.thumbnail((MAX_WHOLE, MAX_WHOLE), Image.Resampling.LANCZOS, reducing_gap=3.0)
            whole = _upright(plain)
        except Exception:  # Pillow's readers raise errors of any class
            raise Invalid(picture=DAMAGED) from None
    clean = Image.new(whole.mode, whole.size)
    clean.paste(whole)
    thumb = clean.copy()
    thumb.thumbnail((MAX_THUMB, MAX_THUMB), Image.Resampling.LANCZOS)
    return Photo(*clean.size, _webp(clean), _webp(thumb), *thumb.size)


def _webp(image: Image.Image) -> bytes:
    encoded = BytesIO()
    image.save(encoded, "WEBP", quality=QUALITY, method=4)
    return encoded.getvalue()


def _process(upload: Upload, crop: Crop) -> ProcessedImage:
    with _open(upload.content) as image:
        _require_few_scans(image, upload.content)
        try:
            square = crop_square(image, crop)
        except Exception:  # Pillow's readers raise errors of any class
            raise Invalid(picture=DAMAGED) from None
    sizes = {size: _encode(square, size) for size in (LARGE, SMALL)}
    return ProcessedImage(blake2b(sizes[LARGE], digest_size=16).hexdigest(), sizes)


def _open(content: bytes) -> Image.Image:
    """Return the image with its head read and nothing decoded."""
    if not content:
        raise Invalid(picture=_("That file is empty."))
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Invalid(picture=TOO_MANY_PIXELS) from None
    except Exception:  # not only UnidentifiedImageError: half a head raises other errors
        raise Invalid(picture=NOT_A_PICTURE) from None
    if image.format not in OPENED_AS:
        raise Invalid(picture=NOT_A_PICTURE)
    if image.width * image.height > MAX_PIXELS:
        raise Invalid(picture=TOO_MANY_PIXELS)
    return image


def _require_few_scans(image: Image.Image, content: bytes) -> None:
    """Raise Invalid for a file that takes minutes to read."""
    if image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > MAX_SCANS:
        raise Invalid(picture=_("That picture is too complicated. Save a copy with a picture program, and try that."))


def crop_square(image: Image.Image, crop: Crop = MIDDLE) -> Image.Image:
    """Return a square of the picture, upright and opaque, with nothing of the file but its pixels."""
    needed = 2 * LARGE * 1000 // crop.size
    image.draft("RGB", (needed, needed))  # a JPEG can be read at a fraction of its size
    image.load()  # the first picture of an animation
    side = max(1, min(image.size) * crop.size // 1000)
    x, y = _as_stored(image, crop)
    left, top = (image.width - side) * x // 1000, (image.height - side) * y // 1000
    box = (left, top, left + side, top + side)
    small = _in_srgb(_in_plain_mode(image)).resize((LARGE, LARGE), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    small = _upright(small).convert("RGBA")
    clean = Image.new("RGBA", small.size, "white")
    clean.alpha_composite(small)
    return clean.convert("RGB")


def _as_stored(image: Image.Image, crop: Crop) -> tuple[int, int]:
    """Return where the square stands in the picture as it lies in the file, before the camera's note turns it."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # see _upright
        orientation = 1
    x = 1000 - crop.x if orientation in (2, 3, 6, 7) else crop.x
    y = 1000 - crop.y if orientation in (3, 4, 7, 8) else crop.y
    return (y, x) if orientation in (5, 6, 7, 8) else (x, y)


def _in_plain_mode(image: Image.Image) -> Image.Image:
    """Return the image as levels of grey, or of red, green, blue and opacity."""
    if image.mode.startswith("I"):  # sixteen bits of grey, which converting would cut off
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGB", "RGBA", "L"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_srgb(image: Image.Image) -> Image.Image:
    """
    Return the image in the colours that a browser assumes, as its profile is not stored: phones use Display P3.

    To be called before the image is made small, which would mix colours of the other space. A profile that can't be
    used is ignored.
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
    """Turn the image as the camera noted, where that can be read; a square has the same size afterwards."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged notes of a camera are no reason to refuse the picture
        return image


def _encode(square: Image.Image, size: int) -> bytes:
    small = square if size == LARGE else square.resize((size, size), Image.Resampling.LANCZOS)
    encoded = BytesIO()
    small.save(encoded, "WEBP", quality=QUALITY, method=6)
    return encoded.getvalue()
