"""How people see each other: name, picture and colour."""

import re
from typing import NamedTuple
from zlib import crc32

from webapp.core import text
from webapp.media import store

HUES = 12


class Avatar(NamedTuple):
    """Initials on one of a dozen colours, and over them the addresses of the picture in two sizes, if there is one."""

    initials: str
    hue: int
    small: str = ""
    large: str = ""

    @classmethod
    def of(cls, name: str, code: str, picture: str | None = None) -> "Avatar":
        words = [word for word in re.split(r"[\s._-]+", name) if word[:1].isalnum()] or ["?"]
        initials = "".join(text.clusters(word)[0] for word in (words if len(words) == 1 else (words[0], words[-1])))
        sizes = [store.path(picture, size) for size in (store.SMALL, store.LARGE)] if picture else []
        return cls(initials.upper(), crc32(code.encode()) % HUES, *sizes)
