"""Answers: pages with an ETag, compressed; fragments; redirects after forms."""

import re
import zlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import brotli
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.http import negotiate, render
from webapp.http.client import client, rejects_cookies
from webapp.http.page_mode import PageMode

# So many characters are compressed best in about a millisecond.
MAX_SHORT = 4000
PAGE_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, HX-Request, Accept-Encoding, Accept-Language",
}


class Body(NamedTuple):
    """A page, encoded: what is before its log, the log, and what is after it; all before it where it has none."""

    before: bytes
    log: render.Encoded
    after: bytes

    @classmethod
    def of(cls, html: str, log: render.Encoded | None) -> "Body":
        if log is None:
            return cls(html.encode(), NO_LOG, b"")
        before, mark, after = html.partition(render.MARK)
        return cls(before.encode(), log if mark else NO_LOG, after.encode())

    def joined(self) -> bytes:
        return b"".join((self.before, self.log.html, self.after))

    def etag(self, *volatile: str) -> str:
        """Return a digest of what the viewer sees; a nonce is new in every answer, and does not make the page new."""
        before, after = self.before, self.after
        for text in filter(None, volatile):
            before, after = before.replace(text.encode(), b""), after.replace(text.encode(), b"")
        digest = blake2b(b"%d:%b%b" % (len(before), before, self.log.digest), digest_size=12)
        digest.update(after)
        return f'W/"{digest.hexdigest()}"'


NO_LOG = render.Encoded.of("")


def fragment_response(name: str, status: int = 200, **context: Any) -> Response:
    """Return a fragment as the whole answer."""
    body = Body.of(render.fragment(name, **context), context.get("log"))
    return Response(body.joined(), status, PAGE_HEADERS, "text/html")


def supervisor(request: Request, path: str) -> str:
    """
    Return the document around the endless one at this path, where it can stand in the page itself; else empty.

    Chromium refreshes such a document even while the server is away, but would fetch the twins of
    streams/supervisor.html again. Firefox is the other way round (both seen: Chromium 156, Firefox ESR 153).
    """
    if "Chrome/" not in request.headers.get("user-agent", ""):
        return ""
    return render.fragment("streams/supervisor.html", path=f"{path}?page={render.PAGE_VERSION}", twin="")


def page(request: Request, name: str, status: int = 200, is_cacheable: bool = True, **context: Any) -> Response:
    """
    Return a whole page, compressed, or 304 where the browser has the same one.

    With `is_cacheable` the browser may store it: with a nonce only if posting changes the rest of the page, or the
    nonce would be used twice.
    """
    body = Body.of(_page_html(request, name, context), context.get("log"))
    headers = dict(PAGE_HEADERS) if is_cacheable else PAGE_HEADERS | {"Cache-Control": "no-store"}
    if is_cacheable and status == 200 and request.method in ("GET", "HEAD"):
        volatile = client(request).form_token, context.get("nonce", ""), context.get("made_at", "")
        headers["ETag"] = body.etag(*volatile)
        # Who has no cookie gets one with the page.
        if request.cookies and headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return _compressed(request, body.joined(), status, headers, "text/html")


def page_or_fragment(
    request: Request, page_name: str, fragment_name: str, status: int = 200, **context: Any
) -> Response:
    """Return the part of the page that script asks for in place of it, else the page; both know `is_fragment`."""
    is_fragment = client(request).is_fragment
    return page(request, fragment_name if is_fragment else page_name, status, is_fragment=is_fragment, **context)


def stylesheet_response(request: Request, name: str, **context: Any) -> Response:
    """Return styles for one viewer, whose pages ask at another address when they change."""
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Cookie, Accept-Encoding"}
    # No string in it has a line end. One with many blocked people would take longer.
    text = re.sub(r"\n\s*", "", render.fragment(name, **context))
    return _compressed(request, text.encode(), 200, headers, "text/css", effort=11 if len(text) < MAX_SHORT else 5)


def _compressed(
    request: Request, body: bytes, status: int, headers: dict[str, str], media_type: str, effort: int = 5
) -> Response:
    coding = negotiate.encoding(request)
    body = compress(body, coding, effort)
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(body, status, headers, media_type)


def see_other(goto: str) -> Response:
    """Return a redirect after a form, to where the change can be seen."""
    return RedirectResponse(goto, 303, {"Cache-Control": "no-store"})


def fragment_or_redirect(request: Request, name: str, goto: str, **context: Any) -> Response:
    """Return the fragment to htmx after a form, else a redirect."""
    if client(request).is_fragment:
        return fragment_response(name, **context)
    return see_other(goto)


def compress(body: bytes, coding: str, effort: int = 5) -> bytes:
    """Return the body in that coding."""
    if coding == "br":
        return bytes(brotli.compress(body, quality=effort))
    if coding == "gzip":
        packer = zlib.compressobj(4, wbits=31)
        return packer.compress(body) + packer.flush()
    return body


def _page_html(request: Request, name: str, context: Mapping[str, Any]) -> str:
    asking = client(request)
    viewer = asking.viewer
    shared = {
        "token": asking.form_token,
        "viewer": viewer,
        "viewer_css": viewer.stylesheet if viewer else "",
        "session": asking.session_id or "",
        "save_data": asking.save_data,
        "is_text": asking.is_text_browser,
        "cookieless": rejects_cookies(request),
        "mode": PageMode.PLAIN if asking.is_text_browser else PageMode.LIVE,
    }
    return render.fragment(name, **(shared | dict(context)))
