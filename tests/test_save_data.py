"""Who saves data, by a choice of their own or of their browser: less comes, and nothing that was said is missing."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse, Response

from tests import engine
from tests.conftest import Person
from tests.people import befriend, write
from tests.readers import reader as open_reader
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.live import Reader, hub, stream
from webapp.presence import broadcasts as presence
from webapp.presence.models import Visit
from webapp.presence.tracker import tracker
from webapp.streams import opening

FORM = "/settings/profile"


async def choose(person: Person, **fields: str) -> bool:
    """What is stored of the choice after the form was sent."""
    answer = await person.post(FORM, {"display_name": "Alice"} | fields)
    assert answer.status_code == 303
    assert person.user
    return (await User.get(id=person.user.id)).saves_data


async def test_saving_data_is_a_choice_of_the_account(alice: Person, room: Room) -> None:
    assert 'class="save-data' not in (await alice.get(room.path)).text
    assert await choose(alice, saves_data="1")
    assert 'name="saves_data" value="1" checked' in (await alice.get(FORM)).text
    assert 'class="save-data' in (await alice.get(room.path)).text
    assert not await choose(alice)
    assert "checked" not in (await alice.get(FORM)).text


async def test_a_stream_saves_data_by_choice_or_by_header(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(reader: Reader, *_: object, **__: object) -> Response:
        return PlainTextResponse(" ".join(sorted(reader.states)))

    monkeypatch.setattr(opening, "Stream", told)
    for path, saving, more in (
        (f"{room.path}/events", "about entries pins", "chat_typing online people typing"),
        (f"{room.path}/live", "about days pins", "people typing"),
        ("/events", "entries", "chat_typing online"),
    ):
        assert (await alice.get(path)).text == " ".join(sorted(f"{saving} {more}".split()))
        assert (await alice.get(path, Save_Data="on")).text == saving
    await choose(alice, saves_data="1")
    assert (await alice.get(f"{room.path}/events")).text == "about entries pins"


async def test_a_page_that_saves_data_gets_messages_in_pieces_and_no_typing_or_presence(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alice.user
    saving, full = readers(alice, room)
    hub().join(full)
    chunks = stream.Stream(saving, b": ok\n\n", "text/event-stream", interval=0.5).chunks()
    assert await anext(chunks) == b": ok\n\n"
    first = asyncio.ensure_future(anext(chunks))
    await bob.post(f"{room.path}/typing")
    await bob.say(room, "one")
    heard = await first
    rest = asyncio.ensure_future(anext(chunks))
    await bob.say(room, "two")
    await bob.say(room, "three")
    heard += (last := await rest)
    assert b"two" in last
    assert b"three" in last
    assert b"one" in heard
    assert b"#typing" not in heard
    assert b"#people" not in heard
    everything = b""
    async with asyncio.timeout(10):
        async for chunk in full.outbox:
            everything += chunk
            if b"three" in everything and b"#people" in everything and b"#typing" in everything:
                break
    await chunks.aclose()


def readers(one: Person, room: Room | None) -> tuple[Reader, Reader]:
    """Two open pages of theirs: one that saves data, and one that does not."""
    assert one.user
    number, version = (room.id, room.version) if room else (None, None)
    saving, full = (
        open_reader(number, version, "sse", "/lobby", session=one.session.id, user=one.user.id) for _ in range(2)
    )
    saving.states -= opening.DISPENSABLE_STATES
    return saving, full


async def heard(reader: Reader, words: bytes) -> bytes:
    """What the page was sent until it was sent this."""
    everything = b""
    async with asyncio.timeout(30):
        async for chunk in reader.outbox:
            everything += chunk
            if words in everything:
                return everything
    raise AssertionError("the page was closed")


async def test_a_page_that_saves_data_gets_messages_and_not_who_is_online(alice: Person, bob: Person) -> None:
    await befriend(alice, bob)
    assert alice.user
    assert bob.user
    saving, full = readers(alice, None)
    for reader in (saving, full):
        engine.join(reader, "")
    await heard(full, b"#entries")
    await Visit.apply_changes(tracker().process, [(bob.user.id, 0)], [])
    presence.changed([bob.user.id])
    await heard(full, b"#dot-friend-")
    await write(bob, alice, "Supper is ready")
    assert b"Supper is ready" in (told := await heard(saving, b"Supper is ready"))
    assert b"#dot-" not in told
    for reader in (saving, full):
        engine.leave(reader)
