"""The executor of migrations: one after the other, each in one transaction with its note."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.migration import Migration
from tortoise.migrations.operations import AddField, AddIndex, CreateModel, RunPython, RunSQL
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor, BaseSchemaEditor, SqliteSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.transactions import in_transaction

from webapp import settings
from webapp.db.applied import require_known
from webapp.db.refusals import Stuck, TooNew

LOCK = 0x5061726C6579  # "Parley", any number that is ours alone
# The operations that never ask what the models were like before them, or do not change the models.
FORWARD_ONLY = (CreateModel, AddField, AddIndex, RunPython, RunSQL)


@contextlib.contextmanager
def collecting_by_hand() -> Iterator[None]:
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


class Migrator:
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


async def missing_on(connection: BaseDBAsyncClient, apps: dict[str, Any]) -> list[str]:
    """The names of the migrations that the database lacks. Raises TooNew."""
    return [step.name for step in await _steps(MigrationExecutor(connection, apps))]


async def _steps(executor: MigrationExecutor) -> list[Migration]:
    steps = await executor.plan()
    require_known(key.name for key in executor.loader.applied_migrations if key not in executor.loader.graph.nodes)
    return [step.migration for step in steps]
