"""Answers and reactions while processes are killed in the middle: each is there once, in the database and on pages."""

import asyncio
import contextlib
import secrets
from collections import Counter

import httpx2

from tests.live_page import messages
from tests.page import Page
from tests.server_people import Enter, Pair, Person, holds
from tests.servers import App, Postgres, Redis
from webapp.messages.reactions import KINDS


class Acting:
    """Somebody who answers and reacts to the first message in turn, and sends what got no answer again, elsewhere."""

    def __init__(self, person: Person, room: str, *apps: App) -> None:
        self.person, self.apps = person, list(apps)
        self.answers: list[str] = []
        self.reacted = set[str]()
        self.count = self.interrupted = 0
        self._is_over, self._news = False, asyncio.Event()
        self._path = f"/rooms/{room}/messages"
        self._task = asyncio.create_task(self._act())

    async def _act(self) -> None:
        while not self._is_over:
            kind, body, nonce = KINDS[self.count % len(KINDS)], f"answer {self.count}", secrets.token_hex(8)
            await self._insist(self._path, body=f"{self.person.name} {body}", nonce=nonce, reply_to="1")
            self.answers.append(f"{self.person.name} {body}")
            is_on = kind not in self.reacted
            await self._insist(f"{self._path}/1/reactions", kind=kind, on=str(int(is_on)))
            self.reacted ^= {kind}
            self.count += 1
            self._news.set()

    async def _insist(self, path: str, **fields: str) -> None:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await self.person.post(self.apps[0], path, **fields)).status_code == 303:
                    return
            self.interrupted += 1
            self.apps.reverse()
            await asyncio.sleep(0.05)

    async def more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        goal = self.count + count
        async with asyncio.timeout(60):
            while self.count < goal:
                self._news.clear()
                await self._news.wait()

    async def stop(self) -> None:
        """Stop behind an act: nobody knows of one under way whether it was stored."""
        self._is_over = True
        await self._task


async def test_answers_and_reactions_are_there_once_though_processes_are_killed_in_the_middle(
    postgres_server: Postgres, redis_server: Redis, enter: Enter
) -> None:
    with Pair(postgres_server.create(), redis_server) as pair:
        alice, bob, igor = [await enter(pair.one, name) for name in ("Alice", "Bob", "Igor")]
        room = await alice.room(pair.one)
        await alice.say(pair.one, room, "Which door?")
        async with alice.page(room, pair.one, pair.other) as page:
            people = [Acting(one, room, pair.one, pair.other) for one in (bob, igor)]
            for app in pair.both:
                await asyncio.gather(*(one.more(8) for one in people))
                app.kill()
                await asyncio.gather(*(one.more(8) for one in people))
                await asyncio.to_thread(app.start)
            await asyncio.gather(*(one.stop() for one in people))
            assert sum(one.interrupted for one in people) > 0
            stored = await pair.fetch(
                "SELECT number, body, reply_to, reactions FROM message WHERE room_id = $1 ORDER BY number", room
            )
            assert sorted(row["body"] for row in stored[1:]) == sorted(body for one in people for body in one.answers)
            assert {row["reply_to"] for row in stored[1:]} == {1}
            given = await pair.fetch(
                'SELECT username, kind FROM reaction JOIN "user" ON "user".id = user_id '
                "JOIN message ON message.id = message_id WHERE room_id = $1",
                room,
            )
            expected = sorted((one.person.username, kind) for one in people for kind in one.reacted)
            assert sorted((row["username"], row["kind"]) for row in given) == expected
            counts = Counter(kind for one in people for kind in one.reacted)
            assert {line.split()[0]: int(line.split()[1]) for line in stored[0]["reactions"].splitlines()} == counts
            html = (await alice.client.get(f"{pair.one.url}/rooms/{room}?around=1")).text
            chips = [chip.text().split(" ") for chip in Page(html).all(".reaction")]
            assert {kind: int(count) for kind, count in chips} == counts
            quoting = {row["number"]: f"Alice Which door?{row['body']}" for row in stored[1:]}
            assert dict(messages(html)).items() <= ({1: "Which door?"} | quoting).items()
            await holds(page, {1: "Which door?"} | quoting)
