"""Pixels in, WebP out: what runs in the child process (see child.py), which imports neither settings nor a request."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import ExifTags, Image, ImageCms, ImageOps

from webapp.media.sizes import LARGE, MAX_JPEG_PIXELS, MAX_PIXELS, MAX_THUMB, MAX_WHOLE, SMALL, Crop, Refused

# An avatar is small, so that trying hard is cheap; of what was drawn rather than photographed, edges matter.
QUALITY, DRAWN_QUALITY = 80, 90
AVATAR_METHOD, PHOTO_METHOD = 6, 4
# A photo has about ten scans. Each takes a pass over all pixels, and a file of 5 MB has room for 300,000.
MAX_SCANS = 100
MAX_COEFFICIENT_BYTES = 300_000_000

# The formats that are read, whatever the file is called: it is drawn again, so its name and type mean nothing, and what
# else the file may be (an archive, a page) is not stored.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
# A JPEG with more pictures behind the first (a preview, a depth map) is opened by the same reader under another name.
PHOTOS = {"JPEG", "MPO"}
OPENED_AS = {*FORMATS, *PHOTOS}

SRGB = ImageCms.createProfile("sRGB")
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS


def draw_avatar(content: bytes, crop: Crop) -> dict[int, bytes]:
    """Return a square of the picture in each size of an avatar. Raises Refused."""
    with _opened(content) as image:
        square = crop_square(image, crop)
    sizes = {LARGE: square, SMALL: square.resize((SMALL, SMALL), Image.Resampling.LANCZOS)}
    return {size: _encoded(image, QUALITY, AVATAR_METHOD) for size, image in sizes.items()}


def draw_photo(content: bytes) -> tuple[tuple[int, int], bytes, tuple[int, int], bytes]:
    """Return size and bytes of the whole view, and of its thumbnail. Raises Refused."""
    with _opened(content) as image:
        quality = QUALITY if image.format in PHOTOS else DRAWN_QUALITY
        whole = fit(image)
    thumb = whole.copy()
    thumb.thumbnail((MAX_THUMB, MAX_THUMB), Image.Resampling.LANCZOS)
    return (
        whole.size,
        _encoded(whole, quality, PHOTO_METHOD),
        thumb.size,
        _encoded(thumb, quality, PHOTO_METHOD),
    )


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """Open the image with its head read and nothing decoded; whatever its reader raises in the block means damage."""
    if not content:
        raise Refused("empty")
    image = _open(content)
    if image.format in PHOTOS and content.count(b"\xff\xda") > MAX_SCANS:
        raise Refused("complicated")  # it would take minutes
    with image:
        try:
            yield image
        except (Refused, MemoryError):
            raise
        except Exception:  # Pillow's readers raise errors of any class
            raise Refused("damaged") from None


def _open(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("pixels", MAX_JPEG_PIXELS if content.startswith(b"\xff\xd8") else MAX_PIXELS) from None
    except MemoryError:
        raise
    except Exception:  # not only UnidentifiedImageError: half a head raises other errors
        raise Refused("format") from None
    if image.format not in OPENED_AS:
        raise Refused("format")
    most = MAX_JPEG_PIXELS if image.format in PHOTOS else MAX_PIXELS
    if image.width * image.height > most:
        raise Refused("pixels", most)
    return image


def _decode(image: Image.Image, width: int, height: int) -> None:
    """Read the pixels, of a photo only as many as are needed for so large a picture; of an animation the first."""
    # A progressive JPEG is held whole as it lies in the file, and its reader's error says nothing of memory.
    needed = image.width * image.height * 6 if "progressive" in image.info else 0
    image.draft("RGB", (width, height))
    if image.width * image.height > MAX_PIXELS:  # of a shape that can't be read at a fraction
        raise Refused("pixels", MAX_PIXELS)
    try:
        image.load()
    except OSError:
        raise Refused("complicated" if needed > MAX_COEFFICIENT_BYTES else "damaged") from None


def crop_square(image: Image.Image, crop: Crop) -> Image.Image:
    """Return a square of the picture, upright and opaque, with nothing of the file but its pixels."""
    needed = 2 * LARGE * 1000 // crop.size
    _decode(image, needed, needed)
    side = max(1, min(image.size) * crop.size // 1000)
    x, y = _as_stored(image, crop)
    left, top = (image.width - side) * x // 1000, (image.height - side) * y // 1000
    box = (left, top, left + side, top + side)
    small = _in_srgb(_in_plain_mode(image)).resize((LARGE, LARGE), Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    small = _upright(small).convert("RGBA")
    clean = Image.new("RGBA", small.size, "white")
    clean.alpha_composite(small)
    return clean.convert("RGB")


def fit(image: Image.Image) -> Image.Image:
    """
    Return the whole picture, upright, no larger than is shown, with nothing of the file but its pixels.

    What is transparent stays so: a drawing stands on whatever colour the page has.
    """
    scale = min(1.0, MAX_WHOLE / max(image.size))
    _decode(image, *(max(1, round(side * scale)) for side in image.size))
    small = _in_srgb(_in_plain_mode(image))
    small.thumbnail((MAX_WHOLE, MAX_WHOLE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    small = _upright(small)
    is_opaque = small.mode != "RGBA" or small.getchannel("A").getextrema() == (255, 255)
    clean = Image.new("RGB" if is_opaque else "RGBA", small.size)
    clean.paste(small.convert(clean.mode))
    return clean


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


def _encoded(image: Image.Image, quality: int, method: int) -> bytes:
    encoded = BytesIO()
    image.save(encoded, "WEBP", quality=quality, method=method, use_sharp_yuv=quality == DRAWN_QUALITY)
    return encoded.getvalue()
