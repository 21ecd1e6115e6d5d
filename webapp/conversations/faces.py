"""The faces of rooms: an emoji or two letters, on one of a dozen colours."""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

from webapp.accounts.viewer import HUES, Avatar
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _

# In characters: the longest emoji are families and flags.
FACE_SIZE = 24
MAX_LETTERS = 2
# Coprime to the number of hues: rooms that were made one after the other never look alike.
HUE_STEP = 5
_VARIATION = "\ufe0f"


class RoomFace(NamedTuple):
    """What stands on a room's tile, and its colour."""

    letters: str
    hue: int
    is_emoji: bool

    @staticmethod
    @lru_cache(4096)  # a sidebar has fifty, of which few change from one page to the next
    def of(room_id: int, name: str, face: str) -> "RoomFace":
        """Return the face that was chosen, else the first emoji of the name, else the letters of its words."""
        letters = face or next(filter(is_emoji, text.clusters(name)), "") or Avatar.of(name, "").initials
        return RoomFace(letters, room_id * HUE_STEP % HUES, is_emoji(letters))


def is_emoji(letters: str) -> bool:
    return any(unicodedata.category(sign) == "So" or sign == _VARIATION for sign in letters)


def room_face(typed: str) -> str:
    """Return the face as it is stored, empty for none; raise Invalid."""
    face = text.clean_line(typed)
    most = 1 if is_emoji(face) else MAX_LETTERS
    if len(face) > FACE_SIZE or len(text.clusters(face)) > most or (face and not text.has_visible(face)):
        raise Invalid(face=_("Choose one emoji, or one or two letters."))
    return face
