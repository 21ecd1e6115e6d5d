"""The doorbell between processes: rings go out in the background, and come in whenever Redis lets them."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

from broadcaster import Broadcast

from webapp.live.counters import Counters

logger = logging.getLogger(__name__)

# What is heard in the place of messages: the link is gone; it is back, and anything may have been missed.
LINK_DOWN, LINK_UP = "\0lost", "\0back"

RETRY_SECONDS = 0.5
FLUSH_SECONDS = 1.0
MOST_WAITING = 10_000


class Bridge:
    """
    All rings of an installation go through one subscription per process.

    A ring is a few bytes, and a process that has no reader of a room drops it after one look into a
    dictionary: cheaper, and far simpler, than a subscription per room that comes and goes.
    """

    def __init__(self, hear: Callable[[str], None], notice: Callable[[bool], None], counts: Counters) -> None:
        # Our own rings come back to us, and were heard when they were rung.
        self.name = secrets.token_hex(4)
        self._hear = hear
        self._notice = notice
        self._counts = counts
        self._waiting: dict[str, str] = {}
        self._passing: list[str] = []
        self._has_waiting = asyncio.Event()

    def send(self, text: str, key: str = "") -> None:
        """
        Send the text to every other process. Never waits.

        Of several rings with one key only the latest is sent, so what waits is bounded by the number of rooms.
        What has no key is not kept when it can't be sent.
        """
        if key:
            self._waiting.pop(key, None)
            self._waiting[key] = text
            self._bound()
        elif len(self._passing) < MOST_WAITING:
            self._passing.append(text)
        self._has_waiting.set()

    def _bound(self) -> None:
        """Drop the oldest of too many: what they told is found in the database when the link is back."""
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    async def publish(self, broadcast: Broadcast, name: str) -> None:
        """Send what waits, joined, until cancelled; what can't be sent is kept and tried again."""
        while True:
            await self._has_waiting.wait()
            self._has_waiting.clear()
            if not await self._send(broadcast, name):
                self._has_waiting.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self, broadcast: Broadcast, name: str) -> None:
        """Send what waits, if it can be sent now: before the process ends."""
        if self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._send(broadcast, name)

    async def _send(self, broadcast: Broadcast, name: str) -> bool:
        sending, self._waiting = self._waiting, {}
        passing, self._passing = self._passing, []
        try:
            await broadcast.publish(name, "\n".join([self.name, *sending.values(), *passing]))
        except Exception as error:  # whatever the client raises
            logger.debug("rings wait until they can be sent: %r", error)
            self._counts.publish_failures += 1
            self._waiting = sending | self._waiting
            self._bound()
            return False
        self._counts.rings_sent += len(sending) + len(passing)
        return True

    async def listen(self, broadcast: Broadcast, name: str) -> None:
        async with broadcast.subscribe(name) as events:
            while True:
                event = await events.get()
                if event.message in (LINK_DOWN, LINK_UP):
                    self._notice(event.message == LINK_UP)
                    continue
                sender, *texts = event.message.split("\n")
                for text in texts if sender != self.name else ():
                    self._counts.rings_heard += 1
                    self._hear(text)
