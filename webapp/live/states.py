"""Reading what has no version: what is due is read together, each again only after a while, and retried."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from webapp.live.admission import ReconnectStorm

K = TypeVar("K")

READ_SECONDS = 10.0
RETRY_SECONDS = 1.0


class Pace(NamedTuple):
    """
    How soon what was read is read again, and how long a refresher rests after it has read.

    The first grows with the readers, from the least to the most: two are served at once, a crowd less often, which is
    the same work in a second. The rest is REST_FACTOR times as long as the reading, within these bounds.
    """

    seconds_per_reader: float
    max_seconds: float
    min_rest: float = 0.0
    max_rest: float = 0.0
    min_seconds: float = 0.0

    def pause(self, readers: int) -> float:
        """Return how long what so many read is not read again."""
        return min(self.max_seconds, max(self.min_seconds, self.seconds_per_reader * readers))


# States of rooms: who is here, who types.
PROMPT = Pace(0.02, 1.0)
# Those of channels without a log: each once a second, however few have it open.
CALM = Pace(1.0, 1.0)
# Those of persons' channels (sidebars): a room that was quiet shows there at once, a busy one each second.
BULK = Pace(0.005, 5.0, 0.05, 1.0, min_seconds=1.0)
REST_FACTOR = 2


class Due(Generic[K]):
    """What is due, each key once, in the order in which it was marked; taken a part at a time."""

    def __init__(
        self,
        read: Callable[[list[K]], Awaitable[None]],
        max_keys: int,
        count_readers: Callable[[K], int] | None = None,
        max_readers: float = math.inf,
        is_urgent: bool = False,
    ) -> None:
        """
        One pass takes so many keys at most, and no further one when they have so many readers.

        Without `count_readers` a key may be read again at once. While one that is urgent is due, nothing rests.
        """
        self.read = read
        self.max_keys = max_keys
        self.count_readers = count_readers
        self.max_readers = max_readers
        self.is_urgent = is_urgent
        self.keys: dict[K, None] = {}
        self.next_at: dict[K, float] = {}

    def take(self, now: float, pace: Pace) -> list[K]:
        """Return the keys whose turn has come, of which none is due any more."""
        self.next_at = {key: at for key, at in self.next_at.items() if at > now}
        taken = list(self._enough(key for key in self.keys if key not in self.next_at))
        for key in taken:
            del self.keys[key]
            if self.count_readers and (pause := pace.pause(self.count_readers(key))):
                self.next_at[key] = now + pause
        return taken

    def _enough(self, keys: Iterable[K]) -> Iterator[K]:
        readers = 0
        for key in islice(keys, self.max_keys):
            yield key
            readers += self.count_readers(key) if self.count_readers else 0
            if readers >= self.max_readers:
                return

    def restore(self, keys: Iterable[K]) -> None:
        """Mark again what could not be read."""
        for key in keys:
            self.keys[key] = None
            self.next_at.pop(key, None)

    def time_of(self, keys: Iterable[K]) -> float:
        """Return when the first of these keys may be taken, by the clock of the loop: infinite without any."""
        return min((self.next_at.get(key, 0.0) for key in keys), default=math.inf)


class StateRefresher:
    """
    Reads what is due, in passes: one at a time, of one kind after the other.

    What can't be read is marked again and tried again after RETRY_SECONDS. What is marked while it is being read is
    read once more, so that no change between two readings is lost.
    """

    def __init__(self, pace: Pace, storm: ReconnectStorm, on_failure: Callable[[str, Exception], None]) -> None:
        self.pace = pace
        self.queues: list[Due[Any]] = []
        self._storm = storm
        self._on_failure = on_failure
        self._is_due = asyncio.Event()
        # What wakes it when the next key may be taken.
        self._timer: asyncio.TimerHandle | None = None

    def mark(self, queue: Due[K], *keys: K) -> None:
        queue.keys |= dict.fromkeys(keys)
        self._wake_at(queue.time_of(keys))

    @property
    def is_idle(self) -> bool:
        return not any(queue.keys for queue in self.queues)

    async def run(self) -> None:
        """Read whatever becomes due, until cancelled."""
        while True:
            await self._is_due.wait()
            await self._storm.wait_until_over()
            begun = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self.run_once()
            except Exception as error:
                self._on_failure("states could not be read", error)
                self._is_due.set()
                await asyncio.sleep(RETRY_SECONDS)
            if seconds := self._rest(asyncio.get_running_loop().time() - begun):
                await asyncio.sleep(seconds)

    def _rest(self, took: float) -> float:
        if any(queue.keys for queue in self.queues if queue.is_urgent):
            took = 0.0
        return min(self.pace.max_rest, max(self.pace.min_rest, REST_FACTOR * took))

    async def run_once(self) -> None:
        """Make one pass; raises what a reading raises."""
        self._is_due.clear()
        for queue in self.queues:
            if keys := queue.take(asyncio.get_running_loop().time(), self.pace):
                with _restoring(queue, keys):
                    await queue.read(keys)
        self._wake_at(min(queue.time_of(queue.keys) for queue in self.queues))

    def _wake_at(self, at: float) -> None:
        """Run when it is so late by the clock of the loop: what is marked again too soon wakes nothing before."""
        if at == math.inf:
            return
        loop = asyncio.get_running_loop()
        if at <= loop.time():
            self._is_due.set()
        elif self._timer is None or self._timer.when() > at:
            if self._timer:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._is_due.set()


@contextlib.contextmanager
def _restoring(queue: Due[K], keys: list[K]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        queue.restore(keys)
        raise
