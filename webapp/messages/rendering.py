"""What pages show of a room's log: its newest messages, read once for all who look, and each message, rendered once."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from cachetools import TTLCache
from markupsafe import Markup

from webapp.conversations.seats import RoomRow
from webapp.core import clock
from webapp.core.lifetime import Slot
from webapp.http import render
from webapp.messages.markdown import LARGE
from webapp.messages.queries import MessageRow, list_page

# Characters of HTML, or bytes of whole logs, that are cached of each: messages, newest pages, logs.
MAX_BYTES = 8_000_000
# A bound for a changed name or picture whose news was lost.
LIFETIME_SECONDS = 30.0
# Before the message of this number a chat with a stranger names the way to stay in touch: the same for both.
HINT_NUMBER = 8


class Hidden(NamedTuple):
    """The numbers of messages whose authors the viewer has blocked, and of those that answer such authors."""

    messages: frozenset[int] = frozenset()
    quotes: frozenset[int] = frozenset()


NOTHING_HIDDEN = Hidden()


class NewestPage(NamedTuple):
    """The rows of a room's newest page at a version of its log, and the codes of the people in them."""

    version: int
    lines: list[MessageRow]
    people: frozenset[str]


class Log(NamedTuple):
    """A log, encoded, and the codes of the people in it."""

    encoded: render.Encoded
    people: frozenset[str]


P = TypeVar("P", NewestPage, Log)


class Caches:
    """The HTML of messages and logs, and the rows of newest pages; each bounded by its characters."""

    def __init__(self) -> None:
        self.messages: TTLCache[Hashable, Markup] = TTLCache(MAX_BYTES, LIFETIME_SECONDS, getsizeof=len)
        self.newest: TTLCache[Hashable, NewestPage] = TTLCache(
            MAX_BYTES, LIFETIME_SECONDS, getsizeof=lambda page: sum(len(line.html) for line in page.lines)
        )
        self.logs: TTLCache[Hashable, Log] = TTLCache(
            MAX_BYTES, LIFETIME_SECONDS, getsizeof=lambda log: len(log.encoded.html)
        )


caches = Slot[Caches]("cache of messages")


async def newest_page(room: RoomRow) -> list[MessageRow]:
    """The room's newest page of messages."""
    # Two strangers who stay in touch have the same room, at another address and under their own names.
    key = room.id, room.path
    page = caches().newest.get(key)
    if page is None or page.version != room.version:
        lines = await list_page(room)
        page = caches().newest[key] = NewestPage(room.version, lines, _people_in(lines))
    return page.lines


def render_log(
    room: RoomRow,
    lines: list[MessageRow],
    new: int = 0,
    hidden: Hidden = NOTHING_HIDDEN,
    save_data: bool = False,
    is_text: bool = False,
) -> render.Encoded:
    """
    The messages as they stand in the log of a page, in the language that is spoken.

    `new` is the number of the first that came since the viewer's last visit, `hidden` has what is by people whom they
    have blocked, `save_data` leaves out the pictures, and `is_text` is for browsers that show nothing but text.
    """
    ends = (lines[0].number, lines[-1].number) if lines else ()
    looks = save_data, is_text, clock.current_locale(), clock.today()
    key = room.path, room.version, ends, new, hidden, looks
    if (log := caches().logs.get(key)) is None:
        items = _items(room, lines, new, hidden, save_data, is_text)
        log = caches().logs[key] = Log(render.Encoded.of("\n".join(items)), _people_in(lines))
    return log.encoded


def _items(
    room: RoomRow, lines: list[MessageRow], new: int, hidden: Hidden, save_data: bool, is_text: bool
) -> Iterator[Markup]:
    for line in lines:
        if line.number == new:
            yield Markup(render.fragment("messages/_new.html"))  # noqa: S704
        how = {"is_hidden": line.number in hidden.messages, "hides_quote": line.number in hidden.quotes}
        how |= {"save_data": save_data, "is_text": is_text, "names_days": True}
        yield render_message(line, room.kind.allows_editing, **how)


def render_message(
    line: MessageRow,
    is_changeable: bool,
    is_hidden: bool = False,
    save_data: bool = False,
    is_again: bool = False,
    is_text: bool = False,
    hides_quote: bool = False,
    names_days: bool = False,
) -> Markup:
    """
    One message, in the language that is spoken.

    `is_again` marks what replaces an earlier form of it in an endless document; `names_days` calls today and yesterday
    so, on pages: what stays open longer than a day gets that by style (see days.py) or by script.
    """
    author = line.author_code, line.author_name, line.author_picture, bool(line.author_is_admin)
    days = clock.near_days() if names_days and line.opens_day else {}
    looks = is_changeable, is_hidden, save_data, is_again, is_text, hides_quote, clock.current_locale(), *days
    key = line.path, line.version, author, looks, line.room_id, line.quote, line.opens_day, line.continues
    if (html := caches().messages.get(key)) is None:
        head, tail = _before_last_line_ends(line.html)
        how = {"is_changeable": is_changeable, "is_hidden": is_hidden, "save_data": save_data, "is_again": is_again}
        said = {
            "head": head,
            "tail": tail,
            "is_emoji": f'class="{LARGE}"' in line.html and not line.files,
            "is_text": is_text,
        }
        said |= {"hides_quote": hides_quote, "days": days}
        # Messages that stay as they are written are those of chats with strangers.
        said["has_hint"] = line.number == HINT_NUMBER and not is_changeable
        made = render.fragment("messages/_message.html", message=line, **how, **said)
        html = caches().messages[key] = Markup(made.strip())  # noqa: S704
    return html


def _before_last_line_ends(html: Markup) -> tuple[Markup, Markup]:
    """Part the words where the time can stand in their last line; what ends with a list or a quote has it below."""
    end = Markup("</p>")
    return (html[: -len(end)], end) if html.endswith(end) else (html, Markup())


def clear(code: str) -> None:
    """
    Drop what shows this person, who has another name or picture or was deleted.

    Single messages stay: they are found by the name and picture of their author, and of whom they answer.
    """
    _drop(caches().newest, code)
    _drop(caches().logs, code)


def _people_in(lines: Sequence[MessageRow]) -> frozenset[str]:
    quoted = (line.quote.author_code for line in lines if line.quote)
    return frozenset(line.author_code for line in lines).union(quoted)


def _drop(cache: TTLCache[Hashable, P], code: str) -> None:
    for key in [key for key, value in list(cache.items()) if code in value.people]:
        cache.pop(key, None)
