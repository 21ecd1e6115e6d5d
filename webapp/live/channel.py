"""One room's worth of open pages in this process: a version, and the readers that have reached it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping

from webapp.live.admission import ReconnectStorm
from webapp.live.counters import Counters
from webapp.live.frames import Payload
from webapp.live.providers import Providers
from webapp.live.reader import Reader, deliver

READ_SECONDS = 10.0
RETRY_SECONDS = 1.0
# A state (who is here) is read at once, and then again when this has passed for each reader: two who talk are told
# everything at once, a crowd once a second.
SECONDS_PER_READER = 0.02
STATE_SECONDS = 1.0
# The longest that a crowd delays the look at the rights of those who have come in.
RIGHTS_SECONDS = 0.5
# Of those who come back together, so many are gathered: one reading of the log serves them all.
GATHER_SECONDS = 0.05


class Channel:
    """
    One pass at a time goes over the readers; what is rung meanwhile goes out joined, with the next.

    The normal case, a burst, a gap and a return after an absence are one path: read what changed after the
    versions that the readers hold, and give each what it lacks. All of them then hold the same version.
    """

    def __init__(
        self,
        number: int,
        providers: Providers,
        start: Callable[[Coroutine[object, object, None]], None],
        counts: Counters,
        crowd: ReconnectStorm,
    ) -> None:
        self.number = number
        self.version: int | None = None
        self.readers: set[Reader] = set()
        self._providers = providers
        self._start = start
        self._counts = counts
        self._crowd = crowd
        self._joining: list[Reader] = []
        self._unchecked: list[Reader] = []
        self._present: set[Reader] = set()
        # How many of them are in which language.
        self._languages: Counter[str] = Counter()
        self._announced_version = 0
        # When the oldest ring was heard that has not been followed yet.
        self._rung_at: float | None = None
        self._is_running = False
        self._welcomed_at = 0.0
        self._is_urgent = asyncio.Event()
        self._states: dict[str, Payload] = {}
        self._changed: dict[str, Payload] = {}
        self._asked: set[str] = set()
        self._asked_at: dict[str, float] = {}
        self._shown_at: dict[str, float] = {}

    @property
    def is_empty(self) -> bool:
        return not self._present

    def join(self, reader: Reader) -> None:
        self._present.add(reader)
        self._languages[reader.language] += 1
        self._joining.append(reader)
        self._wake()

    def leave(self, reader: Reader) -> None:
        if reader in self._present:
            self._present.remove(reader)
            self._languages[reader.language] -= 1
        self.readers.discard(reader)
        reader.outbox.close()

    def announce(self, version: int) -> None:
        """The log has reached this version, says somebody."""
        self._announced_version = max(self._announced_version, version)
        if self._is_behind:
            if self._rung_at is None:
                self._rung_at = asyncio.get_running_loop().time()
            self._is_urgent.set()
            self._wake()

    def is_unannounced(self, version: int) -> bool:
        return self.version is not None and version > max(self.version, self._announced_version)

    def refresh(self, kind: str) -> None:
        """Read a state anew, soon."""
        if kind not in self._asked:
            self._asked.add(kind)
            self._start(self._read_state(kind))

    def set_state(self, kind: str, frame: Payload, read_at: float) -> None:
        """Give the state, as it was when the reading began, to every reader; an older one than theirs is dropped."""
        if read_at < self._shown_at.get(kind, 0.0):
            return
        self._shown_at[kind] = read_at
        if not frame.equals(self._changed.get(kind, self._states.get(kind))):
            self._changed[kind] = frame
            self._wake()

    @property
    def _is_behind(self) -> bool:
        return self.version is not None and self._announced_version > self.version

    def _wake(self) -> None:
        if not self._is_running:
            self._is_running = True
            self._start(self._run())

    async def _run(self) -> None:
        try:
            while self._present and (self._joining or self._changed or self._is_behind):
                try:
                    if self._joining:
                        await self._gather()
                    await self._deliver_due()
                except Exception as error:
                    self._failed("a room's changes could not be read", error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._is_running = False

    async def _gather(self) -> None:
        """Whoever joins alone is served at once, and nobody waits for it when something is said."""
        self._is_urgent.clear()
        pause = self._welcomed_at + GATHER_SECONDS - asyncio.get_running_loop().time()
        if pause > 0 and not self._is_behind:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_urgent.wait()

    async def _deliver_due(self) -> None:
        if self._joining or self._is_behind:
            await self._deliver_log()
        self._prepare(self._changed.values())
        changed, self._changed = self._changed, {}
        for kind, frame in changed.items():
            self._states[kind] = frame
            await deliver([reader for reader in self.readers if self._wants(reader, kind)], frame)

    def _wants(self, reader: Reader, kind: str) -> bool:
        return not (reader.is_spare and kind in self._providers.dispensable)

    async def _deliver_log(self) -> None:
        joining, rung = list(self._joining), self._announced_version
        self._counts.log_reads += 1
        cursors: set[int | None] = {reader.cursor for reader in joining}
        if self.version is not None and self.readers:
            cursors.add(self.version)
        async with asyncio.timeout(READ_SECONDS):
            found = await self._providers.read_log(self.number, cursors)
        if found:
            self._prepare([found[1][self.version]] if self.version is not None and self.readers else [])
            for reader in joining:
                for one in (found[1][reader.cursor], *self._states.values()):
                    one.in_language(reader.language)
        # From here to the end nothing fails and nothing is cut short: everybody is served exactly once.
        del self._joining[: len(joining)]
        if found is None:
            for reader in self._present:
                reader.outbox.close(self._providers.last_frame(reader, "gone"))
            self._announced_version = 0  # nothing more will come of it
            return
        version, frames = found
        if self.version is not None and version > self.version and self.readers:
            held = frames[self.version]
            self.version = version
            await deliver(self.readers, held)
            self._note_delay()
        self.version = version
        self._catch_up([reader for reader in joining if reader in self._present], frames)
        # A ring may promise more than there is (a restore, a stranger in Redis): it is not waited for.
        if self._announced_version == rung:
            self._announced_version = version

    def _prepare(self, told: Iterable[Payload]) -> None:
        """Put it into the words of everybody who is here: what fails does so before anybody is told."""
        languages = [language for language, count in self._languages.items() if count]
        for one in told:
            for language in languages:
                one.in_language(language)

    def _note_delay(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._rung_at is not None:
            self._counts.delays.add(now - self._rung_at)
        self._rung_at = now if self._is_behind else None

    def _catch_up(self, joining: list[Reader], frames: Mapping[int | None, Payload]) -> None:
        """Give those who join what they missed, then the states as they are."""
        if joining:
            self._welcomed_at = asyncio.get_running_loop().time()
        for reader in joining:
            missed = frames[reader.cursor]
            reader.put(missed)
            self._counts.resumes += reader.cursor is not None and bool(missed.in_language(reader.language).sse)
            for kind, frame in self._states.items():
                if self._wants(reader, kind):
                    reader.put(frame)
        self.readers.update(joining)
        if joining and not self._unchecked:
            self._start(self._check_access())
        self._unchecked += joining
        for kind in self._providers.states.keys() - self._states.keys():
            self.refresh(kind)

    def _failed(self, what: str, error: Exception) -> None:
        self._counts.read_failures += 1
        self._providers.on_failure(what, error)

    async def _check_access(self) -> None:
        """Between the look at their rights and their coming in these may have ended; from then on they are told."""
        await self._crowd.wait_until_over(RIGHTS_SECONDS)
        unchecked, self._unchecked = self._unchecked, []
        try:
            async with asyncio.timeout(READ_SECONDS):
                ended = await self._providers.check_access(unchecked)
        except Exception as error:  # the next heartbeat looks again
            self._failed("the rights of readers could not be read", error)
            return
        for reader, reason in ended:
            reader.outbox.close(self._providers.last_frame(reader, reason))

    async def _read_state(self, kind: str) -> None:
        clock = asyncio.get_running_loop().time
        every = min(STATE_SECONDS, SECONDS_PER_READER * len(self._present))
        if (pause := self._asked_at.get(kind, 0.0) + every - clock()) > 0:
            await asyncio.sleep(pause)
        await self._crowd.wait_until_over()
        self._asked.discard(kind)
        asked_at = self._asked_at[kind] = clock()
        try:
            async with asyncio.timeout(READ_SECONDS):
                frames = await self._providers.states[kind]([self.number])
        except Exception as error:  # the next heartbeat reads it again
            self._failed(f"the state {kind} of a room could not be read", error)
            return
        if self.number in frames:
            self.set_state(kind, frames[self.number], asked_at)
