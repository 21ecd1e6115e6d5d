"""Passwords: what may be one, and how it is hashed (argon2id; OWASP's figures of 19 MiB, two passes, one lane)."""

import gzip
import re
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webapp import settings
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.core.pool import Pool
from webapp.core.text import fold

SHORTEST, LONGEST = 8, 200

hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A hash takes a core for 65 ms, so the last of sixty waits for two seconds.
pool = Pool("password", 2, 60, _("Very many people sign in right now. Try again in a moment."))


# The 10,000 commonest of 8 characters or more, from the frequency lists of zxcvbn 4.5 (MIT), and a few of our own;
# packed, a line each, folded.
COMMON = Path(__file__).parent / "common_passwords.gz"
# What is left of a password beside names that everybody here knows must be more than a year or "123".
MIN_OWN_LENGTH = 5


def _is_common(folded: str) -> bool:
    """Read again each time, for 2 ms beside the 65 of the hash: as a set it would hold a megabyte for ever."""
    return "\n" not in folded and f"\n{folded}\n".encode() in gzip.decompress(COMMON.read_bytes())


def _is_a_name(folded: str, username: str) -> bool:
    """Whether it is little more than what the site or the person is called."""
    name = fold(username[:30])
    names = {name, name[::-1], "parley", "chat", *re.findall(r"\w{3,}", fold(settings.SITE_NAME))}
    for known in sorted(filter(None, names), key=len, reverse=True):
        folded = folded.replace(known, "")
    return len(folded) < MIN_OWN_LENGTH


def check(password: str, username: str) -> None:
    """Raise Invalid when this can't be the person's password."""
    if len(password) < SHORTEST:
        raise Invalid(password=_("Use at least %(least)s characters.", least=SHORTEST))
    if len(password) > LONGEST:
        raise Invalid(password=_("Use at most %(most)s characters.", most=LONGEST))
    folded = fold(password)
    if len(set(password)) < 3 or _is_a_name(folded, username) or _is_common(folded):
        raise Invalid(password=_("That one is too easy to guess. Choose another."))


async def hash_password(password: str) -> str:
    return await pool.run(hasher.hash, normalize(password))


async def verify(password: str, kept: str | None) -> bool:
    """Whether the password has this hash. Takes the same time when there is none to compare with."""
    if len(password) > LONGEST:
        password, kept = password[:LONGEST], None
    return await pool.run(_verify, normalize(password), kept)


def normalize(password: str) -> str:
    """The same characters whether a keyboard sends an accent with its letter or after it (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def needs_rehash(kept: str) -> bool:
    """Whether it was hashed with older figures than today's."""
    return hasher.check_needs_rehash(kept)


@cache
def _decoy_hash(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody has this password")


def _verify(password: str, kept: str | None) -> bool:
    try:
        hasher.verify(kept or _decoy_hash(hasher), password)
        return kept is not None
    except (VerificationError, InvalidHashError):
        return False
