"""What open pages are told of their sidebars: entries, requests that wait, dots of friends."""

from collections.abc import Collection, Iterator

from webapp.accounts.models import User
from webapp.core.i18n import current
from webapp.http import render
from webapp.live import Frame, Told, frames
from webapp.presence.last_seen import last_seen
from webapp.sidebar.queries import Entry

# In an endless document what comes later stands where its order says. CSS knows integers up to 2**31: seconds since
# 2026 will do for some decades.
EPOCH = 1_767_225_600
FIRST = 2**31 - 1
# The pages that list people load that list anew.
TIES = Frame(frames.named("ties"))


class Shown:
    """Frames of entries, each made once in each language for all pages that show it alike."""

    def __init__(self, sent: Iterator[int]) -> None:
        self._sent = sent
        self._made: dict[object, Told] = {}
        self._rendered: dict[object, str] = {}

    def one(self, entry: Entry, here: int | None, has_moved: bool) -> Told:
        """An entry in the place of what it was, or on top when there is something new in it."""
        is_here = entry.room_id == here
        key = (entry.looks, is_here, has_moved)
        if key not in self._made:
            self._made[key] = frames.spoken(lambda: self._frame(entry, is_here, has_moved))
        return self._made[key]

    def _frame(self, entry: Entry, is_here: bool, has_moved: bool) -> Frame:
        html = self._entry(entry, is_here)
        if has_moved:
            sse = frames.partial(f"#entry-{entry.room_id}", "delete", "")
            sse += frames.partial("#entries", "afterbegin", html)
        else:
            sse = frames.partial(f"#entry-{entry.room_id}", "outerHTML", html)
        return Frame(frames.event(sse), self._line(entry).encode())

    def _line(self, entry: Entry) -> str:
        """For the endless document: it hides those before it."""
        sent = next(self._sent)
        at = FIRST if entry.is_request else int(entry.moved_at.timestamp()) - EPOCH
        # Both weigh the same, so that of all that was sent the last one counts.
        every, this = f"#entry-{entry.room_id}[data-sent]", f"#entry-{entry.room_id}[data-sent='{sent}']"
        rules = f"{every}{{order:{-at};--shown:none}}{this}{{--shown:initial}}"
        return frames.style(rules) + _rendered(entry, False, sent)

    def _entry(self, entry: Entry, is_here: bool) -> str:
        key = (current().code, entry.looks, is_here)
        if key not in self._rendered:
            self._rendered[key] = _rendered(entry, is_here)
        return self._rendered[key]

    def whole(self, entries: list[Entry], here: int | None, framing: str) -> Told:
        """The whole list anew, for pages of this kind alone: hardly two people have the same one."""
        return frames.spoken(lambda: self._whole(entries, here, framing))

    def _whole(self, entries: list[Entry], here: int | None, framing: str) -> Frame:
        if framing == "html":
            return Frame(html="".join(self._line(entry) for entry in entries).encode())
        html = "".join(self._entry(entry, entry.room_id == here) for entry in entries)
        return Frame(frames.event(frames.partial("#entries", "innerHTML", html)))

    def gone(self, room: int) -> Frame:
        """The room is theirs no more."""
        hidden = frames.style(f"#entry-{room}[data-sent]{{--shown:none}}")
        return Frame(frames.event(frames.partial(f"#entry-{room}", "delete", "")), hidden.encode())


def _rendered(entry: Entry, is_here: bool, sent: int = 0) -> str:
    return render.fragment("sidebar/_entry.html", entry=entry, is_here=is_here, sent=sent).strip()


def waiting(count: int) -> Told:
    """How many wait for an answer to be friends."""

    def made() -> Frame:
        html = render.fragment("sidebar/_requests.html", waiting=count)
        return Frame(frames.event(frames.partial("#waiting", "outerHTML", html)))

    return frames.spoken(made)


async def dots(people: Collection[int], there: Collection[int]) -> dict[int, Told]:
    """For each of these people what their friends' pages show of their being here."""
    found = await User.filter(id__in=people) if people else []
    return {user.id: _dot(user, user.id in there) for user in found}


def _dot(user: User, is_online: bool) -> Told:
    return frames.spoken(lambda: _dot_made(user, is_online))


def _dot_made(user: User, is_online: bool) -> Frame:
    sse = ""
    for place in ("entry", "friend"):
        html = render.fragment("presence/_dot.html", place=place, code=user.code, is_online=is_online)
        sse += frames.partial(f"#dot-{place}-{user.code}", "outerHTML", html)
    html = render.fragment("presence/_seen.html", code=user.code, is_online=is_online, seen=last_seen(user))
    sse += frames.partial(f"#seen-{user.code}", "outerHTML", html)
    display = "inline-block" if is_online else "none"
    return Frame(frames.event(sse), frames.style(f".dot[data-dot='{user.code}']{{display:{display}}}").encode())
