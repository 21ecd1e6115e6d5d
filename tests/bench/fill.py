"""
Fills an empty installation for the benchmarks, and prints as JSON who is in it; run with Parley's environment.

    python -m tests.bench.fill PEOPLE FRIENDS EVERYWHERE MESSAGES [MESSAGES ...]

One room for each number of MESSAGES. The people are shared out among the rooms, in order; the first of them has so
many friends, and with EVERYWHERE=1 is in all rooms. Everybody is signed in with one browser.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from webapp.accounts.models import User
from webapp.accounts.names import new_code
from webapp.cli.demo.rows import BATCH_SIZE, write_rows
from webapp.conversations.kinds import PUBLIC
from webapp.conversations.models import Room
from webapp.conversations.seats import MEMBER, OWNER
from webapp.db import engine, transaction
from webapp.http import cookie
from webapp.messages.markdown import render_markdown

NOW = datetime.now(UTC)
BODIES = [
    f"{number}: that is what I thought as well when I first heard of *it*, and then we tried it out on a Sunday."
    for number in range(97)
]
HTML = [render_markdown(body) for body in BODIES]

PEOPLE = "code, username, skeleton, display_name, bio, is_guest, is_admin, created_at, last_seen_at"
SESSIONS = "digest, user_id, user_agent, created_at, used_at"
FRIENDSHIPS = "low_id, high_id, asked_by, asked_at, accepted_at, withdrawn"
ROOMS = "key, kind, name, folded, topic, version, last_number, last_at, member_count, last_line, created_at"
MEMBERSHIPS = "room_id, user_id, role, read_number, delivered_number, muted, joined_at"
MESSAGES = "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, created_at"


async def write(table: str, columns: str, rows: Iterable[Any]) -> None:
    left = iter(rows)
    while batch := list(islice(left, BATCH_SIZE)):
        await transaction.transact(write_rows, table, columns, batch)


async def people(count: int, friends: int) -> list[int]:
    rows = ((new_code(), f"p{n}", f"p{n}", f"Person {n}", "", False, False, NOW, NOW) for n in range(count))
    await write("user", PEOPLE, rows)
    ids: list[int] = [row["id"] for row in await User.all().order_by("id").values("id")]
    browsers = ((cookie.digest(token(n)), user, "Firefox on Linux", NOW, NOW) for n, user in enumerate(ids))
    await write("session", SESSIONS, browsers)
    friendships = ((ids[0], other, ids[0], NOW, NOW, False) for other in ids[1 : friends + 1])
    await write("friendship", FRIENDSHIPS, friendships)
    return ids


async def rooms(ids: list[int], counts: list[int], everywhere: bool) -> None:
    share = len(ids) // len(counts)
    named = (
        (f"r{n}", PUBLIC.stored, f"Room {n}", f"room {n}", "To measure in", count, count, NOW, share, "Hello", NOW)
        for n, count in enumerate(counts)
    )
    await write("room", ROOMS, named)
    made: list[int] = [row["id"] for row in await Room.all().order_by("id").values("id")]
    for place, (room, count) in enumerate(zip(made, counts, strict=True)):
        here = ids[place * share : (place + 1) * share]
        await write("message", MESSAGES, said(room, here, count))
        if everywhere and place:
            here = [ids[0], *here]
        roles = ((user, MEMBER if number else OWNER) for number, user in enumerate(here))
        await write("membership", MEMBERSHIPS, ((room, user, role, count, count, False, NOW) for user, role in roles))


def said(room: int, authors: list[int], count: int) -> Iterator[Any]:
    """Everybody of them in turn, a message each ten seconds up to a minute ago."""
    begins = NOW - timedelta(seconds=60 + 10 * count)
    for n in range(1, count + 1):
        body, html = BODIES[n % len(BODIES)], HTML[n % len(BODIES)]
        at = begins + timedelta(seconds=10 * n)
        yield room, n, n, n, authors[n % len(authors)], body, html, False, n % 8640 == 1, at


def token(person: int) -> str:
    return f"token-of-person-{person}"


async def main() -> None:
    count, friends, everywhere, *messages = map(int, sys.argv[1:])
    async with engine.connected():
        await rooms(await people(count, friends), messages, bool(everywhere))
    signer = cookie.signer("session")
    print(json.dumps([f"{cookie.name('http')}={signer.sign(token(person)).decode()}" for person in range(count)]))


if __name__ == "__main__":
    asyncio.run(main())
