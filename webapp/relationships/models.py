"""The rules between two people: friendship, which both want, and blocking, which one decides."""

from datetime import UTC, datetime

from tortoise import fields
from tortoise.expressions import F, Q
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.relationships.queries import (
    COOLING_OFF,
    Relationship,
    friendship_between,
    ordered_ids,
    require_none_blocked,
)

MAX_PENDING_REQUESTS = 50


async def lock_people(*users: int) -> None:
    """Lock them, within a transaction: what is made between people waits for what is being made or ended there."""
    for user in sorted(set(users)):
        await User.filter(id=user).update(blocks_version=F("blocks_version"))


def _pending_for_sender() -> Q:
    """A request as it looks to the one who asked: it waits for an answer."""
    is_fresh = Q(declined_at=None) | Q(declined_at__gt=datetime.now(UTC) - COOLING_OFF)
    return Q(accepted_at=None, withdrawn=False) & is_fresh


class Friendship(Model):
    """
    A pair of people, one of whom asked. Friends when `accepted_at` is set.

    A decline is silent: the row stays, the one who asked sees it wait, and asking again before COOLING_OFF
    is over changes nothing for the other. `withdrawn` is a request that the one who asked took back meanwhile.
    """

    id = fields.IntField(primary_key=True)
    low: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "friendships_low")
    high: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "friendships_high", db_index=True)
    asked_by = fields.IntField(db_index=True)
    asked_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    declined_at = fields.DatetimeField(null=True)
    withdrawn = fields.BooleanField(default=False)

    low_id: int
    high_id: int

    class Meta:
        table = "friendship"
        table_description = "A pair of people, one of whom asked. Friends when `accepted_at` is set."
        unique_together = (("low", "high"),)

    @classmethod
    async def request(cls, user: Person, other: Person) -> Relationship:
        """
        Ask to be friends, or accept when the other has asked already; what they are now.

        Raises NotFound where either has blocked the other, Forbidden to one with too many requests waiting.
        """
        return await transaction.transact(cls.ask_now, user, other)

    @classmethod
    async def ask_now(cls, user: Person, other: Person) -> Relationship:
        """The same within a transaction."""
        if user.id == other.id:
            raise Forbidden(_("You are your own friend already."))
        await lock_people(user.id, other.id)
        await require_none_blocked(user, other)
        now = datetime.now(UTC)
        known = await friendship_between(user, other)
        if known and known.accepted_at:
            return Relationship.FRIENDS
        low, high = ordered_ids(user, other)
        pair = cls.filter(low_id=low, high_id=high)
        # Declined or not: the sender saw a pending request, and now sees an answer.
        if known and await pair.filter(_pending_for_sender(), asked_by=other.id).update(accepted_at=now):
            return Relationship.FRIENDS
        if known and known.seen_by(user) is Relationship.REQUEST_SENT:
            return Relationship.REQUEST_SENT
        if await cls.filter(_pending_for_sender(), asked_by=user.id).count() >= MAX_PENDING_REQUESTS:
            raise Forbidden(_("You have asked many people who have not answered yet. Wait for some of them."))
        if known and known.asked_by == user.id and not known.is_stale:
            await pair.update(withdrawn=False)
            return Relationship.REQUEST_SENT
        # What is left of the pair has ended: an old decline, a request taken back, or nothing.
        await pair.delete()
        await cls.create(low_id=low, high_id=high, asked_by=user.id, asked_at=now)
        return Relationship.REQUEST_SENT

    @classmethod
    async def accept(cls, user: Person, other: Person) -> None:
        """Raises NotFound when they have not asked, or have taken it back."""
        low, high = ordered_ids(user, other)
        asked = cls.filter(_pending_for_sender(), low_id=low, high_id=high, asked_by=other.id)
        if not await asked.update(accepted_at=datetime.now(UTC)):
            if (found := await friendship_between(user, other)) and found.accepted_at:
                return  # accepted already
            raise NotFound(_("They have cancelled their request."))

    @classmethod
    async def befriend(cls, one: Person, other: Person) -> None:
        """Make friends of two who both want it, within a transaction; raises NotFound where a block stands between."""
        await lock_people(one.id, other.id)
        await require_none_blocked(one, other)
        low, high = ordered_ids(one, other)
        now = datetime.now(UTC)
        if not await cls.filter(low_id=low, high_id=high, accepted_at__not_isnull=True).exists():
            await cls.filter(low_id=low, high_id=high).delete()
            await cls.create(low_id=low, high_id=high, asked_by=one.id, asked_at=now, accepted_at=now)

    @classmethod
    async def decline(cls, user: Person, other: Person) -> None:
        low, high = ordered_ids(user, other)
        asked = cls.filter(low_id=low, high_id=high, asked_by=other.id, accepted_at=None, declined_at=None)
        await asked.update(declined_at=datetime.now(UTC))

    @classmethod
    async def cancel(cls, user: Person, other: Person) -> None:
        low, high = ordered_ids(user, other)
        asked = cls.filter(low_id=low, high_id=high, asked_by=user.id, accepted_at=None)
        if not await asked.filter(declined_at=None).delete():
            await asked.update(withdrawn=True)

    @classmethod
    async def remove(cls, user: Person, other: Person) -> None:
        """End a friendship. No other trace of the pair is left."""
        low, high = ordered_ids(user, other)
        await cls.filter(low_id=low, high_id=high, accepted_at__not_isnull=True).delete()


class Block(Model):
    """One person wants nothing of another, both ways, and without telling."""

    id = fields.IntField(primary_key=True)
    blocker: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "blocks")
    blocked: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "blocked_by", db_index=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    blocker_id: int
    blocked_id: int

    class Meta:
        table = "block"
        table_description = "One person wants nothing of another, both ways, and without telling."
        unique_together = (("blocker", "blocked"),)

    @classmethod
    async def add(cls, user: Person, other: Person) -> None:
        """Block a person: friendship and requests between the two end with it."""
        if user.id == other.id:
            raise Forbidden(_("You can't block yourself."))

        async def write() -> None:
            await lock_people(user.id, other.id)
            low, high = ordered_ids(user, other)
            await Friendship.filter(low_id=low, high_id=high).delete()
            if not await cls.exists(blocker_id=user.id, blocked_id=other.id):
                await cls.create(blocker_id=user.id, blocked_id=other.id)
                await cls._count(user)

        await transaction.transact(write)

    @classmethod
    async def remove(cls, user: Person, other: Person) -> None:
        async def write() -> None:
            if await cls.filter(blocker_id=user.id, blocked_id=other.id).delete():
                await cls._count(user)

        await transaction.transact(write)

    @staticmethod
    async def _count(user: Person) -> None:
        await User.filter(id=user.id).update(blocks_version=F("blocks_version") + 1)


class VeiledBlock(Model):
    """
    A block of a person whose name the blocker must not learn by it.

    Made from a mask, it counts in matching alone, and is independent of an open block of the same two. Those with
    `everywhere` are older than this table, and look like open blocks: they have the force of one.
    """

    id = fields.IntField(primary_key=True)
    blocker: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "veiled_blocks")
    blocked: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "veiled_blocked_by", db_index=True)
    everywhere = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField(auto_now_add=True)

    blocker_id: int
    blocked_id: int

    class Meta:
        table = "veiled_block"
        table_description = "A block without a name."
        unique_together = (("blocker", "blocked"),)

    @classmethod
    async def put(cls, user: Person, other: Person) -> None:
        """Never bring these two together again. What they are to each other by name stays as it is."""
        block = cls(blocker_id=user.id, blocked_id=other.id)
        await transaction.transact(cls.bulk_create, [block], ignore_conflicts=True)

    @classmethod
    async def lift(cls, user: Person, number: int) -> None:
        await cls.filter(id=number, blocker_id=user.id).delete()
