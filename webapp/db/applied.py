"""Which migrations a database has; to ask that needs nothing of what applying one does."""

import contextlib
import pkgutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from webapp import migrations, settings
from webapp.db import engine
from webapp.db.refusals import TooNew

QUERY = "SELECT name FROM tortoise_migrations WHERE app = 'parley'"


async def are_all() -> bool:
    """Return whether the database has the migrations of this version, and no others; False where it can't be asked."""
    return set(_on_sqlite() if settings.ON_SQLITE else await _on_postgresql()) == _ours()


def _on_sqlite() -> list[str]:
    if not Path(settings.DATABASE_PLACE).exists():  # to open it would make it
        return []
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(settings.DATABASE_PLACE)) as file:
        return [name for (name,) in file.execute(QUERY)]
    return []


async def _on_postgresql() -> list[str]:
    from webapp.db import postgresql

    with contextlib.suppress(*engine.DOWN, postgresql.Refused):
        return [name for (name,) in await postgresql.fetch_once(QUERY)]
    return []


def _ours() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(migrations.__path__)}


def require_known(names: Iterable[str]) -> None:
    """Raise TooNew where migrations of these names are not ours."""
    if unknown := sorted(set(names) - _ours()):
        raise TooNew(unknown)
