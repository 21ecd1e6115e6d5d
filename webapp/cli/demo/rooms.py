"""The rooms of the sample data, and who is in them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain, count, pairwise
from typing import NamedTuple

from tortoise.expressions import F

from webapp.cli.demo import words
from webapp.cli.demo.people import MONTHS_BACK
from webapp.cli.demo.rows import Row, batches, write_rows
from webapp.cli.demo.talks import Talk
from webapp.conversations.kinds import PUBLIC
from webapp.conversations.models import Room
from webapp.conversations.seats import MEMBER, OWNER
from webapp.core import text
from webapp.db import transaction

LARGEST_CROWD = 300
# The first account is in so many of the largest rooms.
ROOMS_OF_FIRST = 20


class Plan(NamedTuple):
    """A room that is to be made, and what will be said in it."""

    name: str
    topic: str
    talk: Talk


async def write_empty_rooms(chance: random.Random, people: list[int], shares: list[int]) -> dict[int, Talk]:
    """Write a room for each number of messages, the first one everybody's; what is to be said in them, by id."""
    plans = [
        _plan(chance, people, place, share, *named)
        for place, (share, named) in enumerate(zip(shares, _room_names(), strict=False))
    ]
    columns = "key, kind, name, folded, topic, face, version, last_number, last_at, member_count, created_at"
    rows: Iterator[Row] = (
        (text.slug(name), PUBLIC.stored, name, text.fold(name), topic, _face(name), 0, 0, talk.begins, 0, talk.begins)
        for name, topic, talk in plans
    )
    for batch in batches(rows):
        await transaction.transact(write_rows, "room", columns, batch)
    ids = dict(await Room.all().values_list("name", "id"))
    return {ids[plan.name]: plan.talk for plan in plans}


def _plan(chance: random.Random, people: list[int], place: int, share: int, name: str, topic: str, theme: int) -> Plan:
    """Plan who says how much, and between when and when, in the room of that place among the rooms."""
    is_everybodys = place == 0
    crowd = min(LARGEST_CROWD, max(3, int(len(people) * chance.uniform(0.02, 0.3))))
    members = chance.sample(people, len(people) if is_everybodys else min(crowd, len(people)))
    if is_everybodys or (place < ROOMS_OF_FIRST and people[0] not in members):
        members = [people[0], *(member for member in members if member != people[0])]
    silent = timedelta(seconds=40 if is_everybodys else chance.paretovariate(0.4) * 300 % (20 * 86400))
    ends = datetime.now(UTC) - silent
    begins = ends - MONTHS_BACK * (1 if is_everybodys else chance.uniform(0.3, 0.85))
    return Plan(name, topic, Talk(members, theme, share, begins, ends))


def _face(name: str) -> str:
    return next((face for first, face in words.FACES.items() if name.startswith(first)), "")


def _room_names() -> Iterator[tuple[str, str, int]]:
    """Names, topics and themes: each name alone, then by place, then by number."""
    names = [
        (name, topic, theme)
        for row in zip(*(list(rooms.items()) for rooms, _ in words.THEMES), strict=True)
        for theme, (name, topic) in enumerate(row)
    ]
    yield from names
    for suffix in chain(words.PLACES, count(2)):
        for name, topic, theme in names:
            yield f"{name} {suffix}", topic, theme


def share_out(rooms: int, messages: int) -> list[int]:
    """How many messages each room gets: the first one half, of the others each a little less than the one before."""
    first = messages if rooms == 1 else messages // 2
    weights = list(accumulate(1 / place**0.8 for place in range(1, rooms)))
    ends = [0, *(round((messages - first) * weight / weights[-1]) for weight in weights)]
    return [first, *(end - start for start, end in pairwise(ends))]


async def write_memberships(chance: random.Random, room_id: int, talk: Talk) -> None:
    for batch in batches(_memberships(chance, room_id, talk)):
        await transaction.transact(_join, room_id, batch)


async def _join(room_id: int, batch: list[Row]) -> None:
    columns = "room_id, user_id, role, read_number, delivered_number, muted, joined_at"
    await Room.filter(id=room_id).update(member_count=F("member_count") + len(batch))
    await write_rows("membership", columns, batch)


def _memberships(chance: random.Random, room_id: int, talk: Talk) -> Iterator[Row]:
    """Most have read everything, some all but a few messages, a few have not opened it for long."""
    for place, member in enumerate(talk.people):
        unread = 0 if chance.random() < 0.6 else int(min(400, chance.paretovariate(0.8)))
        read, role = max(0, talk.messages - unread), MEMBER if place else OWNER
        joined = talk.begins + timedelta(seconds=place % 3600)
        yield room_id, member, role, read, read, chance.random() < 0.03, joined
