"""The one way to write in a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from tortoise.transactions import in_transaction

from webapp.db.engine import STATEMENT_SECONDS

P = ParamSpec("P")
T = TypeVar("T")


_writing: set[asyncio.Task[Any]] = set()


async def transact(write: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """
    Run `write` in a transaction of its own task, to its end even when the caller is cancelled.

    A task cancelled between BEGIN and COMMIT would leave the connection locked for everybody.
    """

    return await asyncio.shield(shielded(transact_here(write, *args, **kwargs)))


async def transact_here(write: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in this task, which nobody may cancel."""
    async with in_transaction("default"):
        return await write(*args, **kwargs)


def shielded(writing: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Run it as a task that nobody cancels, and that `drain` waits for."""
    task = asyncio.create_task(writing)
    _writing.add(task)
    task.add_done_callback(_written)
    return task


def _written(task: asyncio.Task[Any]) -> None:
    _writing.discard(task)
    if not task.cancelled():
        task.exception()  # the caller may be cancelled, and nobody else awaits it: no mistake of the program


def is_idle() -> bool:
    """Whether no transaction is running."""
    return not _writing


async def drain() -> None:
    """Wait for the transactions whose callers were cancelled."""
    if _writing:
        await asyncio.wait(_writing, timeout=STATEMENT_SECONDS)
