"""The index of words is looked after: what has no words gets some, and nothing that was deleted is left in a file."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Person
from tests.indexed import found, marked, size
from tests.people import post_as, who
from tests.query_cost import cost
from tests.query_recorder import record_queries
from webapp import settings
from webapp.cli.check import index_damage
from webapp.conversations.models import Room
from webapp.core import start_cache
from webapp.db import sql, transaction
from webapp.deletion.steps import finish, start_deletion
from webapp.messages import index, indexing
from webapp.messages.models import Message
from webapp.ops import indexing as chore
from webapp.ops import purge
from webapp.ops.chores import Chore

SECRET = "xylophonemarmalade"


async def post_without_words(room: Room, *bodies: str, author: int | None = None) -> None:
    """As a process of the version before does."""
    number = (await Room.get(id=room.id)).last_number
    for at, body in enumerate(bodies, number + 1):
        row = {"room_id": room.id, "number": at, "posted_version": at, "version": at, "author_id": author}
        await Message.create(**row, body=body, html=f"<p>{body}</p>", created_at=datetime.now(UTC))
    await Room.filter(id=room.id).update(last_number=number + len(bodies), version=number + len(bodies))


async def ids(*bodies: str) -> list[int]:
    return list(await Message.filter(body__in=bodies).order_by("id").values_list("id", flat=True))


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "SLICE", 3)


# Messages from before there was an index.


@pytest.fixture
async def older(room: Room, small_slices: None) -> list[str]:
    """Messages without words, as they are right after the upgrade."""
    bodies = [f"older {n}" for n in range(10)]
    await post_without_words(room, *bodies)
    await indexing.start_over()
    return bodies


async def test_older_messages_are_written_newest_first_and_a_restart_continues(older: list[str]) -> None:
    assert await indexing.progress() < 0.5
    await indexing.fill_older(0.0)
    assert await found("older") == []
    [(low,)] = await sql.fetch_all("SELECT low FROM word_index")
    assert await indexing.fill_slice(low) == 3
    assert await found("older") == older[-3:]
    assert 0 < await indexing.progress() < 1
    await indexing.fill_slice(low)  # by another process, which has seen the same
    assert len(await found("older")) == 3
    assert await indexing.fill_older(30.0) == 7
    assert await found("older") == older
    assert await indexing.progress() == 1.0
    assert await indexing.fill_older(30.0) == 0


async def test_what_is_posted_meanwhile_is_found_at_once_and_written_once(
    alice: Person, room: Room, older: list[str]
) -> None:
    posts = [post_as(who(alice), room, f"newer {n}") for n in range(10)]
    await asyncio.gather(indexing.fill_older(30.0), indexing.fill_older(30.0), *posts)
    assert len(await found("newer")) == 10
    assert await found("older") == older
    assert await size() == 20
    if settings.ON_SQLITE:
        await sql.execute("INSERT INTO message_words(message_words) VALUES('integrity-check')")


async def test_edits_and_removals_meanwhile_win(alice: Person, room: Room) -> None:
    await post_without_words(room, *[f"{SECRET} {n}" for n in range(12)], author=who(alice).id)
    await indexing.start_over()
    edits = [alice.post(f"{room.path}/messages/{n}/edit", {"body": f"changed {n}"}) for n in range(1, 7)]
    removals = [alice.post(f"{room.path}/messages/{n}/remove") for n in range(7, 13)]
    await asyncio.gather(*edits, indexing.fill_older(30.0), *removals, indexing.fill_older(30.0))
    assert await found(SECRET) == []
    assert len(await found("changed")) == 6
    assert await size() == 6


async def test_what_changed_since_it_was_read_is_read_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    await post_without_words(room, "read", "another")
    await indexing.start_over()
    text_of = index.text_of

    def change_first(row: index.Row) -> str:
        """While the words are cut, outside of a transaction."""
        if row.body == "read":
            changed = Message.filter(id=row.id).update(body="changed", html="<p>changed</p>", edited_version=9)
            asyncio.run_coroutine_threadsafe(_await(changed), loop).result(10)
        return text_of(row)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(index, "text_of", change_first)
    assert await indexing.fill_older(30.0) > 0
    assert (await found("read"), await found("changed"), await size()) == ([], ["changed"], 2)


async def _await(work: object) -> None:
    await work  # type: ignore[misc]


async def test_a_message_that_is_being_changed_holds_up_nobody(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL its row is locked until then; on SQLite everybody takes turns."""
    await post_without_words(room, "first", "second")
    await indexing.start_over()
    if settings.ON_SQLITE:
        assert await indexing.fill_older(30.0) == 2
        return
    monkeypatch.setattr(indexing, "TRIES", 2)
    monkeypatch.setattr(indexing, "AGAIN_SECONDS", 0.01)
    is_locked, go_on = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        await Message.filter(body="first").update(body="changed", html="<p>changed</p>", edited_version=9)
        is_locked.set()
        await go_on.wait()

    changing = asyncio.create_task(transaction.transact(change))
    await is_locked.wait()
    with pytest.raises(RuntimeError):
        await indexing.fill_older(30.0)
    assert await found("second") == ["second"]
    go_on.set()
    await changing
    await indexing.fill_older(30.0)
    assert (await found("first"), await found("changed")) == ([], ["changed"])


async def test_strangers_removed_messages_and_deleted_rooms_get_no_words(alice: Person, room: Room, soup: Room) -> None:
    await sql.execute("DELETE FROM message_words")
    await post_without_words(room, "removed", "there")
    await Message.filter(body="removed").update(removed_at=datetime.now(UTC))
    await Room.filter(id=soup.id).update(closed_at=datetime.now(UTC))
    chat = await Room.create(key="~9", kind="stranger", name="", topic="", last_at=datetime.now(UTC))
    await post_without_words(chat, "never")
    await indexing.start_over()
    await indexing.fill_older(30.0)
    await indexing.catch_up()
    rows = await sql.fetch_all(
        "SELECT id FROM message_words" if not settings.ON_SQLITE else "SELECT rowid FROM message_words"
    )
    assert sorted(row[0] for row in rows) == await ids("in tea", "there")


# What a process of the version before posts and edits while an upgrade is under way.


async def test_what_an_older_process_posts_and_edits_is_found_with_the_next_look(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "before")
    await Message.filter(body="before").update(body="edited", html="<p>edited</p>", edited_version=9)
    await post_without_words(room, "posted", author=who(alice).id)
    assert await indexing.catch_up() == 2
    assert (await found("before"), await found("edited"), await found("posted")) == ([], ["edited"], ["posted"])
    assert await marked(index.STALE) == []
    assert await indexing.catch_up() == 0
    if settings.ON_SQLITE:
        assert await marked(index.author_word(who(alice).id)) == ["edited", "posted"]


async def test_a_message_that_is_committed_late_is_found_with_a_later_look(alice: Person, room: Room) -> None:
    """Its id was given before that of one that a look has seen."""
    await post_as(who(alice), room, "one")
    await post_as(who(alice), room, "late")
    await post_as(who(alice), room, "two")
    late = await Message.get(body="late")
    await late.delete()
    await indexing.catch_up()
    await Message.bulk_create([late])
    assert await found("late") == []
    await indexing.catch_up()
    assert await found("late") == ["late"]


async def test_a_look_reads_what_is_new_and_no_more(alice: Person, room: Room) -> None:
    for n in range(4):
        await post_as(who(alice), room, f"number {n}")
    for _ in range(3):
        await indexing.catch_up()
    top = max(await ids(*[f"number {n}" for n in range(4)])) + 1
    state = await indexing.state()
    assert (state.high, state.seen) == (top, top)


async def test_a_look_that_fails_is_tried_again(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    done, tries = asyncio.Event(), 0

    async def look_after() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        done.set()

    async def claim(name: str, seconds: int) -> bool:
        return name == "words"

    monkeypatch.setattr(Chore, "claim", claim)
    monkeypatch.setattr(chore, "look_after", look_after)
    monkeypatch.setattr(chore, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(chore, "INTERVAL", 0.01)
    task = asyncio.create_task(chore.run())
    async with asyncio.timeout(5):
        await done.wait()
    task.cancel()
    assert tries == 2


async def test_one_process_in_a_minute_looks_after_the_index(room: Room) -> None:
    await post_without_words(room, "alone")
    await chore.look_after()
    assert await found("alone") == ["alone"]
    assert [await Chore.claim("words", chore.INTERVAL) for _ in range(2)] == [True, False]


async def test_what_looks_for_messages_without_words_reads_a_slice_of_them(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "SLICE", 100)
    row: dict[str, Any] = {"room_id": room.id, "body": "-", "html": "-", "created_at": datetime.now(UTC)}
    rows = [Message(number=n, posted_version=n, version=n, nonce=f"{n}", **row) for n in range(1, 4001)]
    await Message.bulk_create(rows, batch_size=500)
    await indexing.catch_up()
    if not settings.ON_SQLITE:
        await sql.connection().execute_script("ANALYZE message; ANALYZE message_words; ANALYZE room")
    await indexing.catch_up()
    await Message.bulk_create([Message(number=4001, posted_version=4001, version=4001, **row)])
    queries = await record_queries(indexing.catch_up())
    assert await size() == 4001
    await sql.execute("UPDATE word_index SET low = 2000, high = 2000")
    queries += await record_queries(indexing.fill_slice(2000))
    costs = {query[0]: await cost(query) for query in queries if query[0].lstrip().startswith("SELECT")}
    assert len(costs) >= 5
    assert max(costs.values()) <= (10 if settings.ON_SQLITE else 10 * indexing.SLICE), costs


# Nothing that was deleted is left.

only_sqlite = pytest.mark.sqlite


def in_files(text: str) -> list[str]:
    """The files of the data folder that hold it: all of them, but those made of the program's own."""
    folder = Path(settings.DATABASE_URL.removeprefix("sqlite://")).parent
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != start_cache.FOLDER]
    return sorted(path.name for path in files if text.encode() in path.read_bytes())


async def segments() -> int:
    [row] = await sql.fetch_all("SELECT count(DISTINCT id >> 37) FROM message_words_data WHERE id > 10")
    return int(row[0])


@only_sqlite
async def test_after_the_purge_no_file_holds_a_word_of_what_was_deleted(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    """Each part of each: the index stores only where a word differs from the one before."""
    gone = ["marmaladexylophone", "quixoticwaltz", "zeppelinjukebox", "kumquatfjord"]
    for n in range(60):
        await post_as(who(alice), room, f"plain words {n}, which stay")
    for word in gone[:3]:
        await post_as(who(alice), room, f"a {word} {word[:4]}other")
    await post_as(who(alice), room, "the last line of the room")
    await post_as(who(bob), soup, f"in a room that goes: {gone[3]}")
    edited, removed, deleted = 62, 63, 64  # in the fixture the first was posted
    await alice.post(f"{room.path}/messages/{edited}/edit", {"body": "harmless"})
    await alice.post(f"{room.path}/messages/{removed}/remove")
    await Message.filter(number=deleted).delete()
    await Room.close(soup.id)
    assert (await indexing.state()).dirty == 1
    await purge.purge_all()
    parts = [word[start : start + 6] for word in gone for start in range(len(word) - 5)]
    assert {part: in_files(part) for part in parts if in_files(part)} == {}
    assert in_files("harmless") == ["parley.sqlite3"]
    assert (await indexing.state()).dirty == 0
    assert len(await found("plain words")) == 60
    await sql.execute("INSERT INTO message_words(message_words) VALUES('integrity-check')")


@only_sqlite
async def test_a_removal_makes_erasing_due_and_a_crash_leaves_it_due(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_as(who(alice), room, SECRET)
    await alice.post(f"{room.path}/messages/1/remove")

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "merge", die)
        with pytest.raises(asyncio.CancelledError):
            await indexing.erase()
    assert (await indexing.state()).dirty
    await chore.look_after()
    assert in_files(SECRET) == []
    assert (await indexing.state()).dirty == 0


@only_sqlite
async def test_what_is_removed_while_others_are_erased_stays_due(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        await post_as(who(alice), room, f"{SECRET}{n}")
    await alice.post(f"{room.path}/messages/1/remove")
    merge = indexing.merge

    async def remove_another() -> None:
        await alice.post(f"{room.path}/messages/2/remove")
        await merge()

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "merge", remove_another)
        await indexing.erase()
    assert (await indexing.state()).dirty == 1
    await indexing.erase()
    assert in_files(SECRET) == []


@only_sqlite
async def test_chats_with_strangers_make_nothing_due(room: Room) -> None:
    await post_without_words(room, "without words")
    await Message.all().delete()
    assert (await indexing.state()).dirty == 0


@only_sqlite
async def test_posts_leave_merging_to_the_chore(alice: Person, room: Room) -> None:
    for n in range(10):
        await post_as(who(alice), room, f"post {n}")
    assert await segments() == 10
    await chore.look_after()
    assert await segments() == 1
    assert len(await found("post")) == 10


@only_sqlite
async def test_who_deletes_their_account_is_no_author_in_the_index_any_more(
    alice: Person, bob: Person, room: Room
) -> None:
    await post_as(who(bob), room, "stays, of somebody who left")
    word = index.author_word(who(bob).id)
    assert len(await marked(word)) == 1
    await start_deletion(who(bob))
    await finish(who(bob))
    await purge.purge_all()
    assert await marked(word) == []
    assert await found("stays") == ["stays, of somebody who left"]
    assert (await indexing.state()).dirty == 0
    rows = await sql.fetch_all("SELECT words FROM message_words")
    assert [row["words"] for row in rows] == [f"{index.room_word(room.id)} stays of somebody who left"]


async def in_index_file(word: str) -> bool:
    """Whether the file of PostgreSQL's index holds the word."""
    await sql.connection().execute_script("CHECKPOINT")
    [row] = await sql.fetch_all(
        f"SELECT position(? IN pg_read_binary_file(pg_relation_filepath('{indexing.VECTOR_INDEX}'))) AS place",
        word.encode(),
    )
    return bool(row["place"])


async def test_a_word_leaves_the_index_of_postgresql_once_a_week(alice: Person, room: Room) -> None:
    """For the readers meanwhile there is the old one; one that was cut short is dropped."""
    if settings.ON_SQLITE:
        await indexing.merge()
        return
    await post_as(who(alice), room, SECRET)
    await alice.post(f"{room.path}/messages/1/remove")
    assert await in_index_file(SECRET)
    left = f"{indexing.VECTOR_INDEX}_ccnew"
    await sql.execute(f"CREATE INDEX {left} ON message_words USING gin(words)")
    await sql.execute("DELETE FROM chore WHERE name = 'reindex'")
    await chore.look_after()
    assert not await in_index_file(SECRET)
    rows = await sql.fetch_all("SELECT 1 FROM pg_class WHERE relname LIKE '%ccnew%'")
    assert list(rows) == []
    [row] = await sql.fetch_all("SELECT done_at FROM chore WHERE name = 'reindex'")
    await chore.look_after()
    assert list(await sql.fetch_all("SELECT done_at FROM chore WHERE name = 'reindex'")) == [row]


DAMAGES = {
    "segments are missing": "DELETE FROM message_words_data WHERE id > 10",
    "a segment is of zeros": "UPDATE message_words_data SET block = zeroblob(length(block)) WHERE id > 10",
    "the words of a message are others": "UPDATE message_words_content SET c0 = 'other' WHERE id > 0",
    # As a newer SQLite would write it, if somebody told it to.
    "the file is of a newer version": "UPDATE message_words_config SET v = 5 WHERE k = 'version'",
}


@only_sqlite
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_index_is_found_and_mended(alice: Person, room: Room, damage: str) -> None:
    await post_as(who(alice), room, "some words")
    assert index_damage() is None
    await sql.execute(DAMAGES[damage])
    assert index_damage()
    await indexing.rebuild()
    assert index_damage() is None
    wanted = [] if "others" in damage else ["some words"]
    assert await found("some words") == wanted


@only_sqlite
async def test_a_check_of_the_index_holds_up_nobody_who_writes(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "before it")

    async def check_meanwhile() -> None:
        assert await asyncio.to_thread(index_damage) is None

    await transaction.transact(check_meanwhile)
    checking = asyncio.create_task(asyncio.to_thread(index_damage))
    await post_as(who(alice), room, "after it")
    assert await checking is None
    assert await found("after") == ["after it"]


async def test_the_index_can_be_built_again(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "still there")
    await post_without_words(room, "lost its words")
    await indexing.rebuild()
    assert await found("still there") == ["still there"]
    await indexing.fill_older(30.0)
    assert await found("lost") == ["lost its words"]
