"""The open pages of one channel in this process, and for a channel with a log the version that they have reached."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Set

from webapp.live.admission import ReconnectStorm
from webapp.live.counters import Counters
from webapp.live.frames import Payload
from webapp.live.providers import Log, Providers
from webapp.live.reader import Reader, deliver
from webapp.live.tail import Row, Tail

READ_SECONDS = 10.0
RETRY_SECONDS = 1.0
# The longest that a reconnect storm delays the check of the rights of those who have come in.
ACCESS_SECONDS = 0.5
# Readers that come back within so long are gathered: one reading of the log serves them all.
GATHER_SECONDS = 0.05


class StateChannel:
    """A channel without a log: its readers, and what they show of its states."""

    __slots__ = ("kind", "name", "number", "readers")

    def __init__(self, name: str) -> None:
        self.name = name
        kind, _, number = name.partition(":")
        self.kind, self.number = kind, int(number)
        self.readers: set[Reader] = set()

    @property
    def present(self) -> Set[Reader]:
        """The open pages, also those that are about to be served."""
        return self.readers

    def join(self, reader: Reader) -> None:
        self.readers.add(reader)

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)

    def shows(self, state: str) -> bool:
        """Return whether a page shows the state: others are not read."""
        return any(state in reader.states for reader in self.present)


class FollowingChannel(StateChannel):
    """
    A channel that follows topics, with the looks of the item of each that all its pages show (None: unknown).

    `top` is the topic, and the `still`, of the item that all its pages were sent last on top of the others.
    """

    __slots__ = ("items", "top")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.items: dict[str, int | None] = {}
        self.top: tuple[str, int | None] | None = None

    def join(self, reader: Reader) -> None:
        super().join(reader)
        self.top = None


class LogChannel(StateChannel):
    """
    A channel with a log: one pass at a time goes over the readers, and what is rung meanwhile goes out with the next.

    The normal case, a burst, a gap and a return after an absence are one path: read what changed after the
    versions that the readers hold, and give each what it lacks. All of them then hold the same version.
    """

    __slots__ = (
        "_announced_version",
        "_changed",
        "_counts",
        "_is_running",
        "_is_urgent",
        "_joining",
        "_languages",
        "_present",
        "_providers",
        "_refresh",
        "_rung_at",
        "_shown_at",
        "_spawn",
        "_storm",
        "_unchecked",
        "_welcomed_at",
        "states",
        "tail",
        "version",
    )

    def __init__(
        self,
        name: str,
        providers: Providers,
        spawn: Callable[[Coroutine[object, object, None]], None],
        refresh: Callable[[str, str], None],
        counts: Counters,
        storm: ReconnectStorm,
    ) -> None:
        super().__init__(name)
        self.version: int | None = None
        self._providers = providers
        self._spawn = spawn
        self._refresh = refresh
        self._counts = counts
        self._storm = storm
        self._joining: list[Reader] = []
        self._unchecked: list[Reader] = []
        self._present: set[Reader] = set()
        # How many of them are in which language.
        self._languages: Counter[str] = Counter()
        self._announced_version = 0
        self.tail = Tail()
        # When the oldest ring came that was not followed yet.
        self._rung_at: float | None = None
        self._is_running = False
        self._welcomed_at = 0.0
        self._is_urgent = asyncio.Event()
        self.states: dict[str, Payload] = {}
        self._changed: dict[str, Payload] = {}
        self._shown_at: dict[str, float] = {}

    @property
    def present(self) -> Set[Reader]:
        return self._present

    @property
    def languages(self) -> set[str]:
        """The languages of the open pages."""
        return {language for language, count in self._languages.items() if count}

    def join(self, reader: Reader) -> None:
        self._present.add(reader)
        self._languages[reader.language] += 1
        self._joining.append(reader)
        self._wake()

    def leave(self, reader: Reader) -> None:
        if reader in self._present:
            self._present.remove(reader)
            self._languages[reader.language] -= 1
        super().leave(reader)

    def announce(self, version: int, row: Row | str = "") -> None:
        """Read the log when it is said to have reached a version that the readers do not hold yet, by this row."""
        if row and version > (self.version or 0):
            self.tail.add(version, row)
        self._announced_version = max(self._announced_version, version)
        if self._is_behind:
            if self._rung_at is None:
                self._rung_at = asyncio.get_running_loop().time()
            self._is_urgent.set()
            self._wake()

    def is_unannounced(self, version: int) -> bool:
        return self.version is not None and version > max(self.version, self._announced_version)

    def set_state(self, state: str, frame: Payload, read_at: float) -> None:
        """Deliver the state, as it was when its reading began, where it has changed; drop one older than the last."""
        if read_at < self._shown_at.get(state, 0.0):
            return
        self._shown_at[state] = read_at
        if not frame.equals(self._changed.get(state, self.states.get(state))):
            self._changed[state] = frame
            self._wake()

    @property
    def _is_behind(self) -> bool:
        return self.version is not None and self._announced_version > self.version

    def _wake(self) -> None:
        if not self._is_running:
            self._is_running = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._present and (self._joining or self._changed or self._is_behind):
                try:
                    if self._joining:
                        await self._gather()
                    await self._deliver_due()
                except Exception as error:
                    self.tail.clear()
                    self._failed("a room's changes could not be read", error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._is_running = False

    async def _gather(self) -> None:
        """Wait for others who join, unless one joins alone, or the log has changed."""
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
        for state, frame in changed.items():
            self.states[state] = frame
            await deliver([reader for reader in self.readers if state in reader.states], frame)

    async def _deliver_log(self) -> None:
        joining, rung = list(self._joining), self._announced_version
        cursors: set[int | None] = {reader.cursor for reader in joining}
        if self.version is not None and self.readers:
            cursors.add(self.version)
        found = self._read_tail(cursors) or await self._read(cursors)
        if found:
            self._prepare([found[1][self.version]] if self.version is not None and self.readers else [])
            for reader in joining:
                for payload in (found[1][reader.cursor], *self.states.values()):
                    payload.in_language(reader.language)
        # From here to the end nothing fails and nothing is cut short: each reader is served exactly once.
        del self._joining[: len(joining)]
        if found is None:
            for reader in self._present:
                reader.outbox.close(self._providers.last_frame(reader, self._providers.logs[self.kind].deleted))
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
        # An announced version may not exist (restore, foreign publisher): do not wait for it.
        if self._announced_version == rung:
            self._announced_version = version
            self.tail.clear()
        self.tail.drop(version)

    def _read_tail(self, cursors: Set[int | None]) -> Log:
        """Read of rows that rings have brought, where they are all that was announced; else None."""
        read = self._providers.logs[self.kind].read_rows
        held = {cursor for cursor in cursors if cursor is not None}
        if read is None or not self._is_behind or not held or held != cursors or max(held) > self._announced_version:
            return None
        rows = self.tail.between(min(held), self._announced_version)
        return read(self.number, rows, held) if rows else None

    async def _read(self, cursors: Set[int | None]) -> Log:
        self._counts.log_reads += 1
        async with asyncio.timeout(READ_SECONDS):
            return await self._providers.logs[self.kind].read(self.number, cursors)

    def _prepare(self, payloads: Iterable[Payload]) -> None:
        """Render in every reader's language: what fails does so before the first of them is served."""
        languages = self.languages
        for payload in payloads:
            for language in languages:
                payload.in_language(language)

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
            for state, frame in self.states.items():
                if state in reader.states:
                    reader.put(frame)
        self.readers.update(joining)
        if joining and not self._unchecked:
            self._spawn(self._check_access())
        self._unchecked += joining
        for state in set().union(*(reader.states for reader in joining)) - self.states.keys():
            self._refresh(self.name, state)

    def _failed(self, what: str, error: Exception) -> None:
        self._counts.read_failures += 1
        self._providers.on_failure(what, error)

    async def _check_access(self) -> None:
        """Check again who has come in: a right may have ended after the view's check, before a ring could end it."""
        await self._storm.wait_until_over(ACCESS_SECONDS)
        unchecked, self._unchecked = self._unchecked, []
        try:
            async with asyncio.timeout(READ_SECONDS):
                ended = await self._providers.check_access(unchecked)
        except Exception as error:  # the next heartbeat checks again
            self._failed("the rights of readers could not be read", error)
            return
        for reader, ending in ended:
            reader.outbox.close(self._providers.last_frame(reader, ending))
