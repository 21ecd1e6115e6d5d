"""
What it costs when messages expire: a room of 200,000, of which half are due, with 50 open pages, on both engines.

    .venv/bin/python -m tests.bench.retention            # 200,000 messages
    .venv/bin/python -m tests.bench.retention 20000      # so many

Half of the pages have script and half have none; a post comes every 50 ms. The table has: how long the purge takes, the
longest stop of the event loop, how long posts take meanwhile beside before, and what the pages hold afterwards.
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from tests.bench.search import Cpu, longest_stop
from tests.live_page import Event, LivePage
from tests.servers import ROOT, Postgres

MESSAGES, PAGES, KEEP_DAYS = 200_000, 50, 30
POST_SECONDS, QUIET_SECONDS = 0.05, 5.0
WORDS = "the ladder stands behind the shed where we left it and the rain has been at it for a week now so bring oil"


async def fill(room: int, people: list[int], count: int) -> None:
    """Each twentieth has a reaction, each fiftieth answers one before it, each hundredth was removed."""
    from webapp.cli.demo.rows import batches, write_rows
    from webapp.db import sql, transaction

    begun = datetime.now(UTC) - timedelta(days=2 * KEEP_DAYS)
    step = timedelta(days=2 * KEEP_DAYS) / (count + 1)

    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(1, count + 1):
            words = f"{number} {WORDS}"
            at, reply = sql.to_db(begun + step * number), number - 7 if number % 50 == 0 else None
            removed = at if number % 100 == 1 else None
            html = "" if removed else f"<p>{words}</p>"
            yield (
                room, number, number, number, people[number % len(people)], "" if removed else words, html,
                False, False, at, removed, reply,
            )  # fmt: skip

    columns = (
        "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, created_at, "
        "removed_at, reply_to"
    )
    for batch in batches(rows()):
        await transaction.transact(write_rows, "message", columns, batch)
    await sql.execute(
        "INSERT INTO reaction (message_id, user_id, kind, created_at) "
        f"SELECT id, {people[0]}, 'x', created_at FROM message WHERE number % 20 = 0 RETURNING id"
    )
    await sql.execute(
        "UPDATE room SET version = ?, last_number = ?, removed_count = ?, keep_days = ? WHERE id = ? RETURNING id",
        count, count, count // 100, KEEP_DAYS, room,
    )  # fmt: skip


class Open:
    """A page that is open: what it was sent, and of one with script the log that it shows."""

    def __init__(self, room: int, cursor: int | None, framing: str, user: int, session: int) -> None:
        from webapp.live import Reader
        from webapp.live.stream import Stream

        labels = {"user": user, "session": session}
        states = frozenset({"about", "people", "typing", "pins"})
        self.reader = Reader((f"room:{room}",), cursor, framing, states, labels, "/", "en")
        self.page = LivePage(httpx2.AsyncClient(), "")
        self.sent = b""
        kind = "text/html" if framing == "html" else "text/event-stream"
        self.reading = asyncio.create_task(self._read(Stream(self.reader, b"", kind).chunks()))

    async def _read(self, chunks: AsyncIterator[Any]) -> None:
        async for chunk in chunks:
            self.sent += chunk

    def log(self) -> list[int]:
        """The numbers of the messages that it shows: of a document, since it was loaded."""
        if self.reader.framing == "html":
            return [int(number) for number in re.findall(rb'<li id="message-\d+-(\d+)"', self.sent)]
        for block in filter(None, self.sent.decode().split("\n\n")):
            fields = [line.partition(": ") for line in block.split("\n")]
            if any(name == "id" for name, _, _ in fields):
                self.page.dispatch(Event("\n".join(value for name, _, value in fields if name == "data")))
        return list(self.page.log)


async def post_until(done: asyncio.Event, seat: Any) -> list[float]:
    """Post at intervals; return how long each took, in milliseconds."""
    from webapp.messages import broadcasts, posting

    took = []
    while not done.is_set():
        begun = time.perf_counter()
        broadcasts.posted(seat, await posting.post(seat, f"a post, {WORDS}", ""))
        took.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(POST_SECONDS)
    return took


async def with_posts(seat: Any, work: Any) -> tuple[float, list[float]]:
    """Do the work while posts come; return the longest stop and how long the posts took, in milliseconds."""
    done = asyncio.Event()
    posts = asyncio.create_task(post_until(done, seat))
    stop = await longest_stop(work)
    done.set()
    return stop, await posts


def shown(name: str, stop: float, posts: list[float], more: str = "") -> None:
    times = sorted(posts)
    middle, late = statistics.median(times), times[len(times) * 99 // 100]
    print(
        f"  {name:22}longest stop {stop:5.1f} ms   {len(times):4} posts: median {middle:5.1f}, 99 % {late:6.1f}, "
        f"worst {times[-1]:6.1f} ms{more}",
        flush=True,
    )


async def run(count: int, engine_name: str) -> None:
    from webapp.accounts.models import User
    from webapp.accounts.sessions import Session
    from webapp.app import app
    from webapp.cli.demo.fill import fill_rooms
    from webapp.conversations import access
    from webapp.conversations.models import Room
    from webapp.db import engine, sql
    from webapp.db import migrate as schema
    from webapp.live.frames import RELOAD_DOCUMENT
    from webapp.messages import expiry, indexing
    from webapp.messages.models import Message

    await schema.migrate()
    async with engine.connected():
        await fill_rooms(50, [2])
        people = [int(str(id)) for id in await User.all().order_by("id").values_list("id", flat=True)]
        room = await Room.filter(kind="public").order_by("id").first()
        assert room
        await Message.filter(room_id=room.id).delete()
        await fill(room.id, people, count)
        await indexing.start_over()
        await indexing.fill_older(1e6)
        await indexing.merge()
        if not sql.is_sqlite(sql.connection()):
            await sql.connection().execute_script("ANALYZE")
    async with app.router.lifespan_context(app):
        backend = None
        if not sql.is_sqlite(sql.connection()):
            backend = (await sql.fetch_all("SELECT pg_backend_pid() AS pid"))[0]["pid"]
        cpu, user = Cpu(backend), await User.get(id=people[0])
        session = await Session.begin(user, "a token", "")
        opened = [
            Open(room.id, None if number % 2 else count, "html" if number % 2 else "sse", user.id, session.id)
            for number in range(PAGES)
        ]
        seat = await access.by_key(user.as_viewer(session.id), room.key)
        await asyncio.sleep(1)
        print(
            f"\n{engine_name}: {count:,} messages, half of them due, {PAGES} open pages (load {os.getloadavg()[0]:.1f})"
        )
        shown("before", *await with_posts(seat, asyncio.sleep(QUIET_SECONDS)))
        begun, spent = time.perf_counter(), cpu.seconds()
        deleting = asyncio.create_task(expiry.delete_expired())
        stop, posts = await with_posts(seat, deleting)
        took, spent = time.perf_counter() - begun, cpu.seconds() - spent
        shown("the purge", stop, posts, f"   {deleting.result():,} deleted in {took:.1f} s, CPU {spent:.1f} s")
        await asyncio.sleep(1)
        await tell_pages(room.id, opened, RELOAD_DOCUMENT, user.id, session.id)
        for page in opened:
            page.reading.cancel()


async def tell_pages(room: int, opened: list[Open], reload: bytes, user: int, session: int) -> None:
    """Documents are loaded again, as browsers do; then say what the pages show, and what there is."""
    from webapp.messages.models import Message

    ended = [page for page in opened if page.reader.framing == "html"]
    reloaded = sum(page.sent.count(reload) for page in ended)
    again = [Open(room, None, "html", user, session) for _ in ended]
    await asyncio.sleep(1)
    numbers = list(await Message.filter(room_id=room).order_by("number").values_list("number", flat=True))
    scripted = [page for page in opened if page.reader.framing == "sse"]
    logs = [page.log() for page in (*scripted, *again)]
    right = sum(log == numbers[-len(log) :] and len(log) >= 50 for log in logs)
    once = sum(page.sent.count(b'<hx-partial hx-target="#log"') == 1 for page in scripted)
    replaced = f"{once} of {len(scripted)} pages with script had the log replaced once"
    loaded = f"{reloaded} of {len(ended)} documents ended and were loaded again"
    held = f"{right} of {len(logs)} show the newest messages and nothing else"
    print(
        f"  {'afterwards':22}{len(numbers):,} messages from {numbers[0]:,} on; {replaced}, {loaded}; {held}", flush=True
    )
    for page in again:
        page.reading.cancel()


def measure(count: int) -> None:
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        for name, url in (("SQLite", f"sqlite://{folder}/parley.sqlite3"), ("PostgreSQL", server.create())):
            env = os.environ | {"DATABASE_URL": url, "DATA_DIR": folder, "SECRET_KEY": "x" * 40, "REDIS_URL": ""}
            env |= {"RATE_LIMITS": "off"}
            command = [sys.executable, "-m", "tests.bench.retention", str(count), name]
            subprocess.run(command, env=env, check=True, cwd=ROOT)


if __name__ == "__main__":
    number = int(sys.argv[1]) if sys.argv[1:] else MESSAGES
    if sys.argv[2:]:
        Path(os.environ["DATA_DIR"]).mkdir(exist_ok=True)
        asyncio.run(run(number, sys.argv[2]))
    else:
        measure(number)
