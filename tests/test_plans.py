"""What the engine reads of a room that has grown since it last counted its rows."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from tests.conftest import Person
from tests.people import post_as, who
from tests.query_cost import cost
from tests.query_recorder import record_queries
from webapp import settings
from webapp.conversations.models import Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import RoomRow
from webapp.db import sql
from webapp.messages import queries
from webapp.messages.models import Message

SIZE = 3000
READS: dict[str, Callable[[RoomRow], Awaitable[object]]] = {
    "the newest page": queries.list_page,
    "an earlier page": lambda room: queries.list_page(room, before=SIZE // 2),
    "a page around a message": lambda room: queries.list_page(room, around=SIZE // 2),
    "what has changed": lambda room: queries.changes_since(room, SIZE - 400),
    "a page of an export": lambda room: queries.list_after(room, SIZE // 2, 100),
    "what answers a message": lambda room: queries.list_replies(room, 7, 0),
    "one message": lambda room: queries.get_row(room, 10),
}


async def fill(room: Room, author_id: int) -> None:
    """Messages of which each fifth answers another, right after the database has counted a single one."""
    if not settings.ON_SQLITE:
        await sql.connection().execute_script("ANALYZE message")
    fields: dict[str, Any] = {"room_id": room.id, "author_id": author_id, "created_at": datetime.now(UTC), "body": "-"}
    rows = [
        Message(
            number=n, posted_version=n, version=n, html="-", nonce=f"{n}", reply_to=None if n % 5 else n - 3, **fields
        )
        for n in range(2, SIZE + 1)
    ]
    await Message.bulk_create(rows, batch_size=500)
    await Room.filter(id=room.id).update(last_number=SIZE, version=SIZE)


async def test_no_reading_goes_through_a_room_for_each_message_of_a_page(alice: Person, room: Room) -> None:
    await post_as(who(alice), room, "the first")
    await fill(room, who(alice).id)
    there = await room_by_id(room.id)
    assert there
    costs = {
        what: sum([await cost(query) for query in await record_queries(read(there))]) for what, read in READS.items()
    }
    # Once through it can't be ruled out where the database takes it for a single message.
    assert 0 < max(costs.values()) <= (60 if settings.ON_SQLITE else 5 * SIZE), costs
