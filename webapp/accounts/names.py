"""What people may be called, by themselves and by the code that they give each other, and what finds them by it."""

import re
import secrets
from collections.abc import Iterable

from webapp import settings
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _

# Crockford's alphabet: nothing in it is mistaken for another when read aloud or written down.
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# In letters, as people count, and in characters, as the database does.
NAME_LENGTH = 40
NAME_SIZE = text.CHARACTERS_PER_LETTER * NAME_LENGTH
SEARCHED_LENGTH = 2 * NAME_LENGTH
# Names that nobody has. The first ones speak for the site, also as a part of a name; the others only by themselves.
OFFICIAL = frozenset(
    "admin admins administrator administrators administration superuser sysadmin sysop root parley support staff team "
    "security official moderator moderators moderation".split()
)
RESERVED = OFFICIAL | frozenset(
    "system service help info mod owner abuse postmaster webmaster noreply everyone here all me you nobody guest "
    "anonymous deleted someone stranger null undefined room".split()
)
# What pages call deleted accounts, and what only the site is called: nobody else is shown as that.
RESERVED_SHOWN = ("Someone who left", "Deleted account", "Jemand, der gegangen ist", "Gelöschtes Konto", "System")
# Letters and digits that look alike in many typefaces: one account for all of the ways to write them.
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", ".": "_", "-": "_", " ": "_"})
# Letters of other scripts that look like Latin ones, after folding.
_FOREIGN = str.maketrans("авеікмнорстухѕјԁӏαεικνορτυχ", "abeikmhopctyxsjdlaeiknoptux")


def new_code() -> str:
    """The short public id that people give each other, like K7Q2-M9XD."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


# A longer user name is nobody's, and to fold 128 kB of accents takes 0.2 s in the event loop.
MAX_TYPED = 100


def skeleton(username: str) -> str:
    """What is left of a name when lookalikes and dividers are the same: two people may not share it as a user name."""
    alike = text.fold(username).translate(_FOREIGN).translate(_LOOKALIKES).replace("rn", "m").replace("vv", "w")
    return re.sub("_+", "_", alike).strip("_")


def _is_among(name: str, reserved: Iterable[str]) -> bool:
    """Whether the name is one of these, however it is written and numbered."""
    found = {skeleton(name), skeleton(text.fold(name).strip("0123456789._- "))}
    return not {one.replace("_", "") for one in found}.isdisjoint(
        skeleton(word).replace("_", "") for word in [*reserved, settings.SITE_NAME]
    )


def validate_username(username: str, is_admin: bool = False) -> str:
    """The user name as it is stored: raises Invalid when it can't be one. An administrator may speak for the site."""
    name = text.fold(username) if len(username) <= MAX_TYPED else ""
    if not re.fullmatch(r"[a-z0-9_.-]{3,30}", name):
        raise Invalid(username=_("Use 3 to 30 letters (a to z), digits or _ . -"))
    if not re.search(r"[a-z]", name):
        raise Invalid(username=_("Use at least one letter."))
    is_official = any(_is_among(part, OFFICIAL) for part in re.split(r"[._-]+", name))
    is_reserved = skeleton(name).replace("_", "") in {skeleton(word) for word in RESERVED}
    if not is_admin and (is_official or is_reserved or _is_among(name, OFFICIAL)):
        raise Invalid(username=_("That name is not for people. Choose another."))
    return name


def validate_display_name(typed: str, is_admin: bool = False) -> str:
    """The name that others see: raises Invalid when it can't be one. An administrator may speak for the site."""
    name = text.clean_line(typed)
    if not text.has_visible(name):
        raise Invalid(display_name=_("Write a name that others can see."))
    if text.is_longer(name, NAME_LENGTH):
        raise Invalid(display_name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    if not is_admin and _is_among(name, OFFICIAL.union(RESERVED_SHOWN)):
        raise Invalid(display_name=_("That name is not for people. Choose another."))
    return name


def sort_key(shown: str) -> str:
    """Return what a person is listed by: the name that others see, folded, so that an index has the order."""
    return text.strip_accents(shown)[:SEARCHED_LENGTH]


def search_keys(username: str, shown: str) -> set[str]:
    """What a person is found by: the user name, and the name that others see from each of its words on."""
    name = text.strip_accents(shown)
    parts = {name[word.start() :] for word in re.finditer(r"[^\s()._'’-]+", name)}
    return {one[:SEARCHED_LENGTH] for one in parts | {name, text.strip_accents(username)} if one}
