"""How far people have read: what is read in this process at about the same time is written together."""

import asyncio
import contextlib
import itertools
from collections.abc import Collection, Mapping

from webapp import settings
from webapp.conversations import broadcasts
from webapp.core.lifetime import Slot
from webapp.db import sql, transaction
from webapp.live import hub

UserRoom = tuple[int, int]
# From one write to the next: whatever is read meanwhile shares it. Where little is read, nothing waits.
PAUSE_SECONDS = 0.25
# Up to the message that is the newest when it is written.
ALL = 2**62

_FOUND = """
SELECT membership.id, membership.user_id, membership.room_id,
    CASE WHEN asked.column3 < room.last_number THEN asked.column3 ELSE room.last_number END AS number
FROM (VALUES {asked}) AS asked
JOIN membership ON membership.room_id = asked.column2 AND membership.user_id = asked.column1
JOIN room ON room.id = asked.column2
WHERE membership.read_number < asked.column3 AND membership.read_number < room.last_number"""
_UPDATE = """
UPDATE membership SET read_number = found.number FROM ({found}) AS found
WHERE membership.id = found.id AND membership.read_number < found.number
RETURNING membership.user_id, membership.room_id"""
# On PostgreSQL a statement that waits for one row while it holds others could wait for ever for another such one.
_FREE = "" if settings.ON_SQLITE else "\nFOR NO KEY UPDATE OF membership SKIP LOCKED"


def _filled(query: str, numbers: Mapping[UserRoom, int]) -> tuple[str, list[int]]:
    row = "(CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))"
    values = itertools.chain(*((user, room, number) for (user, room), number in numbers.items()))
    return query.format(asked=", ".join([row] * len(numbers))), list(values)


async def advance(numbers: Mapping[UserRoom, int]) -> list[UserRoom]:
    """
    Mark the messages of rooms as read, for each person up to a number; return where one was unread.

    No mark goes back, nor beyond the newest message. Rows that another transaction holds come last, one by one.
    """
    read: list[UserRoom] = []
    for places in sql.batches(numbers):
        batch = {place: numbers[place] for place in places}
        query, values = _filled(_UPDATE.format(found=_FOUND + _FREE), batch)
        written = _places(await sql.execute(query, *values))
        read += written
        if _FREE and (left := {place: batch[place] for place in batch.keys() - set(written)}):
            read += await _advance_singly(left)
    return read


async def _advance_singly(numbers: Mapping[UserRoom, int]) -> list[UserRoom]:
    query, values = _filled(_FOUND, numbers)
    read: list[UserRoom] = []
    for place in _places(await sql.fetch_all(query, *values)):
        query, values = _filled(_UPDATE.format(found=_FOUND), {place: numbers[place]})
        read += _places(await sql.execute(query, *values))
    return read


def _places(rows: Collection[sql.Row]) -> list[UserRoom]:
    return [(row["user_id"], row["room_id"]) for row in rows]


class ReadMarks:
    """
    The marks of this process that are about to be written: for each person and room the largest number.

    A mark is written even when the request that brought it is cancelled, and when the process ends in good order.
    """

    def __init__(self) -> None:
        self._numbers: dict[UserRoom, int] = {}
        self._with_receipts: set[int] = set()
        self._writing: asyncio.Task[None] | None = None
        self._is_urgent = asyncio.Event()
        # By the clock of the loop: no write begins before.
        self.next_at = 0.0

    def add(self, user: int, room: int, number: int, has_receipts: bool) -> "asyncio.Task[None]":
        """Note that the person has read the room up to the number; the task ends when it is written, and published."""
        self._numbers[user, room] = max(number, self._numbers.get((user, room), 0))
        if has_receipts:
            self._with_receipts.add(room)
        if self._writing is None:
            self._writing = transaction.shielded(self._write())
        return self._writing

    async def mark(self, user: int, room: int, number: int, has_receipts: bool) -> None:
        """Do the same, and return when it is written; raise what the database raises."""
        await asyncio.shield(self.add(user, room, number, has_receipts))

    async def settle(self, user: int) -> None:
        """Write at once what the person has read: what is asked of the database next must show it."""
        if self._writing and any(reader == user for reader, _ in self._numbers):
            self._is_urgent.set()
            await asyncio.wait([self._writing])

    def pending(self, user: int, room: int) -> int:
        """Return up to which number the person has read the room where that is not written yet, else 0."""
        return self._numbers.get((user, room), 0)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        if (pause := self.next_at - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_urgent.wait()
        self._is_urgent.clear()
        self.next_at = loop.time() + PAUSE_SECONDS
        numbers, self._numbers = self._numbers, {}
        with_receipts, self._with_receipts = self._with_receipts, set()
        self._writing = None
        read = await advance(numbers)
        for user, room in read:
            broadcasts.membership_changed(room, user)
        for room in with_receipts.intersection(room for _, room in read):
            hub().refresh(f"room:{room}", "receipts")


read_marks = Slot[ReadMarks]("marks of reading")
