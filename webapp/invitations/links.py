"""The link of an invitation as people get it: its address, and a picture of it that phones read."""

from markupsafe import Markup
from starlette.requests import Request

from webapp.http.urls import path_for


def address_of(request: Request, token: str) -> str:
    return str(request.base_url).rstrip("/") + path_for("invitation", token=token)


def qr_code(address: str) -> Markup:
    """
    Return the address as a QR code, inline SVG.

    Its ground is white in the dark theme too, as many readers take no other, and nothing in it is a style: the policy
    of the pages allows none.
    """
    import segno  # here, as few pages have one

    code = segno.make(address, error="m", micro=False)
    drawing = code.svg_inline(omitsize=True, light="#fff", border=4, svgclass=None, lineclass=None)
    return Markup(drawing)  # noqa: S704  by our library, of an address of ours
