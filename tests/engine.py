"""
The sidebar's engine as tests know it: how a page joins, what it is told of, one pass, and what it reads by.

What the pages are sent, and what the database is asked, the tests see for themselves.
"""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from tests.readers import reader as open_reader
from webapp.live import Reader, hub
from webapp.sidebar import viewers as engine
from webapp.sidebar.viewers import Viewers, viewers

# The bounds of a pass, and what it reads by: where each is found, by the name that the tests have for it.
BOUNDS: dict[str, tuple[Any, str]] = {
    "rooms": (engine, "MOST_ROOMS"),
    "entries": (engine, "MOST_TOLD"),
    "joining": (engine, "MAX_JOINING"),
}
READS: dict[str, tuple[Any, str]] = {
    "list": (engine, "list_entries_by_user"),
    "entries": (engine, "entries_for"),
    "online": (engine, "online"),
    "dots": (engine, "online_frames"),
}


def page(user: int, session: int, seen: str, framing: str = "sse") -> Reader:
    """A page that shows no room, and this of the sidebar, is open from now on."""
    reader = open_reader(None, None, framing, "/lobby", session=session, user=user)
    join(reader, seen)
    return reader


def join(reader: Reader, seen: str) -> None:
    """The page is open, and shows what this is the digest of."""
    hub().join(reader)
    viewers().join(reader, seen)


def leave(reader: Reader) -> None:
    hub().leave(reader)
    viewers().leave(reader)


def refresh_item(user: int, room: int) -> None:
    viewers().mark_item(user, room)


def refresh_requests(user: int) -> None:
    viewers().refresh_requests(user)


def refresh_people(people: Collection[int]) -> None:
    viewers().mark_people(people)


def lose_items() -> None:
    """What was told of single entries is not heard."""
    viewers()._places.clear()


def follows_room(user: int, room: int) -> bool:
    return user in viewers()._audience.in_room.get(room, ())


def followers_of_room(room: int) -> int:
    return len(viewers()._audience.in_room.get(room, ()))


def followers_of_person(person: int) -> set[int]:
    return set(viewers()._audience.friends_of.get(person, ()))


def is_referred(referrers: list[Any]) -> bool:
    return any(one is viewers()._audience.people for one in referrers if isinstance(one, dict))


def nobody_is_left() -> bool:
    there = viewers()._audience
    return not (there.people or there.in_room or there.friends_of or there.told or viewers()._joining)


def nothing_is_due() -> bool:
    due = viewers()
    return not (due._joining or due._rooms or due._places or due._people or due._must_look)


async def heartbeat() -> None:
    """What a heartbeat does for sidebars."""
    viewers().reconcile()


async def one_pass() -> None:
    await viewers()._pass()


def let_rooms_be_due() -> None:
    """A room that was read a moment ago may be read again."""
    viewers()._next_at.clear()


async def told() -> None:
    """Until everything that was heard has been told; what can't be read raises."""
    async with asyncio.timeout(10):
        while viewers()._has_news.is_set() or viewers()._rooms:
            await viewers()._has_news.wait()
            viewers()._has_news.clear()
            await viewers()._pass()


async def told_at_last() -> None:
    """As the task does it, with a pass that may fail."""
    while True:
        try:
            return await told()
        except OSError:
            viewers()._has_news.set()


def run_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on passes are made as they are in the application, and one that failed is repeated at once."""
    monkeypatch.undo()
    monkeypatch.setattr(engine, "RETRY_SECONDS", 0.0)
    hub().spawn(viewers().run())


def paceless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy room need not wait for its turn."""
    monkeypatch.setattr(engine, "MAX_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass is made when the test says so."""

    async def run(_: Viewers) -> None:
        pass

    monkeypatch.setattr(Viewers, "run", run)
    paceless(monkeypatch)
