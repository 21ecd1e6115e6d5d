"""What the domains bring to the engine: how a log, a state and a right are read. Registered once, at import."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from webapp.live.frames import Told
from webapp.live.reader import Reader

log = logging.getLogger(__name__)

# The versions that readers hold (None: nothing yet) to the frame that each needs, all of them leading to the one
# version that comes first; None when the channel has ceased to exist.
Log = tuple[int, Mapping[int | None, Told]] | None
ReadLog = Callable[[int, Collection[int | None]], Awaitable[Log]]
ReadVersions = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
ReadState = Callable[[Collection[int]], Awaitable[Mapping[int, Told]]]
CheckAccess = Callable[[Sequence[Reader]], Awaitable[Sequence[tuple[Reader, str]]]]
HearNews = Callable[..., None]
HearRing = Callable[[int], None]
LookAgain = Callable[[], None]
SayGoodbye = Callable[[Reader, str], bytes]
NoteFailure = Callable[[str, Exception], None]


async def _no_log(channel: int, cursors: Collection[int | None]) -> Log:
    return None


async def _no_versions(channels: Collection[int]) -> Mapping[int, int]:
    return {}


async def _all_may(readers: Sequence[Reader]) -> Sequence[tuple[Reader, str]]:
    return []


def _log_failure(what: str, error: Exception) -> None:
    log.warning("%s, trying again: %r", what, error)


class Sources:
    def __init__(self) -> None:
        self.read_log: ReadLog = _no_log
        self.read_versions: ReadVersions = _no_versions
        self.read_states: dict[str, ReadState] = {}
        self.dispensable: set[str] = set()
        self.hear_news: dict[str, HearNews] = {}
        self.hear_ring: HearRing = lambda channel: None
        self.look_again: list[LookAgain] = []
        self.check_access: CheckAccess = _all_may
        self.say_goodbye: SayGoodbye = lambda reader, reason: b""
        self.note_failure: NoteFailure = _log_failure

    def log(self, read: ReadLog) -> ReadLog:
        """Decorator: how the log of a channel is read."""
        self.read_log = read
        return read

    def versions(self, read: ReadVersions) -> ReadVersions:
        """Decorator: how the versions of many channels are read; one that is missing has ceased to exist."""
        self.read_versions = read
        return read

    def state(self, kind: str, is_dispensable: bool = False) -> Callable[[ReadState], ReadState]:
        """Decorator: how a state without a version (who is here) is read, for many channels."""

        def register(read: ReadState) -> ReadState:
            self.read_states[kind] = read
            if is_dispensable:
                self.dispensable.add(kind)
            return read

        return register

    def news(self, kind: str) -> Callable[[HearNews], HearNews]:
        """Decorator: what becomes of news of this kind, in every process, called with the facts that were told."""

        def register(hear: HearNews) -> HearNews:
            self.hear_news[kind] = hear
            return hear

        return register

    def ring(self, hear: HearRing) -> HearRing:
        """Decorator: what else becomes of the log of a channel having changed, whether it is open here or not."""
        self.hear_ring = hear
        return hear

    def heartbeat(self, look: LookAgain) -> LookAgain:
        """Decorator: what else is to be looked at again, in case that it was not told."""
        self.look_again.append(look)
        return look

    def access(self, check: CheckAccess) -> CheckAccess:
        """Decorator: which of the readers may read no more, and why."""
        self.check_access = check
        return check

    def failure(self, note: NoteFailure) -> NoteFailure:
        """Decorator: what becomes of an error of a reading, which is tried again."""
        self.note_failure = note
        return note

    def goodbye(self, say: SayGoodbye) -> SayGoodbye:
        """Decorator: the last bytes for a reader whose stream ends for a reason."""
        self.say_goodbye = say
        return say
