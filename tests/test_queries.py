"""What pages, posts and resumes ask of the database: how often, as often with ten times the rows, and by an index."""

import asyncio
import importlib
import inspect
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.query_recorder import record_queries
from tests.servers import ROOT, Postgres

# The most queries that each may take.
MOST = {
    "the room page": 5,  # one of them reads the members that stand beside it in a wide window
    "the page of a room with files": 7,  # its messages and their files are read, which the page above has stored
    "the room page with unread messages": 6,  # which reads them: this browser shows no frames
    "the page of a chat": 4,
    "a chat in which nothing was said": 7,  # one of them for whether a first message may have files
    "an earlier page": 4,  # one of them for what is quoted
    "the page around a message": 7,
    "the way to a day": 6,  # at the sizes below in three steps, or four
    "a resume": 3,
    "a resume that gets the last page": 4,
    "a post": 7,  # one of them writes the words by which it is found; so in all that follow
    "a reaction": 10,
    "reactions taken back by sixteen at once": 12,
    "the page of reactions": 6,
    "a message that is saved": 4,
    "the saved messages": 7,
    "a message that is pinned": 10,
    "the page of a chat with a pin": 6,  # one of them reads the pin
    "the pinned messages": 6,
    "a post with files": 9,  # one reads their names, one attaches them
    "a post by script": 8,  # which is answered with the message
    "a post in a chat": 8,
    "an answer": 8,
    "a post that calls somebody": 9,
    "a post that calls everyone": 10,
    "an edit of what is answered": 10,
    "sixteen posts at once": 5,
    "the lobby": 6,
    "the list of rooms": 4,  # one of them who is there now
    "a search for rooms": 7,
    "a search for messages": 8,  # of which three are for people and rooms of that name, and one for the sidebar
    "a search for messages of a person in a room": 6,  # one of them which part has words, as that was all
    "messages found as one types": 7,
    "the sidebar": 3,
    "the sidebar where much was removed": 3,
    "the viewer's stylesheet": 1,
    "a search for people": 5,
    "a search by code": 5,
    "somebody's profile": 7,  # also whether they are online, and the chat that may be muted there
    "my friends": 7,
    "the inbox": 4,  # one of them for who asks, one the sidebar
    "the inbox far back": 4,
    "all that is unread": 3,
    "all unread mentions": 3,
    "all of it read": 7,  # of which the check of the form takes one
    "the directory": 6,  # three of them for who asks, the sidebar and the requests
    "a page of the directory": 5,
    "dots of the directory": 2,
    "the people of a room": 6,  # two of them for who asks, one the room, one the sidebar
    "a page of the people of a room": 5,
    "a search for people of a room": 5,
    "the people of the largest room": 6,
    "the invitations to a room": 5,  # one of them reads who came by those of the page
    "who may be called": 4,
    "who may be called of those here": 4,
    "a search for people of the largest room": 5,
    "a request and a cancel": 16,
    "a page of an export": 2,
    "a page of what I wrote": 2,
    "the room page for who has blocked somebody": 8,
    "the stylesheet for who has blocked somebody": 2,
    "who of many is online": 1,
    "the facts of many rooms": 1,
    "the facts of many people": 1,
    "where somebody is": 1,
    "a batch of marks of reading": 2,  # on PostgreSQL one asks for those whose rows others hold
    "a batch of visits": 2,
    "a batch of visits that end": 2,
}
# What is read of each member of a room, to find the first by name: it costs so much more where the room is larger.
BY_MEMBERS = ("the people of the largest room", "a search for people of the largest room")
SEARCHES = ("a search for people", "a search by code", "a search for rooms")
GROWING = (
    "message",
    "membership",
    "session",
    "visit",
    "user",
    "search_name",
    "friendship",
    "block",
    "veiled_block",
    "reaction",
    "mention",
    "saved",
    "pin",
    "attachment",
    "invitation",
    "invitation_use",
)
# What may be read whole: the list of rooms, a batch of rows that is given with the query, what a subquery found.
SMALL = {"room", "process", "CONSTANT", "came", "went", "asked", "pair"}
SIZES = {"small": (100, 10_000), "large": (1_000, 100_000)}  # users, messages in the room
HERE = 20  # people in the room
WITH_FILES = 3  # the id of a room
Report = dict[str, Any]


def measured_at(url: str, size: str, folder: Path) -> Report:
    """The report of a process of its own on a fresh database: Tortoise keeps one dialect for a connection's name."""
    env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(folder), "REDIS_URL": "", "RATE_LIMITS": "off"}
    env |= {"PYTHONPATH": str(ROOT), "SECRET_KEY": "a secret for tests that is long enough"}
    done = subprocess.run([sys.executable, __file__, size], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    report: Report = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def reports(request: pytest.FixtureRequest) -> dict[str, Report]:
    """What was asked in a small and in a large installation."""
    made = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="parley-queries-") as name:
            folder = Path(name)
            if request.param == "sqlite":
                url = f"sqlite://{folder}/parley.sqlite3"
            else:
                server: Postgres = request.getfixturevalue("postgres_server")
                url = server.create()
            made[size] = measured_at(url, size, folder)
    return made


@pytest.mark.parametrize("what", MOST)
def test_each_page_takes_at_most_so_many_queries(reports: dict[str, Report], what: str) -> None:
    asked = reports["large"]["asked"][what]
    assert 0 < len(asked) <= MOST[what], "\n".join(asked)


@pytest.mark.parametrize("what", MOST)
def test_each_page_takes_as_many_queries_with_ten_times_the_rows(reports: dict[str, Report], what: str) -> None:
    small = len(reports["small"]["asked"][what])
    # A search asks once more when what it found first does not fill the page, which is a matter of the names.
    most = MOST[what] if what in SEARCHES else small
    assert len(reports["large"]["asked"][what]) <= most


def bound(small: dict[str, Any], what: str) -> float:
    """
    What it may cost with ten times the rows.

    SQLite's instructions are the same every time. PostgreSQL's blocks are more where the tree of an index is a
    level deeper, for each of fifty rows, or where it takes another way.
    """
    most = small["costs"][what] * (10 if what in BY_MEMBERS else 1)
    return float(1.5 * most + 10 if small["engine"] == "sqlite" else 3 * most + 100)


@pytest.mark.parametrize("what", MOST)
def test_each_page_costs_as_much_with_ten_times_the_rows(reports: dict[str, Report], what: str) -> None:
    assert 0 < reports["large"]["costs"][what] <= bound(reports["small"], what)


def test_a_cost_that_grows_with_the_rows_would_be_found(reports: dict[str, Report]) -> None:
    assert reports["large"]["costs"]["control"] > bound(reports["small"], "control")


def test_no_question_is_answered_by_reading_a_table_that_grows(reports: dict[str, Report]) -> None:
    assert set(MOST) <= set(reports["large"]["asked"])
    assert reports["large"]["scans"] == [], "\n".join(reports["large"]["scans"])


def test_every_function_of_every_queries_module_is_explained(reports: dict[str, Report]) -> None:
    """A new one is added to `every_query` below."""
    assert reports["large"]["queries"]["known"] == reports["large"]["queries"]["explained"]
    assert reports["large"]["queries"]["silent"] == []
    assert reports["large"]["queries"]["scans"] == []


def test_a_question_that_reads_a_whole_table_would_be_found(reports: dict[str, Report]) -> None:
    assert reports["large"]["control"] == list(GROWING)


def test_the_large_installation_is_as_large_as_it_says(reports: dict[str, Report]) -> None:
    for size, (users, messages) in SIZES.items():
        counted = reports[size]["rows"]
        assert counted["user"] == users
        assert counted["session"] > users
        assert counted["visit"] >= HERE
        assert counted["room 1"] >= messages


# The program of the process that is measured.


async def fill(users: int, messages: int) -> None:
    """The sample data, with everything in the first room but a few messages in each of the other nineteen."""
    from webapp.accounts.models import User
    from webapp.cli.demo.fill import fill_rooms
    from webapp.cli.demo.rows import write_rows
    from webapp.db import engine, sql, transaction
    from webapp.db import migrate as schema

    await schema.migrate()
    async with engine.connected():
        await fill_rooms(users, [messages, *[10] * 19])
        people = list(await User.all().order_by("id").values_list("id", flat=True))
        signed_in = [(f"digest {user}", user, "", datetime.now(UTC), datetime.now(UTC)) for user in people]
        await transaction.transact(write_rows, "session", "digest, user_id, user_agent, created_at, used_at", signed_in)
        await tie(people)
        called = (
            "INSERT INTO mention (user_id, room_id, message_id, number, kind) SELECT {}, room_id, id, number, ? FROM"
        )
        for user, kind, often in ((people[0], "mention", 10), (people[1], "reply", 10), ("NULL", "everyone", 100)):
            await sql.execute(f"{called.format(user)} message WHERE number % {often} = 1 RETURNING id", kind)
        saved = "INSERT INTO saved (user_id, message_id, saved_at) SELECT ?, id, created_at FROM message"
        for user in people[:2]:
            await sql.execute(f"{saved} WHERE number % 5 = 2 RETURNING id", user)
        pinned = "INSERT INTO pin (room_id, message_id, number, pinned_at) SELECT room_id, id, number, created_at"
        await sql.execute(f"{pinned} FROM message WHERE room_id > ? RETURNING id", 1)
        await sql.execute("INSERT INTO room_alias (room_id, key) SELECT id, 'was-' || id FROM room WHERE id > ?", 0)
        # To the first room, and to each other; by the first of all everybody came, by the others who made them.
        invited = "INSERT INTO invitation (room_id, digest, maker_id, note, made_at, uses) SELECT"
        for place, table in (("1, 'one '", '"user"'), ("id, 'to '", "room")):
            await sql.execute(f"{invited} {place} || id, ?, '', created_at, 0 FROM {table} RETURNING id", people[0])
        came = "INSERT INTO invitation_use (invitation_id, user_id, used_at) SELECT"
        await sql.execute(f'{came} ?, id, created_at FROM "user" RETURNING id', 1)
        await sql.execute(f"{came} id, maker_id, made_at FROM invitation WHERE id > ? RETURNING id", 1)
        # As if each message of the first room had a file, of which its pages know nothing, and most of another room.
        attached = (
            "INSERT INTO attachment (code, room_id, message_id, author_id, place, name, kind, type, size, received, "
        )
        attached += "created_at) SELECT 'code ' || id, room_id, id, author_id, 0, 'a.pdf', 'file', '', 9, 9, created_at"
        await sql.execute(f"{attached} FROM message WHERE room_id IN (?, ?) RETURNING id", 1, WITH_FILES)
        counted = "UPDATE message SET file_count = 1 WHERE room_id = ? AND number % 5 <> 2 RETURNING id"
        await sql.execute(counted, WITH_FILES)
        # Two words of each, in place of those that they have, which would take longer than all else here.
        tea, number = "CASE id % 5 WHEN 0 THEN 'tea' ELSE 'coffee' END", "'number' || (id % 1000)"
        mark = "char(57344)"
        words = (
            f"(rowid, words) SELECT id, {mark} || 'r' || room_id || ' ' || {mark} || 'u' || author_id || ' ' "
            f"|| {tea} || ' ' || {number}"
            if engine.settings.ON_SQLITE
            else f"SELECT id, room_id, array_to_tsvector(ARRAY[{tea}, {number}])"
        )
        for part in range(10):
            await sql.execute(f"INSERT INTO message_words {words} FROM message WHERE id % 10 = ?", part)
        if not engine.settings.ON_SQLITE:
            # The server would do so once more in the middle, and plan differently after it.
            still = "".join(f'ALTER TABLE "{table}" SET (autovacuum_enabled = false);' for table in GROWING)
            await sql.connection().execute_script(f"{still} ANALYZE")


async def tie(people: list[int]) -> None:
    """Everybody is friends with the next, has asked the one after that, and has blocked the one beyond."""
    from webapp.cli.demo.rows import write_rows
    from webapp.db import transaction

    now = datetime.now(UTC)
    pairs = list(zip(people, people[1:], people[2:], people[3:], strict=False))
    friends: list[Any] = [(one, other, one, now, now, False) for one, other, _, _ in pairs]
    asked: list[Any] = [(one, other, one, now, None, False) for one, _, other, _ in pairs]
    columns = "low_id, high_id, asked_by, asked_at, accepted_at, withdrawn"
    await transaction.transact(write_rows, "friendship", columns, friends + asked)
    blocks: list[Any] = [(one, other, now) for one, _, _, other in pairs]
    await transaction.transact(write_rows, "block", "blocker_id, blocked_id, created_at", blocks)
    veiled = [(*block, True) for block in blocks]
    await transaction.transact(write_rows, "veiled_block", "blocker_id, blocked_id, created_at, everywhere", veiled)


QUIET_ROOMS = 200
CODES = ["A" * 22, "B" * 22]


async def call(called: int, other: int) -> None:
    """
    Half of the messages of the first room call one person, who is in many others; every hundredth calls everyone.

    The other person has reacted to as many of theirs.
    """
    from webapp.cli.demo.rows import write_rows
    from webapp.conversations.models import Membership
    from webapp.db import sql, transaction

    now = datetime.now(UTC) - timedelta(days=30)
    quiet: list[Any] = [(f"quiet-{n}", "public", f"Quiet {n}", "", 0, 0, now, 1, now) for n in range(QUIET_ROOMS)]
    columns = "key, kind, name, topic, version, last_number, last_at, member_count, created_at"
    await transaction.transact(write_rows, "room", columns, quiet)
    await Membership.get_or_create(room_id=1, user_id=called)
    added = (
        "INSERT INTO membership (room_id, user_id, role, read_number, delivered_number, muted, joined_at) "
        "SELECT id, {called}, 'member', 0, 0, FALSE, created_at FROM room WHERE key LIKE 'quiet-%'",
        "INSERT INTO mention (user_id, room_id, message_id, number, kind) SELECT {called}, room_id, id, number, "
        "CASE WHEN number % 4 = 0 THEN 'reply' ELSE 'mention' END FROM message WHERE room_id = 1 AND number % 2 = 0 "
        "ORDER BY id",
        "INSERT INTO mention (user_id, room_id, message_id, number, kind) "
        "SELECT NULL, room_id, id, number, 'everyone' FROM message WHERE room_id = 1 AND number % 100 = 0 ORDER BY id",
        "INSERT INTO reaction (message_id, user_id, to_user_id, kind, created_at) "
        "SELECT id, {other}, {called}, '🦜', created_at FROM message WHERE room_id = 1 AND number % 2 = 1 ORDER BY id",
    )
    for statement in added:
        await sql.execute(statement.format(called=called, other=other) + " RETURNING id")


async def listen(client: Any) -> dict[str, list[tuple[str, list[Any]]]]:
    """Everything in MOST, once, and what was asked for it."""
    from tortoise.expressions import F

    from webapp.accounts.models import User
    from webapp.chats import first_message
    from webapp.cli.demo.rows import write_rows
    from webapp.conversations import access, read_marks
    from webapp.conversations.levels import ALL, MENTIONS
    from webapp.conversations.models import Membership, Room
    from webapp.db import sql, transaction
    from webapp.invitations import making
    from webapp.invitations.making import Terms
    from webapp.live import Reader, hub
    from webapp.messages import changes, posting, reactions
    from webapp.messages.models import Mention, Message
    from webapp.messages.queries import list_after
    from webapp.people.directory import CHANNEL, directory
    from webapp.presence.models import Visit
    from webapp.presence.queries import online, rooms_shown_to
    from webapp.presence.tracker import tracker
    from webapp.relationships.queries import blocked_either_way
    from webapp.rooms import opening
    from webapp.sidebar.fact_queries import person_facts, room_facts

    # An open page that lists people, so that dots are read.
    hub().join(Reader([CHANNEL], None, "sse", frozenset(), {"session": 1, "user": 2}))
    room, with_files = await Room.get(id=1), await Room.get(id=WITH_FILES)
    here = await User.all().limit(HERE).values_list("id", flat=True)
    await Visit.apply_changes(tracker().process, [(user, room.id) for user in here], [])

    async def get(path: str, **headers: str) -> None:
        answer = await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status_code == 200, answer.text

    async def get_day() -> None:
        answer = await client.get(f"{room.path}?date={datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}")
        assert "#message-" in answer.headers["Location"], answer.headers

    async def post_by_script() -> None:
        form = {"body": "Hello", "nonce": "", "author": first.code}
        answer = await client.post(f"{room.path}/messages", data=form, headers={"HX-Request": "true"})
        assert answer.status_code == 200, answer.text

    async def post(room: Room, **fields: Any) -> None:
        answer = await client.post(f"{room.path}/messages", data={"body": "Hello", "nonce": "", **fields})
        assert answer.status_code == 303, answer.text

    async def edit(number: int) -> None:
        answer = await client.post(f"{room.path}/messages/{number}/edit", data={"body": "Better"})
        assert answer.status_code == 303, answer.text

    async def post_many() -> None:
        await asyncio.gather(*(posting.post(seat, "Hello", "") for _ in range(16)))

    async def react() -> None:
        form = {"kind": "👍", "on": "1"}
        answer = await client.post(f"{room.path}/messages/{middle}/reactions", data=form)
        assert answer.status_code == 303, answer.text

    async def take_back_many() -> None:
        await asyncio.gather(*(reactions.react(one, middle, "🎉", is_on=False) for one in many_seats))

    async def pin() -> None:
        answer = await client.post(f"{pinned.path}/messages/1/pin")
        assert answer.status_code == 303, answer.text

    async def save() -> None:
        answer = await client.post(f"{room.path}/messages/{middle}/save")
        assert answer.status_code == 303, answer.text

    async def dots() -> None:
        directory().on_presence(",".join(str(user) for user in here))
        await directory().send_changes()

    async def read_all() -> None:
        answer = await client.post("/inbox/read", data={"until": f"r1.{room.id}-{room.last_number}"})
        assert answer.status_code == 303, answer.text

    async def ask() -> None:
        for action in ("ask", "cancel"):
            answer = await client.post(f"/friends/{last.code}/{action}")
            assert answer.status_code == 303, answer.text

    first, last = await User.all().order_by("id").first(), await User.all().order_by("-id").first()
    assert first
    assert last
    await transaction.transact(
        write_rows, "attachment", "code, room_id, author_id, kind, type, name, size, received, created_at",
        [(code, with_files.id, first.id, "file", "", "notes.txt", 5, 5, datetime.now(UTC)) for code in CODES],
    )  # fmt: skip
    free = User.filter(id__not_in=[first.id, last.id, *await blocked_either_way(first)]).order_by("id")
    rooms = [(await first_message.post_first(first, person, "Hello", ""))[0] for person in await free.limit(30)]
    chat, pinned = rooms[-1].room, rooms[-2].room
    seat = await access.by_key(first, room.key)
    middle = room.last_number // 2
    called = await User.get(id=here[1])
    many_seats = [await access.by_key(await User.get(id=user), room.key) for user in here[:16]]
    for one in many_seats:
        await reactions.react(one, middle, "🎉", is_on=True)
    calls = await Mention.all().count()
    # Of as many members in a large installation as in a small one.
    few = await Room.get(id=(await opening.open_room(first, "Few", "")).room.id)
    await Membership.bulk_create([Membership(room_id=few.id, user_id=user) for user in here if user != first.id])
    for note in ("one", "two"):
        await making.make(seat.viewer, few.id, Terms(7, 10, note), note)
    await get(chat.path)
    await get(room.path)  # whatever is read once in the life of a process
    mine = Membership.filter(user_id=first.id, room_id=room.id)
    heard = {}
    for level, what in ((ALL, "all that is unread"), (MENTIONS, "all unread mentions")):
        await mine.update(read_number=middle, level=level, muted=level != ALL)
        heard[what] = await record_queries(get("/inbox/catch-up"))
    heard["all of it read"] = await record_queries(read_all())
    await mine.update(read_number=room.last_number - 3, level=ALL, muted=False)
    await Message.filter(room_id=room.id, number=7).update(author_id=first.id)
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "the room page with unread messages": lambda: get(room.path),
        "the room page": lambda: get(room.path),
        "the page of a room with files": lambda: get(with_files.path),
        "the page of a chat": lambda: get(chat.path),
        "a chat in which nothing was said": lambda: get(f"/chat/{last.code}"),
        "an earlier page": lambda: get(f"{room.path}?before={middle}", HX_Request="true"),
        "the page around a message": lambda: get(f"{room.path}?around={middle}"),
        "the way to a day": lambda: get_day(),
        "a resume": lambda: changes.log(room.id, [room.version - 10, room.version - 3]),
        "a resume that gets the last page": lambda: changes.log(room.id, [None]),
        "a post": lambda: post(room),
        "a message that is saved": save,
        "the saved messages": lambda: get("/saved"),
        "a message that is pinned": pin,
        "the page of a chat with a pin": lambda: get(pinned.path),
        "the pinned messages": lambda: get(f"{pinned.path}/pins"),
        "a post with files": lambda: post(with_files, file=CODES),
        "a post by script": post_by_script,
        "a post in a chat": lambda: post(chat),
        "an answer": lambda: post(room, reply_to="7"),
        "a post that calls somebody": lambda: post(room, body=f"@{called.username}, tea?"),
        "a post that calls everyone": lambda: post(room, body="@everyone, tea", everyone="1"),
        "an edit of what is answered": lambda: edit(7),
        "a reaction": react,
        "reactions taken back by sixteen at once": take_back_many,
        "the page of reactions": lambda: get(f"{room.path}/messages/{middle}/reactions"),
        "sixteen posts at once": post_many,
        "the lobby": lambda: get("/lobby"),
        "the list of rooms": lambda: get("/rooms"),
        "a search for rooms": lambda: get("/rooms?q=tea"),
        "the sidebar": lambda: get("/sidebar"),
        "the count of a hidden tab": lambda: get("/sidebar/unread?calls"),
        "the viewer's stylesheet": lambda: get("/me.css"),
        "a search for messages": lambda: get("/search?q=tea"),
        "a search for messages of a person in a room": lambda: get(
            f"/search?q=tea+from:{first.username}+in:{room.key}"
        ),
        "messages found as one types": lambda: get("/search?q=te&suggest=1", HX_Request="true"),
        "a search for people": lambda: get(f"/people?q={last.username}"),
        "a search by code": lambda: get(f"/people?q={last.code}"),
        "somebody's profile": lambda: get(last.path),
        "my friends": lambda: get("/friends"),
        "the inbox": lambda: get("/inbox"),
        "the inbox far back": lambda: get(f"/inbox?before={calls // 2}.{calls // 2}.{10**17}"),
        "the directory": lambda: get("/people"),
        "a page of the directory": lambda: get(f"/people?after=m.{last.code}"),
        "dots of the directory": dots,
        "the people of a room": lambda: get(f"{few.path}/people"),
        "a page of the people of a room": lambda: get(f"{few.path}/people?after=m.{last.code}"),
        "a search for people of a room": lambda: get(f"{few.path}/people?q={first.username}"),
        "the invitations to a room": lambda: get(f"{few.path}/invitations"),
        "who may be called": lambda: get(f"{few.path}/people?call=1&q={first.username[:3]}", HX_Request="true"),
        "who may be called of those here": lambda: get(f"{few.path}/people?call=1&q=", HX_Request="true"),
        "the people of the largest room": lambda: get(f"{room.path}/people"),
        "a search for people of the largest room": lambda: get(f"{room.path}/people?q={first.username}"),
        "a request and a cancel": ask,
        "a page of an export": lambda: list_after(room, middle, 100),
        "a page of what I wrote": lambda: list_after(room, middle, 100, first.id),
    }
    many = range(first.id, first.id + 100)
    places = [(user, room) for user in many for room in (0, 2)]
    process = tracker().process
    works |= {
        "who of many is online": lambda: online(many),
        "the facts of many rooms": lambda: room_facts(range(1, 250)),
        "the facts of many people": lambda: person_facts(many),
        "where somebody is": lambda: rooms_shown_to(first.id),
        "a batch of marks of reading": lambda: read_marks.advance({(user, room.id): 1 for user in here}),
        "a batch of visits": lambda: Visit.apply_changes(process, places, [], many),
        "a batch of visits that end": lambda: Visit.apply_changes(process, [], places, many),
    }
    heard |= {what: await record_queries(work()) for what, work in works.items()}
    await User.filter(id=first.id).update(blocks_version=1)
    works = {
        "the room page for who has blocked somebody": lambda: get(room.path),
        "the stylesheet for who has blocked somebody": lambda: get("/me.css"),
    }
    heard |= {what: await record_queries(work()) for what, work in works.items()}
    await sql.execute("UPDATE message SET removed_at = created_at WHERE number % 2 = 0 RETURNING id")
    await sql.execute("UPDATE room SET removed_count = last_number / 2 RETURNING id")
    await Membership.filter(user_id=first.id, room_id=room.id).update(read_number=F("read_number") - 90)
    works = {"the sidebar where much was removed": lambda: get("/sidebar")}
    return heard | {what: await record_queries(work()) for what, work in works.items()}


def query_functions() -> set[str]:
    """The functions of all modules that are called queries, as "accounts.queries.viewer_by_token"."""
    found = set()
    for path in ROOT.joinpath("webapp").rglob("*queries.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for function, value in vars(importlib.import_module(name)).items():
            if inspect.iscoroutinefunction(value) and value.__module__ == name and not function.startswith("_"):
                found.add(f"{name.removeprefix('webapp.')}.{function}")
    return found


async def every_query(token: str) -> dict[str, Awaitable[object]]:
    """Each function of the modules that are called queries, with values that find something."""
    from webapp.accounts import queries as accounts
    from webapp.accounts.models import User
    from webapp.conversations import access, adding_queries
    from webapp.conversations import group_queries as groups
    from webapp.conversations import queries as conversations
    from webapp.conversations.models import Room
    from webapp.files import queries as files
    from webapp.files import sending_queries as sending
    from webapp.inbox import queries as inbox
    from webapp.invitations import queries as invitations
    from webapp.messages import expiry_queries, mention_queries, reaction_queries
    from webapp.messages import pin_queries as pins
    from webapp.messages import queries as messages
    from webapp.messages import saved_queries as saved
    from webapp.messages.models import Message
    from webapp.messages.words import phrases
    from webapp.people import queries as people
    from webapp.presence import queries as presence
    from webapp.presence.tracker import tracker
    from webapp.relationships import queries as relationships
    from webapp.search import queries as search
    from webapp.sidebar import fact_queries
    from webapp.sidebar import queries as sidebar
    from webapp.strangers import queries as strangers

    user = await User.all().order_by("id").first()
    other = await User.all().order_by("id").offset(1).first()
    assert user
    assert other
    await User.filter(id=user.id).update(blocks_version=1)
    viewer, room = await accounts.viewer_by_token(token), await conversations.room_by_id(1)
    assert viewer
    assert room
    chat = await Room.filter(kind="direct").first()
    assert chat
    message = (await Message.get(room_id=room.id, number=room.last_number // 2)).id
    a_row = {"id": message, "file_count": 1, "removed_at": None, "room_id": room.id}
    calls: list[tuple[Any, ...]] = [
        (expiry_queries.rooms_to_look_at, 0),
        (expiry_queries.first_younger, room.id, 1, 300, datetime.now(UTC)),
        (expiry_queries.expired_messages, room.id),
        (expiry_queries.count_removed, room.id, 300),
        (accounts.viewer_by_token, token),
        (accounts.viewers_by_token, [token, "another"]),
        (accounts.profile_by_code, other.code),
        (accounts.people_by_code, other.code),
        (invitations.by_digest, "one 7"),
        (invitations.count_valid, 2),
        (invitations.list_invitations, 2),
        (invitations.made_by, other.id, 1000),
        (adding_queries.candidates, [viewer.code, other.code]),
        (accounts.rights_by_session, [viewer.session_id, viewer.session_id + 1]),
        (conversations.seat_by_key, viewer, room.key),
        (conversations.seats_by_key, [(viewer, room.key), (viewer, chat.key)]),
        (conversations.seat_by_alias, viewer, "was-1"),
        (conversations.seat_by_id, viewer, room.id),
        (conversations.seat_by_pair, viewer, chat.low, chat.high),
        (conversations.room_by_id, room.id),
        (conversations.rooms_by_id, [room.id, chat.id]),
        (conversations.newest_rooms, 1),
        (conversations.search_rooms, "tea"),
        (conversations.room_versions, [room.id, chat.id]),
        (conversations.listed_name, room.key),
        (conversations.members_beside, user, room.id, []),
        (conversations.rooms_in_common, viewer, other),
        (conversations.rooms_by_user, [user.id, other.id]),
        (messages.list_page, room),
        (messages.get_row, room, room.last_number // 2),
        (messages.changes_since, room, room.version - 10),
        (messages.last_number_at, room.id, room.version - 10),
        (messages.times_of, room.id, [room.last_number // 2, room.last_number - 10]),
        (messages.first_since, room, datetime.now(UTC) - timedelta(days=3)),
        (messages.list_after, room, room.last_number // 2, 100),
        (reaction_queries.reaction_targets, room, [room.last_number // 2]),
        (reaction_queries.summed_reactions, [message, message + 1]),
        (reaction_queries.reactors, message, other.id),
        (reaction_queries.read_until, user.id, 1000),
        (reaction_queries.kinds_by, message, user.id),
        (reaction_queries.reacted_by, user.id),
        (reaction_queries.reactions_after, user.id, 0, 1000),
        (reaction_queries.read_until, user.id, 1000),
        (mention_queries.named_accounts, await access.by_key(user, room.key), [str(other.username), "nobody"]),
        (mention_queries.mentions_of, message),
        (mention_queries.called_by, message),
        (mention_queries.has_called_everyone_since, room.id, datetime.now(UTC)),
        (messages.author_of, room.id, 7),
        (messages.list_replies, room, 7, 0),
        (messages.count_replies, room.id, 7),
        (messages.stored_before, room.id, [room.last_number // 2, 3], [(user.id, "a nonce"), (other.id, "another")]),
        (sending.sent_files, room.id, user.id, CODES),
        (sending.files_by_number, room.id, [3, 8]),
        (sending.pending_files, user.id, CODES),
        (sending.pending_file, user.id, CODES[0]),
        (sending.unfinished_files, user.id),
        (pins.newest_pins, [2, 3]),
        (pins.list_pins, await conversations.room_by_id(2)),
        (pins.is_pinned, message),
        (saved.list_saved, user.id),
        (saved.is_saved, user.id, message),
        (messages.files_in, [a_row], {room.id: room.path}),
        (files.files_of, {message: room.path, message + 1: room.path}),
        (files.find_file, room.id, room.path, f"code {message}"),
        (strangers.company_in, [room.id, chat.id]),
        (strangers.count_waiting,),
        (strangers.seconds_waiting_by_mask, [1, 2, 3]),
        (presence.online, [user.id, other.id]),
        (presence.is_shown_online, other, False),
        (presence.rooms_shown_to, user.id),
        (presence.has_dead_process,),
        (presence.visits_of, tracker().process),
        (presence.presence_in, [1]),
        (people.online_people, user),
        (people.people_after, user, ("m", ""), [other.id]),
        (people.banned_from, room),
        (people.people_present, user, room),
        (people.members_after, user, room, ("m", ""), "", [other.id]),
        (people.usernames, [user.id, other.id]),
        (people.public_dots, [user.id, other.id], [user.id]),
        (relationships.friendship_between, user, other),
        (relationships.is_friend_online, user, other),
        (relationships.friends, user),
        (relationships.requesters, other),
        (relationships.requests, other),
        (relationships.online_friend_ids, user),
        (relationships.friend_ids, user.id),
        (relationships.friend_ids_by_user, [user.id, other.id]),
        (relationships.blocks_between, user, other),
        (relationships.is_blocked_between, user, other),
        (relationships.require_none_blocked, user, other),
        (relationships.blocked_either_way, user),
        (relationships.blocks_of, [user.id, other.id]),
        (relationships.is_any_blocked, [user.id], [user.id, other.id]),
        (relationships.blocked_codes, viewer),
        (relationships.blocked_people, user),
        (relationships.veiled_blocks, user),
        (relationships.friends_by_name, "an", [other.id]),
        (relationships.people_by_name, user, "an"),
        (relationships.contacts, user),
        (relationships.relationship, user, other),
        (relationships.find_person, user, other.code),
        (relationships.without_blocked, user, [other]),
        (search.my_rooms, user.id),
        (search.my_room_names, user.id),
        (search.authors_called, "nobody at all"),
        (search.find_messages, user.id, search.Wanted([room.id, chat.id], phrases("tea"), [other.id])),
        (sidebar.list_entries, user.id),
        (sidebar.unread_entries, user.id, 500),
        (inbox.unread_messages, user.id, {room.id: (7, 300), chat.id: (0, 9)}),
        (inbox.unread_calls, user.id, [(room.id, 7), (chat.id, 0)], 501),
        (inbox.lines, user.id, (*inbox.CALLS, inbox.REACTION, inbox.FRIEND), 10**9, 10**9, datetime.now(UTC), 31),
        (sidebar.waiting_counts, [user.id, other.id]),
        (sidebar.list_entries_by_user, [user.id, other.id]),
        (sidebar.entries_for, [(user.id, 1), (other.id, 1)]),
        (fact_queries.room_facts, [1, 2]),
        (fact_queries.person_facts, [user.id, other.id]),
        (groups.people_by_group, [1, 2]),
        (groups.groups_with, other.code),
        (groups.groups_among, [1, 2]),
        (groups.group_titles, [{"room_id": 1, "kind": "group"}], user.id),
    ]
    return {f"{call.__module__.removeprefix('webapp.')}.{call.__name__}": call(*values) for call, *values in calls}


async def scanned(query: str, values: list[Any]) -> set[str]:
    """The growing tables that the engine would read from end to end for the query."""
    from webapp import settings
    from webapp.db import sql

    if not query.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
        return set()
    if settings.ON_SQLITE:
        plan = await sql.connection().execute_query_dict(f"EXPLAIN QUERY PLAN {query}", values)
        # Behind the number of a virtual table's index stands what it was given: a MATCH, and whatever bounds it.
        scans = [
            str(step["detail"]).replace(" TABLE ", " ").split()[1]
            for step in plan
            if "SCAN " in step["detail"] and not re.search(r"VIRTUAL TABLE INDEX \d+:.*M", step["detail"])
        ]
        # By the name that the query gives it, which may be an alias; what is scanned by number are rows of values,
        # a subquery is read whole when what it is made of was found: by its name where it has one.
        made = {step["detail"].split()[1] for step in plan if step["detail"].startswith(("CO-ROUTINE", "MATERIALIZE"))}
        return {name for name in scans if not (name.isdigit() or name.startswith("(subquery"))} - SMALL - made
    by_choice, of_need = await plan_of(query, values), await plan_of(query, values, seqscan=False)
    return read_whole(by_choice) & {"message"} | read_whole(of_need)


async def cost_of_all(queries: list[tuple[str, list[Any]]]) -> int:
    """What they cost together; an insertion, which can't be done twice, costs the same in any table."""
    return sum([await cost(query, values) for query, values in queries if not query.startswith("INSERT")])


async def cost(query: str, values: list[Any]) -> int:
    """What the engine does for the query, undone again: hundreds of SQLite's instructions, PostgreSQL's blocks."""
    from webapp import settings

    if not settings.ON_SQLITE:
        plan = await plan_of(query, values, seqscan=False, analyze=True)
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    instructions = []
    path = settings.DATABASE_URL.removeprefix("sqlite://")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.set_progress_handler(lambda: instructions.append(100), 100)
        file.execute("BEGIN")
        file.execute(query, values).fetchall()
        file.execute("ROLLBACK")
    return len(instructions)


async def plan_of(query: str, values: list[Any], seqscan: bool = True, analyze: bool = False) -> dict[str, Any]:
    """PostgreSQL's plan. It reads small tables whole by choice; without `seqscan` only where no index helps."""
    from tortoise.transactions import in_transaction

    how = "ANALYZE, BUFFERS, FORMAT JSON" if analyze else "FORMAT JSON"
    async with in_transaction("default") as connection:
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await connection.execute_script(f"SET LOCAL enable_{way} = {'on' if seqscan else 'off'}")
        [row] = await connection.execute_query_dict(f"EXPLAIN ({how}) {query}", values)
        await connection.rollback()
    plan: dict[str, Any] = json.loads(row["QUERY PLAN"])[0]["Plan"]
    return plan


def read_whole(node: dict[str, Any]) -> set[str]:
    """The growing tables at and below this node of the plan that are read without a condition on an index."""
    is_whole = not {"Index Cond", "Recheck Cond"} & set(node)
    own = (
        {node.get("Relation Name")} & {*GROWING, "message_words"}
        if is_whole and node["Node Type"].endswith("Scan")
        else set()
    )
    return own.union(*(read_whole(plan) for plan in node.get("Plans", [])))


async def measure(size: str) -> Report:
    import httpx2

    from webapp.accounts.models import User
    from webapp.accounts.sessions import Session
    from webapp.app import app
    from webapp.db import engine, sql
    from webapp.http import cookie
    from webapp.messages.models import new_nonce
    from webapp.presence.models import Process
    from webapp.presence.tracker import tracker

    await fill(*SIZES[size])
    transport = httpx2.ASGITransport(app=app)
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client,
    ):
        first, token = await User.all().order_by("id").first(), new_nonce()
        assert first
        await Session.begin(first, token, "")
        client.cookies.set(cookie.name("http"), cookie.signer("session").sign(token).decode())
        heard = await listen(client)
        scans = [
            f"{what}: {table}: {query}"
            for what, queries in heard.items()
            for query, values in queries
            for table in await scanned(query, values)
        ]
        explained = {name: await record_queries(work) for name, work in (await every_query(token)).items()}
        queries = {
            "known": sorted(query_functions()),
            "explained": sorted(explained),
            "silent": sorted(name for name, asked in explained.items() if not asked),
            "scans": [
                f"{name}: {table}: {query}"
                for name, asked in explained.items()
                for query, values in asked
                for table in await scanned(query, values)
            ],
        }
        # Of what was made since it was filled the server has to know, or it plans for rooms and chats that are fewer.
        if not engine.settings.ON_SQLITE:
            await sql.connection().execute_script("ANALYZE")
        # Whoever was here is still here, however long all that has taken.
        await Process.renew(tracker().process)
        costs = {what: await cost_of_all(queries) for what, queries in heard.items()}
        costs["control"] = await cost("SELECT count(*) FROM message WHERE room_id = 1 AND body = ''", [])
        everything = [f'SELECT count(*) FROM "{table}" WHERE id + 1 = 7' for table in GROWING]
        control = [table for query in everything for table in await scanned(query, [])]
        rows = {table: (await sql.fetch_all(f'SELECT count(*) AS n FROM "{table}"'))[0]["n"] for table in GROWING}
        rows["room 1"] = (await sql.fetch_all("SELECT last_number AS n FROM room WHERE id = 1"))[0]["n"]
    return {
        "asked": {what: [query for query, _ in queries] for what, queries in heard.items()},
        "engine": "sqlite" if engine.settings.ON_SQLITE else "postgresql",
        "costs": costs,
        "scans": scans,
        "queries": queries,
        "control": control,
        "rows": rows,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1]))))
