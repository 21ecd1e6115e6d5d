"""Telling a room who is in it."""

from collections.abc import Collection

from webapp import render
from webapp.live import Frame, frames, sources
from webapp.presence.models import People, people_in


@sources.state("people")
async def people(rooms: Collection[int]) -> dict[int, Frame]:
    return {room: framed(people) for room, people in (await people_in(rooms)).items()}


def framed(people: People) -> Frame:
    html = render.fragment("presence/_people.html", people=people)
    # The endless document can't replace what it has said: each new line hides the ones before it.
    line = render.fragment("presence/_now.html", people=people)
    return Frame(frames.event(frames.partial("#people", "outerHTML", html)), line.encode())
