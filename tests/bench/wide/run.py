"""
One measurement, run with Parley's environment and a database that has the schema; prints as JSON what was counted.

    python -m tests.bench.wide.run '{"people": 1000, ...}'
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from tortoise import Tortoise

from tests.bench.wide import counts as counting
from tests.bench.wide import installation, virtual
from tests.bench.wide.counts import Counts
from tests.bench.wide.options import Options
from tests.bench.wide.world import World
from webapp import app as application
from webapp import settings
from webapp.db import engine, postgresql, sql
from webapp.live.wire import Wire
from webapp.ops import indexing

# Of 2026, so that the clock of the database is ahead of all that was filled in.
EPOCH = 1_800_000_000


@contextlib.asynccontextmanager
async def _no_connection(*_: object, **__: object) -> Any:
    """In place of what a process does at its start: all share one connection to the database."""
    yield


async def _nothing() -> None: ...


def _adapt() -> None:
    """What the processes of a simulation do otherwise than others."""
    replaced: list[tuple[object, str, object]] = [
        (application, "RegisterTortoise", _no_connection),
        (indexing, "run", _nothing),  # speaks to PostgreSQL alone
        *((module, "postgresql", postgresql) for module in (engine, sql)),  # which is not loaded on SQLite
        (engine, "check_sessions", _nothing),
        (Wire, "below", classmethod(lambda cls, send: getattr(getattr(send, "__self__", None), "wire", None))),
    ]
    for owner, name, value in replaced:
        setattr(owner, name, value)


async def measure(options: Options) -> dict[str, object]:
    file = Path(settings.DATABASE_URL.removeprefix("sqlite://"))
    town = installation.create(file, options.people, options.rooms, options.seed)
    # The statements are in SQLite's words by now; what else depends on the engine is as with PostgreSQL.
    settings.ON_SQLITE = False
    counts = Counts()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual.Loop)
    virtual.install(loop)
    virtual.objects.set({})
    counting.count_statements(counts)
    counting.set_clock(loop.time, EPOCH)
    await Tortoise.init(config=engine.config())
    _adapt()
    world = World(options, town, counts)
    await world.run()
    problems, facts = world.check(), world.facts()
    found = {name: _plain(value) for name, value in vars(counts).items()}
    return found | {"problems": problems, "facts": dict(facts)}


def _plain(found: object) -> object:
    if isinstance(found, Counter):
        return {" | ".join(key) if isinstance(key, tuple) else key: count for key, count in found.items()}
    return found


def main() -> None:
    logging.disable(logging.INFO)
    options = Options(**json.loads(sys.argv[1]))
    loop = virtual.Loop()
    status = 1
    try:
        print(json.dumps(loop.run_until_complete(measure(options))), flush=True)
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)  # thousands of pages are open, and nobody waits for them to be closed


if __name__ == "__main__":
    main()
