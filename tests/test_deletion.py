"""Deleting one's own account: what goes, what stays, and that a crash in the middle does no harm."""

import asyncio
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import PASSWORD, Person, bodies, person
from tests.page import words
from tests.people import make_room, now, post_as, roles, set_picture, who
from tests.readers import reader as open_reader
from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.models import SearchName, User
from webapp.accounts.reset import reset_path
from webapp.accounts.sessions import Session
from webapp.app import finish_interrupted_work as at_start
from webapp.chats import first_message
from webapp.conversations import access, members
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import KICKED, MEMBER, OWNER
from webapp.db import sql, transaction
from webapp.deletion import steps
from webapp.live import hub
from webapp.media import store
from webapp.messages import typing
from webapp.messages.models import Message, Saved
from webapp.messages.retention import delete_closed_rooms
from webapp.presence.models import Visit
from webapp.presence.queries import presence_in
from webapp.presence.tracker import tracker
from webapp.relationships.models import Block, Friendship, VeiledBlock

FORM = "/settings/delete"
NO_HASH = "no hash at all"  # as conftest makes accounts


@cache
def hashed() -> str:
    """The password of everybody here, hashed once."""
    return passwords.hasher.hash(PASSWORD)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "FOLDER", tmp_path / "pictures")
    return tmp_path / "pictures"


async def leave(one: Person, password: str = PASSWORD, **headers: str) -> httpx2.Response:
    if one.user:
        await User.filter(id=one.user.id, password_hash=NO_HASH).update(password_hash=hashed())
    return await one.post(FORM, {"password": password}, **headers)


async def join(one: Person, room: Room) -> None:
    await members.join(await access.by_key(who(one), room.key))


async def left_of(user: User) -> dict[str, int]:
    """How many rows of every table still say this id; but for what says nothing about a person."""
    if settings.ON_SQLITE:
        tables = await sql.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        references = {
            (table["name"], column["from"])
            for table in tables
            for column in await sql.fetch_all(f'PRAGMA foreign_key_list("{table["name"]}")')
            if column["table"] == "user"
        }
    else:
        found = await sql.fetch_all(
            "SELECT conrelid::regclass::text AS name, attname AS column FROM pg_constraint "
            "JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] "
            "WHERE contype = 'f' AND confrelid = '\"user\"'::regclass"
        )
        references = {(row["name"].strip('"'), row["column"]) for row in found}
    assert len(references) >= 8
    counts = {}
    for table, column in [*sorted(references), ("user", "id")]:
        [row] = await sql.fetch_all(f'SELECT count(*) AS n FROM "{table}" WHERE "{column}" = ?', user.id)
        counts[f"{table}.{column}"] = row["n"]
    return counts


# The page.


async def test_every_page_of_the_settings_leads_there(alice: Person) -> None:
    for path in ("/settings/profile", "/settings/password", "/settings/sessions"):
        assert f'<a href="{FORM}">Delete my account</a>' in (await alice.get(path)).text
    page = await alice.get(FORM)
    assert page.status_code == 200
    assert "This cannot be undone." in page.text
    assert 'name="password" type="password"' in page.text
    assert await User.exists(id=who(alice).id), "looking is not doing"


async def test_who_is_signed_out_is_led_to_sign_in(visitor: Person) -> None:
    assert (await visitor.get(FORM)).headers["location"] == "/login?next=%2Fsettings%2Fdelete"
    assert (await leave(visitor)).status_code == 303
    assert (await leave(visitor, HX_Request="true")).status_code == 401
    assert (await visitor.client.delete(FORM)).status_code == 405


@pytest.mark.parametrize("password", ["", "wrong horse battery", PASSWORD.upper(), "x" * 5000])
async def test_without_the_password_nothing_happens(alice: Person, room: Room, password: str) -> None:
    answer = await leave(alice, password)
    assert answer.status_code == 422
    assert "That is not your password." in answer.text
    assert password not in answer.text or not password
    assert await roles(room) == {"alice": OWNER}
    assert (await alice.get("/lobby")).status_code == 200


async def test_another_site_deletes_nobody(alice: Person) -> None:
    assert (await leave(alice, Sec_Fetch_Site="cross-site")).status_code == 403
    assert await User.exists(id=who(alice).id)


async def test_passwords_are_not_tried_out_here(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    statuses = [(await leave(alice, f"guess number {number}")).status_code for number in range(10)]
    assert statuses == [422] * 10
    answer = await leave(alice)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert await User.exists(id=who(alice).id)


# What goes and what stays.


async def test_a_deleted_account_ends_with_a_goodbye_page(alice: Person, visitor: Person) -> None:
    answer = await leave(alice)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?left=1")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "Your account is deleted" in (await alice.get("/?left=1")).text
    assert (await alice.get("/lobby")).headers["location"].startswith("/login")
    signing_in = await visitor.post("/login", {"username": "alice", "password": PASSWORD})
    assert signing_in.status_code == 422
    again = await visitor.post("/register", {"username": "alice", "password": PASSWORD, "display_name": ""})
    assert again.status_code == 303, "the name is free"


async def test_nothing_in_the_database_says_their_name(
    alice: Person, bob: Person, charlie: Person, room: Room, folder: Path
) -> None:
    user = who(alice)
    await User.filter(id=user.id).update(bio="Secret bio", display_name="Secret Alice")
    await set_picture(alice)
    for other in (bob, charlie):
        await Friendship.request(user, who(other))
    await Friendship.accept(who(bob), user)
    await Block.add(user, who(charlie))
    await Block.add(who(charlie), user)
    await VeiledBlock.put(who(charlie), user)
    await VeiledBlock.put(user, who(charlie))
    await post_as(user, room, "Tea?", "")
    await join(charlie, room)
    await Visit.apply_changes(tracker().process, [(user.id, room.id)], [])
    before = await left_of(user)
    assert sum(1 for count in before.values() if count) >= 7, before
    assert (await leave(alice)).status_code == 303
    assert set((await left_of(user)).values()) == {0}
    assert list(folder.iterdir()) == []
    assert not await SearchName.exists(folded__contains="alice")
    assert (await bob.get(user.path)).status_code == 404
    assert (await charlie.get("/lobby")).status_code == 200


async def test_messages_stay_under_the_name_of_a_deleted_account(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "Scones are best warm")
    await bob.say(room, "They are")
    await leave(alice)
    page = await bob.get(room.path)
    assert "Deleted account" in words(page)
    assert "Scones are best warm" in words(page)
    assert "Alice" not in page.text
    assert await bodies(room) == ["Scones are best warm", "They are"]
    assert (await bob.say(room, "Bye")).status_code == 303


async def test_a_room_of_theirs_goes_to_who_was_there_longest(
    app: object, alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    dora = await person(app, "dora")
    for one in (charlie, dora):
        await join(one, room)
    await Membership.filter(user_id=who(dora).id).update(joined_at=datetime(2020, 1, 1, tzinfo=UTC))
    await leave(alice)
    assert await roles(room) == {"bob": MEMBER, "charlie": MEMBER, "dora": OWNER}
    assert (await now(room)).member_count == 3
    assert (await dora.post(f"{room.path}/settings", {"do": "topic", "topic": "Scones"})).status_code == 303


async def test_what_an_account_has_saved_goes_in_batches_before_its_row(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A great deal of it would else be deleted in the one transaction that everybody waits for."""
    for number in (1, 2, 3):
        await alice.say(room, f"line {number}")
        for one in (alice, bob):
            await one.post(f"{room.path}/messages/{number}/save")
    left: list[int] = []
    erase = steps.erase_account

    async def erase_and_note(user: Any) -> bool:
        left.append(await Saved.filter(user_id=user.id).count())
        return await erase(user)

    monkeypatch.setattr(steps, "erase_account", erase_and_note)
    monkeypatch.setattr(sql, "DELETE_BATCH_SIZE", 2)
    await leave(bob)
    async with asyncio.timeout(20):
        while await User.exists(id=who(bob).id):
            await asyncio.sleep(0.01)
    assert left == [0]
    assert await Saved.filter(user_id=who(alice).id).count() == 3


async def test_a_kicked_member_inherits_no_room(alice: Person, bob: Person, room: Room) -> None:
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(role=KICKED)
    await Room.filter(id=room.id).update(member_count=1)
    await leave(alice)
    assert await Room.filter(id=room.id, closed_at=None).count() == 0


async def test_a_room_of_theirs_with_nobody_else_is_deleted(alice: Person, charlie: Person, room: Room) -> None:
    await alice.say(room, "Anybody there?")
    page = open_reader(room.id, 0, "sse", room.path, session=charlie.session.id, user=who(charlie).id)
    hub().join(page)
    await leave(alice)
    assert page.outbox.is_closed
    hub().leave(page)
    await delete_closed_rooms()
    assert not await Room.exists(id=room.id)
    assert await bodies(room) == []
    assert (await charlie.get(room.path)).status_code == 404
    assert (await charlie.post("/rooms", {"name": room.name, "topic": ""})).status_code == 303, "the name is free"


async def test_deletion_lowers_the_count_for_members_and_not_for_the_kicked(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await join(charlie, room)
    assert (await now(room)).member_count == 3
    await leave(bob)
    assert (await now(room)).member_count == 2
    await Membership.filter(room_id=room.id, user_id=who(charlie).id).update(role=KICKED)
    await Room.filter(id=room.id).update(member_count=1)
    await leave(charlie)
    assert (await now(room)).member_count == 1
    assert await roles(room) == {"alice": OWNER}


async def test_a_chat_stays_for_the_other_side_and_goes_with_the_second(alice: Person, bob: Person) -> None:
    await Friendship.request(who(alice), who(bob))
    await Friendship.request(who(bob), who(alice))
    room = await Room.get(id=(await first_message.post_first(who(alice), who(bob), "Between us", ""))[0].room.id)
    await leave(alice)
    page = await bob.get(room.path)
    assert page.status_code == 200
    assert "Between us" in page.text
    assert "Alice" not in page.text
    assert (await bob.get("/lobby")).status_code == 200
    await leave(bob)
    await delete_closed_rooms()
    assert not await Room.exists(id=room.id)


async def test_notes_to_oneself_go(alice: Person) -> None:
    room = await Room.get(id=(await first_message.post_first(who(alice), who(alice), "Buy tea", ""))[0].room.id)
    await leave(alice)
    await delete_closed_rooms()
    assert not await Room.exists(id=room.id)


async def test_the_picture_of_another_with_the_same_stays(alice: Person, bob: Person, folder: Path) -> None:
    digest = await set_picture(alice)
    assert await set_picture(bob) == digest
    await leave(alice)
    assert (await bob.get(f"/pictures/{digest}.webp")).status_code == 200


# At once, everywhere.


async def test_every_page_of_theirs_ends_at_once_and_nobody_elses(alice: Person, bob: Person, room: Room) -> None:
    other = await Session.begin(who(alice), "another browser", "")
    hers = [
        open_reader(room.id, 0, "sse", room.path, session=session, user=who(alice).id)
        for session in (alice.session.id, other.id)
    ]
    his = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=who(bob).id)
    for reader in (*hers, his):
        hub().join(reader)
        tracker().stream_opened(reader.labels["user"], room.id)
    await leave(alice)
    assert [reader.outbox.is_closed for reader in (*hers, his)] == [True, True, False]
    for reader in (*hers, his):
        hub().leave(reader)
        tracker().stream_closed(reader.labels["user"], room.id)
    assert not tracker().present() & {(who(alice).id, room.id)}, "without the grace of a page that changes"
    assert "Alice" not in str((await presence_in([room.id]))[room.id].shown)


async def test_a_deleted_account_types_no_more(alice: Person, bob: Person, room: Room) -> None:
    page = open_reader(room.id, 0, "sse", room.path, session=bob.session.id, user=who(bob).id)
    hub().join(page)
    typing.started(room.id, who(alice))
    assert b"Alice" in (await typing.typing([room.id]))[room.id].in_language("en").sse
    await leave(alice)
    assert b"Alice" not in (await typing.typing([room.id]))[room.id].in_language("en").sse
    hub().leave(page)


async def test_a_link_for_a_new_password_is_worth_nothing_any_more(
    alice: Person, visitor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await who(alice).refresh_from_db()
    link = reset_path(who(alice))
    assert (await visitor.get(link)).status_code == 200
    monkeypatch.setattr(steps, "erase_account", broken)  # the row is still there
    await leave(alice)
    assert await User.exists(id=who(alice).id)
    assert (await visitor.get(link)).status_code == 404
    assert (await visitor.post(link, {"password": "a new password"})).status_code == 404


async def test_pressed_twice_at_once_it_is_done_once(alice: Person, bob: Person, room: Room) -> None:
    answers = await asyncio.gather(leave(alice), leave(alice))
    assert {answer.status_code for answer in answers} <= {303, 422}
    assert 303 in {answer.status_code for answer in answers}
    assert (await now(room)).member_count == 1
    assert await roles(room) == {"bob": OWNER}


async def test_everybody_of_a_room_leaves_at_once(alice: Person, bob: Person, charlie: Person, room: Room) -> None:
    await join(charlie, room)
    for one in (alice, bob, charlie):
        await one.say(room, "Bye")
    for one, other in ((alice, bob), (bob, charlie), (charlie, alice)):
        await Friendship.request(who(one), who(other))
    answers = await asyncio.gather(*(leave(one) for one in (alice, bob, charlie)))
    assert [answer.status_code for answer in answers] == [303] * 3
    await delete_closed_rooms()
    assert await User.all().count() == 0
    assert not await Room.exists(id=room.id)


async def test_a_request_that_was_let_in_before_leaves_no_wrong_count(
    alice: Person, charlie: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He joins and writes between the last look and the end of his account."""
    erase, late = steps.erase_account, 0

    async def after_a_late_join(user: User) -> bool:
        nonlocal late
        late += 1
        return await erase(user)

    transact = transaction.transact

    async def join_first(write: Any, *args: Any) -> Any:
        if write is steps.erase_account and not late:
            await post_as(who(charlie), room, "Late", "")
            assert (await now(room)).member_count == 2
            monkeypatch.setattr(steps, "erase_account", after_a_late_join)
            return await transact(after_a_late_join, *args)
        return await transact(write, *args)

    monkeypatch.setattr(transaction, "transact", join_first)
    assert (await leave(charlie)).status_code == 303
    assert late == 2, "the first time there was something left"
    monkeypatch.undo()
    assert (await now(room)).member_count == 1
    assert await roles(room) == {"alice": OWNER}
    assert set((await left_of(who(charlie))).values()) == {0}
    assert await bodies(room) == ["Late"]


async def test_who_joins_while_their_row_goes_waits_and_finds_nobody(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    async def keep_joining() -> None:
        for _ in range(40):
            for write in (join(charlie, room), post_as(who(charlie), room, "I am here", "")):
                # Whatever is said to somebody who is gone.
                await asyncio.gather(write, return_exceptions=True)

    tasks = [asyncio.create_task(keep_joining()) for _ in range(2)]
    assert (await asyncio.wait_for(leave(charlie), 20)).status_code == 303
    await asyncio.gather(*tasks)
    found = await now(room)
    assert found.member_count == await Membership.filter(room_id=room.id).count() == 2
    assert set((await left_of(who(charlie))).values()) == {0}


# A crash in the middle.


async def broken(*_: object) -> Any:
    raise RuntimeError("a crash")


STEPS: dict[str, tuple[object, str]] = {
    "before the picture is let go": (store.Store, "release"),
    "before the rooms": (steps, "_leave_rooms"),
    "between two rooms": (members, "lose"),
    "before the messages": (steps, "_leave_messages"),
    "before the reactions": (steps, "_leave_reactions"),
    "before the row": (steps, "erase_account"),
}


@pytest.mark.parametrize("step", STEPS)
async def test_after_a_crash_the_account_is_nobodys_and_the_next_start_finishes(
    alice: Person, bob: Person, folder: Path, room: Room, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    second = await make_room(who(alice), "Second room")
    await join(bob, second)
    await set_picture(alice)
    await alice.say(room, "Tea?")
    await alice.post(f"{room.path}/messages/1/reactions", {"kind": "🎉"})
    with monkeypatch.context() as patch:
        place, name = STEPS[step]
        if step == "between two rooms":
            lose, calls = members.leave_permanently, iter(range(9))

            async def second_breaks(room: Room, user: User) -> None:
                await (broken() if next(calls) else lose(room, user))

            patch.setattr(members, "leave_permanently", second_breaks)
        else:
            patch.setattr(place, name, broken)
        assert (await leave(alice)).status_code == 500
    assert (await alice.get("/lobby")).status_code == 303
    assert "Alice" not in (await bob.get(who(alice).path)).text
    assert not await User.exists(username="alice")

    await at_start()
    assert set((await left_of(who(alice))).values()) == {0}
    assert list(folder.iterdir()) == []
    assert await Message.filter(room_id=room.id).values_list("reactions", flat=True) == [""]
    for one in (room, second):
        assert await roles(one) == {"bob": OWNER}
        assert (await now(one)).member_count == 1
    await at_start()
    assert await roles(room) == {"bob": OWNER}


async def test_nobody_else_is_taken_for_a_deleted_account(app: object, alice: Person) -> None:
    guest = await person(app, "guest-of-honour")
    await User.filter(id=who(guest).id).update(username=None, skeleton=None, is_guest=True)
    await steps.finish_all()
    assert await User.all().count() == 2


async def test_long_histories_are_left_in_small_steps(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "MESSAGE_BATCH_SIZE", 3)
    for number in range(8):
        await post_as(who(alice), room, f"Number {number}", "")
    await leave(alice)
    assert await Message.filter(room_id=room.id, author_id=None).count() == 8
