"""Rows about posting, and about a second process."""

import contextlib
from collections.abc import Iterator

from tests.bench import machine
from tests.bench.contenders import Bare, Channels, Naive, Parley
from tests.bench.live import heard, parleys, started
from tests.bench.loader import load
from tests.bench.report import Row
from tests.bench.scale import Scale
from tests.servers import Postgres, Redis

PEOPLE = 16
# More than anybody can post in the time that is given.
MOST = 100_000
# Of one room in the row about two workers.
READERS = 1000


def posts(scale: Scale) -> Iterator[Row]:
    """Sixteen people in a room, whose pages are open, write as fast as they are answered."""
    row = Row(f"Posts: {PEOPLE} who write in one room, all with its page open")
    with started(scale, *parleys(scale, PEOPLE), Bare(PEOPLE), Channels(PEOPLE), Naive(PEOPLE)) as contenders:
        for contender in scale.rounds_of(contenders):
            options = {"messages": MOST, "warm": 50, "lasting": scale.seconds * 1000}
            result = load(contender, contender.readers(), contender.posts(), **options)
            heard(row, contender, result)
            row.note(
                contender.name,
                posts_a_second=result.posts_a_second,
                CPU_ms_of_a_post=result.cpu / (result.counted / PEOPLE) * 1000,
                delay_p50_ms=result.p50_ms,
                delay_p99_ms=result.p99_ms,
            )
    row.bar("posts a second, of Channels'", row.ratio("posts_a_second", "Parley", "Channels"), "x", 10, 12)
    row.bar("posts a second, of bare's", row.ratio("posts_a_second", "Parley", "bare"), "x", 0.95, 1.1)
    yield row


def workers(scale: Scale) -> Iterator[Row]:
    """What a delivery costs one process on SQLite, and two on PostgreSQL and Redis."""
    row = Row(f"Workers: {READERS:,} readers of one room, one process on SQLite and two on PostgreSQL and Redis")
    with contextlib.ExitStack() as stack:
        with machine.on(machine.LOAD):
            postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
            postgres.start()
            redis.start()
        shared = {"DATABASE_URL": postgres.create(), "REDIS_URL": redis.url, "WORKERS": "2"}
        both = {"one": Parley(READERS), "two": Parley(READERS, env=shared)}
        stack.enter_context(started(scale, *both.values()))
        for name in scale.rounds_of(list(both)):
            contender = both[name]
            messages = 5 * scale.seconds
            result = load(
                contender, contender.readers(), contender.posts(), messages=messages, rate=5, warm=5, settle=2000
            )
            heard(row, contender, result)
            row.note(
                name,
                CPU_s_per_million_deliveries=result.cpu_per_million,
                delay_p50_ms=result.p50_ms,
                delay_p99_ms=result.p99_ms,
            )
    row.remark("The CPU time of PostgreSQL and Redis is not counted.")
    of_one = row.ratio("CPU_s_per_million_deliveries", "two", "one")
    row.bar("CPU per delivery with two workers, of one's", of_one, "x", 1.1, 1.03, is_cost=True)
    yield row
