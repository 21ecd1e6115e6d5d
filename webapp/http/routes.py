"""
What an address is: each kind has one Entrance, which does all that stands before a view and around it.

app.py lists every address by its kind, so no path is parsed to learn what is asked for. An Entrance ends in a response:
what a view raises becomes a page here. Only what nobody expected goes further out, to Starlette's handler and the log.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from webapp.core import i18n
from webapp.core.clock import set_zone
from webapp.core.errors import NotFound, TooManyStreams
from webapp.core.faults import faults
from webapp.db import engine
from webapp.http import client as clients
from webapp.http import error_pages, forms, origin
from webapp.http.client import Kind, Mask, Viewer
from webapp.http.request import SharedRequest, forget
from webapp.live.admission import StreamAdmission

View = Callable[[Request], Awaitable[Response]]
# What app.py hands over: http knows neither accounts nor strangers.
ReadViewer = Callable[[str], Awaitable[Any]]
ReadMask = Callable[[Any], Awaitable[Mask | None]]
Enter = Callable[["Address", Scope, Receive, Send], Awaitable[None]]

PAGE = Kind()
UPLOAD = Kind(takes_file=True)
FRAME = Kind(is_framed=True)
# A piece of a file is smaller than what proxies pass on by themselves (nginx: 1 MB).
PIECE = Kind(leads_to_sign_in=False, max_piece=512 * 1024)
STREAM = Kind(leads_to_sign_in=False)
DOCUMENT = Kind(leads_to_sign_in=False, is_framed=True)


class BoundedInt(Convertor[int]):
    """A number as the database can hold it: Starlette's own takes thousands of digits, which Python refuses."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


class Code(Convertor[str]):
    """What names a file: made by chance, so that nothing else is asked for."""

    regex = "[A-Za-z0-9_-]{22}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("number", BoundedInt())
register_url_convertor("code", Code())


class Address(Route):
    """An address and its view, behind the Entrance of its kind."""

    def __init__(
        self,
        path: str,
        view: View,
        name: str,
        kind: Kind,
        enter: Enter,
        methods: Sequence[str] = ("GET",),
        *,
        while_banned: bool = False,
    ) -> None:
        super().__init__(path, view, methods=methods, name=name)
        self.kind = kind
        self.while_banned = while_banned
        self._enter = enter

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._enter(self, scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """Return what the view answers; raise HTTPException for a method that the address does not have."""
        if self.methods and request.method not in self.methods:
            raise HTTPException(405, headers={"Allow": ", ".join(self.methods)})
        response: Response = await self.endpoint(request)
        return response


class StreamAddress(Address):
    """
    The address of a stream, which is counted before anything asks the database.

    One of an endless document has the document around it at `?frame=`, which ends at once and is not counted.
    """

    def __init__(
        self, path: str, view: View, name: str, kind: Kind, enter: Enter, around: Address | None = None
    ) -> None:
        super().__init__(path, view, name, kind, enter)
        self._around = around
        self._admission = StreamAdmission(super().handle)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._around and scope["query_string"].startswith(b"frame="):
            return await self._around.handle(scope, receive, send)
        try:
            await self._admission(scope, receive, send)
        except TooManyStreams as problem:
            request = SharedRequest(scope, receive, send)
            clients.read(request, self.kind)
            await error_pages.problem_response(request, problem)(scope, receive, send)


class Entrances:
    """
    The kinds of addresses, for viewers whose session is read by `read_viewer`, given its token.

    Those of streams are read by `read_viewer_of_stream`, which may wait for others that open at the same time.
    With `read_mask` the viewer is from there on the mask that it returns, if any. `scope` is added to every request's.
    """

    def __init__(
        self,
        read_viewer: ReadViewer,
        read_viewer_of_stream: ReadViewer,
        read_mask: ReadMask | None = None,
        scope: Mapping[str, object] | None = None,
    ) -> None:
        self._read_viewer, self._read_viewer_of_stream = read_viewer, read_viewer_of_stream
        self._read_mask = read_mask
        self._scope = scope or {}

    def page(self, path: str, view: View, name: str, **options: Any) -> Address:
        """A whole page: who is signed out is led to /login."""
        return Address(path, view, name, PAGE, self._enter, **options)

    def form(self, path: str, view: View, name: str, **options: Any) -> Address:
        """A page with a form that is sent to its own address."""
        return Address(path, view, name, PAGE, self._enter, ["GET", "POST"], **options)

    def action(self, path: str, view: View, name: str, **options: Any) -> Address:
        """The address of a form that stands on other pages: only posts, from pages of this site."""
        return Address(path, view, name, PAGE, self._enter, ["POST"], **options)

    def upload(self, path: str, view: View, name: str) -> Address:
        """A page whose form may have a file, which is read only from who is signed in."""
        return Address(path, view, name, UPLOAD, self._enter, ["GET", "POST"])

    def pieces(self, path: str, view: View, name: str) -> Address:
        """What is sent in pieces, as bytes and not as a form: how much has arrived, one more, and no more of it."""
        return Address(path, view, name, PIECE, self._enter, ["HEAD", "PATCH", "DELETE"])

    def files(self, path: str, view: View, name: str, max_files: int) -> Address:
        """A page whose form may have so many files; its own address has the form's token, as `?token=`."""
        kind = Kind(takes_file=True, max_files=max_files)
        return Address(path, view, name, kind, self._enter, ["GET", "POST"])

    def frame(self, path: str, view: View, name: str) -> Address:
        """A small document in a page: nobody is led away within it."""
        return Address(path, view, name, FRAME, self._enter)

    def stream(self, path: str, view: View, name: str) -> Address:
        """Server-Sent Events: errors are answered with their status."""
        return StreamAddress(path, view, name, STREAM, self._enter)

    def document(self, path: str, view: View, name: str, around: View) -> Address:
        """An endless document in a frame; with `?frame=` the one `around` it."""
        return StreamAddress(path, view, name, DOCUMENT, self._enter, Address(path, around, name, FRAME, self._enter))

    def file(self, path: str, view: View, name: str, **options: Any) -> Address:
        """What a person alone may load; its view says how long it may be stored."""
        return Address(path, view, name, PAGE, self._enter, **options)

    def asset(self, path: str, view: View, name: str) -> Address:
        """What is the same for everybody: no session is read."""
        return Address(path, view, name, PAGE, self._enter_without_session)

    def probe(self, path: str, view: View, name: str) -> Address:
        """What a machine asks about the server: no session is read."""
        return Address(path, view, name, PAGE, self._enter_without_session)

    def nowhere(self) -> Address:
        """What answers where there is no address: the page that says so, with the viewer's way back."""
        return Address("/{path:path}", _nowhere, "nowhere", PAGE, self._enter, methods=())

    async def _enter(self, address: Address, scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(self._scope)
        request = SharedRequest(scope, receive, send)
        clients.read(request, address.kind)
        try:
            response = await self._answer(address, request)
        except error_pages.HANDLED as error:
            response = error_pages.response_to(request, error)
            error.__traceback__ = None  # else its frames hold the request until the collector comes
        except ClientDisconnect:  # nobody is there any more who could be answered
            return
        forget(scope)
        await response(scope, receive, send)

    async def _answer(self, address: Address, request: Request) -> Response:
        origin.require_host(request)
        await self._identify(address, request)
        if request.method in origin.SAFE_METHODS:  # whose body nobody reads
            return await address.answer(request)
        request = origin.bounded(request)
        try:
            await origin.require_same_origin(request)
            return await address.answer(request)
        finally:
            await forms.close(request)

    async def _identify(self, address: Address, request: Request) -> None:
        """Read the session; raise Banned at most addresses for a viewer who is banned."""
        client = clients.client(request)
        if client.is_new:
            return
        try:
            is_stream = isinstance(address, StreamAddress)
            read = self._read_viewer_of_stream if is_stream else self._read_viewer
            viewer: Viewer | None = await read(client.token)
            if viewer is None:
                return
            i18n.set_language(viewer.language)
            set_zone(viewer.time_zone)
            clients.identify(request, viewer)
            if not address.while_banned:
                viewer.require_not_banned()
            if self._read_mask and (mask := await self._read_mask(viewer)):
                clients.put_on(request, mask)
        except engine.DOWN as error:
            faults().database.report(error)
            # The view raises Unavailable: it has what was typed, which would be lost here.
            clients.fail_database(request)

    async def _enter_without_session(self, address: Address, scope: Scope, receive: Receive, send: Send) -> None:
        request = SharedRequest(scope, receive, send)
        try:
            origin.require_host(request)
            response = await address.answer(request)
        except error_pages.HANDLED as error:
            response = error_pages.response_to(request, error)
            error.__traceback__ = None
        await response(scope, receive, send)


async def _nowhere(request: Request) -> Response:
    """Lead to the address without slashes at its ends, where there is one; raise NotFound."""
    path = "/" + request.scope["path"].strip("/")
    scope = {**request.scope, "path": path}
    if path == request.scope["path"] or all(route.matches(scope)[0] is Match.NONE for route in request.app.routes):
        raise NotFound
    return RedirectResponse(error_pages.asked_path(request, path), 307)
