"""
Tortoise's SQLite, with fewer ways to a thread and back.

A row that an index finds takes SQLite some 20 us; to hand the question to a thread and the answer back takes ten times
as long. So only what may have to wait is left to the thread: taking the lock for writing, the commit, and what is
written outside of a transaction.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import aiosqlite
from tortoise.backends.base.client import TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
    translate_exceptions,
)
from tortoise.exceptions import TransactionManagementError

# How many statements SQLite keeps parsed for a connection; there are fewer.
STATEMENTS = 500


# Of the type that Tortoise gives to moments; its own way from text to a moment takes a hundred times as long.
sqlite3.register_converter("TIMESTAMP", lambda text: datetime.fromisoformat(text.decode()))


class Client(SqliteClient):
    """
    What is not asked within a transaction is read in the event loop, on a second connection.

    With the write-ahead log a reader waits for nobody, and sees what was committed last. When it can't read at once,
    the question goes to the thread, where waiting is possible.
    """

    _reading: sqlite3.Connection | None = None

    async def create_connection(self, with_db: bool) -> None:
        if self._connection:
            return
        options: dict[str, Any] = {"isolation_level": None, "cached_statements": STATEMENTS}
        options["detect_types"] = sqlite3.PARSE_DECLTYPES
        # Used by its thread and, within a transaction, by the event loop: by one of them at a time.
        self._connection = await aiosqlite.connect(self.filename, check_same_thread=False, **options)
        self._connection.row_factory = sqlite3.Row
        for name, value in self.pragmas.items():
            await self._connection.execute_fetchall(f"PRAGMA {name} = {value}")
        self._reading = sqlite3.connect(self.filename, timeout=0, **options)
        self._reading.row_factory = sqlite3.Row
        self._reading.execute("PRAGMA query_only = ON")

    async def close(self) -> None:
        if self._reading:
            self._reading.close()
            self._reading = None
        await super().close()

    def _in_transaction(self) -> TransactionContext:
        return SqliteTransactionContext(Transaction(self), self._lock)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        rows = self._read(query, values)
        if rows is None:
            return cast(tuple[int, Sequence[Any]], await super().execute_query(query, values))
        return len(rows), rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        rows = self._read(query, values)
        if rows is None:
            return cast(list[dict[str, Any]], await super().execute_query_dict(query, values))
        return list(map(dict, rows))

    def _read(self, query: str, values: list[Any] | None) -> list[Any] | None:
        """The rows; None when it is no question, or one that can't be answered at once."""
        if self._reading is None or "\0" in query or not query.lstrip().startswith("SELECT"):
            return None
        try:
            rows = self._reading.execute(query, values or ()).fetchall()
        except sqlite3.OperationalError:
            return None
        self.log.debug("%s: %s", query, values)
        return rows


class Transaction(SqliteTransactionWrapper):
    """It holds the lock for writing from the beginning; then nothing waits before the commit."""

    async def begin(self) -> None:
        try:
            if self._connection.in_transaction:  # one that could not be ended
                await self._connection.rollback()
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise TransactionManagementError(error) from error

    @translate_exceptions
    async def execute_insert(self, query: str, values: list[Any]) -> int:
        return self._execute(query, values).lastrowid or 0

    @translate_exceptions
    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        before = self._connection._conn.total_changes
        rows = self._execute(query, values).fetchall()
        return (self._connection._conn.total_changes - before) or len(rows), rows

    @translate_exceptions
    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        return list(map(dict, self._execute(query, values).fetchall()))

    def _execute(self, query: str, values: list[Any] | None) -> sqlite3.Cursor:
        self.log.debug("%s: %s", query, values)
        return self._connection._conn.execute(query.replace("\0", "'||CHAR(0)||'"), values or ())


client_class = Client
