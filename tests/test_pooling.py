"""Behind a pgbouncer that hands each transaction to another session: refused until it is known, and then as without."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.server_people import SETTINGS, Enter
from tests.servers import App, Postgres, Server, free_port, missing, nobody, on_path


class PgBouncer(Server):
    """One that shares four connections among all who come."""

    farewell = Server.farewell.SIGINT

    def __init__(self, postgres: str) -> None:
        super().__init__("pgbouncer")
        self.server, self.port = urlsplit(postgres), free_port()
        self.url = self.server._replace(netloc=f"postgres@127.0.0.1:{self.port}").geturl()

    def start(self) -> None:
        program = on_path("pgbouncer") or missing("no pgbouncer")
        users, settings = self.folder / "users", self.folder / "settings"
        users.write_text('"postgres" ""\n')
        settings.write_text(
            f"[databases]\n* = host={self.server.hostname} port={self.server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {users}\npool_mode = transaction\ndefault_pool_size = 4\n"
        )
        self.identity = nobody(self.folder)
        self.start_process(program, str(settings))
        self.wait_until_ready(lambda: "process up" in self.log.read_text(), 10)


@pytest.fixture
def pooled(postgres_server: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres_server.create()) as pooled:
        pooled.start()
        yield pooled


def command(app: App, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "webapp", *words],
        env=app.env,
        cwd=app.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_pooler_that_shares_sessions_is_refused_until_it_is_named(pooled: PgBouncer, enter: Enter) -> None:
    app = App(SETTINGS | {"DATABASE_URL": pooled.url})
    for words in (("check",), ("migrate",), ("serve", "--port", str(free_port()))):
        code, said = command(app, *words)
        assert code == 1, said
        assert "Add ?statement_cache_size=0 to DATABASE_URL" in said
    with App(SETTINGS | {"DATABASE_URL": f"{pooled.url}?statement_cache_size=0"}) as app:
        assert command(app, "check")[0] == 0
        people = [await enter(app, name) for name in ("ada", "ben", "cleo", "dora")]
        room = await people[0].room(app)
        answers = await asyncio.gather(
            *(person.say(app, room, f"{number}") for person in people for number in range(15))
        )
        answers += await asyncio.gather(
            *(person.client.get(f"{app.url}/rooms/{room}") for person in people for _ in range(15))
        )
        assert {answer.status_code for answer in answers} == {200, 303}
