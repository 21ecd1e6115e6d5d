"""Tortoise's PostgreSQL, with one thing mended, and how it is connected to."""

import contextlib
import secrets
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError

from webapp import settings

PLACE = ("host", "port", "user", "password", "database")


async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
    """A connection to the database of the settings. Raises DBConnectionError where the system has none to give."""
    assert settings.POSTGRES
    try:
        return await asyncpg.connect(*args or [settings.POSTGRES.url(with_password=True)], **options)
    except OSError as error:  # of a socket, a name, a certificate: only here is it known that it is the database's
        seconds = settings.POSTGRES.connect_seconds
        raise DBConnectionError(str(error) or f"no connection within {seconds} seconds") from error


class Shared(Exception):
    """Something between us and the database hands our statements to sessions that are not ours alone."""


async def check_sessions() -> None:
    """Raise Shared where a pgbouncer gives each transaction another session, and asyncpg has not been told so."""
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


class Client(AsyncpgDBClient):
    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """By the URL, which has more to say of a connection than Tortoise passes on."""
        assert settings.POSTGRES
        options = {name: value for name, value in options.items() if name not in PLACE}
        url = settings.POSTGRES.url(with_password=True)
        return await asyncpg.create_pool(url, connect=connect, init=prepare_connection, **options)

    def _in_transaction(self) -> TransactionContext:
        return TransactionScope(TransactionWrapper(self), self._pool_init_lock)


class TransactionScope(TransactionContextPooled):
    """
    Tortoise's kept the connection of a transaction that could not begin for ever: after a server that was frozen for
    as long as a statement may take, the pool had none left, and nobody was answered any more.
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
