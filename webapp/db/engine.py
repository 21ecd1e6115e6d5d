"""Tortoise configuration for SQLite and PostgreSQL, and the one way to write in a transaction."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from tortoise import Tortoise
from tortoise.exceptions import DBConnectionError, OperationalError

from webapp import settings
from webapp.core.faults import faults, logger
from webapp.db import sqlite
from webapp.db.sql import connection
from webapp.settings.database_url import Postgres

if not settings.ON_SQLITE:  # else what it needs is not loaded
    from webapp.db import postgresql

MODELS = [
    "webapp.accounts.models",
    "webapp.accounts.sessions",
    "webapp.accounts.bans",
    "webapp.accounts.audit",
    "webapp.presence.models",
    "webapp.ops.chores",
    "webapp.relationships.models",
    "webapp.conversations.models",
    "webapp.invitations.models",
    "webapp.files.models",
    "webapp.messages.models",
    "webapp.strangers.models",
    "webapp.strangers.conduct",
    "webapp.exports.jobs",
    "webapp.moderation.models",
    "webapp.moderation.sealed",
]


# What a database that is away or overloaded raises.
DOWN: tuple[type[Exception], ...] = (
    DBConnectionError,
    OperationalError,
    # Of a connection that breaks, and of a statement that takes too long. No other OSError: what `connect` meets is
    # a DBConnectionError, and a file that is missing is not the database's fault.
    ConnectionError,
    TimeoutError,
    *(() if settings.ON_SQLITE else postgresql.DOWN),
)


POOL_SIZE = 10
STATEMENT_SECONDS = 15


def _postgres(postgres: Postgres) -> dict[str, Any]:
    credentials: dict[str, Any] = {
        # None stays open while idle: asyncpg would log a traceback for each while the server is away.
        "minsize": 0,
        "maxsize": POOL_SIZE,
        "timeout": postgres.connect_seconds,
        "command_timeout": STATEMENT_SECONDS,
        "reset": postgresql.leave_as_it_is,
    }
    if postgres.statement_cache_size is not None:
        credentials["statement_cache_size"] = postgres.statement_cache_size
    return {"engine": "webapp.db.postgresql", "credentials": credentials}


def _sqlite() -> dict[str, Any]:
    path = settings.DATABASE_URL.removeprefix("sqlite://")
    pragmas = {"journal_mode": "WAL", "synchronous": "NORMAL", "foreign_keys": "ON", "busy_timeout": 10_000}
    pragmas["secure_delete"] = "ON"  # what is deleted is overwritten, not only unlinked
    own = "tortoise.backends.sqlite" if sqlite.problem() else "webapp.db.sqlite"
    return {"engine": own, "credentials": {"file_path": path, **pragmas}}


def problem() -> str | None:
    """Return why the database is asked in Tortoise's own way, which is slower; None where it is asked in ours."""
    return sqlite.problem() if settings.ON_SQLITE else postgresql.problem()


async def check_sessions() -> None:
    """On PostgreSQL: raise Shared where a pgbouncer gives each transaction another session, which nobody knows of."""
    if not settings.ON_SQLITE:
        await postgresql.check_sessions()


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


def check_file() -> None:
    """Open the SQLite file once by itself: a first connection that fails leaves Tortoise's lock taken for ever."""
    path = config()["connections"]["default"]["credentials"]["file_path"]
    try:
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise DBConnectionError(f"{path}: {error}") from error


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """The database for a command: open within the block."""
    if settings.ON_SQLITE:
        check_file()
    await Tortoise.init(config=config())
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def checkpoint() -> None:
    """On SQLite: write the log of changes into the database, in a thread; a large one would stop the next post."""
    if settings.ON_SQLITE:
        await connection().execute_query("PRAGMA wal_checkpoint(PASSIVE)")


async def scrub() -> None:
    """
    On SQLite: let nothing that was deleted be left in a file. In the database it was written over when it was
    deleted (secure_delete); the log of changes still has it, until it is written into the database and cut.
    """
    if settings.ON_SQLITE:
        await connection().execute_query("PRAGMA wal_checkpoint(TRUNCATE)")


def report_failure(what: str, error: Exception) -> None:
    """Something could not be read or written, and is tried again: because of the database, or of a mistake of ours."""
    if isinstance(error, DOWN):
        faults().database.report(error)
    else:
        logger.warning("%s, trying again: %r", what, error)
