"""The adapter of Tortoise's PostgreSQL: plain queries, a repair of its transactions, how it is connected to."""

import asyncio
import contextlib
import importlib.metadata
import secrets
from collections.abc import Sequence
from functools import cache, cached_property
from inspect import signature
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError

from webapp import settings
from webapp.db.readers import turn
from webapp.db.refusals import Shared

# The one whose private parts are used here, as pyproject.toml has it.
KNOWN_VERSION = "1.1.9"
# Of the ten connections of a process, so many at most are at work on what may take long.
LIMITED_CONNECTIONS = 4
# How much longer than the database itself is waited for it, where it has a time limit and does not hold it.
GRACE_SECONDS = 1.0
PLACE = ("host", "port", "user", "password", "database")
# Errors of a server that is away or overloaded which come through untranslated: while it shuts down or starts, when it
# has no connection left, when the database or the role of the URL does not exist.
DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# What a server that is there says to a statement, as of a table that is not there.
Refused = asyncpg.PostgresError


@cache
def problem() -> str | None:
    """Return why transactions begin in Tortoise's own way; None where its connections are known."""
    version, parts = importlib.metadata.version("tortoise-orm"), signature(TransactionContextPooled.__init__).parameters
    if version == KNOWN_VERSION and list(parts) == ["self", "client", "pool_init_lock"]:
        return None
    return f"found tortoise-orm {version} in place of {KNOWN_VERSION}: a frozen PostgreSQL may use up all connections"


async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
    """A connection to the database of the settings. Raises DBConnectionError where the system has none to give."""
    assert settings.POSTGRES
    try:
        return await asyncpg.connect(*args or [settings.POSTGRES.url(with_password=True)], **options)
    except OSError as error:  # of a socket, a name, a certificate: only here is it known that it is the database's
        seconds = settings.POSTGRES.connect_seconds
        raise DBConnectionError(str(error) or f"no connection within {seconds} seconds") from error


async def check_sessions() -> None:
    """Raise Shared where a pgbouncer gives each transaction another session, and asyncpg does not know."""
    if not settings.POSTGRES or settings.POSTGRES.statement_cache_size == 0:
        return
    name = f"parley_{secrets.token_hex(4)}"
    async with contextlib.AsyncExitStack() as stack:
        connections = [await connect(timeout=settings.POSTGRES.connect_seconds) for _ in range(2)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        try:
            for connection in connections:
                statement = await connection.prepare("SELECT 1", name=name)
                await statement.fetchval()  # only now is its session free for the other to be handed
        except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError):
            raise Shared(
                "The database is behind a pgbouncer that shares its connections (pool_mode=transaction). "
                "Add ?statement_cache_size=0 to DATABASE_URL, or use pool_mode=session."
            ) from None


# Compiling a query takes 50 ms and more, and no query of ours runs as long; PostgreSQL does it where it overestimates,
# above all before the first ANALYZE. Not as a parameter of the connection, which a pgbouncer refuses.
WITHOUT_JIT = """
SELECT set_config('jit', 'off', FALSE) FROM pg_settings
WHERE name = 'jit' AND source IN ('default', 'configuration file')"""


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """Where DATABASE_URL, the role or the database says something of `jit`, that counts."""
    assert settings.POSTGRES
    if settings.POSTGRES.statement_cache_size != 0:  # else the session is not ours: see check_sessions
        await connection.execute(WITHOUT_JIT)


async def leave_as_it_is(_: asyncpg.Connection) -> None:
    """
    A connection that goes back to the pool: it has no open transaction any more, and nothing else is ever set on one.
    asyncpg would ask the database to reset it after every statement, which takes as long as most statements.
    """


async def fetch_once(query: str) -> Sequence[Any]:
    """Return the rows of a query, by a connection of its own."""
    assert settings.POSTGRES
    # Without prepared statements, which a pgbouncer may not know.
    connection = await connect(timeout=settings.POSTGRES.connect_seconds, statement_cache_size=0)
    try:
        return cast(Sequence[Any], await connection.fetch(query))
    finally:
        await connection.close()


async def fetch(client: Any, query: str, values: Sequence[Any], seconds: float | None = None) -> Sequence[Any]:
    """
    Return the rows of a query, or of RETURNING; with a time limit, cancel it then and raise TimeoutError.

    Tortoise's `execute_query` drops the rows of a statement that writes, its `execute_query_dict` makes a dictionary
    of every row.
    """
    async with client.acquire_connection() as connection:
        client.log.debug("%s: %s", query, values)
        try:
            return cast(Sequence[Any], await connection.fetch(query, *values, timeout=seconds))
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
            raise OperationalError(error) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(error) from error


async def fetch_limited(client: Any, query: str, values: Sequence[Any], seconds: float) -> Sequence[Any]:
    """Return the rows of a query that only reads; raise TimeoutError after so many seconds, or without a turn."""
    if isinstance(client, Client):
        return await client.fetch_limited(query, values, seconds)
    return await fetch(client, query, values, seconds)


# A plan of its own for each query: one that is made for all values knows nothing of how common a word is.
_LIMITED = "SET LOCAL statement_timeout = {}; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off"


class Client(AsyncpgDBClient):
    @cached_property
    def _turns(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(LIMITED_CONNECTIONS)

    async def fetch_limited(self, query: str, values: Sequence[Any], seconds: float) -> Sequence[Any]:
        async with turn(self._turns), self.acquire_connection() as connection:
            self.log.debug("%s: %s", query, values)
            try:
                async with connection.transaction(readonly=True):
                    await connection.execute(_LIMITED.format(round(seconds * 1000)))
                    return cast(Sequence[Any], await connection.fetch(query, *values, timeout=seconds + GRACE_SECONDS))
            except asyncpg.QueryCanceledError as error:
                raise TimeoutError(f"a query took longer than {seconds} seconds") from error
            except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
                raise OperationalError(error) from error

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """By the URL, which has more to say of a connection than Tortoise passes on."""
        assert settings.POSTGRES
        options = {name: value for name, value in options.items() if name not in PLACE}
        url = settings.POSTGRES.url(with_password=True)
        return await asyncpg.create_pool(url, connect=connect, init=prepare_connection, **options)

    def _in_transaction(self) -> TransactionContext:
        if problem():
            return super()._in_transaction()
        return TransactionScope(TransactionWrapper(self), self._pool_init_lock)


class TransactionScope(TransactionContextPooled):
    """
    Tortoise's, with a repair that belongs upstream (seen with 1.1.9): TransactionContextPooled.__aenter__ takes a
    connection from the pool and does not give it back when BEGIN fails. After a server that was frozen for as long as
    a statement may take, the pool had none left, and nobody was answered any more.
    """

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """The pool makes another in its place: nobody knows in what state this one is."""
        if self.client._connection is None:
            return  # there was none to have
        get_connections().reset(self.token)
        with contextlib.suppress(asyncpg.InterfaceError):  # it has ended, and is back already
            self.client._connection.terminate()


client_class = Client
