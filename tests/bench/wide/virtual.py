"""Virtual time, and a `Slot` for each simulated process."""

import asyncio
import selectors
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

import aiosqlite.core
import cachetools

from webapp.core.lifetime import Slot

# What the slots of the current process hold.
objects: ContextVar[dict[object, object]] = ContextVar("objects")


class Clock(selectors.DefaultSelector):
    """Moves the time to the next timer when nothing else is to be done, and no thread works for the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if found := super().select(0):
            return found
        if self.threads:
            return super().select(0.01)
        if timeout is None:
            raise RuntimeError("everything waits, and no timer is set")
        self.now += max(0.0, timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        self.clock.threads += 1
        work: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        work.add_done_callback(self._returned)
        return work

    def _returned(self, _: "asyncio.Future[Any] | Future[Any]") -> None:
        self.clock.threads -= 1


def install(loop: Loop) -> None:
    """From now on all of this Python process lives in the loop's time, and slots hold an object for each context."""
    now = loop.time
    real = time.monotonic
    time.monotonic = now
    for module in list(sys.modules.values()):
        if module.__name__.startswith("webapp") and vars(module).get("monotonic") is real:
            vars(module)["monotonic"] = now
    cachetools.TTLCache.__init__.__defaults__ = (now, None)
    _wait_for_threads(loop.clock)
    held = property(lambda slot: objects.get().get(slot), lambda slot, value: objects.get().__setitem__(slot, value))
    setattr(Slot, "_object", held)  # noqa: B010  to mypy it is an attribute of each slot


def _wait_for_threads(clock: Clock) -> None:
    """Time stands still while a connection to SQLite is at work in its thread."""

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        async def wait(*args: Any, **options: Any) -> Any:
            clock.threads += 1
            try:
                return await call(*args, **options)
            finally:
                clock.threads -= 1

        return wait

    for name in ("_connect", "_execute"):
        setattr(aiosqlite.core.Connection, name, counted(getattr(aiosqlite.core.Connection, name)))
