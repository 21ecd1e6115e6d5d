"""What people may be called, by themselves and by the code that they give each other, and what finds them by it."""

import re
import secrets

from webapp import text
from webapp.errors import Invalid
from webapp.language import _

# Crockford's alphabet: nothing in it is mistaken for another when read aloud or written down.
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAME_LENGTH = 40
SEARCHED_LENGTH = 2 * NAME_LENGTH
RESERVED = frozenset(
    "admin administrator root system parley support help info moderator mod staff owner security abuse postmaster "
    "webmaster noreply everyone here all me you nobody guest anonymous deleted someone stranger null undefined".split()
)
# Letters and digits that look alike in many typefaces: one account for all of the ways to write them.
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", ".": "_", "-": "_"})


def new_code() -> str:
    """The short public id that people give each other, like K7Q2-M9XD."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


# A longer user name is nobody's, and to fold 128 kB of accents takes 0.2 s in the event loop.
MAX_TYPED = 100


def skeleton(username: str) -> str:
    """What is left of a user name when lookalikes are the same: two people may not share it."""
    return text.fold(username).translate(_LOOKALIKES).replace("rn", "m").replace("vv", "w")


def usable_name(username: str) -> str:
    """The user name as it is kept: raises Invalid when it can't be one."""
    name = text.fold(username) if len(username) <= MAX_TYPED else ""
    if not re.fullmatch(r"[a-z0-9_.-]{3,30}", name):
        raise Invalid(username=_("Use 3 to 30 letters (a to z), digits or _ . -"))
    if not re.search(r"[a-z]", name):
        raise Invalid(username=_("Use at least one letter."))
    if skeleton(name).strip("_") in {skeleton(reserved) for reserved in RESERVED}:
        raise Invalid(username=_("That name is not for people. Choose another."))
    return name


def display_name(typed: str) -> str:
    """The name that others see: raises Invalid when it can't be one."""
    name = text.line(typed)
    if not text.visible(name):
        raise Invalid(display_name=_("Write a name that others can see."))
    if len(name) > NAME_LENGTH:
        raise Invalid(display_name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    return name


def search_names(username: str, shown: str) -> set[str]:
    """What somebody is found by: the user name, and the name that others see from each of its words on."""
    name = text.bare(shown)
    parts = {name[word.start() :] for word in re.finditer(r"[^\s()._'’-]+", name)}
    return {one[:SEARCHED_LENGTH] for one in parts | {name, text.bare(username)} if one}
