"""The reactions of the sample data, and what their messages show of them."""

import random
from collections.abc import Sequence
from datetime import timedelta

from webapp.cli.demo.rows import BATCH_SIZE, Row, write_rows
from webapp.conversations.models import Room
from webapp.db import sql, transaction
from webapp.messages.reaction_queries import summed_reactions

# People react to one of so many messages.
REACTION_INTERVAL = 13
# Those that are seen most are most often.
KINDS = ("👍", "👍", "👍", "❤️", "❤️", "😂", "🎉", "👀")


async def write_reactions(room_id: int, people: Sequence[int]) -> None:
    """React to some of the messages of the room, some at a time."""
    room = await Room.get(id=room_id)
    chance = random.Random(room_id)
    for first in range(1, room.last_number + 1, BATCH_SIZE) if people else ():
        last = min(room.last_number, first + BATCH_SIZE - 1)
        await transaction.transact(_write_reactions, chance, room_id, first, last, people)


async def _write_reactions(chance: random.Random, room_id: int, first: int, last: int, people: Sequence[int]) -> None:
    numbers = range(first + -first % REACTION_INTERVAL, last + 1, REACTION_INTERVAL)
    if not numbers:
        return
    found = await sql.fetch_all(
        "SELECT id, author_id, created_at FROM message "
        f"WHERE room_id = ? AND number IN ({sql.placeholders(numbers)}) ORDER BY number",
        room_id, *numbers,
    )  # fmt: skip
    rows: list[Row] = []
    for message, author, created_at in found:
        others = [person for person in people if person != author]
        at = sql.to_db(sql.from_db(created_at) + timedelta(seconds=10))
        for kind in dict.fromkeys(chance.choices(KINDS, k=2)):
            several = chance.sample(others, min(len(others), chance.randint(1, 4)))
            rows += [(message, person, author, kind, at) for person in several]
    if not rows:
        return
    await write_rows("reaction", "message_id, user_id, to_user_id, kind, created_at", rows)
    summed = await summed_reactions([row["id"] for row in found])
    query = sql.for_engine("UPDATE message SET reactions = ? WHERE id = ?")
    await sql.connection().execute_many(query, [[text, message] for message, text in summed.items()])
