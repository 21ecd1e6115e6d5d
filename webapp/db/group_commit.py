"""Group commit: what waits at the same moment to be written to one place goes into one transaction."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar, cast

from tortoise.exceptions import IntegrityError

from webapp.db import engine, transaction

T = TypeVar("T")
R = TypeVar("R")

# How many are written together; what is more goes into the next transaction.
MAX_GROUP_SIZE = 32
# Twice as long as the database may take for one statement.
TIMEOUT_SECONDS = 2 * engine.STATEMENT_SECONDS


class RetryWithout(Exception):
    """Some of a group are not to be written: the transaction is undone, and the others go again without them."""

    def __init__(self, outcomes: Mapping[int, object]) -> None:
        """By their places in the group: an exception to raise, or what is answered."""
        self.outcomes = outcomes


class _Entry(Generic[T, R]):
    __slots__ = ("answer", "one")

    def __init__(self, one: T) -> None:
        self.one = one
        self.answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    def resolve(self, outcome: object) -> None:
        if self.answer.done():
            return  # who asked has been cancelled
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(cast(R, outcome))


class GroupCommit(Generic[T, R]):
    """
    One transaction at a time for each key; whatever comes meanwhile waits for it, and shares the next.

    Who comes alone is written at once. `write` is given a group in the order in which it came, within a transaction,
    and answers for each; it raises `Decided` about those that can't be written. Two that are alike by `likeness` are
    never in one group: the later finds the earlier in the database. No more wait than there are open requests.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], likeness: Callable[[T], Hashable]
    ) -> None:
        self._write = write
        self._likeness = likeness
        self._waiting: dict[Hashable, deque[_Entry[T, R]]] = {}

    async def submit(self, key: Hashable, one: T) -> R:
        """What `write` answers for it; it is written even when the caller is cancelled, or has waited too long."""
        entry = _Entry[T, R](one)
        if key in self._waiting:
            self._waiting[key].append(entry)
        else:
            self._waiting[key] = deque([entry])
            transaction.shielded(self._run(key))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await entry.answer

    async def _run(self, key: Hashable) -> None:
        waiting = self._waiting[key]
        try:
            while waiting:
                await self._commit(self._next(waiting))
        finally:
            del self._waiting[key]
            for entry in waiting:
                entry.answer.cancel()

    def _next(self, waiting: deque[_Entry[T, R]]) -> list[_Entry[T, R]]:
        group: dict[Hashable, _Entry[T, R]] = {}
        while waiting and len(group) < MAX_GROUP_SIZE and (likeness := self._likeness(waiting[0].one)) not in group:
            group[likeness] = waiting.popleft()
        return list(group.values())

    async def _commit(self, group: list[_Entry[T, R]]) -> None:
        rest = list(group)
        try:
            while rest:
                outcomes = await self._outcomes([entry.one for entry in rest])
                for place, outcome in outcomes.items():
                    rest[place].resolve(outcome)
                rest = [entry for place, entry in enumerate(rest) if place not in outcomes]
        finally:
            for entry in rest:
                entry.answer.cancel()

    async def _outcomes(self, group: list[T]) -> Mapping[int, object]:
        """What becomes of those about whom it is clear now, by their places."""
        try:
            return dict(enumerate(await transaction.transact_here(self._write, group)))
        except RetryWithout as decided:
            return decided.outcomes
        except Exception as error:
            is_everybodys = isinstance(error, engine.DOWN) and not isinstance(error, IntegrityError)
            if is_everybodys or len(group) == 1:
                return dict.fromkeys(range(len(group)), error)
            # One of them has brought it about, and the others need not suffer for it: each by itself.
            return {place: (await self._outcomes([one]))[0] for place, one in enumerate(group)}
