"""Finding people: by what they are called, or by the code that they gave away."""

import re
from typing import NamedTuple

from tortoise.expressions import Subquery
from tortoise.queryset import QuerySet

from webapp.accounts.models import SearchName, User
from webapp.accounts.names import CODE_LETTERS
from webapp.accounts.viewer import Person
from webapp.core import text
from webapp.relationships.models import Block, VeiledBlock
from webapp.relationships.queries import friend_ids, without_blocked

MAX_RESULTS = 20
MIN_LENGTH = 2
# Somebody is found once, but may have several names that begin with what was typed.
MAX_NAMES = 5 * MAX_RESULTS
# The letters that the alphabet of codes leaves out, because they are taken for these.
_MISREAD = str.maketrans("OIL", "011")


class SearchResult(NamedTuple):
    user: User
    is_friend: bool


def parse_code(typed: str) -> str:
    """The code that was typed, in whatever way it was written down; empty when it is none."""
    letters = re.sub(r"[\s-]", "", text.fold(typed)).upper().translate(_MISREAD)
    is_code = len(letters) == 8 and set(letters) <= set(CODE_LETTERS)
    return f"{letters[:4]}-{letters[4:]}" if is_code else ""


def parse_prefix(typed: str) -> str:
    """What a name is to begin with; empty when it would be that of too many."""
    name = text.strip_accents(typed)
    prefix = name.lstrip(" ()._'’-") or name
    return prefix if len(prefix) >= MIN_LENGTH else ""


def is_searchable(typed: str) -> bool:
    """Whether it is long enough to look for, as a code or the beginning of a name."""
    return bool(parse_code(typed) or parse_prefix(typed))


async def search(viewer: Person, typed: str) -> list[SearchResult]:
    """
    Up to MOST_FOUND people with that code or with a name that begins so, the viewer's friends first.

    Nobody is among them who has blocked the viewer or was blocked: it is as if they did not exist.
    """
    friends = await friend_ids(viewer.id)
    found = {user.id: user for user in await _by_code(viewer, typed)}
    if not found and (prefix := parse_prefix(typed)):
        found = await _by_name(viewer, prefix, friends)
    people = sorted(
        (SearchResult(user, user.id in friends) for user in found.values()), key=lambda one: not one.is_friend
    )
    return people[:MAX_RESULTS]


async def _by_code(viewer: Person, typed: str) -> list[User]:
    if not (code := parse_code(typed)):
        return []
    return await without_blocked(viewer, await User.filter(code=code, is_guest=False))


async def _by_name(viewer: Person, prefix: str, friends: set[int]) -> dict[int, User]:
    """In the order of what was found; friends have a query of their own, or a crowd of others could hide them."""
    names = SearchName.starting_with(prefix).limit(MAX_NAMES)
    known = await names.filter(user_id__in=friends) if friends else []
    others = _unblocked(_unblocked(names, viewer, Block.all()), viewer, VeiledBlock.filter(everywhere=True))
    return {name.user.id: name.user for name in [*known, *await others]}


def _unblocked(
    names: QuerySet[SearchName], viewer: Person, blocks: QuerySet[Block] | QuerySet[VeiledBlock]
) -> QuerySet[SearchName]:
    theirs = Subquery(blocks.filter(blocked_id=viewer.id).values("blocker_id"))
    mine = Subquery(blocks.filter(blocker_id=viewer.id).values("blocked_id"))
    return names.filter(user_id__not_in=theirs).filter(user_id__not_in=mine)
