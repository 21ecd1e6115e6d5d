"""Groups of people: starting one, adding to it and to private rooms, and what who was asked answers."""

import hmac
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from webapp import settings
from webapp.accounts.queries import CODE_PATTERN
from webapp.accounts.viewer import Person, Viewer
from webapp.conversations import kinds, roles
from webapp.conversations.adding_queries import candidates
from webapp.conversations.models import ROOM_NOT_FOUND, Membership, Room
from webapp.conversations.seats import KICKED, MEMBER, RANDOM_KEY_PREFIX, Seat, is_asked
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.core.i18n import Text, _, ngettext
from webapp.db import transaction
from webapp.relationships.models import lock_people
from webapp.relationships.queries import friend_ids, is_any_blocked

MOST_PEOPLE = 8
FEWEST_OTHERS = 2
# So many are added to a room at a time.
MOST_ADDED = 20
# The same for who does not exist, who wants to be added by nobody, and two of whom one has blocked the other.
NOT_TOGETHER = _("These people can't be in one group.")
NOT_ADDED = _("These people can't be added to this room.")


class _Candidate(NamedTuple):
    id: int
    is_friend: bool
    is_addable: bool


async def start(viewer: Viewer, codes: Sequence[str], nonce: str) -> str:
    """
    Start a group of the viewer and the people of these codes; return its key.

    The same form sent twice makes one group. Raise Invalid where they are too few or too many, or can't be together.
    """
    wanted = _distinct(codes)
    if len(wanted) < FEWEST_OTHERS:
        raise Invalid(code=_("Choose at least two people."))
    if len(wanted) >= MOST_PEOPLE:
        raise Invalid(code=_("Eight people fit in a group, you among them."))
    for _attempt in range(3):
        key = _key(viewer, wanted, nonce)
        if known := await Room.get_or_none(key=key):
            if known.closed_at is None and await _is_in(known.id, viewer.id):
                return key
            nonce = ""  # of a group that they have left
            continue
        try:
            await transaction.transact(_start, viewer, wanted, key)
            return key
        except IntegrityError:
            continue  # the same form was sooner, or one of them has just deleted their account
    raise Invalid(code=NOT_TOGETHER)


async def _start(viewer: Viewer, codes: Collection[str], key: str) -> None:
    people = await _candidates(viewer, codes)
    ids = {one.id for one in people}
    is_possible = len(people) == len(codes) and all(one.is_addable for one in people) and viewer.id not in ids
    if not is_possible or await is_any_blocked(ids, {viewer.id, *ids}):
        raise Invalid(code=NOT_TOGETHER)
    count = 1 + sum(one.is_friend for one in people)
    room = await Room.create(key=key, kind=kinds.GROUP.stored, name="", member_count=count)
    await Membership.create(room_id=room.id, user_id=viewer.id, role=MEMBER)
    await _put(room, people, viewer)


def _key(viewer: Person, codes: Iterable[str], nonce: str) -> str:
    """Return a key that can't be guessed: that of the form with this nonce, which knows nothing to guess it by."""
    if not nonce:
        return RANDOM_KEY_PREFIX + secrets.token_urlsafe(16)
    said = "\0".join(("group", str(viewer.id), nonce[:100], *sorted(codes)))
    return RANDOM_KEY_PREFIX + hmac.new(settings.secret_key().encode(), said.encode(), sha256).hexdigest()[:32]


def _distinct(codes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(code.upper() for code in codes))


async def _candidates(viewer: Person, codes: Collection[str]) -> list[_Candidate]:
    """Return the people of these codes, within a transaction: no block comes between any two of them until its end."""
    possible = [code for code in codes if CODE_PATTERN.fullmatch(code)]
    if not possible:
        return []
    await lock_people(viewer.id, *[one.id for one in await candidates(possible)])
    friends = await friend_ids(viewer.id)
    return [
        _Candidate(one.id, one.id in friends, one.is_addable(one.id in friends)) for one in await candidates(possible)
    ]


async def _put(room: Room, people: Iterable[_Candidate], viewer: Person) -> None:
    """Let the viewer's friends in, and ask the others."""
    for one in people:
        if one.is_friend:
            who = {"role": MEMBER, "read_number": room.last_number}
        else:
            who = {"role": KICKED, "is_request": True}
        await Membership.create(room_id=room.id, user_id=one.id, inviter=viewer.id, **who)


async def everyone(room_id: int) -> list[int]:
    """Return the ids of those who are in, and of those who were asked."""
    return [row.user_id for row in await _counted(room_id)]


async def _is_in(room_id: int, user_id: int) -> bool:
    return await Membership.filter(room_id=room_id, user_id=user_id, role__not=KICKED).exists()


# Adding.


def may_add(seat: Seat) -> bool:
    """Return whether the viewer may add people: in a group everybody may, in a private room who invites."""
    if seat.membership is None or seat.membership.role == KICKED:
        return False
    if seat.kind is kinds.GROUP:
        return True
    return seat.kind is kinds.PRIVATE and roles.may(seat, roles.Act.INVITE)


def require_may_add(seat: Seat) -> None:
    """Raise Forbidden where the viewer may not add people."""
    if not may_add(seat):
        raise Forbidden(_("You can't add people here."))


async def add(seat: Seat, codes: Sequence[str]) -> list[int]:
    """
    Add the people of these codes, all or none; return the ids of those for whom something has changed.

    Who is in already stays, and who was asked by another is asked still. Raise Invalid and Forbidden.
    """
    wanted = _distinct(codes)
    require_may_add(seat)
    if not wanted:
        raise Invalid(code=_("Choose someone."))
    if len(wanted) > MOST_ADDED:
        raise Invalid(code=_("Add at most %(most)s people at a time.", most=MOST_ADDED))
    for _attempt in range(3):
        try:
            return await transaction.transact(_add, seat, wanted)
        except IntegrityError:  # one of them has just deleted their account
            continue
    raise Invalid(code=_refusal(seat))


def _refusal(seat: Seat) -> Text:
    return NOT_TOGETHER if seat.kind is kinds.GROUP else NOT_ADDED


async def _add(seat: Seat, codes: Collection[str]) -> list[int]:
    room_id, viewer = seat.room.id, seat.viewer
    people = await _candidates(viewer, codes)
    room = await _locked(room_id, seat.kind.stored)
    ids = [one.id for one in people]
    known = {row.user_id: row for row in await Membership.filter(room_id=room_id, user_id__in=[viewer.id, *ids])}
    mine = known.get(viewer.id)
    if seat.membership is None or mine is None or mine.role != seat.membership.role:
        raise NotFound(ROOM_NOT_FOUND)
    new = [one for one in people if _is_new(one, known.get(one.id))]
    if len(people) < len(codes) or any(_is_banned(known.get(one.id)) for one in new):
        raise Invalid(code=_refusal(seat))
    if not all(one.is_addable for one in new) or await _are_apart(seat, [one.id for one in new]):
        raise Invalid(code=_refusal(seat))
    old = [known[one.id].id for one in new if one.id in known]
    await Membership.filter(id__in=old).delete()
    if seat.kind is kinds.GROUP:
        await _require_place(room_id, len(new))
    await _put(room, new, viewer)
    await Room.filter(id=room_id).update(member_count=F("member_count") + sum(one.is_friend for one in new))
    return [one.id for one in new]


async def _locked(room_id: int, kind: str) -> Room:
    """Lock the room and return it as it is, within a transaction; raise NotFound where it is not of that kind."""
    if not await Room.filter(id=room_id, kind=kind, closed_at=None).update(member_count=F("member_count")):
        raise NotFound(ROOM_NOT_FOUND)
    return await Room.get(id=room_id)


def _is_new(one: _Candidate, known: Membership | None) -> bool:
    """Whether they are let in or asked now: not who is in, nor again who was asked and still is no friend."""
    return known is None or (known.role == KICKED and not (_is_asked(known) and not one.is_friend))


def _is_asked(row: Membership) -> bool:
    return is_asked(row.role, row.is_request, row.kicked_until)


def _is_banned(row: Membership | None) -> bool:
    return row is not None and row.kicked_until is not None and row.kicked_until > datetime.now(UTC)


async def _are_apart(seat: Seat, new: Collection[int]) -> bool:
    """Whether one has blocked another: in a group of all, else of the one who adds and those who are added."""
    if not new:
        return False
    others = [seat.viewer.id]
    if seat.kind is kinds.GROUP:
        others += await everyone(seat.room.id)
    return await is_any_blocked(new, {*others, *new})


async def _counted(room_id: int) -> list[Membership]:
    """Return the memberships of those who are in, and of those who were asked."""
    return [row for row in await Membership.filter(room_id=room_id) if row.role != KICKED or _is_asked(row)]


async def _require_place(room_id: int, count: int) -> None:
    left = MOST_PEOPLE - len(await _counted(room_id))
    if count > left:
        raise Invalid(
            code=ngettext(
                "Eight people fit in a group, with those who were asked. There is room for one more.",
                "Eight people fit in a group, with those who were asked. There is room for %(count)s more.",
                left,
            )
            if left
            else _("Eight people fit in a group, with those who were asked, and this one is full.")
        )


# The answer of who was asked.


async def accept(seat: Seat) -> None:
    """Let in the viewer, who was asked; raise NotFound where they are asked no more, Forbidden where a block stands."""
    await transaction.transact(_accept, seat)


async def _accept(seat: Seat) -> None:
    room_id, viewer = seat.room.id, seat.viewer
    await lock_people(viewer.id)
    room = await _locked(room_id, seat.kind.stored)
    mine = await Membership.get_or_none(room_id=room_id, user_id=viewer.id)
    if mine is not None and mine.role != KICKED:
        return
    if mine is None or not _is_asked(mine):
        raise NotFound(ROOM_NOT_FOUND)
    if seat.kind is kinds.GROUP and await _are_apart(seat, [viewer.id]):
        raise Forbidden(NOT_TOGETHER)
    await Membership.filter(id=mine.id).update(
        role=MEMBER, is_request=False, read_number=room.last_number, joined_at=datetime.now(UTC)
    )
    await Room.filter(id=room_id).update(member_count=F("member_count") + 1)


async def decline(seat: Seat) -> None:
    """Forget that the viewer was asked; nobody learns it."""
    mine = Membership.filter(room_id=seat.room.id, user_id=seat.viewer.id)
    await mine.filter(role=KICKED, is_request=True, kicked_until=None).delete()


async def leave(seat: Seat) -> bool:
    """End the viewer's membership of a group; return whether nobody is left in it, and it is closed."""
    return await transaction.transact(_leave, seat)


async def _leave(seat: Seat) -> bool:
    room_id = seat.room.id
    await _locked(room_id, seat.kind.stored)
    own = Membership.filter(room_id=room_id, user_id=seat.viewer.id, role__not=KICKED)
    if not await own.delete():
        return False
    await Room.filter(id=room_id).update(member_count=F("member_count") - 1)
    if await Membership.filter(room_id=room_id, role__not=KICKED).exists():
        return False
    await Room.close(room_id)
    return True
