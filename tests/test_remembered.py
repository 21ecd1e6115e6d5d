"""What is remembered between requests, who asks and where: every write to it shows with the very next request."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import STAGE, Person
from tests.people import now, who
from tests.query_recorder import record_queries
from tests.room_acts import change, kick
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.queries import viewer_by_token
from webapp.accounts.sessions import GUEST_LIFETIME, Session, session_uses
from webapp.accounts.viewer import VIEWER_FIELDS, Viewer
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.conversations.queries import seat_by_key, seat_without_counters
from webapp.conversations.seats import MODERATOR, MembershipRow, RoomRow, Seat
from webapp.core.errors import Forbidden
from webapp.db import remembered, sql, transaction
from webapp.db.remembered import MAX_ENTRIES, WATCHED, Remembered
from webapp.http import cookie

only_sqlite = pytest.mark.skipif(not settings.ON_SQLITE, reason="nothing is remembered on PostgreSQL")
COUNTERS = {watched.table: watched.counters for watched in WATCHED}
MOMENT = "2001-02-03 04:05:06+00:00"
# Another value for every column that is read with a viewer.
USER = {
    "code": "0000-000Z", "display_name": "Other", "picture": "ab" * 16, "is_admin": 1, "is_guest": 1,
    "shows_presence": 0, "shows_receipts": 0, "shows_typing": 0, "last_seen_at": MOMENT, "username": "other",
    "language": "de", "time_zone": "Asia/Tokyo", "saves_data": 1, "presence_for": "nobody", "theme": "dark",
    "text_size": "large", "blocks_version": 7, "banned_until": MOMENT, "ban_reason": "shouting", "warning": "Mind",
}  # fmt: skip
# And of a room and a membership, but for what counts.
ROOM = {
    "kind": "private", "name": "Other", "topic": "Other", "face": "T", "member_count": 77, "low": 1, "high": 2,
    "locked_at": MOMENT, "created_at": MOMENT, "removed_count": 5, "pin_count": 5, "who_posts": "moderators",
    "who_invites": "members", "slow_seconds": 60, "keep_days": 5, "next_keep_days": 6, "keep_changes_at": MOMENT,
}  # fmt: skip
MEMBERSHIP = {
    "role": MODERATOR, "is_request": 1, "joined_at": MOMENT, "kicked_until": MOMENT, "inviter": 3, "muted": 1,
}  # fmt: skip

Write = Callable[[str, str, object, str], Awaitable[None]]


async def by_sql(table: str, column: str, value: object, where: str) -> None:
    await sql.execute(f'UPDATE "{table}" SET {column} = ? WHERE {where}', value)


async def by_transaction(table: str, column: str, value: object, where: str) -> None:
    await transaction.transact(by_sql, table, column, value, where)


async def by_script(table: str, column: str, value: object, where: str) -> None:
    literal = f"'{value}'" if isinstance(value, str) else value
    await sql.connection().execute_script(f'UPDATE "{table}" SET {column} = {literal} WHERE {where}')


async def by_another_connection(table: str, column: str, value: object, where: str) -> None:
    with contextlib.closing(sqlite3.connect(STAGE / "parley.sqlite3")) as other, other:
        other.execute(f'UPDATE "{table}" SET {column} = ? WHERE {where}', (value,))


WAYS: list[Write] = [by_sql, by_transaction, by_script, by_another_connection]


def names(row: type[RoomRow | MembershipRow]) -> set[str]:
    return {field.name for field in fields(row)}


@pytest.fixture
async def token(alice: Person) -> str:
    await Session.begin(who(alice), "token", "Firefox")
    return "token"


@pytest.fixture
async def viewer(token: str) -> Viewer:
    return await found(token)


async def found(token: str) -> Viewer:
    viewer = await viewer_by_token(token)
    assert viewer
    return viewer


async def seat(viewer: Viewer, room: Room) -> Seat:
    found = await seat_without_counters(viewer, room.key)
    assert found
    return found


async def is_asked(work: Awaitable[object]) -> bool:
    return bool(await record_queries(work))


@only_sqlite
async def test_who_asks_and_where_are_asked_once(token: str, viewer: Viewer, room: Room) -> None:
    first = await seat(viewer, room)
    assert not await is_asked(viewer_by_token(token))
    assert not await is_asked(seat_without_counters(viewer, room.key))
    assert await seat(viewer, room) == first == await seat_by_key(viewer, room.key)


@only_sqlite
async def test_every_field_of_who_asks_is_in_the_table_of_this_test() -> None:
    assert set(USER) == set(VIEWER_FIELDS) - {"id", "session_id"}
    assert set(ROOM) == names(RoomRow) - {"id", "key"} - COUNTERS["room"]
    assert set(MEMBERSHIP) - {"muted"} == names(MembershipRow) - {"id", "user_id", "level"} - COUNTERS["membership"]


@only_sqlite
@pytest.mark.parametrize("write", WAYS)
async def test_every_field_of_who_asks_is_read_again_when_it_was_written(
    token: str, alice: Person, write: Write
) -> None:
    for column, value in USER.items():
        before = await found(token)
        assert not await is_asked(viewer_by_token(token)), column
        await write("user", column, value, f"id = {who(alice).id}")
        after = await found(token)
        assert getattr(before, column) != getattr(after, column), column


@only_sqlite
@pytest.mark.parametrize("write", WAYS)
async def test_every_field_of_a_seat_is_read_again_when_it_was_written(
    viewer: Viewer, room: Room, write: Write
) -> None:
    for table, values, where in (
        ("room", ROOM, f"id = {room.id}"),
        ("membership", MEMBERSHIP, f"room_id = {room.id} AND user_id = {viewer.id}"),
    ):
        for column, value in values.items():
            before = await seat(viewer, room)
            assert not await is_asked(seat_without_counters(viewer, room.key)), column
            await write(table, column, value, where)
            after = await seat(viewer, room)
            assert after == await seat_by_key(viewer, room.key)
            assert after != before, column


@only_sqlite
@pytest.mark.parametrize("write", WAYS)
async def test_a_session_is_over_at_once_in_whatever_way(token: str, alice: Person, write: Write) -> None:
    await found(token)
    await write("session", "digest", "another", f"digest = '{cookie.digest(token)}'")
    assert await viewer_by_token(token) is None


@only_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        'DELETE FROM "user"',
        "DELETE FROM session",
        "DELETE FROM session WHERE id > 0",
        "REPLACE INTO session (id, digest, user_id, user_agent, created_at, used_at) "
        "SELECT id, id, user_id, user_agent, created_at, used_at FROM session",
    ],
)
async def test_what_deletes_a_session_with_something_else_ends_it_too(
    token: str, alice: Person, statement: str
) -> None:
    await found(token)
    await sql.execute(statement)
    assert await viewer_by_token(token) is None


@only_sqlite
async def test_a_membership_that_goes_with_its_room_is_forgotten(viewer: Viewer, room: Room) -> None:
    await seat(viewer, room)
    await sql.execute("DELETE FROM room")
    assert await seat_without_counters(viewer, room.key) is None


@only_sqlite
async def test_what_counts_forgets_nothing_and_is_read_where_it_matters(viewer: Viewer, room: Room) -> None:
    first = await seat(viewer, room)
    for table, counters in COUNTERS.items():
        for column in counters:
            await by_sql(table, column, MOMENT if column.endswith("_at") else 9, "id > 0")
    await Membership.advance_read_numbers(room.id, {viewer.id: 8})
    assert not await is_asked(seat_without_counters(viewer, room.key))
    assert (await seat(viewer, room)).room.version == first.room.version
    counted = await access.by_key(viewer, room.key)
    assert counted.membership
    assert (counted.room.version, counted.room.last_number, counted.membership.read_number) == (9, 9, 8)


@only_sqlite
async def test_another_person_or_room_that_is_written_forgets_nothing(
    token: str, viewer: Viewer, room: Room, bob: Person
) -> None:
    await found(token)
    await seat(viewer, room)
    await User.filter(id=who(bob).id).update(display_name="Robert")
    await Membership.filter(user_id=who(bob).id).update(role=MODERATOR)
    assert not await is_asked(viewer_by_token(token))
    assert not await is_asked(seat_without_counters(viewer, room.key))


@only_sqlite
async def test_what_a_transaction_writes_shows_with_its_commit_and_never_when_it_is_undone(
    token: str, alice: Person
) -> None:
    written, go_on = asyncio.Event(), asyncio.Event()

    async def rename(name: str, *, fails: bool) -> None:
        await User.filter(id=who(alice).id).update(display_name=name)
        assert (await found(token)).display_name == name  # read on its own connection
        written.set()
        await go_on.wait()
        if fails:
            raise ValueError

    for name, fails, shown in (("Undone", True, "Alice"), ("Done", False, "Done")):
        await found(token)
        writing = asyncio.create_task(transaction.transact(rename, name, fails=fails))
        await written.wait()
        assert (await found(token)).display_name == "Alice"
        go_on.set()
        await asyncio.gather(writing, return_exceptions=True)
        assert (await found(token)).display_name == shown
        assert not await is_asked(viewer_by_token(token))
        written.clear()
        go_on.clear()


@only_sqlite
async def test_nothing_is_put_that_was_written_while_it_was_read(token: str, alice: Person) -> None:
    memory = sql.remembered()
    assert memory
    moment = memory.moment
    await User.filter(id=who(alice).id).update(display_name="Written")
    memory.put(moment, "key", "read before", ("user", who(alice).id))
    assert sql.remembered() is memory
    memory.put(moment, "key", "read before", ("user", who(alice).id))
    assert memory.get("key") is None


@only_sqlite
async def test_a_write_whose_caller_was_cancelled_counts_all_the_same(token: str, alice: Person) -> None:
    await found(token)
    writing = asyncio.create_task(by_sql("user", "display_name", "Written", f"id = {who(alice).id}"))
    await asyncio.sleep(0)  # so that it has begun
    writing.cancel()
    assert (await found(token)).display_name in ("Alice", "Written")
    await sql.execute("UPDATE session SET user_agent = ''")  # which the thread does after it
    assert (await found(token)).display_name == "Written"


async def by_another_row(session: int) -> None:
    """A session of that number is written."""
    values = session, str(session), 1, "", MOMENT, MOMENT
    columns = "id, digest, user_id, user_agent, created_at, used_at"
    await sql.execute(f"INSERT INTO session ({columns}) VALUES ({sql.placeholders(values)})", *values)


@only_sqlite
async def test_the_oldest_are_forgotten_when_there_are_too_many(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_ENTRIES <= 10_000
    monkeypatch.setattr(remembered, "MAX_ENTRIES", 3)
    memory = sql.remembered()
    assert memory
    await sql.execute("DELETE FROM session")
    assert sql.remembered() is memory
    for number in range(5):
        memory.put(memory.moment, number, str(number), ("user", 1), ("session", number))
    assert [memory.get(number) for number in range(5)] == [None, None, "2", "3", "4"]
    for written, left in ((3, ["2", None, "4"]), (2, [None, None, "4"])):
        await by_another_row(written)
        assert sql.remembered() is memory
        assert [memory.get(number) for number in range(2, 5)] == left


@only_sqlite
async def test_a_stream_leaves_nothing_to_be_remembered(token: str, room: Room) -> None:
    assert await viewer_by_token(token, False)
    assert await is_asked(viewer_by_token(token))


async def test_a_session_that_is_used_is_noted_when_it_was_remembered_for_long(token: str, viewer: Viewer) -> None:
    await found(token)
    await Session.filter(id=viewer.session_id).update(used_at=datetime.now(UTC) - timedelta(hours=1))
    await found(token)
    await found(token)
    await session_uses().write()
    assert datetime.now(UTC) - (await Session.get(id=viewer.session_id)).used_at < timedelta(minutes=1)


async def test_a_lifetime_ends_by_itself(token: str, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await User.filter(id=who(alice).id).update(is_guest=True)
    await found(token)
    monkeypatch.setattr("webapp.accounts.queries.GUEST_LIFETIME", timedelta(0))
    assert GUEST_LIFETIME
    assert await viewer_by_token(token) is None


async def test_a_ban_and_a_kick_end_by_themselves(token: str, viewer: Viewer, room: Room) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    await User.filter(id=viewer.id).update(banned_until=soon)
    await Membership.filter(room_id=room.id, user_id=viewer.id).update(role="kicked", kicked_until=soon)
    assert (await found(token)).is_banned
    with pytest.raises(Forbidden):
        access.readable(await seat(viewer, room))
    while datetime.now(UTC) <= soon:
        await asyncio.sleep(0.05)
    assert not (await found(token)).is_banned
    assert access.readable(await seat(viewer, room)).membership is None


# What people and commands do, as the next request of an open page meets it.


async def typing(one: Person, room: Room) -> int:
    return (await one.post(f"/rooms/{room.key}/typing")).status_code


async def said(one: Person, room: Room) -> int:
    return (await one.say(room, "words", HX_Request="true")).status_code


async def kicked(alice: Person, bob: Person, room: Room) -> None:
    await kick(alice, room, bob)


async def locked(alice: Person, bob: Person, room: Room) -> None:
    await change(alice, room, "lock")


async def only_moderators(alice: Person, bob: Person, room: Room) -> None:
    await change(alice, room, "posting", who_posts="moderators")


async def closed(alice: Person, bob: Person, room: Room) -> None:
    await Room.close(room.id)


async def signed_out(alice: Person, bob: Person, room: Room) -> None:
    cookies = dict(bob.client.cookies)
    await bob.post("/logout")
    for name, value in cookies.items():
        bob.client.cookies.set(name, value)


async def banned(alice: Person, bob: Person, room: Room) -> None:
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) + timedelta(hours=1))


async def account_deleted(alice: Person, bob: Person, room: Room) -> None:
    await User.filter(id=who(bob).id).delete()


ACTS: list[Callable[[Person, Person, Room], Awaitable[None]]] = [
    kicked, locked, only_moderators, closed, signed_out, banned, account_deleted,
]  # fmt: skip


async def command(*words: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "webapp", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("act", ACTS)
async def test_an_open_page_can_do_nothing_more_at_once(alice: Person, bob: Person, room: Room, act: Any) -> None:
    await bob.say(room, "first")
    assert (await typing(bob, room), await said(bob, room)) == (204, 200)
    await act(alice, bob, room)
    assert await typing(bob, room) != 204
    assert await said(bob, room) != 200
    assert (await now(room)).last_number == 2


async def test_what_a_command_changes_beside_the_server_shows_at_once(token: str, alice: Person) -> None:
    assert not (await found(token)).is_admin
    await command("admin", "alice")
    assert (await found(token)).is_admin


async def test_a_room_that_becomes_private_is_known_to_no_outsider_by_its_old_key(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await bob.say(room, "first")
    await change(alice, room, "kind", kind="private")
    assert await typing(bob, room) == 204  # it leads on whom it lets in
    assert await typing(charlie, room) == 404
    assert await said(charlie, room) == 404


async def test_an_answer_to_the_newest_message_is_stored_however_much_was_said_since(
    alice: Person, bob: Person, room: Room
) -> None:
    await bob.say(room, "first")
    await bob.say(room, "second")
    for _ in range(3):
        await alice.say(room, "more")
    answer = await bob.post(f"{room.path}/messages", {"body": "yes", "nonce": "n", "reply_to": "5"}, HX_Request="true")
    assert answer.status_code == 200


def test_remembering_has_no_length_that_would_make_it_false() -> None:
    """It is asked whether there is one: an empty one is one, too."""
    assert not hasattr(Remembered, "__len__")
