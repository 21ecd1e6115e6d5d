"""Frames of the sidebar: entries, the count of friend requests, and who of the friends is online."""

from collections.abc import Callable, Collection, Iterator

from markupsafe import Markup, escape

from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.http import render
from webapp.live import Frame, Payload, Reader, frames
from webapp.presence.last_seen import last_seen_for
from webapp.sidebar.queries import Waiting
from webapp.sidebar.rows import EntryRow

# In an endless document CSS orders the entries. Its integers end at 2**31: seconds since 2026 fit for some decades.
ORDER_EPOCH = 1_767_225_600
FIRST_ORDER = 2**31 - 1
# The pages that list people load that list again. The second one is what open pages of 0.1 wait for: drop it in 0.3.
CONTACTS_CHANGED = Frame(frames.sse_signal("contacts") + frames.sse_signal("ties"))
# The second one is that of open pages of 0.1: drop it in 0.3.
REQUEST_COUNT = "#request-count, #waiting"


class EntryFrames:
    """Frames of entries, each rendered once in each language for all pages that show it alike."""

    def __init__(self, sent: Iterator[int]) -> None:
        """`sent` numbers the forms of entries in endless documents: it is one for as long as the application runs."""
        self._sent = sent
        self._made: dict[object, Payload] = {}

    def entry_frame(self, entry: EntryRow, reader: Reader, has_moved: bool, is_renamed: bool) -> Payload:
        """
        Return the entry in its place, or on top where it `has_moved`; the page of a group that `is_renamed` too.

        It is made in the framing of the reader alone: hardly a page is an endless document.
        """
        if reader.framing == "html":
            return self._once((entry.render_key, "html"), lambda: Frame(html=self.document_entry(entry).encode()))
        is_current = entry.room_id == reader.number("room")
        key = (entry.render_key, is_current, has_moved, is_renamed)
        return self._once(key, lambda: self._frame(entry, is_current, has_moved, is_renamed))

    def line_frame(self, entry: EntryRow, reader: Reader) -> Payload:
        """Return what changes with each message of an entry that is on top of the page, which has all else of it."""
        is_current = entry.room_id == reader.number("room")
        return self._once((entry.render_key, is_current, "line"), lambda: self._line(entry, is_current))

    def _once(self, key: object, make: Callable[[], Frame]) -> Payload:
        if key not in self._made:
            self._made[key] = frames.localized(make)
        return self._made[key]

    def _frame(self, entry: EntryRow, is_current: bool, has_moved: bool, is_renamed: bool) -> Frame:
        html = entry_html(entry, is_current)
        if has_moved:
            sse = frames.hx_partial(f"#entry-{entry.room_id}", "delete", "")
            sse += frames.hx_partial("#entries", "afterbegin", html)
        else:
            sse = frames.hx_partial(f"#entry-{entry.room_id}", "outerHTML", html)
        if is_current and is_renamed:
            sse += _group_header(entry)
        return Frame(frames.sse_event(sse))

    @staticmethod
    def _line(entry: EntryRow, is_current: bool) -> Frame:
        line = render.fragment("sidebar/_line.html", entry=entry).strip()
        sse = frames.hx_partial(f"#entry-{entry.room_id} .entry__line:not(.entry__draft)", "innerHTML", line)
        if entry.unread and not is_current:
            count = render.fragment("sidebar/_count.html", count=entry.unread).strip()
            sse += frames.hx_partial(f"#entry-{entry.room_id} .unread:not([data-calls])", "innerHTML", count)
        return Frame(frames.sse_event(sse))

    def document_entry(self, entry: EntryRow) -> str:
        """Return the entry for an endless document, with a style that hides its forms before."""
        sent = next(self._sent)
        at = FIRST_ORDER if entry.is_request else int(entry.sort_at.timestamp()) - ORDER_EPOCH
        # Both weigh the same, so that of all that was sent the last one counts.
        every, this = f"#entry-{entry.room_id}[data-sent]", f"#entry-{entry.room_id}[data-sent='{sent}']"
        rules = f"{every}{{order:{-at};--shown:none}}{this}{{--shown:initial}}"
        return frames.style_element(rules) + _rendered(entry, sent=sent)

    def list_frame(self, entries: list[EntryRow], here: int | None, framing: str) -> Payload:
        """Return the whole list in one framing alone: hardly two people have the same one."""
        return frames.localized(lambda: self._whole(entries, here, framing))

    def _whole(self, entries: list[EntryRow], here: int | None, framing: str) -> Frame:
        if framing == "html":
            return Frame(html="".join(self.document_entry(entry) for entry in entries).encode())
        html = "".join(entry_html(entry, entry.room_id == here) for entry in entries)
        sse = frames.hx_partial("#entries", "innerHTML", html)
        sse += "".join(_group_header(entry) for entry in entries if entry.group and entry.room_id == here)
        return Frame(frames.sse_event(sse))

    @staticmethod
    def removal_frame(room: int) -> Frame:
        """Return the removal of the entry of a room."""
        hidden = frames.style_element(f"#entry-{room}[data-sent]{{--shown:none}}")
        return Frame(frames.sse_event(frames.hx_partial(f"#entry-{room}", "delete", "")), hidden.encode())


def entry_html(entry: EntryRow, is_current: bool, save_data: bool = False) -> Markup:
    """Return the entry as pages and streams have it alike; without its picture on the page of who saves data."""
    facts = entry.page_key, is_current, save_data
    how = {"is_current": is_current, "is_typed_in": False, "sent": 0, "save_data": save_data}
    return render.part("sidebar/_entry.html", facts, entry=entry, **how)


def typed_entry_html(entry: EntryRow, save_data: bool) -> Markup:
    """Return the entry of a chat in which the other types now."""
    return Markup(_rendered(entry, is_typed_in=True, save_data=save_data))  # noqa: S704  our own template


def _rendered(entry: EntryRow, *, is_typed_in: bool = False, sent: int = 0, save_data: bool = False) -> str:
    how = {"is_current": False, "is_typed_in": is_typed_in, "sent": sent, "save_data": save_data}
    return render.fragment("sidebar/_entry.html", entry=entry, **how).strip()


def _group_header(entry: EntryRow) -> str:
    """Return what the page of a group shows of its name, which is another one to everybody in it."""
    count = len(entry.group)
    about = render.fragment("conversations/_about_group.html", title=entry.name, count=count)
    tile = render.fragment("_tile.html", tile=entry.tile)
    people = render.fragment("rooms/_count.html", count=count)
    # The title first, as in conversations/broadcasts.py.
    return (
        frames.hx_partial("head > title", "innerHTML", f"{escape(entry.name)} · {escape(settings.SITE_NAME)}")
        + frames.hx_partial(".room__header > .avatar, .details > .avatar", "outerHTML", tile)
        + frames.hx_partial("#about", "outerHTML", about)
        + frames.hx_partial(".details > h2", "innerHTML", str(escape(entry.name)))
        + frames.hx_partial(".details > p > a", "innerHTML", people)
    )


def waiting_frame(waiting: Waiting) -> Payload:
    """Return the counts of the bar: who wants to be friends and, for administrators, reports."""

    def made() -> Frame:
        html = render.fragment("sidebar/_requests.html", waiting=waiting)
        sse = frames.hx_partial(REQUEST_COUNT, "outerHTML", html)
        if waiting.reports is not None:
            html = render.fragment("sidebar/_reports.html", waiting=waiting)
            sse += frames.hx_partial("#report-count", "outerHTML", html)
        return Frame(frames.sse_event(sse))

    return frames.localized(made)


async def online_frames(people: Collection[int], there: Collection[int]) -> dict[int, Payload]:
    """For each of these people what their friends' pages show of their being here."""
    found = await User.filter(id__in=people) if people else []
    return {user.id: _dot(user, user.id in there) for user in found}


def _dot(user: Person, is_online: bool) -> Payload:
    return frames.localized(lambda: _dot_made(user, is_online))


def _dot_made(user: Person, is_online: bool) -> Frame:
    sse = ""
    for place in ("entry", "friend"):
        html = render.fragment("presence/_online_dot.html", place=place, code=user.code, is_online=is_online)
        sse += frames.hx_partial(f"#dot-{place}-{user.code}", "outerHTML", html)
    html = render.fragment(
        "presence/_last_seen.html", code=user.code, is_online=is_online, last_seen=last_seen_for(user)
    )
    sse += frames.hx_partial(f"#seen-{user.code}", "outerHTML", html)
    display = "inline-block" if is_online else "none"
    return Frame(
        frames.sse_event(sse),
        frames.style_element(f".online-dot[data-dot='{user.code}']{{display:{display}}}").encode(),
    )
