"""How long messages stay: what owners choose and when that takes effect, what goes then, and what readers see of it."""

import asyncio
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.attached import Killed, attach, killed_at, named, names, stored, sweep_later
from tests.conftest import Person, bodies
from tests.message_pages import fill, message, said
from tests.page import Page, words
from tests.people import befriend, make_room, now, post_as, who, write
from tests.readers import reader, until_sent
from tests.window import entries_in
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import RoomRow, Seat
from webapp.core.errors import Invalid, NotFound
from webapp.files import removal
from webapp.files.models import Attachment
from webapp.live import Payload, Reader, hub
from webapp.live.frames import RELOAD_DOCUMENT
from webapp.media import files
from webapp.messages import changes, expiry, expiry_queries, pins, reactions, saved
from webapp.messages.models import Mention, Message, Pin, Reaction, Saved
from webapp.messages.queries import MAX_CHANGES, list_page
from webapp.messages.retention import MAX_DAYS, WARNING, set_keep_days
from webapp.ops import purge


async def chosen(room: Room) -> tuple[int, int | None, datetime | None]:
    found = await now(room)
    return found.keep_days, found.next_keep_days, found.keep_changes_at


async def kept(room: Room) -> int:
    """After how many days messages go, as pages say it."""
    found = await room_by_id(room.id)
    assert found
    return found.kept_days


async def notices(room: Room) -> list[str]:
    found = await Message.filter(room_id=room.id).exclude(notice="").order_by("number").values_list("notice", flat=True)
    return [str(notice) for notice in found]


# What is chosen.


async def test_what_is_shorter_takes_effect_a_day_later_and_the_log_says_so_and_what_is_not_at_once(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.say(room, "Hello")
    takes_effect = await set_keep_days(room.id, 30)
    assert takes_effect
    assert timedelta() < datetime.now(UTC) + WARNING - takes_effect < timedelta(minutes=1)
    assert await chosen(room) == (0, 30, takes_effect)
    assert await notices(room) == ["retention:30"]
    assert ((await now(room)).last_number, await kept(room)) == (2, 0)
    # The same once more is nothing new; another puts the day off.
    assert await set_keep_days(room.id, 30) == takes_effect
    later = await set_keep_days(room.id, 7)
    assert later
    assert later >= takes_effect
    assert await notices(room) == ["retention:30", "retention:7"]
    # It has taken effect, whether or not anything was deleted yet: what is said then is about what is now.
    await Room.filter(id=room.id).update(keep_changes_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await kept(room) == 7
    assert await set_keep_days(room.id, 14) is None
    assert await chosen(room) == (14, None, None)
    # What takes effect at once takes the place of what waits.
    assert await set_keep_days(room.id, 2)
    assert await set_keep_days(room.id, 0) is None
    assert await chosen(room) == (0, None, None)
    assert await notices(room) == ["retention:30", "retention:7", "retention:2"]
    # What the site sets is what counts where it is less, and then nothing becomes shorter.
    monkeypatch.setattr("webapp.settings.KEEP_MESSAGES_DAYS", 10)
    assert await kept(room) == 10
    assert await set_keep_days(room.id, 20) is None
    assert (await chosen(room), await kept(room)) == ((20, None, None), 10)
    assert await set_keep_days(room.id, 5)
    assert await chosen(room) == (20, 5, (await now(room)).keep_changes_at)


async def test_a_number_of_days_that_is_none_is_refused_and_so_is_one_of_a_room_that_was_deleted(room: Room) -> None:
    for days in (-1, MAX_DAYS + 1):
        with pytest.raises(Invalid):
            await set_keep_days(room.id, days)
    await Room.close(room.id)
    with pytest.raises(NotFound):
        await set_keep_days(room.id, 3)


# What goes.


async def files_of(room: Room) -> list[Attachment]:
    return await Attachment.filter(room_id=room.id).order_by("message__number")


def badges(page: httpx2.Response, room: Room) -> list[str]:
    """What the badges of the room say in the sidebar of this page."""
    entry = entries_in(Page(page).one("#sidebar").html or "")[room.id]
    return [node.text(deep=False).strip() for node in Page(entry).all(".unread")]


async def seat_of(one: Person, room: Room) -> Seat:
    return await access.by_key(who(one).as_viewer(0), room.key)


async def grow_old(room: Room, last: int, days: int = 31) -> None:
    """The messages up to this number were written so many days ago."""
    old = datetime.now(UTC) - timedelta(days=days)
    await Message.filter(room_id=room.id, number__lte=last).update(created_at=old)


async def keep(room: Room, days: int) -> None:
    await Room.filter(id=room.id).update(keep_days=days)


@pytest.fixture
async def tied(alice: Person, bob: Person, room: Room) -> Room:
    """A room of eight messages with all that hangs on messages; the first four are old, and one of them was removed."""
    shutil.rmtree(files.FOLDER, ignore_errors=True)
    await fill(room, bob, 2)
    await bob.say(room, "@alice, look")
    await fill(room, bob, 1)
    await post_as(who(bob), room, "an answer to what goes", reply_to=2)
    await fill(room, bob, 1)
    await post_as(who(bob), room, "@alice, an answer to what stays", reply_to=6)
    await fill(room, bob, 1)
    for number in (2, 6):
        await attach(room, who(bob), number)
        await reactions.react(await seat_of(alice, room), number, "\N{PARTY POPPER}", is_on=True)
        await saved.save(await seat_of(alice, room), number)
        await pins.pin(await seat_of(alice, room), number)
    await (await message(room, 4)).remove()
    await Membership.filter(room_id=room.id, user_id=who(alice).id).update(read_number=1)
    await grow_old(room, 4)
    return room


async def test_with_a_message_goes_all_that_hangs_on_it_and_what_is_left_is_right(
    alice: Person, bob: Person, tied: Room
) -> None:
    await keep(tied, 30)
    before, [_, kept_file] = await now(tied), await files_of(tied)
    assert "4 messages" not in words(await alice.get(f"{tied.path}/settings"))
    assert "messages 4" in await purge.purge_all()
    # What the database holds.
    assert await Message.filter(room_id=tied.id).order_by("number").values_list("number", flat=True) == [5, 6, 7, 8]
    for table in (Mention, Reaction, Saved, Pin):
        left = await table.all().prefetch_related("message")
        assert {row.message.number for row in left} <= {5, 6, 7, 8}, table
        assert left, table
    assert stored() == names(kept_file) == await named()
    after = await now(tied)
    assert (after.first_number, after.last_number, after.pin_count, after.removed_count) == (5, 8, 1, 0)
    assert after.version == before.version + MAX_CHANGES + 1
    assert after.last_line == before.last_line != ""
    # What people see.
    page = await alice.get(tied.path)
    assert list(said(page)) == [5, 6, 7, 8]
    assert "Message removed" in said(page)[5]
    assert "line 1" in said(page)[7]
    assert "Older messages have been deleted." in words(page)
    assert not Page(page).all("#earlier a")
    assert "4 messages" in words(await alice.get(f"{tied.path}/settings"))
    for path in ("messages/2", "messages/2/edit", "messages/2/more", "messages/2/reactions"):
        assert (await alice.get(f"{tied.path}/{path}")).status_code == 404, path
    for path in ("messages/4", "messages/4/more"):
        assert "does not stay here" in words(await alice.get(f"{tied.path}/{path}")), path
    around = await alice.get(f"{tied.path}?around=3")
    assert (around.status_code, "does not stay here" in words(around)) == (404, True)
    assert said(await alice.get(f"{tied.path}?around=5")).keys() == {5, 6, 7, 8}
    nothing = await alice.get(f"{tied.path}?before=5")
    assert said(nothing) == {}
    [later, _newest] = [link.attributes["href"] for link in Page(nothing).all(".more a")]
    assert said(await alice.get(str(later))).keys() == {5, 6, 7, 8}
    day = (datetime.now(UTC) - timedelta(days=40)).date().isoformat()
    assert (await alice.get(f"{tied.path}?date={day}")).headers["location"].endswith(f"#message-{tied.id}-5")
    assert "look" not in words(await alice.get("/inbox"))
    assert "an answer to what stays" in words(await alice.get("/inbox/catch-up"))
    assert "line 2" not in words(await alice.get("/inbox/catch-up"))
    assert "line 2" not in words(await alice.get("/saved"))
    assert Page(await alice.client.get("/search", params={"q": "look"})).all("li.found") == []
    # Four are left of seven that she has not read, and one of them calls her.
    assert badges(await alice.get("/lobby"), tied) == ["@1", "4"]
    # And it goes on as ever.
    await alice.say(tied, "on it goes")
    assert (await bodies(tied))[-1] == "on it goes"
    assert await purge.purge_all() == "There was nothing to forget."
    assert (await now(tied)).version == after.version + 1


async def test_a_purge_that_is_killed_anywhere_is_finished_by_the_next(alice: Person, bob: Person, tied: Room) -> None:
    """Whenever that is: pages show all of the log, or what is left of it; the version jumps once for each that goes."""
    place = tied

    async def set_up() -> None:
        nonlocal place
        place = await make_room(who(alice), f"Room {place.id}")
        for number in range(1, 4):
            await alice.say(place, f"line {number}")
            await attach(place, who(alice), number)
        await (await message(place, 1)).remove()
        await pins.pin(await seat_of(alice, place), 2)
        await grow_old(place, 2)
        await Room.filter(id=place.id).update(next_keep_days=7, keep_changes_at=datetime.now(UTC))

    async def shown_now() -> tuple[list[int], int, int]:
        room = await room_by_id(place.id)
        assert room
        numbers = [line.number for line in await list_page(room)]
        return numbers, room.pin_count, room.removed_count

    async def forget() -> None:
        await expiry.delete_expired()

    for step in range(1, 60):
        await set_up()
        with killed_at(step) as done, suppress(Killed):
            await forget()
        assert await shown_now() in (([1, 2, 3], 1, 1), ([3], 0, 0)), step
        await forget()
        assert await shown_now() == ([3], 0, 0), step
        assert (await now(place)).version == 4 + MAX_CHANGES + 1, step
        assert await bodies(place) == ["line 3"], step
        await sweep_later()
        assert stored() == await named(), step
        if done[0] < step:
            break
    assert step > 12


async def test_a_room_of_which_all_messages_expired_is_empty_and_takes_new_ones(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 3)
    await keep(room, 1)
    await grow_old(room, 3, days=2)
    assert await expiry.delete_expired() == 3
    assert (await now(room)).last_line == ""
    assert badges(await alice.get("/lobby"), room) == []
    assert "line" not in words(Page(await alice.get("/lobby")).one("#sidebar"))
    page = await alice.get(room.path)
    assert "Older messages have been deleted. Write a message" in words(page)
    assert "Later messages" not in words(page)
    assert "0 messages" in words(await alice.get(f"{room.path}/settings"))
    assert words(await alice.get("/inbox/catch-up")).count("line") == 0
    found = await changes.log(room.id, {None, 3})
    assert found
    assert numbers_in(found[1][3]) == []
    await post_as(who(bob), room, "again", reply_to=2)
    last = await message(room, 4)
    assert (last.reply_to, last.opens_day, last.continues) == (None, True, False)
    assert list(said(await alice.get(room.path))) == [4]
    assert badges(await alice.get("/lobby"), room) == ["1"]


async def test_nothing_goes_that_is_younger_than_its_time_whatever_its_number(alice: Person, room: Room) -> None:
    """As of messages that came from elsewhere: their times are in no order."""
    await fill(room, alice, 9)
    await keep(room, 30)
    await grow_old(room, 8)
    await Message.filter(room_id=room.id, number=3).update(created_at=datetime.now(UTC) - timedelta(days=29))
    assert await expiry.delete_expired() == 2
    assert len(await bodies(room)) == 7
    assert await expiry.delete_expired() == 0
    await grow_old(room, 3)
    assert await expiry.delete_expired() == 6


async def test_the_site_bounds_every_room_and_chat_but_those_of_strangers(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await befriend(alice, bob)
    await write(alice, bob, "between us")
    chat = await Room.get(low__not_isnull=True)
    await alice.say(room, "to all")
    strangers = await Room.create(key="~s", kind="stranger", name="", last_number=1, version=1)
    await Message.create(
        room=strangers, number=1, posted_version=1, version=1, body="who?", html="who?", created_at=datetime.now(UTC)
    )
    for place in (room, chat, strangers):
        await grow_old(place, 1, days=11)
    assert await expiry.delete_expired() == 0
    monkeypatch.setattr("webapp.settings.KEEP_MESSAGES_DAYS", 10)
    monkeypatch.setattr(expiry_queries, "ROOMS_SIZE", 1)
    await keep(room, 20)
    assert await expiry.delete_expired() == 2
    assert [await bodies(place) for place in (room, chat, strangers)] == [[], [], ["who?"]]
    assert "Older messages have been deleted." in words(await alice.get(chat.path))


# Open pages.


def numbers_in(payload: Payload) -> list[int]:
    """The messages that a frame has, for pages with script."""
    sse = payload.in_language("en").sse.decode()
    return [int(number) for number in re.findall(r'<li id="message-\d+-(\d+)"', sse)]


async def test_every_page_gets_the_log_again_once_whenever_it_resumes(alice: Person, bob: Person, room: Room) -> None:
    """Open before, come back with a version from before, while it is deleted, and from after; and without script."""
    await fill(room, bob, 6)
    await keep(room, 30)
    await grow_old(room, 4)
    before = (await now(room)).version

    opened: dict[str, Reader] = {}

    def resume(cursor: int | None, framing: str = "sse") -> Reader:
        return reader(room.id, cursor, framing, session=alice.session.id, user=who(alice).id)

    opened |= {"open": resume(before), "without script": resume(None, "html")}
    for one in opened.values():
        hub().join(one)
    await until_sent(opened["without script"], "line 6")
    await bob.say(room, "before it")
    for one in opened.values():
        await until_sent(one, "before it")

    async def came_back(name: str, cursor: int) -> None:
        hub().join(opened.setdefault(name, resume(cursor)))

    async def between_batches(_: Collection[str]) -> None:
        if "while it is deleted" not in opened:
            await came_back("while it is deleted", before + 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expiry_queries, "BATCH_SIZE", 2)
        patch.setattr(removal, "drop", between_batches)
        assert await expiry.delete_expired() == 4
    after = (await now(room)).version
    await came_back("with a version from before", 3)
    await came_back("with the one from after", after)
    await bob.say(room, "after it")
    for name, one in opened.items():
        if name == "without script":
            sent = await until_sent(one, RELOAD_DOCUMENT.decode())
            assert "line" not in sent
            continue
        sent = await until_sent(one, "after it")
        times = 0 if name == "with the one from after" else 1
        assert sent.count('hx-target="#log"') == times, name
        lines = [line for number in range(1, 7) if (line := f"line {number}") in sent]
        assert lines == ["line 5", "line 6"] * times, name
        assert sent.count("before it") == times, name
        assert sent.count("after it") == 1, name
        hub().leave(one)


# Races.


async def test_what_is_written_while_a_purge_runs_is_in_order_and_none_of_it_is_lost(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two purges at once, posts, answers, edits and reactions to what goes, and pages that come back meanwhile."""
    await fill(room, bob, 30)
    await keep(room, 30)
    await grow_old(room, 20)
    monkeypatch.setattr(expiry_queries, "BATCH_SIZE", 3)
    seat, pages = await seat_of(alice, room), list[Reader]()

    async def write_some(writer: Person) -> None:
        for number in range(10):
            answered = 1 + 2 * number
            await post_as(who(writer), room, f"{who(writer).username} {number}", reply_to=answered)
            if there := await Message.get_or_none(room_id=room.id, number=answered):
                with suppress(NotFound):
                    await there.edit(f"edited {number}")
            with suppress(NotFound):
                await reactions.react(seat, answered + 10, "\N{PARTY POPPER}", is_on=True)
            with suppress(NotFound):
                await pins.pin(seat, answered + 11)

    async def come_back() -> None:
        for cursor in (1, 30, (await now(room)).version, 30):
            pages.append(reader(room.id, cursor, "sse", session=alice.session.id, user=who(alice).id))
            hub().join(pages[-1])
            await asyncio.sleep(0)

    purges = [expiry.delete_expired() for _ in range(3)]
    counts, *_ = await asyncio.gather(asyncio.gather(*purges), write_some(alice), write_some(bob), come_back())
    assert sum(counts) >= 20
    found = await now(room)
    rows = await Message.filter(room_id=room.id).order_by("number").values_list("number", "posted_version", "reply_to")
    assert [row[0] for row in rows] == list(range(21, 51))
    assert sorted(row[1] for row in rows) == [row[1] for row in rows], "versions rise with numbers"
    assert (found.first_number, found.last_number) == (21, 50)
    assert found.pin_count == await Pin.all().count() == await Pin.filter(number__gte=21).count()
    assert await Reaction.filter(message__number__lt=21).count() == 0
    await bob.say(room, "the very end")
    newest = {number: text for number, text in said(await alice.get(room.path)).items()}
    for page in pages:
        last = (await until_sent(page, "the very end")).rpartition('hx-target="#log"')[2]
        assert re.findall(r'<li id="message-\d+-(\d+)"', last)[-1] == "51"
        assert not {int(number) for number in re.findall(r'<li id="message-\d+-(\d+)"', last)} - newest.keys()
        hub().leave(page)


@pytest.mark.parametrize("meanwhile", ["longer days", "deleted", "made private"])
async def test_a_room_that_changes_after_it_was_looked_at(
    meanwhile: str, alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(room, alice, 4)
    await keep(room, 30)
    await grow_old(room, 2)
    plain = expiry.first_to_stay

    async def changing(row: RoomRow, moment: datetime) -> int:
        if meanwhile == "longer days":
            await set_keep_days(room.id, 0)
        elif meanwhile == "deleted":
            await Room.close(room.id)
        else:
            await Room.filter(id=room.id).update(kind="private", key="~made-private")
        return await plain(row, moment)

    monkeypatch.setattr(expiry, "first_to_stay", changing)
    count = await expiry.delete_expired()
    if meanwhile == "made private":
        assert (count, await bodies(room)) == (2, ["line 3", "line 4"])
        assert list(said(await alice.get("/rooms/~made-private"))) == [3, 4]
    else:
        assert (count, len(await bodies(room)), (await now(room)).first_number) == (0, 4, 1)
