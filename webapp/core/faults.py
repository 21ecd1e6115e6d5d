"""What Parley stands on and may break: each fault is told once when it begins and once when it is over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

logger = logging.getLogger(__name__)


# So long nobody may notice anything before it is over: one query that fails now and then is one fault.
CLEAR_AFTER_SECONDS = 3.0
INTERVAL_SECONDS = 1.0


class Fault:
    """However many requests and streams notice it, there is one line in the log; the others are counted."""

    def __init__(self, begins: str, ends: str) -> None:
        self.begins, self.ends = begins, ends
        self.count = 0
        self.is_on = False
        self.began = asyncio.Event()
        self._since = self._noticed_at = 0.0

    def report(self, error: BaseException) -> None:
        self.count += 1
        self._noticed_at = monotonic()
        if not self.is_on:
            self.is_on, self._since = True, self._noticed_at
            self.began.set()
            logger.error("%s: %r", self.begins, error)

    def clear(self) -> None:
        if self.is_on:
            self.is_on = False
            logger.warning("%s, after %.0f seconds", self.ends, monotonic() - self._since)

    async def watch(self, is_well: Callable[[], Awaitable[bool]]) -> None:
        """Find the end of it, for as long as the process runs."""
        self.began, self.is_on = asyncio.Event(), False
        while True:
            await self.began.wait()
            self.began.clear()
            while self.is_on:
                await asyncio.sleep(INTERVAL_SECONDS)
                if monotonic() - self._noticed_at >= CLEAR_AFTER_SECONDS and await is_well():
                    self.clear()


class Note:
    """What only the operator can mend: one line in the log of a process, however often it is seen."""

    def __init__(self, text: str) -> None:
        self.text, self.is_said = text, False

    def once(self, *values: object) -> None:
        if not self.is_said:
            self.is_said = True
            logger.warning(self.text, *values)


database = Fault("the database does not answer", "the database answers again")


streams = Fault("as many streams are open as MAX_STREAMS allows", "there is room for streams again")


disk = Fault("the data folder can't be written to", "the data folder can be written to again")
