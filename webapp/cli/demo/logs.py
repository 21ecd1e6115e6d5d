"""The logs of the sample data, as if each message had been posted."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache

from webapp.cli.demo.rows import Row, batches, write_rows
from webapp.conversations.models import LINE_LENGTH, Room
from webapp.core.clock import to_site_time
from webapp.db import transaction
from webapp.messages.markdown import first_line, render_markdown
from webapp.messages.posting import GROUPING_WINDOW

_html = cache(render_markdown)  # sentences come again


# Author, words and time of a message.
Said = tuple[int, str, datetime]


async def write_log(room_id: int, said: Iterator[Said], on_written: Callable[[int], object] = id) -> None:
    """Write the log of an empty room, a batch at a time; `on_written` hears how many messages each had."""
    columns = "room_id, number, posted_version, version, author_id, body, html, continues, opens_day, created_at"

    async def write(batch: list[Row]) -> None:
        _, number, _, _, author, _, html, *_, last_at = batch[-1]
        await write_rows("message", columns, batch)
        line = first_line(html, LINE_LENGTH)
        await Room.filter(id=room_id).update(
            version=number, last_number=number, last_at=last_at, last_line=line, last_author=author
        )

    for batch in batches(_messages(room_id, said)):
        await transaction.transact(write, batch)
        on_written(len(batch))


def _messages(room_id: int, said: Iterator[Said]) -> Iterator[Row]:
    last_author, last_at = 0, None
    for number, (author, body, at) in enumerate(said, 1):
        is_same_day = last_at is not None and to_site_time(last_at).date() == to_site_time(at).date()
        continues = is_same_day and author == last_author and last_at is not None and at - last_at < GROUPING_WINDOW
        yield room_id, number, number, number, author, body, _html(body), continues, not is_same_day, at
        last_author, last_at = author, at
