"""The bytes that go to many pages at once: made once, in both framings."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from webapp.core import i18n

KEEP_ALIVE_SSE = b":\n\n"
KEEP_ALIVE_HTML = b"<!---->"
# At once, so that the page sees that something gets through to it.
SSE_OPENING = b": ok\nevent: ok\n\n"
# The last bytes of an endless document that is to be loaded again.
RELOAD_DOCUMENT = b'<meta http-equiv="refresh" content="0">'

# The endless documents allow styles that carry it; a new one for each start, so that nobody can know it. It is one for
# all of them: a frame is made once for all open pages, and a nonce of each document would mean to make it for each.
STYLE_NONCE = secrets.token_urlsafe(12)


class Frame(NamedTuple):
    """The same change for the two kinds of open pages."""

    sse: bytes = b""
    html: bytes = b""

    def in_language(self, language: str) -> "Frame":
        """The same in every language."""
        return self

    def equals(self, told: "Payload | None") -> bool:
        """Whether it says what was told before."""
        return self == told


class LocalizedFrame:
    """
    A frame with words in it: made once in each language of those who read it, when the first of them asks.

    `facts` are all that it is made of, where they are known: two of the same facts are the same without being made.
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

    def equals(self, told: "Payload | None") -> bool:
        """Whether it says what was told before, in every language in which that was told."""
        if not isinstance(told, LocalizedFrame):
            return False
        if self._facts is not None and told._facts is not None:
            return self._facts == told._facts
        return bool(told._made) and all(self.in_language(language) == frame for language, frame in told._made.items())


Payload = Frame | LocalizedFrame

KEEP_ALIVE = Frame(KEEP_ALIVE_SSE, KEEP_ALIVE_HTML)


def sse_event(html: str, version: int | None = None) -> bytes:
    """One event of a Server-Sent Events stream; only a change of the log carries the version as its id."""
    head = f"id: {version}\n" if version is not None else ""
    data = html.strip().replace("\r", "").replace("\n", "\ndata: ")
    return f"{head}data: {data}\n\n".encode()


def sse_signal(name: str) -> bytes:
    """An event that swaps nothing: htmx triggers one of that name on the page's stream element."""
    return f"event: {name}\ndata: \n\n".encode()


def sse_farewell(retry_milliseconds: int) -> bytes:
    """The last event before a restart: come back after a while of your own, not all at once."""
    return f"retry: {retry_milliseconds}\nevent: farewell\ndata: \n\n".encode()


def hx_partial(target: str, swap: str, html: str) -> str:
    """A piece that htmx puts at `target`, wherever the stream's own target is; where there is none, nothing happens."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def style_element(rules: str) -> str:
    """Rules for the endless document: what has been sent can't be changed, but it can be hidden and ordered."""
    return f'<style nonce="{STYLE_NONCE}">{rules}</style>'


def localized(make: Callable[[], Frame], facts: object = None) -> LocalizedFrame:
    """
    A frame for the pages of many: `make` is called once for each language of theirs, and in it. `facts` are what it is
    made of, if it may be left unmade when they are the same as before.
    """

    def made(code: str) -> Frame:
        with i18n.use_language(code):
            return make()

    return LocalizedFrame(made, facts)
