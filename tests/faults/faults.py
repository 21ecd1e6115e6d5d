"""The faults, each as a story: what is harmed, what /health says meanwhile, how it is mended."""

import asyncio
import os
import resource
import sqlite3
from contextlib import closing

from tests.faults.harness import Double, Fault, Single, Site, frozen, gone_for, says
from tests.servers import App

A_WHILE = 3.0
LINK = "the link to Redis is gone"
DATABASE = "the database does not answer"


async def redis_killed(site: Site, seconds: float) -> None:
    assert isinstance(site, Double)
    site.redis.kill()
    await says(site, "degraded")
    await asyncio.sleep(seconds)
    await asyncio.to_thread(site.redis.start)


async def redis_frozen(site: Site) -> None:
    assert isinstance(site, Double)
    async with frozen(site.redis):
        await says(site, "degraded")
        await asyncio.sleep(A_WHILE)


async def redis_cut(site: Site) -> None:
    assert isinstance(site, Double)
    for kind in ("pubsub", "normal"):
        site.redis.cli("CLIENT", "KILL", "TYPE", kind)


async def postgres_restarted(site: Site) -> None:
    assert isinstance(site, Double)
    await asyncio.to_thread(site.postgres.restart)


async def postgres_killed(site: Site) -> None:
    assert isinstance(site, Double)
    site.postgres.kill()
    await says(site, "down")
    await asyncio.sleep(A_WHILE)
    await asyncio.to_thread(site.postgres.start)


async def process_killed(site: Site) -> None:
    await gone_for(site.apps[0], 1.0)


async def process_ended(site: Site) -> None:
    """SIGTERM while everybody posts, and a start: a deployment."""
    await asyncio.to_thread(site.apps[0].terminate)
    await asyncio.to_thread(site.apps[0].start)


async def process_frozen(site: Site) -> None:
    async with frozen(site.apps[0]):
        await asyncio.sleep(A_WHILE)


async def sqlite_locked(site: Site) -> None:
    """Somebody else holds the file: a backup tool, an operator's shell."""
    assert isinstance(site, Single)
    with closing(sqlite3.connect(site.apps[0].folder / "data/parley.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(A_WHILE)
        other.execute("ROLLBACK")


async def disk_full(site: Site) -> None:
    """No file may grow any more: works for whoever runs the tests, and is as quickly over."""
    app = site.apps[0]
    # The limit is less than a page of SQLite's. The log has to fit, which faults before this one have filled.
    os.truncate(app.log, 0)
    limit(app, 4100)
    try:
        await says(site, "down")
        await asyncio.sleep(A_WHILE)
        await says(site, "down")
    finally:
        limit(app, resource.RLIM_INFINITY)


def limit(app: App, size: int) -> None:
    """The largest that a file of this process may become."""
    resource.prlimit(app.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


REDIS = [
    Fault("Redis killed for 1 s", lambda site: redis_killed(site, 1), LINK),
    Fault("Redis killed for 15 s", lambda site: redis_killed(site, 15), LINK, is_long=True),
    Fault("Redis frozen", redis_frozen, LINK),
    Fault("connections of Redis killed", redis_cut, LINK),
]
POSTGRES = [
    Fault("PostgreSQL restarted", postgres_restarted, DATABASE),
    Fault("PostgreSQL killed for 3 s", postgres_killed, DATABASE),
]
SQLITE = [
    Fault("SQLite locked for 3 s", sqlite_locked, DATABASE),
    Fault("disk full", disk_full, DATABASE),
]
PROCESS = [
    Fault("a process killed (SIGKILL)", process_killed),
    Fault("a process ended (SIGTERM)", process_ended),
    Fault("a process frozen for 3 s (SIGSTOP)", process_frozen),
]
ON_SINGLE = [*SQLITE, *PROCESS]
ON_DOUBLE = [*REDIS, *POSTGRES, *PROCESS]
