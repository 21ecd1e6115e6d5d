"""When a server was away, all its pages come back at once: they go first, and what can wait waits for them."""

import asyncio
from collections import deque

# So many within so short a time are a crowd, and it has passed when for a moment nobody else has come.
MANY, TOGETHER_SECONDS, MOMENT_SECONDS = 20, 0.1, 0.3
# What waits for them does so no longer than this.
PATIENCE_SECONDS = 10.0


class Crowd:
    """Those who have just come in."""

    def __init__(self) -> None:
        self._came: deque[float] = deque(maxlen=MANY)
        self._until = 0.0

    def arrive(self) -> None:
        """Somebody comes in."""
        now = asyncio.get_running_loop().time()
        self._came.append(now)
        if len(self._came) == MANY and now - self._came[0] < TOGETHER_SECONDS:
            self._until = now + MOMENT_SECONDS

    async def passed(self, seconds: float | None = None) -> None:
        """Wait until they are in, but not for longer than this, or PATIENCE_SECONDS."""
        clock = asyncio.get_running_loop().time
        patience = clock() + (PATIENCE_SECONDS if seconds is None else seconds)
        while (pause := min(self._until, patience) - clock()) > 0:  # noqa: ASYNC110  the moment moves
            await asyncio.sleep(pause)
