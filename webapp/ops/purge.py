"""What is forgotten when its time has come: each domain knows how, here is the list of them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from webapp import settings
from webapp.accounts.bans import BAN_DAYS, AddressBan
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.db import engine
from webapp.exports.jobs import Export
from webapp.files.retention import delete_unsent
from webapp.media.files import file_store
from webapp.messages import expiry, indexing
from webapp.messages.retention import delete_closed_rooms
from webapp.moderation.models import Report
from webapp.ops.chores import Chore
from webapp.strangers.retention import delete_expired as strangers

INTERVAL = 3600
STRANGERS_INTERVAL = 300
CHECK_SECONDS = 120

logger = logging.getLogger(__name__)

# What it is called, and the function that forgets it and says how many there were.
TASKS: dict[str, Callable[[], Awaitable[int]]] = {
    "rooms": delete_closed_rooms,
    "messages": expiry.delete_expired,
    "chats with strangers": strangers,
    "files of what was theirs": Export.delete_expired,
    "files that were not sent": delete_unsent,
    "sessions": lambda: Session.delete_unused(settings.KEEP_SESSIONS),
    "addresses": lambda: Session.clear_addresses(timedelta(days=BAN_DAYS)),
    "bans of addresses": AddressBan.delete_expired,
    "bans": User.clear_expired_bans,
    "reports": lambda: Report.forget(settings.KEEP_REPORTS),
}


async def purge_all() -> str:
    """Delete all that has expired; return a line that says what. Two may run at once: each deletes what it finds."""
    counts = {what: await forget() for what, forget in TASKS.items()}
    await indexing.erase()
    await file_store().sweep()
    await engine.scrub()
    forgotten = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    return f"Forgotten: {forgotten}." if forgotten else "There was nothing to forget."


async def run() -> None:
    """Do it every hour, and for strangers, to whom less than that is promised, every few minutes: one process does."""
    while True:
        await asyncio.sleep(CHECK_SECONDS * random.uniform(0.5, 1.5))
        try:
            if await Chore.claim("purge", INTERVAL):
                logger.info(await purge_all())
            elif await Chore.claim("strangers", STRANGERS_INTERVAL) and await strangers():
                await engine.scrub()
        except Exception as error:  # the next look finds what is left
            engine.report_failure("what is due could not be forgotten", error)
