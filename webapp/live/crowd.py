"""When a server was away, all its pages come back at once: they go first, and what can wait waits for them."""

import asyncio
import contextlib
from collections.abc import Iterator

# What waits for them does so no longer than this.
PATIENCE_SECONDS = 10.0


class Crowd:
    """Those who wait to come in."""

    def __init__(self) -> None:
        self._waiting = 0
        self._is_gone = asyncio.Event()
        self._is_gone.set()

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Be one of them until the block ends."""
        self._waiting += 1
        self._is_gone.clear()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._is_gone.set()

    async def passed(self) -> None:
        """Wait until nobody waits any more, but not for too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._is_gone.wait()
