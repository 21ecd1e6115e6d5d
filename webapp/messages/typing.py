"""Who is typing in which room: held in memory for VISIBLE_SECONDS."""

import asyncio
from collections.abc import Collection
from itertools import islice

from webapp.accounts.viewer import Person
from webapp.core.lifetime import Slot
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# How long one report of an open page counts.
VISIBLE_SECONDS = 5.0
# How often a page reports that its person is typing: the throttle in templates/messages/_composer.html.
REPORT_SECONDS = 3.0
MAX_NAMES = 3

# By room: the code of each person who types, with their name and the time of the loop's clock until which it counts.
typists = Slot[dict[int, dict[str, tuple[str, float]]]]("memory of who types")


def started(room_id: int, user: Person) -> None:
    """The person is typing. Said again too soon, it says nothing new."""
    _, until = typists().get(room_id, {}).get(user.code, ("", 0.0))
    is_fresh = until - asyncio.get_running_loop().time() > VISIBLE_SECONDS - REPORT_SECONDS
    if user.shows_typing and not is_fresh:
        hub().broadcast("typing", room=room_id, code=user.code, name=user.display_name)


def stopped(room_id: int, user: Person) -> None:
    """The person has sent it, or has left. Most people who post were not seen typing: that needs no telling."""
    if f"room:{room_id}" in hub().channels and user.code not in typists().get(room_id, {}):
        return
    hub().broadcast("typing", room=room_id, code=user.code, name="")


def on_typing(room: int, code: str, name: str) -> None:
    channels = hub().channels
    for closed in [known for known in typists() if f"room:{known}" not in channels]:
        del typists()[closed]
    if (channel := f"room:{room}") not in channels:
        return
    if name:
        loop = asyncio.get_running_loop()
        typists().setdefault(room, {})[code] = (name, loop.time() + VISIBLE_SECONDS)
        loop.call_later(VISIBLE_SECONDS, hub().refresh_local, channel, "typing")
    elif typists().get(room, {}).pop(code, None) is None:
        return
    hub().refresh_local(channel, "typing")


async def typing(rooms: Collection[int]) -> dict[int, Payload]:
    """Rooms in which nobody has typed since they were opened have no such state at all."""
    now = asyncio.get_running_loop().time()
    found = {}
    for room in rooms:
        if room in typists():
            people = typists()[room] = {code: seen for code, seen in typists()[room].items() if seen[1] > now}
            found[room] = typing_frame({code: name for code, (name, _) in people.items()})
    return found


def typing_frame(people: dict[str, str]) -> Payload:
    shown = dict(islice(people.items(), MAX_NAMES))

    def made() -> Frame:
        html = render.fragment("messages/_typing.html", people=shown, others=len(people) - len(shown))
        line = f'<li class="live-state live-state--typing">{html}</li>'
        return Frame(frames.sse_event(frames.hx_partial("#typing", "innerHTML", html)), line.encode())

    return frames.localized(made)
