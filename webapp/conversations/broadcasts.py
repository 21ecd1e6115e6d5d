"""Telling the pages of a room what has become of the room itself, and of a person's place in it."""

from collections.abc import Collection

from webapp.conversations.models import PUBLIC, Room
from webapp.http import render
from webapp.live import Frame, Told, frames, hub

# For pages that were served while the room was locked, which then get what one writes with.
UNLOCKED = frames.named("unlocked")


def described(room: Room) -> None:
    """The topic changed, or the room was locked or unlocked."""
    hub().touch(room.id, "about")


def kicked(room: Room, user_id: int) -> None:
    hub().dismiss("kicked", channel=room.id, user=user_id)


def closed(room: Room) -> None:
    hub().dismiss("gone", channel=room.id)
    hub().note("room", room=room.id)


def placed(room: Room, *users: int) -> None:
    """What these people have of the room has changed: they have joined it, read it, muted it, left it."""
    for user in users:
        hub().note("place", user=user, room=room.id)


def parted(low: int, high: int) -> None:
    """A block stands between these two people: the streams of their chat end, in every process."""
    hub().dismiss("parted", user=low, other=high)
    hub().dismiss("parted", user=high, other=low)


async def about(rooms: Collection[int]) -> dict[int, Told]:
    """A chat has no such state: whom it is with is another for each of the two."""
    found = await Room.filter(id__in=rooms, kind=PUBLIC, closed_at=None)
    return {room.id: framed(room) for room in found}


def framed(room: Room) -> Told:
    def made() -> Frame:
        html = render.fragment("conversations/_about.html", room=room)
        shown = frames.event(frames.partial("#about", "outerHTML", html))
        return Frame(shown if room.locked_at else shown + UNLOCKED)

    # All that the fragment shows of a public room.
    return frames.spoken(made, (room.name, room.topic, room.locked_at))
