"""One open page, and how the same bytes are handed to many of them."""

import asyncio
import time
from collections.abc import Iterable
from itertools import islice

from webapp.live.frames import Payload
from webapp.live.outbox import Outbox

# Readers per turn of the event loop: between two slices, requests are answered.
SLICE_SIZE = 250


class Reader:
    """
    One open page. `channel` is the room that it shows, None when it shows none; `cursor` the version that it
    holds of it, None when it holds nothing yet. `is_spare` is one that gets no more than it needs.

    `labels` say whose it is (session, user ...), in the words of the domains; `page` is its address, and
    `language` the one that it is in.
    """

    __slots__ = (
        "channel",
        "cursor",
        "framing",
        "is_brief",
        "is_parked",
        "is_spare",
        "labels",
        "language",
        "outbox",
        "page",
        "since",
    )

    def __init__(
        self,
        channel: int | None,
        cursor: int | None,
        framing: str,
        page: str = "",
        language: str = "en",
        **labels: int,
    ) -> None:
        self.page = page
        self.language = language
        # Whether its connection stays open, silent, after its last frame.
        self.is_parked = False
        self.is_spare = False
        # Whether its stream ends soon, as an answer, because none gets through to the page.
        self.is_brief = False
        self.channel = channel
        self.cursor = cursor
        self.framing = framing
        self.labels = labels if channel is None else labels | {"channel": channel}
        self.outbox = Outbox()
        self.since = time.monotonic()

    def put(self, told: Payload) -> None:
        frame = told.in_language(self.language)
        self.outbox.put(frame.sse if self.framing == "sse" else frame.html)


async def deliver(readers: Iterable[Reader], frame: Payload) -> None:
    """Put the frame into the outbox of every reader."""
    rest = iter(list(readers))
    while batch := list(islice(rest, SLICE_SIZE)):
        for reader in batch:
            reader.put(frame)
        if len(batch) == SLICE_SIZE:
            await asyncio.sleep(0)
