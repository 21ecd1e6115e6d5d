"""What is forgotten when its time has come, and that nothing of it is left in a file."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Person, introduce
from tests.people import post_as, who
from webapp import settings
from webapp.accounts.audit import AuditEntry
from webapp.accounts.bans import AddressBan
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.deletion.steps import finish, start_deletion
from webapp.messages.models import Message
from webapp.moderation.models import Report
from webapp.ops import purge
from webapp.ops.chores import Chore

SECRET = "xylophone-marmalade-quixotic"


def ago(**time: int) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def in_files(text: str) -> list[str]:
    """The files of the SQLite database that hold the text."""
    path = Path(settings.DATABASE_URL.removeprefix("sqlite://"))
    return sorted(file.name for file in path.parent.glob(f"{path.name}*") if text.encode() in file.read_bytes())


only_sqlite = pytest.mark.sqlite


async def test_sessions_that_nobody_uses_are_forgotten(alice: Person, bob: Person) -> None:
    await Session.filter(id=alice.session.id).update(used_at=ago(days=settings.KEEP_SESSIONS.days + 1))
    await Session.filter(id=bob.session.id).update(used_at=ago(days=settings.KEEP_SESSIONS.days - 1))
    assert await purge.purge_all() == "Forgotten: sessions 1."
    assert [session.id for session in await Session.all()] == [bob.session.id]
    assert (await alice.get("/lobby")).status_code == 303
    assert (await bob.get("/lobby")).status_code == 200


async def test_hashes_of_addresses_are_forgotten_after_two_days(alice: Person, bob: Person) -> None:
    await Session.filter(id=alice.session.id).update(address="a" * 32, created_at=ago(days=3))
    await Session.filter(id=bob.session.id).update(address="b" * 32, created_at=ago(days=1))
    for name, until in (("over", ago(minutes=1)), ("still", datetime.now(UTC) + timedelta(hours=1))):
        await AddressBan.add(name, until)
    assert await purge.purge_all() == "Forgotten: addresses 1, bans of addresses 1."
    assert (await Session.get(id=alice.session.id)).address is None
    assert (await Session.get(id=bob.session.id)).address == "b" * 32
    assert [ban.hash for ban in await AddressBan.all()] == ["still"]


async def test_what_was_reported_goes_long_after_it_was_decided_and_the_log_stays(alice: Person, bob: Person) -> None:
    row = {"reason": "spam", "name": "Bob", "code": who(bob).code, "place": "here", "transcript": "[]"}
    for about, handled_at in (("open", None), ("new", ago(days=89)), ("old", ago(days=91))):
        await Report.create(about=about, handled_at=handled_at, reporter_id=who(alice).id, **row)
    await AuditEntry.create(admin_name="Ada", action="warn", name="Bob", code=who(bob).code, report=3)
    assert await purge.purge_all() == "Forgotten: reports 1."
    assert {report.about for report in await Report.all()} == {"open", "new"}
    assert await AuditEntry.exists()


async def test_a_ban_that_is_over_is_cleared(alice: Person, bob: Person) -> None:
    await User.filter(id=who(alice).id).update(banned_until=ago(hours=1), ban_reason=SECRET)
    await User.filter(id=who(bob).id).update(banned_until=datetime.now(UTC) + timedelta(hours=1), ban_reason=SECRET)
    assert await purge.purge_all() == "Forgotten: bans 1."
    assert (await User.get(id=who(alice).id)).ban_reason == ""
    assert (await User.get(id=who(bob).id)).ban_reason == SECRET


async def test_rooms_that_a_crash_left_closed_are_erased(alice: Person, room: Room) -> None:
    await alice.say(room, SECRET)
    await Room.close(room.id)
    assert await purge.purge_all() == "Forgotten: rooms 1."
    assert not await Message.exists()
    assert not await Room.exists()


async def test_with_nothing_due_nothing_goes(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "Hello")
    assert await purge.purge_all() == "There was nothing to forget."
    assert await Message.all().count() == 1
    assert await Session.all().count() == 2


async def test_purging_works_in_small_batches(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "DELETE_BATCH_SIZE", 2)
    for number in range(5):
        session = await Session.begin(who(alice), f"token {number}", "")
        await Session.filter(id=session.id).update(used_at=ago(days=1000))
    assert await purge.purge_all() == "Forgotten: sessions 5."


async def test_two_purges_at_once_do_no_harm(alice: Person, room: Room) -> None:
    await alice.say(room, SECRET)
    await Room.close(room.id)
    said = await asyncio.gather(*[purge.purge_all() for _ in range(4)])
    assert any("rooms 1" in line for line in said)
    assert not await Room.exists()


async def test_one_process_in_an_hour_purges(app: object) -> None:
    claims = await asyncio.gather(*[Chore.claim("purge", 3600) for _ in range(6)])
    assert sorted(claims) == [False] * 5 + [True]
    assert not await Chore.claim("purge", 3600)
    assert await Chore.claim("another", 3600)
    await sql.execute("UPDATE chore SET done_at = done_at - 3601 WHERE name = ? RETURNING name", "purge")
    claims = await asyncio.gather(*[Chore.claim("purge", 3600) for _ in range(6)])
    assert sorted(claims) == [False] * 5 + [True]


async def test_purging_is_tried_again_when_the_database_was_away(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    done, tries = asyncio.Event(), 0

    async def claim(name: str, seconds: int) -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        return True

    async def everything() -> str:
        done.set()
        return "Done."

    monkeypatch.setattr(Chore, "claim", claim)
    monkeypatch.setattr(purge, "purge_all", everything)
    monkeypatch.setattr(purge, "CHECK_SECONDS", 0.01)
    task = asyncio.create_task(purge.run())
    async with asyncio.timeout(5):
        await done.wait()
    task.cancel()
    assert tries >= 2


# Nothing is left in a file.


@only_sqlite
async def test_of_a_deleted_room_nothing_is_left_in_any_file(alice: Person, bob: Person, room: Room) -> None:
    for number in range(200):
        await post_as(who(alice), room, f"{number} {SECRET} " + "and so on " * 40, "")
    await bob.say(room, f"{SECRET} at the end")
    assert in_files(SECRET)
    await alice.post(f"{room.path}/settings", {"do": "delete", "name": room.name})
    await purge.purge_all()
    assert not await Room.exists()
    assert in_files(SECRET) == []


@only_sqlite
async def test_of_a_removed_message_nothing_is_left_in_any_file(alice: Person, room: Room) -> None:
    for words in ("before", f"{SECRET} " + "long " * 700, f"{SECRET} short", "after"):
        await alice.say(room, words)
    for number in (2, 3):
        await alice.post(f"{room.path}/messages/{number}/remove")
    assert in_files(SECRET)
    await purge.purge_all()
    assert in_files(SECRET) == []


@only_sqlite
async def test_nothing_of_a_deleted_account_is_left_in_any_file(alice: Person, bob: Person, room: Room) -> None:
    await introduce(who(alice), f"{SECRET}", f"{SECRET} is what I am")
    assert in_files(SECRET)
    user = await User.get(id=who(alice).id)
    await start_deletion(user)
    await finish(user)
    await purge.purge_all()
    assert in_files(SECRET) == []


@only_sqlite
async def test_of_a_chat_between_strangers_nothing_is_left_in_any_file(app: object) -> None:
    one, other = Person(app), Person(app)
    for person in (one, other):
        await person.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    await one.get("/strangers")
    chat = (await one.get("/strangers")).headers["location"]
    for number in range(50):
        await one.post(f"{chat}/messages", {"body": f"{number} {SECRET}"})
    await other.post("/strangers/leave")
    await purge.purge_all()
    assert in_files(SECRET), "it has just ended"
    await Room.all().update(locked_at=ago(minutes=59))
    assert await purge.purge_all() == "Forgotten: chats with strangers 1."
    assert not await Room.exists()
    assert not await Message.exists()
    assert in_files(SECRET) == []


async def test_guests_are_forgotten_after_a_day(app: object) -> None:
    guest = Person(app)
    await guest.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})
    await User.all().update(created_at=ago(hours=25))
    await purge.purge_all()
    assert not await User.exists()
    assert not await Session.exists()


@only_sqlite
async def test_what_stays_is_in_a_file(alice: Person, room: Room) -> None:
    await alice.say(room, SECRET)
    await purge.purge_all()
    assert in_files(SECRET) == ["parley.sqlite3"]
