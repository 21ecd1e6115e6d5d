"""Public rooms made private, and private ones made public: addresses, names, open pages, and the line in the log."""

import asyncio

import pytest

from tests.conftest import Person, bodies
from tests.page import Page, words
from tests.people import make_private, make_room, now, roles, who
from tests.readers import reader as open_reader
from tests.room_acts import change, enter, names
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room, RoomAlias
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.live import hub
from webapp.messages import posting
from webapp.messages.models import Message
from webapp.rooms import converting, opening

OLD = "/rooms/tea-cake"


async def become_private(owner: Person, room: Room) -> Room:
    answer = await change(owner, room, "kind", kind="private")
    room = await now(room)
    assert answer.headers["Location"] == f"{room.path}/settings?done=private"
    return room


async def test_an_owner_reads_what_it_means_and_makes_the_room_private(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await bob.say(room, "before")
    assert "Make it private" in words(await alice.get(f"{room.path}/settings"))
    page = words(await alice.get(f"{room.path}/settings?do=kind"))
    assert "Who is in the room stays." in page
    assert "What was said until now could be read by everybody here" in page
    private = await become_private(alice, room)
    assert (private.kind, private.name, private.folded) == ("private", "Tea & Cake", None)
    assert private.key.startswith("~")
    assert await RoomAlias.filter(room_id=room.id).values_list("key", flat=True) == ["tea-cake"]
    assert await roles(private) == {"alice": "owner", "bob": "member"}
    assert (await Message.get(room_id=room.id, number=2)).notice == "private"
    assert "The room is private now." in words(await alice.get(f"{private.path}/settings?done=private"))
    assert "before" in words(await bob.get(private.path))
    for path in (OLD, private.path):
        assert (await charlie.get(path)).status_code == 404
    assert await names(charlie, "tea") == []
    assert (await enter(charlie, "Tea & Cake")).headers["Location"] == OLD, "the name and its address are free"


async def test_only_owners_convert_and_no_group_or_chat(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    for one in (bob, charlie, admin):
        assert (await one.get(f"{room.path}/settings?do=kind")).status_code == 403
        assert (await change(one, room, "kind", kind="private")).status_code == 403
    assert (await change(alice, room, "kind", kind="group")).status_code == 422
    assert (await now(room)).kind == "public"
    await Room.filter(id=room.id).update(kind="group", key="~group", folded=None)
    assert (await change(alice, await now(room), "kind", kind="public", name="Ours")).status_code == 404


async def test_the_old_address_leads_members_on_and_what_their_open_pages_send(
    alice: Person, bob: Person, room: Room
) -> None:
    await bob.say(room, "before")
    private = await become_private(alice, room)
    for rest in ("", "?around=1", "/settings", "/people?q=a", "/messages/1/edit"):
        answer = await bob.get(OLD + rest)
        assert (answer.status_code, answer.headers["Location"]) == (303, private.path + rest)
    for rest in ("/live?frame=1", "/composer"):
        assert (await bob.get(OLD + rest)).status_code == 200
    assert (await bob.client.head(f"{OLD}/events")).status_code == 200
    assert (await bob.say(room, "from a page of before", HX_Request="true")).status_code == 200
    answer = await bob.say(room, "without script")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(private.path)
    assert (await bob.post(f"{OLD}/typing")).status_code == 204
    assert (await bob.read(room, 3)).status_code == 204
    assert await bodies(private) == ["before", "", "from a page of before", "without script"]


async def test_the_public_room_of_an_address_wins_over_one_that_had_it(alice: Person, bob: Person, room: Room) -> None:
    private = await become_private(alice, room)
    public = await make_room(who(bob), "Tea & Cake")
    assert public.path == OLD
    assert (await access.by_key(who(alice).as_viewer(0), "tea-cake")).room.id == public.id
    await become_private(bob, public)
    assert (await access.by_key(who(alice).as_viewer(0), "tea-cake")).room.id == private.id, "one that she is in"
    assert (await access.by_key(who(bob).as_viewer(0), "tea-cake")).room.id == public.id, "the last that had it"


async def test_what_a_page_of_before_sends_to_an_address_of_another_room_now_is_asked_about(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    private = await become_private(alice, room)
    public = await make_room(who(charlie), "Tea & Cake")
    fields = {"body": "for us alone", "nonce": "once"}
    for headers in ({}, {"HX_Request": "true"}):
        asked = await bob.post(f"{OLD}/messages", fields, **headers)
        assert asked.status_code == 422
        assert "This address belongs to another room now: Tea &amp; Cake, which everybody reads." in asked.text
        assert Page(asked).texts("button[name=everyone]") == ["Send it there"]
    attached = await bob.client.post(f"{OLD}/attach?token=", files={"body": (None, "for us alone")})
    assert attached.status_code == 422
    assert await bodies(public) == []
    assert (await bob.post(f"{OLD}/messages", fields | {"everyone": "1"})).status_code == 303
    assert (await bob.say(public, "and more")).status_code == 303, "who is in it is not asked again"
    assert (await charlie.say(public, "hello")).status_code == 303
    assert await bodies(public) == ["for us alone", "and more", "hello"]
    assert await bodies(private) == [""]


async def test_streams_of_who_is_not_in_it_end_and_of_members_go_on(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    readers = [
        open_reader(room.id, room.version, "sse", room.path, session=one.session.id, user=who(one).id)
        for one in (alice, bob, charlie, charlie)
    ]
    for reader in readers:
        hub().join(reader)
    await become_private(alice, room)
    assert [reader.outbox.is_closed for reader in readers] == [False, False, True, True]
    last = readers[2].outbox.take().decode()
    assert "You are not in this room any more." in last
    assert "data-version" not in last, "not even the line that says so"
    for reader in readers:
        hub().leave(reader)


async def test_streams_end_when_another_process_has_made_the_room_private(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    readers = [
        open_reader(room.id, room.version, "sse", room.path, session=one.session.id, user=who(one).id)
        for one in (bob, charlie)
    ]
    for reader in readers:
        hub().join(reader)
    await converting.make_private(await access.by_key(who(alice).as_viewer(0), room.key))
    hub().bridge.on_message(f'{{"channel": {room.id}}}')
    async with asyncio.timeout(5):
        while not readers[1].outbox.is_closed:
            await asyncio.sleep(0)
    assert not readers[0].outbox.is_closed
    for reader in readers:
        hub().leave(reader)


async def test_an_owner_makes_a_private_room_public_under_a_free_name(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    private = await make_private(alice, bob, name="tea & cake")
    await bob.say(private, "for us")
    page = words(await alice.get(f"{private.path}/settings?do=kind"))
    assert "1 message that was only for its members can be read by everybody here." in page
    taken = await change(alice, private, "kind", kind="public", name="Tea & Cake")
    assert taken.status_code == 422
    assert "Another room is called that. Choose another name." in taken.text
    assert 'value="Tea &amp; Cake"' in taken.text
    assert (await now(private)).kind == "private"
    assert (await change(bob, private, "kind", kind="public", name="Scones")).status_code == 403
    answer = await change(alice, private, "kind", kind="public", name="Scones")
    assert answer.headers["Location"] == "/rooms/scones/settings?done=public"
    assert (await charlie.get(private.path)).headers["Location"] == "/rooms/scones", "leads everybody on"
    assert "for us" in words(await charlie.get("/rooms/scones"))
    assert await names(charlie, "scones") == ["Scones"]
    assert (await Message.get(room_id=private.id, number=2)).notice == "public"


async def test_a_room_gets_its_old_address_back_where_it_is_free(alice: Person, room: Room) -> None:
    for _ in range(2):
        private = await become_private(alice, room)
        await change(alice, private, "kind", kind="public", name="Tea & Cake")
        room = await now(room)
        assert room.path == OLD
    keys = await RoomAlias.filter(room_id=room.id).values_list("key", flat=True)
    assert len(keys) == 2
    assert all(str(key).startswith("~") for key in keys)


async def test_a_private_room_that_is_renamed_takes_no_name(alice: Person, bob: Person) -> None:
    private = await make_private(alice)
    await change(alice, private, "rename", name="Tea")
    assert ((await now(private)).name, (await now(private)).folded) == ("Tea", None)
    room = await make_room(who(bob), "Tea")
    assert await change(bob, room, "rename", name="Coffee")
    assert (await now(room)).folded == "coffee"


# At the same moment.


async def test_two_who_convert_at_once_do_so_once(alice: Person, room: Room) -> None:
    seat = await access.by_key(who(alice).as_viewer(0), room.key)
    versions = await asyncio.gather(*(converting.make_private(seat) for _ in range(4)))
    assert sorted(versions) == [0, 0, 0, 1]
    assert await RoomAlias.filter(room_id=room.id).values_list("key", flat=True) == ["tea-cake"]
    private = await now(room)
    assert (private.version, private.last_number) == (1, 1)
    versions = await asyncio.gather(*(converting.make_public(seat, "Tea") for _ in range(4)))
    assert sorted(versions) == [0, 0, 0, 2]
    assert (await now(room)).key == "tea"


async def test_of_two_who_want_a_name_at_once_one_gets_it(alice: Person, bob: Person) -> None:
    for attempt in range(5):
        private, name = await make_private(alice), f"Nook {attempt}"
        seat = await access.by_key(who(alice).as_viewer(0), private.key)
        made, opened = await asyncio.gather(
            converting.make_public(seat, name), opening.open_room(who(bob).as_viewer(0), name), return_exceptions=True
        )
        assert not isinstance(opened, BaseException)
        assert await Room.filter(name=name, kind="public").count() == 1
        if isinstance(made, Invalid):
            assert opened.room.id != private.id
            assert (await now(private)).kind == "private"
        else:
            assert opened.room.id == private.id, "whoever comes a moment later joins it"


async def test_a_room_is_deleted_while_it_is_made_private(alice: Person, room: Room) -> None:
    seat = await access.by_key(who(alice).as_viewer(0), room.key)
    done, _ = await asyncio.gather(converting.make_private(seat), Room.close(room.id), return_exceptions=True)
    assert done == 1 or isinstance(done, NotFound)
    with pytest.raises(NotFound):
        await converting.make_private(seat)
    for key in ("tea-cake", (await now(room)).key):
        assert (await alice.get(f"/rooms/{key}")).status_code == 404


async def test_what_is_under_way_when_a_room_becomes_private(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    seats = [await access.by_key(who(one).as_viewer(0), room.key) for one in (bob, charlie)]
    owner = await access.by_key(who(alice).as_viewer(0), room.key)
    await converting.make_private(owner)
    await posting.post(seats[0], "a member's", "")
    with pytest.raises(NotFound):
        await posting.post(seats[1], "too late", "")
    with pytest.raises(NotFound):
        await members.join(seats[1])
    with pytest.raises(Forbidden):
        await converting.make_public(seats[0], "Mine")
    assert await bodies(room) == ["", "a member's"]
    assert await Membership.filter(room_id=room.id).count() == 2
