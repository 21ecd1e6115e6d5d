"""
Every kind of room, and the ladder of who comes to what.

A kind with a page of its own has a template, and its layout in app.py; one whose rooms are not found by a key brings a
way to find its seats.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

import httpx2
import pytest

from tests.conftest import Person, bodies
from tests.page import words
from tests.people import befriend, who, write
from tests.readers import reader as open_reader
from tests.room_acts import put_out
from webapp.app import app as the_app
from webapp.conversations import access, broadcasts
from webapp.conversations.endings import REMOVED
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED, MEMBER
from webapp.core.errors import Forbidden, NotFound, Problem
from webapp.exports.archive import rooms_to_export
from webapp.live import hub
from webapp.messages import posting
from webapp.relationships.models import Block
from webapp.strangers.models import Stranger

SECRET = "the surprise is on Friday"


class Place(NamedTuple):
    """A room of a kind, and two people in it, the first of whom owns it where one can be owned."""

    room: Room
    insiders: tuple[Person, Person]


async def public(alice: Person, bob: Person) -> Room:
    return await Room.get(name="Tea & Cake")


async def direct(alice: Person, bob: Person) -> Room:
    await befriend(alice, bob)
    await write(alice, bob, "Hello")
    return await Room.get(kind="direct")


async def private(alice: Person, bob: Person) -> Room:
    await alice.post("/rooms", {"name": "Party for Charlie", "kind": "private"})
    room = await Room.get(kind="private")
    await Membership.create(room=room, user=who(bob), role=MEMBER)
    await Room.filter(id=room.id).update(member_count=2)
    return room


async def group(alice: Person, bob: Person) -> Room:
    """Of the two, after a third has left."""
    room = await Room.create(key="~group", kind="group", name="", member_count=2)
    for one in (alice, bob):
        await Membership.create(room=room, user=who(one), role=MEMBER)
    return room


async def anonymous(alice: Person, bob: Person) -> Room:
    for one in (alice, bob):
        await one.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
        await one.get("/strangers")
    return await Room.get(kind="stranger")


MAKE = {"public": public, "direct": direct, "private": private, "group": group, "stranger": anonymous}
# Of these nobody but members may learn anything.
CLOSED = ("direct", "private", "group", "stranger")


async def make(kind: str, alice: Person, bob: Person) -> Place:
    room = await MAKE[kind](alice, bob)
    assert (await bob.say(room, SECRET)).status_code == 303
    return Place(await Room.get(id=room.id), (alice, bob))


def addresses(room: Room) -> list[tuple[str, str]]:
    """Every address in which a room is named by its key, with the methods that it has."""
    found = []
    for route in the_app.routes:
        path = getattr(route, "path", "")
        if "{key}" in path:
            path = path.replace("{key}", room.key).replace("{number:number}", "1").replace("{id:number}", "1")
            found += [(method, path) for method in sorted(route.methods) if method != "HEAD"]  # type: ignore[attr-defined]
    return found


def masked_addresses(room: Room) -> list[tuple[str, str]]:
    found = []
    for route in the_app.routes:
        path = getattr(route, "path", "")
        if "{chat:number}" in path:
            path = path.replace("{chat:number}", str(room.id)).replace("{number:number}", "1")
            found += [(method, path) for method in sorted(route.methods) if method != "HEAD"]  # type: ignore[attr-defined]
    return found


FIELDS = {"body": "let me in", "nonce": "", "number": "1", "do": "topic", "topic": "mine", "version": ""}


async def ask(one: Person, method: str, path: str) -> httpx2.Response:
    if method == "POST":
        return await one.post(path, FIELDS)
    if path.endswith(("/events", "/live")):  # endless for who may read them
        return await one.client.head(path)
    return await one.get(path)


async def state_of(room: Room) -> object:
    people = await Membership.filter(room_id=room.id).order_by("id").values_list("user_id", "role", "read_number")
    return await Room.filter(id=room.id).values(), people, await bodies(room)


async def test_the_ladder_has_every_address_of_rooms(room: Room) -> None:
    paths = {path.removeprefix(f"/rooms/{room.key}") for _, path in addresses(room)}
    assert paths >= {
        "", "/messages", "/read", "/typing", "/composer", "/settings", "/events", "/live", "/join", "/leave",
        "/messages/1", "/messages/1/edit", "/messages/1/remove",
        "/invitations", "/invitations/1/revoke",
    }  # fmt: skip


@pytest.mark.parametrize("kind", MAKE)
async def test_members_come_to_the_page_and_write(kind: str, alice: Person, bob: Person) -> None:
    """Else it would prove nothing that others do not."""
    place = await make(kind, alice, bob)
    for one in place.insiders:
        page = await one.get(place.room.path)
        assert page.status_code == 200
        assert SECRET in words(page)
        assert (await one.get(f"{place.room.path}/composer")).status_code == 200
        assert (await one.client.head(f"{place.room.path}/events")).status_code == 200
        assert (await one.post(f"{place.room.path}/typing")).status_code == 204
        assert (await one.read(place.room, 1)).status_code == 204
        assert (await one.get(f"{place.room.path}/messages/1")).status_code == 303
        assert (await one.say(place.room, "me too")).status_code == 303


@pytest.mark.parametrize("kind", CLOSED)
async def test_an_outsider_finds_nothing_at_any_address(
    kind: str, alice: Person, bob: Person, charlie: Person, admin: Person
) -> None:
    place = await make(kind, alice, bob)
    before = await state_of(place.room)
    for outsider in (charlie, admin):
        for method, path in addresses(place.room):
            answer = await ask(outsider, method, path)
            assert answer.status_code == 404, (method, path)
            assert SECRET not in answer.text
    assert await state_of(place.room) == before


@pytest.mark.parametrize("kind", ["private", "group"])
async def test_who_was_asked_finds_the_page_that_asks_and_nothing_else(
    kind: str, alice: Person, bob: Person, charlie: Person
) -> None:
    room = (await make(kind, alice, bob)).room
    asked = {"role": KICKED, "is_request": True, "inviter": who(alice).id}
    await Membership.create(room_id=room.id, user_id=who(charlie).id, **asked)
    before = await state_of(room)
    for method, path in addresses(room):
        answer = await ask(charlie, method, path) if not path.endswith(("/join", "/leave")) else None
        if answer and (method, path) == ("GET", room.path):
            assert "Alice wants to have you in it." in words(answer)
        elif answer:
            assert answer.status_code == 404, (method, path)
        assert not answer or SECRET not in answer.text
    assert await state_of(room) == before
    assert (await charlie.post(f"{room.path}/leave")).headers["location"] == "/lobby"
    assert (await charlie.get(room.path)).status_code == 404


@pytest.mark.parametrize("has_mask", [False, True])
async def test_a_stranger_in_no_chat_or_without_a_mask_is_led_away_from_the_chat_of_others(
    alice: Person, bob: Person, charlie: Person, has_mask: bool
) -> None:
    place = await make("stranger", alice, bob)
    if has_mask:
        await charlie.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    before = await state_of(place.room)
    for method, path in masked_addresses(place.room):
        answer = await ask(charlie, method, path)
        is_led_on = answer.status_code == 303 and answer.headers["Location"] == "/strangers"
        is_stream_that_leads_on = path.endswith("/events") and answer.status_code == 200
        assert is_led_on or is_stream_that_leads_on or answer.status_code == 404, (method, path)
        assert SECRET not in answer.text
    assert await state_of(place.room) == before


async def test_a_chat_of_masks_is_no_room_and_names_nobody(alice: Person, bob: Person) -> None:
    place = await make("stranger", alice, bob)
    for one in place.insiders:
        for method, path in addresses(place.room):
            assert (await ask(one, method, path)).status_code == 404, (method, path)
    other = who(bob)
    page = (await alice.get(place.room.path)).text
    for trace in (other.code, other.display_name, other.path, who(alice).code, who(alice).path):
        assert trace not in page


@pytest.mark.parametrize("kind", CLOSED)
async def test_no_list_search_report_or_export_of_an_outsider_has_it(
    kind: str, alice: Person, bob: Person, charlie: Person, admin: Person
) -> None:
    place = await make(kind, alice, bob)
    room = place.room
    for outsider in (charlie, admin):
        for path in ("/lobby", "/sidebar", "/rooms", "/rooms?q=party", "/friends"):
            page = (await outsider.get(path)).text
            assert SECRET not in page
            assert room.path not in page
            assert "Party for Charlie" not in page
        about = urlencode({"about": f"message:{room.key}:1"})
        assert (await outsider.get(f"/report?{about}")).status_code == 404
        assert (await outsider.post("/report", {"about": f"message:{room.key}:1", "reason": "spam"})).status_code == 404
        assert room.key not in [found.key for found in await rooms_to_export(who(outsider))]


async def test_members_have_a_private_room_in_their_lists(alice: Person, bob: Person) -> None:
    room = (await make("private", alice, bob)).room
    assert f'href="{room.path}"' in (await alice.get("/sidebar")).text
    assert room.key in [found.key for found in await rooms_to_export(who(alice))]
    report = await alice.get("/report?" + urlencode({"about": f"message:{room.key}:1"}))
    assert report.status_code == 200
    for path in ("/rooms", "/rooms?q=party"):
        assert f'class="rooms__entry" href="{room.path}"' not in (await alice.get(path)).text


# Who is removed.


async def kick(room: Room, owner: Person, member: Person) -> None:
    await owner.post(f"{room.path}/settings", {"do": "kick", "who": who(member).code, "minutes": "10"})


async def remove(room: Room, owner: Person, member: Person) -> None:
    await Membership.filter(room_id=room.id, user_id=who(member).id).delete()


@pytest.mark.parametrize("out", [kick, remove])
async def test_a_removed_member_finds_nothing_any_more(
    alice: Person, bob: Person, out: Callable[[Room, Person, Person], Awaitable[None]]
) -> None:
    room = (await make("private", alice, bob)).room
    await out(room, alice, bob)
    await Membership.filter(room_id=room.id, role=KICKED).update(kicked_until=datetime.now(UTC) - timedelta(minutes=1))
    before = await state_of(room)
    for method, path in addresses(room):
        assert (await ask(bob, method, path)).status_code == 404, (method, path)
    assert await state_of(room) == before, "not even when the time is over: there is no way back but to be invited"


async def test_the_stream_of_a_kicked_member_ends_at_once(alice: Person, bob: Person) -> None:
    room = (await make("private", alice, bob)).room
    labels = {"session": bob.session.id, "user": who(bob).id}
    theirs = open_reader(room.id, room.version, "sse", room.path, **labels)
    hers = open_reader(room.id, room.version, "sse", room.path, session=alice.session.id, user=who(alice).id)
    hub().join(theirs)
    hub().join(hers)
    await kick(room, alice, bob)
    assert theirs.outbox.is_closed
    assert not hers.outbox.is_closed


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_the_streams_of_a_member_who_leaves_end_at_once_where_only_members_read(
    alice: Person, bob: Person, kind: str
) -> None:
    room = (await make(kind, alice, bob)).room
    readers = [
        open_reader(room.id, room.version, "sse", room.path, session=one.session.id, user=who(one).id)
        for one in (alice, bob, bob)
    ]
    for reader in readers:
        hub().join(reader)
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    is_private = kind == "private"
    assert [reader.outbox.is_closed for reader in readers] == [False, is_private, is_private]
    if is_private:
        assert "You are not in this room any more." in readers[1].outbox.take().decode()
    for reader in readers:
        hub().leave(reader)


async def test_the_streams_of_a_member_who_leaves_at_another_process_end_here(alice: Person, bob: Person) -> None:
    room = (await make("private", alice, bob)).room
    readers = [
        open_reader(room.id, room.version, "sse", room.path, session=one.session.id, user=who(one).id)
        for one in (alice, bob)
    ]
    for reader in readers:
        hub().join(reader)
    await remove(room, alice, bob)
    hub().bridge.on_message(f'{{"user": {who(bob).id}, "channel": {room.id}}}')
    async with asyncio.timeout(5):
        while not readers[1].outbox.is_closed:
            await asyncio.sleep(0)
    assert not readers[0].outbox.is_closed
    for reader in readers:
        hub().leave(reader)


async def test_the_heartbeat_ends_the_streams_of_removed_members_of_private_rooms_alone(
    alice: Person, bob: Person, charlie: Person
) -> None:
    rooms = [(await make(kind, alice, bob)).room for kind in ("public", "private")]
    readers = [
        open_reader(room.id, 0, "sse", room.path, session=one.session.id, user=who(one).id)
        for room in rooms
        for one in (alice, bob)
    ]
    assert await hub().providers.check_access(readers) == []
    for room in rooms:
        await remove(room, alice, bob)
    assert await hub().providers.check_access(readers) == [(readers[3], REMOVED)]
    for reader in readers:
        hub().join(reader)
    await hub().heartbeat.reconcile()
    chunks = [chunk async for chunk in readers[3].outbox]
    assert "You are not in this room any more." in chunks[-1].decode()
    assert not any(reader.outbox.is_closed for reader in readers[:3])


# Posts that are under way.


@pytest.mark.parametrize(("out", "error"), [(kick, Forbidden), (remove, NotFound)])
async def test_a_post_under_way_does_not_bring_a_removed_member_back(
    alice: Person, bob: Person, out: Callable[[Room, Person, Person], Awaitable[None]], error: type[Problem]
) -> None:
    room = (await make("private", alice, bob)).room
    seat = await access.by_key(who(bob).as_viewer(0), room.key)
    await out(room, alice, bob)
    before = await state_of(room)
    with pytest.raises(error):
        await posting.post(seat, "too late", "")
    assert await state_of(room) == before


async def lock(place: Place) -> None:
    await Room.set_locked(place.room.id, True)


async def close(place: Place) -> None:
    await Room.close(place.room.id)


async def send_away(place: Place) -> None:
    await put_out(place.room, place.insiders[1])


async def block(place: Place) -> None:
    alice, bob = place.insiders
    await Block.add(who(alice), who(bob))
    await broadcasts.blocked(who(alice).id, who(bob).id)


async def end(place: Place) -> None:
    stranger = await Stranger.of(who(place.insiders[0]).id)
    assert stranger
    await stranger.leave()


UNDER_WAY = [
    ("public", lock, 403, "Tea & Cake is locked. You can read, but not write."),
    ("public", send_away, 403, "You are banned from this room until"),
    ("public", close, 404, "The room has been deleted."),
    ("private", lock, 403, "Party for Charlie is locked. You can read, but not write."),
    ("private", send_away, 403, "You are banned from this room until"),
    ("direct", block, 403, "You can't write to this person."),
    ("stranger", end, 403, "Stranger has left."),
]


@pytest.mark.parametrize(("kind", "happens", "status", "sentence"), UNDER_WAY)
async def test_a_post_refused_under_way_is_answered_with_its_draft(
    alice: Person,
    bob: Person,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    happens: Callable[[Place], Awaitable[None]],
    status: int,
    sentence: str,
) -> None:
    place = await make(kind, alice, bob)
    before = await bodies(place.room)
    submit = posting.submit

    async def submit_too_late(draft: posting.Draft) -> posting.Posted:
        await happens(place)
        return await submit(draft)

    for headers in ({}, {"HX_Request": "true"}):
        with monkeypatch.context() as patch:
            patch.setattr(posting, "submit", submit_too_late if not headers else submit)
            answer = await bob.say(place.room, "a <long> thought", "my nonce", **headers)
        assert answer.status_code == status
        if not headers:
            assert sentence in words(answer)
            assert "a &lt;long&gt; thought" in answer.text
            assert re.search(r"<textarea[^>]*>a &lt;long&gt; thought</textarea>", answer.text)
        else:
            assert answer.text.startswith('<div id="sending"'), "the draft stays in the open page"
    assert await bodies(place.room) == before


async def test_in_a_locked_room_the_owner_and_administrators_post_under_way(
    alice: Person, bob: Person, admin: Person
) -> None:
    room = (await make("public", alice, bob)).room
    seats = [await access.by_key(who(one).as_viewer(0), room.key) for one in (alice, bob, admin)]
    await Room.set_locked(room.id, True)
    await posting.post(seats[0], "mine", "")
    await posting.post(seats[2], "for the house", "")
    with pytest.raises(Forbidden):
        await posting.post(seats[1], "not any more", "")
    assert await bodies(room) == [SECRET, "mine", "for the house"]
