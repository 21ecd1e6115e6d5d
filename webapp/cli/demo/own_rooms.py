"""What is not everybody's in the sample data: private rooms, a group, an invitation, a moderator."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from webapp.cli.demo import words
from webapp.cli.demo.logs import Log
from webapp.conversations.kinds import GROUP, PRIVATE, PUBLIC
from webapp.conversations.models import Membership, Room
from webapp.conversations.roles import MEMBER, MODERATOR, MODERATORS, OWNER
from webapp.conversations.seats import RANDOM_KEY_PREFIX, Kind
from webapp.invitations.models import Invitation, InvitationUse

# Where among the first person's public rooms they moderate.
MODERATED_PLACE = 1


async def write_own_rooms(people: Sequence[int]) -> dict[int, Log]:
    """
    Write a private room that two run and one joined by invitation, one in which few may post, and a group of four.

    Returns what is to be said in them, by their ids.
    """
    me, *others = people
    party = await _create(PRIVATE, [me, *others[:4]], *words.PARTY, {me: OWNER, others[0]: MODERATOR})
    news = await _create(PRIVATE, [others[4], me, *others[5:9]], *words.NEWS, {others[4]: OWNER})
    await Room.filter(id=news.id).update(who_posts=MODERATORS)
    group = await _create(GROUP, [others[0], me, others[1], others[2]], "", "", {})
    await _invite(party, me, others[3])
    await _make_moderator(me)
    return {
        party.id: _log(party, [me, *others[:4]], words.PARTY_LINES),
        news.id: _log(news, [others[4]], words.NEWS_LINES),
        group.id: _log(group, [me, *others[:3]], words.GROUP_LINES),
    }


async def _create(kind: Kind, people: list[int], name: str, topic: str, roles: dict[int, str]) -> Room:
    begins = datetime.now(UTC) - timedelta(hours=6)
    room = await Room.create(
        key=RANDOM_KEY_PREFIX + secrets.token_urlsafe(16),
        kind=kind.stored,
        name=name,
        topic=topic,
        member_count=len(people),
        created_at=begins,
        last_at=begins,
    )
    for person in people:
        await Membership.create(room=room, user_id=person, role=roles.get(person, MEMBER), joined_at=begins)
    return room


def _log(room: Room, people: list[int], lines: Sequence[tuple[int, str]]) -> Log:
    """Return these lines of these people, some minutes between them."""
    begins = room.created_at
    said = ((people[who], line, begins + timedelta(minutes=11 * place)) for place, (who, line) in enumerate(lines, 1))
    return Log(said, people)


async def _invite(room: Room, maker: int, guest: int) -> None:
    """An invitation that one has used; nobody knows its link."""
    now = datetime.now(UTC)
    invitation = await Invitation.create(
        room=room,
        digest=sha256(secrets.token_bytes(16)).hexdigest(),
        maker_id=maker,
        note=words.INVITATION_NOTE,
        expires_at=now + timedelta(days=6),
        most_uses=10,
        uses=1,
    )
    await InvitationUse.create(invitation=invitation, user_id=guest)


async def _make_moderator(person: int) -> None:
    mine = Membership.filter(user_id=person, role=MEMBER, room__kind=PUBLIC.stored).order_by("room_id")
    if chosen := await mine.offset(MODERATED_PLACE).first():
        await Membership.filter(id=chosen.id).update(role=MODERATOR)
