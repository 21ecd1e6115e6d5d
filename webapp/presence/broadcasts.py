"""Telling a room who is in it, and everybody who is online."""

from collections.abc import Collection

from webapp.db.sql import AT_ONCE
from webapp.http import render
from webapp.live import Frame, Told, frames, hub
from webapp.presence.models import NO_ROOM
from webapp.presence.queries import People, people_in, rooms_of


def changed(users: Collection[int]) -> None:
    """Broadcast that these people may have come online or gone, or begun or ceased to show it. News may be lost."""
    ordered = sorted(users)
    for start in range(0, len(ordered), AT_ONCE):
        hub().tell("presence", users=",".join(map(str, ordered[start : start + AT_ONCE])))


def moved(rooms: Collection[int]) -> None:
    """The people of these rooms may be others now."""
    for room in set(rooms) - {NO_ROOM}:
        hub().touch(room, "people")


async def chosen(user: int) -> None:
    """The person has begun, or ceased, to show when they are here."""
    moved(await rooms_of(user))
    changed([user])


async def people(rooms: Collection[int]) -> dict[int, Told]:
    """Of public rooms: of two who talk in private friends alone see who is there, and in another way."""
    private = {reader.channel for reader in hub().readers(private=1)}
    return {room: framed(people) for room, people in (await people_in(set(rooms) - private)).items()}


def framed(people: People) -> Told:
    def made() -> Frame:
        html = render.fragment("presence/_people.html", people=people)
        # The endless document can't replace what it has said: each new line hides the ones before it.
        line = render.fragment("presence/_now.html", people=people)
        return Frame(frames.event(frames.partial("#people", "outerHTML", html)), line.encode())

    return frames.spoken(made, people)
