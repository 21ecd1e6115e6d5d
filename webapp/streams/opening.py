"""Opening a stream: Server-Sent Events for pages with script, an endless document for those without."""

import random
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.stream_access import ADMIN
from webapp.accounts.viewer import Viewer
from webapp.conversations.seats import Seat
from webapp.core.clock import current_locale
from webapp.core.i18n import Text, _, current_language
from webapp.http import negotiate, render, responses
from webapp.http.client import client
from webapp.http.headers import CONTENT_SECURITY_POLICY
from webapp.http.limits import throttle
from webapp.http.params import is_in_query, query, whole
from webapp.http.urls import path_for
from webapp.live import Reader, frames, hub
from webapp.live.admission import admitted
from webapp.live.stream import Stream, parked_by_session
from webapp.messages import days
from webapp.presence.queries import DIRECTORY
from webapp.sidebar.inbox_news import STATE as INBOX
from webapp.sidebar.queries import OLDER_PAGE
from webapp.streams.endings import PAUSED

MOST_DIGITS = 18
MAX_TIME = 10**11
LONGEST_DIGEST = 40
# Pages that come back after an upgrade load themselves again, so many milliseconds apart on average.
RELOAD_MS = 10
# What a page shows of its viewer's sidebar, and of all states what it does without where little is to be sent.
SIDEBAR_STATES = frozenset({"entries", "online", "chat_typing"})
DISPENSABLE_STATES = frozenset({"people", "typing", "online", "chat_typing"})
# Who saves data gets what comes within so long in one piece.
SAVE_DATA_INTERVAL_SECONDS = 2.0
# The first bytes of an endless document: some browsers show nothing before a kilobyte has come.
FIRST_BYTES = 1024


async def open_events(request: Request, user: Viewer, seat: Seat | None) -> Response:
    digest = query(request, "sidebar", OLDER_PAGE)[:LONGEST_DIGEST]
    reader = await open_reader(request, user, seat, "sse", _cursor(request, seat) if seat else None, digest)
    return open_stream(request, reader)


def open_stream(request: Request, reader: Reader) -> Response:
    reader.is_long_poll = is_long_poll(request)
    interval = SAVE_DATA_INTERVAL_SECONDS if client(request).save_data else 0.0
    return Stream(reader, first_events(request), "text/event-stream", interval=interval)


def first_events(request: Request) -> bytes:
    """The first events; a page of another version learns that it is one, and when to load itself again."""
    if not _is_outdated(request):
        return frames.SSE_OPENING
    note = render.fragment("streams/_outdated.html")
    told = frames.sse_event(
        frames.hx_partial("#outdated", "delete", "") + frames.hx_partial("#status", "afterend", note)
    )
    delay = random.randint(0, admitted().count * RELOAD_MS)
    return frames.SSE_OPENING + told + f"event: outdated\ndata: {delay}\n\n".encode()


def _is_outdated(request: Request) -> bool:
    """Whether the page is of another version. Those from before pages had one send their sidebar's digest alone."""
    of_old_page = "" if is_in_query(request, "sidebar") else render.PAGE_VERSION
    return query(request, "page", of_old_page) != render.PAGE_VERSION


async def open_log(request: Request, seat: Seat) -> Response:
    if must_wait(request):
        return waiting_document(request, f"{seat.path}?plain=1", _("Page without live updates"))
    reader = await open_reader(request, seat.viewer, seat, "html")
    return open_document(request, reader, seat.viewer, "messages/live.html", seat=seat)


def must_wait(request: Request) -> bool:
    """
    Whether one more endless document would leave the browser without a connection for anything else.

    Over HTTP/1.1, which is all that browsers speak without TLS, they have six for a host. To end the oldest, as for
    pages with script, would not help: a frame whose document ended would load it again, so its connection stays open.
    """
    session = client(request).session_id
    held = len(hub().readers(session=session)) + parked_by_session()[session]
    return request.url.scheme == "http" and held >= settings.MAX_STREAMS_PER_SESSION


def waiting_document(request: Request, link: str, link_text: Text) -> Response:
    return responses.page(request, "streams/waiting.html", is_cacheable=False, link=link, link_text=link_text)


def open_document(request: Request, reader: Reader, user: Viewer, name: str, **context: Any) -> Response:
    save_data = client(request).save_data
    context |= {
        "viewer": user,
        "viewer_css": user.stylesheet,
        "save_data": save_data,
        "outdated": _is_outdated(request),
    }
    opening = render.fragment(name, **context).encode().ljust(FIRST_BYTES)
    policy = CONTENT_SECURITY_POLICY.format(style=f" 'nonce-{frames.STYLE_NONCE}'")
    # Packed here, because a proxy that packs it holds it back.
    packed = negotiate.encoding(request, ("gzip",)) == "gzip"
    headers = {"Content-Security-Policy": policy}
    interval = SAVE_DATA_INTERVAL_SECONDS if save_data else 0.0
    return Stream(reader, opening, "text/html; charset=utf-8", headers, packed, interval)


async def open_reader(
    request: Request,
    user: Viewer,
    seat: Seat | None,
    framing: str,
    cursor: int | None = None,
    digest: str | None = None,
) -> Reader:
    """
    Return a reader for the page of a room, or for one that shows none.

    The `digest` is that of the sidebar on the page, None where there is none; a mask's page never has one.
    """
    await end_oldest_streams(request)
    is_masked = seat is not None and not seat.kind.tracks_presence
    channels = [f"room:{seat.room.id}"] if seat else []
    if is_masked:
        channels.append(f"mask:{user.id}")
    elif digest is not None:
        channels.append(f"user:{user.id}")
    labels = {"session": client(request).session_id, "user": user.id}
    if user.is_admin:
        labels[ADMIN] = 1
    if is_in_query(request, DIRECTORY) and not (is_masked or user.is_guest or client(request).save_data):
        channels.append(f"{DIRECTORY}:0")
        labels[DIRECTORY] = whole(query(request, DIRECTORY), 0, MAX_TIME)
    path = seat.path if seat else path_for("lobby")
    shown, save_data = _log_states(seat, framing) if seat else frozenset(), client(request).save_data
    states = _shown(shown, digest is not None and not is_masked, save_data)
    if is_in_query(request, INBOX):
        states |= {INBOX}
        labels[INBOX] = whole(query(request, INBOX), 0, MAX_TIME)
    # Script writes the times of its own clock: pages with it share their bytes, wherever they are.
    language = current_locale() if framing == "html" else current_language().code
    return Reader(channels, cursor, framing, states, labels, path, language, digest or "")


def _log_states(seat: Seat, framing: str) -> frozenset[str]:
    return seat.states | {days.STATE} if framing == "html" else seat.states


@cache
def _shown(states: frozenset[str], has_sidebar: bool, save_data: bool) -> frozenset[str]:
    """Return what a page shows: one object for all the pages of a kind."""
    shown = states | SIDEBAR_STATES if has_sidebar else states
    return shown - DISPENSABLE_STATES if save_data else shown


async def end_oldest_streams(request: Request) -> None:
    """End the session's oldest streams when there would be too many; raise TooManyRequests."""
    session = client(request).session_id
    await throttle(settings.RATE_STREAM, "stream", str(session))
    open_already = hub().readers(session=session)
    for oldest in open_already[: max(0, len(open_already) + 1 - settings.MAX_STREAMS_PER_SESSION)]:
        hub().close_stream(oldest, PAUSED)


def is_long_poll(request: Request) -> bool:
    """Whether the page wants an answer that ends soon, because a stream does not get through to it (see stream.js)."""
    return "wait=" in request.headers.get("prefer", "")


def _cursor(request: Request, seat: Seat) -> int | None:
    """The version that the page holds: what it heard last wins over what it was served with."""
    for text in (request.headers.get("last-event-id"), query(request, "after")):
        if text and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
            # A version that is still to come is of another time (a restored backup): the log is sent again.
            return int(text) if int(text) <= seat.room.version else None
    return None
