"""
Tortoise's SQLite, with fewer ways to a thread and back.

A row that an index finds takes SQLite some 20 us, and a commit hardly more, as it only appends to the write-ahead log;
to hand a question to a thread and the answer back takes ten times as long. So only what has to wait is left to the
thread: for another process that writes, for the disk (a checkpoint, a long transaction), and what is written outside of
a transaction.
"""

import contextlib
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
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError

# How many statements SQLite keeps parsed for a connection; there are fewer.
STATEMENT_CACHE_SIZE = 500
# A transaction of so many statements at most is committed in the event loop: posts to as many rooms as share one.
MAX_INLINE_STATEMENTS = 200
# After so many statements the log is written into the database: before SQLite would do it of itself, with a commit,
# when the log has a thousand pages. A transaction counts as some at least, as its single one may write many rows.
STATEMENTS_PER_CHECKPOINT, LEAST_PER_COMMIT = 300, 5


# Of the type that Tortoise gives to moments; its own way from text to a moment takes a hundred times as long.
sqlite3.register_converter("TIMESTAMP", lambda text: datetime.fromisoformat(text.decode()))


class Client(SqliteClient):
    """
    What is not asked within a transaction is read in the event loop, on connections of its own.

    With the write-ahead log a reader waits for nobody, and sees what was committed last. When it can't read at once,
    the question goes to the thread, where waiting is possible.
    """

    _reading: sqlite3.Connection | None = None
    # The same without a look at the type of each column, which takes longer than to find a row.
    _reading_plain: sqlite3.Connection | None = None
    # Statements since the last checkpoint.
    written = 0

    async def create_connection(self, with_db: bool) -> None:
        if self._connection:
            return
        plain: dict[str, Any] = {"isolation_level": None, "cached_statements": STATEMENT_CACHE_SIZE}
        options = plain | {"detect_types": sqlite3.PARSE_DECLTYPES}
        # Used by its thread and, within a transaction, by the event loop: by one of them at a time.
        self._connection = await aiosqlite.connect(self.filename, check_same_thread=False, **options)
        self._connection.row_factory = sqlite3.Row
        for name, value in self.pragmas.items():
            await self._connection.execute_fetchall(f"PRAGMA {name} = {value}")
        self._reading, self._reading_plain = self._reader(options), self._reader(plain)

    def _reader(self, options: dict[str, Any]) -> sqlite3.Connection:
        reader: sqlite3.Connection = sqlite3.connect(self.filename, timeout=0, **options)
        reader.row_factory = sqlite3.Row
        reader.execute("PRAGMA query_only = ON")
        return reader

    async def close(self) -> None:
        for reader in filter(None, (self._reading, self._reading_plain)):
            reader.close()
        self._reading = self._reading_plain = None
        await super().close()

    def _in_transaction(self) -> TransactionContext:
        return TransactionScope(Transaction(self), self._lock)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        rows = self._read(self._reading, query, values)
        if rows is None:
            return cast(tuple[int, Sequence[Any]], await super().execute_query(query, values))
        return len(rows), rows

    async def execute_plain(self, query: str, values: list[Any]) -> Sequence[Any]:
        """The rows of a query with moments as the text that they are stored as."""
        rows = self._read(self._reading_plain, query, values)
        return (await super().execute_query(query, values))[1] if rows is None else rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        rows = self._read(self._reading, query, values)
        if rows is None:
            return cast(list[dict[str, Any]], await super().execute_query_dict(query, values))
        return list(map(dict, rows))

    def _read(self, reading: sqlite3.Connection | None, query: str, values: list[Any] | None) -> list[Any] | None:
        """The rows; None when it is no question, or one that can't be answered at once."""
        if reading is None or "\0" in query or not query.lstrip().startswith("SELECT"):
            return None
        try:
            rows = reading.execute(query, values or ()).fetchall()
        except sqlite3.OperationalError:
            return None
        self.log.debug("%s: %s", query, values)
        return rows


class TransactionScope(SqliteTransactionContext):
    """
    One transaction at a time. Tortoise's, with two things mended that a full disk brings about.

    When one could not begin, the lock was kept for ever. One that could not be committed was left open, and so would
    have been committed with the next, though its author was told that it is not stored.
    """

    connection: "Transaction"

    async def __aenter__(self) -> "Transaction":
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException as error:
            self._trxlock.release()
            if isinstance(error, sqlite3.Error):
                raise OperationalError(error) from error
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self.connection._finalized:
                await self.connection.commit()
        except sqlite3.Error as error:
            raise OperationalError(error) from error
        finally:
            self.connection.rollback_now()  # while nobody else can have begun
            get_connections().reset(self.token)
            self._trxlock.release()


class Transaction(SqliteTransactionWrapper):
    """It holds the lock for writing from the beginning; then nothing waits before the commit."""

    count = 0
    _parent: Client

    async def begin(self) -> None:
        self.rollback_now()  # one that was cut short while it waited to begin
        if not self._has_begun():
            await self._connection.execute("BEGIN IMMEDIATE")

    def _has_begun(self) -> bool:
        """Take the lock, if nobody has it."""
        ask = self._connection._conn.execute
        ask("PRAGMA busy_timeout = 0")
        try:
            ask("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        finally:
            ask(f"PRAGMA busy_timeout = {self._parent.pragmas['busy_timeout']}")
        return True

    async def commit(self) -> None:
        if not self._connection.in_transaction:  # an error may end it, even one that was caught
            raise OperationalError("the transaction was undone")
        if self.count > MAX_INLINE_STATEMENTS:
            return await super().commit()
        self._connection._conn.commit()
        self._finalized = True
        # Nobody can write meanwhile, so the log is written whole and begins anew.
        self._parent.written += max(self.count, LEAST_PER_COMMIT)
        if self._parent.written >= STATEMENTS_PER_CHECKPOINT:
            self._parent.written = 0
            with contextlib.suppress(sqlite3.Error):  # what was committed stays so
                await self._connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def rollback(self) -> None:
        self.rollback_now()
        self._finalized = True

    def rollback_now(self) -> None:
        """What has not been committed is gone."""
        with contextlib.suppress(sqlite3.Error):
            self._connection._conn.rollback()

    # Nothing of it is done in the thread: who is cut short there goes on while it is undone here.

    @translate_exceptions
    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        self.count += len(values)
        self._connection._conn.executemany(query, values)

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

    @translate_exceptions
    async def execute_plain(self, query: str, values: list[Any]) -> Sequence[Any]:
        return self._execute(query, values).fetchall()

    @translate_exceptions
    async def execute_script(self, query: str) -> None:
        """One statement after the other: `executescript` of sqlite3 commits what came before it."""
        statement = ""
        for part in query.split(";"):
            statement += f"{part};"
            if sqlite3.complete_statement(statement):  # else the semicolon is within a text or a comment
                self._execute(statement, None)
                statement = ""

    def _execute(self, query: str, values: list[Any] | None) -> sqlite3.Cursor:
        self.count += 1
        self.log.debug("%s: %s", query, values)
        return self._connection._conn.execute(query.replace("\0", "'||CHAR(0)||'"), values or ())


client_class = Client
