"""Bringing the schema up to date: one migration after the other, each in one transaction with its note."""

import asyncio
import contextlib
import gc
from typing import Any

from tortoise import Tortoise

from webapp import settings
from webapp.core import data_folder
from webapp.db import applied, engine, sql

# Two processes that migrate at once would each work out the models again for each migration of the other, which takes
# longer than to apply one: the one that sees that another has applied some waits, as long as more of them are.
WAIT_SECONDS = 1.0


async def migrate(config: dict[str, Any] | None = None, until: str | None = None) -> list[str]:
    """
    Apply what is missing, at most up to the migration `until`; return their names. Raises TooNew and Stuck.

    Whenever the process is killed, the next start continues behind the last whole migration. Two that start together
    take turns.
    """
    if not (config or until) and await applied.are_all():  # as at nearly every start
        return []
    from webapp.db.migrator import Migrator, collecting_by_hand  # here, so that such a start goes without

    config = config or engine.config(is_patient=True)
    with data_folder.locked() if settings.ON_SQLITE else contextlib.nullcontext():
        if settings.ON_SQLITE:
            engine.check_file()
        await Tortoise.init(config=config)
        try:
            migrator = Migrator(config["apps"])
            with collecting_by_hand():
                while await migrator.apply_next(until):
                    gc.collect()
                    if migrator.has_rival:
                        await asyncio.sleep(WAIT_SECONDS)
        finally:
            await Tortoise.close_connections()
    return migrator.names


async def missing() -> list[str]:
    """The names of the migrations that the open database lacks. Raises TooNew."""
    from webapp.db.migrator import missing_on

    await sql.fetch_all("SELECT 1")  # the executor takes a database that is away for an empty one
    return await missing_on(sql.connection(), engine.config()["apps"])
