"""Plain SQL for both engines, and the database's clock."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.queryset import QuerySet

from webapp import settings
from webapp.db import sqlite

if not settings.ON_SQLITE:  # else what it needs is not loaded
    from webapp.db import postgresql

DELETE_BATCH_SIZE = 500


class Row(Protocol):
    """A row of either engine: its values in order, or by the names of their columns."""

    def __getitem__(self, key: int | str, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def keys(self) -> Iterable[str]: ...


def connection() -> BaseDBAsyncClient:
    """The connection of the current task: the transaction's when it is in one."""
    return get_connection("default")


def is_sqlite(client: BaseDBAsyncClient) -> bool:
    return bool(client.capabilities.dialect == "sqlite")


@lru_cache(maxsize=1000)
def for_engine(query: str) -> str:
    """Return a query written with `?` for its values as the engine in use takes it."""
    if settings.ON_SQLITE:
        return query
    numbers = iter(range(1, query.count("?") + 1))
    return re.sub(r"\?", lambda _: f"${next(numbers)}", query)


async def delete_in_batches(found: QuerySet[Any]) -> int:
    """Delete what the query finds, in batches so small that nobody else waits for them; how many there were."""
    count = 0
    while some := await found.limit(DELETE_BATCH_SIZE).values_list("id", flat=True):
        count += await found.model.filter(id__in=some).delete()
    return count


# Rows are read in one of three ways, by the name of the function, on the transaction's connection within one. A row is
# read by the name or the place of a column; a time in it is what `from_db` makes a datetime of.


async def fetch_inline(query: str, *values: object) -> Sequence[Row]:
    """
    Return the rows of a query written with `?` for its values; on SQLite without leaving the event loop.

    Only for queries whose rows an index finds and bounds, or LIMIT does: each is explained in tests/test_queries.py.
    """
    client = connection()
    if is_sqlite(client):
        return await sqlite.fetch_inline(client, query, list(values))
    return await postgresql.fetch(client, for_engine(query), values)


async def fetch_all(query: str, *values: object) -> Sequence[Row]:
    """Return the rows of any query; on SQLite it is read in a thread, so that nobody waits for it."""
    client = connection()
    if is_sqlite(client):
        return await sqlite.fetch_all(client, query, list(values))
    return await postgresql.fetch(client, for_engine(query), values)


async def fetch_limited(query: str, *values: object, seconds: float) -> Sequence[Row]:
    """Return the rows of a query that may take long, and only reads; raise TimeoutError after so many seconds."""
    client = connection()
    if is_sqlite(client):
        return await sqlite.fetch_limited(client, query, list(values), seconds)
    return await postgresql.fetch_limited(client, for_engine(query), values, seconds)


async def execute(query: str, *values: object) -> Sequence[Row]:
    """Write, and return the rows of RETURNING. Outside of a transaction it is one of its own."""
    client = connection()
    if is_sqlite(client):
        return await sqlite.execute(client, query, list(values))
    return await postgresql.fetch(client, for_engine(query), values)


def placeholders(values: Collection[object]) -> str:
    """Return what stands for these values in a query, as in `IN (?, ?, ?)`."""
    return ", ".join("?" * len(values))


def to_db(moment: datetime) -> datetime | str:
    """Return a time as the value of a query: in SQLite it is text, written as the ORM does."""
    return str(moment) if settings.ON_SQLITE else moment


def from_db(found: datetime | str) -> datetime:
    """Return the time that a row holds."""
    return found if isinstance(found, datetime) else datetime.fromisoformat(found)


T = TypeVar("T", int, tuple[int, int])
BATCH_SIZE = 500
# The one clock that all processes share is the database's.
NOW = "CAST(strftime('%s', 'now') AS INTEGER)" if settings.ON_SQLITE else "CAST(extract(epoch FROM now()) AS BIGINT)"


def batches(things: Collection[T]) -> Iterator[list[T]]:
    """In pieces that one statement can take, and always in one order: two that write the same rows do not lock up."""
    ordered = sorted(things)
    return (ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE))


# All times here are milliseconds since 1970 on the one clock that all processes share, which is the database's.
CLOCK = (
    "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT)"
    if settings.ON_SQLITE
    else "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
)
