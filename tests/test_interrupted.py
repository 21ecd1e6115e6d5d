"""
A migration that is killed before any of its statements: the next start finishes it by itself, and every row is there.

This file is also the program that the tests run, one for each engine: it forks a process for each kill, as to import
everything anew would take longer than what is tried. By hand, on a database of one's own (SQLite: a file that is
named in DATABASE_URL; PostgreSQL: a database that nobody else uses): `python -m tests.test_interrupted 1`.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.sample_rows import CONTENT, insert
from tests.servers import ROOT, Postgres
from webapp import __main__, settings
from webapp.db import engine
from webapp.db import migrate as schema

assert __main__  # imported for what it takes out of Tortoise, as it is in the command

ROWS = "SELECT id, room_id, number, body FROM message ORDER BY id"
TABLES = {
    True: "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name",
    False: """SELECT table_name || '.' || column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'public' UNION ALL SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' ORDER BY 1""",
}


class SQLite:
    """The database as it was before, as a copy of the file."""

    path = Path(settings.DATABASE_URL.removeprefix("sqlite://"))
    seed = path.with_suffix(".seed")

    def store(self) -> None:
        assert self.query("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
        shutil.copy(self.path, self.seed)

    def reset(self) -> None:
        for end in ("-wal", "-shm"):
            Path(f"{self.path}{end}").unlink(missing_ok=True)
        shutil.copy(self.seed, self.path)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as opened:
            return opened.execute(sql).fetchall()

    def count_statements(self, before: Callable[[], None]) -> None:
        connect = sqlite3.connect

        def traced(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)
            connection.set_trace_callback(lambda _: before())
            return connection

        sqlite3.connect = traced


class PostgreSQL:
    """The database as it was before, as a database beside it."""

    def __init__(self) -> None:
        self.address, _, self.name = settings.DATABASE_URL.rpartition("/")

    def store(self) -> None:
        self._copy(self.name, f"{self.name}_seed")

    def reset(self) -> None:
        self._copy(f"{self.name}_seed", self.name)

    def _copy(self, source: str, target: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)", "postgres")
        self._run(f"CREATE DATABASE {target} TEMPLATE {source}", "postgres")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._run(sql, self.name)

    def _run(self, sql: str, name: str) -> list[tuple[Any, ...]]:
        async def run() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(f"{self.address}/{name}")
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return asyncio.run(run())

    def count_statements(self, before: Callable[[], None]) -> None:
        for name in ("execute", "_execute", "_executemany"):
            plain = getattr(asyncpg.Connection, name)

            def counted(*args: Any, plain: Any = plain, **options: Any) -> Any:
                before()
                return plain(*args, **options)

            setattr(asyncpg.Connection, name, counted)


def forked(work: Callable[[], None]) -> int:
    """Run it in a process of its own; how that ended, as for `subprocess`."""
    if not (pid := os.fork()):
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def migrate() -> None:
    asyncio.run(schema.migrate())


async def seed() -> None:
    """The first schema that there was, with people in it."""
    await schema.migrate(until="0001_initial")
    async with engine.connected():
        for table, rows in CONTENT.items():
            for row in rows:
                await insert(table, row)


def try_all(step: int) -> dict[str, object]:
    """Kill a migration before every `step`-th statement, and finish it each time."""
    engine = SQLite() if settings.ON_SQLITE else PostgreSQL()
    engine.store()
    rows = engine.query(ROWS)
    assert forked(migrate) == 0
    tables = engine.query(TABLES[settings.ON_SQLITE])
    kills, wrong = 0, list[str]()
    for number in range(1, sys.maxsize, step):
        engine.reset()

        def migrate_until_killed(number: int = number) -> None:
            left = iter(range(number - 1, -1, -1))
            engine.count_statements(lambda: next(left) or os.kill(os.getpid(), signal.SIGKILL))
            migrate()

        ended = forked(migrate_until_killed)
        kills += ended == -signal.SIGKILL
        if forked(migrate) != 0:
            wrong.append(f"{number}: does not start again")
        if engine.query(ROWS) != rows:
            wrong.append(f"{number}: not every row is there")
        if engine.query(TABLES[settings.ON_SQLITE]) != tables:
            wrong.append(f"{number}: the schema is another")
        if ended == 0:
            return {"kills": kills, "rows": len(rows), "wrong": wrong}
    raise AssertionError


def result_of(folder: Path, url: str, step: int) -> dict[str, Any]:
    env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.test_interrupted", str(step), "seed"]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


# In the ordinary run a few statements, on a stride that meets different ones of each migration.
STEPS = [211, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_migration_on_sqlite_is_finished_by_the_next_start(tmp_path: Path, step: int) -> None:
    result = result_of(tmp_path, f"sqlite://{tmp_path}/parley.sqlite3", step)
    assert result["kills"] > 100 / step
    assert (result["rows"], result["wrong"]) == (40, [])


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_migration_on_postgresql_is_finished_by_the_next_start(
    tmp_path: Path, postgres_server: Postgres, step: int
) -> None:
    result = result_of(tmp_path, postgres_server.create(), step)
    assert result["kills"] > 100 / step
    assert (result["rows"], result["wrong"]) == (40, [])


def main() -> None:
    if "seed" in sys.argv:
        assert forked(lambda: asyncio.run(seed())) == 0
    print(json.dumps(try_all(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
