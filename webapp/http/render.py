"""Pages, fragments and answers: the only file that knows Jinja and the HX- headers."""

import zlib
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from typing import Any

import brotli
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp import settings
from webapp.core import clock, i18n
from webapp.http import assets, negotiate
from webapp.http.client import client, rejects_cookies
from webapp.http.page_mode import PageMode
from webapp.http.urls import path_for

PAGE_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, HX-Request, Accept-Encoding, Accept-Language",
}


_templates = Environment(
    loader=FileSystemLoader(settings.TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=settings.DEBUG,
    extensions=["jinja2.ext.i18n"],
)


_templates.policies["ext.i18n.trimmed"] = True


_templates.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension


_templates.globals["path"] = path_for


_templates.globals.update(asset=assets.url, site_name=settings.SITE_NAME, registration_open=settings.REGISTRATION_OPEN)


_templates.globals["strangers_open"] = settings.STRANGERS


_templates.globals.update(max_upload_mb=settings.MAX_UPLOAD_MB, site_zone=str(settings.SITE_TIMEZONE))


_templates.globals.update(language=i18n.current_language, site_languages=list(i18n.LANGUAGES.values()))


def _version() -> str:
    """Changes with what pages are made of (script, styles, templates, languages), and not with every release."""
    digest = blake2b(digest_size=4)
    for name in ("app.js", "app.css", "room.css", "pages.css", "icons.svg"):
        digest.update(assets.url(name).encode())
    files = [*settings.TEMPLATES.rglob("*.html"), *i18n.CATALOGUES.glob("*.po")]
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


# What an open page tells its stream of: of another than this it is told that it is outdated.
PAGE_VERSION = _version()


_templates.globals["page_version"] = PAGE_VERSION


@cache
def _marked(said: i18n.Language, text: str) -> Markup:
    return Markup(said.gettext(text))  # noqa: S704  of a template or a catalogue


def _filled(said: str, values: dict[str, object]) -> Markup:
    return Markup(said % {name: escape(value) for name, value in values.items()})  # noqa: S704


def _gettext(text: str, /, **values: object) -> Markup:
    said = _marked(i18n.current_language(), text)
    return _filled(str(said), values) if values else said


def _ngettext(one: str, many: str, count: int, /, **values: object) -> Markup:
    return _filled(i18n.current_language().ngettext(one, many, count), {"num": count, **values})


_templates.globals.update(_=_gettext, gettext=_gettext, ngettext=_ngettext)


_templates.filters.update(
    clock=clock.format_time, long_day=clock.format_long_day, brief=clock.format_brief, stamp=clock.stamp
)


_templates.filters.update(datetime=clock.datetime_html, datetime_text=clock.format_datetime)


_templates.filters["number"] = lambda number: i18n.current_language().number(number)


_templates.filters["size"] = lambda size: i18n.current_language().size(size)


def fragment(name: str, **context: object) -> str:
    """The HTML of one template."""
    template = _templates.get_template(name)
    # As `template.render` does it; but to put together what all templates know takes that as long as all the rest.
    known = template.new_context({**_templates.globals, **context}, shared=True)
    try:
        return "".join(template.root_render_func(known))
    except Exception:
        _templates.handle_exception()  # says where in the template it was


@cache
def _icon(name: str) -> Markup:
    return Markup(fragment("_icon.html", icon=name).strip())  # noqa: S704  our own template


# A page has a dozen; to include a template takes ten times as long.
_templates.globals["icon"] = _icon


def fragment_response(name: str, status: int = 200, **context: object) -> Response:
    """A fragment as the whole answer."""
    return Response(fragment(name, **context), status, PAGE_HEADERS, "text/html")


def supervisor(request: Request, path: str) -> str:
    """
    The document around the endless one at this path, where it can stand in the page itself; else empty.

    Chromium refreshes such a document even while the server is away, but would fetch the twins of
    streams/supervisor.html anew. Firefox is the other way round (both seen: Chromium 156, Firefox ESR 153).
    """
    if "Chrome/" not in request.headers.get("user-agent", ""):
        return ""
    return fragment("streams/supervisor.html", path=f"{path}?page={PAGE_VERSION}", twin="")


def page(request: Request, name: str, status: int = 200, is_kept: bool = True, **context: Any) -> Response:
    """
    A whole page, compressed, or 304 when the browser holds what it would say.

    One with a nonce may be kept only if posting changes what else it says: the nonce would be used twice.
    """
    html = _page_html(request, name, context)
    headers = dict(PAGE_HEADERS) if is_kept else PAGE_HEADERS | {"Cache-Control": "no-store"}
    if is_kept and status == 200 and request.method in ("GET", "HEAD"):
        headers["ETag"] = _etag(html, client(request).form_token, context.get("nonce", ""))
        # Who has no cookie gets one with the page.
        if request.cookies and headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return _compressed(request, html, status, headers, "text/html")


def stylesheet_response(request: Request, name: str, **context: Any) -> Response:
    """Styles for one viewer, whose page asks by another address when they change."""
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Cookie, Accept-Encoding"}
    return _compressed(request, fragment(name, **context), 200, headers, "text/css", effort=5)


def _compressed(
    request: Request, text: str, status: int, headers: dict[str, str], media_type: str, effort: int = 3
) -> Response:
    coding = negotiate.encoding(request)
    body = compress(text.encode(), coding, effort)
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(body, status, headers, media_type)


def see_other(goto: str) -> Response:
    """After a form: on to where the change can be seen."""
    return RedirectResponse(goto, 303, {"Cache-Control": "no-store"})


def fragment_or_redirect(request: Request, name: str, goto: str, **context: Any) -> Response:
    """After a form: the fragment for htmx, else a redirect."""
    if client(request).is_fragment:
        return fragment_response(name, **context)
    return see_other(goto)


def compress(body: bytes, coding: str, effort: int = 3) -> bytes:
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
        "cookieless": rejects_cookies(request),
        "mode": PageMode.PLAIN if asking.is_text_browser else PageMode.LIVE,
    }
    return fragment(name, **(shared | dict(context)))


def _etag(html: str, *volatile: str) -> str:
    """Over all that the viewer sees: what is new in every answer (the nonce) must not make the page new."""
    for text in filter(None, volatile):
        html = html.replace(text, "")
    return f'W/"{blake2b(html.encode(), digest_size=12).hexdigest()}"'
