"""Groups: who may be put together, who is asked first, and how one is left."""

import asyncio
import re
from urllib.parse import urlencode

import httpx2
import pytest

from tests.conftest import Person, person
from tests.page import Page, words
from tests.people import befriend, now, who
from tests.readers import reader as open_reader
from webapp.accounts.models import User
from webapp.accounts.viewer import PERMANENT
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED, OWNER
from webapp.deletion.steps import finish, start_deletion
from webapp.live import hub
from webapp.messages.models import Message
from webapp.relationships.models import Block

NAMES = ("bob", "cem", "dora", "emil", "fay", "gus", "hana", "ilse")
TOGETHER = "These people can't be in one group."


@pytest.fixture
async def people(app: object) -> list[Person]:
    """Alice, and eight who are her friends."""
    alice, *others = [await person(app, name) for name in ("alice", *NAMES)]
    for one in others:
        await befriend(alice, one)
    return [alice, *others]


def chosen(*others: Person | str, **more: str) -> str:
    """A form with these people, as browsers send it."""
    codes = [one if isinstance(one, str) else who(one).code for one in others]
    return urlencode([("code", code) for code in codes] + list(more.items()))


async def send(one: Person, path: str, form: str) -> httpx2.Response:
    return await one.client.post(path, content=form, headers={"Content-Type": "application/x-www-form-urlencoded"})


async def start(one: Person, *others: Person | str, **more: str) -> httpx2.Response:
    return await send(one, "/groups", chosen(*others, **more))


async def add(one: Person, room: Room, *others: Person | str) -> httpx2.Response:
    return await send(one, f"{room.path}/people", chosen(*others))


async def group_of(one: Person, *others: Person) -> Room:
    answer = await start(one, *others)
    assert answer.status_code == 303, words(answer)
    return await Room.get(key=answer.headers["location"].removeprefix("/rooms/"))


async def inside(room: Room) -> list[str]:
    """Who is in, as the room's own count has it too."""
    rows = await Membership.filter(room_id=room.id, role__not=KICKED).values_list("user__username", flat=True)
    assert (await now(room)).member_count == len(rows)
    return sorted(str(name) for name in rows)


async def asked(room: Room) -> list[str]:
    rows = await Membership.filter(room_id=room.id, role=KICKED, is_request=True).values_list(
        "user__username", flat=True
    )
    return sorted(str(name) for name in rows)


async def test_friends_are_in_at_once_and_talk(people: list[Person]) -> None:
    alice, bob, cem, dora = people[:4]
    page = await alice.get("/groups/new")
    assert {"Bob", "Cem", "Dora"} <= set(Page(page).texts("label"))
    room = await group_of(alice, bob, cem)
    assert (room.kind, room.name, room.folded, room.key[0]) == ("group", "", None, "~")
    assert await inside(room) == ["alice", "bob", "cem"]
    assert not await Membership.filter(room_id=room.id, role=OWNER).exists()
    await bob.say(room, "Who brings the tent?")
    for one in (alice, cem):
        assert "Who brings the tent?" in words(await one.get(room.path))
        assert f'href="{room.path}"' in (await one.get("/sidebar")).text
    assert (await dora.get(room.path)).status_code == 404
    assert f'href="{room.path}"' not in (await dora.get("/sidebar")).text


async def test_it_takes_three_to_eight(people: list[Person]) -> None:
    for count in (0, 1, 8):
        answer = await start(people[0], *people[1 : 1 + count])
        assert answer.status_code == 422
        assert ("Eight people fit" if count > 1 else "Choose at least two people.") in words(answer)
        assert len(re.findall('name="code" value="[^"]+" checked', answer.text)) == count, "what was chosen stays so"
    assert not await Room.exists(kind="group")


async def test_nobody_learns_why_people_are_not_put_together(
    app: object, people: list[Person], visitor: Person
) -> None:
    alice, bob, cem, dora, emil, fay, gus, hana, _ = people
    await Block.add(who(cem), who(bob))
    await Block.add(who(alice), who(emil))
    await User.filter(id=who(fay).id).update(added_by="nobody")
    unknown = await person(app, "zoe")
    await User.filter(id=who(unknown).id).update(added_by="friends")
    await User.filter(id=who(gus).id).update(banned_until=PERMANENT)
    await start_deletion(who(hana))
    await visitor.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    guest = await User.get(is_guest=True)
    answers = [
        await start(alice, dora, *others)
        for others in (
            (bob, cem),
            (emil,),
            (fay,),
            (unknown,),
            (gus,),
            (hana,),
            (guest.code,),
            (alice,),
            ("0000-0000",),
            ("x' OR",),
        )
    ]
    assert {one.status_code for one in answers} == {422}
    assert all(TOGETHER in words(one) for one in answers)
    assert not await Room.exists(kind="group")


async def test_a_form_sent_twice_makes_one_group(people: list[Person]) -> None:
    alice, bob, cem, dora = people[:4]
    both = await asyncio.gather(*[start(alice, bob, cem, nonce="the form") for _ in range(2)])
    again = await start(alice, cem, bob, nonce="the form")
    assert {answer.headers["location"] for answer in both} == {again.headers["location"]}
    other = await start(alice, bob, dora, nonce="the form")
    assert other.headers["location"] != again.headers["location"]
    theirs = await start(bob, alice, cem, nonce="the form")
    assert theirs.status_code == 303
    assert await Room.filter(kind="group").count() == 3


async def test_who_is_no_friend_is_asked_and_reads_nothing_before_they_accept(
    app: object, people: list[Person]
) -> None:
    alice, bob = people[:2]
    zoe = await person(app, "zoe")
    room = await group_of(alice, bob, zoe)
    assert (await inside(room), await asked(room)) == (["alice", "bob"], ["zoe"])
    await bob.say(room, "a @zoe secret")
    page = await zoe.get(room.path)
    assert page.status_code == 200
    assert "Alice wants to have you in it. 2 people are there." in words(page)
    for path in (room.path, "/lobby", "/sidebar", "/inbox", "/inbox/catch-up", "/search?q=secret"):
        assert "a @zoe secret" not in words(await zoe.get(path)), path
    assert "Alice" in words(await zoe.get("/sidebar"))
    assert "wants you in a group" in words(await zoe.get("/sidebar"))
    assert "wants you in a group" in words(await zoe.get("/inbox"))
    for path in ("", "/composer", "/people", "/settings", "/pins", "/messages/1", "/messages/1/more", "/people?add=1"):
        if path:
            assert (await zoe.get(room.path + path)).status_code == 404, path
    for path in ("/events", "/live"):
        assert (await zoe.client.head(room.path + path)).status_code == 404
    assert (await zoe.say(room, "hello")).status_code == 404
    assert (await add(zoe, room, bob)).status_code == 404
    assert (await zoe.post(f"{room.path}/join")).headers["location"] == room.path
    assert (await zoe.post(f"{room.path}/join")).status_code == 303, "twice is harmless"
    assert (await inside(room), await asked(room)) == (["alice", "bob", "zoe"], [])
    assert "a @zoe secret" in words(await zoe.get(room.path))
    assert (await zoe.say(room, "hello")).status_code == 303


async def test_who_declines_is_out_without_a_word_and_may_be_asked_again(app: object, people: list[Person]) -> None:
    alice, bob, cem = people[:3]
    zoe = await person(app, "zoe")
    room = await group_of(alice, bob, zoe)
    before = await now(room)
    assert (await zoe.post(f"{room.path}/leave")).headers["location"] == "/lobby"
    assert await asked(room) == []
    assert (await now(room)).version == before.version
    assert (await zoe.get(room.path)).status_code == 404
    assert (await zoe.post(f"{room.path}/join")).status_code == 404
    assert "wants you" not in words(await zoe.get("/sidebar"))
    assert (await add(bob, room, zoe)).status_code == 303
    assert (await add(cem, room, zoe)).status_code == 404, "he is not in it"
    assert "Bob wants to have you in it." in words(await zoe.get(room.path))
    # Whom they become friends with lets them in at once.
    await befriend(alice, zoe)
    assert (await add(alice, room, zoe)).status_code == 303
    assert await inside(room) == ["alice", "bob", "zoe"]


async def test_a_request_of_a_blocked_person_is_not_shown_and_who_blocks_meanwhile_stays_apart(
    app: object, people: list[Person]
) -> None:
    alice, bob, cem = people[:3]
    zoe = await person(app, "zoe")
    room = await group_of(alice, bob, zoe)
    await Block.add(who(bob), who(zoe))
    assert TOGETHER in words(await zoe.post(f"{room.path}/join"))
    assert await inside(room) == ["alice", "bob"]
    await Block.add(who(zoe), who(alice))
    assert "wants you in a group" not in words(await zoe.get("/sidebar"))
    assert "Alice" not in words(await zoe.get(room.path)), "no name across a block"
    # Of two who are in it both stay, whoever blocks whom, and others may still come.
    await Block.add(who(alice), who(bob))
    assert (await add(alice, room, cem)).status_code == 303
    assert await inside(room) == ["alice", "bob", "cem"]


async def test_eight_people_and_no_ninth(app: object, people: list[Person]) -> None:
    alice, *others = people
    room = await group_of(alice, *others[:5])
    zoe = await person(app, "zoe")
    assert (await add(alice, room, others[0], others[1])).status_code == 303, "who is in is in"
    assert len(await inside(room)) == 6
    assert (await add(alice, room, zoe)).status_code == 303
    full = await add(alice, room, others[5], others[6])
    assert full.status_code == 422
    assert "There is room for one more." in words(full)
    # Two who fill the last place at once.
    await befriend(others[0], others[6])
    answers = await asyncio.gather(add(alice, room, others[5]), add(others[0], room, others[6]))
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert len(await inside(room)) + len(await asked(room)) == 8
    assert "this one is full" in words(await add(alice, room, others[7]))
    assert (await zoe.post(f"{room.path}/join")).status_code == 303
    assert len(await inside(room)) == 8
    for one in (alice, *others[:5], zoe):
        assert (await one.say(room, "me")).status_code == 303


async def test_a_group_with_a_name_is_a_private_room_of_who_named_it(app: object, people: list[Person]) -> None:
    alice, bob, cem, dora = people[:4]
    zoe = await person(app, "zoe")
    room = await group_of(alice, bob, cem, zoe)
    await cem.say(room, "Saturday at noon, at the jetty")
    for path in (f"{room.path}/messages/1/pin", f"{room.path}/messages/1/reactions"):
        assert (await bob.post(path, {"kind": "👍", "on": "1"})).status_code == 303, path
    assert "Saturday at noon" in words(await bob.get(f"{room.path}/pins"))
    assert "jetty" in words(await cem.get("/search?q=jetty"))
    assert "jetty" not in words(await dora.get("/search?q=jetty")).partition("Nothing")[2]
    refused = await bob.post(f"{room.path}/settings", {"do": "rename", "name": " "})
    assert (refused.status_code, "Write a name for the room." in words(refused)) == (422, True)
    assert (await zoe.post(f"{room.path}/settings", {"do": "rename", "name": "Mine"})).status_code == 404
    # Another has the same name: that is nobody's business.
    both = await asyncio.gather(
        *[one.post(f"{room.path}/settings", {"do": "rename", "name": "Tea & Cake"}) for one in (bob, cem)]
    )
    assert sorted(answer.status_code for answer in both) == [303, 403]
    named = await now(room)
    assert (named.kind, named.name, named.folded, named.key, named.pin_count) == (
        "private", "Tea & Cake", None, room.key, 1,
    )  # fmt: skip
    assert await inside(room) == ["alice", "bob", "cem"]
    owner = await Membership.get(room_id=room.id, role=OWNER).select_related("user")
    assert owner.user.username == ("bob" if both[0].status_code == 303 else "cem")
    assert await Message.filter(room_id=room.id).order_by("number").values_list("notice", flat=True) == ["", "named"]
    for one in (alice, bob, cem):
        page = words(await one.get(room.path))
        assert "Tea & Cake" in page
        assert "Saturday at noon, at the jetty" in page
        assert "Tea & Cake" in words(await one.get("/sidebar"))
    assert "wants you in Tea & Cake" in words(await zoe.get("/sidebar"))
    # Who may invite adds people to it; others don't.
    others = [one for one in (bob, cem) if one is not (bob if owner.user.username == "bob" else cem)]
    owns = bob if owner.user.username == "bob" else cem
    assert (await add(others[0], room, dora)).status_code == 403
    assert (await add(owns, room, dora)).status_code == 303
    assert await asked(room) == ["dora", "zoe"]
    await owns.post(f"{room.path}/people/{who(dora).code}", {"act": "ban"})
    assert (await dora.post(f"{room.path}/join")).status_code in (403, 404)
    assert "These people can't be added to this room." in words(await add(owns, room, dora))


async def test_who_leaves_is_out_at_once_and_the_last_one_takes_the_group_along(
    app: object, people: list[Person]
) -> None:
    alice, bob, cem = people[:3]
    zoe = await person(app, "zoe")
    room = await group_of(alice, bob, cem, zoe)
    await bob.say(room, "@alice look")
    readers = [
        open_reader(room.id, 1, "sse", room.path, session=one.session.id, user=who(one).id) for one in (alice, bob)
    ]
    for reader in readers:
        hub().join(reader)
    assert (await bob.post(f"{room.path}/leave")).status_code == 303
    assert [reader.outbox.is_closed for reader in readers] == [False, True]
    for reader in readers:
        hub().leave(reader)
    assert (await bob.get(room.path)).status_code == 404
    assert (await bob.say(room, "back")).status_code == 404
    # An account that goes: what it said stays.
    await start_deletion(who(cem))
    assert await finish(who(cem)) == {room.id: False}
    assert await inside(room) == ["alice"]
    page = await alice.get(room.path)
    assert "Nobody else is here" in words(page)
    assert (await alice.say(room, "hello?")).status_code == 303
    assert (await alice.post(f"{room.path}/leave")).status_code == 303
    assert not await Room.filter(id=room.id, closed_at=None).exists()
    assert (await zoe.get(room.path)).status_code == 404
    assert "wants you" not in words(await zoe.get("/sidebar"))
