"""Telling a room who is in it, and everybody who is online."""

from collections.abc import Collection

from webapp.db.sql import BATCH_SIZE
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub
from webapp.presence.queries import NO_ROOM, RoomPresence, presence_in, rooms_shown_to


def changed(users: Collection[int]) -> None:
    """Broadcast that these people may have come online or left, or begun or ceased to show it. News may be lost."""
    ordered = sorted(users)
    for start in range(0, len(ordered), BATCH_SIZE):
        hub().broadcast("presence", users=",".join(map(str, ordered[start : start + BATCH_SIZE])))


def rooms_changed(rooms: Collection[int]) -> None:
    """The people of these rooms may be others now."""
    for room in set(rooms) - {NO_ROOM}:
        hub().refresh(f"room:{room}", "people")


async def visibility_changed(user: int, was_public: bool = False) -> None:
    """The person shows now to others than before when they are here; `was_public` where everyone saw it until now."""
    rooms_changed(await rooms_shown_to(user))
    changed([user])
    if was_public:
        hub().broadcast("unlisted", user=user)


async def people(rooms: Collection[int]) -> dict[int, Payload]:
    return {room: presence_frame(people) for room, people in (await presence_in(rooms)).items()}


def presence_frame(people: RoomPresence) -> Payload:
    def made() -> Frame:
        html = render.part("presence/_people.html", people, people=people)
        # The endless document can't replace what it has said: each new line hides the ones before it.
        line = render.fragment("presence/_live_state.html", people=people)
        return Frame(frames.sse_event(frames.hx_partial("#people", "outerHTML", html)), line.encode())

    return frames.localized(made, people)
