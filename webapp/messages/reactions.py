"""Reactions: all that wait for a room are stored in one transaction, and take one version of its log together."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.conversations import kinds
from webapp.conversations.models import ROOM_NOT_FOUND, Membership
from webapp.conversations.seats import KICKED, RoomRow, Seat, require_not_kicked
from webapp.core.errors import Forbidden, Invalid, NotFound, Problem
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.db.group_commit import GroupCommit, RetryWithout
from webapp.messages.reaction_queries import Target, reacted_by, reaction_targets, summed_reactions

# Fixed: no picker, no question of fonts, no duplicates by tones of skin. static/js/acts/react.js has them too.
KINDS = ("👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "✅", "🔥", "👎", "🤔")


class Wish(NamedTuple):
    """What a person wants their reaction to be, as their seat was found."""

    seat: Seat
    number: int
    kind: str
    is_on: bool

    @property
    def user_id(self) -> int:
        return self.seat.viewer.id

    @property
    def identity(self) -> tuple[int, int, str]:
        return self.user_id, self.number, self.kind


def can_react(seat: Seat) -> bool:
    """Return whether the viewer may react here: not before a message request is answered."""
    return seat.kind.allows_reactions and not seat.is_request and not seat.kind.reaction_refusal(seat)


async def react(seat: Seat, number: int, kind: str, is_on: bool) -> int:
    """
    Add the viewer's reaction or take it back; return the room's new version, 0 where it was so already.

    Raises Invalid for another kind, Forbidden where they may not post, NotFound without the message.
    """
    if kind not in KINDS:
        raise Invalid(kind=_("Choose one of these."))
    if not can_react(seat):
        raise Forbidden(seat.kind.reaction_refusal(seat) or _("Answer the request first."))
    return await _group.submit(seat.room.id, Wish(seat, number, kind, is_on))


async def _store(wishes: Sequence[Wish]) -> list[int]:
    """Store reactions in one room, within a transaction; raise NotFound, and RetryWithout."""
    room = await _lock_room(wishes[0].seat.room)
    targets = await reaction_targets(room, {wish.number for wish in wishes})
    await _admit(room, wishes, targets)
    changed = await _write(wishes, targets)
    if not changed:
        # The version that was taken is given back with the transaction.
        raise RetryWithout(dict.fromkeys(range(len(wishes)), 0))
    await store_summed(changed, room.version)
    return [room.version] * len(wishes)


async def _lock_room(room: RoomRow) -> RoomRow:
    """Lock the room and take its next version; return it as it is then."""
    taken = await sql.execute(
        "UPDATE room SET version = version + 1 WHERE id = ? AND closed_at IS NULL "
        "RETURNING version, first_number, locked_at, kind, name, low, high",
        room.id,
    )
    if not taken:
        raise NotFound(_("The room has been deleted."))
    row = taken[0]
    locked_at = sql.from_db(row["locked_at"]) if row["locked_at"] else None
    return replace(room, **dict(row) | {"kind": kinds.of_stored(row["kind"]), "locked_at": locked_at})


async def _admit(room: RoomRow, wishes: Sequence[Wish], targets: dict[int, Target]) -> None:
    """
    Refuse what can't be reacted to any more, and by whom.

    Checked here, under the lock: since their seats were found, the message may have been removed, the room locked, or
    the viewer kicked.
    """
    memberships = Membership.filter(room_id=room.id, user_id__in={wish.user_id for wish in wishes})
    roles = {one.user_id: one for one in await memberships}
    refused: dict[int, Problem] = {}
    for place, wish in enumerate(wishes):
        membership = roles.get(wish.user_id)
        try:
            if membership and membership.role == KICKED:
                require_not_kicked(membership.kicked_until)
                membership = None
            if membership is None and room.kind.is_private:
                raise NotFound(ROOM_NOT_FOUND)
            # Not by a number: only posts are counted.
            await wish.seat.kind.check_reaction(room, wish.user_id)
            if wish.number not in targets:
                raise NotFound(_("This message has been removed."))
        except Problem as problem:
            refused[place] = problem
    if refused:
        raise RetryWithout(refused)


async def _write(wishes: Sequence[Wish], targets: dict[int, Target]) -> set[int]:
    """Add and delete rows; return the ids of the messages for which that made a difference."""
    changed = set[int]()
    added = [wish for wish in wishes if wish.is_on]
    if added:
        now = sql.to_db(datetime.now(UTC))
        values: list[object] = []
        for wish in added:
            message, author_id = targets[wish.number]
            to_user = None if author_id == wish.user_id else author_id
            values += message, wish.user_id, to_user, wish.kind, now
        rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(added))
        inserted = await sql.execute(
            f"INSERT INTO reaction (message_id, user_id, to_user_id, kind, created_at) VALUES {rows} "
            "ON CONFLICT DO NOTHING RETURNING message_id",
            *values,
        )
        changed |= {row["message_id"] for row in inserted}
    if removed := [(targets[wish.number].id, wish.user_id, wish.kind) for wish in wishes if not wish.is_on]:
        theirs = " OR ".join(["message_id = ? AND user_id = ? AND kind = ?"] * len(removed))
        deleted = await sql.execute(
            f"DELETE FROM reaction WHERE {theirs} RETURNING message_id", *(value for row in removed for value in row)
        )
        changed |= {row["message_id"] for row in deleted}
    return changed


async def store_summed(messages: set[int], version: int) -> None:
    """Write what pages show of the reactions to these messages (by id), as of the room's version."""
    for message, summed in (await summed_reactions(sorted(messages))).items():
        await sql.execute(
            "UPDATE message SET reactions = ?, version = ?, reacted_version = ?, "
            "said_version = CASE WHEN reacted_version = version THEN said_version ELSE version END WHERE id = ?",
            summed, version, version, message,
        )  # fmt: skip


async def withdraw_all(user_id: int) -> AsyncIterator[tuple[int, int]]:
    """
    Take back all reactions of an account that is deleted; yield rooms with the version that each batch has taken.

    In small batches, so that nobody else waits for it. What is left after a crash is found by the rows.
    """
    while found := await reacted_by(user_id):
        for room_id in sorted(found):
            if version := await transaction.transact(_withdraw, user_id, room_id, found[room_id]):
                yield room_id, version


async def _withdraw(user_id: int, room_id: int, messages: Collection[int]) -> int:
    """Delete one's reactions to these messages of a room; return its new version, 0 where there were none any more."""
    # The room's row is locked first, as by everybody who writes reactions: each sums up what all others have written.
    await sql.execute("UPDATE room SET version = version WHERE id = ? RETURNING id", room_id)
    deleted = await sql.execute(
        f"DELETE FROM reaction WHERE user_id = ? AND message_id IN ({sql.placeholders(messages)}) RETURNING message_id",
        user_id, *messages,
    )  # fmt: skip
    if not deleted:
        return 0
    [room] = await sql.execute("UPDATE room SET version = version + 1 WHERE id = ? RETURNING version", room_id)
    await store_summed({row["message_id"] for row in deleted}, room["version"])
    return int(room["version"])


_group = GroupCommit(_store, lambda wish: wish.identity)
