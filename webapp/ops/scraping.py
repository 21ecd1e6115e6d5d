"""Answers an operator's Prometheus; what puts the figures together is loaded when it asks."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from webapp.core.errors import NotFound
from webapp.db import engine
from webapp.http.client import is_operator
from webapp.messages import indexing
from webapp.ops.file_metrics import file_metrics

# How long the database is waited for.
TIMEOUT_SECONDS = 2.0


async def show(request: Request) -> Response:
    """Answer the operator; for anybody else there is no such page."""
    from webapp.ops.metrics import exposition

    if not is_operator(request):
        raise NotFound
    await file_metrics().refresh()
    return exposition(await _indexed())


async def _indexed() -> float | None:
    """Return which part of the messages search finds; None while the database is away, when the rest counts more."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await indexing.progress()
    except engine.DOWN:
        return None
