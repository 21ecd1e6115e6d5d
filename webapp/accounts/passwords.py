"""Passwords: what may be one, and how it is kept (argon2id; OWASP's figures of 19 MiB, two passes, one lane)."""

import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webapp.errors import Invalid
from webapp.language import _
from webapp.pool import Pool
from webapp.text import fold

SHORTEST, LONGEST = 8, 200

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A hash takes a core for 65 ms, so the last of sixty waits for two seconds.
_pool = Pool("password", 2, 60, _("Very many people sign in right now. Try again in a moment."))


@cache
def _common() -> frozenset[str]:
    return frozenset((Path(__file__).parent / "common_passwords.txt").read_text("utf-8").split())


def check(password: str, username: str) -> None:
    """Raise Invalid when this can't be the person's password."""
    if len(password) < SHORTEST:
        raise Invalid(password=_("Use at least %(least)s characters.", least=SHORTEST))
    if len(password) > LONGEST:
        raise Invalid(password=_("Use at most %(most)s characters.", most=LONGEST))
    easy = {fold(username), fold(username)[::-1]}
    if fold(password) in _common() | easy or len(set(password)) < 3:
        raise Invalid(password=_("That one is too easy to guess. Choose another."))


async def hashed(password: str) -> str:
    return await _pool.run(_hasher.hash, composed(password))


async def matches(password: str, kept: str | None) -> bool:
    """Whether the password is the one kept. Takes the same time when there is none to compare with."""
    if len(password) > LONGEST:
        password, kept = password[:LONGEST], None
    return await _pool.run(_verify, composed(password), kept)


def composed(password: str) -> str:
    """The same characters whether a keyboard sends an accent with its letter or after it (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with older figures than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")


def _verify(password: str, kept: str | None) -> bool:
    try:
        _hasher.verify(kept or _nobody(), password)
        return kept is not None
    except (VerificationError, InvalidHashError):
        return False
