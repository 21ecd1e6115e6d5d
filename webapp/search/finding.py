"""Finding messages: from what was typed to those that the viewer may read, each with its snippet."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from webapp.accounts.names import SEARCHED_LENGTH
from webapp.accounts.viewer import Viewer
from webapp.conversations.kinds import NOTES
from webapp.core import text
from webapp.core.lifetime import Slot
from webapp.db.readers import turn
from webapp.messages.markdown import plain_text
from webapp.messages.words import Phrase
from webapp.relationships.search import parse_code
from webapp.search import queries
from webapp.search.filters import SearchQuery
from webapp.search.queries import MAX_ID, PAGE_SIZE, FoundRow, RoomNames, Wanted
from webapp.search.snippets import CONTEXT_LENGTH, SnippetPart, snippet

SEARCH_SECONDS = 2.0
# Of one process: others read meanwhile with what the database has besides.
MAX_SEARCHES = 2
# What the viewer calls themselves in `from:`. No user name is as short as the first.
ME = ("me", "mir")
# After a message of so many characters the event loop has its turn.
LONG_LENGTH = 500
turns = Slot[asyncio.Semaphore]("turns of searches")


class Hit(NamedTuple):
    """A message that was found, as it is shown."""

    row: FoundRow
    snippet: list[SnippetPart]


class Found(NamedTuple):
    """A page of what was found, newest first; `older` is the id before which there is more, or 0."""

    hits: Sequence[Hit] = ()
    older: int = 0


async def find(
    viewer: Viewer, query: SearchQuery, before: int = MAX_ID, limit: int = PAGE_SIZE, context: int = CONTEXT_LENGTH
) -> Found:
    """
    Return the newest messages that the query asks for; raise TimeoutError where that takes too long.

    So many characters of each stand before what was looked for.
    """
    rooms = await _rooms(viewer, query.rooms) if query.rooms else await queries.my_rooms(viewer.id)
    authors = await _authors(viewer, query.authors) if query.authors else None
    wanted = Wanted(rooms, query.phrases, authors, query.marks, query.after, query.before)
    async with turn(turns()):
        rows = await queries.find_messages(viewer.id, wanted, before, limit + 1, SEARCH_SECONDS)
    hits = [Hit(row, await _snippet_of(row, query.phrases, context)) for row in rows[:limit]]
    return Found(hits, rows[limit - 1].id if len(rows) > limit else 0)


async def _rooms(viewer: Viewer, names: Sequence[str]) -> list[int]:
    """Return which of the viewer's rooms and chats are called so; for a room of others as for one that is not there."""
    mine = await queries.my_room_names(viewer.id)

    @cache  # folded once, and not for each of the names that were typed
    def names_of(room: RoomNames) -> frozenset[str]:
        return frozenset(_names(room))

    return sorted({room.id for name in names for room in _called(mine, name, names_of)})


def _called(mine: Sequence[RoomNames], name: str, names_of: Callable[[RoomNames], frozenset[str]]) -> list[RoomNames]:
    """Those with that key, else those with that name, else those whose name begins so; behind an @ chats alone."""
    if name.startswith("@"):
        name, mine = name[1:], [room for room in mine if room.other_code]
    elif keyed := [room for room in mine if room.key == name]:
        return keyed
    folded, code = text.strip_accents(name), parse_code(name)
    named = [(room, names_of(room)) for room in mine]
    if called := [room for room, names in named if folded in names or (code and code == room.other_code)]:
        return called
    return [room for room, names in named if folded and any(one.startswith(folded) for one in names)]


def _names(room: RoomNames) -> Iterator[str]:
    yield from (text.strip_accents(name) for name in (room.name, room.username) if name)
    if room.is_notes:
        yield text.strip_accents(str(NOTES))


async def _authors(viewer: Viewer, names: Sequence[str]) -> list[int]:
    found = set[int]()
    for name in names:
        name = name.removeprefix("@")
        if folded := text.strip_accents(name)[:SEARCHED_LENGTH]:
            ids = [] if folded == ME[0] else await queries.authors_called(folded, parse_code(name))
            found |= {viewer.id} if not ids and folded in ME else set(ids)
    return sorted(found)


async def name_in_search(viewer: Viewer, key: str) -> str:
    """Return how `in:` names one of the viewer's rooms, given its key; a chat by the user name of the other."""
    for room in await queries.my_room_names(viewer.id):
        if room.key == key and room.username:
            return f"@{room.username}"
    return key


async def _snippet_of(row: FoundRow, phrases: Sequence[Phrase], context: int) -> list[SnippetPart]:
    if len(row.body) > LONG_LENGTH:
        await asyncio.sleep(0)
    shown = snippet(plain_text(row.html), phrases, context)
    # What is in no word that one reads, as the address behind a name, stands in what was typed.
    return shown if any(part.is_marked for part in shown) else snippet(row.body, phrases, context)
