"""
The least that Parley's own requests cost on what it is built of: its database, cookies, Markdown and template, in one
function for each request and with nothing around it.

There are no limits, no check of where a request comes from, no languages, pictures, presence, sidebars, receipts, pages
that are slow, other processes, or anything that fails: what lies between this and Parley is what these cost.
"""

import asyncio
import gc
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from webapp import settings
from webapp.app import app as parley
from webapp.conversations.models import LINE_LENGTH
from webapp.http import cookie
from webapp.live import frames
from webapp.messages import rendering
from webapp.messages.markdown import first_line, render_markdown
from webapp.messages.queries import MESSAGES, message_from

PERSON = 'SELECT session.*, "user".* FROM session JOIN "user" ON "user".id = user_id WHERE digest = ?'
ROOM = (
    "SELECT room.*, membership.* FROM room JOIN membership ON room_id = room.id "
    "WHERE key = ? AND user_id = ? AND closed_at IS NULL AND role <> 'kicked'"
)
STORE = (
    "INSERT INTO message (room_id, number, posted_version, version, author_id, body, html, continues, opens_day, "
    "created_at, nonce) VALUES (?, ?, ?, ?, ?, ?, ?, ?, FALSE, ?, ?)"
)
connection = sqlite3.connect(settings.DATA_DIR / "parley.sqlite3", isolation_level=None)
connection.row_factory = sqlite3.Row
ask = connection.execute
for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
    ask(f"PRAGMA {pragma}")
pages: defaultdict[str, set[asyncio.Transport]] = defaultdict(set)


def who_and_where(request: Request) -> tuple[sqlite3.Row, sqlite3.Row]:
    token = cookie.signer("session").unsign(request.cookies[cookie.name("http")]).decode()
    person = ask(PERSON, (cookie.digest(token),)).fetchone()
    return person, ask(ROOM, (request.path_params["key"], person["user_id"])).fetchone()


@lru_cache(1000)
def since(room: int, path: str, held: int, version: int) -> bytes:
    """What was said after the version that a page holds, read and rendered once for all that hold it."""
    where = "message.room_id = ? AND message.version > ? AND message.version <= ? ORDER BY message.number"
    lines = [message_from(row, path, {}, {}) for row in ask(f"{MESSAGES} {where}", (room, held, version))]
    html = "".join(rendering.render_message(line, is_changeable=True) for line in lines)
    chunk = frames.sse_event(frames.hx_partial("#log", "beforeend", html), version)
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


async def post(request: Request) -> Response:
    person, room = who_and_where(request)
    typed = dict(parse_qsl((await request.body()).decode()))
    html, at, number = render_markdown(typed["body"]), str(datetime.now(UTC)), room["room_id"]
    ask("BEGIN IMMEDIATE")
    version, last = ask(
        "UPDATE room SET version = version + 1, last_number = last_number + 1, last_at = ?, last_line = ?, "
        "last_author = ? WHERE id = ? AND closed_at IS NULL RETURNING version, last_number",
        (at, first_line(html, LINE_LENGTH), person["user_id"], number),
    ).fetchone()
    before = ask(
        "SELECT number, author_id, nonce FROM message WHERE room_id = ? AND number = ? "
        "OR room_id = ? AND author_id = ? AND nonce = ?",
        (number, last - 1, number, person["user_id"], typed["nonce"]),
    ).fetchone()
    ask("UPDATE membership SET read_number = ? WHERE room_id = ? AND user_id = ?", (last, number, person["user_id"]))
    continues = before["author_id"] == person["user_id"]
    own = (number, last, version, version, person["user_id"], typed["body"], html, continues, at, typed["nonce"])
    ask(STORE, own)
    ask("COMMIT")
    chunk = since(number, f"/rooms/{room['key']}", version - 1, version)
    for transport in pages[room["key"]]:
        transport.write(chunk)
    return Response("<p>Sent</p>")


class Events:
    """A page's stream. What goes to it later goes straight to its connection."""

    def __init__(self, request: Request) -> None:
        _, self.room = who_and_where(request)
        self.held = int(request.headers.get("last-event-id") or self.room["version"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport, key = scope["transport"], self.room["key"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": frames.SSE_OPENING, "more_body": True})
        pages[key].add(transport)
        version = ask("SELECT version FROM room WHERE key = ?", (key,)).fetchone()["version"]
        if self.held < version:
            transport.write(since(self.room["room_id"], f"/rooms/{key}", self.held, version))
        while (await receive())["type"] != "http.disconnect":
            pass
        pages[key].discard(transport)


async def events(request: Request) -> Any:
    return Events(request)


routes = [Route("/rooms/{key}/events", events), Route("/rooms/{key}/messages", post, methods=["POST"])]


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    assert parley.routes  # whose addresses a message names
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with rendering.caches.holding(rendering.Caches()):
        yield


inner = Starlette(routes=routes, lifespan=lifespan)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        scope["transport"] = send.__self__.transport  # type: ignore[attr-defined]
    await inner(scope, receive, send)
