"""Private rooms: made by whom, found by nobody, and their names, which are taken for nobody."""

import asyncio
import re

import pytest

from tests.conftest import Person, bodies
from tests.page import main, words
from tests.people import make_private, roles, who
from tests.room_acts import change, enter, names
from webapp.accounts.audit import AuditEntry
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import OWNER
from webapp.core.errors import NotFound
from webapp.messages.retention import delete_closed_rooms
from webapp.moderation.models import Report

NAME = "Party for Charlie"


async def test_the_form_makes_a_private_room_that_its_owner_alone_has(alice: Person, charlie: Person) -> None:
    form = main(await alice.get("/rooms"))
    assert "Who may see it?" in form
    assert '<input type="radio" name="kind" value="public" checked>' in form
    room = await make_private(alice, name=NAME)
    assert room.key.startswith("~")
    assert len(room.key) > 20
    assert (room.kind, room.name, room.folded, room.topic) == ("private", NAME, None, "")
    assert await roles(room) == {"alice": OWNER}
    page = await alice.get(room.path)
    assert "Private" in words(page)
    assert await names(charlie, "party") == []
    assert NAME not in (await charlie.get("/lobby")).text


async def test_what_is_neither_public_nor_private_is_not_made(alice: Person, room: Room) -> None:
    for kind in ("direct", "group", "stranger", "Private"):
        answer = await alice.post("/rooms", {"name": "Nook", "kind": kind})
        assert answer.status_code == 422
    answer = await alice.post("/rooms", {"name": " ", "kind": "private", "topic": "kept"})
    assert answer.status_code == 422
    assert "Write a name for the room." in answer.text
    assert '<input type="radio" name="kind" value="private" checked>' in answer.text
    assert await Room.all().count() == 1


async def test_a_name_in_a_private_room_is_free_for_everybody(alice: Person, bob: Person, charlie: Person) -> None:
    first, second = await make_private(alice, name=NAME), await make_private(bob, name=NAME)
    assert first.id != second.id
    assert await access.exists(NAME) is False
    made = await enter(charlie, NAME)
    assert made.headers["Location"] == "/rooms/party-for-charlie"
    third = await make_private(alice, name=NAME)
    assert third.id not in (first.id, second.id), "nobody is led into a room that only has the same name"
    assert await names(charlie, "party") == [NAME]


async def test_the_same_form_sent_twice_makes_one_room(alice: Person, bob: Person) -> None:
    [nonce] = re.findall('name="nonce" value="([^"]+)"', main(await alice.get("/rooms")))
    form = {"name": NAME, "kind": "private", "nonce": nonce}
    made = await asyncio.gather(*(alice.post("/rooms", form) for _ in range(3)))
    assert len({answer.headers["Location"] for answer in made}) == 1
    assert await Room.filter(kind="private").count() == 1
    for one, fields in ((bob, form), (alice, form | {"name": "Another"})):
        assert (await one.post("/rooms", fields)).headers["Location"] != made[0].headers["Location"]
    room = await Room.get(key=made[0].headers["Location"].removeprefix("/rooms/"))
    await change(alice, room, "delete", name=NAME)
    assert (await alice.post("/rooms", form)).headers["Location"] != made[0].headers["Location"]


async def test_a_report_does_not_name_the_room_to_administrators(alice: Person, bob: Person, admin: Person) -> None:
    room = await make_private(alice, bob, name=NAME)
    await alice.say(room, "this is bad")
    await bob.post("/report", {"about": f"message:{room.key}:1", "reason": "spam"})
    [report] = await Report.all()
    page = (await admin.get("/moderation")).text + (await admin.get(f"/moderation/reports/{report.id}")).text
    assert "this is bad" in page
    assert f"in private room {room.id}" in page
    assert NAME not in page
    assert room.key not in page


async def test_nobody_comes_in_by_themselves(alice: Person, bob: Person, charlie: Person, admin: Person) -> None:
    room = await make_private(alice, bob, name=NAME)
    for outsider in (charlie, admin):
        assert (await outsider.post(f"{room.path}/join")).status_code == 404
        assert (await outsider.say(room, "let me in")).status_code == 404
    await bob.post(f"{room.path}/leave")
    assert (await bob.get(room.path)).status_code == 404
    assert (await bob.post(f"{room.path}/join")).status_code == 404
    assert await roles(room) == {"alice": OWNER}


async def test_a_join_under_way_when_a_room_becomes_private_is_none(alice: Person, charlie: Person, room: Room) -> None:
    seat = await access.by_key(who(charlie).as_viewer(0), room.key)
    await Room.filter(id=room.id).update(kind="private", folded=None, key="~moved")
    with pytest.raises(NotFound):
        await members.join(seat)
    assert "charlie" not in await roles(room)


async def test_administrators_own_nothing_there_also_as_members(alice: Person, admin: Person, bob: Person) -> None:
    room = await make_private(alice, admin, bob, name=NAME)
    await alice.say(room, "ours")
    page = await admin.get(f"{room.path}/settings")
    assert page.status_code == 200
    for act in ("rename", "topic", "face", "lock", "kick", "hand_over", "delete"):
        assert f'value="{act}"' not in page.text
        fields = {"name": NAME, "topic": "mine", "who": who(bob).code}
        assert (await change(admin, room, act, **fields)).status_code == 403, act
    assert (await admin.post(f"{room.path}/messages/1/remove")).status_code == 404
    assert (await admin.post(f"{room.path}/messages/1/pin")).status_code == 403
    await change(alice, room, "lock")
    assert (await admin.say(room, "for the house")).status_code == 403
    assert await bodies(room) == ["ours"]
    assert await AuditEntry.all().count() == 0, "nor is its name written down where administrators read"


async def test_its_owner_deletes_it_and_a_room_of_one_is_one(alice: Person, bob: Person) -> None:
    room = await make_private(alice, bob, name=NAME)
    await bob.say(room, "gone soon")
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    assert (await alice.say(room, "to myself")).status_code == 303
    assert (await change(alice, room, "delete", name=NAME)).headers["Location"] == "/lobby"
    await delete_closed_rooms()
    assert (await alice.get(room.path)).status_code == 404
    assert not await Room.exists(id=room.id)
    assert not await Membership.exists(room_id=room.id)


async def test_its_pages_say_what_is_true_of_it(alice: Person, bob: Person) -> None:
    room = await make_private(alice, bob, name=NAME)
    page = await bob.get(f"{room.path}/settings")
    assert "A private room: only its members see it." in words(page)
    assert "Invite with this link" not in page.text, "the address leads nobody in"
    assert "You can only come back if somebody brings you in again." in words(page)
    assert "#invite" not in (await bob.get(room.path)).text
