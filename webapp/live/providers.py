"""What the domains bring to the engine: how logs, states and rights are read. app.py lists it, by name."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from webapp.live.ending import Ending
from webapp.live.frames import Payload
from webapp.live.items import TopicSource
from webapp.live.reader import Reader

logger = logging.getLogger(__name__)

# How many readers one query asks about, and how long the event loop is free in between.
BATCH_SIZE = 250
YIELD_SECONDS = 0.02

# The versions that readers hold (None: nothing yet) to the frame that each needs, all of them leading to the one
# version that comes first; None when the channel has ceased to exist.
Log = tuple[int, Mapping[int | None, Payload]] | None
ReadLog = Callable[[int, Collection[int | None]], Awaitable[Log]]
# The same, of rows that rings have brought as text, or that were stored here: each version after the lowest of the
# cursors, and its row; None where they do not suffice.
ReadRows = Callable[[int, Sequence[tuple[int, object]], Collection[int]], Log]
# Of many channels; one that is missing has ceased to exist.
ReadVersions = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
# A state without a version (who is here), of many channels.
ReadState = Callable[[Collection[int]], Awaitable[Mapping[int, Payload]]]
# Which of these readers may read no more, each with the reason.
CheckAccess = Callable[[Sequence[Reader]], Awaitable[Sequence[tuple[Reader, Ending]]]]


class LogSource(NamedTuple):
    """How the logs of channels of one kind are read, and why streams end of one that has ceased to exist."""

    read: ReadLog
    versions: ReadVersions
    deleted: Ending
    read_rows: ReadRows | None = None


class StreamWatcher:
    """What a domain notices of streams; called by their responses, which may be cancelled, so never with a query."""

    def opened(self, reader: Reader) -> None:
        """The reader hears its channels from now on."""

    def wrote(self, reader: Reader, chunk: bytes) -> None:
        """Called with what goes to the page, unless it went straight to the connection of a page with script."""

    def closed(self, reader: Reader) -> None:
        """The stream has ended."""


def log_failure(what: str, error: Exception) -> None:
    logger.warning("%s, trying again: %r", what, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Functions of the domains, which know the engine, while the engine knows none of them."""

    # By kind of channel ("room" of "room:12").
    logs: Mapping[str, LogSource] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, ReadState]] = field(default_factory=dict)
    topics: Mapping[str, TopicSource] = field(default_factory=dict)
    # By kind of news: called in every process concerned with the facts that were broadcast.
    news: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    # By kind of news, the fact ("room", "user") that is the number of the channel of this kind which it concerns alone:
    # processes with no page that shows it need not hear it. All other news concern every process.
    concerns: Mapping[str, str] = field(default_factory=dict)
    watchers: Sequence[StreamWatcher] = ()
    access_checks: Sequence[CheckAccess] = ()
    # The last bytes for a reader whose stream ends for this reason.
    last_frame: Callable[[Reader, Ending], bytes] = lambda reader, ending: b""
    # Called with an error of a reading, which is tried again.
    on_failure: Callable[[str, Exception], None] = log_failure

    async def check_access(self, readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
        """Return which of these readers may read no more, each with the first reason that is found."""
        ended: dict[Reader, Ending] = {}
        for start in range(0, len(readers), BATCH_SIZE):
            batch = readers[start : start + BATCH_SIZE]
            for check in self.access_checks:
                if left := [reader for reader in batch if reader not in ended]:
                    ended |= dict(await check(left))
            if start + BATCH_SIZE < len(readers):
                await asyncio.sleep(YIELD_SECONDS)
        return list(ended.items())
