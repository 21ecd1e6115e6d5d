"""Whose pages are open in this process: in memory, written to the database in batches, behind a lease."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Collection
from time import monotonic

from webapp import settings
from webapp.core.lifetime import Slot
from webapp.core.tasks import cancel_and_wait
from webapp.db import engine
from webapp.live import Reader, hub
from webapp.live.providers import StreamWatcher
from webapp.presence import broadcasts
from webapp.presence.models import RENEW_SECONDS, Process, Visit
from webapp.presence.queries import NO_ROOM, UserRoom

WRITE_SECONDS = 0.5
# Grace for navigation: a page closes its stream before the next page opens one.
GRACE_SECONDS = 5.0
# Without a stream (w3m), who asked for a room is taken to be reading it for a while.
READING_SECONDS = 60.0


class PresenceTracker:
    """`room` is NO_ROOM for a page that shows none: it makes a person present, but in no room."""

    def __init__(self) -> None:
        self.streams: Counter[UserRoom] = Counter()
        self._until: dict[UserRoom, float] = {}
        self._forgotten: set[UserRoom] = set()
        self.written: set[UserRoom] = set()
        self._has_changed = asyncio.Event()
        # The id of the lease that this process has.
        self.process = ""

    def record_request(self, user: int, room: int) -> None:
        """The person asked for a page."""
        self._stay(user, room, READING_SECONDS)

    def stream_opened(self, user: int, room: int) -> None:
        """A stream of theirs has been opened."""
        self.streams[user, room] += 1
        self._has_changed.set()

    def stream_closed(self, user: int, room: int) -> None:
        """A stream of theirs has ended."""
        self.streams[user, room] -= 1
        if self.streams[user, room] <= 0:
            del self.streams[user, room]
            self._stay(user, room, 0 if (user, room) in self._forgotten else GRACE_SECONDS)
            self._forgotten.discard((user, room))

    def has_open_stream(self, user: int, room: int) -> bool:
        """Whether they have a live page of the room open here: what comes into it is being read."""
        return self.streams[user, room] > 0

    def leave_now(self, user: int, room: int) -> None:
        """They have left on purpose, or were sent away: no grace, also when their streams end."""
        self._until.pop((user, room), None)
        if self.has_open_stream(user, room):
            self._forgotten.add((user, room))
        self._has_changed.set()

    def leave_everywhere(self, user: int) -> None:
        """The same for every place they are in: their account is going."""
        for person, room in self.present():
            if person == user:
                self.leave_now(person, room)

    def _stay(self, user: int, room: int, seconds: float) -> None:
        self._until[user, room] = monotonic() + seconds
        self._has_changed.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold this process's lease and write its visits until the block ends; then delete them at once."""
        self.process = await Process.register()
        if settings.ON_SQLITE:
            # One process at a time: whatever another has left behind is from before a crash.
            await Process.reap(everyone_but=self.process)
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self.renew())]
        try:
            yield
        finally:
            await cancel_and_wait(tasks)
            with contextlib.suppress(Exception):  # while the database is away the row stays until the lease ends
                self._tell_of(await Process.unregister(self.process))

    def present(self) -> set[UserRoom]:
        now = monotonic()
        self._until = {place: until for place, until in self._until.items() if until > now}
        return set(self._until) | set(self.streams)

    def seconds_to_next(self) -> float | None:
        """For how many seconds nobody's time is up."""
        return max(0.0, min(self._until.values()) - monotonic()) if self._until else None

    async def _write(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.seconds_to_next()):
                    await self._has_changed.wait()
            self._has_changed.clear()
            await hub().storm.wait_until_over()
            try:
                await self.write_changes()
            except Exception as error:
                engine.report_failure("who is here could not be written", error)
                self._has_changed.set()
            await asyncio.sleep(WRITE_SECONDS)

    async def write_changes(self) -> None:
        written, present = self.written, self.present()
        came, went = present - written, written - present
        if not (came or went):
            return
        away = _people(written) - _people(present)
        await Visit.apply_changes(self.process, came, went, away)
        if self.written is written:  # else all are to be written again: `write_again`
            self.written = present
        broadcasts.rooms_changed({room for _, room in came | went})
        broadcasts.changed(away | _people(present) - _people(written))

    async def renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if await Process.renew(self.process):
                    self.write_again()
                self._tell_of(await Process.reap())
            except Exception as error:
                engine.report_failure("this process could not say that it is alive", error)

    def write_again(self) -> None:
        """Write everybody who is here again: others took this process for dead (a frozen machine)."""
        self.written = set()
        self._has_changed.set()

    @staticmethod
    def _tell_of(places: Collection[UserRoom]) -> None:
        """A process has ended, and these were the places of its people."""
        broadcasts.rooms_changed({room for _, room in places})
        broadcasts.changed(_people(places))


def _people(places: Collection[UserRoom]) -> set[int]:
    return {user for user, _ in places}


tracker = Slot[PresenceTracker]("presence of this process")


class StreamPresence(StreamWatcher):
    """Counts the open streams of people; a mask is never present anywhere."""

    def opened(self, reader: Reader) -> None:
        if reader.number("mask") is None:
            tracker().stream_opened(reader.labels["user"], reader.number("room") or NO_ROOM)

    def closed(self, reader: Reader) -> None:
        if reader.number("mask") is None:
            tracker().stream_closed(reader.labels["user"], reader.number("room") or NO_ROOM)
