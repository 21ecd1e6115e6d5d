"""Migrations: of the allowed kinds only, in step with the models, and harmless to a database that people use."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tortoise import Tortoise, fields
from tortoise.exceptions import IntegrityError
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.models import Model

from tests.sample_rows import CONTENT, LATER, LATEST_SAMPLED, NOW, OWN_ROOMS, OWN_ROOMS_SAMPLED, insert
from tests.servers import ROOT, Postgres
from webapp.db import engine, sql
from webapp.db import migrate as schema

FOLDER = ROOT / "webapp" / "migrations"
# AlterField and RemoveField rebuild a table on SQLite, and with it every row that refers to one of its rows is gone.
# Widen does neither there.
Widen = import_module("webapp.migrations.0013_letters").Widen
ALLOWED = (
    ops.CreateModel, ops.AddField, ops.AddIndex, ops.RemoveIndex, ops.RenameField, ops.RunSQL, ops.RunPython, Widen
)  # fmt: skip


def problems(operations: list[Any]) -> list[str]:
    """What must not be in a migration."""
    found = [operation.describe() for operation in operations if not isinstance(operation, ALLOWED)]
    for operation in operations:
        if isinstance(operation, ops.AddField):
            field = operation.field
            if not (field.null or field.has_db_default()):
                found.append(f"{operation.describe()}: neither null nor db_default")
    return found


def test_migrations_use_only_operations_that_lose_no_row() -> None:
    names = [path.stem for path in FOLDER.glob("0*.py")]
    assert names
    for name in names:
        operations = __import__(f"webapp.migrations.{name}", fromlist=["Migration"]).Migration.operations
        assert operations
        assert problems(operations) == []


def test_operations_that_lose_rows_would_be_found() -> None:
    harmless = [
        ops.AddField("Room", "colour", fields.IntField(db_default=0)),
        ops.AddField("Room", "sign", fields.CharField(8, null=True)),
        ops.AddIndex("Room", Index(fields=["name"])),
        ops.RemoveIndex("Message", fields=["room_id", "version"]),
        ops.RenameField("Room", "topic", "subject"),
        ops.RunSQL("SELECT 1"),
        ops.RunPython(lambda apps, editor: None),
    ]
    harmful = [
        ops.AddField("Room", "colour", fields.IntField(default=0)),
        ops.AlterField("Room", "topic", fields.TextField()),
        ops.RemoveField("Room", "topic"),
        ops.DeleteModel("Room"),
    ]
    assert problems(harmless) == []
    assert len(problems(harmful)) == len(harmful)


def test_each_migration_follows_the_one_before() -> None:
    names = sorted(path.stem for path in FOLDER.glob("0*.py"))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    parts = [import_module(f"webapp.migrations.{name}").Migration for name in names]
    assert [part.dependencies for part in parts[1:]] == [[("parley", name)] for name in names[:-1]]


async def changes(migrations: str) -> list[str]:
    """What `makemigrations` would write, after these migrations, to arrive at the models."""
    config = engine.config()
    config["apps"]["parley"]["migrations"] = migrations
    await Tortoise.init(config=config, init_connections=False)
    try:
        assert Tortoise.apps is not None
        writers = await MigrationAutodetector(Tortoise.apps, config["apps"]).changes()
        return [operation.describe() for writer in writers for operation in writer.operations]
    finally:
        await Tortoise.close_connections()


async def test_the_migrations_lead_to_the_models() -> None:
    assert await changes("webapp.migrations") == []


def test_no_docstring_of_a_model_is_part_of_the_schema() -> None:
    """Tortoise would take its first line for a comment on the table, and rewording it would need a migration."""
    models = [
        model
        for name in engine.MODELS
        for model in vars(import_module(name)).values()
        if isinstance(model, type) and issubclass(model, Model) and model.__module__ == name
    ]
    assert len(models) > 15
    assert [model.__name__ for model in models if model.__doc__ and not hasattr(model.Meta, "table_description")] == []


async def test_a_field_or_an_index_without_a_migration_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "stale_migrations"
    shutil.copytree(FOLDER, stale, ignore=shutil.ignore_patterns("__pycache__"))
    first = stale / "0001_initial.py"
    lines = first.read_text().splitlines(keepends=True)
    first.write_text(
        "".join(line for line in lines if "'muted'" not in line).replace("Index(fields=['room_id', 'version']),", "")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert len(await changes("stale_migrations")) == 2


# A database with people in it, on each engine in a process of its own: Tortoise keeps one dialect for a connection's
# name. This file is that process's program too.

EVERY_KIND = """
from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


async def greet(apps, editor):
    await editor.client.execute_query("UPDATE room SET topic = 'greeted' WHERE topic = ''")


class Migration(migrations.Migration):
    dependencies = [("parley", "{latest}")]
    operations = [
        ops.CreateModel(
            name="Badge",
            fields=[
                ("id", fields.IntField(primary_key=True)),
                ("user", fields.ForeignKeyField("parley.User", related_name="badges", db_index=True)),
                ("name", fields.CharField(20)),
            ],
            options={{"table": "badge", "app": "parley", "unique_together": (("user", "name"),)}},
            bases=["Model"],
        ),
        ops.AddField("Message", "pinned", fields.BooleanField(default=False, db_default=False)),
        ops.AddField("Message", "note", fields.CharField(20, null=True)),
        ops.AddField("Room", "host", fields.ForeignKeyField("parley.User", "hosted", "SET NULL", null=True)),
        ops.AddIndex("Message", Index(fields=["room_id", "created_at"])),
        ops.RenameField("User", "bio", "about"),
        ops.RunSQL("UPDATE \\"user\\" SET about = 'nothing yet' WHERE about = ''"),
        ops.RunPython(greet),
    ]
"""

A_REBUILD = """
from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("parley", "{latest}")]
    operations = [ops.AlterField("Room", "topic", fields.CharField(250, default=""))]
"""


async def migrated(migrations: str, until: str | None = None) -> None:
    config = engine.config()
    config["apps"]["parley"]["migrations"] = migrations
    await schema.migrate(config, until)


async def everything(tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Every row; a moment as the text that SQLite keeps, whichever way it came."""
    found = {table: await sql.fetch_all(f'SELECT * FROM "{table}" ORDER BY id') for table in tables}
    return {
        table: [
            {name: str(value) if name.endswith("_at") else value for name, value in dict(row).items()} for row in rows
        ]
        for table, rows in found.items()
    }


async def refused(table: str, **values: object) -> bool:
    """Whether a row like the first one, with these values, breaks a rule of the database."""
    try:
        await insert(table, (CONTENT | LATER)[table][0] | values)
    except IntegrityError:
        return True
    return False


async def migrate_what_people_use(migrations: str) -> dict[str, object]:
    """Fill the first schema that there was, and a later one, migrate it, and look at what is left and still holds."""
    before: dict[str, list[dict[str, Any]]] = {}
    for schema_of, tables in (("0001_initial", CONTENT), (LATEST_SAMPLED, LATER), (OWN_ROOMS_SAMPLED, OWN_ROOMS)):
        await migrated(migrations, schema_of)
        async with engine.connected():
            for table, rows in tables.items():
                for row in rows:
                    await insert(table, row)
            before |= await everything(tables)
    await migrated(migrations)
    async with engine.connected():
        after = await everything(before)
        missing = [
            f"{table} {row['id']}: {name}"
            for table, rows in before.items()
            for row, now in zip(rows, after[table] + [{}] * len(rows), strict=False)
            for name, value in row.items()
            if now.get(name, now.get("about") if name == "bio" else None) != value
        ]
        found_by = await sql.fetch_all("SELECT folded FROM search_name ORDER BY user_id, folded")
        # CONTENT speaks of `bio`, which may have another name now.
        about = {"about": "x"} if "about" in after["user"][0] else {"bio": "x"}
        CONTENT["user"][0].pop("bio")
        rules = {
            "two messages of one number": await refused("message", nonce="another"),
            "two messages of one nonce": await refused("message", number=100),
            "a message in no room": await refused("message", room_id=99, number=100),
            "a message of nobody": await refused("message", author_id=99, number=100, nonce="another"),
            "two memberships of one person": await refused("membership"),
            "two sessions of one digest": await refused("session"),
            "two people of one name": await refused("user", code="BBBB-BBBB", skeleton="b", **about),
            "two rooms of one name": await refused("room", key="another"),
            "one message saved twice": await refused("saved"),
            "one message pinned twice": await refused("pin"),
        }
        await sql.execute('DELETE FROM "user" WHERE id = 3 RETURNING id')
        await sql.execute("DELETE FROM room WHERE id = 2 RETURNING id")
        left = {table: len(rows) for table, rows in (await everything(before)).items()}
        return {
            "missing": missing,
            "broken": [rule for rule, holds in rules.items() if not holds],
            "left": left,
            "found by": [row["folded"] for row in found_by],
            "new": [name for name in ("pinned", "note") if any(name in row for row in after["message"])],
        }


def result_of(folder: Path, url: str, more: str, what: str = "what_people_use") -> dict[str, Any]:
    """Migrate a populated database at the URL by the real migrations and one more."""
    package = folder / "test_only_migrations"
    shutil.copytree(FOLDER, package, ignore=shutil.ignore_patterns("__pycache__"))
    latest = max(path.stem for path in package.glob("0*.py"))
    (package / "9999_more.py").write_text(more.format(latest=latest))
    env = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(folder), "PYTHONPATH": f"{ROOT}:{folder}"}
    done = subprocess.run(
        [sys.executable, __file__, what], env=env, cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


KEPT = {"user": 2, "room": 3, "membership": 6, "message": 21, "session": 2, "process": 1, "visit": 2}
KEPT |= {"reaction": 1, "mention": 2, "saved": 1, "pin": 1, "room_alias": 1, "invitation": 2, "invitation_use": 1}
CHANGED = ["user 1: bio", "room 1: topic"]  # by RunSQL and RunPython
FOUND_BY = ["ada", "ben", "zoe"]  # made for those who were there before there was a search


# Before 0009 blocks of masks stood among the others. By pair: what becomes of the block, and why.
BLOCKS = {
    (1, 2): "block",  # in one room
    (1, 4): "block",  # in one chat, which the blocked one has no membership of
    (4, 1): "block",
    (5, 1): "block",  # once friends in a row of their own
    (1, 5): "block",
    (4, 5): "everywhere",  # nothing
    (5, 4): "everywhere",
    (6, 4): "matching",  # one is a guest
    (7, 6): "matching",  # two guests, whose masks have been in one chat
}


async def migrate_blocks(migrations: str) -> dict[str, object]:
    await migrated(migrations, "0008_data_saver")
    async with engine.connected():
        for table in ("user", "room", "membership"):
            for row in CONTENT[table]:
                await insert(table, row)
        for number in (4, 5, 6, 7):
            guest = {"is_guest": number > 5, "username": None, "skeleton": None}
            await insert("user", CONTENT["user"][0] | guest | {"code": f"AAAA-AAA{number}"})
        chat = {"key": "~1", "kind": "direct", "folded": None, "low": 1, "high": 4}
        await insert("room", CONTENT["room"][0] | chat)
        await insert("room", CONTENT["room"][0] | {"key": "~2", "kind": "stranger", "folded": None})
        for room, user in ((3, 1), (4, 6), (4, 7)):
            await insert("membership", CONTENT["membership"][0] | {"room_id": room, "user_id": user})
        await insert("friendship", {"low_id": 1, "high_id": 5, "asked_by": 1, "asked_at": NOW, "withdrawn": True})
        for number, skeleton in ((1, "ann_x"), (2, "ann__x"), (3, "_bo__b_")):
            await sql.execute('UPDATE "user" SET skeleton = ? WHERE id = ? RETURNING id', skeleton, number)
        for blocker, blocked in BLOCKS:
            await insert("block", {"blocker_id": blocker, "blocked_id": blocked, "created_at": NOW})
    await migrated(migrations)
    async with engine.connected():
        blocks = await sql.fetch_all("SELECT blocker_id, blocked_id, created_at, 'block' AS what FROM block")
        kept = list(map(dict, blocks))
        veiled = list(map(dict, await sql.fetch_all("SELECT *, everywhere AS what FROM veiled_block")))
        names = await sql.fetch_all('SELECT skeleton FROM "user" WHERE id <= 3 ORDER BY id')
        changed = await sql.fetch_all('SELECT id FROM "user" WHERE blocks_version > 0 ORDER BY id')
    for row in veiled:
        row["what"] = "everywhere" if row["everywhere"] else "matching"
    return {
        "blocks": sorted([row["blocker_id"], row["blocked_id"], row["what"]] for row in kept + veiled),
        "days": sorted({str(row["created_at"])[:10] for row in kept + veiled}),
        "skeletons": [row["skeleton"] for row in names],
        "stylesheets": [row["id"] for row in changed],
    }


async def migrate_removals(migrations: str) -> dict[str, object]:
    """In the first room a removed message is the last, in the second one is said to be."""
    await migrated(migrations, "0009_veiled_blocks")
    async with engine.connected():
        for table in ("user", "room"):
            for row in CONTENT[table]:
                await insert(table, row | {"last_line": "Removed"} if table == "room" else row)
        for row in CONTENT["message"]:
            is_removed = (row["room_id"], row["number"]) in ((1, 3), (1, 20), (2, 3))
            await insert("message", row | {"removed_at": NOW if is_removed else None})
    await migrated(migrations)
    async with engine.connected():
        rooms = await sql.fetch_all("SELECT last_line, is_last_removed, removed_count FROM room ORDER BY id")
        return {"rooms": list(map(dict, rooms))}


def sqlite(folder: Path, _: Any) -> str:
    return f"sqlite://{folder}/parley.sqlite3"


def postgresql(_: Path, request: pytest.FixtureRequest) -> str:
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.create()


@pytest.mark.parametrize("engine", [sqlite, postgresql])
def test_a_database_with_people_in_it_is_migrated_and_loses_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, engine: Callable[..., str]
) -> None:
    result = result_of(tmp_path, engine(tmp_path, request), EVERY_KIND)
    assert result == {"missing": CHANGED, "broken": [], "left": KEPT, "found by": FOUND_BY, "new": ["pinned", "note"]}


@pytest.mark.parametrize("engine", [sqlite, postgresql])
def test_older_blocks_lose_the_name_where_the_two_have_met_under_none(
    tmp_path: Path, request: pytest.FixtureRequest, engine: Callable[..., str]
) -> None:
    result = result_of(tmp_path, engine(tmp_path, request), EVERY_KIND, "blocks")
    assert result["blocks"] == sorted([*pair, what] for pair, what in BLOCKS.items())
    assert result["days"] == [f"{NOW:%Y-%m-%d}"]
    assert result["stylesheets"] == [4, 5, 6, 7]
    # Of two that are one now, the later keeps what it had.
    assert result["skeletons"] == ["ann_x", "ann__x", "bo_b"]


@pytest.mark.parametrize("engine", [sqlite, postgresql])
def test_older_removals_are_counted_and_no_sentence_is_stored(
    tmp_path: Path, request: pytest.FixtureRequest, engine: Callable[..., str]
) -> None:
    rooms = result_of(tmp_path, engine(tmp_path, request), EVERY_KIND, "removals")["rooms"]
    assert [tuple(room.values()) for room in rooms] == [("", True, 2), ("Removed", False, 1)]


def test_a_rebuilt_table_on_sqlite_would_lose_rows_and_be_found(tmp_path: Path) -> None:
    result = result_of(tmp_path, sqlite(tmp_path, None), A_REBUILD)
    assert [one for one in result["missing"] if one.startswith("message")]


def test_every_index_on_sqlite_is_one_of_columns(tmp_path: Path) -> None:
    result_of(tmp_path, sqlite(tmp_path, None), EVERY_KIND)
    with closing(sqlite3.connect(tmp_path / "parley.sqlite3")) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
        columns = {name: [row[2] for row in file.execute(f"PRAGMA index_info({name})")] for name in names}
    assert ["room_id", "version"] in columns.values()
    assert ["room_id", "number"] in columns.values()
    assert [name for name, indexed in columns.items() if None in indexed] == []


def main() -> None:
    programs = {"blocks": migrate_blocks, "removals": migrate_removals, "what_people_use": migrate_what_people_use}
    migrate = programs[sys.argv[1]]
    print(json.dumps(asyncio.run(migrate("test_only_migrations"))))


if __name__ == "__main__":
    main()
