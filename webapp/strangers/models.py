"""The rules of meeting strangers: who comes masked, who waits, who talks to whom, and when that ends."""

from collections.abc import Collection
from datetime import UTC, datetime

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.accounts.names import new_code
from webapp.accounts.viewer import CODE, Person, Viewer
from webapp.conversations import queries
from webapp.conversations.kinds import ANONYMOUS
from webapp.conversations.models import Room
from webapp.conversations.seats import Seat
from webapp.db import sql, transaction
from webapp.db.sql import CLOCK
from webapp.strangers.interests import MAX_INTEREST_LENGTH, MAX_INTERESTS
from webapp.strangers.names import new_name

# What the column `room.kind` holds of these chats.
KIND = ANONYMOUS.stored
# A mask whose page gives no sign of life for so long waits no more.
WAITING_MS = 10_000
# An open page of a chat renews its presence every two seconds: away after five, its mask has left after fifteen more.
PRESENT_MS = 5_000
GRACE_MS = 15_000
# A page that is not live can't renew it: its reader counts as present for so long.
READING_MS = 120_000
# A chat that is left so soon was skipped.
SKIP_MS = 5_000
YOUNG_SECONDS = 30
# For so long it is known who met whom.
MEMORY_MS = 3_600_000


class Stranger(Model):
    """
    A person as strangers know them: a mask, which is a user of its own with nothing of the person in it.

    There is one row for each person, and it names at most one room: nobody can be in two chats, by construction.
    `since` is set while they wait, and only then.
    """

    id = fields.IntField(primary_key=True)
    mask: fields.OneToOneRelation[User] = fields.OneToOneField("parley.User", "stranger")
    # Who is behind it: the account, or, for a guest, the mask itself. Both are users, so no two are the same number.
    person = fields.IntField(unique=True)
    interests = fields.CharField(MAX_INTERESTS * (MAX_INTEREST_LENGTH + 1), default="")
    language = fields.CharField(2, default="en")
    since = fields.BigIntField(null=True, db_index=True)
    here_until = fields.BigIntField(default=0)
    # The chat, as long as they stay on its page; the one before; and the one that became a chat between friends.
    room_id = fields.IntField(null=True, db_index=True)
    last_room_id = fields.IntField(null=True)
    kept_room_id = fields.IntField(null=True)

    mask_id: int

    class Meta:
        table = "stranger"
        table_description = (
            "A person as strangers know them: a mask, which is a user of its own with nothing of the person in it."
        )

    @property
    def is_guest(self) -> bool:
        return self.person == self.mask_id

    def as_viewer(self, session_id: int) -> Viewer:
        """Return the mask as the viewer of a request that came with this session."""
        return self.mask.as_viewer(session_id)

    @property
    def is_waiting(self) -> bool:
        return self.since is not None

    @classmethod
    async def of(cls, person_id: int) -> "Stranger | None":
        """Return the person as a stranger, None where they have not been one today."""
        return await cls.filter(person=person_id).select_related("mask").first()

    @classmethod
    async def put_on_mask(cls, account: Person | None = None) -> "Stranger":
        """Return the mask of the account, a new one where it has none, or that of a new guest."""

        async def write() -> Stranger:
            mask = await User.create(
                code=new_code(),
                display_name=new_name(),
                is_guest=True,
                found_by=CODE,
                shows_receipts=account is None or account.shows_receipts,
                shows_typing=account is None or account.shows_typing,
            )
            return await cls.create(mask=mask, person=account.id if account else mask.id)

        for _attempt in range(5):
            if account and (known := await cls.of(account.id)):
                return known
            try:
                return await transaction.transact(write)
            except IntegrityError:
                continue  # another window of theirs was faster; or the code is taken
        raise RuntimeError("no free code was found")

    # Waiting.

    async def set_preferences(self, interests: str, language: str) -> None:
        """Set what they would like to talk about, and in which language."""
        self.interests, self.language = interests, language
        await Stranger.filter(id=self.id).update(interests=interests, language=language)

    async def start_waiting(self) -> bool:
        """Start waiting; return whether they wait now: not while they are in a chat that has not ended."""
        found = await sql.execute(
            f"UPDATE stranger SET here_until = {CLOCK} + {WAITING_MS}, kept_room_id = NULL, "
            f"since = COALESCE(since, {CLOCK}), last_room_id = COALESCE(room_id, last_room_id), room_id = NULL "
            "WHERE id = ? AND (room_id IS NULL OR room_id IN (SELECT id FROM room WHERE locked_at IS NOT NULL)) "
            "RETURNING id",
            self.id,
        )
        return bool(found)

    async def stop_waiting(self) -> None:
        await Stranger.filter(id=self.id).update(since=None)

    async def extend_presence(self, milliseconds: int) -> None:
        """Count them as present for at least so long: they have just requested a page."""
        until = f"{CLOCK} + {milliseconds}"
        await sql.execute(
            f"UPDATE stranger SET here_until = {until} WHERE id = ? AND here_until < {until} RETURNING id", self.id
        )

    @classmethod
    async def renew_presence(cls, waiting: Collection[int], talking: Collection[int]) -> None:
        """Extend the presence of masks whose pages are open."""
        for masks, milliseconds in ((waiting, WAITING_MS), (talking, PRESENT_MS)):
            if masks:
                marks, until = sql.placeholders(masks), f"{CLOCK} + {milliseconds}"
                await sql.execute(
                    f"UPDATE stranger SET here_until = {until} WHERE mask_id IN ({marks}) AND here_until < {until} "
                    "RETURNING id",
                    *masks,
                )

    @classmethod
    async def shorten_presence(cls, mask: int) -> None:
        """Shorten the presence of a mask whose last page of a chat has closed: it has a moment to open the next."""
        soon = f"{CLOCK} + {PRESENT_MS - 2000}"
        await sql.execute(
            f"UPDATE stranger SET here_until = {soon} WHERE mask_id = ? AND here_until > {soon} "
            f"AND here_until <= {CLOCK} + {WAITING_MS} AND room_id IS NOT NULL RETURNING id",
            mask,
        )

    async def seconds_waiting(self) -> int:
        """Return for how many seconds they have waited."""
        [row] = await sql.fetch_all(f"SELECT {CLOCK} AS now")
        return max(0, int(row["now"]) - (self.since or int(row["now"]))) // 1000

    # Talking.

    async def current_chat(self, room_id: int | None = None) -> Seat | None:
        """Return the seat in their chat, over or not; in another that they were in, where it is named."""
        which = room_id or self.room_id
        seat = await queries.seat_by_id(self.mask.as_viewer(session_id=0), which) if which else None
        is_theirs = seat is not None and seat.kind is ANONYMOUS and seat.membership is not None
        return seat if is_theirs else None

    async def leave(self) -> Seat | None:
        """Leave the chat, which ends it for both; return the seat that they had, None where they were in no chat."""
        seat = await self.current_chat()
        if seat:
            await transaction.transact(self._leave, seat)
        return seat

    async def _leave(self, seat: Seat) -> None:
        now = datetime.now(UTC)
        ended = await Room.filter(id=seat.room.id, kind=KIND, locked_at=None).update(locked_at=now)
        await Stranger.filter(id=self.id, room_id=seat.room.id).update(room_id=None, last_room_id=seat.room.id)
        if ended and seat.other and (now - seat.room.created_at).total_seconds() * 1000 < SKIP_MS:
            await Met.mark_skipped(self, seat.other.id)

    @classmethod
    async def end_abandoned(cls, room_id: int) -> bool:
        """End the chat where one of the two has been away for the whole grace; return whether it did."""

        async def write() -> bool:
            # The room first, as everywhere: then the two of them.
            await Room.filter(id=room_id, kind=KIND).update(kind=KIND)
            gone = await sql.execute(
                "UPDATE stranger SET last_room_id = room_id, room_id = NULL "
                f"WHERE room_id = ? AND here_until < {CLOCK} - {GRACE_MS} RETURNING id",
                room_id,
            )
            if gone:
                await Room.filter(id=room_id, kind=KIND, locked_at=None).update(locked_at=datetime.now(UTC))
            return bool(gone)

        return await transaction.transact(write)

    @classmethod
    async def delete_mask(cls, person_id: int) -> None:
        """Delete the mask of a person whose account is deleted; the chat that it is in ends."""
        if stranger := await cls.of(person_id):
            await stranger.leave()
            await User.filter(id=stranger.mask_id).delete()


class Met(Model):
    """Two people who were brought together, when, and who of them was left within seconds. Forgotten after an hour."""

    id = fields.BigIntField(primary_key=True)
    low = fields.IntField()
    high = fields.IntField()
    at = fields.BigIntField(db_index=True)
    skipped = fields.IntField(null=True, db_index=True)

    class Meta:
        table = "met"
        table_description = (
            "Two people who were brought together, when, and who of them was left within seconds. Forgotten "
            "after an hour."
        )
        unique_together = (("low", "high"),)

    @classmethod
    async def mark_skipped(cls, leaver: Stranger, left_mask: int) -> None:
        left = await Stranger.get_or_none(mask_id=left_mask)
        if left:
            low, high = sorted((leaver.person, left.person))
            await cls.filter(low=low, high=high).update(skipped=left.person)
