"""Whether everything that Parley stands on answers: for whoever runs it, and for what watches over it."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp import __version__, database
from webapp.live import hub

PATIENCE_SECONDS = 3.0


async def show(request: Request) -> Response:
    """200 when messages can be posted, 503 when not; a link to Redis that is down only slows other processes."""
    is_stored = await _database_answers()
    state = {
        "status": "ok" if is_stored and hub.is_linked else "degraded" if is_stored else "down",
        "database": "ok" if is_stored else "down",
        "broadcaster": "ok" if hub.is_linked else "down",
        "version": __version__,
    }
    return JSONResponse(state, 200 if is_stored else 503, {"Cache-Control": "no-store"})


async def _database_answers() -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await database.rows("SELECT 1")
        return True
    except Exception:  # whatever it is, the answer is no
        return False
