"""What a stream sends: from any version to the newest, each change once, for pages with script and without."""

import asyncio
import re
from typing import Any

import pytest
from limits import parse

from tests.conftest import Person
from tests.people import make_room, post_as, who
from tests.readers import reader as open_reader
from webapp import settings
from webapp.conversations.models import Room
from webapp.http import render
from webapp.live import Frame, Reader, hub
from webapp.live.frames import RELOAD_DOCUMENT, STYLE_NONCE
from webapp.live.stream import Stream
from webapp.messages import changes
from webapp.messages.models import Message

NUMBER = re.compile(r'<li id="message-\d+-(\d+)"')


async def frame(room: Room, cursor: int | None) -> tuple[int, Frame]:
    found = await changes.log(room.id, {cursor})
    assert found
    version, frames = found
    return version, frames[cursor].in_language("en")


async def say(person: Person, room: Room, *words: str) -> None:
    assert person.user
    for word in words:
        await post_as(person.user, room, word, "")


async def change(room: Room, number: int, body: str = "") -> None:
    message = await Message.get(room_id=room.id, number=number)
    await (message.edit(body) if body else message.remove())


def numbers(html: bytes) -> list[int]:
    return [int(number) for number in NUMBER.findall(html.decode())]


def replaced(sse: bytes) -> list[int]:
    return [int(number) for number in re.findall(r'<hx-partial hx-target="#message-\d+-(\d+)"', sse.decode())]


async def test_from_a_version_come_the_messages_posted_since_in_order(alice: Person, room: Room) -> None:
    await say(alice, room, "one", "two", "three")
    version, got = await frame(room, 1)
    assert version == 3
    assert got.sse.startswith(b"id: 3\n")
    assert numbers(got.sse) == numbers(got.html) == [2, 3]
    assert not replaced(got.sse)


async def test_an_event_is_one_block_whatever_lines_a_message_has(alice: Person, room: Room) -> None:
    await say(alice, room, "one\n\n```\ndata: x\n\nid: 99\n```\nlast\r\n\r\nline")
    _, got = await frame(room, 0)
    lines = got.sse.decode().split("\n")
    assert lines[0] == "id: 1"
    assert all(line.startswith("data: ") for line in lines[1:-2])
    assert lines[-2:] == ["", ""]


async def test_what_was_edited_and_removed_comes_in_its_place(alice: Person, room: Room) -> None:
    await say(alice, room, "one", "two", "three")
    await change(room, 1, "one, better")
    await change(room, 2)
    version, got = await frame(room, 3)
    assert version == 5
    assert replaced(got.sse) == [1, 2]
    assert b"one, better" in got.sse
    assert b"two" not in got.sse
    assert b"Removed" in got.sse


async def test_what_was_posted_and_edited_while_away_comes_once_and_as_new(alice: Person, room: Room) -> None:
    await say(alice, room, "one", "two")
    await change(room, 2, "two, better")
    _, got = await frame(room, 1)
    assert numbers(got.sse) == [2]
    assert not replaced(got.sse)
    assert b"two, better" in got.sse


async def test_many_versions_are_served_from_one_reading(alice: Person, room: Room) -> None:
    await say(alice, room, "one", "two", "three")
    found = await changes.log(room.id, {0, 1, 2, 3})
    assert found
    version, frames = found
    assert version == 3
    assert [numbers(frames[cursor].in_language("en").sse) for cursor in range(4)] == [[1, 2, 3], [2, 3], [3], []]


@pytest.mark.parametrize("cursor", [None, 99])
async def test_without_a_version_or_with_one_of_another_time_the_last_page_replaces_the_log(
    alice: Person, room: Room, cursor: int | None
) -> None:
    await say(alice, room, *map(str, range(60)))
    version, got = await frame(room, cursor)
    assert version == 60
    assert numbers(got.sse) == list(range(11, 61))
    assert b'hx-target="#log" hx-swap="innerHTML"' in got.sse
    if cursor is None:
        assert numbers(got.html) == list(range(11, 61))
    else:
        assert got.html == RELOAD_DOCUMENT


async def test_after_more_than_500_changes_the_last_page_replaces_the_log(alice: Person, room: Room) -> None:
    await say(alice, room, *map(str, range(502)))
    found = await changes.log(room.id, {1, 2})
    assert found
    _, frames = found
    assert b'hx-target="#log" hx-swap="innerHTML"' in frames[1].in_language("en").sse
    assert numbers(frames[1].in_language("en").sse) == list(range(453, 503))
    assert numbers(frames[2].in_language("en").sse) == list(range(3, 503))


async def test_a_deleted_room_has_no_log(room: Room) -> None:
    await Room.close(room.id)
    assert await changes.log(room.id, {0}) is None


async def test_without_script_a_style_puts_each_message_in_its_place_and_hides_what_it_was(
    alice: Person, room: Room
) -> None:
    await say(alice, room, "one", "two")
    await change(room, 1, "one, better")
    _, got = await frame(room, 2)
    html = got.html.decode()
    identity = f"#message-{room.id}-1"
    again = f"{identity}:not(.again)~{identity}.again"
    assert f'<style nonce="{STYLE_NONCE}">{identity}[data-version],{again}[data-version]{{--shown:none}}' in html
    assert f'{again}[data-version="3"]{{--shown:initial}}</style>' in html
    assert f"{identity}{{order:2}}" in html
    assert b"again" not in got.sse


async def test_an_endless_document_ends_where_the_log_is_sent_again(alice: Person, room: Room) -> None:
    """What it holds can't be taken back, so it is loaded again; a page with script has its log replaced."""
    await say(alice, room, "one", "two")
    reader = open_reader(room.id, None, "html", session=alice.session.id, user=who(alice).id)
    chunks = Stream(reader, b"opening", "text/html").chunks()
    async with asyncio.timeout(5):
        assert await anext(chunks) == b"opening"
        while b"two" not in await anext(chunks):
            pass
        await Room.filter(id=room.id).update(version=1000)
        await say(alice, room, "three")
        changes.log_changed(room.id, 1001)
        rest = [chunk async for chunk in chunks]
    # Who is here may have changed at the same moment: it then comes in one piece with the end.
    assert RELOAD_DOCUMENT in rest[-1]
    assert b"three" not in b"".join(rest)


# The streams themselves.


@pytest.mark.parametrize("name", ["Events", "Live"])
async def test_a_room_with_the_name_of_a_stream_is_a_room(
    visitor: Person, alice: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert alice.user
    room = await make_room(alice.user, name, "")
    assert room.path == f"/rooms/{name.lower()}"
    answer = await visitor.get(room.path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next=%2Frooms%2F{name.lower()}")
    monkeypatch.setattr(settings, "MAX_STREAMS", 0)
    assert (await alice.get(room.path)).status_code == 200
    assert (await alice.client.head(f"{room.path}/events")).status_code == 503


async def test_no_query_opens_a_stream_past_the_limit(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_STREAMS", 0)
    streams = [f"{room.path}/events", f"{room.path}/live", "/events", "/live"]
    for path in streams:
        assert (await alice.client.head(path)).status_code == 503
        answer = await alice.client.head(f"{path}?after=0&frame=1")
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    for path in streams[::2]:
        assert (await alice.client.head(f"{path}?frame=1")).status_code == 503
    for path in streams[1::2]:
        assert b"<iframe" in (await alice.get(f"{path}?frame=a")).content, "the document around it is no stream"


@pytest.mark.parametrize("name", ["events", "live"])
async def test_a_stream_is_for_people_who_are_signed_in(visitor: Person, room: Room, name: str) -> None:
    answer = await visitor.get(f"{room.path}/{name}")
    assert answer.status_code == 401
    assert "event-stream" not in answer.headers["content-type"]


@pytest.mark.parametrize("name", ["events", "live"])
async def test_a_room_that_never_was_has_no_stream(alice: Person, room: Room, name: str) -> None:
    assert (await alice.get(f"/rooms/nowhere/{name}")).status_code == 404


async def test_streams_are_opened_only_so_often(alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_STREAM", parse("1/minute"))
    headers = (await alice.client.head(f"{room.path}/events")).headers
    assert headers["content-type"].startswith("text/event-stream")
    refused = await alice.get(f"{room.path}/events")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("after", "last", "cursor"),
    [
        ("1", None, 1),
        ("1", "2", 2),
        ("1", "x", 1),
        ("x", "x", None),
        (None, None, None),
        ("-1", None, None),
        ("1", "99", None),
        ("1", "9" * 40, 1),
        ("9" * 5000, None, None),
        ("1", "²", 1),
        ("0", None, 0),
    ],
)
async def test_the_version_that_was_heard_last_wins_and_nonsense_is_passed_over(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, after: str | None, last: str | None, cursor: int | None
) -> None:
    await say(alice, room, "one", "two", "three")
    opened: list[Reader] = []
    monkeypatch.setattr(Stream, "__init__", _remembering(opened, Stream.__init__))
    headers = [(b"last-event-id", last.encode())] if last else []
    query = f"?after={after}" if after else ""
    answer = await alice.client.request("HEAD", f"{room.path}/events{query}", headers=headers)
    assert answer.status_code == 200
    assert [reader.cursor for reader in opened] == [cursor]


def _remembering(opened: list[Reader], begin: Any) -> Any:
    def wrapped(self: Stream, reader: Reader, *args: Any, **kwargs: Any) -> None:
        opened.append(reader)
        begin(self, reader, *args, **kwargs)

    return wrapped


async def test_the_sixth_stream_of_a_session_ends_the_oldest(alice: Person, bob: Person, room: Room) -> None:
    assert alice.user
    labels = {"session": alice.session.id, "user": alice.user.id}
    readers = [open_reader(room.id, 0, "sse", room.path, **labels) for _ in range(5)]
    other = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=2)
    for reader in [other, *readers]:
        hub().join(reader)
    await alice.client.head(f"{room.path}/events?after=0")
    assert [reader.outbox.is_closed for reader in readers] == [True] + [False] * 4
    assert not other.outbox.is_closed
    last = b"".join([chunk async for chunk in readers[0].outbox])
    assert b"This page is paused" in last
    assert b'hx-target="#stream"' in last
    assert room.path.encode() in last


@pytest.mark.parametrize(
    ("query", "is_told"),
    [
        (f"page={render.PAGE_VERSION}&sidebar=-", False),
        ("page=00000000&sidebar=-", True),
        ("sidebar=-", True),  # of before pages had a version
        ("", False),  # none of our pages
    ],
)
async def test_the_stream_of_a_page_of_another_version_begins_with_that(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, query: str, is_told: bool
) -> None:
    openings: list[bytes] = []
    begin = Stream.__init__

    def wrapped(self: Stream, reader: Reader, opening: bytes, *args: Any, **kwargs: Any) -> None:
        openings.append(opening)
        begin(self, reader, opening, *args, **kwargs)

    monkeypatch.setattr(Stream, "__init__", wrapped)
    for path in (room.path, ""):
        await alice.client.head(f"{path}/events?{query}")
        opening = openings.pop().decode()
        assert opening.startswith(": ok\n")
        assert ("\nevent: outdated\ndata: " in opening) == is_told
        assert ("Parley has been updated." in opening) == is_told


async def test_signing_out_ends_the_streams_of_that_session_alone(alice: Person, bob: Person, room: Room) -> None:
    hers = open_reader(room.id, 0, "sse", room.path, session=alice.session.id, user=1)
    framed = open_reader(room.id, None, "html", room.path, session=alice.session.id, user=1)
    his = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=2)
    for reader in (hers, framed, his):
        hub().join(reader)
    await alice.post("/logout")
    assert hers.outbox.is_closed
    assert framed.outbox.is_closed
    assert not his.outbox.is_closed
    assert b"You are signed out." in b"".join([chunk async for chunk in hers.outbox])


async def test_a_session_that_ended_elsewhere_is_found_by_the_heartbeat(alice: Person, bob: Person, room: Room) -> None:
    hers = open_reader(room.id, 0, "sse", room.path, session=alice.session.id, user=1)
    his = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=2)
    for reader in (hers, his):
        hub().join(reader)
    await alice.session.delete()
    await hub().heartbeat.reconcile()
    assert hers.outbox.is_closed
    assert not his.outbox.is_closed


async def test_a_kicked_member_loses_the_stream_with_the_reason(alice: Person, bob: Person, room: Room) -> None:
    assert bob.user
    his = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=bob.user.id)
    hub().join(his)
    fields = {"do": "kick", "who": bob.user.code, "minutes": "10"}
    assert (await alice.post(f"{room.path}/settings", fields)).status_code == 303
    assert his.outbox.is_closed
    assert b"banned from this room" in b"".join([chunk async for chunk in his.outbox])


async def test_deleting_a_room_ends_its_streams(alice: Person, bob: Person, room: Room) -> None:
    his = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=2)
    hub().join(his)
    await alice.post(f"{room.path}/settings", {"do": "delete", "name": room.name})
    assert b"deleted" in b"".join([chunk async for chunk in his.outbox])
    assert (await bob.get(f"{room.path}/events")).status_code == 404


async def test_the_frame_around_the_endless_document_is_cached_and_leads_to_its_twin(
    visitor: Person, room: Room
) -> None:
    page = f"page={render.PAGE_VERSION}"
    first = await visitor.get(f"{room.path}/live?frame=a&{page}")
    assert f'content="3;url={room.path}/live?frame=b&amp;{page}"' in first.text
    assert re.search(f'<link rel="preload"[^>]* href="{room.path}/live.frame=b&amp;{page}"', first.text)
    assert "immutable" in first.headers["cache-control"]
    second = await visitor.get(f"{room.path}/live?frame=b&{page}")
    assert f'content="3;url={room.path}/live?frame=a&amp;{page}"' in second.text
