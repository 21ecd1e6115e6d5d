"""Tortoise configuration for SQLite and PostgreSQL, and the one way to write in a transaction."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, cast

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, OperationalError
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from webapp import settings
from webapp.settings.database_url import Postgres

P = ParamSpec("P")
T = TypeVar("T")

MODELS = [
    "webapp.accounts.models",
    "webapp.accounts.sessions",
    "webapp.accounts.bans",
    "webapp.presence.models",
    "webapp.friends.models",
    "webapp.rooms.models",
    "webapp.messages.models",
    "webapp.strangers.models",
    "webapp.strangers.conduct",
    "webapp.leaving.export",
    "webapp.moderation.models",
    "webapp.moderation.decisions",
]
# What a database that is away or overloaded raises. Many of asyncpg's own errors come through untranslated: while it
# shuts down or starts, when it has no connection left, when the database or the role of the URL does not exist.
DOWN = (
    DBConnectionError,
    OperationalError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    # Of a connection that breaks, and of a statement that takes too long. No other OSError: what `connect` meets is
    # a DBConnectionError, and a file that is missing is not the database's fault.
    ConnectionError,
    TimeoutError,
)
POOL_SIZE = 10
STATEMENT_SECONDS = 15
BATCH = 500


def _postgres(postgres: Postgres) -> dict[str, Any]:
    credentials: dict[str, Any] = {
        # None is kept open for its own sake: asyncpg would say with a traceback that it can't while the server is away.
        "minsize": 0,
        "maxsize": POOL_SIZE,
        "timeout": postgres.connect_seconds,
        "command_timeout": STATEMENT_SECONDS,
        "reset": _leave_as_it_is,
    }
    if postgres.statement_cache_size is not None:
        credentials["statement_cache_size"] = postgres.statement_cache_size
    return {"engine": "webapp.postgresql", "credentials": credentials}


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """
    A connection that goes back to the pool: it has no open transaction any more, and nothing else is ever set on one.
    asyncpg would ask the database to reset it after every statement, which takes as long as most statements.
    """


def _sqlite() -> dict[str, Any]:
    path = settings.DATABASE_URL.removeprefix("sqlite://")
    pragmas = {"journal_mode": "WAL", "synchronous": "NORMAL", "foreign_keys": "ON", "busy_timeout": 10_000}
    pragmas["secure_delete"] = "ON"  # what is deleted is written over, not only let go of
    return {"engine": "webapp.sqlite", "credentials": {"file_path": path, **pragmas}}


def config(is_patient: bool = False) -> dict[str, Any]:
    """Tortoise's configuration for the database that the settings name; if patient, a statement may take any time."""
    connection = _postgres(settings.POSTGRES) if settings.POSTGRES else _sqlite()
    if is_patient and settings.POSTGRES:
        connection["credentials"]["command_timeout"] = None
    return {
        "connections": {"default": connection},
        "apps": {"parley": {"models": MODELS, "migrations": "webapp.migrations", "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def connection() -> BaseDBAsyncClient:
    """The connection of the current task: the transaction's when it is in one."""
    return get_connection("default")


def sql(query: str) -> str:
    """A query written with `?` for its parameters, in the way of the engine in use."""
    if settings.ON_SQLITE:
        return query
    numbers = iter(range(1, query.count("?") + 1))
    return re.sub(r"\?", lambda _: f"${next(numbers)}", query)


async def delete_where(found: QuerySet[Any]) -> int:
    """Delete what the query finds, in batches so small that nobody else waits for them; how many there were."""
    count = 0
    while some := await found.limit(BATCH).values_list("id", flat=True):
        count += await found.model.filter(id__in=some).delete()
    return count


async def rows(query: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of a query written with `?` for its parameters; what is a moment in them, `moment` tells."""
    if settings.ON_SQLITE:
        return list(map(dict, await found(query, list(parameters))))
    return await connection().execute_query_dict(sql(query), list(parameters))


async def found(query: str, values: list[Any]) -> Sequence[Any]:
    """What a question in the way of the engine finds, as rows of its own kind; a moment in them is as in `rows`."""
    client: Any = connection()
    if settings.ON_SQLITE:
        return cast(Sequence[Any], await client.execute_plain(query, values))
    return cast(Sequence[Any], (await client.execute_query(query, values))[1])


def marks(values: Collection[object]) -> str:
    """What stands for these values in a query for `rows`, as in `IN (?, ?, ?)`."""
    return ", ".join("?" * len(values))


def stored(moment: datetime) -> datetime | str:
    """A moment as a parameter of `rows`: SQLite keeps it as text, in the way of the ORM."""
    return str(moment) if settings.ON_SQLITE else moment


def moment(found: datetime | str) -> datetime:
    """A moment in what `rows` answers."""
    return found if isinstance(found, datetime) else datetime.fromisoformat(found)


def check_file() -> None:
    """Open the SQLite file once by itself: a first connection that fails leaves Tortoise's lock taken for ever."""
    path = config()["connections"]["default"]["credentials"]["file_path"]
    try:
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise DBConnectionError(f"{path}: {error}") from error


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[None]:
    """The database for a command: open within the block."""
    if settings.ON_SQLITE:
        check_file()
    await Tortoise.init(config=config())
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def scrub() -> None:
    """
    On SQLite: let nothing that was deleted be left in a file. In the database it was written over when it was
    deleted (secure_delete); the log of changes still has it, until it is written into the database and cut.
    """
    if settings.ON_SQLITE:
        await connection().execute_query("PRAGMA wal_checkpoint(TRUNCATE)")


_writing: set[asyncio.Task[Any]] = set()


async def transact(write: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """
    Run `write` in a transaction of its own task, to its end even when the caller is cancelled.

    A task cancelled between BEGIN and COMMIT would leave the connection locked for everybody.
    """

    return await asyncio.shield(to_its_end(alone(write, *args, **kwargs)))


async def alone(write: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in this task, which nobody may cancel."""
    async with in_transaction("default"):
        return await write(*args, **kwargs)


def to_its_end(writing: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Run it as a task that nobody cancels, and that `settle` waits for."""
    task = asyncio.create_task(writing)
    _writing.add(task)
    task.add_done_callback(_written)
    return task


def _written(task: asyncio.Task[Any]) -> None:
    _writing.discard(task)
    if not task.cancelled():
        task.exception()  # who asked may have gone, and nobody else is told: not a mistake of the program


async def settle() -> None:
    """Wait for the transactions whose callers have gone."""
    if _writing:
        await asyncio.wait(_writing, timeout=STATEMENT_SECONDS)
