"""The cast and the stage: every test gets an empty installation, and people who are signed in to it."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from markupsafe import Markup

# The settings are read at import, so the stage is set before anything of webapp is.
STAGE = Path(tempfile.mkdtemp(prefix="parley-"))
os.environ |= {
    "DATA_DIR": str(STAGE),
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", f"sqlite://{STAGE}/parley.sqlite3"),
    "REDIS_URL": "",
    "SECRET_KEY": "a secret for tests that is long enough",
    "SITE_TIMEZONE": "UTC",
}

# What they assert is told in full, as in a test.
pytest.register_assert_rewrite("tests.people", "tests.engine", "tests.page", "tests.postgresql_run", "tests.window")

from tortoise.apps import Apps  # noqa: E402

from tests.server_people import enter  # noqa: E402, F401
from tests.servers import own_redis, postgres_server, redis_server  # noqa: E402, F401
from webapp import settings  # noqa: E402
from webapp.accounts import passwords  # noqa: E402
from webapp.accounts.models import Profile, User  # noqa: E402
from webapp.accounts.sessions import Session  # noqa: E402
from webapp.app import app as the_app  # noqa: E402
from webapp.conversations import access, members  # noqa: E402
from webapp.conversations.models import Room  # noqa: E402
from webapp.db import migrate as schema  # noqa: E402
from webapp.http import cookie, render, responses  # noqa: E402
from webapp.live import hub  # noqa: E402
from webapp.media.images import ProcessedImage  # noqa: E402
from webapp.messages.models import Message, new_nonce  # noqa: E402
from webapp.rooms import opening  # noqa: E402

PASSWORD = "correct horse battery"
COOKIE = cookie.name("http")

SERVERS = {"redis_server", "own_redis", "postgres_server", "s3_server"}
FEW_FILES = 3
# One file takes a sixth of the whole time, so that a seventh worker would only wait for it.
MOST_WORKERS = 6

# The longest files with about how many seconds, as the workers take them; all others come later, with ten or twenty.
# A worker takes the next file when two tests are left, so with the one test of the first it takes the second, too.
LONGEST = {
    "tests/test_postgresql_too": 0, "tests/test_postgresql": 340, "tests/test_commands": 140, "tests/test_queries": 50,
    "tests/test_migrations": 45, "tests/test_interrupted": 45,
    "live/test_model": 50,
    "browser/test_access": 110, "tests/test_processes": 110, "browser/test_returns": 95, "browser/test_endings": 85,
    "clients/test_text_browsers": 85, "faults/test_faults": 85, "browser/test_strangers": 80, "browser/test_live": 70,
    "browser/test_messenger": 70, "faults/test_readers": 60, "tests/test_backup": 55, "browser/test_chats": 50,
    "browser/test_history": 50, "browser/test_composer": 45, "clients/test_chromium": 45,
    "clients/test_firefox_without_script": 45, "faults/test_overload": 35,
}  # fmt: skip
WAITING = ("browser/", "clients/", "faults/", "tests/test_processes", "tests/test_backup")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """
    Return how many processes share the files; none for a few files, which are there sooner.

    One more than there are cores: on two, where browsers and servers are waited for, a quarter of their time was idle.
    """
    cores = yield
    asked = [Path(argument.partition("::")[0]) for argument in config.args]
    files = sum(len(list(path.rglob("test_*.py"))) if path.is_dir() else 1 for path in asked)
    return min(cores + 1, MOST_WORKERS) if files > FEW_FILES else 0


def is_quick(item: pytest.Item) -> bool:
    """Whether the test stays in this process, on SQLite: it asks for no server, and its file knows of none to start."""
    module, fixtures = vars(item.getparent(pytest.Module).obj), set(item.fixturenames)  # type: ignore[union-attr,attr-defined]
    is_in_process = item.path.parent.name in {"tests", "live"} and not {"App", "Postgres"} & module.keys()
    return is_in_process and not SERVERS & fixtures and not item.get_closest_marker("slow")


def pytest_itemcollected(item: pytest.Item) -> None:
    if is_quick(item):
        item.add_marker("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    In which order the workers take the files: in two lanes side by side, the longest first.

    One lane waits for browsers and servers, which want a core of their own: two such files at once are slow, and
    what computes goes on meanwhile. Whatever is long and comes last leaves a core without work.
    """
    if settings.ON_SQLITE:
        items[:] = [item for item in items if not item.get_closest_marker("postgresql")]
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    files = {f"{item.path.parent.name}/{item.path.stem}": item.path for item in items}
    names = [name for name in LONGEST if name in files] + [name for name in files if name not in LONGEST]
    begins = dict[Path, int]()
    for is_waiting in (True, False):
        second = 0
        for name in names:
            if name.startswith(WAITING) is is_waiting:
                begins[files[name]] = second
                second += LONGEST.get(name, 15)
    order = sorted(begins, key=lambda file: begins[file])
    items.sort(key=lambda item: order.index(item.path))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def stage() -> Iterator[None]:
    yield
    shutil.rmtree(STAGE, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def built_once() -> Iterator[None]:
    """What Tortoise makes of the models is the same at every start of the application, and a third of its time."""
    build, is_built = Apps._build_initial_querysets, list[bool]()

    def build_once(apps: Apps) -> None:
        if not is_built:
            build(apps)
            is_built.append(True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Apps, "_build_initial_querysets", build_once)
        yield


@pytest.fixture(scope="session")
def migrated() -> Iterator["Cleaner | None"]:
    """A database with the schema and nothing in it; what empties it again on PostgreSQL."""
    asyncio.run(schema.migrate())
    if settings.ON_SQLITE:
        shutil.copy(STAGE / "parley.sqlite3", STAGE / "empty.sqlite3")
        yield None
    else:
        with Cleaner() as cleaner:
            yield cleaner


class Cleaner:
    """
    Empties the database on PostgreSQL, over one connection with a loop of its own, as each test has another loop.

    A connection of its own for each test would plan all cascades again, for ten times as long as they take.
    """

    # A TRUNCATE makes new files, which takes fifty times as long as deleting a few rows.
    STATEMENT = ";".join(
        f"DELETE FROM {table}"
        for table in '"user" room invitation stranger visit met conduct address_ban report audit_entry chore'.split()
    )

    def __enter__(self) -> "Cleaner":
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(self._connect())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(settings.DATABASE_URL, timeout=30)
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        # Whether the server has counted a table meanwhile is chance, and would decide how a query is planned.
        still = (f'ALTER TABLE "{table}" SET (autovacuum_enabled = off)' for (table,) in tables)
        await connection.execute(";".join(still))
        return connection

    def empty(self) -> None:
        self._runner.run(self._connection.execute(self.STATEMENT, timeout=60))


def pass_over_given_up_connections() -> None:
    """
    asyncpg tells the event loop of a connection that was still being made when its task was cancelled, as it happens
    when a test ends: it is nobody's error. Everything else that the loop is told goes on to anyio, and fails the test.
    """
    loop = asyncio.get_running_loop()
    tell = loop.get_exception_handler()
    if tell and tell.__name__ == "pass_on":
        return  # a loop that is used again

    def pass_on(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if tell and "unexpected connection_lost() call" not in str(context.get("exception")):
            tell(loop, context)

    loop.set_exception_handler(pass_on)


@pytest.fixture(autouse=True)
def parts_are_what_they_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every test, a part of a page that was rendered before is rendered again: its facts must say all of it."""
    part = render.part

    def checked(name: str, facts: Hashable, /, **context: object) -> Markup:
        html = part(name, facts, **context)
        assert html == render.fragment(name, **context).strip(), f"{name} shows more than {facts}"
        return html

    monkeypatch.setattr(render, "part", checked)
    monkeypatch.setitem(render.environment.globals, "render_part", checked)


@pytest.fixture(autouse=True)
def tags_are_of_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every test, no two pages that differ by a byte have one ETag, or a browser would show the old one."""
    tagged: dict[str, list[bytes]] = {}
    etag = responses.Body.etag

    def checked(self: responses.Body, *volatile: str) -> str:
        tag, page = etag(self, *volatile), [self.before, self.after]
        for text in filter(None, volatile):
            page = [part.replace(text.encode(), b"") for part in page]
        page.append(self.log.html)
        assert tagged.setdefault(tag, page) == page, f"{tag} is of two pages"
        return tag

    monkeypatch.setattr(responses.Body, "etag", checked)


@pytest.fixture
async def app(migrated: Cleaner | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[object]:
    """The application, started on an empty database; nobody is throttled unless a test turns that on."""
    monkeypatch.setattr(settings, "RATE_LIMITS", False)
    if settings.ON_SQLITE:
        for leftover in STAGE.glob("parley.sqlite3*"):
            leftover.unlink()
        shutil.copy(STAGE / "empty.sqlite3", STAGE / "parley.sqlite3")
    if migrated:
        pass_over_given_up_connections()
        # Before the application starts: it would go on with what the test before has begun.
        await asyncio.to_thread(migrated.empty)
    async with the_app.router.lifespan_context(the_app):
        # What it does at its start would take away what the test makes: on a slow machine in the middle of it.
        await background_ended("finish_interrupted_work")
        yield the_app


async def background_ended(name: str) -> None:
    """Wait until the application has done what it does in the background, by the name of its function."""
    await asyncio.gather(*(task for task in hub().tasks if name in repr(task)))


@cache
def hashed() -> str:
    """PASSWORD, hashed once."""
    return passwords.hasher.hash(PASSWORD)


async def known_password(person: "Person") -> "Person":
    """Their password is PASSWORD from now on."""
    assert person.user
    await User.filter(id=person.user.id).update(password_hash=hashed())
    return person


async def introduce(user: User, shown: str, bio: str = "") -> None:
    """What others see of them is this from now on."""
    await user.set_profile(Profile.checked(user, shown, bio, user.language, user.saves_data))


async def show(user: User, picture: ProcessedImage | None) -> None:
    """They take this picture, or none."""
    profile = Profile(user.display_name, user.bio, user.language, user.saves_data)
    await user.set_profile(profile, picture, keeps_picture=False)


class Person:
    """Somebody with a browser. `user` is their account, None for a visitor."""

    def __init__(self, app: object, user: User | None = None, address: str = "127.0.0.1", raises: bool = False) -> None:
        """Where the application raises, they get its page of an error, or the error itself."""
        self.user = user
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=raises, client=(address, 5000)),  # type: ignore[arg-type]
            base_url="http://localhost",
            headers={"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/153"},
        )

    async def sign_in(self) -> "Person":
        """A session without the form, and without the time that a password takes."""
        assert self.user
        token = new_nonce()
        self.session = await Session.begin(self.user, token, "Firefox on Linux")
        self.client.cookies.set(COOKIE, cookie.signer("session").sign(token).decode())
        return self

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers=_named(headers))

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
        return await self.client.post(path, data=fields or {}, headers=_named(headers))

    async def read(self, room: Room, number: int = 10**6) -> httpx2.Response:
        """What the script of an open page says: everything up to this number has been on the screen."""
        return await self.post(f"{room.path}/read", {"number": str(number)})

    async def say(self, room: Room, body: str, nonce: str = "", **headers: str) -> httpx2.Response:
        return await self.post(f"{room.path}/messages", {"body": body, "nonce": nonce or new_nonce()}, **headers)


def _named(headers: dict[str, str]) -> dict[str, str]:
    """`HX_Request` as a keyword is the header HX-Request."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def account(name: str, is_admin: bool = False) -> User:
    """An account whose password nobody knows: hashing one takes longer than a test should."""
    return await User.create_hashed(name, name.capitalize(), "no hash at all", is_admin)


async def person(app: object, name: str, is_admin: bool = False) -> Person:
    return await Person(app, await account(name, is_admin)).sign_in()


@pytest.fixture
async def visitor(app: object) -> Person:
    """Somebody who is not signed in."""
    return Person(app)


@pytest.fixture
async def alice(app: object) -> Person:
    """She owns the room."""
    return await person(app, "alice")


@pytest.fixture
async def bob(app: object, room: Room) -> Person:
    """He is in the room."""
    bob = await person(app, "bob")
    await members.join(await access.by_key(bob.user, room.key))  # type: ignore[arg-type]
    return bob


@pytest.fixture
async def charlie(app: object) -> Person:
    """He is outside the room."""
    return await person(app, "charlie")


@pytest.fixture
async def admin(app: object) -> Person:
    return await person(app, "ada", is_admin=True)


@pytest.fixture
async def room(alice: Person) -> Room:
    assert alice.user
    seat = await opening.open_room(alice.user, "Tea & Cake", "What goes with what")
    return await Room.get(id=seat.room.id)


@pytest.fixture
async def soup(alice: Person, bob: Person, room: Room) -> Room:
    """Another room that both are in, with the later message."""
    assert alice.user
    seat = await opening.open_room(alice.user, "Soup", "")
    await members.join(await access.by_key(bob.user, seat.room.key))  # type: ignore[arg-type]
    soup = await Room.get(id=seat.room.id)
    await alice.say(room, "in tea")
    await alice.say(soup, "in soup")
    return soup


async def bodies(room: Room) -> list[str]:
    """What the database holds of the room's log, in order."""
    return list(await Message.filter(room_id=room.id).order_by("number").values_list("body", flat=True))
