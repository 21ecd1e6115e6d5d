"""The logs of the sample data, as if each message had been posted."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from heapq import merge
from typing import NamedTuple

from webapp.cli.demo.reactions import write_reactions
from webapp.cli.demo.rows import Row, batches, write_rows
from webapp.conversations.models import LINE_LENGTH, Room
from webapp.core.clock import to_site_time
from webapp.db import transaction
from webapp.messages.markdown import first_line, render_markdown
from webapp.messages.posting import GROUPING_WINDOW

_html = cache(render_markdown)  # sentences come again


# Of so many messages one answers what was said so many before it.
REPLY_INTERVAL, REPLY_DISTANCE = 8, 3

# Author, words and time of a message.
Said = tuple[int, str, datetime]


class Log(NamedTuple):
    """What is said in a room, in the order of its times, and by whom messages are reacted to."""

    said: Iterator[Said]
    people: Sequence[int] = ()


async def write_logs(logs: Mapping[int, Log], on_written: Callable[[int], object] = id) -> None:
    """
    Write the logs of empty rooms, by their ids, and then what people reacted to them.

    All together in the order of their times, as search shows them: it goes by the ids of messages. `on_written` hears
    how many messages each batch had.
    """
    columns = (
        "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, reply_to, created_at"
    )

    async def write(batch: list[Row]) -> None:
        await write_rows("message", columns, batch)
        for room_id, number, _, _, author, _, html, *_, last_at in {row[0]: row for row in batch}.values():
            line = first_line(html, LINE_LENGTH)
            await Room.filter(id=room_id).update(
                version=number, last_number=number, last_at=last_at, last_line=line, last_author=author
            )

    rows = merge(*(_messages(room_id, log.said) for room_id, log in logs.items()), key=lambda row: row[-1])
    for batch in batches(rows):
        await transaction.transact(write, batch)
        on_written(len(batch))
    for room_id, log in logs.items():
        await write_reactions(room_id, log.people)


def _messages(room_id: int, said: Iterator[Said]) -> Iterator[Row]:
    last_author, last_at = 0, None
    recent = deque[tuple[int, datetime]](maxlen=REPLY_DISTANCE)
    for number, (author, body, at) in enumerate(said, 1):
        is_same_day = last_at is not None and to_site_time(last_at).date() == to_site_time(at).date()
        reply_to = (
            number - REPLY_DISTANCE if number % REPLY_INTERVAL == 0 and _is_answered(recent, author, at) else None
        )
        is_close = author == last_author and last_at is not None and at - last_at < GROUPING_WINDOW
        continues = is_same_day and is_close and not reply_to
        yield room_id, number, number, number, author, body, _html(body), continues, not is_same_day, reply_to, at
        last_author, last_at = author, at
        recent.append((author, at))


def _is_answered(recent: deque[tuple[int, datetime]], author: int, at: datetime) -> bool:
    """Return whether the first of these messages is by another author, in the same conversation."""
    first_author, first_at = recent[0] if len(recent) == REPLY_DISTANCE else (author, at)
    return first_author != author and at - first_at < timedelta(minutes=30)
