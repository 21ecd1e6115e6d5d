"""What people do in rooms, and what stands in the database then."""

from collections.abc import Collection
from datetime import timedelta

import httpx2

from tests.conftest import Person
from tests.page import Page
from tests.people import now, roles, who
from webapp.conversations import access, member_changes
from webapp.conversations.models import Membership, Room
from webapp.conversations.roles import KICKED, OWNER, Change


def listed(page: httpx2.Response) -> list[tuple[str, str]]:
    """Return the rooms of a list: name and counts."""
    found = Page(page)
    return list(zip(found.texts(".rooms__name"), found.texts(".rooms__count"), strict=True))


async def names(one: Person, search: str) -> list[str]:
    page = await one.client.get("/rooms", params={"q": search})
    assert page.status_code == 200
    return [name for name, _ in listed(page)]


async def enter(one: Person, name: str, topic: str = "") -> httpx2.Response:
    return await one.post("/rooms", {"name": name, "topic": topic})


async def change(one: Person, room: Room, do: str, **fields: str) -> httpx2.Response:
    return await one.post(f"{room.path}/settings", {"do": do, **fields})


async def kick(owner: Person, room: Room, member: Person, minutes: str = "10") -> httpx2.Response:
    return await change(owner, room, "kick", who=who(member).code, minutes=minutes)


async def put_out(room: Room, member: Person, minutes: int = 10) -> None:
    """An owner bans the person for so long, and no page hears of it."""
    owner = await Membership.filter(room_id=room.id, role=OWNER).select_related("user").first()
    assert owner
    seat = await access.by_key(owner.user, room.key)
    await member_changes.change(seat, who(member).code, Change.BAN, timedelta(minutes=minutes))


async def assert_counted(room: Room, expected: dict[str, str]) -> None:
    """These people are in the room with these roles, and the count of its members is right."""
    assert await roles(room) == expected
    assert (await now(room)).member_count == len([role for role in expected.values() if role != KICKED])


def statuses(answers: Collection[httpx2.Response]) -> list[int]:
    return [answer.status_code for answer in answers]
