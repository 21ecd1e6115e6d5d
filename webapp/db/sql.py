"""Plain SQL for both engines, and the database's clock."""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.queryset import QuerySet

from webapp import settings

DELETE_BATCH_SIZE = 500


def connection() -> BaseDBAsyncClient:
    """The connection of the current task: the transaction's when it is in one."""
    return get_connection("default")


def for_engine(query: str) -> str:
    """A query written with `?` for its parameters, in the way of the engine in use."""
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


async def rows(query: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of a query written with `?` for its parameters; what is a moment in them, `moment` tells."""
    if settings.ON_SQLITE:
        return list(map(dict, await found(query, list(parameters))))
    return await connection().execute_query_dict(for_engine(query), list(parameters))


async def found(query: str, values: list[Any]) -> Sequence[Any]:
    """What a question in the way of the engine finds, as rows of its own kind; a moment in them is as in `rows`."""
    client: Any = connection()
    if settings.ON_SQLITE:
        return cast(Sequence[Any], await client.execute_plain(query, values))
    return cast(Sequence[Any], (await client.execute_query(query, values))[1])


def placeholders(values: Collection[object]) -> str:
    """What stands for these values in a query for `rows`, as in `IN (?, ?, ?)`."""
    return ", ".join("?" * len(values))


def to_db(moment: datetime) -> datetime | str:
    """A moment as a parameter of `rows`: SQLite keeps it as text, in the way of the ORM."""
    return str(moment) if settings.ON_SQLITE else moment


def from_db(found: datetime | str) -> datetime:
    """A moment in what `rows` answers."""
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
