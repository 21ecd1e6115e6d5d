"""What pages show of a room's log: its newest messages, read once for all who look, and each message, rendered once."""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

from markupsafe import Markup

from webapp import language, render
from webapp.live import sources
from webapp.messages.models import Line, Message
from webapp.rooms.models import Room

# Characters of HTML that are kept of each: messages, newest pages, whole logs.
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

    def drop_where(self, is_stale: Callable[[V], bool]) -> None:
        for key in [key for key, (value, _, _) in self._kept.items() if is_stale(value)]:
            self._drop(key)

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0


_messages: _Shelf[Markup] = _Shelf()
_newest: _Shelf[tuple[int, list[Line]]] = _Shelf()
_logs: _Shelf[Markup] = _Shelf()


async def newest(room: Room) -> list[Line]:
    """The room's newest page of messages."""
    # Two strangers who keep in touch go on in the same room, at another address and under their own names.
    key = room.id, room.path
    version, lines = _newest.get(*key) or (None, [])
    if version != room.version:
        lines = await Message.page(room)
        _newest.put((room.version, lines), sum(len(line.html) for line in lines), *key)
    return lines


def log(room: Room, lines: list[Line], new: int = 0, hidden: Collection[int] = (), is_spare: bool = False) -> Markup:
    """
    The messages as they stand in a log, in the language that is spoken.

    `new` is the number of the first that came since the viewer's last visit, `hidden` has those by people whom they
    have blocked, and `is_spare` leaves out the pictures.
    """
    ends = (lines[0].number, lines[-1].number) if lines else ()
    key = room.path, room.version, ends, new, frozenset(hidden), is_spare, language.current().code
    if (html := _logs.get(*key)) is None:
        made = Markup("\n").join(_items(room, lines, new, hidden, is_spare))
        html = _logs.put(made, len(made), *key)
    return html


def _items(room: Room, lines: list[Line], new: int, hidden: Collection[int], is_spare: bool) -> Iterator[Markup]:
    for line in lines:
        if line.number == new:
            yield Markup(render.fragment("messages/_new.html"))  # noqa: S704
        yield shown(line, not room.is_stranger, line.number in hidden, is_spare)


def shown(
    line: Line, is_changeable: bool, is_hidden: bool = False, is_spare: bool = False, is_again: bool = False
) -> Markup:
    """
    One message, in the language that is spoken.

    `is_again` marks what replaces an earlier form of it in an endless document.
    """
    author = line.author_code, line.author_name, line.author_picture, bool(line.author_is_admin)
    looks = is_changeable, is_hidden, is_spare, is_again, language.current().code
    key = line.path, line.version, author, looks, line.room_id
    if (html := _messages.get(*key)) is None:
        how = {"changeable": is_changeable, "is_hidden": is_hidden, "spare": is_spare, "is_again": is_again}
        made = render.fragment("messages/_message.html", message=line, **how)
        html = _messages.put(Markup(made.strip()), len(made), *key)  # noqa: S704
    return html


@sources.news("person")
def forget(code: str = "") -> None:
    """
    Drop what shows this person, who has another name or picture or has gone; without a code, everything.

    Single messages stay: they are found by their author's name and picture.
    """
    if code:
        _newest.drop_where(lambda kept: any(line.author_code == code for line in kept[1]))
        _logs.drop_where(lambda html: f'data-author="{code}"' in html)
        return
    _messages.clear()
    _newest.clear()
    _logs.clear()
