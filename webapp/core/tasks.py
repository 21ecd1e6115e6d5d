"""How tasks end."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 1.0


async def cancel_and_wait(tasks: "Collection[asyncio.Future[Any]]") -> None:
    """
    Cancel them, and wait until they have ended.

    More than once when need be: a task that is cancelled while something it waits for fails may hear of the failure
    alone, and go on. Without that the process would wait for it for ever.
    """
    while left := {task for task in tasks if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.sleep(0)  # so that the callbacks of their owners have run, too
