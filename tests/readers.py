"""Readers as tests open them, with every state that their page shows."""

import asyncio
from collections.abc import Set

from webapp.live import Reader

PUBLIC = {"about", "people", "typing"}
CHAT = {"typing", "receipts"}
MASKED = {"typing", "receipts", "company"}
SIDEBAR = {"entries", "online", "chat_typing"}


def reader(
    room: int | None,
    cursor: int | None,
    framing: str,
    page: str = "",
    language: str = "en",
    states: Set[str] = PUBLIC,
    **labels: int,
) -> Reader:
    """Return a reader of the room alone; of its person's channel alone where that is None."""
    channels = [f"room:{room}"] if room else [f"user:{labels['user']}"] if "user" in labels else []
    return Reader(channels, cursor, framing, states | SIDEBAR, labels, page, language)


def masked_reader(room: int | None, cursor: int | None, framing: str, **labels: int) -> Reader:
    """Return the reader of a mask in a chat; of one that waits where the room is None."""
    channels = [f"mask:{labels['user']}"] + ([f"room:{room}"] if room else [])
    return Reader(channels, cursor, framing, MASKED, labels)


async def until_sent(page: Reader, part: str, seconds: float = 20) -> str:
    """Return all that the page was sent, once that has this part."""
    async with asyncio.timeout(seconds):
        while part.encode() not in page.outbox.pending:
            await asyncio.sleep(0.01)
    return page.outbox.take().decode()
