"""What the first people of the sample data are to each other: friends, requests, chats and notes."""

import random
import secrets
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from webapp.cli.demo import words
from webapp.cli.demo.logs import Log
from webapp.cli.demo.own_rooms import write_own_rooms
from webapp.cli.demo.rows import Row, write_rows
from webapp.cli.demo.talks import Talk, say
from webapp.conversations.kinds import DIRECT, PUBLIC
from webapp.conversations.levels import MENTIONS
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import MEMBER, RANDOM_KEY_PREFIX
from webapp.db import transaction

# So many accounts have company; the first of them has everything that there is to show.
CIRCLE = 14
CHAT_MESSAGES = range(12, 60)
MUTED_PLACE = 2


async def write_company(chance: random.Random, people: list[int]) -> dict[int, Log]:
    """
    Write friendships, chats, groups, private rooms and requests among the first people, who are CIRCLE at the least.

    Returns what is to be said in the chats, by their ids.
    """
    if len(people) < CIRCLE:
        return {}
    me, *others = people[:CIRCLE]
    await transaction.transact(_write_friendships, me, others)
    logs: dict[int, Log] = {}
    for partner, unread in zip(others[:5], (2, 0, 0, 1, 0), strict=True):
        logs |= await _write_chat(chance, [me, partner], chance.choice(CHAT_MESSAGES), {me: unread})
    for pair in pairwise(others[:5]):
        logs |= await _write_chat(chance, list(pair), chance.choice(CHAT_MESSAGES), {})
    logs |= await _write_request(me, others[8])
    notes = await _create_chat([me], datetime.now(UTC) - timedelta(days=3))
    logs |= await _write_lines(notes, me, words.NOTES)
    logs |= await write_own_rooms([me, *others])
    await _choose_level(me)
    return logs


async def _write_friendships(me: int, others: list[int]) -> None:
    """Friends, one request that was received, and one that was sent."""
    now = datetime.now(UTC)
    pairs = [(me, other) for other in others[:6]] + list(pairwise(others[:6]))
    rows: list[Row] = [(*sorted(pair), pair[0], now - timedelta(days=90), now, False) for pair in pairs]
    rows += [(me, others[6], others[6], now - timedelta(hours=5), None, False)]
    rows += [(me, others[7], me, now - timedelta(days=1), None, False)]
    await write_rows("friendship", "low_id, high_id, asked_by, asked_at, accepted_at, withdrawn", rows)


async def _write_chat(chance: random.Random, pair: list[int], messages: int, unread: dict[int, int]) -> dict[int, Log]:
    ends = datetime.now(UTC) - timedelta(minutes=min(9000, chance.paretovariate(0.5) * 3))
    begins = ends - timedelta(days=chance.randrange(20, 120))
    room = await _create_chat(pair, begins)
    talk = Talk(pair, chance.randrange(len(words.THEMES)), messages, begins, ends)
    for person in pair:
        read = messages - unread.get(person, 0)
        await Membership.filter(room_id=room.id, user_id=person).update(read_number=read, delivered_number=messages)
    return {room.id: Log(say(random.Random(room.id), talk), pair)}


async def _create_chat(people: list[int], begins: datetime) -> Room:
    """Create the one chat of two people, or of one with themselves."""
    low, high = min(people), max(people)
    key = RANDOM_KEY_PREFIX + secrets.token_urlsafe(16)
    room = await Room.create(
        key=key,
        kind=DIRECT.stored,
        name="",
        low=low,
        high=high,
        member_count=len(people),
        created_at=begins,
        last_at=begins,
    )  # fmt: skip
    for person in people:
        await Membership.create(room=room, user_id=person, role=MEMBER, joined_at=begins)
    return room


async def _write_request(me: int, other: int) -> dict[int, Log]:
    """A message request: one who is no friend has written."""
    room = await _create_chat([me, other], datetime.now(UTC) - timedelta(hours=2))
    await Membership.filter(room_id=room.id, user_id=me).update(is_request=True)
    return await _write_lines(room, other, words.REQUEST)


async def _write_lines(room: Room, author: int, lines: tuple[str, ...]) -> dict[int, Log]:
    """Return what one of the two has said, a minute between the lines; all of it is read by them."""
    own = Membership.filter(room_id=room.id, user_id=author)
    await own.update(read_number=len(lines), delivered_number=len(lines))
    begins = room.created_at
    return {room.id: Log((author, line, begins + timedelta(minutes=place)) for place, line in enumerate(lines))}


async def _choose_level(me: int) -> None:
    """One room of theirs counts mentions alone."""
    rooms = Membership.filter(user_id=me, room__kind=PUBLIC.stored).order_by("room_id").offset(MUTED_PLACE)
    if chosen := await rooms.first():
        await Membership.set_level(chosen.id, MENTIONS)
