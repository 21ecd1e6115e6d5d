"""What pages show of a room's log, rendered once for all who look: each message, and the newest page of them."""

import time
from typing import Generic, NamedTuple, TypeVar

from markupsafe import Markup

from webapp import language, render
from webapp.live import sources
from webapp.messages.models import Line, Message
from webapp.rooms.models import Room

# Characters of HTML that are kept: in messages, and in pages.
MOST_KEPT = 8_000_000
# It stands for the case that nobody told of a name or a picture that changed.
LONGEST_SECONDS = 30.0

V = TypeVar("V")


class _Shelf(Generic[V]):
    """What was made, by what it was made of, for a while; the oldest goes when there is no room for all."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[V, int, float]] = {}
        self._size = 0

    def get(self, *key: object) -> V | None:
        value, _, made_at = self._kept.get(key, (None, 0, 0.0))
        return value if time.monotonic() - made_at < LONGEST_SECONDS else None

    def put(self, value: V, size: int, *key: object) -> V:
        self._drop(key)
        self._kept[key] = value, size, time.monotonic()
        self._size += size
        while self._size > MOST_KEPT:
            self._drop(next(iter(self._kept)))
        return value

    def _drop(self, key: tuple[object, ...]) -> None:
        self._size -= self._kept.pop(key, (None, 0, 0.0))[1]

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0


class Page(NamedTuple):
    """The newest messages of a room, and their HTML for everybody who has no reason to see them otherwise."""

    version: int
    lines: list[Line]
    html: Markup


_messages: _Shelf[Markup] = _Shelf()
_newest: _Shelf[Page] = _Shelf()


async def newest(room: Room) -> Page:
    """The room's newest page, in the language that is spoken."""
    # Two strangers who keep in touch go on in the same room, at another address and under their own names.
    key = room.id, room.path, language.current().code
    page = _newest.get(*key)
    if page is None or page.version != room.version:
        lines = await Message.page(room)
        html = Markup("\n").join(shown(line, is_changeable=not room.is_stranger) for line in lines)
        page = _newest.put(Page(room.version, lines, html), len(html), *key)
    return page


def shown(line: Line, is_changeable: bool) -> Markup:
    """A message as everybody sees it, in the language that is spoken."""
    author = line.author_code, line.author_name, line.author_picture
    key = line.path, line.version, author, is_changeable, line.room_id, language.current().code
    if (html := _messages.get(*key)) is None:
        made = render.fragment("messages/_message.html", message=line, changeable=is_changeable)
        html = _messages.put(Markup(made.strip()), len(made), *key)  # noqa: S704
    return html


@sources.news("person")
def forget(user: int = 0) -> None:
    """Somebody has another name or picture, or has gone: any page may show them."""
    _messages.clear()
    _newest.clear()
