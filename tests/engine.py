"""
The sidebar's engine as tests know it: how a page joins, what it is told of, one pass, and what it reads by.

What the pages are sent, and what the database is asked, the tests see for themselves.
"""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from tests.readers import reader as open_reader
from webapp.live import Reader, hub, states
from webapp.live.states import StateRefresher
from webapp.live.topics import TopicStates
from webapp.sidebar import states as sidebars

# What a pass reads by: where each is found, by the name that the tests have for it.
READS: dict[str, tuple[Any, str]] = {
    "list": (sidebars, "list_entries_by_user"),
    "entries": (sidebars, "entries_for"),
    "rooms": (sidebars, "room_facts"),
    "people": (sidebars, "person_facts"),
    "dots": (sidebars, "online_frames"),
}


def following() -> TopicStates:
    return hub().following["user"]


def refresher() -> StateRefresher:
    return hub().bulk


def bound(name: str) -> tuple[Any, str]:
    """A bound of a pass: where it is found."""
    due = following()
    return {
        "rooms": (due.topics, "max_keys"),
        "entries": (due.topics, "max_readers"),
        "joining": (due.joining, "max_keys"),
    }[name]


def page(user: int, session: int, seen: str, framing: str = "sse") -> Reader:
    """A page that shows no room, and this of the sidebar, is open from now on."""
    reader = open_reader(None, None, framing, "/lobby", session=session, user=user)
    join(reader, seen)
    return reader


def join(reader: Reader, seen: str) -> None:
    """The page is open, and shows what this is the digest of."""
    hub().join(with_sidebar(reader, seen))


def with_sidebar(reader: Reader, seen: str) -> Reader:
    """The page shows a sidebar, of which this is the digest."""
    reader.digest = seen
    if (channel := f"user:{reader.labels['user']}") not in reader.channels:
        reader.channels = (*reader.channels, channel)
    return reader


def leave(reader: Reader) -> None:
    hub().leave(reader)


def refresh_item(user: int, room: int) -> None:
    hub().mark_item(f"user:{user}", f"room:{room}")


def refresh_requests(user: int) -> None:
    hub().restart(f"user:{user}")


def refresh_people(people: Collection[int]) -> None:
    for person in people:
        hub().mark_topic(f"person:{person}")


def lose_items() -> None:
    """What was told of single entries is not heard."""
    following().items.keys.clear()


def _followers(topic: str) -> set[int]:
    return {channel.number for channel in following().followers.of(topic)}


def follows_room(user: int, room: int) -> bool:
    return user in _followers(f"room:{room}")


def followers_of_room(room: int) -> int:
    return len(_followers(f"room:{room}"))


def followers_of_person(person: int) -> set[int]:
    return _followers(f"person:{person}")


def nobody_is_left() -> bool:
    followers = following().followers
    is_open = any(name.startswith("user:") for name in hub().channels)
    return not (is_open or followers.topics or followers.facts or following().joining.keys)


def nothing_is_due() -> bool:
    return refresher().is_idle


async def heartbeat() -> None:
    """What a heartbeat does for sidebars."""
    hub().heartbeat.reconcile_topics()


async def one_pass() -> None:
    await refresher().run_once()


def let_rooms_be_due() -> None:
    """A room that was read a moment ago may be read again."""
    following().topics.next_at.clear()


async def told() -> None:
    """Until everything that was heard has been told; what can't be read raises."""
    async with asyncio.timeout(10):
        while not refresher().is_idle:
            await refresher().run_once()
            await asyncio.sleep(0)


async def told_at_last() -> None:
    """As the task does it, with a pass that may fail."""
    while True:
        try:
            return await told()
        except OSError:
            pass


def run_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on passes are made as they are in the application, and one that failed is repeated at once."""
    monkeypatch.undo()
    monkeypatch.setattr(states, "RETRY_SECONDS", 0.0)
    hub().spawn(refresher().run())


def paceless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy room need not wait for its turn."""
    monkeypatch.setattr(states, "BULK", states.BULK._replace(max_seconds=0.0))


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass is made when the test says so."""
    run = StateRefresher.run

    async def only_prompt(refresher: StateRefresher) -> None:
        if len(refresher.queues) == 1:
            await run(refresher)

    monkeypatch.setattr(StateRefresher, "run", only_prompt)
    paceless(monkeypatch)
