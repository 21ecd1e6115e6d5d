"""What is forgotten when its time has come: each domain knows how, here is the list of them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from webapp import settings
from webapp.accounts.bans import DAYS, AddressBan
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.db import engine
from webapp.exports.jobs import Export
from webapp.messages.retention import erase_closed
from webapp.moderation.models import Report
from webapp.ops.chores import Chore
from webapp.strangers.retention import forget as strangers

HOUR = 3600
FEW_MINUTES = 300
LOOK_SECONDS = 120

log = logging.getLogger(__name__)

# What it is called, and the function that forgets it and says how many there were.
FORGET: dict[str, Callable[[], Awaitable[int]]] = {
    "rooms": erase_closed,
    "chats with strangers": strangers,
    "files of what was theirs": Export.forget,
    "sessions": lambda: Session.forget(settings.KEEP_SESSIONS),
    "addresses": lambda: Session.forget_addresses(timedelta(days=DAYS)),
    "bans of addresses": AddressBan.forget,
    "bans": User.forget_bans,
    "reports": lambda: Report.forget(settings.KEEP_REPORTS),
}


async def everything() -> str:
    """Forget all that is due; what it was, in a line. Two at once do no harm: each deletes what it finds."""
    counts = {what: await forget() for what, forget in FORGET.items()}
    await engine.scrub()
    forgotten = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    return f"Forgotten: {forgotten}." if forgotten else "There was nothing to forget."


async def keep() -> None:
    """Do it every hour, and for strangers, to whom less than that is promised, every few minutes: one process does."""
    while True:
        await asyncio.sleep(LOOK_SECONDS * random.uniform(0.5, 1.5))
        try:
            if await Chore.claim("purge", HOUR):
                log.info(await everything())
            elif await Chore.claim("strangers", FEW_MINUTES) and await strangers():
                await engine.scrub()
        except Exception as error:  # the next look finds what is left
            engine.read("what is due could not be forgotten", error)
