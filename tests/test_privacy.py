"""What nobody else learns, whatever they ask: who talks to whom, who is whose friend, and who is here."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from starlette.routing import Route

from tests.conftest import Person, person
from tests.engine import by_hand, told  # noqa: F401  by_hand is a fixture
from tests.people import befriend, chat_of, who, write
from tests.window import Window, opened
from webapp.accounts.models import User
from webapp.app import app as the_app
from webapp.conversations import access, members, read_marks
from webapp.conversations.models import Room
from webapp.presence import broadcasts as presence
from webapp.presence.last_seen import update_last_seen
from webapp.presence.models import Visit
from webapp.presence.queries import presence_in
from webapp.presence.tracker import PresenceTracker, tracker
from webapp.relationships.models import Block

# The address that the chat will have: asked for before there is one, too.
KEY = "~" + "k" * 22
OPERATORS = ("/health", "/metrics", "/static", "/favicon")
CHANGING = re.compile(r'name="(nonce|token)" value="[^"]*"|nonce-[\w-]+|nonce="[^"]*"|(directory|inbox)=\d+')
PARAMETER = re.compile(r"{(\w+)[^}]*}")
STREAM = re.compile(r"/(events|live)$")
Answer = tuple[int, dict[str, str], str]


def addresses(room: Room, *people: Person) -> list[str]:
    """Every address that there is, with all that may stand in it."""
    found = set()
    for route in the_app.routes:
        if isinstance(route, Route) and not route.path.startswith(OPERATORS):
            for key in (KEY, room.key):
                for one in people:
                    values = {"key": key, "code": who(one).code}
                    found.add(PARAMETER.sub(lambda part, values=values: values.get(part[1], "1"), route.path))  # type: ignore[misc]
    for one in people:
        name, code = who(one).username, who(one).code
        found |= {f"/people?q={name}", f"/people?q={code}", f"/rooms?q={name}", f"/rooms?q={KEY}"}
    return sorted(found)


async def answer(one: Person, path: str) -> Answer:
    if STREAM.search(path) and one.user:
        return await opened(one, path)
    # Not packed: how long it is then depends on its nonce.
    found = await one.get(path, Accept_Encoding="identity")
    return found.status_code, dict(found.headers), found.text


async def everything(one: Person, paths: list[str]) -> dict[str, Answer]:
    """What somebody is answered everywhere, but for what is new in every answer."""
    seen = {}
    for path in paths:
        status, headers, text = await answer(one, path)
        headers = {
            name: CHANGING.sub("", value) for name, value in headers.items() if name not in ("date", "set-cookie")
        }
        seen[path] = status, headers, CHANGING.sub("", text)
    return seen


async def become_friends(one: Person, other: Person) -> None:
    await one.post(f"/friends/{who(other).code}/ask")
    await other.post(f"/friends/{who(one).code}/accept")


async def comes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [(who(one).id, 0)], [])
    presence.changed([who(one).id])


async def goes(one: Person) -> None:
    await Visit.apply_changes(tracker().process, [], [(who(one).id, 0)])
    await update_last_seen({who(one).id}, datetime.now(UTC) + timedelta(hours=1))
    presence.changed([who(one).id])


async def talk(alice: Person, zoe: Person) -> None:
    await write(alice, zoe, "Nobody else")
    await Room.filter(kind="direct").update(key=KEY)
    chat = await Room.get(key=KEY)
    await zoe.say(chat, "knows this")
    await read_marks.advance({(who(alice).id, chat.id): read_marks.ALL})


FACTS: dict[str, Callable[[Person, Person], Awaitable[object]]] = {
    "they are friends": become_friends,
    "they talk": talk,
    "one is online": lambda alice, zoe: comes(alice),
    "and was here": lambda alice, zoe: goes(alice),
}


@pytest.fixture(autouse=True)
def nobody_else_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a page is here for a while. Only those are who the test says."""

    async def nothing(_: PresenceTracker) -> None:
        return None

    monkeypatch.setattr(PresenceTracker, "write_changes", nothing)


@pytest.fixture
async def zoe(app: object) -> Person:
    return await person(app, "zoe")


@pytest.fixture
async def blocked(app: object, alice: Person, zoe: Person) -> Person:
    """Both have blocked him."""
    blocked = await person(app, "boris")
    for one in (alice, zoe):
        await Block.add(who(one), who(blocked))
    return blocked


@pytest.fixture
async def blocking(app: object, alice: Person, zoe: Person) -> Person:
    """She has blocked both."""
    blocking = await person(app, "berta")
    for one in (alice, zoe):
        await Block.add(who(blocking), who(one))
    blocking.user = await User.get(id=who(blocking).id)
    return blocking


async def test_no_address_shows_others_chats_friends_or_presence(
    alice: Person, zoe: Person, charlie: Person, blocked: Person, blocking: Person, visitor: Person, room: Room
) -> None:
    await User.filter(id__in=[who(alice).id, who(zoe).id]).update(presence_for="friends")
    others = {"a stranger": charlie, "blocked": blocked, "blocking": blocking, "signed out": visitor}
    paths = addresses(room, alice, zoe)
    assert len(paths) > 60
    for one in others.values():
        await everything(one, paths)  # whatever the first look changes
    before = {name: await everything(one, paths) for name, one in others.items()}
    assert before["a stranger"][who(alice).path][0] == 200
    assert before["blocked"][who(alice).path][0] == 404
    mine = await everything(alice, [chat_of(zoe), "/friends", "/lobby"])
    for fact, happens in FACTS.items():
        await happens(alice, zoe)
        for name, one in others.items():
            after = await everything(one, paths)
            told_them = [path for path in paths if after[path] != before[name][path]]
            assert not told_them, (fact, name, told_them)
    assert await everything(alice, [chat_of(zoe), "/friends", "/lobby"]) != mine, "the two themselves do see it"


async def test_no_open_stream_shows_others_chats_friends_or_presence(
    alice: Person, zoe: Person, charlie: Person, blocked: Person, blocking: Person, room: Room
) -> None:
    others = [charlie, blocked, blocking]
    for one in others:
        await members.join(await access.by_key(who(one), room.key))
    room = await Room.get(id=room.id)
    streams = [
        await Window.open(one, room=place, framing=framing)
        for one in others
        for place in (None, room)
        for framing in ("sse", "html")
    ]
    for stream in streams:
        stream.look()
    theirs = await Window.open(zoe)
    for happens in FACTS.values():
        await happens(alice, zoe)
        await told()
        theirs.look()
        assert theirs.text
        for stream in streams:
            stream.look()
            words = stream.text.casefold()
            assert not [word for word in ("alice", who(alice).code.casefold(), "zoe", KEY, "contacts") if word in words]


async def test_a_friend_who_does_not_show_it_looks_the_same_there_and_away(
    alice: Person, zoe: Person, room: Room
) -> None:
    await befriend(alice, zoe)
    await talk(alice, zoe)
    await User.filter(id=who(alice).id).update(shows_presence=False)
    paths = addresses(room, alice, zoe)
    await everything(zoe, paths)
    away = await everything(zoe, paths)
    for happens in (comes, goes):
        await happens(alice)
        there = await everything(zoe, paths)
        assert [path for path in paths if there[path] != away[path]] == []
    for path in (who(alice).path, f"/rooms/{KEY}", "/lobby", "/friends"):
        assert away[path][0] == 200
        assert "Last seen" not in away[path][2]
        assert "online-dot--on" not in away[path][2]


async def test_a_person_who_hides_presence_is_not_counted_in_a_room(alice: Person, bob: Person, room: Room) -> None:
    await Visit.apply_changes(tracker().process, [(who(one).id, room.id) for one in (alice, bob)], [])
    assert (await presence_in([room.id]))[room.id].total == 2
    await User.filter(id=who(alice).id).update(shows_presence=False)
    here = (await presence_in([room.id]))[room.id]
    assert (here.total, [one.display_name for one in here.shown]) == (1, ["Bob"])
    assert "1 here" in (await bob.get(room.path)).text
