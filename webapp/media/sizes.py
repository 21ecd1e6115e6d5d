"""What the server and the child process that makes pictures both know of them."""

from typing import NamedTuple

# A profile and its double on a fine screen; a message's 36 pixels, and a list's 48 on a fine screen.
LARGE, SMALL = 256, 96
# The longer side of a picture in a message: seen whole, and among the words.
MAX_WHOLE, MAX_THUMB = 2048, 480
# What is decoded. A JPEG is read at a fraction of its size, so that a phone's 48 to 50 million pixels are no burden.
MAX_PIXELS, MAX_JPEG_PIXELS = 25_000_000, 100_000_000


class Crop(NamedTuple):
    """
    Which square of a picture is stored, in thousandths.

    `size` is that of its side to the picture's shorter one; `x` and `y` say where it stands between both ends, as the
    picture is seen upright. So none can lie outside.
    """

    x: int = 500
    y: int = 500
    size: int = 1000


class Refused(Exception):
    """The picture can't be made. The first argument says why, in a word that images.py has a sentence for."""
