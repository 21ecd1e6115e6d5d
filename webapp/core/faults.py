"""What Parley depends on and may fail: one line in the program's log when a fault begins, one when it has ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from webapp.core.lifetime import Slot

logger = logging.getLogger(__name__)

# A fault has ended after so long without a report: one query that fails now and then is one fault.
CLEAR_AFTER_SECONDS = 3.0
INTERVAL_SECONDS = 1.0


class Fault:
    """Something that fails. However many requests report it, one line is written; the others are counted."""

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
        """Ask, every second while the fault is on, whether it has ended; run until cancelled."""
        self.began, self.is_on = asyncio.Event(), False
        while True:
            await self.began.wait()
            self.began.clear()
            while self.is_on:
                await asyncio.sleep(INTERVAL_SECONDS)
                if monotonic() - self._noticed_at >= CLEAR_AFTER_SECONDS and await is_well():
                    self.clear()


class Faults:
    """The faults of this process, and the notes that were written once."""

    def __init__(self) -> None:
        self.database = Fault("the database does not answer", "the database answers again")
        self.streams = Fault("as many streams are open as MAX_STREAMS allows", "there is room for streams again")
        self.disk = Fault("the data folder can't be written to", "the data folder can be written to again")
        self.space = Fault("there is too little room for files", "there is room for files again")
        self.media = Fault("the bucket of MEDIA_URL does not answer", "the bucket of MEDIA_URL answers again")
        self.noted = set[str]()

    def note(self, text: str, *values: object) -> None:
        """Write what only the operator can repair into the program's log, once for each text."""
        if text not in self.noted:
            self.noted.add(text)
            logger.warning(text, *values)


faults = Slot[Faults]("faults of this process")
