"""The doorbell between processes: rings are sent in the background, and received while Redis can be reached."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from broadcaster import Broadcast

from webapp.live.counters import Counters

logger = logging.getLogger(__name__)

# Received in the place of messages: the link broke; it is back, and anything may have been missed.
LINK_DOWN, LINK_UP = "\0lost", "\0back"

RETRY_SECONDS = 0.5
FLUSH_SECONDS = 1.0
MAX_QUEUED = 10_000


class Bridge:
    """
    All rings of an installation, through one subscription per process.

    A ring is a few bytes, and a process without readers of the room drops it after one lookup: cheaper, and far
    simpler, than a subscription per room that comes and goes.
    """

    def __init__(self, on_message: Callable[[str], None], on_link: Callable[[bool], None], counts: Counters) -> None:
        # By which we know our own rings when they come back: they were followed when they were sent.
        self.name = secrets.token_hex(4)
        self.on_message = on_message
        self.on_link = on_link
        self._counts = counts
        # By key, and those without one.
        self.queued: dict[str, str] = {}
        self._unkeyed: list[str] = []
        self._has_queued = asyncio.Event()

    def send(self, text: str, key: str = "") -> None:
        """
        Send the text to every other process, without waiting for it.

        Of several texts with one key only the latest is sent, so the queue is bounded by the number of rooms. A text
        without a key is dropped when it can't be sent.
        """
        if key:
            self.queued.pop(key, None)
            self.queued[key] = text
            self._bound()
        elif len(self._unkeyed) < MAX_QUEUED:
            self._unkeyed.append(text)
        self._has_queued.set()

    def _bound(self) -> None:
        """Drop the oldest of too many: what they announced is read from the database when the link is back."""
        while len(self.queued) > MAX_QUEUED:
            del self.queued[next(iter(self.queued))]

    async def publish(self, broadcast: Broadcast, name: str) -> None:
        """Send what is queued, joined, until cancelled; what can't be sent is tried again after RETRY_SECONDS."""
        while True:
            await self._has_queued.wait()
            self._has_queued.clear()
            if not await self._send(broadcast, name):
                self._has_queued.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self, broadcast: Broadcast, name: str) -> None:
        """Send what is queued before the process ends, if it can be sent within FLUSH_SECONDS."""
        if self.queued:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._send(broadcast, name)

    async def _send(self, broadcast: Broadcast, name: str) -> bool:
        sending, self.queued = self.queued, {}
        passing, self._unkeyed = self._unkeyed, []
        try:
            await broadcast.publish(name, "\n".join([self.name, *sending.values(), *passing]))
        except Exception as error:  # whatever the client raises
            logger.debug("rings wait until they can be sent: %r", error)
            self._counts.publish_failures += 1
            self.queued = sending | self.queued
            self._bound()
            return False
        self._counts.rings_sent += len(sending) + len(passing)
        return True

    async def listen(self, broadcast: Broadcast, name: str) -> None:
        async with broadcast.subscribe(name) as events:
            while True:
                event = await events.get()
                if event.message in (LINK_DOWN, LINK_UP):
                    self.on_link(event.message == LINK_UP)
                    continue
                sender, *texts = event.message.split("\n")
                for text in texts if sender != self.name else ():
                    self._counts.rings_heard += 1
                    self.on_message(text)
