"""What a person reads who runs Parley: each command, its sentence and its exit code."""

import asyncio
import itertools
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.servers import ROOT, App, Postgres, Redis, free_port, furnish, missing, wait_until
from webapp.cli.listen import close, listen, reachable
from webapp.messages.posting import GROUPING_WINDOW

PASSWORD = "correct horse battery"


class Installation:
    """A folder in which commands are run as an operator does, with nothing of the tester's own settings."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.env = kept | {"DATA_DIR": str(self.data), "PYTHONPATH": str(ROOT)} | env

    def run(self, *words: str, code: int = 0, **env: str) -> str:
        """What the command says in all, given that it ends with this exit code."""
        done = self.start(*words, **env)
        said = done.communicate(timeout=60)[0]
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "webapp", *words],
            cwd=self.folder,
            env=self.env | env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A shell that runs the tests in the background lets them ignore Ctrl+C, and their children too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "parley.sqlite3")) as database:
            return database.execute(query).fetchall()


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def migrated(here: Installation) -> Installation:
    """Where `migrate` has been run, which takes longer than what is looked at."""
    furnish(here.data)
    return here


def queried(url: str, query: str) -> list[tuple[Any, ...]]:
    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def lines(checked: str) -> dict[str, str]:
    """The lines of `check` by what they are about."""
    return {line.split()[1]: line for line in checked.splitlines()}


# serve


def test_the_first_start_makes_everything_and_says_where_it_is(here: Installation) -> None:
    with App(is_new=True) as server:
        data = Path(server.env["DATA_DIR"])
        assert stat.S_IMODE((data / "secret").stat().st_mode) == 0o600
        assert len((data / "secret").read_text()) >= 32
        assert (data / "parley.sqlite3").exists()
        said = server.log.read_text()
        assert f"http://127.0.0.1:{server.port}" in said
        assert "createsuperuser" in said
        assert str(data) in said
        assert f"This is a new installation: there was no database in {data}/parley.sqlite3 yet." in said
        assert [path.name for path in (data, *data.iterdir()) if path.stat().st_mode & 0o077] == []
        server.terminate()
        server.log.unlink()
        server.start()
        assert "Parley is at" in server.log.read_text()
        assert "new installation" not in server.log.read_text()


def test_what_older_versions_left_open_is_closed_at_the_start(migrated: Installation) -> None:
    (migrated.data / "pictures").mkdir()
    ours = [migrated.data, migrated.data / "pictures", migrated.data / "parley.sqlite3"]
    for path in ours:
        path.chmod(0o755)
    assert lines(migrated.run("check", code=1))["disk"].startswith("bad")
    migrated.run("migrate")
    assert [path.name for path in ours if path.stat().st_mode & 0o077] == []
    assert lines(migrated.run("check"))["disk"].startswith("ok")


def test_a_folder_that_holds_other_things_too_stays_as_open_as_it_is(migrated: Installation) -> None:
    (migrated.data / "letters").mkdir()
    migrated.data.chmod(0o755)
    (migrated.data / "parley.sqlite3").chmod(0o644)
    migrated.run("migrate")
    assert stat.S_IMODE(migrated.data.stat().st_mode) == 0o755
    assert stat.S_IMODE((migrated.data / "parley.sqlite3").stat().st_mode) == 0o600


# Where it listens.


@pytest.mark.parametrize("workers", ["1", "2"])
def test_everywhere_is_reached_by_either_kind_of_address(workers: str, request: pytest.FixtureRequest) -> None:
    env = {"WORKERS": workers}
    if workers == "2":
        postgres, redis = request.getfixturevalue("postgres_server"), request.getfixturevalue("redis_server")
        env |= {"DATABASE_URL": postgres.create(), "REDIS_URL": redis.url}
    server = App(env)
    server.words = ("--host", "::")
    with server:
        assert f"Parley is at http://127.0.0.1:{server.port}\n" in server.log.read_text()
        for host in ("127.0.0.1", "[::1]"):
            assert httpx2.get(f"http://{host}:{server.port}/health").status_code == 200


@pytest.mark.parametrize(
    ("host", "shown", "kinds"),
    [
        ("::1", "http://[::1]", {socket.AF_INET6}),
        ("127.0.0.1", "http://127.0.0.1", {socket.AF_INET}),
        ("0.0.0.0", "http://127.0.0.1", {socket.AF_INET}),  # noqa: S104
        ("::", "http://127.0.0.1", {socket.AF_INET, socket.AF_INET6}),
    ],
)
def test_the_address_that_is_shown_is_one_that_can_be_reached(
    host: str, shown: str, kinds: set[socket.AddressFamily]
) -> None:
    port = free_port()
    sockets = listen(host, port)
    try:
        assert reachable(sockets) == f"{shown}:{port}"
        assert {one.family for one in sockets} == kinds
        # Of one kind each: the other would be called ::ffff:127.0.0.1.
        assert all(
            one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) for one in sockets if one.family == socket.AF_INET6
        )
        with pytest.raises(OSError, match="in use"):
            listen(host, port)
    finally:
        close(sockets)
    close(listen(host, port))


# How it ends.


def test_a_terminal_that_closes_does_not_end_it() -> None:
    with App() as server:
        os.kill(server.pid, signal.SIGHUP)
        os.kill(server.pid, signal.SIGHUP)
        assert server.is_healthy()
        server.terminate()
        assert not server.is_running()


def test_the_first_process_of_a_container_ends_while_it_starts(here: Installation) -> None:
    alone = ["unshare", "--fork", "--pid", "--kill-child"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        missing("unshare must be allowed to make a first process")
    # In place of the database there is somebody who answers nothing.
    with socket.create_server(("127.0.0.1", 0)) as database:
        url = f"postgres://postgres@127.0.0.1:{database.getsockname()[1]}/parley"
        process = subprocess.Popen(
            [*alone, sys.executable, "-m", "webapp", "serve", "--port", str(free_port())],
            cwd=here.folder, env=here.env | {"DATABASE_URL": url}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            with database.accept()[0]:
                [first] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(first), signal.SIGTERM)
                assert "Traceback" not in process.communicate(timeout=20)[1]
            assert process.returncode == 143
        finally:
            process.kill()


def test_unknown_names_in_the_env_file_are_reported(migrated: Installation) -> None:
    (migrated.folder / ".env").write_text("POSTGRES_PASSWORD=s3cret\n")
    said = migrated.run("check")
    assert "POSTGRES_PASSWORD in .env is no setting of Parley's" in said
    assert "s3cret" not in said


def test_without_a_command_it_serves(here: Installation) -> None:
    assert "SQLite serves one process" in here.run(code=1, WORKERS="2")


@pytest.mark.parametrize(("url", "is_loaded"), [("", False), ("redis://127.0.0.1:1", True)])
def test_the_client_of_redis_is_loaded_where_there_is_a_redis(here: Installation, url: str, is_loaded: bool) -> None:
    code = "import sys; from webapp import app; app.broadcaster(); print('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=here.env | {"REDIS_URL": url}, capture_output=True, text=True
    )
    assert done.stdout == f"{is_loaded}\n", done.stderr


def test_the_secret_survives_a_restart() -> None:
    with App() as server:
        secret = (Path(server.env["DATA_DIR"]) / "secret").read_text()
        server.terminate()
        server.start()
        assert (Path(server.env["DATA_DIR"]) / "secret").read_text() == secret


def test_a_second_server_on_the_same_port_says_that_it_is_taken_and_harms_nothing(here: Installation) -> None:
    with App() as server:
        said = here.run("serve", "--port", str(server.port), code=1)
        assert f"can't listen on 127.0.0.1, port {server.port}" in said
        assert "Parley is at" not in said
        assert server.is_healthy()
    assert not here.data.exists()


def test_a_second_server_on_the_same_data_says_so_and_harms_nothing(here: Installation) -> None:
    with App() as server:
        said = here.run("serve", "--port", str(free_port()), code=1, DATA_DIR=server.env["DATA_DIR"])
        assert "Another Parley serves the data" in said
        assert "Stop it first" in here.run("reindex", code=1, DATA_DIR=server.env["DATA_DIR"])
        assert "Parley is at" not in said
        assert server.is_healthy()
        server.kill()
        server.start()
        assert server.is_healthy()


def test_an_address_that_does_not_exist_is_a_sentence(here: Installation) -> None:
    assert "can't listen on nowhere.invalid" in here.run("serve", "--host", "nowhere.invalid", code=1)
    assert "--port" in here.run("serve", "--port", "99999", code=2)


def test_several_workers_on_sqlite_are_refused_with_a_word_on_postgresql(here: Installation) -> None:
    assert "Set DATABASE_URL to a PostgreSQL database" in here.run("serve", "--workers", "2", code=1)
    assert not here.data.exists()


def test_several_workers_without_redis_are_refused_with_the_reason(here: Installation) -> None:
    said = here.run("serve", "--workers", "2", code=1, DATABASE_URL="postgres://postgres@127.0.0.1:1/parley")
    assert "Set REDIS_URL" in said


def test_no_workers_at_all_are_refused(here: Installation) -> None:
    assert "--workers" in here.run("serve", "--workers", "0", code=2)


def test_several_workers_on_postgresql_and_redis_serve(postgres_server: Postgres, redis_server: Redis) -> None:
    env = {"DATABASE_URL": postgres_server.create(), "REDIS_URL": redis_server.url, "WORKERS": "2"}
    with App(env) as server:
        assert server.is_healthy()
        server.terminate()
        assert not server.is_running()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "several"),
        ("DATABASE_URL", "mysql://localhost/parley"),
        ("REDIS_URL", "http://localhost"),
        ("SITE_TIMEZONE", "Middle/Earth"),
        ("REGISTRATION", "perhaps"),
        ("RATE_POST", "often"),
        ("SECRET_KEY", "short"),
    ],
)
def test_a_malformed_setting_names_itself(here: Installation, name: str, value: str) -> None:
    said = here.run(code=1, **{name: value})
    assert said.startswith(name)
    assert "must" in said
    assert not here.data.exists()


def test_a_secret_that_nobody_can_use_is_a_sentence(here: Installation) -> None:
    here.data.mkdir()
    (here.data / "secret").write_text("short")
    assert str(here.data / "secret") in here.run("serve", "--port", str(free_port()), code=1)


# The database that is not there.

COMMANDS = [
    ("migrate",),
    ("serve",),
    ("createsuperuser", "--username", "ada", "--password", PASSWORD),
    ("reset-link", "ada"),
    ("demo", "--users", "1"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_database_that_is_away_is_a_sentence(here: Installation, command: tuple[str, ...]) -> None:
    more = ("--port", str(free_port())) if command == ("serve",) else ()
    said = here.run(*command, *more, code=1, DATABASE_URL=f"postgres://postgres@127.0.0.1:{free_port()}/parley")
    assert said.startswith("Error: The database does not answer")


def test_a_database_that_does_not_exist_is_a_sentence(here: Installation, postgres_server: Postgres) -> None:
    said = here.run("migrate", code=1, DATABASE_URL=postgres_server.url("no_such_database"))
    assert "no_such_database" in said


def test_a_role_that_does_not_exist_is_a_sentence(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.url().replace("postgres@", "no_such_role@")
    if "no_such_role" not in url:
        pytest.skip("the given PostgreSQL has a role of its own")
    assert "no_such_role" in here.run("migrate", code=1, DATABASE_URL=url)


def test_tables_are_made_in_the_schema_that_the_url_names(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.create()
    queried(url, "CREATE SCHEMA talk")
    for query in ("search_path=talk", "options=-csearch_path%3Dtalk"):
        here.run("migrate", DATABASE_URL=f"{url}?{query}")
        assert queried(url, "SELECT schemaname FROM pg_tables WHERE tablename = 'message'") == [("talk",)]


JIT_IN_THE_POOL = """
import asyncio
from webapp.db import engine, sql

async def ask():
    async with engine.connected():
        print((await sql.fetch_all("SELECT current_setting('jit') AS jit"))[0]["jit"])

asyncio.run(ask())
"""


def test_postgresql_compiles_no_query_unless_the_url_wants_it(here: Installation, postgres_server: Postgres) -> None:
    for query, said in (("", "off"), ("?options=-cjit%3Don", "on"), ("?statement_cache_size=0", "on")):
        env = here.env | {"DATABASE_URL": postgres_server.url() + query}
        done = subprocess.run([sys.executable, "-c", JIT_IN_THE_POOL], env=env, capture_output=True, text=True)
        assert done.stdout == f"{said}\n", done.stderr


def test_a_socket_that_is_not_there_is_the_database_being_away(here: Installation) -> None:
    said = here.run("migrate", code=1, DATABASE_URL="postgres://%2Fno%2Fsuch%2Ffolder/parley")
    assert said.startswith("Error: The database does not answer")


def test_a_schema_that_is_not_there_is_a_sentence(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.create()
    queried(url, "CREATE SCHEMA talk")
    said = here.run("migrate", code=1, DATABASE_URL=f"{url}?options=-csearch_path%3Dnowhere")
    assert "could not be brought up to date: the table of migrations ended with: no schema has been selected" in said


def test_a_file_that_is_no_database_is_a_sentence(here: Installation) -> None:
    (here.folder / "letter").write_text("Dear database, " * 100)
    said = here.run("migrate", code=1, DATABASE_URL=f"sqlite://{here.folder}/letter")
    assert "letter: file is not a database" in said


def test_a_folder_that_is_not_there_is_a_sentence(here: Installation) -> None:
    said = here.run("migrate", code=1, DATABASE_URL=f"sqlite://{here.folder}/no/such/parley.sqlite3")
    assert "unable to open" in said


def test_a_data_folder_that_can_not_be_made_is_a_sentence(here: Installation) -> None:
    (here.folder / "file").write_text("")
    said = here.run("serve", "--port", str(free_port()), code=1, DATA_DIR=f"{here.folder}/file/data")
    assert f"{here.folder}/file/data" in said


# migrate

MIGRATIONS = sorted((path.stem,) for path in ROOT.joinpath("webapp/migrations").glob("0*.py"))


def test_migrating_twice_is_as_good_as_once(here: Installation) -> None:
    first = here.run("migrate")
    assert first == here.run("migrate") == "The database is up to date.\n"
    assert here.rows("SELECT name FROM tortoise_migrations") == MIGRATIONS


def migrate_twice_at_once(here: Installation, **env: str) -> None:
    both = [here.start("migrate", **env) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said


def test_two_that_migrate_a_fresh_postgresql_at_the_same_moment_take_turns(
    here: Installation, postgres_server: Postgres
) -> None:
    url = postgres_server.create()
    migrate_twice_at_once(here, DATABASE_URL=url)
    assert queried(url, "SELECT name FROM tortoise_migrations") == MIGRATIONS


def test_two_that_migrate_a_fresh_sqlite_at_the_same_moment_take_turns(here: Installation) -> None:
    migrate_twice_at_once(here)
    assert here.rows("SELECT name FROM tortoise_migrations") == MIGRATIONS


def test_a_database_of_a_newer_version_is_refused_and_its_migrations_are_named(migrated: Installation) -> None:
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as file, file:
        file.execute("INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('parley', '9999_masks', '2030')")
    for words in (("migrate",), ("serve", "--port", str(free_port())), ("purge",)):
        assert "newer Parley than this one: it has 9999_masks" in migrated.run(*words, code=1)
    assert "9999_masks" in lines(migrated.run("check", code=1))["database"]


def test_a_newer_postgresql_database_is_refused_too(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.create()
    here.run("migrate", DATABASE_URL=url)
    queried(url, "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('parley', '9999_masks', now())")
    assert "9999_masks" in here.run("migrate", code=1, DATABASE_URL=url)


def test_a_migration_that_the_database_refuses_is_named(migrated: Installation) -> None:
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as file, file:
        file.execute("DELETE FROM tortoise_migrations WHERE name >= '0007'")
    said = migrated.run("migrate", code=1)
    assert "could not be brought up to date: 0007_language ended with: duplicate column name: language." in said
    assert "does not answer" not in said


# createsuperuser, reset-link


def test_a_new_administrator_can_be_made_on_a_machine_that_has_nothing_yet(here: Installation) -> None:
    said = here.run("createsuperuser", "--username", "Ada", "--password", PASSWORD)
    assert "ada can sign in as an administrator" in said
    assert here.rows('SELECT username, is_admin FROM "user"') == [("ada", 1)]


def test_a_system_without_a_coding_reads_our_files_as_what_they_are(migrated: Installation) -> None:
    bare = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    migrated.run("createsuperuser", "--username", "ada", "--password", PASSWORD, **bare)


def test_an_existing_account_becomes_an_administrator_with_the_same_password(migrated: Installation) -> None:
    migrated.run("createsuperuser", "--username", "ada", "--password", PASSWORD)
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as database, database:
        database.execute('UPDATE "user" SET is_admin = 0')
    before = migrated.rows('SELECT password_hash FROM "user"')
    said = migrated.run("createsuperuser", "--username", " ADA ", "--password", "another one altogether")
    assert "The password stays as it was" in said
    assert migrated.rows('SELECT is_admin FROM "user"') == [(1,)]
    assert migrated.rows('SELECT password_hash FROM "user"') == before


def test_administrators_are_listed_made_and_unmade_but_for_the_last(migrated: Installation) -> None:
    migrated.run("createsuperuser", "--username", "admin", "--password", PASSWORD)
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as database, database:
        database.execute(
            """INSERT INTO "user" (code, username, display_name, bio, is_guest, is_admin, created_at, last_seen_at)
            VALUES ('B0B0-B0B0', 'bob', 'Bob', '', 0, 0, '2026-01-01', '2026-01-01')"""
        )
    assert "There must be another administrator first." in migrated.run("admin", "admin", "--remove", code=1)
    assert migrated.run("admin", "Bob").strip() == "bob is an administrator now."
    assert migrated.run("admin", "admin", "--remove").strip() == "admin is no administrator any more."
    assert migrated.run("admin").strip() == "bob (Bob)"
    assert "Nobody has the user name carol" in migrated.run("admin", "carol", code=1)
    log = migrated.rows("SELECT admin_name, action, name FROM audit_entry ORDER BY id")
    assert log == [("The operator", "admin", "admin"), ("The operator", "admin", "Bob"),
                   ("The operator", "unadmin", "admin")]  # fmt: skip


def test_a_name_or_password_that_can_not_be_one_says_why(migrated: Installation) -> None:
    assert "3 to 30 letters" in migrated.run("createsuperuser", "--username", "a b", "--password", PASSWORD, code=1)
    assert "8 characters" in migrated.run("createsuperuser", "--username", "ada", "--password", "short", code=1)
    assert migrated.rows('SELECT count(*) FROM "user"') == [(0,)]


def test_a_reset_link_is_printed_for_an_account_and_for_nobody_else(migrated: Installation) -> None:
    migrated.run("createsuperuser", "--username", "ada", "--password", PASSWORD)
    assert "/reset/" in migrated.run("reset-link", "Ada")
    assert "Nobody has the user name bob" in migrated.run("reset-link", "bob", code=1)


# check


def test_check_finds_a_migrated_installation_good(here: Installation) -> None:
    here.run("migrate")
    checked = lines(here.run("check"))
    looked_at = ["settings", "secret", "database", "redis", "disk", "messages", "proxy", "search", "files", "accounts"]
    assert list(checked) == looked_at
    assert all(line.startswith("ok  ") for line in checked.values())
    assert str(here.data / "parley.sqlite3") in checked["database"]
    assert "one process" in checked["redis"]
    doubt = lines(here.run("check", REGISTRATION="invited"))["accounts"]
    assert doubt.startswith("?? ")
    assert "createsuperuser" in doubt


def test_check_says_what_search_finds_and_how_a_damaged_index_is_mended(migrated: Installation) -> None:
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as file, file:
        file.execute("INSERT INTO message_words(rowid, words) VALUES (1, 'tea'), (2, 'cake')")
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as file, file:
        file.execute("DELETE FROM message_words_data WHERE id > 10")
    bad = lines(migrated.run("check", code=1))["search"]
    assert bad.startswith("bad search    the index is damaged")
    assert bad.endswith("python -m webapp reindex")
    migrated.run("reindex")
    assert migrated.rows("SELECT count(*) FROM message_words WHERE message_words MATCH 'cake'") == [(1,)]
    with closing(sqlite3.connect(migrated.data / "parley.sqlite3")) as file, file:
        file.execute("UPDATE word_index SET low = 570, high = 1000")
    assert "finds 43% of the messages, the newest first" in lines(migrated.run("check"))["search"]


def test_check_touches_nothing_on_a_machine_that_has_nothing_yet(here: Installation) -> None:
    checked = lines(here.run("check", code=1))
    assert checked["database"].startswith("bad")
    assert "webapp migrate" in checked["database"]
    assert checked["disk"].startswith("ok")
    assert checked["proxy"].startswith("ok")
    assert not here.data.exists()


def test_check_says_when_the_tables_are_missing(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.create()
    assert "0001_initial" in lines(here.run("check", code=1, DATABASE_URL=url))["database"]
    here.run("migrate", DATABASE_URL=url)
    assert lines(here.run("check", DATABASE_URL=url))["database"].endswith("up to date")


def test_check_says_what_is_away_and_hides_passwords(here: Installation) -> None:
    away = {
        "DATABASE_URL": f"postgres://ada:lovelace@127.0.0.1:{free_port()}/parley",
        "REDIS_URL": f"redis://:lovelace@127.0.0.1:{free_port()}/0",
    }
    said = here.run("check", code=1, **away)
    checked = lines(said)
    assert checked["database"].startswith("bad")
    assert "DATABASE_URL" in checked["database"]
    assert checked["redis"].startswith("bad")
    assert "REDIS_URL" in checked["redis"]
    assert "lovelace" not in said


def test_check_waits_three_seconds_for_what_accepts_and_says_nothing(here: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        urls = {"DATABASE_URL": f"postgres://postgres@{place}/parley", "REDIS_URL": f"redis://{place}/0"}
        checked = lines(here.run("check", code=1, **urls))
    assert "not within 3 seconds" in checked["database"]
    assert "not within 3 seconds" in checked["redis"]


def test_check_finds_redis_when_it_is_there(migrated: Installation, redis_server: Redis) -> None:
    assert lines(migrated.run("check", REDIS_URL=redis_server.url))["redis"].startswith("ok")


def test_check_warns_of_a_secret_that_others_can_read(migrated: Installation) -> None:
    secret = migrated.data / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o644)
    assert "chmod 600" in lines(migrated.run("check", code=1))["secret"]
    secret.chmod(0o600)
    assert lines(migrated.run("check"))["secret"].startswith("ok")


def test_check_warns_of_plain_http_and_of_a_proxy_that_is_not_trusted(migrated: Installation) -> None:
    doubt = lines(migrated.run("check", ALLOWED_HOSTS="chat.example"))["proxy"]
    assert doubt.startswith("?? ")
    assert "plain http" in doubt
    assert "TRUSTED_PROXIES" in doubt
    known = {"ALLOWED_HOSTS": "chat.example", "TRUSTED_PROXIES": "10.0.0.1"}
    assert lines(migrated.run("check", **known))["proxy"].startswith("ok")


def test_check_says_which_settings_do_not_go_together(migrated: Installation) -> None:
    assert "DATABASE_URL" in lines(migrated.run("check", code=1, WORKERS="2"))["settings"]


def test_check_says_when_the_data_folder_can_not_be_written(here: Installation) -> None:
    (here.folder / "file").write_text("")
    assert lines(here.run("check", code=1, DATA_DIR=f"{here.folder}/file"))["disk"].startswith("bad")


# demo


def test_demo_fills_an_empty_installation_and_refuses_another(here: Installation) -> None:
    said = here.run("demo", "--users", "30", "--rooms", "4", "--messages", "2001")
    first = here.rows('SELECT username FROM "user" ORDER BY id LIMIT 1')[0][0]
    assert f"Sign in as {first} with the password parley-demo" in said
    assert here.rows('SELECT count(*), count(DISTINCT code), count(DISTINCT username) FROM "user"') == [(30, 30, 30)]
    assert here.rows("SELECT count(*) FROM room WHERE kind = 'public'") == [(4,)]
    in_rooms = "SELECT count(*) FROM message JOIN room ON room.id = room_id WHERE kind = 'public'"
    assert here.rows(in_rooms) == [(2001,)]
    # Who was answered finds it in their inbox.
    answers = "SELECT count(*) FROM message WHERE reply_to IS NOT NULL"
    assert here.rows("SELECT count(*) FROM mention WHERE kind = 'reply'") == here.rows(answers) != [(0,)]
    everything = here.rows("SELECT count(*) FROM message")
    assert "empty installation" in here.run("demo", code=1)
    assert here.rows("SELECT count(*) FROM message") == everything


def test_demo_refuses_an_installation_with_one_person_in_it(migrated: Installation) -> None:
    migrated.run("createsuperuser", "--username", "ada", "--password", PASSWORD)
    assert "empty installation" in migrated.run("demo", code=1)


def test_demo_makes_one_person_alone_in_one_silent_room(migrated: Installation) -> None:
    migrated.run("demo", "--users", "1", "--rooms", "1", "--messages", "0")
    assert migrated.rows("SELECT version, last_number, member_count FROM room") == [(0, 0, 1)]


def test_an_interrupted_demo_leaves_whole_logs_and_is_not_empty(migrated: Installation) -> None:
    filling = migrated.start("demo", "--rooms", "3", "--messages", "2000000")

    def has_begun() -> bool:
        return migrated.rows("SELECT count(*) FROM message") > [(20000,)]

    wait_until(has_begun, 60, "the first messages")
    filling.send_signal(signal.SIGINT)
    assert "Aborted" in filling.communicate(timeout=60)[0]
    assert filling.returncode == 1
    rooms = migrated.rows("SELECT room.id, room.version, room.last_number FROM room WHERE last_number > 0")
    counted = "SELECT room_id, max(version), max(number) FROM message GROUP BY room_id HAVING max(number) = count(*)"
    assert rooms == migrated.rows(counted)
    assert sum(number for *_, number in rooms) < 2_000_000
    assert "empty installation" in migrated.run("demo", code=1)


def test_demo_has_names_for_more_rooms_than_it_has_words_for(migrated: Installation) -> None:
    migrated.run("demo", "--users", "2", "--rooms", "1200", "--messages", "10")
    assert migrated.rows("SELECT count(DISTINCT folded), count(DISTINCT key) FROM room") == [(1200, 1200)]
    # Some have an emoji for a face, also with a place in their names, and some their letters.
    assert migrated.rows("SELECT face FROM room WHERE name IN ('Choir', 'Choir Lisbon') ORDER BY id") == [("🎶",)] * 2
    assert migrated.rows("SELECT count(DISTINCT face) FROM room WHERE face <> ''") > [(15,)]
    assert migrated.rows("SELECT count(*) FROM room WHERE face = ''") > [(100,)]


COMPANY = {
    "friends": "SELECT count(*) FROM friendship WHERE 1 IN (low_id, high_id) AND accepted_at IS NOT NULL",
    "requests received": "SELECT count(*) FROM friendship WHERE low_id = 1 AND asked_by <> 1 AND accepted_at IS NULL",
    "requests sent": "SELECT count(*) FROM friendship WHERE asked_by = 1 AND accepted_at IS NULL",
    "chats": "SELECT count(*) FROM room WHERE kind = 'direct' AND 1 IN (low, high) AND low <> high",
    "messages from no friend": "SELECT count(*) FROM membership WHERE user_id = 1 AND is_request",
    "unread chats": (
        "SELECT count(*) FROM membership JOIN room ON room.id = room_id WHERE user_id = 1 AND kind = 'direct' "
        "AND read_number < last_number AND NOT is_request"
    ),
    "notes": "SELECT last_number FROM room WHERE kind = 'direct' AND low = 1 AND high = 1",
    "unread mentions": (
        "SELECT count(*) FROM mention JOIN membership ON membership.room_id = mention.room_id "
        "AND membership.user_id = mention.user_id JOIN message ON message.id = message_id "
        "WHERE mention.user_id = 1 AND mention.kind = 'mention' AND mention.number > read_number "
        "AND html LIKE '%class=\"mention\"%'"
    ),
    "reactions out of order": (
        "SELECT count(*) FROM reaction JOIN reaction AS later ON later.to_user_id = 1 AND later.id > reaction.id "
        "WHERE reaction.to_user_id = 1 AND later.created_at < reaction.created_at"
    ),
    "saved": "SELECT count(*) FROM saved JOIN message ON message.id = message_id WHERE user_id = 1",
    "pinned": "SELECT pin_count FROM room WHERE pin_count = (SELECT count(*) FROM pin WHERE room_id = room.id "
    "AND pinned_by_id = 1) AND pin_count > 0",
    "rooms of their own": "SELECT count(DISTINCT kind || who_posts || role) FROM room JOIN membership "
    "ON room_id = room.id WHERE user_id = 1 AND kind IN ('private', 'group') AND last_number > 2",
    "moderated": "SELECT count(*) FROM membership JOIN room ON room.id = room_id WHERE role = 'mod' AND user_id = 1 "
    "AND kind = 'public'",
    "came by invitation": "SELECT count(*) FROM invitation_use JOIN membership ON membership.user_id = "
    "invitation_use.user_id JOIN invitation ON invitation.id = invitation_id AND invitation.room_id = "
    "membership.room_id WHERE maker_id = 1 AND uses = 1",
}


def check_company(found: dict[str, int], pictures: list[str], folder: Path) -> None:
    assert found == {
        "friends": 6, "requests received": 1, "requests sent": 1, "chats": 6, "messages from no friend": 1,
        "unread chats": 2, "notes": 3,
        "unread mentions": 1, "reactions out of order": 0, "saved": 3, "pinned": 2,
        "rooms of their own": 3, "moderated": 1, "came by invitation": 1,
    }  # fmt: skip
    assert len(pictures) > 15
    sizes = [(folder / "pictures" / f"{digest}.webp").stat().st_size for digest in pictures]
    assert max(sizes) < 5000


def test_the_first_person_of_a_demo_has_company(migrated: Installation) -> None:
    migrated.run("demo", *SIZE)
    found = {what: migrated.rows(query)[0][0] for what, query in COMPANY.items()}
    pictures = [row[0] for row in migrated.rows('SELECT picture FROM "user" WHERE picture IS NOT NULL')]
    check_company(found, pictures, Path(migrated.env["DATA_DIR"]))
    muted = "SELECT count(*) FROM membership JOIN room ON room.id = room_id WHERE user_id = 1 AND muted"
    assert migrated.rows(muted)[0][0] >= 1
    check_files(migrated)


def check_files(here: Installation) -> None:
    """A picture alone, two without words, a table, a recording, and two pictures in a room; each is in the store."""
    columns = "code, kind, size, description <> '' OR kind = 'file', thumb_size"
    rows = here.rows(f"SELECT {columns} FROM attachment JOIN message ON message.id = message_id ORDER BY attachment.id")
    kinds = ["picture", "picture", "picture", "file", "sound", "picture", "picture"]
    assert [row[1] for row in rows] == kinds
    assert all(row[3] for row in rows)
    folder = Path(here.env["DATA_DIR"]) / "files"
    for code, kind, size, _, thumb_size in rows:
        assert (folder / code[:2] / code).stat().st_size == size < 32_000
        if kind == "picture":
            assert (folder / code[:2] / f"{code}-thumb.webp").stat().st_size == thumb_size < size
    assert here.rows("SELECT sum(file_count) FROM message") == [(7,)]
    assert "7 of messages, 0.1 MB" in lines(here.run("check"))["files"]
    (folder / code[:2] / code).unlink()
    bad = lines(here.run("check", code=1))["files"]
    assert "of the newest 7 files of messages 1 are missing" in bad


def test_who_is_in_the_demo_signs_in_and_sees_the_rooms(here: Installation) -> None:
    with App() as server:
        filled = Installation(server.folder, DATA_DIR=server.env["DATA_DIR"])
        filled.run("demo", "--users", "5", "--rooms", "2", "--messages", "100")
        username = filled.rows('SELECT username FROM "user" ORDER BY id')[0][0]
        page = signed_in_page(server, username, "parley-demo", "/lobby")
        assert "Common Room" in page


def signed_in_page(server: App, username: str, password: str, path: str) -> str:
    with httpx2.Client(base_url=server.url, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        answer = client.post("/login", data={"username": username, "password": password, "next": ""})
        assert answer.status_code == 303, answer.text
        answer = client.get(path)
        assert answer.status_code == 200
        return answer.text


LOG = (
    "SELECT room_id, number, posted_version, message.version, author_id, message.created_at, continues, opens_day, "
    "body, html, reply_to "
    "FROM message JOIN room ON room.id = room_id WHERE kind = 'public' ORDER BY room_id, number"
)
ROOMS = "SELECT id, version, last_number, last_at, member_count FROM room WHERE kind = 'public' ORDER BY id"


def check_demo(rooms: list[tuple[Any, ...]], log: list[tuple[Any, ...]], members: dict[int, dict[int, int]]) -> None:
    """What the live engine and the pages rely on holds of every room."""
    logs = [list(of_one) for _, of_one in itertools.groupby(log, key=lambda row: row[0])]
    assert [log[0][0] for log in logs] == [room[0] for room in rooms]
    for (room, version, last_number, last_at, member_count), messages in zip(rooms, logs, strict=True):
        assert [message[1:4] for message in messages] == [(n, n, n) for n in range(1, len(messages) + 1)]
        assert version == last_number == len(messages)
        assert last_at == messages[-1][5]
        assert member_count == len(members[room])
        assert {message[4] for message in messages} <= set(members[room])
        assert all(0 <= read <= last_number for read in members[room].values())
        last: tuple[Any, ...] | None = None
        for message in messages:
            author, at, continues, opens_day = message[4:8]
            is_same_day = last is not None and last[5].date() == at.date()
            assert bool(opens_day) is not is_same_day
            is_near = last is not None and timedelta(0) <= at - last[5] < GROUPING_WINDOW
            reply_to = message[10]
            assert bool(continues) is bool(is_same_day and is_near and last and last[4] == author and not reply_to)
            assert not reply_to or messages[reply_to - 1][4] != author
            assert last is None or at >= last[5]
            last = message
    assert len(logs[0]) == len(log) // 2
    assert any(message[10] for message in logs[0])
    assert max(at for *_, at, _ in rooms) <= datetime.now(UTC)


# What a message shows; how many kinds and reactions its rows have, and how many of these are wrong.
CHIPS = (
    "SELECT reactions, count(DISTINCT kind), count(reaction.id), sum(CASE WHEN reaction.user_id = author_id "
    "OR to_user_id <> author_id OR reaction.created_at < message.created_at THEN 1 ELSE 0 END) FROM message "
    "LEFT JOIN reaction ON message_id = message.id GROUP BY message.id, reactions HAVING reactions <> '' "
    "OR count(reaction.id) > 0"
)
REACTED_OUTSIDE = (
    "SELECT count(*) FROM reaction JOIN message ON message.id = message_id WHERE NOT EXISTS (SELECT 1 FROM membership "
    "WHERE membership.room_id = message.room_id AND membership.user_id = reaction.user_id)"
)


def check_chips(found: list[tuple[Any, ...]]) -> None:
    """The messages that have reactions show as many as there are, of others."""
    assert len(found) > 400
    for text, kinds, count, wrong in found:
        chips = [line.split(" ") for line in text.split("\n")]
        assert len({kind for kind, *_ in chips}) == len(chips) == kinds
        assert sum(int(number) for _, number, *_ in chips) == count
        assert [int(number) for _, number, *_ in chips] == [len(marks) for _, _, *marks in chips]
        assert wrong == 0


def by_room(rows: list[tuple[Any, ...]]) -> dict[int, dict[int, int]]:
    members: dict[int, dict[int, int]] = {}
    for room, user, read in rows:
        members.setdefault(room, {})[user] = read
    return members


MEMBERS = "SELECT room_id, user_id, read_number FROM membership"
SIZE = ("--users", "40", "--rooms", "5", "--messages", "12000")


def test_the_log_of_a_demo_is_as_if_it_had_been_posted(migrated: Installation) -> None:
    migrated.run("demo", *SIZE)
    read = datetime.fromisoformat
    rooms = [(*row[:3], read(row[3]), row[4]) for row in migrated.rows(ROOMS)]
    log = [(*row[:5], read(row[5]), *row[6:]) for row in migrated.rows(LOG)]
    members = by_room(migrated.rows(MEMBERS))
    check_demo(rooms, log, members)
    check_chips(migrated.rows(CHIPS))
    assert migrated.rows(REACTED_OUTSIDE) == [(0,)]
    assert any(read < room[2] for room in rooms for read in members[room[0]].values())
    bodies = [row[8] for row in log]
    assert any("**" in body for body in bodies)
    assert any("\n" in body for body in bodies)
    assert any('<a href="https://example.org' in row[9] for row in log)
    assert log[0][5] < datetime.now(UTC) - timedelta(days=60)


def test_the_log_of_a_demo_is_the_same_on_postgresql(here: Installation, postgres_server: Postgres) -> None:
    url = postgres_server.create()
    said = here.run("demo", *SIZE, DATABASE_URL=url)
    assert "12,000 messages" in said
    check_demo(queried(url, ROOMS), queried(url, LOG), by_room(queried(url, MEMBERS)))
    check_chips(queried(url, CHIPS))
    assert queried(url, REACTED_OUTSIDE) == [(0,)]
    found = {what: queried(url, query)[0][0] for what, query in COMPANY.items()}
    pictures = [row[0] for row in queried(url, 'SELECT picture FROM "user" WHERE picture IS NOT NULL')]
    check_company(found, pictures, Path(here.env["DATA_DIR"]))
    assert "empty installation" in here.run("demo", code=1, DATABASE_URL=url)
