"""Who is measured: Parley as people run it, and its yardsticks in peers/."""

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, NamedTuple, Self
from urllib.parse import urlencode

import asyncpg

from tests.bench import machine
from tests.servers import ROOT, App, Redis, Server, free_port, on_path

PEERS = Path(__file__).parent / "peers"
# What the generator replaces by the number of the message and its time; see load.c.
MARKER = "~SSSSSSSStTTTTTTTTTTTTTTTT~"
# The marker stands so far back because the line of the room in the sidebars, which are open too, ends before it.
BODY = (
    "Good morning everybody, this is a message of the length that is usual in a chat, with *one word* that stands "
    f"out, and it is read by all who are here now: {MARKER}"
)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"


class Request(NamedTuple):
    """A request as it goes over the wire, and the number of the room that it concerns."""

    room: int
    bytes: bytes


def request(room: int, method: str, path: str, headers: dict[str, str], body: str = "") -> Request:
    length = {"Content-Length": str(len(body.encode()))} if method == "POST" else {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers | length).items())]
    return Request(room, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())


class Contender:
    """A chat server on its core. Rooms and people are numbered; the people are shared out among the rooms in order."""

    name: ClassVar[str]
    is_websocket: ClassVar[bool] = False
    # How many deliveries it can do in a time that somebody wants to wait for.
    patience: ClassVar[int] = 3_000_000

    port: int
    people: int
    rooms: int

    @property
    def pids(self) -> list[int]:
        """The processes whose CPU time and memory count."""
        raise NotImplementedError

    def headers(self, person: int) -> dict[str, str]:
        return {"Host": f"127.0.0.1:{self.port}", "User-Agent": AGENT}

    def readers(self, since: int | None = None) -> list[Request]:
        """Everybody opens the page of their room, at its newest message or so many messages ago."""
        raise NotImplementedError

    def posts(self) -> list[Request]:
        """Sixteen people, or one in each room, say something."""
        raise NotImplementedError

    def room_of(self, person: int) -> int:
        return person * self.rooms // self.people

    @property
    def authors(self) -> list[int]:
        if self.rooms == 1:
            return list(range(min(16, self.people)))
        return [person for person in range(self.people) if person * self.rooms % self.people < self.rooms]

    def __enter__(self) -> Self:
        with machine.on(machine.SERVER):
            self.start()
        return self

    def start(self) -> None:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError


class Parley(Contender):
    """`python -m webapp serve` with everything on but the rate limits, which few people who post all the time reach."""

    name = "Parley"
    SETTINGS: ClassVar = {"SECRET_KEY": "x" * 40, "RATE_LIMITS": "off", "MAX_STREAMS": "20000"}

    def __init__(
        self,
        people: int = 16,
        messages: list[int] | None = None,
        friends: int = 0,
        everywhere: bool = False,
        env: dict[str, str] | None = None,
    ) -> None:
        """So many people in rooms with so many messages; `env` has further settings."""
        counts = messages or [200]
        self.people, self.rooms = people, len(counts)
        self.app = App(self.SETTINGS | (env or {}))
        self._fill = [str(number) for number in (people, friends, int(everywhere), *counts)]

    def start(self) -> None:
        python = [sys.executable, "-m"]
        self.run(*python, "webapp", "migrate")
        self.cookies = json.loads(self.run(*python, "tests.bench.fill", *self._fill))
        self.port = self.app.port = free_port()  # now: what was free before all this may be taken
        self.serve()

    def serve(self) -> None:
        self.app.start()

    def run(self, *command: str) -> str:
        ran = subprocess.run(
            command, env=self.app.env, cwd=self.app.folder, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def __exit__(self, *_: object) -> None:
        self.app.stop()

    @property
    def pids(self) -> list[int]:
        return machine.family(self.app.pid)

    def headers(self, person: int) -> dict[str, str]:
        own = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "en", "Cookie": self.cookies[person]}
        return super().headers(person) | own

    def readers(self, since: int | None = None) -> list[Request]:
        versions = self.versions()
        asked = []
        for person in range(self.people):
            room = self.room_of(person)
            own = self.headers(person) | {"Accept": "text/event-stream"}
            if since is not None:
                own["Last-Event-ID"] = str(versions[room] - since)
            asked.append(request(room, "GET", f"/rooms/r{room}/events?after={versions[room]}", own))
        return asked

    def posts(self) -> list[Request]:
        form = urlencode({"body": BODY, "nonce": MARKER}, safe="~")
        kind = {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true", "Accept": "text/html"}
        rooms = {person: self.room_of(person) for person in self.authors}
        return [
            request(room, "POST", f"/rooms/r{room}/messages", self.headers(person) | kind, form)
            for person, room in rooms.items()
        ]

    def versions(self) -> list[int]:
        """The versions of all rooms, in their order."""
        query, url = "SELECT version FROM room ORDER BY id", self.app.env.get("DATABASE_URL", "")
        if url.startswith("postgres"):
            return asyncio.run(_column(url, query))
        connection = sqlite3.connect(f"file:{self.app.folder}/data/parley.sqlite3?mode=ro", uri=True)
        try:
            return [version for (version,) in connection.execute(query)]
        finally:
            connection.close()


class Before(Parley):
    """Parley of another checkout, with its own code and schema: what a change is worth, in one run."""

    name = "before"

    def __init__(self, checkout: str, people: int = 16, messages: list[int] | None = None) -> None:
        super().__init__(people, messages, env={"PYTHONPATH": checkout})


class Bare(Parley):
    """Parley's requests, and as little as can be done about them: how much there is to win at the very most."""

    name = "bare"

    def serve(self) -> None:
        options = ("--port", str(self.port), "--log-level", "warning", "--no-access-log", "--backlog", "4096")
        command = (sys.executable, "-m", "uvicorn", "tests.bench.peers.bare_chat:app", *options)
        self.app.start_process(*command, env=self.app.env)
        self.app.wait_until_ready(lambda: listens(self.port), 30)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


async def _column(url: str, query: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


class Peer(Contender, Server):
    """A yardstick that is one program."""

    def __init__(self, people: int = 16, rooms: int = 1) -> None:
        Server.__init__(self, self.name.lower())
        self.people, self.rooms = people, rooms
        self.env = os.environ | {"PYTHONPATH": str(ROOT), "PEER_DATABASE": str(self.folder / "chat.sqlite3")}

    def launch(self) -> None:
        """Start the program, which listens some time later."""
        raise NotImplementedError

    def start(self) -> None:
        self.port = free_port()
        self.launch()
        self.wait_until_ready(lambda: listens(self.port), 30)

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> list[int]:
        return machine.family(self.pid)


class Channels(Peer):
    name = "Channels"
    is_websocket = True
    patience = 30_000

    def __init__(self, people: int = 16, rooms: int = 1) -> None:
        super().__init__(people, rooms)
        self.redis = Redis()

    def launch(self) -> None:
        with machine.on(machine.LOAD):
            self.redis.start()
        self.env["REDIS_URL"] = self.redis.url
        module = "tests.bench.peers.channels_chat"
        made = subprocess.run([sys.executable, "-m", module], env=self.env, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        self.session = made.stdout.strip()
        options = ("-b", "127.0.0.1", "-p", str(self.port), "-v", "0")
        self.start_process(sys.executable, "-m", "daphne", *options, f"{module}:application", env=self.env)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.redis.stop()

    @property
    def pids(self) -> list[int]:
        return [*machine.family(self.pid), self.redis.pid]

    def headers(self, person: int) -> dict[str, str]:
        return super().headers(person) | {"Cookie": f"sessionid={self.session}"}

    def readers(self, since: int | None = None) -> list[Request]:
        """It knows no resuming: who comes back gets what is said from then on."""
        hello = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            "Origin": f"http://127.0.0.1:{self.port}",
        }
        rooms = [self.room_of(person) for person in range(self.people)]
        return [request(room, "GET", f"/ws/{room}", super(Channels, self).headers(0) | hello) for room in rooms]

    def posts(self) -> list[Request]:
        frame = _text_frame(json.dumps({"message": BODY, "username": "person1"}))
        return [Request(self.room_of(person), frame) for person in self.authors]


def _text_frame(text: str) -> bytes:
    """A frame as a browser sends it, with a mask of zeros."""
    size = len(text.encode())
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2)
    return b"\x81" + length + bytes(4) + text.encode()


class Naive(Peer):
    name = "naive"
    patience = 150_000

    def launch(self) -> None:
        options = ("--port", str(self.port), "--log-level", "warning", "--no-access-log", "--backlog", "4096")
        self.start_process(sys.executable, "-m", "uvicorn", "tests.bench.peers.naive_chat:app", *options, env=self.env)

    def readers(self, since: int | None = None) -> list[Request]:
        own = self.headers(0) | {"Accept": "text/event-stream"}
        rooms = [self.room_of(person) for person in range(self.people)]
        return [request(room, "GET", f"/rooms/{room}/events", own) for room in rooms]

    def posts(self) -> list[Request]:
        own = self.headers(0) | {"Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"body": BODY, "author": "person1"}, safe="~")
        rooms = [self.room_of(person) for person in self.authors]
        return [request(room, "POST", f"/rooms/{room}/messages", own, form) for room in rooms]


class Nchan(Peer):
    name = "nchan"
    patience = 1_500_000

    def launch(self) -> None:
        config = (PEERS / "nchan.conf").read_text().replace("PORT", str(self.port))
        (self.folder / "nchan.conf").write_text(
            config.replace("load_module modules", "load_module /usr/lib/nginx/modules")
        )
        program = on_path("nginx", "/usr/sbin/nginx")
        assert program, "no nginx: apt-get install nginx-light libnginx-mod-nchan"
        self.start_process(program, "-p", str(self.folder), "-c", str(self.folder / "nchan.conf"), "-e", "stderr")

    def readers(self, since: int | None = None) -> list[Request]:
        own = self.headers(0) | {"Accept": "text/event-stream"}
        which = "new" if since is None else "all"
        rooms = [self.room_of(person) for person in range(self.people)]
        return [request(room, "GET", f"/{which}/{room}", own) for room in rooms]

    def posts(self) -> list[Request]:
        """What it passes on is as long as Parley's message, and one line."""
        own = self.headers(0) | {"Content-Type": "text/html"}
        rooms = [self.room_of(person) for person in self.authors]
        return [request(room, "POST", f"/post/{room}", own, BODY.ljust(600, ".")) for room in rooms]


class Faulty(Peer):
    """Not a yardstick: the generator must see what it does wrong."""

    name = "faulty"

    def launch(self) -> None:
        self.start_process(sys.executable, str(PEERS / "faulty.py"), str(self.port), env=self.env)

    def readers(self, since: int | None = None) -> list[Request]:
        return [request(0, "GET", "/", self.headers(0)) for _ in range(4)]

    def posts(self) -> list[Request]:
        return [request(0, "POST", "/", self.headers(0), BODY)]
