"""
The adapter of Tortoise's SQLite: fewer ways to a thread and back, readers beside the one connection that writes.

A row that an index finds takes SQLite some 20 us, and a commit hardly more, as it only appends to the write-ahead log;
to hand a query to a thread and the answer back takes ten times as long. So a transaction stays in the event loop, and
so does a query of `fetch_inline`. Everything else is read in threads, several at a time, and stops nobody.
"""

import contextlib
import importlib.metadata
import sqlite3
from collections.abc import Sequence
from functools import cache
from inspect import signature
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

from webapp.db.readers import STATEMENT_CACHE_SIZE, Deadline, LimitedPool, Reader, ReaderPool

# Those whose private parts are used here, as pyproject.toml has them.
KNOWN_VERSIONS = {"tortoise-orm": "1.1.9", "aiosqlite": "0.22.1"}
# A query that takes longer in the event loop is interrupted, and read in a thread.
INLINE_SECONDS = 0.005
READ_SECONDS = 15.0
READERS, LIMITED_READERS = 4, 4
# A transaction of so many statements at most is committed in the event loop: posts to as many rooms as share one.
MAX_INLINE_STATEMENTS = 200
# After so many statements the log is written into the database: before SQLite would do it of itself, with a commit,
# when the log has a thousand pages. A transaction counts as some at least, as its single one may write many rows.
STATEMENTS_PER_CHECKPOINT, LEAST_PER_COMMIT = 300, 5


@cache
def problem() -> str | None:
    """Return why Tortoise's own engine has to be used; None where this one can be."""
    versions = {name: importlib.metadata.version(name) for name in KNOWN_VERSIONS}
    parts = signature(SqliteTransactionContext.__init__).parameters
    if versions == KNOWN_VERSIONS and list(parts) == ["self", "connection", "trxlock"]:
        return None
    found, known = ([f"{name} {version}" for name, version in one.items()] for one in (versions, KNOWN_VERSIONS))
    return f"found {', '.join(found)} in place of {', '.join(known)}: SQLite answers more slowly"


class Client(SqliteClient):
    """The connection that writes, and those that read."""

    _inline: Reader | None = None
    _readers: ReaderPool
    # Of their own: a search that takes its time leaves the threads of pages free.
    _limited: LimitedPool
    # Statements since the last checkpoint.
    written = 0

    async def create_connection(self, with_db: bool) -> None:
        if self._connection:
            return
        options: dict[str, Any] = {"isolation_level": None, "cached_statements": STATEMENT_CACHE_SIZE}
        options |= {"detect_types": sqlite3.PARSE_DECLTYPES}
        # Used by its thread and, within a transaction, by the event loop: by one of them at a time.
        self._connection = await aiosqlite.connect(self.filename, check_same_thread=False, **options)
        self._connection.row_factory = sqlite3.Row
        for name, value in self.pragmas.items():
            await self._connection.execute_fetchall(f"PRAGMA {name} = {value}")
        busy_seconds = self.pragmas["busy_timeout"] / 1000
        self._readers = ReaderPool(self.filename, READERS, busy_seconds)
        self._limited = LimitedPool(self.filename, LIMITED_READERS, busy_seconds)
        self._inline = Reader(self.filename)

    async def close(self) -> None:
        if self._inline:
            self._inline.close()
            self._inline = None
            await self._readers.close()
            await self._limited.close()
        await super().close()

    def _in_transaction(self) -> TransactionContext:
        return TransactionScope(Transaction(self), self._lock)

    async def _inline_reader(self) -> Reader:
        if self._inline is None:
            async with self.acquire_connection():
                assert self._inline
        return self._inline

    @translate_exceptions
    async def fetch_inline(self, query: str, values: list[Any]) -> Sequence[Any]:
        """Return the rows without leaving the event loop, if that takes no longer than INLINE_SECONDS."""
        reader = await self._inline_reader()
        self.log.debug("%s: %s", query, values)
        try:
            return reader.fetch(query, values, Deadline(INLINE_SECONDS))
        except sqlite3.OperationalError:  # it takes long, or waits for a lock
            return await self._readers.fetch(query, values, READ_SECONDS)

    @translate_exceptions
    async def fetch_all(self, query: str, values: list[Any]) -> Sequence[Any]:
        await self._inline_reader()
        self.log.debug("%s: %s", query, values)
        return await self._readers.fetch(query, values, READ_SECONDS)

    @translate_exceptions
    async def fetch_limited(self, query: str, values: list[Any], seconds: float) -> Sequence[Any]:
        await self._inline_reader()
        self.log.debug("%s: %s", query, values)
        return await self._limited.fetch(query, values, seconds)

    # What the ORM asks.

    @translate_exceptions
    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        if not query.lstrip().startswith("SELECT"):
            return cast(tuple[int, Sequence[Any]], await super().execute_query(query, values))
        rows = await self._read(query, values)
        return len(rows), rows

    @translate_exceptions
    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        if not query.lstrip().startswith("SELECT"):
            return cast(list[dict[str, Any]], await super().execute_query_dict(query, values))
        return list(map(dict, await self._read(query, values)))

    async def _read(self, query: str, values: list[Any] | None) -> Sequence[Any]:
        await self._inline_reader()
        self.log.debug("%s: %s", query, values)
        query = query.replace("\0", "'||CHAR(0)||'")  # as Tortoise does
        return await self._readers.fetch(query, values or (), READ_SECONDS, is_typed=True)


class TransactionScope(SqliteTransactionContext):
    """
    One transaction at a time. Tortoise's, with two repairs that belong upstream (seen with 1.1.9, on a full disk).

    SqliteTransactionContext.__aenter__ takes the lock and does not release it when BEGIN fails: nobody can write any
    more. Its __aexit__ leaves a transaction open whose COMMIT failed: it is committed with the next one, though its
    author got an error.
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
        # Nobody can write meanwhile, so the log is written whole and begins again.
        self._parent.written += max(self.count, LEAST_PER_COMMIT)
        if self._parent.written >= STATEMENTS_PER_CHECKPOINT:
            self._parent.written = 0
            with contextlib.suppress(sqlite3.Error):  # what was committed stays so
                await self._connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def rollback(self) -> None:
        self.rollback_now()
        self._finalized = True

    def rollback_now(self) -> None:
        """Undo what has not been committed."""
        with contextlib.suppress(sqlite3.Error):
            self._connection._conn.rollback()

    # Nothing of it is done in the thread: a call that is cancelled there runs on while it is undone here.

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
    async def fetch(self, query: str, values: list[Any]) -> Sequence[Any]:
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


async def fetch_inline(client: Any, query: str, values: list[Any]) -> Sequence[Any]:
    """Return the rows in the event loop, or, within a transaction, on its connection."""
    if isinstance(client, Transaction):
        return cast(Sequence[Any], await client.fetch(query, values))
    if isinstance(client, Client):
        return cast(Sequence[Any], await client.fetch_inline(query, values))
    return cast(Sequence[Any], (await client.execute_query(query, values))[1])


async def fetch_all(client: Any, query: str, values: list[Any]) -> Sequence[Any]:
    """Return the rows by a reader in a thread, or, within a transaction, on its connection."""
    if isinstance(client, Client):
        return cast(Sequence[Any], await client.fetch_all(query, values))
    return await fetch_inline(client, query, values)


async def fetch_limited(client: Any, query: str, values: list[Any], seconds: float) -> Sequence[Any]:
    """Return the rows by a reader that is interrupted after so many seconds, with TimeoutError."""
    if isinstance(client, Client):
        return cast(Sequence[Any], await client.fetch_limited(query, values, seconds))
    return await fetch_inline(client, query, values)


async def execute(client: Any, query: str, values: list[Any]) -> Sequence[Any]:
    """Write, and return the rows of RETURNING."""
    if isinstance(client, Transaction):
        return cast(Sequence[Any], await client.fetch(query, values))
    return cast(Sequence[Any], (await client.execute_query(query, values))[1])


client_class = Client
