"""The connection of SQLite that writes: it knows whether its thread uses it."""

import sqlite3
from typing import Any

import aiosqlite

ROWS_PER_FETCH = 64


class Writer(aiosqlite.Connection):
    """Used by its thread and, within a transaction, by the event loop: by one of them at a time."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(path, check_same_thread=False, **options), ROWS_PER_FETCH)
        # Each is counted by one thread alone.
        self._begun = self._ended = 0

    @property
    def connection(self) -> sqlite3.Connection:
        return self._conn

    @property
    def is_busy(self) -> bool:
        """Whether the thread has something to do; one whose caller was cancelled does it all the same."""
        return self._begun != self._ended

    async def _execute(self, fn, *args, **kwargs):  # type: ignore[no-untyped-def]
        def counted() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._ended += 1

        self._begun += 1
        return await super()._execute(counted)  # type: ignore[no-untyped-call]
