"""Backup and restore: what is saved while people write, what is refused, and that open pages heal by themselves."""

import asyncio
import gzip
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest

from tests.server_people import SETTINGS, Person, Posting, holds
from tests.servers import App, Postgres

NAME = "0123456789abcdef0123456789abcdef"
FILE = "-_" + "A" * 20


def command(app: App, *words: str, code: int = 0, **env: str) -> str:
    """What a command says, run beside the application or in its place."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "webapp", *words],
        cwd=app.folder, env=app.env | env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def database(app: App) -> Path:
    return app.folder / "data" / "parley.sqlite3"


def stored(app: App, query: str = "SELECT body FROM message ORDER BY number") -> list[str]:
    with closing(sqlite3.connect(database(app))) as opened:
        return [row[0] for row in opened.execute(query)]


@pytest.fixture
def app() -> Iterator[App]:
    with App(SETTINGS | {"SECRET_KEY": ""}) as app:
        yield app


@pytest.fixture
def archive(app: App) -> Path:
    return app.folder / "saved.tar.gz"


@pytest.fixture(scope="module")
def saved() -> Iterator[App]:
    """An installation that is not running, and its backup."""
    app = App({})
    try:
        command(app, "migrate")
        for name in (f"{NAME}.webp", f"{NAME}-96.webp.gone", "new-abcdef"):
            add_picture(app, name)
        folder = app.folder / "data" / "files" / FILE[:2]
        folder.mkdir(parents=True)
        for name in (FILE, "new-half"):
            (folder / name).write_bytes(b"a file")
        command(app, "backup", str(app.folder / "saved"))
        yield app
    finally:
        app.stop()


def add_picture(app: App, name: str = f"{NAME}.webp", content: bytes = b"a picture") -> Path:
    folder = app.folder / "data" / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def add_file(app: App, code: str, number: int | None, content: bytes | None = b"a file") -> Path:
    """Attach a file to the message of that number, None for a composer; without content it is not there."""
    path = app.folder / "data" / "files" / code[:2] / code
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with closing(sqlite3.connect(database(app))) as opened, opened:
        opened.execute(
            "INSERT INTO attachment (code, room_id, message_id, author_id, place, kind, type, name, size, received, "
            "created_at) VALUES (?, 1, (SELECT id FROM message WHERE number = ?), 1, 0, 'file', 'text/plain', 'a', 6, "
            "?, '2030-01-01 00:00:00+00:00')",
            [code, number, 6 if content else 0],
        )
        opened.execute("UPDATE message SET file_count = file_count + 1 WHERE number = ?", [number])
    return path


async def run(app: App, *words: str, code: int = 0) -> str:
    return await asyncio.to_thread(lambda: command(app, *words, code=code))


async def test_a_backup_made_while_people_write_is_of_one_moment(app: App, archive: Path) -> None:
    alice = Person("Alice")
    async with alice.client:
        await alice.register(app)
        room = await alice.room(app)
        posting = Posting(room, *[(alice, app)] * 4)
        for _ in range(2):
            await posting.more(20)
            before = len(posting.acknowledged)
            await run(app, "backup", str(archive))
            with tarfile.open(archive) as tar:
                tar.extractall(app.folder / "looked", filter="data")
            with closing(sqlite3.connect(app.folder / "looked/parley.sqlite3")) as copy:
                rows = copy.execute("SELECT number, body FROM message ORDER BY number").fetchall()
                assert copy.execute("SELECT version, last_number FROM room").fetchall() == [(len(rows), len(rows))]
            assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
            assert set(posting.acknowledged[:before]) <= {body for _, body in rows}
            shutil.rmtree(app.folder / "looked")
        assert len(posting.acknowledged) > before, "nobody waited for it"
        await posting.stop()
        assert posting.refused == []
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert sorted(path.name for path in app.folder.iterdir()) == ["data", "log", "saved.tar.gz"]


async def test_after_a_restore_the_pages_that_stayed_open_show_what_there_is(app: App, archive: Path) -> None:
    alice = Person("Alice")
    async with alice.client:
        await alice.register(app)
        room = await alice.room(app)
        picture = add_picture(app)
        for number in range(3):
            await alice.say(app, room, f"kept {number}")
        await run(app, "backup", str(archive))
        async with alice.page(room, app) as page, alice.page(room, app) as behind:
            await behind.until(lambda page: len(page.log) == 3)
            for number in range(5):
                await alice.say(app, room, f"lost {number}")
            await page.until(lambda page: len(page.log) == 8)
            app.kill()
            picture.unlink()
            assert "What was here before is in" in await run(app, "restore", "--force", str(archive))
            assert picture.read_bytes() == b"a picture"
            await asyncio.to_thread(app.start)
            kept = {number + 1: f"kept {number}" for number in range(3)}
            for one in (page, behind):
                await holds(one, kept)
            # The numbers and, but for the leap, the versions of what was lost now belong to others.
            for number in range(7):
                await alice.say(app, room, f"new {number}")
            log = kept | {number + 4: f"new {number}" for number in range(7)}
            for one in (page, behind):
                await holds(one, log)
            # The same archive a second time: what came since is lost as well.
            app.kill()
            await run(app, "restore", "--force", str(archive))
            await asyncio.to_thread(app.start)
            for number in range(9):
                await alice.say(app, room, f"newer {number}")
            log = kept | {number + 4: f"newer {number}" for number in range(9)}
            for one in (page, behind):
                await holds(one, log)
        assert stored(app) == list(log.values())
        assert stored(
            app, "SELECT count(*) FROM message JOIN room ON room.id = room_id WHERE message.version > room.version"
        ) == [0]
        assert len(list((app.folder / "data").glob("before-*"))) == 2
    assert "Traceback" not in app.log.read_text()


async def test_on_a_new_machine_people_are_still_signed_in(app: App, archive: Path) -> None:
    alice = Person("Alice")
    async with alice.client:
        await alice.register(app)
        room = await alice.room(app)
        await alice.say(app, room, "hello")
        await alice.say(app, room, "hello everyone: @everyone")
        for act in ("save", "pin"):
            assert (await alice.client.post(f"{app.url}/rooms/{room}/messages/1/{act}")).status_code == 303
        file = add_file(app, FILE, 1)
        # What was removed while the backup was made, and what is half sent.
        for code, number in (("B" * 22, 1), ("C" * 22, None)):
            add_file(app, code, number, content=None)
        assert "1 files of messages" in await run(app, "backup", str(archive))
        app.kill()
        shutil.rmtree(app.folder / "data")
        said = await run(app, "restore", str(archive))
        assert said.startswith("This is as of 2")
        await asyncio.to_thread(app.start)
        assert (await alice.say(app, room, "again")).status_code == 303
        assert "hello" in (await alice.client.get(f"{app.url}/saved")).text
        assert "hello" in (await alice.client.get(f"{app.url}/rooms/{room}/pins")).text
    assert stored(app) == ["hello", "hello everyone: @everyone", "again"]
    assert stored(app, "SELECT number FROM mention WHERE kind = 'everyone'") == [2]
    assert file.read_bytes() == b"a file"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stored(app, "SELECT code FROM attachment") == [FILE]
    assert stored(app, "SELECT file_count FROM message ORDER BY number") == [1, 0, 0]


def test_a_server_that_runs_is_not_pulled_from_under_its_people(app: App, archive: Path) -> None:
    command(app, "backup", str(archive))
    for words in (("restore", str(archive)), ("restore", "--force", str(archive))):
        assert "Stop it first" in command(app, *words, code=1)
    assert app.is_healthy()


async def test_people_who_are_there_are_not_overwritten(app: App, archive: Path) -> None:
    command(app, "backup", str(archive))
    alice = Person("Alice")
    async with alice.client:
        await alice.register(app)
    app.terminate()
    assert "--force" in command(app, "restore", str(archive), code=1)
    assert stored(app, 'SELECT display_name FROM "user"') == ["Alice"]
    command(app, "restore", "--force", str(archive))
    assert stored(app, 'SELECT display_name FROM "user"') == []
    [aside] = (app.folder / "data").glob("before-*")
    with closing(sqlite3.connect(aside / "parley.sqlite3")) as opened:
        assert opened.execute('SELECT display_name FROM "user"').fetchall() == [("Alice",)]
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700


def rewrite(archive: Path, change: Callable[[dict[str, bytes]], None], kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(archive) as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    change(files)
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind if name == "odd" else tarfile.REGTYPE
            tar.addfile(entry, io.BytesIO(content))


def newer(files: dict[str, bytes]) -> None:
    files["parley.json"] = json.dumps(json.loads(files["parley.json"]) | {"format": 2}).encode()


def described(content: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({"parley.json": content.encode()})


def migrated_by_a_newer_one(files: dict[str, bytes]) -> None:
    with closing(sqlite3.connect(":memory:")) as opened:
        # In memory there is no write-ahead log.
        opened.deserialize(files["parley.sqlite3"][:18] + b"\1\1" + files["parley.sqlite3"][20:])
        opened.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('parley', '9999_masks', '2030')"
        )
        opened.commit()
        files["parley.sqlite3"] = opened.serialize()
    about = json.loads(files["parley.json"]) | {"database": sha256(files["parley.sqlite3"]).hexdigest()}
    files["parley.json"] = json.dumps(about).encode()


def damaged(files: dict[str, bytes]) -> None:
    files["parley.sqlite3"] = files["parley.sqlite3"][:5000] + b"x" + files["parley.sqlite3"][5001:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: files.update({"../../escaped": b"x"}), "is no backup of Parley"),
        (lambda files: files.update({"/tmp/escaped": b"x"}), "is no backup of Parley"),
        (lambda files: files.update({"pictures/../secret": b"x"}), "is no backup of Parley"),
        (lambda files: files.pop("parley.json"), "is not a whole backup"),
        (lambda files: files.pop("parley.sqlite3"), "the database is not as it was saved"),
        (lambda files: files.pop(f"pictures/{NAME}.webp"), "pictures are missing"),
        (lambda files: files.pop(f"files/{FILE}"), "files are missing"),
        (lambda files: files.update({"files/../secret": b"x"}), "is no backup of Parley"),
        (damaged, "the database is not as it was saved"),
        (newer, "which is newer"),
        (migrated_by_a_newer_one, "it has 9999_masks"),
        (described("[1, 2]"), "parley.json can't be read"),
        (described("[" * 30_000 + "]" * 30_000), "parley.json can't be read"),
        (described('{"format": 1, "version": [], "made_at": null, "pictures": "2"}'), "parley.json can't be read"),
        (described(" " * 2**17), "parley.json is too large"),
        (lambda files: files.update({f"pictures/{NAME}.webp": bytes(2**21)}), "is too large"),
    ],
)
def test_an_archive_is_looked_through_before_anything_is_touched(
    saved: App, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    archive = saved.folder / "changed"
    shutil.copy(saved.folder / "saved", archive)
    rewrite(archive, change)
    before = sorted((saved.folder / "data").rglob("*")), database(saved).read_bytes()
    assert reason in command(saved, "restore", "--force", str(archive), code=1)
    after = sorted((saved.folder / "data").rglob("*"))
    assert (after, database(saved).read_bytes()) == before


def test_half_an_archive_and_what_is_none_are_refused_and_a_link_is_not_followed(saved: App) -> None:
    archive, whole = saved.folder / "changed", (saved.folder / "saved").read_bytes()
    for content in (whole[: len(whole) // 2], b"a letter"):
        archive.write_bytes(content)
        assert "not possible" in command(saved, "restore", "--force", str(archive), code=1)
    archive.write_bytes(whole)
    rewrite(archive, lambda files: files.update(odd=b""), tarfile.SYMTYPE)
    assert "is no backup" in command(saved, "restore", "--force", str(archive), code=1)
    assert "not possible" in command(saved, "backup", str(saved.folder / "no/such/folder/file"), code=1)


def test_a_data_folder_that_can_not_be_made_is_a_sentence(saved: App) -> None:
    said = command(saved, "restore", str(saved.folder / "saved"), code=1, DATA_DIR=str(saved.folder / "saved/data"))
    assert "can't be made: Not a directory. Set DATA_DIR to another." in said


def test_an_archive_of_more_than_there_is_room_for_is_refused_before_it_is_unpacked(saved: App) -> None:
    archive, entry = saved.folder / "changed", tarfile.TarInfo("parley.sqlite3")
    entry.size = 2**60
    archive.write_bytes(gzip.compress(entry.tobuf()))
    assert "There is no room" in command(saved, "restore", "--force", str(archive), code=1)


def test_a_picture_that_is_out_of_sight_for_a_moment_is_saved_and_unfinished_ones_are_not(saved: App) -> None:
    with tarfile.open(saved.folder / "saved") as tar:
        pictures = [f"pictures/{NAME}-96.webp", f"pictures/{NAME}.webp"]
        names = [*pictures, f"files/{FILE}", "parley.sqlite3", "parley.json"]
        assert tar.getnames() == names


async def test_postgresql_is_saved_by_its_own_tools_and_its_pages_heal_too(postgres_server: Postgres) -> None:
    url = postgres_server.create()
    alice = Person("Alice")
    with App(SETTINGS | {"DATABASE_URL": url.replace("postgres@", "postgres:hidden@")}) as app:
        async with alice.client:
            await alice.register(app)
            room = await alice.room(app)
            add_picture(app)
            await alice.say(app, room, "kept")
            archive = str(app.folder / "saved")
            said = await run(app, "backup", archive)
            assert f"pg_dump --format=custom --file=parley.dump {url}" in said
            assert "hidden" not in said
            async with alice.page(room, app) as page:
                await page.until(lambda page: len(page.log) == 1)
                await alice.say(app, room, "lost")
                await page.until(lambda page: len(page.log) == 2)
                # As pg_restore leaves it, here under a server that runs.
                connection = await asyncpg.connect(url)
                await connection.execute("DELETE FROM message WHERE number = 2")
                await connection.execute("UPDATE room SET version = 1, last_number = 1")
                await connection.close()
                os.unlink(app.folder / "data/pictures" / f"{NAME}.webp")
                await run(app, "restore", archive)
                await alice.say(app, room, "new")
                await holds(page, {1: "kept", 2: "new"})
            assert (app.folder / "data/pictures" / f"{NAME}.webp").exists()
        assert "Traceback" not in app.log.read_text()
