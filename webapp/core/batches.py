"""What many ask for at the same time, asked together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# So many keys at most are read together: a power of two, as `padded` makes of what a query asks for.
MAX_KEYS = 32
# So long after a reading began, keys wait for others: of a thousand connections at once the loop accepts one a turn.
GATHERING_SECONDS = 0.005


class Batches(Generic[K, V]):
    """
    Reads keys that are asked for at the same time together; one that is asked for after a pause is read at once.

    `read` returns the value of each key, in their order. What it raises, all those get whose keys it was given.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Sequence[V]]]) -> None:
        self._read = read
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._began_at = 0.0

    async def get(self, key: K) -> V:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V] = loop.create_future()
        if not self._waiting:
            loop.call_at(self._began_at + GATHERING_SECONDS, self._begin)
        self._waiting.append((key, answer))
        if len(self._waiting) == MAX_KEYS:
            self._begin()
        return await answer

    def _begin(self) -> None:
        """Called once more when all that waited were read because they were many."""
        waiting, self._waiting = [one for one in self._waiting if not one[1].done()], []
        if waiting:
            self._began_at = asyncio.get_running_loop().time()
            task = asyncio.ensure_future(self._answer(waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: Sequence[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            found = await self._read([key for key, _ in asked])
            for value, (_, answer) in zip(found, asked, strict=True):
                if not answer.done():  # who asked may have left meanwhile
                    answer.set_result(value)
        except Exception as error:
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        finally:
            for _, answer in asked:
                answer.cancel()  # where the task itself was cancelled


def padded(values: Sequence[K], filling: K) -> list[K]:
    """Return the values, and as many fillings as make their count a power of two: so there are few statements."""
    return [*values, *[filling] * ((1 << (len(values) - 1).bit_length()) - len(values))]
