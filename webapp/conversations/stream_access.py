"""Which streams end because of a room: its reader was removed or banned, or a block stands between the two."""

import itertools
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from webapp.accounts.viewer import Viewer
from webapp.conversations import endings, kinds
from webapp.conversations.queries import seats_by_key
from webapp.conversations.seats import KICKED, Seat
from webapp.core.batches import Batches
from webapp.core.lifetime import Slot
from webapp.db import sql
from webapp.live import Ending, Reader
from webapp.relationships.queries import blocked_between

UserRoom = tuple[int, int]
ViewerKey = tuple[Viewer, str]

opening_seats = Slot[Batches[ViewerKey, Seat | None]]("batches of seats whose streams open")


async def seat_of_stream(viewer: Viewer, key: str) -> Seat | None:
    """Return what `seat_by_key` does; those of streams that open at the same time are read together."""
    return await opening_seats().get((viewer, key))


def seat_batches() -> Batches[ViewerKey, Seat | None]:
    return Batches(seats_by_key)


_SEATS = f"""
SELECT asked.column1 AS user_id, asked.column2 AS room_id, room.kind, membership.role, membership.kicked_until,
    room.low IS NOT NULL AND {blocked_between("asked.column1", "room.low + room.high - asked.column1")} AS is_blocked
FROM (VALUES {{asked}}) AS asked JOIN room ON room.id = asked.column2
LEFT JOIN membership ON membership.room_id = asked.column2 AND membership.user_id = asked.column1"""


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
    """Return those of the readers whose right to read their room has ended, each with the reason."""
    rooms = {reader: reader.number("room") for reader in readers}
    places = {reader: (reader.labels["user"], room) for reader, room in rooms.items() if room is not None}
    seats = await _seats(set(places.values()))
    found = [(reader, _ending(seats[place], reader)) for reader, place in places.items() if place in seats]
    return [(reader, ending) for reader, ending in found if ending]


async def _seats(places: Collection[UserRoom]) -> dict[UserRoom, sql.Row]:
    if not places:
        return {}
    asked = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(places))
    rows = await sql.fetch_inline(_SEATS.format(asked=asked), *itertools.chain(*places))
    return {(row["user_id"], row["room_id"]): row for row in rows}


def _ending(row: sql.Row, reader: Reader) -> Ending | None:
    """Return why the stream ends; None where it does not."""
    if row["is_blocked"]:
        return endings.BLOCKED
    is_private = kinds.of_stored(row["kind"]).is_private
    if row["role"] == KICKED and row["kicked_until"]:
        opened_at = datetime.now(UTC) - timedelta(seconds=time.monotonic() - reader.opened_at)
        return endings.out_of_room(sql.from_db(row["kicked_until"]), is_private, opened_at)
    return endings.REMOVED if is_private and row["role"] in (None, KICKED) else None
