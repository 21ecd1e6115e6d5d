"""Work that takes a core for a while: a few threads, and a bounded queue before them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from webapp.core.errors import Unavailable
from webapp.core.i18n import Text

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Never more than `threads` at once, so that messages still flow; of more than `most` the last are refused."""

    def __init__(self, name: str, threads: int, most: int, refusal: Text) -> None:
        self.most, self.refusal = most, refusal
        self._threads = ThreadPoolExecutor(threads, name)
        self._count = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raise Unavailable when there is no room."""
        if self._count >= self.most:
            raise Unavailable(self.refusal)
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._count -= 1
