"""The newest page of each room that is looked at: read and rendered once for all its viewers of one language."""

import time
from typing import NamedTuple

from markupsafe import Markup

from webapp import language, render
from webapp.live import sources
from webapp.messages.models import Line, Message
from webapp.rooms.models import Room

# Characters of HTML that are kept, of all rooms together.
MOST_KEPT = 16_000_000
# It stands for the case that nobody told of a name or a picture that changed.
LONGEST_SECONDS = 30.0


class Page(NamedTuple):
    version: int
    lines: list[Line]
    # As everybody sees them who has no reason to see them otherwise.
    html: Markup
    made_at: float


Key = tuple[int, str]

_kept: dict[Key, Page] = {}
_size = 0


async def newest(room: Room) -> Page:
    """The room's newest messages, at the version of `room` or a later one."""
    key = room.id, language.current().code
    page = _kept.get(key)
    if page is None or page.version != room.version or time.monotonic() - page.made_at > LONGEST_SECONDS:
        lines = await Message.page(room)
        html = render.fragment("messages/_lines.html", messages=lines, changeable=not room.is_stranger)
        page = Page(room.version, lines, Markup(html), time.monotonic())  # noqa: S704
        _keep(key, page)
    return page


def _keep(key: Key, page: Page) -> None:
    """The one that was made last stands last, and the first has to go when there is no room for all."""
    global _size
    _drop(key)
    _kept[key] = page
    _size += len(page.html)
    while _size > MOST_KEPT:
        _drop(next(iter(_kept)))


def _drop(key: Key) -> None:
    global _size
    if page := _kept.pop(key, None):
        _size -= len(page.html)


@sources.news("person")
def forget(user: int = 0) -> None:
    """Somebody has another name or picture, or has gone: any page may show them."""
    global _size
    _kept.clear()
    _size = 0
