"""One open page, and the delivery of the same bytes to many of them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import islice

from webapp.live.frames import KEEP_ALIVE, Payload
from webapp.live.outbox import Outbox

# Readers per turn of the event loop: between two slices, requests are answered.
SLICE_SIZE = 250
KEEP_ALIVE_SECONDS = 20.0


class Reader:
    """
    One open page, in the channels that it hears ("room:12", "user:7").

    `cursor` is the version that it holds of the one with a log, None when it holds nothing yet, and `digest` says
    what it shows of the items of the one that follows topics. `states` are those that it shows, `labels` say whose it
    is (session, user), `page` is its address, and `language` the one it is in, with its zone if that is not the site's.
    """

    __slots__ = (
        "channels",
        "cursor",
        "digest",
        "framing",
        "is_long_poll",
        "is_parked",
        "labels",
        "language",
        "opened_at",
        "outbox",
        "page",
        "states",
    )

    def __init__(
        self,
        channels: Sequence[str],
        cursor: int | None,
        framing: str,
        states: Set[str],
        labels: Mapping[str, int],
        page: str = "",
        language: str = "en",
        digest: str = "",
    ) -> None:
        self.channels = tuple(channels)
        self.cursor = cursor
        self.digest = digest
        self.framing = framing
        self.states = states
        self.labels = labels
        self.page = page
        self.language = language
        # Whether its connection stays open, silent, after its last frame.
        self.is_parked = False
        # Whether its stream ends soon, as an answer, because none gets through to the page.
        self.is_long_poll = False
        self.outbox = Outbox()
        self.opened_at = time.monotonic()

    def number(self, kind: str) -> int | None:
        """Return the number of its channel of this kind: 12 for "room" where that is "room:12"; None without one."""
        for channel in self.channels:
            found, _, number = channel.partition(":")
            if found == kind:
                return int(number)
        return None

    def put(self, payload: Payload) -> None:
        frame = payload.in_language(self.language)
        self.outbox.put(frame.sse if self.framing == "sse" else frame.html)


async def deliver(readers: Iterable[Reader], frame: Payload) -> None:
    """Put the frame into the outbox of every reader."""
    rest = iter(list(readers))
    while batch := list(islice(rest, SLICE_SIZE)):
        for reader in batch:
            reader.put(frame)
        if len(batch) == SLICE_SIZE:
            await asyncio.sleep(0)


async def keep_alive(readers: Callable[[], Iterable[Reader]]) -> None:
    """Send a sign of life to every idle stream, so that no proxy takes it for dead, until cancelled."""
    while True:
        await asyncio.sleep(KEEP_ALIVE_SECONDS)
        await deliver((reader for reader in readers() if reader.outbox.is_empty), KEEP_ALIVE)
