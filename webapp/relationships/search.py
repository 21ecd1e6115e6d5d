"""Finding people: by what they are called, or by the code that they gave away."""

import re
from typing import NamedTuple

from webapp.accounts.names import CODE_LETTERS
from webapp.accounts.queries import people_by_code
from webapp.accounts.viewer import Person, PersonRow
from webapp.core import text
from webapp.relationships.queries import friend_ids, friends_by_name, people_by_name, without_blocked

MAX_RESULTS = 20
MIN_LENGTH = 2
MAX_QUERY_LENGTH = 60
# The letters that the alphabet of codes leaves out, because they are taken for these.
_MISREAD = str.maketrans("OIL", "011")


class SearchResult(NamedTuple):
    user: PersonRow
    is_friend: bool


def parse_code(typed: str) -> str:
    """Return the code that was typed, in whatever way it was written down; empty when it is none."""
    letters = re.sub(r"[\s-]", "", text.fold(typed)).upper().translate(_MISREAD)
    is_code = len(letters) == 8 and set(letters) <= set(CODE_LETTERS)
    return f"{letters[:4]}-{letters[4:]}" if is_code else ""


def parse_prefix(typed: str) -> str:
    """Return what a name is to begin with; empty when it would be that of too many."""
    name = text.strip_accents(typed)
    prefix = name.lstrip(" ()._'’-") or name
    return prefix if len(prefix) >= MIN_LENGTH else ""


def is_searchable(typed: str) -> bool:
    """Return whether it is long enough to search for, as a code or the beginning of a name."""
    return bool(parse_code(typed) or parse_prefix(typed))


async def search(viewer: Person, typed: str) -> list[SearchResult]:
    """
    Return up to MAX_RESULTS people with that code or with a name that begins so, the viewer's friends first.

    Nobody is among them who has blocked the viewer or was blocked: it is as if they did not exist.
    """
    friends = await friend_ids(viewer.id)
    found = {person.id: person for person in await _by_code(viewer, typed)}
    if not found and (prefix := parse_prefix(typed)):
        # Friends have a query of their own, or a crowd of others could hide them.
        known = await friends_by_name(prefix, friends) if friends else []
        found = {person.id: person for person in [*known, *await people_by_name(viewer, prefix)]}
    people = [SearchResult(person, person.id in friends) for person in found.values()]
    return sorted(people, key=lambda result: not result.is_friend)[:MAX_RESULTS]


async def _by_code(viewer: Person, typed: str) -> list[PersonRow]:
    if not (code := parse_code(typed)):
        return []
    return await without_blocked(viewer, await people_by_code(code))
