"""Opening a stream: Server-Sent Events for pages with script, an endless document for those without."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from webapp import assets, render, security, settings
from webapp.accounts.models import User
from webapp.accounts.sessions import signed_in
from webapp.errors import Refused
from webapp.live import Reader, frames, hub
from webapp.rooms.models import PARTED, Room
from webapp.security import throttle
from webapp.streams.stream import Stream

MOST_DIGITS = 18
# The first bytes of an endless document: some browsers show nothing before a kilobyte has come.
FIRST_BYTES = 1024


async def events(request: Request) -> Response:
    """Server-Sent Events of a room, from the version that the page holds."""
    user, room = await _room(request)
    reader = await _reader(request, user, room, _cursor(request, room), "sse")
    return Stream(reader, b": ok\n\n", "text/event-stream")


async def live(request: Request) -> Response:
    """The log as a document that never ends, for pages without script; with `frame`, the frame around it."""
    if "frame" in request.query_params:
        return _supervisor(request)
    render.frame(request)
    user, room = await _room(request)
    reader = await _reader(request, user, room, None, "html")
    context = {"room": room, "moderates": room.is_owned_by(user), "me_css": user.stylesheet}
    context["spare"] = render.is_spare(request)
    opening = render.fragment("messages/live.html", **context).encode().ljust(FIRST_BYTES)
    policy = security.POLICY.format(style=f" 'nonce-{frames.STYLE_NONCE}'")
    # Packed here, because a proxy that packs it holds it back.
    packed = assets.negotiate(request.headers.get("accept-encoding", ""), ("gzip",)) == "gzip"
    return Stream(reader, opening, "text/html; charset=utf-8", {"Content-Security-Policy": policy}, packed)


async def _room(request: Request) -> tuple[User, Room]:
    user = signed_in(request)
    room = await Room.for_reading(user, request.path_params["key"])
    if not room.is_open:
        raise Refused(PARTED if room.is_parted else "You have not answered yet.")
    return user, room


def _supervisor(request: Request) -> Response:
    """
    One of the twins. They hold nothing of anybody, and are kept by the browser before they are needed: a page
    that can't be fetched while the server is away would be the last one.
    """
    path = f"/rooms/{quote(request.path_params['key'], safe='')}/live"
    twin = "a" if request.query_params["frame"] == "b" else "b"
    html = render.fragment("streams/supervisor.html", path=path, twin=f"{path}?frame={twin}")
    # The preload of the twin is measured by connect-src, which is default-src here.
    policy = "default-src 'self'; script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Security-Policy": policy}
    return Response(html, 200, headers, "text/html")


async def _reader(request: Request, user: User, room: Room, cursor: int | None, framing: str) -> Reader:
    """A reader for this stream, which the session's oldest makes way for when there are too many."""
    await throttle(settings.RATE_STREAM, "stream", str(user.session_id))
    open_already = hub.readers(session=user.session_id)
    for oldest in open_already[: max(0, len(open_already) + 1 - settings.MAX_STREAMS_PER_SESSION)]:
        hub.end(oldest, "paused")
    labels = {"session": user.session_id, "user": user.id}
    if room.is_chat and room.other and not room.is_notebook:
        labels["other"] = room.other.id
    return Reader(room.id, cursor, framing, room.path, **labels)


def _cursor(request: Request, room: Room) -> int | None:
    """The version that the page holds: what it heard last wins over what it was served with."""
    for text in (request.headers.get("last-event-id"), request.query_params.get("after")):
        if text and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
            # A version that is still to come is of another time (a restored backup): the log is sent anew.
            return int(text) if int(text) <= room.version else None
    return None
