"""When the index of words is looked after: by one process of all, each minute."""

import asyncio
import random

from webapp import settings
from webapp.db import engine
from webapp.messages import indexing
from webapp.ops.chores import Chore

FIRST_SECONDS, INTERVAL = 15, 60
# How long older messages are written for in one go.
FILL_SECONDS = 45.0
# How soon what was deleted is erased from the files of SQLite, and how much later for each thousand messages, as all
# that there is of the index is written again.
ERASE_INTERVAL, ERASE_SECONDS_PER_THOUSAND = 300, 1
REINDEX_INTERVAL = 7 * 86400


async def run() -> None:
    await asyncio.sleep(FIRST_SECONDS * random.uniform(0.5, 1.5))
    while True:
        try:
            if await Chore.claim("words", INTERVAL):
                await look_after()
        except Exception as error:  # the next look continues
            engine.report_failure("the index of words could not be looked after", error)
        await asyncio.sleep(INTERVAL * random.uniform(0.2, 0.4))


async def look_after() -> None:
    """Write what has no words, merge what waits to be merged, erase what was deleted."""
    await indexing.catch_up()
    await indexing.fill_older(FILL_SECONDS)
    await indexing.merge()
    state = await indexing.state()
    interval = max(ERASE_INTERVAL, state.high // 1000 * ERASE_SECONDS_PER_THOUSAND)
    if state.dirty and await Chore.claim("erase words", interval):
        await indexing.erase()
    if not settings.ON_SQLITE and await Chore.claim("reindex", REINDEX_INTERVAL):
        await indexing.reindex()
