"""The tutorial chat on Starlette: broadcaster and sse-starlette; each reader renders the template for itself."""

import contextlib
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiosqlite
from broadcaster import Broadcast
from jinja2 import Environment
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

broadcast = Broadcast("memory://")
MESSAGE = Environment(autoescape=True).from_string(
    """<li class="message" data-author="{{ author }}">
<span class="avatar avatar--{{ author | length }}" aria-hidden="true">{{ author[:1] | upper }}</span>
<span class="message__author" dir="auto">{{ author }}</span>
<span class="message__meta"><a href="/rooms/{{ room }}/messages/{{ at }}"><time class="clock" datetime="{{ at }}">
{{- at[11:16] }}</time></a> <a class="message__more" href="/rooms/{{ room }}/messages/{{ at }}/edit">More</a></span>
<div class="message__body" dir="auto"><p>{{ body }}</p></div></li>"""
)


async def post(request: Request) -> Response:
    typed = await request.form()
    message = {
        "room": request.path_params["room"],
        "author": typed["author"],
        "body": typed["body"],
        "at": datetime.now(UTC).isoformat(),
    }
    database: aiosqlite.Connection = request.app.state.database
    await database.execute("INSERT INTO message VALUES (:room, :author, :body, :at)", message)
    await database.commit()
    await broadcast.publish(message["room"], json.dumps(message))
    return JSONResponse({"posted": True})


async def events(request: Request) -> Response:
    async def read() -> AsyncIterator[str]:
        async with broadcast.subscribe(request.path_params["room"]) as subscriber:
            async for event in subscriber:
                yield MESSAGE.render(json.loads(event.message))

    return EventSourceResponse(read())


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with broadcast, aiosqlite.connect(os.environ["PEER_DATABASE"]) as app.state.database:
        await app.state.database.execute("CREATE TABLE message (room TEXT, author TEXT, body TEXT, at TEXT)")
        yield


app = Starlette(
    routes=[Route("/rooms/{room}/messages", post, methods=["POST"]), Route("/rooms/{room}/events", events)],
    lifespan=lifespan,
)
