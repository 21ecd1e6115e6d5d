"""Connections to an SQLite file that only read: one for the event loop, some for threads."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import SimpleQueue
from time import perf_counter
from typing import Any

# How many statements SQLite stores parsed for a connection; there are fewer.
STATEMENT_CACHE_SIZE = 500
# SQLite asks after so many of its instructions whether it shall go on: they take some 0.2 ms.
CHECK_INTERVAL = 10_000
# The longest that a query with a time limit waits until another has ended: then it has taken too long.
TURN_SECONDS = 5.0


# Of the type that Tortoise gives to times; its own conversion of the text takes a hundred times as long.
sqlite3.register_converter("TIMESTAMP", lambda text: datetime.fromisoformat(text.decode()))


class Deadline:
    """When a query is interrupted, wherever it stands."""

    __slots__ = ("at", "reader")

    def __init__(self, seconds: float) -> None:
        self.at = perf_counter() + seconds
        self.reader: Reader | None = None

    @property
    def is_over(self) -> bool:
        return perf_counter() > self.at

    def end_now(self) -> None:
        self.at = 0.0
        if self.reader:
            self.reader.interrupt(self)


class Reader:
    """
    A connection that only reads, for one query at a time.

    With the write-ahead log it waits for nobody who writes, and sees what was committed last.
    """

    def __init__(self, path: str, busy_seconds: float = 0.0) -> None:
        self._path, self._busy_seconds = path, busy_seconds
        self._deadline = Deadline(0)
        # Held for moments alone: who is interrupted is the query of this deadline, and never the next.
        self._changing = threading.Lock()
        # The second converts times by the type of a column; to ask for the type takes longer than to find a row.
        self._plain, self._typed = self._open(0), self._open(sqlite3.PARSE_DECLTYPES)

    def _open(self, detect_types: int) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(
            self._path, self._busy_seconds, detect_types, None, False, cached_statements=STATEMENT_CACHE_SIZE
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(lambda: self._deadline.is_over, CHECK_INTERVAL)
        return connection

    def fetch(self, query: str, values: Sequence[Any], deadline: Deadline, is_typed: bool = False) -> list[sqlite3.Row]:
        """Return the rows; raise OperationalError where the query fails, waits for a lock or is interrupted."""
        with self._changing:
            self._deadline, deadline.reader = deadline, self
        try:
            return (self._typed if is_typed else self._plain).execute(query, values).fetchall()
        finally:
            with self._changing:
                deadline.reader = None

    def interrupt(self, deadline: Deadline) -> None:
        """End the query of this deadline, from any thread."""
        with self._changing:
            if deadline.reader is self:
                self._plain.interrupt()
                self._typed.interrupt()

    def close(self) -> None:
        self._plain.close()
        self._typed.close()


class ReaderPool:
    """Readers in threads, opened when they are used; who comes when all are taken waits."""

    def __init__(self, path: str, size: int, busy_seconds: float) -> None:
        self._path, self._busy_seconds = path, busy_seconds
        self._threads = ThreadPoolExecutor(size, "sqlite reader")
        self._idle = SimpleQueue[Reader]()
        self._reading = set[Deadline]()

    async def fetch(
        self, query: str, values: Sequence[Any], seconds: float, is_typed: bool = False
    ) -> list[sqlite3.Row]:
        """Return the rows; raise TimeoutError after so many seconds of reading. A cancelled query is interrupted."""
        return await self._run(query, values, Deadline(seconds), seconds, is_typed)

    async def _run(
        self, query: str, values: Sequence[Any], deadline: Deadline, seconds: float, is_typed: bool
    ) -> list[sqlite3.Row]:
        self._reading.add(deadline)
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._fetch, query, values, deadline, seconds, is_typed
        )
        try:
            return await work
        except sqlite3.OperationalError as error:
            if deadline.is_over:
                raise TimeoutError(f"a query took longer than {seconds} seconds") from error
            raise
        finally:
            self._reading.discard(deadline)
            if work.cancelled():
                deadline.end_now()

    def _fetch(
        self, query: str, values: Sequence[Any], deadline: Deadline, seconds: float, is_typed: bool
    ) -> list[sqlite3.Row]:
        if deadline.at:
            deadline.at = perf_counter() + seconds  # it has waited for a thread until now
        reader = Reader(self._path, self._busy_seconds) if self._idle.empty() else self._idle.get()
        try:
            return reader.fetch(query, values, deadline, is_typed)
        finally:
            self._idle.put(reader)

    async def close(self) -> None:
        """Interrupt what is being read, and close the connections."""
        for deadline in self._reading:
            deadline.end_now()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()


@contextlib.asynccontextmanager
async def turn(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    """Wait for one of the turns and hold it; raise TimeoutError after TURN_SECONDS."""
    async with asyncio.timeout(TURN_SECONDS):
        await turns.acquire()
    try:
        yield
    finally:
        turns.release()


class LimitedPool(ReaderPool):
    """
    Readers for what may take long. Who comes when all are taken does not wait for ever.

    A clock of the event loop interrupts them: a full-text MATCH is one of SQLite's instructions, however long it takes,
    and by counting those it would never be asked whether it shall go on (seen: 2.9 s, of 0.9 allowed).
    """

    def __init__(self, path: str, size: int, busy_seconds: float) -> None:
        super().__init__(path, size, busy_seconds)
        self._turns = asyncio.Semaphore(size)

    async def fetch(
        self, query: str, values: Sequence[Any], seconds: float, is_typed: bool = False
    ) -> list[sqlite3.Row]:
        async with turn(self._turns):
            deadline = Deadline(seconds)
            clock = asyncio.get_running_loop().call_later(seconds, deadline.end_now)
            try:
                return await self._run(query, values, deadline, seconds, is_typed)
            finally:
                clock.cancel()
