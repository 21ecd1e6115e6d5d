"""
What search costs, without HTTP: a million machine-made messages in ten scripts, on both engines.

    .venv/bin/python -m tests.bench.search               # a million
    .venv/bin/python -m tests.bench.search 50000         # so many

The table has: how long the chore takes that indexes them, how large the index is, each kind of query twenty times, what
a post costs with and without its words, and the longest stop of the event loop while twenty searches run at once.
"""

import asyncio
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from tests.servers import ROOT, Postgres

MESSAGES, TIMES, POSTS, AT_ONCE = 1_000_000, 20, 500, 20
MESSAGES_PER_ROOM, MY_ROOMS, AUTHORS = 333, 200, 500
# How many of a thousand messages are in which alphabet, of words of so many letters.
LATIN, ACCENTED = "abcdefghijklmnopqrstuvwxyz", "abcdefghiklmnoprstuvwzäöüß"
CYRILLIC, TURKISH, ARABIC = "абвгдежзиклмнопрстуфхцчшы", "abcçdefgğhıiklmnoöprsştuüvyz", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
HAN, KANA = [chr(0x4E00 + 7 * n) for n in range(1500)], [chr(0x3041 + n) for n in range(80)]
HANGUL, THAI = [chr(0xAC00 + 28 * n) for n in range(380)], [chr(0x0E01 + n) for n in range(46)]
SCRIPTS: dict[str, tuple[int, Any, str]] = {
    "English": (400, LATIN, " "), "German": (150, ACCENTED, " "), "Chinese": (100, HAN, ""),
    "Japanese": (90, [*KANA, *HAN[:400]], ""), "Russian": (80, CYRILLIC, " "), "Turkish": (50, TURKISH, " "),
    "Arabic": (50, ARABIC, " "), "Korean": (50, HANGUL, " "), "Thai": (30, THAI, ""),
}  # fmt: skip
VOCABULARY, WORDS_PER_MESSAGE = 20_000, 12
RARE, NOWHERE = "quixoticwaltz", "zzyzxnowhere"


# What is said.


class Tongue:
    """A made-up language: so many words, of which the n-th is used in proportion to 1/n."""

    def __init__(self, chance: random.Random, letters: Any, space: str) -> None:
        lengths = (2, 9) if space else (1, 3)
        self.words = ["".join(chance.choices(letters, k=chance.randint(*lengths))) for _ in range(VOCABULARY)]
        self._weights = list(accumulate(1 / (n + 2) for n in range(VOCABULARY)))
        self.space = space

    def say(self, chance: random.Random) -> str:
        count = chance.randint(3, 2 * WORDS_PER_MESSAGE - 3)
        return self.space.join(chance.choices(self.words, cum_weights=self._weights, k=count))


def tongues() -> dict[str, Tongue]:
    chance = random.Random(17)
    return {name: Tongue(chance, letters, space) for name, (_, letters, space) in SCRIPTS.items()}


def sayings(count: int) -> Iterator[tuple[int, str]]:
    """Places of rooms and bodies; each thousandth has a link, each 5,000th a rare word."""
    chance, spoken = random.Random(18), tongues()
    names, weights = list(SCRIPTS), [share for share, _, _ in SCRIPTS.values()]
    rooms = count // MESSAGES_PER_ROOM
    for number in range(count):
        body = spoken[chance.choices(names, weights)[0]].say(chance)
        if number % 1000 == 0:
            body += " https://example.com/a"
        if number % 5000 == 0:
            body += f" {RARE}"
        yield chance.randrange(rooms), body


async def fill(count: int) -> None:
    """Messages without words, in rooms of which the first person is in each fifteenth at least."""
    from webapp.accounts.models import User
    from webapp.cli.demo.fill import fill_rooms
    from webapp.cli.demo.rows import batches, write_rows
    from webapp.conversations.models import Room
    from webapp.db import sql, transaction

    await fill_rooms(AUTHORS, [2])
    people = list(await User.all().order_by("id").values_list("id", flat=True))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rooms = count // MESSAGES_PER_ROOM
    for n in range(rooms):
        await Room.create(key=f"r{n}", kind="public", name=f"Room {n}", folded=f"room {n}", last_at=moment)
    ids = list(await Room.filter(key__startswith="r").exclude(name="").order_by("id").values_list("id", flat=True))[
        -rooms:
    ]
    step = max(3, rooms // MY_ROOMS)
    mine = [(room, people[0], "member", 0, 0, False, sql.to_db(moment)) for room in ids[::step][:MY_ROOMS]]
    columns = "room_id, user_id, role, read_number, delivered_number, muted, joined_at"
    await transaction.transact(write_rows, "membership", columns, mine)
    await transaction.transact(_write_messages, batches, ids, people, count)
    if not sql.is_sqlite(sql.connection()):
        await sql.connection().execute_script("ANALYZE")


async def _write_messages(batches: Any, rooms: list[int], people: list[int], count: int) -> None:
    from webapp.cli.demo.rows import write_rows
    from webapp.db import sql

    chance, moment, numbers = random.Random(19), datetime(2026, 1, 1, tzinfo=UTC), dict.fromkeys(rooms, 0)

    def rows() -> Iterator[tuple[Any, ...]]:
        for n, (place, body) in enumerate(sayings(count)):
            room = rooms[place]
            numbers[room] = number = numbers[room] + 1
            at = sql.to_db(moment + timedelta(seconds=10 * n))
            link = '<a href="https://example.com/a">' if "https:" in body else ""
            yield room, number, number, number, chance.choice(people), body, f"<p>{body}{link}</p>", False, False, at

    columns = "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, created_at"
    for batch in batches(rows()):
        await write_rows("message", columns, batch)
    query = "UPDATE room SET version = ?, last_number = ? WHERE id = ?"
    await sql.connection().execute_many(sql.for_engine(query), [[n, n, room] for room, n in numbers.items()])


# What it takes.


class Cpu:
    """Seconds of a processor that this process and the server of PostgreSQL have taken."""

    def __init__(self, backend: int | None) -> None:
        self._parent = int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1]) if backend else 0

    def seconds(self) -> float:
        return time.process_time() + (self._server() if self._parent else 0.0)

    def _server(self) -> float:
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                facts = path.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(facts[1]) == self._parent:
                ticks += int(facts[11]) + int(facts[12])
        return ticks / os.sysconf("SC_CLK_TCK")


async def measured(cpu: Cpu, work: Callable[[int], Awaitable[Any]], times: int) -> str:
    took, begun_cpu, result = [], cpu.seconds(), None
    for number in range(times):
        begun = time.perf_counter()
        try:
            result = await work(number)
        except TimeoutError:
            result = None
        took.append((time.perf_counter() - begun) * 1000)
    spent = (cpu.seconds() - begun_cpu) / times * 1000
    rows = "too slow" if result is None else f"{len(result):3} rows"
    return f"median {statistics.median(took):8.1f}   worst {max(took):8.1f}   CPU {spent:7.1f} ms   {rows}"


def queries(rooms: list[int], mine: list[int]) -> dict[str, tuple[str, list[int]]]:
    spoken = tongues()
    english, chinese = spoken["English"].words, spoken["Chinese"].words
    pair = next(word for word in chinese[:50] if len(word) >= 2)[:2]
    return {
        "commonest word": (f'"{english[0]}"', mine),
        "two letters as prefix": (english[1][:2], mine),
        "rare word": (RARE, mine),
        "a word that nobody said": (NOWHERE, mine),
        "two CJK characters": (pair, mine),
        "one CJK character": (chinese[0][0], mine),
        "phrase of the two commonest": (f'"{english[0]} {english[1]}"', mine),
        "two words": (f"{english[3]} {english[40]}", mine),
        "commonest word, in one room": (f'"{english[0]}"', mine[-1:]),
        "commonest word, in all rooms": (f'"{english[0]}"', rooms),
        "has:link": ("has:link", mine),
    }


async def run(count: int, engine_name: str) -> None:
    import webapp.app  # noqa: F401  it names the addresses
    from webapp.accounts.models import User
    from webapp.conversations.models import Room
    from webapp.core.faults import Faults, faults
    from webapp.db import engine, sql
    from webapp.db import migrate as schema
    from webapp.messages import indexing
    from webapp.search import finding
    from webapp.search.filters import read_query
    from webapp.search.queries import Wanted, find_messages, my_rooms

    await schema.migrate()
    async with engine.connected():
        with faults.holding(Faults()), finding.turns.holding(asyncio.Semaphore(finding.MAX_SEARCHES)):
            await fill(count)
            is_sqlite = sql.is_sqlite(sql.connection())
            backend = None if is_sqlite else (await sql.fetch_all("SELECT pg_backend_pid() AS pid"))[0]["pid"]
            cpu, viewer = Cpu(backend), (await User.all().order_by("id").limit(1))[0]
            mine, rooms = await my_rooms(viewer.id), list(await Room.all().values_list("id", flat=True))
            print(f"\n{engine_name}: {count:,} messages, {len(rooms):,} rooms, {len(mine)} of them the viewer's")
            await indexing.start_over()
            await stage(cpu, "indexing", lambda: indexing.fill_older(1e6))
            if is_sqlite:
                await stage(cpu, "merging", indexing.merge)
            print(f"  {'index':34}{await index_size(is_sqlite)}")
            if not is_sqlite:
                await sql.connection().execute_script("ANALYZE message_words")
            for name, (typed, where) in queries(rooms, mine).items():
                asked = read_query(typed)
                wanted = Wanted(where, asked.phrases, None, asked.marks)

                async def ask(_: int, wanted: Wanted = wanted) -> object:
                    return await find_messages(viewer.id, wanted, seconds=60)

                print(f"  {name:34}{await measured(cpu, ask, TIMES)}")
            await posts(cpu, viewer)
            print(f"  {f'longest stop, {AT_ONCE} searches at once':34}{await stops(viewer):.1f} ms")
            if is_sqlite:
                await sql.execute("DELETE FROM message WHERE id = (SELECT max(id) FROM message)")
                await stage(cpu, "erasing what was deleted", indexing.erase)
            else:
                await stage(cpu, "building the index again", indexing.reindex)


async def stage(cpu: Cpu, name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do it once, and look how long the event loop stands still."""
    begun, spent = time.perf_counter(), cpu.seconds()
    longest = await longest_stop(work())
    took = time.perf_counter() - begun
    print(f"  {name:34}{took:8.1f} s   CPU {cpu.seconds() - spent:7.1f} s   longest stop {longest:.1f} ms", flush=True)


async def longest_stop(work: Awaitable[object]) -> float:
    """How late a task of one millisecond was at worst meanwhile, in milliseconds."""
    doing, longest = asyncio.ensure_future(work), 0.0
    while not doing.done():
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - begun - 0.001)
    await doing
    return longest * 1000


async def stops(viewer: Any) -> float:
    from webapp.search import finding
    from webapp.search.filters import read_query

    async def ask(typed: str) -> None:
        with contextlib.suppress(TimeoutError):
            await finding.find(viewer, read_query(typed))

    typed = [one for one, _ in queries([], []).values()]
    return await longest_stop(asyncio.gather(*(ask(typed[n % len(typed)]) for n in range(AT_ONCE))))


async def posts(cpu: Cpu, viewer: Any) -> None:
    """With and without words, by turns, so that both meet the same noise."""
    from webapp.conversations import access
    from webapp.messages import index, posting

    seat, spoken, chance = await access.by_key(viewer, "r0"), tongues()["English"], random.Random(20)
    write, took = index.write, {True: list[float](), False: list[float]()}
    spent = {True: 0.0, False: 0.0}

    async def nothing(_: object) -> None:
        pass

    for number in range(2 * POSTS):
        is_indexed = bool(number % 2)
        index.write = write if is_indexed else nothing
        begun, begun_cpu = time.perf_counter(), time.process_time()
        await posting.post(seat, spoken.say(chance), "")
        took[is_indexed].append((time.perf_counter() - begun) * 1000)
        spent[is_indexed] += time.process_time() - begun_cpu
    index.write = write
    for is_indexed, name in ((False, "a post without words"), (True, "a post with its words")):
        times = sorted(took[is_indexed])
        p99, used = times[len(times) * 99 // 100], spent[is_indexed] / POSTS * 1000
        print(f"  {name:34}median {statistics.median(times):8.2f}   99 %  {p99:8.2f}   CPU {used:7.2f} ms", flush=True)


async def index_size(is_sqlite: bool) -> str:
    from webapp.db import sql

    if is_sqlite:
        rows = await sql.fetch_all(
            "SELECT name, sum(pgsize) FROM dbstat WHERE name LIKE 'message_words%' OR name = 'message' GROUP BY name"
        )
    else:
        rows = await sql.fetch_all(
            "SELECT relname, pg_relation_size(oid) FROM pg_class "
            "WHERE relname LIKE 'message\\_words%' OR relname LIKE 'idx\\_message\\_words%' OR relname = 'message'"
        )
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in rows if size > 100_000)


def measure(count: int) -> None:
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        for name, url in (("SQLite", f"sqlite://{folder}/parley.sqlite3"), ("PostgreSQL", server.create())):
            env = os.environ | {"DATABASE_URL": url, "DATA_DIR": folder, "SECRET_KEY": "x" * 40, "REDIS_URL": ""}
            env |= {"RATE_LIMITS": "off"}
            subprocess.run(
                [sys.executable, "-m", "tests.bench.search", str(count), name], env=env, check=True, cwd=ROOT
            )


if __name__ == "__main__":
    number = int(sys.argv[1]) if sys.argv[1:] else MESSAGES
    if sys.argv[2:]:
        Path(os.environ["DATA_DIR"]).mkdir(exist_ok=True)
        asyncio.run(run(number, sys.argv[2]))
    else:
        measure(number)
