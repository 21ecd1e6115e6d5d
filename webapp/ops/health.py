"""Whether everything that Parley depends on works at this moment, for operators and their monitoring."""

import asyncio
import os
import tempfile
from time import monotonic

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp import __version__, settings
from webapp.core.faults import faults
from webapp.core.lifetime import Slot
from webapp.db import sql
from webapp.http.client import is_operator
from webapp.live import hub

TIMEOUT_SECONDS = 3.0
SLOW_SECONDS = 1.0
CACHE_SECONDS = 1.0
# What is written to see whether anything can be; and how often at most, because anybody may ask.
PROBE = bytes(16 * 1024)
PROBE_SECONDS = 1.0


async def show(request: Request) -> Response:
    """
    200 when messages can be posted, 503 when not. Which version this is, only the operator reads.

    `degraded` is: a link to Redis that is down (other processes hear of things a little later), a database that
    is slow or failed a moment ago, a data folder that can't be written to while the database is elsewhere, a bucket
    that does not answer.
    """
    state = await _state()
    own = {"version": __version__} if is_operator(request) else {}
    return JSONResponse(state | own, 503 if state["status"] == "down" else 200, {"Cache-Control": "no-store"})


class LastCheck:
    """The result of the last check, shared for a second: anybody may ask, and a check costs a query and a write."""

    def __init__(self) -> None:
        self.checking: asyncio.Task[dict[str, str]] | None = None
        self.checked_at = self.probed_at = 0.0
        self.is_writable = True


last_check = Slot[LastCheck]("last check of health")


async def _state() -> dict[str, str]:
    """The state of a second ago at most."""
    last = last_check()
    if last.checking is None or (last.checking.done() and monotonic() - last.checked_at > CACHE_SECONDS):
        last.checked_at, last.checking = monotonic(), asyncio.create_task(_check())
    return await asyncio.shield(last.checking)


async def _check() -> dict[str, str]:
    stored, disk = await asyncio.gather(_database(), _disk())
    parts = {"database": stored, "broadcaster": "ok" if hub().is_connected else "down", "disk": disk}
    if settings.MEDIA:
        parts["media"] = "down" if faults().media.is_on else "ok"
    is_down = stored == "down" or (disk != "ok" and settings.ON_SQLITE)
    is_well = set(parts.values()) == {"ok"}
    return {"status": "down" if is_down else "ok" if is_well else "degraded", **parts}


async def _database() -> str:
    """ok; slow; failing: it answers, but did not a moment ago; down."""
    begun = monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await sql.fetch_inline("SELECT 1")
            if faults().database.is_on:
                # A database that is full or locked still answers questions.
                await sql.execute("UPDATE process SET renewed = renewed")
    except Exception as error:  # whatever it is, the answer is no
        faults().database.report(error)
        return "down"
    if faults().database.is_on:
        return "failing"
    return "slow" if monotonic() - begun > SLOW_SECONDS else "ok"


async def is_database_up() -> bool:
    return await _database() in ("ok", "slow", "failing")


async def _disk() -> str:
    return "ok" if await is_disk_writable() else "full"


async def is_disk_writable() -> bool:
    """Whether the data folder can be written to."""
    last = last_check()
    if monotonic() - last.probed_at > PROBE_SECONDS:
        last.is_writable = await asyncio.to_thread(_probe)
        last.probed_at = monotonic()
    return last.is_writable


def _probe() -> bool:
    try:
        settings.DATA_DIR.mkdir(0o700, parents=True, exist_ok=True)  # nobody may have needed it yet
        with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        faults().disk.report(error)
        return False
    return True
