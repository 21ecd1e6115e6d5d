"""The bytes that many pages are sent: rendered once, in both framings."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from webapp.core.clock import use_locale

KEEP_ALIVE_SSE = b":\n\n"
KEEP_ALIVE_HTML = b"<!---->"
# Sent at once, from which the page learns that streams reach it.
SSE_OPENING = b": ok\nevent: ok\n\n"
# The last bytes of an endless document that is to be loaded again.
RELOAD_DOCUMENT = b'<meta http-equiv="refresh" content="0">'

# The endless documents allow styles that carry it. It is new at each start, so that it can't be known before, and one
# for all documents: with a nonce of each document a frame could not be rendered once for all of them.
STYLE_NONCE = secrets.token_urlsafe(12)


class Frame(NamedTuple):
    """One change, for pages with script (sse) and for endless documents (html)."""

    sse: bytes = b""
    html: bytes = b""

    def in_language(self, language: str) -> "Frame":
        """Return it as it is: it has no words."""
        return self

    def equals(self, sent: "Payload | None") -> bool:
        return self == sent


class LocalizedFrame:
    """
    A frame with words: rendered once in each language of its readers, when the first of them asks.

    `facts` are all that it is rendered from, if they are given: two of the same facts are equal unrendered.
    """

    __slots__ = ("_facts", "_made", "_make")

    def __init__(self, make: Callable[[str], Frame], facts: object = None) -> None:
        self._make = make
        self._facts = facts
        self._made: dict[str, Frame] = {}

    def in_language(self, language: str) -> Frame:
        frame = self._made.get(language)
        if frame is None:
            frame = self._made[language] = self._make(language)
        return frame

    def equals(self, sent: "Payload | None") -> bool:
        """Return whether it equals what was sent, in every language in which that was rendered."""
        if not isinstance(sent, LocalizedFrame):
            return False
        if self._facts is not None and sent._facts is not None:
            return self._facts == sent._facts
        return bool(sent._made) and all(self.in_language(language) == frame for language, frame in sent._made.items())


Payload = Frame | LocalizedFrame

KEEP_ALIVE = Frame(KEEP_ALIVE_SSE, KEEP_ALIVE_HTML)


def sse_event(html: str, version: int | None = None) -> bytes:
    """Return an event of a Server-Sent Events stream; only a change of the log has the version as its id."""
    head = f"id: {version}\n" if version is not None else ""
    data = html.strip().replace("\r", "").replace("\n", "\ndata: ")
    return f"{head}data: {data}\n\n".encode()


def sse_signal(name: str) -> bytes:
    """Return an event that swaps nothing: htmx triggers one of that name on the page's stream element."""
    return f"event: {name}\ndata: \n\n".encode()


def sse_farewell(retry_milliseconds: int) -> bytes:
    """Return the last event before a restart, with a pause of the page's own, so that not all come back at once."""
    return f"retry: {retry_milliseconds}\nevent: farewell\ndata: \n\n".encode()


def hx_partial(target: str, swap: str, html: str) -> str:
    """Return a piece that htmx swaps at `target`, and drops on pages without one."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def style_element(rules: str) -> str:
    """Return rules for the endless document: what was sent can't be changed, but it can be hidden and ordered."""
    return f'<style nonce="{STYLE_NONCE}">{rules}</style>'


def localized(make: Callable[[], Frame], facts: object = None) -> LocalizedFrame:
    """
    Return a frame for many pages: `make` is called once in each of their languages, and of their zones.

    With `facts`, all that it is rendered from, it stays unrendered when they are the same as before.
    """

    def made(locale: str) -> Frame:
        with use_locale(locale):
            return make()

    return LocalizedFrame(made, facts)
