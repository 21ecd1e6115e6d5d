"""Telling the pages of a room what has become of the room itself, and of a person's place in it."""

from collections.abc import Collection

from webapp.conversations.models import DIRECT, PUBLIC, Room
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# For pages that were served while the room was locked, which then get what one writes with.
UNLOCKED = frames.sse_signal("unlocked")


def details_changed(room: Room) -> None:
    """The topic changed, or the room was locked or unlocked."""
    hub().refresh(f"room:{room.id}", "about")


def kicked(room: Room, user_id: int) -> None:
    hub().close_streams("kicked", f"room:{room.id}", user=user_id)


def room_deleted(room: Room) -> None:
    hub().close_streams("gone", f"room:{room.id}")
    hub().broadcast_reliably("room", room=room.id)


def membership_changed(room: Room, *users: int) -> None:
    """What these people have of the room has changed: they have joined it, read it, muted it, left it."""
    for user in users:
        hub().broadcast_reliably("place", user=user, room=room.id)


async def blocked(user: int, other: int) -> None:
    """A block stands between these two people: the streams of their chat end, in every process."""
    low, high = sorted((user, other))
    for room in await Room.filter(kind=DIRECT, low=low, high=high).values_list("id", flat=True):
        hub().close_streams("parted", f"room:{room}")


async def about(rooms: Collection[int]) -> dict[int, Payload]:
    found = await Room.filter(id__in=rooms, kind=PUBLIC, closed_at=None)
    return {room.id: about_frame(room) for room in found}


def about_frame(room: Room) -> Payload:
    def made() -> Frame:
        html = render.fragment("conversations/_about.html", room=room)
        shown = frames.sse_event(frames.hx_partial("#about", "outerHTML", html))
        return Frame(shown if room.locked_at else shown + UNLOCKED)

    # All that the fragment shows of a public room.
    return frames.localized(made, (room.name, room.topic, room.locked_at))
