"""Who types to whom in chats of two, as the list at the side shows it: held in memory, and asked of no database."""

import asyncio

from webapp.conversations.seats import Seat
from webapp.core.i18n import _
from webapp.core.lifetime import Slot
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# How long one report counts: the animation in static/css/sidebar.css ends then. A page reports again before it does.
VISIBLE_SECONDS = 5.0
REPEAT_SECONDS = 2.0
STATE = "chat_typing"

# By person and room: until when, by the clock of the loop, the other of that chat types to them. The oldest come first.
chat_typists = Slot[dict[tuple[int, int], float]]("memory of who types in chats")


def started(seat: Seat) -> None:
    """The viewer types to the other of a chat. To whom has not answered a request yet that is not said."""
    if seat.room.low is None or seat.other is None or seat.is_notes or not seat.is_answered:
        return
    until = chat_typists().get((seat.other.id, seat.room.id), 0.0)
    if seat.viewer.shows_typing and until - asyncio.get_running_loop().time() < VISIBLE_SECONDS - REPEAT_SECONDS:
        hub().broadcast(STATE, user=seat.other.id, room=seat.room.id, is_typing=1)


def stopped(seat: Seat) -> None:
    """The viewer has sent it. Most people who post were not seen typing: that needs no telling."""
    if seat.other and (seat.other.id, seat.room.id) in chat_typists():
        hub().broadcast(STATE, user=seat.other.id, room=seat.room.id, is_typing=0)


def on_chat_typing(user: int, room: int, is_typing: int) -> None:
    """Show it on the open pages of this person which have the chat in their list, and do not show it anyway."""
    known, now = chat_typists(), asyncio.get_running_loop().time()
    known.pop((user, room), None)
    while known and next(iter(known.values())) <= now:
        del known[next(iter(known))]
    if not is_typing:
        return  # What was posted brings the entry without it.
    known[user, room] = now + VISIBLE_SECONDS
    frame = _frame(room)
    for reader in hub().readers(f"user:{user}"):
        if STATE in reader.states and reader.number("room") != room:
            reader.put(frame)


def rooms_typed_in(user: int, rooms: list[int]) -> set[int]:
    """Return those of the rooms in which the other types to this person now."""
    now = asyncio.get_running_loop().time()
    return {room for room in rooms if chat_typists().get((user, room), 0.0) > now}


def _frame(room: int) -> Payload:
    """Return the line over the last one, for as long as its animation takes."""
    shown_at = int(asyncio.get_running_loop().time() * 1000)

    def made() -> Frame:
        html = render.fragment("sidebar/_typing.html").strip()
        entry = f"#entry-{room} .entry"
        sse = frames.hx_partial(f"{entry}__typing", "delete", "")
        sse += frames.hx_partial(f"{entry}:not(.entry--request) .entry__name", "afterend", html)
        return Frame(frames.sse_event(sse), _document_line(room, f"typing-{room}-{shown_at}").encode())

    return frames.localized(made)


def _document_line(room: int, name: str) -> str:
    """
    Return what fills the empty line of the entry in an endless document, of the forms that were sent before.

    So the message, which brings another form, ends it. The animation's name is new, or it would not begin again.
    """
    rules = f"@keyframes {name}{{to{{visibility:hidden}}}}#entry-{room}:has(~#{name}) .entry__typing"
    rules += f"{{animation:{name} 1ms {VISIBLE_SECONDS:g}s forwards}}"
    rules += f'#entry-{room}:has(~#{name}) .entry__typing::before{{content:"{_("is typing")}"}}'
    return f'{frames.style_element(rules)}<li id="{name}" hidden></li>'
