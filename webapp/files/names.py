"""Names of files, made safe to store, to show and to save under."""

import re

from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.files.models import DESCRIPTION_LENGTH, NAME_LENGTH

# Systems take 255 bytes, and browsers add an ending of their own while they save.
MAX_BYTES = 240
MAX_ENDING = 16
# The plain direction marks, which texts have and names do not: they would put an ending in the middle.
_MARKS = re.compile("[\u200e\u200f\u061c]")


def validate_name(typed: str) -> str:
    """Return the name as it is stored, without folders, shortened before its ending; raise Invalid."""
    name = text.clean_line(_MARKS.sub("", re.split(r"[/\\]", text.clean_line(typed))[-1]))
    if not text.has_visible(name) or not name.strip(". "):
        raise Invalid(name=_("The file needs a name."))
    return _shortened(name)


def _shortened(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > MAX_ENDING:
        stem, dot, ending = name, "", ""
    while len(stem + dot + ending) > NAME_LENGTH or len((stem + dot + ending).encode()) > MAX_BYTES:
        stem = stem[:-1]
    return f"{stem.rstrip()}{dot}{ending}"


def as_webp(name: str) -> str:
    """Return the name of a picture that was drawn again."""
    stem, _dot, ending = name.rpartition(".")
    is_ending = bool(stem) and len(ending) <= MAX_ENDING
    return _shortened(f"{stem if is_ending else name}.webp")


def validate_description(typed: str) -> str:
    """Return what a picture shows, as it is stored; raise Invalid."""
    description = text.clean_line(typed)
    if len(description) > DESCRIPTION_LENGTH:
        raise Invalid(description=_("Use at most %(most)s characters.", most=DESCRIPTION_LENGTH))
    return description
