"""
How soon two strangers are together, and how many a second: two processes on PostgreSQL and Redis.

    python -m tests.bench.strangers
"""

import asyncio
import random
import statistics
import time
from itertools import combinations

import asyncpg
import httpx2

from tests.server_people import SETTINGS, Pair
from tests.servers import App, Postgres, Redis

WISHES = {"interests": "", "language": "en", "rules": "1"}
HEADERS = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0"}
SECONDS, A_SECOND, GUESTS = 30, 50, 900


class Guest:
    def __init__(self, app: App) -> None:
        # A connection for each request: one that is kept may be closed at the moment in which it is used again.
        once = httpx2.Limits(max_keepalive_connections=0)
        self.http = httpx2.AsyncClient(base_url=app.url, headers=HEADERS, timeout=120, limits=once)

    async def find(self) -> None:
        # 429: whom several have left within seconds takes a break.
        assert (await self.http.post("/strangers/find", data=WISHES)).status_code in (303, 429)

    async def leave(self) -> None:
        assert (await self.http.post("/strangers/leave")).status_code == 303

    async def where(self) -> str:
        answer = await self.http.get("/strangers")
        return answer.headers.get("Location", "/strangers") if answer.status_code == 303 else "/strangers"

    async def waits(self, ready: asyncio.Event) -> None:
        """Hold the waiting page's stream until it says that there is somebody."""
        async with self.http.stream("GET", "/strangers/events", timeout=None) as response:
            async for line in response.aiter_lines():
                ready.set()
                if line == "event: moved":
                    return

    async def is_live(self) -> None:
        """Follow to the chat, and open its stream."""
        while (path := await self.where()) == "/strangers":
            await asyncio.sleep(0.01)
        assert (await self.http.get(path)).status_code == 200
        async with self.http.stream("GET", f"{path}/events?after=0", timeout=None) as response:
            async for _ in response.aiter_bytes():
                return


async def latency(pair: Pair) -> list[float]:
    """Milliseconds from the second's press to both having the chat open and live."""
    taken = []
    for _ in range(20):
        one, other = Guest(pair.one), Guest(pair.other)
        ready = asyncio.Event()
        await one.find()
        waiting = asyncio.create_task(one.waits(ready))
        await ready.wait()
        await asyncio.sleep(random.uniform(0.2, 1.2))
        begun = time.monotonic()

        async def first(who: Guest = one, told: asyncio.Task[None] = waiting) -> None:
            await told
            await who.is_live()

        async def second(who: Guest = other) -> None:
            await who.find()
            await who.is_live()

        await asyncio.gather(first(), second())
        taken.append((time.monotonic() - begun) * 1000)
        await one.leave()
        await asyncio.gather(one.http.aclose(), other.http.aclose())
    return taken


async def throughput(pair: Pair, url: str) -> tuple[list[int], int]:
    """Matches in each second while so many pairs arrive, and how many waited at most."""
    database = await asyncpg.connect(url)
    guests = [Guest(pair.both[number % 2]) for number in range(GUESTS)]
    for start in range(0, GUESTS, 20):
        some = guests[start : start + 20]
        await asyncio.gather(*(guest.find() for guest in some))
        await asyncio.gather(*(guest.leave() for guest in some))
    await database.execute("UPDATE stranger SET since = NULL")
    await database.execute("UPDATE met SET skipped = NULL")
    idle: asyncio.Queue[Guest] = asyncio.Queue()
    for guest in guests:
        idle.put_nowait(guest)

    async def meet(guest: Guest) -> None:
        await guest.find()
        await asyncio.sleep(5.5)  # or they would be taken for somebody whom nobody wants to talk to
        await guest.leave()
        await guest.http.post("/strangers/stop")
        idle.put_nowait(guest)

    counts, most, tasks = [], 0, set[asyncio.Task[None]]()
    before = await database.fetchval("SELECT count(*) FROM room WHERE kind = 'stranger'")
    begun = time.monotonic()
    for second in range(SECONDS):
        for place in range(2 * A_SECOND):
            task = asyncio.create_task(meet(await idle.get()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(max(0, begun + second + place / (2 * A_SECOND) - time.monotonic()))
        total = await database.fetchval("SELECT count(*) FROM room WHERE kind = 'stranger'")
        counts.append(total - before)
        before = total
        most = max(most, await database.fetchval("SELECT count(*) FROM stranger WHERE since IS NOT NULL"))
    took = time.monotonic() - begun
    await asyncio.gather(*tasks)
    print(f"{sum(counts) / took:.1f} matches a second for {took:.1f} s")
    await check(database)
    await database.close()
    return counts, most


async def check(database: asyncpg.Connection) -> None:
    """Nobody in two chats, nobody alone in one, nobody with themselves."""
    rows = await database.fetch(
        "SELECT room.id, array_agg(stranger.person) AS people FROM room "
        "LEFT JOIN stranger ON stranger.room_id = room.id "
        "WHERE room.kind = 'stranger' AND room.locked_at IS NULL GROUP BY room.id"
    )
    assert all(len(set(row["people"])) == 2 and None not in row["people"] for row in rows), rows
    for one, other in combinations([set(row["people"]) for row in rows], 2):
        assert not one & other
    assert not await database.fetchval("SELECT count(*) FROM stranger WHERE since IS NOT NULL AND room_id IS NOT NULL")


async def chaos(pair: Pair, url: str) -> float:
    """Five hundred who do whatever they like for a while, and then all look for somebody: until nobody waits."""
    database = await asyncpg.connect(url)
    guests = [Guest(pair.both[number % 2]) for number in range(500)]

    async def live(guest: Guest) -> None:
        for _ in range(random.randint(2, 5)):
            what = random.choice(("find", "find", "stop", "next", "leave", "vanish"))
            if what == "find":
                await guest.find()
            elif what != "vanish":
                await guest.http.post(f"/strangers/{what}", data={"sure": "1"})
            await asyncio.sleep(random.uniform(0, 0.5))

    for start in range(0, 500, 50):
        await asyncio.gather(*(guest.find() for guest in guests[start : start + 50]))
    await asyncio.gather(*(live(guest) for guest in guests))
    await check(database)
    await asyncio.gather(*(guest.leave() for guest in guests))
    await asyncio.gather(*(guest.http.post("/strangers/stop") for guest in guests))
    await database.execute("DELETE FROM conduct")
    await database.execute("UPDATE met SET skipped = NULL")
    await asyncio.gather(*(guest.find() for guest in guests))
    last = time.monotonic()
    while await database.fetchval("SELECT count(*) FROM stranger WHERE since IS NOT NULL"):
        assert time.monotonic() - last < 60
        await asyncio.sleep(0.02)
    took = time.monotonic() - last
    await check(database)
    await database.close()
    return took


async def main() -> None:
    with Postgres() as postgres, Redis() as redis:
        postgres.start()
        redis.start()
        url = postgres.create()
        SETTINGS["RATE_LIMITS"] = "off"
        with Pair(url, redis) as pair:
            taken = await latency(pair)
            middle, worst = statistics.median(taken), max(taken)
            print(f"a match is live at both after {middle:.0f} ms (median of 20, at most {worst:.0f})")
            print(f"500 after a random while: all matched {await chaos(pair, url):.2f} s after the last has come")
            counts, most = await throughput(pair, url)
            print(f"in each second {min(counts)} to {max(counts)}; {most} waited at most at the end of one")


if __name__ == "__main__":
    asyncio.run(main())
