"""Bringing the schema up to date: one migration after the other, each in one transaction with its note."""

import asyncio
import contextlib
import gc
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any

from tortoise import Tortoise
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.migration import Migration
from tortoise.migrations.operations import AddField, AddIndex, CreateModel, RunPython, RunSQL
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor, BaseSchemaEditor, SqliteSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.transactions import in_transaction

from webapp import migrations, settings
from webapp.core import data_folder
from webapp.db import engine, sql

LOCK = 0x5061726C6579  # "Parley", any number that is ours alone
# Two processes that migrate at once would each work out the models again for each migration of the other, which takes
# longer than to apply one: the one that sees that another has applied some waits, as long as more of them are.
WAIT_SECONDS = 1.0
# The operations that never ask what the models were like before them, or do not change the models.
FORWARD_ONLY = (CreateModel, AddField, AddIndex, RunPython, RunSQL)


class TooNew(Exception):
    """The database holds migrations that this version lacks. It would not respect what they are for (bans, blocks)."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"The database is of a newer Parley than this one: it has {', '.join(names)}. "
            "Install the newer version again, or restore a backup from before the upgrade."
        )


class Stuck(Exception):
    """A migration that the database refuses."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            f"The database could not be brought up to date: {name} ended with: {error}. "
            "Nothing of it was stored. Mend the cause and start again: it goes on from there."
        )


async def migrate(config: dict[str, Any] | None = None, until: str | None = None) -> list[str]:
    """
    Apply what is missing, at most up to the migration `until`; return their names. Raises TooNew and Stuck.

    Whenever the process is killed, the next start continues behind the last whole migration. Two that start together
    take turns.
    """
    config = config or engine.config(is_patient=True)
    with data_folder.locked() if settings.ON_SQLITE else contextlib.nullcontext():
        if settings.ON_SQLITE:
            engine.check_file()
        await Tortoise.init(config=config)
        try:
            migrator = _Migrator(config["apps"])
            with _collecting_by_hand():
                while await migrator.apply_next(until):
                    gc.collect()
                    if migrator.has_rival:
                        await asyncio.sleep(WAIT_SECONDS)
        finally:
            await Tortoise.close_connections()
    return migrator.names


@contextlib.contextmanager
def _collecting_by_hand() -> Iterator[None]:
    """
    Have no cycles collected meanwhile but by `gc.collect`.

    A state of the models is thousands of classes, each a cycle: to collect after each migration takes a quarter of the
    whole time less, and 5 MB more.
    """
    gc.freeze()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Migrator:
    """The executor of Tortoise commits a migration and its note apart: killed in between, it could never go on."""

    def __init__(self, apps: dict[str, Any]) -> None:
        self.apps = apps
        self.names: list[str] = []
        # What the models are like when these have been applied; to find out takes longer than to apply them.
        self._applied: set[MigrationKey] = set()
        self._state: State | None = None
        # Whether another process has applied migrations since this one did.
        self.has_rival = False

    async def apply_next(self, until: str | None) -> bool:
        """Apply one migration, if one is missing and no other process applies them; return whether one was missing."""
        async with in_transaction("default") as client:
            if not settings.ON_SQLITE:
                # Held to the end of the transaction by the connection that migrates, also behind a pgbouncer.
                await client.execute_query("SELECT pg_advisory_xact_lock($1)", [LOCK])
            executor = MigrationExecutor(client, self.apps)
            name = "the table of migrations"
            try:
                await executor.recorder.ensure_schema(_schema_editor(executor))
                steps, applied = await _steps(executor), executor.loader.applied_migrations
                if not steps or until in {key.name for key in applied}:
                    return False
                self.has_rival = bool(self._applied) and applied != self._applied
                if self.has_rival:
                    self._applied, self._state = applied, None
                    return True
                name = steps[0].name
                await self._apply(executor, steps[0], applied)
            except TooNew:
                raise
            except Exception as error:
                raise Stuck(name, error) from error
        self.names.append(name)
        return True

    async def _apply(self, executor: MigrationExecutor, migration: Migration, applied: set[MigrationKey]) -> None:
        if self._state is None:  # the first, or another process was there meanwhile
            self._state = await _state_after(executor, applied)
        await _run(migration, self._state, _schema_editor(executor))
        await executor.recorder.record_applied(migration.app_label, migration.name)
        self._applied = applied | {MigrationKey(migration.app_label, migration.name)}


def _schema_editor(executor: MigrationExecutor) -> BaseSchemaEditor:
    return (SqliteSchemaEditor if settings.ON_SQLITE else AsyncpgSchemaEditor)(executor.connection)


async def _run(migration: Migration, state: State, editor: BaseSchemaEditor) -> None:
    """As `Migration.apply`, which copies all models for each operation: half of the time that all migrations take."""
    for operation in migration.operations:
        before = state if isinstance(operation, FORWARD_ONLY) else state.clone()
        operation.state_forward(migration.app_label, state)
        await operation.database_forward(migration.app_label, before, state, editor)
    state.validate_relations_initialized()


async def _state_after(executor: MigrationExecutor, applied: set[MigrationKey]) -> State:
    """Return what the models are like when these migrations have been applied."""
    graph = executor.loader.graph
    state = State(
        models={}, apps=StateApps(default_connections={name: "default" for name in executor.loader.apps_config})
    )
    for leaf in graph.leaf_nodes():
        for key in graph.forwards_plan(leaf):
            migration = graph.nodes[key]
            if key in applied and migration:
                await migration.apply(state, dry_run=True, schema_editor=None)
    return state


async def missing() -> list[str]:
    """The names of the migrations that the open database lacks. Raises TooNew."""
    await sql.fetch_all("SELECT 1")  # the executor takes a database that is away for an empty one
    return [step.name for step in await _steps(MigrationExecutor(sql.connection(), engine.config()["apps"]))]


async def _steps(executor: MigrationExecutor) -> list[Migration]:
    steps = await executor.plan()
    require_known(key.name for key in executor.loader.applied_migrations if key not in executor.loader.graph.nodes)
    return [step.migration for step in steps]


def require_known(names: Iterable[str]) -> None:
    """Raise TooNew where migrations of these names are not ours."""
    ours = {module.name for module in pkgutil.iter_modules(migrations.__path__)}
    if unknown := sorted(set(names) - ours):
        raise TooNew(unknown)
